//! Downloads: bodies stream from several connections into `tmp`, become durable in batches, then get their rows.

mod flight;
mod parts;
mod receiver;
mod rows;

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::mail::UidSet;
use crate::maildir::Batch;
use crate::severity::{Kind, Retry, Scope, Severity as _};
use crate::state::{Row, RowId};

use super::super::engine::{Error, RETRIES};
use super::super::op::Op;
use super::copies::Wanted;
use super::progress::Progress;
use super::{Run, lock};
use parts::{Part, cut, take_load};
use rows::note_waiting;

pub(super) use parts::Want;
pub(super) use rows::Waiting;

/// What is downloaded becomes durable when it is this much, in bytes,
const BATCH_BYTES: u64 = 256 << 20;
/// or that many messages,
const BATCH: usize = 8192;
/// or this old.
const BATCH_AGE: Duration = Duration::from_secs(10);
/// Another connection pays only for this much, in bytes,
const WORTH_BYTES: u64 = 4 << 20;
/// or that many folders.
const WORTH_FOLDERS: usize = 24;

impl Run<'_, '_> {
    pub(super) fn download(&self, ops: Vec<Op>) -> Result<(), Error> {
        let mut wanted = Wanted::new();
        let rows: HashMap<RowId, Row> = self.rows_of(&ops)?.into_iter().map(|r| (r.id, r)).collect();
        for op in ops {
            if let Op::Download { folder, remote } = op {
                wanted.entry(folder).or_default().insert(remote.message.uid, Want::new(remote));
            } else if let Op::Refetch { row, folder, uid, flags } = op {
                wanted.entry(folder).or_default().insert(uid, Want::again(uid, rows.get(&row).cloned(), flags));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let (now, later) = self.copy_known(wanted)?;
        self.fetch(now)?;
        let (rest, more) = self.copy_known(later)?;
        self.fetch(rest)?;
        self.fetch(more)
    }

    /// Downloads bodies.
    fn fetch(&self, wanted: Wanted) -> Result<(), Error> {
        if wanted.is_empty() {
            return Ok(());
        }
        let parts = cut(wanted);
        let progress = Progress::of(parts.iter().map(|part| (part.folder, part.bytes())));
        let bytes = progress.total();
        let folders = parts.len();
        let worth = 1 + usize::try_from(bytes / WORTH_BYTES).unwrap_or(usize::MAX).max(folders / WORTH_FOLDERS);
        // A server on this machine shares its processors with us: more than two connections only get in each other's way.
        let most = if self.engine.with_spare(|conn| conn.session.is_loopback())? { 2 } else { usize::MAX };
        let workers = self.engine.job.account.connections.min(worth).min(parts.len()).min(most);
        let progress = Mutex::new(progress);
        let queue = Mutex::new(VecDeque::from(parts));
        let fatal: Mutex<Option<Error>> = Mutex::new(None);
        let work = || {
            if let Err(error) = self.worker(&queue, &fatal, &progress) {
                lock(&fatal).get_or_insert(error);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..workers {
                // Without another thread this one does the work.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        let error = lock(&fatal).take();
        error.map_or(Ok(()), Err)
    }

    /// Takes parts until none is left; what was received is made durable whatever happens.
    fn worker(
        &self,
        queue: &Mutex<VecDeque<Part>>,
        fatal: &Mutex<Option<Error>>,
        progress: &Mutex<Progress>,
    ) -> Result<(), Error> {
        let mut batch = Batch::new(&self.engine.layout, &self.engine.file_system)?;
        let mut waiting = HashMap::new();
        let mut since = Instant::now();
        let outcome = loop {
            if lock(fatal).is_some() {
                break Ok(());
            }
            let load = take_load(queue);
            if load.is_empty() {
                break Ok(());
            }
            if let Err(error) = self.load(load, queue, (&mut batch, &mut waiting), progress) {
                break Err(error);
            }
            if batch.bytes() >= BATCH_BYTES || batch.len() >= BATCH || since.elapsed() >= BATCH_AGE {
                self.commit(&mut batch, &mut waiting)?;
                since = Instant::now();
            }
        };
        self.commit(&mut batch, &mut waiting)?;
        outcome
    }

    /// Downloads some parts in one flight. What did not come goes back to the queue, or is told of.
    fn load(
        &self,
        mut load: Vec<Part>,
        queue: &Mutex<VecDeque<Part>>,
        (batch, waiting): (&mut Batch<'_>, &mut HashMap<u64, Waiting>),
        progress: &Mutex<Progress>,
    ) -> Result<(), Error> {
        // A connection that cannot be had has been tried for again already.
        let connected = self.engine.check_stop().and_then(|()| self.engine.connection());
        let mut conn = connected.inspect_err(|_| load.iter().for_each(|part| self.mark_failed(part.folder)))?;
        if let Some(sample) = conn.session.sample() {
            for rest in parts::leave(&mut load, sample).into_iter().rev() {
                lock(queue).push_front(rest);
            }
        }
        let (started, expected) = (Instant::now(), load.iter().map(Part::bytes).sum::<u64>());
        let outcome = self.flight(&mut conn, &mut load, (batch, waiting), progress);
        let missing = load.iter().map(Part::bytes).sum();
        let outcome =
            outcome.and_then(|()| self.engine.weigh(&mut conn, expected.saturating_sub(missing), started.elapsed()));
        self.engine.give_back(conn);
        let Err(error) = outcome else {
            return self.tell_missing(&load);
        };
        let tries = load.iter().map(|part| part.tries).max().unwrap_or(0);
        if error.retry() != Retry::Now || tries >= RETRIES {
            load.iter().for_each(|part| self.mark_failed(part.folder));
            return Err(error);
        }
        let backed_off = self.engine.back_off(&error, tries + 1);
        backed_off.inspect_err(|_| load.iter().for_each(|part| self.mark_failed(part.folder)))?;
        for mut part in load.into_iter().filter(|p| !p.wants.is_empty()) {
            part.tries += 1;
            lock(queue).push_back(part);
        }
        Ok(())
    }

    /// Messages that the server did not give, though it has answered: tried again next time. Those that are gone are no failure.
    fn tell_missing(&self, load: &[Part]) -> Result<(), Error> {
        for part in load.iter().filter(|p| !p.wants.is_empty()) {
            let target = self.folder(part.folder)?;
            let set: UidSet = part.wants.keys().copied().collect();
            let mut conn = self.engine.connection()?;
            let there = conn.open(target, self.validity(part.folder)).and_then(|()| Ok(conn.session.existing(&set)?));
            self.engine.give_back(conn);
            let there = match there {
                Ok(there) => there,
                // What this folder refuses stops no other: its cursor stays.
                Err(error) => {
                    self.contain(part.folder, Err(error))?;
                    continue;
                }
            };
            for want in part.wants.values().filter(|w| there.contains(w.message().uid)) {
                self.engine.fail_message(&target.name, &format!("UID {}", want.message().uid), &NotGiven);
                self.count(part.folder, |s| s.skipped += 1)?;
            }
            let open: Vec<&Want> = part.wants.values().filter(|w| there.contains(w.message().uid)).collect();
            self.engine.state().commit(|db| {
                for want in open {
                    note_waiting(db, part.folder, want)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The server has a message and gives no body.
#[derive(Debug, thiserror::Error)]
#[error("the server has it but does not give it")]
struct NotGiven;

impl crate::severity::Severity for NotGiven {
    fn scope(&self) -> Scope {
        Scope::Message
    }
    fn retry(&self) -> Retry {
        Retry::Later
    }
    fn kind(&self) -> Kind {
        Kind::Protocol
    }
    fn hint(&self) -> Option<String> {
        Some("it is tried again with every run; look at it in the provider's web mail".into())
    }
}
