//! One connection: writes commands, attributes answers to them, keeps what the server tells of itself on the way.

use std::io::Read;
use std::time::{Duration, Instant};

use super::answers::{Answers, Kind};
use super::command::Command;
use super::download::BodySink;
use super::error::Error;
use super::framing::{Frame, Source, UNTAGGED, read_frame};
use super::parse::{Response, response};
use super::told::Told;
use crate::transport::Stream;

/// The first letter of our tags; the `imap` crate's begin with `a`.
pub(super) const TAG: u8 = b'F';

/// What looks at the untagged responses of a command. `Ok(true)`: this was what the command asked for.
pub type OnData<'a> = dyn FnMut(&Response<'_>, Option<u64>) -> Result<bool, Error> + 'a;

/// One connection.
pub struct Connection {
    stream: Stream,
    pub(super) frame: Frame,
    consumed: u64,
    pub(super) budget: u64,
    next_tag: u32,
    pub(super) answers: Answers,
    patience: Duration,
    /// Whether the login is done: until then the deadline that connecting set holds for everything.
    ready: bool,
    pub(super) dead: bool,
    /// What the server told.
    pub told: Told,
}

/// The stream with its position and the deadline that payload pushes back.
struct Input<'a> {
    stream: &'a mut Stream,
    consumed: &'a mut u64,
    patience: Duration,
}

impl Source for Input<'_> {
    fn fill(&mut self) -> Result<&[u8], Error> {
        Ok(self.stream.fill()?)
    }

    fn consume(&mut self, n: usize) {
        self.stream.consume(n);
        *self.consumed = self.consumed.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
    }

    fn consume_body(&mut self, n: usize) {
        // The trace finds literals by itself.
        self.consume(n);
        self.stream.set_deadline(Instant::now().checked_add(self.patience));
    }
}

/// Takes the bodies of commands that nobody waits for any more.
pub(super) struct Discard;

impl BodySink for Discard {
    fn begin(&mut self, _size: u64) -> std::io::Result<()> {
        Ok(())
    }
    fn data(&mut self, _chunk: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
    fn end(&mut self, _message: &crate::mail::snapshot::RemoteMessage) -> std::io::Result<()> {
        Ok(())
    }
    fn missing(&mut self, _message: &crate::mail::snapshot::RemoteMessage) {}
}

/// A body's sink lent on.
pub fn lend<'a>(body: &'a mut Option<&mut dyn BodySink>) -> Option<&'a mut dyn BodySink> {
    match body {
        Some(sink) => Some(&mut **sink),
        None => None,
    }
}

impl Connection {
    /// On a stream from which nothing was read. `timeout` is the account's.
    #[must_use]
    pub fn new(stream: Stream, timeout: Duration) -> Self {
        Self {
            stream,
            frame: Frame::default(),
            consumed: 0,
            budget: UNTAGGED,
            next_tag: 1,
            answers: Answers::default(),
            patience: timeout.saturating_mul(15).max(Duration::from_secs(30)),
            ready: false,
            dead: false,
            told: Told::default(),
        }
    }

    /// The stream, for what concerns it alone.
    pub fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether it failed.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// The commands under way.
    #[must_use]
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Marks the connection as unusable after a fatal error.
    pub fn check<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &result {
            self.dead |= error.is_fatal();
        }
        result
    }

    /// How far input was read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.consumed
    }

    /// How far input has come.
    #[must_use]
    pub fn arrived(&self) -> u64 {
        self.consumed.saturating_add(u64::try_from(self.stream.buffered().len()).unwrap_or(u64::MAX))
    }

    /// A tag's text.
    #[must_use]
    pub fn tag_text(tag: u32) -> String {
        format!("{}{tag}", char::from(TAG))
    }

    /// Writes a whole command, without waiting; gives its tag.
    ///
    /// # Errors
    /// When the connection fails or has failed.
    pub fn send(&mut self, command: &Command) -> Result<u32, Error> {
        self.send_as(command, Kind::Plain)
    }

    /// As [`Connection::send`], for a command of any kind.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_as(&mut self, command: &Command, kind: Kind) -> Result<u32, Error> {
        let tag = self.begin_as(command.as_bytes(), None, kind)?;
        self.end(tag)?;
        Ok(tag)
    }

    /// Writes a tag and the beginning of a command; `shown` replaces it in the trace.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn begin(&mut self, bytes: &[u8], shown: Option<&str>) -> Result<u32, Error> {
        self.begin_as(bytes, shown, Kind::Plain)
    }

    fn begin_as(&mut self, bytes: &[u8], shown: Option<&str>, kind: Kind) -> Result<u32, Error> {
        if self.dead {
            return Err(Error::Skipped("the session has ended"));
        }
        let tag = self.next_tag;
        self.next_tag = self.next_tag.checked_add(1).ok_or_else(|| Error::Protocol("too many commands".to_owned()))?;
        if self.answers.is_settled() {
            self.payload();
        }
        let arrived = self.arrived();
        self.answers.begin(tag, kind, arrived);
        let lead = format!("{} ", Self::tag_text(tag));
        let written = self.stream.write(lead.as_bytes()).and_then(|()| match shown {
            Some(shown) => self.stream.write_secret(bytes, shown),
            None => self.stream.write(bytes),
        });
        self.check(written.map_err(Error::from))?;
        Ok(tag)
    }

    /// Writes more of a command that was begun.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.dead {
            return Err(Error::Skipped("the session has ended"));
        }
        let written = self.stream.write(bytes).map_err(Error::from);
        self.check(written)
    }

    /// As [`Connection::write`]; the trace shows `shown`.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn write_secret(&mut self, bytes: &[u8], shown: &str) -> Result<(), Error> {
        let written = self.stream.write_secret(bytes, shown).map_err(Error::from);
        self.check(written)
    }

    /// Writes exactly `size` bytes of a message from `body`.
    ///
    /// # Errors
    /// As [`Connection::send`], and [`Error::Source`] when `body` fails, ends early or holds more.
    pub fn write_stream(&mut self, body: &mut dyn Read, size: u64) -> Result<(), Error> {
        let mut left = size;
        let mut buffer = [0u8; 32 << 10];
        loop {
            let room = usize::try_from(left).unwrap_or(usize::MAX).clamp(1, buffer.len());
            let read = body.read(buffer.get_mut(..room).unwrap_or_default());
            let read = match read {
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return self.check(Err(Error::Source(error))),
            };
            match (read, left) {
                (0, 0) => return Ok(()),
                (0, _) | (_, 0) => {
                    let changed = std::io::Error::new(std::io::ErrorKind::InvalidData, "its size changed");
                    return self.check(Err(Error::Source(changed)));
                }
                (read, _) => {
                    let written = self.stream.write(buffer.get(..read).unwrap_or_default());
                    self.check(written.map_err(Error::from))?;
                    left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
                    self.payload();
                }
            }
        }
    }

    /// Ends the command with this tag.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn end(&mut self, tag: u32) -> Result<(), Error> {
        let arrived = self.arrived();
        self.answers.complete(tag, arrived);
        self.write(b"\r\n")
    }

    /// Pushes the deadline back: what was asked for is coming in.
    pub(super) fn payload(&mut self) {
        if self.ready {
            self.stream.set_deadline(Instant::now().checked_add(self.patience));
        }
    }

    /// The login is done: from now on each command has a time of its own.
    pub fn set_ready(&mut self) {
        self.ready = true;
        self.payload();
    }

    /// Takes the deadline away while nothing is to be expected, as in IDLE.
    pub fn wait_for_ever(&mut self) {
        self.stream.set_deadline(None);
    }

    pub(super) fn receive(&mut self, body: Option<&mut dyn BodySink>) -> Result<(Frame, u64), Error> {
        let mut frame = std::mem::take(&mut self.frame);
        let position = self.consumed;
        let mut input = Input { stream: &mut self.stream, consumed: &mut self.consumed, patience: self.patience };
        let result = read_frame(&mut input, &mut frame, &mut self.budget, body);
        self.check(result)?;
        Ok((frame, position))
    }

    /// Reads one response, which may be anything: for greetings and for what the `imap` crate waits for.
    ///
    /// # Errors
    /// When the connection fails, and for BYE unless `bye` is allowed.
    pub fn next_frame(&mut self, bye: bool) -> Result<Vec<u8>, Error> {
        let (frame, _) = self.receive(None)?;
        let seen = self.told.note(&response(&frame.bytes));
        if !(bye && matches!(seen, Err(Error::Bye { .. }))) {
            self.check(seen)?;
        }
        Ok(frame.bytes)
    }
}
