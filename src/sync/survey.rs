//! Looks at both sides of all folders and puts what was found into views.

use std::collections::{BTreeMap, BTreeSet};

use crate::imap::Access;
use crate::mail::{Side, UidSet};
use crate::maildir::now_of;
use crate::severity::{Kind, Scope, Severity as _};
use crate::state::{FolderId, base};

use super::assemble;
use super::compare::Known;
use super::engine::{Engine, Error, Folder, Folders};
use super::folders::Action;
use super::listing::{self, Asked, RemoteLook};
use super::look::{self, LocalLook};
use super::view::{LocalNew, View};

/// What was found in one folder, beside its view.
#[derive(Debug, Default)]
pub struct Found {
    /// The Maildir; `None`: it was not looked at.
    pub local: Option<LocalLook>,
    /// The server; `None`: its figures say that nothing has changed.
    pub remote: Option<RemoteLook>,
    /// The rows, if either side was compared with them.
    pub known: Option<Known>,
    /// The look failed on either side: nothing is done here in this run.
    pub failed: bool,
    /// Everything was compared.
    pub full: bool,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Survey {
    /// By folder.
    pub found: BTreeMap<FolderId, Found>,
    /// The views of folders in which anything differs.
    pub views: Vec<View>,
}

impl Survey {
    /// Lets go of what only deciding asks for: the plan has its own of what it carries out, and there may be 200,000 of each.
    pub fn forget_arrivals(&mut self) {
        for view in &mut self.views {
            (view.local_new, view.remote_new, view.renamed) = (Vec::new(), Vec::new(), 0);
        }
        for found in self.found.values_mut() {
            found.known = None;
            found.remote.iter_mut().for_each(|remote| {
                (remote.delta, remote.arrivals) = Default::default();
            });
        }
    }
}

/// How thoroughly to look.
#[derive(Clone, Copy, Debug)]
pub struct Thoroughness {
    /// Compare everything.
    pub full: bool,
    /// The state is a copy or was restored: absence is not believed.
    pub broken: bool,
    /// Folders that the server has made anew are filled again (`restore`).
    pub refill: bool,
}

/// Looks at all folders.
///
/// # Errors
/// What takes the account down; a folder that fails is told of and left alone.
pub fn survey(engine: &Engine<'_>, folders: &Folders, how: Thoroughness) -> Result<Survey, Error> {
    let mut survey = Survey::default();
    let unsettled = engine.state().unsettled_folders(engine.account.id, engine.job.account.max_size)?;
    for folder in folders.values() {
        let mut found = Found { full: how.full || folder.woken, ..Found::default() };
        let force = found.full || unsettled.contains(&folder.id);
        if let Err(error) = look_here(engine, folder, &mut found, force) {
            fail(engine, folder, &mut found, &error)?;
        }
        survey.found.insert(folder.id, found);
    }
    look_there(engine, folders, &mut survey, &unsettled)?;
    confirm(engine, folders, &mut survey)?;
    let unknown = read_unknown(engine, folders, &mut survey)?;
    assemble::assemble(engine, folders, &mut survey, unknown, how)?;
    Ok(survey)
}

pub(super) fn fail(engine: &Engine<'_>, folder: &Folder, found: &mut Found, error: &Error) -> Result<(), Error> {
    if error.scope() >= Scope::Account && error.kind() == Kind::Interrupted {
        return Err(Error::Interrupted);
    }
    found.failed = true;
    engine.fail(Some(&folder.name), error);
    Ok(())
}

fn load(engine: &Engine<'_>, folder: FolderId) -> Result<Known, Error> {
    let mut known = Known::default();
    engine.state().each_brief(folder, |brief, file| known.push(brief, file))?;
    Ok(known)
}

fn look_here(engine: &Engine<'_>, folder: &Folder, found: &mut Found, force: bool) -> Result<(), Error> {
    if !folder.is_on(Side::Local) || !folder.dir.path.exists() {
        // A folder that does not exist yet (in a dry run) is empty.
        return Ok(());
    }
    let (look, known) = look::local(engine, folder, || load(engine, folder.id), force)?;
    found.local = Some(look);
    found.known = known;
    Ok(())
}

/// Whether the server's folder is as it was: all four figures, of which none may be missing (HAZARDS 21).
fn is_unchanged(folder: &Folder) -> bool {
    let (Some(now), base) = (folder.listed.as_ref(), &folder.base.figures) else { return false };
    now.uid_validity.is_some()
        && now.uid_next.is_some()
        && now.messages.is_some()
        && now.highest_modseq.is_some()
        && (now.uid_validity, now.uid_next, now.messages, now.highest_modseq)
            == (base.uid_validity, base.uid_next, base.messages, base.highest_modseq)
}

fn look_there(
    engine: &Engine<'_>,
    folders: &Folders,
    survey: &mut Survey,
    unsettled: &BTreeSet<FolderId>,
) -> Result<(), Error> {
    let mut wanted = Vec::new();
    for folder in folders.values().filter(|f| f.action == Action::CreateRemote && f.mailbox.is_none()) {
        if let Some(found) = survey.found.get_mut(&folder.id) {
            // In a dry run it is not created: it would be new and empty.
            found.remote = Some(RemoteLook { fresh: true, trusted: true, ..RemoteLook::default() });
        }
    }
    for folder in folders.values().filter(|f| f.is_on(Side::Remote) && f.mailbox.is_some()) {
        let Some(found) = survey.found.get_mut(&folder.id).filter(|f| !f.failed) else { continue };
        if is_unchanged(folder) && !found.full && !unsettled.contains(&folder.id) {
            continue;
        }
        if found.known.is_none() {
            found.known = Some(load(engine, folder.id)?);
        }
        wanted.push(folder);
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let looks = engine.retried(|conn| {
        let asked: Vec<Asked<'_>> = wanted
            .iter()
            .filter_map(|folder| {
                let found = survey.found.get(&folder.id)?;
                let unknown_files = found.local.as_ref().is_some_and(|l| !l.unknown.is_empty());
                Some(Asked { folder, known: found.known.as_ref()?, full: found.full, unknown_files })
            })
            .collect();
        let only = asked.first().map(|a| a.folder.id).filter(|_| asked.len() == 1);
        conn.open = None;
        let looks = listing::remote(&mut conn.session, asked)?;
        if let (Some(id), Some((_, Ok(look)))) = (only, looks.first()) {
            let access = if look.selected.read_only { Access::ReadOnly } else { Access::ReadWrite };
            conn.open = look.selected.figures.uid_validity.map(|validity| (id, validity, access));
        }
        Ok(looks)
    })?;
    for (id, look) in looks {
        let (Some(found), Some(folder)) = (survey.found.get_mut(&id), folders.get(&id)) else { continue };
        match look {
            Ok(look) => {
                if !look.own.is_empty() && !engine.job.options.dry_run {
                    engine.state().commit(|db| base::confirm(db, id, &look.own))?;
                }
                found.remote = Some(look);
            }
            Err(error) => fail(engine, folder, found, &error)?,
        }
    }
    confirm_there(engine, folders, survey)
}

fn confirm_there(engine: &Engine<'_>, folders: &Folders, survey: &mut Survey) -> Result<(), Error> {
    let mut looks: Vec<(&Folder, &Known, &mut RemoteLook, UidSet)> = Vec::new();
    for (id, found) in &mut survey.found {
        if let (Some(folder), Some(known), Some(look)) = (folders.get(id), found.known.as_ref(), found.remote.as_mut())
            && !look.fresh
            && !found.failed
        {
            let open = listing::open_uids(known);
            if !look.delta.gone.is_empty() || !open.is_empty() {
                looks.push((folder, known, look, open));
            }
        }
    }
    if looks.is_empty() {
        return Ok(());
    }
    engine.retried(|conn| {
        let one = (looks.len() == 1).then_some(conn.open).flatten();
        conn.open = None;
        looks.chunks_mut(listing::WINDOW).try_for_each(|some| listing::confirm(&mut conn.session, some))?;
        conn.open = one.filter(|(id, ..)| looks.first().is_some_and(|(folder, ..)| folder.id == *id));
        Ok(())
    })
}

/// The second look at folders in which files are missing, and at those that changed since the first (HAZARDS 12).
fn confirm(engine: &Engine<'_>, folders: &Folders, survey: &mut Survey) -> Result<(), Error> {
    let missing = |found: &Found| found.local.as_ref().is_some_and(|l| !l.missing.is_empty());
    if !survey.found.values().any(missing) {
        return Ok(());
    }
    let state_dir = engine.layout.state_dir();
    let clock = || if engine.job.options.dry_run { Ok(wall_clock()) } else { now_of(&state_dir) };
    let stamps = survey.found.values().filter(|f| missing(f)).filter_map(|f| f.local.as_ref()?.stamp);
    pause(engine, look::wait_for(stamps, clock()?, engine.file_system.grain_ns()))?;
    let now = clock()?;
    for (id, found) in &mut survey.found {
        let Some(folder) = folders.get(id) else { continue };
        let Some(local) = found.local.as_mut().filter(|_| !found.failed) else { continue };
        let changed = crate::maildir::stamp(&folder.dir).ok() != local.stamp;
        if local.missing.is_empty() && !changed {
            continue;
        }
        if found.known.is_none() {
            found.known = Some(load(engine, *id)?);
        }
        let Some(known) = found.known.as_ref() else { continue };
        if let Err(error) = look::confirm(engine, folder, local, known, now) {
            fail(engine, folder, found, &error)?;
        }
    }
    Ok(())
}

fn wall_clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.ok().and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0)
}

/// Waits, but not for a stop.
fn pause(engine: &Engine<'_>, nanoseconds: i64) -> Result<(), Error> {
    if nanoseconds > 0 {
        let time =
            rustix::event::Timespec { tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000 };
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(engine.job.stop.fd(), rustix::event::PollFlags::IN)];
        // A failing poll shortens the wait: then the second look proves nothing and a later run confirms.
        let _ = rustix::event::poll(&mut fds, Some(&time));
    }
    engine.check_stop()
}

fn read_unknown(
    engine: &Engine<'_>,
    folders: &Folders,
    survey: &mut Survey,
) -> Result<BTreeMap<FolderId, Vec<LocalNew>>, Error> {
    let mut out = BTreeMap::new();
    let state_dir = engine.layout.state_dir();
    let clock = || if engine.job.options.dry_run { Ok(wall_clock()) } else { now_of(&state_dir) };
    let any = survey.found.values().any(|f| f.local.as_ref().is_some_and(|l| !l.unknown.is_empty()));
    if !any {
        return Ok(out);
    }
    let grain = engine.file_system.grain_ns();
    let before = look::Clock { now: clock()?, grain };
    let looked = survey.found.iter().filter(|(_, f)| !f.failed);
    let wait =
        looked.filter_map(|(id, f)| Some(look::wait_for_files(&folders.get(id)?.dir, f.local.as_ref()?, before))).max();
    pause(engine, wait.unwrap_or(0))?;
    let now = look::Clock { now: clock()?, grain };
    for (id, found) in &mut survey.found {
        engine.check_stop()?;
        let Some(folder) = folders.get(id) else { continue };
        let Some(local) = found.local.as_mut().filter(|l| !l.unknown.is_empty()) else { continue };
        let mut unreadable = false;
        let read = look::read_unknown(&folder.dir, local, now, |error| {
            unreadable = true;
            engine.fail(Some(&folder.name), error);
        });
        // In a folder that was never synchronised any message of the server may be the one that cannot be read: stored again, it
        // would be there twice.
        found.failed |= unreadable && folder.base.figures.uid_validity.is_none();
        out.insert(*id, read);
    }
    Ok(out)
}
