//! A scripted authorization server: authorization codes with PKCE, device codes, refresh tokens that rotate, client
//! credentials, and introspection, by which a Dovecot asks whose token it was given.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// The client id that it knows.
pub const CLIENT: &str = "the-client";

/// What it has given out and been asked.
#[derive(Default)]
struct Books {
    /// Active access tokens and their users.
    access: HashMap<String, String>,
    /// Refresh tokens that still hold, and their users.
    refresh: HashMap<String, String>,
    /// Refresh tokens that were traded for others.
    spent: HashSet<String>,
    /// Authorization codes: user, challenge, redirect address.
    codes: HashMap<String, (String, String, String)>,
    /// How often the device's question is still answered by "not yet".
    pending: u32,
    user: String,
    life: u64,
    grants: Vec<String>,
    next: u32,
    held: bool,
}

/// The server; it lives as long as the test process.
pub struct Issuer {
    port: u16,
    books: Arc<(Mutex<Books>, Condvar)>,
    config: tempfile::TempDir,
}

impl Issuer {
    /// A server whose every grant is for `user`.
    pub fn new(user: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("address").port();
        let books = Books { user: user.to_owned(), life: 3600, ..Books::default() };
        let books = Arc::new((Mutex::new(books), Condvar::new()));
        let shared = Arc::clone(&books);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let books = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &books));
            }
        });
        // Dovecot's login process reads it as another user.
        let config = tempfile::Builder::new().prefix("mfo-").permissions(open()).tempdir().expect("a folder");
        Self { port, books, config }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// What a Dovecot needs to take its tokens.
    pub fn dovecot(&self) -> String {
        let file: PathBuf = self.config.path().join("oauth2.conf");
        let text = format!(
            "introspection_mode = post\nintrospection_url = {}\nusername_attribute = username\nactive_attribute = active\n\
             active_value = true\n",
            self.url("introspect")
        );
        std::fs::write(&file, text).expect("oauth2.conf");
        format!(
            "auth_mechanisms = plain login xoauth2 oauthbearer\n\
             passdb {{\n driver = oauth2\n mechanisms = xoauth2 oauthbearer\n args = {}\n}}\n",
            file.display()
        )
    }

    /// The TOML of an `oauth2` table for it, with these keys beside the client id.
    pub fn table(&self, keys: &[&str]) -> String {
        let mut fields = vec![format!("client_id = \"{CLIENT}\"")];
        for key in keys {
            let value = match *key {
                "client_secret" => "s3cret".to_owned(),
                url => self.url(url.trim_end_matches("_url")),
            };
            fields.push(format!("{key} = \"{value}\""));
        }
        format!("{{ {}, scopes = [\"mail\"] }}", fields.join(", "))
    }

    /// How long access tokens of later grants say that they live, in seconds.
    pub fn set_life(&self, seconds: u64) {
        self.books().life = seconds;
    }

    /// How often a device must ask before the person has signed in.
    pub fn set_pending(&self, times: u32) {
        self.books().pending = times;
    }

    /// Withdraws every access token that was given out.
    pub fn withdraw_access(&self) {
        self.books().access.clear();
    }

    /// Withdraws everything.
    pub fn withdraw_all(&self) {
        let mut books = self.books();
        books.access.clear();
        books.refresh.clear();
    }

    /// Holds answers to requests for tokens back until [`Issuer::release`].
    pub fn hold(&self) {
        self.books().held = true;
    }

    /// Answers again.
    pub fn release(&self) {
        self.books().held = false;
        self.books.1.notify_all();
    }

    /// The grant types that were asked for, in order.
    pub fn grants(&self) -> Vec<String> {
        self.books().grants.clone()
    }

    /// The access tokens that hold.
    pub fn active(&self) -> Vec<String> {
        self.books().access.keys().cloned().collect()
    }

    /// How many refresh tokens hold.
    pub fn holding(&self) -> usize {
        self.books().refresh.len()
    }

    /// Plays the browser: opens `address`, signs in or refuses, and follows the redirect.
    pub fn browse(&self, address: &str, consents: bool) -> String {
        let query = address.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let fields = form(query);
        let field = |name: &str| fields.get(name).cloned().unwrap_or_else(|| panic!("no {name} in {address}"));
        assert_eq!((field("response_type"), field("client_id")), ("code".to_owned(), CLIENT.to_owned()));
        assert_eq!((field("code_challenge_method"), field("scope")), ("S256".to_owned(), "mail".to_owned()));
        let redirect = field("redirect_uri");
        let at = redirect.trim_start_matches("http://").trim_end_matches('/').to_owned();
        assert!(at.starts_with("127.0.0.1:"), "{redirect}");
        assert!(get(&at, "/favicon.ico").contains("404") && get(&at, "/?code=forged&state=forged").contains("404"));
        if !consents {
            return get(&at, &format!("/?error=access_denied&error_description=said+no&state={}", field("state")));
        }
        let code = {
            let mut books = self.books();
            books.next += 1;
            let (code, user) = (format!("code-{}", books.next), books.user.clone());
            books.codes.insert(code.clone(), (user, field("code_challenge"), redirect));
            code
        };
        get(&at, &format!("/?state={}&code={code}", field("state")))
    }
}

fn open() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o755)
}

fn get(at: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(at).expect("the listener for the browser");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {at}\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn serve(mut stream: TcpStream, books: &(Mutex<Books>, Condvar)) {
    let Some((path, fields)) = request(&mut stream) else { return };
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let mut held = books.0.lock().unwrap_or_else(|e| e.into_inner());
    let (status, answer) = match path.as_str() {
        "/token" => {
            held.grants.push(field("grant_type"));
            held = books.1.wait_while(held, |books| books.held).unwrap_or_else(|e| e.into_inner());
            held.token(&field)
        }
        "/device" if field("client_id") == CLIENT => {
            let answer = "{\"device_code\":\"D\",\"user_code\":\"ABCD-EFGH\",\"verification_uri\":\"https://login.example/device\",\
                          \"expires_in\":60,\"interval\":1}";
            (200, answer.to_owned())
        }
        "/introspect" => {
            let user = held.access.get(&field("token"));
            (
                200,
                user.map_or("{\"active\":false}".to_owned(), |user| {
                    format!("{{\"active\":true,\"username\":\"{user}\"}}")
                }),
            )
        }
        _ => (404, "{}".to_owned()),
    };
    drop(held);
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", answer.len());
    stream.write_all(format!("{head}Connection: close\r\n\r\n{answer}").as_bytes()).ok();
}

impl Books {
    fn token(&mut self, field: &dyn Fn(&str) -> String) -> (u16, String) {
        let refuse =
            |error: &str, why: &str| (400, format!("{{\"error\":\"{error}\",\"error_description\":\"{why}\"}}"));
        if field("client_id") != CLIENT {
            return refuse("invalid_client", "who is that?");
        }
        match field("grant_type").as_str() {
            "authorization_code" => {
                let Some((user, challenge, redirect)) = self.codes.remove(&field("code")) else {
                    return refuse("invalid_grant", "no such code");
                };
                let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
                if proof != challenge || field("redirect_uri") != redirect {
                    return refuse("invalid_grant", "the verifier or the redirect is another's");
                }
                self.grant(user, true)
            }
            "refresh_token" => {
                let old = field("refresh_token");
                if self.spent.contains(&old) {
                    // As RFC 9700 §4.14 wants: a token used twice was stolen, and all of the family go.
                    self.refresh.clear();
                    self.access.clear();
                    return refuse("invalid_grant", "this refresh token was used before");
                }
                let Some(user) = self.refresh.remove(&old) else {
                    return refuse("invalid_grant", "this refresh token was withdrawn");
                };
                self.spent.insert(old);
                self.grant(user, true)
            }
            "client_credentials" if field("client_secret") == "s3cret" => self.grant(self.user.clone(), false),
            "urn:ietf:params:oauth:grant-type:device_code" if self.pending > 0 => {
                self.pending -= 1;
                refuse("authorization_pending", "not yet")
            }
            "urn:ietf:params:oauth:grant-type:device_code" if field("device_code") == "D" => {
                self.grant(self.user.clone(), true)
            }
            _ => refuse("unsupported_grant_type", "no"),
        }
    }

    fn grant(&mut self, user: String, renewable: bool) -> (u16, String) {
        self.next += 1;
        let (access, refresh) = (format!("access-{}", self.next), format!("refresh-{}", self.next));
        self.access.insert(access.clone(), user.clone());
        let mut answer = serde_json::json!({"access_token": access, "token_type": "Bearer", "expires_in": self.life});
        if renewable {
            self.refresh.insert(refresh.clone(), user);
            answer["refresh_token"] = refresh.into();
        }
        (200, answer.to_string())
    }
}

/// Path and form fields of a request.
fn request(stream: &mut TcpStream) -> Option<(String, HashMap<String, String>)> {
    let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if body.len() >= length.unwrap_or(0) {
                let target = head.split(' ').nth(1)?;
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                return Some((path.to_owned(), form(if body.is_empty() { query } else { body })));
            }
        }
        match stream.read(&mut chunk) {
            Ok(read @ 1..) => got.extend_from_slice(&chunk[..read]),
            Ok(0) | Err(_) => return None,
        }
    }
}

fn form(text: &str) -> HashMap<String, String> {
    let plain = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let hex = [rest.next().expect("hex"), rest.next().expect("hex")];
                    u8::from_str_radix(std::str::from_utf8(&hex).expect("hex"), 16).expect("hex")
                }
                other => other,
            });
        }
        String::from_utf8(bytes).expect("UTF-8")
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (plain(name), plain(value))).collect()
}
