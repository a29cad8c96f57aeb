//! Takes the bodies of one part into a batch.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::imap::BodySink;
use crate::mail::snapshot::RemoteMessage;
use crate::maildir::{Batch, Delivery, FolderDir, Incoming};

use super::super::progress::Progress;
use super::super::{Run, lock};
use super::Waiting;
use super::parts::Part;

/// Takes the bodies of one part into a batch.
pub struct Receiver<'a, 'b, 'r, 'e> {
    pub run: &'a Run<'r, 'e>,
    pub dir: &'a FolderDir,
    pub part: &'a mut Part,
    pub batch: &'a mut Batch<'b>,
    pub waiting: &'a mut HashMap<u64, Waiting>,
    pub incoming: Option<Incoming>,
    /// Bytes of the body at hand.
    pub received: u64,
    /// The folder is the one that was meant; otherwise bodies pass unseen.
    pub open: bool,
    pub progress: &'a Mutex<Progress>,
    pub name: String,
    pub last: Instant,
}

impl Receiver<'_, '_, '_, '_> {
    fn advance(&mut self, bytes: u64) {
        let (all, folder) = lock(self.progress).advance(self.part.folder, bytes);
        if self.last.elapsed() > Duration::from_millis(50) || folder.is_whole() {
            self.last = Instant::now();
            let job = &self.run.engine.job;
            let account = &job.account.name;
            if let Some(all) = all {
                job.sink.progress_bytes(account, "", all.done, all.total);
            }
            job.sink.progress_bytes(account, &self.name, folder.done, folder.total);
        }
    }
}

impl BodySink for Receiver<'_, '_, '_, '_> {
    fn begin(&mut self, _size: u64) -> io::Result<()> {
        if self.open {
            self.received = 0;
            self.incoming = Some(self.batch.begin(self.dir).map_err(io::Error::other)?);
        }
        Ok(())
    }

    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.received += chunk.len() as u64;
        self.advance(chunk.len() as u64);
        match &mut self.incoming {
            Some(incoming) => incoming.write_all(chunk),
            None => Ok(()),
        }
    }

    fn end(&mut self, message: &RemoteMessage) -> io::Result<()> {
        let Some(incoming) = self.incoming.take() else { return Ok(()) };
        let Some(want) = self.part.wants.get_mut(&message.uid) else { return Ok(()) };
        // A server that gives nothing where there is something has not given the message.
        if self.received == 0 && want.message().size != Some(0) {
            return Ok(());
        }
        let told = message.flags.clone().or(want.message().flags.clone()).unwrap_or_default();
        want.set_date_if_none(message.date);
        let folder = self.part.folder;
        let flags = self.run.mask(folder).keep(&told);
        let run = self.run;
        let assigned = run.assign(folder, flags.keywords.iter());
        let letters = assigned.and_then(|()| run.with_keywords(folder, |k| k.letters_of(&flags).0));
        let letters = letters.map_err(io::Error::other)?;
        // Nothing leaves the map before all does.
        let key = self.waiting.len() as u64;
        let unique = self.run.unique(folder, want);
        let delivery = Delivery { key, unique: unique.as_bytes(), letters: &letters, date: want.message().date };
        incoming.finish(self.batch, &delivery).map_err(io::Error::other)?;
        if let Some(want) = self.part.wants.remove(&message.uid) {
            self.waiting.insert(key, Waiting { folder, want, flags });
        }
        Ok(())
    }

    fn missing(&mut self, _message: &RemoteMessage) {
        self.incoming = None;
    }

    fn forget(&mut self) {
        self.incoming = None;
    }
}
