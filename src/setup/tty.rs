//! The real terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use rustix::event::{PollFd, PollFlags, poll};
use secrecy::SecretString;

use super::ask::Terminal;
use crate::auth::prompt;
use crate::mail::text::clean;
use crate::stop::Stop;
use crate::ui::style::wrap;

/// The controlling terminal, read and written directly, so that standard output stays free. A stop ends a question.
pub struct Tty<'a> {
    input: BufReader<File>,
    output: File,
    stop: &'a Stop,
}

impl<'a> Tty<'a> {
    /// The terminal, if somebody sits at it: standard input must be one, too, so that a script is never asked.
    #[must_use]
    pub fn open(stop: &'a Stop) -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let output = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let input = BufReader::new(output.try_clone().ok()?);
        Some(Self { input, output, stop })
    }

    /// Waits until a line is there: a terminal hands over whole lines.
    fn wait(&mut self) -> io::Result<()> {
        if !self.input.buffer().is_empty() {
            return Ok(());
        }
        let terminal = self.input.get_ref();
        let mut fds = [PollFd::new(terminal, PollFlags::IN), PollFd::from_borrowed_fd(self.stop.fd(), PollFlags::IN)];
        while let Err(error) = poll(&mut fds, None) {
            if error != rustix::io::Errno::INTR {
                return Err(error.into());
            }
        }
        if self.stop.requested() {
            self.output.write_all(b"\n")?;
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

impl Terminal for Tty<'_> {
    fn say(&mut self, text: &str) -> io::Result<()> {
        let columns = rustix::termios::tcgetwinsize(&self.output).ok().map(|size| usize::from(size.ws_col));
        let columns = columns.filter(|columns| *columns > 0);
        let lines = text.lines().map(|line| {
            let shown = line.trim_start_matches(' ');
            let blanks = line.len() - shown.len();
            let text = wrap(&clean(shown), columns.map(|columns| columns.saturating_sub(blanks)), blanks + 2);
            format!("{}{text}\n", " ".repeat(blanks))
        });
        self.output.write_all(lines.collect::<String>().as_bytes())
    }

    fn line(&mut self, prompt: &str) -> io::Result<Option<String>> {
        self.output.write_all(prompt.as_bytes())?;
        self.output.flush()?;
        self.wait()?;
        let mut line = String::new();
        Ok((self.input.read_line(&mut line)? > 0).then_some(line))
    }

    fn secret(&mut self, prompt: &str) -> io::Result<SecretString> {
        match prompt::ask(prompt.to_owned(), self.stop)? {
            None => Err(io::ErrorKind::Interrupted.into()),
            Some(secret) => {
                let text = secret.expose_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
                Ok(SecretString::from(text))
            }
        }
    }
}
