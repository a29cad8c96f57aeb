//! Waking a thread that polls descriptors, and the polling itself.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};

/// Rung by one thread, heard by another.
#[derive(Debug)]
pub struct Bell {
    read: OwnedFd,
    write: OwnedFd,
}

impl Bell {
    /// A silent one.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { read, write })
    }

    /// Rings.
    pub fn ring(&self) {
        // A full pipe rings as well.
        let _ = rustix::io::write(&self.write, b"x");
    }

    /// Readable while it rings.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Makes it silent.
    pub fn hush(&self) {
        let mut sink = [0; 256];
        while matches!(rustix::io::read(&self.read, &mut sink), Ok(n) if n > 0) {}
    }
}

/// Waits until one of `fds` is readable, at most for `max`.
pub fn wait(fds: &[BorrowedFd<'_>], max: Duration) {
    let mut fds: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    // Whatever ends the wait, the caller looks at everything again.
    let _ = poll(&mut fds, Timespec::try_from(max).ok().as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn it_wakes_whoever_waits_and_is_silent_afterwards() {
        let bell = Bell::new().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| bell.ring());
            let begun = Instant::now();
            wait(&[bell.fd()], Duration::from_secs(60));
            assert!(begun.elapsed() < Duration::from_secs(30));
        });
        (0..100_000).for_each(|_| bell.ring());
        bell.hush();
        let begun = Instant::now();
        wait(&[bell.fd()], Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }
}
