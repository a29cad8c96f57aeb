//! Folders on disk: found, made, renamed, removed.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

fn names(found: &Discovery) -> Vec<String> {
    found.folders.iter().map(|f| f.name.to_string()).collect()
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn folders_are_made_private_and_found_again() {
    for kind in [LayoutKind::Nested, LayoutKind::MaildirPlusPlus] {
        let w = world_with(kind, LineEndings::Lf);
        let rust = w.create("Lists/rust 1.9/a.b");
        w.create("Entwürfe");
        for path in [rust.path.clone(), rust.path.join("cur"), rust.path.join("new"), rust.path.join("tmp")] {
            assert_eq!(mode(&path), 0o700, "{path:?}");
        }
        let found = w.layout.discover().unwrap();
        assert_eq!(names(&found), ["Entwürfe", "INBOX", "Lists/rust 1.9/a.b"]);
        assert!(found.foreign.is_empty() && found.folders.iter().all(|f| f.complete));
        let name = folder("Lists/rust 1.9/a.b");
        assert_eq!(found.get(&name).unwrap().dir, w.layout.dir(&name).unwrap());
        assert!(found.get(&folder("Lists")).is_none());
        // Making it again changes nothing, and repairs what is missing.
        std::fs::remove_dir(rust.path.join("tmp")).unwrap();
        assert!(!w.layout.discover().unwrap().get(&name).unwrap().complete);
        assert_eq!(w.layout.create(&name).unwrap(), rust);
        assert_eq!(mode(&rust.path.join("tmp")), 0o700);
    }
}

#[test]
fn our_state_other_tools_and_links_are_no_folders() {
    let w = world();
    let root = w.layout.root().to_owned();
    for path in [".mailferry/cur", ".notmuch/cur", "plain/files", "a%2fb/cur", "half/new", "half/tmp"] {
        std::fs::create_dir_all(root.join(path)).unwrap();
    }
    symlink(&w.inbox.path, root.join("Linked")).unwrap();
    symlink("/", root.join("INBOX/loop")).unwrap();
    let found = w.layout.discover().unwrap();
    assert_eq!(names(&found), ["INBOX", "half"]);
    assert!(!found.get(&folder("half")).unwrap().complete);
    let mut foreign: Vec<_> = found.foreign.iter().map(|p| p.strip_prefix(&root).unwrap().to_str().unwrap()).collect();
    foreign.sort_unstable();
    assert_eq!(foreign, ["INBOX/loop", "Linked", "a%2fb"]);
}

#[test]
fn no_link_below_the_root_is_followed() {
    let w = world();
    let outside = w.temp.path().join("outside");
    std::fs::create_dir_all(outside.join("cur")).unwrap();
    std::fs::create_dir_all(outside.join("new")).unwrap();
    symlink(&outside, w.layout.root().join("Lists")).unwrap();
    assert!(matches!(w.layout.create(&folder("Lists")), Err(Error::Foreign { .. })));
    assert!(matches!(w.layout.create(&folder("Lists/rust")), Err(Error::Foreign { .. })));
    assert!(matches!(scan(&w.layout.dir(&folder("Lists")).unwrap()), Err(Error::Foreign { .. })));
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 2);
    // The root itself may be one.
    let link = w.temp.path().join("link");
    symlink(w.layout.root(), &link).unwrap();
    let linked = Layout::new(&Store { root: link, layout: LayoutKind::Nested, line_endings: LineEndings::Lf });
    assert_eq!(names(&linked.discover().unwrap()), ["INBOX"]);
    assert!(scan(&linked.dir(&FolderName::inbox()).unwrap()).is_ok());
}

#[test]
fn long_names_fail_that_folder_only() {
    let w = world();
    assert!(w.layout.dir(&folder(&"x".repeat(255))).is_ok());
    assert!(matches!(w.layout.dir(&folder(&"x".repeat(256))), Err(Error::NameTooLong { .. })));
    let deep = vec!["x".repeat(200); 25].join("/");
    assert!(matches!(w.layout.dir(&folder(&deep)), Err(Error::NameTooLong { .. })));
}

#[test]
fn only_an_empty_folder_goes() {
    let w = world();
    let a = w.create("A");
    let below = w.create("A/B");
    w.deliver(&a, "u1", "", b"a\r\n");
    std::fs::write(a.path.join("dovecot-keywords"), "0 x\n").unwrap();
    assert!(matches!(w.layout.remove(&a), Err(Error::NotEmpty { .. })));
    assert!(w.layout.discover().unwrap().get(&folder("A")).unwrap().complete);
    assert_eq!(files(&a), ["new/u1"]);
    Touched::new().remove(&a, &place("new/u1")).unwrap();
    w.layout.remove(&a).unwrap();
    assert_eq!(names(&w.layout.discover().unwrap()), ["A/B", "INBOX"]);
    w.layout.remove(&below).unwrap();
    assert!(!below.path.exists() && a.path.exists());
}

#[test]
fn a_renamed_folder_takes_its_messages_along() {
    let w = world();
    let a = w.create("A");
    w.create("C");
    w.deliver(&a, "u1", "", b"a\r\n");
    assert!(matches!(w.layout.rename(&folder("A"), &folder("C")), Err(Error::Exists { .. })));
    let b = w.layout.rename(&folder("A"), &folder("X/Y/B")).unwrap();
    assert_eq!(files(&b), ["new/u1"]);
    assert!(!a.path.exists());
    assert!(matches!(w.layout.rename(&folder("A"), &folder("D")), Err(Error::Missing { .. })));
}

#[test]
fn a_folder_that_lost_its_messages_is_not_made_again() {
    let w = world();
    std::fs::remove_dir(w.inbox.path.join("cur")).unwrap();
    let again = w.layout.create(&FolderName::inbox());
    assert!(matches!(again, Err(Error::Missing { path }) if path.ends_with("INBOX/cur")));
    assert!(!w.inbox.path.join("cur").exists());
    w.layout.repair(&FolderName::inbox()).unwrap();
    assert!(scan(&w.inbox).unwrap().entries.is_empty());
}
