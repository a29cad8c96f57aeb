//! The accounts of fetch: found by server and user, else by the profile's name.

use rusqlite::{OptionalExtension as _, params};

use super::account::{AccountRow, Key};
use super::{Error, State};
use crate::mail::Timestamp;

impl State {
    /// The fetch account of this server and user, made if there is none. Where the profile `label` named another server or
    /// user before, that memory is taken over; every message of it counts as no longer listed, so that its id alone proves nothing.
    /// Where only the port is another, the row comes as [`AccountRow::other_port`]: a sample shows whether it is the same server, and
    /// [`State::set_port`] ends that.
    ///
    /// # Errors
    /// Those of the database.
    pub fn fetch_account(&mut self, key: &Key<'_>, label: &str, now: Timestamp) -> Result<AccountRow, Error> {
        let before = match self.find_by_label(key, label)? {
            Before::Found(row) => return Ok(row),
            Before::Other(id) => Some(id),
            Before::Nothing => None,
        };
        self.commit(|db| {
            if let Some(id) = before {
                db.execute(
                    "UPDATE account SET host = ?2, port = ?3, user = ?4 WHERE id = ?1",
                    params![id, key.host, key.port, key.user],
                )?;
                db.execute("UPDATE seen SET absent = ?2 WHERE account = ?1 AND absent IS NULL", params![id, now.0])?;
                db.execute("DELETE FROM seen_server WHERE account = ?1", [id])?;
            } else {
                db.execute(
                    "INSERT INTO account (kind, host, port, user, label) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![key.kind, key.host, key.port, key.user, label],
                )?;
            }
            Ok(())
        })?;
        Ok(self.find_account(key)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
    }

    /// As [`State::fetch_account`], changing nothing: for dry runs. A memory of another server or user is none.
    ///
    /// # Errors
    /// Those of the database.
    pub fn look_up_fetch_account(&mut self, key: &Key<'_>, label: &str) -> Result<Option<AccountRow>, Error> {
        Ok(match self.find_by_label(key, label)? {
            Before::Found(row) => Some(row),
            Before::Other(_) | Before::Nothing => None,
        })
    }

    fn find_by_label(&mut self, key: &Key<'_>, label: &str) -> Result<Before, Error> {
        if let Some(found) = self.find_account(key)? {
            return Ok(Before::Found(found));
        }
        let sql = "SELECT id, host, port, user FROM account WHERE kind = ?1 AND label = ?2";
        let before = self
            .connection()
            .query_row(sql, params![key.kind, label], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, u16>(2)?, row.get::<_, String>(3)?))
            })
            .optional()?;
        let Some((id, host, port, user)) = before else { return Ok(Before::Nothing) };
        if (host.as_str(), user.as_str()) != (key.host, key.user) {
            return Ok(Before::Other(id));
        }
        let found = self.find_account(&Key { port, ..*key })?;
        Ok(found.map_or(Before::Nothing, |row| Before::Found(AccountRow { other_port: true, ..row })))
    }
}

/// What the memory has under a profile's name.
enum Before {
    /// This server and user, perhaps at another port.
    Found(AccountRow),
    /// Another server or user: its row.
    Other(i64),
    /// Nothing.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Digest;
    use crate::state::AccountId;
    use crate::state::seen::{Seen, Source, Status, capabilities, insert, load, set_capabilities};

    const KEY: Key<'_> = Key { kind: "fetch", host: "pop.example.org", port: 995, user: "me" };
    const WORK: Source<'_> = Source { account: AccountId(1), source: "" };

    /// A state with one message of one account.
    fn state() -> State {
        let mut state = State::in_memory().unwrap();
        assert_eq!(state.fetch_account(&KEY, "work", Timestamp(1)).unwrap().id, WORK.account);
        let seen = Seen {
            uidl: Some(b"a".to_vec()),
            size: Some(120),
            header: Some(Digest::of(b"h")),
            content: Some(Digest::of(b"c")),
            first_seen: Timestamp(1000),
            folder: "INBOX".into(),
            file: Some(b"1.x".to_vec()),
            status: Status::Delivered,
            absent: None,
        };
        insert(state.connection(), WORK, &seen).unwrap();
        state
    }

    #[test]
    fn another_server_under_the_same_label_inherits_a_memory_in_doubt() {
        let mut state = state();
        set_capabilities(state.connection(), WORK.account, "TOP").unwrap();
        let moved = Key { host: "mail.example.org", ..KEY };
        assert_eq!(state.fetch_account(&moved, "work", Timestamp(7)).unwrap().id, WORK.account);
        assert_eq!(load(state.connection(), WORK).unwrap()[0].seen.absent, Some(Timestamp(7)));
        assert_eq!(capabilities(state.connection(), WORK.account).unwrap(), "");
        assert_ne!(state.fetch_account(&KEY, "other", Timestamp(8)).unwrap().id, WORK.account);
    }

    #[test]
    fn another_port_is_a_question_until_it_is_answered() {
        let mut state = state();
        let moved = Key { port: 110, ..KEY };
        assert!(state.look_up_fetch_account(&moved, "work").unwrap().is_some_and(|row| row.other_port));
        for _ in 0..2 {
            let row = state.fetch_account(&moved, "work", Timestamp(7)).unwrap();
            assert_eq!((row.id, row.other_port), (WORK.account, true));
        }
        assert_eq!(load(state.connection(), WORK).unwrap()[0].seen.absent, None);
        state.set_port(WORK.account, 110).unwrap();
        assert!(!state.fetch_account(&moved, "work", Timestamp(7)).unwrap().other_port);
        assert_eq!(state.look_up_fetch_account(&Key { user: "you", ..KEY }, "work").unwrap(), None);
    }
}
