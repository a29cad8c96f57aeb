//! Runs with much to lose, always the same for the same story: what a fault interrupts and a later run must complete; and the one check
//! of the aftermath.

use super::corpus::{Corpus, Kind as Mail};
use super::disk::{CALLS, Recording};
use super::ferry::{ACCOUNT, Outcome};
use super::ground::{Ground, Holdings, Kind, Saved};
use super::message::{Flags, Msg, Snapshot, differences, flags};
use super::proxy::Way;
use super::strace;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// What the run under test has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Story {
    /// The first download of everything.
    Pull,
    /// New messages, flags, moves and deletions on both sides.
    Mixed,
    /// New messages here only.
    Upload,
    /// Moves and deletions only.
    Moves,
    /// Flags and keywords only, on both sides.
    Flags,
    /// Both sides have most of it, and the state is gone.
    Adoption,
    /// POP3: some known, some new, all kept.
    PopKeep,
    /// POP3: some known, some new, all deleted after the download.
    PopDelete,
    /// The same by IMAP.
    ImapDelete,
}

/// Every story.
pub const STORIES: [Story; 9] = [
    Story::Pull,
    Story::Mixed,
    Story::Upload,
    Story::Moves,
    Story::Flags,
    Story::Adoption,
    Story::PopKeep,
    Story::PopDelete,
    Story::ImapDelete,
];

const FOLDERS: [&str; 3] = ["INBOX", "Work", "Work/Old"];

impl Story {
    /// Its name in cases.
    pub fn name(self) -> String {
        format!("{self:?}").to_ascii_lowercase()
    }

    /// The command of the run under test, and of those after it.
    pub fn command(self) -> &'static [&'static str] {
        match self {
            Self::PopKeep => &["fetch", ACCOUNT, "--json"],
            Self::PopDelete | Self::ImapDelete => &["fetch", ACCOUNT, "--delete", "--json"],
            Self::Pull | Self::Mixed | Self::Upload | Self::Moves | Self::Flags | Self::Adoption => &["sync", "--json"],
        }
    }

    pub fn is_pop3(self) -> bool {
        matches!(self, Self::PopKeep | Self::PopDelete)
    }

    /// How many runs may be needed to the end: what a run itself moves to the server's Trash comes down with the next.
    fn runs(self) -> usize {
        if matches!(self, Self::Mixed | Self::Moves) { 2 } else { 1 }
    }

    fn prepare(self, ground: &Ground) {
        let mut corpus = Corpus::new(self as u64 + 100);
        if self.is_pop3() || self == Self::ImapDelete {
            for number in 0..10 {
                ground.post(number, &small(&mut corpus, number));
                if number == 3 {
                    run(ground, &["fetch", ACCOUNT, "--json"]);
                }
            }
            return;
        }
        let mut session = ground.mailbox();
        for folder in FOLDERS {
            session.create(folder);
        }
        for i in 0..12 {
            let bytes = if i == 7 { corpus.twin() } else { small(&mut corpus, i) };
            session.append(FOLDERS[i % 3], &bytes, &corpus.flags(), corpus.date());
        }
        drop(session);
        if self != Self::Pull {
            run(ground, self.command());
            self.change(ground, &mut corpus);
        }
    }

    fn change(self, ground: &Ground, corpus: &mut Corpus) {
        let (local, mut session) = (ground.local(), ground.mailbox());
        let at = |folder: &str, index: usize| {
            let mut all = local.messages(folder);
            all.sort_by_key(|m| m.date);
            std::path::PathBuf::from(all[index].place.clone())
        };
        if matches!(self, Self::Mixed | Self::Upload | Self::Adoption) {
            for (i, folder) in ["INBOX", "Work", "Work"].into_iter().enumerate() {
                local.deliver(folder, &small(corpus, i), &flags("S work"), corpus.date());
            }
            let twin = corpus.twin();
            local.deliver("Work", &twin, &flags("S work"), 1_600_000_000);
        }
        if matches!(self, Self::Mixed | Self::Moves) {
            let inbox = session.messages("INBOX");
            local.delete(&at("Work/Old", 0));
            local.mv("Work/Old", &at("Work/Old", 0), "INBOX");
            session.delete("INBOX", inbox[0].uid());
            session.mv("INBOX", inbox[1].uid(), "Work");
        }
        if matches!(self, Self::Mixed | Self::Flags) {
            let (inbox, work) = (session.messages("INBOX"), session.messages("Work"));
            session.store("INBOX", inbox[1].uid(), &flags("FRS todo"));
            session.store("Work", work[0].uid(), &flags("F"));
            local.set_flags("Work/Old", &at("Work/Old", 0), &flags("RS later"));
        }
        if self == Self::Flags {
            for (index, letters) in [(0, "S"), (1, "FT"), (2, ""), (3, "RS work todo")] {
                local.set_flags("Work", &at("Work", index), &flags(letters));
                let uid = session.messages("INBOX")[index].uid();
                session.store("INBOX", uid, &flags(["R", "S later", "P", ""][index]));
            }
        }
        if matches!(self, Self::Mixed | Self::Adoption) {
            session.append("INBOX", &small(corpus, 0), &flags(""), corpus.date());
            session.append("Work/Old", &corpus.same_message_id(), &flags("S"), corpus.date());
        }
        if self == Self::Adoption {
            std::fs::remove_dir_all(local.root.join(".mailferry")).expect("the state");
        }
    }
}

/// A message of a few hundred bytes.
fn small(corpus: &mut Corpus, number: usize) -> Vec<u8> {
    corpus.of_kind([Mail::LeadingDots, Mail::EmptyBody, Mail::NoFinalNewline][number % 3])
}

fn run(ground: &Ground, command: &[&str]) {
    ground.ferry.run(command).assert_code(0);
}

/// Harm that was found, counted by its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Messages that one side should have and has not.
    pub lost: usize,
    /// Messages that one side has more than once.
    pub doubled: usize,
    /// Files that are no whole message.
    pub torn: usize,
    /// Everything else: flags, dates, exit codes, half-written files left, work not done.
    pub other: usize,
    /// All of it in words.
    pub text: String,
}

impl Harm {
    pub fn is_none(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds something that is none of the three.
    pub fn note(&mut self, text: &str) {
        self.other += 1;
        _ = writeln!(self.text, "{text}");
    }
}

/// What may differ from an undisturbed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    Nothing,
    /// Of a message that was moved, a copy in the Trash: where one of the two folders could not be read, the two ends are not known
    /// for one move, and the arrival is a new message, the other end a deleted one.
    CopiesInTrash,
}

/// An undisturbed run, seen from both sides.
pub struct Film {
    pub recording: Recording,
    /// What the server held, each from the moment of the command that made it so.
    history: Vec<(SystemTime, Holdings)>,
}

impl Film {
    /// The states that the server may have had between this change of the disk and the next, the latest first, by number.
    pub fn states(&self, change: usize) -> Vec<usize> {
        let (from, to) = (self.recording.time(change), self.recording.time(change + 1));
        let begun = |time: SystemTime| self.history.iter().rposition(|(begin, _)| *begin <= time).unwrap_or(0);
        (begun(from)..=begun(to)).rev().collect()
    }

    /// A state by its number.
    pub fn state(&self, number: usize) -> &Holdings {
        &self.history[number].1
    }
}

/// Whether everything that is said with a server is to be told: when a single case is looked at.
pub static TELL_ALL: AtomicBool = AtomicBool::new(false);

/// A story on a ground, ready to be broken again and again.
pub struct Stage {
    pub story: Story,
    pub ground: Ground,
    /// Where the run under test begins.
    pub saved: Saved,
    /// What the server and the Maildir hold in the end when nothing goes wrong.
    reference: (Snapshot, Snapshot),
    /// Every content there ever was, to tell a torn file from a doubled one.
    contents: Vec<Vec<u8>>,
    /// How many bytes an undisturbed run moves up and down.
    pub bytes: [u64; 2],
    /// An undisturbed run, recorded when it is first asked for.
    pub film: OnceLock<Film>,
}

impl Stage {
    /// Sets a story up and plays it once undisturbed.
    ///
    /// # Panics
    /// If the undisturbed runs do not bring both sides in step.
    pub fn new(story: Story, kind: Kind) -> Self {
        let kind = if story.is_pop3() && kind == Kind::FakeImap { Kind::FakePop3 } else { kind };
        let mut ground = Ground::new(kind, story.is_pop3());
        ground.ferry.set("timeout", "\"30s\"");
        if !story.is_pop3() {
            ground.ferry.set("max_delete", "\"100%\"");
        }
        story.prepare(&ground);
        let saved = ground.save();
        let mut stage = Self {
            story,
            ground,
            saved,
            reference: Default::default(),
            contents: Vec::new(),
            bytes: [0; 2],
            film: OnceLock::new(),
        };
        stage.restore();
        let all = |side: &Snapshot| side.values().flatten().map(Msg::content).collect::<Vec<_>>();
        stage.contents = all(&stage.ground.remote());
        stage.contents.extend(all(&stage.local()));
        run(&stage.ground, story.command());
        stage.bytes = [Way::Up, Way::Down].map(|way| stage.ground.proxy.passed(way));
        run(&stage.ground, story.command());
        stage.ground.quiet();
        stage.reference = (stage.remote(), stage.local());
        if !story.command().contains(&"fetch") && std::env::var_os("MAILFERRY_FAULTS_PEER").is_none() {
            assert_eq!(differences(&stage.reference.0, &stage.reference.1), "", "{story:?}, undisturbed");
        }
        stage
    }

    /// Back to where the run under test begins.
    pub fn restore(&self) {
        self.ground.restore(&self.saved);
    }

    /// Runs the story's command to its end.
    pub fn run(&self) -> Outcome {
        self.ground.ferry.run(self.story.command())
    }

    /// The same with a `timeout` of a second, because a retry waits half of it.
    pub fn run_hurried(&self) -> Outcome {
        let config = self.ground.ferry.home().join("hurried.toml");
        if !config.exists() {
            let text = std::fs::read_to_string(self.ground.ferry.config()).expect("the configuration");
            std::fs::write(&config, text.replace("\"30s\"", "\"1s\"")).expect("another configuration");
            std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        }
        let mut command = self.story.command().to_vec();
        let path = config.display().to_string();
        command.extend(["-c", &path]);
        self.ground.ferry.run(&command)
    }

    /// Runs without faults until all is done, as often as may be needed, and finds what is not as it should be.
    pub fn aftermath(&self, allowed: Allowed) -> Harm {
        self.tell("with the fault");
        self.ground.proxy.restart(super::proxy::Manner::default());
        let mut harm = Harm::default();
        for _ in 0..self.story.runs() {
            let outcome = self.run();
            self.ground.quiet();
            self.tell("afterwards");
            harm = self.judge(allowed);
            if outcome.code != Some(0) {
                harm.note(&format!("the next run: {:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr));
            }
            if harm.is_none() {
                break;
            }
        }
        harm
    }

    /// An undisturbed run.
    pub fn film(&self) -> &Film {
        self.film.get_or_init(|| {
            self.restore();
            let mut calls = Vec::new();
            let ferry = &self.ground.ferry;
            let history = self.ground.with_history(|| calls = strace::recorded(ferry, self.story.command(), CALLS));
            let (base, after) = (self.saved.tree.clone(), self.ground.shelf.keep());
            Film { recording: Recording::new(&self.ground.shelf.root, base, &calls, &after), history }
        })
    }

    /// What was said since the last time, if that is wanted.
    fn tell(&self, when: &str) {
        if !TELL_ALL.load(Ordering::Relaxed) {
            return;
        }
        for record in self.ground.proxy.records() {
            eprintln!("-- {when}: {}\n{}", record.commands().join("\n"), record.server());
        }
        self.ground.proxy.clear();
    }

    fn judge(&self, allowed: Allowed) -> Harm {
        let mut harm = Harm::default();
        let (mut remote, mut local) = (self.remote(), self.local());
        if allowed == Allowed::CopiesInTrash {
            for (side, want) in [(&mut remote, &self.reference.0), (&mut local, &self.reference.1)] {
                let known: Vec<_> = want.values().flatten().map(Msg::content).collect();
                let trash = want.get("Trash").map(Vec::as_slice).unwrap_or_default();
                if let Some(have) = side.get_mut("Trash") {
                    have.retain(|m| trash.iter().any(|w| w.content() == m.content()) || !known.contains(&m.content()));
                }
            }
        }
        for (side, want, have) in [("server", &self.reference.0, &remote), ("Maildir", &self.reference.1, &local)] {
            let text = differences(want, have);
            if text.is_empty() {
                continue;
            }
            _ = write!(harm.text, "{side} against an undisturbed run (“server”):\n{text}");
            let found = self.count(want, have);
            harm.lost += found[0];
            harm.doubled += found[1];
            harm.torn += found[2];
            harm.other += usize::from(found == [0; 3]);
        }
        for path in self.ground.local().leftovers() {
            harm.note(&format!("left: {}", path.display()));
        }
        harm
    }

    /// Lost, doubled and torn messages of a side.
    fn count(&self, want: &Snapshot, have: &Snapshot) -> [usize; 3] {
        let mut balance: BTreeMap<(&str, Vec<u8>), isize> = BTreeMap::new();
        for (side, step) in [(want, -1), (have, 1)] {
            for (folder, message) in side.iter().flat_map(|(f, all)| all.iter().map(move |m| (f.as_str(), m))) {
                *balance.entry((folder, message.content())).or_default() += step;
            }
        }
        let mut found = [0; 3];
        for ((_, content), surplus) in balance {
            let kind = if surplus < 0 {
                0
            } else if self.contents.contains(&content) {
                1
            } else {
                2
            };
            found[kind] += surplus.unsigned_abs();
        }
        found
    }

    fn remote(&self) -> Snapshot {
        self.view(self.ground.remote())
    }

    fn local(&self) -> Snapshot {
        self.view(self.ground.local().snapshot())
    }

    /// POP3 knows neither flags nor dates; what mbsync writes into a message to know it again is no content.
    fn view(&self, mut all: Snapshot) -> Snapshot {
        for message in all.values_mut().flatten() {
            if let Some(begin) = find(&message.bytes, b"X-TUID: ")
                && let Some(length) = find(&message.bytes[begin..], b"\n")
            {
                message.bytes.drain(begin..=begin + length);
            }
        }
        if self.story.is_pop3() {
            for message in all.values_mut().flatten() {
                (message.date, message.flags) = (0, Flags::new());
            }
            all.retain(|folder, _| Path::new(folder) == Path::new("INBOX"));
        }
        all
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
