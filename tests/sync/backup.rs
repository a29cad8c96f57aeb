//! Backups: `verify` finds every kind of difference and changes nothing, `restore` brings back what a server lost, once.

use crate::support::corpus::{Corpus, KINDS};
use crate::support::dovecot::Dovecot;
use crate::support::ferry::{ACCOUNT, AccountKeys, Outcome, Running};
use crate::support::mailbox::{self, Mailbox};
use crate::support::message::{assert_in_step, flags};
use crate::support::proxy::{End, Fault, Manner, Way};
use crate::support::rig::Rig;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every file below a directory with its bytes and time, without those that come and go with the database's readers.
fn tree(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let meta = entry.metadata().expect("metadata");
            if meta.is_dir() {
                open.push(entry.path());
            } else if !["lock", "state.db-wal", "state.db-shm"].iter().any(|own| entry.file_name() == *own) {
                let bytes = std::fs::read(entry.path()).expect("a file");
                all.insert(entry.path(), (bytes, meta.modified().expect("a time")));
            }
        }
    }
    all
}

fn wipe(session: &mut Mailbox, folders: &[&str]) {
    for message in session.messages("INBOX") {
        session.delete("INBOX", message.uid());
    }
    for folder in folders {
        session.remove(folder);
    }
}

fn kinds(outcome: &Outcome) -> Vec<String> {
    let mut kinds: Vec<String> =
        outcome.events_of("difference").iter().map(|e| e["kind"].as_str().unwrap_or_default().to_owned()).collect();
    kinds.sort();
    kinds
}

#[track_caller]
fn assert_equal(rig: &Rig, compared: usize) {
    for command in [&["verify"][..], &["verify", "--deep"]] {
        let outcome = rig.ferry.json(command);
        outcome.assert_code(0);
        assert_eq!((outcome.figure("compared"), outcome.figure("differences")), (compared as u64, 0));
    }
}

#[track_caller]
fn assert_settled(rig: &Rig) {
    let outcome = rig.ferry.sync();
    let fields = ["downloaded", "uploaded", "flags_local", "flags_remote", "deleted_local", "deleted_remote"];
    for field in fields.iter().chain(&["moved_local", "moved_remote"]) {
        assert_eq!(outcome.figure(field), 0, "{field}: {}", outcome.stdout);
    }
}

/// An archived account with every kind of message, keywords and twins.
fn archived(hint: &str) -> Rig {
    filled(hint, "archive")
}

fn filled(hint: &str, mode: &str) -> Rig {
    let mut rig = Rig::usual(hint);
    rig.ferry.set("mode", &format!("{mode:?}"));
    let mut corpus = Corpus::new(21);
    let mut session = rig.mailbox();
    session.create("Lists/rust");
    for (i, kind) in KINDS.into_iter().enumerate() {
        let folder = ["INBOX", "Lists/rust"][i % 2];
        session.append(folder, &corpus.of_kind(kind), &corpus.flags(), corpus.date());
    }
    for i in 0..2 {
        session.append("INBOX", &corpus.twin(), &flags("FS todo"), 1_600_000_000 + i);
    }
    rig.ferry.sync();
    rig
}

#[test]
fn an_archive_brings_a_wiped_server_back() {
    for (mode, sync_between) in [("archive", false), ("archive", true), ("sync", false), ("mirror", false)] {
        let rig = filled("restore", mode);
        let before = rig.remote();
        let count = KINDS.len() + 2;
        assert_equal(&rig, count);
        wipe(&mut rig.mailbox(), &["Lists/rust", "Lists"]);
        if sync_between {
            rig.ferry.json(&["sync"]);
        } else {
            let lost = rig.ferry.json(&["verify"]);
            lost.assert_code(65);
            assert_eq!(lost.figure("compared"), 0);
        }
        let local = rig.local().snapshot();
        let dry = rig.ferry.json(&["restore", ACCOUNT, "-n"]);
        dry.assert_code(0);
        let uploads = dry.events_of("planned").iter().filter(|e| e["action"] == "upload").count();
        assert_eq!(uploads, count, "{}", dry.stdout);
        assert!(rig.remote().values().all(Vec::is_empty), "a dry run uploads nothing");
        let outcome = rig.ferry.json(&["restore", ACCOUNT]);
        outcome.assert_code(0);
        assert_eq!(outcome.figure("uploaded"), count as u64);
        assert_eq!(rig.local().snapshot(), local, "restore changes nothing here");
        assert_in_step(&rig.remote(), &before);
        assert_equal(&rig, count);
        assert_settled(&rig);
        assert_settled(&rig);
        rig.assert_in_step();
        let again = rig.ferry.json(&["restore", ACCOUNT]);
        again.assert_code(0);
        assert_eq!(again.figure("uploaded"), 0);
    }
}

#[test]
fn what_the_server_has_is_left_alone_and_folders_are_chosen() {
    let rig = archived("partly");
    let mut session = rig.mailbox();
    for message in session.messages("INBOX").iter().take(3) {
        session.delete("INBOX", message.uid());
    }
    let kept = session.messages("Lists/rust");
    session.delete("Lists/rust", kept[0].uid());
    // The same message came back by another way, under another UID and date.
    session.append("Lists/rust", &kept[0].content(), &kept[0].flags, 1_700_000_000);
    let outcome = rig.ferry.json(&["restore", ACCOUNT, "--folder", "Lists/*"]);
    outcome.assert_code(0);
    assert_eq!(outcome.figure("uploaded"), 0, "{}", outcome.stdout);
    let outcome = rig.ferry.json(&["restore", ACCOUNT]);
    outcome.assert_code(0);
    assert_eq!(outcome.figure("uploaded"), 3, "{}", outcome.stdout);
    assert_equal(&rig, KINDS.len() + 2);
}

#[test]
fn a_restore_goes_on_where_it_broke_off() {
    for after in [2_500, 9_000, 20_000, 60_000] {
        let mut rig = archived("broken-off");
        rig.ferry.set("timeout", "\"1s\"");
        let before = rig.remote();
        wipe(&mut rig.mailbox(), &["Lists/rust", "Lists"]);
        let fault = Fault::Cut { way: Way::Up, after, end: End::Rst };
        rig.proxy.restart(Manner { fault: Some(fault), ..Manner::default() });
        let first = rig.ferry.json(&["restore", ACCOUNT]);
        assert!(matches!(first.code, Some(0 | 69 | 75)), "{}{}", first.stdout, first.stderr);
        rig.proxy.restart(Manner::default());
        rig.ferry.json(&["restore", ACCOUNT]).assert_code(0);
        assert_in_step(&rig.remote(), &before);
        assert_settled(&rig);
    }
}

#[test]
fn another_account_gets_the_mail_and_keeps_its_own() {
    let mut rig = archived("moving");
    let other = Dovecot::usual().user("target");
    let keys = AccountKeys::plain("imap", Dovecot::usual().ports.imap, &other);
    rig.ferry = std::mem::take(&mut rig.ferry).account("new", keys);
    let own = b"Subject: own\n\nx\n";
    Mailbox::open(&Dovecot::usual(), &other).append("INBOX", own, &flags("S"), 1_500_000_000);
    let (remote, local) = (rig.remote(), tree(&rig.local().root));
    for uploaded in [KINDS.len() + 2, 0] {
        let outcome = rig.ferry.json(&["restore", ACCOUNT, "--to", "new"]);
        outcome.assert_code(0);
        assert_eq!(outcome.figure("uploaded"), uploaded as u64);
    }
    assert_eq!(rig.remote(), remote);
    assert_eq!(tree(&rig.local().root), local, "Maildir and state stay as they are");
    assert!(!rig.ferry.home().join("Mail/new").exists(), "the other account's Maildir is not touched");
    let mut there = mailbox::snapshot(&Dovecot::usual(), &other);
    there.get_mut("INBOX").expect("INBOX").retain(|m| m.content() != own);
    assert_in_step(&there, &remote);
}

#[test]
fn verify_finds_every_kind_of_difference_and_changes_nothing() {
    let rig = Rig::usual("verify");
    let mut session = rig.mailbox();
    session.create("Work");
    for i in 0..6 {
        let text = format!("Subject: {i}\nMessage-ID: <m{i}@example.org>\n\nbody {i}\n");
        session.append("INBOX", text.as_bytes(), &flags("S"), 1_600_000_000 + i);
    }
    rig.ferry.sync();
    assert_equal(&rig, 6);
    let local = rig.local();
    let at = |subject: usize| -> PathBuf {
        let all = local.messages("INBOX");
        let found = all.iter().find(|m| m.content().starts_with(format!("Subject: {subject}\n").as_bytes()));
        PathBuf::from(&found.expect("a message").place)
    };
    local.set_flags("INBOX", &at(0), &flags("FS work"));
    local.delete(&at(1));
    // Cut short by a disk, with its old length's name and time.
    std::fs::write(at(2), b"Subject: 2\n\nbo").expect("a cut file");
    // The same length, another content.
    let path = at(3);
    let turned = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).replace("body", "ydob");
    std::fs::write(&path, turned).expect("a turned file");
    local.deliver("INBOX", b"Subject: here\nMessage-ID: <here@example.org>\n\nx\n", &flags("S"), 1_600_000_000);
    session.append("INBOX", b"Subject: there\nMessage-ID: <there@example.org>\n\nx\n", &flags("S"), 1_600_000_000);
    session.create("There");
    local.create("Here");
    let (remote, files) = (rig.remote(), tree(&local.root));
    let outcome = rig.ferry.json(&["verify"]);
    outcome.assert_code(65);
    let wanted =
        ["flags", "folder_only_local", "folder_only_remote", "missing_file", "only_local", "only_remote", "size"];
    assert_eq!(kinds(&outcome), wanted, "{}", outcome.stdout);
    assert_eq!((outcome.figure("differences"), outcome.figure("compared")), (7, 5));
    assert_eq!(outcome.figure("exit"), 65);
    let of = |kind: &str| outcome.events_of("difference").into_iter().find(|e| e["kind"] == kind).expect("one");
    assert_eq!(of("only_local")["message_id"], "<here@example.org>");
    assert_eq!(of("only_remote")["message_id"], "<there@example.org>");
    assert!(of("only_remote")["uid"].is_u64() && of("only_remote").get("file").is_none());
    assert!(of("missing_file")["file"].as_str().is_some_and(|f| f.starts_with("cur/")));
    assert!(of("flags")["detail"].as_str().is_some_and(|d| d.contains("work")), "{}", of("flags"));
    assert!(outcome.events_of("difference").iter().all(|e| e["account"] == ACCOUNT && e["folder"].is_string()));
    let deep = rig.ferry.json(&["verify", "--deep"]);
    deep.assert_code(65);
    assert_eq!(kinds(&deep).iter().filter(|k| *k == "content").count(), 2, "{}", deep.stdout);
    assert_eq!(deep.figure("differences"), 8);
    let text = rig.ferry.run(&["verify"]);
    text.assert_code(65);
    assert_eq!(text.stdout.lines().count(), 7, "{}", text.stdout);
    let changed: Vec<PathBuf> =
        tree(&local.root).into_iter().filter(|(p, f)| files.get(p) != Some(f)).map(|(p, _)| p).collect();
    assert_eq!((rig.remote(), changed, tree(&local.root).len()), (remote, Vec::new(), files.len()));
}

#[test]
fn verify_needs_no_state_and_leaves_none() {
    let rig = archived("stateless");
    std::fs::remove_dir_all(rig.local().root.join(".mailferry")).expect("the state");
    assert_equal(&rig, KINDS.len() + 2);
    assert!(!rig.local().root.join(".mailferry").exists());
    let first = rig.local().messages("INBOX").remove(0);
    rig.local().delete(Path::new(&first.place));
    let outcome = rig.ferry.json(&["verify", "--deep"]);
    outcome.assert_code(65);
    assert_eq!(kinds(&outcome), ["only_remote"]);
}

#[test]
fn what_stands_on_one_side_by_agreement_is_no_difference() {
    let rig = archived("agreed");
    let mut session = rig.mailbox();
    let all = session.messages("INBOX");
    session.delete("INBOX", all[0].uid());
    assert_eq!(kinds(&rig.ferry.json(&["verify"])), ["only_local"]);
    rig.ferry.sync();
    let outcome = rig.ferry.json(&["verify"]);
    outcome.assert_code(0);
    assert_eq!((outcome.figure("one_sided"), outcome.figure("differences")), (1, 0));
}

#[test]
fn a_pop3_account_is_compared_with_what_was_fetched() {
    let rig = Rig::pop3("verify-pop");
    let mut corpus = Corpus::new(31);
    let mut session = rig.mailbox();
    for _ in 0..3 {
        session.append("INBOX", &corpus.message(), &flags(""), corpus.date());
    }
    rig.ferry.json(&["fetch"]).assert_code(0);
    for command in [&["verify"][..], &["verify", "--deep"]] {
        let outcome = rig.ferry.json(command);
        outcome.assert_code(0);
        assert_eq!((outcome.figure("compared"), outcome.figure("differences")), (3, 0));
    }
    session.append("INBOX", &corpus.message(), &flags(""), corpus.date());
    let files = rig.local().messages("INBOX");
    rig.local().delete(Path::new(&files[0].place));
    std::fs::write(&files[1].place, b"Subject: turned\n\nx\n").expect("a turned file");
    let outcome = rig.ferry.json(&["verify", "--deep"]);
    outcome.assert_code(65);
    assert_eq!(kinds(&outcome), ["content", "missing_file", "only_remote"]);
    assert!(outcome.events_of("difference").iter().all(|e| e["uidl"].is_string()));
    assert_eq!(rig.remote()["INBOX"].len(), 4);
    rig.ferry.json(&["restore", ACCOUNT]).assert_code(78);
}

#[test]
fn verify_waits_for_nobody() {
    let rig = archived("held");
    let lock = std::fs::File::open(rig.local().root.join(".mailferry/lock")).expect("the lock");
    lock.lock().expect("the lock");
    let outcome = rig.ferry.json(&["verify"]);
    outcome.assert_code(75);
    assert_eq!(outcome.figure("exit"), 75);
}

/// Folders below folders, names of all scripts, an empty folder; every message with flags, keywords and dates of its own.
fn whole_mailbox(hint: &str) -> Rig {
    let mut rig = Rig::usual(hint);
    rig.ferry.set("mode", "\"archive\"");
    let mut corpus = Corpus::new(77);
    rig.fill(&mut corpus, &["INBOX", "Lists/rust/Bücher & mehr", "Lists/rust", "日本/メール"], 24);
    let mut session = rig.mailbox();
    session.create("Empty/below");
    for i in 0..4 {
        session.append("日本/メール", &corpus.twin(), &flags("FS todo later"), 1_500_000_000 + i);
    }
    rig.ferry.sync();
    rig
}

fn wipe_all(rig: &Rig) {
    let mut session = rig.mailbox();
    let mut folders = rig.remote();
    for message in folders.remove("INBOX").unwrap_or_default() {
        session.delete("INBOX", message.uid());
    }
    for folder in folders.keys().rev().filter(|name| *name != "Trash") {
        session.remove(folder);
    }
    // Parents without messages are no folders of ours.
    for parent in ["Lists", "日本", "Empty"] {
        session.try_command(&format!("DELETE {}", crate::support::mutf7::encode(parent))).ok();
    }
}

#[test]
fn a_restore_that_is_killed_anywhere_goes_on_and_doubles_nothing() {
    let rig = whole_mailbox("killed");
    let before = rig.remote();
    let log = rig.ferry.home().join("checkpoints");
    let restore = |key: &str, value: &str| {
        let mut command = rig.ferry.command(&["restore", ACCOUNT, "--json"]);
        command.env(key, value);
        Running::new(command).finish(std::time::Duration::from_secs(60))
    };
    wipe_all(&rig);
    restore("MAILFERRY_CHECKPOINT_LOG", log.to_str().expect("a path")).assert_code(0);
    let text = std::fs::read_to_string(&log).expect("checkpoints");
    let mut hits: BTreeMap<&str, usize> = BTreeMap::new();
    for name in text.lines() {
        *hits.entry(name).or_default() += 1;
    }
    println!("{hits:?}");
    assert!(hits.len() >= 2, "{hits:?}");
    for (name, count) in hits {
        for at in if count > 1 { vec![1, count / 2 + 1] } else { vec![1] } {
            wipe_all(&rig);
            let killed = restore("MAILFERRY_CHECKPOINT", &format!("{name}:{at}"));
            assert_eq!(killed.code, None, "{name}:{at} is not reached: {}{}", killed.stdout, killed.stderr);
            rig.ferry.json(&["restore", ACCOUNT]).assert_code(0);
            assert_in_step(&rig.remote(), &before);
            assert_settled(&rig);
        }
    }
    assert_equal(&rig, before.values().map(Vec::len).sum());
}

#[test]
fn a_backup_goes_to_another_account_folder_by_folder_and_whatever_its_size() {
    let mut rig = whole_mailbox("elsewhere");
    rig.ferry.set("max_size", "\"1K\"");
    let other = Dovecot::usual().user("elsewhere-target");
    let keys = AccountKeys::plain("imap", Dovecot::usual().ports.imap, &other).set("max_size", "1024");
    rig.ferry = std::mem::take(&mut rig.ferry).account("new", keys);
    let remote = rig.remote();
    let there = || mailbox::snapshot(&Dovecot::usual(), &other);
    let lists: usize = remote.iter().filter(|(name, _)| name.starts_with("Lists/")).map(|(_, all)| all.len()).sum();
    let restore = |more: &[&str]| {
        let outcome = rig.ferry.json(&[&["restore", ACCOUNT, "--to", "new"], more].concat());
        outcome.assert_code(0);
        assert_eq!(outcome.figure("skipped"), 0, "{}", outcome.stdout);
        outcome
    };
    assert_eq!(restore(&["--folder", "Lists/*", "-n"]).events_of("planned").len(), lists + 2, "the folders, too");
    assert!(there().values().all(Vec::is_empty));
    assert_eq!(restore(&["--folder", "Lists/*"]).figure("uploaded"), lists as u64);
    let all: usize = remote.values().map(Vec::len).sum();
    assert_eq!(restore(&[]).figure("uploaded"), (all - lists) as u64);
    assert_in_step(&there(), &remote);
    assert_eq!(restore(&[]).figure("uploaded"), 0);
    // Large messages stood on both sides before: a sync with that limit changes nothing, either.
    wipe_all(&rig);
    rig.ferry.json(&["restore", ACCOUNT]).assert_code(0);
    assert_in_step(&rig.remote(), &remote);
    let outcome = rig.ferry.json(&["sync", ACCOUNT]);
    outcome.assert_code(0);
    let moved = ["downloaded", "uploaded", "deleted_local", "deleted_remote"].map(|f| outcome.figure(f));
    assert_eq!(moved, [0; 4], "{}", outcome.stdout);
}

/// As when the disk of the backup is not mounted: that is no empty backup.
#[test]
fn a_backup_that_is_not_there_is_told_of() {
    let rig = Rig::usual("unmounted");
    let outcome = rig.ferry.run(&["restore", ACCOUNT]);
    outcome.assert_code(78);
    assert!(outcome.stderr.contains("there is no Maildir at"), "{}", outcome.stderr);
    assert!(!rig.local().root.exists());
    let rig = archived("mistyped");
    let outcome = rig.ferry.json(&["restore", ACCOUNT, "--folder", "List/*"]);
    outcome.assert_code(0);
    assert!(outcome.events_of("warning")[0]["message"].as_str().is_some_and(|m| m.contains("matches no folder")));
    let session = &mut rig.mailbox();
    session.store("INBOX", 1, &flags("S"));
    rig.local().delete(Path::new(&rig.local().messages("INBOX")[0].place));
    let text = rig.ferry.run(&["verify", "-v"]);
    text.assert_code(65);
    assert!(text.stderr.contains("different (exit 65)"), "{}", text.stderr);
}

/// Messages come back in the order of their dates, which most programs show.
#[test]
fn the_order_of_dates_is_that_of_the_server() {
    let rig = whole_mailbox("order");
    wipe_all(&rig);
    rig.ferry.json(&["restore", ACCOUNT]).assert_code(0);
    for (folder, messages) in rig.remote() {
        let dates: Vec<i64> = messages.iter().map(|m| m.date).collect();
        assert!(dates.is_sorted(), "{folder}: {dates:?}");
    }
}

#[test]
fn what_may_not_be_filled_is_told_by_a_restore_each_time() {
    let mut rig = archived("closed");
    let hook: crate::support::fake_imap::Hook =
        Box::new(|command, _| command.line.contains(" APPEND ").then(|| b"{tag} NO [NOPERM] not yours\r\n".to_vec()));
    let fake = crate::support::fake_imap::FakeImap::with_hook(crate::support::fake_imap::Store::default(), hook);
    let keys = AccountKeys::plain("imap", fake.port(), "someone");
    rig.ferry = std::mem::take(&mut rig.ferry).account("closed", keys);
    for _ in 0..2 {
        let outcome = rig.ferry.json(&["restore", ACCOUNT, "--to", "closed", "--folder", "INBOX"]);
        outcome.assert_code(69);
        assert_eq!(outcome.events_of("error").len(), 1, "{}", outcome.stdout);
    }
}

/// A mirror undoes what was changed here, but for what only this side ever had; an archive deletes nothing, ever.
#[test]
fn a_mirror_and_an_archive_after_changes_on_both_sides() {
    for mode in ["mirror", "archive"] {
        let rig = filled("modes", mode);
        let remote = rig.remote();
        let local = rig.local();
        let all = local.messages("INBOX");
        local.delete(Path::new(&all[0].place));
        local.set_flags("INBOX", Path::new(&all[1].place), &flags("DFS mine"));
        local.deliver("INBOX", b"Subject: only here\n\nx\n", &flags("S"), 1_600_000_000);
        let uid = rig.mailbox().messages("Lists/rust")[0].uid();
        rig.mailbox().delete("Lists/rust", uid);
        let outcome = rig.ferry.sync();
        let changed = ["uploaded", "flags_remote", "deleted_remote", "moved_remote"].map(|f| outcome.figure(f));
        assert_eq!(changed, [0; 4], "the server is never changed: {}", outcome.stdout);
        let gone = remote["Lists/rust"].len() - local.messages("Lists/rust").len();
        let subjects =
            local.messages("INBOX").iter().filter(|m| m.content().starts_with(b"Subject: only here")).count();
        assert_eq!((gone, subjects), (usize::from(mode == "mirror"), 1), "{mode}");
        if mode == "mirror" {
            let mut here = local.snapshot();
            here.get_mut("INBOX").expect("INBOX").retain(|m| !m.content().starts_with(b"Subject: only here"));
            assert_in_step(&rig.remote(), &here);
        }
        let again = rig.ferry.sync();
        assert_eq!([again.figure("downloaded"), again.figure("deleted_local"), again.figure("flags_local")], [0; 3]);
    }
}
