//! Whole runs against servers whose answers are damaged at random: nothing crashes or hangs, nothing of the server's or the user's is
//! lost, and with an honest server all is in step again.
//!
//! `MAILFERRY_MUTATIONS=N` tries N seeds (`MAILFERRY_MUTATIONS_FROM=SEED` begins elsewhere).

use super::stand::{DATE, Switch, assert_harmless, delete, local, mail, remote, subject, unguarded};
use crate::support::corpus::Rng;
use crate::support::fake_imap::{FakeImap, Filter, Folder, Store};
use crate::support::fake_pop3::{FakePop3, Maildrop};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::message::flags;
use crate::support::peer::Command;
use std::sync::Mutex;

const WORDS: [&str; 22] = [
    "* ",
    "+ go\r\n",
    "{5}\r\n",
    "{0}\r\n",
    "(",
    ")",
    "\"",
    "NIL",
    "BAD",
    "NO",
    "BYE",
    "[",
    "]",
    "\r\n",
    "\n",
    "\0",
    "4294967295",
    "0",
    "-1",
    "* 1 EXPUNGE\r\n",
    "* 7 EXISTS\r\n",
    "* VANISHED 1:*\r\n",
];

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str, otherwise| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let from = number("MAILFERRY_MUTATIONS_FROM", 1);
    from..from + number("MAILFERRY_MUTATIONS", 24)
}

/// Damages about every third answer at one to three places. Bodies are left alone: what the server says they are, they are.
fn damage(rng: &mut Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.windows(5).any(|w| w == b"BODY[") || !rng.chance(35) {
        return bytes;
    }
    for _ in 0..1 + rng.below(3) {
        let at = rng.below(bytes.len().max(1)).min(bytes.len());
        let end = (at + 1 + rng.below(12)).min(bytes.len());
        match rng.below(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(rng.below(256)).unwrap_or(0),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 | 4 => drop(bytes.splice(at..at, rng.pick(&WORDS).bytes())),
            // A number becomes another one.
            _ => {
                if let Some(digit) = (at..bytes.len()).find(|i| bytes[*i].is_ascii_digit()) {
                    bytes[digit] = b'0' + u8::try_from(rng.below(10)).unwrap_or(0);
                }
            }
        }
    }
    bytes
}

fn filter(seed: u64, on: &Switch) -> Filter {
    let (rng, on) = (Mutex::new(Rng::new(seed)), on.clone());
    Filter::new(move |_: &Command, answer| match on.is_on() {
        true => damage(&mut rng.lock().expect("lock"), answer),
        false => answer,
    })
}

fn mailbox(seed: u64) -> Store {
    let capabilities = ["IMAP4rev1", "IMAP4rev1 UIDPLUS", "IMAP4rev1 UIDPLUS MOVE", "IMAP4rev1 UIDPLUS ID NAMESPACE"];
    let mut store =
        Store { capabilities: capabilities[usize::try_from(seed % 4).unwrap_or(0)].into(), ..Store::default() };
    let mut work = Folder::default();
    for name in ["a", "b", "c", "d", "e"] {
        store.folders.entry("INBOX".into()).or_default().add(&mail(name), &["\\Seen"], DATE);
    }
    for name in ["v", "w"] {
        work.add(&mail(name), &[], DATE);
    }
    store.folders.insert("Work".into(), work);
    store
}

#[test]
fn damaged_answers_lose_nothing() {
    for seed in seeds() {
        let on = Switch::default();
        let mut store = mailbox(seed);
        store.filter = filter(seed, &on);
        let fake = FakeImap::start(store);
        let mut ferry = unguarded(fake.port());
        ferry.set("timeout", "\"1s\"");
        ferry.sync();
        on.set(true);
        delete(&ferry, "INBOX", "a");
        ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
        fake.change(|s| s.folders.get_mut("Work").map(|f| f.add(&mail("there"), &[], DATE)));
        for _ in 0..3 {
            let outcome = ferry.run(&["sync", "--json", "-vv"]);
            assert!(matches!(outcome.code, Some(0 | 65 | 69 | 74 | 75 | 77)), "seed {seed}: {outcome:?}");
            assert_harmless(&ferry, &outcome);
        }
        on.set(false);
        for _ in 0..3 {
            let outcome = ferry.json(&["sync", "--full"]);
            assert!(matches!(outcome.code, Some(0 | 65 | 69)), "seed {seed}: {outcome:?}");
        }
        // What nobody deleted stands on both sides. "a" may have come back: a lie can hide that it was deleted here.
        let count = |names: &[String], name: &str| names.iter().filter(|n| *n == name).count();
        for (folder, names) in [("INBOX", &["b", "c", "d", "e", "here"][..]), ("Work", &["v", "w", "there"])] {
            let (here, there) = (local(&ferry, folder), remote(&fake, folder));
            for name in names {
                let sides = (count(&here, name), count(&there, name));
                assert!(
                    sides.0 > 0 && sides.1 > 0,
                    "seed {seed}: {folder}/{name} stands {sides:?} here and there: {here:?} {there:?}"
                );
            }
        }
    }
}

#[test]
fn damaged_pop3_answers_lose_nothing() {
    for seed in seeds() {
        let rng = Mutex::new(Rng::new(seed));
        let on = Switch::default();
        on.set(true);
        let lying = on.clone();
        let mut drop = Maildrop::default();
        for name in ["a", "b", "c", "d"] {
            drop.add(name, &mail(name));
        }
        drop.filter = Filter::new(move |c: &Command, answer| {
            let body = c.line.starts_with("RETR") || c.line.starts_with("TOP");
            if body || !lying.is_on() { answer } else { damage(&mut rng.lock().expect("lock"), answer) }
        });
        let fake = FakePop3::start(drop);
        let keys = AccountKeys::plain("pop3", fake.port(), "someone").text("timeout", "1s").set("delete", "true");
        let ferry = Ferry::new().account(ACCOUNT, keys);
        for _ in 0..3 {
            let outcome = ferry.run(&["fetch", "--json", "-vv"]);
            assert!(matches!(outcome.code, Some(0 | 65 | 69 | 75 | 77)), "seed {seed}: {outcome:?}");
            assert_harmless(&ferry, &outcome);
            on.set(false);
        }
        let here: Vec<String> = ferry.local().messages("INBOX").iter().map(|m| subject(&m.bytes)).collect();
        for name in ["a", "b", "c", "d"] {
            let count = here.iter().filter(|n| *n == name).count();
            assert!(count > 0, "seed {seed}: {name} is lost: {here:?}");
        }
    }
}
