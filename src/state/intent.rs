//! What was about to be sent: an APPEND, COPY or MOVE that may have happened although its answer never came.

use rusqlite::{Connection, params};

use super::{Error, FolderId, RowId, State};
use crate::mail::{Digest, MessageId, Uid};

/// One such thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its row; ignored on insertion.
    pub id: i64,
    /// The folder where the message would arrive.
    pub folder: FolderId,
    /// That folder's UIDNEXT before.
    pub uid_next: Option<Uid>,
    /// The row of a message that was to be moved.
    pub message: Option<RowId>,
    /// The file that was to be uploaded, as in [`super::Row::file`].
    pub file: Option<Vec<u8>>,
    /// Its content.
    pub digest: Option<Digest>,
    /// Its Message-ID.
    pub message_id: Option<MessageId>,
}

/// Writes an intent down, and gives its row.
///
/// # Errors
/// Those of the database.
pub fn insert(db: &Connection, intent: &Intent) -> Result<i64, Error> {
    db.prepare_cached(
        "INSERT INTO intent (folder, uid_next, message, file, digest, message_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        intent.folder.0,
        intent.uid_next.map(Uid::get),
        intent.message.map(|m| m.0),
        intent.file,
        intent.digest.map(|d| d.0.to_vec()),
        intent.message_id.map(|m| m.0.to_vec()),
    ])?;
    Ok(db.last_insert_rowid())
}

/// Strikes an intent: its outcome is known.
///
/// # Errors
/// Those of the database.
pub fn delete(db: &Connection, id: i64) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM intent WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// Strikes all intents of a folder: everything in it has been compared and nothing is left open.
///
/// # Errors
/// Those of the database.
pub fn settle(db: &Connection, folder: FolderId) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM intent WHERE folder = ?1")?.execute([folder.0])?;
    Ok(())
}

impl State {
    /// The intents whose outcome is not known, of one folder.
    ///
    /// # Errors
    /// Those of the database.
    pub fn intents(&mut self, folder: FolderId) -> Result<Vec<Intent>, Error> {
        let mut query = self.connection().prepare_cached(
            "SELECT id, folder, uid_next, message, file, digest, message_id FROM intent WHERE folder = ?1 ORDER BY id",
        )?;
        let rows = query.query_map([folder.0], |row| {
            let bytes = |at: usize| -> rusqlite::Result<Option<Vec<u8>>> { row.get(at) };
            Ok(Intent {
                id: row.get(0)?,
                folder: FolderId(row.get(1)?),
                uid_next: row.get::<_, Option<u32>>(2)?.and_then(Uid::new),
                message: row.get::<_, Option<i64>>(3)?.map(RowId),
                file: bytes(4)?,
                digest: bytes(5)?.and_then(|b| Digest::from_slice(&b)),
                message_id: bytes(6)?.and_then(|b| MessageId::from_slice(&b)),
            })
        })?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }
}
