//! `verify`: both sides compared, message by message. Nothing is changed, neither on a side nor in the state.
//!
//! Messages that the state pairs are compared as they are; the rest is paired by content as a sync would, so that a Maildir
//! without a state is verified just as well. What stands on one side only by agreement is counted and is no difference.

pub mod compare;
mod folder;

use std::collections::BTreeMap;

use crate::account::{Direction, Mode, OnRemoteDelete};
use crate::mail::{FolderName, Side};
use crate::severity::{Kind as Failure, Scope, Severity as _};
use crate::state::account::{AccountRow, Key};
use crate::state::{FolderId, FolderRow, State};
use crate::ui::event::{Body, Difference, Verified};

use super::engine::{Engine, Error, Folder, Job, Report};
use super::folders::{Action, FolderRules, Step};
use super::places::{self, Listed};
use super::{Ground, fail_early};
use compare::Kind;

/// Compares one account. Everything is told through the job's sink, whose options must be those of a dry run; the report says
/// how it ended: [`Failure::Guard`] if anything differs.
pub fn run(job: Job<'_>, ground: Ground<'_>, deep: bool) -> Report {
    let Ground { layout, file_system, state, continuity: _ } = ground;
    let account = match known_account(job, state) {
        Ok(account) => account,
        Err(error) => return fail_early(job, &error),
    };
    let engine = Engine::new(job, layout, file_system, account, state, String::new());
    let mut total = Verified::default();
    let outcome = walk(&engine, deep, &mut total);
    engine.log_out();
    if let Err(error) = &outcome {
        engine.fail(None, error);
    }
    let mut report = engine.finish();
    if total.differences > 0 {
        report.kinds.push(Failure::Guard);
    }
    report.progress = total.compared > 0 || total.differences > 0;
    report.summary.verified = Some(total);
    report
}

fn known_account(job: Job<'_>, state: &mut State) -> Result<AccountRow, Error> {
    let (endpoint, user) = (&job.account.endpoint, &job.account.login.user);
    let key = Key { kind: "imap", host: &endpoint.host, port: endpoint.port, user };
    Ok(state.find_account(&key)?.unwrap_or_else(AccountRow::unknown))
}

fn walk(engine: &Engine<'_>, deep: bool, total: &mut Verified) -> Result<(), Error> {
    let mut conn = engine.connection()?;
    let listed = places::list(engine, &mut conn)?;
    engine.give_back(conn);
    // Whatever the profile lets happen to folders: here they only count.
    let rules = FolderRules {
        delete: false,
        direction: Direction::Both,
        mode: Mode::Sync,
        on_remote_delete: OnRemoteDelete::Delete,
        ..places::rules(engine, false)
    };
    let steps = listed.decide(&rules).steps;
    engine.report().summary.folders = steps.len() as u64;
    let known: BTreeMap<&FolderName, &FolderRow> = listed.known.iter().map(|row| (&row.name, row)).collect();
    for (at, step) in steps.iter().enumerate() {
        engine.check_stop()?;
        let row = known.get(&step.name).copied();
        let outcome = place(engine, &listed, step, row, at).and_then(|place| {
            whole_folder(engine, &place, total);
            folder::check(engine, &place, deep, total)
        });
        match outcome {
            Ok(()) => {}
            Err(error) if error.scope() >= Scope::Account => return Err(error),
            Err(error) => engine.fail(Some(&step.name), &error),
        }
    }
    Ok(())
}

/// A folder, and on which sides it is.
struct Place {
    folder: Folder,
    is_here: bool,
    /// The server lost it, and that is agreed: `on_remote_delete = "keep"`.
    is_kept: bool,
}

fn place(
    engine: &Engine<'_>,
    listed: &Listed,
    step: &Step,
    row: Option<&FolderRow>,
    at: usize,
) -> Result<Place, Error> {
    let there = listed.listing.folders.iter().find(|f| f.name == step.name && f.selectable);
    let folder = Folder {
        // Rows that do not exist are numbered from below.
        id: row.map_or_else(|| FolderId(-1 - i64::try_from(at).unwrap_or(0)), |row| row.id),
        name: step.name.clone(),
        role: step.role,
        action: step.action,
        dir: engine.layout.dir(&step.name)?,
        mailbox: there.map(|f| f.mailbox.clone()),
        listed: there.and_then(|f| f.figures.clone()),
        base: row.map(|r| r.cursor.clone()).unwrap_or_default(),
        woken: false,
    };
    let keeps = engine.job.account.sync.on_remote_delete == OnRemoteDelete::Keep;
    Ok(Place {
        is_here: matches!(step.action, Action::Sync | Action::CreateRemote | Action::Lost(Side::Remote)),
        is_kept: keeps && step.action == Action::Lost(Side::Remote),
        folder,
    })
}

fn whole_folder(engine: &Engine<'_>, place: &Place, total: &mut Verified) {
    let kind = match (place.is_here, place.folder.mailbox.is_some()) {
        (true, true) | (false, false) => return,
        (true, false) if place.is_kept => return,
        (true, false) => Kind::FolderOnlyLocal,
        (false, true) => Kind::FolderOnlyRemote,
    };
    tell(engine, &place.folder.name, Difference { kind: kind.as_str(), ..Difference::default() }, total);
}

fn tell(engine: &Engine<'_>, name: &FolderName, difference: Difference, total: &mut Verified) {
    total.differences += 1;
    engine.event(Some(name), Body::Difference(difference));
}
