//! A plan's steps as `--dry-run` shows them. PURE.

use std::collections::BTreeMap;

use crate::mail::{Flags, Side, Uid};
use crate::state::{FolderId, Row, RowId};
use crate::ui::event::Planned;

use super::op::{Op, Removal};

/// What the plan's rows and folders are called.
pub struct Names<'a> {
    /// Rows by id.
    pub rows: &'a BTreeMap<RowId, Row>,
    /// Folder names.
    pub folders: &'a BTreeMap<FolderId, String>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The folder and the event of a step that would change something; `None` for what only the state would learn.
#[must_use]
pub fn describe(op: &Op, names: &Names<'_>) -> Option<(FolderId, Planned)> {
    let row = op.row().and_then(|id| names.rows.get(&id));
    let base = Planned {
        side: op.side()?.as_str(),
        uid: row.and_then(|r| r.uid).map(Uid::get),
        file: row.and_then(|r| r.file.as_deref()).map(text),
        ..Planned::default()
    };
    let folder_name = |id: &FolderId| names.folders.get(id).cloned();
    Some(match op {
        Op::MoveLocal { from, to, local, .. } => {
            (*from, Planned { action: "move", detail: folder_name(to), file: Some(text(&local.place)), ..base })
        }
        Op::MoveRemote { from, to, local, .. } => {
            (*from, Planned { action: "move", detail: folder_name(to), file: Some(text(&local.place)), ..base })
        }
        Op::Download { folder, remote } => {
            (*folder, Planned { action: "download", uid: Some(remote.message.uid.get()), file: None, ..base })
        }
        Op::Refetch { folder, uid, .. } => (*folder, Planned { action: "download", uid: Some(uid.get()), ..base }),
        Op::Upload { folder, local } => (
            *folder,
            Planned {
                action: "upload",
                uid: None,
                file: Some(text(&local.place)),
                message_id: local.content.message_id_text.clone(),
                ..base
            },
        ),
        Op::Flags { folder, local, remote, .. } => {
            let wanted: Option<&Flags> = local.as_ref().or(remote.as_ref().map(|(wanted, _)| wanted));
            (*folder, Planned { action: "flags", detail: wanted.map(ToString::to_string), ..base })
        }
        Op::DeleteLocal { folder, .. } => (*folder, Planned { action: "delete", ..base }),
        Op::DeleteRemote { folder, removal, .. } => {
            let detail = match removal {
                Removal::Trash => "to Trash",
                Removal::Expunge => "expunge",
                Removal::Flag => "mark \\Deleted",
            };
            (*folder, Planned { action: "delete", detail: Some(detail.to_owned()), ..base })
        }
        Op::Pair { .. } | Op::Rebind { .. } | Op::Settle { .. } | Op::Note { .. } | Op::Forget { .. } => return None,
    })
}

/// The other side's part of a flag change that changes both: told on its own.
#[must_use]
pub fn second_half(op: &Op) -> Option<Op> {
    match op {
        Op::Flags { row, folder, local: Some(_), remote: Some(remote), base } => Some(Op::Flags {
            row: *row,
            folder: *folder,
            local: None,
            remote: Some(remote.clone()),
            base: base.clone(),
        }),
        Op::Flags { .. }
        | Op::Pair { .. }
        | Op::Rebind { .. }
        | Op::MoveLocal { .. }
        | Op::MoveRemote { .. }
        | Op::Download { .. }
        | Op::Refetch { .. }
        | Op::Upload { .. }
        | Op::DeleteLocal { .. }
        | Op::DeleteRemote { .. }
        | Op::Settle { .. }
        | Op::Note { .. }
        | Op::Forget { .. } => None,
    }
}

/// The side on which a folder would be created or removed, as an event.
#[must_use]
pub fn folder_step(action: &'static str, side: Side) -> Planned {
    Planned { action, side: side.as_str(), ..Planned::default() }
}
