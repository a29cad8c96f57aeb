//! How far a download has come: of the account, and of each folder. PURE.

use std::collections::HashMap;

use crate::state::FolderId;

/// Bytes that are here, and bytes that there are to get; sizes that a server estimates make the second a guess.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// What is here, never more than `total`.
    pub(super) done: u64,
    /// What there is to get.
    pub(super) total: u64,
}

impl Share {
    fn advance(&mut self, bytes: u64) {
        self.done = self.done.saturating_add(bytes).min(self.total);
    }

    /// Whether all is here.
    pub(super) fn is_whole(self) -> bool {
        self.done >= self.total
    }
}

/// Progress over all workers.
#[derive(Debug, Default)]
pub(super) struct Progress {
    all: Share,
    folders: HashMap<FolderId, Share>,
}

impl Progress {
    /// Of parts, each with its folder and bytes.
    pub(super) fn of(parts: impl Iterator<Item = (FolderId, u64)>) -> Self {
        let mut result = Self::default();
        for (folder, bytes) in parts {
            result.all.total += bytes;
            result.folders.entry(folder).or_default().total += bytes;
        }
        result
    }

    /// Bytes to get.
    pub(super) fn total(&self) -> u64 {
        self.all.total
    }

    /// Counts bytes of a folder that came; gives the account's share, if that is not just this folder's, and the folder's.
    pub(super) fn advance(&mut self, folder: FolderId, bytes: u64) -> (Option<Share>, Share) {
        self.all.advance(bytes);
        let share = self.folders.entry(folder).or_default();
        share.advance(bytes);
        let share = *share;
        ((self.folders.len() > 1).then_some(self.all), share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_have_their_own_share() {
        let (a, b) = (FolderId(1), FolderId(2));
        let mut progress = Progress::of([(a, 100), (b, 50), (a, 100)].into_iter());
        assert_eq!(progress.total(), 250);
        let (all, share) = progress.advance(b, 20);
        assert_eq!((all, share), (Some(Share { done: 20, total: 250 }), Share { done: 20, total: 50 }));
        // What came twice after a broken connection, or was estimated too small, is no more than all.
        let (all, share) = progress.advance(b, 90);
        assert_eq!((all, share), (Some(Share { done: 110, total: 250 }), Share { done: 50, total: 50 }));
        assert!(share.is_whole() && !all.unwrap().is_whole());
    }

    #[test]
    fn one_folder_is_all_there_is() {
        let mut progress = Progress::of([(FolderId(1), 10)].into_iter());
        assert_eq!(progress.advance(FolderId(1), 5), (None, Share { done: 5, total: 10 }));
    }
}
