//! What becomes of messages that one side alone has. PURE.

use crate::mail::System;
use crate::state::{FolderId, Mark};

use super::super::merge::Flow;
use super::super::op::{Op, Removal};
use super::super::view::{LocalNew, RemoteNew, View};
use super::{Planner, Rules};

impl Planner<'_> {
    pub(super) fn local_arrival(&mut self, view: &View, new: &LocalNew) {
        if !new.is_new() {
            // It stands here alone by agreement, unless it was its size and the limit has gone.
            let fits = self.rules.max_size.is_none_or(|max| new.content.size <= max);
            if new.row.as_ref().is_none_or(|row| row.mark != Mark::Skipped) || !fits {
                return;
            }
        }
        let flow = self.rules.flow(view);
        if self.plan.emptied.contains(&view.folder) {
            self.note_held(view, true, true);
        } else if !matches!(flow, Flow::Both | Flow::ToRemote)
            || view.read_only
            || view.no_uploads
            || view.lost.is_some()
        {
            self.note_held(view, true, false);
        } else if self.rules.max_size.is_some_and(|max| new.content.size > max) {
            self.plan.skipped += 1;
            self.note(view.folder, Some(new), None, Mark::Skipped);
        } else {
            self.plan.ops.push(Op::Upload { folder: view.folder, local: Box::new(new.clone()) });
        }
    }

    pub(super) fn remote_arrival(&mut self, view: &View, new: &RemoteNew) {
        let too_large =
            |rules: &Rules| rules.max_size.is_some_and(|max| new.message.size.is_some_and(|size| size > max));
        if let Some(row) = &new.row {
            let flow = self.rules.flow(view);
            let marked = new.message.flags.as_ref().is_none_or(|f| f.system.contains(System::DELETED));
            if row.mark == Mark::Flagged && row.open > 0 && marked && matches!(flow, Flow::Both | Flow::ToRemote) {
                // An expunge that could not be carried out (HAZARDS 11) is tried again.
                let (folder, uid) = (view.folder, new.message.uid);
                let removal = Removal::Expunge;
                self.plan.ops.push(Op::DeleteRemote { row: row.id, folder, uid, removal, also_local: false });
                return;
            }
            let undeleted = row.mark == Mark::Flagged
                && !new.flags().system.contains(System::DELETED)
                && new.message.flags.is_some();
            let fits_now = row.mark == Mark::Skipped && !too_large(self.rules);
            if !new.is_new() && !undeleted && !fits_now {
                return;
            }
        }
        if self.rules.flow(view) == Flow::ToRemote || view.lost.is_some() {
            self.note_held(view, false, true);
        } else if too_large(self.rules) {
            self.plan.skipped += 1;
            self.note(view.folder, None, Some(new), Mark::Skipped);
        } else {
            self.plan.ops.push(Op::Download { folder: view.folder, remote: Box::new(new.clone()) });
        }
    }

    pub(super) fn note(&mut self, folder: FolderId, local: Option<&LocalNew>, remote: Option<&RemoteNew>, mark: Mark) {
        self.plan.ops.push(Op::Note {
            folder,
            local: local.cloned().map(Box::new),
            remote: remote.cloned().map(Box::new),
            mark,
        });
    }
}
