//! Runs that are broken off in every way, anywhere, lose nothing, double nothing, tear nothing, and are completed by the next.
//!
//! Four ways to break ([`kills`], [`cuts`], [`power`], [`errors`]), one description of what is broken ([`Story`]) and one check of the
//! aftermath ([`Stage::aftermath`]). Usually a sample is tried; `tests/faults` tries all:
//!
//! - `MAILFERRY_FAULTS=N` tries about N cases of each way, `all` every one;
//! - `MAILFERRY_FAULT="mixed pwrite64:17"` only the one of this name, which every failure tells, or those with this in their names;
//! - `MAILFERRY_FAULTS_MINUTES=N` stops each way after so long and says how far it came;
//! - `MAILFERRY_FAULTS_GROUND=fake` uses the servers in this process where a real one is usual;
//! - `MAILFERRY_FAULTS_PEER=1 MAILFERRY_BIN=tests/harm/mbsync` puts another program in the same place, for comparison (stories that sync; what
//!   counts are lost, doubled and torn messages, not flags and exit codes).

mod checkpoints;
mod cuts;
mod errors;
mod kills;
mod power;

use crate::support::corpus::Rng;
use crate::support::ground::Kind;
use crate::support::story::{Allowed, Harm, Stage, Story, TELL_ALL};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// One fault in one story.
pub trait Case: Clone + Send + Sync {
    fn story(&self) -> Story;

    /// What tells it from all others.
    fn name(&self) -> String;

    /// Plays the story with the fault in it; the harm seen at once.
    fn play(&self, stage: &Stage) -> Harm;

    /// What may differ in the end.
    fn allowed(&self) -> Allowed {
        Allowed::Nothing
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The kind of server where a real one is usual.
fn ground() -> Kind {
    if variable("MAILFERRY_FAULTS_GROUND").as_deref() == Some("fake") { Kind::FakeImap } else { Kind::Dovecot }
}

/// The cases to try, in an order without order: `usual` of them unless the environment says otherwise.
fn chosen<C: Case>(mut cases: Vec<C>, usual: usize) -> Vec<C> {
    if let Some(name) = variable("MAILFERRY_FAULT") {
        let exactly = cases.iter().any(|c| c.name() == name);
        cases.retain(|c| if exactly { c.name() == name } else { c.name().contains(&name) });
        TELL_ALL.store(cases.len() == 1, Ordering::Relaxed);
        return cases;
    }
    let mut rng = Rng::new(cases.len() as u64);
    for last in (1..cases.len()).rev() {
        cases.swap(last, rng.below(last + 1));
    }
    match variable("MAILFERRY_FAULTS").as_deref() {
        Some("all") => {}
        other => cases.truncate(other.and_then(|n| n.parse().ok()).unwrap_or(usual)),
    }
    cases
}

/// Whether the program is another one, which is not asked for this story.
fn peer_lacks(story: Story) -> bool {
    let asked = [Story::Pull, Story::Mixed, Story::Upload, Story::Moves].contains(&story);
    variable("MAILFERRY_FAULTS_PEER").is_some() && !asked
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Tries `usual` of the cases, or as many as asked for, several at once, and fails with the first complaints if any did harm.
fn try_cases<C: Case>(what: &str, cases: Vec<C>, kind: Kind, usual: usize) {
    let all = cases.len();
    let cases = chosen(cases, usual);
    let (planned, began) = (cases.len(), Instant::now());
    let minutes = variable("MAILFERRY_FAULTS_MINUTES").and_then(|m| m.parse().ok());
    let deadline = minutes.map(|m: u64| began + Duration::from_secs(m * 60));
    // Most of the time passes in waiting for retries and directory times; but each worker sets its stages up anew.
    let at_once = (planned / 6).clamp(1, 24);
    let queue = Mutex::new(VecDeque::from(cases));
    let total = Mutex::new((0, Harm::default(), Vec::<String>::new()));
    let next = || queue.lock().unwrap_or_else(|e| e.into_inner()).pop_front();
    let worker = || {
        let mut stages: BTreeMap<Story, Stage> = BTreeMap::new();
        while let Some(case) = next() {
            if deadline.is_some_and(|at| Instant::now() > at) {
                return;
            }
            let stage = stages.entry(case.story()).or_insert_with(|| Stage::new(case.story(), kind));
            let harm = catch_unwind(AssertUnwindSafe(|| played(stage, &case))).unwrap_or_else(|_| {
                stages.remove(&case.story());
                let mut harm = Harm::default();
                harm.note("a panic, told above");
                harm
            });
            let mut total = total.lock().unwrap_or_else(|e| e.into_inner());
            total.0 += 1;
            total.1.lost += harm.lost;
            total.1.doubled += harm.doubled;
            total.1.torn += harm.torn;
            total.1.other += harm.other;
            if !harm.is_none() {
                let text = format!("{what} “{}”:\n{}", case.name(), harm.text);
                if planned > usual {
                    eprintln!("{text}");
                }
                total.2.push(text);
            }
            if planned > usual && total.0 % 500 == 0 {
                eprintln!("{}", summary(what, total.0, &total.1, began));
            }
        }
    };
    thread::scope(|scope| (0..at_once).for_each(|_| _ = scope.spawn(worker)));
    let (done, harm, complaints) = total.into_inner().unwrap_or_else(|e| e.into_inner());
    println!("{} (of {} there are)", summary(what, done, &harm, began), grouped(all));
    assert!(done > 0, "no such {what}");
    let shown = complaints.len().min(10);
    assert!(
        complaints.is_empty(),
        "{} of {} {what} did harm:\n{}\nto repeat one: MAILFERRY_FAULT=\"NAME\" tests/faults {what}",
        complaints.len(),
        grouped(done),
        complaints[..shown].join("\n")
    );
}

fn played<C: Case>(stage: &Stage, case: &C) -> Harm {
    stage.restore();
    let at_once = case.play(stage);
    let mut harm = stage.aftermath(case.allowed());
    harm.other += at_once.other;
    harm.text.insert_str(0, &at_once.text);
    harm
}

fn summary(what: &str, done: usize, harm: &Harm, began: Instant) -> String {
    format!(
        "{} {what}: {} lost, {} doubled, {} torn, {} otherwise wrong, in {:.0} s",
        grouped(done),
        harm.lost,
        harm.doubled,
        harm.torn,
        harm.other,
        began.elapsed().as_secs_f64()
    )
}

/// Tries every case, several at once, and fails with all complaints: for tests that bring their own check.
pub fn try_all<T: Send + std::fmt::Debug>(cases: Vec<T>, attempt: impl Fn(&T) -> String + Sync) {
    let queue = Mutex::new(VecDeque::from(cases));
    let wrong = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(|e| e.into_inner()).pop_front();
    let worker = || {
        while let Some(case) = next() {
            let found = attempt(&case);
            if !found.is_empty() {
                wrong.lock().unwrap_or_else(|e| e.into_inner()).push(format!("{case:?}:\n{found}"));
            }
        }
    };
    thread::scope(|scope| (0..6).for_each(|_| _ = scope.spawn(worker)));
    let wrong = wrong.into_inner().unwrap_or_else(|e| e.into_inner());
    assert!(wrong.is_empty(), "{} faults did harm:\n{}", wrong.len(), wrong.join("\n"));
}

/// Counts the cases of every story at once, each on a stage of its own.
fn of_stories<C: Send>(stories: &[Story], kind: Kind, cases: impl Fn(&Stage) -> Vec<C> + Sync) -> Vec<C> {
    // A case's name begins with its story's.
    let named = variable("MAILFERRY_FAULT").and_then(|w| w.split_once(' ').map(|(story, _)| story.to_owned()));
    let found = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let worker = || {
        while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
            if peer_lacks(*story) || named.as_ref().is_some_and(|n| *n != story.name()) {
                continue;
            }
            let stage = Stage::new(*story, kind);
            let some = cases(&stage);
            found.lock().unwrap_or_else(|e| e.into_inner()).push((*story, some));
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(worker)));
    let mut found = found.into_inner().unwrap_or_else(|e| e.into_inner());
    found.sort_by_key(|(story, _)| *story);
    found.into_iter().flat_map(|(_, some)| some).collect()
}
