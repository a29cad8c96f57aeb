//! IMAP accounts fetched one way, against a fake server that lies.

use crate::support::fake_imap::{FakeImap, Folder, Hook, Store};
use crate::support::ferry::{Ferry, Outcome};
use std::collections::BTreeSet;

const DATE: i64 = 1_600_000_000;
const PLUS: &str = "IMAP4rev1 UIDPLUS";

fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\n\nthis is {name}\n").into_bytes()
}

fn holding(capabilities: &str, names: &[&str]) -> Store {
    let mut store = Store { capabilities: capabilities.into(), ..Store::default() };
    for name in names {
        store.folders.entry("INBOX".into()).or_default().add(&mail(name), &["\\Seen"], DATE);
    }
    store
}

fn subjects(all: impl Iterator<Item = Vec<u8>>) -> Vec<String> {
    let subject = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.lines().find_map(|l| l.strip_prefix("Subject: ").map(|s| s.trim_end().to_owned())).unwrap_or_default()
    };
    let mut names: Vec<String> = all.map(subject).collect();
    names.sort();
    names
}

fn remote(fake: &FakeImap, folder: &str) -> Vec<String> {
    subjects(fake.store().folders[folder].messages.iter().map(|m| m.bytes.clone()))
}

fn local(ferry: &Ferry, folder: &str) -> Vec<String> {
    subjects(ferry.local().messages(folder).into_iter().map(|m| m.bytes))
}

#[track_caller]
fn fetch(ferry: &Ferry, more: &[&str]) -> Outcome {
    let mut args = vec!["fetch", "work"];
    args.extend(more);
    let outcome = ferry.json(&args);
    outcome.assert_code(0);
    assert!(ferry.local().leftovers().is_empty());
    outcome
}

fn account(fake: &FakeImap) -> Ferry {
    Ferry::new().account("work", crate::support::ferry::AccountKeys::plain("imap", fake.port(), "someone"))
}

#[test]
fn every_folder_comes_with_flags_and_dates_and_is_kept() {
    let mut store = holding(PLUS, &["a", "b"]);
    let mut lists = Folder::default();
    lists.add(&mail("c"), &["\\Flagged", "Work"], DATE + 5);
    store.folders.insert("Lists".into(), lists);
    let fake = FakeImap::start(store);
    let ferry = account(&fake);
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 3);
    let there = ferry.local().messages("Lists").remove(0);
    assert_eq!((there.date, there.flags), (DATE + 5, BTreeSet::from(["F".to_owned(), "work".to_owned()])));
    assert_eq!(local(&ferry, "INBOX"), ["a", "b"]);
    let before = fake.heard().len();
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    let heard = fake.heard();
    assert!(!heard[before..].contains("BODY") && !heard.contains("STORE") && !heard.contains("SELECT"), "{heard}");
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("d"), &[], DATE)));
    assert_eq!(fetch(&ferry, &["--folder", "INBOX"]).figure("downloaded"), 1);
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "d"]);
}

#[test]
fn only_uid_expunge_deletes_and_only_what_is_ours() {
    let fake = FakeImap::start(holding(PLUS, &["a", "b"]));
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.messages[0].flags.insert("\\Deleted".into())));
    let ferry = account(&fake);
    let outcome = fetch(&ferry, &["--delete", "--limit", "1"]);
    assert_eq!((outcome.figure("downloaded"), outcome.figure("deleted_remote"), outcome.figure("skipped")), (1, 1, 1));
    assert_eq!(remote(&fake, "INBOX"), ["b"]);
    let outcome = fetch(&ferry, &["--delete"]);
    assert_eq!((outcome.figure("downloaded"), outcome.figure("deleted_remote")), (1, 1));
    assert!(remote(&fake, "INBOX").is_empty());
    assert_eq!(local(&ferry, "INBOX"), ["a", "b"]);
    assert!(fake.heard().to_ascii_uppercase().lines().all(|l| !l.ends_with(" EXPUNGE") && !l.ends_with(" CLOSE")));
}

#[test]
fn without_uidplus_nothing_is_deleted_and_that_is_said_once() {
    let fake = FakeImap::start(holding("IMAP4rev1", &["a"]));
    let ferry = account(&fake);
    assert_eq!(fetch(&ferry, &["--delete"]).events_of("warning").len(), 1);
    assert_eq!(fetch(&ferry, &["--delete"]).events_of("warning").len(), 0);
    assert_eq!(remote(&fake, "INBOX"), ["a"]);
    assert!(!fake.heard().contains("STORE"));
}

#[test]
fn a_uid_that_was_given_to_another_message_deletes_nothing_unseen() {
    let fake = FakeImap::start(holding(PLUS, &["a", "b"]));
    let ferry = account(&fake);
    fetch(&ferry, &[]);
    fake.change(|s| {
        let inbox = s.folders.get_mut("INBOX").unwrap();
        inbox.messages.clear();
        inbox.uid_next = 1;
        inbox.add(&mail("x"), &[], DATE);
        inbox.add(&mail("b"), &[], DATE);
    });
    assert_eq!(fetch(&ferry, &["--delete"]).figure("downloaded"), 1);
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "x"]);
    assert!(remote(&fake, "INBOX").is_empty());
}

#[test]
fn another_uidvalidity_doubles_nothing() {
    let fake = FakeImap::start(holding(PLUS, &["a", "b"]));
    let ferry = account(&fake);
    fetch(&ferry, &[]);
    fake.change(|s| {
        let inbox = s.folders.get_mut("INBOX").unwrap();
        inbox.uid_validity = 77;
        inbox.messages.iter_mut().for_each(|m| m.uid += 10);
        inbox.uid_next = 13;
        inbox.add(&mail("c"), &[], DATE);
    });
    for downloaded in [1, 0] {
        assert_eq!(fetch(&ferry, &[]).figure("downloaded"), downloaded);
        assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c"]);
    }
    assert_eq!(fetch(&ferry, &["--delete"]).figure("deleted_remote"), 3);
}

#[test]
fn a_message_without_a_body_is_left_out() {
    let fake = FakeImap::start(holding(PLUS, &["a", "b", "c"]));
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.messages[1].broken = true));
    let ferry = account(&fake);
    let outcome = ferry.json(&["fetch", "work", "--delete"]);
    outcome.assert_code(69);
    assert_eq!((outcome.figure("downloaded"), outcome.figure("skipped")), (2, 1));
    assert_eq!((local(&ferry, "INBOX"), remote(&fake, "INBOX")), (vec!["a".into(), "c".into()], vec!["b".to_owned()]));
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.messages[0].broken = false));
    assert_eq!(fetch(&ferry, &["--delete"]).figure("downloaded"), 1);
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c"]);
}

#[test]
fn an_expunge_that_is_refused_is_tried_again() {
    let hook: Hook = Box::new(|command, _| {
        command.line.to_ascii_uppercase().contains("UID EXPUNGE").then(|| b"{tag} NO not now\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(holding(PLUS, &["a"]), hook);
    let ferry = account(&fake);
    let outcome = ferry.json(&["fetch", "work", "--delete"]);
    outcome.assert_code(69);
    assert_eq!((outcome.figure("deleted_remote"), local(&ferry, "INBOX").len()), (0, 1));
    let outcome = ferry.json(&["fetch", "work"]);
    assert_eq!(outcome.figure("downloaded"), 0);
    assert_eq!(local(&ferry, "INBOX"), ["a"]);
}

#[test]
fn a_dry_run_tells_the_plan() {
    let fake = FakeImap::start(holding(PLUS, &["a", "b"]));
    let ferry = account(&fake);
    let outcome = fetch(&ferry, &["-n", "--delete"]);
    let actions: Vec<_> =
        outcome.events_of("planned").iter().map(|e| (e["action"].clone(), e["uid"].clone())).collect();
    assert_eq!(actions.len(), 4, "{actions:?}");
    assert!(!fake.heard().contains("BODY") && !fake.heard().contains("STORE"));
    assert!(!ferry.local().root.join("INBOX").exists());
}
