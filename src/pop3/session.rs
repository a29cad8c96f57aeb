//! The TRANSACTION state: what is listed, counted and ended. Bodies and deletions are in `transfer`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::capability::{Capabilities, Remembered};
use super::command::Command;
use super::error::{Code, Error, Refusal};
use super::link::Link;
use super::parse;

/// The most messages that a listing may have: more would be a broken server.
const MAX_MESSAGES: usize = 4_000_000;

/// One message of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number in this session.
    pub number: u32,
    /// Its unique id, as the server's bytes; `None` when the server has none for it.
    pub uidl: Option<Vec<u8>>,
    /// Its size in bytes as LIST told: a hint (some servers estimate, or send rubbish).
    pub size: Option<u64>,
}

/// What is in the maildrop, in the order of the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The messages.
    pub messages: Vec<Listed>,
    /// Whether the server answers UIDL at all.
    pub has_uidl: bool,
}

/// A session after the login. Dropping it closes the connection **without** QUIT, so that nothing is deleted.
pub struct Transaction {
    pub(super) link: Link,
    capabilities: Capabilities,
    remembered: Remembered,
    /// UIDL and LIST have been sent and their answers not read.
    listing_ahead: bool,
    /// The listing, where it had to be read before it was asked for.
    held: Option<Listing>,
    /// Each message is proved by itself.
    pub(super) careful: bool,
}

/// How a session that deleted came to its end.
#[derive(Debug)]
pub struct Ended {
    /// The messages whose DELE was refused.
    pub refused: Vec<(u32, Refusal)>,
    /// The answer to QUIT: only `Ok` means that the others are gone.
    pub quit: Result<(), Error>,
}

impl Transaction {
    pub(super) fn new(link: Link, capabilities: Capabilities, remembered: Remembered, listing_ahead: bool) -> Self {
        let mut transaction = Self { link, capabilities, remembered, listing_ahead, held: None, careful: false };
        transaction.link.logged_in();
        transaction
    }

    /// What the server can do now.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The certificate, for `check`.
    #[must_use]
    pub fn certificate(&mut self) -> Option<crate::transport::Certificate> {
        self.link.stream().certificate()
    }

    /// From now on each message is proved by itself: for a server whose answers did not add up.
    pub fn be_careful(&mut self) {
        self.careful = true;
    }

    /// What to keep for the next session's login.
    #[must_use]
    pub fn remembered(&self) -> &Remembered {
        &self.remembered
    }

    /// Reads the listing, if it was sent for ahead.
    pub(super) fn read_ahead(&mut self) -> Result<(), Error> {
        if self.listing_ahead {
            self.held = Some(self.listing()?);
        }
        Ok(())
    }

    /// Reads what was sent ahead: then every command is answered, and nothing else may have come.
    fn settle(&mut self, next: Command) -> Result<(), Error> {
        self.read_ahead()?;
        self.link.nothing_unasked(next.name(), Duration::ZERO)
    }

    /// STAT: the number of messages and, where told, their octets.
    ///
    /// # Errors
    /// When refused or not understood.
    pub fn stat(&mut self) -> Result<(u64, Option<u64>), Error> {
        self.settle(Command::Stat)?;
        self.link.send(Command::Stat)?;
        let status = self.link.expect_ok(Command::Stat)?;
        parse::drop_listing(&status.text).ok_or_else(|| Error::protocol("STAT", &status.text))
    }

    /// UIDL and LIST, in one flight where the server pipelines. A server without UIDL still lists; one with neither is asked
    /// by STAT how many there are.
    ///
    /// # Errors
    /// When the connection or the protocol breaks, or a refusal says "later".
    pub fn listing(&mut self) -> Result<Listing, Error> {
        if let Some(listing) = self.held.take() {
            return Ok(listing);
        }
        if !self.listing_ahead {
            self.link.nothing_unasked("UIDL", Duration::ZERO)?;
            self.link.send(Command::Uidl)?;
            if self.capabilities.pipelining() {
                self.link.send(Command::List)?;
            }
        }
        let mut uidls: BTreeMap<u32, Option<Vec<u8>>> = BTreeMap::new();
        let has_uidl = self.scan(Command::Uidl, &mut |line| {
            let (number, id) = parse::unique_id_listing(line)?;
            uidls.entry(number).or_insert_with(|| (!id.is_empty()).then(|| id.to_vec()));
            Some(uidls.len())
        })?;
        if !self.listing_ahead && !self.capabilities.pipelining() {
            self.link.send(Command::List)?;
        }
        self.listing_ahead = false;
        let mut sizes: BTreeMap<u32, Option<u64>> = BTreeMap::new();
        let has_list = self.scan(Command::List, &mut |line| {
            let (number, size) = parse::scan_listing(line)?;
            sizes.entry(number).or_insert(size);
            Some(sizes.len())
        })?;
        if !has_uidl && !has_list {
            let last = u32::try_from(self.stat()?.0.min(MAX_MESSAGES as u64)).unwrap_or(u32::MAX);
            uidls.extend((1..=last).map(|number| (number, None)));
        }
        // What stands only in LIST came between the two commands, or has no id on this server.
        for &number in sizes.keys() {
            uidls.entry(number).or_insert(None);
        }
        let messages = uidls
            .into_iter()
            .map(|(number, uidl)| Listed { number, uidl, size: sizes.get(&number).copied().flatten() })
            .collect();
        Ok(Listing { messages, has_uidl })
    }

    /// Reads a listing; `each` gives how many entries there are, or `None` for a line that is no entry. False when refused.
    fn scan(&mut self, command: Command, each: &mut dyn FnMut(&[u8]) -> Option<usize>) -> Result<bool, Error> {
        match self.link.expect_ok(command) {
            Ok(_) => {}
            // A code tells of trouble. Only a refusal without one says that the server does not know the command.
            Err(Error::Refused { refusal: Refusal { code: None | Some(Code::Other(_)), .. }, .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let (mut bad, mut count) = (None, 0);
        self.link.lines(command.name(), &mut |line| match each(line) {
            Some(entries) => count = entries,
            None if line.is_empty() => {}
            None => bad = bad.take().or_else(|| Some(line.to_vec())),
        })?;
        match bad {
            Some(line) => Err(Error::protocol(command.name(), &line)),
            None if count > MAX_MESSAGES => Err(Error::Limit { command: command.name(), limit: MAX_MESSAGES as u64 }),
            None => Ok(true),
        }
    }

    /// NOOP.
    ///
    /// # Errors
    /// When refused, or the connection breaks.
    pub fn noop(&mut self) -> Result<(), Error> {
        self.settle(Command::Noop)?;
        self.link.send(Command::Noop)?;
        self.link.expect_ok(Command::Noop).map(drop)
    }

    /// RSET: takes all marks of DELE back.
    ///
    /// # Errors
    /// When refused, or the connection breaks.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.settle(Command::Rset)?;
        self.link.send(Command::Rset)?;
        self.link.expect_ok(Command::Rset).map(drop)
    }

    /// QUIT, waiting for its answer. To be called only when everything that was retrieved is safely stored: servers may
    /// delete that (RFC 1939 §8, RFC 2449 §6.7).
    ///
    /// # Errors
    /// When refused ("some deleted messages not removed"), or the connection breaks.
    pub fn quit(mut self) -> Result<(), Error> {
        self.settle(Command::Quit)?;
        self.link.send(Command::Quit)?;
        self.link.expect_ok(Command::Quit).map(drop)
    }

    /// QUIT without waiting: for a session that has neither retrieved nor deleted anything.
    pub fn leave(mut self) {
        // Nothing depends on it: the connection is closed right after.
        let _ = self.link.send(Command::Quit).and_then(|()| self.link.flush());
    }
}
