//! Downloads whose rows a crash took and whose files were moved to another folder meanwhile (HAZARDS 19): the rows are written as they
//! would have been, and what happened since is an ordinary move.

use std::collections::HashMap;

use crate::mail::UidSet;
use crate::state::{FolderId, Mark, Row, RowId, base, folder};

use super::compare::unique;
use super::decide::fetch_headers;
use super::engine::{Engine, Error, Folders};
use super::survey::Survey;
use super::view::{Touched, View};

/// An unbound message of a view and the file that carries the name derived for it, by their places.
struct Hit {
    view: usize,
    message: usize,
    other: usize,
    file: usize,
}

/// Finds such downloads after a run that did not end.
///
/// # Errors
/// What takes the account down.
pub(super) fn recover(engine: &Engine<'_>, folders: &Folders, survey: &mut Survey) -> Result<(), Error> {
    if !engine.account.unfinished || engine.job.options.dry_run {
        return Ok(());
    }
    let hits = find(engine, &survey.views);
    let views = &mut survey.views;
    for hit in hits.iter().rev() {
        let Some(content) = views.get(hit.other).and_then(|v| v.local_new.get(hit.file)).map(|l| l.content.clone())
        else {
            continue;
        };
        let Some(view) = views.get_mut(hit.view) else { continue };
        let Some(uid) = view.remote_new.get(hit.message).map(|r| r.message.uid) else { continue };
        // The name nominates; header and size must agree, as in an adoption.
        fetch_headers(engine, folders, view, &UidSet::range(uid, uid))?;
        let Some(new) = view.remote_new.get(hit.message) else { continue };
        if new.header != Some(content.header) || new.message.size != Some(content.size) {
            continue;
        }
        let row = lost_row(view.folder, engine, view, hit.message, &content);
        let Some(mut row) = row else { continue };
        let look = survey.found.get_mut(&view.folder).and_then(|f| f.remote.as_mut()).filter(|r| r.fresh);
        if let (Some(look), Some(validity)) = (look, view.validity) {
            // The row is of the new UIDVALIDITY: the old ones lose their UIDs before it is written, not after.
            engine.state().commit(|db| {
                base::forget_uids(db, view.folder)?;
                folder::set_validity(db, view.folder, validity)
            })?;
            look.fresh = false;
        }
        row.id = engine.state().commit(|db| base::insert(db, &row))?;
        let flags = view.remote_new.remove(hit.message).flags();
        view.touched.push(Touched { row, local: None, remote: Some(flags) });
    }
    Ok(())
}

fn find(engine: &Engine<'_>, views: &[View]) -> Vec<Hit> {
    let mut files: HashMap<&[u8], (usize, usize)> = HashMap::new();
    for (v, view) in views.iter().enumerate() {
        for (l, local) in view.local_new.iter().enumerate().filter(|(_, l)| l.row.is_none()) {
            files.insert(unique(&local.place), (v, l));
        }
    }
    let mut hits = Vec::new();
    for (v, view) in views.iter().enumerate() {
        let Some(validity) = view.validity.filter(|_| !files.is_empty()) else { continue };
        for (r, new) in view.remote_new.iter().enumerate().filter(|(_, r)| r.row.is_none()) {
            let derived = engine.unique(&view.name, validity, new.message.uid, new.message.date);
            if let Some(&(other, file)) = files.get(derived.as_bytes()).filter(|(other, _)| *other != v) {
                hits.push(Hit { view: v, message: r, other, file });
            }
        }
    }
    hits
}

/// The row that the download would have had.
fn lost_row(
    folder: FolderId,
    engine: &Engine<'_>,
    view: &View,
    message: usize,
    content: &crate::mail::Content,
) -> Option<Row> {
    let new = view.remote_new.get(message)?;
    let name = engine.unique(&view.name, view.validity?, new.message.uid, new.message.date);
    Some(Row {
        id: RowId(0),
        folder,
        uid: Some(new.message.uid),
        file: Some(format!("new/{name}").into_bytes()),
        flags: new.flags(),
        mark: Mark::Paired,
        open: 0,
        identity: base::Identity {
            size_wire: new.message.size,
            size: Some(content.size),
            date: new.message.date,
            message_id: content.message_id,
            header: Some(content.header),
            digest: Some(content.digest),
            email_id: new.message.email_id.clone(),
        },
        inode: None,
    })
}
