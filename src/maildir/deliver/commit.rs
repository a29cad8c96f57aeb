//! Making a batch durable: contents first, then the names, then the directories.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::super::error::Error;
use super::super::handle;
use super::super::name::{FileName, Place, Sub};
use super::super::read;
use super::{Batch, Delivered, Pending, Target};
use crate::checkpoint;

/// From this many files on one `syncfs` is cheaper than an `fsync` each.
const SYNCFS_FROM: usize = 64;
/// How many threads sync files: a disk's queue is best kept full.
const SYNC_THREADS: usize = 16;
/// How many names are tried for one message.
const NAME_TRIES: u32 = 1000;

impl Batch<'_> {
    /// Makes all messages of the batch durable and visible, and tells where each is. Afterwards the batch is empty and
    /// can be used again.
    ///
    /// Where a file of the same name exists, it is this message if its content is the same (a delivery that was
    /// interrupted); otherwise a counter is put behind the unique part.
    ///
    /// # Errors
    /// When the disk refuses. Some messages may be in place then: they are recognised when they are delivered again.
    pub fn commit(&mut self) -> Result<Vec<Delivered>, Error> {
        let mut by_target: BTreeMap<usize, Vec<Pending>> = BTreeMap::new();
        self.sync_contents()?;
        checkpoint::hit("deliver.synced");
        // Taken out only now: until here dropping the batch removes the files.
        for pending in std::mem::take(&mut self.pending) {
            by_target.entry(pending.target).or_default().push(pending);
        }
        self.bytes = 0;
        let mut delivered = Vec::new();
        while let Some((index, files)) = by_target.pop_first() {
            let mut files = files.into_iter();
            let result = self.target(index).and_then(|target| {
                let mut subs = BTreeSet::new();
                for file in files.by_ref() {
                    let tmp_name = file.tmp_name.clone();
                    let placed = place_one(&target, file, &mut subs).inspect_err(|_| {
                        let _ = rustix::fs::unlinkat(&target.tmp, &tmp_name, AtFlags::empty());
                    });
                    delivered.push(placed?);
                    checkpoint::hit("deliver.renamed");
                }
                for sub in subs {
                    handle::sync_dir(target.folder.sub(sub), &target.folder.path.join(sub.as_str()))?;
                }
                Ok(())
            });
            if let Err(e) = result {
                // What was not placed goes back, so that it is removed from `tmp`.
                self.pending = files.chain(by_target.into_values().flatten()).collect();
                return Err(e);
            }
        }
        checkpoint::hit("deliver.committed");
        Ok(delivered)
    }

    fn sync_contents(&mut self) -> Result<(), Error> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.file_system.syncfs && self.pending.len() >= SYNCFS_FROM {
            let device = rustix::fs::fstat(&self.root).map_err(|e| Error::io("read", &self.root_path, e))?.st_dev;
            let targets: BTreeSet<usize> = self.pending.iter().map(|p| p.target).collect();
            let mut elsewhere = BTreeSet::new();
            for index in targets {
                if self.target(index)?.device != device {
                    elsewhere.insert(index);
                }
            }
            rustix::fs::syncfs(&self.root).map_err(|e| Error::io("sync", &self.root_path, e))?;
            return self.sync_each(|pending| elsewhere.contains(&pending.target));
        }
        self.sync_each(|_| true)
    }

    /// Syncs single files, by several threads.
    fn sync_each(&mut self, wanted: impl Fn(&Pending) -> bool) -> Result<(), Error> {
        let mut open: BTreeMap<usize, Arc<Target>> = BTreeMap::new();
        let mut rest = self.pending.iter().filter(|p| wanted(p)).map(|p| p.target).collect::<BTreeSet<_>>();
        // Few folders at a time: each holds descriptors.
        while !rest.is_empty() {
            open.clear();
            while let Some(index) = rest.pop_first() {
                open.insert(index, self.target(index)?);
                if open.len() >= super::OPEN_FOLDERS {
                    break;
                }
            }
            let files: Vec<(&Arc<Target>, &str)> =
                self.pending.iter().filter_map(|p| Some((open.get(&p.target)?, p.tmp_name.as_str()))).collect();
            sync_files(&files)?;
        }
        Ok(())
    }
}

fn sync_files(files: &[(&Arc<Target>, &str)]) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let work = || {
        while let Some(&(target, name)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let synced = handle::openat(&target.tmp, name, flags, Mode::empty()).and_then(rustix::fs::fsync);
            if let Err(e) = synced {
                next.store(files.len(), Ordering::Relaxed);
                let error = Error::io("sync", target.folder.path.join("tmp").join(name), e);
                failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..files.len().min(SYNC_THREADS) {
            // Without another thread this one does the work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Renames one file from `tmp` to where it belongs.
fn place_one(target: &Target, file: Pending, subs: &mut BTreeSet<Sub>) -> Result<Delivered, Error> {
    let sub = file.place.sub;
    let dir = target.folder.sub(sub);
    let wanted = &file.place.name;
    let mut name = wanted.clone();
    let mut inode = file.inode;
    subs.insert(sub);
    for attempt in 1..=NAME_TRIES {
        match handle::rename_no_replace(
            (std::os::fd::AsFd::as_fd(&target.tmp), file.tmp_name.as_bytes()),
            (dir, name.as_bytes()),
        ) {
            Ok(()) => break,
            Err(Errno::EXIST) if attempt < NAME_TRIES => {}
            Err(e) => return Err(Error::io("create", target.folder.path_of(&Place { sub, name }), e)),
        }
        let existing = Place { sub, name: name.clone() };
        if let Some(same) = same_message(target, &existing, &file)? {
            rustix::fs::unlinkat(&target.tmp, &file.tmp_name, AtFlags::empty())
                .map_err(|e| Error::io("remove", target.folder.path.join("tmp").join(&file.tmp_name), e))?;
            inode = same;
            break;
        }
        name = counted_name(wanted, attempt)
            .ok_or_else(|| Error::FileName { path: target.folder.path.clone(), name: wanted.to_string() })?;
    }
    Ok(Delivered { key: file.key, place: Place { sub, name }, inode, disk_size: file.disk_size, content: file.content })
}

/// The inode of the file at `place`, made durable, if it is the message in `file`.
fn same_message(target: &Target, place: &Place, file: &Pending) -> Result<Option<u64>, Error> {
    use std::os::unix::fs::MetadataExt as _;
    let failed = |e| Error::unreadable(target.folder.path_of(place), e);
    let existing = match target.folder.open_message(place) {
        Ok(existing) => existing,
        Err(Error::Gone { .. } | Error::Unreadable { .. }) => return Ok(None),
        Err(e) => return Err(e),
    };
    if read::content_of(&existing).map_err(failed)?.digest != file.content.digest {
        return Ok(None);
    }
    existing.sync_all().map_err(failed)?;
    Ok(Some(existing.metadata().map_err(failed)?.ino()))
}

/// The name with `_COUNT` behind its unique part; `None` if that is too long.
pub(in super::super) fn counted_name(name: &FileName, count: u32) -> Option<FileName> {
    let unique = [name.unique(), format!("_{count}").as_bytes()].concat();
    name.with_unique(&unique).filter(|n| n.as_bytes().len() <= super::super::encode::NAME_MAX)
}
