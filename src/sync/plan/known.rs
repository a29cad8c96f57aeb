//! Known messages that are found again where nobody moved them: their folder was made anew, or an equal one went. PURE.

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::Digest;
use crate::state::{FolderId, Row, RowId};

use super::super::moves::{At, Moves};
use super::super::op::Op;
use super::super::view::{LocalNow, Touched, View};
use super::{Paired, Planner, RemoteNow};

/// Rows whose message is gone while their file is left for another row, with their views.
pub(super) type Twins<'a> = BTreeMap<RowId, (&'a View, &'a Touched)>;

/// Folders that the server emptied by making them anew, and in which something is that was not found elsewhere.
pub(super) fn emptied(views: &[View], moves: &Moves) -> BTreeSet<FolderId> {
    let found = |row: &Row| moves.remote.contains_key(&row.id);
    let holds = |view: &&View| view.local_new.iter().filter_map(|new| new.row.as_deref()).any(|row| !found(row));
    views.iter().filter(|v| v.emptied).filter(holds).map(|v| v.folder).collect()
}

/// How often equal messages met that were new in one place on both sides.
pub(super) fn met(views: &[View], paired: &Paired) -> BTreeMap<Digest, usize> {
    let mut met = BTreeMap::new();
    for view in views {
        for &(l, r) in paired.pairs.get(&view.folder).into_iter().flatten() {
            let (Some(local), Some(remote)) = (view.local_new.get(l), view.remote_new.get(r)) else { continue };
            if local.row.is_none() && remote.row.is_none() {
                *met.entry(local.content.digest).or_default() += 1;
            }
        }
    }
    met
}

impl Planner<'_> {
    /// A file whose message stands in another folder on the server, since its own was made anew there.
    pub(super) fn left(&mut self, at: At) {
        let Some(view) = self.by_id.get(&at.folder).copied() else { return };
        let Some(new) = view.local_new.get(at.index) else { return };
        let Some(row) = new.row.as_deref().cloned() else { return };
        let now = LocalNow { place: new.place.clone(), inode: new.inode, flags: new.flags.clone() };
        self.touched(view, &Touched { row, local: Some(now), remote: None });
    }

    /// Equal messages of which each side lost another one: what is left is one message, with the flags of both.
    pub(super) fn reunite(&mut self, (view, touched): (&View, &Touched), (place, twin): (&View, &Touched)) {
        let moved = self.moves.local.get(&twin.row.id).copied();
        let (Some(flags), Some(local)) = (touched.remote.clone(), self.local_now(place, twin, moved)) else { return };
        self.plan.ops.push(Op::Forget { row: twin.row.id });
        let met = Row { flags: local.now.flags.intersection(&flags), ..touched.row.clone() };
        let as_met = Touched { row: met, local: None, remote: None };
        let (before, base, folder) = (self.plan.ops.len(), as_met.row.flags.clone(), local.folder);
        self.both_there(view, &as_met, local, RemoteNow { folder: view.folder, flags, arrival: None });
        let new = self.plan.ops.get(before..).unwrap_or_default();
        if base != touched.row.flags && !new.iter().any(|op| matches!(op, Op::Flags { .. })) {
            self.plan.ops.push(Op::Flags { row: touched.row.id, folder, local: None, remote: None, base });
        }
    }
}
