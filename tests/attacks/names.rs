//! Folder names and texts from the server that try to leave the root or to speak to the terminal.

use super::stand::{DATE, assert_harmless, holding, local, mail, remote, strays, subject, survive, unguarded};
use crate::support::fake_imap::{FakeImap, Folder, Hook, Store};
use crate::support::local::Layout;
use std::fs;
use std::path::{Path, PathBuf};

/// Names as they stand between the quotes of LIST.
const WAYS_OUT: [&str; 24] = [
    "..",
    ".",
    "../out",
    "../../out",
    "../../../../../../../../tmp/mailferry-attack-out",
    "/tmp/mailferry-attack-out",
    "/",
    "//",
    "a/../../../out",
    "a/./b",
    "a//b",
    "INBOX/..",
    "INBOX/../../../out",
    "INBOX/cur",
    "cur",
    "new",
    "tmp",
    ".mailferry",
    ".mailferry/state.db",
    "mailferry",
    "%2E%2E/out",
    "&AC4ALgAv-out",
    "..&AC8-out",
    "~/out",
];

fn with_folders(names: &[&str]) -> Store {
    let mut store = holding("IMAP4rev1", &["a"]);
    for (i, name) in names.iter().enumerate() {
        let mut folder = Folder::default();
        folder.add(&mail(&format!("in{i}")), &[], DATE);
        store.folders.insert((*name).to_owned(), folder);
    }
    store
}

/// The subjects of every message file below a directory.
fn everywhere(root: &Path) -> Vec<String> {
    let (mut found, mut todo): (Vec<String>, Vec<PathBuf>) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type().is_ok_and(|t| t.is_dir()) {
                true => todo.push(path),
                false => found.push(subject(&fs::read(&path).unwrap_or_default())),
            }
        }
    }
    found.retain(|s| !s.is_empty());
    found.sort();
    found
}

#[test]
fn names_that_would_leave_the_root() {
    for layout in [Layout::Nested, Layout::Plus] {
        let fake = FakeImap::start(with_folders(&WAYS_OUT));
        let mut ferry = unguarded(fake.port());
        ferry.set("layout", &format!("{:?}", layout.key()));
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 69]);
            assert!(!Path::new("/tmp/mailferry-attack-out").exists());
            assert!(!ferry.home().parent().is_some_and(|p| p.join("out").exists()));
        }
        let mut wanted: Vec<String> = (0..WAYS_OUT.len()).map(|i| format!("in{i}")).chain(["a".into()]).collect();
        wanted.sort();
        assert_eq!(everywhere(&ferry.local().root), wanted, "{layout:?}: each message once, below the root");
        let there: usize = fake.store().folders.values().map(|f| f.messages.len()).sum();
        assert_eq!((there, fake.store().folders.len()), (wanted.len(), wanted.len()), "and the server as it was");
    }
}

#[test]
fn names_that_are_the_files_of_a_maildir() {
    let mut store = with_folders(&["INBOX/dovecot-keywords", "dovecot-keywords", "subscriptions"]);
    let word = |store: &mut Store| {
        let first = store.folders.get_mut("INBOX").and_then(|f| f.messages.first_mut());
        first.map(|m| m.flags.insert("word".into()))
    };
    word(&mut store);
    for layout in [Layout::Nested, Layout::Plus] {
        let fake = FakeImap::start(store.clone());
        let mut ferry = unguarded(fake.port());
        ferry.set("layout", &format!("{:?}", layout.key()));
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 69]);
        }
        assert_eq!(local(&ferry, "INBOX"), ["a"], "{layout:?}");
        assert_eq!(remote(&fake, "INBOX"), ["a"]);
        assert_eq!(remote(&fake, "INBOX/dovecot-keywords"), ["in0"]);
        assert!(fake.store().folders["INBOX"].messages[0].flags.contains("word"));
    }
}

#[test]
fn a_name_too_long_fails_alone() {
    let long = "x".repeat(300);
    let deep = ["y"; 2000].join("/");
    let fake = FakeImap::start(with_folders(&[&long, &deep]));
    let ferry = unguarded(fake.port());
    survive(&ferry, &["sync"], &[74]);
    assert_eq!(local(&ferry, "INBOX"), ["a"]);
}

#[test]
fn names_with_nul_line_ends_and_escapes_as_literals() {
    let hook: Hook = Box::new(|c, _| {
        c.line.contains("LIST").then(|| {
            let mut out = b"* LIST () \"/\" INBOX\r\n".to_vec();
            for name in
                [&b"x\0y"[..], b"x\r\nF9 OK", b"\x1b]0;title\x07", b"\xff\xfe", b"", b"&&&", b"&AAA-", b"&ABs-[2J"]
            {
                out.extend(format!("* LIST () \"/\" {{{}}}\r\n", name.len()).into_bytes());
                out.extend_from_slice(name);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"{tag} OK\r\n");
            out
        })
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let ferry = unguarded(fake.port());
    // What no path can hold fails alone.
    survive(&ferry, &["sync"], &[0, 69, 74]);
    assert_eq!(local(&ferry, "INBOX"), ["a"]);
    assert!(!fake.heard().contains('\0'), "{:?}", fake.heard());
    for args in [&["sync"][..], &["sync", "-vv"], &["folders"], &["status"], &["check"], &["verify"]] {
        assert_harmless(&ferry, &ferry.run(args));
        assert_harmless(&ferry, &ferry.json(args));
    }
}

#[test]
fn a_command_hidden_in_a_name_is_quoted() {
    let name = "x\\\" NIL NIL\\\"";
    let hook: Hook = Box::new(move |c, _| {
        c.line
            .contains("LIST")
            .then(|| format!("* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"{name}\"\r\n{{tag}} OK\r\n").into_bytes())
    });
    let fake = FakeImap::with_hook(with_folders(&["x\" NIL NIL\""]), hook);
    let ferry = unguarded(fake.port());
    survive(&ferry, &["sync"], &[0, 69]);
    for line in fake.heard().lines().filter(|l| l.contains("NIL NIL")) {
        assert!(line.contains("\\\" NIL NIL\\\""), "{line}");
    }
}

const LOUD: &str = "\x1b[2J\x1b]0;owned\x07 \u{202e}txt\u{9b}31m \x08\x7f";

#[test]
fn escapes_in_alerts_and_refusals() {
    for word in ["LOGIN", "LIST", "SELECT", "EXAMINE", "FETCH", "STATUS"] {
        for answer in ["{tag} NO ", "* OK [ALERT] ", "* BYE ", "* NO ", "{tag} BAD [", "* 1 FETCH ", "nonsense "] {
            let hook: Hook = Box::new(move |c, _| {
                c.line.contains(word).then(|| format!("{answer}{LOUD}\r\n{{tag}} OK\r\n").into_bytes())
            });
            let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
            let mut ferry = unguarded(fake.port());
            ferry.set("timeout", "\"1s\"");
            let args: &[&str] = if answer.starts_with("* BYE") { &["check"] } else { &["sync", "-v"] };
            assert_harmless(&ferry, &ferry.run(args));
            assert_harmless(&ferry, &ferry.json(args));
        }
    }
}

#[test]
fn escapes_in_keywords_flags_and_greetings() {
    let mut store = holding("IMAP4rev1", &["a", "b"]);
    store.greeting = format!("* OK [CAPABILITY IMAP4rev1] {LOUD}");
    let inbox = store.folders.get_mut("INBOX").expect("INBOX");
    inbox.messages[0].flags.insert("\x1b[31mred".into());
    inbox.messages[1].flags.insert("../../x".into());
    let fake = FakeImap::start(store);
    let ferry = unguarded(fake.port());
    for args in [&["sync", "-vv"][..], &["check"], &["status"], &["sync", "-n"]] {
        assert_harmless(&ferry, &ferry.run(args));
    }
    survive(&ferry, &["sync"], &[0, 69]);
    assert_eq!(strays(&ferry), Vec::<PathBuf>::new());
}
