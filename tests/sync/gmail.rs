//! Gmail as people use it: folders are labels, one message stands in several, All Mail holds everything, Trash takes it from all.

use crate::support::fake_imap::{FakeImap, Folder, Hook, Store};
use crate::support::ferry::Ferry;
use crate::support::message::flags;
use std::collections::BTreeSet;
use std::path::Path;

const DATE: i64 = 1_600_000_000;
const ALL: &str = "[Gmail]/All Mail";
const TRASH: &str = "[Gmail]/Bin";

/// A message of about 40 KB whose subject is its name.
fn mail(name: &str) -> Vec<u8> {
    let body = format!("this is what {name} says\n").repeat(1500);
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\n{body}").into_bytes()
}

/// Messages and their labels.
fn holding(messages: &[(&str, &[&str])]) -> Store {
    let mut store = Store {
        capabilities: "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE MOVE CONDSTORE ESEARCH LITERAL- SPECIAL-USE"
            .replace(" CONDSTORE", ""),
        ..Store::default()
    };
    let folder = |attributes: &str| Folder { attributes: attributes.into(), ..Folder::default() };
    for (name, attributes) in [
        ("[Gmail]", "\\HasChildren \\Noselect"),
        (ALL, "\\All"),
        ("[Gmail]/Starred", "\\Flagged"),
        ("[Gmail]/Important", "\\Important"),
        ("[Gmail]/Spam", "\\Junk"),
        (TRASH, "\\Trash"),
        ("Work", ""),
        ("Lists", ""),
    ] {
        store.folders.insert(name.into(), folder(attributes));
    }
    for (name, labels) in messages {
        for label in *labels {
            store.folders.get_mut(*label).expect("a label").add(&mail(name), &["\\Seen"], DATE);
        }
    }
    rules(&mut store);
    store
}

/// What Gmail sees to between two commands: the Trash takes a message from every label, All Mail holds all others.
fn rules(store: &mut Store) {
    let ids = |folder: &Folder| folder.messages.iter().map(|m| m.gmail_id()).collect::<BTreeSet<u64>>();
    let binned = ids(&store.folders[TRASH]);
    let mut everywhere = Vec::new();
    for (name, folder) in &mut store.folders {
        if name != TRASH {
            folder.messages.retain(|m| !binned.contains(&m.gmail_id()));
            everywhere.extend(folder.messages.iter().filter(|_| name != ALL).cloned());
        }
    }
    let all = store.folders.get_mut(ALL).expect("All Mail");
    let mut held = ids(all);
    for message in everywhere {
        if held.insert(message.gmail_id()) {
            all.add(&message.bytes, &["\\Seen"], message.date);
        }
    }
}

fn start(messages: &[(&str, &[&str])]) -> (FakeImap, Ferry) {
    let hook: Hook = Box::new(|_, store| {
        rules(store);
        None
    });
    let fake = FakeImap::with_hook(holding(messages), hook);
    let mut ferry = Ferry::imap(fake.port(), "someone@gmail.com");
    for (key, value) in [("provider", "\"gmail\""), ("auth", "\"login\""), ("max_delete", "\"100%\"")] {
        ferry.set(key, value);
    }
    (fake, ferry)
}

/// The subjects of a label on the server.
fn label(fake: &FakeImap, name: &str) -> Vec<String> {
    fake.change(rules);
    let store = fake.store();
    let mut all: Vec<String> = store.folders[name].messages.iter().map(|m| subject(&m.bytes)).collect();
    all.sort();
    all
}

fn subject(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|l| l.strip_prefix("Subject: ")).unwrap_or_default().to_owned()
}

fn here(ferry: &Ferry, folder: &str) -> Vec<String> {
    let mut all: Vec<String> = ferry.local().messages(folder).iter().map(|m| subject(&m.bytes)).collect();
    all.sort();
    all
}

fn file(ferry: &Ferry, folder: &str, name: &str) -> std::path::PathBuf {
    let all = ferry.local().messages(folder);
    all.into_iter().find(|m| subject(&m.bytes) == name).expect("the message").place.into()
}

const MAIL: &[(&str, &[&str])] = &[
    ("one", &["INBOX", "Work", "Lists", "[Gmail]/Starred", "[Gmail]/Important"]),
    ("two", &["INBOX", "Work"]),
    ("three", &["Lists"]),
];

#[test]
fn a_message_of_many_labels_crosses_the_wire_once() {
    let (fake, ferry) = start(MAIL);
    let outcome = ferry.sync();
    assert_eq!(outcome.figure("downloaded"), 6, "{}", outcome.stdout);
    let (bytes, one) = (outcome.figure("bytes_in"), mail("one").len() as u64);
    // Six listings, and the headers of the three that are copied.
    assert!(bytes < 3 * one + 16_000, "{bytes} bytes for three messages of {one}");
    assert_eq!(
        (here(&ferry, "INBOX"), here(&ferry, "Lists")),
        (vec!["one".to_owned(), "two".into()], vec!["one".to_owned(), "three".into()])
    );
    // What only shows messages again is left out, but for the Trash and the Spam.
    let folders = ferry.local().folders();
    assert_eq!(folders, ["INBOX", "Lists", "Work", "[Gmail]/Bin", "[Gmail]/Spam"]);
    let again = ferry.sync();
    assert_eq!((again.figure("downloaded"), again.figure("uploaded")), (0, 0), "{}", again.stdout);
    drop(fake);
}

#[test]
fn a_deletion_takes_the_label_and_the_last_one_goes_to_the_trash() {
    let (fake, ferry) = start(MAIL);
    ferry.sync();
    ferry.local().delete(&file(&ferry, "Work", "one"));
    ferry.sync();
    assert_eq!(
        (label(&fake, "Work"), label(&fake, "INBOX")),
        (vec!["two".to_owned()], vec!["one".to_owned(), "two".into()])
    );
    assert_eq!((label(&fake, ALL).len(), label(&fake, TRASH).len()), (3, 0));
    // Both labels that are left, at once: nothing holds it any more.
    ferry.local().delete(&file(&ferry, "INBOX", "one"));
    ferry.local().delete(&file(&ferry, "Lists", "one"));
    ferry.sync();
    assert_eq!(
        (label(&fake, TRASH), label(&fake, ALL)),
        (vec!["one".to_owned()], vec!["three".to_owned(), "two".into()])
    );
    ferry.sync();
    assert_eq!(here(&ferry, TRASH), ["one"]);
    let again = ferry.sync();
    assert_eq!((again.figure("downloaded"), again.figure("deleted_local"), again.figure("deleted_remote")), (0, 0, 0));
}

#[test]
fn a_move_changes_one_label_and_keeps_the_others() {
    let (fake, ferry) = start(MAIL);
    ferry.sync();
    let path = file(&ferry, "INBOX", "two");
    ferry.local().mv("INBOX", &path, "Lists");
    let outcome = ferry.sync();
    assert_eq!((outcome.figure("moved_remote"), outcome.figure("uploaded")), (1, 0), "{}", outcome.stdout);
    assert_eq!(label(&fake, "INBOX"), ["one"]);
    assert_eq!(
        (label(&fake, "Lists"), label(&fake, "Work")),
        (vec!["one".to_owned(), "three".into(), "two".into()], vec!["one".to_owned(), "two".into()])
    );
    assert_eq!((label(&fake, ALL).len(), label(&fake, TRASH).len()), (3, 0));
    // Archived in the web: the label INBOX is taken off, the message stays under the others, here as there.
    fake.change(|store| store.folders.get_mut("INBOX").expect("INBOX").messages.retain(|m| subject(&m.bytes) != "one"));
    ferry.sync();
    assert!(here(&ferry, "INBOX").is_empty() && here(&ferry, "Work").contains(&"one".to_owned()));
    assert_eq!(ferry.sync().figure("downloaded"), 0);
}

#[test]
fn a_label_added_here_by_a_copy_is_no_second_message() {
    let (fake, ferry) = start(MAIL);
    ferry.sync();
    let bytes = std::fs::read(file(&ferry, "Lists", "three")).expect("bytes");
    ferry.local().deliver("Work", &bytes, &flags("S"), DATE);
    ferry.sync();
    assert_eq!(label(&fake, "Work"), ["one", "three", "two"]);
    assert_eq!(label(&fake, ALL).len(), 3);
    let again = ferry.sync();
    assert_eq!((again.figure("downloaded"), again.figure("uploaded")), (0, 0), "{}", again.stdout);
}

#[test]
fn all_mail_is_archived_by_its_name() {
    let (fake, mut ferry) = start(MAIL);
    ferry.set("folders", &format!("[{ALL:?}]"));
    ferry.set("mode", "\"archive\"");
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    assert_eq!(here(&ferry, ALL), ["one", "three", "two"]);
    // Deleted for ever on the server, and a file deleted here: the archive keeps, the server is not touched.
    fake.change(|store| store.folders.values_mut().for_each(|f| f.messages.retain(|m| subject(&m.bytes) != "one")));
    ferry.local().delete(Path::new(&file(&ferry, ALL, "two")));
    let outcome = ferry.sync();
    assert_eq!((outcome.figure("deleted_local"), outcome.figure("deleted_remote")), (0, 0), "{}", outcome.stdout);
    assert!(here(&ferry, ALL).contains(&"one".to_owned()) && label(&fake, ALL).contains(&"two".to_owned()));
}
