//! What it survives: a server that goes and comes back, connections that are cut, a Maildir that others hold.

use super::{Watching, in_step, until_idling, within};
use crate::support::corpus::Corpus;
use crate::support::dovecot::Dovecot;
use crate::support::ferry::Running;
use crate::support::message::flags;
use crate::support::proxy::{End, Fault, Manner, Proxy, Way};
use crate::support::rig::Rig;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

fn rig(hint: &str) -> Rig {
    let rig = Rig::new(Dovecot::usual(), hint);
    rig.fill(&mut Corpus::new(2), &["INBOX", "Work"], 6);
    rig
}

#[test]
fn a_server_that_goes_and_comes_back() {
    let mut rig = rig("restart");
    let mut watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    let address = rig.proxy.address;
    // A proxy that nobody knows takes its place; the server's address is dead.
    drop(std::mem::replace(&mut rig.proxy, Proxy::start(rig.server.imap(), Manner::default())));
    // What happens meanwhile on both sides is not lost.
    rig.mailbox().append("INBOX", b"Subject: away\n\nx\n", &flags(""), 1_700_000_000);
    let one = rig.local().messages("Work").into_iter().find(|m| !m.flags.contains("F")).expect("a message");
    rig.local().set_flags("Work", Path::new(&one.place), &flags("F"));
    std::thread::sleep(Duration::from_secs(4));
    assert!(watching.is_running());
    rig.proxy = Proxy::start_again(address, rig.server.imap());
    let took = within(LONG, "both sides after the restart", || in_step(&rig));
    println!("in step {took:?} after the server was back");
    watching.end();
}

#[test]
fn connections_that_are_cut() {
    let rig = rig("cut");
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    for (n, end) in [End::Rst, End::Fin].into_iter().enumerate() {
        rig.proxy.cut_all(end);
        rig.mailbox().append("INBOX", format!("Subject: {n}\n\nx\n").as_bytes(), &flags(""), 1_700_000_000);
        within(LONG, "mail after a cut", || in_step(&rig));
    }
    let outcome = watching.end();
    assert!(outcome.events_of("error").is_empty(), "{}", outcome.stdout);
}

#[test]
fn the_maildir_is_free_between_rounds() {
    let rig = rig("free");
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    for n in 0..3 {
        rig.mailbox().append("Work", format!("Subject: {n}\n\nx\n").as_bytes(), &flags(""), 1_700_000_000);
        // Whoever is first, nothing comes twice; a run beside the watch waits for its round at most.
        rig.ferry.json(&["sync", "--wait"]).assert_code(0);
        within(LONG, "both sides", || in_step(&rig));
    }
    watching.end();
}

#[test]
fn connections_that_die_without_a_word() {
    let mut rig = rig("silent");
    rig.ferry.set("poll_interval", "\"3s\"");
    rig.ferry.set("timeout", "\"2s\"");
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    // The network swallows what the server says from now on.
    let fault = Some(Fault::Stall { way: Way::Down, after: 0 });
    rig.proxy.restart(Manner { fault, ..Manner::default() });
    rig.mailbox().append("INBOX", b"Subject: lost\n\nx\n", &flags(""), 1_700_000_000);
    within(LONG, "the stall", || rig.proxy.struck());
    let address = rig.proxy.address;
    drop(std::mem::replace(&mut rig.proxy, Proxy::start(rig.server.imap(), Manner::default())));
    rig.proxy = Proxy::start_again(address, rig.server.imap());
    within(LONG, "mail by a new connection", || in_step(&rig));
    until_idling(&rig, 1);
    watching.end();
}

/// The user's inotify watches are used up, as by an editor that watches all it sees: from then on polls look at the Maildir.
#[test]
fn a_system_without_watches_left() {
    let mut rig = rig("unwatched");
    rig.ferry.set("poll_interval", "\"2s\"");
    let script = "echo 3 >/proc/sys/user/max_inotify_watches && exec \"$@\"";
    let wrap = |program: &Path, args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(program).args(args);
        rig.ferry.dress(&mut command);
        command
    };
    if Running::new(wrap(Path::new("true"), &[])).finish(LONG).code != Some(0) {
        println!("this system has no user namespaces: not tried");
        return;
    }
    let running = Running::new(wrap(&crate::support::ferry::Ferry::binary(), &["watch", "--json"]));
    let watching = Watching { running: Some(running) };
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    for n in 0..2 {
        rig.local().deliver("Work", format!("Subject: {n}\n\nx\n").as_bytes(), &flags("S"), 1_700_000_000);
        within(LONG, "a poll", || in_step(&rig));
    }
    let outcome = watching.end();
    let warnings = outcome.events_of("warning");
    assert_eq!(warnings.len(), 1, "{}", outcome.stdout);
    assert!(warnings[0]["message"].as_str().is_some_and(|m| m.contains("poll_interval")), "{}", outcome.stdout);
    assert!(warnings[0]["hint"].as_str().is_some_and(|h| h.contains("max_user_watches")), "{}", outcome.stdout);
}

#[test]
fn five_hundred_folders() {
    let rig = rig("many");
    let mut session = rig.mailbox();
    for n in 0..500 {
        session.create(&format!("Projects/{}/p{n}", n % 20));
    }
    session.append("Projects/7/p7", b"Subject: a\n\nx\n", &flags("S"), 1_700_000_000);
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    let local = rig.local();
    within(LONG, "the first round", || local.folders().len() >= 500 && local.messages("Projects/7/p7").len() == 1);
    // A look at all folders is still over soon.
    for folder in ["Projects/19/p499", "Projects/0/p0"] {
        let begun = Instant::now();
        session.append(folder, b"Subject: b\n\nx\n", &flags(""), 1_700_000_000);
        within(LONG, "down", || local.messages(folder).len() == 1);
        let down = begun.elapsed();
        let one = local.messages(folder).pop().expect("a message");
        let begun = Instant::now();
        local.set_flags(folder, Path::new(&one.place), &flags("FS"));
        within(LONG, "up", || session.messages(folder)[0].flags.contains("F"));
        println!("{folder}: down {down:?}, up {:?}", begun.elapsed());
    }
    watching.end();
}

/// A run beside it needs no patience while nothing happens, and its changes are as welcome as anybody's.
#[test]
fn another_run_beside_it() {
    let rig = rig("beside");
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    let mut attempts = 0;
    within(LONG, "a run without --wait", || {
        attempts += 1;
        rig.ferry.run(&["sync", "-q"]).code == Some(0)
    });
    assert!(attempts <= 3, "the Maildir was held for {attempts} runs");
    rig.mailbox().append("INBOX", b"Subject: after\n\nx\n", &flags(""), 1_700_000_000);
    within(LONG, "mail", || in_step(&rig));
    watching.end();
}
