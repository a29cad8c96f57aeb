//! Downloads: bodies stream from several connections into `tmp`, become durable in batches, then get their rows.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::imap::{Access, BodySink};
use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Flags, Uid, UidSet, UidValidity};
use crate::maildir::{Batch, Delivery, FolderDir, Incoming};
use crate::severity::{Kind, Retry, Scope, Severity as _};
use crate::state::{FolderId, Mark, Row, RowId, base, folder};

use super::super::engine::{Conn, Error};
use super::super::op::Op;
use super::super::view::RemoteNew;
use super::copies::Wanted;
use super::progress::Progress;
use super::{Run, lock, settle};

/// At most so many messages are asked for with one command.
const PART: usize = 500;
/// At most so many bytes.
const PART_BYTES: u64 = 32 << 20;
/// At most so many commands for different folders are under way on one connection.
const FLIGHT: usize = 32;
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

/// One message that is wanted.
#[derive(Clone)]
pub(super) struct Want {
    pub(super) uid: Uid,
    /// Its row, if it has one: waiting, or with a file that is missing.
    pub(super) row: Option<Box<Row>>,
    pub(super) message: RemoteMessage,
}

/// Messages of one folder that are asked for with one command.
#[derive(Clone)]
struct Part {
    folder: FolderId,
    wants: BTreeMap<Uid, Want>,
    tries: u32,
}

impl Part {
    fn bytes(&self) -> u64 {
        self.wants.values().map(|w| w.message.size.unwrap_or(4096)).sum()
    }
}

/// What waits in a worker's batch for its row.
pub(super) struct Waiting {
    pub(super) folder: FolderId,
    pub(super) want: Want,
    pub(super) flags: Flags,
}

impl Run<'_, '_> {
    pub(super) fn download(&self, ops: Vec<Op>) -> Result<(), Error> {
        let mut wanted = Wanted::new();
        let rows: HashMap<RowId, Row> = self.rows_of(&ops)?.into_iter().map(|r| (r.id, r)).collect();
        for op in ops {
            if let Op::Download { folder, remote } = op {
                let RemoteNew { message, row, .. } = *remote;
                wanted.entry(folder).or_default().insert(message.uid, Want { uid: message.uid, row, message });
            } else if let Op::Refetch { row, folder, uid, flags } = op {
                let mut message = RemoteMessage::new(uid);
                let row = rows.get(&row).cloned().map(Box::new);
                message.flags = Some(flags);
                message.size = row.as_ref().and_then(|r| r.identity.size_wire);
                message.date = row.as_ref().and_then(|r| r.identity.date);
                wanted.entry(folder).or_default().insert(uid, Want { uid, row, message });
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
        let most = if self.engine.is_loopback()? { 2 } else { usize::MAX };
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
        let (started, expected) = (Instant::now(), load.iter().map(Part::bytes).sum::<u64>());
        let outcome = self.flight(&mut conn, &mut load, (batch, waiting), progress);
        let missing = load.iter().map(Part::bytes).sum();
        let outcome = outcome.and_then(|()| conn.weigh(expected.saturating_sub(missing), started.elapsed()));
        self.engine.give_back(conn);
        let Err(error) = outcome else {
            return self.tell_missing(&load);
        };
        let again =
            error.retry() == Retry::Now && load.iter().all(|p| p.tries < 3) && error.kind() != Kind::Interrupted;
        if !again {
            load.iter().for_each(|part| self.mark_failed(part.folder));
            return Err(error);
        }
        for mut part in load.into_iter().filter(|p| !p.wants.is_empty()) {
            part.tries += 1;
            lock(queue).push_back(part);
        }
        Ok(())
    }

    fn flight(
        &self,
        conn: &mut Conn,
        load: &mut [Part],
        (batch, waiting): (&mut Batch<'_>, &mut HashMap<u64, Waiting>),
        progress: &Mutex<Progress>,
    ) -> Result<(), Error> {
        let mut flights = Vec::new();
        for (at, part) in load.iter().enumerate() {
            let target = self.folder(part.folder)?;
            let Some(mailbox) = target.mailbox.as_ref() else {
                return Err(Error::Guard(format!("{} is not on the server", target.name)));
            };
            let set: UidSet = part.wants.keys().copied().collect();
            // The folder that is open already needs no SELECT; between two requests it is the wall that keeps their answers apart.
            let open = conn
                .open
                .filter(|(id, validity, _)| at == 0 && *id == part.folder && self.validity(*id) == Some(*validity));
            let select =
                if open.is_some() { None } else { Some(conn.session.send_select(mailbox, Access::ReadOnly, None)?) };
            conn.open = open;
            flights.push((select, conn.session.send_bodies(&set)?));
        }
        let last = load.last().map(|part| part.folder);
        for (part, (select, bodies)) in load.iter_mut().zip(flights) {
            let wanted = self.validity(part.folder);
            let asked = select.is_some();
            let selected = match select {
                Some(select) => conn.session.finish_select(select).map(|s| s.figures.uid_validity),
                None => Ok(wanted),
            };
            let same = selected.as_ref().is_ok_and(|now| same_validity(*now, wanted));
            if asked && same && last == Some(part.folder) {
                conn.open = wanted.map(|validity| (part.folder, validity, Access::ReadOnly));
            }
            let target = self.folder(part.folder)?;
            let mut sink = Receiver {
                run: self,
                dir: &target.dir,
                part,
                batch: &mut *batch,
                waiting: &mut *waiting,
                incoming: None,
                received: 0,
                open: same,
                progress,
                name: target.name.to_string(),
                last: Instant::now(),
            };
            let received = conn.session.finish_bodies(bodies, &mut sink);
            match (selected, received) {
                (Err(error), _) | (Ok(_), Err(error)) if error.is_fatal() => return Err(sink_error(error)),
                (Err(error), _) => {
                    self.fail(part.folder, &error.into());
                    part.wants.clear();
                }
                (Ok(_), _) if !same => {
                    self.fail(
                        part.folder,
                        &Error::Guard(format!("the UIDVALIDITY of {} changed meanwhile", target.name)),
                    );
                    part.wants.clear();
                }
                (Ok(_), Err(error)) => self.engine.fail(Some(&target.name), &error),
                (Ok(_), Ok(())) => {}
            }
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
            for want in part.wants.values().filter(|w| there.contains(w.uid)) {
                self.engine.fail_message(&target.name, &format!("UID {}", want.uid), &NotGiven);
                self.count(|s| s.skipped += 1);
            }
            let open: Vec<&Want> = part.wants.values().filter(|w| there.contains(w.uid)).collect();
            self.engine.state().commit(|db| {
                for want in open {
                    note_waiting(db, part.folder, want)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) fn unique(&self, folder: FolderId, want: &Want) -> String {
        let name = self.folders.get(&folder).map(|f| f.name.clone()).unwrap_or_else(crate::mail::FolderName::inbox);
        match self.validity(folder) {
            Some(validity) => self.engine.unique(&name, validity, want.uid, want.message.date),
            None => String::from_utf8_lossy(&crate::maildir::deliver::fresh_unique()).into_owned(),
        }
    }

    /// Makes a batch durable, and then its rows.
    pub(super) fn commit(&self, batch: &mut Batch<'_>, waiting: &mut HashMap<u64, Waiting>) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let folders: std::collections::BTreeSet<FolderId> = waiting.values().map(|w| w.folder).collect();
        for &id in &folders {
            self.save_keywords(id)?;
            self.wrote(id);
        }
        let delivered = batch.commit()?;
        crate::checkpoint::hit("download.delivered");
        let mut paths = Vec::new();
        let mut new = 0;
        self.engine.state().commit(|db| {
            for id in &folders {
                if let Some(validity) = self.validity(*id) {
                    folder::set_validity_if_none(db, *id, validity)?;
                }
            }
            for message in delivered {
                let Some(Waiting { folder, want, flags }) = waiting.remove(&message.key) else { continue };
                let told = &want.message;
                let old = want.row.as_deref();
                let row = Row {
                    id: old.map_or(RowId(0), |r| r.id),
                    folder,
                    uid: Some(want.uid),
                    file: Some(message.place.to_bytes()),
                    flags,
                    mark: Mark::Paired,
                    open: 0,
                    identity: base::Identity {
                        size_wire: told.size,
                        size: Some(message.content.size),
                        date: told.date,
                        message_id: message.content.message_id,
                        header: Some(message.content.header),
                        digest: Some(message.content.digest),
                        email_id: told.email_id.clone().or(old.and_then(|r| r.identity.email_id.clone())),
                    },
                    inode: Some(message.inode),
                };
                if row.id == RowId(0) {
                    base::insert(db, &row)?;
                } else {
                    base::update(db, &row)?;
                }
                if let Some(target) = self.folders.get(&folder) {
                    paths.push(target.dir.path_of(&message.place));
                }
                new += 1;
            }
            Ok(())
        })?;
        self.count(|s| s.downloaded += new);
        self.engine.report().changed.extend(paths);
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

fn note_waiting(db: &crate::state::Db, folder: FolderId, want: &Want) -> Result<(), crate::state::Error> {
    let new = RemoteNew { message: want.message.clone(), header: None, digest: None, row: want.row.clone() };
    let mut row = settle::row(folder, None, Some(&new), Mark::Waiting);
    row.open = want.row.as_ref().map_or(1, |r| r.open.saturating_add(1));
    if row.id == RowId(0) { base::insert(db, &row).map(drop) } else { base::update(db, &row) }
}

fn same_validity(now: Option<UidValidity>, wanted: Option<UidValidity>) -> bool {
    wanted.is_none() || now == wanted
}

/// A failure of the Maildir that came through the connection is the Maildir's.
fn sink_error(error: crate::imap::Error) -> Error {
    if let crate::imap::Error::Sink(source) = error {
        return crate::maildir::Error::from_writer(source).into();
    }
    error.into()
}

/// Cuts what is wanted into parts, the folders in turn, so that connections work on different ones.
fn cut(wanted: Wanted) -> Vec<Part> {
    let mut parts = Vec::new();
    for (folder, wants) in wanted {
        let mut part = Part { folder, wants: BTreeMap::new(), tries: 0 };
        let mut bytes = 0;
        for (uid, want) in wants {
            let size = want.message.size.unwrap_or(4096);
            if !part.wants.is_empty() && (part.wants.len() >= PART || bytes + size > PART_BYTES) {
                let next = Part { folder, wants: BTreeMap::new(), tries: 0 };
                parts.push(std::mem::replace(&mut part, next));
                bytes = 0;
            }
            bytes += size;
            part.wants.insert(uid, want);
        }
        parts.push(part);
    }
    parts
}

/// Several small parts of different folders, or one large one.
fn take_load(queue: &Mutex<VecDeque<Part>>) -> Vec<Part> {
    let mut queue = lock(queue);
    let mut load: Vec<Part> = Vec::new();
    let mut bytes = 0;
    while let Some(part) = queue.front() {
        let size = part.bytes();
        if !load.is_empty() && (load.len() >= FLIGHT || bytes + size > PART_BYTES) {
            break;
        }
        bytes += size;
        load.extend(queue.pop_front());
    }
    load
}

/// Takes the bodies of one part into a batch.
struct Receiver<'a, 'b, 'r, 'e> {
    run: &'a Run<'r, 'e>,
    dir: &'a FolderDir,
    part: &'a mut Part,
    batch: &'a mut Batch<'b>,
    waiting: &'a mut HashMap<u64, Waiting>,
    incoming: Option<Incoming>,
    /// Bytes of the body at hand.
    received: u64,
    /// The folder is the one that was meant; otherwise bodies pass unseen.
    open: bool,
    progress: &'a Mutex<Progress>,
    name: String,
    last: Instant,
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
        let Some(want) = self.part.wants.get(&message.uid) else { return Ok(()) };
        // A server that gives nothing where there is something has not given the message.
        if self.received == 0 && want.message.size != Some(0) {
            return Ok(());
        }
        let mut want = want.clone();
        let told = message.flags.clone().or(want.message.flags.clone()).unwrap_or_default();
        want.message.date = want.message.date.or(message.date);
        let folder = self.part.folder;
        let flags = self.run.mask(folder).keep(&told);
        let letters = self
            .run
            .with_keywords(folder, |keywords| {
                flags.keywords.iter().for_each(|k| {
                    keywords.assign(k);
                });
                keywords.letters_of(&flags).0
            })
            .map_err(io::Error::other)?;
        // Nothing leaves the map before all does.
        let key = self.waiting.len() as u64;
        let unique = self.run.unique(folder, &want);
        let delivery = Delivery { key, unique: unique.as_bytes(), letters: &letters, date: want.message.date };
        incoming.finish(self.batch, &delivery).map_err(io::Error::other)?;
        self.part.wants.remove(&message.uid);
        self.waiting.insert(key, Waiting { folder, want, flags });
        Ok(())
    }

    fn missing(&mut self, _message: &RemoteMessage) {
        self.incoming = None;
    }

    fn forget(&mut self) {
        self.incoming = None;
    }
}
