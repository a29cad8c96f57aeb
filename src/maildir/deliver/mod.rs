//! The one way a message appears: written to `tmp`, made durable in batches, renamed without overwriting, directory synced.
//!
//! A [`Batch`] holds what its files are called, not what is in them, and no file stays open in it.

mod commit;
mod incoming;
mod unique;

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::AtFlags;

use super::error::Error;
use super::filesystem::FileSystem;
use super::handle::{self, Folder};
use super::layout::{FolderDir, Layout};
use super::name::{Letters, Place};
use crate::mail::lines::LineEndings;
use crate::mail::{Content, Timestamp};

pub(super) use commit::counted_name;
pub use incoming::Incoming;
pub(super) use unique::tmp_name;
pub use unique::{clean_tmp, fresh_unique};

/// How many folders' directories a batch keeps open.
const OPEN_FOLDERS: usize = 16;

/// How a message is to be stored.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// The caller's name for it: comes back in [`Delivered`].
    pub key: u64,
    /// The unique part of its file name: no `/`, no NUL, no leading dot, no `:`.
    pub unique: &'a [u8],
    /// Its flags: without any it goes to `new`, else to `cur`.
    pub letters: &'a Letters,
    /// When it was received: becomes the file's time.
    pub date: Option<Timestamp>,
}

/// A message that is stored durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The caller's name for it.
    pub key: u64,
    /// Where it is. The unique part has a counter behind it if another message had the name.
    pub place: Place,
    /// Its inode.
    pub inode: u64,
    /// Its length on disk in bytes.
    pub disk_size: u64,
    /// What it is.
    pub content: Content,
}

/// A folder that a batch writes to.
#[derive(Debug)]
struct Target {
    folder: Folder,
    tmp: OwnedFd,
    /// The file system that the folder is on.
    device: rustix::fs::Dev,
}

/// A file in `tmp`, written but not yet durable.
#[derive(Debug)]
struct Pending {
    key: u64,
    /// Index of its folder.
    target: usize,
    tmp_name: String,
    place: Place,
    inode: u64,
    disk_size: u64,
    content: Content,
}

/// Messages that become durable together.
///
/// Dropping it removes what was not committed.
#[derive(Debug)]
pub struct Batch<'a> {
    file_system: &'a FileSystem,
    line_endings: LineEndings,
    /// Opened before anything is written, so that `syncfs` tells of every failed write since (Linux 5.8).
    root: OwnedFd,
    root_path: PathBuf,
    folders: Vec<FolderDir>,
    by_path: HashMap<PathBuf, usize>,
    open: VecDeque<(usize, Arc<Target>)>,
    pending: Vec<Pending>,
    bytes: u64,
    /// A write buffer to use again.
    spare: Vec<u8>,
}

impl<'a> Batch<'a> {
    /// An empty batch for the folders of `layout`.
    ///
    /// # Errors
    /// When the root cannot be opened.
    pub fn new(layout: &Layout, file_system: &'a FileSystem) -> Result<Self, Error> {
        Ok(Self {
            file_system,
            line_endings: layout.line_endings(),
            root: handle::open_root(layout.root())?,
            root_path: layout.root().to_owned(),
            folders: Vec::new(),
            by_path: HashMap::new(),
            open: VecDeque::new(),
            pending: Vec::new(),
            bytes: 0,
            spare: Vec::new(),
        })
    }

    /// How many messages wait for [`Batch::commit`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins a message for `folder`. Nothing is on disk before the first 256 KiB or the end of the message.
    ///
    /// # Errors
    /// When the folder is not there or not complete.
    pub fn begin(&mut self, folder: &FolderDir) -> Result<Incoming, Error> {
        let index = self.index_of(folder);
        let target = self.target(index)?;
        Ok(Incoming::new(target, index, self.line_endings, std::mem::take(&mut self.spare)))
    }

    /// Begins a message for `to` as a copy of one that is here: shares its blocks where the file system can, never the
    /// file. What was copied is digested afterwards, so its [`Incoming::content`] is that of the copy.
    ///
    /// # Errors
    /// When the source is not there or the copy fails.
    pub fn copy(&mut self, from: &FolderDir, place: &Place, to: &FolderDir) -> Result<Incoming, Error> {
        let source = super::read::open(from, place)?;
        let mut incoming = self.begin(to)?;
        incoming.fill_from(&source.file)?;
        Ok(incoming)
    }

    fn index_of(&mut self, folder: &FolderDir) -> usize {
        if let Some(&index) = self.by_path.get(&folder.path) {
            return index;
        }
        let index = self.folders.len();
        self.folders.push(folder.clone());
        self.by_path.insert(folder.path.clone(), index);
        index
    }

    /// The open directories of folder `index`.
    fn target(&mut self, index: usize) -> Result<Arc<Target>, Error> {
        if let Some((_, target)) = self.open.iter().find(|(i, _)| *i == index) {
            return Ok(Arc::clone(target));
        }
        let Some(folder) = self.folders.get(index) else {
            return Err(Error::Missing { path: self.root_path.clone() });
        };
        let open = Folder::open(folder)?;
        let tmp = open.open_tmp()?;
        let stat = rustix::fs::fstat(&tmp).map_err(|e| Error::io("read", &folder.path, e))?;
        let target = Arc::new(Target { folder: open, tmp, device: stat.st_dev });
        if self.open.len() >= OPEN_FOLDERS {
            self.open.pop_front();
        }
        self.open.push_back((index, Arc::clone(&target)));
        Ok(target)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            if let Ok(target) = self.target(pending.target) {
                let _ = rustix::fs::unlinkat(&target.tmp, &pending.tmp_name, AtFlags::empty());
            }
        }
    }
}
