//! How soon either side follows the other.

use super::{Watching, in_step, until_idling, within};
use crate::support::corpus::Corpus;
use crate::support::dovecot::{Dovecot, Options};
use crate::support::message::{Msg, assert_in_step, flags};
use crate::support::rig::Rig;
use std::path::Path;
use std::time::Duration;

/// New mail is here within this.
const DOWN: Duration = Duration::from_secs(2);
/// A change of ours is there within this.
const UP: Duration = Duration::from_secs(3);

/// Whatever else the machine does: long before the poll, which would come after five minutes.
const AT_ALL: Duration = Duration::from_secs(30);

/// Fails unless at least half of these were within the limit: a busy machine may stall now and then.
#[track_caller]
fn assert_soon(mut times: Vec<Duration>, limit: Duration) {
    times.sort();
    assert!(times[(times.len() - 1) / 2] < limit, "{times:?}, limit {limit:?}");
}

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

/// Every kind of change, there and here, and how long the other side takes to follow.
#[track_caller]
fn follows_both_ways(rig: &Rig, folders: &[&str]) {
    let (local, mut session) = (rig.local(), rig.mailbox());
    let (mut told, mut down, mut up) = (Vec::new(), Vec::new(), Vec::new());
    let mut came = |what: String, done: &mut dyn FnMut() -> bool| {
        let took = within(AT_ALL, &what, done);
        down.push(took);
        told.push(format!("{what} down {took:?}"));
    };
    let flagged = |all: Vec<Msg>| all.iter().filter(|m| m.flags.contains("F")).count();
    for (n, folder) in (100u32..).zip(folders) {
        let before = local.messages(folder).len();
        let uid = session.append(folder, &body(n), &flags(""), 1_700_000_000);
        came(format!("new in {folder}"), &mut || local.messages(folder).len() > before);
        let marked = flagged(local.messages(folder));
        session.store(folder, uid, &flags("F"));
        came(format!("flag in {folder}"), &mut || flagged(local.messages(folder)) > marked);
        session.delete(folder, uid);
        came(format!("deletion in {folder}"), &mut || local.messages(folder).len() == before);
    }
    let last = folders.last().expect("a folder");
    let mut went = |what: &str, done: &mut dyn FnMut(Vec<Msg>) -> bool| {
        let mut client = rig.mailbox();
        let took = within(AT_ALL, what, || done(client.messages(last)));
        up.push(took);
        told.push(format!("{what} up {took:?}"));
    };
    let (before, marked) = (local.messages(last).len(), flagged(local.messages(last)));
    let one = local.messages(last).into_iter().find(|m| !m.flags.contains("F")).expect("a message");
    let path = local.set_flags(last, Path::new(&one.place), &flags("FS"));
    went("flag", &mut |there| flagged(there) > marked);
    // As a mail reader that saves a message now.
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    local.deliver(last, &body(7), &flags("S"), i64::try_from(now).expect("a time"));
    went("new", &mut |there| there.len() > before);
    local.delete(&path);
    went("deletion", &mut |there| there.len() == before);
    println!("{}", told.join(", "));
    assert_soon(down, DOWN);
    assert_soon(up, UP);
}

#[test]
fn with_notify_one_connection_hears_of_all_folders() {
    let (rig, watching) = watched("notify", Options::default(), 1);
    follows_both_ways(&rig, &["INBOX", "Trash", "Lists", "Work"]);
    let clients: Vec<String> = rig.proxy.records().iter().map(|record| record.client()).collect();
    assert_eq!(clients.iter().filter(|client| client.contains(" IDLE\r\n")).count(), 1);
    assert!(clients.iter().any(|client| client.contains("NOTIFY SET")));
    within(AT_ALL, "the copy in the Trash", || in_step(&rig));
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
fn a_new_folder_is_watched_too() {
    let (rig, watching) = watched("folder", Options::default(), 1);
    let local = rig.local();
    local.deliver("Projects/new one", &body(1), &flags("S"), 1_700_000_000);
    let there = |count| move |rig: &Rig| rig.remote().get("Projects/new one").is_some_and(|m| m.len() == count);
    within(AT_ALL, "the new folder", || there(1)(&rig));
    local.deliver("Projects/new one", &body(2), &flags("S"), 1_700_000_000);
    within(AT_ALL, "its second message", || there(2)(&rig));
    // The server tells of folders, too.
    let mut session = rig.mailbox();
    session.create("Projects/from there");
    let took = within(AT_ALL, "the server's new folder", || local.dir("Projects/from there").join("cur").is_dir());
    session.append("Projects/from there", &body(3), &flags(""), 1_700_000_000);
    within(AT_ALL, "its message", || local.messages("Projects/from there").len() == 1);
    println!("a new folder down {took:?}");
    watching.end();
}
