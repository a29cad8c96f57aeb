//! A Maildir that was tampered with: links, pipes and special files where messages, folders and the state should be.

use super::stand::{DATE, holding, local, mail, remote, survive, unguarded};
use crate::support::fake_imap::{FakeImap, Folder};
use crate::support::ferry::Ferry;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

fn synced() -> (FakeImap, Ferry) {
    let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS", &["a", "b"]));
    let ferry = unguarded(fake.port());
    ferry.sync();
    (fake, ferry)
}

#[test]
fn links_pipes_and_sockets_among_the_messages_are_not_uploaded() {
    let (fake, ferry) = synced();
    let private = ferry.home().join(".config/private");
    fs::write(&private, "Subject: private\n\nx\n").expect("file");
    for dir in ["cur", "new"] {
        let dir = ferry.local().dir("INBOX").join(dir);
        symlink(&private, dir.join("1.link.host:2,S")).expect("link");
        symlink("/etc/passwd", dir.join("2.passwd.host")).expect("link");
        symlink("nowhere", dir.join("3.dangling.host:2,")).expect("link");
        pipe(&dir.join("4.pipe.host:2,S"));
        UnixListener::bind(dir.join("5.socket:2,")).expect("socket");
        fs::create_dir(dir.join("6.folder.host:2,S")).expect("folder");
    }
    for _ in 0..2 {
        survive(&ferry, &["sync"], &[0, 69, 74]);
    }
    assert_eq!(remote(&fake, "INBOX"), ["a", "b"]);
    assert!(!fake.heard().contains("private") && !fake.heard().contains("root:"));
    assert!(private.exists() && ferry.local().dir("INBOX").join("cur/4.pipe.host:2,S").exists());
}

#[test]
fn folders_that_are_links_are_not_followed() {
    for part in ["", "/cur", "/new", "/tmp"] {
        let mut store = holding("IMAP4rev1 UIDPLUS", &["a"]);
        store.folders.insert("Work".into(), Folder::default());
        store.folders.get_mut("Work").map(|f| f.add(&mail("w"), &[], DATE));
        let fake = FakeImap::start(store);
        let ferry = unguarded(fake.port());
        ferry.sync();
        let trap = ferry.home().join(".config/trap");
        fs::create_dir_all(&trap).expect("trap");
        for dir in ["cur", "new", "tmp"] {
            fs::create_dir(trap.join(dir)).expect("trap");
        }
        let place = ferry.local().root.join(format!("Work{part}"));
        fs::remove_dir_all(&place).expect("folder");
        symlink(&trap, &place).expect("link");
        fake.change(|s| s.folders.get_mut("Work").map(|f| f.add(&mail("x"), &[], DATE)));
        survive(&ferry, &["sync"], &[0, 65, 69, 74, 78]);
        assert_eq!(remote(&fake, "Work"), ["w", "x"], "{part}");
        let inside: Vec<_> = ["", "cur", "new", "tmp"]
            .iter()
            .flat_map(|d| fs::read_dir(trap.join(d)).into_iter().flatten().flatten())
            .collect();
        assert_eq!(inside.len(), 3, "{part}: {inside:?}");
        assert_eq!(local(&ferry, "INBOX"), ["a"]);
    }
}

#[test]
fn a_state_that_is_a_link_or_a_pipe_is_refused() {
    for kind in ["dir", "file", "pipe", "folder"] {
        let fake = FakeImap::start(holding("IMAP4rev1", &["a"]));
        let ferry = unguarded(fake.port());
        let root = ferry.local().root;
        fs::create_dir_all(&root).expect("root");
        let victim = ferry.home().join(".config/victim");
        let state = root.join(".mailferry");
        match kind {
            "dir" => {
                fs::create_dir(&victim).expect("victim");
                symlink(&victim, &state).expect("link");
            }
            "file" => {
                fs::create_dir(&state).expect("state");
                symlink(&victim, state.join("state.db")).expect("link");
            }
            "pipe" => {
                fs::create_dir(&state).expect("state");
                pipe(&state.join("state.db"));
            }
            _ => {
                fs::create_dir(&state).expect("state");
                fs::create_dir(state.join("state.db")).expect("folder");
            }
        }
        survive(&ferry, &["sync"], &[74, 78]);
        let untouched = match kind {
            "dir" => fs::read_dir(&victim).expect("victim").count() == 0,
            _ => !victim.exists(),
        };
        assert!(untouched, "{kind}: the link was followed");
    }
}
