//! The tables, and the numbered steps that lead to them.

use rusqlite::Connection;

use super::Error;

/// Each step takes the database from version `index` to `index + 1` (`PRAGMA user_version`).
const MIGRATIONS: &[&str] = &[FIRST, super::seen::SCHEMA];

/// What this program writes; a database with a larger number comes from a newer one.
pub fn current() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

const FIRST: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,                     -- imap (sync) or fetch
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    user TEXT NOT NULL,
    label TEXT NOT NULL,                    -- the profile's name, for people
    had_trash INTEGER NOT NULL DEFAULT 0,
    unfinished INTEGER NOT NULL DEFAULT 0,  -- a run has begun to change things and has not ended
    full_at INTEGER,                        -- seconds since 1970 of the last comparison of everything
    last_run INTEGER,
    last_result TEXT
) STRICT;

CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    name TEXT NOT NULL,                     -- FolderName::key
    uid_validity INTEGER,
    uid_next INTEGER,
    modseq INTEGER,
    messages INTEGER,
    mailbox_id TEXT,
    stamp BLOB,                             -- directory times before the scan they stand for; NULL: scan
    had_local INTEGER NOT NULL DEFAULT 0,
    had_remote INTEGER NOT NULL DEFAULT 0,
    asleep INTEGER NOT NULL DEFAULT 0,      -- was left out by a later selection: first run back deletes nothing
    UNIQUE (account, name)
) STRICT;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,
    uid INTEGER,                            -- NULL: not on the server
    file BLOB,                              -- 'cur/NAME' or 'new/NAME'; NULL: not in the Maildir
    flags INTEGER NOT NULL,
    keywords TEXT,
    mark INTEGER NOT NULL DEFAULT 0,
    open INTEGER NOT NULL DEFAULT 0,        -- how often work on it was left undone
    size_wire INTEGER,                      -- as the server says
    size INTEGER,                           -- of the canonical form
    date INTEGER,
    message_id BLOB,
    header BLOB,
    digest BLOB,
    email_id TEXT,
    inode INTEGER
) STRICT;
CREATE INDEX message_uid ON message (folder, uid);
CREATE INDEX message_open ON message (folder) WHERE open > 0 OR mark > 0;
CREATE INDEX message_email ON message (email_id) WHERE email_id IS NOT NULL;

-- An APPEND, COPY or MOVE that may have reached the server although its answer did not reach us.
CREATE TABLE intent (
    id INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL REFERENCES folder ON DELETE CASCADE,  -- where it would arrive
    uid_next INTEGER,                       -- the folder's UIDNEXT before
    message INTEGER REFERENCES message ON DELETE CASCADE,         -- the moved message
    file BLOB,                              -- the uploaded file
    digest BLOB,
    message_id BLOB
) STRICT;

-- Standing conditions that were told: told again only when they change.
CREATE TABLE notice (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    folder TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (account, folder, kind)
) STRICT;
";

/// Brings the database to [`current`].
///
/// # Errors
/// [`Error::Newer`] for a database of a newer program.
pub fn migrate(db: &mut Connection) -> Result<(), Error> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > current() {
        return Err(Error::Newer { found: version, known: current() });
    }
    let done = usize::try_from(version).unwrap_or(0);
    for (at, step) in MIGRATIONS.iter().enumerate().skip(done) {
        let change = db.transaction()?;
        change.execute_batch(step)?;
        change.pragma_update(None, "user_version", i64::try_from(at + 1).unwrap_or(i64::MAX))?;
        change.commit()?;
    }
    Ok(())
}
