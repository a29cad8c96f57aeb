//! Whether the state still describes the files beside it: a copy or a restored backup does not.
//!
//! A copy shows itself by machine, path and inodes. A database whose bytes were put back into the same file shows itself by how many
//! beginnings and ends of runs it has counted: a file beside it has counted more.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rusqlite::Connection;

use super::{AccountId, Error, State, io_error};

/// The file that counts beside the database.
const COUNT: &str = "runs";

/// What the state says of its own past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuity {
    /// Made now.
    New,
    /// The same machine, Maildir and database file as last time.
    Same,
    /// A copy, on this or another machine, or restored from a backup: this run compares everything and deletes nothing.
    Broken,
}

/// Machine, Maildir directory and database file, as text.
fn here(root: &Path, database: &Path) -> Result<String, Error> {
    let machine = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()))
        .unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    let inode = |path: &Path| fs::metadata(path).map(|m| m.ino()).map_err(io_error(path));
    let path = fs::canonicalize(root).map_err(io_error(root))?;
    Ok(format!("{machine} {} {} {}", inode(root)?, inode(database)?, path.display()))
}

/// Twenty characters, always written over the same bytes.
fn write_count(path: &Path, count: u64) -> std::io::Result<()> {
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)?;
    file.write_all_at(format!("{count:020}\n").as_bytes(), 0)
}

impl State {
    /// Compares what the state recorded with what it finds. Where it is broken, [`State::doubt_all`] remembers that for each
    /// account until its run has dealt with it.
    ///
    /// # Errors
    /// When the directory or the database cannot be looked at.
    pub fn continuity(&self, root: &Path) -> Result<Continuity, Error> {
        let Some(recorded) = self.meta("identity")? else { return Ok(Continuity::New) };
        let same = recorded == here(root, &self.dir().join("state.db"))? && self.counted()? >= self.counted_beside();
        Ok(if same { Continuity::Same } else { Continuity::Broken })
    }

    /// Records where the state is now.
    ///
    /// # Errors
    /// As [`State::continuity`].
    pub fn record_identity(&mut self, root: &Path) -> Result<(), Error> {
        let now = here(root, &self.dir().join("state.db"))?;
        let counted = self.counted_beside().to_string();
        self.commit(|db| {
            db.execute("INSERT OR REPLACE INTO meta VALUES ('identity', ?1), ('runs', ?2)", [now, counted])?;
            Ok(())
        })
    }

    /// Runs `change` in one transaction that also counts, in the database and then beside it.
    pub(super) fn commit_counted(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let count = self.counted()?.max(self.counted_beside()) + 1;
        self.commit(|db| {
            change(db)?;
            db.execute("INSERT OR REPLACE INTO meta VALUES ('runs', ?1)", [count.to_string()])?;
            Ok(())
        })?;
        if !self.dir().as_os_str().is_empty() {
            // Where it cannot be written, or is lost with the power, it counts less than the database: that proves nothing.
            let _ = write_count(&self.dir().join(COUNT), count);
        }
        Ok(())
    }

    fn counted(&self) -> Result<u64, Error> {
        Ok(self.meta("runs")?.and_then(|count| count.parse().ok()).unwrap_or_default())
    }

    fn counted_beside(&self) -> u64 {
        let text = fs::read_to_string(self.dir().join(COUNT)).unwrap_or_default();
        text.trim().parse().unwrap_or_default()
    }

    /// Records where the state is now, and that the files of every account it knows are in doubt.
    ///
    /// # Errors
    /// As [`State::continuity`].
    pub fn doubt_all(&mut self, root: &Path) -> Result<(), Error> {
        let now = here(root, &self.dir().join("state.db"))?;
        let counted = self.counted_beside().to_string();
        self.commit(|db| {
            db.execute("INSERT OR REPLACE INTO meta SELECT 'doubt ' || id, '' FROM account", [])?;
            db.execute("INSERT OR REPLACE INTO meta VALUES ('identity', ?1), ('runs', ?2)", [now, counted])?;
            Ok(())
        })
    }

    /// Whether an account's files are in doubt: its run compares everything and deletes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub fn is_doubtful(&self, account: AccountId) -> Result<bool, Error> {
        Ok(self.meta(&format!("doubt {}", account.0))?.is_some())
    }

    /// An account's run has dealt with the doubt.
    ///
    /// # Errors
    /// Those of the database.
    pub fn settle(&mut self, account: AccountId) -> Result<(), Error> {
        self.connection().execute("DELETE FROM meta WHERE key = 'doubt ' || ?1", [account.0])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Access;
    use crate::state::account::Key;

    #[test]
    fn a_database_put_back_into_its_file_is_a_restored_one() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join(".mailferry");
        let open = || State::open(&dir, Access::Write { local: true }).unwrap();
        let run = || {
            let mut state = open();
            let key = Key { kind: "imap", host: "h", port: 1, user: "u" };
            let account = state.sync_account(&key, "x").unwrap().id;
            state.begin_run(account).unwrap();
            state.end_run(account, 1, "ok", true).unwrap();
        };
        open().record_identity(root.path()).unwrap();
        run();
        let (database, backup) = (dir.join("state.db"), root.path().join("backup"));
        fs::copy(&database, &backup).unwrap();
        assert_eq!(open().continuity(root.path()).unwrap(), Continuity::Same);
        run();
        let inode = fs::metadata(&database).unwrap().ino();
        fs::copy(&backup, &database).unwrap();
        assert_eq!(fs::metadata(&database).unwrap().ino(), inode);
        assert_eq!(open().continuity(root.path()).unwrap(), Continuity::Broken);
        open().doubt_all(root.path()).unwrap();
        assert_eq!(open().continuity(root.path()).unwrap(), Continuity::Same);
        // What counts beside it may be lost, and proves nothing then.
        fs::remove_file(dir.join(COUNT)).unwrap();
        assert_eq!(open().continuity(root.path()).unwrap(), Continuity::Same);
        run();
        assert_eq!(open().continuity(root.path()).unwrap(), Continuity::Same);
        fs::write(dir.join(COUNT), "no number").unwrap();
        assert_eq!(open().continuity(root.path()).unwrap(), Continuity::Same);
    }
}
