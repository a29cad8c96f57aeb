//! Moving in: the other tool runs first, `import --state` takes over, and from then on nothing is moved that both sides have.

mod mbsync;
mod offlineimap;
mod pop3;

use crate::support::ferry::{Outcome, Running};
use crate::support::local::Local;
use crate::support::message::{Snapshot, differences, flags};
use crate::support::proxy::Record;
use crate::support::rig::Rig;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// The figures that count messages which were moved.
const MOVED: [&str; 6] = ["downloaded", "uploaded", "deleted_local", "deleted_remote", "moved_local", "moved_remote"];

/// Someone who used `tool` with this configuration until today.
struct Mover {
    rig: Rig,
    tool: &'static str,
    local: Local,
}

impl Mover {
    /// Writes the tool's configuration as `HOME/NAME`, readable by its owner alone as most of the tools want it.
    fn new(rig: Rig, tool: &'static str, (name, text): (&str, &str)) -> Self {
        let path = rig.ferry.home().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("rc");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        let local = rig.local();
        Self { rig, tool, local }
    }

    fn home(&self) -> &Path {
        self.rig.ferry.home()
    }

    /// Runs a program of the tool's, which must succeed.
    #[track_caller]
    fn theirs(&self, program: &str, args: &[&str]) {
        let outcome = self.tried(program, args);
        outcome.assert_code(0);
    }

    fn tried(&self, program: &str, args: &[&str]) -> Outcome {
        let mut command = Command::new(program);
        command.args(args);
        self.rig.ferry.dress(&mut command);
        Running::new(command).finish(LONG)
    }

    /// The profile that comes out becomes ours; its text.
    #[track_caller]
    fn import(&self, rc: &str) -> Outcome {
        let outcome = self.rig.ferry.run(&["import", self.tool, rc, "--with-passwords"]);
        outcome.assert_code(0);
        self.rig.ferry.write_raw_config(&outcome.stdout);
        outcome
    }

    /// Takes over the state: first as a dry run, which must change nothing. What both said is the same but for the mood.
    #[track_caller]
    fn take_over(&self, rc: &str) -> Outcome {
        let before = tree(self.home());
        let dry = self.rig.ferry.run(&["import", self.tool, rc, "--state", "-n"]);
        dry.assert_code(0);
        assert_eq!(tree(self.home()), before, "a dry run changes nothing");
        let outcome = self.rig.ferry.run(&["import", self.tool, rc, "--state"]);
        outcome.assert_code(0);
        let lines = |outcome: &Outcome| outcome.stdout.lines().filter(|l| !l.contains(" fetched")).count();
        assert_eq!(lines(&outcome), lines(&dry), "the dry run told what comes: {}{}", dry.stdout, outcome.stdout);
        outcome
    }

    /// Fails unless a run moves no message; gives its outcome.
    #[track_caller]
    fn moves_nothing(&self) -> Outcome {
        self.rig.proxy.clear();
        let outcome = self.rig.ferry.json(&["run"]);
        outcome.assert_code(0);
        for figure in MOVED {
            assert_eq!(outcome.figure(figure), 0, "{figure}: {}{}", outcome.stdout, outcome.stderr);
        }
        outcome
    }

    /// Both sides hold the same but for dates, which these tools keep only when asked, and mbsync's own header.
    #[track_caller]
    fn assert_same(&self) {
        let text = differences(&plain(self.rig.remote()), &plain(self.local.snapshot()));
        assert!(text.is_empty(), "{text}");
    }

    /// Moves in, and afterwards all is as one who always used mailferry would have it.
    #[track_caller]
    fn moves_in(&self, rc: &str) -> Outcome {
        self.import(rc);
        let told = self.take_over(rc);
        let first = self.moves_nothing();
        assert_eq!(first.figure("flags_local") + first.figure("flags_remote"), 0, "{}", first.stdout);
        // What has one size and one header on both sides is known without its body.
        let commands = self.rig.proxy.records().iter().flat_map(Record::commands).collect::<Vec<_>>();
        let bodies: Vec<_> = commands.iter().filter(|c| c.contains("BODY.PEEK[]")).collect();
        assert!(bodies.is_empty(), "{bodies:?}");
        self.assert_same();
        for command in [&["verify"][..], &["verify", "--deep"]] {
            self.rig.ferry.run(command).assert_code(0);
        }
        let second = self.moves_nothing();
        assert!(second.figure("round_trips") <= 6, "{}", second.stdout);
        told
    }

    /// A change of each kind on each side arrives on the other.
    #[track_caller]
    fn goes_on(&self, folder: &str) {
        let mut session = self.rig.mailbox();
        let last = session.messages(folder).pop().expect("a message");
        session.store(folder, last.uid(), &flags(if last.flags.contains("F") { "S" } else { "FS" }));
        session.append(folder, b"Subject: from there\n\nx\n", &flags("S"), 1_700_000_000);
        self.local.deliver(folder, b"Subject: from here\n\ny\n", &flags("S"), 1_700_000_000);
        let outcome = self.rig.ferry.json(&["run"]);
        outcome.assert_code(0);
        assert_eq!((outcome.figure("downloaded"), outcome.figure("uploaded")), (1, 1), "{}", outcome.stdout);
        assert_eq!(outcome.figure("flags_local"), 1, "{}", outcome.stdout);
        let first = self.local.messages(folder).into_iter().next().expect("a message");
        self.local.delete(Path::new(&first.place));
        let gone = self.rig.ferry.json(&["run"]);
        gone.assert_code(0);
        assert_eq!(gone.figure("deleted_remote"), 1, "{}", gone.stdout);
        self.assert_same();
        self.moves_nothing();
    }
}

/// Without dates, and without the header that mbsync adds.
fn plain(snapshot: Snapshot) -> Snapshot {
    let without = |bytes: &[u8]| {
        let lines = bytes.split_inclusive(|b| *b == b'\n');
        lines.filter(|line| !line.starts_with(b"X-TUID: ")).flatten().copied().collect::<Vec<u8>>()
    };
    let strip = |mut all: Vec<crate::support::message::Msg>| {
        for message in &mut all {
            message.date = 0;
            message.bytes = without(&message.bytes);
        }
        all
    };
    snapshot.into_iter().map(|(folder, all)| (folder, strip(all))).collect()
}

/// Every file and directory below `root`, with the files' bytes.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                all.insert(path.clone(), None);
                open.push(path);
            } else {
                all.insert(path.clone(), fs::read(&path).ok());
            }
        }
    }
    all
}
