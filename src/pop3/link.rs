//! Lines and multi-line answers on a connection: the only file of this room that touches the stream.

use std::io;
use std::time::{Duration, Instant};

use super::command::Command;
use super::error::{Error, Refusal};
use super::multiline::Multiline;
use super::parse::{self, Status};
use crate::transport::Stream;

/// The longest line of an answer, in bytes (SPEC §2, `timeout`).
pub const MAX_LINE: usize = 64 * 1024;

/// The most that CAPA, UIDL or LIST may answer, in bytes.
pub const MAX_LISTING: u64 = 64 * 1024 * 1024;

/// A connection that speaks POP3. Dropping it closes the connection without QUIT.
pub struct Link {
    stream: Stream,
    /// The profile's `timeout`.
    timeout: Duration,
    /// Until the login is through: when it has to be.
    login_until: Option<Instant>,
    /// Whether the first line that the server ever sent ended with a bare LF: how it ends all.
    bare: Option<bool>,
}

impl Link {
    /// Wraps a stream of which nothing has been read yet. Everything up to [`Link::logged_in`] must take no longer than
    /// 4 × `timeout`.
    pub fn new(stream: Stream, timeout: Duration) -> Self {
        Self { stream, timeout, login_until: Some(Instant::now() + timeout * 4), bare: None }
    }

    /// Ends the time limit of the login.
    pub fn logged_in(&mut self) {
        self.login_until = None;
    }

    /// The stream, for TLS and what is known about it.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Buffers a command.
    pub fn send(&mut self, command: Command) -> Result<(), Error> {
        Ok(self.stream.write(format!("{command}\r\n").as_bytes())?)
    }

    /// Buffers bytes that traces must show as `shown`.
    pub fn send_secret(&mut self, bytes: &[u8], shown: &str) -> Result<(), Error> {
        Ok(self.stream.write_secret(bytes, shown)?)
    }

    /// Sends what is buffered, without waiting for an answer.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.stream.flush()?)
    }

    /// To be called when every command is answered: that nothing more has come, or comes within `patience` unless the server hangs up.
    ///
    /// # Errors
    /// [`Error::Protocol`] with what came: it would pass for the answer to the next command.
    pub fn nothing_unasked(&mut self, command: &'static str, patience: Duration) -> Result<(), Error> {
        if !self.has_input() {
            // A connection that is closed by now is told of by whoever needs it next.
            let _ = self.stream.wait_readable(patience, &[]);
        }
        let line = self.stream.buffered().split(|&c| c == b'\n').next().unwrap_or_default();
        if self.has_input() { Err(Error::protocol(command, line.trim_ascii_end())) } else { Ok(()) }
    }

    /// Whether the server has sent what nobody has read yet.
    pub fn has_input(&self) -> bool {
        !self.stream.buffered().is_empty()
    }

    /// One line without its end (CR LF or LF), waited for no longer than a command without payload may take.
    pub fn line(&mut self, command: &'static str) -> Result<Vec<u8>, Error> {
        let patience = Instant::now() + (self.timeout * 15).max(Duration::from_secs(30));
        self.stream.set_deadline(Some(self.login_until.map_or(patience, |login| login.min(patience))));
        let mut line = Vec::new();
        loop {
            let input = self.stream.fill()?;
            let end = memchr::memchr(b'\n', input);
            let part = end.map_or(input, |at| input.get(..at).unwrap_or_default());
            line.extend_from_slice(part.get(..MAX_LINE.min(part.len())).unwrap_or_default());
            let used = end.map_or(part.len(), |at| at + 1);
            if line.len() > MAX_LINE || part.len() > MAX_LINE {
                return Err(Error::Limit { command, limit: MAX_LINE as u64 });
            }
            self.stream.consume(used);
            if end.is_some() {
                self.bare.get_or_insert(line.last() != Some(&b'\r'));
                while line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
        }
    }

    /// The first line of an answer.
    pub fn status(&mut self, command: &'static str) -> Result<Status, Error> {
        let line = self.line(command)?;
        parse::status(&line).ok_or_else(|| Error::protocol(command, &line))
    }

    /// The first line of an answer, which must be `+OK`.
    pub fn expect_ok(&mut self, command: Command) -> Result<Status, Error> {
        let status = self.status(command.name())?;
        if status.ok {
            return Ok(status);
        }
        Err(Error::Refused { command: command.name(), refusal: Refusal::of(&status) })
    }

    /// The rest of a multi-line answer, decoded, to `out`; at most `limit` bytes. An error means that it did not end.
    pub fn multiline(
        &mut self,
        command: &'static str,
        limit: u64,
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        self.stream.set_deadline(self.login_until);
        let (mut decoder, mut taken) = (Multiline::new(self.bare.unwrap_or_default()), 0_u64);
        loop {
            let input = self.stream.fill()?;
            let step = decoder.push(input, out).map_err(Error::Sink)?;
            // A trace shows listings, and only counts messages.
            if matches!(command, "RETR" | "TOP") {
                self.stream.consume_body(step.consumed);
            } else {
                self.stream.consume(step.consumed);
            }
            taken += step.consumed as u64;
            if step.done {
                return Ok(());
            }
            if taken > limit {
                return Err(Error::Limit { command, limit });
            }
        }
    }

    /// The rest of a multi-line answer as lines without their ends.
    pub fn lines(&mut self, command: &'static str, each: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let mut begun: Vec<u8> = Vec::new();
        let mut too_long = false;
        let mut split = |chunk: &[u8]| -> io::Result<()> {
            let mut rest = chunk;
            while let Some(at) = memchr::memchr(b'\n', rest) {
                let (line, tail) = rest.split_at(at);
                if begun.len() + line.len() > MAX_LINE {
                    too_long = true;
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if begun.is_empty() {
                    each(line.trim_ascii_end());
                } else {
                    begun.extend_from_slice(line);
                    each(begun.trim_ascii_end());
                    begun.clear();
                }
                rest = tail.get(1..).unwrap_or_default();
            }
            if begun.len() + rest.len() > MAX_LINE {
                too_long = true;
                return Err(io::ErrorKind::InvalidData.into());
            }
            begun.extend_from_slice(rest);
            Ok(())
        };
        match self.multiline(command, MAX_LISTING, &mut split) {
            Err(Error::Sink(_)) if too_long => Err(Error::Limit { command, limit: MAX_LINE as u64 }),
            other => other,
        }
    }
}
