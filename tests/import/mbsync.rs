//! From mbsync, as people configure it.

use super::Mover;
use crate::support::corpus::Corpus;
use crate::support::dovecot::PASSWORD;
use crate::support::local::Layout;
use crate::support::message::flags;
use crate::support::rig::Rig;
use std::path::Path;

const FOLDERS: [&str; 5] = ["INBOX", "Lists/rust", "Lists/rust/deep", "Entwürfe/Müll & mehr", "Entwürfe"];

fn filled(hint: &str) -> Rig {
    let rig = Rig::usual(hint);
    let mut corpus = Corpus::new(31);
    let mut session = rig.mailbox();
    for folder in FOLDERS {
        session.create(folder);
    }
    for i in 0..20 {
        let letters = ["", "S", "FS", "RS", "DFRS"][i % 5];
        let body = if i % 7 == 6 { corpus.twin() } else { corpus.message() };
        session.append(FOLDERS[i % FOLDERS.len()], &body, &flags(letters), corpus.date());
    }
    rig
}

/// The account section and the store of the server.
fn head(rig: &Rig) -> String {
    format!(
        "# my mail\nIMAPAccount work\nHost 127.0.0.1\nPort {}\nUser {}\nPass {PASSWORD}\nSSLType None\nAuthMechs LOGIN\n\n\
         IMAPStore far\nAccount work\n\n",
        rig.proxy.port(),
        rig.user
    )
}

/// One who used mbsync with this store and channel until today; messages were pulled, pushed and flagged by it.
fn mover(hint: &str, tail: &str) -> Mover {
    let rig = filled(hint);
    let rc = head(&rig) + tail;
    let mover = Mover::new(rig, "mbsync", (".mbsyncrc", &rc));
    // mbsync makes no path.
    std::fs::create_dir_all(mover.home().join("Mail/work")).expect("a path");
    mover.theirs("mbsync", &["-a"]);
    mover
}

/// A message that mbsync carries up, with the header that it adds.
fn push_one(mover: &Mover, dir: &str) {
    let path = mover.home().join(dir).join("cur/1700000000.R7.reader:2,S");
    std::fs::write(path, b"Subject: pushed by mbsync\n\nbody\n").expect("a message");
    mover.theirs("mbsync", &["-a"]);
}

const CHANNEL: &str = "Channel work\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n";

#[test]
fn verbatim_folders_with_encoded_names() {
    let store =
        "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Verbatim\n\n".to_owned() + CHANNEL;
    let mover = mover("verbatim", &(store + "SyncState *\nCopyArrivalDate yes\n"));
    push_one(&mover, "Mail/work/INBOX");
    let told = mover.moves_in(".mbsyncrc");
    assert!(told.stdout.contains("\"Entw&APw-rfe\" becomes \"Entwürfe\""), "{}", told.stdout);
    mover.goes_on("Lists/rust");
    mover.goes_on("Entwürfe/Müll & mehr");
}

#[test]
fn flattened_folders_and_an_inbox_of_another_name() {
    let store = "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/Inbox\nFlatten .\n\n".to_owned() + CHANNEL;
    let mover = mover("flatten", &store);
    push_one(&mover, "Mail/work/Inbox");
    assert!(mover.home().join("Mail/work/Lists.rust.deep/cur").is_dir());
    let told = mover.moves_in(".mbsyncrc");
    assert!(told.stdout.contains("\"Lists.rust\" becomes \"Lists/rust\""), "{}", told.stdout);
    assert!(told.stdout.contains("\"Inbox\" becomes \"INBOX\""), "{}", told.stdout);
    mover.goes_on("Lists/rust/deep");
}

#[test]
fn maildir_plus_plus() {
    let store = "MaildirStore near\nInbox ~/Mail/work\nSubFolders Maildir++\n\n".to_owned() + CHANNEL;
    let mut mover = mover("plusplus", &(store + "SyncState *\n"));
    mover.local.layout = Layout::Plus;
    push_one(&mover, "Mail/work");
    mover.moves_in(".mbsyncrc");
    mover.goes_on("Lists/rust");
}

#[test]
fn legacy_folders() {
    let store = "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Legacy\n\n".to_owned();
    let mover = mover("legacy", &(store + CHANNEL));
    assert!(mover.home().join("Mail/work/Lists/.rust/.deep/cur").is_dir());
    mover.moves_in(".mbsyncrc");
    mover.goes_on("Lists/rust/deep");
}

#[test]
fn several_channels_in_a_group() {
    let store = "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Verbatim\n\n\
        Channel inbox\nFar :far:\nNear :near:\nCreate Both\nExpunge Both\nSyncState *\n\n\
        Channel drafts\nFar \":far:Entw&APw-rfe\"\nNear :near:drafts\nCreate Both\nExpunge Both\nSyncState *\n\n\
        Channel lists\nFar :far:Lists/\nNear :near:lists/\nPatterns * !*deep\nCreate Both\nExpunge Both\nSyncState *\n\n\
        Group all\nChannel inbox\nChannel drafts\nChannel lists\n";
    let mover = mover("group", store);
    let told = mover.import(".mbsyncrc");
    assert!(told.stderr.contains("groups have no counterpart"), "{}", told.stderr);
    let told = mover.take_over(".mbsyncrc");
    assert!(told.stdout.contains("\"drafts\" becomes \"Entwürfe\""), "{}", told.stdout);
    assert!(told.stdout.contains("\"lists/rust\" becomes \"Lists/rust\""), "{}", told.stdout);
    mover.moves_nothing();
    let (mut remote, local) = (super::plain(mover.rig.remote()), super::plain(mover.local.snapshot()));
    remote.retain(|name, _| ["INBOX", "Entwürfe", "Lists/rust"].contains(&name.as_str()));
    assert_eq!(crate::support::message::differences(&remote, &local), "");
    mover.moves_nothing();
}

#[test]
fn placeholders_and_expired_messages() {
    let store = "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Verbatim\nMaxSize 3k\n\n"
        .to_owned()
        + CHANNEL;
    let mover = mover("placeholder", &(store + "SyncState *\n"));
    // What is flagged mbsync downloads whatever its size.
    let large = |m: &crate::support::message::Msg| m.bytes.len() > 3 << 10 && !m.flags.contains("F");
    let skipped: usize = mover.rig.remote().values().map(|all| all.iter().filter(|m| large(m)).count()).sum();
    assert!(skipped > 3);
    mover.import(".mbsyncrc");
    let told = mover.take_over(".mbsyncrc");
    assert_eq!(told.stdout.matches("is put aside").count(), skipped, "{}", told.stdout);
    let outcome = mover.moves_nothing();
    assert_eq!(outcome.figure("skipped"), skipped as u64, "{}", outcome.stdout);
    mover.moves_nothing();
}

#[test]
fn what_max_messages_left_out_comes() {
    let store = "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Verbatim\n\n".to_owned();
    let mover = mover("expire", &(store + CHANNEL + "SyncState *\nMaxMessages 2\nExpireUnread yes\n"));
    let here: usize = mover.local.messages("INBOX").len();
    assert!(here < mover.rig.mailbox().messages("INBOX").len());
    let told = mover.import(".mbsyncrc");
    assert!(told.stderr.contains("MaxMessages has no counterpart"), "{}", told.stderr);
    mover.take_over(".mbsyncrc");
    let outcome = mover.rig.ferry.json(&["run"]);
    outcome.assert_code(0);
    let rest = [outcome.figure("uploaded"), outcome.figure("deleted_remote"), outcome.figure("deleted_local")];
    assert_eq!(rest, [0, 0, 0], "{}", outcome.stdout);
    mover.assert_same();
    mover.moves_nothing();
}

#[test]
fn a_maildir_without_any_state_is_adopted_by_content() {
    let store =
        "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Verbatim\n\n".to_owned() + CHANNEL;
    let mover = mover("stateless", &store);
    push_one(&mover, "Mail/work/INBOX");
    std::fs::remove_dir_all(mover.home().join(".mbsync")).expect("mbsync's state");
    for folder in mover.local.folders() {
        std::fs::remove_file(mover.local.dir(&folder).join(".uidvalidity")).ok();
    }
    let told = {
        mover.import(".mbsyncrc");
        mover.take_over(".mbsyncrc")
    };
    assert!(told.stderr.contains("no state of mbsync for 6 of 6 folders"), "{told:?}");
    mover.moves_nothing();
    mover.assert_same();
    assert!(Path::new(&mover.local.dir("Entwürfe")).is_dir());
}

#[test]
fn without_expunge_what_is_marked_stays_marked() {
    let store = "MaildirStore near\nPath ~/Mail/work/\nInbox ~/Mail/work/INBOX\nSubFolders Verbatim\n\n".to_owned();
    let channel = "Channel work\nFar :far:\nNear :near:\nPatterns * !Trash\nCreate Both\nSyncState *\n";
    let mover = mover("marked", &(store + channel));
    let first = mover.local.messages("INBOX").into_iter().next().expect("a message");
    mover.local.set_flags("INBOX", Path::new(&first.place), &flags("ST"));
    mover.theirs("mbsync", &["-a"]);
    mover.import(".mbsyncrc");
    mover.take_over(".mbsyncrc");
    let outcome = mover.moves_nothing();
    assert_eq!(outcome.figure("flags_local") + outcome.figure("flags_remote"), 0, "{}", outcome.stdout);
    let marked = |all: Vec<crate::support::message::Msg>| all.iter().filter(|m| m.flags.contains("T")).count();
    assert_eq!(marked(mover.rig.mailbox().messages("INBOX")), 1);
    assert_eq!(marked(mover.local.messages("INBOX")), 1);
    // Deleting here means, as with mbsync, a mark on the server and nothing more.
    let second = mover.local.messages("Lists/rust").into_iter().next().expect("a message");
    mover.local.delete(Path::new(&second.place));
    mover.rig.ferry.json(&["run"]).assert_code(0);
    assert_eq!(marked(mover.rig.mailbox().messages("Lists/rust")), 1);
    mover.moves_nothing();
}
