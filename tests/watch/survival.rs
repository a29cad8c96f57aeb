//! What it survives: a server that goes and comes back, connections that are cut, a Maildir that others hold.

use super::{Watching, in_step, until_idling, within};
use crate::support::corpus::Corpus;
use crate::support::dovecot::Dovecot;
use crate::support::message::flags;
use crate::support::proxy::{End, Manner, Proxy};
use crate::support::rig::Rig;
use std::path::Path;
use std::time::Duration;

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
    assert!(took < Duration::from_secs(12));
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
