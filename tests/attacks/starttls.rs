//! Somebody on the line before TLS: stripping, injection, early answers, commands that must not be sent in clear.

use super::stand::{SECRET, survive};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::peer::{Peer, Step, expect, reply, send};
use crate::support::tls::Authority;

fn home(protocol: &str, port: u16) -> Ferry {
    let keys = AccountKeys::plain(protocol, port, "someone").text("tls", "starttls").text("password", SECRET);
    Ferry::new().account(ACCOUNT, keys.text("timeout", "2s"))
}

/// Runs against this script; everything that was heard in clear.
#[track_caller]
fn attacked(protocol: &str, steps: Vec<Step>, codes: &[i32]) -> String {
    let peer = Peer::script(steps);
    let ferry = home(protocol, peer.port());
    survive(&ferry, &[if protocol == "imap" { "sync" } else { "fetch" }, ACCOUNT], codes);
    let heard = peer.finish().heard.concat();
    for word in ["LOGIN", "AUTH", "USER", "PASS", "APOP", "someone", SECRET, "LIST", "SELECT"] {
        assert!(!heard.contains(word), "{word} in clear: {heard:?}");
    }
    heard
}

#[test]
fn stripping_the_capability_from_the_greeting() {
    attacked(
        "imap",
        vec![
            send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n"),
            reply("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n{tag} OK\r\n"),
            Step::Drain,
        ],
        &[69],
    );
}

#[test]
fn refusing_the_upgrade() {
    for answer in ["{tag} NO not today\r\n", "{tag} BAD what\r\n"] {
        attacked(
            "imap",
            vec![send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"), reply("STARTTLS", answer), Step::Drain],
            &[69],
        );
    }
    attacked("pop3", vec![send("+OK hi\r\n"), reply("STLS", "-ERR no\r\n"), Step::Drain], &[69]);
}

#[test]
fn answers_injected_behind_the_upgrade_s_ok() {
    attacked(
        "imap",
        vec![
            send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"),
            reply("STARTTLS", "{tag} OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nF2 OK in\r\n"),
            Step::Drain,
        ],
        &[69],
    );
    attacked("pop3", vec![send("+OK hi\r\n"), reply("STLS", "+OK go\r\n+OK injected\r\n"), Step::Drain], &[69]);
}

#[test]
fn the_upgrade_agreed_before_it_was_asked_for() {
    for tags in ["F1 OK\r\n", "F1 OK\r\nF2 OK\r\nF3 OK\r\n"] {
        let greeting = format!("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n{tags}");
        attacked("imap", vec![send(&greeting), Step::Drain], &[69]);
    }
    attacked("pop3", vec![send("+OK hi\r\n+OK go\r\n"), Step::Drain], &[69]);
}

#[test]
fn logged_in_by_the_greeting() {
    let heard = attacked("imap", vec![send("* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n"), Step::Drain], &[69]);
    assert_eq!(heard, "");
}

#[test]
fn garbage_instead_of_a_handshake() {
    attacked(
        "imap",
        vec![
            send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"),
            expect("STARTTLS"),
            Step::Answer("{tag} OK go\r\n".into()),
            Step::Fin,
        ],
        &[69, 75],
    );
}

/// Nothing that was said before the handshake may count after it.
#[test]
fn capabilities_from_before_the_handshake_are_forgotten() {
    let authority = Authority::new();
    let certificate = authority.issue(&["127.0.0.1"]);
    let pin = certificate.pin();
    let peer = Peer::script(vec![
        send("* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN AUTH=LOGIN] hi\r\n"),
        reply("STARTTLS", "* LIST () \"/\" evil\r\n* 5 EXISTS\r\n{tag} OK go\r\n"),
        Step::Tls(certificate),
        reply("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n{tag} OK\r\n"),
        Step::Drain,
    ]);
    let mut ferry = home("imap", peer.port());
    ferry.set("tls_fingerprint", &format!("{pin:?}"));
    survive(&ferry, &["sync"], &[69, 77, 78]);
    let report = peer.finish();
    assert!(report.failures.iter().all(|f| !f.starts_with("connection 0")), "{:?}", report.failures);
    assert!(!report.heard.concat().contains(SECRET) && !report.heard.concat().contains("AUTHENTICATE"));
    assert!(!ferry.local().root.join("evil").exists());
}
