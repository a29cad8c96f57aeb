//! What both sides last had: the database inside the Maildir. The only room with SQL.
//!
//! A row is committed right after its step is durable; a folder's cursor (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, directory
//! times) only when every step of the folder is done or written down as open. So a crash repeats work and loses none.

pub mod account;
pub mod base;
mod fetcher;
pub mod files;
pub mod folder;
pub mod identity;
pub mod intent;
pub mod lock;
pub mod notice;
mod schema;
pub mod seen;

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use rusqlite::Connection as Db;
use rusqlite::{Connection, OpenFlags};

pub use account::AccountId;
pub use base::{Brief, Mark, Row, RowId};
pub use folder::{Cursor, FolderId, FolderRow};
pub use identity::Continuity;
pub use lock::Lock;

use crate::severity::{Kind, Retry, Scope, Severity};

/// What can go wrong with the state.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or its directory.
    #[error("state {}: {source}", path.display())]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error("state database: {0}")]
    Database(#[from] rusqlite::Error),
    /// Written by a newer mailferry.
    #[error("the state has version {found}, this mailferry knows {known}")]
    Newer {
        /// The database's version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Another run holds the Maildir.
    #[error("{} is in use by {holder}", root.display())]
    Busy {
        /// The Maildir.
        root: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// A stop was asked for while waiting.
    #[error("interrupted while waiting for the Maildir")]
    Interrupted,
    /// The state's place is a symbolic link.
    #[error("{} is a symbolic link", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        Scope::Account
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Busy { .. } | Self::Interrupted => Retry::Later,
            Self::Io { .. } | Self::Database(_) | Self::Newer { .. } | Self::Link { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Io { .. } | Self::Database(_) => Kind::Disk,
            Self::Newer { .. } | Self::Link { .. } => Kind::Config,
            Self::Busy { .. } => Kind::TryLater,
            Self::Interrupted => Kind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Newer { .. } => {
                Some("use the newer mailferry, or move the state away: the Maildir is then compared by content".into())
            }
            Self::Busy { .. } => Some("wait for it to end, or use --wait".into()),
            Self::Link { .. } => Some("replace the link by a directory".into()),
            Self::Database(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
                Some("free some space (or raise the quota) and run again; nothing was lost".into())
            }
            Self::Io { .. } | Self::Database(_) | Self::Interrupted => None,
        }
    }
}

/// How a state is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To work: created where missing, set aside where damaged.
    Write {
        /// Whether the file system is a local one, on which WAL is safe.
        local: bool,
    },
    /// To look: nothing is created or changed; a missing state is an empty one.
    Read,
}

/// An open state.
pub struct State {
    db: Connection,
    dir: PathBuf,
    /// Where a damaged database was put, if that happened now.
    pub set_aside: Option<PathBuf>,
}

impl State {
    /// Opens the state in `dir` (`ROOT/.mailferry` or `ROOT/mailferry`).
    ///
    /// # Errors
    /// For anything but a damaged database, which is renamed and replaced by an empty one.
    pub fn open(dir: &Path, access: Access) -> Result<Self, Error> {
        let path = dir.join("state.db");
        match access {
            Access::Read => Self::open_to_read(dir, &path),
            Access::Write { local } => {
                create_directory(dir)?;
                match Self::open_to_write(dir, &path, local) {
                    Err(Error::Database(e)) if is_damage(&e) => {
                        let aside = set_aside(&path)?;
                        let mut state = Self::open_to_write(dir, &path, local)?;
                        state.set_aside = Some(aside);
                        Ok(state)
                    }
                    other => other,
                }
            }
        }
    }

    fn open_to_write(dir: &Path, path: &Path, local: bool) -> Result<Self, Error> {
        create_file(path)?;
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(real(path), flags)?;
        db.busy_timeout(Duration::from_secs(10))?;
        if local {
            db.pragma_update(None, "journal_mode", "WAL")?;
        } else {
            db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            db.pragma_update(None, "journal_mode", "TRUNCATE")?;
        }
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "cache_size", -4000)?;
        db.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut db)?;
        Ok(Self { db, dir: dir.to_owned(), set_aside: None })
    }

    fn open_to_read(dir: &Path, path: &Path) -> Result<Self, Error> {
        let mut db = if path.exists() {
            let flags =
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let path = real(path);
            if path.with_file_name("state.db-wal").exists() {
                Connection::open_with_flags(path, flags)?
            } else {
                // Without a journal there is nothing to take in, and SQLite would make one to look.
                Connection::open_with_flags(immutable(&path), flags | OpenFlags::SQLITE_OPEN_URI)?
            }
        } else {
            Connection::open_in_memory()?
        };
        db.busy_timeout(Duration::from_secs(10))?;
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == schema::current() {
            return Ok(Self { db, dir: dir.to_owned(), set_aside: None });
        }
        // An older or empty database is looked at through a migrated copy in memory.
        let mut copy = Connection::open_in_memory()?;
        rusqlite::backup::Backup::new(&db, &mut copy)?.run_to_completion(1000, Duration::ZERO, None)?;
        db = copy;
        schema::migrate(&mut db)?;
        Ok(Self { db, dir: dir.to_owned(), set_aside: None })
    }

    /// An empty state that is never written to disk.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn in_memory() -> Result<Self, Error> {
        let mut db = Connection::open_in_memory()?;
        schema::migrate(&mut db)?;
        Ok(Self { db, dir: PathBuf::new(), set_aside: None })
    }

    /// The connection, for the tables that stand in files of their own.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.db
    }

    /// The directory that the state is in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `work` in one transaction that is durable when this returns.
    ///
    /// # Errors
    /// Those of `work` and of the commit; nothing is changed then.
    pub fn commit<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let change = self.db.transaction()?;
        let value = work(&change)?;
        change.commit()?;
        Ok(value)
    }

    /// A random number of this state, made with it: part of file names and never told to a server.
    ///
    /// # Errors
    /// Those of the database.
    pub fn secret(&mut self) -> Result<String, Error> {
        if let Some(known) = self.meta("secret")? {
            return Ok(known);
        }
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes)
            .map_err(|e| Error::Io { path: self.dir.clone(), source: io::Error::other(e.to_string()) })?;
        let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        self.set_meta("secret", &text)?;
        Ok(text)
    }

    /// A value by its key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn meta(&self, key: &str) -> Result<Option<String>, Error> {
        let mut query = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        let mut rows = query.query([key])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
    }

    /// Sets a value.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_meta(&mut self, key: &str, value: &str) -> Result<(), Error> {
        self.db
            .prepare_cached("INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")?
            .execute([key, value])?;
        Ok(())
    }
}

/// SQLite refuses symbolic links anywhere in the path, while a Maildir below one is fine: only our own file must be none.
fn real(path: &Path) -> PathBuf {
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(dir)), Some(name)) => dir.join(name),
        _ => path.to_owned(),
    }
}

/// The address of a database that nobody writes to now.
fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri + "?immutable=1"
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// Creates the state's directory, 0700, and makes it durable. A link in its place is refused.
fn create_directory(dir: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(dir) {
        Ok(meta) if meta.file_type().is_symlink() => return Err(Error::Link { path: dir.to_owned() }),
        Ok(_) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io_error(dir)(e)),
    }
    fs::DirBuilder::new().mode(0o700).create(dir).map_err(io_error(dir))?;
    sync_directory(dir.parent().unwrap_or(dir))
}

fn sync_directory(dir: &Path) -> Result<(), Error> {
    fs::File::open(dir).and_then(|d| d.sync_all()).map_err(io_error(dir))
}

/// Creates the database's file, 0600, before SQLite would with the umask's mode.
fn create_file(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_symlink() => return Err(Error::Link { path: path.to_owned() }),
        Ok(_) => return Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io_error(path)(e)),
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io_error(path))?;
    sync_directory(path.parent().unwrap_or(path))
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
}

/// Renames a damaged database and its journal to names that nothing uses.
fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let dir = path.parent().unwrap_or(path);
    let inode = fs::metadata(path).map(|m| m.ino()).unwrap_or_default();
    let aside = dir.join(format!("state.db.damaged-{inode}"));
    fs::rename(path, &aside).map_err(io_error(path))?;
    for suffix in ["-wal", "-shm", "-journal"] {
        let journal = dir.join(format!("state.db{suffix}"));
        let target = dir.join(format!("state.db.damaged-{inode}{suffix}"));
        match fs::rename(&journal, target) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(io_error(&journal)(e)),
        }
    }
    sync_directory(dir)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_database_is_set_aside_and_a_newer_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join(".mailferry");
        let write = Access::Write { local: true };
        State::open(&state_dir, write).unwrap().set_meta("a", "b").unwrap();
        assert_eq!(State::open(&state_dir, Access::Read).unwrap().meta("a").unwrap().as_deref(), Some("b"));
        assert_eq!(fs::metadata(&state_dir).unwrap().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(state_dir.join("state.db")).unwrap().mode() & 0o777, 0o600);

        fs::write(state_dir.join("state.db"), "no database, certainly not one of ours".repeat(100)).unwrap();
        let again = State::open(&state_dir, write).unwrap();
        assert!(again.set_aside.as_ref().is_some_and(|p| p.exists()));
        assert_eq!(again.meta("a").unwrap(), None);
        again.db.pragma_update(None, "user_version", 99).unwrap();
        drop(again);
        assert!(matches!(State::open(&state_dir, write), Err(Error::Newer { found: 99, .. })));
    }

    #[test]
    fn reading_creates_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::open(&dir.path().join(".mailferry"), Access::Read).unwrap();
        assert!(state.folders(AccountId(1)).unwrap().is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_server_takes_the_account_over_without_its_uids() {
        use crate::mail::{FolderName, UidValidity};
        let mut state = State::in_memory().unwrap();
        let key = account::Key { kind: "imap", host: "a", port: 993, user: "u" };
        let first = state.sync_account(&key, "x").unwrap();
        let inbox = state.folder(first.id, &FolderName::inbox()).unwrap();
        state.commit(|db| folder::set_validity(db, inbox, UidValidity::new(7).unwrap())).unwrap();
        assert!(!state.sync_account(&key, "y").unwrap().rekeyed);
        let moved = state.sync_account(&account::Key { host: "b", ..key }, "x").unwrap();
        assert!(moved.rekeyed && moved.id == first.id);
        assert_eq!(state.folders(first.id).unwrap()[0].cursor.figures.uid_validity, None);
    }
}
