//! What only the state must know: pairs, new places of known messages, agreed absences.

use std::collections::HashMap;

use crate::mail::Side;
use crate::state::base::Identity;
use crate::state::{FolderId, Mark, Row, RowId, base, folder};

use super::super::engine::Error;
use super::super::op::Op;
use super::super::view::{LocalNew, RemoteNew};
use super::Run;

/// What a message is known by, from what both sides tell.
pub fn identity(local: Option<&LocalNew>, remote: Option<&RemoteNew>) -> Identity {
    let message = remote.map(|r| &r.message);
    let content = local.map(|l| &l.content);
    Identity {
        size_wire: message.and_then(|m| m.size),
        size: content.map(|c| c.size),
        date: message.and_then(|m| m.date).or(local.and_then(|l| l.date)),
        message_id: content.map_or_else(|| message.and_then(|m| m.message_id).flatten(), |c| c.message_id),
        header: content.map(|c| c.header).or(remote.and_then(|r| r.header)),
        digest: content.map(|c| c.digest).or(remote.and_then(|r| r.digest)),
        email_id: message.and_then(|m| m.email_id.clone()),
    }
}

/// A row for a message of `folder`.
pub fn row(folder: FolderId, local: Option<&LocalNew>, remote: Option<&RemoteNew>, mark: Mark) -> Row {
    let known = local.and_then(|l| l.row.as_deref()).or(remote.and_then(|r| r.row.as_deref()));
    let flags = match (local, remote) {
        (Some(l), Some(r)) => l.flags.intersection(&r.flags()),
        (Some(l), None) => l.flags.clone(),
        (None, r) => r.map(RemoteNew::flags).unwrap_or_default(),
    };
    Row {
        id: known.map_or(RowId(0), |row| row.id),
        folder,
        uid: remote.map(|r| r.message.uid),
        file: local.map(|l| l.place.clone()),
        flags,
        mark,
        open: 0,
        identity: identity(local, remote),
        inode: local.map(|l| l.inode),
    }
}

impl Run<'_, '_> {
    /// Where UIDVALIDITY is new, the rows lose their UIDs before any gets a new one (HAZARDS 1).
    pub(super) fn take_over_validity(&self) -> Result<(), Error> {
        for (&id, found) in &self.survey.found {
            let Some(look) = found.remote.as_ref().filter(|r| r.fresh && !found.failed) else { continue };
            let Some(validity) = look.figures.uid_validity else { continue };
            self.engine.state().commit(|db| {
                base::forget_uids(db, id)?;
                folder::set_validity(db, id, validity)
            })?;
        }
        Ok(())
    }

    /// Carries out the steps, and gives the flag changes that pairs still need.
    pub(super) fn settle(&self, ops: Vec<Op>) -> Result<Vec<Op>, Error> {
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let mut flags = Vec::new();
        // Two steps may be about one row: a new name, then an agreed absence.
        let mut rows: HashMap<RowId, Row> = self.rows_of(&ops)?.into_iter().map(|r| (r.id, r)).collect();
        self.engine.state().commit(|db| {
            for op in ops {
                match op {
                    Op::Pair { folder, local, remote, flags: merged } => {
                        let mut row = row(folder, Some(&local), Some(&remote), Mark::Paired);
                        let old = local.base().cloned();
                        let settled = merged.local.is_none() && merged.remote.is_none();
                        row.flags = if settled { merged.base.clone() } else { old.unwrap_or(row.flags) };
                        let other = remote.row.as_ref().map(|r| r.id).filter(|&id| id != row.id);
                        if row.id == RowId(0) {
                            row.id = base::insert(db, &row)?;
                        } else {
                            base::update(db, &row)?;
                        }
                        if let Some(other) = other {
                            base::delete(db, other)?;
                        }
                        if !settled {
                            let remote = merged.remote.map(|wanted| (wanted, remote.flags()));
                            flags.push(Op::Flags {
                                row: row.id,
                                folder,
                                local: merged.local,
                                remote,
                                base: merged.base,
                            });
                        }
                    }
                    Op::Rebind { row, folder, local, remote } => {
                        let Some(row) = rows.get_mut(&row) else { continue };
                        row.folder = folder;
                        if let Some(now) = local {
                            (row.file, row.inode) = (Some(now.place), Some(now.inode));
                        }
                        if let Some(new) = remote {
                            row.uid = Some(new.message.uid);
                            row.identity.size_wire = new.message.size.or(row.identity.size_wire);
                            row.identity.date = new.message.date.or(row.identity.date);
                        }
                        if row.uid.is_some() && row.file.is_some() {
                            row.mark = Mark::Paired;
                        }
                        base::update(db, row)?;
                    }
                    Op::Settle { row, mark, gone } => {
                        let Some(row) = rows.get_mut(&row) else { continue };
                        row.mark = mark;
                        match gone {
                            Side::Local => row.file = None,
                            Side::Remote => row.uid = None,
                        }
                        base::update(db, row)?;
                    }
                    Op::Note { folder, local, remote, mark } => {
                        let row = row(folder, local.as_deref(), remote.as_deref(), mark);
                        if row.id == RowId(0) {
                            base::insert(db, &row)?;
                        } else {
                            base::update(db, &row)?;
                        }
                    }
                    Op::Forget { row } => base::delete(db, row)?,
                    Op::MoveLocal { .. }
                    | Op::MoveRemote { .. }
                    | Op::Download { .. }
                    | Op::Refetch { .. }
                    | Op::Upload { .. }
                    | Op::Flags { .. }
                    | Op::DeleteLocal { .. }
                    | Op::DeleteRemote { .. } => {}
                }
            }
            Ok(())
        })?;
        Ok(flags)
    }

    /// The rows that steps are about, as they are now.
    pub(super) fn rows_of(&self, ops: &[Op]) -> Result<Vec<Row>, Error> {
        let ids: Vec<RowId> = ops.iter().filter_map(Op::row).collect();
        Ok(self.engine.state().rows(&ids)?)
    }
}
