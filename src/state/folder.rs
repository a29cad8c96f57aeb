//! A folder's row: its cursor on either side, and whether either side ever had it.

use rusqlite::{Connection, Row as SqlRow, params};

use super::{AccountId, Error, State};
use crate::mail::snapshot::Figures;
use crate::mail::{FolderName, ModSeq, Uid, UidValidity};

/// A folder's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderId(pub i64);

/// Up to where both sides were compared. Always values seen *before* the listing or scan that they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The server's figures.
    pub figures: Figures,
    /// The directory's times, as `maildir` writes them; `None`: the folder must be scanned.
    pub stamp: Option<Vec<u8>>,
}

/// What the state knows of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// Its row.
    pub id: FolderId,
    /// Its name.
    pub name: FolderName,
    /// Its cursor.
    pub cursor: Cursor,
    /// The Maildir has had it.
    pub had_local: bool,
    /// The server has had it.
    pub had_remote: bool,
    /// It was left out by an earlier selection.
    pub asleep: bool,
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Option<FolderRow>> {
    let number = |at: usize| -> rusqlite::Result<Option<u32>> { row.get(at) };
    let key: String = row.get(1)?;
    let Some(name) = FolderName::from_key(&key) else { return Ok(None) };
    Ok(Some(FolderRow {
        id: FolderId(row.get(0)?),
        name,
        cursor: Cursor {
            figures: Figures {
                uid_validity: number(2)?.and_then(UidValidity::new),
                uid_next: number(3)?.and_then(Uid::new),
                highest_modseq: row.get::<_, Option<i64>>(4)?.and_then(|n| u64::try_from(n).ok()).and_then(ModSeq::new),
                messages: number(5)?,
                mailbox_id: row.get(6)?,
                size: None,
                unseen: None,
            },
            stamp: row.get(7)?,
        },
        had_local: row.get(8)?,
        had_remote: row.get(9)?,
        asleep: row.get(10)?,
    }))
}

impl State {
    /// Every folder of an account.
    ///
    /// # Errors
    /// Those of the database.
    pub fn folders(&mut self, account: AccountId) -> Result<Vec<FolderRow>, Error> {
        let mut query = self.connection().prepare_cached(
            "SELECT id, name, uid_validity, uid_next, modseq, messages, mailbox_id, stamp, had_local, had_remote, asleep
             FROM folder WHERE account = ?1 ORDER BY name",
        )?;
        let rows = query.query_map([account.0], read)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// The row of a folder, made if there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub fn folder(&mut self, account: AccountId, name: &FolderName) -> Result<FolderId, Error> {
        let db = self.connection();
        db.execute(
            "INSERT INTO folder (account, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![account.0, name.key()],
        )?;
        let id = db.query_row(
            "SELECT id FROM folder WHERE account = ?1 AND name = ?2",
            params![account.0, name.key()],
            |r| r.get(0),
        )?;
        Ok(FolderId(id))
    }

    /// Puts folders to sleep or wakes them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_asleep(&mut self, folder: FolderId, asleep: bool) -> Result<(), Error> {
        self.connection().execute("UPDATE folder SET asleep = ?2 WHERE id = ?1", params![folder.0, asleep])?;
        Ok(())
    }

    /// Gives a folder its new name after both sides have renamed it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rename_folder(&mut self, folder: FolderId, name: &FolderName) -> Result<(), Error> {
        self.connection()
            .execute("UPDATE folder SET name = ?2, stamp = NULL WHERE id = ?1", params![folder.0, name.key()])?;
        Ok(())
    }

    /// Forgets a folder and its messages.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_folder(&mut self, folder: FolderId) -> Result<(), Error> {
        self.connection().execute("DELETE FROM folder WHERE id = ?1", [folder.0])?;
        Ok(())
    }
}

/// Records that a side has the folder.
///
/// # Errors
/// Those of the database.
pub fn set_had(db: &Connection, folder: FolderId, local: bool, remote: bool) -> Result<(), Error> {
    db.prepare_cached("UPDATE folder SET had_local = had_local OR ?2, had_remote = had_remote OR ?3 WHERE id = ?1")?
        .execute(params![folder.0, local, remote])?;
    Ok(())
}

/// Records the server's side of the cursor.
///
/// # Errors
/// Those of the database.
pub fn set_figures(db: &Connection, folder: FolderId, figures: &Figures) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE folder SET uid_validity = ?2, uid_next = ?3, modseq = ?4, messages = ?5, mailbox_id = coalesce(?6, mailbox_id)
         WHERE id = ?1",
    )?
    .execute(params![
        folder.0,
        figures.uid_validity.map(UidValidity::get),
        figures.uid_next.map(Uid::get),
        figures.highest_modseq.and_then(|m| i64::try_from(m.get()).ok()),
        figures.messages,
        figures.mailbox_id,
    ])?;
    Ok(())
}

/// Records the UIDVALIDITY under which the folder's rows hold, before the first of them is written; the rest of the cursor follows
/// when everything is done.
///
/// # Errors
/// Those of the database.
pub fn set_validity(db: &Connection, folder: FolderId, validity: UidValidity) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE folder SET uid_validity = ?2, uid_next = NULL, modseq = NULL, messages = NULL
         WHERE id = ?1 AND uid_validity IS NOT ?2",
    )?
    .execute(params![folder.0, validity.get()])?;
    Ok(())
}

/// As [`set_validity`], for a folder that had none.
///
/// # Errors
/// Those of the database.
pub fn set_validity_if_none(db: &Connection, folder: FolderId, validity: UidValidity) -> Result<(), Error> {
    db.prepare_cached("UPDATE folder SET uid_validity = ?2 WHERE id = ?1 AND uid_validity IS NULL")?
        .execute(params![folder.0, validity.get()])?;
    Ok(())
}

/// Records the directory's times; `None`: scan next time.
///
/// # Errors
/// Those of the database.
pub fn set_stamp(db: &Connection, folder: FolderId, stamp: Option<&[u8]>) -> Result<(), Error> {
    db.prepare_cached("UPDATE folder SET stamp = ?2 WHERE id = ?1")?.execute(params![folder.0, stamp])?;
    Ok(())
}
