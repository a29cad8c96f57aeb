//! What must be known again although numbers, dates or bytes are not what they were.

use super::*;
use std::sync::atomic::AtomicUsize;

/// The server numbers a folder anew.
fn renumber(fake: &FakeImap, name: &str) {
    fake.change(|store| {
        let folder = store.folders.get_mut(name).expect("the folder");
        folder.uid_validity += 9;
        folder.messages.iter_mut().for_each(|m| m.uid += 100);
        folder.uid_next += 100;
    });
}

#[test]
fn hazard_04_a_declined_deletion_stays_declined_when_the_folder_is_numbered_anew() {
    for on_delete in ["ignore", "flag"] {
        let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS MOVE", &["a", "b", "c"]));
        let mut ferry = ferry(&fake);
        ferry.set("on_delete", &format!("\"{on_delete}\""));
        ferry.sync();
        delete(&ferry, "INBOX", "a");
        ferry.sync();
        renumber(&fake, "INBOX");
        for _ in 0..3 {
            assert_done(&ferry.json(&["sync"]), &[0]);
            assert_eq!(local(&ferry, "INBOX"), ["b", "c"], "{on_delete}");
        }
        assert_eq!(remote(&fake, "INBOX"), ["a", "b", "c"]);
    }
}

#[test]
fn hazard_04_an_archive_keeps_what_is_gone_when_the_folder_is_numbered_anew() {
    let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS MOVE", &["a", "b", "c"]));
    let mut ferry = ferry(&fake);
    ferry.set("on_remote_delete", "\"keep\"");
    ferry.sync();
    fake.change(|s| s.folders.get_mut("INBOX").expect("INBOX").messages.retain(|m| subject(&m.bytes) != "a"));
    ferry.sync();
    renumber(&fake, "INBOX");
    for _ in 0..2 {
        assert_done(&ferry.json(&["sync"]), &[0]);
        assert_eq!((local(&ferry, "INBOX").len(), remote(&fake, "INBOX").len()), (3, 2));
    }
}

#[test]
fn hazard_04_a_message_too_large_stays_so_when_the_folder_is_numbered_anew() {
    let mut store = holding("IMAP4rev1 UIDPLUS MOVE", &["a"]);
    let large = [mail("large"), vec![b'x'; 4000]].concat();
    store.folders.entry("INBOX".into()).or_default().add(&large, &[], DATE);
    let fake = FakeImap::start(store);
    let mut ferry = ferry(&fake);
    ferry.set("max_size", "\"2K\"");
    ferry.sync();
    renumber(&fake, "INBOX");
    for _ in 0..2 {
        assert_done(&ferry.json(&["sync"]), &[0]);
        assert_eq!(local(&ferry, "INBOX"), ["a"]);
    }
    ferry.set("max_size", "\"1M\"");
    ferry.sync();
    assert_eq!(local(&ferry, "INBOX"), ["a", "large"]);
}

/// Before the first STORE is answered, another client moves the message, or removes it.
fn overtaken(capabilities: &str, to: Option<&'static str>) -> (FakeImap, Ferry) {
    let count = AtomicUsize::new(0);
    let hook: Hook = Box::new(move |command, store| {
        if command.line.contains("STORE") && count.fetch_add(1, Ordering::SeqCst) == 0 {
            let inbox = store.folders.get_mut("INBOX").expect("INBOX");
            let at = inbox.messages.iter().position(|m| subject(&m.bytes) == "a").expect("a");
            let moved = inbox.messages.remove(at);
            if let Some(target) = to.and_then(|to| store.folders.get_mut(to)) {
                let uid = target.uid_next;
                target.messages.push(crate::support::fake_imap::Message { uid, ..moved });
                target.uid_next += 1;
            }
        }
        None
    });
    let mut store = holding(capabilities, &["a", "b"]);
    store.folders.insert("Work".into(), Folder::default());
    let fake = FakeImap::with_hook(store, hook);
    let ferry = ferry(&fake);
    ferry.sync();
    for message in ferry.local().messages("INBOX") {
        ferry.local().set_flags("INBOX", Path::new(&message.place), &flags("FS"));
    }
    (fake, ferry)
}

#[test]
fn a_flag_set_here_follows_a_message_that_is_moved_before_it_is_stored() {
    for capabilities in ["IMAP4rev1 UIDPLUS MOVE", "IMAP4rev1"] {
        let (fake, ferry) = overtaken(capabilities, Some("Work"));
        for _ in 0..3 {
            assert_done(&ferry.json(&["sync"]), &[0]);
        }
        assert_eq!((remote(&fake, "INBOX"), remote(&fake, "Work")), (vec!["b".to_owned()], vec!["a".to_owned()]));
        assert_eq!((local(&ferry, "INBOX"), local(&ferry, "Work")), (vec!["b".to_owned()], vec!["a".to_owned()]));
        for folder in ["INBOX", "Work"] {
            assert!(fake.store().folders[folder].messages.iter().all(|m| m.flags.contains("\\Flagged")), "{folder}");
            assert!(ferry.local().messages(folder).iter().all(|m| m.flags == flags("FS")), "{folder}");
        }
    }
}

#[test]
fn a_deletion_elsewhere_beats_a_flag_that_is_just_being_stored() {
    let (fake, ferry) = overtaken("IMAP4rev1 UIDPLUS MOVE", None);
    for _ in 0..3 {
        assert_done(&ferry.json(&["sync"]), &[0]);
    }
    assert_eq!((remote(&fake, "INBOX"), local(&ferry, "INBOX")), (vec!["b".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn a_server_that_keeps_no_dates_costs_nothing() {
    let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS MOVE", &["a", "b"]));
    let mut ferry = ferry(&fake);
    ferry.set("on_delete", "\"expunge\"");
    ferry.sync();
    for name in ["c", "d"] {
        ferry.local().deliver("INBOX", &mail(name), &flags("S"), DATE);
    }
    ferry.sync();
    fake.change(|s| {
        s.folders.get_mut("INBOX").expect("INBOX").messages.iter_mut().for_each(|m| m.date = m.date.max(DATE))
    });
    let today = |m: &mut crate::support::fake_imap::Message| m.date = DATE + 86_400 * i64::from(m.uid > 2);
    fake.change(|s| s.folders.get_mut("INBOX").expect("INBOX").messages.iter_mut().for_each(today));
    delete(&ferry, "INBOX", "c");
    assert_done(&ferry.json(&["sync"]), &[0]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "b", "d"]);
    delete(&ferry, "INBOX", "d");
    assert_done(&ferry.json(&["sync"]), &[0]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "b"]);
}

#[test]
fn stray_carriage_returns_that_a_server_eats_double_nothing() {
    let rig = Rig::usual("stray");
    let texts = ["one\r\r\ntwo\n", "one\rtwo\n", "one\ntwo\r"];
    for (i, text) in texts.iter().enumerate() {
        let bytes = format!("Subject: s{i}\nMessage-ID: <s{i}@x>\n\n{text}");
        rig.local().deliver("INBOX", bytes.as_bytes(), &flags("S"), DATE);
    }
    rig.sync();
    let count = |rig: &Rig| (rig.local().messages("INBOX").len(), rig.remote()["INBOX"].len());
    assert_eq!(count(&rig), (3, 3));
    let eaten = rig.remote()["INBOX"].iter().filter(|m| !m.bytes.windows(3).any(|w| w == b"\r\r\n")).count();
    assert!(eaten > 0, "this server eats nothing");
    for _ in 0..2 {
        let state = rig.local().dir("INBOX").parent().expect("a root").join(".mailferry");
        fs::remove_dir_all(state).expect("the state");
        let (outcome, _) = rig.sync();
        assert_eq!(outcome.figure("downloaded") + outcome.figure("uploaded"), 0, "{}", outcome.stdout);
        assert_eq!(count(&rig), (3, 3));
    }
}

/// A message that nothing but its bytes tell from others.
fn nameless(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\n\n{name}\n").into_bytes()
}

#[test]
fn hazard_14_what_was_sent_without_a_message_id_is_bound_later() {
    let fake = FakeImap::start(holding("IMAP4rev1", &["a"]));
    let ferry = ferry(&fake);
    ferry.sync();
    for name in ["n", "m", "m"] {
        ferry.local().deliver("INBOX", &nameless(name), &flags("S"), DATE);
    }
    for _ in 0..4 {
        assert_done(&ferry.json(&["sync"]), &[0]);
        assert_eq!(remote(&fake, "INBOX"), ["a", "m", "m", "n"]);
        assert_eq!(local(&ferry, "INBOX"), ["a", "m", "m", "n"]);
    }
    delete(&ferry, "INBOX", "n");
    assert_done(&ferry.json(&["sync"]), &[0]);
    assert_eq!(remote(&fake, "INBOX").len(), 3, "it was bound");
}

#[test]
fn hazard_14_what_a_server_rewrote_on_its_way_is_bound_later() {
    let hook: Hook = Box::new(|command, store| {
        let (literal, true) = (command.literals.last()?, command.line.contains(" APPEND ")) else { return None };
        let bytes = [b"X-Received: by us\r\n".to_vec(), literal.clone()].concat();
        let date = crate::support::clock::parse_internal_date(command.line.split('"').nth(1)?).unwrap_or(0);
        store.folders.get_mut("INBOX")?.add(&bytes, &["\\Seen"], date);
        Some(b"{tag} OK stored\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let ferry = ferry(&fake);
    ferry.sync();
    ferry.local().deliver("INBOX", &mail("named"), &flags("S"), DATE + 120);
    for _ in 0..4 {
        assert_done(&ferry.json(&["sync"]), &[0]);
        assert_eq!(remote(&fake, "INBOX"), ["a", "named"]);
        assert_eq!(local(&ferry, "INBOX"), ["a", "named"]);
    }
}
