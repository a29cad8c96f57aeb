//! Interruption: SIGINT and SIGTERM set one flag and wake every wait through one pipe.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A wish to stop, shared by all threads of the program. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    read: Arc<OwnedFd>,
    write: Arc<OwnedFd>,
}

impl Stop {
    /// A stop that nothing has asked for yet.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub fn new() -> io::Result<Self> {
        let (read, write) =
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK)?;
        Ok(Self { flag: Arc::new(AtomicBool::new(false)), read: Arc::new(read), write: Arc::new(write) })
    }

    /// Makes SIGINT and SIGTERM request this stop. A second signal ends the program at once.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn on_signals(&self) -> io::Result<()> {
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&self.flag))?;
            signal_hook::flag::register(signal, Arc::clone(&self.flag))?;
            signal_hook::low_level::pipe::register(signal, self.write.try_clone()?)?;
        }
        // A file that grows beyond its limit is an error of the write, not the end of the program.
        signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
        Ok(())
    }

    /// Asks for the stop.
    pub fn request(&self) {
        self.flag.store(true, Ordering::SeqCst);
        // A full pipe is as good: it is readable.
        let _ = rustix::io::write(&*self.write, b"x");
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Waits so long, or until a stop is asked for: whether it was.
    #[must_use]
    pub fn pause(&self, time: Duration) -> bool {
        let begun = Instant::now();
        loop {
            let left = time.saturating_sub(begun.elapsed());
            if left.is_zero() || self.requested() {
                return self.requested();
            }
            let mut fds = [PollFd::from_borrowed_fd(self.fd(), PollFlags::IN)];
            match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                // A failing poll shortens the pause, no more.
                Err(_) => return self.requested(),
            }
        }
    }

    /// Readable for ever once a stop was asked for; to be polled beside whatever is waited for, never read.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_and_wakes() -> io::Result<()> {
        let stop = Stop::new()?;
        assert!(!stop.requested());
        stop.clone().request();
        assert!(stop.requested());
        let mut fds = [PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN)];
        assert_eq!(poll(&mut fds, None)?, 1);
        Ok(())
    }

    #[test]
    fn a_pause_ends_in_time_and_at_once_with_a_stop() -> io::Result<()> {
        let stop = Stop::new()?;
        let begun = Instant::now();
        assert!(!stop.pause(Duration::from_millis(20)));
        assert!(begun.elapsed() >= Duration::from_millis(20));
        stop.request();
        let begun = Instant::now();
        assert!(stop.pause(Duration::from_secs(60)));
        assert!(begun.elapsed() < Duration::from_secs(60));
        Ok(())
    }
}
