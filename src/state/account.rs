//! The accounts of a Maildir: known by server and user, whatever the profile calls them.

use rusqlite::{OptionalExtension, params};

use super::{Error, State};

/// An account's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountId(pub i64);

/// What the state knows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its row.
    pub id: AccountId,
    /// Whether it ever had a Trash folder.
    pub had_trash: bool,
    /// Whether the last run began to change things and did not end.
    pub unfinished: bool,
    /// When everything was last compared, in seconds since 1970.
    pub full_at: Option<i64>,
    /// When the last run ended.
    pub last_run: Option<i64>,
    /// How it ended: `ok`, `partial` or `failed`.
    pub last_result: Option<String>,
    /// It was another server or user until now: UIDs of before say nothing.
    pub rekeyed: bool,
    /// It was another port of the same host: perhaps the same server, perhaps another one behind a tunnel.
    pub other_port: bool,
}

impl AccountRow {
    /// An account that the state does not know: for dry runs, which add none.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            id: AccountId(-1),
            had_trash: false,
            unfinished: false,
            full_at: None,
            last_run: None,
            last_result: None,
            rekeyed: false,
            other_port: false,
        }
    }
}

/// Who an account is.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// `imap` for sync, `fetch` for the memory of fetch.
    pub kind: &'a str,
    /// Host as configured.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// User name.
    pub user: &'a str,
}

impl State {
    /// The sync account of this Maildir, made if there is none. Where the profile now names another server or user, the row is
    /// taken over and every folder's UIDVALIDITY forgotten (HAZARDS 1): its rows are paired again by content.
    ///
    /// # Errors
    /// Those of the database.
    pub fn sync_account(&mut self, key: &Key<'_>, label: &str) -> Result<AccountRow, Error> {
        let known = self.find_kind(key.kind)?;
        let (mut rekeyed, mut other_port) = (false, false);
        let mut stored = *key;
        let known_port;
        if let Some((id, host, port, user)) = known {
            rekeyed = (host.as_str(), user.as_str()) != (key.host, key.user);
            other_port = !rekeyed && port != i64::from(key.port);
            if rekeyed {
                self.rekey(AccountId(id), key, label)?;
            } else {
                known_port = u16::try_from(port).unwrap_or(key.port);
                stored.port = known_port;
            }
        } else {
            self.connection().execute(
                "INSERT INTO account (kind, host, port, user, label) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![key.kind, key.host, key.port, key.user, label],
            )?;
        }
        let mut row = self.find_account(&stored)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        (row.rekeyed, row.other_port) = (rekeyed, other_port);
        Ok(row)
    }

    /// As [`State::sync_account`], changing nothing: for dry runs.
    ///
    /// # Errors
    /// Those of the database.
    pub fn look_up_account(&mut self, key: &Key<'_>) -> Result<AccountRow, Error> {
        let Some((_, host, port, user)) = self.find_kind(key.kind)? else { return Ok(AccountRow::unknown()) };
        let stored = Key { kind: key.kind, host: &host, port: u16::try_from(port).unwrap_or(key.port), user: &user };
        let mut row = self.find_account(&stored)?.unwrap_or_else(AccountRow::unknown);
        row.rekeyed = (host.as_str(), user.as_str()) != (key.host, key.user);
        row.other_port = !row.rekeyed && stored.port != key.port;
        Ok(row)
    }

    /// Makes the account another server's: every folder's UIDVALIDITY is forgotten, its rows are paired again by content.
    ///
    /// # Errors
    /// Those of the database.
    pub fn rekey(&mut self, account: AccountId, key: &Key<'_>, label: &str) -> Result<(), Error> {
        self.commit(|db| {
            db.execute(
                "UPDATE account SET host = ?2, port = ?3, user = ?4, label = ?5 WHERE id = ?1",
                params![account.0, key.host, key.port, key.user, label],
            )?;
            db.execute(
                "UPDATE folder SET uid_validity = NULL, uid_next = NULL, modseq = NULL WHERE account = ?1",
                [account.0],
            )?;
            Ok(())
        })
    }

    /// Records that the account is the same server under another port.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_port(&mut self, account: AccountId, port: u16) -> Result<(), Error> {
        self.connection().execute("UPDATE account SET port = ?2 WHERE id = ?1", params![account.0, port])?;
        Ok(())
    }

    fn find_kind(&mut self, kind: &str) -> Result<Option<(i64, String, i64, String)>, Error> {
        let found = self
            .connection()
            .query_row("SELECT id, host, port, user FROM account WHERE kind = ?1", [kind], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        Ok(found)
    }

    /// An account by who it is.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find_account(&mut self, key: &Key<'_>) -> Result<Option<AccountRow>, Error> {
        let found = self
            .connection()
            .query_row(
                "SELECT id, had_trash, unfinished, full_at, last_run, last_result FROM account
                 WHERE kind = ?1 AND host = ?2 AND port = ?3 AND user = ?4",
                params![key.kind, key.host, key.port, key.user],
                |row| {
                    Ok(AccountRow {
                        id: AccountId(row.get(0)?),
                        had_trash: row.get(1)?,
                        unfinished: row.get(2)?,
                        full_at: row.get(3)?,
                        last_run: row.get(4)?,
                        last_result: row.get(5)?,
                        rekeyed: false,
                        other_port: false,
                    })
                },
            )
            .optional()?;
        Ok(found)
    }

    /// Remembers that the account has a Trash.
    ///
    /// # Errors
    /// Those of the database.
    pub fn set_had_trash(&mut self, account: AccountId) -> Result<(), Error> {
        self.connection().execute("UPDATE account SET had_trash = 1 WHERE id = ?1 AND had_trash = 0", [account.0])?;
        Ok(())
    }

    /// Marks that a run begins to change things.
    ///
    /// # Errors
    /// Those of the database.
    pub fn begin_run(&mut self, account: AccountId) -> Result<(), Error> {
        self.commit_counted(|db| {
            db.execute("UPDATE account SET unfinished = 1 WHERE id = ?1", [account.0])?;
            Ok(())
        })
    }

    /// Forgets that everything was ever compared: it is to be done again, by as many runs as it takes.
    ///
    /// # Errors
    /// Those of the database.
    pub fn forget_full(&mut self, account: AccountId) -> Result<(), Error> {
        self.connection().execute("UPDATE account SET full_at = NULL WHERE id = ?1", [account.0])?;
        Ok(())
    }

    /// Marks how and when (seconds since 1970) a run ended, and whether it compared everything.
    ///
    /// # Errors
    /// Those of the database.
    pub fn end_run(&mut self, account: AccountId, at: i64, result: &str, full: bool) -> Result<(), Error> {
        self.commit_counted(|db| {
            db.execute(
                "UPDATE account SET unfinished = 0, last_run = ?2, last_result = ?3,
                    full_at = CASE WHEN ?4 THEN ?2 ELSE full_at END WHERE id = ?1",
                params![account.0, at, result, full],
            )?;
            Ok(())
        })
    }
}
