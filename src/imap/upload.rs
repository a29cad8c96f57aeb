//! APPEND: streamed, pipelined, in batches where the server takes several messages at once.

use std::io::Read;

use super::change::append_uid;
use super::command::{Command, Literals, MailboxName};
use super::completion::Completion;
use super::error::Error;
use super::session::Session;
use crate::mail::{Flags, Timestamp, Uid, UidValidity};

/// At most so many messages in one command (MULTIAPPEND) or flight.
const BATCH: usize = 500;
/// At most so many bytes of messages in one command or flight.
const BATCH_BYTES: u64 = 32 << 20;
/// Larger messages wait for the server's consent unless it told how large they may be: a refusal costs the upload of all of it,
/// and asking costs a round trip each, which 8 MiB outweigh on most lines.
const UNASKED: u64 = 8 << 20;

/// One message to upload.
pub struct Append<'a> {
    /// Its flags.
    pub flags: &'a Flags,
    /// Its INTERNALDATE.
    pub date: Option<Timestamp>,
    /// Its length in bytes with CRLF line ends.
    pub size: u64,
    /// Its bytes with CRLF line ends: exactly `size`, or the connection is lost.
    pub body: &'a mut dyn Body,
}

/// What of a message decides in which form it may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// There is a NUL byte in it: no literal of RFC 3501 may hold one.
    pub nul: bool,
    /// There is an 8-bit byte in its header.
    pub eight_bit_header: bool,
}

/// A message's bytes.
pub trait Body: Read {
    /// Looks the message through without taking anything of it away.
    ///
    /// # Errors
    /// When it cannot be read.
    fn form(&mut self) -> std::io::Result<Form>;
}

impl Body for &[u8] {
    fn form(&mut self) -> std::io::Result<Form> {
        let mut look = FormReader::default();
        look.update(self);
        Ok(look.form())
    }
}

/// Finds a message's [`Form`] in its bytes, chunk by chunk.
#[derive(Clone, Debug)]
pub struct FormReader {
    form: Form,
    /// The header goes on, and whether its line has nothing in it so far.
    header: Option<bool>,
}

impl Default for FormReader {
    fn default() -> Self {
        Self { form: Form::default(), header: Some(true) }
    }
}

impl FormReader {
    /// Takes the next bytes, in either line-ending form.
    pub fn update(&mut self, chunk: &[u8]) {
        self.form.nul |= memchr::memchr(0, chunk).is_some();
        for &c in chunk {
            let Some(empty) = self.header else { return };
            self.form.eight_bit_header |= !c.is_ascii();
            self.header = match c {
                b'\n' if empty => None,
                b'\n' => Some(true),
                b'\r' => Some(empty),
                _ => Some(false),
            };
        }
    }

    /// What was found.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }
}

impl std::fmt::Debug for Append<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Append").field("size", &self.size).finish_non_exhaustive()
    }
}

/// How to upload several messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppendHow {
    /// As the server does it fastest; with MULTIAPPEND a batch is stored as a whole or not at all.
    #[default]
    Batched,
    /// A command for each message: after a batch that failed. What may have been refused for its 8-bit header is sent as UTF8 where
    /// that is agreed (RFC 6855 §4; RFC 9755 asks for nothing special).
    OneByOne,
}

/// A message that the server has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The folder's UIDVALIDITY, if APPENDUID told it.
    pub uid_validity: Option<UidValidity>,
    /// The message's UID, if APPENDUID told it.
    pub uid: Option<Uid>,
}

/// A command that was sent: which messages it carries.
struct Flight {
    tag: u32,
    first: usize,
    count: usize,
}

/// The results as they come in, one for each message.
struct Outcome {
    results: Vec<Option<Result<Appended, Error>>>,
    flights: Vec<Flight>,
    /// The message being sent.
    current: Option<usize>,
}

impl Outcome {
    fn settle(&mut self, tag: u32, completion: Completion) {
        let Some(at) = self.flights.iter().position(|flight| flight.tag == tag) else { return };
        let flight = self.flights.swap_remove(at);
        let told = completion.arguments_of("APPENDUID").and_then(|arguments| append_uid(arguments, flight.count));
        let ended = completion.ok("APPEND");
        for (i, slot) in self.results.iter_mut().skip(flight.first).take(flight.count).enumerate() {
            let uid = |(validity, uids): &(UidValidity, Vec<Uid>)| Appended {
                uid_validity: Some(*validity),
                uid: uids.get(i).copied(),
            };
            *slot = Some(match &ended {
                Ok(_) => Ok(told.as_ref().map_or(Appended { uid_validity: None, uid: None }, uid)),
                Err(error) => Err(error.repeat()),
            });
        }
    }

    fn finish(mut self, failure: Option<Error>) -> Vec<Result<Appended, Error>> {
        let repeatable = failure.as_ref().filter(|error| !error.is_fatal()).map(Error::repeat);
        if let Some(error) = failure.filter(Error::is_fatal) {
            // The message whose file failed is known; any other failure is told with the first that it left open.
            let own = self.current.filter(|_| matches!(error, Error::Source(_)));
            let at = own.or_else(|| self.results.iter().position(Option::is_none));
            if let Some(slot) = at.and_then(|at| self.results.get_mut(at)) {
                *slot = Some(Err(error));
            }
        }
        let flights = self.flights;
        let sent = |at: usize| flights.iter().any(|f| (f.first..f.first.saturating_add(f.count)).contains(&at));
        let rest = |(at, slot): (usize, Option<_>)| {
            slot.unwrap_or_else(|| {
                Err(match &repeatable {
                    Some(error) => error.repeat(),
                    None if sent(at) => Error::Unanswered,
                    None => Error::Skipped("not sent: the session has ended"),
                })
            })
        };
        self.results.into_iter().enumerate().map(rest).collect()
    }
}

impl Session {
    /// Uploads messages: one result for each, in their order. Messages that the server's APPENDLIMIT forbids are not
    /// sent. The code of a refusal (TRYCREATE, OVERQUOTA, TOOBIG, LIMIT) is in the error; a refused batch gives the same
    /// error for each of its messages, none of which was stored. [`Error::Skipped`] says that a message was surely not
    /// sent; with any other error of the session, [`Error::Unanswered`] included, it may have been stored.
    pub fn append(
        &mut self,
        to: &MailboxName,
        messages: &mut [Append<'_>],
        how: AppendHow,
    ) -> Vec<Result<Appended, Error>> {
        let mut outcome =
            Outcome { results: messages.iter().map(|_| None).collect(), flights: Vec::new(), current: None };
        let result = self.append_all(to, messages, how, &mut outcome);
        outcome.finish(result.err())
    }

    fn append_all(
        &mut self,
        to: &MailboxName,
        messages: &mut [Append<'_>],
        how: AppendHow,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let literals = self.literals();
        let head = Command::new("APPEND").mailbox(to, literals)?;
        let limit = self.capabilities().appendlimit;
        let multi = self.capabilities().multiappend && how == AppendHow::Batched;
        let binary = self.capabilities().binary;
        self.live()?.settle()?;
        // What cannot be read now fails when it is sent.
        let forms: Vec<Form> = messages.iter_mut().map(|message| message.body.form().unwrap_or_default()).collect();
        let alone = |at: usize| forms.get(at).is_some_and(|form| form.nul);
        let mut at = 0;
        while at < messages.len() {
            let batch = batch_end(messages, at, limit, &alone);
            let refusal = if batch == at {
                Some(too_big())
            } else if alone(at) && !binary {
                Some(Error::Nul)
            } else {
                None
            };
            if refusal.is_some() {
                if let Some(slot) = outcome.results.get_mut(at) {
                    *slot = refusal.map(Err);
                }
                at += 1;
                continue;
            }
            let count = batch - at;
            let part = messages.get_mut(at..batch).unwrap_or_default();
            let utf8 = how == AppendHow::OneByOne && self.is_utf8();
            let mut sender = Sender { session: self, literals, limit, outcome, forms: &forms, utf8 };
            if multi && count > 1 {
                sender.one_command(&head, part, at)?;
            } else {
                for (i, message) in part.chunks_mut(1).enumerate() {
                    sender.one_command(&head, message, at + i)?;
                }
            }
            sender.land()?;
            at = batch;
        }
        Ok(())
    }
}

fn too_big() -> Error {
    Error::Refused {
        command: "APPEND",
        code: Some(super::code::Code::TooBig),
        text: "the message is larger than the server's APPENDLIMIT".to_owned(),
        bad: false,
    }
}

/// Where the batch that begins at `at` ends; `at` itself if that message is too large for the server. Some messages go `alone`.
fn batch_end(messages: &[Append<'_>], at: usize, limit: Option<u64>, alone: &impl Fn(usize) -> bool) -> usize {
    let mut bytes = 0u64;
    let mut end = at;
    for message in messages.iter().skip(at).take(BATCH) {
        bytes = bytes.saturating_add(message.size);
        let full = end > at && (bytes > BATCH_BYTES || alone(at) || alone(end));
        if limit.is_some_and(|limit| message.size > limit) || full {
            break;
        }
        end += 1;
    }
    end
}

/// Sends commands and gathers the answers that come meanwhile.
struct Sender<'a> {
    session: &'a mut Session,
    literals: Literals,
    limit: Option<u64>,
    outcome: &'a mut Outcome,
    forms: &'a [Form],
    /// Messages with 8-bit headers are sent as UTF8.
    utf8: bool,
}

impl Sender<'_> {
    /// Whether a message may go without the server's consent.
    fn at_once(&self, size: u64) -> bool {
        self.literals.at_once(size) && (size <= UNASKED || self.limit.is_some())
    }

    /// Sends one APPEND with all of `messages`. A server that refuses before all was sent has settled them all.
    fn one_command(&mut self, head: &Command, messages: &mut [Append<'_>], first: usize) -> Result<(), Error> {
        let mut tag = None;
        let count = messages.len();
        for (i, message) in messages.iter_mut().enumerate() {
            self.outcome.current = Some(first + i);
            let form = self.forms.get(first + i).copied().unwrap_or_default();
            let utf8 = self.utf8 && form.eight_bit_header;
            let announced = self.announce(head, message, (tag.is_none(), form.nul, utf8));
            let connection = self.session.live()?;
            let tag = match tag {
                Some(tag) => {
                    connection.write(&announced)?;
                    tag
                }
                None => {
                    let new = connection.begin(&announced, None)?;
                    self.outcome.flights.push(Flight { tag: new, first, count });
                    *tag.insert(new)
                }
            };
            if !self.at_once(message.size) && !self.consent(tag)? {
                return Ok(());
            }
            let connection = self.session.live()?;
            connection.write_stream(&mut *message.body, message.size)?;
            if utf8 {
                connection.write(b")")?;
            }
        }
        match tag {
            Some(tag) => self.session.live()?.end(tag),
            None => Ok(()),
        }
    }

    fn announce(&self, head: &Command, message: &Append<'_>, (is_first, nul, utf8): (bool, bool, bool)) -> Vec<u8> {
        let mut command = if is_first { head.clone() } else { Command::default() };
        if !message.flags.is_empty() {
            command = command.flags(message.flags);
        }
        if let Some(date) = message.date {
            command = command.date(date);
        }
        let plus = if self.at_once(message.size) { "+" } else { "" };
        let mut bytes = command.as_bytes().to_vec();
        let lead = match (utf8, nul) {
            (true, _) => " UTF8 (~",
            (false, true) => " ~",
            (false, false) => " ",
        };
        bytes.extend_from_slice(format!("{lead}{{{}{plus}}}\r\n", message.size).as_bytes());
        bytes
    }

    /// Waits for the server's `+`; `false`: it refused instead.
    fn consent(&mut self, tag: u32) -> Result<bool, Error> {
        let connection = self.session.live()?;
        if connection.continuation(tag, &mut |_, _| Ok(false))?.is_some() {
            return Ok(true);
        }
        // Refused: an OK to half a command would have ended the connection.
        // The ends of commands before this one stay to be taken.
        if let Some(completion) = connection.take_end(tag) {
            self.outcome.settle(tag, completion);
        }
        Ok(false)
    }

    /// Reads the answers that are still to come.
    fn land(&mut self) -> Result<(), Error> {
        let mut tags: Vec<u32> = self.outcome.flights.iter().map(|flight| flight.tag).collect();
        tags.sort_unstable();
        for tag in tags {
            let completion = self.session.live()?.complete(tag, None, &mut |_, _| Ok(false))?;
            self.outcome.settle(tag, completion);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
