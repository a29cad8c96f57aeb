//! `watch` against a real server: how soon either side follows, what it survives, how quiet it is.

mod latency;
mod service;
mod survival;

use crate::support::ferry::{Outcome, Running};
use crate::support::message::differences;
use crate::support::rig::Rig;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A watching program; killed if its test fails.
struct Watching {
    running: Option<Running>,
}

impl Watching {
    fn start(rig: &Rig) -> Self {
        Self { running: Some(rig.ferry.start(&["watch", "--json"])) }
    }

    fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").pid()
    }

    fn is_running(&mut self) -> bool {
        self.running.as_mut().is_some_and(Running::is_running)
    }

    /// Ends it by SIGTERM, which must be quick and no failure.
    #[track_caller]
    fn end(self) -> Outcome {
        let begun = Instant::now();
        let outcome = self.end_by(Signal::TERM);
        outcome.assert_code(0);
        assert!(begun.elapsed() < Duration::from_secs(3), "the end took {:?}", begun.elapsed());
        outcome
    }

    fn end_by(mut self, signal: Signal) -> Outcome {
        let running = self.running.take().expect("it runs");
        running.signal(signal);
        running.finish(Duration::from_secs(120))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.signal(Signal::KILL);
        }
    }
}

/// Waits until `done`, and gives the time that took; fails after `limit`.
#[track_caller]
fn within(limit: Duration, what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

/// Whether both sides hold the same.
fn in_step(rig: &Rig) -> bool {
    differences(&rig.remote(), &rig.local().snapshot()).is_empty()
}

/// How many connections wait in IDLE now, and how many commands there were.
fn idling(rig: &Rig) -> usize {
    let waits = |client: String| {
        let last = client.lines().rev().find(|line| !line.is_empty()).unwrap_or_default().to_owned();
        last.ends_with(" IDLE")
    };
    rig.proxy.records().iter().filter(|record| waits(record.client())).count()
}

/// Waits until so many connections are in IDLE.
#[track_caller]
fn until_idling(rig: &Rig, count: usize) {
    within(Duration::from_secs(30), "IDLE", || idling(rig) >= count);
}
