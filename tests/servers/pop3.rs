//! POP3 fetch from real Courier and Cyrus: keep, nothing new, delete, delete what was kept, lost memory.

use crate::support::message::{flags, unix_lines};
use crate::support::other_servers::{Kind, OtherRig};
use std::fs;

const DATE: i64 = 1_600_000_000;

fn mails() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..8)
        .map(|i| format!("Subject: {i}\nMessage-ID: <{i}@example.org>\n\nbody {i}\n.\n..\nend\n").into_bytes())
        .collect();
    all.push([b"Subject: long\n\n".as_slice(), &vec![b'x'; 60_000], b"\n"].concat());
    all.push(b"Subject: 8bit\n\n\xff\xfe\xe4 raw  \n\n".to_vec());
    all
}

fn filled(kind: Kind, hint: &str) -> OtherRig {
    let rig = OtherRig::pop3(kind, hint);
    let mut session = rig.mailbox();
    for mail in mails() {
        session.append("INBOX", &mail, &flags(""), DATE);
    }
    rig
}

/// A fetch that must end well; how many messages it brought.
#[track_caller]
fn fetch(rig: &OtherRig, more: &[&str]) -> u64 {
    let mut args = vec!["fetch"];
    args.extend(more);
    let outcome = rig.ferry.json(&args);
    outcome.assert_code(0);
    assert!(rig.ferry.local().leftovers().is_empty());
    outcome.figure("downloaded")
}

#[track_caller]
fn assert_here(rig: &OtherRig, mut wanted: Vec<Vec<u8>>) {
    let mut here: Vec<Vec<u8>> = rig.ferry.local().messages("INBOX").iter().map(|m| unix_lines(&m.bytes)).collect();
    here.sort();
    wanted.sort();
    assert!(here == wanted, "{:?}: {} here, {} wanted", rig.server.kind, here.len(), wanted.len());
}

fn there(rig: &OtherRig) -> usize {
    rig.remote()["INBOX"].len()
}

#[test]
fn kept_mail_comes_once() {
    for kind in Kind::ALL {
        let rig = filled(kind, "keep");
        assert_eq!(fetch(&rig, &[]), 10, "{kind:?}");
        assert_here(&rig, mails());
        assert_eq!(fetch(&rig, &[]), 0, "{kind:?}");
        let new = b"Subject: new\n\nnew\n".to_vec();
        rig.mailbox().append("INBOX", &new, &flags(""), DATE);
        assert_eq!(fetch(&rig, &[]), 1, "{kind:?}");
        assert_here(&rig, mails().into_iter().chain([new]).collect());
        assert_eq!(there(&rig), 11, "{kind:?}");
        rig.ferry.run(&["verify"]).assert_code(0);
        rig.ferry.run(&["check"]).assert_code(0);
    }
}

#[test]
fn fetched_mail_is_deleted_when_asked() {
    for kind in Kind::ALL {
        let rig = filled(kind, "delete");
        assert_eq!(fetch(&rig, &["--delete"]), 10, "{kind:?}");
        assert_eq!(there(&rig), 0, "{kind:?}");
        assert_here(&rig, mails());
        assert_eq!(fetch(&rig, &["--delete"]), 0, "{kind:?}");
    }
}

#[test]
fn what_was_kept_is_deleted_later() {
    for kind in Kind::ALL {
        let rig = filled(kind, "later");
        assert_eq!(fetch(&rig, &["--limit", "4"]), 4, "{kind:?}");
        assert_eq!(fetch(&rig, &["--delete"]), 6, "{kind:?}");
        assert_eq!(there(&rig), 0, "{kind:?}");
        assert_here(&rig, mails());
    }
}

#[test]
fn a_lost_memory_doubles_nothing() {
    for kind in Kind::ALL {
        let rig = filled(kind, "lost");
        assert_eq!(fetch(&rig, &[]), 10, "{kind:?}");
        fs::remove_dir_all(rig.ferry.local().root.join(".mailferry")).expect("the memory");
        fetch(&rig, &[]);
        assert_here(&rig, mails());
        assert_eq!(there(&rig), 10, "{kind:?}");
    }
}
