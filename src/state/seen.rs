//! The memory of `fetch`: which of a server's messages were delivered, and what became of the server's copy.
//!
//! A row belongs to an account (user and host, not the profile's label) and a source: the maildrop of a POP3 account, or an
//! IMAP folder under one UIDVALIDITY. It is made in the transaction that follows the message's flush to disk.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, named_params};

use super::{AccountId, Error};
use crate::mail::{Digest, Timestamp};

/// The tables, for the migrations.
///
/// `uidl` is the id as [`key`] made it, NULL where the server gave none. `size` is what LIST told when the message was retrieved, in bytes.
/// `header`, `content`: digests; NULL, as `file`, in rows taken over from another tool. `folder`: where it was delivered, as
/// [`crate::mail::FolderName::key`]. `file`: the unique part of the file's name. `status`: [`Status`]. `absent`: since when it is no longer listed.
pub const SCHEMA: &str = "
CREATE TABLE seen (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    source     TEXT NOT NULL,
    uidl       BLOB,
    size       INTEGER,
    header     BLOB CHECK (length(header) = 32),
    content    BLOB CHECK (length(content) = 32),
    first_seen INTEGER NOT NULL,
    folder     TEXT NOT NULL,
    file       BLOB,
    status     INTEGER NOT NULL CHECK (status IN (0, 1, 2)),
    absent     INTEGER
) STRICT;
CREATE INDEX seen_source ON seen (account, source);
CREATE TABLE seen_server (
    account      INTEGER PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    capabilities TEXT NOT NULL
) STRICT;
";

/// What became of the server's copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It was delivered here, and stays there.
    Delivered,
    /// It was delivered, and its deletion was or is about to be asked for. Not known to have happened.
    DeleteAsked,
    /// Its deletion happened.
    Gone,
}

impl ToSql for Status {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Delivered => 0_i64,
            Self::DeleteAsked => 1,
            Self::Gone => 2,
        }))
    }
}

impl FromSql for Status {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Delivered),
            1 => Ok(Self::DeleteAsked),
            2 => Ok(Self::Gone),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

/// Names a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub i64);

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The id as [`key`] made it; `None` where the server gave none.
    pub uidl: Option<Vec<u8>>,
    /// What LIST told when it was retrieved, in bytes.
    pub size: Option<u64>,
    /// Digest of its canonical header.
    pub header: Option<Digest>,
    /// Digest of its canonical form.
    pub content: Option<Digest>,
    /// When it was first retrieved.
    pub first_seen: Timestamp,
    /// The folder it was delivered to, as `FolderName::key`.
    pub folder: String,
    /// The unique part of its file's name.
    pub file: Option<Vec<u8>>,
    /// What became of the server's copy.
    pub status: Status,
    /// Since when the server no longer lists it.
    pub absent: Option<Timestamp>,
}

/// A message of the memory, with its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its row.
    pub id: RowId,
    /// What is known of it.
    pub seen: Seen,
}

/// Whose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The account.
    pub account: AccountId,
    /// Empty for POP3; for IMAP UIDVALIDITY and the folder's key.
    pub source: &'a str,
}

/// A UIDL as the memory keeps it: itself up to 128 bytes, else a mark and its digest. Both never meet: UIDLs hold no NUL.
#[must_use]
pub fn key(uidl: &[u8]) -> Vec<u8> {
    if uidl.len() <= 128 { uidl.to_vec() } else { [b"\0".as_slice(), &Digest::of(uidl).0].concat() }
}

/// All rows of a source, in the order of their making.
///
/// # Errors
/// When the database cannot be read.
pub fn load(connection: &Connection, source: Source<'_>) -> Result<Vec<Row>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT id, uidl, size, header, content, first_seen, folder, file, status, absent
         FROM seen WHERE account = ?1 AND source = ?2 ORDER BY id",
    )?;
    let rows = statement.query_map((source.account.0, source.source), read_row)?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

fn read_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let digest = |bytes: Option<Vec<u8>>| bytes.and_then(|b| Digest::from_slice(&b));
    Ok(Row {
        id: RowId(row.get(0)?),
        seen: Seen {
            uidl: row.get(1)?,
            size: row.get::<_, Option<i64>>(2)?.and_then(|size| u64::try_from(size).ok()),
            header: digest(row.get(3)?),
            content: digest(row.get(4)?),
            first_seen: Timestamp(row.get(5)?),
            folder: row.get(6)?,
            file: row.get(7)?,
            status: row.get(8)?,
            absent: row.get::<_, Option<i64>>(9)?.map(Timestamp),
        },
    })
}

/// Adds a message. Its file must be durable.
///
/// # Errors
/// When the database cannot be written.
pub fn insert(connection: &Connection, source: Source<'_>, seen: &Seen) -> Result<RowId, Error> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO seen (account, source, uidl, size, header, content, first_seen, folder, file, status, absent)
         VALUES (:account, :source, :uidl, :size, :header, :content, :first_seen, :folder, :file, :status, :absent)",
    )?;
    let id = statement.insert(named_params! {
        ":account": source.account.0,
        ":source": source.source,
        ":uidl": seen.uidl,
        ":size": number(seen.size),
        ":header": seen.header.map(|d| d.0),
        ":content": seen.content.map(|d| d.0),
        ":first_seen": seen.first_seen.0,
        ":folder": seen.folder,
        ":file": seen.file,
        ":status": seen.status,
        ":absent": seen.absent.map(|t| t.0),
    })?;
    Ok(RowId(id))
}

/// Replaces what is known of a message, which may come from another source now.
///
/// # Errors
/// When the database cannot be written.
pub fn update(connection: &Connection, source: Source<'_>, row: &Row) -> Result<(), Error> {
    let seen = &row.seen;
    let mut statement = connection.prepare_cached(
        "UPDATE seen SET source = :source, uidl = :uidl, size = :size, header = :header, content = :content, first_seen = :first_seen,
             folder = :folder, file = :file, status = :status, absent = :absent WHERE id = :id",
    )?;
    statement.execute(named_params! {
        ":id": row.id.0,
        ":source": source.source,
        ":uidl": seen.uidl,
        ":size": number(seen.size),
        ":header": seen.header.map(|d| d.0),
        ":content": seen.content.map(|d| d.0),
        ":first_seen": seen.first_seen.0,
        ":folder": seen.folder,
        ":file": seen.file,
        ":status": seen.status,
        ":absent": seen.absent.map(|t| t.0),
    })?;
    Ok(())
}

/// Sets what became of the server's copies.
///
/// # Errors
/// When the database cannot be written.
pub fn set_status(connection: &Connection, rows: &[RowId], status: Status) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("UPDATE seen SET status = ?2 WHERE id = ?1")?;
    for row in rows {
        statement.execute((row.0, status))?;
    }
    Ok(())
}

/// Sets since when messages are no longer listed; `None`: they are.
///
/// # Errors
/// When the database cannot be written.
pub fn set_absent(connection: &Connection, rows: &[RowId], since: Option<Timestamp>) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("UPDATE seen SET absent = ?2 WHERE id = ?1")?;
    for row in rows {
        statement.execute((row.0, since.map(|t| t.0)))?;
    }
    Ok(())
}

/// Forgets messages.
///
/// # Errors
/// When the database cannot be written.
pub fn forget(connection: &Connection, rows: &[RowId]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("DELETE FROM seen WHERE id = ?1")?;
    for row in rows {
        statement.execute([row.0])?;
    }
    Ok(())
}

/// The account's sources.
///
/// # Errors
/// When the database cannot be read.
pub fn sources(connection: &Connection, account: AccountId) -> Result<Vec<String>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT source FROM seen WHERE account = ?1 ORDER BY source")?;
    let rows = statement.query_map([account.0], |row| row.get(0))?;
    Ok(rows.collect::<Result<Vec<_>, _>>()?)
}

/// Whether a deletion was asked for in the source and is not known to have happened.
///
/// # Errors
/// When the database cannot be read.
pub fn has_open_deletions(connection: &Connection, source: Source<'_>) -> Result<bool, Error> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM seen WHERE account = ?1 AND source = ?2 AND status = 1 LIMIT 1")?;
    Ok(statement.exists((source.account.0, source.source))?)
}

/// What the account's server could do last time, as text; empty when unknown.
///
/// # Errors
/// When the database cannot be read.
pub fn capabilities(connection: &Connection, account: AccountId) -> Result<String, Error> {
    let mut statement = connection.prepare_cached("SELECT capabilities FROM seen_server WHERE account = ?1")?;
    Ok(statement.query_row([account.0], |row| row.get(0)).optional()?.unwrap_or_default())
}

/// Remembers what the account's server can do.
///
/// # Errors
/// When the database cannot be written.
pub fn set_capabilities(connection: &Connection, account: AccountId, text: &str) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO seen_server (account, capabilities) VALUES (?1, ?2)
             ON CONFLICT (account) DO UPDATE SET capabilities = excluded.capabilities",
        )?
        .execute((account.0, text))?;
    Ok(())
}

/// A size for SQLite; what does not fit is not told.
fn number(size: Option<u64>) -> Option<i64> {
    size.and_then(|size| i64::try_from(size).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::state::account::Key;

    const KEY: Key<'_> = Key { kind: "fetch", host: "pop.example.org", port: 995, user: "me" };
    const WORK: Source<'_> = Source { account: AccountId(1), source: "" };

    fn state() -> State {
        let mut state = State::in_memory().unwrap();
        assert_eq!(state.fetch_account(&KEY, "work", Timestamp(1)).unwrap().id, WORK.account);
        state
    }

    fn seen(uidl: &[u8]) -> Seen {
        Seen {
            uidl: Some(key(uidl)),
            size: Some(120),
            header: Some(Digest::of(b"h")),
            content: Some(Digest::of(b"c")),
            first_seen: Timestamp(1000),
            folder: "INBOX".into(),
            file: Some(b"1.x".to_vec()),
            status: Status::Delivered,
            absent: None,
        }
    }

    #[test]
    fn rows_come_back_as_they_went() {
        let mut state = state();
        let db = state.connection();
        let imported = Seen { size: None, header: None, content: None, file: None, uidl: None, ..seen(b"") };
        for one in [seen(b"a"), imported] {
            let id = insert(db, WORK, &one).unwrap();
            assert!(load(db, WORK).unwrap().contains(&Row { id, seen: one }));
        }
        assert!(load(db, Source { source: "1:INBOX", ..WORK }).unwrap().is_empty());
        assert!(load(db, Source { account: AccountId(9), ..WORK }).unwrap().is_empty());
    }

    #[test]
    fn what_becomes_of_a_row() {
        let mut state = state();
        let db = state.connection();
        let id = insert(db, WORK, &seen(b"a")).unwrap();
        set_status(db, &[id], Status::DeleteAsked).unwrap();
        set_absent(db, &[id], Some(Timestamp(5))).unwrap();
        let mut row = load(db, WORK).unwrap().remove(0);
        assert_eq!((row.seen.status, row.seen.absent), (Status::DeleteAsked, Some(Timestamp(5))));
        row.seen.uidl = Some(b"b".to_vec());
        row.seen.absent = None;
        update(db, WORK, &row).unwrap();
        assert_eq!(load(db, WORK).unwrap(), [row]);
        forget(db, &[id]).unwrap();
        assert!(load(db, WORK).unwrap().is_empty());
    }

    #[test]
    fn long_ids_become_digests() {
        assert_eq!(key(b"short"), b"short");
        assert_eq!(key(&[b'x'; 129]).len(), 33);
        assert_ne!(key(&[b'x'; 129]), key(&[b'x'; 130]));
    }

    #[test]
    fn what_is_kept_of_servers_and_sources() {
        let mut state = state();
        let db = state.connection();
        let account = WORK.account;
        assert_eq!(capabilities(db, account).unwrap(), "");
        set_capabilities(db, account, "TOP").unwrap();
        set_capabilities(db, account, "UIDL").unwrap();
        assert_eq!(capabilities(db, account).unwrap(), "UIDL");
        let inbox = Source { account, source: "7:INBOX" };
        let id = insert(db, inbox, &seen(b"1")).unwrap();
        assert_eq!(sources(db, account).unwrap(), ["7:INBOX"]);
        assert!(!has_open_deletions(db, inbox).unwrap());
        set_status(db, &[id], Status::DeleteAsked).unwrap();
        assert!(has_open_deletions(db, inbox).unwrap() && !has_open_deletions(db, WORK).unwrap());
    }
}
