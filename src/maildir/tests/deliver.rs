//! Deliveries: what is on disk afterwards, and what never is.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::mail::ContentHasher;

#[test]
fn an_unseen_message_is_new_and_has_the_servers_date() {
    let w = world();
    let d = w.deliver(&w.inbox, "u1", "", b"Subject: a\r\nMessage-ID: <1>\r\n\r\nhi\r\n");
    assert_eq!((d.key, d.place.to_bytes()), (7, b"new/u1".to_vec()));
    let path = w.inbox.path_of(&d.place);
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"Subject: a\nMessage-ID: <1>\n\nhi\n");
    assert_eq!((meta.mtime(), meta.ino(), meta.size()), (1_000_000_000, d.inode, d.disk_size));
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    assert_eq!(d.content.message_id_text.as_deref(), Some("<1>"));
    assert_eq!(read::content(&w.inbox, &d.place).unwrap(), d.content);
    assert_eq!(files(&w.inbox), ["new/u1"]);
}

#[test]
fn flags_lead_to_cur_and_crlf_is_kept_if_asked_for() {
    let w = world_with(LayoutKind::Nested, LineEndings::Crlf);
    let d = w.deliver(&w.inbox, "u1", "SFb", b"A: b\r\n\r\n\n");
    assert_eq!(d.place.to_bytes(), b"cur/u1:2,FSb");
    assert_eq!(std::fs::read(w.inbox.path_of(&d.place)).unwrap(), b"A: b\r\n\r\n\n");
}

#[test]
fn a_second_delivery_of_the_same_message_finds_the_first() {
    let w = world();
    let first = w.deliver(&w.inbox, "u1", "S", b"A: b\r\n\r\nx\r\n");
    let second = w.deliver(&w.inbox, "u1", "S", b"A: b\r\n\r\nx\r\n");
    assert_eq!(first, second);
    let other = w.deliver(&w.inbox, "u1", "S", b"A: b\r\n\r\ny\r\n");
    assert_eq!(other.place.to_bytes(), b"cur/u1_1:2,S");
    let again = w.deliver(&w.inbox, "u1", "S", b"A: b\r\n\r\ny\r\n");
    assert_eq!(again.place, other.place);
    assert_eq!(files(&w.inbox), ["cur/u1:2,S", "cur/u1_1:2,S"]);
}

#[test]
fn what_is_dropped_leaves_nothing() {
    let w = world();
    let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
    let mut half = batch.begin(&w.inbox).unwrap();
    half.write_all(&vec![b'x'; 600_000]).unwrap();
    assert_eq!(files(&w.inbox).len(), 1);
    drop(half);
    let mut whole = batch.begin(&w.inbox).unwrap();
    whole.write_all(b"x\r\n").unwrap();
    whole.finish(&mut batch, &Delivery { key: 1, unique: b"u", letters: &Letters::default(), date: None }).unwrap();
    assert_eq!((batch.len(), files(&w.inbox).len()), (1, 1));
    drop(batch);
    assert!(files(&w.inbox).is_empty());
}

#[test]
fn a_large_message_is_the_same_in_any_pieces() {
    let w = world();
    let wire: Vec<u8> = (0..40_000).flat_map(|i| format!("line {i}\r\n").into_bytes()).collect();
    let mut hasher = ContentHasher::new();
    hasher.update(&wire);
    let content = hasher.finish();
    for (name, step) in [("a", 1 << 20), ("b", 4097), ("c", 333)] {
        let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
        let mut incoming = batch.begin(&w.inbox).unwrap();
        for piece in wire.chunks(step) {
            incoming.write_all(piece).unwrap();
        }
        assert_eq!(incoming.content(), content);
        let letters = Letters::default();
        incoming
            .finish(&mut batch, &Delivery { key: 1, unique: name.as_bytes(), letters: &letters, date: None })
            .unwrap();
        let d = batch.commit().unwrap().remove(0);
        assert_eq!((&d.content, d.content.size), (&content, wire.len() as u64));
        let disk = std::fs::read(w.inbox.path_of(&d.place)).unwrap();
        assert_eq!(disk, String::from_utf8(wire.clone()).unwrap().replace("\r\n", "\n").into_bytes());
    }
}

/// More files than the limit of `syncfs`, in more folders than stay open, both ways of syncing.
#[test]
fn many_messages_in_many_folders() {
    for syncfs in [false, true] {
        let mut w = world();
        w.fs.syncfs = syncfs;
        let dirs: Vec<FolderDir> = (0..40).map(|i| w.create(&format!("f/{i}"))).collect();
        let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
        for key in 0..120u64 {
            let mut incoming = batch.begin(&dirs[key as usize % 40]).unwrap();
            write!(incoming, "A: {key}\r\n\r\n").unwrap();
            let letters = if key % 2 == 0 { Letters::default() } else { Letters::of(System::SEEN) };
            let unique = format!("u{key}");
            incoming
                .finish(&mut batch, &Delivery { key, unique: unique.as_bytes(), letters: &letters, date: None })
                .unwrap();
        }
        let delivered = batch.commit().unwrap();
        assert!(batch.is_empty());
        assert_eq!(delivered.len(), 120);
        for d in delivered {
            let text = std::fs::read_to_string(dirs[d.key as usize % 40].path_of(&d.place)).unwrap();
            assert_eq!(text, format!("A: {}\n\n", d.key));
        }
        assert_eq!(files(&dirs[3]).len(), 3);
    }
}

#[test]
fn unusable_names_are_errors_of_that_message() {
    let w = world();
    let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
    for bad in [&b"a/b"[..], b"", b".x", b"a:2,S", &[b'x'; 256]] {
        let incoming = batch.begin(&w.inbox).unwrap();
        let delivery = Delivery { key: 1, unique: bad, letters: &Letters::default(), date: None };
        assert!(matches!(incoming.finish(&mut batch, &delivery), Err(Error::FileName { .. })), "{bad:?}");
    }
    assert!(batch.is_empty() && files(&w.inbox).is_empty());
}

#[test]
fn what_dead_runs_left_is_removed_and_nothing_else() {
    let w = world();
    let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
    let mut ours = batch.begin(&w.inbox).unwrap();
    ours.write_all(&vec![b'x'; 300_000]).unwrap();
    std::fs::write(w.inbox.path.join("tmp/mailferry.0123456789abcdef.4"), "x").unwrap();
    std::fs::write(w.inbox.path.join("tmp/1.2.host"), "x").unwrap();
    assert_eq!(super::super::deliver::clean_tmp(&w.inbox).unwrap(), 1);
    assert_eq!(files(&w.inbox).len(), 2);
    drop(ours);
    assert_eq!(files(&w.inbox), ["tmp/1.2.host"]);
}

#[test]
fn a_local_copy_is_a_file_of_its_own() {
    let w = world();
    let other = w.create("Other");
    let source = w.deliver(&w.inbox, "u1", "S", b"A: b\r\n\r\nx\r\n");
    let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
    let copy = batch.copy(&w.inbox, &source.place, &other).unwrap();
    assert_eq!(copy.content(), source.content);
    copy.finish(&mut batch, &Delivery { key: 1, unique: b"u2", letters: &Letters::default(), date: None }).unwrap();
    let copied = batch.commit().unwrap().remove(0);
    assert_ne!(copied.inode, source.inode);
    assert_eq!(copied.content, source.content);
    assert_eq!(std::fs::read(other.path.join("new/u2")).unwrap(), b"A: b\n\nx\n");
}

#[test]
fn a_missing_folder_is_told_before_anything_is_written() {
    let w = world();
    let mut batch = Batch::new(&w.layout, &w.fs).unwrap();
    let nowhere = w.layout.dir(&folder("Nowhere")).unwrap();
    assert!(matches!(batch.begin(&nowhere), Err(Error::Missing { .. })));
}

#[test]
fn another_program_reads_what_we_deliver() {
    let w = world();
    w.deliver(&w.inbox, "u1", "", b"Subject: one\r\n\r\n");
    w.deliver(&w.inbox, "u2", "FS", b"Subject: two\r\n\r\n");
    let reader = maildir::Maildir::from(w.inbox.path.clone());
    let new: Vec<String> = reader.list_new().map(|m| m.unwrap().id().to_owned()).collect();
    let cur: Vec<(String, String)> =
        reader.list_cur().map(|m| m.unwrap()).map(|m| (m.id().to_owned(), m.flags().to_owned())).collect();
    assert_eq!((new, cur), (vec!["u1".to_owned()], vec![("u2".to_owned(), "FS".to_owned())]));
}
