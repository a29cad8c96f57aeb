//! One run at a time per Maildir: an advisory lock that ends with the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::{Error, io_error};
use crate::mail::text::clean;
use crate::stop::Stop;

/// The held lock; dropping it frees the Maildir.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the state directory `dir`, which must exist. With `wait` until it is free.
    ///
    /// # Errors
    /// [`Error::Busy`] with the holder's name; [`Error::Interrupted`] when stopped while waiting.
    pub fn take(dir: &Path, wait: bool, stop: &Stop) -> Result<Self, Error> {
        super::create_directory(dir)?;
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0))
            .open(&path)
            .map_err(io_error(&path))?;
        wait_for(&mut file, dir, wait, stop)?;
        let text = format!("mailferry (process {})\n", std::process::id());
        // The name only helps people; the lock holds without it (a full disk must not stop a run here).
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        Ok(Self { _file: file })
    }

    /// Takes the lock for a look that changes nothing; `None` where nobody ever took it.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn look(dir: &Path, wait: bool, stop: &Stop) -> Result<Option<Self>, Error> {
        let path = dir.join("lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_error(&path)(e)),
        };
        wait_for(&mut file, dir, wait, stop)?;
        Ok(Some(Self { _file: file }))
    }
}

/// The pause between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(100);

/// Locks an open lock file. With `wait` until it is free.
fn wait_for(file: &mut File, dir: &Path, wait: bool, stop: &Stop) -> Result<(), Error> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if wait => {
                if stop.pause(PAUSE) {
                    return Err(Error::Interrupted);
                }
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let known = (&mut *file).take(200).read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { clean(&holder) } else { "another run".to_owned() };
                let root = dir.parent().unwrap_or(dir).to_owned();
                return Err(Error::Busy { root, holder });
            }
            Err(TryLockError::Error(e)) => return Err(io_error(&dir.join("lock"))(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(".mailferry");
        let stop = Stop::new().unwrap();
        let first = Lock::take(&state, false, &stop).unwrap();
        let refused = Lock::take(&state, false, &stop).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        stop.request();
        assert!(matches!(Lock::take(&state, true, &stop), Err(Error::Interrupted)));
        drop(first);
        Lock::take(&state, false, &stop).unwrap();
    }
}
