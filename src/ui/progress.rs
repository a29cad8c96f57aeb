//! Progress bars on a terminal: one for each account and folder at work, with rate and time left.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::style::{fit, size};
use crate::mail::text::clean;

/// More bars than this would push everything else off the screen.
const MOST_BARS: usize = 10;

/// A rate over less time than this says nothing.
const TELLING: Duration = Duration::from_millis(500);

/// What `done` and `total` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Messages, or whatever else the work is made of.
    Messages,
    /// Bytes of bodies.
    Bytes,
}

/// The bars of a run; without a terminal they are never drawn and cost nothing.
pub struct Bars {
    multi: MultiProgress,
    shown: bool,
    colored: bool,
    columns: usize,
    bars: Mutex<HashMap<String, HashMap<String, Bar>>>,
}

/// A bar, and where the work stood when it appeared: the rate is that of what came since.
struct Bar {
    bar: ProgressBar,
    start: u64,
}

impl Bars {
    /// Bars on `target`, a terminal of so many columns; `None`: no bars.
    #[must_use]
    pub fn new(target: Option<ProgressDrawTarget>, columns: usize, colored: bool) -> Self {
        let shown = target.is_some();
        let multi = MultiProgress::with_draw_target(target.unwrap_or_else(ProgressDrawTarget::hidden));
        Self { multi, shown, colored, columns, bars: Mutex::default() }
    }

    /// Moves the bar of `account` and `what`, which appears with its first step and goes when `done` reaches `total`.
    pub fn step(&self, account: &str, what: &str, done: u64, total: u64, unit: Unit) {
        if !self.shown {
            return;
        }
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if total > 0 && done >= total {
            remove(&mut bars, account, what);
            return;
        }
        if let Some(Bar { bar, start }) = bars.get(account).and_then(|b| b.get(what)) {
            if bar.length() != known(total) {
                bar.set_style(style(total > 0, (*start, unit), self.colored));
                match known(total) {
                    Some(length) => bar.set_length(length),
                    None => bar.unset_length(),
                }
            }
            bar.set_position(done);
            return;
        }
        if bars.values().map(HashMap::len).sum::<usize>() >= MOST_BARS {
            return;
        }
        let bar = self.multi.add(ProgressBar::with_draw_target(known(total), ProgressDrawTarget::hidden()));
        bar.set_style(style(total > 0, (done, unit), self.colored));
        bar.set_prefix(prefix(account, what, self.columns));
        bar.set_position(done);
        bars.entry(account.to_owned()).or_default().insert(what.to_owned(), Bar { bar, start: done });
    }

    /// Takes one bar away, if it is there.
    pub fn end(&self, account: &str, what: &str) {
        if self.shown {
            remove(&mut self.bars.lock().unwrap_or_else(PoisonError::into_inner), account, what);
        }
    }

    /// Takes all bars of an account away.
    pub fn end_account(&self, account: &str) {
        if self.shown {
            let gone = self.bars.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
            gone.iter().flat_map(HashMap::values).for_each(|one| one.bar.finish_and_clear());
        }
    }

    /// Takes all bars away, as the program's last act or before a prompt.
    pub fn end_all(&self) {
        let gone = std::mem::take(&mut *self.bars.lock().unwrap_or_else(PoisonError::into_inner));
        gone.values().flat_map(HashMap::values).for_each(|one| one.bar.finish_and_clear());
    }

    /// Does `print` while no bar stands on the screen, so that what it prints appears above them.
    pub fn above<R>(&self, print: impl FnOnce() -> R) -> R {
        if self.shown { self.multi.suspend(print) } else { print() }
    }
}

fn remove(bars: &mut HashMap<String, HashMap<String, Bar>>, account: &str, what: &str) {
    if let Some(one) = bars.get_mut(account).and_then(|b| b.remove(what)) {
        one.bar.finish_and_clear();
    }
}

fn known(total: u64) -> Option<u64> {
    (total > 0).then_some(total)
}

/// What a bar is for, always equally wide: about a third of the line.
fn prefix(account: &str, what: &str, columns: usize) -> String {
    let text = if what.is_empty() { clean(account) } else { format!("{} {}", clean(account), clean(what)) };
    fit(&text, (columns / 3).clamp(12, 40), false)
}

fn style(bounded: bool, (start, unit): (u64, Unit), colored: bool) -> ProgressStyle {
    let template = match (bounded, colored) {
        (true, true) => "{prefix} {wide_bar:.cyan} {figures} {rate} {left}",
        (true, false) => "{prefix} {wide_bar} {figures} {rate} {left}",
        (false, _) => "{prefix} {spinner} {figures} {rate}",
    };
    // The templates are constants and a test draws each of them.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key("figures", move |state: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&figures(state.pos(), state.len(), unit));
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
            let _ = out.write_str(&rate(speed(state.pos().saturating_sub(start), state.elapsed()), unit));
        })
        .with_key("left", move |state: &ProgressState, out: &mut dyn Write| {
            let speed = speed(state.pos().saturating_sub(start), state.elapsed());
            let rest = state.len().unwrap_or_default().saturating_sub(state.pos());
            let _ = out.write_str(&speed.map_or_else(|| left(Duration::ZERO), |speed| left(time_for(rest, speed))));
        })
}

fn figures(done: u64, total: Option<u64>, unit: Unit) -> String {
    let one = |n: u64| match unit {
        Unit::Messages => n.to_string(),
        Unit::Bytes => size(n),
    };
    let text = total.map_or_else(|| one(done), |total| format!("{}/{}", one(done), one(total)));
    fit(&text, text.len().max(17), true)
}

/// So much a second on the average; `None` as long as too little time has passed to tell.
fn speed(count: u64, time: Duration) -> Option<u64> {
    let count = u128::from(count).saturating_mul(1000);
    (time >= TELLING).then(|| u64::try_from(count / time.as_millis().max(1)).unwrap_or(u64::MAX))
}

/// How long `rest` takes; [`Duration::MAX`] at a standstill.
fn time_for(rest: u64, speed: u64) -> Duration {
    rest.checked_div(speed).map_or(Duration::MAX, Duration::from_secs)
}

fn rate(speed: Option<u64>, unit: Unit) -> String {
    let text = match (speed, unit) {
        (None, Unit::Messages | Unit::Bytes) => String::new(),
        (Some(speed), Unit::Messages) => format!("{speed}/s"),
        (Some(speed), Unit::Bytes) => format!("{}/s", size(speed)),
    };
    fit(&text, text.len().max(10), true)
}

fn left(time: Duration) -> String {
    let seconds = time.as_secs();
    let text = match seconds {
        0 => String::new(),
        1..3600 => format!("{}:{:02} left", seconds / 60, seconds % 60),
        3600..360_000 => format!("{}:{:02} h left", seconds / 3600, seconds / 60 % 60),
        _ => String::new(),
    };
    fit(&text, 11, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::io;
    use std::sync::Arc;

    /// A terminal that keeps what was drawn, and of each screenful only the last.
    #[derive(Clone, Debug)]
    struct Paper(Arc<Mutex<Vec<String>>>, u16);

    impl Paper {
        fn put(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("paper").push(text.to_owned());
            Ok(())
        }

        fn all(&self) -> String {
            self.0.lock().expect("paper").concat()
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            self.1
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.put(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.put("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn bars(columns: u16) -> (Bars, Paper) {
        let paper = Paper(Arc::default(), columns);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(paper.clone()), 255);
        (Bars::new(Some(target), columns.into(), false), paper)
    }

    fn drawn(columns: u16, done: u64, total: u64, unit: Unit) -> String {
        let (bars, paper) = bars(columns);
        bars.step("work", "Lists/rust\u{1b}[2J", done, total, unit);
        bars.above(|| ());
        paper.all()
    }

    #[test]
    fn a_bar_fits_the_line() {
        for columns in [80u16, 120] {
            let text = drawn(columns, 5_000, 20_000, Unit::Messages);
            assert!(
                text.contains("work Lists/rust\u{fffd}[2J") && text.contains("━") && text.contains("5000/20000"),
                "{text}"
            );
            let widest = text.split(['\n', '>', '<']).map(super::super::style::width).max();
            assert_eq!(widest, Some(columns.into()), "{text}");
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
        assert!(drawn(80, 1_048_576, 3_145_728, Unit::Bytes).contains("1.0 MiB/3.0 MiB"));
        let unknown = drawn(80, 17, 0, Unit::Messages);
        assert!(unknown.contains("17") && !unknown.contains('━'), "{unknown}");
    }

    #[test]
    fn bars_come_and_go() {
        let (bars, _) = bars(80);
        let count = || bars.bars.lock().expect("bars").values().map(HashMap::len).sum::<usize>();
        for i in 0..30 {
            bars.step("work", &format!("folder {i}"), 1, 10, Unit::Messages);
        }
        assert_eq!(count(), MOST_BARS);
        bars.step("work", "folder 3", 10, 10, Unit::Messages);
        bars.end("work", "folder 4");
        assert_eq!(count(), MOST_BARS - 2);
        bars.step("home", "", 1, 10, Unit::Messages);
        bars.end_account("work");
        assert_eq!(count(), 1);
        bars.end_all();
        assert_eq!(count(), 0);
    }

    #[test]
    fn without_a_terminal_there_is_nothing() {
        let bars = Bars::new(None, 80, false);
        bars.step("work", "INBOX", 1, 10, Unit::Messages);
        assert!(bars.bars.lock().expect("bars").is_empty());
        assert_eq!(bars.above(|| 7), 7);
    }

    #[test]
    fn a_rate_is_that_of_the_bars_own_time() {
        assert_eq!(speed(5_000, Duration::from_secs(10)), Some(500));
        assert_eq!(speed(u64::MAX, Duration::from_millis(1)), None);
        assert_eq!(speed(u64::MAX, Duration::from_millis(500)), Some(u64::MAX));
        assert_eq!(time_for(1_000, 10), Duration::from_secs(100));
        assert_eq!(time_for(1_000, 0), Duration::MAX);
    }

    #[test]
    fn figures_have_their_places() {
        assert_eq!(figures(1, Some(20), Unit::Messages), "             1/20");
        assert_eq!(rate(Some(511), Unit::Messages), "     511/s");
        assert_eq!(rate(Some(0), Unit::Bytes), "     0 B/s");
        assert_eq!(rate(None, Unit::Bytes), "          ");
        assert_eq!(left(Duration::from_secs(97)), "  1:37 left");
        assert_eq!(left(Duration::from_secs(7_260)), "2:01 h left");
        assert_eq!(left(Duration::MAX), "           ");
    }
}
