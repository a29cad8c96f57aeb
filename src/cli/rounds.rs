//! What a program that stays tells of its rounds: the same failure once, and nothing of a round in which nothing happened.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::severity::Kind;
use crate::ui::event::{Body, Event, Sink, Summary};
use crate::watch::Verdict;

/// What failures of a round mean for the next.
#[must_use]
pub fn verdict(kinds: &[Kind]) -> Verdict {
    let worst = |kind: &Kind| match kind {
        Kind::Auth | Kind::Config | Kind::Usage => 3,
        Kind::TryLater | Kind::Disk => 2,
        Kind::Guard | Kind::Protocol => 1,
        // We are about to end.
        Kind::Interrupted => 0,
    };
    match kinds.iter().map(worst).max().unwrap_or(0) {
        0 => Verdict::Clean,
        1 => Verdict::Partial,
        2 => Verdict::Failed,
        _ => Verdict::GiveUp,
    }
}

/// Whether anything moved.
#[must_use]
pub fn did_something(summary: &Summary) -> bool {
    let s = summary;
    [s.downloaded, s.uploaded, s.flags_local, s.flags_remote].iter().any(|n| *n > 0)
        || [s.deleted_local, s.deleted_remote, s.moved_local, s.moved_remote].iter().any(|n| *n > 0)
}

type Key = (Option<String>, String);

#[derive(Debug, Default)]
struct Known {
    before: HashSet<Key>,
    now: HashSet<Key>,
}

/// Hands on what is told, without failures that the round before told already, and without the interruption by which the
/// program is ended.
pub struct Steady<'a> {
    inner: &'a dyn Sink,
    known: Mutex<Known>,
}

impl<'a> Steady<'a> {
    /// Before `inner`.
    #[must_use]
    pub fn new(inner: &'a dyn Sink) -> Self {
        Self { inner, known: Mutex::default() }
    }

    /// A round begins.
    pub fn begin(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).now.clear();
    }

    /// It has ended: what it did not tell again is over.
    pub fn end(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.before = std::mem::take(&mut known.now);
    }

    fn is_news(&self, event: &Event) -> bool {
        let Body::Error { kind, message, .. } = &event.body else { return true };
        if *kind == Kind::Interrupted.as_str() {
            return false;
        }
        let key = (event.folder.clone(), message.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let told = known.before.contains(&key);
        known.now.insert(key) && !told
    }
}

impl Sink for Steady<'_> {
    fn event(&self, event: Event) {
        if self.is_news(&event) {
            self.inner.event(event);
        }
    }

    fn progress(&self, account: &str, what: &str, done: u64, total: u64) {
        self.inner.progress(account, what, done, total);
    }

    fn progress_bytes(&self, account: &str, what: &str, done: u64, total: u64) {
        self.inner.progress_bytes(account, what, done, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::event::Figures;

    #[derive(Default)]
    struct Ear(Mutex<Vec<String>>);

    impl Sink for Ear {
        fn event(&self, event: Event) {
            if let Body::Error { message, .. } = event.body {
                self.0.lock().unwrap().push(message);
            }
        }
        fn progress(&self, _: &str, _: &str, _: u64, _: u64) {}
    }

    #[test]
    fn a_failure_that_lasts_is_told_once_and_again_when_it_is_back() {
        let ear = Ear::default();
        let steady = Steady::new(&ear);
        let round = |messages: &[(&'static str, &str)]| {
            steady.begin();
            for (kind, message) in messages {
                let body = Body::Error { kind, message: (*message).to_owned(), hint: None };
                steady.event(Event { body, account: None, folder: None });
            }
            steady.end();
            std::mem::take(&mut *ear.0.lock().unwrap())
        };
        let lost = ("try_later", "no route");
        assert_eq!(round(&[lost, lost]), ["no route"]);
        assert_eq!(round(&[lost]), [""; 0]);
        assert_eq!(round(&[lost, ("disk", "full")]), ["full"]);
        assert_eq!(round(&[]), [""; 0]);
        assert_eq!(round(&[lost, ("interrupted", "interrupted")]), ["no route"]);
    }

    #[test]
    fn what_becomes_of_failures() {
        assert_eq!(verdict(&[]), Verdict::Clean);
        assert_eq!(verdict(&[Kind::Interrupted]), Verdict::Clean);
        assert_eq!(verdict(&[Kind::Protocol, Kind::Guard]), Verdict::Partial);
        assert_eq!(verdict(&[Kind::Guard, Kind::TryLater]), Verdict::Failed);
        assert_eq!(verdict(&[Kind::Disk]), Verdict::Failed);
        assert_eq!(verdict(&[Kind::TryLater, Kind::Auth]), Verdict::GiveUp);
        assert_eq!(verdict(&[Kind::Config]), Verdict::GiveUp);
        assert!(!did_something(&Summary {
            folders: 3,
            figures: Figures { skipped: 1, ..Figures::default() },
            ..Summary::default()
        }));
        assert!(did_something(&Summary {
            figures: Figures { moved_remote: 1, ..Figures::default() },
            ..Summary::default()
        }));
    }
}
