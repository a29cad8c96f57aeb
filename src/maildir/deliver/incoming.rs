//! A message on its way in: wire bytes become disk bytes, and its content is computed while they pass.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, OFlags, Timespec, Timestamps};

use super::super::error::Error;
use super::super::handle::{self, FILE_MODE};
use super::super::name::Place;
use super::{Batch, Delivery, Pending, Target, unique};
use crate::checkpoint;
use crate::mail::lines::{LineEndings, ToLf};
use crate::mail::{Content, ContentHasher};

/// Disk bytes that are gathered before a write: nearly every message is one `write`.
const BUFFER: usize = 256 * 1024;

/// A message being written. Takes wire bytes through [`Write`]; dropping it leaves nothing behind.
///
/// Its [`Write`] fails with an [`io::Error`] that holds an [`Error`]: [`Error::from_writer`] takes it out again.
#[derive(Debug)]
pub struct Incoming {
    target: Arc<Target>,
    index: usize,
    lines: Option<ToLf>,
    hasher: Hasher,
    buffer: Vec<u8>,
    /// The file in `tmp`, once there is one.
    file: Option<TmpFile>,
    disk_size: u64,
}

/// Keeps the hasher's state out of `Debug`.
struct Hasher(ContentHasher);

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher")
    }
}

/// A file in `tmp` that goes when it is dropped, unless it was kept.
#[derive(Debug)]
struct TmpFile {
    file: File,
    name: String,
    target: Arc<Target>,
    kept: bool,
}

impl TmpFile {
    fn create(target: &Arc<Target>) -> Result<Self, Error> {
        let name = unique::tmp_name();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = handle::openat(&target.tmp, &name, flags, FILE_MODE)
            .map_err(|e| Error::io("create", target.folder.path.join("tmp").join(&name), e))?;
        Ok(Self { file: file.into(), name, target: Arc::clone(target), kept: false })
    }

    fn path(&self) -> PathBuf {
        self.target.folder.path.join("tmp").join(&self.name)
    }
}

impl Drop for TmpFile {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(&self.target.tmp, &self.name, AtFlags::empty());
        }
    }
}

impl Incoming {
    pub(super) fn new(target: Arc<Target>, index: usize, line_endings: LineEndings, buffer: Vec<u8>) -> Self {
        let lines = match line_endings {
            LineEndings::Lf => Some(ToLf::default()),
            LineEndings::Crlf => None,
        };
        Self { target, index, lines, hasher: Hasher(ContentHasher::new()), buffer, file: None, disk_size: 0 }
    }

    /// The message's content so far: with nothing more to come, what [`super::Delivered`] will tell.
    #[must_use]
    pub fn content(&self) -> Content {
        self.hasher.0.clone().finish()
    }

    fn spill(&mut self) -> Result<(), Error> {
        let tmp = match self.file.take() {
            Some(tmp) => tmp,
            None => TmpFile::create(&self.target)?,
        };
        let tmp = self.file.insert(tmp);
        tmp.file.write_all(&self.buffer).map_err(|e| Error::io("write", tmp.path(), e))?;
        self.disk_size += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Fills an untouched message from a stored one, byte for byte.
    pub(super) fn fill_from(&mut self, source: &File) -> Result<(), Error> {
        let mut tmp = TmpFile::create(&self.target)?;
        let path = tmp.path();
        let failed = |e: io::Error| Error::io("write", &path, e);
        if !reflink(&tmp.file, source) {
            let mut reader = source;
            reader.rewind().map_err(failed)?;
            io::copy(&mut reader, &mut tmp.file).map_err(failed)?;
        }
        tmp.file.rewind().map_err(failed)?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let n = tmp.file.read(&mut chunk).map_err(failed)?;
            if n == 0 {
                break;
            }
            self.hasher.0.update(chunk.get(..n).unwrap_or_default());
            self.disk_size += n as u64;
        }
        self.lines = None;
        self.file = Some(tmp);
        Ok(())
    }

    /// Ends the message: it is in `tmp` and waits for [`Batch::commit`].
    ///
    /// # Errors
    /// [`Error::FileName`] when the unique part cannot be a file name; whatever the disk refuses.
    pub fn finish(mut self, batch: &mut Batch<'_>, delivery: &Delivery<'_>) -> Result<(), Error> {
        let folder = self.target.folder.path.clone();
        let place = Place::arrival(delivery.unique, delivery.letters).ok_or_else(|| Error::FileName {
            path: folder.clone(),
            name: String::from_utf8_lossy(delivery.unique).into_owned(),
        })?;
        handle::fits(&folder, &place.name)?;
        if let Some(mut lines) = self.lines.take() {
            lines.finish(&mut self.buffer);
        }
        if self.file.is_none() || !self.buffer.is_empty() {
            self.spill()?;
        }
        let Some(mut tmp) = self.file.take() else {
            return Err(Error::Gone { path: folder.join("tmp") });
        };
        if let Some(date) = delivery.date {
            let times = Timestamps {
                last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
                last_modification: Timespec { tv_sec: date.0, tv_nsec: 0 },
            };
            // A date that the file system cannot hold costs the date, not the message.
            let _ = rustix::fs::futimens(&tmp.file, &times);
        }
        let inode = tmp.file.metadata().map_err(|e| Error::io("read", tmp.path(), e))?.ino();
        tmp.kept = true;
        checkpoint::hit("deliver.written");
        batch.bytes += self.disk_size;
        batch.spare = std::mem::take(&mut self.buffer);
        batch.pending.push(Pending {
            key: delivery.key,
            target: self.index,
            tmp_name: std::mem::take(&mut tmp.name),
            place,
            inode,
            disk_size: self.disk_size,
            content: self.hasher.0.finish(),
        });
        Ok(())
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.chunks(BUFFER) {
            self.hasher.0.update(piece);
            match self.lines.as_mut() {
                Some(lines) => lines.push(piece, &mut self.buffer),
                None => self.buffer.extend_from_slice(piece),
            }
            if self.buffer.len() >= BUFFER {
                self.spill().map_err(io::Error::other)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lets `to` share the blocks of `from`; `false` where the file system cannot.
fn reflink(to: &File, from: &File) -> bool {
    #[cfg(all(
        any(target_os = "linux", target_os = "android"),
        not(any(target_arch = "sparc", target_arch = "sparc64"))
    ))]
    {
        rustix::fs::ioctl_ficlone(to, from).is_ok()
    }
    #[cfg(not(all(
        any(target_os = "linux", target_os = "android"),
        not(any(target_arch = "sparc", target_arch = "sparc64"))
    )))]
    {
        let _ = (to, from);
        false
    }
}
