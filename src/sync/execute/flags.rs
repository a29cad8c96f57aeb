//! Changes of flags: files renamed in one batch, STOREs grouped by equal change into sets of UIDs.

use std::collections::BTreeMap;

use crate::imap::StoreChange;
use crate::mail::{Flags, UidSet};
use crate::maildir::{Place, Touched};
use crate::severity::Severity as _;
use crate::state::{FolderId, Row, RowId, base};

use super::super::engine::{Conn, Error};
use super::super::op::Op;
use super::Run;

/// One message's change.
struct Change {
    row: RowId,
    local: Option<Flags>,
    remote: Option<(Flags, Flags)>,
    base: Flags,
}

impl Run<'_, '_> {
    pub(super) fn change_flags(&self, ops: Vec<Op>) -> Result<(), Error> {
        let mut by_folder: BTreeMap<FolderId, Vec<Change>> = BTreeMap::new();
        for op in ops {
            if let Op::Flags { row, folder, local, remote, base } = op {
                by_folder.entry(folder).or_default().push(Change { row, local, remote, base });
            }
        }
        for (folder, changes) in by_folder {
            self.engine.check_stop()?;
            let outcome = self.change_folder(folder, changes);
            self.contain(folder, outcome)?;
        }
        Ok(())
    }

    fn change_folder(&self, folder: FolderId, changes: Vec<Change>) -> Result<(), Error> {
        let ids: Vec<RowId> = changes.iter().map(|c| c.row).collect();
        let mut rows: BTreeMap<RowId, Row> = self.engine.state().rows(&ids)?.into_iter().map(|r| (r.id, r)).collect();
        self.rename_files(folder, &changes, &mut rows)?;
        let refused = if changes.iter().any(|c| c.remote.is_some()) {
            let mut conn = self.engine.connection()?;
            let outcome = self.store(&mut conn, folder, &changes, &rows);
            self.engine.give_back(conn);
            outcome?
        } else {
            UidSet::new()
        };
        let mut stored = 0;
        self.engine.state().commit(|db| {
            for change in changes {
                let Some(row) = rows.get_mut(&change.row) else { continue };
                if change.remote.is_some() && row.uid.is_some_and(|uid| refused.contains(uid)) {
                    row.open = row.open.saturating_add(1);
                } else {
                    stored += u64::from(change.remote.is_some());
                    (row.flags, row.open) = (change.base, 0);
                }
                base::update(db, row)?;
            }
            Ok(())
        })?;
        self.count(folder, |s| s.flags_remote += stored)
    }

    fn rename_files(&self, folder: FolderId, changes: &[Change], rows: &mut BTreeMap<RowId, Row>) -> Result<(), Error> {
        if changes.iter().all(|c| c.local.is_none()) {
            return Ok(());
        }
        let target = self.folder(folder)?;
        self.assign(folder, changes.iter().filter_map(|c| c.local.as_ref()).flat_map(|f| &f.keywords))?;
        self.save_keywords(folder)?;
        self.wrote(folder);
        let mut touched = Touched::new();
        let mut renamed = Vec::new();
        for change in changes {
            let (Some(flags), Some(row)) = (&change.local, rows.get_mut(&change.row)) else { continue };
            let Some(place) = row.file.as_deref().and_then(Place::from_bytes) else { continue };
            let (letters, _) = self.with_keywords(folder, |k| k.letters_over(&place.letters(), flags))?;
            match touched.set_letters(&target.dir, &place, &letters) {
                Ok(place) => {
                    row.file = Some(place.to_bytes());
                    renamed.push(row.clone());
                }
                Err(error) if error.is_absence() => {
                    // A mail reader removed it meanwhile: the next run sees that.
                    self.mark_failed(folder);
                    row.open = row.open.saturating_add(1);
                }
                Err(error) if error.scope() <= crate::severity::Scope::Message => self.fail(folder, &error.into()),
                Err(error) => return Err(error.into()),
            }
        }
        touched.sync()?;
        self.engine.state().commit(|db| renamed.iter().try_for_each(|row| base::update(db, row)))?;
        self.count(folder, |s| s.flags_local += renamed.len() as u64)?;
        let mut report = self.engine.report();
        report
            .changed
            .extend(renamed.iter().filter_map(|r| Some(target.dir.path_of(&Place::from_bytes(r.file.as_deref()?)?))));
        Ok(())
    }

    /// Sends the STOREs; gives the UIDs whose change was refused, or whose message was gone: a STORE is answered OK for those, too,
    /// and where the message is now, the change must still be carried there.
    fn store(
        &self,
        conn: &mut Conn,
        folder: FolderId,
        changes: &[Change],
        rows: &BTreeMap<RowId, Row>,
    ) -> Result<UidSet, Error> {
        let mut groups: BTreeMap<(bool, String), (Flags, UidSet)> = BTreeMap::new();
        for change in changes {
            let (Some((wanted, now)), Some(uid)) = (&change.remote, rows.get(&change.row).and_then(|r| r.uid)) else {
                continue;
            };
            for (add, flags) in [(true, wanted.difference(now)), (false, now.difference(wanted))] {
                if !flags.is_empty() {
                    let group = groups.entry((add, flags.to_string())).or_insert_with(|| (flags, UidSet::new()));
                    group.1.insert(uid);
                }
            }
        }
        conn.open_to_change(self.folder(folder)?, self.validity(folder))?;
        crate::checkpoint::hit("remote.store");
        let mut flights = Vec::new();
        for ((add, _), (flags, set)) in groups {
            let change = if add { StoreChange::Add } else { StoreChange::Remove };
            flights.push((conn.session.send_store(&set, change, &flags)?, set));
        }
        let (mut refused, mut untold, mut told) = (UidSet::new(), UidSet::new(), UidSet::new());
        for (pending, set) in flights {
            match conn.session.finish_store(pending) {
                Ok(end) => {
                    add(&mut refused, &end.modified);
                    add(&mut told, &end.told);
                    add(&mut untold, &set);
                }
                Err(error) if error.is_fatal() => return Err(error.into()),
                Err(error) => {
                    self.fail(folder, &error.into());
                    add(&mut refused, &set);
                }
            }
        }
        let untold: UidSet = untold.iter().filter(|uid| !told.contains(*uid)).collect();
        let there = conn.session.existing(&untold)?;
        let gone: UidSet = untold.iter().filter(|uid| !there.contains(*uid)).collect();
        add(&mut refused, &gone);
        Ok(refused)
    }
}

fn add(all: &mut UidSet, some: &UidSet) {
    some.ranges().for_each(|(first, last)| all.insert_range(first.get(), last.get()));
}
