//! Against a scripted authorization server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::*;
use crate::auth::tokens::{access_token, store};
use crate::severity::Kind;

const LONG: Duration = Duration::from_secs(30);

/// Answers each request with the next of `answers`; gives the requests' bodies.
struct Server {
    url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn new(answers: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let thread = thread::spawn(move || {
            answers.into_iter().map(|(status, body)| answer(&mut listener.accept().unwrap().0, status, &body)).collect()
        });
        Self { url, thread }
    }

    fn client(&self) -> Client {
        Client::new(&self.settings(), LONG, None).unwrap()
    }

    fn settings(&self) -> OAuth2 {
        OAuth2 {
            client_id: Some("the id".to_owned()),
            client_secret: None,
            auth_url: Some("https://auth.example.org/authorize".to_owned()),
            token_url: Some(format!("{}/token", self.url)),
            device_url: Some(format!("{}/device", self.url)),
            scopes: vec!["mail".to_owned(), "offline_access".to_owned()],
            token_command: None,
        }
    }

    fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Reads one request, answers it, gives its body.
fn answer(socket: &mut TcpStream, status: u16, body: &str) -> String {
    let mut got = Vec::new();
    let mut chunk = [0; 4096];
    let request = loop {
        let text = String::from_utf8(got.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break body.to_owned();
            }
        }
        let read = socket.read(&mut chunk).unwrap();
        assert!(read > 0, "the request ended early");
        got.extend_from_slice(&chunk[..read]);
    };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\n{body}"
    );
    socket.write_all(answer.as_bytes()).unwrap();
    request
}

fn granted(access: &str, refresh: Option<&str>, life: u64) -> (u16, String) {
    let mut json = serde_json::json!({"access_token": access, "token_type": "Bearer", "expires_in": life});
    if let Some(refresh) = refresh {
        json["refresh_token"] = refresh.into();
    }
    (200, json.to_string())
}

fn refused(error: &str) -> (u16, String) {
    (400, serde_json::json!({"error": error, "error_description": "because"}).to_string())
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn stop() -> Stop {
    Stop::new().unwrap()
}

fn tokens(access: &str, refresh: &str, life: u64) -> Tokens {
    Tokens { access: secret(access), refresh: Some(secret(refresh)), expires_in: Some(Duration::from_secs(life)) }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state/tokens/me.json");
    (dir, path)
}

#[test]
fn a_good_token_is_used_without_asking() {
    let server = Server::new(Vec::new());
    let (_dir, path) = place();
    assert!(matches!(access_token(&server.client(), &path, None, &stop()), Err(Error::NotSignedIn)));
    store(&path, &tokens("A1", "R1", 3600), &stop()).unwrap();
    assert_eq!(access_token(&server.client(), &path, None, &stop()).unwrap(), secret("A1"));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(server.requests().is_empty());
}

#[test]
fn an_old_or_refused_token_is_refreshed_and_rotated() {
    let server = Server::new(vec![granted("A2", Some("R2"), 3600), granted("A3", None, 3600), granted("A4", None, 0)]);
    let (_dir, path) = place();
    let client = server.client();
    store(&path, &tokens("A1", "R1", 10), &stop()).unwrap();
    assert_eq!(access_token(&client, &path, None, &stop()).unwrap(), secret("A2"));
    // Another run still has the first token refused: the newer one is there already.
    assert_eq!(access_token(&client, &path, Some(&secret("A1")), &stop()).unwrap(), secret("A2"));
    assert_eq!(access_token(&client, &path, Some(&secret("A2")), &stop()).unwrap(), secret("A3"));
    // No new refresh token was named: the old one stays.
    assert_eq!(access_token(&client, &path, Some(&secret("A3")), &stop()).unwrap(), secret("A4"));
    let requests = server.requests();
    assert_eq!(requests[0], "grant_type=refresh_token&refresh_token=R1&client_id=the%20id");
    assert!(requests[1].contains("refresh_token=R2") && requests[2].contains("refresh_token=R2"), "{requests:?}");
}

#[test]
fn a_refused_refresh_keeps_the_old_tokens() {
    let server = Server::new(vec![refused("invalid_grant")]);
    let (_dir, path) = place();
    store(&path, &tokens("A1", "R1", 0), &stop()).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = access_token(&server.client(), &path, None, &stop()).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth);
    assert_eq!(error.to_string(), "the authorization server refused (invalid_grant): because");
    assert!(error.advice("work").unwrap().contains("mailferry auth work"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 2, "a draft was left behind");
    server.requests();
}

#[test]
fn without_room_for_the_new_token_the_server_is_not_asked() {
    let server = Server::new(Vec::new());
    let (_dir, path) = place();
    store(&path, &tokens("A1", "R1", 0), &stop()).unwrap();
    std::fs::create_dir(path.with_file_name("me.json.new")).unwrap();
    let error = access_token(&server.client(), &path, None, &stop()).unwrap_err();
    assert_eq!(error.kind(), Kind::Disk);
    assert!(server.requests().is_empty());
}

#[test]
fn two_runs_at_once_ask_once() {
    let server = Server::new(vec![granted("A2", Some("R2"), 3600)]);
    let (_dir, path) = place();
    store(&path, &tokens("A1", "R1", 0), &stop()).unwrap();
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let (client, path) = (server.client(), path.clone());
            thread::spawn(move || access_token(&client, &path, None, &stop()).unwrap())
        })
        .collect();
    for run in runs {
        assert_eq!(run.join().unwrap(), secret("A2"));
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_stop_ends_waiting_for_another_run_and_for_the_server() {
    let (_dir, path) = place();
    store(&path, &tokens("A1", "R1", 0), &stop()).unwrap();
    let held = std::fs::File::open(path.with_file_name("me.json.lock")).unwrap();
    held.lock().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = Server::new(Vec::new()).settings();
    settings.token_url = Some(format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port()));
    let client = Client::new(&settings, LONG, None).unwrap();
    let asked = stop();
    asked.request();
    assert!(matches!(access_token(&client, &path, None, &asked), Err(Error::Stopped)));
    drop(held);
    let asked = stop();
    let run = thread::spawn({
        let asked = asked.clone();
        move || access_token(&client, &path, None, &asked)
    });
    // The server takes the connection and never answers.
    let connection = listener.accept().unwrap();
    asked.request();
    assert!(matches!(run.join().unwrap(), Err(Error::Stopped)));
    drop(connection);
}

#[test]
fn damaged_files_are_named_and_not_quoted() {
    let server = Server::new(Vec::new());
    let (_dir, path) = place();
    store(&path, &tokens("A1", "R1", 0), &stop()).unwrap();
    std::fs::write(&path, "{\"access_token\": SECRET").unwrap();
    let error = access_token(&server.client(), &path, None, &stop()).unwrap_err().to_string();
    assert!(error.contains("me.json") && !error.contains("SECRET"), "{error}");
    server.requests();
}

#[test]
fn an_application_logs_in_by_itself() {
    let server = Server::new(vec![granted("A1", None, 3600)]);
    let (_dir, path) = place();
    let mut settings = server.settings();
    settings.auth_url = None;
    settings.device_url = None;
    settings.client_secret = Some("geheim&".to_owned().into());
    let client = Client::new(&settings, LONG, None).unwrap();
    assert!(client.is_app_only());
    for _ in 0..2 {
        assert_eq!(access_token(&client, &path, None, &stop()).unwrap(), secret("A1"));
    }
    let expected =
        "grant_type=client_credentials&scope=mail%20offline_access&client_id=the%20id&client_secret=geheim%26";
    assert_eq!(server.requests(), [expected]);
}

#[test]
fn a_device_signs_in() {
    let begin = serde_json::json!({"device_code": "D&1", "user_code": "AB-CD", "verification_uri": "https://v", "expires_in": 600, "interval": 0});
    let server = Server::new(vec![
        (200, begin.to_string()),
        refused("authorization_pending"),
        refused("authorization_pending"),
        granted("A1", Some("R1"), 3600),
    ]);
    let client = server.client();
    let code = client.device_begin(&stop()).unwrap();
    assert_eq!(code.user_code, "AB-CD");
    let tokens = client.device_wait(&code, &stop()).unwrap();
    assert_eq!(tokens.refresh, Some(secret("R1")));
    let requests = server.requests();
    assert_eq!(requests[0], "client_id=the%20id&scope=mail%20offline_access");
    assert!(requests[1].contains("device_code=D%261") && requests[1].contains("%3Adevice_code&"), "{requests:?}");
}

#[test]
fn device_sign_in_ends_when_declined_expired_or_missing() {
    let server = Server::new(vec![refused("access_denied"), refused("expired_token")]);
    let client = server.client();
    let code =
        answer::device(200, br#"{"device_code":"D","user_code":"U","verification_uri":"v","interval":0}"#).unwrap();
    assert!(
        matches!(client.device_wait(&code, &stop()), Err(Error::Refused { error, .. }) if error == "access_denied")
    );
    assert!(matches!(client.device_wait(&code, &stop()), Err(Error::Expired)));
    let mut google = server.settings();
    google.token_url = Some("https://oauth2.googleapis.com/token".to_owned());
    let error = Client::new(&google, LONG, None).unwrap().device_begin(&stop()).unwrap_err();
    assert!(error.advice("x").unwrap().contains("Google"), "{error}");
    server.requests();
}

/// What the browser gets for `path` of the listener behind `redirect`.
fn browse(redirect: &str, path: &str) -> String {
    let authority = redirect.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut socket = TcpStream::connect(authority).unwrap();
    socket.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_browser_signs_in() {
    let server = Server::new(vec![granted("A1", Some("R1"), 3600)]);
    let client = server.client();
    let loopback = Loopback::begin(&client, "me@example.org").unwrap();
    let (base, query) = loopback.address().split_once('?').unwrap();
    assert_eq!(base, "https://auth.example.org/authorize");
    let field = |name| form::field(query, name).unwrap();
    assert_eq!((field("code_challenge_method").as_str(), field("login_hint").as_str()), ("S256", "me@example.org"));
    let (redirect, state, challenge) = (field("redirect_uri"), field("state"), field("code_challenge"));
    let browser = thread::spawn({
        let redirect = redirect.clone();
        move || {
            assert!(browse(&redirect, "/favicon.ico").starts_with("HTTP/1.1 404"));
            assert!(browse(&redirect, "/?code=evil&state=guessed").starts_with("HTTP/1.1 404"));
            assert!(browse(&redirect, &format!("/?code=the%2Bcode&state={state}")).starts_with("HTTP/1.1 200"));
        }
    });
    let tokens = loopback.wait(&client, LONG, &stop()).unwrap();
    assert_eq!(tokens.access, secret("A1"));
    browser.join().unwrap();
    let request = &server.requests()[0];
    let field = |name| form::field(request, name).unwrap();
    assert_eq!((field("code").as_str(), field("redirect_uri")), ("the+code", redirect));
    assert_eq!(form::challenge(&field("code_verifier")), challenge);
}

#[test]
fn a_browser_that_never_comes_and_a_stop_end_the_wait() {
    let server = Server::new(Vec::new());
    let client = server.client();
    let loopback = Loopback::begin(&client, "me").unwrap();
    assert!(matches!(loopback.wait(&client, Duration::from_millis(20), &stop()), Err(Error::Expired)));
    let asked = stop();
    asked.request();
    assert!(matches!(loopback.wait(&client, LONG, &asked), Err(Error::Stopped)));
    server.requests();
}

#[test]
fn redirects_clear_text_and_silence_are_refused() {
    let server = Server::new(vec![(302, String::new())]);
    let error = server.client().refresh(&secret("R"), &stop()).unwrap_err();
    assert!(error.to_string().contains("302"), "{error}");
    let mut settings = server.settings();
    settings.token_url = Some("http://auth.example.org/token".to_owned());
    let error = Client::new(&settings, LONG, None).unwrap().refresh(&secret("R"), &stop()).unwrap_err();
    assert!(matches!(error, Error::Setting(_)));
    settings.token_url = Some("http://127.0.0.1:1/".to_owned());
    let error = Client::new(&settings, LONG, None).unwrap().refresh(&secret("R"), &stop()).unwrap_err();
    assert_eq!(error.kind(), Kind::TryLater);
    settings.client_id = None;
    assert!(matches!(Client::new(&settings, LONG, None), Err(Error::Setting(_))));
    server.requests();
}

#[test]
fn certificates_are_checked_and_another_root_can_be_given() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let identity =
        native_tls::Identity::from_pkcs8(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
    let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = Server::new(Vec::new()).settings();
    settings.token_url = Some(format!("https://localhost:{}/", listener.local_addr().unwrap().port()));
    let seen = Arc::new(Mutex::new(0));
    let server = thread::spawn({
        let seen = Arc::clone(&seen);
        move || {
            for _ in 0..2 {
                let Ok(mut stream) = acceptor.accept(listener.accept().unwrap().0) else { continue };
                let mut chunk = [0; 4096];
                let mut got = Vec::new();
                while memchr::memmem::find(&got, b"client_id").is_none() {
                    match stream.read(&mut chunk) {
                        Ok(read @ 1..) => got.extend_from_slice(&chunk[..read]),
                        _ => break,
                    }
                }
                if !got.is_empty() {
                    *seen.lock().unwrap() += 1;
                    let (_, body) = granted("A1", None, 60);
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                }
            }
        }
    });
    let error = Client::new(&settings, LONG, None).unwrap().refresh(&secret("R"), &stop()).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(*seen.lock().unwrap(), 0);
    let dir = tempfile::tempdir().unwrap();
    let roots = dir.path().join("roots.pem");
    std::fs::write(&roots, certificate.pem()).unwrap();
    let client = Client::new(&settings, LONG, Some(&roots)).unwrap();
    assert_eq!(client.refresh(&secret("R"), &stop()).unwrap().access, secret("A1"));
    server.join().unwrap();
}
