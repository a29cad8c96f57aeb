//! Which directory a folder lives in, which folders there are, and making, renaming and removing them.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::encode::{self, NAME_MAX};
use super::error::Error;
use super::handle::{self, DIR_MODE};
use super::listing;
use crate::account::{LayoutKind, Store};
use crate::mail::FolderName;
use crate::mail::lines::LineEndings;

/// The longest path that we make, in bytes: `PATH_MAX` less a message's name and its directory.
const PATH_LIMIT: usize = 4096 - NAME_MAX - 6;
/// The deepest nesting that discovery looks into.
const DEPTH_LIMIT: usize = 64;

/// A directory with `cur`, `new` and `tmp`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderDir {
    /// Its absolute path.
    pub path: PathBuf,
    /// How many bytes of the path are the root's: below it no link is followed.
    root: usize,
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

    /// A message's path, for people and hooks.
    #[must_use]
    pub fn path_of(&self, place: &super::Place) -> PathBuf {
        handle::path_of(&self.path, place)
    }
}

/// A folder that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The folder.
    pub name: FolderName,
    /// Its directory.
    pub dir: FolderDir,
    /// Whether `cur`, `new` and `tmp` are all there. A folder without `cur` must not be read as empty.
    pub complete: bool,
}

/// What is on disk.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// The folders, sorted by name.
    pub folders: Vec<Found>,
    /// Links, and directories whose name we would not have given: they are left alone.
    pub foreign: Vec<PathBuf>,
}

impl Discovery {
    /// The folder `name`, if it is there.
    #[must_use]
    pub fn get(&self, name: &FolderName) -> Option<&Found> {
        self.folders.binary_search_by(|found| found.name.cmp(name)).ok().and_then(|at| self.folders.get(at))
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

    fn root_dir(&self) -> FolderDir {
        FolderDir { path: self.root.clone(), root: self.root.as_os_str().len() }
    }

    /// Finds the folders that are on disk. A root that does not exist has none.
    ///
    /// # Errors
    /// When a directory cannot be read: then nothing is known about what exists.
    pub fn discover(&self) -> Result<Discovery, Error> {
        let mut found = Discovery::default();
        let root = match self.root_dir().open() {
            Ok(dir) => dir,
            Err(Error::Missing { .. }) => return Ok(found),
            Err(e) => return Err(e),
        };
        match self.kind {
            LayoutKind::Nested => self.walk(&root, &mut Vec::new(), &mut found)?,
            LayoutKind::MaildirPlusPlus => self.flat(&root, &mut found)?,
        }
        found.folders.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn flat(&self, root: &OwnedFd, found: &mut Discovery) -> Result<(), Error> {
        self.consider(root, &[], found)?;
        listing::each(root, &self.root, &mut |name, kind, _| {
            if name.first() != Some(&b'.') {
                return Ok(());
            }
            let path = self.root.join(OsStr::from_bytes(name));
            match (kind, std::str::from_utf8(name)) {
                (FileType::Directory, Ok(name)) => {
                    let dir = handle::open_dir_at(root, Path::new(name), &path)?;
                    self.consider(&dir, &[name], found)
                }
                (FileType::Directory, Err(_)) | (FileType::Symlink, _) => {
                    found.foreign.push(path);
                    Ok(())
                }
                _ => Ok(()),
            }
        })
    }

    fn walk(&self, dir: &OwnedFd, parts: &mut Vec<String>, found: &mut Discovery) -> Result<(), Error> {
        let mut path = self.root.clone();
        path.extend(parts.iter());
        let mut children = Vec::new();
        listing::each(dir, &path, &mut |name, kind, _| {
            // Whatever begins with a dot is another tool's (or our state): our names never do.
            if name.first() == Some(&b'.') || (!parts.is_empty() && encode::is_reserved(name)) {
                return Ok(());
            }
            match (kind, std::str::from_utf8(name)) {
                (FileType::Directory, Ok(name)) => children.push(name.to_owned()),
                (FileType::Directory, Err(_)) | (FileType::Symlink, _) => {
                    found.foreign.push(path.join(OsStr::from_bytes(name)));
                }
                _ => {}
            }
            Ok(())
        })?;
        for child in children {
            let below = path.join(&child);
            if parts.len() >= DEPTH_LIMIT || below.as_os_str().len() > PATH_LIMIT {
                found.foreign.push(below);
                continue;
            }
            let open = handle::open_dir_at(dir, Path::new(&child), &below)?;
            parts.push(child);
            let names: Vec<&str> = parts.iter().map(String::as_str).collect();
            self.consider(&open, &names, found)?;
            self.walk(&open, parts, found)?;
            parts.pop();
        }
        Ok(())
    }

    /// Adds the directory `dir`, which is `parts` below the root, if it is a folder.
    fn consider(&self, dir: &OwnedFd, parts: &[&str], found: &mut Discovery) -> Result<(), Error> {
        let mut folder = self.root_dir();
        folder.path.extend(parts);
        let mut has = [false; 3];
        for (has, name) in has.iter_mut().zip(["cur", "new", "tmp"]) {
            *has = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
                Err(Errno::NOENT) => false,
                Err(e) => return Err(Error::io("read", folder.path.join(name), e)),
            };
        }
        let [cur, new, tmp] = has;
        let is_folder = cur || (new && tmp);
        match encode::folder_of(parts, self.kind) {
            Some(name) if is_folder => found.folders.push(Found { name, dir: folder, complete: cur && new && tmp }),
            None if is_folder || self.kind == LayoutKind::MaildirPlusPlus => found.foreign.push(folder.path),
            _ => {}
        }
        Ok(())
    }

    /// Creates a folder, or what is missing of it, durably.
    ///
    /// `cur`, `new` and `tmp` are made by the crate `maildir`, which leaves their mode to the umask; they are narrowed to
    /// 0700 before anything is put into them, and nobody else can look into a new folder's directory meanwhile.
    ///
    /// # Errors
    /// When a name cannot be used, a link or file is in the way, or the disk refuses.
    pub fn create(&self, name: &FolderName) -> Result<FolderDir, Error> {
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
fn rename_dir(source: &OwnedFd, from: &OsStr, target: &OwnedFd, to: &OsStr) -> Result<(), Errno> {
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
        Ok(()) => handle::sync_dir(parent, path)?,
        Err(Errno::EXIST) => {}
        Err(e) => return Err(Error::io("create", path, e)),
    }
    handle::open_dir_at(parent, name, path)
}
