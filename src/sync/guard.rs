//! The deletion guard: what a run may delete before it stops and asks. PURE.

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::Side;
use crate::state::FolderId;

/// A folder's figures for the guard, on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages there now, without those that move away.
    pub messages: u64,
    /// Messages that would be deleted.
    pub deletions: u64,
    /// Messages that arrive in the same run.
    pub arrivals: u64,
    /// Trash and Junk, which people empty, are excepted.
    pub excepted: bool,
}

/// The guard's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `max_delete` in per cent; 100 turns the guard off.
    pub percent: u8,
    /// `--allow-mass-delete`.
    pub allow: bool,
}

/// Why something was stopped, for the message to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// The side on which messages would have been deleted.
    pub side: Side,
    /// The folder; `None`: the account as a whole.
    pub folder: Option<FolderId>,
    /// How many would have been deleted.
    pub deletions: u64,
    /// Of how many.
    pub messages: u64,
}

/// What must not be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruling {
    /// Each stop, for reporting.
    pub stopped: Vec<Stopped>,
    /// The (side, folder) pairs in which nothing may be deleted.
    pub closed: BTreeSet<(Side, FolderId)>,
}

/// Applies the three rules of `max_delete` (SPEC §2) to what would be deleted.
#[must_use]
pub fn judge(tallies: &BTreeMap<(Side, FolderId), Tally>, limits: Limits) -> Ruling {
    let mut ruling = Ruling::default();
    if limits.allow || limits.percent >= 100 {
        return ruling;
    }
    let over = |deletions: u64, messages: u64| deletions * 100 > messages * u64::from(limits.percent);
    for (&(side, folder), t) in tallies {
        let many = !t.excepted && t.deletions > 20 && over(t.deletions, t.messages);
        let emptied = !t.excepted && t.messages >= 10 && t.deletions >= t.messages && t.arrivals == 0;
        if many || emptied {
            ruling.stopped.push(Stopped { side, folder: Some(folder), deletions: t.deletions, messages: t.messages });
            ruling.closed.insert((side, folder));
        }
    }
    for side in [Side::Local, Side::Remote] {
        let counted = tallies.iter().filter(|((s, _), t)| *s == side && !t.excepted);
        let (deletions, messages) = counted.fold((0, 0), |(d, m), (_, t)| (d + t.deletions, m + t.messages));
        if deletions > 50 && over(deletions, messages) {
            ruling.stopped.push(Stopped { side, folder: None, deletions, messages });
            ruling.closed.extend(tallies.keys().filter(|(s, _)| *s == side).copied());
        }
    }
    ruling
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Limits = Limits { percent: 50, allow: false };

    fn judged(tallies: &[(u64, u64)], limits: Limits) -> usize {
        let map = tallies
            .iter()
            .zip(1i64..)
            .map(|(&(messages, deletions), id)| {
                ((Side::Remote, FolderId(id)), Tally { messages, deletions, ..Tally::default() })
            })
            .collect();
        judge(&map, limits).closed.len()
    }

    #[test]
    fn many_in_one_folder() {
        assert_eq!(judged(&[(40, 21)], HALF), 1);
        assert_eq!(judged(&[(42, 21)], HALF), 0, "not more than the share");
        assert_eq!(judged(&[(22, 20)], HALF), 0, "not more than twenty");
        assert_eq!(judged(&[(40, 21)], Limits { percent: 100, ..HALF }), 0);
        assert_eq!(judged(&[(40, 21)], Limits { allow: true, ..HALF }), 0);
    }

    #[test]
    fn a_folder_left_empty() {
        assert_eq!(judged(&[(10, 10)], HALF), 1);
        assert_eq!(judged(&[(9, 9)], HALF), 0);
        let mut map = BTreeMap::from([(
            (Side::Local, FolderId(1)),
            Tally { messages: 10, deletions: 10, arrivals: 1, excepted: false },
        )]);
        assert!(judge(&map, HALF).closed.is_empty(), "it is not left empty");
        map.insert((Side::Local, FolderId(1)), Tally { messages: 1000, deletions: 1000, arrivals: 0, excepted: true });
        assert!(judge(&map, HALF).closed.is_empty(), "people empty their Trash");
    }

    #[test]
    fn many_in_the_account() {
        let six_folders = [(19, 10); 6];
        assert_eq!(judged(&six_folders, HALF), 6, "60 of 114");
        assert_eq!(judged(&[(19, 10); 5], HALF), 0, "not more than fifty");
        assert_eq!(judged(&[(19, 10), (19, 10), (19, 10), (19, 10), (19, 10), (19, 10), (500, 0)], HALF), 0);
    }
}
