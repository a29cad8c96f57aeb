//! How soon either side follows the other.

use super::{Watching, in_step, until_idling, within};
use crate::support::corpus::Corpus;
use crate::support::dovecot::{Dovecot, Options};
use crate::support::message::{assert_in_step, flags};
use crate::support::rig::Rig;
use std::path::Path;
use std::time::Duration;

/// New mail is here within this.
const DOWN: Duration = Duration::from_secs(2);
/// A change of ours is there within this.
const UP: Duration = Duration::from_secs(3);

/// A rig with mail in some folders, watched by `listeners` connections.
fn watched(hint: &str, options: Options, listeners: usize) -> (Rig, Watching) {
    let rig = Rig::new(Dovecot::shared(&options), hint);
    rig.fill(&mut Corpus::new(1), &["INBOX", "Lists", "Work"], 12);
    let watching = Watching::start(&rig);
    until_idling(&rig, listeners);
    within(Duration::from_secs(30), "the first round", || in_step(&rig));
    (rig, watching)
}

fn body(n: u32) -> Vec<u8> {
    format!("Subject: {n}\nMessage-ID: <{n}@x>\n\nhello {n}\n").into_bytes()
}

#[track_caller]
fn follows_both_ways(rig: &Rig, folders: &[&str]) {
    let mut session = rig.mailbox();
    let mut told = Vec::new();
    for (n, folder) in (100u32..).zip(folders) {
        let before = rig.local().messages(folder).len();
        session.append(folder, &body(n), &flags(""), 1_700_000_000);
        let took = within(DOWN, folder, || rig.local().messages(folder).len() > before);
        told.push(format!("{folder} down {took:?}"));
    }
    let mut change = |what: &str, change: &mut dyn FnMut() -> usize, folder: &str, letter: Option<&str>| {
        let wanted = change();
        let there = |m: &crate::support::message::Msg| letter.is_none_or(|l| m.flags.contains(l));
        let mut client = rig.mailbox();
        let took = within(UP, what, || client.messages(folder).iter().filter(|m| there(m)).count() == wanted);
        told.push(format!("{what} up {took:?}"));
    };
    let local = rig.local();
    let last = folders.last().expect("a folder");
    let flagged = |folder: &str| local.messages(folder).iter().filter(|m| m.flags.contains("F")).count();
    change(
        "flag",
        &mut || {
            let one = local.messages(last).into_iter().find(|m| !m.flags.contains("F")).expect("a message");
            local.set_flags(last, Path::new(&one.place), &flags("FS"));
            flagged(last)
        },
        last,
        Some("F"),
    );
    change(
        "new message",
        &mut || {
            local.deliver(last, &body(7), &flags("S"), 1_700_000_000);
            local.messages(last).len()
        },
        last,
        None,
    );
    println!("{}", told.join(", "));
}

#[test]
fn with_notify_one_connection_hears_of_all_folders() {
    let (rig, watching) = watched("notify", Options::default(), 1);
    follows_both_ways(&rig, &["INBOX", "Lists", "Work", "Trash"]);
    let clients: Vec<String> = rig.proxy.records().iter().map(|record| record.client()).collect();
    assert_eq!(clients.iter().filter(|client| client.contains(" IDLE\r\n")).count(), 1);
    assert!(clients.iter().any(|client| client.contains("NOTIFY SET")));
    watching.end();
    assert_in_step(&rig.remote(), &rig.local().snapshot());
}

#[test]
fn without_notify_inbox_and_the_busiest_folders_have_connections() {
    // Four connections: one for rounds, three that listen, for INBOX and the two folders that received most.
    let (rig, watching) = watched("idle", Options::without(&["NOTIFY"]), 3);
    follows_both_ways(&rig, &["INBOX", "Lists", "Work"]);
    watching.end();
}

#[test]
fn a_deletion_here_and_one_there_cross() {
    let (rig, watching) = watched("gone", Options::default(), 1);
    let local = rig.local();
    let one = local.messages("Work").first().cloned().expect("a message");
    let there = rig.mailbox().messages("Work").len();
    local.delete(Path::new(&one.place));
    let mut client = rig.mailbox();
    // A deletion is believed only when its folder was still for two seconds.
    let took = within(Duration::from_secs(6), "deletion up", || client.messages("Work").len() < there);
    println!("deletion up {took:?}");
    let uid = client.messages("INBOX").first().and_then(|m| m.place.parse().ok());
    let before = local.messages("INBOX").len();
    let uid: u32 = uid.expect("a UID");
    client.delete("INBOX", uid);
    let took = within(DOWN, "deletion down", || local.messages("INBOX").len() < before);
    println!("deletion down {took:?}");
    watching.end();
}

#[test]
fn a_new_folder_is_watched_too() {
    let (rig, watching) = watched("folder", Options::default(), 1);
    let local = rig.local();
    local.deliver("Projects/new one", &body(1), &flags("S"), 1_700_000_000);
    let there = |count| move |rig: &Rig| rig.remote().get("Projects/new one").is_some_and(|m| m.len() == count);
    within(Duration::from_secs(6), "the new folder", || there(1)(&rig));
    local.deliver("Projects/new one", &body(2), &flags("S"), 1_700_000_000);
    within(UP, "its second message", || there(2)(&rig));
    watching.end();
}
