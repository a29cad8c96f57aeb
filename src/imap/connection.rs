//! One connection: writes commands, attributes answers to them, keeps what the server tells of itself on the way.

use std::io::Read;
use std::time::{Duration, Instant};

use super::answers::{Answers, Kind};
use super::code::Code;
use super::command::Command;
use super::download::BodySink;
use super::error::Error;
use super::framing::{Frame, Source, UNTAGGED, read_frame};
use super::parse::{Response, Status, StatusText, number, response};
use super::told::Told;
use crate::mail::text::clean_bytes;
use crate::transport::Stream;

/// The first letter of our tags; the `imap` crate's begin with `a`.
const TAG: u8 = b'F';

/// A command's end.
#[derive(Clone, Debug)]
pub struct Completion {
    /// OK, NO or BAD.
    pub status: Status,
    /// The response code's name.
    pub code: Option<Code>,
    /// What the code carries.
    pub arguments: Vec<u8>,
    /// The text, cleaned.
    pub text: String,
}

impl Completion {
    /// From a tagged response.
    pub fn new(status: Status, text: &StatusText<'_>) -> Self {
        Self {
            status,
            code: (!text.code.is_empty()).then(|| Code::of_name(text.code)),
            arguments: text.arguments.to_vec(),
            text: clean_bytes(text.text),
        }
    }

    /// The code's arguments if the code has that name.
    #[must_use]
    pub fn arguments_of(&self, name: &str) -> Option<&[u8]> {
        matches!(&self.code, Some(Code::Other(code)) if code == name).then_some(self.arguments.as_slice())
    }

    /// Itself if it is OK; NO and BAD are the refusal of `command`.
    pub fn ok(self, command: &'static str) -> Result<Self, Error> {
        match self.status {
            Status::Ok => Ok(self),
            Status::No | Status::Bad | Status::Bye | Status::PreAuth => {
                Err(Error::Refused { command, code: self.code, text: self.text, bad: self.status == Status::Bad })
            }
        }
    }
}

/// What one response meant for whoever waits.
enum Event {
    /// Data, already dealt with.
    Data,
    /// `+ text`.
    Continue(Vec<u8>),
    /// A command's end.
    Tagged,
}

/// What looks at the untagged responses of a command. `Ok(true)`: this was what the command asked for.
pub type OnData<'a> = dyn FnMut(&Response<'_>, Option<u64>) -> Result<bool, Error> + 'a;

/// One connection.
pub struct Connection {
    stream: Stream,
    frame: Frame,
    consumed: u64,
    budget: u64,
    next_tag: u32,
    answers: Answers,
    patience: Duration,
    /// Whether the login is done: until then the deadline that connecting set holds for everything.
    ready: bool,
    dead: bool,
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
struct Discard;

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

    /// How far input has come.
    fn arrived(&self) -> u64 {
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
    fn payload(&mut self) {
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

    fn receive(&mut self, body: Option<&mut dyn BodySink>) -> Result<(Frame, u64), Error> {
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

    /// Reads one response while the commands `first` to `last` are waited for (0 to 0: none is). Data goes to `on`, and
    /// bodies to `body`, if it can be theirs; what can be others' is kept for them.
    ///
    /// # Errors
    /// When the connection fails, the server says BYE or answers what was not asked, and what `on` gives.
    fn advance(
        &mut self,
        (first, last): (u32, u32),
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Event, Error> {
        if self.dead {
            return Err(Error::Skipped("the session has ended"));
        }
        let turn = self.answers.is_turn_of(last);
        let (frame, position) = if turn { self.receive(body)? } else { self.receive(Some(&mut Discard))? };
        let result = self.digest(&frame, position, (first, last), &mut |response, streamed| {
            if turn { on(response, streamed) } else { Ok(false) }
        });
        self.frame = frame;
        self.check(result)
    }

    fn digest(
        &mut self,
        frame: &Frame,
        position: u64,
        (first, last): (u32, u32),
        on: &mut OnData<'_>,
    ) -> Result<Event, Error> {
        let response = response(&frame.bytes);
        self.told.note(&response)?;
        match response {
            Response::Tagged { tag, status, text } => self.tagged(tag, status, &text, position),
            Response::Continue(text) => Ok(Event::Continue(text.to_vec())),
            Response::Status { .. } | Response::Message { .. } | Response::Data { .. } => {
                if on(&response, frame.streamed)? {
                    self.payload();
                }
                // EXISTS and its like are nobody's answer.
                let lasting = !matches!(response, Response::Message { .. }) || response.is_fetch();
                if lasting && frame.streamed.is_none() {
                    self.answers.hold(first, last, &frame.bytes);
                }
                Ok(Event::Data)
            }
            Response::Nothing => Ok(Event::Data),
        }
    }

    fn tagged(
        &mut self,
        tag: &[u8],
        status: Option<Status>,
        text: &StatusText<'_>,
        position: u64,
    ) -> Result<Event, Error> {
        let ours = tag.strip_prefix(&[TAG]).filter(|digits| !digits.starts_with(b"0")).and_then(number::<u32>);
        let Some(ours) = ours else { return Err(Error::protocol("an answer to nothing that was asked", tag)) };
        let Some(status) = status else { return Err(Error::protocol("an answer without a result", text.text)) };
        if status == Status::Bye || status == Status::PreAuth {
            return Err(Error::Bye { code: None, text: clean_bytes(text.text) });
        }
        self.answers.tagged(ours, Completion::new(status, text), position)?;
        self.budget = UNTAGGED;
        self.payload();
        Ok(Event::Tagged)
    }

    /// Reads up to the ends of the commands with the tags `first` to `last`, which are one request.
    ///
    /// # Errors
    /// When the connection fails, the server breaks the protocol, and what `on` gives.
    pub fn complete_all(
        &mut self,
        (first, last): (u32, u32),
        mut body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Vec<Completion>, Error> {
        for response in self.answers.held(last) {
            if let Err(error) = on(&response, None) {
                self.dead = true;
                return Err(error);
            }
        }
        while (first..=last).any(|tag| self.answers.is_under_way(tag)) {
            if let Event::Continue(text) = self.advance((first, last), lend(&mut body), on)? {
                let error = Error::protocol("it asks for more of a command that was complete", &text);
                return self.check(Err(error));
            }
        }
        let ends: Option<Vec<Completion>> = (first..=last).map(|tag| self.answers.take(tag)).collect();
        self.answers.tidy(last);
        ends.ok_or(Error::Skipped("no answer is to be expected any more"))
    }

    /// Reads up to the end of one command.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn complete(
        &mut self,
        tag: u32,
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Completion, Error> {
        let end = self.complete_all((tag, tag), body, on)?.pop();
        end.ok_or(Error::Skipped("no answer is to be expected any more"))
    }

    /// As [`Connection::complete_all`], for commands whose data must not be looked at.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn complete_unseen(&mut self, tags: (u32, u32)) -> Result<Vec<Completion>, Error> {
        self.complete_all(tags, Some(&mut Discard), &mut |_, _| Ok(false))
    }

    /// Reads up to the server's `+` for the command `tag`, which was begun last, or to the command's end: then `None`,
    /// and [`Connection::complete`] gives it.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn continuation(&mut self, tag: u32, on: &mut OnData<'_>) -> Result<Option<Vec<u8>>, Error> {
        while self.answers.is_under_way(tag) {
            match self.advance((tag, tag), None, on)? {
                Event::Continue(text) if self.answers.is_open(tag) => return Ok(Some(text)),
                Event::Continue(text) => {
                    let error = Error::protocol("it asks for more of a command that was complete", &text);
                    return self.check(Err(error));
                }
                Event::Data | Event::Tagged => {}
            }
        }
        Ok(None)
    }

    /// Reads one response for the command `tag`, as in IDLE, where data comes for as long as one waits: `false` when
    /// that was the command's end.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn listen(&mut self, tag: u32, on: &mut OnData<'_>) -> Result<bool, Error> {
        self.advance((tag, tag), None, on)?;
        Ok(self.answers.is_under_way(tag))
    }

    /// Reads until nothing is under way, and keeps all that came for those who will ask.
    ///
    /// # Errors
    /// As [`Connection::complete_all`]; while messages are to come, which cannot be kept.
    pub fn settle(&mut self) -> Result<(), Error> {
        if self.answers.awaits_bodies() {
            return Err(Error::Skipped("messages that were asked for must be taken first"));
        }
        while !self.answers.is_settled() {
            if let Event::Continue(text) = self.advance((0, 0), None, &mut |_, _| Ok(false))? {
                let error = Error::protocol("it asks for more of a command that was complete", &text);
                return self.check(Err(error));
            }
        }
        Ok(())
    }
}
