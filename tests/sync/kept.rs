//! What must not be taken for something else: what the guard stopped, another message under a known file's name.

use crate::support::message::flags;
use crate::support::rig::Rig;
use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;

const DATE: i64 = 1_600_000_000;

fn mail(subject: &str) -> Vec<u8> {
    format!("Subject: {subject}\nMessage-ID: <{subject}@example.org>\n\nthis is {subject}\n").into_bytes()
}

#[test]
fn what_the_guard_stopped_of_an_expunge_is_told_again_and_can_be_let_pass() {
    let mut rig = Rig::usual("guarded");
    rig.ferry.set("expunge", "true");
    let mut session = rig.mailbox();
    let uids: Vec<u32> = (0..12).map(|n| session.append("INBOX", &mail(&format!("m{n}")), &flags("S"), DATE)).collect();
    rig.sync();
    for uid in uids {
        session.store("INBOX", uid, &flags("RST"));
    }
    for _ in 0..2 {
        rig.ferry.json(&["sync"]).assert_code(65);
        assert_eq!((rig.local().messages("INBOX").len(), rig.remote()["INBOX"].len()), (12, 12));
    }
    rig.ferry.json(&["sync", "--allow-mass-delete"]).assert_code(0);
    assert_eq!((rig.local().messages("INBOX").len(), rig.remote()["INBOX"].len()), (0, 0));
}

#[test]
fn another_message_under_a_known_name_is_a_message_of_its_own() {
    let rig = Rig::usual("basename");
    rig.mailbox().append("INBOX", &mail("known"), &flags(""), DATE);
    rig.sync();
    let known = rig.local().messages("INBOX").remove(0).place;
    let name = std::path::Path::new(&known).file_name().unwrap().to_str().unwrap().to_owned();
    let other = rig.local().dir("INBOX").join("cur").join(format!("{}:2,FRS", name.split(":2,").next().unwrap()));
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&other).unwrap();
    fs::write(&other, mail("other")).unwrap();
    for _ in 0..2 {
        rig.ferry.json(&["sync"]).assert_code(0);
    }
    rig.assert_in_step();
    let remote = rig.remote();
    let mut bodies: Vec<&[u8]> = remote["INBOX"].iter().map(|m| m.bytes.as_slice()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies.len(), 2, "{remote:?}");
    assert!(bodies[0] != bodies[1]);
    rig.ferry.json(&["verify", "--deep"]).assert_code(0);
}

#[test]
fn a_letter_that_nobody_names_is_given_to_no_keyword() {
    let rig = Rig::usual("letters");
    let mut session = rig.mailbox();
    session.create("A");
    session.append("INBOX", &mail("x"), &flags("S kw1 kw2"), DATE);
    let other = session.append("A", &mail("y"), &flags("S kw1"), DATE);
    rig.sync();
    // As `mv` does it: the letters stay what they were in the other folder.
    let from = rig.local().messages("INBOX").remove(0).place;
    let to = rig.local().dir("A").join("cur").join(std::path::Path::new(&from).file_name().unwrap());
    fs::rename(&from, to).unwrap();
    for _ in 0..2 {
        rig.ferry.json(&["sync"]).assert_code(0);
    }
    session.store("A", other, &flags("S kw1 zz"));
    for _ in 0..3 {
        rig.ferry.json(&["sync"]).assert_code(0);
    }
    rig.assert_in_step();
    let remote = rig.remote();
    let marked = remote["A"].iter().filter(|m| m.flags.contains("zz")).count();
    assert_eq!(marked, 1, "{remote:?}");
}
