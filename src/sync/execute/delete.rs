//! Deletions, last: each on the server against an identity that was checked on the same connection.

use std::collections::{BTreeMap, BTreeSet};

use crate::imap::StoreChange;
use crate::mail::{Flags, Side, System, Uid, UidSet};
use crate::maildir::{Place, Touched};
use crate::state::{FolderId, Mark, Row, RowId, base};

use super::super::engine::{Conn, Error};
use super::super::op::{Op, Removal};
use super::Run;
use super::moves::leftover;

/// One removal from the server.
#[derive(Clone, Copy)]
struct Doomed {
    row: RowId,
    removal: Removal,
    also_local: bool,
}

impl Run<'_, '_> {
    pub(super) fn delete(&self, ops: Vec<Op>) -> Result<(), Error> {
        let mut here: BTreeMap<FolderId, Vec<RowId>> = BTreeMap::new();
        let mut there: BTreeMap<FolderId, Vec<Doomed>> = BTreeMap::new();
        for op in ops {
            if let Op::DeleteLocal { row, folder } = op {
                here.entry(folder).or_default().push(row);
            } else if let Op::DeleteRemote { row, folder, removal, also_local, .. } = op {
                there.entry(folder).or_default().push(Doomed { row, removal, also_local });
            }
        }
        for (folder, doomed) in there {
            self.engine.check_stop()?;
            if self.is_failed(folder) || self.may_hide(Side::Local) {
                self.mark_failed(folder);
                continue;
            }
            let mut conn = self.engine.connection()?;
            let outcome = self.delete_there(&mut conn, folder, &doomed);
            self.engine.give_back(conn);
            self.contain(folder, outcome)?;
        }
        for (folder, rows) in here {
            if self.is_failed(folder) || self.may_hide(Side::Remote) {
                self.mark_failed(folder);
                continue;
            }
            let outcome = self.delete_here(folder, &rows);
            self.contain(folder, outcome)?;
        }
        Ok(())
    }

    fn delete_here(&self, folder: FolderId, ids: &[RowId]) -> Result<(), Error> {
        let dir = &self.folder(folder)?.dir;
        let rows = self.engine.state().rows(ids)?;
        let mut touched = Touched::new();
        let mut removed = 0;
        for row in &rows {
            if let Some(place) = row.file.as_deref().and_then(Place::from_bytes) {
                removed += u64::from(touched.remove(dir, &place)?);
            }
        }
        self.wrote(folder);
        // The row goes only when the file cannot come back after a power cut (HAZARDS 7).
        touched.sync()?;
        self.engine.state().commit(|db| rows.iter().try_for_each(|row| base::delete(db, row.id)))?;
        self.count(folder, |s| s.deleted_local += removed)
    }

    fn delete_there(&self, conn: &mut Conn, folder: FolderId, doomed: &[Doomed]) -> Result<(), Error> {
        let mut plan: BTreeMap<RowId, Doomed> = doomed.iter().map(|d| (d.row, *d)).collect();
        let ids: Vec<RowId> = plan.keys().copied().collect();
        // A statement of its own: the state stays locked to the end of the one that asks it.
        let rows = self.engine.state().rows(&ids)?;
        let rows = self.without_shared(folder, rows)?;
        if conn.session.capabilities().gmail {
            self.take_labels_only(&rows, &mut plan)?;
        }
        let there: BTreeSet<RowId> = self.still_there(conn, folder, &rows)?.iter().map(|r| r.id).collect();
        for removal in [Removal::Flag, Removal::Trash, Removal::Expunge] {
            let wanted: Vec<&Row> =
                rows.iter().filter(|r| plan.get(&r.id).is_some_and(|d| d.removal == removal)).collect();
            if wanted.is_empty() {
                continue;
            }
            let set: UidSet = wanted.iter().filter(|r| there.contains(&r.id)).filter_map(|r| r.uid).collect();
            let gone = if set.is_empty() { true } else { self.remove_from_server(conn, folder, &set, removal)? };
            let local: BTreeSet<RowId> =
                wanted.iter().map(|r| r.id).filter(|id| plan.get(id).is_some_and(|d| d.also_local)).collect();
            let kept = self.kept_here();
            self.engine.state().commit(|db| {
                for row in &wanted {
                    if !gone && local.contains(&row.id) {
                        // Marked on both sides, and both stay until it can be expunged.
                        let mut left = (*row).clone();
                        left.open = left.open.saturating_add(1);
                        base::update(db, &left)?;
                    } else if removal == Removal::Flag || !gone {
                        let mut left = leftover(row);
                        left.open = u32::from(removal != Removal::Flag);
                        base::update(db, &left)?;
                    } else if !local.contains(&row.id) {
                        after_removal(db, row, kept.contains(&row.id))?;
                    }
                }
                Ok(())
            })?;
            self.count(folder, |s| s.deleted_remote += set.len())?;
            if gone && !local.is_empty() {
                self.delete_here(folder, &local.into_iter().collect::<Vec<_>>())?;
            }
        }
        Ok(())
    }

    /// On Gmail a folder is a label: while another folder holds the message its deletion takes the label, and only the last goes to
    /// Trash.
    fn take_labels_only(&self, rows: &[Row], plan: &mut BTreeMap<RowId, Doomed>) -> Result<(), Error> {
        for row in rows {
            let Some(name) = &row.identity.email_id else { continue };
            let others = self.engine.state().rows_by_email_id(name)?;
            // A name that stands for several contents is none.
            let same = |o: &&Row| o.identity.digest.is_some() && o.identity.digest == row.identity.digest;
            let mut elsewhere = others.iter().filter(|o| o.folder != row.folder).filter(same);
            let held = elsewhere.any(|o| o.uid.is_some() && o.file.is_some());
            if held && let Some(doomed) = plan.get_mut(&row.id).filter(|d| d.removal == Removal::Trash) {
                doomed.removal = Removal::Expunge;
            }
        }
        Ok(())
    }

    /// The rows without those whose message another file here still stands for: they are forgotten, and the message goes only with
    /// its last file (HAZARDS 15).
    fn without_shared(&self, folder: FolderId, rows: Vec<Row>) -> Result<Vec<Row>, Error> {
        let uids: UidSet = rows.iter().filter_map(|r| r.uid).collect();
        let ids: BTreeSet<RowId> = rows.iter().map(|r| r.id).collect();
        let others = self.engine.state().rows_by_uid(folder, &uids)?;
        let shared: BTreeSet<Option<Uid>> =
            others.iter().filter(|r| !ids.contains(&r.id) && r.file.is_some()).map(|r| r.uid).collect();
        let (forgotten, rows): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(|r| shared.contains(&r.uid));
        if !forgotten.is_empty() {
            self.engine.state().commit(|db| forgotten.iter().try_for_each(|row| base::delete(db, row.id)))?;
        }
        Ok(rows)
    }

    /// The rows whose files are here.
    fn kept_here(&self) -> BTreeSet<RowId> {
        let touched = self.survey.views.iter().flat_map(|v| &v.touched);
        touched.filter(|t| t.local.is_some()).map(|t| t.row.id).collect()
    }

    /// Whether the messages are gone now; otherwise they are marked `\Deleted` and tried again another time.
    fn remove_from_server(
        &self,
        conn: &mut Conn,
        folder: FolderId,
        set: &UidSet,
        removal: Removal,
    ) -> Result<bool, Error> {
        crate::checkpoint::hit("remote.delete");
        match removal {
            Removal::Flag => {
                let pending = conn.session.send_store(set, StoreChange::Add, &Flags::of(System::DELETED))?;
                conn.session.finish_store(pending)?;
                Ok(false)
            }
            Removal::Trash => {
                let trash =
                    self.folders_trash().ok_or_else(|| Error::Guard("the Trash is not there any more".to_owned()))?;
                Ok(self.transfer(conn, folder, set, &trash)?.1)
            }
            Removal::Expunge => self.expunge(conn, folder, set),
        }
    }

    fn folders_trash(&self) -> Option<crate::imap::MailboxName> {
        self.engine.trash.clone()
    }

    /// Expunges just these UIDs of the open folder. Without UIDPLUS only if nothing else is marked (HAZARDS 11); `false`: they
    /// stay marked.
    pub(super) fn expunge(&self, conn: &mut Conn, folder: FolderId, set: &UidSet) -> Result<bool, Error> {
        let pending = conn.session.send_store(set, StoreChange::Add, &Flags::of(System::DELETED))?;
        conn.session.finish_store(pending)?;
        crate::checkpoint::hit("remote.marked");
        if conn.session.capabilities().uidplus {
            let pending = conn.session.send_expunge(set)?;
            match conn.session.finish_expunge(pending) {
                Ok(_) => return Ok(true),
                // Offered and refused (Proton Bridge): as if it were not offered.
                Err(error @ crate::imap::Error::Refused { .. }) => drop(error),
                Err(error) => return Err(error.into()),
            }
        }
        let marked = conn.session.marked_deleted()?;
        let earlier = self.engine.state().open_rows(folder)?;
        let ours = |uid: crate::mail::Uid| {
            set.contains(uid) || earlier.iter().any(|r| r.mark == Mark::Flagged && r.uid == Some(uid))
        };
        if marked.len() <= 100_000 && marked.iter().all(ours) && set.iter().all(|uid| marked.contains(uid)) {
            conn.session.expunge_all()?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// A row whose message is gone from the server: forgotten, unless its file stays here (an archive that expunges).
fn after_removal(db: &crate::state::Db, row: &Row, stays: bool) -> Result<(), crate::state::Error> {
    if !stays {
        return base::delete(db, row.id);
    }
    let mut row = row.clone();
    (row.uid, row.mark) = (None, Mark::Kept);
    base::update(db, &row)
}
