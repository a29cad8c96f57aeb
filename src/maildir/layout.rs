//! Which directory a folder lives in, and making, renaming and removing it.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::encode::{self, NAME_MAX};
use super::error::Error;
use super::handle::{self, DIR_MODE};
use crate::account::{LayoutKind, Store};
use crate::mail::FolderName;
use crate::mail::lines::LineEndings;

/// The longest path that we make, in bytes: `PATH_MAX` less a message's name and its directory.
pub(super) const PATH_LIMIT: usize = 4096 - NAME_MAX - 6;
/// The deepest nesting.
pub(super) const DEPTH_LIMIT: usize = 64;

/// A directory with `cur`, `new` and `tmp`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderDir {
    /// Its absolute path.
    pub path: PathBuf,
    /// How many bytes of the path are the root's: below it no link is followed.
    pub(super) root: usize,
}

impl FolderDir {
    /// Opens the directory, following no link below the root.
    pub(super) fn open(&self) -> Result<OwnedFd, Error> {
        let bytes = self.path.as_os_str().as_bytes();
        let (root, below) = bytes.split_at_checked(self.root).unwrap_or((bytes, b""));
        let mut path = PathBuf::from(OsStr::from_bytes(root));
        let mut dir = handle::open_root(&path)?;
        for part in below.split(|&c| c == b'/').filter(|part| !part.is_empty()) {
            let part = Path::new(OsStr::from_bytes(part));
            path.push(part);
            dir = handle::open_dir_at(&dir, part, &path)?;
        }
        Ok(dir)
    }

    /// Device and inode: two folders with the same figures are one directory (a file system without case).
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn identity(&self) -> Result<(u64, u64), Error> {
        let meta = File::from(self.open()?).metadata().map_err(|e| Error::io("read", &self.path, e))?;
        Ok((meta.dev(), meta.ino()))
    }

    /// Whether it, or its `cur`, is not there.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn is_missing(&self) -> Result<bool, Error> {
        let cur = Path::new("cur");
        let opened = self.open().and_then(|dir| handle::open_dir_at(&dir, cur, &self.path.join(cur)));
        match opened {
            Ok(_) => Ok(false),
            Err(Error::Missing { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// A message's path, for people and hooks.
    #[must_use]
    pub fn path_of(&self, place: &super::Place) -> PathBuf {
        handle::path_of(&self.path, place)
    }
}

/// The folders of one Maildir.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) root: PathBuf,
    kind: LayoutKind,
    line_endings: LineEndings,
}

/// Where the state of `store` lives.
#[must_use]
pub fn state_dir(store: &Store) -> PathBuf {
    Layout::new(store).state_dir()
}

impl Layout {
    /// The layout of `store`; touches nothing.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self { root: store.root.clone(), kind: store.layout, line_endings: store.line_endings }
    }

    /// The root: as configured, or after [`Layout::prepare_root`] without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Nested or maildir++.
    #[must_use]
    pub fn kind(&self) -> LayoutKind {
        self.kind
    }

    /// How lines end on disk.
    #[must_use]
    pub fn line_endings(&self) -> LineEndings {
        self.line_endings
    }

    /// Where the state lives: `.mailferry`, or with maildir++ `mailferry`, since Dovecot shows each `.NAME` as a folder.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root.join(state_name(self.kind))
    }

    /// Where the other layout would have its state.
    pub(super) fn other_state_dir(&self) -> PathBuf {
        self.root.join(state_name(match self.kind {
            LayoutKind::Nested => LayoutKind::MaildirPlusPlus,
            LayoutKind::MaildirPlusPlus => LayoutKind::Nested,
        }))
    }

    /// The directory of a folder, whether or not it exists.
    ///
    /// # Errors
    /// [`Error::NameTooLong`] and [`Error::NameUnusable`], of that folder only.
    pub fn dir(&self, name: &FolderName) -> Result<FolderDir, Error> {
        let parts =
            encode::path_below_root(name, self.kind).ok_or_else(|| Error::NameUnusable { folder: name.to_string() })?;
        let mut dir = self.root_dir();
        let long = parts.iter().any(|part| part.len() > NAME_MAX);
        dir.path.extend(&parts);
        if long || dir.path.as_os_str().len() > PATH_LIMIT || parts.len() > DEPTH_LIMIT {
            return Err(Error::NameTooLong { folder: name.to_string() });
        }
        Ok(dir)
    }

    pub(super) fn root_dir(&self) -> FolderDir {
        FolderDir { path: self.root.clone(), root: self.root.as_os_str().len() }
    }

    /// Creates a folder, durably; one that is there already stays as it is.
    ///
    /// # Errors
    /// [`Error::Missing`] when its `cur` is gone but `new` or `tmp` is not: made again it would look as if its messages had
    /// been deleted (see [`Layout::repair`]). When a name cannot be used, a link or file is in the way, or the disk refuses.
    pub fn create(&self, name: &FolderName) -> Result<FolderDir, Error> {
        let folder = self.dir(name)?;
        let is_there = |sub: &str| std::fs::symlink_metadata(folder.path.join(sub)).is_ok();
        if !is_there("cur") && (is_there("new") || is_there("tmp")) {
            return Err(Error::Missing { path: folder.path.join("cur") });
        }
        self.repair(name)
    }

    /// Creates what is missing of a folder, its `cur` included: only where its messages are then downloaded again.
    ///
    /// `cur`, `new` and `tmp` are made by the crate `maildir`, which leaves their mode to the umask; they are narrowed to
    /// 0700 before anything is put into them, and nobody else can look into a new folder's directory meanwhile.
    ///
    /// # Errors
    /// When a name cannot be used, a link or file is in the way, or the disk refuses.
    pub fn repair(&self, name: &FolderName) -> Result<FolderDir, Error> {
        let folder = self.dir(name)?;
        let below = folder.path.strip_prefix(&self.root).unwrap_or(Path::new(""));
        let mut path = self.root.clone();
        let mut dir = handle::open_root(&path)?;
        for part in below.components() {
            let part = Path::new(part.as_os_str());
            path.push(part);
            dir = make_dir(&dir, part, &path)?;
        }
        let missing: Vec<&str> = ["cur", "new", "tmp"]
            .into_iter()
            .filter(|sub| rustix::fs::statat(&dir, *sub, AtFlags::SYMLINK_NOFOLLOW).is_err())
            .collect();
        if !missing.is_empty() {
            maildir::Maildir::from(folder.path.clone())
                .create_dirs()
                .map_err(|e| Error::io("create", &folder.path, e))?;
        }
        for sub in ["cur", "new", "tmp"] {
            let path = folder.path.join(sub);
            let open = handle::open_dir_at(&dir, Path::new(sub), &path)?;
            if missing.contains(&sub) {
                let open = File::from(open);
                let mode = open.metadata().map_err(|e| Error::io("read", &path, e))?.mode() & 0o700;
                open.set_permissions(std::fs::Permissions::from_mode(mode))
                    .map_err(|e| Error::io("create", &path, e))?;
                handle::sync_dir(&open, &path)?;
            }
        }
        handle::sync_dir(&dir, &folder.path)?;
        crate::checkpoint::hit("folder.created");
        Ok(folder)
    }

    /// Removes a folder that holds no message. Folders below it stay, and their parent directories with them.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] when any file is in `cur`, `new` or `tmp` that is not an abandoned one of ours.
    pub fn remove(&self, folder: &FolderDir) -> Result<(), Error> {
        let dir = folder.open()?;
        super::deliver::clean_tmp(folder)?;
        // `cur` goes last: until then it is a folder, and afterwards nothing is left that could look like half of one.
        for sub in ["tmp", "new", "cur"] {
            let path = folder.path.join(sub);
            match rustix::fs::unlinkat(&dir, sub, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => {
                    self.restore_subs(&dir, &folder.path)?;
                    return Err(Error::NotEmpty { path: folder.path.clone() });
                }
                Err(e) => return Err(Error::io("remove", path, e)),
            }
        }
        for ours in super::keywords::FILES {
            match rustix::fs::unlinkat(&dir, *ours, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(e) => return Err(Error::io("remove", folder.path.join(ours), e)),
            }
        }
        handle::sync_dir(&dir, &folder.path)?;
        if folder.path == self.root {
            return Ok(());
        }
        let (Some(parent), Some(leaf)) = (folder.path.parent(), folder.path.file_name()) else { return Ok(()) };
        let above = FolderDir { path: parent.to_owned(), root: folder.root }.open()?;
        match rustix::fs::unlinkat(&above, leaf, AtFlags::REMOVEDIR) {
            // Other tools' files or folders below keep the directory; it is no folder any more.
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => handle::sync_dir(&above, parent),
            Err(e) => Err(Error::io("remove", &folder.path, e)),
        }
    }

    fn restore_subs(&self, dir: &OwnedFd, path: &Path) -> Result<(), Error> {
        for sub in ["cur", "new", "tmp"] {
            make_dir(dir, Path::new(sub), &path.join(sub))?;
        }
        Ok(())
    }

    /// Renames a folder's directory, and with `nested` everything below it, durably. With maildir++ the folders below
    /// have directories of their own: rename each.
    ///
    /// # Errors
    /// [`Error::Exists`] when the new name is taken.
    pub fn rename(&self, from: &FolderName, to: &FolderName) -> Result<FolderDir, Error> {
        let (old, new) = (self.dir(from)?, self.dir(to)?);
        let (Some(old_parent), Some(old_leaf), Some(new_parent), Some(new_leaf)) =
            (old.path.parent(), old.path.file_name(), new.path.parent(), new.path.file_name())
        else {
            return Err(Error::NameUnusable { folder: to.to_string() });
        };
        if old.path == self.root || new.path == self.root {
            return Err(Error::Exists { path: self.root.clone() });
        }
        let source = FolderDir { path: old_parent.to_owned(), root: old.root }.open()?;
        let mut path = self.root.clone();
        let mut target = handle::open_root(&path)?;
        for part in new_parent.strip_prefix(&self.root).unwrap_or(Path::new("")).components() {
            let part = Path::new(part.as_os_str());
            path.push(part);
            target = make_dir(&target, part, &path)?;
        }
        match rename_dir(&source, old_leaf, &target, new_leaf) {
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOTEMPTY) => return Err(Error::Exists { path: new.path }),
            Err(Errno::NOENT) => return Err(Error::Missing { path: old.path }),
            Err(e) => return Err(Error::io("rename", old.path, e)),
        }
        handle::sync_dir(&target, new_parent)?;
        handle::sync_dir(&source, old_parent)?;
        crate::checkpoint::hit("folder.renamed");
        Ok(new)
    }
}

fn state_name(kind: LayoutKind) -> &'static str {
    match kind {
        LayoutKind::Nested => ".mailferry",
        LayoutKind::MaildirPlusPlus => "mailferry",
    }
}

/// Renames a directory onto nothing. Where the flag is unknown, `rename` itself replaces nothing but an empty directory.
pub(super) fn rename_dir(source: &OwnedFd, from: &OsStr, target: &OwnedFd, to: &OsStr) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match rustix::fs::renameat_with(source, from, target, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        done => return done,
    }
    match rustix::fs::statat(target, to, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => rustix::fs::renameat(source, from, target, to),
        Ok(_) => Err(Errno::EXIST),
        Err(e) => Err(e),
    }
}

/// Makes sure that the directory `name` is in `parent`, durably, and opens it.
pub(super) fn make_dir(parent: &impl AsFd, name: &Path, path: &Path) -> Result<OwnedFd, Error> {
    match rustix::fs::mkdirat(parent, name, DIR_MODE) {
        // One that is there may be what a run made that died before it was durable.
        Ok(()) | Err(Errno::EXIST) => handle::sync_dir(parent, path)?,
        Err(e) => return Err(Error::io("create", path, e)),
    }
    handle::open_dir_at(parent, name, path)
}
