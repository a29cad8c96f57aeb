//! A run over the two sides in memory: looks as `survey` does, pairs and plans with the real thing, carries out as `execute` does.

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Side, Uid, UidSet};
use crate::state::{Brief, FolderId, Mark, Row, RowId, base::keywords_hash};

use super::super::adopt::{self, LocalCandidate, RemoteCandidate};
use super::super::compare::{self, Known, RemoteDelta, Seen, flags_key};
use super::super::execute::settle;
use super::super::listing::RemoteLook;
use super::super::look::LocalLook;
use super::super::moves::{self, At, Moves};
use super::super::op::{Op, Removal};
use super::super::plan::{Paired, Plan, Rules, plan};
use super::super::survey::{Found, sort_in};
use super::super::view::{LocalNew, LocalNow, RemoteNew, Role, View};
use super::world::{FOLDERS, File, TRASH, World, content, date, message_id, place, size_wire, unique};

/// The run died.
#[derive(Debug)]
pub struct Died;

/// A run: a world and how many half-steps it may still do.
pub struct Run<'w> {
    pub world: &'w mut World,
    pub fuel: usize,
    written: BTreeSet<FolderId>,
    /// UIDNEXT before anything was changed.
    next: BTreeMap<FolderId, u32>,
}

fn uid(number: u32) -> Uid {
    Uid::new(number).unwrap()
}

impl<'w> Run<'w> {
    pub fn new(world: &'w mut World, fuel: usize) -> Self {
        let next = world.remote.iter().map(|(f, m)| (*f, m.next)).collect();
        Self { world, fuel, written: BTreeSet::new(), next }
    }

    /// A point at which the run may die.
    fn step(&mut self) -> Result<(), Died> {
        self.fuel = self.fuel.checked_sub(1).ok_or(Died)?;
        Ok(())
    }

    fn known(&self, folder: FolderId) -> Known {
        let mut rows: Vec<&Row> = self.world.rows.values().filter(|r| r.folder == folder).collect();
        rows.sort_by_key(|r| r.uid);
        let mut known = Known::default();
        for row in rows {
            let brief = Brief {
                id: row.id,
                uid: row.uid,
                system: row.flags.system,
                keywords: keywords_hash(&row.flags.keywords),
                mark: row.mark,
                open: row.open > 0,
            };
            known.push(brief, row.file.as_deref());
        }
        known
    }

    fn look_here(&self, folder: FolderId, known: &Known) -> (LocalLook, Vec<LocalNew>) {
        let directory = &self.world.local[&folder];
        let files: Vec<(&String, &File, Vec<u8>)> =
            directory.files.iter().map(|(name, file)| (name, file, place(name, &file.flags))).collect();
        let seen = files.iter().map(|(_, file, place)| Seen { place, flags: Some(flags_key(&file.flags)) });
        let delta = compare::local(known, seen);
        let now =
            |i: usize| LocalNow { place: files[i].2.clone(), inode: files[i].1.inode, flags: files[i].1.flags.clone() };
        let look = LocalLook {
            scanned: true,
            missing: delta.missing.into_iter().collect(),
            changed: delta.changed.into_iter().map(|(row, i)| (row, now(i))).collect(),
            ..LocalLook::default()
        };
        let unknown = delta.unknown.into_iter().map(|i| {
            let LocalNow { place, inode, flags } = now(i);
            let id = files[i].1.content;
            LocalNew { place, inode, flags, content: content(id), date: Some(date(id)), row: None }
        });
        (look, unknown.collect())
    }

    fn look_there(&self, folder: FolderId, known: &Known) -> (RemoteLook, Vec<RemoteNew>) {
        let mailbox = &self.world.remote[&folder];
        let cursor = self.world.cursors[&folder];
        let mut look = RemoteLook { trusted: true, ..RemoteLook::default() };
        look.fresh = cursor.validity != Some(mailbox.validity)
            || cursor.next.is_none_or(|next| mailbox.next < next)
            || cursor.modseq.is_none_or(|modseq| mailbox.modseq < modseq);
        let mut listed = UidSet::new();
        for (&number, (_, flags)) in &mailbox.messages {
            listed.insert(uid(number));
            if look.fresh {
                look.delta.unknown.insert(uid(number));
            } else {
                look.delta.see(known, uid(number), Some(flags));
            }
        }
        if !look.fresh {
            look.delta.complete(known, &listed);
            assert_eq!(look.delta.expected(known), listed.len(), "the figures of {folder:?} do not add up");
        }
        let RemoteDelta { unknown, .. } = &look.delta;
        let arrivals = unknown.iter().map(|&uid| {
            let (id, flags) = &mailbox.messages[&uid.get()];
            let message = RemoteMessage {
                flags: Some(flags.clone()),
                size: Some(size_wire(*id)),
                date: Some(date(*id)),
                message_id: Some(message_id(*id)),
                email_id: self.world.server.email_ids.then(|| format!("E{id}")),
                ..RemoteMessage::new(uid)
            };
            RemoteNew { message, header: None, digest: None, row: None }
        });
        let arrivals = arrivals.collect();
        (look, arrivals)
    }

    /// The views, as `survey` makes them, and what was looked at.
    fn views(&self, rules: &Rules) -> (Vec<View>, BTreeMap<FolderId, Found>) {
        let mut views = Vec::new();
        let mut all = BTreeMap::new();
        for folder in FOLDERS {
            let cursor = self.world.cursors[&folder];
            let mailbox = &self.world.remote[&folder];
            let unsettled = self.world.rows.values().any(|r| {
                r.folder == folder
                    && (r.open > 0
                        || r.mark == Mark::Waiting
                        || r.mark == Mark::Skipped
                            && rules.max_size.is_none_or(|max| r.identity.size_wire.or(r.identity.size) <= Some(max)))
            });
            let known = self.known(folder);
            let mut view = View::empty(folder, crate::mail::FolderName::parse(&format!("F{}", folder.0)).unwrap());
            let scan = unsettled || cursor.stamp != Some(self.world.local[&folder].stamp);
            let (local, unknown) =
                if scan { self.look_here(folder, &known) } else { (LocalLook::default(), Vec::new()) };
            view.local_new = unknown;
            let list = unsettled
                || (cursor.validity, cursor.next, cursor.modseq)
                    != (Some(mailbox.validity), Some(mailbox.next), Some(mailbox.modseq));
            let mut found = Found { local: Some(local), ..Found::default() };
            if list {
                let (look, arrivals) = self.look_there(folder, &known);
                view.remote_new = arrivals;
                view.deletions = !look.fresh;
                found.remote = Some(look);
            }
            let fresh = !view.deletions;
            view.adopting = fresh || cursor.validity.is_none();
            if folder == TRASH {
                view.role = Role::Trash;
            }
            for row in self.rows_of_interest(&found, &known, fresh, (scan || list).then_some(())) {
                sort_in(&mut view, &nowhere(), &found, row, fresh);
            }
            view.paired =
                self.world.rows.values().filter(|r| r.folder == folder && r.uid.is_some() && r.file.is_some()).count()
                    as u64;
            views.push(view);
            all.insert(folder, found);
        }
        (views, all)
    }

    fn rows_of_interest(&self, found: &Found, known: &Known, fresh: bool, loaded: Option<()>) -> Vec<Row> {
        let mut ids: BTreeSet<RowId> = BTreeSet::new();
        if fresh {
            ids.extend(known.briefs().map(|b| b.id));
        } else {
            if let Some(local) = &found.local {
                ids.extend(local.missing.iter().copied());
                ids.extend(local.changed.keys().copied());
            }
            if let Some(remote) = &found.remote {
                ids.extend(remote.delta.gone.iter().copied());
                ids.extend(remote.delta.changed.keys().copied());
            }
            if loaded.is_some() {
                ids.extend(compare::unsettled(known));
            }
        }
        ids.into_iter().map(|id| self.world.rows[&id].clone()).collect()
    }

    /// What is at a place on the server, read through.
    fn content_of(&self, folder: FolderId, uid: Uid) -> u8 {
        self.world.remote[&folder].messages[&uid.get()].0
    }

    fn pair(&self, view: &mut View, gone: &moves::Gone) -> adopt::Pairing {
        let locals: Vec<LocalCandidate> = view
            .local_new
            .iter()
            .map(|l| LocalCandidate {
                digest: l.content.digest,
                header: l.content.header,
                message_id: l.content.message_id,
                size: l.content.size,
                date: l.date,
                flags: l.flags.clone(),
            })
            .collect();
        let candidates = |view: &View| -> Vec<RemoteCandidate> {
            let of = |r: &RemoteNew| RemoteCandidate {
                uid: r.message.uid,
                size: r.message.size,
                date: r.message.date,
                message_id: r.message.message_id,
                header: r.header,
                digest: r.digest,
                flags: r.flags(),
            };
            view.remote_new.iter().map(of).collect()
        };
        let wanted = adopt::headers_needed(&locals, &candidates(view));
        self.read_headers(view, &wanted);
        for new in view.remote_new.iter_mut().filter(|r| r.digest.is_none()) {
            new.digest = gone.content(new);
        }
        let pairing = adopt::pair(&locals, &candidates(view), view.adopting);
        for i in pairing.bodies_needed {
            let id = self.content_of(view.folder, view.remote_new[i].message.uid);
            view.remote_new[i].digest = Some(content(id).digest);
        }
        adopt::pair(&locals, &candidates(view), view.adopting)
    }

    fn read_headers(&self, view: &mut View, wanted: &BTreeSet<Uid>) {
        for new in view.remote_new.iter_mut().filter(|r| wanted.contains(&r.message.uid)) {
            new.header = Some(content(self.content_of(view.folder, new.message.uid)).header);
        }
    }

    /// Looks and decides.
    pub fn decide(&self, rules: &Rules) -> (Plan, BTreeMap<FolderId, Found>) {
        let (mut views, found) = self.views(rules);
        let mut paired = Paired::default();
        let gone = moves::gone(&views);
        for view in &mut views {
            if !view.local_new.is_empty() && !view.remote_new.is_empty() {
                let pairing = self.pair(view, &gone);
                let at = |index| At { folder: view.folder, index };
                paired.undecided.extend(pairing.undecided.iter().map(|&i| (Side::Local, at(i))));
                paired.undecided.extend(pairing.bodies_needed.iter().map(|&i| (Side::Remote, at(i))));
                paired.pairs.insert(view.folder, pairing.pairs);
            }
        }
        let mut found_moves =
            Moves { local: moves::local_moves(&views, &paired.taken(Side::Local)), remote: BTreeMap::new() };
        let taken = paired.taken(Side::Remote);
        for (folder, uids) in moves::headers_needed(&views, &taken) {
            if let Some(view) = views.iter_mut().find(|v| v.folder == folder) {
                self.read_headers(view, &uids);
            }
        }
        found_moves.remote = moves::remote_moves(&views, &taken);
        (plan(&views, &paired, &found_moves, rules), found)
    }

    /// A whole run; gives the steps that it was to do.
    pub fn run(&mut self, rules: &Rules) -> (Vec<Op>, Result<(), Died>) {
        let before: BTreeMap<FolderId, (u64, u32, u32, u64)> = FOLDERS
            .iter()
            .map(|f| {
                let (directory, mailbox) = (&self.world.local[f], &self.world.remote[f]);
                (*f, (directory.stamp, mailbox.validity, mailbox.next, mailbox.modseq))
            })
            .collect();
        let (plan, found) = self.decide(rules);
        let ops = plan.ops.clone();
        let outcome = self.execute(plan.ops, &found);
        if outcome.is_ok() {
            for (folder, (stamp, validity, next, modseq)) in before {
                let cursor = self.world.cursors.get_mut(&folder).unwrap();
                if found[&folder].remote.is_some() && !plan.held.contains(&(Side::Remote, folder)) {
                    (cursor.validity, cursor.next, cursor.modseq) = (Some(validity), Some(next), Some(modseq));
                }
                let scanned = found[&folder].local.as_ref().is_some_and(|l| l.scanned);
                let unfinished = self.written.contains(&folder) || plan.held.contains(&(Side::Local, folder));
                if unfinished {
                    cursor.stamp = None;
                } else if scanned {
                    cursor.stamp = Some(stamp);
                }
            }
        }
        (ops, outcome)
    }

    fn execute(&mut self, ops: Vec<Op>, found: &BTreeMap<FolderId, Found>) -> Result<(), Died> {
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
            self.world.rows.retain(|_, r| r.folder != *folder || r.file.is_some());
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
                    let old = local.row.as_ref().filter(|r| r.mark == Mark::Paired).map(|r| r.flags.clone());
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
                    self.put(settle::row(folder, local.as_ref(), remote.as_ref(), mark));
                }
                Op::Forget { row } => drop(self.world.rows.remove(&row)),
                other => panic!("{other:?} is no step for the state alone"),
            }
        }
        Ok(flags)
    }

    fn carry_out(&mut self, op: Op) -> Result<(), Died> {
        match op {
            Op::MoveLocal { row, from, local, to, remote } => self.move_file(row, (from, &local), to, remote.as_ref()),
            Op::MoveRemote { row, from, to, local } => self.move_message(row, from, to, &local),
            Op::Download { folder, remote } => self.download(folder, &remote, remote.row.as_ref()),
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
            other => panic!("{other:?} is for the state alone"),
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
        let mut name = format!("d{}.{}.{number}", folder.0, self.world.remote[&folder].validity);
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

/// A directory that nothing is read from: the model's rows know their content.
fn nowhere() -> crate::maildir::FolderDir {
    let store = crate::account::Store {
        root: "/nonexistent".into(),
        layout: crate::account::LayoutKind::Nested,
        line_endings: crate::mail::lines::LineEndings::Lf,
    };
    crate::maildir::Layout::new(&store).dir(&crate::mail::FolderName::inbox()).expect("INBOX has a path")
}
