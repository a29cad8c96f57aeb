//! Carries a plan out on the two sides in memory, in `execute`'s order, and may die between any two half-steps.

use std::collections::BTreeMap;

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Side, Uid};
use crate::state::{FolderId, Mark, Row, RowId};

use super::super::super::execute::settle;
use super::super::super::op::{Op, Removal};
use super::super::super::survey::Found;
use super::super::super::view::{LocalNew, LocalNow, RemoteNew};
use super::super::world::{File, TRASH, content, message_id, place, size_wire, unique};
use super::{Died, Run, uid};

impl Run<'_> {
    pub(super) fn execute(&mut self, ops: Vec<Op>, found: &BTreeMap<FolderId, Found>) -> Result<(), Died> {
        self.take_over_validity(found)?;
        let rank = |op: &Op| match op {
            Op::Pair { .. } | Op::Rebind { .. } | Op::Settle { .. } | Op::Note { .. } | Op::Forget { .. } => 0,
            Op::MoveLocal { .. } => 1,
            Op::MoveRemote { .. } => 2,
            Op::Download { .. } | Op::Refetch { .. } => 3,
            Op::Upload { .. } => 4,
            Op::Flags { .. } => 5,
            Op::DeleteRemote { .. } => 6,
            Op::DeleteLocal { .. } => 7,
        };
        let (first, mut rest): (Vec<Op>, Vec<Op>) = ops.into_iter().partition(|op| rank(op) == 0);
        rest.extend(self.settle(first)?);
        rest.sort_by_key(rank);
        for op in rest {
            self.step()?;
            self.carry_out(op)?;
        }
        self.step()
    }

    fn take_over_validity(&mut self, found: &BTreeMap<FolderId, Found>) -> Result<(), Died> {
        for (folder, found) in found {
            if !found.remote.as_ref().is_some_and(|r| r.fresh) {
                continue;
            }
            self.step()?;
            self.world.rows.retain(|_, r| r.folder != *folder || r.file.is_some() || r.mark != Mark::Paired);
            for row in self.world.rows.values_mut().filter(|r| r.folder == *folder) {
                row.uid = None;
                row.mark = if row.mark == Mark::Paired { Mark::Waiting } else { row.mark };
            }
            let validity = self.world.remote[folder].validity;
            let cursor = self.world.cursors.get_mut(folder).unwrap();
            if cursor.validity != Some(validity) {
                (cursor.validity, cursor.next, cursor.modseq) = (Some(validity), None, None);
            }
        }
        Ok(())
    }

    fn put(&mut self, mut row: Row) -> RowId {
        if row.id == RowId(0) {
            row.id = RowId(self.world.count_on().try_into().unwrap());
            self.world.rows.insert(row.id, row.clone());
        } else if let Some(old) = self.world.rows.get_mut(&row.id) {
            // As UPDATE: a row that is gone stays gone.
            *old = row.clone();
        }
        row.id
    }

    /// One transaction.
    fn settle(&mut self, ops: Vec<Op>) -> Result<Vec<Op>, Died> {
        self.step()?;
        let mut flags = Vec::new();
        for op in ops {
            match op {
                Op::Pair { folder, local, remote, flags: merged } => {
                    let mut row = settle::row(folder, Some(&local), Some(&remote), Mark::Paired);
                    let old = local.base().cloned();
                    let settled = merged.local.is_none() && merged.remote.is_none();
                    row.flags = if settled { merged.base.clone() } else { old.unwrap_or(row.flags) };
                    let other = remote.row.as_ref().map(|r| r.id).filter(|&id| id != row.id);
                    row.id = self.put(row.clone());
                    if let Some(other) = other {
                        self.world.rows.remove(&other);
                    }
                    if !settled {
                        let there = merged.remote.map(|wanted| (wanted, remote.flags()));
                        flags.push(Op::Flags {
                            row: row.id,
                            folder,
                            local: merged.local,
                            remote: there,
                            base: merged.base,
                        });
                    }
                }
                Op::Rebind { row, folder, local, remote } => {
                    let Some(mut row) = self.world.rows.get(&row).cloned() else { continue };
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
                    self.put(row);
                }
                Op::Settle { row, mark, gone } => {
                    let Some(mut row) = self.world.rows.get(&row).cloned() else { continue };
                    row.mark = mark;
                    match gone {
                        Side::Local => row.file = None,
                        Side::Remote => row.uid = None,
                    }
                    self.put(row);
                }
                Op::Note { folder, local, remote, mark } => {
                    self.put(settle::row(folder, local.as_deref(), remote.as_deref(), mark));
                }
                Op::Forget { row } => drop(self.world.rows.remove(&row)),
                Op::MoveLocal { .. }
                | Op::MoveRemote { .. }
                | Op::Download { .. }
                | Op::Refetch { .. }
                | Op::Upload { .. }
                | Op::Flags { .. }
                | Op::DeleteLocal { .. }
                | Op::DeleteRemote { .. } => panic!("no step for the state alone"),
            }
        }
        Ok(flags)
    }

    fn carry_out(&mut self, op: Op) -> Result<(), Died> {
        match op {
            Op::MoveLocal { row, from, local, to, remote } => {
                self.move_file(row, (from, &local), to, remote.as_deref())
            }
            Op::MoveRemote { row, from, to, local } => self.move_message(row, from, to, &local),
            Op::Download { folder, remote } => self.download(folder, &remote, remote.row.as_deref()),
            Op::Refetch { row, folder, uid, flags } => {
                let old = self.world.rows.get(&row).cloned();
                let message = RemoteMessage { flags: Some(flags), ..RemoteMessage::new(uid) };
                self.download(folder, &RemoteNew { message, header: None, digest: None, row: None }, old.as_ref())
            }
            Op::Upload { folder, local } => self.upload(folder, &local),
            Op::Flags { row, folder, local, remote, base } => {
                let Some(mut known) = self.world.rows.get(&row).cloned() else { return Ok(()) };
                if let Some(flags) = local {
                    let name = unique(known.file.as_ref().unwrap());
                    self.written.insert(folder);
                    let file = self.world.directory(folder).files.get_mut(&name).expect("the file to be marked");
                    file.flags = flags.clone();
                    known.file = Some(place(&name, &flags));
                    self.step()?;
                    self.put(known.clone());
                }
                // Where its UID is not known yet the flags follow when it is bound.
                if let (Some((flags, _)), Some(uid)) = (remote, known.uid) {
                    let message = self.world.mailbox(folder).messages.get_mut(&uid.get());
                    message.expect("the message to be marked").1 = flags;
                    self.step()?;
                }
                known.flags = base;
                known.open = 0;
                self.put(known);
                Ok(())
            }
            Op::DeleteLocal { row, folder } => {
                let known = self.world.rows[&row].clone();
                self.written.insert(folder);
                self.world.directory(folder).files.remove(&unique(known.file.as_ref().unwrap()));
                self.step()?;
                self.world.rows.remove(&row);
                Ok(())
            }
            Op::DeleteRemote { row, folder, uid, removal, .. } => self.delete_there(row, folder, uid, removal),
            Op::Pair { .. } | Op::Rebind { .. } | Op::Settle { .. } | Op::Note { .. } | Op::Forget { .. } => {
                panic!("a step for the state alone")
            }
        }
    }

    fn move_file(
        &mut self,
        row: RowId,
        (from, local): (FolderId, &LocalNow),
        to: FolderId,
        remote: Option<&RemoteNew>,
    ) -> Result<(), Died> {
        let name = unique(&local.place);
        let mut file = self.world.directory(from).files.remove(&name).expect("the file to be moved");
        file.flags.keywords.clone_from(&local.flags.keywords);
        let target = if self.world.local[&to].files.contains_key(&name) {
            format!("{name}_{}", self.world.count_on())
        } else {
            name
        };
        let mut known = self.world.rows[&row].clone();
        known.file = Some(place(&target, &file.flags));
        known.folder = to;
        if let Some(new) = remote {
            (known.uid, known.mark) = (Some(new.message.uid), Mark::Paired);
        }
        self.world.directory(to).files.insert(target, file);
        self.written.extend([from, to]);
        self.step()?;
        self.put(known);
        Ok(())
    }

    fn move_message(&mut self, row: RowId, from: FolderId, to: FolderId, local: &LocalNow) -> Result<(), Died> {
        let mut known = self.world.rows[&row].clone();
        let old = known.uid.unwrap().get();
        let (id, flags) = self.world.remote[&from].messages.get(&old).cloned().expect("the message to be moved");
        self.world.intents.push((row, to));
        let new = self.world.add_remote(to, id, flags);
        if !self.world.server.moves {
            self.step()?;
        }
        self.world.mailbox(from).messages.remove(&old);
        self.step()?;
        known.folder = to;
        (known.file, known.inode) = (Some(local.place.clone()), Some(local.inode));
        known.uid = self.told(to, new);
        if known.uid.is_none() {
            known.mark = Mark::Sent;
        }
        self.world.intents.retain(|(known, _)| *known != row);
        self.put(known);
        Ok(())
    }

    /// The UID of a message that was just sent, if the server tells it or it can be found by its Message-ID.
    fn told(&self, folder: FolderId, new: Uid) -> Option<Uid> {
        if self.world.server.uidplus {
            return Some(new);
        }
        let id = self.content_of(folder, new);
        let messages = self.world.remote[&folder].messages.range(self.next[&folder]..);
        let bound = |number| self.world.rows.values().any(|r| r.folder == folder && r.uid == Some(uid(number)));
        message_id(id)?;
        let fits = |c: u8| message_id(c) == message_id(id) && size_wire(c) == size_wire(id);
        messages.into_iter().find(|(number, (c, _))| fits(*c) && !bound(**number)).map(|(number, _)| uid(*number))
    }

    fn download(&mut self, folder: FolderId, remote: &RemoteNew, old: Option<&Row>) -> Result<(), Died> {
        let number = remote.message.uid.get();
        let (id, flags) = self.world.remote[&folder].messages.get(&number).cloned().expect("the message to be fetched");
        let mut name = format!("{}.{}.{number}.mailferry", folder.0, self.world.remote[&folder].validity);
        let mut inode = self.world.count_on();
        match self.world.local[&folder].files.get(&name) {
            // A second delivery of the same message finds the first.
            Some(there) if there.content == id && there.flags.system == flags.system => inode = there.inode,
            Some(_) => name = format!("{name}_{inode}"),
            None => {}
        }
        self.written.insert(folder);
        let file = File { content: id, inode, flags: flags.clone() };
        let mut row = settle::row(folder, None, Some(remote), Mark::Paired);
        row.id = old.map_or(RowId(0), |r| r.id);
        row.file = Some(place(&name, &flags));
        (row.flags, row.inode) = (flags, Some(inode));
        let told = content(id);
        row.identity.size = Some(told.size);
        row.identity.size_wire = remote.message.size.or(old.and_then(|r| r.identity.size_wire));
        row.identity.date = remote.message.date.or(old.and_then(|r| r.identity.date));
        (row.identity.header, row.identity.digest) = (Some(told.header), Some(told.digest));
        row.identity.message_id = told.message_id;
        self.world.directory(folder).files.insert(name, file);
        self.step()?;
        self.put(row);
        Ok(())
    }

    fn upload(&mut self, folder: FolderId, local: &LocalNew) -> Result<(), Died> {
        let id = local.content.digest.0[0];
        let new = self.world.add_remote(folder, id, local.flags.clone());
        self.step()?;
        let told = self.told(folder, new);
        let mut row = settle::row(folder, Some(local), None, if told.is_some() { Mark::Paired } else { Mark::Sent });
        row.uid = told;
        row.identity.size_wire = Some(local.content.size);
        row.flags = local.flags.clone();
        self.put(row);
        Ok(())
    }

    fn delete_there(&mut self, row: RowId, folder: FolderId, uid: Uid, removal: Removal) -> Result<(), Died> {
        let mut known = self.world.rows[&row].clone();
        let number = uid.get();
        match removal {
            Removal::Flag => {
                let message = self.world.mailbox(folder).messages.get_mut(&number);
                message.expect("the message to be marked").1.insert_imap("\\Deleted");
                self.step()?;
                known.flags.insert_imap("\\Deleted");
                (known.file, known.mark) = (None, Mark::Flagged);
                self.put(known);
                return Ok(());
            }
            Removal::Trash => {
                let (id, flags) = self.world.remote[&folder].messages.get(&number).cloned().expect("what to trash");
                self.world.add_remote(TRASH, id, flags);
                if !self.world.server.moves {
                    self.step()?;
                }
            }
            Removal::Expunge => {}
        }
        self.world.mailbox(folder).messages.remove(&number).expect("the message to be expunged");
        self.step()?;
        self.world.rows.remove(&row);
        Ok(())
    }
}
