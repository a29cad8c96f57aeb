//! Questions about a folder's rows.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::super::{AccountId, Error, FolderId, State};
use super::{Brief, COLUMNS, Mark, Row, RowId, keywords_hash, keywords_of, read};
use crate::mail::{System, Uid, UidSet};

impl State {
    /// Calls `each` for every row of a folder, by rising UID (those without first), with the file's name.
    ///
    /// # Errors
    /// Those of the database.
    pub fn each_brief(&mut self, folder: FolderId, mut each: impl FnMut(Brief, Option<&[u8]>)) -> Result<(), Error> {
        let mut query = self.connection().prepare_cached(
            "SELECT id, uid, flags, keywords, mark, open > 0, file FROM message WHERE folder = ?1 ORDER BY uid",
        )?;
        let mut rows = query.query([folder.0])?;
        while let Some(row) = rows.next()? {
            let brief = Brief {
                id: RowId(row.get(0)?),
                uid: row.get::<_, Option<u32>>(1)?.and_then(Uid::new),
                system: System::from_bits(row.get(2)?),
                keywords: keywords_hash(&keywords_of(row.get_ref(3)?.as_str_or_null().map_err(rusqlite::Error::from)?)),
                mark: Mark::from_number(row.get(4)?),
                open: row.get(5)?,
            };
            each(brief, row.get_ref(6)?.as_blob_or_null().map_err(rusqlite::Error::from)?);
        }
        Ok(())
    }

    /// Rows in full, in no order; those that are gone are left out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rows(&mut self, ids: &[RowId]) -> Result<Vec<Row>, Error> {
        let mut out = Vec::with_capacity(ids.len());
        let mut query = self.connection().prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE id = ?1"))?;
        for id in ids {
            let mut rows = query.query([id.0])?;
            if let Some(row) = rows.next()? {
                out.push(read(row)?);
            }
        }
        Ok(out)
    }

    /// All rows of a folder in full, by rising UID.
    ///
    /// # Errors
    /// Those of the database.
    pub fn all_rows(&mut self, folder: FolderId) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.each_row(folder, |row| rows.push(row))?;
        Ok(rows)
    }

    /// Calls `each` for every row of a folder in full, by rising UID (those without first).
    ///
    /// # Errors
    /// Those of the database.
    pub fn each_row(&mut self, folder: FolderId, mut each: impl FnMut(Row)) -> Result<(), Error> {
        let mut query = self
            .connection()
            .prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE folder = ?1 ORDER BY uid"))?;
        for row in query.query_map([folder.0], read)? {
            each(row?);
        }
        Ok(())
    }

    /// The rows with these UIDs.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rows_by_uid(&mut self, folder: FolderId, uids: &UidSet) -> Result<Vec<Row>, Error> {
        let mut query = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message WHERE folder = ?1 AND uid BETWEEN ?2 AND ?3 ORDER BY uid"
        ))?;
        let mut out = Vec::new();
        for (first, last) in uids.ranges() {
            for row in query.query_map(params![folder.0, first.get(), last.get()], read)? {
                out.push(row?);
            }
        }
        Ok(out)
    }

    /// The latest `count` messages that both sides have, of one folder.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sample(&mut self, folder: FolderId, count: u32) -> Result<Vec<Row>, Error> {
        let mut query = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message WHERE folder = ?1 AND uid IS NOT NULL AND mark = 0 ORDER BY uid DESC LIMIT ?2"
        ))?;
        let rows = query.query_map(params![folder.0, count], read)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// The rows of a folder on which work is open, or whose mark may have lost its reason.
    ///
    /// # Errors
    /// Those of the database.
    pub fn open_rows(&mut self, folder: FolderId) -> Result<Vec<Row>, Error> {
        let mut query = self.connection().prepare_cached(&format!(
            "SELECT {COLUMNS} FROM message WHERE folder = ?1 AND (open > 0 OR mark > 0) ORDER BY uid"
        ))?;
        let rows = query.query_map([folder.0], read)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// Rows of an account that hold a message by the name that the server gives its content.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rows_by_email_id(&mut self, email_id: &str) -> Result<Vec<Row>, Error> {
        let mut query =
            self.connection().prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE email_id = ?1"))?;
        let rows = query.query_map([email_id], read)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// The rows of a folder that both sides have and that carry `\Deleted`.
    ///
    /// # Errors
    /// Those of the database.
    pub fn marked_deleted(&mut self, folder: FolderId) -> Result<Vec<RowId>, Error> {
        let mut query = self
            .connection()
            .prepare_cached("SELECT id FROM message WHERE folder = ?1 AND mark = 0 AND flags & ?2 <> 0")?;
        let rows = query.query_map(params![folder.0, System::DELETED.bits()], |row| Ok(RowId(row.get(0)?)))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// The folders with work that was left open or whose reason to be left out may have gone (`max_size` in bytes).
    ///
    /// # Errors
    /// Those of the database.
    pub fn unsettled_folders(
        &mut self,
        account: AccountId,
        max_size: Option<u64>,
    ) -> Result<BTreeSet<FolderId>, Error> {
        let mut query = self.connection().prepare_cached(
            "SELECT DISTINCT m.folder FROM folder f JOIN message m INDEXED BY message_open ON m.folder = f.id
             WHERE f.account = ?1 AND (m.open > 0 OR m.mark > 0)
               AND (m.open > 0 OR m.mark = 6 OR (m.mark = 4 AND coalesce(m.size_wire, m.size) <= ?2))",
        )?;
        let limit = max_size.map_or(i64::MAX, |max| i64::try_from(max).unwrap_or(i64::MAX));
        let rows = query.query_map(params![account.0, limit], |row| Ok(FolderId(row.get(0)?)))?;
        Ok(rows.collect::<Result<BTreeSet<_>, _>>()?)
    }

    /// How many messages both sides have, by folder.
    ///
    /// # Errors
    /// Those of the database.
    pub fn paired_counts(&mut self, account: AccountId) -> Result<BTreeMap<FolderId, u64>, Error> {
        let mut query = self.connection().prepare_cached(
            "SELECT m.folder, count(*) FROM folder f JOIN message m ON m.folder = f.id
             WHERE f.account = ?1 AND m.uid IS NOT NULL AND m.file IS NOT NULL GROUP BY m.folder",
        )?;
        let rows = query.query_map([account.0], |row| Ok((FolderId(row.get(0)?), u64::from(row.get::<_, u32>(1)?))))?;
        Ok(rows.collect::<Result<BTreeMap<_, _>, _>>()?)
    }

    /// How many rows of a folder stand on the server (those with a UID), in the Maildir, and how many are open or too large.
    ///
    /// # Errors
    /// Those of the database.
    pub fn counts(&mut self, folder: FolderId) -> Result<Counts, Error> {
        let counts = self
            .connection()
            .prepare_cached(
                "SELECT count(uid), count(file), count(*) FILTER (WHERE open > 0),
                    min(CASE WHEN mark = 4 THEN coalesce(size_wire, size) END), max(uid)
                 FROM message WHERE folder = ?1",
            )?
            .query_row([folder.0], |row| {
                Ok(Counts {
                    remote: row.get(0)?,
                    local: row.get(1)?,
                    open: row.get(2)?,
                    smallest_skipped: row.get::<_, Option<i64>>(3)?.and_then(|n| u64::try_from(n).ok()),
                    last_uid: row.get::<_, Option<u32>>(4)?.and_then(Uid::new),
                })
            })?;
        Ok(counts)
    }
}

/// Figures over a folder's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows with a UID.
    pub remote: u32,
    /// Rows with a file.
    pub local: u32,
    /// Rows with open work.
    pub open: u32,
    /// The smallest message that was left out for its size, in bytes.
    pub smallest_skipped: Option<u64>,
    /// The largest UID.
    pub last_uid: Option<Uid>,
}
