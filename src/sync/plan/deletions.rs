//! What becomes of messages that one side deleted. PURE.

use crate::account::{OnDelete, OnRemoteDelete};
use crate::mail::Side;
use crate::state::Mark;

use super::super::merge::Flow;
use super::super::op::{Op, Removal};
use super::super::view::{Role, Touched, View};
use super::{Planner, RemoteNow, Trash};

impl Planner<'_> {
    pub(super) fn deleted_remotely(&mut self, view: &View, touched: &Touched) {
        let row = touched.row.id;
        match self.rules.flow(view) {
            Flow::ToRemote => self.hold(Side::Remote, view.folder),
            Flow::Both | Flow::ToLocal | Flow::Mirror => match self.rules.on_remote_delete {
                OnRemoteDelete::Keep => self.plan.ops.push(Op::Settle { row, mark: Mark::Kept, gone: Side::Remote }),
                OnRemoteDelete::Delete if !view.deletions => self.hold(Side::Remote, view.folder),
                OnRemoteDelete::Delete => self.plan.ops.push(Op::DeleteLocal { row, folder: view.folder }),
            },
        }
    }

    pub(super) fn deleted_locally(&mut self, view: &View, touched: &Touched, remote: &RemoteNow<'_>) {
        let row = touched.row.id;
        if let Some(arrival) = remote.arrival {
            if matches!(touched.row.mark, Mark::Ignored | Mark::Flagged) {
                // It stands there alone by agreement, wherever.
                let (folder, remote) = (remote.folder, Some(arrival.clone()));
                self.plan.ops.push(Op::Rebind { row, folder, local: None, remote: remote.map(Box::new) });
                return;
            }
            // Deleted here and moved there: it comes back where it is now.
            self.plan.ops.push(Op::Forget { row });
            if let Some(target) = self.by_id.get(&remote.folder).copied() {
                self.remote_arrival(target, arrival);
            }
            return;
        }
        let Some(uid) = touched.row.uid else { return };
        let folder = view.folder;
        let flow = self.rules.flow(view);
        if flow == Flow::Mirror || (view.refetch && flow != Flow::ToRemote) {
            self.plan.ops.push(Op::Refetch { row, folder, uid, flags: remote.flags.clone() });
            return;
        }
        let ignores = self.rules.on_delete == OnDelete::Ignore;
        if flow == Flow::ToLocal || !view.deletions || view.refetch || (view.keeps_all && !ignores) {
            self.note_held(view, true, false);
            return;
        }
        let removal = match self.rules.on_delete {
            _ if self.moved.contains(&row) => Removal::Expunge,
            OnDelete::Ignore => {
                self.plan.ops.push(Op::Settle { row, mark: Mark::Ignored, gone: Side::Local });
                return;
            }
            OnDelete::Flag => Removal::Flag,
            OnDelete::Expunge => Removal::Expunge,
            OnDelete::Trash if view.role == Role::Trash => Removal::Expunge,
            OnDelete::Trash => match self.rules.trash {
                Trash::Found => Removal::Trash,
                Trash::Never => Removal::Expunge,
                Trash::Lost => {
                    self.plan.waiting_for_trash += 1;
                    self.hold(Side::Local, folder);
                    return;
                }
            },
        };
        self.plan.ops.push(Op::DeleteRemote { row, folder, uid, removal, also_local: false });
    }
}
