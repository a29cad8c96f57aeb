//! Runs a command for a secret: the first line that it prints.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::Secret;
use crate::account::CommandLine;
use crate::mail::text::clean_bytes;
use crate::stop::Stop;

/// The longest first line; tokens of a few KiB are common.
const LONGEST: usize = 64 * 1024;
/// How much of stderr is kept.
const COMPLAINT: usize = 4096;
/// How long a command that has printed its line may take to say that it failed after all.
const GRACE: Duration = Duration::from_millis(300);

/// Why a command gave no secret. Texts are cleaned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("cannot be started: {0}")]
    Start(std::io::Error),
    /// It ended with a failure.
    #[error("failed ({status}){}{complaint}", if .complaint.is_empty() { "" } else { ": " })]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to stderr.
        complaint: String,
    },
    /// It printed nothing.
    #[error("printed nothing{}{complaint}", if .complaint.is_empty() { "" } else { ": " })]
    Silent {
        /// What it wrote to stderr.
        complaint: String,
    },
    /// Its first line is longer than 64 KiB.
    #[error("printed a first line of more than 64 KiB")]
    TooLong,
    /// It did not print a line in time.
    #[error("printed no line within {} s", .0.as_secs_f32().ceil())]
    Timeout(Duration),
    /// A stop was asked for.
    #[error("was interrupted")]
    Stopped,
    /// The system failed.
    #[error("could not be waited for: {0}")]
    Io(std::io::Error),
}

/// The process that `line` stands for, not started yet: in a process group of its own, without secrets in its
/// environment.
#[must_use]
pub fn prepare(line: &CommandLine) -> Command {
    let mut command = match line {
        CommandLine::Shell(text) => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(text);
            shell
        }
        CommandLine::Argv(argv) => {
            let mut words = argv.iter();
            let mut command = Command::new(words.next().map_or("", String::as_str));
            command.args(words);
            command
        }
    };
    super::child_environment(&mut command);
    command.process_group(0);
    command
}

/// Kills everything in the process group that `child` leads.
pub fn kill_group(child: &Child) {
    // Fails only when the group has ended already.
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Runs `line` and gives its first line without the line end. Ends as soon as the line is there: agents that the
/// command started keep its output open for ever. A failure counts also if it comes right behind the line, for some
/// programs print their complaints to stdout.
///
/// # Errors
/// When it cannot be started, fails, prints nothing or too much, takes longer than `timeout`, or a stop is asked for;
/// then its process group is killed.
pub fn first_line(line: &CommandLine, timeout: Duration, stop: &Stop) -> Result<Secret, Error> {
    let mut child = prepare(line)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::Start)?;
    let mut reading = Reading::new(&mut child);
    let outcome = reading.until_line(timeout, stop);
    if outcome.is_err() {
        kill_group(&child);
    }
    let ended = reap(child);
    outcome?;
    let status = match reading.line_end {
        Some(_) => ended.recv_timeout(GRACE).ok(),
        None => ended.recv_timeout(timeout).ok(),
    };
    reading.complaints();
    let complaint = clean_bytes(&reading.complaint);
    match status {
        Some(status) if !status.success() => return Err(Error::Failed { status, complaint }),
        _ if reading.line().is_empty() => return Err(Error::Silent { complaint }),
        _ => {}
    }
    Ok(Secret::new(reading.line().to_vec()))
}

/// Waits for the child in the background, so that it leaves no zombie behind.
fn reap(mut child: Child) -> mpsc::Receiver<ExitStatus> {
    let (tell, ended) = mpsc::channel();
    thread::spawn(move || {
        if let Ok(status) = child.wait() {
            // Nobody listens once the line was enough.
            let _ = tell.send(status);
        }
    });
    ended
}

struct Reading {
    stdout: Option<std::process::ChildStdout>,
    stderr: Option<std::process::ChildStderr>,
    output: Zeroizing<Vec<u8>>,
    line_end: Option<usize>,
    complaint: Vec<u8>,
}

impl Reading {
    fn new(child: &mut Child) -> Self {
        // Full size at once: a growing buffer would leave copies of the secret behind.
        let output = Zeroizing::new(Vec::with_capacity(LONGEST + 4096));
        Self { stdout: child.stdout.take(), stderr: child.stderr.take(), output, line_end: None, complaint: Vec::new() }
    }

    fn line(&self) -> &[u8] {
        self.output.get(..self.line_end.unwrap_or(self.output.len())).unwrap_or_default()
    }

    fn until_line(&mut self, timeout: Duration, stop: &Stop) -> Result<(), Error> {
        let begun = Instant::now();
        while self.line_end.is_none() && self.stdout.is_some() {
            let left = timeout.saturating_sub(begun.elapsed());
            if stop.requested() {
                return Err(Error::Stopped);
            }
            if left.is_zero() {
                return Err(Error::Timeout(timeout));
            }
            let (out, err) = self.ready(left, stop)?;
            if out {
                self.output()?;
            }
            if err {
                self.complain();
            }
        }
        Ok(())
    }

    /// Waits for output, complaints, or the stop.
    fn ready(&self, left: Duration, stop: &Stop) -> Result<(bool, bool), Error> {
        let watched = [self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd), Some(stop.fd())];
        let mut fds: Vec<_> =
            watched.iter().flatten().map(|fd: &BorrowedFd<'_>| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::Io(errno.into())),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let out = self.stdout.is_some() && ready.next().unwrap_or(false);
        let err = self.stderr.is_some() && ready.next().unwrap_or(false);
        Ok((out, err))
    }

    fn output(&mut self) -> Result<(), Error> {
        let mut chunk = Zeroizing::new([0; 4096]);
        let got = match &mut self.stdout {
            Some(stdout) => stdout.read(chunk.as_mut_slice()).map_err(Error::Io)?,
            None => 0,
        };
        if got == 0 {
            self.stdout = None;
        }
        self.output.extend_from_slice(chunk.get(..got).unwrap_or_default());
        self.line_end = memchr::memchr(b'\n', &self.output);
        if self.line().len() > LONGEST { Err(Error::TooLong) } else { Ok(()) }
    }

    fn complain(&mut self) {
        let mut chunk = [0; 1024];
        let got = self.stderr.as_mut().map_or(0, |stderr| stderr.read(&mut chunk).unwrap_or(0));
        if got == 0 {
            self.stderr = None;
        }
        if self.complaint.len() < COMPLAINT {
            self.complaint.extend_from_slice(chunk.get(..got).unwrap_or_default());
        }
    }

    /// Takes what is left on stderr without waiting.
    fn complaints(&mut self) {
        while let Some(stderr) = &self.stderr {
            let mut fds = [PollFd::new(stderr, PollFlags::IN)];
            match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
                Ok(1..) if self.complaint.len() < COMPLAINT => self.complain(),
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(text: &str) -> Result<Secret, Error> {
        first_line(&CommandLine::Shell(text.to_owned()), LONG, &Stop::new().unwrap())
    }

    #[test]
    fn the_first_line_is_the_secret() {
        assert_eq!(shell("printf 'se cret\\nmore\\n'").unwrap().expose(), b"se cret");
        assert_eq!(shell("printf 'no end'").unwrap().expose(), b"no end");
        let argv = CommandLine::Argv(vec!["/bin/echo".to_owned(), "$HOME;x".to_owned()]);
        assert_eq!(first_line(&argv, LONG, &Stop::new().unwrap()).unwrap().expose(), b"$HOME;x");
        // stdin is empty, so nothing waits for it.
        assert_eq!(shell("cat; echo end").unwrap().expose(), b"end");
    }

    #[test]
    fn an_agent_that_keeps_the_output_open_is_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(shell("sleep 1000 & echo secret; wait").unwrap().expose(), b"secret");
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn failures_say_why_and_are_cleaned() {
        let error = shell("echo wrong; printf 'no \\033key' >&2; exit 3").unwrap_err().to_string();
        assert!(error.contains("no \u{fffd}key") && error.contains('3') && !error.contains("wrong"), "{error}");
        assert!(matches!(shell("true"), Err(Error::Silent { .. })));
        assert!(matches!(shell("echo"), Err(Error::Silent { .. })));
        assert!(matches!(shell("head -c 100000 /dev/zero"), Err(Error::TooLong)));
        let missing = CommandLine::Argv(vec!["/does/not/exist".to_owned()]);
        assert!(matches!(first_line(&missing, LONG, &Stop::new().unwrap()), Err(Error::Start(_))));
        assert!(matches!(
            first_line(&CommandLine::Argv(Vec::new()), LONG, &Stop::new().unwrap()),
            Err(Error::Start(_))
        ));
    }

    #[test]
    fn a_command_that_hangs_is_given_up() {
        let hanging = CommandLine::Shell("exec sleep 1000".to_owned());
        let outcome = first_line(&hanging, Duration::from_millis(50), &Stop::new().unwrap());
        assert!(matches!(outcome, Err(Error::Timeout(_))));
    }

    #[test]
    fn a_stop_ends_it_with_all_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("alive");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let line = CommandLine::Shell(format!("(exec sleep 1000 > '{}') & exec sleep 1000", fifo.display()));
        let stop = Stop::new().unwrap();
        let watcher = thread::spawn({
            let stop = stop.clone();
            move || {
                // Opens when the grandchild has opened it for writing, and ends when that is dead.
                let mut alive = std::fs::File::open(fifo).unwrap();
                stop.request();
                alive.read_to_end(&mut Vec::new()).unwrap();
            }
        });
        assert!(matches!(first_line(&line, LONG, &stop), Err(Error::Stopped)));
        watcher.join().unwrap();
    }
}
