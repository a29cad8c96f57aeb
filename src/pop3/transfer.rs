//! Bodies, headers and deletions: many commands in flight where the server pipelines, one at a time where not.

use std::io;
use std::time::Duration;

use super::command::Command;
use super::error::{Error, Refusal};
use super::link::Link;
use super::parse;
use super::session::{Ended, Transaction};
use crate::severity::Kind;

/// At most this many bytes of commands are sent ahead of their answers: always less than any socket buffer holds, so that
/// the server can never be stuck writing to us while we are stuck writing to it (RFC 2449 §6.6).
const WINDOW: usize = 4096;

/// The most that a message of unknown size may have, in bytes.
const UNKNOWN_SIZE_LIMIT: u64 = 1 << 30;

/// What a message may have beyond four times its announced size: sizes are estimates on some servers.
const SIZE_SLACK: u64 = 256 << 20;

/// The most that the header of a message may have, in bytes.
const HEADER_LIMIT: u64 = 16 << 20;

/// How long a server is waited for that has answered QUIT and does not hang up, as RFC 1939 §6 wants it to.
const HANG_UP: Duration = Duration::from_secs(1);

/// What is asked for of each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it, by RETR.
    Whole,
    /// The header by `TOP n 0`. Never more: TOP cuts or changes bodies on many servers.
    Header,
}

/// A message to transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its number.
    pub number: u32,
    /// Its size as LIST told.
    pub size: Option<u64>,
    /// Its unique id as UIDL told.
    pub uidl: Option<&'a [u8]>,
}

/// So many messages go out for one command that shows that they are the ones asked for, where the server pipelines.
const STRIDE: usize = 8;

/// So many messages whose sizes show nothing may wait, where the server does not pipeline, for one command that shows that
/// they are the ones asked for.
const UNSURE: usize = 16;

/// How much of a message's beginning is looked at, in bytes.
const HEAD: usize = 120;

impl Wanted<'_> {
    /// The command whose answer can be no other message's.
    fn proof(&self) -> Option<Command> {
        match (self.uidl, self.size) {
            (Some(_), _) => Some(Command::UidlOf(self.number)),
            (None, Some(_)) => Some(Command::ListOf(self.number)),
            (None, None) => None,
        }
    }
}

/// These messages are whole, and what they were asked for as.
fn end_all(messages: &mut Vec<&Wanted<'_>>, sink: &mut dyn MessageSink) -> Result<(), Error> {
    messages.drain(..).try_for_each(|message| sink.end(message.number)).map_err(Error::Sink)
}

/// Takes messages as they arrive. An error of any of these ends the session: it comes back as [`Error::Sink`].
pub trait MessageSink {
    /// The answer about this message comes next.
    fn asked(&mut self, _number: u32) {}
    /// The server has said `+OK`; the bytes follow. Several messages may have begun before the first ends.
    ///
    /// # Errors
    /// What the sink cannot do.
    fn begin(&mut self, number: u32) -> io::Result<()>;
    /// The next bytes, dots undone.
    ///
    /// # Errors
    /// What the sink cannot do.
    fn data(&mut self, chunk: &[u8]) -> io::Result<()>;
    /// The message is whole, and it is this one. Messages end in the order in which they began.
    ///
    /// # Errors
    /// What the sink cannot do.
    fn end(&mut self, number: u32) -> io::Result<()>;
    /// The server answered `-ERR` for this message. The others go on.
    ///
    /// # Errors
    /// What the sink cannot do.
    fn refused(&mut self, number: u32, refusal: Refusal) -> io::Result<()>;
}

/// Commands going out ahead of their answers.
struct Flight<'a> {
    commands: &'a [Command],
    sent: usize,
    answered: usize,
    /// Bytes of the commands sent and not answered.
    bytes: usize,
    pipelining: bool,
    /// The window was full: it is filled again in one go, once half of it is answered.
    draining: bool,
}

impl<'a> Flight<'a> {
    fn new(commands: &'a [Command], pipelining: bool) -> Self {
        Self { commands, sent: 0, answered: 0, bytes: 0, pipelining, draining: false }
    }

    fn length(command: Command) -> usize {
        command.to_string().len() + 2
    }

    /// Sends what the window takes; then the command whose answer comes next, if any is left.
    fn next(&mut self, link: &mut Link) -> Result<Option<Command>, Error> {
        self.draining &= self.bytes > WINDOW / 2;
        while let Some(&command) = self.commands.get(self.sent).filter(|_| !self.draining) {
            let length = Self::length(command);
            let waiting = self.sent > self.answered;
            if !waiting {
                link.nothing_unasked(command.name(), Duration::ZERO)?;
            }
            if waiting && (!self.pipelining || self.bytes + length > WINDOW) {
                self.draining = self.pipelining;
                break;
            }
            link.send(command)?;
            self.bytes += length;
            self.sent += 1;
        }
        let next = self.commands.get(self.answered).copied();
        if let Some(command) = next {
            self.answered += 1;
            self.bytes -= Self::length(command).min(self.bytes);
        }
        Ok(next)
    }
}

impl Transaction {
    /// Transfers messages in the order of `wanted`.
    ///
    /// POP3 answers have no tags: a message counts as whole, and as the one asked for, only once that is shown. Where the server
    /// pipelines, by the answer to a UIDL or LIST of this very message or of one soon behind it: no answer that nobody asked for
    /// passes for that, and one too many before it would have shifted it. Elsewhere by its size, or by such a command behind the last of a few messages whose sizes say nothing; nothing may
    /// have come before a command is sent. A status line at the head of a message shows that an answer too many came before it.
    ///
    /// # Errors
    /// When the connection, the protocol or the sink fails; the session is over then.
    pub fn transfer(&mut self, wanted: &[Wanted<'_>], part: Part, sink: &mut dyn MessageSink) -> Result<(), Error> {
        let proofs: Option<Vec<Command>> = wanted.iter().map(Wanted::proof).collect();
        let proofs = proofs.filter(|_| self.capabilities().pipelining());
        let ask = |w: &Wanted<'_>| match part {
            Part::Whole => Command::Retr(w.number),
            Part::Header => Command::Top(w.number, 0),
        };
        let stride = if part == Part::Header || self.careful { 1 } else { STRIDE };
        let is_proved = |at: usize| (at + 1).is_multiple_of(stride) || at + 1 == wanted.len();
        let mut commands = Vec::new();
        for (at, target) in wanted.iter().enumerate() {
            commands.push(ask(target));
            commands.extend(proofs.iter().filter_map(|proofs| proofs.get(at)).filter(|_| is_proved(at)));
        }
        let mut flight = Flight::new(&commands, proofs.is_some());
        let (mut unsure, mut refused, mut all_exact) = (Vec::new(), Vec::new(), true);
        for (at, target) in wanted.iter().enumerate() {
            let Some(command) = flight.next(&mut self.link)? else { break };
            sink.asked(target.number);
            let status = self.link.status(command.name())?;
            let exact = if status.ok { self.body(command, target, sink)? } else { false };
            if status.ok {
                unsure.push(target);
                all_exact &= exact;
            }
            if proofs.is_some() {
                if is_proved(at)
                    && let Some(proof) = flight.next(&mut self.link)?
                {
                    self.prove(proof, target, status.ok || !all_exact)?;
                    end_all(&mut unsure, sink)?;
                    all_exact = true;
                }
            } else if exact {
                end_all(&mut unsure, sink)?;
            } else if part == Part::Header || unsure.len() >= UNSURE {
                self.assure(part, &mut unsure, sink)?;
            }
            if !status.ok {
                let refusal = Refusal::of(&status);
                if part == Part::Header && refusal.kind(Kind::Protocol) == Kind::TryLater {
                    return Err(Error::Refused { command: command.name(), refusal });
                }
                refused.push((target.number, refusal));
            }
            if proofs.is_none() || is_proved(at) {
                refused.drain(..).try_for_each(|(number, why)| sink.refused(number, why)).map_err(Error::Sink)?;
            }
        }
        self.assure(part, &mut unsure, sink)
    }

    /// The lines behind a status line; whether there were as many bytes as listed.
    fn body(&mut self, command: Command, target: &Wanted<'_>, sink: &mut dyn MessageSink) -> Result<bool, Error> {
        sink.begin(target.number).map_err(Error::Sink)?;
        let limit = match (command, target.size) {
            (Command::Top(..), _) => HEADER_LIMIT,
            (_, Some(size)) => size.saturating_mul(4).saturating_add(SIZE_SLACK),
            (_, None) => UNKNOWN_SIZE_LIMIT,
        };
        let (mut head, mut size) = (Vec::new(), 0_u64);
        self.link.multiline(command.name(), limit, &mut |chunk| {
            head.extend(chunk.iter().take(HEAD - head.len()));
            size = size.saturating_add(chunk.len() as u64);
            sink.data(chunk)
        })?;
        let exact = target.size == Some(size);
        if !exact && parse::is_status(&head) {
            let line = head.split(|&c| c == b'\n').next().unwrap_or_default();
            return Err(Error::protocol(command.name(), line.trim_ascii_end()));
        }
        Ok(exact)
    }

    /// Makes sure that the messages at hand are those that were asked for, where the server does not pipeline: by a UIDL or LIST
    /// of the last of them. A server that knows neither for one message must at least have sent nothing more.
    fn assure(&mut self, part: Part, unsure: &mut Vec<&Wanted<'_>>, sink: &mut dyn MessageSink) -> Result<(), Error> {
        let Some(last) = unsure.last() else { return Ok(()) };
        self.link.nothing_unasked("RETR", Duration::ZERO)?;
        if let (Part::Whole, Some(proof)) = (part, last.proof()) {
            self.link.send(proof)?;
            match self.prove(proof, last, true) {
                // Refused by a server from which nothing else has come: it answers in step.
                Err(Error::Refused { .. }) => self.link.nothing_unasked(proof.name(), Duration::ZERO)?,
                other => other?,
            }
        }
        end_all(unsure, sink)
    }

    /// Reads the answer to `proof`, which must be the listing's. If it is not `needed`, because the server has not given this message
    /// and the sizes of those before it are right, a refusal will do.
    fn prove(&mut self, proof: Command, target: &Wanted<'_>, needed: bool) -> Result<(), Error> {
        let status = self.link.status(proof.name())?;
        if !status.ok {
            let refusal = Refusal::of(&status);
            return if needed { Err(Error::Refused { command: proof.name(), refusal }) } else { Ok(()) };
        }
        let is_it = match target.uidl {
            Some(uidl) => parse::unique_id_listing(&status.text) == Some((target.number, uidl)),
            None => parse::scan_listing(&status.text) == Some((target.number, target.size)),
        };
        if is_it { Ok(()) } else { Err(Error::protocol(proof.name(), &status.text)) }
    }

    /// DELE for each of `numbers`, then QUIT, in one flight where the server pipelines. To be called only when everything
    /// that was retrieved or is deleted here is safely stored, and what is to be deleted is on record.
    ///
    /// # Errors
    /// When the connection breaks before QUIT's answer: then nobody knows, and nothing counts as deleted.
    pub fn delete_and_quit(mut self, numbers: &[u32]) -> Result<Ended, Error> {
        let mut commands: Vec<Command> = numbers.iter().map(|&n| Command::Dele(n)).collect();
        commands.push(Command::Quit);
        let mut flight = Flight::new(&commands, self.capabilities().pipelining());
        let mut refused = Vec::new();
        while let Some(command) = flight.next(&mut self.link)? {
            let status = self.link.status(command.name())?;
            if let Command::Dele(number) = command {
                if !status.ok {
                    refused.push((number, Refusal::of(&status)));
                }
            } else if !status.ok {
                let refusal = Refusal::of(&status);
                return Ok(Ended { refused, quit: Err(Error::Refused { command: "QUIT", refusal }) });
            }
        }
        // With an answer too many the last one read was not QUIT's. An empty line is none.
        let quit = match self.link.nothing_unasked("QUIT", HANG_UP) {
            Err(Error::Protocol { text, .. }) if text.is_empty() => Ok(()),
            other => other,
        };
        Ok(Ended { refused, quit })
    }
}
