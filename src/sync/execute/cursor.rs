//! The cursors, at the very end: values seen before what they stand for, and only where nothing was left undone.

use std::collections::BTreeSet;

use crate::mail::Side;
use crate::maildir::now_of;
use crate::state::{FolderId, folder, intent};

use super::super::engine::Error;
use super::super::look::{stamp_bytes, unsettled};
use super::{Run, lock};

impl Run<'_, '_> {
    pub(super) fn record_cursors(&self, held: &BTreeSet<(Side, FolderId)>) -> Result<(), Error> {
        let failed: BTreeSet<FolderId> = lock(&self.failed).clone();
        let written: BTreeSet<FolderId> = lock(&self.written).clone();
        let mut stamps = Vec::new();
        let mut figures = Vec::new();
        let mut had = Vec::new();
        let mut settled_folders = Vec::new();
        let mut now = None;
        for (id, target) in self.folders {
            let Some(found) = self.survey.found.get(id).filter(|f| !f.failed) else { continue };
            let (here, there) = (target.is_on(Side::Local), target.is_on(Side::Remote) && target.mailbox.is_some());
            if found.local.is_some() || found.remote.is_some() {
                had.push((*id, here, there));
            }
            let open = failed.contains(id);
            if let Some(look) = &found.remote
                && look.trusted
                && !open
                && !held.contains(&(Side::Remote, *id))
                && look.figures != target.base.figures
            {
                figures.push((*id, look.figures.clone()));
            }
            let is_held = held.contains(&(Side::Local, *id)) || held.contains(&(Side::Remote, *id));
            if found.remote.as_ref().is_some_and(|look| look.trusted) && !open && !is_held {
                // Whatever an earlier run had begun here has been found or done again.
                settled_folders.push(*id);
            }
            let Some(stamp) = found.local.as_ref().filter(|l| l.scanned).and_then(|l| l.stamp) else {
                if written.contains(id)
                    && let Some(stamp) = found.local.as_ref().and_then(|l| l.stamp)
                {
                    stamps.push((*id, stamp_bytes(&unsettled(&stamp))));
                }
                continue;
            };
            let now = match now {
                Some(now) => now,
                None => *now.insert(now_of(&self.engine.layout.state_dir())?),
            };
            let settled = found.local.as_ref().is_some_and(|l| !l.unsettled)
                && now - stamp.latest_ns() > self.engine.file_system.grain_ns();
            let unfinished = open || written.contains(id) || held.contains(&(Side::Local, *id));
            let kept = if settled && !unfinished { stamp } else { unsettled(&stamp) };
            let bytes = stamp_bytes(&kept);
            if target.base.stamp.as_ref() != Some(&bytes) {
                stamps.push((*id, bytes));
            }
        }
        if stamps.is_empty() && figures.is_empty() && had.is_empty() {
            return Ok(());
        }
        self.engine.state().commit(|db| {
            for (id, here, there) in &had {
                folder::set_had(db, *id, *here, *there)?;
            }
            for id in &settled_folders {
                intent::settle(db, *id)?;
            }
            for (id, value) in &figures {
                folder::set_figures(db, *id, value)?;
            }
            for (id, bytes) in &stamps {
                folder::set_stamp(db, *id, Some(bytes))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}
