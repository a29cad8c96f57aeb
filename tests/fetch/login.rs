//! Every way to prove who we are over POP3, against a real Dovecot, and what must never follow a refusal.

use crate::support::dovecot::{Dovecot, Options};
use crate::support::fake_pop3::{FakePop3, Maildrop};
use crate::support::ferry::{ACCOUNT, Ferry};
use crate::support::mailbox::Mailbox;
use crate::support::message::flags;
use crate::support::proxy::{Manner, Proxy};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

/// A Dovecot that offers just these mechanisms, and does not slow down who guesses.
fn offering(mechanisms: &str) -> Arc<Dovecot> {
    let patient = "service anvil {\n unix_listener anvil-auth-penalty {\n  mode = 0\n }\n}\n";
    let extra = format!("auth_mechanisms = {mechanisms}\n{patient}");
    Dovecot::shared(&Options { extra, ..Options::default() })
}

/// Fetches one message after a login with `auth`; what the client said.
#[track_caller]
fn log_in(server: &Dovecot, auth: &str) -> String {
    let user = server.user("proof");
    Mailbox::open(server, &user).append("INBOX", b"Subject: x\n\nx\n", &flags(""), 1_600_000_000);
    let proxy = Proxy::start(server.pop3(), Manner::default());
    let mut ferry = Ferry::pop3(proxy.port(), &user);
    ferry.set("auth", &format!("{auth:?}"));
    for downloaded in [1, 0] {
        let outcome = ferry.json(&["fetch"]);
        outcome.assert_code(0);
        assert_eq!(outcome.figure("downloaded"), downloaded, "{auth}");
    }
    let said = proxy.records()[0].client();
    let encoded = "AHByb29m";
    assert!(auth == "plain" || auth == "login" || !said.contains("PASS") && !said.contains(encoded), "{auth}: {said}");
    ferry.set("password", "\"wrong\"");
    ferry.json(&["fetch"]).assert_code(77);
    let proofs =
        |said: &str| said.lines().filter(|l| ["AUTH", "APOP", "USER"].iter().any(|w| l.starts_with(w))).count();
    assert_eq!(proofs(&proxy.records().last().unwrap().client()), 1, "{auth}: a refused login is never repeated");
    assert_eq!(proxy.records().len(), 3, "{auth}");
    said
}

#[test]
fn each_mechanism_by_its_name() {
    let server = offering("plain login cram-md5 scram-sha-1 scram-sha-256 apop");
    for auth in ["plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256", "apop"] {
        let said = log_in(&server, auth);
        let word = if auth == "apop" { "APOP proof-".to_owned() } else { format!("AUTH {}", auth.to_uppercase()) };
        assert!(said.contains(&word), "{auth}: {said}");
    }
}

#[test]
fn auto_takes_the_strongest_that_both_know() {
    for (offered, taken) in [
        ("plain login cram-md5 scram-sha-1 scram-sha-256 apop", "AUTH SCRAM-SHA-256"),
        ("plain cram-md5 scram-sha-1 apop", "AUTH SCRAM-SHA-1"),
        ("plain apop cram-md5", "AUTH CRAM-MD5"),
        ("plain login apop", "APOP proof-"),
    ] {
        let said = log_in(&offering(offered), "auto");
        assert!(said.contains(taken), "{offered}: {said}");
    }
}

#[test]
fn inside_tls_apop_is_not_preferred() {
    let server = offering("plain login apop");
    let user = server.user("tls");
    let mut ferry = Ferry::pop3(server.ports.pop3s, &user);
    ferry.set("tls", "\"implicit\"");
    ferry.set("host", "\"localhost\"");
    ferry.set("ca_file", &format!("{:?}", server.ca_file));
    let outcome = ferry.run(&["fetch", "-vv"]);
    outcome.assert_code(0);
    assert!(outcome.stderr.contains("AUTH PLAIN ***") && !outcome.stderr.contains("APOP ***"), "{}", outcome.stderr);
}

/// A server of tokens: two steps, as Microsoft wants them.
fn token_server(mechanism: &'static str, token: &'static str) -> FakePop3 {
    let maildrop = Maildrop {
        capabilities: vec!["UIDL".into(), "TOP".into(), format!("SASL PLAIN {mechanism}")],
        ..Maildrop::default()
    };
    FakePop3::with_hook(
        maildrop,
        Box::new(move |command, _| match command.line.split(' ').collect::<Vec<_>>()[..] {
            ["AUTH", word] if word == mechanism => Some(b"+ \r\n".to_vec()),
            ["AUTH", ..] => Some(b"-ERR Protocol error. Connection is closed. 10\r\n".to_vec()),
            [line] if line.len() > 40 => {
                use base64::Engine as _;
                let said = base64::engine::general_purpose::STANDARD.decode(line).unwrap_or_default();
                let said = String::from_utf8_lossy(&said).into_owned();
                Some(if said.contains(&format!("auth=Bearer {token}\u{1}")) {
                    b"+OK in\r\n".to_vec()
                } else {
                    b"-ERR no\r\n".to_vec()
                })
            }
            _ => None,
        }),
    )
}

#[test]
fn tokens_of_any_length_go_in_two_steps() {
    let long: &'static str = Box::leak("aB3-._~+/".repeat(600).into_boxed_str());
    for (mechanism, auth) in [("XOAUTH2", "xoauth2"), ("OAUTHBEARER", "oauthbearer")] {
        for token in ["short", long] {
            let fake = token_server(mechanism, token);
            fake.change(|m| m.add("a", b"Subject: a\n\na\n"));
            let mut ferry = Ferry::pop3(fake.port(), "me@example.org");
            ferry.set("auth", &format!("{auth:?}"));
            ferry.set("password", &format!("{token:?}"));
            let outcome = ferry.json(&["fetch", "-vv"]);
            outcome.assert_code(0);
            assert_eq!(outcome.figure("downloaded"), 1, "{mechanism} {}", token.len());
            assert!(!outcome.stderr.contains(token), "the trace holds the token");
            ferry.json(&["fetch"]).assert_code(0);
            ferry.set("password", "\"expired-token-of-some-length-or-other\"");
            ferry.json(&["fetch"]).assert_code(77);
        }
    }
}

#[test]
fn a_password_file_that_others_can_read_is_told_once() {
    let server = Dovecot::usual();
    let user = server.user("file");
    let home = Ferry::new();
    let file = home.home().join("secret");
    std::fs::write(&file, "pass\n").unwrap();
    let keys = |f: &std::path::Path| {
        format!(
            "protocol = \"pop3\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nuser = {user:?}\npassword_file = {f:?}\nmaildir = \"~/Mail\"\n",
            server.ports.pop3
        )
    };
    home.write_raw_config(&format!("[accounts.{ACCOUNT}]\n{}", keys(&file)));
    let warnings = |mode: u32| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let outcome = home.json(&["fetch"]);
        outcome.assert_code(0);
        outcome.events_of("warning").len()
    };
    assert_eq!([0o600, 0o644, 0o644, 0o600, 0o644].map(warnings), [0, 1, 0, 0, 1]);
    assert!(home.run(&["check"]).stdout.contains("can be read by others (mode 644)"));
    assert!(home.run(&["status", "-v"]).stdout.contains("can be read by others"));
}
