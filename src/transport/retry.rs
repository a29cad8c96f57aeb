//! PURE: how long to pause before a failed connection is tried again.

use std::time::Duration;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// The pause after failed attempt number `attempt` (the first is 1): ½, 1, 2 × `timeout`, at most 30 s each (SPEC §2,
/// `timeout`). `None` once three retries were made, and for an attempt 0.
#[must_use]
pub fn pause(attempt: u32, timeout: Duration) -> Option<Duration> {
    let wanted = match attempt {
        1 => timeout / 2,
        2 => timeout,
        3 => timeout.saturating_mul(2),
        _ => return None,
    };
    Some(wanted.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_growing_pauses_and_no_more() {
        let seconds = |n| Some(Duration::from_secs(n));
        let of = |timeout| (0..6).map(|n| pause(n, Duration::from_secs(timeout))).collect::<Vec<_>>();
        assert_eq!(of(10), [None, seconds(5), seconds(10), seconds(20), None, None]);
        assert_eq!(of(60), [None, seconds(30), seconds(30), seconds(30), None, None]);
        assert_eq!(pause(3, Duration::MAX), seconds(30));
    }
}
