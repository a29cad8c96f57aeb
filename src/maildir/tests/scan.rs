//! Looks at folders: what counts as a message, and what must never look like an empty folder.

use std::os::unix::fs::symlink;

use super::*;
use crate::mail::Keyword;

#[test]
fn messages_are_found_and_everything_else_is_not_one() {
    let w = world();
    w.deliver(&w.inbox, "u1", "", b"a\r\n");
    w.deliver(&w.inbox, "u2", "S", b"a\r\n");
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9:2,");
    std::fs::write(w.inbox.path.join("cur").join(odd), "x").unwrap();
    std::fs::write(w.inbox.path.join("cur/.hidden"), "x").unwrap();
    std::fs::create_dir(w.inbox.path.join("cur/dir")).unwrap();
    symlink("/etc/passwd", w.inbox.path.join("new/link")).unwrap();
    let s = scan(&w.inbox).unwrap();
    let mut places: Vec<Vec<u8>> = s.entries.iter().map(|e| e.place.to_bytes()).collect();
    places.sort();
    assert_eq!(places, [&b"cur/caf\xe9:2,"[..], b"cur/u2:2,S", b"new/u1"]);
    assert_eq!((s.foreign, s.twins.len(), s.steady), (2, 0, true));
    assert_eq!(s.stamp, stamp(&w.inbox).unwrap());
    let link = place("new/link");
    assert!(matches!(read::open(&w.inbox, &link), Err(Error::Unreadable { .. })));
}

#[test]
fn inodes_are_those_of_the_files() {
    let w = world();
    let d = w.deliver(&w.inbox, "u1", "", b"a\r\n");
    assert_eq!(scan(&w.inbox).unwrap().entries, [Entry { place: d.place, inode: d.inode }]);
}

#[test]
fn a_folder_that_cannot_be_read_is_never_empty() {
    let w = world();
    for sub in ["cur", "new"] {
        let dir = w.create(&format!("without {sub}"));
        std::fs::remove_dir(dir.path.join(sub)).unwrap();
        assert!(matches!(scan(&dir), Err(Error::Missing { .. })));
        assert!(matches!(stamp(&dir), Err(Error::Missing { .. })));
        symlink(w.inbox.path.join(sub), dir.path.join(sub)).unwrap();
        assert!(matches!(scan(&dir), Err(Error::Foreign { .. })));
    }
    assert!(matches!(scan(&w.layout.dir(&folder("None")).unwrap()), Err(Error::Missing { .. })));
}

#[test]
fn twins_are_told_but_one_file_under_two_names_is_one() {
    let w = world();
    w.deliver(&w.inbox, "u1", "", b"a\r\n");
    w.deliver(&w.inbox, "u1", "S", b"a\r\n");
    w.deliver(&w.inbox, "u2", "S", b"a\r\n");
    let s = scan(&w.inbox).unwrap();
    assert_eq!(s.twins.len(), 1);
    let twins: Vec<&[u8]> = s.twins[0].iter().map(|&i| s.entries[i].place.name.unique()).collect();
    assert_eq!(twins, [b"u1", b"u1"]);

    let x = world();
    x.deliver(&x.inbox, "u1", "", b"a\r\n");
    // What a scan sees that a mail reader's rename overtakes.
    std::fs::hard_link(x.inbox.path.join("new/u1"), x.inbox.path.join("cur/u1:2,S")).unwrap();
    let s = scan(&x.inbox).unwrap();
    assert_eq!(s.entries.len(), 1);
    assert_eq!(s.entries[0].place.to_bytes(), b"cur/u1:2,S");
    assert!(s.twins.is_empty());
}

#[test]
fn every_change_shows_in_the_stamp() {
    let w = world();
    let keywords = |w: &World| {
        let mut k = Keywords::load(&w.inbox).unwrap();
        k.assign(&Keyword::new("Work").unwrap());
        k.save(&w.inbox).unwrap();
    };
    let change: [&dyn Fn(&World); 3] = [
        &|w| drop(w.deliver(&w.inbox, "u1", "", b"a\r\n")),
        &|w| drop(Touched::new().set_letters(&w.inbox, &place("new/u1"), &Letters::of(System::SEEN)).unwrap()),
        &keywords,
    ];
    for change in change {
        // Times far in the past, so that no clock's grain can hide the change.
        for sub in ["cur", "new"] {
            let dir = std::fs::File::open(w.inbox.path.join(sub)).unwrap();
            dir.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let before = stamp(&w.inbox).unwrap();
        change(&w);
        assert_ne!(stamp(&w.inbox).unwrap(), before);
    }
}

mod keywords {
    use super::*;
    use crate::mail::Flags;

    fn keyword(text: &str) -> Keyword {
        Keyword::new(text).unwrap()
    }

    #[test]
    fn dovecots_file_is_read_and_kept() {
        let w = world();
        let text = b"0 Junk\n2 $Forwarded\n1 not an atom\nodd line\n30 TooFar\n0 Second\n";
        std::fs::write(w.inbox.path.join("dovecot-keywords"), text).unwrap();
        let mut k = Keywords::load(&w.inbox).unwrap();
        assert_eq!((k.name(b'a'), k.name(b'b')), (Some(&keyword("junk")), None));
        k.reserve(1 << 3);
        assert_eq!(k.assign(&keyword("Work")), Some(b'e'));
        assert_eq!(k.assign(&keyword("wORK")), Some(b'e'));
        k.save(&w.inbox).unwrap();
        let saved = std::fs::read(w.inbox.path.join("dovecot-keywords")).unwrap();
        assert_eq!(saved, b"0 Junk\n1 not an atom\n2 $Forwarded\n4 Work\nodd line\n30 TooFar\n0 Second\n");
        assert_eq!(k.stamp(), stamp(&w.inbox).unwrap().keywords);
        assert!(!k.is_dirty());
    }

    #[test]
    fn letters_and_flags() {
        let k = Keywords::parse(b"0 Junk\n2 $Forwarded\n");
        let letters = Letters::parse(b"Sacz");
        let flags = k.flags_of_letters(&letters);
        assert_eq!(flags.to_string(), "$Forwarded \\Seen Junk");
        assert_eq!(k.unnamed(&letters), 1 << 25);
        let (back, left) = k.letters_over(&letters, &flags);
        assert_eq!((back.to_bytes(), left.len()), (b"PSacz".to_vec(), 0));
        let other: Flags = ["Work"].into_iter().collect();
        let (none, left) = k.letters_of(&other);
        assert!(none.is_empty() && left.contains(&keyword("work")));
        assert_eq!(k.flags_of(&FileName::new(b"u").unwrap()), None);
    }

    #[test]
    fn the_27th_keyword_has_no_letter() {
        let mut k = Keywords::default();
        for i in 0..26 {
            assert!(k.can_hold(&keyword(&format!("k{i}"))) && k.assign(&keyword(&format!("k{i}"))).is_some());
        }
        assert!(!k.can_hold(&keyword("k26")) && k.assign(&keyword("k26")).is_none());
    }

    #[test]
    fn another_writer_is_noticed() {
        let w = world();
        let mut k = Keywords::load(&w.inbox).unwrap();
        k.assign(&keyword("Work"));
        std::fs::write(w.inbox.path.join("dovecot-keywords"), "0 Other\n").unwrap();
        assert!(matches!(k.save(&w.inbox), Err(Error::Changed { .. })));
        assert_eq!(std::fs::read(w.inbox.path.join("dovecot-keywords")).unwrap(), b"0 Other\n");
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read_and_written_back_the_same(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let once = Keywords::parse(&bytes).to_bytes();
            proptest::prop_assert_eq!(Keywords::parse(&once).to_bytes(), once);
        }
    }
}
