//! From views to steps. PURE.
//!
//! The first law, stated here and obeyed by `execute`: nothing is deleted before its copy and its row are durable. The steps of an
//! account run in this order: what only the state must know, moves, downloads, uploads, flags, deletions, cursors.

mod arrivals;
mod deletions;
mod known;
mod limits;

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{Direction, Mode, OnDelete, OnRemoteDelete};
use crate::mail::{Flags, Side, System};
use crate::state::{FolderId, Mark, Row, RowId};

use super::guard::{Limits, Stopped};
use super::merge::{Flow, Verdict, merge, merge_flags};
use super::moves::{self, At, Moves};
use super::op::{Op, Removal};
use super::view::{LocalNew, LocalNow, RemoteNew, Touched, View};

/// Where deletions go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trash {
    /// To this kind of folder, which exists.
    Found,
    /// The account never had one: expunged.
    Never,
    /// The account had one and none is found: they wait (HAZARDS 25).
    Lost,
}

/// The rules of a run.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `direction`.
    pub direction: Direction,
    /// `mode`.
    pub mode: Mode,
    /// `on_delete`.
    pub on_delete: OnDelete,
    /// `on_remote_delete`.
    pub on_remote_delete: OnRemoteDelete,
    /// `expunge`.
    pub expunge: bool,
    /// `max_size`, in bytes.
    pub max_size: Option<u64>,
    /// `--limit`: new messages, each way.
    pub limit: Option<u64>,
    /// The deletion guard.
    pub guard: Limits,
    /// Trash.
    pub trash: Trash,
}

impl Rules {
    fn flow(&self, view: &View) -> Flow {
        match (self.direction, self.mode) {
            (Direction::Pull, Mode::Mirror) => Flow::Mirror,
            (Direction::Pull, _) => Flow::ToLocal,
            (Direction::Push, _) if view.read_only => Flow::ToRemote,
            (Direction::Push, _) => Flow::ToRemote,
            (Direction::Both, _) if view.read_only => Flow::ToLocal,
            (Direction::Both, _) => Flow::Both,
        }
    }
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The steps, in no order between their kinds.
    pub ops: Vec<Op>,
    /// Folders in which a change of that side was not carried across: its cursor stays where it is.
    pub held: BTreeSet<(Side, FolderId)>,
    /// What the guard stopped.
    pub stopped: Vec<Stopped>,
    /// Deletions that wait because the Trash is not found.
    pub waiting_for_trash: u64,
    /// Messages left out for their size or by `--limit`.
    pub skipped: u64,
    /// Folders with changes that the server does not permit.
    pub refused: BTreeSet<FolderId>,
    /// Folders that are empty on the server since they were made anew there, and not here: left untouched.
    pub emptied: BTreeSet<FolderId>,
}

/// What pairing within folders came to: see [`super::adopt`].
#[derive(Debug, Default)]
pub struct Paired {
    /// Pairs by folder, as indices into `local_new` and `remote_new`.
    pub pairs: BTreeMap<FolderId, Vec<(usize, usize)>>,
    /// Files and messages of which it is not certain what they are: left alone in this run.
    pub undecided: BTreeSet<(Side, At)>,
    /// Messages that a run which died had copied to the folder where their file is now: what is left of them at the old
    /// place is the rest of that move.
    pub moved: BTreeSet<RowId>,
}

impl Paired {
    /// The arrivals of a side that are spoken for or in doubt.
    #[must_use]
    pub fn taken(&self, side: Side) -> BTreeSet<At> {
        let of_pairs = self.pairs.iter().flat_map(|(&folder, pairs)| {
            pairs.iter().map(move |&(l, r)| At { folder, index: if side == Side::Local { l } else { r } })
        });
        of_pairs.chain(self.undecided.iter().filter(|(s, _)| *s == side).map(|(_, at)| *at)).collect()
    }
}

/// Makes the plan of an account.
#[must_use]
pub fn plan(views: &[View], paired: &Paired, moves: &Moves, rules: &Rules) -> Plan {
    let by_id: BTreeMap<FolderId, &View> = views.iter().map(|v| (v.folder, v)).collect();
    let mut planner = Planner {
        by_id,
        moves,
        moved: &paired.moved,
        rules,
        plan: Plan { emptied: known::emptied(views, moves), ..Plan::default() },
        returned: BTreeSet::new(),
    };
    let reunited = moves::reunited(views, moves, &paired.moved, known::met(views, paired));
    let gone: BTreeSet<RowId> = reunited.values().copied().collect();
    let all = views.iter().flat_map(|view| view.touched.iter().map(move |touched| (view, touched)));
    let twins: known::Twins<'_> =
        all.filter(|(_, t)| gone.contains(&t.row.id)).map(|(v, t)| (t.row.id, (v, t))).collect();
    for view in views {
        for &(l, r) in paired.pairs.get(&view.folder).into_iter().flatten() {
            if let (Some(local), Some(remote)) = (view.local_new.get(l), view.remote_new.get(r)) {
                planner.pair(view, local, remote);
            }
        }
        for touched in view.touched.iter().filter(|t| !twins.contains_key(&t.row.id)) {
            match reunited.get(&touched.row.id).and_then(|twin| twins.get(twin)) {
                Some(&twin) => planner.reunite((view, touched), twin),
                None => planner.touched(view, touched),
            }
        }
    }
    for at in moves.left.values() {
        planner.left(*at);
    }
    let mut locals = paired.taken(Side::Local);
    let mut remotes = paired.taken(Side::Remote);
    locals.extend(moves.taken(Side::Local).difference(&planner.returned));
    remotes.extend(moves.taken(Side::Remote));
    for (side, at) in &paired.undecided {
        planner.hold(*side, at.folder);
    }
    for view in views {
        let at = |index| At { folder: view.folder, index };
        for (_, new) in view.local_new.iter().enumerate().filter(|(i, _)| !locals.contains(&at(*i))) {
            planner.local_arrival(view, new);
        }
        for (_, new) in view.remote_new.iter().enumerate().filter(|(i, _)| !remotes.contains(&at(*i))) {
            planner.remote_arrival(view, new);
        }
    }
    planner.limit();
    planner.guard();
    planner.plan
}

struct Planner<'a> {
    by_id: BTreeMap<FolderId, &'a View>,
    moves: &'a Moves,
    moved: &'a BTreeSet<RowId>,
    rules: &'a Rules,
    plan: Plan,
    /// Local arrivals of moved messages that are new after all: the message is gone from the server.
    returned: BTreeSet<At>,
}

/// A file, where it is now.
struct LocalHere {
    folder: FolderId,
    now: LocalNow,
    /// The flags that its name shows there, where its letters may mean other keywords.
    shown: Flags,
}

/// A message on the server, where it is now.
struct RemoteNow<'a> {
    folder: FolderId,
    flags: Flags,
    arrival: Option<&'a RemoteNew>,
}

impl<'a> Planner<'a> {
    fn hold(&mut self, side: Side, folder: FolderId) {
        self.plan.held.insert((side, folder));
    }

    fn pair(&mut self, view: &View, local: &LocalNew, remote: &RemoteNew) {
        let (ours, theirs) = (local.flags.clone(), remote.flags());
        // What was known before is merged against its old base; what met for the first time unites its flags.
        let base = local.base().cloned().unwrap_or_else(|| ours.intersection(&theirs));
        let flags = merge_flags(&base, &ours, &theirs, &view.both, self.rules.flow(view));
        self.note_held(view, flags.held_local, flags.held_remote);
        self.plan.ops.push(Op::Pair {
            folder: view.folder,
            local: Box::new(local.clone()),
            remote: Box::new(remote.clone()),
            flags: Box::new(flags),
        });
    }

    fn note_held(&mut self, view: &View, local: bool, remote: bool) {
        if local {
            self.hold(Side::Local, view.folder);
            if view.read_only || view.keeps_all {
                self.plan.refused.insert(view.folder);
            }
        }
        if remote {
            self.hold(Side::Remote, view.folder);
        }
    }

    fn touched(&mut self, view: &View, touched: &Touched) {
        let id = touched.row.id;
        let local_move = self.moves.local.get(&id).copied();
        let local = self.local_now(view, touched, local_move);
        let remote =
            touched.remote.clone().map(|flags| RemoteNow { folder: view.folder, flags, arrival: None }).or_else(|| {
                let at = *self.moves.remote.get(&id)?;
                let arrival = self.by_id.get(&at.folder)?.remote_new.get(at.index)?;
                Some(RemoteNow { folder: at.folder, flags: arrival.flags(), arrival: Some(arrival) })
            });
        match (merge(true, local.is_some(), remote.is_some()), local, remote) {
            (Verdict::MergeFlags, Some(local), Some(remote)) => self.both_there(view, touched, local, remote),
            (Verdict::DeletedRemotely, Some(local), _) if view.lost.is_none() || local_move.is_some() => {
                match local_move {
                    // It stands here alone by agreement, under whatever name.
                    Some(at) if matches!(touched.row.mark, Mark::Kept | Mark::Sent) => {
                        let now = Some(local.now);
                        self.plan.ops.push(Op::Rebind { row: id, folder: at.folder, local: now, remote: None });
                    }
                    // Another name in the same folder makes no new message of what was deleted there.
                    Some(at) if at.folder == view.folder && touched.row.mark == Mark::Paired && !view.adopting => {
                        let (folder, now) = (view.folder, Some(local.now));
                        self.plan.ops.push(Op::Rebind { row: id, folder, local: now, remote: None });
                        self.deleted_remotely(view, touched);
                    }
                    // Moved here and deleted there, or never there: kept, as a new message where it is now.
                    Some(at) => {
                        self.returned.insert(at);
                        self.plan.ops.push(Op::Forget { row: id });
                    }
                    None => self.deleted_remotely(view, touched),
                }
            }
            (Verdict::DeletedLocally, _, Some(remote)) if view.lost.is_none() || remote.arrival.is_some() => {
                self.deleted_locally(view, touched, &remote)
            }
            (Verdict::Forget, _, _) if !self.plan.emptied.contains(&view.folder) => {
                self.plan.ops.push(Op::Forget { row: id })
            }
            // In a folder that is missing on one side nothing is deleted.
            _ => {}
        }
    }

    /// A file where it is now, as it stands or where it was moved to.
    fn local_now(&self, view: &View, touched: &Touched, moved: Option<At>) -> Option<LocalHere> {
        if let Some(now) = touched.local.clone() {
            return Some(LocalHere { folder: view.folder, shown: now.flags.clone(), now });
        }
        let at = moved?;
        let new = self.by_id.get(&at.folder)?.local_new.get(at.index)?;
        let mut flags = new.flags.clone();
        if at.folder != view.folder && self.rules.flow(view) != Flow::ToRemote {
            // Letters stand for other keywords in another folder: those that the message had win (HAZARDS 23). A push, which
            // changes no file, takes them as they are.
            flags.keywords.clone_from(&touched.row.flags.keywords);
        }
        let now = LocalNow { place: new.place.clone(), inode: new.inode, flags };
        Some(LocalHere { folder: at.folder, now, shown: new.flags.clone() })
    }

    fn both_there(&mut self, view: &View, touched: &Touched, local: LocalHere, remote: RemoteNow<'_>) {
        let row = &touched.row;
        let LocalHere { folder: here, now, mut shown } = local;
        let flow = self.rules.flow(view);
        let undone = flow == Flow::Mirror && remote.arrival.is_none();
        let target = if remote.arrival.is_some() || undone { remote.folder } else { here };
        let target_view = self.by_id.get(&target).copied().unwrap_or(view);
        if here != remote.folder {
            let moved_there = remote.arrival.is_some();
            let blocked = view.read_only || view.keeps_all || target_view.read_only;
            match flow {
                Flow::Both | Flow::ToLocal | Flow::Mirror if moved_there => self.plan.ops.push(Op::MoveLocal {
                    row: row.id,
                    from: here,
                    local: now.clone(),
                    to: remote.folder,
                    remote: remote.arrival.cloned().map(Box::new),
                }),
                Flow::Mirror => {
                    let (from, to) = (here, view.folder);
                    self.plan.ops.push(Op::MoveLocal { row: row.id, from, local: now.clone(), to, remote: None });
                }
                Flow::Both | Flow::ToRemote if !moved_there && !blocked => {
                    let (from, to) = (remote.folder, here);
                    self.plan.ops.push(Op::MoveRemote { row: row.id, from, to, local: now.clone() });
                }
                Flow::Both | Flow::ToLocal | Flow::ToRemote => {
                    if moved_there && remote.folder == view.folder {
                        // It never left: it was found again under a new UIDVALIDITY, and the move waits for the next run.
                        let (folder, remote) = (view.folder, remote.arrival.cloned().map(Box::new));
                        self.plan.ops.push(Op::Rebind { row: row.id, folder, local: None, remote });
                    }
                    // Neither the move nor what else has changed is carried across: both sides must be seen again.
                    for folder in [view.folder, target, here] {
                        self.hold(Side::Local, folder);
                        self.hold(Side::Remote, folder);
                    }
                    if blocked {
                        self.plan.refused.insert(view.folder);
                    }
                    return;
                }
            }
        } else if here != view.folder || remote.arrival.is_some() || row.file.as_ref() != Some(&now.place) {
            self.plan.ops.push(Op::Rebind {
                row: row.id,
                folder: here,
                local: Some(now.clone()),
                remote: remote.arrival.cloned().map(Box::new),
            });
        }
        if here != target {
            // Our own move gives it the letters that it needs.
            shown.clone_from(&now.flags);
        }
        let is_settled = here == row.folder && remote.folder == row.folder;
        self.flags(target_view, row, (&now.flags, &shown, &remote.flags), is_settled);
    }

    /// Flags of a message that is on both sides: as they count here, as the file shows them, and as they are there.
    fn flags(&mut self, view: &View, row: &Row, flags: (&Flags, &Flags, &Flags), is_settled: bool) {
        let (local, shown, remote) = flags;
        let flow = self.rules.flow(view);
        let mut merged = merge_flags(&row.flags, local, remote, &view.both, flow);
        self.note_held(view, merged.held_local, merged.held_remote);
        let wanted = merged.local.take().unwrap_or_else(|| local.clone());
        merged.local = (wanted != *shown).then_some(wanted);
        let doomed = merged.base.system.contains(System::DELETED);
        // A message that is just being moved has another UID afterwards: it goes with the next run.
        if self.rules.expunge && doomed && is_settled && flow == Flow::Both && view.deletions && view.lost.is_none() {
            if let Some(uid) = row.uid {
                let also_local = self.rules.on_remote_delete == OnRemoteDelete::Delete;
                let removal = Removal::Expunge;
                self.plan.ops.push(Op::DeleteRemote { row: row.id, folder: row.folder, uid, removal, also_local });
            }
        } else if merged.local.is_some() || merged.remote.is_some() || merged.base != row.flags || row.open > 0 {
            self.plan.ops.push(Op::Flags {
                row: row.id,
                folder: view.folder,
                local: merged.local,
                remote: merged.remote.map(|wanted| (wanted, remote.clone())),
                base: merged.base,
            });
        }
    }
}
