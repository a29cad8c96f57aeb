//! The exit status: of an account from what occurred in it, of a run from its accounts (SPEC §6). PURE.

use std::process::ExitCode;

use crate::severity::Kind;
use crate::ui::event::RunResult;

/// How the program ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Exit {
    /// 0: all done.
    #[default]
    Ok,
    /// 1: several accounts failed, in different ways.
    Several,
    /// 2 and above: the class of the failure.
    Failed(Kind),
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Several => 1,
            Self::Failed(kind) => kind.exit(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        Self::Failed(kind)
    }
}

/// How soon a class decides within an account: 130, 78, 74, 77, 75, 69, 65. Wrong usage ends a run before any account.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Usage => 0,
        Kind::Interrupted => 1,
        Kind::Config => 2,
        Kind::Disk => 3,
        Kind::Auth => 4,
        Kind::TryLater => 5,
        Kind::Protocol => 6,
        Kind::Guard => 7,
    }
}

/// An account's exit: the first of 130, 78, 74, 77, 75, 69, 65 that occurred.
#[must_use]
pub fn account_exit(occurred: &[Kind]) -> Exit {
    occurred.iter().copied().min_by_key(|kind| rank(*kind)).map_or(Exit::Ok, Exit::Failed)
}

/// A run's exit: 0 if every account's is, the one there is if all that failed failed alike, else 1. An interruption is
/// the run's, whatever else occurred.
#[must_use]
pub fn run_exit(accounts: &[Exit]) -> Exit {
    let interrupted = Exit::Failed(Kind::Interrupted);
    if accounts.contains(&interrupted) {
        return interrupted;
    }
    let mut failed = accounts.iter().copied().filter(|exit| *exit != Exit::Ok);
    match failed.next() {
        None => Exit::Ok,
        Some(first) if failed.all(|other| other == first) => first,
        Some(_) => Exit::Several,
    }
}

/// The word for an account's end: `ok` is 0; `partial` is 65, 69 or 74 where anything was finished; else `failed`.
#[must_use]
pub fn result(exit: Exit, anything_finished: bool) -> RunResult {
    match exit {
        Exit::Ok => RunResult::Ok,
        Exit::Failed(Kind::Guard | Kind::Protocol | Kind::Disk) if anything_finished => RunResult::Partial,
        Exit::Several | Exit::Failed(Kind::Guard | Kind::Protocol | Kind::Disk) => RunResult::Failed,
        Exit::Failed(Kind::Usage | Kind::TryLater | Kind::Auth | Kind::Config | Kind::Interrupted) => RunResult::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORDER: [Kind; 7] =
        [Kind::Interrupted, Kind::Config, Kind::Disk, Kind::Auth, Kind::TryLater, Kind::Protocol, Kind::Guard];

    #[test]
    fn the_numbers() {
        assert_eq!(ORDER.map(Kind::exit), [130, 78, 74, 77, 75, 69, 65]);
        assert_eq!((Exit::Ok.code(), Exit::Several.code(), Exit::from(Kind::Usage).code()), (0, 1, 2));
    }

    #[test]
    fn the_first_of_the_order_decides_an_account() {
        assert_eq!(account_exit(&[]), Exit::Ok);
        for (i, first) in ORDER.iter().enumerate() {
            for later in ORDER.iter().skip(i) {
                assert_eq!(account_exit(&[*later, *first]), Exit::Failed(*first));
                assert_eq!(account_exit(&[*first, *later]), Exit::Failed(*first));
            }
        }
    }

    #[test]
    fn accounts_make_a_run() {
        let (auth, later, stop) = (Exit::from(Kind::Auth), Exit::from(Kind::TryLater), Exit::from(Kind::Interrupted));
        assert_eq!(run_exit(&[]), Exit::Ok);
        assert_eq!(run_exit(&[Exit::Ok, Exit::Ok]), Exit::Ok);
        assert_eq!(run_exit(&[Exit::Ok, auth, auth]), auth);
        assert_eq!(run_exit(&[auth, Exit::Ok, later]), Exit::Several);
        assert_eq!(run_exit(&[auth, later, stop]), stop);
    }

    #[test]
    fn results() {
        assert_eq!(result(Exit::Ok, false), RunResult::Ok);
        for kind in [Kind::Guard, Kind::Protocol, Kind::Disk] {
            assert_eq!(result(kind.into(), true), RunResult::Partial);
            assert_eq!(result(kind.into(), false), RunResult::Failed);
        }
        for kind in [Kind::Auth, Kind::TryLater, Kind::Config, Kind::Interrupted, Kind::Usage] {
            assert_eq!(result(kind.into(), true), RunResult::Failed);
        }
    }

    proptest! {
        #[test]
        fn the_order_of_accounts_is_no_matter(mut picks in proptest::collection::vec(0usize..8, 0..6)) {
            let exits = |picks: &[usize]| -> Vec<Exit> {
                picks.iter().map(|i| ORDER.get(*i).map_or(Exit::Ok, |kind| Exit::Failed(*kind))).collect()
            };
            let before = run_exit(&exits(&picks));
            picks.reverse();
            prop_assert_eq!(run_exit(&exits(&picks)), before);
            picks.push(7);
            prop_assert_eq!(run_exit(&exits(&picks)), before);
        }
    }
}
