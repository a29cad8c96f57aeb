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
        Action::Recreate
        | Action::CreateLocal
        | Action::Lost(Side::Local)
        | Action::Remove(Side::Local)
        | Action::Gone => None,
    });
    taken.collect()
}

/// The plan of a restore. What differs otherwise is left to the next sync: such folders are held, so that it sees them.
#[must_use]
pub fn plan(views: &[View], paired: &Paired, moves: &Moves) -> Plan {
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
                arrival(&mut plan, view, local);
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
    plan.ops.push(Op::Pair {
        folder: view.folder,
        local: Box::new(local.clone()),
        remote: Box::new(remote.clone()),
        flags: Box::new(flags),
    });
}

/// Sent before, under a UID that the server did not tell, and something there may be it (HAZARDS 14).
fn is_sent(local: &LocalNew, there: &BTreeSet<MessageId>) -> bool {
    local.row.as_ref().is_some_and(|row| row.mark == Mark::Sent)
        && local.content.message_id.is_none_or(|id| there.contains(&id))
        && !there.is_empty()
}

fn arrival(plan: &mut Plan, view: &View, local: &LocalNew) {
    if view.read_only {
        plan.refused.insert(view.folder);
        hold(plan, view.folder);
    } else if view.no_uploads {
        hold(plan, view.folder);
    } else {
        plan.ops.push(Op::Upload { folder: view.folder, local: Box::new(local.clone()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::snapshot::RemoteMessage;
    use crate::mail::{Content, Digest, Flags, FolderName, Uid};
    use crate::state::base::Identity;
    use crate::state::{Row, RowId};
    use crate::sync::view::Role;
    use proptest::prelude::*;

    fn local(id: u8, mark: Option<Mark>) -> LocalNew {
        let content = Content {
            digest: Digest([id; 32]),
            header: Digest([id; 32]),
            message_id: Some(MessageId([id; 16])),
            size: 100,
            left_out: 0,
            message_id_text: None,
        };
        let row = mark.map(|mark| Row {
            id: RowId(i64::from(id)),
            folder: FolderId(1),
            uid: None,
            file: None,
            flags: Flags::none(),
            mark,
            open: 0,
            identity: Identity::default(),
            inode: None,
        });
        LocalNew { place: vec![id], inode: 1, flags: Flags::none(), content, date: None, row: row.map(Box::new) }
    }

    fn remote(id: u8) -> RemoteNew {
        let message =
            RemoteMessage { message_id: Some(Some(MessageId([id; 16]))), ..RemoteMessage::new(Uid::new(7).unwrap()) };
        RemoteNew { message, header: None, digest: None, row: None }
    }

    fn view(locals: Vec<LocalNew>, remotes: Vec<RemoteNew>) -> View {
        let mut view = View::empty(FolderId(1), FolderName::inbox());
        (view.local_new, view.remote_new) = (locals, remotes);
        view
    }

    fn made(view: &View, pairs: &[(usize, usize)]) -> Plan {
        let mut paired = Paired::default();
        paired.pairs.insert(view.folder, pairs.to_vec());
        plan(std::slice::from_ref(view), &paired, &Moves::default())
    }

    fn uploads(plan: &Plan) -> usize {
        plan.ops.iter().filter(|op| matches!(op, Op::Upload { .. })).count()
    }

    #[test]
    fn what_was_agreed_to_be_here_alone_goes_up_again() {
        let marks = [Mark::Kept, Mark::Paired, Mark::Waiting, Mark::Skipped, Mark::Sent];
        for mark in marks.map(Some).into_iter().chain([None]) {
            let plan = made(&view(vec![local(1, mark)], Vec::new()), &[]);
            assert_eq!((uploads(&plan), plan.held.len()), (1, 0), "{mark:?}");
        }
    }

    #[test]
    fn hazard_14_what_was_sent_is_not_sent_again_while_something_there_may_be_it() {
        let plan = made(&view(vec![local(1, Some(Mark::Sent))], vec![remote(1)]), &[]);
        assert_eq!((uploads(&plan), plan.held.len()), (0, 2));
        let plan = made(&view(vec![local(1, Some(Mark::Sent))], vec![remote(2)]), &[]);
        assert_eq!(uploads(&plan), 1);
    }

    #[test]
    fn a_pair_is_remembered_and_its_flags_are_left_to_a_sync() {
        let mut both = view(vec![local(1, None)], vec![remote(1)]);
        let plan = made(&both, &[(0, 0)]);
        assert!(matches!(plan.ops.as_slice(), [Op::Pair { .. }]) && plan.held.is_empty());
        both.local_new[0].flags = Flags::of(crate::mail::System::SEEN);
        let plan = made(&both, &[(0, 0)]);
        assert!(
            matches!(plan.ops.as_slice(), [Op::Pair { flags, .. }] if flags.local.is_none() && flags.remote.is_none())
        );
        assert_eq!(plan.held.len(), 2);
    }

    #[test]
    fn read_only_folders_are_left_out() {
        let mut closed = view(vec![local(1, None)], Vec::new());
        closed.read_only = true;
        let plan = made(&closed, &[]);
        assert!(plan.ops.is_empty() && plan.refused.contains(&FolderId(1)));
    }

    #[test]
    fn only_folders_of_the_maildir_take_part() {
        let step = |action| Step { name: FolderName::inbox(), action, role: Role::Plain, woken: false };
        let all = [
            Action::Sync,
            Action::Recreate,
            Action::CreateLocal,
            Action::CreateRemote,
            Action::Lost(Side::Local),
            Action::Lost(Side::Remote),
            Action::Remove(Side::Local),
            Action::Remove(Side::Remote),
            Action::Gone,
        ];
        let kept: Vec<Action> = steps(all.map(step).to_vec()).into_iter().map(|step| step.action).collect();
        assert_eq!(kept, [Action::Sync, Action::CreateRemote, Action::CreateRemote, Action::CreateRemote]);
    }

    proptest! {
        #[test]
        fn a_restore_only_uploads_and_remembers(ours in proptest::collection::vec((0u8..4, 0usize..7), 0..6), theirs in proptest::collection::vec(0u8..4, 0..6), pairs in 0usize..6) {
            let marks = [None, Some(Mark::Kept), Some(Mark::Paired), Some(Mark::Waiting), Some(Mark::Skipped), Some(Mark::Sent), Some(Mark::Ignored)];
            let view = view(ours.iter().map(|&(id, mark)| local(id, marks[mark])).collect(), theirs.iter().map(|&id| remote(id)).collect());
            let pairs: Vec<(usize, usize)> = (0..pairs.min(ours.len()).min(theirs.len())).map(|i| (i, i)).collect();
            let plan = made(&view, &pairs);
            let harmless = plan.ops.iter().all(|op| matches!(op, Op::Pair { .. } | Op::Upload { .. }));
            prop_assert!(harmless);
            let paired = plan.ops.len() - uploads(&plan);
            prop_assert_eq!(paired, pairs.len());
            prop_assert!(uploads(&plan) + paired <= ours.len());
            if uploads(&plan) + paired < ours.len() {
                prop_assert_eq!(plan.held.len(), 2);
            }
        }
    }
}
