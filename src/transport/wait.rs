//! Every wait of a connection: for a descriptor, no longer than allowed, and woken by a stop.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Error;
use crate::stop::Stop;

/// How long waits may last.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Who is waited for, for messages.
    pub(super) peer: String,
    /// Without any progress.
    pub(super) timeout: Duration,
    /// With progress.
    pub(super) deadline: Option<Instant>,
    /// What wakes every wait; `None` while work in hand is being finished.
    pub(super) stop: Option<Stop>,
    /// Whether the peer ever sent anything.
    pub(super) heard: bool,
}

impl Limits {
    /// Waits until one of `sources` is ready, for at most the timeout. Gives what is ready of each.
    pub(super) fn wait(&self, sources: &[(BorrowedFd<'_>, PollFlags)]) -> Result<Vec<PollFlags>, Error> {
        match self.wait_for(sources, self.timeout)? {
            Some(ready) => Ok(ready),
            None => Err(Error::Timeout { peer: self.peer.clone(), after: self.timeout, silent: !self.heard }),
        }
    }

    /// As [`wait`](Self::wait), with a time of its own: `None` when it has passed.
    pub(super) fn wait_for(
        &self,
        sources: &[(BorrowedFd<'_>, PollFlags)],
        max: Duration,
    ) -> Result<Option<Vec<PollFlags>>, Error> {
        let begun = Instant::now();
        let mut fds: Vec<PollFd<'_>> =
            sources.iter().map(|&(fd, events)| PollFd::from_borrowed_fd(fd, events)).collect();
        if let Some(stop) = &self.stop {
            fds.push(PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN));
        }
        loop {
            self.check()?;
            let mut left = max.saturating_sub(begun.elapsed());
            if let Some(deadline) = self.deadline {
                left = left.min(deadline.saturating_duration_since(Instant::now()));
            }
            // A timeout too large for the system's type is as good as none.
            let spec = Timespec::try_from(left).ok();
            match poll(&mut fds, spec.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    self.check_stop()?;
                    return Ok(Some(fds.iter().take(sources.len()).map(PollFd::revents).collect()));
                }
                Err(errno) => return Err(Error::Broken { peer: self.peer.clone(), why: errno.into() }),
            }
            self.check()?;
            if begun.elapsed() >= max {
                return Ok(None);
            }
        }
    }

    /// Fails when a stop was asked for.
    pub(super) fn check_stop(&self) -> Result<(), Error> {
        match &self.stop {
            Some(stop) if stop.requested() => Err(Error::Stopped),
            _ => Ok(()),
        }
    }

    /// Fails when a stop was asked for or the deadline has passed.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_stop()?;
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::Deadline { peer: self.peer.clone() }),
            _ => Ok(()),
        }
    }
}
