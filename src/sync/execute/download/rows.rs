//! What was received: durable in batches, then its rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mail::Flags;
use crate::maildir::Batch;
use crate::state::{FolderId, Mark, Row, RowId, base, folder};

use super::super::super::engine::Error;
use super::super::super::view::RemoteNew;
use super::super::{Run, settle};
use super::Want;

/// What waits in a worker's batch for its row.
pub(in super::super) struct Waiting {
    pub folder: FolderId,
    pub want: Want,
    pub flags: Flags,
}

impl Run<'_, '_> {
    /// The unique part of the message's file name.
    pub(in super::super) fn unique(&self, folder: FolderId, want: &Want) -> String {
        let name = self.folders.get(&folder).map(|f| f.name.clone()).unwrap_or_else(crate::mail::FolderName::inbox);
        match self.validity(folder) {
            Some(validity) => self.engine.unique(&name, validity, want.message().uid, want.message().date),
            None => String::from_utf8_lossy(&crate::maildir::deliver::fresh_unique()).into_owned(),
        }
    }

    /// Makes a batch durable, and then its rows.
    pub(in super::super) fn commit(
        &self,
        batch: &mut Batch<'_>,
        waiting: &mut HashMap<u64, Waiting>,
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let folders: BTreeSet<FolderId> = waiting.values().map(|w| w.folder).collect();
        for &id in &folders {
            self.save_keywords(id)?;
            self.wrote(id);
        }
        let delivered = batch.commit()?;
        crate::checkpoint::hit("download.delivered");
        let mut paths = Vec::new();
        let mut new: BTreeMap<FolderId, u64> = BTreeMap::new();
        self.engine.state().commit(|db| {
            for id in &folders {
                if let Some(validity) = self.validity(*id) {
                    folder::set_validity_if_none(db, *id, validity)?;
                }
            }
            for message in delivered {
                let Some(Waiting { folder, want, flags }) = waiting.remove(&message.key) else { continue };
                let told = want.message();
                let old = want.row();
                let row = Row {
                    id: old.map_or(RowId(0), |r| r.id),
                    folder,
                    uid: Some(told.uid),
                    file: Some(message.place.to_bytes()),
                    flags,
                    mark: Mark::Paired,
                    open: 0,
                    identity: base::Identity {
                        size_wire: told.size,
                        size: Some(message.content.size),
                        date: told.date,
                        message_id: message.content.message_id,
                        header: Some(message.content.header),
                        digest: Some(message.content.digest),
                        email_id: told.email_id.clone().or(old.and_then(|r| r.identity.email_id.clone())),
                    },
                    inode: Some(message.inode),
                };
                if row.id == RowId(0) {
                    base::insert(db, &row)?;
                } else {
                    base::update(db, &row)?;
                }
                if let Some(target) = self.folders.get(&folder) {
                    paths.push(target.dir.path_of(&message.place));
                }
                *new.entry(folder).or_default() += 1;
            }
            Ok(())
        })?;
        new.into_iter().try_for_each(|(folder, new)| self.count(folder, |s| s.downloaded += new))?;
        self.engine.report().changed.extend(paths);
        Ok(())
    }
}

/// Writes down that a message is to be fetched still.
pub(super) fn note_waiting(db: &crate::state::Db, folder: FolderId, want: &Want) -> Result<(), crate::state::Error> {
    let new = RemoteNew { message: want.message().clone(), header: None, digest: None, row: None };
    let mut row = settle::row(folder, None, Some(&new), Mark::Waiting);
    row.id = want.row().map_or(RowId(0), |r| r.id);
    row.open = want.row().map_or(1, |r| r.open.saturating_add(1));
    if row.id == RowId(0) { base::insert(db, &row).map(drop) } else { base::update(db, &row) }
}
