//! Bodies, headers and deletions: many commands in flight where the server pipelines, one at a time where not.

use std::io;

use super::command::Command;
use super::error::{Error, Refusal};
use super::link::Link;
use super::session::{Ended, Transaction};

/// At most this many bytes of commands are sent ahead of their answers: always less than any socket buffer holds, so that
/// the server can never be stuck writing to us while we are stuck writing to it (RFC 2449 §6.6).
const WINDOW: usize = 4096;

/// The most that a message of unknown size may have, in bytes.
const UNKNOWN_SIZE_LIMIT: u64 = 1 << 30;

/// What a message may have beyond four times its announced size: sizes are estimates on some servers.
const SIZE_SLACK: u64 = 256 << 20;

/// The most that the header of a message may have, in bytes.
const HEADER_LIMIT: u64 = 16 << 20;

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
pub struct Wanted {
    /// Its number.
    pub number: u32,
    /// Its size as LIST told.
    pub size: Option<u64>,
}

/// Takes messages as they arrive. An error of any of these ends the session: it comes back as [`Error::Sink`].
pub trait MessageSink {
    /// The server has said `+OK`; the bytes follow.
    ///
    /// # Errors
    /// What the sink cannot do.
    fn begin(&mut self, number: u32) -> io::Result<()>;
    /// The next bytes, dots undone.
    ///
    /// # Errors
    /// What the sink cannot do.
    fn data(&mut self, chunk: &[u8]) -> io::Result<()>;
    /// The message is whole: its terminator came, and what follows it is an answer and not more of the message.
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
    /// A message counts as whole only once the next status line was understood: where a server forgets dot-stuffing, a
    /// lone dot would otherwise cut a message short without anybody noticing.
    ///
    /// # Errors
    /// When the connection, the protocol or the sink fails; the session is over then.
    pub fn transfer(&mut self, wanted: &[Wanted], part: Part, sink: &mut dyn MessageSink) -> Result<(), Error> {
        let pipelining = self.capabilities().pipelining();
        let mut commands: Vec<Command> = wanted
            .iter()
            .map(|w| match part {
                Part::Whole => Command::Retr(w.number),
                Part::Header => Command::Top(w.number, 0),
            })
            .collect();
        if part == Part::Whole && pipelining && !commands.is_empty() {
            // Its answer proves that the last message is whole, and costs no round trip.
            commands.push(Command::Noop);
        }
        let mut flight = Flight::new(&commands, pipelining);
        let mut whole = None;
        let mut targets = wanted.iter();
        while let Some(command) = flight.next(&mut self.link)? {
            let status = self.link.status(command.name())?;
            if let Some(number) = whole.take() {
                sink.end(number).map_err(Error::Sink)?;
            }
            let Some(target) = targets.next() else { break };
            if !status.ok {
                sink.refused(target.number, Refusal::of(&status)).map_err(Error::Sink)?;
                continue;
            }
            sink.begin(target.number).map_err(Error::Sink)?;
            let limit = match (part, target.size) {
                (Part::Header, _) => HEADER_LIMIT,
                (Part::Whole, Some(size)) => size.saturating_mul(4).saturating_add(SIZE_SLACK),
                (Part::Whole, None) => UNKNOWN_SIZE_LIMIT,
            };
            self.link.multiline(command.name(), limit, &mut |chunk| sink.data(chunk))?;
            whole = Some(target.number);
        }
        if let Some(number) = whole {
            if self.link.has_input() {
                let line = self.link.line("RETR")?;
                return Err(Error::protocol("RETR", &line));
            }
            sink.end(number).map_err(Error::Sink)?;
        }
        Ok(())
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
        Ok(Ended { refused, quit: Ok(()) })
    }
}
