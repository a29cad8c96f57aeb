//! What a restore does with what was found: only uploads, and what only the state must know. PURE.

use std::collections::BTreeSet;

use crate::mail::{MessageId, Side};
use crate::state::{FolderId, Mark};

use super::super::folders::{Action, Step};
use super::super::merge::Merged;
use super::super::moves::{At, Moves};
use super::super::op::Op;
use super::super::plan::{Paired, Plan};
use super::super::view::{LocalNew, RemoteNew, View};

/// The folders that take part: those of the Maildir. One that the server lost is created again.
#[must_use]
pub fn steps(steps: Vec<Step>) -> Vec<Step> {
    let with = |step: Step, action| Some(Step { action, ..step });
    let taken = steps.into_iter().filter_map(|step| match step.action {
        Action::Sync => Some(step),
        Action::CreateRemote | Action::Lost(Side::Remote) | Action::Remove(Side::Remote) => {
            with(step, Action::CreateRemote)
        }
        Action::Recreate | Action::CreateLocal | Action::Lost(Side::Local) | Action::Remove(Side::Local) => None,
    });
    taken.collect()
}

/// The plan of a restore. What differs otherwise is left to the next sync: such folders are held, so that it sees them.
#[must_use]
pub fn plan(views: &[View], paired: &Paired, moves: &Moves, max_size: Option<u64>) -> Plan {
    let mut plan = Plan::default();
    let moved = |side| moves.taken(side);
    let (moved_here, moved_there) = (moved(Side::Local), moved(Side::Remote));
    for view in views {
        let at = |index| At { folder: view.folder, index };
        let mut taken: (BTreeSet<usize>, BTreeSet<usize>) = Default::default();
        for &(l, r) in paired.pairs.get(&view.folder).into_iter().flatten() {
            if moved_here.contains(&at(l)) || moved_there.contains(&at(r)) {
                continue;
            }
            if let (Some(local), Some(remote)) = (view.local_new.get(l), view.remote_new.get(r)) {
                taken.0.insert(l);
                taken.1.insert(r);
                pair(&mut plan, view, local, remote);
            }
        }
        let arrivals = |set: &BTreeSet<usize>| -> Vec<(usize, &RemoteNew)> {
            view.remote_new.iter().enumerate().filter(|(i, _)| !set.contains(i)).collect()
        };
        let left: Vec<(usize, &RemoteNew)> = arrivals(&taken.1);
        let ids: BTreeSet<MessageId> = left.iter().filter_map(|(_, r)| r.message.message_id.flatten()).collect();
        if !view.touched.is_empty() || left.iter().any(|(_, r)| r.is_new()) {
            hold(&mut plan, view.folder);
        }
        for (index, local) in view.local_new.iter().enumerate().filter(|(i, _)| !taken.0.contains(i)) {
            let in_doubt = paired.undecided.contains(&(Side::Local, at(index))) || moved_here.contains(&at(index));
            if in_doubt || is_sent(local, &ids) {
                hold(&mut plan, view.folder);
            } else {
                arrival(&mut plan, view, local, max_size);
            }
        }
    }
    plan
}

fn hold(plan: &mut Plan, folder: FolderId) {
    plan.held.extend([(Side::Local, folder), (Side::Remote, folder)]);
}

/// What the server has by content is left alone; the state learns the pair, and where flags differ a sync merges them.
fn pair(plan: &mut Plan, view: &View, local: &LocalNew, remote: &RemoteNew) {
    let (ours, theirs) = (view.both.keep(&local.flags), view.both.keep(&remote.flags()));
    let known = local.row.as_ref().filter(|row| row.mark == Mark::Paired).map(|row| row.flags.clone());
    let base = known.unwrap_or_else(|| ours.intersection(&theirs));
    if ours != theirs || view.both.keep(&base) != ours {
        hold(plan, view.folder);
    }
    let flags = Merged { base, ..Merged::default() };
    plan.ops.push(Op::Pair { folder: view.folder, local: local.clone(), remote: remote.clone(), flags });
}

/// Sent before, under a UID that the server did not tell, and something there may be it (HAZARDS 14).
fn is_sent(local: &LocalNew, there: &BTreeSet<MessageId>) -> bool {
    local.row.as_ref().is_some_and(|row| row.mark == Mark::Sent)
        && local.content.message_id.is_none_or(|id| there.contains(&id))
        && !there.is_empty()
}

fn arrival(plan: &mut Plan, view: &View, local: &LocalNew, max_size: Option<u64>) {
    if view.read_only {
        plan.refused.insert(view.folder);
        hold(plan, view.folder);
    } else if view.no_uploads {
        hold(plan, view.folder);
    } else if max_size.is_some_and(|max| local.content.size > max) {
        plan.skipped += 1;
        hold(plan, view.folder);
    } else {
        plan.ops.push(Op::Upload { folder: view.folder, local: local.clone() });
    }
}
