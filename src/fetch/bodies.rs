//! IMAP bodies on their way to the receiver: requests, two under way, and flags as letters.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use crate::imap::{self, BodySink, Session};
use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Keyword, Uid, UidSet};
use crate::maildir::{FolderDir, Keywords};

use super::job::Error;
use super::plan::Entry;
use super::receive::Receiver;

/// A request for bodies has so many messages, or so many bytes as listed; two requests are under way.
const REQUEST_MESSAGES: usize = 500;
const REQUEST_BYTES: u64 = 32 << 20;

/// Cuts what is wanted into requests; the first one has about as many bytes as `sample`.
#[must_use]
pub fn requests<'e>(entries: impl Iterator<Item = &'e Entry>, sample: Option<u64>) -> Vec<UidSet> {
    let mut out: Vec<UidSet> = Vec::new();
    let (mut count, mut bytes) = (REQUEST_MESSAGES, 0_u64);
    for entry in entries {
        let Some(uid) = Uid::new(entry.number) else { continue };
        let most = sample.filter(|_| out.len() < 2).unwrap_or(REQUEST_BYTES);
        if count >= REQUEST_MESSAGES || bytes >= most {
            out.push(UidSet::new());
            (count, bytes) = (0, 0);
        }
        if let Some(set) = out.last_mut() {
            set.insert(uid);
        }
        count += 1;
        bytes = bytes.saturating_add(entry.size.unwrap_or_default());
    }
    out
}

/// Requests bodies, two requests under way. On a line that is not weighed yet the first one goes alone.
///
/// # Errors
/// Those of the connection; the sink's stand in its receiver.
pub fn transfer(server: &mut Session, requests: &[UidSet], bodies: &mut Bodies<'_, '_>) -> Result<(), imap::Error> {
    let mut requests = requests.iter();
    if let (Some(_), true, Some(first)) = (server.sample(), requests.len() > 1, requests.as_slice().first()) {
        let started = Instant::now();
        let pending = server.send_bodies(first)?;
        server.finish_bodies(pending, bodies)?;
        server.weigh(bodies.bytes, started.elapsed())?;
        requests.next();
    }
    let mut under_way = None;
    for set in requests {
        let next = server.send_bodies(set)?;
        if let Some(pending) = under_way.replace(next) {
            server.finish_bodies(pending, bodies)?;
        }
    }
    under_way.map_or(Ok(()), |pending| server.finish_bodies(pending, bodies))
}

/// Gives bodies to the receiver, with their flags as letters.
pub struct Bodies<'r, 'e> {
    /// Where they go.
    pub receiver: Receiver<'r, 'e>,
    /// The folder's keywords.
    pub keywords: Keywords,
    /// The folder.
    pub dir: FolderDir,
    /// Keywords that have no letter.
    pub left_out: BTreeSet<Keyword>,
    /// What came, or was said not to.
    pub got: UidSet,
    /// How much came.
    pub bytes: u64,
}

impl BodySink for Bodies<'_, '_> {
    fn begin(&mut self, _size: u64) -> io::Result<()> {
        self.receiver.start()
    }

    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(chunk.len() as u64);
        self.receiver.write(chunk)
    }

    fn end(&mut self, message: &RemoteMessage) -> io::Result<()> {
        let flags = message.flags.clone().unwrap_or_default();
        for keyword in &flags.keywords {
            if self.keywords.assign(keyword).is_none() {
                self.left_out.insert(keyword.clone());
            }
        }
        if self.keywords.is_dirty() {
            // Before any file carries the letter.
            let saved = self.keywords.save(&self.dir).map_err(Error::from);
            self.receiver.note(saved)?;
        }
        let (letters, _) = self.keywords.letters_of(&flags);
        self.got.insert(message.uid);
        self.receiver.finish(message.uid.get(), &letters, message.date)
    }

    fn missing(&mut self, message: &RemoteMessage) {
        self.got.insert(message.uid);
        self.receiver
            .refused
            .push((message.uid.get(), ("the server gave no content".into(), crate::severity::Kind::Protocol)));
    }

    fn forget(&mut self) {
        self.receiver.forget();
    }
}
