//! From the three tools that fetch, by POP3 and IMAP: what they have fetched is not fetched again.

use super::Mover;
use crate::support::corpus::Corpus;
use crate::support::dovecot::PASSWORD;
use crate::support::message::flags;
use crate::support::rig::Rig;
use std::fs;
use std::path::{Path, PathBuf};

fn filled() -> Rig {
    let rig = Rig::pop3("mover");
    let mut corpus = Corpus::new(33);
    for i in 0..6 {
        let body = if i == 4 { corpus.twin() } else { corpus.message() };
        rig.mailbox().append("INBOX", &body, &flags(""), 1_600_000_000 + i);
    }
    rig
}

/// Moves in, then fetches what is new and only that.
fn moves_in(mover: &Mover, rc: &str, known: usize) {
    let here = || fs::read_dir(mover.home().join("Mail/work/new")).expect("new").count();
    assert_eq!(here(), known, "{} has fetched", mover.tool);
    let told = mover.import(rc);
    let told_state = mover.take_over(rc);
    assert!(told_state.stdout.contains(&format!("{known} messages are known as fetched")), "{}", told_state.stdout);
    let outcome = mover.moves_nothing();
    assert!(outcome.figure("round_trips") <= 8, "{}", outcome.stdout);
    mover.rig.mailbox().append("INBOX", b"Subject: later\n\nx\n", &flags(""), 1_700_000_000);
    let outcome = mover.rig.ferry.json(&["run"]);
    outcome.assert_code(0);
    assert_eq!(outcome.figure("downloaded"), 1, "{}{}", outcome.stdout, told.stdout);
    mover.moves_nothing();
    assert_eq!(mover.rig.mailbox().messages("INBOX").len(), known + 1, "all stay on the server");
}

#[test]
fn mpop() {
    let rig = filled();
    let rc = format!(
        "# mine\ndefaults\ntls off\nkeep on\nreceived_header off\n\naccount work\nhost 127.0.0.1\nport {}\nauth user\nuser {}\npassword {PASSWORD}\n\
         delivery maildir ~/Mail/work\nuidls_file ~/.mpop_uidls/%U_at_%H\n\naccount default : work\n",
        rig.proxy.port(),
        rig.user
    );
    for sub in ["new", "cur", "tmp"] {
        fs::create_dir_all(rig.ferry.home().join("Mail/work").join(sub)).expect("a Maildir");
    }
    fs::create_dir(rig.ferry.home().join(".mpop_uidls")).expect("its folder");
    let mover = Mover::new(rig, "mpop", (".mpoprc", &rc));
    mover.theirs("mpop", &["-Q"]);
    moves_in(&mover, ".mpoprc", 6);
}

#[test]
fn getmail() {
    let rig = filled();
    let rc = format!(
        "[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {}\nusername = {}\npassword = {PASSWORD}\n\n\
         [destination]\ntype = Maildir\npath = ~/Mail/work/\n\n[options]\nread_all = false\ndelivered_to = false\nreceived = false\n",
        rig.proxy.port(),
        rig.user
    );
    for sub in ["new", "cur", "tmp"] {
        fs::create_dir_all(rig.ferry.home().join("Mail/work").join(sub)).expect("a Maildir");
    }
    let mover = Mover::new(rig, "getmail", (".getmail/getmailrc", &rc));
    run_getmail(&mover);
    moves_in(&mover, ".getmail/getmailrc", 6);
}

/// It delivers nothing as root, so then it is run as nobody, to whom all belongs meanwhile.
fn run_getmail(mover: &Mover) {
    if rustix::process::geteuid().is_root() {
        own(mover.home(), 65_534);
        mover.theirs("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups", "getmail", "-q"]);
        own(mover.home(), 0);
    } else {
        mover.theirs("getmail", &["-q"]);
    }
}

#[test]
fn getmail_by_imap() {
    let rig = Rig::usual("mailboxes");
    let mut session = rig.mailbox();
    session.create("Lists/Bücher");
    for i in 0..4 {
        let body = format!("Subject: {i}\n\nbody {i}\n");
        session.append(["INBOX", "Lists/Bücher"][i % 2], body.as_bytes(), &flags(""), 1_600_000_000);
    }
    let rc = format!(
        "[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\nport = {}\nusername = {}\npassword = {PASSWORD}\n\
         mailboxes = ('INBOX', 'Lists/B\u{fc}cher')\n\n[destination]\ntype = Maildir\npath = ~/Mail/work/\n\n\
         [options]\nread_all = false\ndelivered_to = false\nreceived = false\n",
        rig.proxy.port(),
        rig.user
    );
    for sub in ["new", "cur", "tmp"] {
        fs::create_dir_all(rig.ferry.home().join("Mail/work").join(sub)).expect("a Maildir");
    }
    let mover = Mover::new(rig, "getmail", (".getmail/getmailrc", &rc));
    run_getmail(&mover);
    mover.import(".getmail/getmailrc");
    let told = mover.take_over(".getmail/getmailrc");
    assert!(told.stdout.contains("4 messages are known as fetched"), "{}", told.stdout);
    let account = format!("{}@127.0.0.1", mover.rig.user);
    let fetched = |count: u64| {
        let outcome = mover.rig.ferry.json(&["fetch", &account]);
        outcome.assert_code(0);
        assert_eq!(outcome.figure("downloaded"), count, "{}", outcome.stdout);
    };
    fetched(0);
    session.append("Lists/Bücher", b"Subject: later\n\nx\n", &flags(""), 1_700_000_000);
    fetched(1);
    fetched(0);
}

fn own(root: &Path, owner: u32) {
    for path in super::tree(root).keys().map(PathBuf::as_path).chain([root]) {
        std::os::unix::fs::chown(path, Some(owner), Some(owner)).expect("chown");
    }
}

#[test]
fn fetchmail() {
    let rig = filled();
    let maildir = rig.ferry.home().join("Mail/work");
    for sub in ["new", "cur", "tmp"] {
        fs::create_dir_all(maildir.join(sub)).expect("a Maildir");
    }
    let rc = format!(
        "set no syslog\nset invisible\npoll 127.0.0.1 proto pop3 service {} auth password uidl\n  user \"{}\" there with password \"{PASSWORD}\" is me here\n  \
         keep sslproto '' mda \"/usr/bin/mdeliver {}\"\n",
        rig.proxy.port(),
        rig.user,
        maildir.display()
    );
    let mover = Mover::new(rig, "fetchmail", (".fetchmailrc", &rc));
    mover.theirs("fetchmail", &["-s"]);
    moves_in(&mover, ".fetchmailrc", 6);
}
