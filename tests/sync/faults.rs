//! Runs that are cut off or killed anywhere lose nothing, double nothing and are completed by the next.
//!
//! A sample of the places is tried; `MAILFERRY_FAULTS=N` tries N of each story and direction, `MAILFERRY_FAULTS=all` every one.

use crate::support::corpus::Rng;
use crate::support::ferry::{Ferry, Running};
use crate::support::message::Snapshot;
use crate::support::proxy::{End, Fault, Manner, Way};
use crate::support::story::{STORIES, Story};
use std::collections::VecDeque;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// How many faults at once: most of the time passes in waiting for retries and directory times.
const AT_ONCE: usize = 6;

/// Runs longer than this hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The places below `end` to try: `usual` of them, other numbers by the environment.
fn places(end: u64, usual: usize, seed: u64) -> Vec<u64> {
    let wanted = std::env::var("MAILFERRY_FAULTS").unwrap_or_default();
    if wanted == "all" {
        return (0..end).collect();
    }
    let count = wanted.parse().unwrap_or(usual);
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.any() % end.max(1)).collect()
}

/// Tries every case, several at once, and fails with all complaints.
pub fn try_all<T: Send + std::fmt::Debug>(cases: Vec<T>, attempt: impl Fn(&T) -> String + Sync) {
    let queue = Mutex::new(VecDeque::from(cases));
    let wrong = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(|e| e.into_inner()).pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let found = attempt(&case);
                    if !found.is_empty() {
                        wrong.lock().unwrap_or_else(|e| e.into_inner()).push(format!("{case:?}:\n{found}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(|e| e.into_inner());
    assert!(wrong.is_empty(), "{} faults did harm:\n{}", wrong.len(), wrong.join("\n"));
}

fn cut_story(story: Story) {
    let (reference, bytes) = story.reference();
    let mut cases = Vec::new();
    for (way, end) in [(Way::Up, bytes[0]), (Way::Down, bytes[1])] {
        for after in places(end, 8, end) {
            let how = if after % 3 == 0 { End::Rst } else { End::Fin };
            cases.push(Fault::Cut { way, after, end: how });
        }
    }
    try_all(cases, |fault| {
        let rig = story.begin();
        rig.proxy.restart(Manner { fault: Some(*fault), ..Manner::default() });
        let outcome = rig.ferry.json(&["sync"]);
        if !matches!(outcome.code, Some(0 | 69 | 75)) {
            return format!("exit code {:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr);
        }
        story.aftermath(&rig, &reference)
    });
}

#[test]
fn a_pull_may_be_cut_anywhere() {
    cut_story(Story::Pull);
}

#[test]
fn an_upload_may_be_cut_anywhere() {
    cut_story(Story::Upload);
}

#[test]
fn a_mixed_sync_may_be_cut_anywhere() {
    cut_story(Story::Mixed);
}

#[test]
fn moves_and_deletions_may_be_cut_anywhere() {
    cut_story(Story::MovesAndDeletions);
}

/// The system calls before which a kill is tried: everything durable and everything said to the server.
const CALLS: [&str; 8] =
    ["renameat2", "fsync", "fdatasync", "pwrite64", "unlinkat,unlink", "sendto,write", "openat", "utimensat"];

#[test]
fn a_kill_before_any_system_call_does_no_harm() {
    assert!(Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok(), "strace is needed");
    let references: Vec<(Story, Snapshot)> = STORIES.iter().map(|s| (*s, s.reference().0)).collect();
    let mut cases = Vec::new();
    for (number, story) in STORIES.iter().enumerate() {
        for call in CALLS {
            let usual = 1 + usize::from(call == "renameat2") * 2;
            cases.extend(places(30, usual, number as u64).into_iter().map(|nth| (*story, call, nth + 1)));
        }
    }
    try_all(cases, |(story, call, nth)| {
        let rig = story.begin();
        killed(&rig.ferry, call, *nth);
        let reference = references.iter().find(|(s, _)| s == story).map(|(_, r)| r);
        reference.map_or_else(|| "no reference".to_owned(), |r| story.aftermath(&rig, r))
    });
}

/// Runs `sync` and kills it before the nth call of a kind; a run with fewer such calls ends by itself.
pub fn killed(ferry: &Ferry, call: &str, nth: u64) {
    let program = ferry.command(&["sync"]);
    let mut strace = Command::new("strace");
    ferry.dress(&mut strace);
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
    strace.arg(format!("inject={call}:signal=KILL:when={nth}"));
    strace.arg(program.get_program()).args(program.get_args());
    let outcome = Running::new(strace).finish(PATIENCE);
    assert!(!outcome.stderr.contains("strace:"), "strace cannot trace here: {}", outcome.stderr);
}
