//! A crash-test facility: named points in the work at which a test can make the program die as by SIGKILL.
//!
//! `MAILFERRY_CHECKPOINT="NAME:N"` aborts the process at the N-th hit of NAME (from 1), with nothing flushed, closed or
//! cleaned up. `MAILFERRY_CHECKPOINT_LOG=FILE` appends the name of every hit, a line each, so that a test learns which
//! points a run passes and how often. Both are read once, at the first hit. Without them a hit is one atomic load, and
//! nothing else ever depends on this module.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the environment asks for.
#[derive(Debug, Default)]
struct Plan {
    /// The name to die at, how often it is hit until then, and how often it was.
    abort: Option<(String, u64, AtomicU64)>,
    log: Option<File>,
}

impl Plan {
    /// From the two variables; what is not well-formed asks for nothing.
    fn new(abort: Option<&str>, log: Option<&OsStr>) -> Option<Self> {
        let abort = abort
            .and_then(|text| text.rsplit_once(':'))
            .and_then(|(name, hits)| Some((name.to_owned(), hits.parse().ok().filter(|n| *n > 0)?, AtomicU64::new(0))));
        let log = log.and_then(|path| OpenOptions::new().create(true).append(true).open(path).ok());
        (abort.is_some() || log.is_some()).then_some(Self { abort, log })
    }

    /// Logs a hit; whether it is the one to die at.
    fn hit(&self, name: &str) -> bool {
        if let Some(mut log) = self.log.as_ref() {
            // One write call a line, so that threads do not mix; a test that misses the line fails by itself.
            let _ = log.write_all(format!("{name}\n").as_bytes());
        }
        self.abort
            .as_ref()
            .is_some_and(|(wanted, at, count)| wanted == name && count.fetch_add(1, Ordering::SeqCst) + 1 == *at)
    }
}

/// A point that a crash test can name. Put one where a death would be worst: between two steps that must not be torn.
pub fn hit(name: &'static str) {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let abort = std::env::var("MAILFERRY_CHECKPOINT").ok();
        let log = std::env::var_os("MAILFERRY_CHECKPOINT_LOG");
        Plan::new(abort.as_deref(), log.as_deref())
    });
    if plan.as_ref().is_some_and(|plan| plan.hit(name)) {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_hit_counts() {
        let plan = Plan::new(Some("after:rename:2"), None).expect("a plan");
        assert_eq!(
            ["after:rename", "other", "after:rename", "after:rename"].map(|n| plan.hit(n)),
            [false, false, true, false]
        );
    }

    #[test]
    fn nothing_is_asked_for_by_accident() {
        for text in [None, Some(""), Some("name"), Some("name:"), Some("name:0"), Some("name:-1"), Some("name:x")] {
            assert!(Plan::new(text, None).is_none(), "{text:?}");
        }
    }

    #[test]
    fn hits_are_logged_in_order() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log");
        let plan = Plan::new(None, Some(path.as_os_str())).expect("a plan");
        assert!(!plan.hit("a") && !plan.hit("b") && !plan.hit("a"));
        assert_eq!(std::fs::read_to_string(path)?, "a\nb\na\n");
        Ok(())
    }

    /// Runs itself as a child that dies at its third hit.
    #[test]
    fn a_hit_can_kill() -> std::io::Result<()> {
        const NAME: &str = "checkpoint::tests::a_hit_can_kill";
        if std::env::var_os("MAILFERRY_CHECKPOINT").is_some() {
            (0..3).for_each(|_| hit("unit-test"));
            return Ok(());
        }
        let run = |value: &str| {
            std::process::Command::new(std::env::current_exe()?)
                .args(["--exact", NAME])
                .env("MAILFERRY_CHECKPOINT", value)
                .output()
        };
        assert!(run("unit-test:4")?.status.success());
        assert!(!run("unit-test:3")?.status.success());
        Ok(())
    }
}
