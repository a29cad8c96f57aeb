//! Open directories: everything below a root is reached through descriptors that no symbolic link can bend.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};

use super::error::Error;
use super::layout::FolderDir;
use super::name::{FileName, Place, Sub};

/// Directories are made for their owner alone; a umask may narrow it.
pub(super) const DIR_MODE: Mode = Mode::RWXU;
/// Files likewise.
pub(super) const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

const OPEN_DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a file or directory; a file system behind a network or a process may be interrupted at it.
pub(super) fn openat(
    dir: impl AsFd,
    name: impl rustix::path::Arg + Copy,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::openat(&dir, name, flags, mode))
}

/// Opens the directory `name` in `parent`; `path` is for messages.
pub(super) fn open_dir_at(parent: impl AsFd, name: &Path, path: &Path) -> Result<OwnedFd, Error> {
    openat(parent, name, OPEN_DIR, Mode::empty()).map_err(|e| match e {
        Errno::NOENT => Error::Missing { path: path.to_owned() },
        // Linux answers NOTDIR to a link opened with DIRECTORY and NOFOLLOW, others LOOP or MLINK.
        Errno::NOTDIR | Errno::LOOP | Errno::MLINK => Error::Foreign { path: path.to_owned(), wanted: "directory" },
        _ => Error::io("open", path, e),
    })
}

/// Opens `root`, which may be a link.
pub(super) fn open_root(root: &Path) -> Result<OwnedFd, Error> {
    retry_on_intr(|| rustix::fs::open(root, OPEN_DIR.difference(OFlags::NOFOLLOW), Mode::empty())).map_err(
        |e| match e {
            Errno::NOENT => Error::Missing { path: root.to_owned() },
            Errno::NOTDIR => Error::Foreign { path: root.to_owned(), wanted: "directory" },
            _ => Error::io("open", root, e),
        },
    )
}

/// Makes a directory's entries durable.
pub(super) fn sync_dir(dir: impl AsFd, path: &Path) -> Result<(), Error> {
    rustix::fs::fsync(dir).map_err(|e| Error::io("sync", path, e))
}

/// Moves a file without ever replacing another: `EXIST` if the target is there.
///
/// File systems without the flag get a hard link and an unlink; those without hard links a look before the rename, where
/// only a program that gives another message our very name could come between.
pub(super) fn rename_no_replace(
    (from_dir, from): (BorrowedFd<'_>, &[u8]),
    (to_dir, to): (BorrowedFd<'_>, &[u8]),
) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match rustix::fs::renameat_with(from_dir, from, to_dir, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return done,
    }
    match rustix::fs::linkat(from_dir, from, to_dir, to, AtFlags::empty()) {
        Ok(()) => rustix::fs::unlinkat(from_dir, from, AtFlags::empty()),
        Err(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP | Errno::MLINK) => {
            match rustix::fs::statat(to_dir, to, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => rustix::fs::renameat(from_dir, from, to_dir, to),
                Ok(_) => Err(Errno::EXIST),
                Err(e) => Err(e),
            }
        }
        Err(e) => Err(e),
    }
}

/// A folder's directories, open.
#[derive(Debug)]
pub(super) struct Folder {
    /// The folder's path.
    pub path: PathBuf,
    /// Its directory.
    pub dir: OwnedFd,
    new: OwnedFd,
    cur: OwnedFd,
}

impl Folder {
    /// Opens a folder that is complete.
    pub fn open(folder: &FolderDir) -> Result<Self, Error> {
        let dir = folder.open()?;
        let sub = |name: &str| open_dir_at(&dir, Path::new(name), &folder.path.join(name));
        let (new, cur) = (sub("new")?, sub("cur")?);
        Ok(Self { path: folder.path.clone(), dir, new, cur })
    }

    /// The directory `new` or `cur`.
    pub fn sub(&self, sub: Sub) -> BorrowedFd<'_> {
        match sub {
            Sub::New => self.new.as_fd(),
            Sub::Cur => self.cur.as_fd(),
        }
    }

    /// Opens its `tmp`.
    pub fn open_tmp(&self) -> Result<OwnedFd, Error> {
        open_dir_at(&self.dir, Path::new("tmp"), &self.path.join("tmp"))
    }

    /// A message's path, for messages to people.
    pub fn path_of(&self, place: &Place) -> PathBuf {
        path_of(&self.path, place)
    }

    /// Opens a message for reading: a regular file, never a link, never waiting for a pipe's other end.
    pub fn open_message(&self, place: &Place) -> Result<File, Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(self.sub(place.sub), place.name.as_bytes(), flags, Mode::empty());
        let path = || self.path_of(place);
        let file = File::from(file.map_err(|e| match e {
            Errno::NOENT => Error::Gone { path: path() },
            Errno::LOOP | Errno::MLINK => Error::unreadable(path(), std::io::Error::other("it is a link")),
            _ => Error::unreadable(path(), e),
        })?);
        if !file.metadata().map_err(|e| Error::unreadable(path(), e))?.is_file() {
            return Err(Error::unreadable(path(), std::io::Error::other("it is no regular file")));
        }
        Ok(file)
    }
}

/// A message's path, for messages to people and for hooks.
pub(super) fn path_of(folder: &Path, place: &Place) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    folder.join(place.sub.as_str()).join(std::ffi::OsStr::from_bytes(place.name.as_bytes()))
}

/// Whether `name` can be written: at most 255 bytes.
pub(super) fn fits(folder: &Path, name: &FileName) -> Result<(), Error> {
    if name.as_bytes().len() > super::encode::NAME_MAX {
        return Err(Error::FileName { path: folder.to_owned(), name: name.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn renames_never_replace() {
        let temp = tempfile::tempdir().unwrap();
        let (a, b) = (temp.path().join("a"), temp.path().join("b"));
        std::fs::write(&a, "a").unwrap();
        std::fs::write(&b, "b").unwrap();
        let rename = || rename_no_replace((CWD, a.as_os_str().as_bytes()), (CWD, b.as_os_str().as_bytes()));
        assert_eq!(rename(), Err(Errno::EXIST));
        assert_eq!(std::fs::read(&b).unwrap(), b"b");
        std::fs::remove_file(&b).unwrap();
        assert_eq!(rename(), Ok(()));
        assert_eq!(rename(), Err(Errno::NOENT));
        assert_eq!(std::fs::read(&b).unwrap(), b"a");
    }
}
