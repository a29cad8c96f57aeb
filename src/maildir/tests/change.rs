//! Renames, moves and removals, with a mail reader at work at the same time.

use super::*;

fn rename(w: &World, from: &str, to: &str) {
    std::fs::rename(w.inbox.path.join(from), w.inbox.path.join(to)).unwrap();
}

#[test]
fn letters_are_renames_into_cur_that_keep_what_is_unknown() {
    let w = world();
    w.deliver(&w.inbox, "u1", "", b"a\r\n");
    let mut touched = Touched::new();
    let seen = touched.set_letters(&w.inbox, &place("new/u1"), &Letters::of(System::SEEN)).unwrap();
    assert_eq!(seen.to_bytes(), b"cur/u1:2,S");
    rename(&w, "cur/u1:2,S", "cur/u1:2,SX,e");
    let none = touched.set_letters(&w.inbox, &place("cur/u1:2,SX,e"), &Letters::default()).unwrap();
    assert_eq!(none.to_bytes(), b"cur/u1:2,X,e");
    assert!(!touched.is_empty());
    touched.sync().unwrap();
    assert!(touched.is_empty());
    assert_eq!(files(&w.inbox), ["cur/u1:2,X,e"]);
}

#[test]
fn a_reader_that_renames_first_keeps_its_change() {
    let w = world();
    w.deliver(&w.inbox, "u1", "", b"a\r\n");
    rename(&w, "new/u1", "cur/u1:2,R");
    let now = Touched::new().set_letters(&w.inbox, &place("new/u1"), &Letters::of(System::SEEN)).unwrap();
    assert_eq!(now.to_bytes(), b"cur/u1:2,RS");
    let gone = Touched::new().set_letters(&w.inbox, &place("new/none"), &Letters::of(System::SEEN));
    assert!(matches!(gone, Err(Error::Gone { .. })));
}

#[test]
fn a_rename_never_replaces() {
    let w = world();
    w.deliver(&w.inbox, "u1", "S", b"a\r\n");
    w.deliver(&w.inbox, "u1", "FS", b"b\r\n");
    let flagged = Letters::of(System::SEEN.union(System::FLAGGED));
    let result = Touched::new().set_letters(&w.inbox, &place("cur/u1:2,S"), &flagged);
    assert!(matches!(result, Err(Error::Exists { .. })));
    assert_eq!(files(&w.inbox), ["cur/u1:2,FS", "cur/u1:2,S"]);
}

#[test]
fn moves_keep_file_and_time() {
    let w = world();
    let other = w.create("Other");
    let a = w.deliver(&w.inbox, "u1", "", b"a\r\n");
    let mut touched = Touched::new();
    let moved = touched.move_to((&w.inbox, &a.place), &other, &Letters::default()).unwrap();
    assert_eq!((moved.place.to_bytes(), moved.inode), (b"new/u1".to_vec(), a.inode));
    assert_eq!(read::open(&other, &moved.place).unwrap().mtime, Timestamp(1_000_000_000));
    let b = w.deliver(&w.inbox, "u2", "Sa", b"a\r\n");
    let moved = touched.move_to((&w.inbox, &b.place), &other, &Letters::parse(b"Sc")).unwrap();
    assert_eq!(moved.place.to_bytes(), b"cur/u2:2,Sc");
    touched.sync().unwrap();
    assert!(files(&w.inbox).is_empty());
    assert!(matches!(touched.move_to((&w.inbox, &b.place), &other, &Letters::default()), Err(Error::Gone { .. })));
}

#[test]
fn a_moved_message_gets_another_name_rather_than_replace_one() {
    let w = world();
    let other = w.create("Other");
    w.deliver(&other, "u1", "S", b"other\r\n");
    let a = w.deliver(&w.inbox, "u1", "S", b"mine\r\n");
    let moved = Touched::new().move_to((&w.inbox, &a.place), &other, &Letters::of(System::SEEN)).unwrap();
    assert_eq!(moved.place.to_bytes(), b"cur/u1_1:2,S");
    assert_eq!(files(&other), ["cur/u1:2,S", "cur/u1_1:2,S"]);
}

#[test]
fn a_move_takes_along_what_a_reader_changed() {
    let w = world();
    let other = w.create("Other");
    let a = w.deliver(&w.inbox, "u1", "Sa", b"a\r\n");
    rename(&w, "cur/u1:2,Sa", "cur/u1:2,RSa");
    let moved = Touched::new().move_to((&w.inbox, &a.place), &other, &Letters::parse(b"Sc")).unwrap();
    assert_eq!(moved.place.to_bytes(), b"cur/u1:2,RSc");
    let b = w.deliver(&w.inbox, "u2", "Sa", b"a\r\n");
    rename(&w, "cur/u2:2,Sa", "cur/u2:2,Sab");
    let result = Touched::new().move_to((&w.inbox, &b.place), &other, &Letters::parse(b"Sc"));
    assert!(matches!(result, Err(Error::Changed { .. })));
    assert_eq!(files(&w.inbox), ["cur/u2:2,Sab"]);
}

#[test]
fn a_removal_finds_the_message_under_other_flags() {
    let w = world();
    let a = w.deliver(&w.inbox, "u1", "", b"a\r\n");
    rename(&w, "new/u1", "cur/u1:2,S");
    let mut touched = Touched::new();
    assert!(touched.remove(&w.inbox, &a.place).unwrap());
    assert!(!touched.remove(&w.inbox, &a.place).unwrap());
    touched.sync().unwrap();
    assert!(files(&w.inbox).is_empty());
}

#[test]
fn another_file_system_gets_a_copy_before_the_original_goes() {
    let w = world();
    let other = w.create("Other");
    let a = w.deliver(&w.inbox, "u1", "S", b"a\r\n");
    let open = |dir: &FolderDir| std::sync::Arc::new(super::super::handle::Folder::open(dir).unwrap());
    let mut touched = Touched::new();
    let moved = touched.copy_over(&open(&w.inbox), &a.place, &open(&other), &a.place).unwrap().unwrap();
    assert_ne!(moved.inode, a.inode);
    assert_eq!(read::content(&other, &moved.place).unwrap(), a.content);
    assert_eq!(read::open(&other, &moved.place).unwrap().mtime, Timestamp(1_000_000_000));
    assert!(files(&w.inbox).is_empty());
    assert_eq!(touched.copy_over(&open(&w.inbox), &a.place, &open(&other), &a.place).unwrap(), None);
    let b = w.deliver(&w.inbox, "u1", "S", b"b\r\n");
    let result = touched.copy_over(&open(&w.inbox), &b.place, &open(&other), &b.place);
    assert!(matches!(result, Err(Error::Exists { .. })));
    assert_eq!((files(&w.inbox), files(&other)), (vec!["cur/u1:2,S".to_owned()], vec!["cur/u1:2,S".to_owned()]));
}

#[test]
fn a_twin_gets_a_name_of_its_own() {
    let w = world();
    w.deliver(&w.inbox, "u1", "", b"a\r\n");
    w.deliver(&w.inbox, "u1", "FS", b"b\r\n");
    let mut touched = Touched::new();
    let renamed = touched.set_unique(&w.inbox, &place("cur/u1:2,FS"), b"u2").unwrap();
    assert_eq!(renamed.to_bytes(), b"cur/u2:2,FS");
    let gone = touched.set_unique(&w.inbox, &place("cur/u1:2,FS"), b"u3");
    assert!(matches!(gone, Err(Error::Gone { .. })));
    let bad = touched.set_unique(&w.inbox, &place("new/u1"), b"a/b");
    assert!(matches!(bad, Err(Error::FileName { .. })));
    assert_eq!(files(&w.inbox), ["cur/u2:2,FS", "new/u1"]);
}
