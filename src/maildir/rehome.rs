//! Moving another tool's directories to the places where ours have theirs, and files out of the way.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::Place;
use super::error::Error;
use super::handle;
use super::layout::{self, FolderDir, Layout};

impl Layout {
    /// Every directory below the root (and the root itself, as the empty path) that has `cur`, `new` and `tmp`, whatever
    /// its name; relative to the root, sorted. Links are not followed, dot directories only where `dots`.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn maildirs(&self, dots: bool) -> Result<Vec<PathBuf>, Error> {
        let mut found = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            let path = self.root.join(&below);
            let refused = |e| Error::io("read", &path, e);
            let mut whole = 0;
            for entry in std::fs::read_dir(&path).map_err(refused)? {
                let entry = entry.map_err(refused)?;
                let name = entry.file_name();
                if !entry.file_type().map_err(refused)?.is_dir() {
                    continue;
                }
                if ["cur", "new", "tmp"].iter().any(|sub| name == *sub) {
                    whole += 1;
                } else if dots || !name.as_encoded_bytes().starts_with(b".") {
                    open.push(below.join(&name));
                }
            }
            if whole == 3 {
                found.push(below);
            }
        }
        found.retain(|dir| self.root.join(dir) != self.state_dir());
        found.sort();
        Ok(found)
    }

    /// Renames the directory `from` to `to`, both relative to the root, onto nothing, durably. Parents of `to` are made,
    /// those of `from` that are empty afterwards are removed.
    ///
    /// # Errors
    /// [`Error::Exists`] when something is there; [`Error::Missing`]; what the system refuses.
    pub fn rehome(&self, from: &Path, to: &Path) -> Result<(), Error> {
        let (old, new) = (self.root.join(from), self.root.join(to));
        let (source, from_leaf) = self.parent(from, false)?;
        let (target, to_leaf) = self.parent(to, true)?;
        match layout::rename_dir(&source, from_leaf, &target, to_leaf) {
            Ok(()) => {}
            Err(Errno::EXIST | Errno::NOTEMPTY) => return Err(Error::Exists { path: new }),
            Err(Errno::NOENT) => return Err(Error::Missing { path: old }),
            Err(e) => return Err(Error::io("rename", old, e)),
        }
        handle::sync_dir(&target, &new)?;
        handle::sync_dir(&source, &old)?;
        let mut emptied = from.parent();
        while let Some(dir) = emptied.filter(|dir| !dir.as_os_str().is_empty()) {
            // Whatever is still in it keeps it.
            if std::fs::remove_dir(self.root.join(dir)).is_err() {
                break;
            }
            emptied = dir.parent();
        }
        Ok(())
    }

    /// Opens the directory that `path`, relative to the root, is in; gives the last part too.
    fn parent<'p>(&self, path: &'p Path, make: bool) -> Result<(std::os::fd::OwnedFd, &'p OsStr), Error> {
        let unusable = || Error::NameUnusable { folder: path.to_string_lossy().into_owned() };
        let leaf = path.file_name().ok_or_else(unusable)?;
        let mut now = self.root.clone();
        let mut dir = handle::open_root(&now)?;
        for part in path.parent().unwrap_or(Path::new("")).components() {
            let std::path::Component::Normal(part) = part else { return Err(unusable()) };
            let part = Path::new(part);
            now.push(part);
            dir = if make { layout::make_dir(&dir, part, &now)? } else { handle::open_dir_at(&dir, part, &now)? };
        }
        Ok((dir, leaf))
    }

    /// Moves a file that is no message of ours out of the directory `folder`, relative to the root, into `kept` in the
    /// state's directory, onto nothing.
    ///
    /// # Errors
    /// As [`Layout::rehome`].
    pub fn put_aside(&self, folder: &Path, place: &Place, kept: &str) -> Result<PathBuf, Error> {
        let folder = FolderDir { path: self.root.join(folder), ..self.root_dir() };
        let state_dir = self.state_dir();
        let state = handle::open_root(&state_dir)?;
        let path = state_dir.join(kept);
        let target = layout::make_dir(&state, Path::new(kept), &path)?;
        let file = folder.path_of(place);
        let (Some(leaf), Some(parent)) = (file.file_name(), file.parent()) else {
            return Err(Error::Missing { path: file });
        };
        let source = handle::open_dir_at(&folder.open()?, Path::new(parent.file_name().unwrap_or_default()), parent)?;
        match rustix::fs::statat(&target, leaf, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Ok(_) => return Err(Error::Exists { path: path.join(leaf) }),
            Err(e) => return Err(Error::io("read", path.join(leaf), e)),
        }
        rustix::fs::renameat(&source, leaf, &target, leaf).map_err(|e| Error::io("rename", &file, e))?;
        handle::sync_dir(&target, &path)?;
        handle::sync_dir(&source, parent)?;
        Ok(path.join(leaf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{LayoutKind, Store};
    use crate::mail::lines::LineEndings;

    fn layout(root: PathBuf) -> Layout {
        Layout::new(&Store { root, layout: LayoutKind::Nested, line_endings: LineEndings::Lf })
    }

    fn maildir(root: &Path, dir: &str) {
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(root.join(dir).join(sub)).unwrap();
        }
    }

    #[test]
    fn directories_are_found_and_moved() {
        let temp = tempfile::tempdir().unwrap();
        let layout = layout(temp.path().to_owned());
        for dir in ["INBOX", "M&APw-ll/b&APw-", ".hidden"] {
            maildir(temp.path(), dir);
        }
        std::fs::create_dir_all(temp.path().join("half/cur")).unwrap();
        assert_eq!(layout.maildirs(false).unwrap(), ["INBOX", "M&APw-ll/b&APw-"].map(PathBuf::from));
        assert_eq!(layout.maildirs(true).unwrap().len(), 3);
        layout.rehome(Path::new("M&APw-ll/b&APw-"), Path::new("Müll/bü")).unwrap();
        assert_eq!(layout.maildirs(false).unwrap(), ["INBOX", "Müll/bü"].map(PathBuf::from));
        assert!(!temp.path().join("M&APw-ll").exists());
        let taken = layout.rehome(Path::new("Müll/bü"), Path::new("INBOX"));
        assert!(matches!(taken, Err(Error::Exists { .. })), "{taken:?}");
        assert!(layout.rehome(Path::new("nope/x"), Path::new("y")).is_err());
        assert!(layout.rehome(Path::new("INBOX"), Path::new("../y")).is_err());
    }

    #[test]
    fn a_file_is_put_aside_once() {
        let temp = tempfile::tempdir().unwrap();
        let mut layout = layout(temp.path().to_owned());
        layout.prepare_root().unwrap();
        let folder = layout.create(&crate::mail::FolderName::inbox()).unwrap();
        let place = Place::from_bytes(b"cur/a:2,S").unwrap();
        for _ in 0..2 {
            std::fs::write(folder.path_of(&place), "stub").unwrap();
            let _ = layout.put_aside(Path::new("INBOX"), &place, "placeholders");
        }
        assert!(folder.path_of(&place).exists(), "the second stays: nothing is overwritten");
        assert_eq!(std::fs::read(layout.state_dir().join("placeholders/a:2,S")).unwrap(), b"stub");
    }
}
