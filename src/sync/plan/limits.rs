//! What a plan leaves undone: what is beyond `--limit`, and the deletions that the guard stops. PURE.

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::Side;
use crate::state::{FolderId, Mark};

use super::super::guard::{self, Tally};
use super::super::op::{Op, Removal};
use super::super::view::Role;
use super::Planner;

impl Planner<'_> {
    #[allow(clippy::wildcard_enum_match_arm)] // every other step stays as it is
    /// Puts off what is beyond `--limit`, each way.
    pub(super) fn limit(&mut self) {
        let Some(limit) = self.rules.limit else { return };
        let (mut downloads, mut uploads) = (0, 0);
        let ops = std::mem::take(&mut self.plan.ops);
        for op in ops {
            match op {
                Op::Download { folder, remote } => {
                    downloads += 1;
                    if downloads > limit {
                        self.plan.skipped += 1;
                        self.note(folder, None, Some(&remote), Mark::Waiting);
                    } else {
                        self.plan.ops.push(Op::Download { folder, remote });
                    }
                }
                Op::Upload { folder, local } => {
                    uploads += 1;
                    if uploads > limit {
                        self.plan.skipped += 1;
                        self.note(folder, Some(&local), None, Mark::Waiting);
                    } else {
                        self.plan.ops.push(Op::Upload { folder, local });
                    }
                }
                other => self.plan.ops.push(other),
            }
        }
    }

    #[allow(clippy::wildcard_enum_match_arm)] // only deletions are guarded
    /// Takes out the deletions that the guard stops; their folders' cursors stay.
    pub(super) fn guard(&mut self) {
        let tallies = self.tallies();
        let ruling = guard::judge(&tallies, self.rules.guard);
        let closed = &ruling.closed;
        let mut held = BTreeSet::new();
        self.plan.ops.retain(|op| {
            let stopped = match op {
                Op::DeleteLocal { folder, .. } => closed.contains(&(Side::Local, *folder)).then_some(*folder),
                Op::DeleteRemote { folder, also_local, .. } => (closed.contains(&(Side::Remote, *folder))
                    || (*also_local && closed.contains(&(Side::Local, *folder))))
                .then_some(*folder),
                _ => None,
            };
            // With `expunge` either side may have asked for it.
            held.extend(stopped.into_iter().flat_map(|folder| [(Side::Local, folder), (Side::Remote, folder)]));
            stopped.is_none()
        });
        self.plan.held.extend(held);
        self.plan.stopped = ruling.stopped;
    }

    fn tallies(&self) -> BTreeMap<(Side, FolderId), Tally> {
        let mut tallies: BTreeMap<(Side, FolderId), Tally> = BTreeMap::new();
        for view in self.by_id.values() {
            let tally = Tally { messages: view.paired, excepted: view.role != Role::Plain, ..Tally::default() };
            tallies.insert((Side::Local, view.folder), tally);
            tallies.insert((Side::Remote, view.folder), tally);
        }
        let mut with = |side, folder, change: &dyn Fn(&mut Tally)| {
            if let Some(tally) = tallies.get_mut(&(side, folder)) {
                change(tally);
            }
        };
        for op in &self.plan.ops {
            match op {
                Op::DeleteLocal { folder, .. } => with(Side::Local, *folder, &|t| t.deletions += 1),
                Op::DeleteRemote { folder, removal, also_local, .. } => {
                    if *removal != Removal::Flag {
                        with(Side::Remote, *folder, &|t| t.deletions += 1);
                    }
                    if *also_local {
                        with(Side::Local, *folder, &|t| t.deletions += 1);
                    }
                }
                Op::MoveLocal { from, to, .. } => {
                    with(Side::Local, *from, &|t| t.messages = t.messages.saturating_sub(1));
                    with(Side::Local, *to, &|t| t.arrivals += 1);
                }
                Op::MoveRemote { from, to, .. } => {
                    with(Side::Remote, *from, &|t| t.messages = t.messages.saturating_sub(1));
                    with(Side::Remote, *to, &|t| t.arrivals += 1);
                }
                Op::Download { folder, .. } | Op::Refetch { folder, .. } => {
                    with(Side::Local, *folder, &|t| t.arrivals += 1)
                }
                Op::Upload { folder, .. } => with(Side::Remote, *folder, &|t| t.arrivals += 1),
                Op::Pair { .. }
                | Op::Rebind { .. }
                | Op::Flags { .. }
                | Op::Settle { .. }
                | Op::Note { .. }
                | Op::Forget { .. } => {}
            }
        }
        tallies
    }
}
