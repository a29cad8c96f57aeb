//! Hazards that come from the disk, from deaths, and from what people do to folders.

use super::*;
use crate::support::ferry::{AccountKeys, Running};
use crate::support::message::differences;
use std::fs::{File, FileTimes};
use std::time::Duration;

/// An account with `names` in INBOX on both sides, where deletions are final.
fn in_step(hint: &str, names: &[&str]) -> Rig {
    let mut rig = Rig::usual(hint);
    rig.ferry.set("on_delete", "\"expunge\"");
    rig.ferry.set("max_delete", "\"100%\"");
    let mut session = rig.mailbox();
    session.create("Work");
    names.iter().for_each(|name| _ = session.append("INBOX", &mail(name), &flags("S"), DATE));
    rig.sync();
    rig
}

#[test]
fn hazard_07_a_delivery_is_durable_before_its_row() {
    let mut rig = Rig::usual("durable");
    rig.ferry.set("on_delete", "\"expunge\"");
    (0..3).for_each(|i| _ = rig.mailbox().append("INBOX", &mail(&format!("m{i}")), &flags("S"), DATE));
    let program = rig.ferry.command(&["sync"]);
    let log = rig.ferry.home().join("strace");
    let mut strace = Command::new("strace");
    rig.ferry.dress(&mut strace);
    strace.args(["-f", "-y", "-qq", "-o"]).arg(&log).args(["-e", "trace=renameat2,fsync,fdatasync,syncfs,pwrite64"]);
    strace.arg(program.get_program()).args(program.get_args());
    Running::new(strace).finish(Duration::from_secs(60)).assert_code(0);
    let text = fs::read_to_string(&log).expect("what strace saw");
    let lines: Vec<&str> = text.lines().collect();
    let renames = |l: &&str| l.contains("renameat2(") && l.contains("INBOX") && l.contains(".mailferry");
    let last = lines.iter().rposition(renames).unwrap_or_else(|| panic!("no delivery in\n{text}"));
    let row = lines.iter().skip(last).position(|l| l.contains("pwrite64(") && l.contains("state.db"));
    let row = last + row.unwrap_or_else(|| panic!("no row after the delivery in\n{text}"));
    let synced = |l: &&str| l.contains("sync") && l.contains("INBOX/cur>");
    assert!(lines[last..row].iter().any(synced), "the folder was not durable before its rows:\n{text}");
    let first = lines.iter().position(renames).expect("a delivery");
    let bodies = |l: &&str| l.contains("sync") && l.contains("INBOX/tmp/");
    assert!(lines[..first].iter().any(|l| bodies(l) || l.contains("syncfs(")), "renamed before written:\n{text}");
}

#[test]
fn hazard_13_a_directory_time_set_back_hides_no_deletion() {
    let rig = in_step("forged", &["a", "b"]);
    rig.sync();
    let cur = rig.local().dir("INBOX").join("cur");
    let modified = fs::metadata(&cur).and_then(|m| m.modified()).expect("a time");
    delete(&rig.ferry, "INBOX", "a");
    File::open(&cur).and_then(|d| d.set_times(FileTimes::new().set_modified(modified))).expect("set back");
    rig.sync();
    rig.assert_in_step();
    assert_eq!(rig.remote()["INBOX"].len(), 1);
}

#[test]
fn hazard_17_a_folder_that_comes_back_into_the_selection_deletes_nothing() {
    let mut rig = in_step("asleep", &["a"]);
    let mut session = rig.mailbox();
    ["w1", "w2"].iter().for_each(|name| _ = session.append("Work", &mail(name), &flags("S"), DATE));
    rig.sync();
    rig.ferry.set("folders", "[\"INBOX\"]");
    rig.sync();
    delete(&rig.ferry, "Work", "w1");
    rig.ferry.set("folders", "[\"*\"]");
    rig.ferry.json(&["sync"]);
    assert_eq!(rig.remote()["Work"].len(), 2, "deleted in the first run after the folder came back");
}

#[test]
fn hazard_17_a_folder_renamed_on_the_server_is_renamed_here() {
    let rig = in_step("renamed", &["a"]);
    let mut session = rig.mailbox();
    ["w1", "w2", "w3"].iter().for_each(|name| _ = session.append("Work", &mail(name), &flags("S"), DATE));
    rig.sync();
    session.rename("Work", "Projects");
    let (outcome, _) = rig.sync();
    assert_eq!((outcome.figure("downloaded"), outcome.figure("deleted_local")), (0, 0));
    assert_eq!(local(&rig.ferry, "Projects"), ["w1", "w2", "w3"]);
    let there = rig.remote();
    assert!(!there.contains_key("Work"), "created again");
    assert_eq!(there["Projects"].len(), 3);
}

#[test]
fn hazard_18_no_two_accounts_in_one_directory_or_one_inside_the_other() {
    let server = crate::support::dovecot::Dovecot::usual();
    let user = server.user("roots");
    for below in ["", "/inner", "/."] {
        let ferry = Ferry::at(&server, &user);
        let text = fs::read_to_string(ferry.config()).expect("the config");
        let root = ferry.local().root.display().to_string();
        let keys = AccountKeys::plain("imap", server.ports.imap, &user);
        let other = Ferry::new().account("other", keys);
        let second = fs::read_to_string(other.config()).expect("the config");
        let own = other.home().join("Mail/other").display().to_string();
        ferry.write_raw_config(&format!("{text}\n{}", second.replace(&own, &format!("{root}{below}"))));
        let outcome = ferry.json(&["sync"]);
        outcome.assert_code(78);
        assert!(!ferry.local().root.exists(), "something was made before the refusal");
    }
}

#[test]
fn hazard_08_an_empty_file_is_damage_and_fetched_again() {
    let rig = in_step("empty", &["a", "b"]);
    let place = rig.local().messages("INBOX").remove(0).place;
    let before = rig.remote();
    fs::write(&place, b"").expect("a torn file");
    // A file that is overwritten in place changes no directory time: the weekly look in full finds it.
    for _ in 0..2 {
        rig.ferry.json(&["sync", "--full"]);
    }
    assert_eq!(rig.remote(), before, "the damage was carried to the server");
    assert_eq!(local(&rig.ferry, "INBOX"), ["a", "b"]);
}

#[test]
fn hazard_19_a_file_delivered_without_a_row_and_then_moved_stays_one() {
    let mut rig = Rig::usual("unrecorded");
    rig.ferry.set("on_delete", "\"expunge\"");
    let mut session = rig.mailbox();
    session.create("Work");
    ["a", "b"].iter().for_each(|name| _ = session.append("INBOX", &mail(name), &flags("S"), DATE));
    let mut command = rig.ferry.command(&["sync"]);
    command.env("MAILFERRY_CHECKPOINT", "download.delivered:1");
    let died = Running::new(command).finish(Duration::from_secs(60));
    assert!(died.signal.is_some(), "it did not die: {:?}", died.code);
    let delivered = rig.local().messages("INBOX");
    assert_eq!(delivered.len(), 2);
    rig.local().mv("INBOX", Path::new(&delivered[0].place), "Work");
    rig.sync();
    rig.sync();
    assert_eq!(differences(&rig.remote(), &rig.local().snapshot()), "");
    let both = sorted(local(&rig.ferry, "INBOX").into_iter().chain(local(&rig.ferry, "Work")));
    assert_eq!(both, ["a", "b"]);
}
