//! What is here already is not fetched again: a lost memory, a Maildir that sync fills as well, two protocols, a folder that is gone.

use crate::support::ferry::{AccountKeys, Outcome};
use crate::support::mailbox::Mailbox;
use crate::support::message::flags;
use crate::support::rig::Rig;
use std::fs;

fn append(session: &mut Mailbox, folder: &str, name: &str) {
    let body = format!("Subject: {name}\nMessage-ID: <{name}@example.org>\n\nthis is {name}\n");
    session.append(folder, body.as_bytes(), &flags(""), 1_600_000_000);
}

/// Three messages, of which two are equal.
fn filled(rig: Rig) -> Rig {
    let mut session = rig.mailbox();
    for name in ["a", "twin", "twin"] {
        append(&mut session, "INBOX", name);
    }
    rig
}

#[track_caller]
fn run(rig: &Rig, args: &[&str]) -> Outcome {
    let outcome = rig.ferry.json(args);
    outcome.assert_code(0);
    assert!(rig.local().leftovers().is_empty());
    outcome
}

#[track_caller]
fn fetch(rig: &Rig, more: &[&str], downloaded: u64) {
    let mut args = vec!["fetch", "work"];
    args.extend(more);
    let outcome = run(rig, &args);
    assert_eq!(outcome.figure("downloaded"), downloaded, "{more:?}: {outcome:?}");
}

fn counts(rig: &Rig) -> (usize, usize) {
    (rig.local().messages("INBOX").len(), rig.remote()["INBOX"].len())
}

fn forget(rig: &Rig) {
    fs::remove_dir_all(rig.local().root.join(".mailferry")).unwrap();
}

#[test]
fn a_memory_that_is_gone_or_damaged_doubles_nothing() {
    for pop3 in [true, false] {
        let rig = filled(if pop3 { Rig::pop3("lost") } else { Rig::usual("lost") });
        fetch(&rig, &[], 3);
        forget(&rig);
        fetch(&rig, &[], 0);
        fetch(&rig, &[], 0);
        // Equal messages stay as many as the server has.
        append(&mut rig.mailbox(), "INBOX", "twin");
        fetch(&rig, &[], 1);
        fs::write(rig.local().root.join(".mailferry/state.db"), "rubbish").unwrap();
        fetch(&rig, &[], 0);
        assert_eq!(counts(&rig), (4, 4), "pop3 {pop3}");
        // In parts, too.
        forget(&rig);
        for _ in 0..5 {
            rig.ferry.json(&["fetch", "work", "--limit", "1"]).assert_code(0);
        }
        fetch(&rig, &["--full"], 0);
        assert_eq!(counts(&rig), (4, 4), "pop3 {pop3}");
        fetch(&rig, &["--delete"], 0);
        assert_eq!(counts(&rig), (4, 0), "pop3 {pop3}");
    }
}

#[test]
fn a_restored_memory_doubles_nothing() {
    for pop3 in [true, false] {
        let rig = filled(if pop3 { Rig::pop3("old") } else { Rig::usual("old") });
        fetch(&rig, &[], 3);
        let state = rig.local().root.join(".mailferry/state.db");
        let backup = rig.local().root.join("backup");
        fs::copy(&state, &backup).unwrap();
        append(&mut rig.mailbox(), "INBOX", "b");
        fetch(&rig, &[], 1);
        // A mail reader gave them other names: theirs say nothing.
        for (n, message) in rig.local().messages("INBOX").iter().enumerate() {
            fs::rename(&message.place, rig.local().dir("INBOX").join(format!("cur/160000000{n}.reader:2,S"))).unwrap();
        }
        for file in fs::read_dir(state.parent().unwrap()).unwrap().map(|file| file.unwrap().path()) {
            if file.to_string_lossy().contains("state.db-") {
                fs::remove_file(file).unwrap();
            }
        }
        fs::rename(&backup, &state).unwrap();
        fetch(&rig, &["--delete"], 0);
        fetch(&rig, &[], 0);
        assert_eq!(counts(&rig), (4, 4), "pop3 {pop3}");
    }
}

#[test]
fn sync_and_fetch_of_one_maildir_double_nothing() {
    let rig = filled(Rig::usual("both"));
    append(&mut rig.mailbox(), "INBOX", "b");
    run(&rig, &["sync"]);
    fetch(&rig, &[], 0);
    run(&rig, &["sync"]);
    assert_eq!(counts(&rig), (4, 4));
    // What sync brought meanwhile is known to fetch, and the other way round.
    append(&mut rig.mailbox(), "INBOX", "c");
    run(&rig, &["sync"]);
    append(&mut rig.mailbox(), "INBOX", "twin");
    fetch(&rig, &[], 1);
    run(&rig, &["sync"]);
    fetch(&rig, &[], 0);
    run(&rig, &["sync"]);
    assert_eq!(counts(&rig), (6, 6));
}

#[test]
fn fetch_and_then_sync_double_nothing() {
    let rig = filled(Rig::usual("first"));
    fetch(&rig, &[], 3);
    run(&rig, &["sync"]);
    for name in ["b", "twin"] {
        append(&mut rig.mailbox(), "INBOX", name);
        run(&rig, &["sync"]);
        fetch(&rig, &[], 0);
        run(&rig, &["sync"]);
    }
    assert_eq!(counts(&rig), (5, 5));
}

#[test]
fn both_protocols_of_one_mailbox_double_nothing() {
    let rig = filled(Rig::pop3("two"));
    fetch(&rig, &[], 3);
    let root = rig.local().root.clone();
    let imap = AccountKeys::plain("imap", rig.server.ports.imap, &rig.user);
    let rig = Rig { ferry: rig.ferry.account("other", imap.text("maildir", &root.display().to_string())), ..rig };
    let other = || run(&rig, &["fetch", "other"]).figure("downloaded");
    assert_eq!(other(), 0);
    append(&mut rig.mailbox(), "INBOX", "b");
    append(&mut rig.mailbox(), "INBOX", "twin");
    assert_eq!(other(), 2);
    fetch(&rig, &[], 0);
    assert_eq!((other(), counts(&rig)), (0, (5, 5)));
}

#[test]
fn a_folder_that_is_gone_is_no_reason_to_delete() {
    for pop3 in [true, false] {
        let rig = filled(if pop3 { Rig::pop3("gone") } else { Rig::usual("gone") });
        fetch(&rig, &[], 3);
        rig.local().remove("INBOX");
        for more in [&["--delete"] as &[&str], &[]] {
            let outcome = rig.ferry.json(&[&["fetch", "work"], more].concat());
            outcome.assert_code(65);
            assert!(outcome.events_of("error")[0]["message"].as_str().unwrap().contains("INBOX is missing"));
            assert_eq!(counts(&rig), (0, 3), "pop3 {pop3}");
        }
        fetch(&rig, &["--full", "--delete"], 3);
        assert_eq!(counts(&rig), (3, 0), "pop3 {pop3}");
        // A single file is its owner's affair.
        append(&mut rig.mailbox(), "INBOX", "z");
        fetch(&rig, &[], 1);
        for message in rig.local().messages("INBOX") {
            fs::remove_file(message.place).unwrap();
        }
        fetch(&rig, &["--delete"], 0);
        assert_eq!(counts(&rig), (0, 0), "pop3 {pop3}");
    }
}

#[test]
fn an_id_used_again_for_a_message_with_the_same_header_deletes_nothing_unseen() {
    use crate::support::fake_pop3::{FakePop3, Maildrop};
    use crate::support::ferry::Ferry;
    let body = |text: &str| format!("From: cron@example.org\nSubject: disk\n\n{text}\n").into_bytes();
    let mut drop = Maildrop::default();
    drop.add("u1", &body("AAAA"));
    let fake = FakePop3::start(drop);
    let ferry = Ferry::pop3(fake.port(), "me");
    ferry.json(&["fetch"]).assert_code(0);
    fake.change(|drop| {
        drop.messages.clear();
        drop.add("u1", &body("BBBBBBBBB"));
    });
    ferry.json(&["fetch"]).assert_code(0);
    ferry.json(&["fetch", "--delete"]).assert_code(0);
    let here: Vec<Vec<u8>> = ferry.local().messages("INBOX").into_iter().map(|m| m.bytes).collect();
    assert!(here.iter().any(|bytes| bytes.ends_with(b"BBBBBBBBB\n")), "{here:?}");
    assert_eq!(here.len(), 2);
}
