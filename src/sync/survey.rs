//! Looks at both sides of all folders and puts what was found into views.

use std::collections::{BTreeMap, BTreeSet};

use crate::imap::Access;
use crate::mail::snapshot::{RemoteMessage, Selected};
use crate::mail::{Content, Keyword, Side, System, UidSet};
use crate::maildir::{FolderDir, Keywords, Place, now_of, read};
use crate::severity::{Kind, Scope, Severity as _};
use crate::state::{FolderId, Mark, Row, RowId};

use super::compare::{self, Known};
use super::engine::{Engine, Error, Folder, Folders};
use super::folders::Action;
use super::listing::{self, Asked, RemoteLook};
use super::look::{self, LocalLook};
use super::merge::Mask;
use super::view::{LocalNew, LocalNow, RemoteNew, Touched, View};

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
    assemble(engine, folders, &mut survey, unknown, how)?;
    Ok(survey)
}

fn fail(engine: &Engine<'_>, folder: &Folder, found: &mut Found, error: &Error) -> Result<(), Error> {
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
    let mut tries = 0;
    let looks = loop {
        let asked: Vec<Asked<'_>> = wanted
            .iter()
            .filter_map(|folder| {
                let found = survey.found.get(&folder.id)?;
                let unknown_files = found.local.as_ref().is_some_and(|l| !l.unknown.is_empty());
                Some(Asked { folder, known: found.known.as_ref()?, full: found.full, unknown_files })
            })
            .collect();
        engine.check_stop()?;
        let mut conn = engine.connection()?;
        let only = asked.first().map(|a| a.folder.id).filter(|_| asked.len() == 1);
        conn.open = None;
        let outcome = listing::remote(&mut conn.session, asked);
        if let (Some(id), Ok(looks)) = (only, &outcome)
            && let Some((_, Ok(look))) = looks.first()
        {
            conn.open = look.selected.figures.uid_validity.map(|validity| (id, validity, Access::ReadWrite));
        }
        engine.give_back(conn);
        match outcome {
            Ok(looks) => break looks,
            Err(error) if error.retry() == crate::severity::Retry::Now && tries < 3 => tries += 1,
            Err(error) => return Err(error),
        }
    };
    for (id, look) in looks {
        let (Some(found), Some(folder)) = (survey.found.get_mut(&id), folders.get(&id)) else { continue };
        match look {
            Ok(look) => found.remote = Some(look),
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
    let mut conn = engine.connection()?;
    let one = (looks.len() == 1).then_some(conn.open).flatten();
    conn.open = None;
    let outcome = looks.chunks_mut(listing::WINDOW).try_for_each(|some| listing::confirm(&mut conn.session, some));
    conn.open = one.filter(|(id, ..)| looks.first().is_some_and(|(folder, ..)| folder.id == *id));
    engine.give_back(conn);
    outcome
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
    let now = clock()?;
    let looked = survey.found.iter().filter(|(_, f)| !f.failed);
    let wait =
        looked.filter_map(|(id, f)| Some(look::wait_for_files(&folders.get(id)?.dir, f.local.as_ref()?, now))).max();
    pause(engine, wait.unwrap_or(0))?;
    let now = clock()?;
    for (id, found) in &mut survey.found {
        engine.check_stop()?;
        let Some(folder) = folders.get(id) else { continue };
        let Some(local) = found.local.as_mut().filter(|l| !l.unknown.is_empty()) else { continue };
        let read = look::read_unknown(&folder.dir, local, now, |error| engine.fail(Some(&folder.name), error));
        out.insert(*id, read);
    }
    Ok(out)
}

fn assemble(
    engine: &Engine<'_>,
    folders: &Folders,
    survey: &mut Survey,
    mut unknown: BTreeMap<FolderId, Vec<LocalNew>>,
    how: Thoroughness,
) -> Result<(), Error> {
    let arrivals_here = unknown.values().any(|files| !files.is_empty());
    let arrivals_there = survey.found.values().any(|f| f.remote.as_ref().is_some_and(|r| !r.arrivals.is_empty()));
    for folder in folders.values() {
        let Some(found) = survey.found.get_mut(&folder.id).filter(|f| !f.failed) else { continue };
        let files = unknown.remove(&folder.id).unwrap_or_default();
        let view = match folder.action {
            Action::Lost(side) => {
                let useful = if side == Side::Local { arrivals_here } else { arrivals_there };
                if !useful {
                    continue;
                }
                let mut view = absent(engine, folder, side)?;
                view.lost = Some(side);
                view
            }
            Action::Remove(side) => removal(engine, folder, found, side, &files)?,
            Action::Sync | Action::Recreate | Action::CreateLocal | Action::CreateRemote => {
                if is_emptied(found) && !how.refill && !engine.job.options.allow_mass_delete {
                    let detail = format!(
                        "{} was made anew on the server and is empty there: its messages here are left untouched",
                        folder.name
                    );
                    fail(engine, folder, found, &Error::Guard(detail))?;
                    continue;
                }
                view(engine, folder, found, files, how)?
            }
        };
        let differs = !view.touched.is_empty() || !view.local_new.is_empty() || !view.remote_new.is_empty();
        if differs {
            survey.views.push(view);
        }
    }
    add_totals(engine, folders, survey)
}

/// Whether a folder that had messages has another UIDVALIDITY now and none (SPEC §4): neither deletions nor uploads follow.
fn is_emptied(found: &Found) -> bool {
    let had = found.known.as_ref().is_some_and(|known| known.briefs().any(|b| b.uid.is_some()));
    had && found.remote.as_ref().is_some_and(|r| r.fresh && r.arrivals.is_empty())
}

/// For the guard's third rule every folder counts, also those in which nothing differs.
fn add_totals(engine: &Engine<'_>, folders: &Folders, survey: &mut Survey) -> Result<(), Error> {
    let deletions = survey.views.iter().any(|v| v.touched.iter().any(|t| t.local.is_none() || t.remote.is_none()))
        || engine.job.account.sync.expunge;
    if !deletions {
        return Ok(());
    }
    let totals = engine.state().paired_counts(engine.account.id)?;
    // A message that may be moving brings its keywords along, which its new folder has not met.
    let leaving = survey.views.iter().flat_map(|v| &v.touched).filter(|t| t.local.is_none() != t.remote.is_none());
    let arriving: BTreeSet<Keyword> = leaving
        .flat_map(|t| [Some(&t.row.flags), t.local.as_ref().map(|l| &l.flags), t.remote.as_ref()])
        .flatten()
        .flat_map(|flags| flags.keywords.iter().cloned())
        .collect();
    for view in &mut survey.views {
        view.paired = totals.get(&view.folder).copied().unwrap_or(0);
        if let Some(found) = survey.found.get(&view.folder).filter(|_| !arriving.is_empty()) {
            view.both = mask(found, view, &arriving);
        }
    }
    let seen: BTreeSet<FolderId> = survey.views.iter().map(|v| v.folder).collect();
    for folder in folders.values().filter(|f| !seen.contains(&f.id)) {
        let mut view = View::empty(folder.id, folder.name.clone());
        view.paired = totals.get(&folder.id).copied().unwrap_or(0);
        view.role = folder.role;
        survey.views.push(view);
    }
    Ok(())
}

/// The view of a folder that one side lacks: every row is missing there, and as it was on the other side.
fn absent(engine: &Engine<'_>, folder: &Folder, side: Side) -> Result<View, Error> {
    let mut view = View::empty(folder.id, folder.name.clone());
    view.role = folder.role;
    for row in engine.state().all_rows(folder.id)?.into_iter().filter(|r| r.mark == Mark::Paired) {
        let (local, remote) = match side {
            Side::Local => (None, row.uid.map(|_| row.flags.clone())),
            Side::Remote => (now_of_row(&row), None),
        };
        view.touched.push(Touched { row, local, remote });
    }
    Ok(view)
}

/// A folder that goes on both sides: only if nothing in it is unsynced on the side that still has it.
fn removal(
    engine: &Engine<'_>,
    folder: &Folder,
    found: &mut Found,
    side: Side,
    files: &[LocalNew],
) -> Result<View, Error> {
    let unsynced = match (side, &found.local, &found.remote) {
        (Side::Remote, Some(local), _) => !files.is_empty() || !local.changed.is_empty() || local.unsettled,
        (Side::Local, _, Some(remote)) => {
            !remote.trusted || remote.fresh || !remote.arrivals.is_empty() || !remote.delta.changed.is_empty()
        }
        (Side::Local, _, None) => false,
        (Side::Remote, None, _) => true,
    };
    let mut view = absent(engine, folder, side)?;
    if unsynced {
        view.lost = Some(side);
        // The next run must see the same.
        found.local.iter_mut().for_each(|local| local.unsettled = true);
        found.remote.iter_mut().for_each(|remote| remote.trusted = false);
        let detail = format!(
            "{} is gone {} but holds changes that the other side never had: it stays",
            folder.name,
            place(side)
        );
        engine.standing(Some(&folder.name), "folder_unsynced", &detail, None)?;
    }
    Ok(view)
}

/// Where a side is, for people.
#[must_use]
pub fn place(side: Side) -> &'static str {
    match side {
        Side::Local => "from the Maildir",
        Side::Remote => "from the server",
    }
}

fn now_of_row(row: &Row) -> Option<LocalNow> {
    Some(LocalNow { place: row.file.clone()?, inode: row.inode.unwrap_or(0), flags: row.flags.clone() })
}

fn view(
    engine: &Engine<'_>,
    folder: &Folder,
    found: &mut Found,
    files: Vec<LocalNew>,
    how: Thoroughness,
) -> Result<View, Error> {
    let mut view = View::empty(folder.id, folder.name.clone());
    view.role = folder.role;
    let fresh = found.remote.as_ref().is_some_and(|r| r.fresh);
    view.refetch = folder.action == Action::Recreate
        || found.local.as_ref().is_some_and(|l| l.restored && (!how.broken || is_older(folder, l)));
    let trusted = found.remote.as_ref().is_none_or(|r| r.trusted);
    view.deletions = trusted && !how.broken && !folder.woken && !fresh && !view.refetch;
    view.validity = found.remote.as_ref().and_then(|r| r.figures.uid_validity);
    view.adopting = fresh || folder.base.figures.uid_validity.is_none();
    // An incomplete listing may hide the partner of any file.
    view.no_uploads = !trusted;
    view.read_only = found.remote.as_ref().is_some_and(|r| r.selected.read_only);
    view.local_new = files;
    if let Some(remote) = &mut found.remote {
        let arrivals = std::mem::take(&mut remote.arrivals);
        view.remote_new = arrivals
            .into_values()
            .map(|message| RemoteNew { message, header: None, digest: None, row: None })
            .collect();
    }
    let rows = rows_of_interest(engine, folder, found, fresh)?;
    for row in rows {
        sort_in(&mut view, &folder.dir, found, row, fresh);
    }
    // Among equal messages those that are known come first: what was sent must find itself again.
    view.local_new.sort_by_key(|new| new.row.is_none());
    view.both = mask(found, &view, &BTreeSet::new());
    note_keywords(engine, folder, found, &view)?;
    Ok(view)
}

/// Whether the directory's times went back: an older copy was put in its place.
fn is_older(folder: &Folder, local: &LocalLook) -> bool {
    let before = folder.base.stamp.as_deref().and_then(look::stamp_of);
    matches!((before, local.stamp), (Some(b), Some(n)) if b.cur.mtime_ns > 0 && (n.cur.mtime_ns < b.cur.mtime_ns || n.new.mtime_ns < b.new.mtime_ns))
}

fn rows_of_interest(engine: &Engine<'_>, folder: &Folder, found: &Found, fresh: bool) -> Result<Vec<Row>, Error> {
    if fresh {
        return Ok(engine.state().all_rows(folder.id)?);
    }
    let mut ids: BTreeSet<RowId> = BTreeSet::new();
    if let Some(local) = &found.local {
        ids.extend(local.missing.iter().copied());
        ids.extend(local.changed.keys().copied());
    }
    if let Some(remote) = &found.remote {
        ids.extend(remote.delta.gone.iter().copied());
        ids.extend(remote.delta.changed.keys().copied());
    }
    if let Some(known) = &found.known {
        ids.extend(compare::unsettled(known));
        if engine.job.account.sync.expunge {
            ids.extend(known.briefs().filter(|b| b.system.contains(System::DELETED)).map(|b| b.id));
        }
    } else if engine.job.account.sync.expunge {
        ids.extend(engine.state().marked_deleted(folder.id)?);
    }
    let ids: Vec<RowId> = ids.into_iter().collect();
    Ok(engine.state().rows(&ids)?)
}

/// Puts a row where it belongs in the view: among what both sides had, or among the arrivals of the side that it stands on.
pub(super) fn sort_in(view: &mut View, dir: &FolderDir, found: &Found, row: Row, fresh: bool) {
    let local = local_now(found, &row);
    if fresh {
        // Its UID means nothing any more. A row without its file has nothing left to be known by.
        if let Some(now) = local {
            push_local(view, dir, row, now);
        } else if row.file.is_some() || row.uid.is_some() {
            view.touched.push(Touched { row, local: None, remote: None });
        }
        return;
    }
    let gone = found.remote.as_ref().is_some_and(|r| r.delta.gone.contains(&row.id));
    let changed = found.remote.as_ref().and_then(|r| r.delta.changed.get(&row.id).cloned());
    let remote =
        if gone || row.uid.is_none() { None } else { Some(changed.clone().unwrap_or_else(|| row.flags.clone())) };
    match (row.mark, local, remote) {
        // Without a UID it never was on the server under this UIDVALIDITY: that is no deletion.
        (Mark::Paired, Some(now), None) if row.uid.is_none() => push_local(view, dir, row, now),
        (Mark::Paired, local, remote) => view.touched.push(Touched { row, local, remote }),
        (_, None, None) => view.touched.push(Touched { row, local: None, remote: None }),
        (_, Some(now), None) => push_local(view, dir, row, now),
        (_, _, Some(flags)) => {
            let told = changed.is_some() || row.mark != Mark::Flagged;
            let Some(uid) = row.uid else { return };
            let message = RemoteMessage {
                flags: told.then_some(flags),
                size: row.identity.size_wire,
                date: row.identity.date,
                message_id: Some(row.identity.message_id),
                email_id: row.identity.email_id.clone(),
                ..RemoteMessage::new(uid)
            };
            view.remote_new.push(RemoteNew {
                message,
                header: row.identity.header,
                digest: row.identity.digest,
                row: Some(Box::new(row)),
            });
        }
    }
}

fn local_now(found: &Found, row: &Row) -> Option<LocalNow> {
    row.file.as_ref()?;
    let Some(local) = &found.local else { return now_of_row(row) };
    if local.missing.contains(&row.id) {
        return None;
    }
    let Some(mut now) = local.changed.get(&row.id).cloned() else { return now_of_row(row) };
    let says_nothing =
        Place::from_bytes(&now.place).is_some_and(|p| p.sub == crate::maildir::Sub::Cur && p.name.letters().is_none());
    if says_nothing {
        now.flags = row.flags.clone();
    }
    Some(now)
}

/// Rows that another program left may not know their content: then the file says it.
fn push_local(view: &mut View, dir: &FolderDir, row: Row, now: LocalNow) {
    let id = &row.identity;
    let content = match (id.digest, id.header, id.size) {
        (Some(digest), Some(header), Some(size)) => {
            Some(Content { digest, header, message_id: id.message_id, size, left_out: 0, message_id_text: None })
        }
        _ => Place::from_bytes(&now.place).and_then(|place| read::content(dir, &place).ok()),
    };
    if let Some(content) = content {
        let LocalNow { place, inode, flags } = now;
        view.local_new.push(LocalNew { place, inode, flags, content, date: id.date, row: Some(Box::new(row)) });
    }
}

/// The flags that the server can hold. In a folder that lets nothing be changed others set them: all.
pub(super) fn can_hold(selected: &Selected) -> Mask {
    match selected.permanent.as_ref().filter(|_| !selected.read_only) {
        Some(permanent) if !permanent.any_keyword => {
            Mask { system: permanent.flags.system, keywords: Some(permanent.flags.keywords.clone()) }
        }
        // `$Forwarded` is a keyword for the server, whatever letter it has here.
        Some(permanent) => Mask { system: permanent.flags.system.union(System::FORWARDED), keywords: None },
        None => Mask::all(),
    }
}

/// The flags that both sides can hold now.
fn mask(found: &Found, view: &View, arriving: &BTreeSet<Keyword>) -> Mask {
    let there = found.remote.as_ref().map_or_else(Mask::all, |r| can_hold(&r.selected));
    let Some(local) = &found.local else { return there };
    let mut wanted = arriving.clone();
    for touched in &view.touched {
        wanted.extend(touched.remote.iter().flat_map(|f| f.keywords.iter().cloned()));
        wanted.extend(touched.local.iter().flat_map(|l| l.flags.keywords.iter().cloned()));
        wanted.extend(touched.row.flags.keywords.iter().cloned());
    }
    wanted.extend(view.remote_new.iter().flat_map(|r| r.message.flags.iter().flat_map(|f| f.keywords.iter().cloned())));
    wanted.extend(view.local_new.iter().flat_map(|l| l.flags.keywords.iter().cloned()));
    let mut trial: Keywords = local.keywords.clone();
    let holdable = wanted.into_iter().filter(|keyword| trial.assign(keyword).is_some()).collect();
    there.and(&Mask { system: System::ALL, keywords: Some(holdable) })
}

/// One warning for keywords that have no letter left.
fn note_keywords(engine: &Engine<'_>, folder: &Folder, found: &Found, view: &View) -> Result<(), Error> {
    if found.local.is_none() {
        return Ok(());
    }
    let told = view
        .touched
        .iter()
        .filter_map(|t| t.remote.as_ref())
        .chain(view.remote_new.iter().filter_map(|r| r.message.flags.as_ref()));
    let mut left: Vec<String> = told.flat_map(|flags| view.both.leave(flags).keywords).map(|k| k.to_string()).collect();
    left.sort();
    left.dedup();
    let permanent = found.remote.as_ref().and_then(|r| r.selected.permanent.as_ref());
    left.retain(|k| {
        permanent.is_none_or(|p| p.any_keyword || p.flags.keywords.iter().any(|known| known.as_str() == k))
    });
    if left.is_empty() {
        return Ok(());
    }
    let detail = format!("a Maildir folder holds 26 keywords; these stay on the server alone: {}", left.join(" "));
    engine.standing(Some(&folder.name), "keywords", &detail, None)
}
