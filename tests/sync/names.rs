//! Servers that name messages (EMAILID): one that stands in several folders crosses the wire once, and a name that lies changes nothing.

use crate::support::fake_imap::{FakeImap, Folder, Store};
use crate::support::ferry::Ferry;
use std::path::Path;

const DATE: i64 = 1_600_000_000;

/// A message and what the server calls it. All bodies are of one length.
fn mail(subject: &str, id: &str) -> Vec<u8> {
    let body = format!("this is what {subject} says\n").repeat(100);
    format!("From: a@example.org\nSubject: {subject}\nX-Email-Id: {id}\nMessage-ID: <{subject}@example.org>\n\n{body}")
        .into_bytes()
}

fn server(folders: &[(&str, &[(&str, &str)])]) -> FakeImap {
    let mut store = Store { capabilities: "IMAP4rev1 UIDPLUS MOVE OBJECTID".into(), ..Store::default() };
    store.folders.insert("Trash".into(), Folder { attributes: "\\Trash".into(), ..Folder::default() });
    for (name, messages) in folders {
        let folder = store.folders.entry((*name).to_owned()).or_default();
        for (subject, id) in *messages {
            folder.add(&mail(subject, id), &["\\Seen"], DATE);
        }
    }
    FakeImap::start(store)
}

fn ferry(fake: &FakeImap) -> Ferry {
    let mut ferry = Ferry::imap(fake.port(), "someone");
    ferry.set("max_delete", "\"100%\"");
    ferry
}

fn subject(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|l| l.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

/// The subjects in a local folder, sorted; each message must say what its subject says.
#[track_caller]
fn here(ferry: &Ferry, folder: &str) -> Vec<String> {
    let mut all: Vec<String> = ferry.local().messages(folder).iter().map(|m| subject(&m.bytes)).collect();
    for message in ferry.local().messages(folder) {
        let text = String::from_utf8_lossy(&message.bytes).into_owned();
        assert!(text.contains(&format!("this is what {} says", subject(&message.bytes))), "{text}");
    }
    all.sort();
    all
}

fn there(fake: &FakeImap, folder: &str) -> Vec<String> {
    let mut all: Vec<String> = fake.store().folders[folder].messages.iter().map(|m| subject(&m.bytes)).collect();
    all.sort();
    all
}

/// The UIDs whose bodies were asked for.
fn bodies(fake: &FakeImap) -> usize {
    fake.heard().lines().filter(|l| l.contains("BODY.PEEK[]")).count()
}

fn delete(ferry: &Ferry, folder: &str, name: &str) {
    let found = ferry.local().messages(folder).into_iter().find(|m| subject(&m.bytes) == name).unwrap();
    ferry.local().delete(Path::new(&found.place));
}

#[test]
fn a_message_in_several_folders_crosses_the_wire_once() {
    let fake = server(&[("A", &[("one", "E1")]), ("B", &[("one", "E1")]), ("C", &[("one", "E1")])]);
    let ferry = ferry(&fake);
    let outcome = ferry.sync();
    assert_eq!((outcome.figure("downloaded"), bodies(&fake)), (3, 1), "{}", fake.heard());
    // One more copy of what is here already.
    fake.change(|s| s.folders.entry("D".into()).or_default().add(&mail("one", "E1"), &["\\Seen"], DATE));
    assert_eq!((ferry.sync().figure("downloaded"), bodies(&fake)), (1, 1));
    for folder in ["A", "B", "C", "D"] {
        assert_eq!(here(&ferry, folder), ["one"]);
    }
}

#[test]
fn one_name_for_several_messages_substitutes_none() {
    // In one run, and one that comes later; their sizes are the same.
    let fake = server(&[("A", &[("one", "E1"), ("two", "E1")]), ("B", &[("six", "E1"), ("one", "E1")])]);
    let ferry = ferry(&fake);
    assert_eq!(ferry.sync().figure("downloaded"), 4);
    fake.change(|s| s.folders.entry("C".into()).or_default().add(&mail("ten", "E1"), &["\\Seen"], DATE));
    assert_eq!(ferry.sync().figure("downloaded"), 1);
    assert_eq!(
        (here(&ferry, "A"), here(&ferry, "B")),
        (vec!["one".into(), "two".into()], vec!["one".into(), "six".into()])
    );
    assert_eq!(here(&ferry, "C"), ["ten"]);
    let idle = ferry.sync();
    assert_eq!((idle.figure("downloaded"), idle.figure("uploaded")), (0, 0));
}

#[test]
fn a_message_gone_and_another_of_its_name_are_no_move() {
    let fake = server(&[("A", &[("one", "E1"), ("two", "E2")]), ("B", &[])]);
    let ferry = ferry(&fake);
    ferry.sync();
    fake.change(|s| {
        s.folders.get_mut("A").unwrap().messages.retain(|m| subject(&m.bytes) != "one");
        s.folders.get_mut("B").unwrap().add(&mail("six", "E1"), &["\\Seen"], DATE);
    });
    let outcome = ferry.sync();
    assert_eq!((outcome.figure("downloaded"), outcome.figure("moved_local")), (1, 0));
    assert_eq!((here(&ferry, "A"), here(&ferry, "B")), (vec!["two".to_owned()], vec!["six".to_owned()]));
    // An honest move is one, without a body.
    let before = bodies(&fake);
    fake.change(|s| {
        s.folders.get_mut("A").unwrap().messages.clear();
        s.folders.get_mut("B").unwrap().add(&mail("two", "E2"), &["\\Seen"], DATE);
    });
    let outcome = ferry.sync();
    assert_eq!((outcome.figure("downloaded"), outcome.figure("moved_local")), (0, 1));
    assert_eq!((bodies(&fake), here(&ferry, "B")), (before, vec!["six".to_owned(), "two".to_owned()]));
}

#[test]
fn a_deletion_goes_to_trash_though_another_message_bears_its_name() {
    let fake = server(&[("A", &[("one", "E1"), ("two", "E2")]), ("B", &[("six", "E1"), ("two", "E2")])]);
    // There a folder is a label, and a deletion takes only that while another folder holds the message.
    fake.change(|s| s.capabilities = "IMAP4rev1 UIDPLUS MOVE X-GM-EXT-1".into());
    let ferry = ferry(&fake);
    ferry.sync();
    delete(&ferry, "A", "one");
    delete(&ferry, "A", "two");
    ferry.sync();
    // The first is nowhere else: it is kept in Trash. The second stands in B still.
    assert_eq!((there(&fake, "A"), there(&fake, "Trash")), (Vec::<String>::new(), vec!["one".to_owned()]));
    assert_eq!(there(&fake, "B"), ["six", "two"]);
}
