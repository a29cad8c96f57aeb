//! Random histories: people change both sides while runs come, are killed or cut off. Nothing is lost, nothing is doubled.
//!
//! `MAILFERRY_HISTORIES=N` tries N of them, from the seed `MAILFERRY_HISTORY_FROM` on; `MAILFERRY_HISTORY=SEED` just that one,
//! whose steps are then printed.

mod change;
mod model;

use crate::harm::try_all;
use crate::support::corpus::{Corpus, Rng};
use crate::support::dovecot::{Dovecot, Options};
use crate::support::ferry::{Outcome, Running};
use crate::support::message::differences;
use crate::support::proxy::{End, Fault, Manner, Way};
use crate::support::rig::Rig;
use crate::support::strace::killed;
use change::People;
use model::{Model, Side};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How many histories without `MAILFERRY_HISTORIES`.
const USUAL: u64 = 10;

/// Runs longer than this hang.
const PATIENCE: Duration = Duration::from_secs(40);

/// Undisturbed runs after which both sides must be in step.
const RUNS: usize = 4;

/// Where a sync can be told to die.
const CHECKPOINTS: [&str; 17] = [
    "remote.created",
    "remote.move",
    "remote.copied",
    "download.delivered",
    "upload.intended",
    "upload.sent",
    "remote.store",
    "remote.delete",
    "remote.marked",
    "change.synced",
    "change.renamed",
    "change.removed",
    "folder.created",
    "deliver.written",
    "deliver.renamed",
    "deliver.committed",
    "keywords.saved",
];

/// Calls before which a kill is tried.
const CALLS: [&str; 5] = ["renameat2", "fsync,fdatasync", "pwrite64", "unlinkat,unlink", "sendto,write"];

/// One history at work.
struct History {
    rig: Rig,
    people: People,
    rng: Rng,
    hidden_codes: Vec<&'static str>,
    trash: bool,
    told: Vec<String>,
}

impl History {
    fn begin(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let without: &[&'static str] = match rng.below(6) {
            0 => &["QRESYNC"],
            1 => &["QRESYNC", "CONDSTORE"],
            2 => &["QRESYNC", "CONDSTORE", "UIDPLUS", "MOVE", "LIST-STATUS", "MULTIAPPEND"],
            _ => &[],
        };
        let hidden_codes = if without.contains(&"UIDPLUS") { vec!["APPENDUID", "COPYUID"] } else { Vec::new() };
        let mut rig = Rig::new(Dovecot::shared(&Options::without(without)), "history");
        // Short, because a retry waits half of it.
        rig.ferry.set("timeout", "\"4s\"");
        rig.ferry.set("max_delete", "\"100%\"");
        // A renamed folder leaves an empty one behind, which goes only when asked for.
        rig.ferry.set("delete_folders", "true");
        let trash = rng.chance(30);
        if !trash {
            rig.ferry.set("on_delete", "\"expunge\"");
        }
        if rng.chance(25) {
            rig.ferry.set("layout", "\"maildir++\"");
        }
        let mut corpus = Corpus::new(seed);
        rig.mailbox().create("Work/Entwürfe");
        rig.fill(&mut corpus, &["INBOX", "Work", "Work/Entwürfe"], 9);
        let people = People { corpus, model: Model::default(), renames: 0 };
        let told = vec![format!("seed {seed}, trash {trash}, without {without:?}")];
        Self { rig, people, rng, hidden_codes, trash, told }
    }

    fn manner(&self, fault: Option<Fault>) {
        let hidden_codes = self.hidden_codes.clone();
        self.rig.proxy.restart(Manner { fault, hidden_codes, ..Manner::default() });
    }

    /// A change or a run, whatever comes.
    fn step(&mut self) -> Result<(), String> {
        match self.rng.below(100) {
            0..=34 => self.change(Side::Local),
            35..=69 => self.change(Side::Remote),
            70..=74 => {
                self.manner(None);
                let outcome = self.run("run", None)?;
                self.expect(&outcome, &[0])?;
            }
            75..=84 => self.die_at_checkpoint()?,
            85..=88 => self.die_at_call(),
            89..=95 => self.cut()?,
            _ => self.change_during_a_run()?,
        }
        Ok(())
    }

    fn change(&mut self, side: Side) {
        let told = self.people.change(&self.rig, side);
        self.told.push(told);
    }

    fn run(&mut self, what: &str, checkpoint: Option<&str>) -> Result<Outcome, String> {
        self.rig.proxy.clear();
        let mut command = self.rig.ferry.command(&["sync", "--json"]);
        if let Some(checkpoint) = checkpoint {
            command.env("MAILFERRY_CHECKPOINT", checkpoint);
        }
        let outcome = Running::new(command).finish(PATIENCE);
        let ended = outcome.code.map_or("killed".to_owned(), |c| format!("exit {c}"));
        self.told.push(format!("RUN {what}: {ended}\n{}{}{}", outcome.stdout, outcome.stderr, self.wire()));
        if outcome.stderr.contains("panicked") {
            return Err("the program panicked".to_owned());
        }
        Ok(outcome)
    }

    /// What the last run said to the server.
    fn wire(&self) -> String {
        let commands = self.rig.proxy.records().into_iter().flat_map(|r| r.commands());
        commands.map(|c| format!("    {c}\n")).collect()
    }

    fn expect(&self, outcome: &Outcome, codes: &[i32]) -> Result<(), String> {
        match outcome.code {
            Some(code) if !codes.contains(&code) => Err(format!("exit {code}")),
            _ => Ok(()),
        }
    }

    fn die_at_checkpoint(&mut self) -> Result<(), String> {
        self.manner(None);
        let at = format!("{}:{}", self.rng.pick(&CHECKPOINTS), 1 + self.rng.below(3));
        let outcome = self.run(&format!("to {at}"), Some(&at))?;
        self.expect(&outcome, &[0])
    }

    fn die_at_call(&mut self) {
        self.manner(None);
        let (call, nth) = (*self.rng.pick(&CALLS), 1 + self.rng.below(25) as u64);
        self.told.push(format!("RUN to {call} number {nth}"));
        killed(&self.rig.ferry, &["sync"], call, nth);
    }

    fn cut(&mut self) -> Result<(), String> {
        let way = *self.rng.pick(&[Way::Up, Way::Down]);
        let after = self.rng.below(if way == Way::Up { 1500 } else { 12_000 }) as u64;
        let fault = Fault::Cut { way, after, end: *self.rng.pick(&[End::Fin, End::Rst]) };
        self.manner(Some(fault));
        let outcome = self.run(&format!("with {fault:?}"), None)?;
        self.expect(&outcome, &[0, 69, 75])
    }

    /// A folder gets another name, with nothing else to do: what changes in it meanwhile may rightly be left alone. The run that
    /// carries it across may die.
    fn rename_folder(&mut self) -> Result<(), String> {
        let told = self.people.rename_folder(&self.rig);
        self.told.push(told);
        for _ in 0..self.rng.below(3) {
            match self.rng.chance(50) {
                true => self.die_at_checkpoint()?,
                false => self.die_at_call(),
            }
        }
        self.settle()
    }

    /// Another client is at work while the program is.
    fn change_during_a_run(&mut self) -> Result<(), String> {
        self.manner(None);
        self.told.push("RUN begins, changes on the server meanwhile".to_owned());
        let running = self.rig.ferry.start(&["sync", "--json"]);
        for _ in 0..3 {
            self.change(Side::Remote);
        }
        let outcome = running.finish(PATIENCE);
        self.told.push(format!(
            "RUN ends: exit {:?}\n{}{}{}",
            outcome.code,
            outcome.stdout,
            outcome.stderr,
            self.wire()
        ));
        self.expect(&outcome, &[0, 65, 69, 75])
    }

    /// Runs undisturbed until both sides are in step, and holds them against the model.
    fn settle(&mut self) -> Result<(), String> {
        self.manner(None);
        let mut wrong = String::new();
        for _ in 0..RUNS {
            let outcome = self.run("undisturbed", None)?;
            self.expect(&outcome, &[0])?;
            wrong = differences(&self.rig.remote(), &self.rig.local().snapshot());
            for path in self.rig.local().leftovers() {
                wrong += &format!("left: {}\n", path.display());
            }
            if wrong.is_empty() {
                break;
            }
        }
        let all = self.rig.remote();
        wrong += &self.people.model.complaints(&all);
        self.people.model = Model::new(&all, self.trash);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// A run with nothing to do.
    fn rest(&mut self) -> Result<(), String> {
        let outcome = self.run("with nothing to do", None)?;
        self.expect(&outcome, &[0])?;
        for field in ["downloaded", "uploaded", "flags_local", "flags_remote", "moved_local", "moved_remote"] {
            if outcome.figure(field) > 0 {
                return Err(format!("both sides were in step, but {field} is {}", outcome.figure(field)));
            }
        }
        Ok(())
    }

    fn tell(&mut self) -> Result<(), String> {
        self.people.model = Model::new(&self.rig.remote(), self.trash);
        self.settle()?;
        for _ in 0..3 {
            if self.rng.chance(20) {
                self.rename_folder()?;
            }
            for _ in 0..4 + self.rng.below(4) {
                self.step()?;
            }
            self.settle()?;
        }
        self.rest()
    }
}

/// What is wrong with one history; empty if nothing.
fn history(seed: u64, aloud: bool) -> String {
    let mut history = History::begin(seed);
    // A run that hangs panics; the steps that led to it are wanted all the same.
    let attempt = catch_unwind(AssertUnwindSafe(|| history.tell()));
    let result = attempt.unwrap_or_else(|_| Err("a step panicked, see above".to_owned()));
    if aloud {
        println!("{}", history.told.join("\n"));
    }
    match result {
        Ok(()) => String::new(),
        Err(wrong) => format!("{wrong}\n{}\n", history.told.join("\n")),
    }
}

#[test]
fn random_histories_with_faults_lose_and_double_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let one = number("MAILFERRY_HISTORY");
    let first = number("MAILFERRY_HISTORY_FROM").unwrap_or(1);
    let count = number("MAILFERRY_HISTORIES").unwrap_or(USUAL);
    let seeds: Vec<u64> = one.map_or_else(|| (first..first + count).collect(), |seed| vec![seed]);
    println!("histories {seeds:?}");
    try_all(seeds, |seed| history(*seed, one.is_some()));
}
