//! One run at a time per Maildir: an advisory lock that ends with the process, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

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

/// How long the lock of a process that is dead may take to become free.
const AFTER_DEATH: Duration = Duration::from_secs(2);

/// Whether the process that a lock file names is no more, as far as this machine can tell.
fn is_dead(holder: &str) -> bool {
    let digits: String = holder.chars().filter(char::is_ascii_digit).collect();
    !digits.is_empty() && Path::new("/proc/self").exists() && !Path::new("/proc").join(digits).exists()
}

/// Locks an open lock file. With `wait` until it is free.
fn wait_for(file: &mut File, dir: &Path, wait: bool, stop: &Stop) -> Result<(), Error> {
    let patience = Instant::now() + AFTER_DEATH;
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
                let read = file.rewind().and_then(|()| (&mut *file).take(200).read_to_string(&mut holder));
                let holder =
                    if read.is_ok() && !holder.trim().is_empty() { clean(&holder) } else { "another run".to_owned() };
                // What a killed process leaves behind, a child that has not become its program yet or a write in the kernel, lets go soon.
                if Instant::now() < patience && is_dead(&holder) {
                    if stop.pause(PAUSE / 4) {
                        return Err(Error::Interrupted);
                    }
                    continue;
                }
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

    #[test]
    fn a_dead_holder_is_waited_for_a_moment() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join(".mailferry");
        let stop = Stop::new().unwrap();
        let first = Lock::take(&state, false, &stop).unwrap();
        // Longer than any process number.
        std::fs::write(state.join("lock"), "mailferry (process 99999999999)\n").unwrap();
        let lets_go = std::thread::spawn(move || {
            std::thread::sleep(PAUSE);
            drop(first);
        });
        Lock::take(&state, false, &stop).unwrap();
        lets_go.join().unwrap();
    }
}
