//! Folders that get another name, and others in their place: messages move with them and are never doubled.

use super::*;
use crate::support::message::Snapshot;

/// An account whose folder A holds three messages on both sides.
fn with_folder(hint: &str) -> Rig {
    let mut rig = Rig::usual(hint);
    rig.ferry.set("on_delete", "\"expunge\"");
    let mut session = rig.mailbox();
    session.create("A");
    ["a", "b", "c"].iter().for_each(|name| _ = session.append("A", &mail(name), &flags("S"), DATE));
    rig.sync();
    rig
}

/// The subjects of every folder that is not empty.
fn told(all: &Snapshot) -> String {
    let full = all.iter().filter(|(_, messages)| !messages.is_empty());
    let line = |(name, messages): (&String, &Vec<crate::support::message::Msg>)| {
        format!("{name}: {}", sorted(messages.iter().map(|m| subject(&m.bytes))).join(" "))
    };
    full.map(line).collect::<Vec<_>>().join(", ")
}

/// Two runs, after which both sides hold just this.
#[track_caller]
fn settles(rig: &Rig, expected: &str) {
    let (first, _) = rig.sync();
    assert_eq!(first.figure("downloaded") + first.figure("uploaded"), expected.matches("new").count() as u64);
    let (second, _) = rig.sync();
    for field in ["downloaded", "uploaded", "moved_local", "moved_remote", "deleted_local", "deleted_remote"] {
        assert_eq!(second.figure(field), 0, "{field}: {}", second.stdout);
    }
    rig.assert_in_step();
    assert_eq!(told(&rig.remote()), expected);
}

#[test]
fn hazard_17_a_folder_renamed_on_the_server_with_another_in_its_place() {
    let rig = with_folder("renamed-made");
    rig.mailbox().rename("A", "Archive");
    rig.mailbox().create("A");
    settles(&rig, "Archive: a b c");
}

#[test]
fn hazard_17_the_other_in_its_place_has_messages_and_flags_changed_here() {
    let rig = with_folder("renamed-full");
    rig.mailbox().rename("A", "Archive");
    rig.mailbox().create("A");
    rig.mailbox().append("A", &mail("new"), &flags(""), DATE);
    let b = rig.local().messages("A").into_iter().find(|m| subject(&m.bytes) == "b").expect("b");
    rig.local().set_flags("A", Path::new(&b.place), &flags("FS"));
    settles(&rig, "A: new, Archive: a b c");
    let b = rig.remote()["Archive"].iter().find(|m| subject(&m.bytes) == "b").expect("b").flags.clone();
    assert_eq!(b, flags("FS"), "what was changed here went with it");
}

#[test]
fn hazard_17_inbox_renamed_on_the_server() {
    // RFC 3501 §6.3.5: its messages go, it stays; some servers number it anew.
    for renumbered in [false, true] {
        let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS MOVE", &["a", "b"]));
        let mut ferry = ferry(&fake);
        ferry.set("on_delete", "\"expunge\"");
        ferry.sync();
        fake.change(|store| {
            let old = store.folders.get("INBOX").cloned().expect("INBOX");
            let inbox = store.folders.get_mut("INBOX").expect("INBOX");
            inbox.messages.clear();
            inbox.uid_validity += u32::from(renumbered);
            store.folders.insert("Old".into(), Folder { uid_validity: old.uid_validity + 5, ..old });
        });
        for _ in 0..2 {
            assert_done(&ferry.json(&["sync"]), &[0]);
            assert_eq!((remote(&fake, "INBOX").len(), local(&ferry, "INBOX").len()), (0, 0));
            assert_eq!(
                (remote(&fake, "Old"), local(&ferry, "Old")),
                (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()])
            );
        }
        assert!(!fake.heard().contains("APPEND"));
    }
}

#[test]
fn hazard_17_a_folder_renamed_here_with_another_in_its_place() {
    let rig = with_folder("mv-made");
    fs::rename(rig.local().dir("A"), rig.local().dir("Archive")).expect("rename");
    rig.local().create("A");
    settles(&rig, "Archive: a b c");
}

#[test]
fn hazard_17_a_folder_renamed_differently_on_both_sides() {
    let rig = with_folder("renamed-both");
    rig.mailbox().rename("A", "There");
    fs::rename(rig.local().dir("A"), rig.local().dir("Here")).expect("rename");
    settles(&rig, "There: a b c");
}

#[test]
fn hazard_17_a_folder_renamed_alike_on_both_sides() {
    let rig = with_folder("renamed-alike");
    rig.mailbox().rename("A", "There");
    fs::rename(rig.local().dir("A"), rig.local().dir("There")).expect("rename");
    settles(&rig, "There: a b c");
}

#[test]
fn hazard_17_renamed_on_both_sides_with_others_in_their_place() {
    for (here, there) in [(true, false), (false, true), (true, true)] {
        let rig = with_folder("renamed-all");
        rig.mailbox().rename("A", "There");
        fs::rename(rig.local().dir("A"), rig.local().dir("Here")).expect("rename");
        if here {
            rig.local().create("A");
        }
        if there {
            rig.mailbox().create("A");
        }
        rig.proxy.restart(crate::support::proxy::Manner::default());
        for _ in 0..3 {
            assert_done(&rig.ferry.json(&["sync"]), &[0, 65]);
        }
        assert_eq!(told(&rig.remote()), "There: a b c", "A here {here}, there {there}");
        assert_eq!(told(&rig.local().snapshot()), "There: a b c", "A here {here}, there {there}");
    }
}

#[test]
fn a_folder_made_anew_and_empty_is_left_untouched_where_its_messages_stand_nowhere() {
    let rig = with_folder("emptied");
    let mut session = rig.mailbox();
    let kept = session.messages("A").into_iter().find(|m| subject(&m.bytes) == "b").expect("b");
    session.mv("A", kept.uid(), "INBOX");
    session.remove("A");
    session.create("A");
    rig.proxy.restart(crate::support::proxy::Manner::default());
    for _ in 0..2 {
        rig.ferry.json(&["sync"]).assert_code(65);
        assert_eq!(told(&rig.remote()), "INBOX: b");
        assert_eq!(told(&rig.local().snapshot()), "A: a c, INBOX: b");
    }
    rig.ferry.json(&["sync", "--allow-mass-delete"]).assert_code(0);
    rig.assert_in_step();
    assert_eq!(told(&rig.remote()), "A: a c, INBOX: b", "nothing is deleted in a run that meets a new UIDVALIDITY");
}
