//! POP3 servers that lie: nothing is deleted that is not safely here, nothing without end is taken.

use super::stand::{mail, subject, survive, survive_small};
use crate::support::fake_pop3::{FakePop3, Hook, Maildrop};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::peer::{Handler, Peer};

fn home(port: u16) -> Ferry {
    let keys = AccountKeys::plain("pop3", port, "someone").text("timeout", "1s").set("delete", "true");
    Ferry::new().account(ACCOUNT, keys)
}

fn holding(names: &[&str]) -> Maildrop {
    let mut drop = Maildrop::default();
    drop.capabilities.retain(|c| c != "PIPELINING");
    for name in names {
        drop.add(name, &mail(name));
    }
    drop
}

fn here(ferry: &Ferry) -> Vec<String> {
    let mut all: Vec<String> = ferry.local().messages("INBOX").iter().map(|m| subject(&m.bytes)).collect();
    all.sort();
    all
}

/// Forges one command; what the server lost must be here, and the fake's own two messages must be somewhere.
#[track_caller]
fn forged(word: &'static str, answer: &'static str, codes: &[i32]) {
    let hook: Hook = Box::new(move |c, _| c.line.starts_with(word).then(|| answer.as_bytes().to_vec()));
    let fake = FakePop3::with_hook(holding(&["a", "b"]), hook);
    let ferry = home(fake.port());
    survive(&ferry, &["fetch", ACCOUNT], codes);
    let there: Vec<String> = fake.maildrop().messages.iter().map(|m| m.uidl.clone()).collect();
    for name in ["a", "b"] {
        let safe = there.contains(&name.to_owned()) || here(&ferry).contains(&name.to_owned());
        assert!(safe, "{word} {answer:?}: {name} is lost; here {:?}, there {there:?}", here(&ferry));
    }
}

#[test]
fn messages_that_end_early_or_never() {
    forged("RETR", "+OK\r\nSubject: a\r\n\r\nhalf", &[69, 75]);
    forged("RETR", "+OK\r\n", &[69, 75]);
    forged("RETR", "", &[69, 75]);
    forged("RETR", "-ERR no\r\n", &[69]);
    forged("RETR", "+OK\r\nSubject: a\r\n\r\nx\r\n.\r\n+OK\r\nmore\r\n.\r\n", &[0, 69, 75]);
}

#[test]
fn listings_that_lie() {
    for answer in [
        "+OK\r\n1 a\r\n1 b\r\n.\r\n",
        "+OK\r\n2 a\r\n1 b\r\n.\r\n",
        "+OK\r\n1 a\r\n2 a\r\n.\r\n",
        "+OK\r\n0 a\r\n-1 b\r\n4294967296 c\r\n99999999999999999999 d\r\n.\r\n",
        "+OK\r\n1 \r\n2\r\n.\r\n",
        "+OK\r\n1 ../../a\r\n2 \x1b[2J\r\n.\r\n",
        "+OK\r\n1000000000 a\r\n.\r\n",
        "+OK\r\n.\r\n",
        "+OK\r\nnonsense\r\n.\r\n",
        "-ERR\r\n",
    ] {
        forged("UIDL", answer, &[0, 65, 69, 75]);
    }
    for answer in ["+OK\r\n1 0\r\n2 -5\r\n.\r\n", "+OK\r\n1 99999999999999999999\r\n.\r\n", "+OK\r\n.\r\n", "-ERR\r\n"]
    {
        forged("LIST", answer, &[0, 65, 69, 75]);
    }
}

#[test]
fn quit_and_dele_that_are_refused() {
    forged("QUIT", "-ERR some messages were not removed\r\n", &[0, 69, 75]);
    forged("QUIT", "\x1b[31m\r\n", &[0, 69, 75]);
    forged("DELE", "-ERR no\r\n", &[0, 69]);
    forged("DELE", "* OK\r\n", &[69, 75]);
}

#[test]
fn escapes_in_refusals() {
    for word in ["USER", "PASS", "UIDL", "LIST", "RETR", "DELE"] {
        forged(word, "-ERR \x1b[2J\x1b]0;owned\x07 \u{202e}x\u{9b}31m\x08\r\n", &[0, 69, 75, 77]);
    }
}

/// At `word` the server says `lead`, and `more` without end.
fn endless(word: &'static str, lead: &'static str, more: &'static [u8]) {
    let handler: Handler = Box::new(move |c| {
        c.send("+OK hi\r\n")?;
        loop {
            let command = c.command()?;
            if command.line.starts_with(word) {
                c.send(lead)?;
                let chunk = more.repeat(64 * 1024 / more.len());
                while c.send(&chunk).is_ok() {}
                return Ok(());
            }
            c.send(match command.line.split(' ').next().unwrap_or_default() {
                "CAPA" => "+OK\r\nUSER\r\nUIDL\r\nTOP\r\n.\r\n",
                "UIDL" => "+OK\r\n1 a\r\n.\r\n",
                "LIST" => "+OK\r\n1 100\r\n.\r\n",
                _ => "+OK\r\n",
            })?;
        }
    });
    let peer = Peer::start(vec![handler]);
    let ferry = home(peer.port());
    survive_small(&ferry, &["fetch", ACCOUNT], &[69, 75]);
}

#[test]
fn answers_without_end() {
    endless("CAPA", "+OK\r\n", b"X");
    endless("CAPA", "+OK\r\n", b"X\r\n");
    endless("PASS", "+OK ", b"x");
    endless("UIDL", "+OK\r\n", b"9");
    endless("LIST", "+OK\r\n1 ", b"9");
}

#[test]
fn a_listing_without_end() {
    endless("UIDL", "+OK\r\n", b"1 the-same-again-and-again\r\n");
}
