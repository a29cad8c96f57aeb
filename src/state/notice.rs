//! Standing conditions: told once, and again only when they change.

use rusqlite::params;

use super::{AccountId, Error, State};

impl State {
    /// Records a condition of a folder (`""`: the account); gives whether it is new or its `detail` differs from last time.
    ///
    /// # Errors
    /// Those of the database.
    pub fn notice(&mut self, account: AccountId, folder: &str, kind: &str, detail: &str) -> Result<bool, Error> {
        let changed = self
            .connection()
            .prepare_cached(
                "INSERT INTO notice VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (account, folder, kind) DO UPDATE SET detail = excluded.detail WHERE detail <> excluded.detail",
            )?
            .execute(params![account.0, folder, kind, detail])?;
        Ok(changed > 0)
    }

    /// Forgets a condition that no longer holds.
    ///
    /// # Errors
    /// Those of the database.
    pub fn clear_notice(&mut self, account: AccountId, folder: &str, kind: &str) -> Result<(), Error> {
        self.connection()
            .prepare_cached("DELETE FROM notice WHERE account = ?1 AND folder = ?2 AND kind = ?3")?
            .execute(params![account.0, folder, kind])?;
        Ok(())
    }

    /// All conditions of an account as (folder, kind, detail).
    ///
    /// # Errors
    /// Those of the database.
    pub fn notices(&mut self, account: AccountId) -> Result<Vec<(String, String, String)>, Error> {
        let mut query = self
            .connection()
            .prepare_cached("SELECT folder, kind, detail FROM notice WHERE account = ?1 ORDER BY folder, kind")?;
        let rows = query.query_map([account.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }
}
