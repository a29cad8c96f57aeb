//! Which files of the Maildir the memories know: those whose message is another one for a fetch, and those whose content is recorded.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row};

use super::{AccountId, Error};
use crate::mail::Digest;

/// A file's name: its unique part, or `cur/NAME` or `new/NAME` as sync keeps it.
pub type Name = Vec<u8>;

/// What is recorded of the Maildir's files, as one fetch account sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// Files, by the unique part of their names, that stand for a message of this account already, or for one of another mailbox.
    pub claimed: HashSet<Name>,
    /// Contents that this account has accepted as being here, under a name that was not recorded.
    pub claimed_contents: Vec<Digest>,
    /// Files that the same user's mail at the same host was delivered to by another account, by the unique part of their names.
    pub delivered: HashMap<Name, Digest>,
    /// Files of sync, as `cur/NAME` or `new/NAME`.
    pub synced: Vec<(Name, Digest)>,
}

/// Loads them, with one query for each memory.
///
/// # Errors
/// When the database cannot be read.
pub fn load(db: &Connection, account: AccountId) -> Result<Files, Error> {
    let mut files = Files::default();
    let mut statement = db.prepare_cached(
        "SELECT seen.file, seen.content, seen.account = me.id, other.host = me.host AND other.user = me.user
         FROM account me JOIN seen JOIN account other ON other.id = seen.account WHERE me.id = ?1",
    )?;
    let mut rows = statement.query([account.0])?;
    while let Some(row) = rows.next()? {
        let (file, content) = (row.get::<_, Option<Name>>(0)?, digest(row, 1)?);
        match (file, content, row.get(2)?, row.get(3)?) {
            (Some(file), Some(content), false, true) => drop(files.delivered.insert(file, content)),
            (Some(file), _, true, _) | (Some(file), _, _, false) => drop(files.claimed.insert(file)),
            (None, Some(content), true, _) => files.claimed_contents.push(content),
            (Some(_) | None, _, _, _) => {}
        }
    }
    let mut statement = db.prepare_cached("SELECT file, digest FROM message WHERE file IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(content) = digest(row, 1)? {
            files.synced.push((row.get(0)?, content));
        }
    }
    // A claim wins: two memories may speak of one file.
    let Files { claimed, delivered, .. } = &mut files;
    delivered.retain(|name, _| !claimed.contains(name));
    Ok(files)
}

/// Whether a message that the account's server still lists was delivered to the folder (a [`crate::mail::FolderName::key`]).
///
/// # Errors
/// When the database cannot be read.
pub fn has_delivered(db: &Connection, account: AccountId, folder: &str) -> Result<bool, Error> {
    let mut statement = db.prepare_cached(
        "SELECT 1 FROM seen WHERE account = ?1 AND folder = ?2 AND file IS NOT NULL AND absent IS NULL AND status <> 2 LIMIT 1",
    )?;
    Ok(statement.exists((account.0, folder))?)
}

fn digest(row: &Row<'_>, at: usize) -> Result<Option<Digest>, Error> {
    let bytes: Option<Vec<u8>> = row.get(at)?;
    Ok(bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).map(Digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Timestamp;
    use crate::state::State;
    use crate::state::account::Key;
    use crate::state::seen::{self, Seen, Source, Status};

    #[test]
    fn own_and_foreign_files_are_claimed_and_those_of_the_same_user_are_not() {
        let mut state = State::in_memory().unwrap();
        let mut account = |port, user, label| {
            let key = Key { kind: "fetch", host: "mail.example.org", port, user };
            state.fetch_account(&key, label, Timestamp(1)).unwrap().id
        };
        let (mine, same, other) = (account(995, "me", "a"), account(993, "me", "b"), account(995, "you", "c"));
        let db = state.connection();
        let put = |account, file: Option<&[u8]>, content: &[u8]| {
            let seen = Seen {
                uidl: None,
                size: None,
                header: None,
                content: Some(Digest::of(content)),
                first_seen: Timestamp(1),
                folder: "INBOX".into(),
                file: file.map(<[u8]>::to_vec),
                status: Status::Delivered,
                absent: None,
            };
            seen::insert(db, Source { account, source: "" }, &seen).unwrap();
        };
        put(mine, Some(b"1.mine"), b"a");
        put(mine, None, b"b");
        put(same, Some(b"1.mine"), b"a");
        put(same, Some(b"2.same"), b"c");
        put(same, None, b"d");
        put(other, Some(b"3.other"), b"e");
        let files = load(db, mine).unwrap();
        assert_eq!(files.claimed, HashSet::from([b"1.mine".to_vec(), b"3.other".to_vec()]));
        assert_eq!(files.claimed_contents, [Digest::of(b"b")]);
        assert_eq!(files.delivered, HashMap::from([(b"2.same".to_vec(), Digest::of(b"c"))]));
        assert!(files.synced.is_empty());
    }
}
