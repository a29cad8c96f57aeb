//! A run over the two sides in memory: looks as `survey` does, pairs and plans with the real thing, carries out as `execute` does.

mod carry;

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Side, Uid, UidSet};
use crate::state::{Brief, FolderId, Mark, Row, RowId, base::keywords_hash};

use super::super::adopt::{self, LocalCandidate, RemoteCandidate};
use super::super::assemble::sort_in;
use super::super::compare::{self, Known, RemoteDelta, Seen, flags_key};
use super::super::listing::RemoteLook;
use super::super::look::LocalLook;
use super::super::moves::{self, At, Moves, Taken};
use super::super::op::Op;
use super::super::plan::{Paired, Plan, Rules, plan};
use super::super::survey::Found;
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
            view.validity = crate::mail::UidValidity::new(mailbox.validity);
            view.adopting = fresh || cursor.validity.is_none();
            if folder == TRASH {
                view.role = Role::Trash;
            }
            for row in self.rows_of_interest(&found, &known, fresh, (scan || list).then_some(())) {
                sort_in(&mut view, &nowhere(), &found, row, fresh);
            }
            view.local_new.sort_by_key(|new| new.row.is_none());
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
            .unpaired_files()
            .iter()
            .map(|l| LocalCandidate {
                digest: l.content.digest,
                header: l.content.header,
                message_id: l.content.message_id,
                size: l.content.size,
                date: l.date,
                flags: l.flags.clone(),
                own: named_after(view, l),
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

    /// As `decide` does with the intents of moves.
    fn half_moved(&self, views: &[View], paired: &Paired) -> BTreeSet<RowId> {
        let arrived = |folder: FolderId| -> Vec<_> {
            let view = views.iter().find(|v| v.folder == folder);
            let pairs = paired.pairs.get(&folder).into_iter().flatten();
            view.into_iter().flat_map(|v| pairs.clone().map(|(l, _)| v.local_new[*l].content.digest)).collect()
        };
        let half = self.world.intents.iter().filter(|(row, folder)| {
            let digest = self.world.rows.get(row).and_then(|r| r.identity.digest);
            digest.is_some_and(|digest| arrived(*folder).contains(&digest))
        });
        half.map(|(row, _)| *row).collect()
    }

    /// Looks and decides.
    pub fn decide(&self, rules: &Rules) -> (Plan, BTreeMap<FolderId, Found>) {
        let (mut views, found) = self.views(rules);
        let mut paired = Paired::default();
        let gone = moves::gone(&views);
        moves::set_renames_aside(&mut views);
        for view in &mut views {
            if !view.unpaired_files().is_empty() && !view.remote_new.is_empty() {
                let pairing = self.pair(view, &gone);
                let at = |index| At { folder: view.folder, index };
                paired.undecided.extend(pairing.undecided.iter().map(|&i| (Side::Local, at(i))));
                paired.undecided.extend(pairing.bodies_needed.iter().map(|&i| (Side::Remote, at(i))));
                paired.pairs.insert(view.folder, pairing.pairs);
            }
        }
        paired.moved = self.half_moved(&views, &paired);
        let mut found_moves =
            Moves { local: moves::local_moves(&views, &paired.taken(Side::Local)), ..Moves::default() };
        let taken = Taken { local: paired.taken(Side::Local), remote: paired.taken(Side::Remote) };
        for (folder, uids) in moves::headers_needed(&views, &taken) {
            if let Some(view) = views.iter_mut().find(|v| v.folder == folder) {
                self.read_headers(view, &uids);
            }
        }
        moves::remote_moves(&views, &taken, &mut found_moves);
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
                if found[&folder].remote.is_some() && !plan.held.iter().any(|(_, held)| *held == folder) {
                    self.world.intents.retain(|(_, to)| *to != folder);
                }
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
}

/// The UID after which a download of this folder was named.
fn named_after(view: &View, new: &LocalNew) -> Option<Uid> {
    let name = unique(&new.place);
    let derived = |r: &&RemoteNew| {
        let validity = view.validity.map_or(0, |v| v.get());
        format!("{}.{validity}.{}.mailferry", view.folder.0, r.message.uid.get()) == name
    };
    let named = view.remote_new.iter().find(derived).filter(|_| new.row.is_none());
    named.map(|r| r.message.uid)
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
