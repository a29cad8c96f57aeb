//! One connection: writes commands, attributes answers to them, keeps what the server tells of itself on the way.

use std::collections::VecDeque;
use std::io::Read;
use std::time::{Duration, Instant};

use super::capability::Capabilities;
use super::code::Code;
use super::command::Command;
use super::data;
use super::download::BodySink;
use super::error::Error;
use super::framing::{Frame, Source, UNTAGGED, read_frame};
use super::parse::{Response, Status, StatusText, Values, response};
use crate::mail::text::clean_bytes;
use crate::transport::Stream;

/// The first letter of our tags; the `imap` crate's begin with `a`.
const TAG: char = 'F';
/// Alerts kept for the user.
const ALERTS: usize = 5;

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
pub enum Event {
    /// Data, already dealt with.
    Data,
    /// `+ text`.
    Continue(Vec<u8>),
    /// The end of the command with this tag.
    Tagged(u32, Completion),
}

/// What looks at the untagged responses of a command. `Ok(true)`: this was what the command asked for.
pub type OnData<'a> = dyn FnMut(&Response<'_>, Option<u64>) -> Result<bool, Error> + 'a;

/// What a server told of itself and of the selected folder.
#[derive(Debug, Default)]
pub struct Told {
    /// As last told.
    pub capabilities: Capabilities,
    /// Whether `capabilities` came since this was last cleared.
    pub capabilities_fresh: bool,
    /// ENABLED CONDSTORE was seen.
    pub condstore: bool,
    /// ENABLED QRESYNC was seen.
    pub qresync: bool,
    /// EXISTS less EXPUNGEs.
    pub exists: u32,
    /// The first alerts, cleaned.
    pub alerts: Vec<String>,
    /// The greeting's text, cleaned.
    pub greeting: String,
    /// The name in the server's ID, cleaned.
    pub id: Option<String>,
}

/// A command that was sent and not answered. Positions count the bytes of input.
struct Sent {
    tag: u32,
    /// What had arrived when it was begun: nothing before can answer it.
    begun: u64,
    /// What had arrived when it was complete: no OK before can answer it.
    complete: u64,
}

/// One connection.
pub struct Connection {
    stream: Stream,
    frame: Frame,
    consumed: u64,
    budget: u64,
    next_tag: u32,
    outstanding: VecDeque<Sent>,
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
        self.stream.consume_body(n);
        *self.consumed = self.consumed.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
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
            outstanding: VecDeque::new(),
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

    /// Whether no command waits for its answer.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
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
        format!("{TAG}{tag}")
    }

    /// Writes a whole command, without waiting; gives its tag.
    ///
    /// # Errors
    /// When the connection fails or has failed.
    pub fn send(&mut self, command: &Command) -> Result<u32, Error> {
        let tag = self.begin(command.as_bytes(), None)?;
        self.end(tag)?;
        Ok(tag)
    }

    /// Writes a tag and the beginning of a command; `shown` replaces it in the trace.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn begin(&mut self, bytes: &[u8], shown: Option<&str>) -> Result<u32, Error> {
        if self.dead {
            return Err(Error::Skipped("the session has ended"));
        }
        let tag = self.next_tag;
        self.next_tag = self.next_tag.checked_add(1).ok_or_else(|| Error::Protocol("too many commands".to_owned()))?;
        if self.outstanding.is_empty() {
            self.payload();
        }
        self.outstanding.push_back(Sent { tag, begun: self.arrived(), complete: u64::MAX });
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
                    let written = self.stream.write_body(buffer.get(..read).unwrap_or_default());
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
        if let Some(sent) = self.outstanding.iter_mut().rev().find(|sent| sent.tag == tag) {
            sent.complete = arrived;
        }
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

    /// Reads one response for the command `wanted`: data goes to `on` and bodies to `body` only while that command
    /// is the one that the server is answering.
    ///
    /// # Errors
    /// When the connection fails, the server says BYE or answers what was not asked, and what `on` gives.
    pub fn advance(
        &mut self,
        wanted: u32,
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Event, Error> {
        let current = self.outstanding.front().map(|sent| sent.tag);
        if current.is_none_or(|tag| tag > wanted) || self.dead {
            return Err(Error::Skipped("no answer is to be expected any more"));
        }
        let ours = current == Some(wanted);
        let (frame, position) = if ours { self.receive(body)? } else { self.receive(Some(&mut Discard))? };
        let result = self.digest(&frame, position, ours, on);
        self.frame = frame;
        self.check(result)
    }

    fn digest(&mut self, frame: &Frame, position: u64, ours: bool, on: &mut OnData<'_>) -> Result<Event, Error> {
        let response = response(&frame.bytes);
        self.told.note(&response)?;
        match response {
            Response::Tagged { tag, status, text } => self.tagged(tag, status, &text, position),
            Response::Continue(text) => Ok(Event::Continue(text.to_vec())),
            Response::Status { .. } | Response::Message { .. } | Response::Data { .. } => {
                if ours && on(&response, frame.streamed)? {
                    self.payload();
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
        let sent = self.outstanding.pop_front().filter(|sent| Self::tag_text(sent.tag).as_bytes() == tag);
        let Some(sent) = sent else { return Err(Error::protocol("an answer to nothing that was asked", tag)) };
        let Some(status) = status else { return Err(Error::protocol("an answer without a result", text.text)) };
        if status == Status::Bye || status == Status::PreAuth {
            return Err(Error::Bye { code: None, text: clean_bytes(text.text) });
        }
        if position < sent.begun || (status == Status::Ok && position < sent.complete) {
            return Err(Error::protocol("an answer that came before its command", tag));
        }
        self.budget = UNTAGGED;
        self.payload();
        Ok(Event::Tagged(sent.tag, Completion::new(status, text)))
    }

    /// Reads up to the end of the command `tag`, passing over the ends of earlier ones.
    ///
    /// # Errors
    /// As [`Connection::advance`]; a `+` is an error, too.
    pub fn complete(
        &mut self,
        tag: u32,
        mut body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Completion, Error> {
        loop {
            match self.advance(tag, lend(&mut body), on)? {
                Event::Tagged(done, completion) if done == tag => return Ok(completion),
                Event::Tagged(..) | Event::Data => {}
                Event::Continue(text) => {
                    let error = Error::protocol("it asks for more of a command that was complete", &text);
                    return self.check(Err(error));
                }
            }
        }
    }

    /// As [`Connection::complete`], for a command whose data must not be looked at.
    ///
    /// # Errors
    /// As [`Connection::advance`].
    pub fn complete_unseen(&mut self, tag: u32) -> Result<Completion, Error> {
        self.complete(tag, Some(&mut Discard), &mut |_, _| Ok(false))
    }

    /// Reads up to the server's `+` for the command `tag`, or to the command's end if it refuses.
    ///
    /// # Errors
    /// As [`Connection::advance`].
    pub fn continuation(
        &mut self,
        tag: u32,
        earlier: &mut dyn FnMut(u32, Completion),
    ) -> Result<Result<Vec<u8>, Completion>, Error> {
        loop {
            let ours = self.outstanding.front().map(|sent| sent.tag) == Some(tag);
            match self.advance(tag, None, &mut |_, _| Ok(false))? {
                Event::Tagged(done, completion) if done == tag => return Ok(Err(completion)),
                Event::Tagged(done, completion) => earlier(done, completion),
                Event::Continue(text) if ours => return Ok(Ok(text)),
                Event::Continue(text) => {
                    let error = Error::protocol("it asks for more of a command that was complete", &text);
                    return self.check(Err(error));
                }
                Event::Data => {}
            }
        }
    }

    /// Reads the ends of all commands that nobody waits for.
    ///
    /// # Errors
    /// As [`Connection::advance`].
    pub fn drain(&mut self) -> Result<(), Error> {
        while let Some(tag) = self.outstanding.back().map(|sent| sent.tag) {
            self.complete(tag, Some(&mut Discard), &mut |_, _| Ok(false))?;
        }
        Ok(())
    }
}

impl Told {
    /// Keeps what a response tells whoever it was for.
    ///
    /// # Errors
    /// BYE.
    pub fn note(&mut self, response: &Response<'_>) -> Result<(), Error> {
        match response {
            Response::Status { status, text } => {
                if *status == Status::Bye {
                    let code = (!text.code.is_empty()).then(|| Code::of_name(text.code));
                    return Err(Error::Bye { code, text: clean_bytes(text.text) });
                }
                self.note_code(text);
            }
            Response::Tagged { text, .. } => self.note_code(text),
            Response::Message { number: Some(number), word, .. } => {
                if word.eq_ignore_ascii_case(b"EXISTS") {
                    self.exists = *number;
                } else if word.eq_ignore_ascii_case(b"EXPUNGE") {
                    self.exists = self.exists.saturating_sub(1);
                }
            }
            Response::Data { word, rest } => self.note_data(word, rest),
            Response::Message { number: None, .. } | Response::Continue(_) | Response::Nothing => {}
        }
        Ok(())
    }

    fn note_code(&mut self, text: &StatusText<'_>) {
        if let Some(list) = text.arguments_of("CAPABILITY") {
            self.set_capabilities(list);
        } else if text.is("ALERT") && self.alerts.len() < ALERTS {
            self.alerts.push(clean_bytes(text.text));
        } else if text.is("CLOSED") {
            self.exists = 0;
        }
    }

    fn note_data(&mut self, word: &[u8], rest: &[u8]) {
        if word.eq_ignore_ascii_case(b"CAPABILITY") {
            self.set_capabilities(rest);
        } else if word.eq_ignore_ascii_case(b"ENABLED") {
            for name in rest.split(|&c| c == b' ') {
                self.qresync |= name.eq_ignore_ascii_case(b"QRESYNC");
                self.condstore |= name.eq_ignore_ascii_case(b"CONDSTORE");
            }
            self.condstore |= self.qresync;
        } else if word.eq_ignore_ascii_case(b"VANISHED") {
            if let Some((false, set)) = data::vanished(rest) {
                self.exists = self.exists.saturating_sub(u32::try_from(set.len()).unwrap_or(u32::MAX));
            }
        } else if word.eq_ignore_ascii_case(b"ID") {
            let values: Vec<_> = Values::new(rest).flat_map(|list| list.items().take(60).collect::<Vec<_>>()).collect();
            let is_name = |v: &super::parse::Value<'_>| v.bytes().is_some_and(|b| b.eq_ignore_ascii_case(b"name"));
            let name = values.chunks(2).find(|pair| pair.first().is_some_and(is_name)).and_then(|pair| pair.get(1));
            self.id = name.and_then(|v| v.bytes()).map(|b| clean_bytes(&b));
        }
    }

    fn set_capabilities(&mut self, list: &[u8]) {
        self.capabilities = Capabilities::parse(list);
        self.capabilities_fresh = true;
    }

    /// Forgets all that came before TLS.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
