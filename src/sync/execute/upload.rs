//! Uploads: intents first, then APPENDs in flights, then rows. What was answered OK is never sent again (HAZARDS 14, 15).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::time::Instant;

use crate::imap::{Append, AppendHow, Appended, Body, FetchSet, Form, FormReader, Items};
use crate::mail::{MessageId, Uid};
use crate::maildir::{FolderDir, Place, read};
use crate::severity::{Retry, Severity as _};
use crate::state::intent::Intent;
use crate::state::{FolderId, Mark, RowId, base, intent};

use super::super::engine::{Conn, Error};
use super::super::op::Op;
use super::super::view::LocalNew;
use super::{Run, settle};

/// At most so many messages have their intents written, are sent and remembered together.
const BATCH: usize = 500;
/// At most so many bytes.
const BATCH_BYTES: u64 = 32 << 20;

/// Of a batch so small the files stay open from the moment they are announced: a mail reader that renames one meanwhile harms nothing.
const HELD: usize = 64;

/// A file that is opened when its turn comes and closed when it is read: 500 waiting messages hold no descriptor.
struct Lazy<'a> {
    dir: &'a FolderDir,
    place: Place,
    /// The file, if it is held.
    held: Option<File>,
    reader: Option<Box<dyn Read>>,
    done: bool,
}

impl Lazy<'_> {
    fn open(&self) -> io::Result<File> {
        match &self.held {
            Some(file) => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(file)
            }
            None => Ok(read::open(self.dir, &self.place).map_err(io::Error::other)?.file),
        }
    }
}

impl Read for Lazy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.done {
            return Ok(0);
        }
        if self.reader.is_none() {
            self.reader = Some(Box::new(read::wire_reader(self.open()?)));
        }
        let n = self.reader.as_mut().map_or(Ok(0), |reader| reader.read(buffer))?;
        if n == 0 && !buffer.is_empty() {
            (self.held, self.reader, self.done) = (None, None, true);
        }
        Ok(n)
    }
}

impl Body for Lazy<'_> {
    fn form(&mut self) -> io::Result<Form> {
        let mut file = self.open()?;
        let mut chunk = [0; 32 << 10];
        let mut look = FormReader::default();
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(look.form()),
                Ok(n) => look.update(chunk.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Run<'_, '_> {
    pub(super) fn upload(&self, ops: Vec<Op>) -> Result<(), Error> {
        let mut by_folder: BTreeMap<FolderId, Vec<LocalNew>> = BTreeMap::new();
        for op in ops {
            if let Op::Upload { folder, local } = op {
                by_folder.entry(folder).or_default().push(*local);
            }
        }
        let mut sample = match by_folder.is_empty() {
            true => None,
            false => self.engine.with_spare(|conn| conn.session.sample())?,
        };
        let mut batches = Vec::new();
        for (folder, mut messages) in by_folder {
            // The server numbers them as they come, and clients show them in that order.
            messages.sort_by_key(|message| message.date);
            let mut batch: Vec<LocalNew> = Vec::new();
            let mut bytes = 0;
            for message in messages {
                let full = sample.map_or(bytes + message.content.size > BATCH_BYTES, |sample| bytes >= sample);
                if !batch.is_empty() && (batch.len() >= BATCH || full) {
                    sample = None;
                    batches.push((folder, std::mem::take(&mut batch)));
                    bytes = 0;
                }
                bytes += message.content.size;
                batch.push(message);
            }
            batches.push((folder, batch));
        }
        for (folder, batch) in batches {
            self.engine.check_stop()?;
            if self.is_failed(folder) {
                continue;
            }
            let mut conn = self.engine.connection()?;
            let (started, bytes) = (Instant::now(), batch.iter().map(|local| local.content.size).sum());
            let outcome = self.upload_batch(&mut conn, folder, &batch);
            let outcome = outcome.and_then(|()| self.engine.weigh(&mut conn, bytes, started.elapsed()));
            self.engine.give_back(conn);
            self.contain(folder, outcome)?;
        }
        Ok(())
    }

    fn upload_batch(&self, conn: &mut Conn, folder: FolderId, batch: &[LocalNew]) -> Result<(), Error> {
        let uid_next = self.next_uid(folder);
        let intents = self.intend(folder, uid_next, batch)?;
        crate::checkpoint::hit("upload.intended");
        let all: Vec<usize> = (0..batch.len()).collect();
        let mut results = self.append(conn, folder, batch, &all, AppendHow::Batched)?;
        let refused: Vec<usize> = failed(&results, |e| !e.is_fatal() && !matches!(e, crate::imap::Error::Nul));
        // One message alone is sent again only where there is another way to send it.
        let again = refused.len() > usize::from(!conn.session.utf8_names());
        if again && conn.session.is_alive() {
            // A refused batch is looked up before anything of it is sent again, and then goes one by one.
            let found = self.look_up(conn, folder, uid_next, batch, &refused)?;
            let rest: Vec<usize> = refused.into_iter().filter(|i| !found.contains_key(i)).collect();
            for (i, uid) in found {
                results.insert(i, Ok(Appended { uid_validity: self.validity(folder), uid: Some(uid) }));
            }
            results.extend(self.append(conn, folder, batch, &rest, AppendHow::OneByOne)?);
        }
        crate::checkpoint::hit("upload.sent");
        let unknown: Vec<usize> = results
            .iter()
            .filter(|(_, r)| r.as_ref().is_ok_and(|a| a.uid.is_none() || a.uid_validity != self.validity(folder)))
            .map(|(i, _)| *i)
            .collect();
        let found = if unknown.is_empty() || !conn.session.is_alive() {
            BTreeMap::new()
        } else {
            self.look_up(conn, folder, uid_next, batch, &unknown)?
        };
        self.remember(folder, batch, &results, &found, &intents)?;
        self.report_failures(folder, batch, results)
    }

    fn intend(&self, folder: FolderId, uid_next: Option<Uid>, batch: &[LocalNew]) -> Result<Vec<i64>, Error> {
        Ok(self.engine.state().commit(|db| {
            batch
                .iter()
                .map(|local| {
                    intent::insert(
                        db,
                        &Intent {
                            id: 0,
                            folder,
                            uid_next,
                            message: local.row.as_ref().map(|r| r.id),
                            file: Some(local.place.clone()),
                            digest: Some(local.content.digest),
                            message_id: local.content.message_id,
                        },
                    )
                })
                .collect()
        })?)
    }

    fn append(
        &self,
        conn: &mut Conn,
        folder: FolderId,
        batch: &[LocalNew],
        which: &[usize],
        how: AppendHow,
    ) -> Result<BTreeMap<usize, Result<Appended, crate::imap::Error>>, Error> {
        let target = self.folder(folder)?;
        let Some(mailbox) = target.mailbox.clone() else {
            return Err(Error::Guard(format!("{} is not on the server", target.name)));
        };
        let mask = self.mask(folder);
        let mut bodies = Vec::new();
        for &i in which {
            let Some(local) = batch.get(i) else { continue };
            let Some(place) = Place::from_bytes(&local.place) else { continue };
            // A mail reader may have renamed, moved or deleted it since: found out before the server is told of it, this costs nothing,
            // and the next run sees what became of it.
            let Ok(message) = read::open(&target.dir, &place) else {
                self.mark_failed(folder);
                continue;
            };
            let held = (which.len() <= HELD).then_some(message.file);
            let lazy = Lazy { dir: &target.dir, place, held, reader: None, done: false };
            bodies.push((i, mask.keep(&local.flags), local, lazy));
        }
        let mut messages: Vec<Append<'_>> = bodies
            .iter_mut()
            .map(|(_, flags, local, lazy)| Append { flags, date: local.date, size: local.content.size, body: lazy })
            .collect();
        let answers = conn.session.append(&mailbox, &mut messages, how);
        drop(messages);
        Ok(bodies.iter().map(|(i, ..)| *i).zip(answers).collect())
    }

    /// Finds messages that came to a folder since `since` by their Message-ID; only what is the only one of its kind counts.
    fn look_up(
        &self,
        conn: &mut Conn,
        folder: FolderId,
        since: Option<Uid>,
        batch: &[LocalNew],
        which: &[usize],
    ) -> Result<BTreeMap<usize, Uid>, Error> {
        conn.open = None;
        conn.open(self.folder(folder)?, self.validity(folder))?;
        let set = since.map_or(FetchSet::All, FetchSet::From);
        let pending = conn.session.send_fetch(&set, Items::MESSAGE_ID | Items::SIZE, None)?;
        let mut there: BTreeMap<MessageId, Vec<(Uid, Option<u64>)>> = BTreeMap::new();
        conn.session.finish_fetch(pending, &mut |m| {
            if let Some(Some(id)) = m.message_id {
                there.entry(id).or_default().push((m.uid, m.size));
            }
        })?;
        let bound = self.bound(folder, &there.values().flatten().map(|(uid, _)| *uid).collect())?;
        there.values_mut().for_each(|candidates| candidates.retain(|(uid, _)| !bound.contains(*uid)));
        let mut found = BTreeMap::new();
        for &i in which {
            let Some(content) = batch.get(i).map(|l| &l.content) else { continue };
            let Some(candidates) = content.message_id.and_then(|id| there.get_mut(&id)) else { continue };
            let exact = candidates.iter().position(|(_, size)| *size == Some(content.size));
            let only = (candidates.len() == 1).then_some(0);
            if let Some(at) = exact.or(only) {
                found.insert(i, candidates.swap_remove(at).0);
            }
        }
        Ok(found)
    }

    fn remember(
        &self,
        folder: FolderId,
        batch: &[LocalNew],
        results: &BTreeMap<usize, Result<Appended, crate::imap::Error>>,
        found: &BTreeMap<usize, Uid>,
        intents: &[i64],
    ) -> Result<(), Error> {
        let (mut sent, mut bytes) = (0, 0);
        let validity = self.validity(folder);
        let mask = self.mask(folder);
        self.engine.state().commit(|db| {
            for (i, local) in batch.iter().enumerate() {
                let fatal = !matches!(results.get(&i), Some(Err(e)) if !e.is_fatal());
                if let Some(Ok(appended)) = results.get(&i) {
                    let told =
                        appended.uid.filter(|_| appended.uid_validity.is_some() && appended.uid_validity == validity);
                    let uid = told.or(found.get(&i).copied());
                    let mut row =
                        settle::row(folder, Some(local), None, if uid.is_some() { Mark::Paired } else { Mark::Sent });
                    row.uid = uid;
                    // As announced: a move on the server is known by it, among others.
                    row.identity.size_wire = Some(local.content.size);
                    row.flags = mask.keep(&local.flags);
                    if row.id == RowId(0) {
                        base::insert(db, &row)?;
                    } else {
                        base::update(db, &row)?;
                    }
                    sent += 1;
                    bytes += local.content.size;
                }
                // An intent stays while nobody knows whether the message arrived.
                if (results.get(&i).is_some_and(Result::is_ok) || !fatal)
                    && let Some(&id) = intents.get(i)
                {
                    intent::delete(db, id)?;
                }
            }
            Ok(())
        })?;
        self.count(folder, |s| s.uploaded += sent)
    }

    fn report_failures(
        &self,
        folder: FolderId,
        batch: &[LocalNew],
        results: BTreeMap<usize, Result<Appended, crate::imap::Error>>,
    ) -> Result<(), Error> {
        let mut lost = None;
        for (i, result) in results {
            let Err(error) = result else { continue };
            // A file that cannot be read ends the session, but the trouble is the file's.
            let own = matches!(error, crate::imap::Error::Source(_));
            if !own && (error.is_fatal() || error.retry() == Retry::Now) {
                lost.get_or_insert(error);
                continue;
            }
            if matches!(error, crate::imap::Error::Skipped(_)) {
                continue;
            }
            if error.code() == Some(&crate::imap::Code::NoPerm) {
                self.not_permitted(folder)?;
                continue;
            }
            let name = batch.get(i).map(|l| String::from_utf8_lossy(&l.place).into_owned()).unwrap_or_default();
            self.mark_failed(folder);
            self.count(folder, |s| s.skipped += 1)?;
            let target = self.folder(folder)?;
            self.engine.fail_message(&target.name, &name, &error);
        }
        lost.map_or(Ok(()), |error| Err(error.into()))
    }
}

fn failed(
    results: &BTreeMap<usize, Result<Appended, crate::imap::Error>>,
    wanted: impl Fn(&crate::imap::Error) -> bool,
) -> Vec<usize> {
    results.iter().filter(|(_, r)| r.as_ref().is_err_and(&wanted)).map(|(i, _)| *i).collect()
}
