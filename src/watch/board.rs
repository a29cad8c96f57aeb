//! What the listening connections of an account tell the thread that keeps it: a few facts, however often they are told.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use super::agenda::News;
use super::bell::Bell;
use super::choose::Candidate;

/// What was told since it was last asked.
#[derive(Debug, Default)]
pub struct Told {
    /// Something changed on the server.
    pub changed: bool,
    /// The last that is known of the first connection.
    pub link: Option<News>,
    /// The folders that could have a connection of their own: it listens to INBOX only.
    pub candidates: Option<Vec<Candidate>>,
    /// Why it failed, for people.
    pub trouble: Option<String>,
}

/// The board.
#[derive(Debug)]
pub struct Board {
    told: Mutex<Told>,
    bell: Bell,
}

impl Board {
    /// An empty one.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub fn new() -> io::Result<Self> {
        Ok(Self { told: Mutex::default(), bell: Bell::new()? })
    }

    /// Tells.
    pub fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.ring();
    }

    /// Readable while something is told.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.bell.fd()
    }

    /// Takes what was told.
    #[must_use]
    pub fn take(&self) -> Told {
        self.bell.hush();
        std::mem::take(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn facts_are_told_once() {
        let board = Board::new().unwrap();
        (0..3).for_each(|_| board.tell(|told| told.changed = true));
        board.tell(|told| told.link = Some(News::Lost));
        board.tell(|told| told.link = Some(News::Up));
        let begun = Instant::now();
        super::super::bell::wait(&[board.fd()], Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
        let told = board.take();
        assert!(told.changed && told.link == Some(News::Up) && told.candidates.is_none());
        assert!(!board.take().changed);
    }
}
