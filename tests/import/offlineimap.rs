//! From OfflineIMAP, as people configure it.

use super::Mover;
use crate::support::corpus::Corpus;
use crate::support::dovecot::{Dovecot, Options, PASSWORD};
use crate::support::message::flags;
use crate::support::rig::Rig;
use std::sync::Arc;

fn filled(server: Arc<Dovecot>, hint: &str, folders: &[&str]) -> Rig {
    let rig = Rig::new(server, hint);
    let mut corpus = Corpus::new(32);
    let mut session = rig.mailbox();
    for folder in folders {
        session.create(folder);
    }
    for i in 0..12 {
        let letters = ["", "S", "FS", "RS"][i % 4];
        let body = if i % 5 == 4 { corpus.twin() } else { corpus.message() };
        session.append(folders[i % folders.len()], &body, &flags(letters), corpus.date());
    }
    rig
}

/// The configuration; `extra` is what each of the three sections has beside the usual.
fn rc(rig: &Rig, account: &str, local: &str, remote: &str) -> String {
    format!(
        "[general]\naccounts = work\nmaxsyncaccounts = 1\nui = quiet\n\n[Account work]\nlocalrepository = work-local\n\
         remoterepository = work-remote\n{account}\n[Repository work-local]\ntype = Maildir\nlocalfolders = ~/Mail/work\n{local}\n\
         [Repository work-remote]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = {}\nssl = no\nstarttls = no\n\
         auth_mechanisms = PLAIN\nremoteuser = {}\nremotepass = {PASSWORD}\n{remote}\n",
        rig.proxy.port(),
        rig.user
    )
}

fn mover(rig: Rig, text: &str) -> Mover {
    let mover = Mover::new(rig, "offlineimap", (".offlineimaprc", text));
    mover.theirs("offlineimap", &["-o"]);
    mover
}

const FOLDERS: [&str; 3] = ["INBOX", "Lists/rust", "Entwürfe/Müll & mehr"];

#[test]
fn separators_and_encoded_names() {
    let dot = ("", "Lists.rust", "\"Entw&APw-rfe.M&APw-ll &- mehr\" becomes \"Entwürfe/Müll & mehr\"");
    let slash = ("sep = /", "Lists/rust", "\"Entw&APw-rfe/M&APw-ll &- mehr\" becomes");
    for (local, dir, told) in [dot, slash] {
        let rig = filled(Dovecot::usual(), "sep", &FOLDERS);
        let text = rc(&rig, "", local, "");
        let mover = mover(rig, &text);
        assert!(mover.home().join("Mail/work").join(dir).join("cur").is_dir());
        let outcome = mover.moves_in(".offlineimaprc");
        assert!(outcome.stdout.contains(told), "{}", outcome.stdout);
        mover.goes_on("Lists/rust");
    }
}

#[test]
fn names_in_utf8() {
    let rig = filled(Dovecot::usual(), "utf8", &FOLDERS);
    let text = rc(&rig, "utf8foldernames = yes", "sep = /", "");
    let mover = mover(rig, &text);
    assert!(mover.home().join("Mail/work/Entwürfe/Müll & mehr/cur").is_dir());
    let outcome = mover.moves_in(".offlineimaprc");
    assert!(!outcome.stdout.contains("becomes"), "{}", outcome.stdout);
    mover.goes_on("Entwürfe/Müll & mehr");
}

#[test]
fn translated_names_below_an_inbox_prefix() {
    let options = Options { separator: '.', prefix: "INBOX.", ..Options::default() };
    let rig = filled(Dovecot::shared(&options), "trans", &["INBOX", "Lists/rust", "Sent"]);
    let text = rc(
        &rig,
        "",
        "nametrans = lambda f: f if f == 'INBOX' else 'INBOX.' + f",
        "nametrans = lambda f: re.sub('^INBOX\\.', '', f)\nfolderfilter = lambda f: f not in ['INBOX.Trash']",
    );
    let mover = mover(rig, &text);
    assert!(mover.home().join("Mail/work/Lists.rust/cur").is_dir());
    let told = mover.import(".offlineimaprc");
    assert!(told.stderr.contains("nametrans has no counterpart"), "{}", told.stderr);
    mover.take_over(".offlineimaprc");
    let outcome = mover.moves_nothing();
    assert_eq!(outcome.figure("flags_local") + outcome.figure("flags_remote"), 0, "{}", outcome.stdout);
    let mut remote = mover.rig.remote();
    remote.remove("Trash");
    let text = crate::support::message::differences(&super::plain(remote), &super::plain(mover.local.snapshot()));
    assert_eq!(text, "");
    mover.moves_nothing();
}

#[test]
fn what_is_read_only_stays_so() {
    for (local, remote) in [("", "readonly = True\ncreatefolders = False"), ("readonly = True", "")] {
        let rig = filled(Dovecot::usual(), "readonly", &FOLDERS);
        // What OfflineIMAP may not write it cannot fill, either: the first run comes before the key.
        let before = rc(&rig, "", "", "");
        let mover = mover(rig, &before);
        let text = rc(&mover.rig, "", local, remote);
        let mover = Mover::new(mover.rig, "offlineimap", (".offlineimaprc", &text));
        mover.moves_in(".offlineimaprc");
        mover.rig.mailbox().append("INBOX", b"Subject: there\n\nx\n", &flags(""), 1_700_000_000);
        mover.local.deliver("INBOX", b"Subject: here\n\nx\n", &flags("S"), 1_700_000_000);
        let outcome = mover.rig.ferry.json(&["run"]);
        outcome.assert_code(0);
        let pulls = local.is_empty();
        let figures = (outcome.figure("downloaded"), outcome.figure("uploaded"));
        assert_eq!(figures, if pulls { (1, 0) } else { (0, 1) }, "{}", outcome.stdout);
    }
}

#[test]
fn a_maildir_without_any_state_is_adopted_by_content() {
    let rig = filled(Dovecot::usual(), "lost", &["INBOX", "Lists/rust"]);
    let text = rc(&rig, "", "sep = /", "");
    let mover = mover(rig, &text);
    std::fs::remove_dir_all(mover.home().join(".offlineimap")).expect("its state");
    mover.import(".offlineimaprc");
    // Not even `--state` is needed: the directories have our names already.
    mover.moves_nothing();
    mover.assert_same();
}
