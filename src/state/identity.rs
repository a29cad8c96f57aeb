//! Whether the state still describes the files beside it: a copy or a restored backup does not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{AccountId, Error, State, io_error};

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

impl State {
    /// Compares what the state recorded with what it finds. Where it is broken, [`State::doubt_all`] remembers that for each
    /// account until its run has dealt with it.
    ///
    /// # Errors
    /// When the directory or the database cannot be looked at.
    pub fn continuity(&self, root: &Path) -> Result<Continuity, Error> {
        let Some(recorded) = self.meta("identity")? else { return Ok(Continuity::New) };
        let same = recorded == here(root, &self.dir().join("state.db"))?;
        Ok(if same { Continuity::Same } else { Continuity::Broken })
    }

    /// Records where the state is now.
    ///
    /// # Errors
    /// As [`State::continuity`].
    pub fn record_identity(&mut self, root: &Path) -> Result<(), Error> {
        let now = here(root, &self.dir().join("state.db"))?;
        if self.meta("identity")?.as_deref() != Some(now.as_str()) {
            self.set_meta("identity", &now)?;
        }
        Ok(())
    }

    /// Records where the state is now, and that the files of every account it knows are in doubt.
    ///
    /// # Errors
    /// As [`State::continuity`].
    pub fn doubt_all(&mut self, root: &Path) -> Result<(), Error> {
        let now = here(root, &self.dir().join("state.db"))?;
        self.commit(|db| {
            db.execute("INSERT OR REPLACE INTO meta SELECT 'doubt ' || id, '' FROM account", [])?;
            db.execute("INSERT OR REPLACE INTO meta VALUES ('identity', ?1)", [now])?;
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
