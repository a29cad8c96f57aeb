//! Ways in which a careless program would lose or double mail, each forged by a server that misbehaves or a Maildir that was tampered with.

mod disk;
mod identity;
mod renames;
mod wire;

use crate::support::corpus::Corpus;
use crate::support::fake_imap::{FakeImap, Folder, Hook, Store, listing_line};
use crate::support::ferry::{Ferry, Outcome};
use crate::support::message::{Flags, flags};
use crate::support::rig::Rig;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const DATE: i64 = 1_600_000_000;

/// A message whose subject and content are its name.
fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\n{name}\n").into_bytes()
}

/// A server whose INBOX holds these messages.
fn holding(capabilities: &str, names: &[&str]) -> Store {
    let mut store = Store { capabilities: capabilities.into(), ..Store::default() };
    let inbox = store.folders.entry("INBOX".into()).or_default();
    for name in names {
        inbox.add(&mail(name), &["\\Seen"], DATE);
    }
    store
}

fn ferry(fake: &FakeImap) -> Ferry {
    let mut ferry = Ferry::imap(fake.port(), "someone");
    ferry.set("max_delete", "\"100%\"");
    ferry
}

/// The subjects of a fake's folder, sorted.
fn remote(fake: &FakeImap, folder: &str) -> Vec<String> {
    let store = fake.store();
    let messages = store.folders.get(folder).map(|f| f.messages.clone()).unwrap_or_default();
    sorted(messages.iter().map(|m| subject(&m.bytes)))
}

/// The subjects of a local folder, sorted.
fn local(ferry: &Ferry, folder: &str) -> Vec<String> {
    sorted(ferry.local().messages(folder).iter().map(|m| subject(&m.bytes)))
}

fn subject(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|l| l.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = names.collect();
    all.sort();
    all
}

/// Deletes the local message with this subject.
fn delete(ferry: &Ferry, folder: &str, name: &str) {
    let local = ferry.local();
    let message = local.messages(folder).into_iter().find(|m| subject(&m.bytes) == name).expect("the message");
    local.delete(Path::new(&message.place));
}

#[track_caller]
fn assert_done(outcome: &Outcome, codes: &[i32]) {
    assert!(
        outcome.code.is_some_and(|c| codes.contains(&c)),
        "{:?}\n{}{}",
        outcome.code,
        outcome.stdout,
        outcome.stderr
    );
}

#[test]
fn hazard_01_uids_used_again_under_the_same_uidvalidity() {
    let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS MOVE", &["a", "b", "c"]));
    let mut ferry = ferry(&fake);
    ferry.set("on_delete", "\"expunge\"");
    ferry.sync();
    fake.change(|s| {
        let mut folder = Folder::default();
        folder.add(&mail("x"), &[], DATE);
        folder.add(&mail("y"), &[], DATE);
        s.folders.insert("INBOX".into(), folder);
    });
    delete(&ferry, "INBOX", "a");
    assert_done(&ferry.json(&["sync"]), &[0, 65]);
    let there = remote(&fake, "INBOX");
    assert!(
        there.contains(&"x".to_owned()) && there.contains(&"y".to_owned()),
        "deleted by a UID that meant another: {there:?}"
    );
    let here = local(&ferry, "INBOX");
    for name in ["b", "c", "x", "y"] {
        assert_eq!(here.iter().filter(|n| *n == name).count(), 1, "{name} in {here:?}");
    }
}

#[test]
fn hazard_03_an_inode_used_again_is_no_move() {
    let mut rig = Rig::usual("inode");
    rig.ferry.set("on_delete", "\"expunge\"");
    let mut session = rig.mailbox();
    session.create("Work");
    for name in ["a", "b"] {
        session.append("INBOX", &mail(name), &flags("S"), DATE);
    }
    rig.sync();
    delete(&rig.ferry, "INBOX", "a");
    rig.local().deliver("Work", &mail("new"), &flags("S"), DATE);
    rig.sync();
    rig.assert_in_step();
    let all = rig.remote();
    assert_eq!(all["Work"].len(), 1);
    assert_eq!(subject(&all["Work"][0].bytes), "new");
    assert_eq!(all["INBOX"].len(), 1);
}

#[test]
fn hazard_05_a_folder_restored_from_a_backup_deletes_nothing() {
    let rig = Rig::usual("restored");
    let mut corpus = Corpus::new(5);
    rig.fill(&mut corpus, &["INBOX"], 4);
    rig.sync();
    let (folder, backup) = (rig.local().dir("INBOX"), rig.ferry.home().join("backup"));
    let copied = Command::new("cp").arg("-a").args([&folder, &backup]).status().expect("cp");
    assert!(copied.success());
    rig.fill(&mut corpus, &["INBOX"], 3);
    rig.sync();
    fs::remove_dir_all(&folder).expect("the folder");
    fs::rename(&backup, &folder).expect("the backup");
    assert_done(&rig.ferry.json(&["sync"]), &[0, 65]);
    assert_eq!(rig.remote()["INBOX"].len(), 7);
    rig.ferry.json(&["sync"]);
    assert_eq!(rig.remote()["INBOX"].len(), 7);
    assert_eq!(rig.local().messages("INBOX").len(), 7);
}

#[test]
fn hazard_06_a_flag_that_one_side_cannot_hold_is_not_removed() {
    let rig = Rig::usual("keywords");
    let mut session = rig.mailbox();
    let keywords: Vec<String> = (0..30).map(|i| format!("word{i:02}")).collect();
    for (i, word) in keywords.iter().enumerate() {
        session.append("INBOX", &mail(&format!("m{i}")), &Flags::from([word.clone()]), DATE);
    }
    let before = rig.remote();
    rig.ferry.sync();
    rig.ferry.sync();
    assert_eq!(rig.remote(), before);
    let held: usize = rig.local().messages("INBOX").iter().map(|m| m.flags.len()).sum();
    assert_eq!(held, 26);
}

#[test]
fn hazard_09_an_incomplete_listing_deletes_nothing() {
    let lie = Arc::new(AtomicBool::new(false));
    let lies = lie.clone();
    let hook: Hook = Box::new(move |command, store| {
        let line = command.line.to_ascii_uppercase();
        let listing = line.contains("UID FETCH") && !line.contains("BODY");
        if !lies.load(Ordering::SeqCst) || !(listing || line.contains("SEARCH")) {
            return None;
        }
        let messages = store.folders.get("INBOX").map(|f| f.messages.clone()).unwrap_or_default();
        let mut out = Vec::new();
        let told = messages.iter().enumerate().filter(|(_, m)| m.uid != 3);
        match listing {
            true => told.for_each(|(i, m)| out.extend(listing_line(i + 1, m))),
            false => {
                let uids: String = told.map(|(_, m)| format!(" {}", m.uid)).collect();
                out.extend(format!("* SEARCH{uids}\r\n").into_bytes());
            }
        }
        out.extend_from_slice(b"{tag} OK that is all\r\n");
        Some(out)
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c", "d"]), hook);
    let ferry = ferry(&fake);
    ferry.sync();
    lie.store(true, Ordering::SeqCst);
    // Something that makes the folder worth a look.
    fake.change(|s| s.folders.entry("INBOX".into()).or_default().add(&mail("e"), &[], DATE));
    ferry.json(&["sync"]);
    assert!(local(&ferry, "INBOX").contains(&"c".to_owned()), "an unlisted message was taken for deleted");
    lie.store(false, Ordering::SeqCst);
    ferry.sync();
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c", "d", "e"]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "b", "c", "d", "e"]);
}

#[test]
fn hazard_11_what_others_marked_is_not_expunged() {
    let fake = FakeImap::start(holding("IMAP4rev1", &["a", "b", "theirs"]));
    let mut ferry = ferry(&fake);
    ferry.set("on_delete", "\"expunge\"");
    fake.change(|s| {
        let theirs = s.folders.get_mut("INBOX").and_then(|f| f.messages.get_mut(2));
        theirs.expect("the third").flags.insert("\\Deleted".into());
    });
    ferry.sync();
    delete(&ferry, "INBOX", "a");
    ferry.json(&["sync"]);
    assert!(remote(&fake, "INBOX").contains(&"theirs".to_owned()), "another client's mark was expunged");
    let commands = fake.heard();
    assert!(!commands.contains("CLOSE"), "{commands}");
    // As soon as theirs is unmarked, ours can go.
    fake.change(|s| {
        let folder = s.folders.entry("INBOX".into()).or_default();
        folder
            .messages
            .iter_mut()
            .filter(|m| subject(&m.bytes) == "theirs")
            .for_each(|m| _ = m.flags.remove("\\Deleted"));
    });
    ferry.json(&["sync"]);
    assert_eq!(remote(&fake, "INBOX"), ["b", "theirs"]);
    assert_eq!(local(&ferry, "INBOX"), ["b", "theirs"]);
}

#[test]
fn hazard_14_an_accepted_append_is_never_repeated() {
    let hook: Hook = Box::new(|command, store| {
        command.line.to_ascii_uppercase().contains(" APPEND ").then(|| {
            let sent = command.literals.last().cloned().unwrap_or_default();
            let rewritten = [b"X-Stored-By: the server\r\n".to_vec(), sent].concat();
            store.folders.entry("INBOX".into()).or_default().add(&rewritten, &["\\Seen"], DATE);
            b"{tag} OK stored, but not as you sent it\r\n".to_vec()
        })
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let ferry = ferry(&fake);
    ferry.sync();
    ferry.local().deliver("INBOX", &mail("new"), &flags("S"), DATE);
    for _ in 0..3 {
        ferry.sync();
    }
    assert_eq!(remote(&fake, "INBOX"), ["a", "new"]);
    assert_eq!(local(&ferry, "INBOX"), ["a", "new"]);
}

#[test]
fn hazard_20_a_message_the_server_cannot_give_is_asked_for_again() {
    let mut store = holding("IMAP4rev1", &["a", "b", "c"]);
    let set = |store: &mut Store, broken: bool| {
        let second = store.folders.get_mut("INBOX").and_then(|f| f.messages.get_mut(1));
        second.expect("the second").broken = broken;
    };
    set(&mut store, true);
    let fake = FakeImap::start(store);
    let ferry = ferry(&fake);
    for _ in 0..2 {
        let outcome = ferry.json(&["sync"]);
        outcome.assert_code(69);
        assert_eq!(outcome.events_of("summary")[0]["result"], "partial", "{}", outcome.stdout);
        assert_eq!(local(&ferry, "INBOX"), ["a", "c"]);
    }
    fake.change(|s| set(s, false));
    ferry.sync();
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c"]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "b", "c"]);
}

#[test]
fn hazard_25_without_the_trash_it_had_deletions_wait() {
    let mut store = holding("IMAP4rev1 UIDPLUS MOVE", &["a", "b"]);
    store.folders.insert("Bin".into(), Folder { attributes: "\\Trash".into(), ..Folder::default() });
    let fake = FakeImap::start(store);
    let ferry = ferry(&fake);
    ferry.sync();
    let bin = fake.change(|s| s.folders.remove("Bin"));
    delete(&ferry, "INBOX", "a");
    let outcome = ferry.json(&["sync"]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "b"], "expunged for want of a Trash");
    assert!(!outcome.events_of("warning").is_empty(), "{}", outcome.stdout);
    fake.change(|s| s.folders.insert("Bin".into(), bin.unwrap_or_default()));
    ferry.json(&["sync"]);
    ferry.json(&["sync"]);
    assert_eq!((remote(&fake, "INBOX"), remote(&fake, "Bin")), (vec!["b".to_owned()], vec!["a".to_owned()]));
}
