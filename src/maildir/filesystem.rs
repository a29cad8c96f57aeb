//! What the file system below a Maildir can be trusted with, and what its clock says.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags, Timespec, Timestamps};

use super::error::Error;
use super::handle::{self, DIR_MODE, FILE_MODE};
use super::stamp::nanoseconds;

/// What a file system can be trusted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileSystem {
    /// On another machine, or behind FUSE: the state must not use WAL there.
    pub network: bool,
    /// `syncfs` makes everything durable and tells of failures: ext4, xfs, btrfs, f2fs, tmpfs on Linux 5.8 and later.
    pub syncfs: bool,
    /// A directory's times tell whether anything in it changed.
    pub shortcuts_allowed: bool,
}

impl FileSystem {
    /// How long two changes may share one time stamp, in nanoseconds, with a wide margin. The file systems known by name stamp with
    /// the kernel's tick, at most 10 ms; others, and servers behind a network, may count in seconds (FAT: two).
    #[must_use]
    pub fn grain_ns(&self) -> i64 {
        if self.syncfs && !self.network { 100_000_000 } else { 2_000_000_000 }
    }
}

/// Kinds of file systems, by what `statfs` calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Local, and `syncfs` is known to work.
    Known,
    /// Local.
    Local,
    /// Network, FUSE, or nobody knows: nothing is taken on trust.
    Doubtful,
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn kind_of(magic: i128) -> Kind {
    match magic {
        // ext2 to ext4, xfs, btrfs, f2fs, tmpfs
        0xEF53 | 0x5846_5342 | 0x9123_683E | 0xF2F5_2010 | 0x0102_1994 => Kind::Known,
        // overlayfs, zfs, jfs, reiserfs, bcachefs, ramfs, nilfs2
        0x794C_7630 | 0x2FC1_2FC1 | 0x3153_464A | 0x5265_4973 | 0xCA45_1A4E | 0x8584_58F6 | 0x3434 => Kind::Local,
        _ => Kind::Doubtful,
    }
}

impl FileSystem {
    /// What the file system of `state_dir`, a directory of our own that can be written, can be trusted with.
    ///
    /// # Errors
    /// When the directory cannot be examined or written.
    pub fn of(state_dir: &Path) -> Result<Self, Error> {
        let dir = handle::open_root(state_dir)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let kind = {
            let stat = rustix::fs::fstatfs(&dir).map_err(|e| Error::io("examine", state_dir, e))?;
            // Some architectures have it signed, with 32 bits.
            kind_of(i128::from(stat.f_type) & 0xFFFF_FFFF)
        };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let kind = Kind::Doubtful;
        let shortcuts_allowed = kind != Kind::Doubtful && renames_change_times(&dir, state_dir)?;
        Ok(Self {
            network: kind == Kind::Doubtful,
            syncfs: kind == Kind::Known && kernel_reports_syncfs_errors(),
            shortcuts_allowed,
        })
    }
}

/// Whether `syncfs` returns write errors: Linux 5.8 and later.
fn kernel_reports_syncfs_errors() -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    cfg!(any(target_os = "linux", target_os = "android")) && is_at_least(&release, (5, 8))
}

fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

/// Whether a rename inside a directory shows in the directory's time. The time is set back first, since a coarse clock
/// would hide the change.
fn renames_change_times(state: &impl std::os::fd::AsFd, state_dir: &Path) -> Result<bool, Error> {
    let path = state_dir.join("probe");
    let failed = |e: rustix::io::Errno| Error::io("probe", &path, e);
    match rustix::fs::mkdirat(state, "probe", DIR_MODE) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(e) => return Err(failed(e)),
    }
    let dir = handle::open_dir_at(state, Path::new("probe"), &path)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    drop(handle::openat(&dir, "a", flags, FILE_MODE).map_err(failed)?);
    let long_ago = Timespec { tv_sec: 1_000_000_000, tv_nsec: 0 };
    rustix::fs::futimens(&dir, &Timestamps { last_access: long_ago, last_modification: long_ago }).map_err(failed)?;
    rustix::fs::renameat(&dir, "a", &dir, "b").map_err(failed)?;
    let dir = File::from(dir);
    let meta = dir.metadata().map_err(|e| Error::io("probe", &path, e))?;
    rustix::fs::unlinkat(&dir, "b", AtFlags::empty()).map_err(failed)?;
    rustix::fs::unlinkat(state, "probe", AtFlags::REMOVEDIR).map_err(failed)?;
    Ok(meta.mtime() != long_ago.tv_sec)
}

/// The file system's own clock, in nanoseconds since 1970, by the time of a file made in `state_dir` just now: a file
/// server's clock is not ours.
///
/// # Errors
/// When no file can be made there.
pub fn now_of(state_dir: &Path) -> Result<i64, Error> {
    let dir = handle::open_root(state_dir)?;
    let name = format!("clock.{}", std::process::id());
    let path = state_dir.join(&name);
    let failed = |e: std::io::Error| Error::io("probe", &path, e);
    match rustix::fs::unlinkat(&dir, &name, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(e) => return Err(failed(e.into())),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(handle::openat(&dir, &name, flags, FILE_MODE).map_err(|e| failed(e.into()))?);
    let meta = file.metadata();
    let removed = rustix::fs::unlinkat(&dir, &name, AtFlags::empty());
    let meta = meta.map_err(failed)?;
    match removed {
        // Another thread of ours asked at the same moment.
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(nanoseconds(meta.mtime(), meta.mtime_nsec())),
        Err(e) => Err(failed(e.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_compare_by_number() {
        assert!(is_at_least("5.8.0-generic", (5, 8)) && is_at_least("6.1", (5, 8)) && is_at_least("10.0", (5, 8)));
        assert!(!is_at_least("5.7.19", (5, 8)) && !is_at_least("4.19", (5, 8)) && !is_at_least("odd", (5, 8)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn network_and_fuse_are_doubtful() {
        for magic in [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997, 0x00C3_6400, 0x1234_5678] {
            assert_eq!(kind_of(magic), Kind::Doubtful);
        }
        assert_eq!(kind_of(0xEF53), Kind::Known);
        assert_eq!(kind_of(0x794C_7630), Kind::Local);
    }

    #[test]
    fn probes_leave_nothing_and_the_clock_is_near_ours() {
        let temp = tempfile::tempdir().unwrap();
        let known = FileSystem::of(temp.path()).unwrap();
        assert!(!known.syncfs || known.shortcuts_allowed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        let clock = now_of(temp.path()).unwrap();
        assert!((clock - i64::try_from(now).unwrap()).abs() < 60_000_000_000);
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
