//! Plain runs: what comes down is what was there, a second look costs a look, and refusals are told apart.

use crate::support::corpus::{Corpus, KINDS};
use crate::support::dovecot::{Dovecot, Options};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::local::Layout;
use crate::support::mailbox::snapshot;
use crate::support::message::{assert_in_step, differences, flags};
use crate::support::rig::Rig;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

#[test]
fn every_kind_of_message_comes_down_and_goes_up_unchanged() {
    for layout in [Layout::Nested, Layout::Plus] {
        let mut rig = Rig::usual("kinds");
        rig.ferry.set("layout", &format!("{:?}", layout.key()));
        let mut corpus = Corpus::new(11);
        let mut session = rig.mailbox();
        for kind in KINDS {
            session.append("INBOX", &corpus.of_kind(kind), &corpus.flags(), corpus.date());
        }
        session.append("INBOX", &corpus.twin(), &flags("F"), corpus.date());
        session.append("INBOX", &corpus.same_message_id(), &flags(""), corpus.date());
        rig.sync();
        rig.assert_in_step();
        for kind in KINDS {
            rig.local().deliver("Outgoing", &corpus.of_kind(kind), &corpus.flags(), corpus.date());
        }
        rig.sync();
        rig.assert_in_step();
        assert_eq!(rig.remote()["Outgoing"].len(), KINDS.len());
    }
}

#[test]
fn odd_folder_names_come_down_and_go_up() {
    for options in [Options::default(), Options { separator: '.', prefix: "INBOX.", ..Options::default() }] {
        // Dovecot's own storage forbids what it would take for its directories, and in the other layout dots.
        let more = if options.separator == '/' { ["v1.2", "a.b/c.d"] } else { ["cur", "x/new"] };
        let rig = Rig::new(Dovecot::shared(&options), "names");
        let mut names = Corpus::new(5).folders(12);
        names.extend(["say \"hi\"", "50%", "a&b", "back\\slash", "a~b"].iter().chain(&more).map(ToString::to_string));
        let mut session = rig.mailbox();
        for (i, name) in names.iter().enumerate() {
            session.create(name);
            session.append(name, format!("Subject: {i}\n\n{name}\n").as_bytes(), &flags("S"), 1_600_000_000);
        }
        rig.sync();
        rig.assert_in_step();
        rig.local().deliver("Neu & schön/日本", b"Subject: new\n\nx\n", &flags("S"), 1_600_000_000);
        rig.sync();
        rig.assert_in_step();
    }
}

#[test]
fn a_run_with_nothing_to_do_says_nothing_and_only_looks() {
    let rig = Rig::usual("quiet");
    let mut corpus = Corpus::new(3);
    rig.fill(&mut corpus, &["INBOX", "Work", "Lists/rust"], 40);
    let (first, _) = rig.sync();
    assert_eq!(first.figure("downloaded"), 40);
    rig.assert_in_step();
    let (second, records) = rig.sync();
    for field in ["downloaded", "uploaded", "flags_local", "flags_remote", "deleted_local", "deleted_remote"] {
        assert_eq!(second.figure(field), 0, "{field}");
    }
    let commands: Vec<_> = records.iter().flat_map(crate::support::proxy::Record::commands).collect();
    assert!(
        !commands.iter().any(|c| c.contains("BODY") || c.contains(" APPEND ") || c.contains(" STORE ")),
        "{commands:?}"
    );
    let silent = rig.ferry.run(&["sync"]);
    silent.assert_code(0);
    assert_eq!((silent.stdout.as_str(), silent.stderr.as_str()), ("", ""));
}

#[test]
fn bytes_and_round_trips_are_those_of_the_wire() {
    let rig = Rig::usual("figures");
    rig.fill(&mut Corpus::new(4), &["INBOX"], 5);
    let (outcome, records) = rig.sync();
    let sum = |f: fn(&crate::support::proxy::Record) -> usize| records.iter().map(f).sum::<usize>() as u64;
    // The answer to LOGOUT is not waited for.
    let (told, came) = (outcome.figure("bytes_in"), sum(|r| r.down.len()));
    assert!(told <= came && came - told < 200, "{told} of {came}");
    assert_eq!(outcome.figure("bytes_out"), sum(|r| r.up.len()));
    assert!(outcome.figure("round_trips") >= 2);
}

#[test]
fn a_dry_run_changes_nothing() {
    let rig = Rig::usual("dry");
    rig.fill(&mut Corpus::new(6), &["INBOX", "Work"], 6);
    rig.sync();
    let mut session = rig.mailbox();
    session.append("INBOX", b"Subject: new there\n\nx\n", &flags(""), 1_600_000_000);
    rig.local().deliver("Work", b"Subject: new here\n\nx\n", &flags("S"), 1_600_000_000);
    let (remote, local) = (rig.remote(), rig.local().snapshot());
    let outcome = rig.ferry.json(&["sync", "-n"]);
    outcome.assert_code(0);
    assert_eq!(outcome.events_of("planned").len(), 2, "{}", outcome.stdout);
    assert_eq!((rig.remote(), rig.local().snapshot()), (remote, local));
    rig.sync();
    rig.assert_in_step();
}

#[test]
fn a_maildir_whose_state_is_gone_is_adopted_without_a_body() {
    let rig = Rig::usual("adopt");
    rig.fill(&mut Corpus::new(8), &["INBOX", "Work"], 20);
    rig.sync();
    std::fs::remove_dir_all(rig.local().root.join(".mailferry")).expect("state");
    let (outcome, records) = rig.sync();
    assert_eq!((outcome.figure("downloaded"), outcome.figure("uploaded")), (0, 0));
    let whole = |c: &String| c.contains("BODY.PEEK[]") || c.contains("BODY[]");
    assert!(!records.iter().flat_map(crate::support::proxy::Record::commands).any(|c| whole(&c)));
    rig.assert_in_step();
}

#[test]
fn tls_is_checked_and_used() {
    let server = Dovecot::usual();
    let user = server.user("tls");
    let keys =
        |tls: &str, port: u16| AccountKeys::plain("imap", port, &user).text("tls", tls).text("host", "localhost");
    for (tls, port) in [("implicit", server.ports.imaps), ("starttls", server.ports.imap)] {
        let untrusting = Ferry::new().account(ACCOUNT, keys(tls, port));
        let refused = untrusting.run(&["sync"]);
        refused.assert_code(77);
        let ca = server.ca_file.display().to_string();
        Ferry::new().account(ACCOUNT, keys(tls, port).text("ca_file", &ca)).sync();
    }
}

#[test]
fn refusals_are_told_apart() {
    let server = Dovecot::usual();
    let user = server.user("refused");
    let wrong = AccountKeys::plain("imap", server.ports.imap, &user).text("password", "hunter2-of-all");
    let outcome = Ferry::new().account(ACCOUNT, wrong).json(&["sync"]);
    outcome.assert_code(77);
    assert_eq!(outcome.figure("exit"), 77);
    assert!(!outcome.stdout.contains("hunter2") && !outcome.stderr.contains("hunter2"), "the password leaks");
    let gone = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let keys = AccountKeys::plain("imap", gone, &user).text("timeout", "100ms");
    let outcome = Ferry::new().account(ACCOUNT, keys.clone()).json(&["sync"]);
    // Ages know whole seconds: a fraction is a wrong value, which the configuration check says.
    outcome.assert_code(78);
    Ferry::new().account(ACCOUNT, keys.text("timeout", "1s")).json(&["sync"]).assert_code(75);
}

#[test]
fn a_second_run_in_the_same_maildir_is_told_at_once() {
    let mut rig = Rig::usual("lock");
    rig.fill(&mut Corpus::new(9), &["INBOX"], 3);
    // The first run hangs on a server that says nothing for as long as its patience lasts.
    rig.proxy.restart(crate::support::proxy::Manner {
        fault: Some(crate::support::proxy::Fault::Stall { way: crate::support::proxy::Way::Down, after: 0 }),
        ..Default::default()
    });
    rig.ferry.set("timeout", "\"60s\"");
    let mut first = rig.ferry.start(&["sync"]);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !rig.proxy.struck() && first.is_running() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    let second = rig.ferry.json(&["sync"]);
    assert!(first.is_running(), "the first run ended early");
    second.assert_code(75);
    first.signal(rustix::process::Signal::TERM);
    first.finish(std::time::Duration::from_secs(20)).assert_code(130);
    rig.sync();
    assert_in_step(&rig.remote(), &rig.local().snapshot());
}

/// Dovecot says OK to changes in a folder that was opened with EXAMINE, and does nothing.
#[test]
fn a_folder_read_for_a_download_is_opened_again_for_changes() {
    let mut rig = Rig::usual("examined");
    rig.ferry.set("on_delete", "\"expunge\"");
    let mut corpus = Corpus::new(10);
    rig.fill(&mut corpus, &["INBOX", "Work"], 8);
    rig.sync();
    let local = rig.local();
    let messages = local.messages("Work");
    local.delete(Path::new(&messages[0].place));
    local.set_flags("Work", Path::new(&messages[1].place), &flags("FR"));
    // One changed folder would be open for changes from the look on; of two, the last is opened for its download.
    rig.fill(&mut corpus, &["INBOX", "Work"], 2);
    let (outcome, _) = rig.sync();
    let figures = ["downloaded", "flags_remote", "deleted_remote"].map(|f| outcome.figure(f));
    assert_eq!(figures, [2, 1, 1]);
    rig.assert_in_step();
    assert_eq!(rig.remote()["Work"].len(), 4);
}

/// The keyword that went was unknown to the folder it came to, and stayed here for ever.
#[test]
fn a_message_moved_on_the_server_loses_its_keyword_here_too() {
    let rig = Rig::usual("relabelled");
    let mut session = rig.mailbox();
    session.create("Work");
    let uid =
        session.append("Work", b"Subject: a\nMessage-ID: <a@example.org>\n\na\n", &flags("S later"), 1_600_000_000);
    rig.sync();
    session.mv("Work", uid, "INBOX");
    let uid = session.messages("INBOX")[0].uid();
    session.store("INBOX", uid, &flags("F todo"));
    rig.sync();
    rig.assert_in_step();
    assert_eq!(rig.remote()["INBOX"][0].flags, flags("F todo"));
}

/// What Dovecot and mblaze find in the Maildir is what the server has: messages and flags.
#[test]
fn other_programs_read_the_maildir_alike() {
    let mut rig = Rig::usual("readers");
    rig.ferry.set("layout", "\"maildir++\"");
    let mut session = rig.mailbox();
    session.create("Lists");
    for (name, set) in [("a", "S"), ("b", "FS"), ("c", ""), ("d", "RS"), ("e", "F")] {
        session.append("INBOX", format!("Subject: {name}\n\nx\n").as_bytes(), &flags(set), 1_600_000_000);
    }
    session.append("Lists", b"Subject: f\n\nx\n", &flags("DS"), 1_600_000_000);
    rig.sync();
    let root = rig.local().root.clone();

    let reader = Dovecot::shared(&Options { separator: '.', ..Options::default() });
    let user = reader.user("readers");
    let storage = reader.storage(&user);
    let home = storage.parent().expect("a home");
    let shell = format!(
        "mkdir -p '{1}' && rm -rf '{0}' && cp -a '{2}' '{0}' && rm -rf '{0}/mailferry' && {{ [ $(id -u) != 0 ] || chown -R nobody:nogroup '{1}'; }}",
        storage.display(),
        home.display(),
        root.display()
    );
    assert!(Command::new("sh").args(["-c", &shell]).status().expect("sh").success());
    assert_eq!(differences(&rig.remote(), &snapshot(&reader, &user)), "");

    let listed = |args: &[&str]| {
        let out = Command::new("mlist").args(args).arg(&root).output().expect("mlist, of the package mblaze");
        String::from_utf8_lossy(&out.stdout).lines().count()
    };
    assert_eq!((listed(&[]), listed(&["-F"]), listed(&["-R"])), (5, 2, 1));
}
