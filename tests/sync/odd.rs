//! Folders that are not what a listing makes one think: without messages, without existence, of one name in two cases, gone by now.

use crate::support::fake_imap::{FakeImap, Folder, Hook, Store};
use crate::support::ferry::Ferry;
use crate::support::message::flags;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const DATE: i64 = 1_600_000_000;

fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\n{name}\n").into_bytes()
}

fn folder(attributes: &str, names: &[&str]) -> Folder {
    let mut folder = Folder { attributes: attributes.into(), ..Folder::default() };
    for name in names {
        folder.add(&mail(name), &["\\Seen"], DATE);
    }
    folder
}

fn store(folders: &[(&str, Folder)]) -> Store {
    let mut store = Store { capabilities: "IMAP4rev1 UIDPLUS MOVE".into(), ..Store::default() };
    store.folders.extend(folders.iter().map(|(name, folder)| ((*name).to_owned(), folder.clone())));
    store
}

#[test]
fn what_cannot_be_opened_is_not_opened() {
    let fake = FakeImap::start(store(&[
        ("INBOX", folder("", &["a"])),
        ("Lists", folder("\\Noselect \\HasChildren", &[])),
        ("Lists/rust", folder("", &["b"])),
        ("Old", folder("\\NonExistent \\HasChildren", &[])),
        ("Old/2001", folder("", &["c"])),
        ("Ghost", folder("\\NonExistent", &[])),
    ]));
    let ferry = Ferry::imap(fake.port(), "someone");
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    assert_eq!(ferry.local().folders(), ["INBOX", "Lists/rust", "Old/2001"]);
    let heard = fake.heard();
    for name in ["Lists\"", "Old\"", "Ghost\""] {
        let opened = |l: &&str| {
            ["SELECT", "EXAMINE", "STATUS", "CREATE", "DELETE"].iter().any(|w| l.contains(w)) && l.contains(name)
        };
        assert_eq!(heard.lines().find(opened), None);
    }
    // A message put where the server has no folder is no loss: the folder is made, or the message waits.
    ferry.local().deliver("Lists", &mail("here"), &flags("S"), DATE);
    ferry.json(&["sync"]);
    ferry.json(&["sync"]);
    assert_eq!(ferry.local().messages("Lists").len(), 1);
    assert_eq!(ferry.local().messages("Lists/rust").len(), 1);
}

#[test]
fn names_that_differ_in_case_are_two_folders() {
    let fake = FakeImap::start(store(&[
        ("INBOX", folder("", &["a"])),
        ("Work", folder("", &["b"])),
        ("work", folder("", &["c"])),
        ("WORK/x", folder("", &["d"])),
    ]));
    let ferry = Ferry::imap(fake.port(), "someone");
    assert_eq!(ferry.sync().figure("downloaded"), 4);
    assert_eq!(ferry.local().folders(), ["INBOX", "WORK/x", "Work", "work"]);
    ferry.local().deliver("work", &mail("e"), &flags("S"), DATE);
    ferry.sync();
    let there = fake.store();
    assert_eq!((there.folders["Work"].messages.len(), there.folders["work"].messages.len()), (1, 2));
    assert_eq!(ferry.sync().figure("uploaded"), 0);
}

/// Somebody deletes a folder between our listing and our look at it.
#[test]
fn a_folder_that_vanishes_meanwhile_harms_nothing() {
    let armed = Arc::new(AtomicBool::new(false));
    let at = armed.clone();
    let hook: Hook = Box::new(move |command, store| {
        let line = command.line.to_ascii_uppercase();
        let opens = ["SELECT", "EXAMINE", "STATUS"].iter().any(|w| line.contains(w)) && line.contains("WORK");
        if opens && at.swap(false, Ordering::SeqCst) {
            store.folders.remove("Work");
        }
        None
    });
    let fake = FakeImap::with_hook(store(&[("INBOX", folder("", &["a"])), ("Work", folder("", &["b", "c"]))]), hook);
    let ferry = Ferry::imap(fake.port(), "someone");
    ferry.sync();
    fake.change(|s| _ = s.folders.get_mut("INBOX").expect("INBOX").add(&mail("new"), &[], DATE));
    fake.change(|s| _ = s.folders.get_mut("Work").expect("Work").add(&mail("d"), &[], DATE));
    armed.store(true, Ordering::SeqCst);
    let outcome = ferry.json(&["sync"]);
    assert!(matches!(outcome.code, Some(0 | 69)), "{}{}", outcome.stdout, outcome.stderr);
    assert!(!armed.load(Ordering::SeqCst), "it was asked for");
    assert_eq!((outcome.figure("downloaded"), outcome.figure("deleted_local")), (1, 0), "{}", outcome.stdout);
    for warnings in [1, 0] {
        let outcome = ferry.sync();
        assert_eq!(outcome.events_of("warning").len(), warnings, "{}", outcome.stdout);
        assert_eq!(ferry.local().messages("Work").len(), 2);
    }
    assert!(!fake.store().folders.contains_key("Work"), "it is not made again");
}
