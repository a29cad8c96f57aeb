//! `restore`: what the Maildir has and the server lacks is uploaded; nothing is deleted, and nothing here changes.
//!
//! `max_size` is no limit here: it says what a sync carries, and what is in the Maildir is to come back in full.
//!
//! It is a sync under another policy: the same look at both sides, the same pairing by content (so that a restore that broke
//! off goes on where it stopped, and nothing is doubled), the same uploads. The rows learn where the messages are, so that a
//! sync afterwards has nothing to do.

pub mod plan;

use crate::account::{Direction, Mode};
use crate::mail::Side;
use crate::maildir::{self, FolderDir, Place, read};
use crate::state::Row;

use super::engine::{Engine, Error, Folders};
use super::folders::FolderRules;
use super::moves::{self, At, Moves};
use super::plan::Paired;
use super::survey::{self, Survey, Thoroughness};
use super::view::{LocalNew, LocalNow, View};
use super::{decide, execute, places};

/// The walk of a restore.
///
/// # Errors
/// What takes the account down; what was uploaded until then is known to the state.
pub(super) fn walk(engine: &mut Engine<'_>, how: Thoroughness) -> Result<(), Error> {
    let folders = prepare(engine)?;
    engine.report().summary.folders = folders.len() as u64;
    let mut survey = survey::survey(engine, &folders, Thoroughness { full: true, refill: true, ..how })?;
    let mut paired = Paired::default();
    let gone = moves::gone(&survey.views);
    for view in &mut survey.views {
        decide::pair(engine, &folders, view, &gone, &mut paired)?;
    }
    // What was moved to another folder on the server is there: where it comes from it is not missing.
    let moved = decide::find_moves(engine, &folders, &mut survey.views, &paired)?;
    take_missing(engine, &folders, &mut survey, &moved, &mut paired)?;
    let plan = plan::plan(&survey.views, &paired, &moved);
    super::tell(engine, &folders, &survey, &plan)?;
    if engine.job.options.dry_run {
        return super::print(engine, &folders, &plan);
    }
    survey.forget_arrivals();
    execute::execute(engine, &folders, &survey, plan)
}

fn prepare(engine: &Engine<'_>) -> Result<Folders, Error> {
    let mut conn = engine.connection()?;
    let listed = places::list(engine, &mut conn)?;
    places::note_unmatched(engine, &listed)?;
    let rules = FolderRules {
        create: true,
        delete: false,
        direction: Direction::Push,
        mode: Mode::Sync,
        ..places::rules(engine, false)
    };
    let steps = plan::steps(listed.decide(&rules).steps);
    let folders = places::open(engine, &mut conn, &listed, &steps)?;
    engine.give_back(conn);
    Ok(folders)
}

/// Known messages that the server no longer has become candidates beside the unknown files, read through again: what is
/// uploaded is what is on the disk now.
fn take_missing(
    engine: &Engine<'_>,
    folders: &Folders,
    survey: &mut Survey,
    moved: &Moves,
    paired: &mut Paired,
) -> Result<(), Error> {
    for view in &mut survey.views {
        engine.check_stop()?;
        let Some(folder) = folders.get(&view.folder) else { continue };
        let known = std::mem::take(&mut view.touched);
        let mut gone = Vec::new();
        for touched in known {
            match (&touched.local, &touched.remote) {
                (Some(now), None) if !moved.remote.contains_key(&touched.row.id) => {
                    gone.push((touched.row.clone(), now.clone()));
                }
                (Some(_) | None, Some(_) | None) => view.touched.push(touched),
            }
        }
        let known = view.local_new.len();
        for (row, now) in gone {
            let name = String::from_utf8_lossy(&now.place).into_owned();
            match candidate(&folder.dir, row, now) {
                Ok(local) => view.local_new.push(local),
                Err(error) => engine.fail_message(&folder.name, &name, &error),
            }
        }
        if view.local_new.len() > known {
            paired.pairs.remove(&view.folder);
            paired.undecided.retain(|(_, at)| at.folder != view.folder);
            decide::pair(engine, folders, view, &moves::Gone::default(), paired)?;
        }
        refresh(engine, &folder.dir, view, known, paired);
    }
    Ok(())
}

fn candidate(dir: &FolderDir, row: Row, now: LocalNow) -> Result<LocalNew, maildir::Error> {
    let place = Place::from_bytes(&now.place).ok_or_else(|| maildir::Error::Gone { path: dir.path.clone() })?;
    let content = read::content(dir, &place)?;
    let date = row.identity.date.map_or_else(|| read::open(dir, &place).map(|m| m.mtime), Ok)?;
    let LocalNow { place, inode, flags } = now;
    Ok(LocalNew { place, inode, flags, content, date: Some(date), row: Some(Box::new(row)) })
}

/// Of the first `count` files those that are known by their rows are read before they go anywhere; one that cannot be read is
/// left out.
fn refresh(engine: &Engine<'_>, dir: &FolderDir, view: &mut View, count: usize, paired: &mut Paired) {
    for (index, local) in view.local_new.iter_mut().enumerate().take(count) {
        let Some(place) = Place::from_bytes(&local.place).filter(|_| local.row.is_some()) else { continue };
        match read::content(dir, &place) {
            Ok(content) => local.content = content,
            Err(error) => {
                paired.undecided.insert((Side::Local, At { folder: view.folder, index }));
                engine.fail_message(&view.name, &String::from_utf8_lossy(&local.place), &error);
            }
        }
    }
}
