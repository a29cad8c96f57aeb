//! From what was found on both sides to the view of each folder.

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Content, Flags, Keyword, Side, System};
use crate::maildir::{FolderDir, Place, read};
use crate::state::{FolderId, Mark, Row, RowId};

use super::capacity;
use super::capacity::{mask, note_keywords};
use super::compare;
use super::engine::{Engine, Error, Folder, Folders};
use super::folders::Action;
use super::look::{self, LocalLook};
use super::survey::{Found, Survey, Thoroughness};
use super::view::{LocalNew, LocalNow, RemoteNew, Touched, View};

pub(super) fn assemble(
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
                let mut view = absent(engine, folder, found, side)?;
                view.lost = Some(side);
                view
            }
            Action::Gone if !arrivals_here && !arrivals_there => continue,
            Action::Gone => gone(engine, folder)?,
            Action::Remove(side) => removal(engine, folder, found, side, &files)?,
            Action::Sync | Action::Recreate | Action::CreateLocal | Action::CreateRemote => {
                let emptied = is_emptied(found) && !how.refill && !engine.job.options.allow_mass_delete;
                View { emptied, ..view(engine, folder, found, files, how)? }
            }
        };
        let differs = !view.touched.is_empty() || !view.local_new.is_empty() || !view.remote_new.is_empty();
        if differs {
            survey.views.push(view);
        }
    }
    add_totals(engine, folders, survey)
}

/// Whether a folder that had messages has another UIDVALIDITY now and none (SPEC §4): neither deletions nor uploads follow, but
/// its messages may stand in another folder.
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
fn absent(engine: &Engine<'_>, folder: &Folder, found: &Found, side: Side) -> Result<View, Error> {
    let mut view = View::empty(folder.id, folder.name.clone());
    view.role = folder.role;
    let rows = engine.state().all_rows(folder.id)?;
    for row in rows.into_iter().filter(|row| row.mark == Mark::Paired || row.has_lost_uid()) {
        let (local, remote) = match side {
            Side::Local => (None, remote_now(found, &row)),
            Side::Remote => (local_now(found, &row), None),
        };
        view.touched.push(Touched { row, local, remote });
    }
    Ok(view)
}

/// The view of a folder that both sides lack: nothing of it is deleted, but its messages may stand in other folders.
fn gone(engine: &Engine<'_>, folder: &Folder) -> Result<View, Error> {
    let mut view = View::empty(folder.id, folder.name.clone());
    view.role = folder.role;
    view.lost = Some(Side::Remote);
    let rows = engine.state().all_rows(folder.id)?;
    view.touched = rows.into_iter().map(|row| Touched { row, local: None, remote: None }).collect();
    Ok(view)
}

/// A message's flags on the server; `None`: it is not there.
fn remote_now(found: &Found, row: &Row) -> Option<Flags> {
    row.uid?;
    let Some(remote) = &found.remote else { return Some(row.flags.clone()) };
    if remote.fresh || remote.delta.gone.contains(&row.id) {
        return None;
    }
    Some(remote.delta.changed.get(&row.id).unwrap_or(&row.flags).clone())
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
    let mut view = absent(engine, folder, found, side)?;
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
    view.keeps_all =
        found.remote.as_ref().is_some_and(|r| !capacity::can_hold(&r.selected).system.contains(System::DELETED));
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
        // Its UID means nothing any more: what has no file either is known by what it looked like there.
        if let Some(now) = local {
            push_local(view, dir, row, now);
        } else {
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
