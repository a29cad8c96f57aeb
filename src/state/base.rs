//! A message's row: what both sides last had of it.

mod query;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use rusqlite::{Connection, Row as SqlRow, params};

use super::{Error, FolderId};
use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Digest, Flags, Keyword, MessageId, System, Timestamp, Uid};

/// A message's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(pub i64);

/// Why a message stands on one side only, by agreement (HAZARDS 4). A marked row is neither new nor deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mark {
    /// On both sides.
    #[default]
    Paired,
    /// Gone from the server, kept here.
    Kept,
    /// Deleted here, left on the server.
    Ignored,
    /// Deleted here, marked `\Deleted` on the server.
    Flagged,
    /// On one side, too large for the other.
    Skipped,
    /// Uploaded, the server did not say under which UID.
    Sent,
    /// On one side only and never yet on the other: carrying it across failed or was put off.
    Waiting,
}

impl Mark {
    const ALL: [Self; 7] =
        [Self::Paired, Self::Kept, Self::Ignored, Self::Flagged, Self::Skipped, Self::Sent, Self::Waiting];

    fn number(self) -> i64 {
        match self {
            Self::Paired => 0,
            Self::Kept => 1,
            Self::Ignored => 2,
            Self::Flagged => 3,
            Self::Skipped => 4,
            Self::Sent => 5,
            Self::Waiting => 6,
        }
    }

    fn from_number(number: i64) -> Self {
        Self::ALL.into_iter().find(|m| m.number() == number).unwrap_or_default()
    }
}

/// A message's row in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its row.
    pub id: RowId,
    /// Its folder.
    pub folder: FolderId,
    /// Its UID; `None`: not on the server.
    pub uid: Option<Uid>,
    /// `cur/NAME` or `new/NAME`; `None`: not in the Maildir.
    pub file: Option<Vec<u8>>,
    /// The flags that both sides last had.
    pub flags: Flags,
    /// Its mark.
    pub mark: Mark,
    /// How often work on it was left undone; 0: none is open.
    pub open: u32,
    /// Its identity.
    pub identity: Identity,
    /// The file's inode: nominates a moved file, never decides.
    pub inode: Option<u64>,
}

impl Row {
    /// Whether its message was on the server, in a folder that was then numbered anew.
    #[must_use]
    pub fn has_lost_uid(&self) -> bool {
        self.uid.is_none() && (self.file.is_none() || (self.mark == Mark::Waiting && self.identity.size_wire.is_some()))
    }
}

/// What a message is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// RFC822.SIZE as this server says.
    pub size_wire: Option<u64>,
    /// Length of the canonical form.
    pub size: Option<u64>,
    /// INTERNALDATE.
    pub date: Option<Timestamp>,
    /// Message-ID.
    pub message_id: Option<MessageId>,
    /// Digest of the header section.
    pub header: Option<Digest>,
    /// Digest of the canonical form.
    pub digest: Option<Digest>,
    /// EMAILID or X-GM-MSGID.
    pub email_id: Option<String>,
}

/// As much of a row as a comparison of a whole folder needs: small, because there may be 200,000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// The row.
    pub id: RowId,
    /// UID.
    pub uid: Option<Uid>,
    /// Flags with letters.
    pub system: System,
    /// [`keywords_hash`] of its keywords.
    pub keywords: u64,
    /// Mark.
    pub mark: Mark,
    /// Whether work on it is open.
    pub open: bool,
}

const COLUMNS: &str = "id, folder, uid, file, flags, keywords, mark, open, size_wire, size, date, message_id, header, digest, email_id, inode";

/// A number that stands for a set of keywords, whatever their case; 0 for none.
#[must_use]
pub fn keywords_hash(keywords: &BTreeSet<Keyword>) -> u64 {
    if keywords.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    keywords.hash(&mut hasher);
    hasher.finish().max(1)
}

fn keywords_text(flags: &Flags) -> Option<String> {
    let words: Vec<&str> = flags.keywords.iter().map(Keyword::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn keywords_of(text: Option<&str>) -> BTreeSet<Keyword> {
    text.into_iter().flat_map(|t| t.split(' ')).filter_map(Keyword::new).collect()
}

fn signed(value: Option<u64>) -> Option<i64> {
    value.and_then(|v| i64::try_from(v).ok())
}

fn read(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let unsigned = |at: usize| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(at)?.and_then(|n| u64::try_from(n).ok()))
    };
    let bytes = |at: usize| -> rusqlite::Result<Option<Vec<u8>>> { row.get(at) };
    Ok(Row {
        id: RowId(row.get(0)?),
        folder: FolderId(row.get(1)?),
        uid: row.get::<_, Option<u32>>(2)?.and_then(Uid::new),
        file: bytes(3)?,
        flags: Flags {
            system: System::from_bits(row.get(4)?),
            keywords: keywords_of(row.get::<_, Option<String>>(5)?.as_deref()),
        },
        mark: Mark::from_number(row.get(6)?),
        open: row.get(7)?,
        identity: Identity {
            size_wire: unsigned(8)?,
            size: unsigned(9)?,
            date: row.get::<_, Option<i64>>(10)?.map(Timestamp),
            message_id: bytes(11)?.and_then(|b| MessageId::from_slice(&b)),
            header: bytes(12)?.and_then(|b| Digest::from_slice(&b)),
            digest: bytes(13)?.and_then(|b| Digest::from_slice(&b)),
            email_id: row.get(14)?,
        },
        inode: row.get::<_, Option<i64>>(15)?.map(i64::cast_unsigned),
    })
}

/// Inserts a row (its `id` is ignored) and gives its new id.
///
/// # Errors
/// Those of the database.
pub fn insert(db: &Connection, row: &Row) -> Result<RowId, Error> {
    db.prepare_cached(
        "INSERT INTO message (folder, uid, file, flags, keywords, mark, open, size_wire, size, date, message_id, header, digest, email_id, inode)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        row.folder.0,
        row.uid.map(Uid::get),
        row.file,
        row.flags.system.bits(),
        keywords_text(&row.flags),
        row.mark.number(),
        row.open,
        signed(row.identity.size_wire),
        signed(row.identity.size),
        row.identity.date.map(|d| d.0),
        row.identity.message_id.map(|m| m.0.to_vec()),
        row.identity.header.map(|d| d.0.to_vec()),
        row.identity.digest.map(|d| d.0.to_vec()),
        row.identity.email_id,
        row.inode.map(u64::cast_signed),
    ])?;
    Ok(RowId(db.last_insert_rowid()))
}

/// Writes a row in full.
///
/// # Errors
/// Those of the database.
pub fn update(db: &Connection, row: &Row) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE message SET folder = ?2, uid = ?3, file = ?4, flags = ?5, keywords = ?6, mark = ?7, open = ?8, size_wire = ?9,
            size = ?10, date = ?11, message_id = ?12, header = ?13, digest = ?14, email_id = ?15, inode = ?16 WHERE id = ?1",
    )?
    .execute(params![
        row.id.0,
        row.folder.0,
        row.uid.map(Uid::get),
        row.file,
        row.flags.system.bits(),
        keywords_text(&row.flags),
        row.mark.number(),
        row.open,
        signed(row.identity.size_wire),
        signed(row.identity.size),
        row.identity.date.map(|d| d.0),
        row.identity.message_id.map(|m| m.0.to_vec()),
        row.identity.header.map(|d| d.0.to_vec()),
        row.identity.digest.map(|d| d.0.to_vec()),
        row.identity.email_id,
        row.inode.map(u64::cast_signed),
    ])?;
    Ok(())
}

/// Forgets a row.
///
/// # Errors
/// Those of the database.
pub fn delete(db: &Connection, id: RowId) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// Takes every UID of a folder away: its UIDVALIDITY has changed, and the rows are to be paired again.
///
/// # Errors
/// Those of the database.
pub fn forget_uids(db: &Connection, folder: FolderId) -> Result<(), Error> {
    // What stands there alone by agreement keeps its mark: it is known again by what it looked like (HAZARDS 4).
    db.execute(
        "DELETE FROM message WHERE folder = ?1 AND file IS NULL AND mark = ?2",
        [folder.0, Mark::Paired.number()],
    )?;
    // What finds no partner now waits to be carried across: to be without a UID must never look like a deletion there.
    db.execute(
        "UPDATE message SET uid = NULL, mark = CASE mark WHEN ?2 THEN ?3 ELSE mark END WHERE folder = ?1",
        [folder.0, Mark::Paired.number(), Mark::Waiting.number()],
    )?;
    Ok(())
}

/// Takes over what the server says of messages that we put there: it need not keep the date that APPEND gave, nor every byte.
///
/// # Errors
/// Those of the database.
pub fn confirm(db: &Connection, folder: FolderId, told: &[RemoteMessage]) -> Result<(), Error> {
    let mut change = db.prepare_cached(
        "UPDATE message SET date = coalesce(?3, date), size_wire = coalesce(?4, size_wire)
         WHERE folder = ?1 AND uid = ?2 AND (date IS NOT coalesce(?3, date) OR size_wire IS NOT coalesce(?4, size_wire))",
    )?;
    for message in told {
        change.execute(params![folder.0, message.uid.get(), message.date.map(|d| d.0), signed(message.size)])?;
    }
    Ok(())
}
