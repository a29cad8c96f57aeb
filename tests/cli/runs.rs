//! `run`, `sync`, `fetch` as wholes: several accounts, locks, hooks, copies, interruptions.

use std::fs;

use crate::support::corpus::Corpus;
use crate::support::dovecot::Dovecot;
use crate::support::ferry::{ACCOUNT, Ferry};
use crate::support::message::flags;
use crate::support::rig::Rig;

fn filled(hint: &str) -> Rig {
    let rig = Rig::usual(hint);
    rig.fill(&mut Corpus::new(7), &["INBOX", "Lists"], 6);
    rig
}

#[test]
fn silence_when_all_is_well_and_a_summary_when_asked() {
    let rig = filled("silent");
    let first = rig.ferry.run(&["run"]);
    first.assert_code(0);
    assert!(first.stdout.is_empty() && first.stderr.is_empty(), "{first:?}");
    let told = rig.ferry.run(&["run", "-v"]);
    assert!(told.stdout.is_empty() && told.stderr.contains("nothing new"), "{told:?}");
    let quiet = rig.ferry.run(&["run", "-v", "-q"]);
    assert!(quiet.stdout.is_empty() && quiet.stderr.is_empty(), "{quiet:?}");
}

#[test]
fn a_dry_run_makes_nothing() {
    let rig = filled("dry");
    let plan = rig.ferry.json(&["run", "-n"]);
    plan.assert_code(0);
    assert!(plan.events_of("planned").iter().filter(|e| e["action"] == "download").count() == 6, "{}", plan.stdout);
    assert!(!rig.ferry.home().join("Mail").exists());
}

#[test]
fn two_accounts_of_one_maildir_take_turns() {
    let rig = filled("turns");
    let raw = fs::read_to_string(rig.ferry.config()).unwrap();
    let root = rig.ferry.home().join("Mail").join(ACCOUNT);
    let user = rig.server.user("turns-pop");
    let port = rig.server.pop3().port();
    let more = format!(
        "[accounts.pop]\nprotocol = \"pop3\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = {user:?}\n\
         password_command = \"echo {}\"\nmaildir = {root:?}\nfolder = \"Fetched\"\n",
        crate::support::dovecot::PASSWORD
    );
    rig.ferry.write_raw_config(&(raw + &more));
    let outcome = rig.ferry.json(&["run"]);
    outcome.assert_code(0);
    assert_eq!(outcome.events_of("summary").len(), 2, "{}", outcome.stdout);
}

#[test]
fn a_held_maildir_is_75_with_a_summary_and_wait_waits() {
    let rig = filled("held");
    rig.ferry.sync();
    let lock = fs::File::open(rig.ferry.home().join("Mail/work/.mailferry/lock")).unwrap();
    lock.lock().unwrap();
    let busy = rig.ferry.json(&["sync"]);
    busy.assert_code(75);
    assert_eq!((busy.figure("exit"), busy.events_of("error").len()), (75, 1));
    let waiting = rig.ferry.start(&["sync", "--wait", "--json"]);
    drop(lock);
    waiting.finish(std::time::Duration::from_secs(30)).assert_code(0);
}

#[test]
fn a_source_that_fails_is_78_and_the_other_account_goes_on() {
    let rig = filled("source");
    let raw = fs::read_to_string(rig.ferry.config()).unwrap();
    let more = "[accounts.bad]\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = 1\nuser = \"x\"\n\
                password_command = \"exit 3\"\nmaildir = \"~/bad\"\n";
    rig.ferry.write_raw_config(&(raw + more));
    let outcome = rig.ferry.json(&["run"]);
    outcome.assert_code(78);
    let mut ends: Vec<(String, u64)> = outcome
        .events_of("summary")
        .iter()
        .map(|e| (e["account"].as_str().unwrap().to_owned(), e["exit"].as_u64().unwrap()))
        .collect();
    ends.sort();
    assert_eq!(ends, [("bad".to_owned(), 78), ("work".to_owned(), 0)]);
}

#[test]
fn hooks_run_once_after_a_run_and_never_in_a_dry_one() {
    let mut rig = filled("hooks");
    let said = rig.ferry.home().join("said");
    let tell = |word: &str| {
        let line = format!(
            "echo {word} $MAILFERRY_ACCOUNT $MAILFERRY_NEW $(wc -l < $MAILFERRY_CHANGED) >> {}",
            said.display()
        );
        format!("{line:?}")
    };
    rig.ferry.set("on_new", &tell("new"));
    rig.ferry.set("after", &tell("after"));
    rig.ferry.run(&["sync", "-n"]).assert_code(0);
    assert!(!said.exists());
    rig.ferry.sync();
    rig.ferry.sync();
    assert_eq!(fs::read_to_string(&said).unwrap(), "new work 6 6\nafter work 6 6\nafter work 0 0\n");
    rig.ferry.set("after", "\"exit 7\"");
    let outcome = rig.ferry.run(&["sync"]);
    outcome.assert_code(0);
    assert!(outcome.stderr.starts_with("warning: work: the command of `after` failed"), "{}", outcome.stderr);
}

#[test]
fn a_copied_maildir_deletes_nothing_in_its_first_run() {
    let rig = filled("copy");
    rig.ferry.sync();
    let mail = rig.ferry.home().join("Mail");
    let copied = std::process::Command::new("cp").arg("-a").arg(&mail).arg(rig.ferry.home().join("Copy")).status();
    assert!(copied.unwrap().success());
    fs::remove_dir_all(&mail).unwrap();
    fs::rename(rig.ferry.home().join("Copy"), &mail).unwrap();
    let local = rig.local();
    let gone = local.messages("Lists").remove(0);
    local.delete(gone.place.as_ref());
    let first = rig.ferry.sync();
    assert_eq!(first.figure("deleted_remote"), 0, "{}", first.stdout);
    assert!(first.events_of("warning").iter().any(|e| e["message"].as_str().unwrap().contains("copy")));
    assert_eq!(rig.remote()["Lists"].len(), 3);
    let second = rig.ferry.sync();
    assert_eq!((second.events_of("warning").len(), second.figure("deleted_remote")), (0, 1), "{}", second.stdout);
}

#[test]
fn an_account_without_a_profile() {
    let server = Dovecot::usual();
    let rig = Rig::usual("adhoc2");
    rig.mailbox().append("INBOX", b"Subject: x\n\nhello\n", &flags(""), 1_600_000_000);
    let url = format!("imap+insecure://{}@127.0.0.1:{}", rig.user, server.imap().port());
    let ferry = Ferry::new();
    let password = format!("echo {}", crate::support::dovecot::PASSWORD);
    let args = ["sync", url.as_str(), "--into", "here", "--password-command", &password];
    let outcome = ferry.json(&args);
    outcome.assert_code(0);
    assert_eq!(outcome.figure("downloaded"), 1);
    assert!(ferry.home().join("here/INBOX/new").is_dir());
}
