//! Where arrivals become durable, in the one order: bodies flushed, named, directories flushed, rows committed. Only what came
//! out of [`Desk::commit`] may be deleted on the server.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::checkpoint;
use crate::mail::{Content, Digest, FolderName, Timestamp};
use crate::maildir::{Batch, Delivery, FolderDir, Incoming, Layout, Letters, read};
use crate::state::State;
use crate::state::seen::{self, Row, RowId, Seen, Source, Status};

use super::held::Held;
use super::job::{Engine, Error};
use super::look::Strays;
use super::name;

/// A batch is committed when it has so many messages, or so many bytes: one flush and one transaction for all. A flush also
/// waits for what other programs have written, so there should be few;
const BATCH_MESSAGES: usize = 4096;
const BATCH_BYTES: u64 = 256 << 20;
/// on a slow line one comes so long after the batch's first message.
const BATCH_AGE: Duration = Duration::from_secs(10);

/// A message that is durable here, and whose row says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its number or UID.
    pub number: u32,
    /// Its row.
    pub row: RowId,
    /// What the row says.
    pub seen: Seen,
    /// Its file, where one was made.
    pub path: Option<PathBuf>,
}

/// What a message is to the memory.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its number or UID.
    pub number: u32,
    /// Its id as [`seen::key`] makes it.
    pub key: Option<Vec<u8>>,
    /// Its size as listed.
    pub size: Option<u64>,
    /// What it is.
    pub content: Content,
    /// The row that stands for it, if there is one.
    pub row: Option<Row>,
}

enum Change {
    Insert(Seen),
    Update(Row),
    Absent(RowId),
}

struct Waiting {
    number: u32,
    change: Change,
    /// Whether its file is in the batch.
    stored: bool,
}

/// Takes the messages of one source for one folder.
pub struct Desk<'a> {
    layout: &'a Layout,
    folder: FolderName,
    dir: Option<FolderDir>,
    secret: String,
    source: Source<'a>,
    now: Timestamp,
    batch: Batch<'a>,
    waiting: Vec<Waiting>,
    /// When the first of them came.
    since: Option<Instant>,
    copies: HashMap<(Option<Vec<u8>>, Digest), u32>,
    strays: Option<Strays>,
    begun: bool,
}

impl<'a> Desk<'a> {
    /// A desk on which nothing lies. `rows` are the source's.
    ///
    /// # Errors
    /// When the Maildir cannot be opened; after an unfinished run, when it cannot be looked through.
    pub fn new(engine: &Engine<'a>, source: Source<'a>, folder: &FolderName, rows: &[Row]) -> Result<Self, Error> {
        let mut copies = HashMap::new();
        for row in rows {
            if let (Some(content), Some(_)) = (row.seen.content, &row.seen.file) {
                *copies.entry((row.seen.uidl.clone(), content)).or_default() += 1;
            }
        }
        // Only a run that was cut off can have left files without rows.
        let unfinished = engine.account.as_ref().is_some_and(|account| account.unfinished);
        Ok(Self {
            layout: engine.layout,
            folder: folder.clone(),
            dir: None,
            secret: engine.secret.clone(),
            source,
            now: engine.now,
            batch: Batch::new(engine.layout, engine.file_system)?,
            waiting: Vec::new(),
            since: None,
            copies,
            strays: if unfinished { Some(Strays::find(engine.layout)?) } else { None },
            begun: unfinished,
        })
    }

    /// The folder that receives, made when the first message comes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn dir(&mut self) -> Result<FolderDir, Error> {
        if let Some(dir) = &self.dir {
            return Ok(dir.clone());
        }
        // Half a folder from which nothing is known is what a crash left of making it.
        let new = self.copies.is_empty();
        let dir = if new { self.layout.repair(&self.folder)? } else { self.layout.create(&self.folder)? };
        // Half-written files of runs that died are of no use to anybody; what cannot be removed now is removed another time.
        let _ = crate::maildir::deliver::clean_tmp(&dir);
        Ok(self.dir.insert(dir).clone())
    }

    /// Begins a message.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn begin(&mut self) -> Result<Incoming, Error> {
        let dir = self.dir()?;
        Ok(self.batch.begin(&dir)?)
    }

    /// A whole message, to be stored.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn store(
        &mut self,
        incoming: Incoming,
        arrival: Arrival,
        letters: &Letters,
        date: Option<Timestamp>,
    ) -> Result<(), Error> {
        let copies = self.copies.entry((arrival.key.clone(), arrival.content.digest)).or_default();
        let unique =
            name::unique(&self.secret, self.source.source, arrival.key.as_deref(), arrival.content.digest, *copies);
        *copies += 1;
        let stray = self.strays.as_mut().and_then(|strays| strays.take(&unique, arrival.content.digest));
        if let Some(folder) = stray {
            // Delivered by the run that was cut off, and perhaps moved since.
            self.note(&arrival, Some(unique), folder.key(), false);
            return Ok(());
        }
        incoming
            .finish(&mut self.batch, &Delivery { key: u64::from(arrival.number), unique: &unique, letters, date })?;
        let folder = self.folder.key();
        self.note(&arrival, Some(unique), folder, true);
        Ok(())
    }

    /// Looks for a message of this content among what is here: its folder, and the unique part of its name.
    pub fn find(&self, held: &mut Held, content: Digest) -> Option<(FolderName, Vec<u8>)> {
        held.take(content, &self.folder)
    }

    /// A message that is here already.
    pub fn adopt(&mut self, arrival: &Arrival, (folder, unique): (FolderName, Vec<u8>)) {
        self.note(arrival, Some(unique), folder.key(), false);
    }

    /// A message that is that row's, which is here already.
    pub fn keep(&mut self, arrival: &Arrival, row: &Row) {
        let seen = Seen {
            uidl: arrival.key.clone(),
            size: arrival.size,
            header: Some(arrival.content.header),
            content: Some(arrival.content.digest),
            absent: None,
            status: if row.seen.status == Status::Gone { Status::Delivered } else { row.seen.status },
            ..row.seen.clone()
        };
        let change = Change::Update(Row { id: row.id, seen });
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push(Waiting { number: arrival.number, change, stored: false });
    }

    /// A row whose id names another message now.
    pub fn displace(&mut self, row: RowId) {
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push(Waiting { number: 0, change: Change::Absent(row), stored: false });
    }

    fn note(&mut self, arrival: &Arrival, file: Option<Vec<u8>>, folder: String, stored: bool) {
        let seen = Seen {
            uidl: arrival.key.clone(),
            size: arrival.size,
            header: Some(arrival.content.header),
            content: Some(arrival.content.digest),
            first_seen: arrival.row.as_ref().map_or(self.now, |row| row.seen.first_seen),
            folder,
            file,
            status: Status::Delivered,
            absent: None,
        };
        let change = match &arrival.row {
            Some(row) => Change::Update(Row { id: row.id, seen }),
            None => Change::Insert(seen),
        };
        self.since.get_or_insert_with(Instant::now);
        self.waiting.push(Waiting { number: arrival.number, change, stored });
    }

    /// Whether it is time to commit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let old = self.since.is_some_and(|since| since.elapsed() >= BATCH_AGE);
        old || self.waiting.len() >= BATCH_MESSAGES || self.batch.bytes() >= BATCH_BYTES
    }

    /// Makes everything on the desk durable: files, directories, rows, in this order.
    ///
    /// # Errors
    /// Those of disk and state. Nothing then counts as durable; files that are in place already are found again.
    pub fn commit(&mut self, state: &mut State) -> Result<Vec<Done>, Error> {
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        if !self.begun && self.waiting.iter().any(|w| w.stored) {
            state.begin_run(self.source.account)?;
            self.begun = true;
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.since = None;
        let mut paths: HashMap<u64, (Vec<u8>, PathBuf)> = HashMap::new();
        if !self.batch.is_empty() {
            let dir = self.dir()?;
            for delivered in self.batch.commit()? {
                let unique = delivered.place.name.unique().to_vec();
                paths.insert(delivered.key, (unique, dir.path_of(&delivered.place)));
            }
        }
        checkpoint::hit("fetch.delivered");
        let source = self.source;
        let now = self.now;
        let done = state.commit(|db| {
            let mut done = Vec::new();
            for Waiting { number, change, stored } in waiting {
                let placed = if stored { paths.remove(&u64::from(number)) } else { None };
                let (file, path) = placed.map_or((None, None), |(unique, path)| (Some(unique), Some(path)));
                let named = |seen: Seen| Seen { file: file.clone().or(seen.file.clone()), ..seen };
                let (row, seen) = match change {
                    Change::Insert(seen) => {
                        let seen = named(seen);
                        (seen::insert(db, source, &seen)?, seen)
                    }
                    Change::Update(row) => {
                        let row = Row { seen: named(row.seen), ..row };
                        seen::update(db, source, &row)?;
                        (row.id, row.seen)
                    }
                    Change::Absent(row) => {
                        seen::set_absent(db, &[row], Some(now))?;
                        continue;
                    }
                };
                done.push(Done { number, row, seen, path });
            }
            Ok(done)
        })?;
        checkpoint::hit("fetch.recorded");
        Ok(done)
    }
}

/// The digest of a stored message, where it can be read.
pub(super) fn digest_of(dir: &FolderDir, place: &crate::maildir::Place) -> Option<Digest> {
    read::content(dir, place).ok().map(|content| content.digest)
}
