//! A login by client certificate against Dovecot, and what is said when the file, its password or the certificate will not do.

use crate::support::corpus::Corpus;
use crate::support::dovecot::{Dovecot, Options};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry, Outcome};
use crate::support::mailbox::{self, Mailbox};
use crate::support::message::assert_in_step;
use crate::support::tls::{Authority, Certificate};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server that knows users by certificates of this authority, and a folder for the files.
struct Gate {
    server: Dovecot,
    authority: Authority,
    folder: TempDir,
}

impl Gate {
    /// The one that all tests here share.
    fn shared() -> Arc<Self> {
        static GATE: OnceLock<Arc<Gate>> = OnceLock::new();
        GATE.get_or_init(|| Arc::new(Self::new())).clone()
    }

    fn new() -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        let trusted = folder.path().join("clients.pem");
        std::fs::write(&trusted, &authority.pem).unwrap();
        // The plain mechanisms are for the test's own sessions.
        let extra = format!(
            "ssl_ca = <{}\nssl_require_crl = no\nssl_verify_client_cert = yes\nauth_ssl_username_from_cert = yes\n\
             auth_mechanisms = plain login external\npassdb {{\n driver = static\n args = nopassword=yes\n}}\n",
            trusted.display()
        );
        Self { server: Dovecot::start(Options { extra, ..Options::default() }), authority, folder }
    }

    /// A new user with mail, whose account logs in by nothing but a certificate.
    fn user(&self, hint: &str) -> (String, Ferry) {
        let user = self.server.user(hint);
        let mut session = Mailbox::open(&self.server, &user);
        let mut corpus = Corpus::new(7);
        for _ in 0..5 {
            let (bytes, flags, date) = (corpus.message(), corpus.flags(), corpus.date());
            session.append("INBOX", &bytes, &flags, date);
        }
        (user.clone(), self.account(&user, self.server.ports.imaps))
    }

    fn account(&self, user: &str, port: u16) -> Ferry {
        let keys = AccountKeys::default()
            .text("protocol", "imap")
            .text("host", "localhost")
            .set("port", port.to_string())
            .text("ca_file", &self.server.ca_file.to_string_lossy())
            .text("user", user)
            .text("auth", "external")
            .text("timeout", "10s");
        Ferry::new().account(ACCOUNT, keys)
    }
}

/// Writes a PKCS #12 file.
fn pkcs12(folder: &Path, certificate: &Certificate, password: &str, more: &[&str]) -> PathBuf {
    let dir = tempfile::tempdir_in(folder).unwrap().keep();
    let at = |name: &str| dir.join(name);
    std::fs::write(at("cert.pem"), &certificate.cert_pem).unwrap();
    std::fs::write(at("key.pem"), &certificate.key_pem).unwrap();
    let outcome = Command::new("openssl")
        .args(["pkcs12", "-export", "-in"])
        .arg(at("cert.pem"))
        .arg("-inkey")
        .arg(at("key.pem"))
        .arg("-out")
        .arg(at("id.p12"))
        .args(["-passout", &format!("pass:{password}")])
        .args(more)
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    at("id.p12")
}

fn give(ferry: &mut Ferry, file: &Path, password: Option<&str>) {
    ferry.set("client_cert", &format!("{:?}", file.display().to_string()));
    if let Some(password) = password {
        ferry.set("client_cert_password_command", &format!("[\"printf\", \"%s\", {password:?}]"));
    }
}

#[track_caller]
fn assert_told(outcome: &Outcome, code: i32, message: &str, hint: &str) {
    outcome.assert_code(code);
    let errors = outcome.events_of("error");
    let [error] = errors.as_slice() else { panic!("one error was wanted: {errors:?}") };
    let (told, advice) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap_or_default());
    assert!(told.contains(message), "{told:?} without {message:?}");
    assert!(advice.contains(hint), "{advice:?} without {hint:?}");
}

#[test]
fn a_certificate_logs_in() {
    let gate = Gate::shared();
    for (hint, tls) in [("cert-tls", "implicit"), ("cert-starttls", "starttls")] {
        let (user, mut ferry) = gate.user(hint);
        let file = pkcs12(gate.folder.path(), &gate.authority.issue(&[&user]), "geheim wörd", &[]);
        give(&mut ferry, &file, Some("geheim wörd"));
        if tls == "starttls" {
            ferry.set("tls", "\"starttls\"");
            ferry.set("port", &gate.server.ports.imap.to_string());
        }
        let outcome = ferry.sync();
        assert_eq!(outcome.figure("downloaded"), 5);
        assert_in_step(&mailbox::snapshot(&gate.server, &user), &ferry.local().snapshot());
        // One connection more than one is made with it, too.
        ferry.run(&["check"]).assert_code(0);
    }
}

#[test]
fn a_file_without_a_password_needs_no_command() {
    let gate = Gate::shared();
    let (user, mut ferry) = gate.user("cert-open");
    give(&mut ferry, &pkcs12(gate.folder.path(), &gate.authority.issue(&[&user]), "", &[]), None);
    assert_eq!(ferry.sync().figure("downloaded"), 5);
}

#[test]
fn a_certificate_of_another_authority_and_none_at_all_are_refused() {
    let gate = Gate::shared();
    let (user, mut ferry) = gate.user("cert-foreign");
    // 77, unless the server's reset overtakes its alert: then the line was cut, for all that can be known (75).
    let refused = |outcome: &Outcome| {
        assert!(matches!(outcome.code, Some(75 | 77)), "{outcome:?}");
        assert_eq!(outcome.figure("downloaded"), 0);
    };
    refused(&ferry.json(&["sync"]));
    give(&mut ferry, &pkcs12(gate.folder.path(), &Authority::new().issue(&[&user]), "", &[]), None);
    refused(&ferry.json(&["sync"]));
    assert!(ferry.local().messages("INBOX").is_empty());
}

#[test]
fn another_users_certificate_opens_no_mailbox() {
    let gate = Gate::shared();
    let (user, mut ferry) = gate.user("cert-mine");
    let (other, _) = gate.user("cert-yours");
    assert_ne!(user, other);
    give(&mut ferry, &pkcs12(gate.folder.path(), &gate.authority.issue(&[&other]), "", &[]), None);
    ferry.json(&["sync"]).assert_code(77);
}

#[test]
fn a_password_that_is_missing_or_wrong_and_a_file_that_is_none_are_told_apart() {
    let gate = Gate::shared();
    let (user, mut ferry) = gate.user("cert-password");
    let file = pkcs12(gate.folder.path(), &gate.authority.issue(&[&user]), "right", &[]);
    let port = gate.server.ports.imaps;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    ferry.set("port", &silent.local_addr().unwrap().port().to_string());
    give(&mut ferry, &file, None);
    assert_told(&ferry.json(&["sync"]), 78, "it has a password", "set client_cert_password_command");
    give(&mut ferry, &file, Some("wrong"));
    assert_told(&ferry.json(&["sync"]), 78, "its password is another", "run client_cert_password_command by hand");
    ferry.set("client_cert_password_command", "\"exit 3\"");
    assert_told(&ferry.json(&["sync"]), 78, "client_cert_password_command failed", "by hand");
    let broken = gate.folder.path().join("broken.p12");
    std::fs::write(&broken, "no such thing").unwrap();
    give(&mut ferry, &broken, Some("right"));
    assert_told(&ferry.json(&["sync"]), 78, "no PKCS #12", "openssl pkcs12 -export");
    give(&mut ferry, Path::new("/nowhere/id.p12"), Some("right"));
    assert_told(&ferry.json(&["sync"]), 78, "No such file", "correct client_cert");
    // All that before anybody was called.
    assert!(silent.accept().is_err());
    ferry.set("port", &port.to_string());
    give(&mut ferry, &file, Some("right"));
    assert_eq!(ferry.sync().figure("downloaded"), 5);
}

#[test]
fn an_old_file_that_openssl_refuses_comes_with_the_way_out() {
    let gate = Gate::shared();
    let (user, mut ferry) = gate.user("cert-old");
    let certificate = gate.authority.issue(&[&user]);
    let old = ["-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
    let file = pkcs12(gate.folder.path(), &certificate, "alt", &old);
    give(&mut ferry, &file, Some("alt"));
    assert_told(&ferry.json(&["sync"]), 78, "old cipher", "openssl pkcs12 -legacy -in");
    // The way out, taken.
    let (pem, new) = (gate.folder.path().join("id.pem"), gate.folder.path().join("new.p12"));
    let steps = format!(
        "openssl pkcs12 -legacy -in {} -nodes -out {} -passin pass:alt && openssl pkcs12 -export -in {1} -out {} -passout pass:neu",
        file.display(),
        pem.display(),
        new.display()
    );
    assert!(Command::new("sh").args(["-c", &steps]).stderr(Stdio::null()).status().unwrap().success());
    give(&mut ferry, &new, Some("neu"));
    assert_eq!(ferry.sync().figure("downloaded"), 5);
    // 3DES alone is no hindrance.
    let triple = ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
    give(&mut ferry, &pkcs12(gate.folder.path(), &certificate, "drei", &triple), Some("drei"));
    ferry.sync();
}

/// A TLS server that shakes hands only with certificates of the gate's authority.
struct Strict {
    child: Child,
    port: u16,
}

impl Strict {
    fn start(gate: &Gate, version: &str) -> Self {
        let own = gate.authority.issue(&["localhost"]);
        let at = |name: &str| gate.folder.path().join(format!("strict-{name}.pem"));
        std::fs::write(at("cert"), &own.cert_pem).unwrap();
        std::fs::write(at("key"), &own.key_pem).unwrap();
        std::fs::write(at("ca"), &gate.authority.pem).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                &format!("127.0.0.1:{port}"),
                "-Verify",
                "1",
                "-verify_return_error",
                "-quiet",
            ])
            .arg(version)
            .arg("-cert")
            .arg(at("cert"))
            .arg("-key")
            .arg(at("key"))
            .arg("-CAfile")
            .arg(at("ca"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err() {
            assert!(Instant::now() < end, "openssl s_server does not come up");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }
}

impl Drop for Strict {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_server_that_ends_the_handshake_over_the_certificate_is_not_tried_again() {
    let gate = Gate::shared();
    let server = Strict::start(&gate, "-tls1_3");
    let mut ferry = gate.account("me", server.port);
    ferry.set("ca_file", &format!("{:?}", gate.folder.path().join("clients.pem").display().to_string()));
    let begun = Instant::now();
    let none = ferry.json(&["sync"]);
    assert_told(&none, 77, "does not accept the client certificate: the server wants one", "set client_cert");
    give(&mut ferry, &pkcs12(gate.folder.path(), &Authority::new().issue(&["me"]), "", &[]), None);
    let foreign = ferry.json(&["sync"]);
    // Both authorities have one name: the signature gives it away.
    assert_told(&foreign, 77, "its signature is wrong", "ask them which certificates it takes");
    // A retry would have waited for half the time-out at least.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
