//! Greetings and answers out of turn: PREAUTH, BYE, other protocols, early, repeated and unknown tags.

use super::stand::{SECRET, Told, holding, local, survive, unguarded};
use crate::support::fake_imap::{FakeImap, Hook};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::peer::{Peer, Step, send};

fn greeted(protocol: &str, greeting: &str, codes: &[i32]) {
    let peer = Peer::script(vec![send(greeting), Step::Fin]);
    let keys = AccountKeys::plain(protocol, peer.port(), "someone").text("password", SECRET).text("timeout", "1s");
    let ferry = Ferry::new().account(ACCOUNT, keys);
    survive(&ferry, &[if protocol == "imap" { "sync" } else { "fetch" }, ACCOUNT], codes);
    assert_eq!(peer.finish().heard.concat(), "", "{greeting:?}");
}

#[test]
fn greetings_that_are_no_invitation() {
    greeted("imap", "* PREAUTH welcome\r\n", &[69]);
    greeted("imap", "* NO go away\r\n", &[69]);
    greeted("imap", "F1 OK\r\n", &[69]);
    greeted("imap", "+ go on\r\n", &[69]);
    greeted("imap", "* CAPABILITY IMAP4rev1\r\n", &[69]);
    greeted("pop3", "-ERR [IN-USE] locked\r\n", &[75]);
}

#[test]
fn another_protocol_behind_the_port() {
    for greeting in ["220 mail ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-x\r\n", "\0\x01\x02\r\n"] {
        greeted("imap", greeting, &[69]);
        greeted("pop3", greeting, &[69]);
    }
    greeted("imap", "+OK POP3 ready\r\n", &[69]);
    greeted("pop3", "* OK IMAP4rev1 ready\r\n", &[69]);
}

#[test]
fn a_greeting_that_says_bye() {
    greeted("imap", "* BYE too busy\r\n", &[75]);
}

/// Forges the answer to commands that contain `word`, and expects the code.
#[track_caller]
fn forged(word: &'static str, answer: &'static str, codes: &[i32]) {
    let hook: Hook = Box::new(move |c, _| c.line.contains(word).then(|| answer.as_bytes().to_vec()));
    let told = Told::default();
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), told.count(hook));
    let mut ferry = unguarded(fake.port());
    ferry.set("timeout", "\"1s\"");
    survive(&ferry, &["sync"], codes);
    told.assert_told(answer);
    assert!(local(&ferry, "INBOX").len() <= 1);
}

#[test]
fn tags_of_commands_that_were_not_sent_yet() {
    forged("LOGIN", "{tag} OK\r\nF2 OK\r\nF3 OK\r\nF4 OK\r\nF5 OK\r\nF6 OK\r\n", &[69]);
    let ahead = "* LIST () \"/\" INBOX\r\n{tag} OK\r\nF4 OK\r\nF5 OK\r\nF6 OK\r\nF7 OK\r\nF8 OK\r\nF9 OK\r\n";
    forged("LIST", ahead, &[69]);
}

#[test]
fn tags_that_come_twice() {
    forged("LOGIN", "{tag} OK\r\n{tag} OK\r\n", &[69]);
    forged("LIST", "{tag} NO\r\n{tag} OK\r\n", &[69]);
}

#[test]
fn tags_that_nobody_gave() {
    for answer in ["a1 OK\r\n", "F01 OK\r\n", "F OK\r\n", "F4294967297 OK\r\n", "F-1 OK\r\n", "{tag}x OK\r\n"] {
        forged("LIST", answer, &[69]);
    }
}

#[test]
fn continuations_that_nobody_waits_for() {
    forged("LIST", "+ more\r\n", &[69]);
    forged("LOGIN", "+ \r\n", &[69]);
}

#[test]
fn answers_without_a_result() {
    for answer in ["{tag}\r\n", "{tag} PREAUTH\r\n", "{tag} BYE\r\n", "{tag} MAYBE\r\n"] {
        forged("LIST", answer, &[69, 75]);
    }
}
