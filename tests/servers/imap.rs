//! IMAP sync with real Courier and Cyrus: pull, nothing to do, both ways at once, lost memory, odd names and odd bytes.

use crate::support::corpus::{Corpus, KINDS, Kind as Odd};
use crate::support::message::{flags, unix_lines};
use crate::support::other_servers::{Kind, OtherRig};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DATE: i64 = 1_600_000_000;

fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\nThis is {name}.\n").into_bytes()
}

fn subject(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.lines().find_map(|l| l.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

/// A user with these messages in these folders, and a Trash.
fn filled(kind: Kind, hint: &str, messages: &[(&str, &str, &str)]) -> OtherRig {
    let rig = OtherRig::imap(kind, hint);
    let mut session = rig.mailbox();
    // Cyrus makes it by itself.
    if kind == Kind::Courier {
        session.create("Trash");
    }
    let folders: BTreeSet<&str> = messages.iter().map(|(folder, ..)| *folder).filter(|f| *f != "INBOX").collect();
    folders.iter().for_each(|folder| session.create(folder));
    for (folder, name, letters) in messages {
        session.append(folder, &mail(name), &flags(letters), DATE);
    }
    rig
}

/// The subjects of a folder on both sides, which must be the same.
#[track_caller]
fn both(rig: &OtherRig, folder: &str) -> Vec<String> {
    let mut there: Vec<String> = rig.remote()[folder].iter().map(|m| subject(&m.bytes)).collect();
    let mut here: Vec<String> = rig.local().messages(folder).iter().map(|m| subject(&m.bytes)).collect();
    there.sort();
    here.sort();
    assert_eq!(there, here, "{:?}: {folder}", rig.server.kind);
    there
}

/// A run that must find nothing to do.
#[track_caller]
fn quiet(rig: &OtherRig) {
    let outcome = rig.ferry.sync();
    for field in
        ["downloaded", "uploaded", "flags_local", "flags_remote", "deleted_local", "deleted_remote", "moved_local"]
    {
        assert_eq!(outcome.figure(field), 0, "{:?}: {field} in {}", rig.server.kind, outcome.stdout);
    }
}

#[test]
fn what_is_there_comes_down_once() {
    for kind in Kind::ALL {
        let rig = OtherRig::imap(kind, "pull");
        let mut corpus = Corpus::new(3);
        let mut session = rig.mailbox();
        for folder in ["Work", "Lists/rust", "Lists/rust/deep"] {
            session.create(folder);
        }
        for i in 0..30 {
            let folder = ["INBOX", "Work", "Lists/rust", "Lists/rust/deep"][i % 4];
            session.append(folder, &corpus.of_kind(Odd::Plain), &corpus.flags(), corpus.date());
        }
        assert_eq!(rig.ferry.sync().figure("downloaded"), 30, "{kind:?}");
        rig.assert_in_step();
        quiet(&rig);
        quiet(&rig);
        let silent = rig.ferry.run(&["sync"]);
        silent.assert_code(0);
        assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""), "{kind:?}");
        for verb in [&["check"][..], &["folders"], &["status"], &["verify", "--deep"]] {
            let mut args = verb.to_vec();
            if verb == ["folders"] {
                args.push("work");
            }
            rig.ferry.run(&args).assert_code(0);
        }
    }
}

#[test]
fn changes_go_both_ways_in_one_run() {
    for kind in Kind::ALL {
        let names = ["fl", "fr", "kl", "kr", "dl", "dr", "ml", "mr", "both", "still"];
        let all: Vec<_> = names.iter().map(|n| ("INBOX", *n, "")).chain([("Work", "w", "S")]).collect();
        let rig = filled(kind, "ways", &all);
        rig.ferry.sync();
        rig.assert_in_step();
        let local = rig.local();
        let here = |name: &str| {
            local.messages("INBOX").into_iter().find(|m| subject(&m.bytes) == name).map(|m| m.place).expect("here")
        };
        let mut session = rig.mailbox();
        let listed = session.messages("INBOX");
        let there = |name: &str| listed.iter().find(|m| subject(&m.bytes) == name).expect("there").uid();
        // Each kind of change on either side, and one flag on both.
        local.set_flags("INBOX", Path::new(&here("fl")), &flags("RS"));
        session.store("INBOX", there("fr"), &flags("F"));
        local.set_flags("INBOX", Path::new(&here("kl")), &flags("S urgent"));
        session.store("INBOX", there("kr"), &flags(" later"));
        local.set_flags("INBOX", Path::new(&here("both")), &flags("S"));
        session.store("INBOX", there("both"), &flags("F"));
        local.delete(Path::new(&here("dl")));
        local.mv("INBOX", Path::new(&here("ml")), "Work");
        session.mv("INBOX", there("mr"), "Work");
        session.delete("INBOX", there("dr"));
        local.deliver("INBOX", &mail("up"), &flags("S urgent"), DATE);
        session.append("Work", &mail("down"), &flags("D"), DATE);
        local.deliver("Fresh/here", &mail("fresh-here"), &flags(""), DATE);
        session.create("Fresh/there");
        session.append("Fresh/there", &mail("fresh-there"), &flags("F"), DATE);
        drop(session);
        rig.ferry.sync();
        assert_eq!(both(&rig, "INBOX"), ["both", "fl", "fr", "kl", "kr", "still", "up"], "{kind:?}");
        assert_eq!(both(&rig, "Work"), ["down", "ml", "mr", "w"], "{kind:?}");
        // What went to the Trash there comes down with the next run.
        rig.ferry.sync();
        rig.assert_in_step();
        assert_eq!(both(&rig, "Trash"), ["dl"], "{kind:?}");
        assert_eq!((both(&rig, "Fresh/here").len(), both(&rig, "Fresh/there").len()), (1, 1));
        let inbox = local.messages("INBOX");
        let of = |name: &str| inbox.iter().find(|m| subject(&m.bytes) == name).expect("here").flags.clone();
        assert_eq!((of("fl"), of("fr"), of("both")), (flags("RS"), flags("F"), flags("FS")), "{kind:?}");
        assert_eq!((of("kl"), of("kr"), of("up")), (flags("S urgent"), flags(" later"), flags("S urgent")), "{kind:?}");
        quiet(&rig);
    }
}

#[test]
fn a_lost_memory_is_made_good_by_content() {
    for kind in Kind::ALL {
        let rig =
            filled(kind, "lost", &[("INBOX", "a", "S"), ("INBOX", "b", ""), ("Work", "c", "F"), ("Work", "d", "")]);
        rig.ferry.sync();
        fs::remove_dir_all(rig.local().root.join(".mailferry")).expect("the memory");
        rig.local().deliver("INBOX", &mail("new-here"), &flags("S"), DATE);
        rig.mailbox().append("Work", &mail("new-there"), &flags("S"), DATE);
        let outcome = rig.ferry.sync();
        assert_eq!((outcome.figure("downloaded"), outcome.figure("uploaded")), (1, 1), "{kind:?}: {}", outcome.stdout);
        rig.assert_in_step();
        quiet(&rig);
    }
}

/// The Maildir is there, the server's folder is made anew under another UIDVALIDITY.
#[test]
fn a_folder_made_anew_is_recovered_without_a_download() {
    for kind in Kind::ALL {
        let rig = filled(kind, "anew", &[("Work", "a", "S"), ("Work", "b", ""), ("Work", "c", "F")]);
        rig.ferry.sync();
        let mut session = rig.mailbox();
        session.create("Copy");
        for message in session.messages("Work") {
            session.copy("Work", message.uid(), "Copy");
        }
        session.remove("Work");
        session.rename("Copy", "Work");
        drop(session);
        let outcome = rig.ferry.json(&["sync"]);
        assert!(matches!(outcome.code, Some(0 | 65)), "{kind:?}: {} {}", outcome.stdout, outcome.stderr);
        assert_eq!(outcome.figure("downloaded") + outcome.figure("uploaded"), 0, "{kind:?}: {}", outcome.stdout);
        rig.ferry.sync();
        rig.assert_in_step();
        assert_eq!(both(&rig, "Work"), ["a", "b", "c"], "{kind:?}");
    }
}

#[test]
fn odd_names_cross_both_ways() {
    for kind in Kind::ALL {
        println!("{kind:?}");
        let rig = OtherRig::imap(kind, "names");
        let mut session = rig.mailbox();
        let names = ["Entwürfe & mehr", "日本/語", "two words", "a&b", "50%", "a~b"];
        for name in names {
            // What a server does not take is not asked for here.
            if kind != Kind::Courier && ["a&b", "50%"].contains(&name) {
                continue;
            }
            session.create(name);
            session.append(name, &mail("x"), &flags("S"), DATE);
        }
        drop(session);
        rig.ferry.sync();
        rig.assert_in_step();
        rig.local().deliver("Neu & schön/日本", &mail("new"), &flags("S"), DATE);
        rig.ferry.sync();
        // Cyrus makes the folder above by itself, which comes down with the next run.
        rig.ferry.sync();
        rig.assert_in_step();
        quiet(&rig);
    }
}

/// Whatever the servers store of every kind of message comes down as they give it, goes back up, and is not doubled; what a server
/// refuses is reported, stays here and stops nothing.
#[test]
fn every_kind_of_message_crosses_or_is_named() {
    for kind in Kind::ALL {
        let rig = OtherRig::imap(kind, "kinds");
        let mut corpus = Corpus::new(11);
        for odd in KINDS {
            rig.local().deliver("Out", &corpus.of_kind(odd), &flags("S"), corpus.date());
        }
        let sent: Vec<Vec<u8>> = rig.local().messages("Out").iter().map(|m| unix_lines(&m.bytes)).collect();
        for _ in 0..3 {
            let outcome = rig.ferry.json(&["sync"]);
            assert!(matches!(outcome.code, Some(0 | 69)), "{kind:?}: {} {}", outcome.stdout, outcome.stderr);
        }
        let here: Vec<Vec<u8>> = rig.local().messages("Out").iter().map(|m| unix_lines(&m.bytes)).collect();
        assert!(sent.iter().all(|m| here.contains(m)), "{kind:?}: something is lost here");
        let there = rig.remote()["Out"].len();
        assert!(here.len() <= sent.len() + 1 && there <= sent.len(), "{kind:?}: {} here, {there} there", here.len());
        assert!(there + 3 >= sent.len(), "{kind:?}: only {there} of {} went up", sent.len());
    }
}
