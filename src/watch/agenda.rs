//! When an account is synced next: news, polls, failures and clock jumps in, one next step out. PURE.

use std::time::Duration;

/// News settles this long before it is answered, so that a burst is one round.
pub const QUIET: Duration = Duration::from_millis(250);
/// News that keeps coming is answered this long after its first at the latest.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// The longest sleep: how late a suspension of the machine is noticed at most.
pub const NAP: Duration = Duration::from_secs(60);
/// How long the first round waits for the connection that listens.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// More than this between the steps of two clocks is a suspension, or a clock that was set.
const JUMP: Duration = Duration::from_secs(20);
/// The network comes back after the machine does.
const AFTER_JUMP: Duration = Duration::from_secs(2);
/// So many rounds may follow each other at once …
const BURST: u32 = 20;
/// … and then one in so long, whatever two programs that undo each other's changes may cause.
const SPACING: Duration = Duration::from_secs(3);

/// A point in time on two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since some start, on a clock that nobody sets and that stands still while the machine sleeps.
    pub steady: Duration,
    /// Since 1970, on the clock on the wall.
    pub wall: Duration,
}

/// What the account's watchers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Something changed, on either side.
    Changed,
    /// The connection that listens is up: what came before is unknown.
    Up,
    /// It failed, and the server cannot be reached.
    Lost,
    /// It failed, but the server answers; or the server cannot tell of news at all.
    Deaf,
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All done.
    Clean,
    /// Single things failed: the next regular round tries them again.
    Partial,
    /// Nothing could be done: to be tried again after a pause.
    Failed,
    /// It makes no sense to go on: the login is refused, or the configuration is wrong.
    GiveUp,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A round.
    Round,
    /// Nothing for so long, unless there is news.
    Sleep(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// Nobody listens, or nobody needs to: rounds go on without.
    None,
    /// The first connection is being made; the first round waits until then.
    Opening(Duration),
    Up,
    Lost,
}

/// One account's timetable. Times inside are on the steady clock.
#[derive(Clone, Debug)]
pub struct Agenda {
    poll: Duration,
    link: Link,
    /// First and last of the news that no round has answered: when it came, when it is answered.
    due: Option<(Duration, Duration)>,
    poll_at: Duration,
    not_before: Duration,
    failures: u32,
    /// When the rounds so far would have ended had each taken [`SPACING`].
    spent_until: Duration,
    last: Moment,
}

/// The pause after so many failures in a row: 2, 4, 8, … seconds, five minutes at most.
#[must_use]
pub fn pause(failures: u32) -> Duration {
    let seconds = 1u64.checked_shl(failures.min(16)).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(Duration::from_secs(300))
}

impl Agenda {
    /// A timetable whose first round is due now, or when the connection that `listens` is up.
    #[must_use]
    pub fn new(poll: Duration, listens: bool, now: Moment) -> Self {
        let link = if listens { Link::Opening(now.steady + INTRODUCTION) } else { Link::None };
        Self {
            poll,
            link,
            due: None,
            poll_at: now.steady,
            not_before: now.steady,
            failures: 0,
            spent_until: now.steady,
            last: now,
        }
    }

    /// Takes the time. `true`: the machine slept, or its clock was set; connections are to be made anew, and a round is due.
    pub fn tick(&mut self, now: Moment) -> bool {
        let steady = now.steady.saturating_sub(self.last.steady);
        let expected = self.last.wall.saturating_add(steady);
        self.last = now;
        let jumped = now.wall.abs_diff(expected) > JUMP;
        if jumped {
            self.failures = 0;
            self.not_before = now.steady + AFTER_JUMP;
            self.due = Some((now.steady, self.not_before));
        }
        jumped
    }

    /// Takes news.
    pub fn note(&mut self, news: News, now: Moment) {
        let now = now.steady;
        match news {
            News::Changed => {
                let first = self.due.map_or(now, |(first, _)| first);
                self.due = Some((first, (now + QUIET).min(first + PATIENCE)));
            }
            News::Up => {
                self.link = Link::Up;
                self.failures = 0;
                self.not_before = now;
                self.due = Some((now, now));
            }
            News::Lost => self.link = Link::Lost,
            News::Deaf => self.link = Link::None,
        }
    }

    /// What is to be done.
    #[must_use]
    pub fn next(&self, now: Moment) -> Next {
        let now = now.steady;
        let mut at = self.poll_at;
        match (self.link, self.due) {
            (Link::None | Link::Up, Some((_, due))) => at = at.min(due),
            // Without a server a round would only hold the Maildir; the connection that comes back asks for one.
            (Link::Lost, _) | (Link::None | Link::Up, None) => {}
            (Link::Opening(until), _) => at = until,
        }
        let burst = SPACING.saturating_mul(BURST.saturating_sub(1));
        let at = at.max(self.not_before).max(self.spent_until.saturating_sub(burst));
        if at <= now { Next::Round } else { Next::Sleep((at - now).min(NAP)) }
    }

    /// A round begins: it answers all news so far.
    pub fn began(&mut self, now: Moment) {
        let now = now.steady;
        self.due = None;
        self.poll_at = now.saturating_add(self.poll);
        self.spent_until = self.spent_until.max(now) + SPACING;
        if let Link::Opening(_) = self.link {
            self.link = Link::None;
        }
    }

    /// The round has ended.
    pub fn ended(&mut self, verdict: Verdict, now: Moment) {
        let now = now.steady;
        if verdict == Verdict::Clean {
            self.failures = 0;
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + pause(self.failures);
        if verdict == Verdict::Failed {
            self.due = Some((now, self.not_before));
        }
    }

    /// Whether there is news that no round has answered.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.due.is_some()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.failures == 0 && self.link != Link::Lost
    }
}

#[cfg(test)]
#[path = "agenda_tests.rs"]
mod tests;
