//! `verify --deep`: every paired message read from the server, its content compared with the file's.

use std::sync::{Mutex, PoisonError};

use crate::imap;
use crate::mail::{ContentHasher, Uid, UidSet, UidValidity};
use crate::severity::{Scope, Severity as _};

use super::super::decide::Digests;
use super::super::engine::{Conn, Engine, Error, Folder};
use super::compare::File;

/// So many bodies are asked for at once.
const BODIES: usize = 200;

/// A message on the server and its file, by index.
pub(super) type Pair = (Uid, usize);

/// A message whose content is not that of its file, by index, and how it differs.
type Wrong = (Uid, usize, String);

/// Outlook's servers add a header field to a message when it is flagged: its content is then still the same.
pub(super) fn hasher(engine: &Engine<'_>) -> ContentHasher {
    if engine.job.account.quirks.exchange { ContentHasher::without("X-Message-Flag") } else { ContentHasher::new() }
}

/// The pairs, sorted by UID, whose contents are not the same, and how they differ. A message that cannot be had is told of.
///
/// # Errors
/// What takes the account down.
pub(super) fn compare(
    engine: &Engine<'_>,
    folder: &Folder,
    validity: Option<UidValidity>,
    pairs: &[Pair],
    files: &[Option<File>],
) -> Result<Vec<Wrong>, Error> {
    let (account, name) = (&engine.job.account.name, folder.name.to_string());
    let outcome: Mutex<(usize, Vec<Wrong>)> = Mutex::default();
    engine.on_connections(
        pairs.chunks(BODIES).collect(),
        engine.job.account.connections,
        |conn, chunk| {
            conn.open(folder, validity)?;
            let wrong = read(engine, conn, folder, chunk, files)?;
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.0 += chunk.len();
            outcome.1.extend(wrong);
            engine.job.sink.progress(account, &name, outcome.0 as u64, pairs.len() as u64);
            Ok(())
        },
        |_, error| {
            // What takes the account down is told by the walk.
            if error.scope() < Scope::Account {
                engine.fail(Some(&folder.name), error);
            }
        },
    )?;
    let mut wrong = outcome.into_inner().unwrap_or_else(PoisonError::into_inner).1;
    wrong.sort_unstable();
    Ok(wrong)
}

fn read(
    engine: &Engine<'_>,
    conn: &mut Conn,
    folder: &Folder,
    chunk: &[Pair],
    files: &[Option<File>],
) -> Result<Vec<Wrong>, Error> {
    let set: UidSet = chunk.iter().map(|(uid, _)| *uid).collect();
    let mut digests = Digests::by(hasher(engine));
    let pending = conn.session.send_bodies(&set)?;
    conn.session.finish_bodies(pending, &mut digests)?;
    let mut wrong = Vec::new();
    for (uid, file) in chunk {
        let Some(content) = digests.done.get(uid) else {
            let error = imap::Error::Protocol("the server gave no content".to_owned());
            engine.fail_message(&folder.name, &format!("UID {uid}"), &error);
            continue;
        };
        // A file that could not be read was told of.
        let Some(ours) = files.get(*file).copied().flatten() else { continue };
        if ours.digest != Some(content.digest) {
            let detail = format!("here {} bytes, on the server {}, not the same", ours.size, content.size);
            wrong.push((*uid, *file, detail));
        }
    }
    Ok(wrong)
}
