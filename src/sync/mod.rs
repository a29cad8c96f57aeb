//! Synchronisation: decide, then do.
//!
//! The walk: list folders, plan folders, look at both sides ([`survey`]), pair and find moves ([`decide`]), make the plan ([`plan`]),
//! print it or carry it out ([`execute`]), remove what folders are gone, report. The pure files decide; `survey`, `listing`,
//! `look` and `execute` touch the world.

pub mod adopt;
mod assemble;
mod capacity;
pub mod compare;
mod conn;
mod decide;
pub mod describe;
pub mod engine;
mod error;
mod execute;
pub mod folders;
pub mod guard;
mod listing;
mod look;
pub mod merge;
pub mod moves;
pub mod op;
mod places;
pub mod plan;
mod recover;
pub mod restore;
#[cfg(test)]
mod simulation;
mod survey;

pub mod verify;
pub mod view;

pub use engine::{Job, Options, Report};
pub use places::remote_folder;

use crate::account::OnDelete;
use crate::mail::Side;
use crate::maildir::{FileSystem, Layout};
use crate::severity::Severity as _;
use crate::state::account::Key;
use crate::state::{Continuity, State};

use engine::{Engine, Error, Folders};
use guard::Limits;
use plan::{Plan, Rules, Trash};
use survey::{Survey, Thoroughness};

/// Everything is compared once in so many seconds, whatever the shortcuts say (HAZARDS 21).
const FULL_EVERY: i64 = 7 * 24 * 3600;

/// The Maildir and the state that a run works on, locked by the caller.
pub struct Ground<'a> {
    /// The Maildir.
    pub layout: Layout,
    /// What its file system can be trusted with.
    pub file_system: FileSystem,
    /// The state.
    pub state: &'a mut State,
    /// Whether the state still describes the Maildir.
    pub continuity: Continuity,
}

/// Runs one account. Everything is told through the job's sink; the report says how it ended.
pub fn run(job: Job<'_>, ground: Ground<'_>) -> Report {
    run_as(Purpose::Sync, job, ground)
}

/// Uploads what the server lacks from the Maildir: see [`restore`]. With a state in memory the account may be another than
/// that of the Maildir, whose own state then stays as it is.
pub fn restore(job: Job<'_>, ground: Ground<'_>) -> Report {
    run_as(Purpose::Restore, job, ground)
}

/// What a run is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Both sides become equal.
    Sync,
    /// The server gets what it lacks.
    Restore,
}

fn run_as(purpose: Purpose, job: Job<'_>, ground: Ground<'_>) -> Report {
    let Ground { layout, file_system, state, continuity } = ground;
    let endpoint = &job.account.endpoint;
    let key = Key { kind: "imap", host: &endpoint.host, port: endpoint.port, user: &job.account.login.user };
    let opened = open_account(job, state, &key);
    let (account, secret) = match opened {
        Ok(opened) => opened,
        Err(error) => return fail_early(job, &error),
    };
    let rekeyed = account.rekeyed;
    let last_full = account.full_at;
    let mut engine = Engine::new(job, layout, file_system, account, state, secret);
    let due = last_full.is_some_and(|at| now() - at > FULL_EVERY);
    let broken = continuity == Continuity::Broken;
    let how = Thoroughness { full: job.options.full || due || broken || rekeyed, broken, refill: false };
    let outcome = match purpose {
        Purpose::Sync => walk(&mut engine, how),
        Purpose::Restore => restore::walk(&mut engine, how),
    };
    engine.log_out();
    if let Err(error) = &outcome {
        engine.fail(None, error);
    }
    let report = engine.finish();
    if !job.options.dry_run {
        let result = if report.kinds.is_empty() {
            "ok"
        } else if report.progress {
            "partial"
        } else {
            "failed"
        };
        let all = purpose == Purpose::Sync && job.options.only.is_none();
        let whole = all && report.kinds.is_empty() && (how.full || last_full.is_none());
        let id = engine.account.id;
        if let Err(error) = engine.state().end_run(id, now(), result, whole) {
            engine.fail(None, &error);
            return engine.finish();
        }
    }
    report
}

fn open_account(
    job: Job<'_>,
    state: &mut State,
    key: &Key<'_>,
) -> Result<(crate::state::account::AccountRow, String), Error> {
    if job.options.dry_run {
        return Ok((state.look_up_account(key)?, String::new()));
    }
    let account = state.sync_account(key, &job.account.name)?;
    let secret = state.secret()?;
    Ok((account, secret))
}

fn fail_early(job: Job<'_>, error: &Error) -> Report {
    let kind = error.kind();
    let body = crate::ui::event::Body::Error { kind: kind.as_str(), message: error.to_string(), hint: error.hint() };
    job.sink.event(crate::ui::event::Event { body, account: Some(job.account.name.clone()), folder: None });
    Report { kinds: vec![kind], ..Report::default() }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|d| i64::try_from(d.as_secs()).ok()).unwrap_or(0)
}

fn walk(engine: &mut Engine<'_>, how: Thoroughness) -> Result<(), Error> {
    let (folders, trash) = places::prepare(engine, how.full)?;
    let how = Thoroughness { full: how.full || engine.account.rekeyed, ..how };
    engine.report().summary.folders = folders.len() as u64;
    let mut survey = survey::survey(engine, &folders, how)?;
    let rules = rules(engine, trash);
    let plan = decide::decide(engine, &folders, &mut survey, &rules)?;
    tell(engine, &folders, &survey, &plan)?;
    if engine.job.options.dry_run {
        places::tell_all_lost(engine, &folders)?;
        return print(engine, &folders, &plan);
    }
    survey.forget_arrivals();
    execute::execute(engine, &folders, &survey, plan)?;
    places::remove(engine, &folders, &survey)
}

fn rules(engine: &Engine<'_>, trash: Trash) -> Rules {
    let sync = &engine.job.account.sync;
    Rules {
        direction: sync.direction,
        mode: sync.mode,
        on_delete: sync.on_delete,
        on_remote_delete: sync.on_remote_delete,
        expunge: sync.expunge,
        max_size: engine.job.account.max_size,
        limit: engine.job.options.limit,
        guard: Limits { percent: sync.max_delete, allow: engine.job.options.allow_mass_delete },
        trash: if sync.on_delete == OnDelete::Trash { trash } else { Trash::Never },
    }
}

/// Tells what the plan leaves undone, and why.
fn tell(engine: &Engine<'_>, folders: &Folders, survey: &Survey, plan: &Plan) -> Result<(), Error> {
    for stop in &plan.stopped {
        let folder = stop.folder.and_then(|id| folders.get(&id)).map(|f| &f.name);
        let place = match stop.side {
            Side::Local => "here",
            Side::Remote => "on the server",
        };
        let what = folder.map_or_else(|| "the account".to_owned(), ToString::to_string);
        let message = format!(
            "{} of {} messages of {what} would be deleted {place}: nothing of it was deleted",
            stop.deletions, stop.messages
        );
        engine.fail(folder, &Error::Guard(message));
    }
    if plan.waiting_for_trash > 0 {
        let detail =
            format!("{} deletions wait: this account had a Trash folder and none is found now", plan.waiting_for_trash);
        engine.warn(None, detail, Some("set `trash` to its name, or `on_delete = \"expunge\"`"));
    }
    for view in &survey.views {
        if plan.refused.contains(&view.folder) {
            execute::tell_not_permitted(engine, &view.name)?;
        }
    }
    for (id, found) in &survey.found {
        let Some(folder) = folders.get(id) else { continue };
        match found.local.as_ref().filter(|l| l.scanned).map(|l| l.foreign) {
            Some(0) => engine.cleared(Some(&folder.name), "foreign")?,
            Some(n) => {
                let detail = format!("{n} files in {} are no mail and were left alone", folder.dir.path.display());
                engine.standing(Some(&folder.name), "foreign", &detail, None)?;
            }
            None => {}
        }
    }
    if plan.skipped > 0 {
        engine.report().summary.skipped += plan.skipped;
    }
    Ok(())
}

/// Shows the plan instead of carrying it out.
fn print(engine: &Engine<'_>, folders: &Folders, plan: &Plan) -> Result<(), Error> {
    let ids: Vec<_> = plan.ops.iter().filter_map(op::Op::row).collect();
    let rows = engine.state().rows(&ids)?.into_iter().map(|r| (r.id, r)).collect();
    let names = folders.iter().map(|(id, f)| (*id, f.name.to_string())).collect();
    let names = describe::Names { rows: &rows, folders: &names };
    for op in &plan.ops {
        for part in [Some(op), describe::second_half(op).as_ref()].into_iter().flatten() {
            if let Some((id, planned)) = describe::describe(part, &names) {
                let folder = folders.get(&id).map(|f| &f.name);
                engine.event(folder, crate::ui::event::Body::Planned(planned));
            }
        }
    }
    Ok(())
}
