//! The system refuses a call: the disk is full, broken, not ours to write, or there are no descriptors left.

use super::{Case, of_stories, try_cases};
use crate::support::ferry::{Outcome, Running};
use crate::support::ground::Kind;
use crate::support::story::{Allowed, Harm, STORIES, Stage, Story};
use crate::support::strace::{self, Call};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

#[derive(Clone)]
struct Refusal {
    story: Story,
    call: String,
    nth: u64,
    error: &'static str,
    socket: bool,
}

impl Case for Refusal {
    fn story(&self) -> Story {
        self.story
    }

    fn allowed(&self) -> Allowed {
        Allowed::CopiesInTrash
    }

    fn name(&self) -> String {
        format!("{} {}:{}:{}", self.story.name(), self.call, self.nth, self.error)
    }

    fn play(&self, stage: &Stage) -> Harm {
        let outcome = strace::failed(&stage.ground.ferry, stage.story.command(), &self.call, self.error, self.nth);
        let mut harm = Harm::default();
        let allowed: &[i32] = match (self.error, self.socket) {
            ("EINTR", _) => &[0],
            (_, true) => &[0, 74, 75],
            (_, false) => &[0, 74],
        };
        if !outcome.code.is_some_and(|code| allowed.contains(&code)) {
            harm.note(&format!(
                "exit {:?}, signal {:?}\n{}{}",
                outcome.code, outcome.signal, outcome.stdout, outcome.stderr
            ));
        }
        if outcome.code == Some(74) && !self.socket {
            check_text(&outcome, stage, &mut harm);
        }
        harm
    }
}

/// An error of the disk names the place.
fn check_text(outcome: &Outcome, stage: &Stage, harm: &mut Harm) {
    let root = stage.ground.ferry.home().join("Mail").display().to_string();
    let named = |e: &serde_json::Value| e["message"].as_str().is_some_and(|text| text.contains(&root));
    if !outcome.events_of("error").iter().any(named) {
        harm.note(&format!("no path in the error\n{}{}", outcome.stdout, outcome.stderr));
    }
}

/// What a call may be refused with. Not among them is `utimensat`: where times cannot be set a message has another date.
fn errors_of(call: &Call) -> &'static [&'static str] {
    let makes = call.arguments.iter().any(|a| a.contains("O_CREAT") || a.contains("O_WRONLY") || a.contains("O_RDWR"));
    match call.name.as_str() {
        "open" | "openat" if makes => &["ENOSPC", "EDQUOT", "EIO", "EACCES", "EROFS", "EMFILE", "EINTR"],
        "open" | "openat" => &["EIO", "EACCES", "EMFILE", "EINTR"],
        "write" | "pwrite64" => &["ENOSPC", "EDQUOT", "EIO", "EINTR"],
        "ftruncate" | "fallocate" | "fsync" | "fdatasync" | "syncfs" => &["ENOSPC", "EDQUOT", "EIO"],
        "mkdir" | "mkdirat" | "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
            &["ENOSPC", "EDQUOT", "EIO", "EACCES", "EROFS"]
        }
        "unlink" | "unlinkat" | "rmdir" => &["EIO", "EACCES", "EROFS"],
        "read" | "pread64" => &["EIO", "EINTR"],
        "getdents64" | "statx" | "newfstatat" | "fstat" => &["EIO"],
        "socket" => &["EMFILE"],
        "recvfrom" | "sendto" => &["EIO", "EINTR"],
        "ppoll" | "poll" => &["EINTR"],
        _ => &[],
    }
}

/// Every refusal of a call on the Maildir, the state or the line.
fn refusals(stage: &Stage) -> Vec<Refusal> {
    stage.restore();
    let root = stage.ground.shelf.root.display().to_string();
    let mut of_thread: BTreeMap<(u32, String), u64> = BTreeMap::new();
    // A fault strikes every thread's nth call of a name: all of them must be such calls.
    let mut calls: BTreeMap<(String, u64), (bool, Call)> = BTreeMap::new();
    for call in strace::recorded(&stage.ground.ferry, stage.story.command(), "all") {
        let nth = of_thread.entry((call.thread, call.name.clone())).or_default();
        *nth += 1;
        let fits = is_socket(&call) || call.arguments.iter().any(|a| a.contains(&root));
        let entry = calls.entry((call.name.clone(), *nth)).or_insert_with(|| (true, call.clone()));
        entry.0 &= fits;
    }
    let mut out = Vec::new();
    for ((name, nth), (fits, call)) in calls {
        for error in errors_of(&call).iter().filter(|_| fits) {
            let socket = is_socket(&call);
            out.push(Refusal { story: stage.story, call: name.clone(), nth, error, socket });
        }
    }
    out
}

fn is_socket(call: &Call) -> bool {
    matches!(call.name.as_str(), "socket" | "recvfrom" | "sendto" | "ppoll" | "poll")
}

#[test]
fn the_system_may_refuse_any_call() {
    let cases = of_stories(&STORIES, Kind::FakeImap, refusals);
    try_cases("errors", cases, Kind::FakeImap, 60);
}

/// A first download to a disk of so many pages, which is enlarged for the second run.
#[derive(Clone)]
struct FullDisk {
    story: Story,
    pages: u64,
}

impl Case for FullDisk {
    fn story(&self) -> Story {
        self.story
    }

    fn name(&self) -> String {
        format!("{} pages:{}", self.story.name(), self.pages)
    }

    fn play(&self, stage: &Stage) -> Harm {
        let (outcome, codes) = on_small_disk(stage, self.pages);
        let mut harm = Harm::default();
        if !matches!(codes[..], [0 | 74, 0]) {
            harm.note(&format!("exits {codes:?}\n{}{}", outcome.stdout, outcome.stderr));
        }
        if codes[0] == 74 {
            check_text(&outcome, stage, &mut harm);
        }
        harm
    }
}

/// Runs the story twice on a small file system of its own, copied to the usual place afterwards; the exit codes.
fn on_small_disk(stage: &Stage, pages: u64) -> (Outcome, Vec<i32>) {
    let script = r#"mkdir -p "$1/real" && mount --bind "$1/Mail" "$1/real" && mount -t tmpfs -o "size=$2k,mode=700" none "$1/Mail" || exit 9
        home=$1; shift 2
        "$@"; first=$?
        mount -o remount,size=8m "$home/Mail"
        "$@" >&2; echo "$first $?" >"$home/codes"
        cp -a "$home/Mail/." "$home/real/""#;
    let ferry = &stage.ground.ferry;
    let program = ferry.command(stage.story.command());
    let mut command = Command::new("unshare");
    ferry.dress(&mut command);
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(ferry.home()).arg((pages * 4).to_string());
    command.arg(program.get_program()).args(program.get_args());
    let outcome = Running::new(command).finish(Duration::from_secs(60));
    let codes = std::fs::read_to_string(ferry.home().join("codes")).unwrap_or_default();
    (outcome, codes.split_whitespace().filter_map(|c| c.parse().ok()).collect())
}

#[test]
fn the_disk_may_be_full_at_any_page() {
    let stage = Stage::new(Story::Pull, Kind::FakeImap);
    if on_small_disk(&stage, 2000).1 != [0, 0] {
        println!("skipped: no file system can be mounted here");
        return;
    }
    drop(stage);
    let cases = (1..160).map(|pages| FullDisk { story: Story::Pull, pages }).collect();
    try_cases("disks", cases, Kind::FakeImap, 8);
}
