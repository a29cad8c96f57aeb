//! What POP3 messages meet on arrival: the file, the plan's expectation, the batch. And their headers, digested.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};

use crate::mail::{ContentHasher, Digest, Timestamp};
use crate::maildir::{self, Incoming, Letters};
use crate::pop3::{MessageSink, Refusal};
use crate::severity::Kind;
use crate::state::State;
use crate::state::seen::Row;

use super::desk::{Arrival, Desk, Done};
use super::held::Held;
use super::job::Error;
use super::plan::{Candidates, Entry, Headers, Settled};

/// Collects digests of headers.
#[derive(Default)]
pub struct HeaderSink {
    /// What came.
    pub headers: Headers,
    hasher: Option<ContentHasher>,
}

impl MessageSink for HeaderSink {
    fn begin(&mut self, _number: u32) -> io::Result<()> {
        self.hasher = Some(ContentHasher::new());
        Ok(())
    }

    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(chunk);
        }
        Ok(())
    }

    fn end(&mut self, number: u32) -> io::Result<()> {
        self.headers.insert(number, self.hasher.take().map(|hasher| hasher.finish().header));
        Ok(())
    }

    fn refused(&mut self, number: u32, _refusal: Refusal) -> io::Result<()> {
        self.headers.insert(number, None);
        Ok(())
    }
}

/// A message that is wanted.
#[derive(Clone, Debug)]
pub struct Expected {
    /// How it was listed.
    pub entry: Entry,
    /// The row that it may be: its index.
    pub row: Option<usize>,
}

/// Takes whole messages.
pub struct Receiver<'a, 'e> {
    /// Where they become durable.
    pub desk: Desk<'a>,
    /// The state that their rows go to.
    pub state: &'e mut State,
    /// The rows of the source.
    pub rows: &'e [Row],
    /// Rows that messages may turn out to be.
    pub candidates: Candidates,
    /// What the Maildir holds by content, where that was looked at.
    pub present: Option<&'e HashSet<Digest>>,
    /// What was asked for, by number.
    pub wanted: BTreeMap<u32, Expected>,
    /// What is durable.
    pub done: Vec<Done>,
    /// Messages that the server refused, or gave nothing of.
    pub refused: Vec<(u32, (String, Kind))>,
    /// The message whose answer is awaited, or came last.
    pub asked: Option<u32>,
    /// The message of which bytes have come and not all.
    pub current: Option<u32>,
    /// Why the sink failed.
    pub failed: Option<Error>,
    /// Told after every message: how many have come. False asks to end.
    pub progress: &'e dyn Fn(u64) -> bool,
    /// What is here without a row.
    pub held: Held,
    /// How many have come.
    pub count: u64,
    incoming: Option<Incoming>,
    /// Messages of which every byte has come, and that are not yet known to be the ones asked for.
    parked: Vec<(u32, Incoming)>,
}

impl<'a, 'e> Receiver<'a, 'e> {
    /// A receiver that waits for `wanted`.
    pub fn new(desk: Desk<'a>, state: &'e mut State, rows: &'e [Row], progress: &'e dyn Fn(u64) -> bool) -> Self {
        Self {
            desk,
            state,
            rows,
            candidates: Candidates::default(),
            present: None,
            wanted: BTreeMap::new(),
            done: Vec::new(),
            refused: Vec::new(),
            asked: None,
            current: None,
            failed: None,
            progress,
            held: Held::default(),
            count: 0,
            incoming: None,
            parked: Vec::new(),
        }
    }

    /// Makes durable what has come.
    ///
    /// # Errors
    /// Those of disk and state.
    pub fn commit(&mut self) -> Result<(), Error> {
        let done = self.desk.commit(self.state)?;
        self.done.extend(done);
        Ok(())
    }

    /// A message begins.
    ///
    /// # Errors
    /// What stands in [`Receiver::failed`] then.
    pub fn start(&mut self) -> io::Result<()> {
        let incoming = self.desk.begin();
        self.incoming = Some(self.note(incoming)?);
        Ok(())
    }

    /// The next bytes of the message that began.
    ///
    /// # Errors
    /// What stands in [`Receiver::failed`] then.
    pub fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let written = self.incoming.as_mut().map_or(Ok(()), |incoming| incoming.write_all(chunk));
        self.note(written.map_err(|e| maildir::Error::from_writer(e).into()))
    }

    /// The message that began is nobody's.
    pub fn forget(&mut self) {
        self.incoming = None;
    }

    /// The message that began is whole.
    ///
    /// # Errors
    /// What stands in [`Receiver::failed`] then.
    pub fn finish(&mut self, number: u32, letters: &Letters, date: Option<Timestamp>) -> io::Result<()> {
        let settled = self.settle(number, letters, date);
        self.note(settled)?;
        self.count += 1;
        if (self.progress)(self.count) {
            return Ok(());
        }
        self.note(Err(Error::Interrupted))
    }

    fn settle(&mut self, number: u32, letters: &Letters, date: Option<Timestamp>) -> Result<(), Error> {
        let (Some(incoming), Some(expected)) = (self.incoming.take(), self.wanted.get(&number).cloned()) else {
            return Ok(());
        };
        let content = incoming.content();
        if content.size == 0 {
            // Exchange lists messages and then gives nothing: that is not the message.
            self.refused.push((number, ("the server gave an empty message".into(), Kind::Protocol)));
            return Ok(());
        }
        let row = |index: usize| self.rows.get(index).map(|row| (index, row));
        let candidate = expected.row.and_then(row);
        let settled = self.candidates.settle(&content, candidate, self.present);
        let mut arrival = Arrival { number, key: expected.entry.key, size: expected.entry.size, content, row: None };
        let is = match settled {
            Settled::Row(index) => {
                if let Some((_, row)) = row(index) {
                    let mut row = row.clone();
                    if row.seen.content.is_none() {
                        // Another tool's: the file is known only now.
                        row.seen.file =
                            self.desk.find(&mut self.held, arrival.content.digest).map(|(_, unique)| unique);
                    }
                    self.desk.keep(&arrival, &row);
                }
                Some(index)
            }
            // Of equal messages here each stands for one on the server.
            Settled::Present | Settled::Store(None) => {
                match self.desk.find(&mut self.held, arrival.content.digest) {
                    Some(file) => self.desk.adopt(&arrival, file),
                    None => self.desk.store(incoming, arrival, letters, date)?,
                }
                None
            }
            Settled::Store(Some(index)) => {
                arrival.row = row(index).map(|(_, row)| row.clone());
                self.desk.store(incoming, arrival, letters, date)?;
                Some(index)
            }
        };
        if let (Some((_, row)), true) = (candidate, is != expected.row) {
            self.desk.displace(row.id);
        }
        if self.desk.is_full() { self.commit() } else { Ok(()) }
    }

    /// Keeps the typed error, which an [`io::Error`] cannot carry through the protocol.
    pub fn note<T>(&mut self, result: Result<T, Error>) -> io::Result<T> {
        result.map_err(|error| {
            self.failed = Some(error);
            io::ErrorKind::Other.into()
        })
    }
}

impl MessageSink for Receiver<'_, '_> {
    fn asked(&mut self, number: u32) {
        self.asked = Some(number);
    }

    fn begin(&mut self, number: u32) -> io::Result<()> {
        if let (Some(before), Some(incoming)) = (self.current.replace(number), self.incoming.take()) {
            self.parked.push((before, incoming));
        }
        self.start()
    }

    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.write(chunk)
    }

    fn end(&mut self, number: u32) -> io::Result<()> {
        let parked = self.parked.iter().position(|(n, _)| *n == number).map(|at| self.parked.remove(at).1);
        let Some(whole) = parked else {
            self.current = None;
            return self.finish(number, &Letters::default(), None);
        };
        let last = self.incoming.replace(whole);
        self.finish(number, &Letters::default(), None)?;
        self.incoming = last;
        Ok(())
    }

    fn refused(&mut self, number: u32, refusal: Refusal) -> io::Result<()> {
        self.refused.push((number, (refusal.to_string(), refusal.kind(Kind::Protocol))));
        Ok(())
    }
}
