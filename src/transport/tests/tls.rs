//! TLS against servers with good and bad certificates.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use native_tls::{Identity, TlsAcceptor};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};

use super::super::Error;
use super::{dial, endpoint, line};
use crate::account::{Endpoint, TlsMode};
use crate::severity::{Kind, Severity};

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, _dir: dir }
    }

    fn issue(&self, name: &str, until: i32) -> Served {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Served::new(&certificate, &key)
    }
}

struct Served {
    identity: Identity,
    sha256: [u8; 32],
}

impl Served {
    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let identity = Identity::from_pkcs8(certificate.pem().as_bytes(), key.serialize_pem().as_bytes()).unwrap();
        Self { identity, sha256: Sha256::digest(certificate.der()).into() }
    }

    fn self_signed() -> Self {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        Self::new(&params.self_signed(&key).unwrap(), &key)
    }
}

/// Serves `connections` connections with `before` in clear and then TLS; gives what came inside TLS.
fn serve(
    served: Served,
    connections: usize,
    before: impl Fn(&mut TcpStream) + Send + 'static,
) -> (u16, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::new(served.identity).unwrap();
    let server = thread::spawn(move || {
        let mut got = Vec::new();
        for _ in 0..connections {
            let (mut socket, _) = listener.accept().unwrap();
            before(&mut socket);
            if let Ok(mut stream) = acceptor.accept(socket) {
                let _ = stream.write_all(b"* OK hello\r\n");
                let _ = stream.read_to_end(&mut got);
            }
        }
        got
    });
    (port, server)
}

fn trusting(port: u16, authority: &Authority) -> Endpoint {
    let mut endpoint = endpoint(port, TlsMode::Implicit);
    endpoint.ca_file = Some(authority.file.clone());
    endpoint
}

/// Dials where the certificate must be refused; gives the error's text and hint.
fn refused(endpoint: &Endpoint, server: JoinHandle<Vec<u8>>) -> (String, String) {
    let error = dial(endpoint).unwrap_err();
    assert_eq!(error.kind(), Kind::Auth, "{error}");
    assert!(matches!(error, Error::Certificate(_)));
    assert_eq!(server.join().unwrap(), b"", "bytes were sent to a server that is not trusted");
    (error.to_string(), error.hint().unwrap())
}

#[test]
fn a_trusted_certificate_is_accepted() {
    let authority = Authority::new();
    let (port, server) = serve(authority.issue("localhost", 2090), 1, |_| {});
    let mut stream = dial(&trusting(port, &authority)).unwrap();
    assert!(stream.is_encrypted() && stream.is_loopback());
    assert_eq!(line(&mut stream).unwrap(), "* OK hello\r\n");
    assert_eq!(stream.certificate().unwrap().names, ["localhost"]);
    assert_eq!(stream.tls_server_end_point().unwrap().len(), 32);
    let body = vec![b'z'; 1_000_000];
    stream.write_body(&body).unwrap();
    stream.flush().unwrap();
    drop(stream);
    assert_eq!(server.join().unwrap(), body);
}

#[test]
fn a_self_signed_certificate_is_refused_and_shown() {
    let served = Served::self_signed();
    let pin = super::super::certificate::fingerprint(&served.sha256);
    let (port, server) = serve(served, 2, |_| {});
    let (text, hint) = refused(&endpoint(port, TlsMode::Implicit), server);
    assert!(text.contains("self-signed") || text.contains("self signed"), "{text}");
    assert!(text.contains(&pin) && hint.contains(&format!("tls_fingerprint = \"{pin}\"")), "{text} {hint}");
}

#[test]
fn wrong_names_and_old_certificates_are_refused() {
    let authority = Authority::new();
    let (port, server) = serve(authority.issue("mail.example.org", 2090), 2, |_| {});
    let (text, hint) = refused(&trusting(port, &authority), server);
    assert!(text.to_lowercase().contains("mismatch"), "{text}");
    assert!(hint.contains("mail.example.org"), "{hint}");
    let (port, server) = serve(authority.issue("localhost", 2010), 2, |_| {});
    let (text, hint) = refused(&trusting(port, &authority), server);
    assert!(text.contains("expired") && text.contains("2010-01-01") && text.contains("Test Authority"), "{text}");
    assert!(hint.contains("clock"), "{hint}");
    // The system does not know the authority.
    let (port, server) = serve(authority.issue("localhost", 2090), 2, |_| {});
    let (_, hint) = refused(&endpoint(port, TlsMode::Implicit), server);
    assert!(hint.contains("ca_file"), "{hint}");
}

#[test]
fn a_pin_replaces_every_other_check() {
    let authority = Authority::new();
    let served = authority.issue("somewhere.else", 2010);
    let pin = served.sha256;
    let (port, server) = serve(served, 1, |_| {});
    let mut pinned = endpoint(port, TlsMode::Implicit);
    pinned.fingerprint = Some(pin);
    let mut stream = dial(&pinned).unwrap();
    assert_eq!(line(&mut stream).unwrap(), "* OK hello\r\n");
    drop(stream);
    server.join().unwrap();
    // A good certificate with another pin is refused.
    let (port, server) = serve(authority.issue("localhost", 2090), 1, |_| {});
    let mut wrong = trusting(port, &authority);
    wrong.fingerprint = Some(pin);
    let (text, hint) = refused(&wrong, server);
    assert!(text.contains("fingerprint is not") && hint.contains("changed"), "{text} {hint}");
}

/// The clear-text part of an IMAP session up to STARTTLS.
fn starttls(extra: &'static [u8]) -> impl Fn(&mut TcpStream) + Send + 'static {
    move |socket| {
        socket.write_all(b"* OK hi\r\n").unwrap();
        let mut command = [0; 12];
        socket.read_exact(&mut command).unwrap();
        assert_eq!(&command, b"a STARTTLS\r\n");
        socket.write_all(&[b"a OK go\r\n", extra].concat()).unwrap();
    }
}

fn upgrade(endpoint: &Endpoint) -> Result<super::Stream, Error> {
    let mut stream = dial(endpoint)?;
    assert_eq!(line(&mut stream)?, "* OK hi\r\n");
    stream.write(b"a STARTTLS\r\n")?;
    assert_eq!(line(&mut stream)?, "a OK go\r\n");
    stream.start_tls()?;
    Ok(stream)
}

#[test]
fn starttls_upgrades() {
    let authority = Authority::new();
    let (port, server) = serve(authority.issue("localhost", 2090), 1, starttls(b""));
    let mut settings = trusting(port, &authority);
    settings.tls = TlsMode::StartTls;
    let mut stream = upgrade(&settings).unwrap();
    assert!(stream.is_encrypted());
    assert_eq!(line(&mut stream).unwrap(), "* OK hello\r\n");
    drop(stream);
    assert_eq!(server.join().unwrap(), b"");
}

#[test]
fn starttls_with_a_bad_certificate_shows_it() {
    let served = Served::self_signed();
    let pin = super::super::certificate::fingerprint(&served.sha256);
    let (port, server) = serve(served, 2, starttls(b""));
    let error = upgrade(&endpoint(port, TlsMode::StartTls)).unwrap_err();
    assert!(error.to_string().contains(&pin), "{error}");
    assert_eq!(server.join().unwrap(), b"");
}

#[test]
fn bytes_ahead_of_the_handshake_are_an_error() {
    let authority = Authority::new();
    let (port, server) = serve(authority.issue("localhost", 2090), 1, starttls(b"* CAPABILITY EVIL\r\n"));
    let mut settings = trusting(port, &authority);
    settings.tls = TlsMode::StartTls;
    let error = upgrade(&settings).unwrap_err();
    assert!(matches!(error, Error::Ahead { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Protocol);
    assert_eq!(server.join().unwrap(), b"");
}

#[test]
fn tls_to_a_plain_port_and_the_reverse_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"* OK [CAPABILITY IMAP4rev1] ready\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
    });
    let error = dial(&endpoint(port, TlsMode::Implicit)).unwrap_err();
    assert!(matches!(&error, Error::PlainPort { greeting, .. } if greeting.starts_with("* OK")), "{error}");
    server.join().unwrap();

    // The first connection waits for our hello while the second, which asks, is served.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut plain = endpoint(listener.local_addr().unwrap().port(), TlsMode::StartTls);
    let acceptor = TlsAcceptor::new(Served::self_signed().identity).unwrap();
    let server = thread::spawn(move || {
        let (waiting, _) = listener.accept().unwrap();
        let (asking, _) = listener.accept().unwrap();
        let _ = acceptor.accept(asking).unwrap().read(&mut [0]);
        drop(waiting);
    });
    plain.timeout = std::time::Duration::from_secs(1);
    let mut stream = dial(&plain).unwrap();
    let error = stream.fill().unwrap_err();
    assert!(matches!(error, Error::TlsPort { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Protocol);
    drop(stream);
    server.join().unwrap();
}

#[test]
fn unusable_settings_are_named() {
    let mut settings = endpoint(1, TlsMode::Implicit);
    settings.ca_file = Some(PathBuf::from("/does/not/exist.pem"));
    let error = dial(&settings).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    assert!(error.to_string().starts_with("ca_file = "), "{error}");
    settings.ca_file = None;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("id.p12");
    std::fs::write(&path, b"no pkcs12").unwrap();
    settings.client_cert = Some((path, None));
    assert!(dial(&settings).unwrap_err().to_string().starts_with("client_cert = "));
}

#[test]
fn an_end_without_goodbye_is_an_end() {
    let authority = Authority::new();
    let acceptor = TlsAcceptor::new(authority.issue("localhost", 2090).identity).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut stream = acceptor.accept(listener.accept().unwrap().0).unwrap();
        stream.write_all(b"* BYE\r\n").unwrap();
        stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut stream = dial(&trusting(port, &authority)).unwrap();
    assert_eq!(line(&mut stream).unwrap(), "* BYE\r\n");
    let error = stream.fill().unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    server.join().unwrap();
}
