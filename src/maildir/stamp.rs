//! The figures by which an unchanged folder is recognised without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::error::Error;
use super::keywords;
use super::layout::FolderDir;

/// A directory's figures. The device is left out: it changes with a reboot. `ctime` is in: `mtime` can be forged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DirStamp {
    /// Inode.
    pub inode: u64,
    /// Nanoseconds since 1970 of the last change of its entries.
    pub mtime_ns: i64,
    /// Nanoseconds since 1970 of the last change of any kind.
    pub ctime_ns: i64,
    /// Nanoseconds since 1970 of its creation; 0 where the file system does not tell. An inode may be used again, this is not.
    pub born_ns: i64,
}

/// A file's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// Inode.
    pub inode: u64,
    /// Length in bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i64,
}

/// A folder's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Of `cur`.
    pub cur: DirStamp,
    /// Of `new`.
    pub new: DirStamp,
    /// Of `dovecot-keywords`; `None` if there is none.
    pub keywords: Option<FileStamp>,
}

impl Stamp {
    /// The latest time in it, in nanoseconds since 1970: a stamp says something only about changes well after it.
    #[must_use]
    pub fn latest_ns(&self) -> i64 {
        let times = [self.cur.mtime_ns, self.cur.ctime_ns, self.new.mtime_ns, self.new.ctime_ns];
        times.into_iter().fold(self.keywords.map_or(i64::MIN, |k| k.mtime_ns), i64::max)
    }

    /// The latest change of a directory's entries, in nanoseconds since 1970. When that is long past, any rename shows in the
    /// times at once, whatever the clock's grain.
    #[must_use]
    pub fn entries_ns(&self) -> i64 {
        self.cur.mtime_ns.max(self.new.mtime_ns)
    }

    /// Whether `self`, taken now, shows that the folder was put back from a backup since `before` was taken: another
    /// inode, or times that went back.
    #[must_use]
    pub fn is_restored_since(&self, before: &Self) -> bool {
        [(&self.cur, &before.cur), (&self.new, &before.new)].into_iter().any(|(now, then)| {
            let reborn = now.born_ns != 0 && then.born_ns != 0 && now.born_ns != then.born_ns;
            reborn || now.inode != then.inode || now.mtime_ns < then.mtime_ns || now.ctime_ns < then.ctime_ns
        })
    }
}

impl FileStamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self { inode: meta.ino(), size: meta.size(), mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()) }
    }
}

/// Seconds and nanoseconds as nanoseconds; years beyond 1677 to 2262 stop at the ends.
pub(super) fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// The figures of a folder now: three calls of the system.
///
/// # Errors
/// [`Error::Missing`] when `cur` or `new` is not there, [`Error::Foreign`] when one is a link.
pub fn stamp(folder: &FolderDir) -> Result<Stamp, Error> {
    let keywords = folder.path.join(keywords::FILE);
    let keywords = match std::fs::symlink_metadata(&keywords) {
        Ok(meta) => Some(FileStamp::of(&meta)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => return Err(Error::io("read", keywords, e)),
    };
    Ok(Stamp { cur: dir_stamp(&folder.path.join("cur"))?, new: dir_stamp(&folder.path.join("new"))?, keywords })
}

/// When something was created, in nanoseconds since 1970; 0 where that is not known.
fn born(meta: &Metadata) -> i64 {
    let since = meta.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|d| i64::try_from(d.as_nanos()).ok()).unwrap_or(0)
}

fn dir_stamp(path: &Path) -> Result<DirStamp, Error> {
    let meta = std::fs::symlink_metadata(path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::NotFound {
            return Error::Missing { path: path.to_owned() };
        }
        Error::io("read", path, e)
    })?;
    if !meta.is_dir() {
        return Err(Error::Foreign { path: path.to_owned(), wanted: "directory" });
    }
    Ok(DirStamp {
        inode: meta.ino(),
        mtime_ns: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        born_ns: born(&meta),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_folder_is_told_from_a_changed_one() {
        let dir = |inode, time| DirStamp { inode, mtime_ns: time, ctime_ns: time, born_ns: 0 };
        let before = Stamp { cur: dir(1, 100), new: dir(2, 100), keywords: None };
        let changed = Stamp { cur: dir(1, 200), ..before };
        assert!(!changed.is_restored_since(&before));
        assert!(Stamp { cur: dir(1, 50), ..before }.is_restored_since(&before));
        assert!(Stamp { new: dir(9, 200), ..before }.is_restored_since(&before));
        let reborn = DirStamp { born_ns: 9, ..dir(1, 200) };
        let first = DirStamp { born_ns: 8, ..dir(1, 100) };
        assert!(
            Stamp { cur: reborn, ..before }.is_restored_since(&Stamp { cur: first, ..before }),
            "an inode used again"
        );
        assert_eq!(changed.latest_ns(), 200);
    }
}
