//! Renaming, moving and removing messages, and making it durable once for many.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::deliver::counted_name;
use super::error::Error;
use super::handle::{self, FILE_MODE, Folder};
use super::layout::FolderDir;
use super::listing;
use super::name::{FileName, Letters, Place, Sub};
use crate::checkpoint;

/// How many folders stay open between a change and its sync.
const OPEN_FOLDERS: usize = 64;
/// How many names are tried for a moved message.
const NAME_TRIES: u32 = 1000;

/// A message that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it is in the other folder; its unique part has a counter behind it if another file had the name.
    pub place: Place,
    /// Its inode: another one if it had to be copied to another file system.
    pub inode: u64,
}

/// Changes and the directories that they touched. Nothing is durable before [`Touched::sync`].
#[derive(Debug, Default)]
pub struct Touched {
    open: HashMap<PathBuf, Arc<Folder>>,
    /// Directories that got a name, in order.
    gained: Vec<(Arc<Folder>, Sub)>,
    /// Directories that only lost one: synced last, so that a moved message is never in neither.
    lost: Vec<(Arc<Folder>, Sub)>,
}

impl Touched {
    /// Nothing touched.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to sync.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }

    /// Makes all changes so far durable: one fsync for each directory, those that gained a name first.
    ///
    /// # Errors
    /// When the disk refuses; what is not synced stays to be synced.
    pub fn sync(&mut self) -> Result<(), Error> {
        for (folder, sub) in self.gained.iter().chain(self.lost.iter()) {
            handle::sync_dir(folder.sub(*sub), &folder.path.join(sub.as_str()))?;
        }
        self.gained.clear();
        self.lost.clear();
        self.open.clear();
        checkpoint::hit("change.synced");
        Ok(())
    }

    fn folder(&mut self, dir: &FolderDir) -> Result<Arc<Folder>, Error> {
        if let Some(folder) = self.open.get(&dir.path) {
            return Ok(Arc::clone(folder));
        }
        if self.open.len() >= OPEN_FOLDERS {
            self.sync()?;
        }
        let folder = Arc::new(Folder::open(dir)?);
        self.open.insert(dir.path.clone(), Arc::clone(&folder));
        Ok(folder)
    }

    fn gains(&mut self, folder: &Arc<Folder>, sub: Sub) {
        if !has(&self.gained, folder, sub) {
            self.gained.push((Arc::clone(folder), sub));
        }
    }

    fn loses(&mut self, folder: &Arc<Folder>, sub: Sub) {
        if !has(&self.lost, folder, sub) {
            self.lost.push((Arc::clone(folder), sub));
        }
    }

    /// Gives a message other letters: it goes to `cur`, and what its name says beside flags stays. Where another program
    /// renamed it meanwhile it is found by its unique part, and its letters keep what that program changed: compare the
    /// answer's letters with those asked for.
    ///
    /// # Errors
    /// [`Error::Gone`] when no file of that unique part is there, [`Error::Exists`] when another file has the new name.
    pub fn set_letters(&mut self, dir: &FolderDir, place: &Place, letters: &Letters) -> Result<Place, Error> {
        let folder = self.folder(dir)?;
        let wanted = Letters { rest: place.letters().rest, ..letters.clone() };
        let target = Place { sub: Sub::Cur, name: place.name.with_letters(&wanted) };
        handle::fits(&folder.path, &target.name)?;
        if target == *place {
            return Ok(target);
        }
        match self.rename(&folder, place, &folder, &target) {
            Err(Errno::NOENT) => {}
            done => return finished(done, &folder, target),
        }
        let found = find(&folder, place.name.unique())?.ok_or_else(|| Error::Gone { path: folder.path_of(place) })?;
        let rebased = found.letters().rebased(&place.letters(), letters);
        let target = Place { sub: Sub::Cur, name: found.name.with_letters(&rebased) };
        handle::fits(&folder.path, &target.name)?;
        if target == found {
            return Ok(target);
        }
        finished(self.rename(&folder, &found, &folder, &target), &folder, target)
    }

    /// Moves a message to another folder, with the letters that it is to have there (keyword letters differ from folder to
    /// folder). From `new` without letters it goes to `new`, else to `cur`.
    ///
    /// # Errors
    /// [`Error::Gone`] when it is not there, [`Error::Changed`] when its keywords were changed meanwhile.
    pub fn move_to(
        &mut self,
        (from, place): (&FolderDir, &Place),
        to: &FolderDir,
        letters: &Letters,
    ) -> Result<Moved, Error> {
        let source = self.folder(from)?;
        let goal = self.folder(to)?;
        if let Some(moved) = self.move_found((&source, place), &goal, letters)? {
            return Ok(moved);
        }
        let gone = || Error::Gone { path: source.path_of(place) };
        let found = find(&source, place.name.unique())?.ok_or_else(gone)?;
        let (old, now) = (place.letters(), found.letters());
        if old.keywords != now.keywords {
            return Err(Error::Changed { path: source.path_of(&found) });
        }
        let system = now.system.difference(old.system);
        let dropped = old.system.difference(now.system);
        let letters = Letters { system: letters.system.union(system).difference(dropped), ..letters.clone() };
        self.move_found((&source, &found), &goal, &letters)?.ok_or_else(gone)
    }

    /// Moves the file at `place`; `None` if there is none.
    fn move_found(
        &mut self,
        (source, place): (&Arc<Folder>, &Place),
        goal: &Arc<Folder>,
        letters: &Letters,
    ) -> Result<Option<Moved>, Error> {
        let letters = Letters { rest: place.letters().rest, ..letters.clone() };
        let wanted = if place.sub == Sub::New && letters.is_empty() {
            Place { sub: Sub::New, name: place.name.clone() }
        } else {
            Place { sub: Sub::Cur, name: place.name.with_letters(&letters) }
        };
        handle::fits(&goal.path, &wanted.name)?;
        let mut target = wanted.clone();
        for attempt in 1..=NAME_TRIES {
            let renamed = match self.rename(source, place, goal, &target) {
                Err(Errno::XDEV) => match self.copy_over(source, place, goal, &target) {
                    Err(Error::Exists { .. }) => Err(Errno::EXIST),
                    copied => return copied,
                },
                renamed => renamed,
            };
            match renamed {
                Ok(()) => {
                    let stat =
                        rustix::fs::statat(goal.sub(target.sub), target.name.as_bytes(), AtFlags::SYMLINK_NOFOLLOW);
                    // Renamed again at once by a reader: the inode is a hint only.
                    let inode = stat.map_or(0, |stat| stat.st_ino);
                    return Ok(Some(Moved { place: target, inode }));
                }
                Err(Errno::NOENT) => return Ok(None),
                Err(Errno::EXIST) => {
                    let name = counted_name(&wanted.name, attempt);
                    let unusable = || Error::Exists { path: goal.path_of(&wanted) };
                    target = Place { sub: wanted.sub, name: name.ok_or_else(unusable)? };
                }
                Err(e) => return Err(Error::io("move", source.path_of(place), e)),
            }
        }
        Err(Error::Exists { path: goal.path_of(&wanted) })
    }

    fn rename(&mut self, source: &Arc<Folder>, from: &Place, goal: &Arc<Folder>, to: &Place) -> Result<(), Errno> {
        handle::rename_no_replace(
            (source.sub(from.sub), from.name.as_bytes()),
            (goal.sub(to.sub), to.name.as_bytes()),
        )?;
        self.gains(goal, to.sub);
        if source.path != goal.path || from.sub != to.sub {
            self.loses(source, from.sub);
        }
        checkpoint::hit("change.renamed");
        Ok(())
    }

    /// Gives a message another unique part: for the second of two files that share one. Its letters stay.
    ///
    /// # Errors
    /// [`Error::Gone`] when it is not there under that very name, [`Error::Exists`] when the new name is taken,
    /// [`Error::FileName`] when no message can have it.
    pub fn set_unique(&mut self, dir: &FolderDir, place: &Place, unique: &[u8]) -> Result<Place, Error> {
        let folder = self.folder(dir)?;
        let name = place.name.with_unique(unique).ok_or_else(|| Error::FileName {
            path: folder.path.clone(),
            name: String::from_utf8_lossy(unique).into_owned(),
        })?;
        handle::fits(&folder.path, &name)?;
        let target = Place { sub: place.sub, name };
        match self.rename(&folder, place, &folder, &target) {
            Err(Errno::NOENT) => Err(Error::Gone { path: folder.path_of(place) }),
            done => finished(done, &folder, target),
        }
    }

    /// Moves a message to another file system: the copy is durable before the original goes.
    pub(super) fn copy_over(
        &mut self,
        source: &Arc<Folder>,
        place: &Place,
        goal: &Arc<Folder>,
        target: &Place,
    ) -> Result<Option<Moved>, Error> {
        let mut original = match source.open_message(place) {
            Err(Error::Gone { .. }) => return Ok(None),
            other => other?,
        };
        let tmp_name = super::deliver::tmp_name();
        let tmp = goal.open_tmp()?;
        let path = goal.path.join("tmp").join(&tmp_name);
        let placed =
            copy_file(&mut original, &tmp, &tmp_name).map_err(|e| Error::io("copy to", path, e)).and_then(|inode| {
                let from = (tmp.as_fd(), tmp_name.as_bytes());
                handle::rename_no_replace(from, (goal.sub(target.sub), target.name.as_bytes())).map_err(
                    |e| match e {
                        Errno::EXIST => Error::Exists { path: goal.path_of(target) },
                        _ => Error::io("create", goal.path_of(target), e),
                    },
                )?;
                Ok(inode)
            });
        let inode = placed.inspect_err(|_| {
            let _ = rustix::fs::unlinkat(&tmp, &tmp_name, AtFlags::empty());
        })?;
        handle::sync_dir(goal.sub(target.sub), &goal.path.join(target.sub.as_str()))?;
        checkpoint::hit("change.copied");
        match rustix::fs::unlinkat(source.sub(place.sub), place.name.as_bytes(), AtFlags::empty()) {
            Ok(()) => self.loses(source, place.sub),
            Err(Errno::NOENT) => {}
            Err(e) => return Err(Error::io("remove", source.path_of(place), e)),
        }
        Ok(Some(Moved { place: target.clone(), inode }))
    }

    /// Removes a message, under whatever flags it has by now. `false`: it was gone already.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&mut self, dir: &FolderDir, place: &Place) -> Result<bool, Error> {
        let folder = self.folder(dir)?;
        if self.unlink(&folder, place)? {
            return Ok(true);
        }
        match find(&folder, place.name.unique())? {
            Some(found) => self.unlink(&folder, &found),
            None => Ok(false),
        }
    }

    /// Removes exactly this file, and no other that has its unique part: of two copies the one that is not needed.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn drop_copy(&mut self, dir: &FolderDir, place: &Place) -> Result<bool, Error> {
        let folder = self.folder(dir)?;
        self.unlink(&folder, place)
    }

    fn unlink(&mut self, folder: &Arc<Folder>, place: &Place) -> Result<bool, Error> {
        match rustix::fs::unlinkat(folder.sub(place.sub), place.name.as_bytes(), AtFlags::empty()) {
            Ok(()) => {
                self.loses(folder, place.sub);
                checkpoint::hit("change.removed");
                Ok(true)
            }
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(Error::io("remove", folder.path_of(place), e)),
        }
    }
}

fn has(list: &[(Arc<Folder>, Sub)], folder: &Arc<Folder>, sub: Sub) -> bool {
    list.iter().any(|(f, s)| *s == sub && Arc::ptr_eq(f, folder))
}

fn finished(done: Result<(), Errno>, folder: &Folder, target: Place) -> Result<Place, Error> {
    match done {
        Ok(()) => Ok(target),
        Err(Errno::EXIST) => Err(Error::Exists { path: folder.path_of(&target) }),
        Err(Errno::NOENT) => Err(Error::Changed { path: folder.path_of(&target) }),
        Err(e) => Err(Error::io("rename", folder.path_of(&target), e)),
    }
}

/// Looks once through a folder for the file with this unique part.
fn find(folder: &Folder, unique: &[u8]) -> Result<Option<Place>, Error> {
    let mut found = None;
    for sub in [Sub::New, Sub::Cur] {
        let path: &Path = &folder.path.join(sub.as_str());
        let dir = handle::open_dir_at(folder.sub(sub), Path::new("."), path)?;
        listing::each(&dir, path, &mut |name, _, _| {
            if let Some(name) = FileName::new(name).filter(|name| name.unique() == unique) {
                found = Some(Place { sub, name });
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// Copies an open message to `name` in `tmp`, durably and with its time; the copy's inode.
fn copy_file(original: &mut std::fs::File, tmp: &impl AsFd, name: &str) -> io::Result<u64> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut copy = std::fs::File::from(handle::openat(tmp, name, flags, FILE_MODE)?);
    io::copy(original, &mut copy)?;
    let meta = original.metadata()?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: meta.mtime(), tv_nsec: meta.mtime_nsec() },
    };
    rustix::fs::futimens(&copy, &times)?;
    copy.sync_all()?;
    Ok(copy.metadata()?.ino())
}
