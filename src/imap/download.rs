//! Bodies and headers: from the socket's buffer to whoever takes them.

use std::io;

use super::command::Command;
use super::data::FetchLine;
use super::error::Error;
use super::framing::HEADER;
use super::parse::Response;
use super::session::{Pending, Session};
use super::snapshot::SET_BYTES;
use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Uid, UidSet};

/// Takes bodies as they come in. An error ends the connection, in the middle of a message.
pub trait BodySink {
    /// A body of `size` bytes begins. Which message it is, is known at its end.
    ///
    /// # Errors
    /// What keeps it from being stored.
    fn begin(&mut self, size: u64) -> io::Result<()>;
    /// Its next bytes.
    ///
    /// # Errors
    /// What keeps them from being stored.
    fn data(&mut self, chunk: &[u8]) -> io::Result<()>;
    /// The body is whole, and belongs to `message`.
    ///
    /// # Errors
    /// What keeps it from being stored.
    fn end(&mut self, message: &RemoteMessage) -> io::Result<()>;
    /// The server has the message and gave no body: an error of that message, never an empty one.
    fn missing(&mut self, message: &RemoteMessage);
    /// The body that began is none of those asked for, or nobody's: it is to be forgotten.
    fn forget(&mut self) {}
}

/// A request for bodies that was sent.
#[derive(Debug)]
pub struct BodiesAsk {
    _private: (),
}

/// Which headers were asked for.
#[derive(Debug)]
pub struct HeadersAsk {
    set: UidSet,
}

/// The FETCH responses' inside, told apart from the sink that it lends on: what to do at the end of a response.
enum Got {
    Streamed(RemoteMessage),
    Inline(RemoteMessage, Vec<u8>),
    Missing(RemoteMessage),
    Stray,
    Nothing,
}

/// Passes bodies through and holds back nothing but the ends, which need the response parsed.
struct Relay<'a> {
    sink: &'a mut dyn BodySink,
}

impl Session {
    /// Buffers a request for whole messages (without setting `\Seen`), their flags and dates.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_bodies(&mut self, set: &UidSet) -> Result<Pending<BodiesAsk>, Error> {
        let items = ["UID", "FLAGS", "INTERNALDATE", "BODY.PEEK[]"];
        let commands: Vec<Command> =
            set.chunks(SET_BYTES).iter().map(|part| Command::new("UID FETCH").set(part).words(&items)).collect();
        let pending = self.send_for_bodies(&commands, BodiesAsk { _private: () })?;
        self.bodies.push((pending.tag(), pending.folder(), set.clone()));
        Ok(pending)
    }

    /// Reads the messages asked for. One that is not mentioned at all is gone or cannot be given: compare with what the
    /// sink got. Messages of later requests that were sent already may come with these (servers answer pipelined
    /// requests side by side): all requests under way need one sink.
    ///
    /// # Errors
    /// A refusal (what came before it is good), the sink's error, a failing connection.
    pub fn finish_bodies(&mut self, pending: Pending<BodiesAsk>, sink: &mut dyn BodySink) -> Result<(), Error> {
        let relay = std::cell::RefCell::new(Relay { sink });
        let mut through = Through(&relay);
        let tag = pending.tag();
        let asked = std::mem::take(&mut self.bodies);
        let folder = pending.folder();
        let wanted = |uid: Uid| asked.iter().any(|(of, at, set)| *of >= tag && *at == folder && set.contains(uid));
        let result = self.finish(&pending, "FETCH", Some(&mut through), &mut |response, streamed| {
            let Response::Message { rest, .. } = response else { return Ok(false) };
            if !response.is_fetch() {
                return Ok(false);
            }
            let mut relay = relay.try_borrow_mut().map_err(|_| Error::Protocol("a body inside a body".to_owned()))?;
            relay.settle(classify(rest, streamed, &wanted)).map_err(Error::Sink)?;
            Ok(true)
        });
        self.bodies = asked.into_iter().filter(|(of, _, _)| *of > tag).collect();
        result.map(drop)
    }

    /// The header sections of messages, at most 1 MiB each.
    ///
    /// # Errors
    /// A refusal or a failing connection.
    pub fn headers(&mut self, set: &UidSet, each: &mut dyn FnMut(Uid, &[u8])) -> Result<(), Error> {
        if set.is_empty() {
            return Ok(());
        }
        let pending = self.send_headers(set)?;
        self.finish_headers(pending, each)
    }

    /// The first half of [`Session::headers`].
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_headers(&mut self, set: &UidSet) -> Result<Pending<HeadersAsk>, Error> {
        let items = ["UID", "BODY.PEEK[HEADER]"];
        let commands: Vec<Command> =
            set.chunks(SET_BYTES).iter().map(|part| Command::new("UID FETCH").set(part).words(&items)).collect();
        self.send(&commands, HeadersAsk { set: set.clone() })
    }

    /// The second half of [`Session::headers`].
    ///
    /// # Errors
    /// A refusal or a failing connection.
    pub fn finish_headers(
        &mut self,
        pending: Pending<HeadersAsk>,
        each: &mut dyn FnMut(Uid, &[u8]),
    ) -> Result<(), Error> {
        let set = &pending.ask.set;
        self.finish(&pending, "FETCH", None, &mut |response, _| {
            let Response::Message { rest, .. } = response else { return Ok(false) };
            if !response.is_fetch() {
                return Ok(false);
            }
            let line = FetchLine::parse(rest);
            let header = line.header.and_then(|value| value.bytes());
            if let (Some(uid), Some(header)) = (line.uid.filter(|uid| set.contains(*uid)), header)
                && u64::try_from(header.len()).is_ok_and(|length| length <= HEADER)
            {
                each(uid, &header);
            }
            Ok(true)
        })
        .map(drop)
    }
}

/// What a FETCH response with or without a body means for those who asked.
fn classify(rest: &[u8], streamed: Option<u64>, wanted: &dyn Fn(Uid) -> bool) -> Got {
    let line = FetchLine::parse(rest);
    let body = line.body;
    let ours = line.into_message().filter(|message| wanted(message.uid));
    match (ours, streamed, body) {
        (Some(message), Some(_), _) => Got::Streamed(message),
        (Some(message), None, Some(value)) => match value.bytes() {
            Some(bytes) => Got::Inline(message, bytes.into_owned()),
            None => Got::Missing(message),
        },
        (None, Some(_), _) => Got::Stray,
        // Without a body, and not even the word: flags that changed meanwhile, not an answer.
        (Some(_), None, None) | (None, None, _) => Got::Nothing,
    }
}

impl Relay<'_> {
    fn settle(&mut self, got: Got) -> io::Result<()> {
        match got {
            Got::Streamed(message) => self.sink.end(&message),
            Got::Inline(message, bytes) => {
                self.sink.begin(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
                self.sink.data(&bytes)?;
                self.sink.end(&message)
            }
            Got::Missing(message) => {
                self.sink.missing(&message);
                Ok(())
            }
            Got::Stray => {
                self.sink.forget();
                Ok(())
            }
            Got::Nothing => Ok(()),
        }
    }
}

/// The relay as the sink of the bytes themselves.
struct Through<'r, 's>(&'r std::cell::RefCell<Relay<'s>>);

impl BodySink for Through<'_, '_> {
    fn begin(&mut self, size: u64) -> io::Result<()> {
        self.0.borrow_mut().sink.begin(size)
    }

    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().sink.data(chunk)
    }

    fn end(&mut self, message: &RemoteMessage) -> io::Result<()> {
        self.0.borrow_mut().sink.end(message)
    }

    fn missing(&mut self, message: &RemoteMessage) {
        self.0.borrow_mut().sink.missing(message);
    }
}
