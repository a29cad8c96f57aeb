//! The steps of a plan: plain data that is printed by `--dry-run`, counted by the guard, and executed. PURE.

use crate::mail::{Flags, Side, Uid};
use crate::state::{FolderId, Mark, RowId};

use super::merge::Merged;
use super::view::{LocalNew, LocalNow, RemoteNew};

/// What becomes of a message on the server that was deleted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Moved to Trash.
    Trash,
    /// Expunged.
    Expunge,
    /// Marked `\Deleted`.
    Flag,
}

/// One step: small, because there may be 200,000.
#[derive(Clone, Debug)]
pub enum Op {
    /// The same message was unknown on both sides: remember the pair.
    Pair {
        /// The folder.
        folder: FolderId,
        /// The file.
        local: Box<LocalNew>,
        /// The message on the server.
        remote: Box<RemoteNew>,
        /// Its flags.
        flags: Box<Merged>,
    },
    /// A row's file or UID is another one now, on sides that agree already.
    Rebind {
        /// The row.
        row: RowId,
        /// Its folder now.
        folder: FolderId,
        /// Its file now.
        local: Option<LocalNow>,
        /// Its message on the server now, where that is a new one.
        remote: Option<Box<RemoteNew>>,
    },
    /// Move the file, as the message was moved on the server.
    MoveLocal {
        /// The row.
        row: RowId,
        /// Where the file is.
        from: FolderId,
        /// The file.
        local: LocalNow,
        /// Where it goes.
        to: FolderId,
        /// The message on the server in `to`; `None`: it never left (a move here that is undone).
        remote: Option<Box<RemoteNew>>,
    },
    /// Move the message on the server, as the file was moved.
    MoveRemote {
        /// The row.
        row: RowId,
        /// Where the message is.
        from: FolderId,
        /// Where it goes.
        to: FolderId,
        /// The file in `to`.
        local: LocalNow,
    },
    /// Fetch a message.
    Download {
        /// The folder.
        folder: FolderId,
        /// The message.
        remote: Box<RemoteNew>,
    },
    /// Fetch a known message again, whose file is missing.
    Refetch {
        /// The row.
        row: RowId,
        /// Its folder.
        folder: FolderId,
        /// Its UID.
        uid: Uid,
        /// Its flags on the server.
        flags: Flags,
    },
    /// Append a message.
    Upload {
        /// The folder.
        folder: FolderId,
        /// The file.
        local: Box<LocalNew>,
    },
    /// Change flags.
    Flags {
        /// The row.
        row: RowId,
        /// Its folder.
        folder: FolderId,
        /// What the Maildir should have, if that is a change.
        local: Option<Flags>,
        /// What the server should have, if that is a change, and what it has.
        remote: Option<(Flags, Flags)>,
        /// What both sides then last had.
        base: Flags,
    },
    /// Remove the file.
    DeleteLocal {
        /// The row.
        row: RowId,
        /// Its folder.
        folder: FolderId,
    },
    /// Remove the message from the server.
    DeleteRemote {
        /// The row.
        row: RowId,
        /// Its folder.
        folder: FolderId,
        /// Its UID.
        uid: Uid,
        /// How.
        removal: Removal,
        /// The file goes as well (`expunge`).
        also_local: bool,
    },
    /// One side's absence is agreed from now on.
    Settle {
        /// The row.
        row: RowId,
        /// Why.
        mark: Mark,
        /// The side that no longer has it.
        gone: Side,
    },
    /// Remember a message that stands on one side only, and why.
    Note {
        /// The folder.
        folder: FolderId,
        /// The file, or
        local: Option<Box<LocalNew>>,
        /// the message on the server.
        remote: Option<Box<RemoteNew>>,
        /// Why.
        mark: Mark,
    },
    /// Forget a row: its message is gone from both sides.
    Forget {
        /// The row.
        row: RowId,
    },
}

impl Op {
    /// The row that the step is about, if it has one already.
    #[must_use]
    pub fn row(&self) -> Option<RowId> {
        match self {
            Self::Rebind { row, .. }
            | Self::MoveLocal { row, .. }
            | Self::MoveRemote { row, .. }
            | Self::Refetch { row, .. }
            | Self::Flags { row, .. }
            | Self::DeleteLocal { row, .. }
            | Self::DeleteRemote { row, .. }
            | Self::Settle { row, .. }
            | Self::Forget { row } => Some(*row),
            Self::Pair { local, remote, .. } => local.row.as_ref().or(remote.row.as_ref()).map(|r| r.id),
            Self::Download { remote, .. } => remote.row.as_ref().map(|r| r.id),
            Self::Upload { local, .. } => local.row.as_ref().map(|r| r.id),
            Self::Note { .. } => None,
        }
    }

    /// The side that the step changes; `None`: only the state.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        match self {
            Self::MoveLocal { .. } | Self::Download { .. } | Self::Refetch { .. } | Self::DeleteLocal { .. } => {
                Some(Side::Local)
            }
            Self::MoveRemote { .. } | Self::Upload { .. } | Self::DeleteRemote { .. } => Some(Side::Remote),
            Self::Flags { local, remote, .. } => match (local, remote) {
                (Some(_), _) => Some(Side::Local),
                (None, Some(_)) => Some(Side::Remote),
                (None, None) => None,
            },
            Self::Pair { .. } | Self::Rebind { .. } | Self::Settle { .. } | Self::Note { .. } | Self::Forget { .. } => {
                None
            }
        }
    }
}
