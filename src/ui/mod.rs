//! The only writer to stdout and stderr.
//!
//! Data goes to stdout (`status`, `check`, `folders`, `verify`, the plan of `-n`; with `--json` everything), what is
//! told about the work goes to stderr. Text that came from outside is cleaned here once more, whoever cleaned it before.

pub mod event;
pub mod fault;
pub mod json;
pub mod progress;
pub mod style;
pub mod table;
pub mod text;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use crate::mail::text::clean_to;
use crate::severity::Kind;
use event::{Body, Event, Sink};
use progress::{Bars, Unit};
pub use style::Color;
use style::{Paint, paint};
use table::{Column, Record, Value};
use text::{Look, Told};

/// What the options and the surroundings say about output.
#[derive(Clone, Copy, Debug, Default)]
pub struct UiOptions {
    /// `-q`: only errors (and data, which is what was asked for).
    pub quiet: bool,
    /// How often `-v` was given.
    pub verbose: u8,
    /// `--json`.
    pub json: bool,
    /// `--color`.
    pub color: Color,
    /// False with `--no-progress`.
    pub progress: bool,
    /// Whether stdout is a terminal.
    pub stdout_is_tty: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_tty: bool,
    /// Whether `NO_COLOR` is set and not empty, or `TERM` is `dumb`.
    pub no_color_env: bool,
    /// The terminal's columns, if there is one.
    pub term_width: Option<usize>,
}

impl UiOptions {
    /// These options with what the process's own stdout and stderr are.
    #[must_use]
    pub fn detect(mut self) -> Self {
        self.stdout_is_tty = io::stdout().is_terminal();
        self.stderr_is_tty = io::stderr().is_terminal();
        let columns = |size: rustix::termios::Winsize| Some(usize::from(size.ws_col)).filter(|c| *c > 0);
        self.term_width = rustix::termios::tcgetwinsize(io::stderr())
            .or_else(|_| rustix::termios::tcgetwinsize(io::stdout()))
            .ok()
            .and_then(columns);
        self
    }
}

/// One test of `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is well.
    Ok,
    /// It works, but something should be known.
    Warning,
    /// It does not work.
    Failed,
    /// Something before it failed.
    Skipped,
}

impl Verdict {
    /// The word in JSON and text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Where the text of a test of `check` begins.
const MARGIN: usize = 25;

/// The two streams, and what became of stdout.
struct Streams {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_error: Option<io::Error>,
}

/// Output in all its forms. Shared by all threads.
pub struct Ui {
    options: UiOptions,
    streams: Mutex<Streams>,
    bars: Bars,
    /// Actions planned so far in a dry run, by account.
    planned: Mutex<HashMap<String, text::Actions>>,
}

impl Ui {
    /// On the process's own stdout and stderr.
    #[must_use]
    pub fn new(options: UiOptions) -> Self {
        Self::with_writers(options, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// On other streams. Progress bars are drawn on the process's stderr, and only if it is a terminal.
    #[must_use]
    pub fn with_writers(options: UiOptions, out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        let shown = options.progress && options.stderr_is_tty && !options.json && !options.quiet;
        let target = shown.then(indicatif::ProgressDrawTarget::stderr);
        let colored = options.color.applies(options.stderr_is_tty, options.no_color_env);
        Self {
            options,
            streams: Mutex::new(Streams { out, err, out_error: None }),
            bars: Bars::new(target, options.term_width.unwrap_or(80), colored),
            planned: Mutex::default(),
        }
    }

    /// A table of records on stdout: aligned columns, or with `--json` one object a line.
    pub fn table(&self, columns: &[Column], records: &[Record]) {
        if self.options.json {
            records.iter().for_each(|r| self.json_line(&json::record(r, jiff::Timestamp::now())));
        } else {
            let look = self.out_look();
            self.out(&table::render(columns, records, look.columns, look.colored));
        }
    }

    /// One record on stdout: `line` in text, the record itself with `--json`.
    pub fn record(&self, record: &Record, line: &str) {
        if self.options.json {
            self.json_line(&json::record(record, jiff::Timestamp::now()));
        } else {
            self.out(&format!("{}\n", clean_to(line, 2000)));
        }
    }

    /// A line of text above or below records that say it all: not with `--json`.
    pub fn heading(&self, line: &str) {
        if !self.options.json {
            self.out(&format!("{}\n", paint(&clean_to(line, 2000), Paint::Heading, self.out_look().colored)));
        }
    }

    /// One test of `check` on stdout: `name` is the test's fixed name (`connect`, `login`, …), `message` what was found,
    /// `hint` what to do.
    pub fn check(&self, account: &str, name: &'static str, verdict: Verdict, message: &str, hint: Option<&str>) {
        let record = Record::new("check")
            .account(account)
            .with("check", Value::Text(name.to_owned()))
            .with("result", Value::Text(verdict.as_str().to_owned()))
            .with("message", Value::Text(message.to_owned()))
            .with("hint", Value::text(hint));
        if self.options.json {
            return self.json_line(&json::record(&record, jiff::Timestamp::now()));
        }
        let look = self.out_look();
        let color = match verdict {
            Verdict::Ok => Paint::Good,
            Verdict::Warning => Paint::Warning,
            Verdict::Failed => Paint::Error,
            Verdict::Skipped => Paint::Faint,
        };
        let word = paint(&style::fit(verdict.as_str(), 7, false), color, look.colored);
        let columns = look.columns.map(|columns| columns.saturating_sub(MARGIN));
        let margin = " ".repeat(MARGIN);
        let beside = |text: &str| style::wrap(&clean_to(text, 2000), columns, 0).replace('\n', &format!("\n{margin}"));
        let mut text = format!("  {word}  {}  {}\n", style::fit(name, 12, false), beside(message));
        for line in hint.iter().flat_map(|h| h.lines()) {
            text += &format!("{margin}{}\n", beside(line));
        }
        self.out(&text);
    }

    /// Bytes to stdout as they are: man pages, completions, imported profiles. What others wrote must have been cleaned.
    pub fn data(&self, bytes: &[u8]) {
        self.write_out(bytes);
    }

    /// Something said to a person on stderr, such as what `setup` finds or what `watch` waits for: not with `-q` or `--json`.
    pub fn note(&self, message: &str) {
        if !self.options.quiet && !self.options.json {
            let lines =
                message.lines().map(|l| format!("{}\n", style::wrap(&clean_line(l), self.err_look().columns, 2)));
            self.err(&lines.collect::<String>());
        }
    }

    /// Something said to a person with `-v`.
    pub fn detail(&self, message: &str) {
        if self.options.verbose > 0 {
            self.note(message);
        }
    }

    /// Whether `-vv` asks for the protocol trace.
    #[must_use]
    pub fn traces(&self) -> bool {
        self.options.verbose > 1
    }

    /// A line of the protocol trace on stderr, if it is asked for; the caller has redacted every secret.
    pub fn trace(&self, line: &str) {
        if self.traces() {
            let now = jiff::Timestamp::now().strftime("%H:%M:%S%.3f");
            let colored = self.err_look().colored;
            self.err(&format!("{}\n", paint(&format!("{now} {}", clean_to(line, 1000)), Paint::Faint, colored)));
        }
    }

    /// An error that no event tells: of usage, of the configuration, of a whole account. `message` says what failed and
    /// why, `hint` what to do; complaints about the configuration begin with `FILE:LINE:`.
    pub fn error(&self, kind: Kind, account: Option<&str>, message: &str, hint: Option<&str>) {
        let body = Body::Error { kind: kind.as_str(), message: message.to_owned(), hint: hint.map(str::to_owned) };
        self.event(Event { body, account: account.map(str::to_owned), folder: None });
    }

    /// Wrong usage: what the parser of the command line says, its lines as they are; with `--json` an error.
    pub fn usage(&self, text: &str) {
        if self.options.json {
            return self.error(Kind::Usage, None, text.trim().trim_start_matches("error: "), None);
        }
        self.err(&text.lines().map(|line| format!("{}\n", clean_line(line))).collect::<String>());
    }

    /// Whether nobody reads stdout any more (`mailferry folders work | head`): nothing more is written there, and a
    /// command that only prints may end.
    #[must_use]
    pub fn stdout_gone(&self) -> bool {
        self.lock().out_error.is_some()
    }

    /// Ends the bars and flushes; to be called before the program ends.
    ///
    /// # Errors
    /// What made stdout unusable, a full disk for instance; a reader that went away is no error.
    pub fn finish(&self) -> io::Result<()> {
        self.bars.end_all();
        let mut streams = self.lock();
        // Nothing can be told where stderr does not work.
        let _ = streams.err.flush();
        let flushed = if streams.out_error.is_none() { streams.out.flush() } else { Ok(()) };
        match streams.out_error.take().map_or(flushed, Err) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn json_line(&self, line: &str) {
        self.out(&format!("{line}\n"));
    }

    fn out(&self, text: &str) {
        self.write_out(text.as_bytes());
    }

    fn write_out(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.bars.above(|| {
            let mut streams = self.lock();
            if streams.out_error.is_none()
                && let Err(e) = streams.out.write_all(bytes).and_then(|()| streams.out.flush())
            {
                streams.out_error = Some(e);
            }
        });
    }

    fn err(&self, text: &str) {
        self.bars.above(|| {
            let mut streams = self.lock();
            // Nothing can be told where stderr does not work.
            let _ = streams.err.write_all(text.as_bytes()).and_then(|()| streams.err.flush());
        });
    }

    fn out_look(&self) -> Look {
        let tty = self.options.stdout_is_tty;
        Look {
            colored: self.options.color.applies(tty, self.options.no_color_env),
            columns: self.options.term_width.filter(|_| tty),
        }
    }

    fn err_look(&self) -> Look {
        let tty = self.options.stderr_is_tty;
        Look {
            colored: self.options.color.applies(tty, self.options.no_color_env),
            columns: self.options.term_width.filter(|_| tty),
        }
    }

    fn told(&self) -> Told {
        match (self.options.quiet, self.options.verbose, self.options.stderr_is_tty) {
            (true, _, _) => Told::Errors,
            (false, 1.., _) => Told::Folders,
            (false, 0, true) => Told::Summaries,
            (false, 0, false) => Told::Warnings,
        }
    }
}

/// A line for people that keeps its own indentation.
fn clean_line(line: &str) -> String {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let ends = line.len() - line.trim_end_matches(' ').len();
    let text = clean_to(line, 2000);
    if text.is_empty() { " ".repeat(blanks) } else { " ".repeat(blanks) + &text + &" ".repeat(ends) }
}

impl Sink for Ui {
    fn event(&self, event: Event) {
        if let (Some(account), Some(folder), Body::Folder(_)) = (&event.account, &event.folder, &event.body) {
            self.bars.end(account, folder);
        }
        let account = event.account.as_deref().unwrap_or_default();
        if let Body::Summary(_) = &event.body {
            self.bars.end_account(account);
        }
        if self.options.json {
            return self.json_line(&json::event(&event, jiff::Timestamp::now()));
        }
        if let Body::Difference(found) = &event.body {
            return self.out(&text::difference(&event, found));
        }
        let mut counts = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let mut planned = None;
        if let Body::Planned(action) = &event.body {
            *counts.entry(account.to_owned()).or_default().entry((action.action, action.side)).or_default() += 1;
            drop(counts);
            self.out(&text::planned(&event, action));
        } else {
            if let Body::Summary(_) = &event.body {
                planned = counts.remove(account);
            }
            drop(counts);
        }
        if let Some(text) = text::event(&event, self.told(), planned.as_ref(), self.err_look()) {
            self.err(&text);
        }
    }

    fn progress(&self, account: &str, what: &str, done: u64, total: u64) {
        self.bars.step(account, what, done, total, Unit::Messages);
    }

    fn progress_bytes(&self, account: &str, what: &str, done: u64, total: u64) {
        self.bars.step(account, what, done, total, Unit::Bytes);
    }
}

#[cfg(test)]
mod tests;
