//! Wrong certificates and pins: refused before a byte of the application is sent, for IMAP and POP3, implicit and upgraded TLS.

use super::stand::{DATE, SECRET, mail, survive};
use crate::support::fake_imap::{self, Store};
use crate::support::fake_pop3::{self, Maildrop};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::peer::{Handler, Peer, Step, reply, send};
use crate::support::tls::{Authority, Certificate};
use std::fs;
use std::sync::{Arc, Mutex};

/// The four ways into TLS.
const WAYS: [(&str, &str); 4] =
    [("imap", "implicit"), ("imap", "starttls"), ("pop3", "implicit"), ("pop3", "starttls")];

/// A server that offers this certificate and listens.
fn offering((protocol, tls): (&str, &str), certificate: &Certificate) -> Peer {
    let mut steps = match (protocol, tls) {
        ("imap", "starttls") => {
            vec![send("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n"), reply("STARTTLS", "{tag} OK go\r\n")]
        }
        ("pop3", "starttls") => vec![send("+OK hi\r\n"), reply("STLS", "+OK go\r\n")],
        _ => Vec::new(),
    };
    steps.extend([Step::Tls(certificate.clone()), send("* OK hi\r\n"), Step::Drain]);
    Peer::script(steps)
}

fn home((protocol, tls): (&str, &str), port: u16, authority: Option<&Authority>) -> Ferry {
    let mut keys = AccountKeys::plain(protocol, port, "someone").text("tls", tls).text("password", SECRET);
    let ferry = Ferry::new();
    if let Some(authority) = authority {
        let path = ferry.home().join(".config/ca.pem");
        fs::create_dir_all(ferry.home().join(".config")).expect("folder");
        fs::write(&path, &authority.pem).expect("authority");
        keys = keys.text("ca_file", &path.to_string_lossy());
    }
    ferry.account(ACCOUNT, keys)
}

fn verb(protocol: &str) -> [&str; 2] {
    [if protocol == "imap" { "sync" } else { "fetch" }, ACCOUNT]
}

/// Fails unless the certificate is refused with 77 and nothing was said but the way into TLS.
#[track_caller]
fn refused(certificate: &Certificate, authority: Option<&Authority>, pin: Option<&str>) {
    for way in WAYS {
        let peer = offering(way, certificate);
        let mut ferry = home(way, peer.port(), authority);
        if let Some(pin) = pin {
            ferry.set("tls_fingerprint", &format!("{pin:?}"));
        }
        survive(&ferry, &verb(way.0), &[77]);
        let heard = peer.finish().heard;
        for said in &heard {
            let lines: Vec<&str> = said.lines().collect();
            let harmless = lines.iter().all(|l| l.ends_with("STARTTLS") || *l == "STLS");
            assert!(harmless && lines.len() <= usize::from(way.1 == "starttls"), "{way:?}: {said:?}");
        }
        // A refused certificate is not tried again; the last one is the test's own way to end the peer.
        assert!(heard.len() <= 2, "{way:?}: {heard:?}");
    }
}

#[test]
fn a_certificate_for_another_host() {
    let authority = Authority::new();
    refused(&authority.issue(&["imap.example.net"]), Some(&authority), None);
    refused(&authority.issue(&["127.0.0.2"]), Some(&authority), None);
    refused(&authority.issue(&["*"]), Some(&authority), None);
    refused(&authority.issue(&[]), Some(&authority), None);
}

#[test]
fn an_expired_and_a_future_certificate() {
    let authority = Authority::new();
    refused(&authority.issue_valid(&["127.0.0.1"], (2001, 2002)), Some(&authority), None);
    refused(&authority.issue_valid(&["127.0.0.1"], (2090, 2091)), Some(&authority), None);
}

#[test]
fn an_unknown_authority_under_default_settings() {
    refused(&Authority::new().issue(&["127.0.0.1"]), None, None);
}

#[test]
fn another_authority_than_the_configured_one() {
    refused(&Authority::new().issue(&["127.0.0.1"]), Some(&Authority::new()), None);
}

#[test]
fn a_self_signed_certificate() {
    refused(&Certificate::self_signed(&["127.0.0.1"]), None, None);
    refused(&Certificate::self_signed(&["127.0.0.1"]), Some(&Authority::new()), None);
}

#[test]
fn a_wrong_pin_under_a_certificate_that_is_good_otherwise() {
    let authority = Authority::new();
    let pin = authority.issue(&["127.0.0.1"]).pin();
    refused(&authority.issue(&["127.0.0.1"]), Some(&authority), Some(&pin));
}

/// The control: the same ways with what is right, so that the refusals above mean something.
#[test]
fn the_right_certificate_and_the_right_pin_are_let_in() {
    let authority = Authority::new();
    let (good, own) = (authority.issue(&["127.0.0.1"]), Certificate::self_signed(&["elsewhere.example"]));
    for way in WAYS {
        for (certificate, authority, pin) in [(&good, Some(&authority), None), (&own, None, Some(own.pin()))] {
            let peer = Peer::start(vec![serving(way, certificate.clone())]);
            let mut ferry = home(way, peer.port(), authority);
            if let Some(pin) = pin {
                ferry.set("tls_fingerprint", &format!("{pin:?}"));
            }
            survive(&ferry, &verb(way.0), &[0]);
            assert_eq!(ferry.local().messages("INBOX").len(), 1, "{way:?}");
        }
    }
}

fn serving((protocol, tls): (&'static str, &'static str), certificate: Certificate) -> Handler {
    let store = Arc::new(Mutex::new(Store { capabilities: "IMAP4rev1".into(), ..Store::default() }));
    store.lock().expect("store").folders.entry("INBOX".into()).or_default().add(&mail("a"), &[], DATE);
    let mut maildrop = Maildrop::default();
    maildrop.add("a", &mail("a"));
    let maildrop = Arc::new(Mutex::new(maildrop));
    let silent: fake_imap::Hook = Box::new(|_, _| None);
    let mute: fake_pop3::Hook = Box::new(|_, _| None);
    Box::new(move |c| {
        if tls == "starttls" {
            let (greeting, word, answer) = match protocol {
                "imap" => ("* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n", "STARTTLS", "{tag} OK go\r\n"),
                _ => ("+OK hi\r\n", "STLS", "+OK go\r\n"),
            };
            c.send(greeting)?;
            c.expect(word)?;
            c.answer(answer)?;
        }
        c.tls(&certificate)?;
        match (protocol, tls) {
            ("imap", _) => fake_imap::serve(c, &store, &silent),
            (_, "starttls") => c.serve(|command| Some(pop3(&command.line))),
            _ => fake_pop3::serve(c, &maildrop, &mute),
        }
    })
}

/// A maildrop of one message, without the greeting that must not follow STLS.
fn pop3(line: &str) -> String {
    match line.split(' ').next().unwrap_or_default() {
        "CAPA" => "+OK\r\nUSER\r\nUIDL\r\n.\r\n".into(),
        "UIDL" => "+OK\r\n1 a\r\n.\r\n".into(),
        "LIST" => "+OK\r\n1 17\r\n.\r\n".into(),
        "RETR" => "+OK\r\nSubject: a\r\n\r\nx\r\n.\r\n".into(),
        _ => "+OK\r\n".into(),
    }
}
