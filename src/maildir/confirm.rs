//! The second look: only what two looks miss, the second at a folder in which nothing moved, is gone.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::Error;
use super::filesystem::{FileSystem, now_of};
use super::layout::FolderDir;
use super::scan::{Scan, scan};
use super::stamp::{DirStamp, Stamp, stamp};
use crate::stop::Stop;

/// How old a directory's times must be: no clock of a local file system is coarser.
const AGE_NS: i64 = 2_000_000_000;
/// A little longer than the age that is waited for.
const MARGIN: Duration = Duration::from_millis(20);

/// What a second look needs.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Our directory on the same file system, for its clock.
    pub state_dir: &'a Path,
    /// What the file system can be trusted with.
    pub file_system: &'a FileSystem,
    /// Until when to wait for the folder to come to rest: at most five seconds from now (HAZARD 13), for all folders.
    pub until: Instant,
    /// Ends the wait.
    pub stop: &'a Stop,
}

/// Why a look proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The folder kept changing, or changed just now.
    Busy,
    /// The file system's times and listings cannot be trusted (network, FUSE): a later run must miss it again.
    Untrusted,
    /// The run is to stop.
    Stopped,
}

/// What a second look says about messages that the first one missed.
#[derive(Clone, Debug)]
pub enum Confirmation {
    /// The look counts.
    Settled {
        /// The unique parts that are really gone.
        gone: HashSet<Vec<u8>>,
        /// The look itself, for arrivals.
        scan: Scan,
    },
    /// It proves nothing: leave deletions to the next run.
    Unconfirmed(Why),
}

/// Looks at a folder again, for the messages with these unique parts.
///
/// # Errors
/// As [`scan`].
pub fn confirm(folder: &FolderDir, missing: &HashSet<Vec<u8>>, look: &Look<'_>) -> Result<Confirmation, Error> {
    Ok(match settled_scan(folder, look)? {
        Err(why) => Confirmation::Unconfirmed(why),
        Ok(scan) => {
            let mut gone = missing.clone();
            for entry in &scan.entries {
                gone.remove(entry.place.name.unique());
            }
            Confirmation::Settled { gone, scan }
        }
    })
}

/// Looks at a folder in which nothing is renamed, made or removed from two seconds before to the end of the look.
///
/// # Errors
/// As [`scan`]. Inside, an `Err` says why no such look was had.
pub fn settled_scan(folder: &FolderDir, look: &Look<'_>) -> Result<Result<Scan, Why>, Error> {
    if !look.file_system.shortcuts_allowed {
        return Ok(Err(Why::Untrusted));
    }
    loop {
        if look.stop.requested() {
            return Ok(Err(Why::Stopped));
        }
        let before = stamp(folder)?;
        let now = now_of(look.state_dir)?;
        let rest = AGE_NS.saturating_sub(age_ns(&before, now));
        if rest < 0 {
            let scan = scan(folder)?;
            if scan.steady && (scan.stamp.cur, scan.stamp.new) == (before.cur, before.new) {
                return Ok(Ok(scan));
            }
        }
        let pause = Duration::from_nanos(u64::try_from(rest).unwrap_or(0)) + MARGIN;
        if Instant::now() + pause > look.until {
            return Ok(Err(Why::Busy));
        }
        sleep(pause, look.stop);
    }
}

/// How long ago the folder's directories last changed. An `mtime` in the future, which `utimes` can set, is passed
/// over: a change sets `ctime` as well.
fn age_ns(stamp: &Stamp, now: i64) -> i64 {
    let latest = |d: &DirStamp| if d.mtime_ns > now { d.ctime_ns } else { d.ctime_ns.max(d.mtime_ns) };
    now.saturating_sub(latest(&stamp.cur).max(latest(&stamp.new)))
}

fn sleep(pause: Duration, stop: &Stop) {
    let fd = stop.fd();
    let timeout = Timespec::try_from(pause).ok();
    // An interrupted wait ends early: the caller looks at the clock again.
    let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mtime_ns: i64, ctime_ns: i64) -> DirStamp {
        DirStamp { inode: 1, mtime_ns, ctime_ns, born_ns: 0 }
    }

    #[test]
    fn the_younger_directory_counts_and_a_forged_future_does_not() {
        let stamp = Stamp { cur: at(10, 20), new: at(15, 15), keywords: None };
        assert_eq!(age_ns(&stamp, 100), 80);
        assert_eq!(age_ns(&Stamp { new: at(900, 30), ..stamp }, 100), 70);
        assert!(age_ns(&Stamp { new: at(900, 900), ..stamp }, 100) < 0);
    }
}
