//! Servers with the manners of well-known ones: each deviation must do no harm.

use super::stand::{DATE, delete, holding, local, mail, remote, survive, unguarded};
use crate::support::fake_imap::{FakeImap, Folder, Hook, Store, listing_line};
use crate::support::ferry::Ferry;
use crate::support::message::flags;

/// Syncs, adds on both sides, deletes one here, syncs on; in the end both sides hold "b", "here" and "there", once each.
#[track_caller]
fn lived_with(mut store: Store, settle: fn(&mut Ferry), hook: Hook) -> FakeImap {
    store.folders.entry("INBOX".into()).or_default();
    let fake = FakeImap::with_hook(store, hook);
    let mut ferry = unguarded(fake.port());
    settle(&mut ferry);
    survive(&ferry, &["sync"], &[0, 69]);
    assert_eq!(local(&ferry, "INBOX"), ["a", "b"]);
    ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("there"), &["\\Seen"], DATE)));
    delete(&ferry, "INBOX", "a");
    for _ in 0..3 {
        survive(&ferry, &["sync"], &[0, 69]);
    }
    assert_eq!(local(&ferry, "INBOX"), ["b", "here", "there"]);
    assert_eq!(remote(&fake, "INBOX"), ["b", "here", "there"]);
    fake
}

/// Answers commands with one of these words.
fn saying(answers: &'static [(&'static str, &'static str)]) -> Hook {
    Box::new(move |c, _| {
        let line = c.line.to_ascii_uppercase();
        answers.iter().find(|(word, _)| line.contains(word)).map(|(_, answer)| answer.as_bytes().to_vec())
    })
}

#[test]
fn icloud_enables_without_saying_so() {
    let store = holding("IMAP4rev1 UIDPLUS ENABLE CONDSTORE QRESYNC", &["a", "b"]);
    lived_with(store, |_| {}, saying(&[("ENABLE", "{tag} OK\r\n")]));
}

#[test]
fn proton_refuses_uid_expunge() {
    lived_with(
        holding("IMAP4rev1 UIDPLUS", &["a", "b"]),
        |_| {},
        saying(&[("UID EXPUNGE", "{tag} BAD unknown command\r\n"), ("SPECIAL-USE", "{tag} BAD no\r\n")]),
    );
}

#[test]
fn netease_wants_an_id() {
    let fake =
        lived_with(holding("IMAP4rev1 ID", &["a", "b"]), |_| {}, saying(&[(" ID (", "* ID NIL\r\n{tag} OK\r\n")]));
    assert!(fake.heard().contains(" ID ("));
}

#[test]
fn yahoo_calls_it_inbox() {
    let hook: Hook =
        Box::new(|c, _| c.line.contains("LIST").then(|| b"* LIST () \"/\" Inbox\r\n{tag} OK\r\n".to_vec()));
    lived_with(holding("IMAP4rev1 UIDPLUS", &["a", "b"]), |_| {}, hook);
}

#[test]
fn exchange_lies_about_sizes_and_refuses_keywords() {
    let hook: Hook = Box::new(|c, store| {
        if c.line.contains("STORE") && c.line.contains("work") {
            return Some(b"{tag} NO Keyword not supported\r\n".to_vec());
        }
        let lists = c.line.contains("FETCH") && c.line.contains("RFC822.SIZE") && !c.line.contains("BODY");
        lists.then(|| {
            let all = store.folders["INBOX"].messages.iter().enumerate();
            let text: Vec<u8> = all.flat_map(|(i, m)| listing_line(i + 1, m)).collect();
            let text = String::from_utf8_lossy(&text).replace("RFC822.SIZE ", "RFC822.SIZE 9");
            format!("{text}{{tag}} OK\r\n").into_bytes()
        })
    });
    lived_with(holding("IMAP4rev1 UIDPLUS", &["a", "b"]), |_| {}, hook);
}

#[test]
fn exchange_asks_to_come_back() {
    let words = "{tag} BAD Request is throttled. Suggested Backoff Time: 99999999 milliseconds\r\n";
    let hook: Hook = Box::new(move |c, _| c.line.contains("FETCH").then(|| words.as_bytes().to_vec()));
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let mut ferry = unguarded(fake.port());
    ferry.set("timeout", "\"1s\"");
    let outcome = survive(&ferry, &["sync"], &[69, 75]);
    assert!(outcome.elapsed.as_secs() < 45, "{:?}", outcome.elapsed);
}

#[test]
fn courier_and_yandex_say_odd_things_in_between() {
    let hook: Hook = Box::new(|c, _| {
        c.line
            .contains("NOOP")
            .then(|| b"* 0 FETCH (FLAGS ())\r\n* 99 FETCH (FLAGS (\\Seen ))\r\n{tag} OK \r\n".to_vec())
    });
    lived_with(holding("IMAP4rev1 UIDPLUS ", &["a", "b"]), |_| {}, hook);
}

#[test]
fn domino_separates_with_a_backslash() {
    let mut store = holding("IMAP4rev1", &["a", "b"]);
    let mut work = Folder::default();
    work.add(&mail("w"), &["\\Seen"], DATE);
    store.folders.insert("Work\\deep".into(), work);
    let hook: Hook = Box::new(|c, _| {
        c.line
            .contains("LIST")
            .then(|| b"* LIST () \"\\\\\" INBOX\r\n* LIST () \"\\\\\" {9}\r\nWork\\deep\r\n{tag} OK\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(store, hook);
    let ferry = unguarded(fake.port());
    survive(&ferry, &["sync"], &[0]);
    assert_eq!(local(&ferry, "Work/deep"), ["w"]);
    assert_eq!(remote(&fake, "Work\\deep"), ["w"]);
}
