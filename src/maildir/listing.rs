//! Reading a directory: names, kinds and inodes, without a `stat` for each entry.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType};

use super::error::Error;

/// Bytes of directory entries taken at a time.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BUFFER: usize = 128 * 1024;

/// What takes an entry: name, kind, inode.
pub(super) type Each<'a> = &'a mut dyn FnMut(&[u8], FileType, u64) -> Result<(), Error>;

/// Calls `each` for every entry of `dir` but `.` and `..`, from the directory's beginning. `path` is for messages.
///
/// # Errors
/// Any failure to read is told: a directory read in part must never pass for a whole one.
pub(super) fn each(dir: &OwnedFd, path: &Path, each: Each<'_>) -> Result<(), Error> {
    let known = |name: &std::ffi::CStr, kind: FileType| -> Result<Option<FileType>, Error> {
        if kind != FileType::Unknown {
            return Ok(Some(kind));
        }
        match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    };
    let mut take = |name: &std::ffi::CStr, kind: FileType, inode: u64| -> Result<(), Error> {
        let bytes = name.to_bytes();
        if bytes == b"." || bytes == b".." {
            return Ok(());
        }
        known(name, kind)?.map_or(Ok(()), |kind| each(bytes, kind, inode))
    };
    // A descriptor of its own: one that was read before would go on at its end.
    let fresh = super::handle::open_dir_at(dir, Path::new("."), path)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut entries = rustix::fs::RawDir::new(&fresh, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|e| Error::io("read", path, e))?;
            take(entry.file_name(), entry.file_type(), entry.ino())?;
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    for entry in rustix::fs::Dir::new(fresh).map_err(|e| Error::io("read", path, e))? {
        let entry = entry.map_err(|e| Error::io("read", path, e))?;
        take(entry.file_name(), entry.file_type(), entry.ino())?;
    }
    Ok(())
}
