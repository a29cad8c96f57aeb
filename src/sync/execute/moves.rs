//! Moves: a rename here, MOVE (or COPY and an expunge of just that UID) there. No body crosses the wire.

use std::collections::{BTreeMap, BTreeSet};

use crate::imap::{Copied, FetchSet, Items};
use crate::mail::{System, Uid, UidSet};
use crate::maildir::{Place, Touched};
use crate::state::intent::Intent;
use crate::state::{FolderId, Mark, Row, RowId, base, intent};

use super::super::engine::{Conn, Error};
use super::super::op::Op;
use super::super::view::{LocalNow, RemoteNew};
use super::{Run, Unmoved};

/// A file to be moved.
struct Rename {
    row: RowId,
    from: FolderId,
    local: LocalNow,
    to: FolderId,
    remote: Option<Box<RemoteNew>>,
}

impl Run<'_, '_> {
    /// Carries out all moves; gives the rows that stayed where they were.
    pub(super) fn carry_moves(&self, ops: Vec<Op>) -> Result<Unmoved, Error> {
        let mut unmoved = Unmoved::new();
        let mut renames = Vec::new();
        let mut groups: BTreeMap<(FolderId, FolderId), Vec<(RowId, LocalNow)>> = BTreeMap::new();
        for op in ops {
            if let Op::MoveLocal { row, from, local, to, remote } = op {
                renames.push(Rename { row, from, local, to, remote });
            } else if let Op::MoveRemote { row, from, to, local } = op {
                groups.entry((from, to)).or_default().push((row, local));
            }
        }
        self.move_files(&renames, &mut unmoved)?;
        for ((from, to), messages) in groups {
            self.engine.check_stop()?;
            let ids: Vec<RowId> = messages.iter().map(|(row, _)| *row).collect();
            let mut conn = self.engine.connection()?;
            let outcome = self.move_messages(&mut conn, (from, to), &messages, &mut unmoved);
            self.engine.give_back(conn);
            if outcome.is_err() {
                unmoved.extend(ids);
                self.mark_failed(to);
            }
            self.contain(from, outcome)?;
        }
        Ok(unmoved)
    }

    fn move_files(&self, renames: &[Rename], unmoved: &mut Unmoved) -> Result<(), Error> {
        if renames.is_empty() {
            return Ok(());
        }
        let ids: Vec<RowId> = renames.iter().map(|r| r.row).collect();
        let rows: BTreeMap<RowId, Row> = self.engine.state().rows(&ids)?.into_iter().map(|r| (r.id, r)).collect();
        for rename in renames {
            self.assign(rename.to, rename.local.flags.keywords.iter())?;
        }
        for to in renames.iter().map(|r| r.to).collect::<BTreeSet<_>>() {
            self.save_keywords(to)?;
        }
        let mut touched = Touched::new();
        let mut done: Vec<Row> = Vec::new();
        for rename in renames {
            let Some(row) = rows.get(&rename.row) else { continue };
            match self.move_file(&mut touched, rename, row) {
                Ok(row) => done.push(row),
                Err(error) => {
                    unmoved.insert(rename.row);
                    self.mark_failed(rename.to);
                    self.contain(rename.from, Err(error))?;
                }
            }
        }
        touched.sync()?;
        self.engine.state().commit(|db| done.iter().try_for_each(|row| base::update(db, row)))?;
        done.iter().try_for_each(|row| self.count(row.folder, |s| s.moved_local += 1))
    }

    fn move_file(&self, touched: &mut Touched, rename: &Rename, row: &Row) -> Result<Row, Error> {
        let (from, to) = (self.folder(rename.from)?, self.folder(rename.to)?);
        let gone = || Error::Guard(format!("a file of {} has a name that cannot be", from.name));
        let place = Place::from_bytes(&rename.local.place).ok_or_else(gone)?;
        let (letters, _) = self.with_keywords(rename.to, |k| k.letters_over(&strip(&place), &rename.local.flags))?;
        let moved = touched.move_to((&from.dir, &place), &to.dir, &letters)?;
        self.wrote(rename.from);
        self.wrote(rename.to);
        let mut row = row.clone();
        row.folder = rename.to;
        row.file = Some(moved.place.to_bytes());
        row.inode = Some(moved.inode);
        if let Some(new) = &rename.remote {
            (row.uid, row.mark) = (Some(new.message.uid), Mark::Paired);
            row.identity.size_wire = new.message.size.or(row.identity.size_wire);
            row.identity.date = new.message.date.or(row.identity.date);
            row.identity.email_id = new.message.email_id.clone().or(row.identity.email_id);
        }
        Ok(row)
    }

    fn move_messages(
        &self,
        conn: &mut Conn,
        (from, to): (FolderId, FolderId),
        messages: &[(RowId, LocalNow)],
        unmoved: &mut Unmoved,
    ) -> Result<(), Error> {
        let ids: Vec<RowId> = messages.iter().map(|(row, _)| *row).collect();
        let rows = self.engine.state().rows(&ids)?;
        let rows: Vec<Row> = self.still_there(conn, from, &rows)?.into_iter().cloned().collect();
        let there: BTreeSet<RowId> = rows.iter().map(|r| r.id).collect();
        if there.len() < ids.len() {
            // Gone since the listing: the next run decides anew, and must see again that the file has moved.
            unmoved.extend(ids.into_iter().filter(|id| !there.contains(id)));
            self.mark_failed(from);
            self.mark_failed(to);
        }
        let files: BTreeMap<RowId, &LocalNow> = messages.iter().map(|(id, local)| (*id, local)).collect();
        let set: UidSet = rows.iter().filter_map(|r| r.uid).collect();
        let target = self.folder(to)?;
        let Some(mailbox) = target.mailbox.clone() else {
            return Err(Error::Guard(format!("{} is not on the server", target.name)));
        };
        if set.is_empty() {
            return Ok(());
        }
        let uid_next = self.next_uid(to);
        let intents = self.write_intents(to, uid_next, &rows)?;
        let (copied, expunged) = self.transfer(conn, from, &set, &mailbox)?;
        let told = copied.uid_validity.is_some() && copied.uid_validity == self.validity(to);
        let pairs: BTreeMap<Uid, Uid> = if told && !copied.pairs.is_empty() {
            copied.pairs.into_iter().collect()
        } else {
            self.find_moved(conn, to, uid_next, &rows)?
        };
        // What COPYUID leaves out was gone before it could be moved: the next run sees where it is.
        let (rows, gone): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| !told || row.uid.is_some_and(|uid| pairs.contains_key(&uid)));
        if !gone.is_empty() {
            unmoved.extend(gone.iter().map(|row| row.id));
            self.mark_failed(from);
            self.mark_failed(to);
        }
        let mut done = 0;
        self.engine.state().commit(|db| {
            for mut row in rows {
                let Some(local) = files.get(&row.id) else { continue };
                if !expunged {
                    // The original could not be expunged: it stays marked, and is tried again.
                    base::insert(db, &leftover(&row))?;
                }
                row.folder = to;
                (row.file, row.inode) = (Some(local.place.clone()), Some(local.inode));
                // Unknown where it is now: bound by content when the target is next listed.
                let found = row.uid.and_then(|uid| pairs.get(&uid).copied());
                row.uid = found;
                row.mark = if found.is_some() { row.mark } else { Mark::Sent };
                base::update(db, &row)?;
                done += 1;
            }
            intents.iter().try_for_each(|&id| intent::delete(db, id))
        })?;
        self.count(to, |s| s.moved_remote += done)
    }

    /// The UIDNEXT of a folder as it was seen before this run changed anything.
    pub(super) fn next_uid(&self, id: FolderId) -> Option<Uid> {
        let looked = self.survey.found.get(&id).and_then(|f| f.remote.as_ref()).and_then(|r| r.figures.uid_next);
        looked.or_else(|| self.folders.get(&id).and_then(|f| f.listed.as_ref()).and_then(|l| l.uid_next))
    }

    fn write_intents(&self, to: FolderId, uid_next: Option<Uid>, rows: &[Row]) -> Result<Vec<i64>, Error> {
        Ok(self.engine.state().commit(|db| {
            rows.iter()
                .map(|row| {
                    intent::insert(
                        db,
                        &Intent {
                            id: 0,
                            folder: to,
                            uid_next,
                            message: Some(row.id),
                            file: None,
                            digest: row.identity.digest,
                            message_id: row.identity.message_id,
                        },
                    )
                })
                .collect()
        })?)
    }

    /// MOVE, else COPY, mark, and expunge of just those UIDs. The source folder is open. Whether the originals are gone.
    pub(super) fn transfer(
        &self,
        conn: &mut Conn,
        from: FolderId,
        set: &UidSet,
        mailbox: &crate::imap::MailboxName,
    ) -> Result<(Copied, bool), Error> {
        crate::checkpoint::hit("remote.move");
        if conn.session.capabilities().move_ {
            let pending = conn.session.send_move(set, mailbox)?;
            return Ok((conn.session.finish_copy(pending)?, true));
        }
        let pending = conn.session.send_copy(set, mailbox)?;
        let copied = conn.session.finish_copy(pending)?;
        crate::checkpoint::hit("remote.copied");
        let expunged = self.expunge(conn, from, set)?;
        Ok((copied, expunged))
    }

    /// The UIDs of `set` that rows are bound to: what was sent just now is none of them.
    pub(super) fn bound(&self, folder: FolderId, set: &UidSet) -> Result<UidSet, Error> {
        Ok(self.engine.state().rows_by_uid(folder, set)?.into_iter().filter_map(|r| r.uid).collect())
    }

    /// Where the server does not say it: the messages that came to the target since, by Message-ID, size and date.
    fn find_moved(
        &self,
        conn: &mut Conn,
        to: FolderId,
        since: Option<Uid>,
        rows: &[Row],
    ) -> Result<BTreeMap<Uid, Uid>, Error> {
        let target = self.folder(to)?;
        conn.open(target, self.validity(to))?;
        let set = since.map_or(FetchSet::All, FetchSet::From);
        let pending = conn.session.send_fetch(&set, Items::MESSAGE_ID | Items::SIZE | Items::DATE, None)?;
        let mut there = Vec::new();
        conn.session.finish_fetch(pending, &mut |m| there.push(m))?;
        let bound = self.bound(to, &there.iter().map(|m| m.uid).collect())?;
        there.retain(|m| !bound.contains(m.uid));
        let mut pairs = BTreeMap::new();
        for row in rows {
            let fits = |m: &crate::mail::snapshot::RemoteMessage| {
                m.message_id == Some(row.identity.message_id)
                    && m.date == row.identity.date
                    && (m.size.is_none() || m.size == row.identity.size_wire)
            };
            let at = there.iter().position(fits);
            if let (Some(at), Some(uid)) = (at, row.uid) {
                pairs.insert(uid, there.swap_remove(at).uid);
            }
        }
        Ok(pairs)
    }
}

/// The row of an original that is marked `\\Deleted` and could not be expunged yet.
pub(super) fn leftover(row: &Row) -> Row {
    let mut left = row.clone();
    left.flags.system = left.flags.system.union(System::DELETED);
    (left.file, left.inode, left.mark, left.open) = (None, None, Mark::Flagged, 1);
    left
}

/// The letters without those for keywords, which mean others in another folder.
fn strip(place: &Place) -> crate::maildir::Letters {
    crate::maildir::Letters { keywords: 0, ..place.letters() }
}
