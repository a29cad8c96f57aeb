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

/// What was a message is a link, a pipe or a folder now: it is read as gone at most, and nothing behind it is touched or sent.
#[test]
fn a_known_message_that_became_something_else() {
    for kind in ["link", "pipe", "folder", "device"] {
        let (fake, ferry) = synced();
        let private = ferry.home().join(".config/private");
        fs::write(&private, "Subject: private\n\nx\n").expect("file");
        let message = ferry.local().messages("INBOX").into_iter().find(|m| m.bytes == mail("a")).expect("a");
        fs::remove_file(&message.place).expect("the message");
        let place = Path::new(&message.place);
        match kind {
            "link" => symlink(&private, place).expect("link"),
            "pipe" => pipe(place),
            "folder" => fs::create_dir(place).expect("folder"),
            // Only root makes devices; others get the link to one.
            _ => {
                let made =
                    Command::new("mknod").arg(place).args(["c", "1", "5"]).stderr(std::process::Stdio::null()).status();
                if !made.is_ok_and(|s| s.success()) {
                    symlink("/dev/zero", place).expect("link");
                }
            }
        }
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("c"), &["\\Flagged"], DATE)));
        for _ in 0..3 {
            survive(&ferry, &["sync"], &[0, 65, 69, 74]);
        }
        assert!(place.symlink_metadata().is_ok(), "{kind}: it is not ours to remove");
        assert_eq!(fs::read(&private).expect("private"), b"Subject: private\n\nx\n");
        assert!(!fake.heard().contains("private"), "{kind}");
        let there = remote(&fake, "INBOX");
        assert!(there.contains(&"b".to_owned()) && there.contains(&"c".to_owned()), "{kind}: {there:?}");
        survive(&ferry, &["verify", "--deep"], &[0, 65, 74]);
        survive(&ferry, &["status"], &[0, 65, 74]);
    }
}

/// Two names for one file, in one folder and across two: each is a message with that content, and the file is never written through.
#[test]
fn hard_links_are_copies() {
    let (fake, ferry) = synced();
    let outside = ferry.home().join(".config/outside");
    fs::write(&outside, mail("outside")).expect("file");
    let inbox = ferry.local().dir("INBOX");
    fs::hard_link(&outside, inbox.join("cur/1600000000.1.host:2,S")).expect("link");
    fs::hard_link(&outside, inbox.join("cur/1600000000.2.host:2,FS")).expect("link");
    for _ in 0..3 {
        survive(&ferry, &["sync"], &[0]);
    }
    let there = remote(&fake, "INBOX");
    assert!(there.starts_with(&["a".into(), "b".into(), "outside".into()]), "{there:?}");
    assert_eq!(local(&ferry, "INBOX"), there);
    fake.change(|s| {
        let inbox = s.folders.get_mut("INBOX").expect("INBOX");
        inbox.messages.iter_mut().for_each(|m| _ = m.flags.insert("\\Answered".into()));
        inbox.messages.retain(|m| !m.bytes.windows(7).any(|w| w == b"outside"));
    });
    survive(&ferry, &["sync"], &[0]);
    assert_eq!(fs::read(&outside).expect("outside"), mail("outside"), "a name went, the file stays");
}

/// The keyword list is a link, a pipe, a folder, or of no end: no keyword is lost or invented because of it, and nothing hangs.
#[test]
fn a_keyword_list_that_is_something_else() {
    for kind in ["link", "pipe", "folder", "large"] {
        let mut store = holding("IMAP4rev1 UIDPLUS", &["a", "b"]);
        store.folders.get_mut("INBOX").and_then(|f| f.messages.first_mut()).map(|m| m.flags.insert("work".into()));
        let fake = FakeImap::start(store);
        let ferry = unguarded(fake.port());
        ferry.sync();
        let list = ferry.local().dir("INBOX").join("dovecot-keywords");
        let victim = ferry.home().join(".config/victim");
        fs::write(&victim, "0 stolen\n").expect("file");
        fs::remove_file(&list).expect("the list");
        match kind {
            "link" => symlink(&victim, &list).expect("link"),
            "pipe" => pipe(&list),
            "folder" => fs::create_dir(&list).expect("folder"),
            _ => fs::File::create(&list).and_then(|f| f.set_len(1 << 40)).expect("a large file"),
        }
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("c"), &["other"], DATE)));
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 65, 69, 74]);
        }
        assert_eq!(fs::read(&victim).expect("victim"), b"0 stolen\n", "{kind}");
        let store = fake.store();
        let flags: Vec<_> = store.folders["INBOX"].messages.iter().map(|m| m.flags.clone()).collect();
        assert!(flags[0].contains("work") && flags[2].contains("other"), "{kind}: {flags:?}");
        assert!(!flags.iter().any(|f| f.contains("stolen")), "{kind}: {flags:?}");
    }
}

/// `.mailferry` itself is a file or a pipe; a folder of the account is a pipe or a file.
#[test]
fn directories_that_are_something_else() {
    for kind in ["file", "pipe"] {
        let fake = FakeImap::start(holding("IMAP4rev1", &["a"]));
        let ferry = unguarded(fake.port());
        let root = ferry.local().root;
        fs::create_dir_all(&root).expect("root");
        let state = root.join(".mailferry");
        if kind == "file" {
            fs::write(&state, "mine").expect("file")
        } else {
            pipe(&state)
        }
        survive(&ferry, &["sync"], &[74, 78]);
        assert!(!fs::symlink_metadata(&state).expect("state").is_dir());
        fs::remove_file(&state).expect("state");
        let inbox = root.join("INBOX");
        if kind == "file" {
            fs::write(&inbox, "mine").expect("file")
        } else {
            pipe(&inbox)
        }
        survive(&ferry, &["sync"], &[65, 69, 74, 78]);
        assert!(!fs::symlink_metadata(&inbox).expect("INBOX").is_dir());
        assert_eq!(remote(&fake, "INBOX"), ["a"]);
    }
}
