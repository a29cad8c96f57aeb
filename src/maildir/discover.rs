//! Which folders there are on disk.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::encode;
use super::error::Error;
use super::handle;
use super::layout::{DEPTH_LIMIT, FolderDir, Layout, PATH_LIMIT};
use super::listing;
use crate::account::LayoutKind;
use crate::mail::FolderName;

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

impl Layout {
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
        match self.kind() {
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
        match encode::folder_of(parts, self.kind()) {
            Some(name) if is_folder => found.folders.push(Found { name, dir: folder, complete: cur && new && tmp }),
            None if is_folder || self.kind() == LayoutKind::MaildirPlusPlus => found.foreign.push(folder.path),
            _ => {}
        }
        Ok(())
    }
}
