//! One look at an account's Maildir beside its state: what is here and what the server does not know yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::remote;
use crate::account::{Account, Protocol};
use crate::mail::FolderName;
use crate::maildir::{FolderDir, Keywords, Layout, Scan, scan};
use crate::severity::Severity;
use crate::state::account::{AccountRow, Key};
use crate::state::{Access, Brief, FolderRow, Mark, RowId, State};
use crate::sync::compare::{self, Known, Seen, flags_key};

/// What is here.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// When the last run ended, in seconds since 1970.
    pub last_run: Option<i64>,
    /// How: `ok`, `partial`, `failed`.
    pub last_result: Option<String>,
    /// A run has begun to change things and has not ended.
    pub unfinished: bool,
    /// The folders: INBOX, then the others by name.
    pub folders: Vec<FolderState>,
    /// Standing conditions as (folder, what).
    pub notices: Vec<(String, String)>,
}

/// One folder.
#[derive(Clone, Debug)]
pub struct FolderState {
    /// Its name.
    pub name: FolderName,
    /// Message files.
    pub messages: u64,
    /// Files that the server has not.
    pub new: u64,
    /// Messages whose flags differ from what both sides last had.
    pub changed: u64,
    /// Messages deleted here and not there.
    pub deleted: u64,
    /// Messages on which work was left open.
    pub open: u64,
    /// The figures but `messages` are known: the folder is synced.
    pub compared: bool,
    /// It is not on disk, or not whole.
    pub missing: bool,
    /// The profile leaves it out.
    pub left_out: bool,
}

impl FolderState {
    fn new(name: &FolderName) -> Self {
        Self {
            name: name.clone(),
            messages: 0,
            new: 0,
            changed: 0,
            deleted: 0,
            open: 0,
            compared: false,
            missing: false,
            left_out: false,
        }
    }

    /// What is unusual about it, in words.
    #[must_use]
    pub fn condition(&self) -> Option<&'static str> {
        match (self.missing, self.left_out) {
            (true, _) => Some("missing"),
            (false, true) => Some("left out"),
            (false, false) => None,
        }
    }
}

type Failure = Box<dyn Severity + Send>;

fn boxed<E: Severity + Send + 'static>(error: E) -> Failure {
    Box::new(error)
}

/// Looks at the account's folders. Another run may be at work meanwhile; nothing is created or changed.
///
/// # Errors
/// When the Maildir or the state cannot be read.
pub fn look(account: &Account) -> Result<Found, Failure> {
    let layout = Layout::new(&account.store);
    let mut state = State::open(&layout.state_dir(), Access::Read).map_err(boxed)?;
    let row = row_of(account, &mut state).map_err(boxed)?;
    let mut found = Found::default();
    let mut rows: BTreeMap<FolderName, FolderRow> = BTreeMap::new();
    if let Some(row) = &row {
        found.last_run = row.last_run;
        found.last_result.clone_from(&row.last_result);
        found.unfinished = row.unfinished;
        let name = |key: &str| FolderName::from_key(key).map(|name| name.to_string()).unwrap_or_default();
        let notices = state.notices(row.id).map_err(boxed)?;
        found.notices = notices.into_iter().map(|(folder, _, detail)| (name(&folder), detail)).collect();
        rows = state.folders(row.id).map_err(boxed)?.into_iter().map(|f| (f.name.clone(), f)).collect();
    }
    let disk = layout.discover().map_err(boxed)?;
    let names: BTreeSet<&FolderName> =
        disk.folders.iter().map(|f| &f.name).chain(rows.values().filter(|f| f.had_local).map(|f| &f.name)).collect();
    for name in names {
        let mut folder = FolderState::new(name);
        let synced = account.protocol == Protocol::Imap;
        folder.left_out = synced && !account.folders.matches(name);
        match disk.get(name).filter(|f| f.complete) {
            Some(there) => {
                let seen = scan(&there.dir).map_err(boxed)?;
                folder.messages = seen.entries.len() as u64;
                folder.compared = synced && !folder.left_out;
                if folder.compared {
                    compare(&mut folder, (&there.dir, &seen), rows.get(name), &mut state)?;
                }
            }
            None => folder.missing = true,
        }
        found.folders.push(folder);
    }
    found.folders.sort_by_key(|folder| !folder.name.is_inbox());
    Ok(found)
}

/// Whether the Maildir of an account that is synced holds changes that no run has seen, in the folders of these directories or,
/// with `None`, anywhere. Another run may be at work meanwhile; nothing is created or changed.
///
/// # Errors
/// When the Maildir or the state cannot be read.
pub fn has_pending(account: &Account, only: Option<&BTreeSet<PathBuf>>) -> Result<bool, Failure> {
    let layout = Layout::new(&account.store);
    let mut state = State::open(&layout.state_dir(), Access::Read).map_err(boxed)?;
    let Some(row) = state.find_account(&remote::key(account)).map_err(boxed)? else { return Ok(true) };
    let rows = state.folders(row.id).map_err(boxed)?;
    let rows: BTreeMap<FolderName, FolderRow> = rows.into_iter().map(|f| (f.name.clone(), f)).collect();
    let disk = layout.discover().map_err(boxed)?;
    let whole = |name: &FolderName| disk.get(name).is_some_and(|there| there.complete);
    let missing = match only {
        Some(dirs) => dirs.iter().any(|dir| !disk.folders.iter().any(|f| f.complete && f.dir.path == *dir)),
        None => rows.values().any(|folder| folder.had_local && !whole(&folder.name)),
    };
    if missing {
        return Ok(true);
    }
    for there in &disk.folders {
        let asked = only.is_none_or(|dirs| dirs.contains(&there.dir.path));
        if !asked || !there.complete || !account.folders.matches(&there.name) {
            continue;
        }
        let Some(row) = rows.get(&there.name) else { return Ok(true) };
        let mut folder = FolderState::new(&there.name);
        compare(&mut folder, (&there.dir, &scan(&there.dir).map_err(boxed)?), Some(row), &mut state)?;
        if folder.new + folder.changed + folder.deleted > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The account's own job's row; for an IMAP account that was only ever fetched that of its fetches.
fn row_of(account: &Account, state: &mut State) -> Result<Option<AccountRow>, crate::state::Error> {
    let key = remote::key(account);
    match state.find_account(&key)? {
        Some(row) => Ok(Some(row)),
        None => state.find_account(&Key { kind: "fetch", ..key }),
    }
}

fn compare(
    folder: &mut FolderState,
    (dir, seen): (&FolderDir, &Scan),
    row: Option<&FolderRow>,
    state: &mut State,
) -> Result<(), Failure> {
    let mut known = Known::default();
    if let Some(row) = row {
        state.each_brief(row.id, |brief, file| known.push(brief, file)).map_err(boxed)?;
    }
    let keywords = Keywords::load(dir).map_err(boxed)?;
    let places: Vec<Vec<u8>> = seen.entries.iter().map(|entry| entry.place.to_bytes()).collect();
    let flags: Vec<_> = seen.entries.iter().map(|entry| keywords.flags_of(&entry.place.name)).collect();
    let shown = |at: usize| flags.get(at).and_then(Option::as_ref).map(flags_key);
    let delta = compare::local(&known, places.iter().enumerate().map(|(at, place)| Seen { place, flags: shown(at) }));
    let briefs: HashMap<RowId, &Brief> = known.briefs().map(|brief| (brief.id, brief)).collect();
    let paired = |id: &RowId| briefs.get(id).is_some_and(|b| b.mark == Mark::Paired && b.uid.is_some());
    folder.open = known.briefs().filter(|brief| brief.open).count() as u64;
    let waiting = |b: &&Brief| b.uid.is_none() && matches!(b.mark, Mark::Paired | Mark::Waiting);
    let gone: BTreeSet<RowId> = delta.missing.iter().copied().collect();
    let put_off = known.briefs().filter(waiting).filter(|b| !gone.contains(&b.id)).count();
    folder.new = (delta.unknown.len() + put_off) as u64;
    folder.deleted = delta.missing.iter().filter(|id| paired(id)).count() as u64;
    // A file that only moved from `new` to `cur` has nothing to tell the server.
    let differs = |id: &RowId, at: usize| {
        briefs.get(id).is_some_and(|b| shown(at).is_some_and(|flags| flags != (b.system, b.keywords)))
    };
    folder.changed = delta.changed.iter().filter(|(id, at)| paired(id) && differs(id, **at)).count() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::overrides::from_url;
    use crate::mail::{Flags, System, Uid, UidValidity};
    use crate::state::base::{self, Identity, Row};
    use crate::state::folder;

    #[test]
    fn what_changed_here_is_counted() {
        let temp = tempfile::tempdir().unwrap();
        let account = from_url("imaps://me@h", temp.path().join("m")).unwrap();
        assert!(look(&account).map_err(|e| e.to_string()).unwrap().folders.is_empty());
        assert!(!account.store.root.exists());

        let mut layout = Layout::new(&account.store);
        layout.prepare_root().unwrap();
        let dir = layout.create(&FolderName::inbox()).unwrap();
        let mut state = State::open(&layout.state_dir(), Access::Write { local: true }).unwrap();
        let row = state.sync_account(&remote::key(&account), "x").unwrap();
        let inbox = state.folder(row.id, &FolderName::inbox()).unwrap();
        let message = |uid: u32, file: &str| Row {
            id: RowId(0),
            folder: inbox,
            uid: Uid::new(uid),
            file: Some(file.as_bytes().to_vec()),
            flags: Flags { system: System::SEEN, ..Flags::default() },
            mark: Mark::Paired,
            open: 0,
            identity: Identity::default(),
            inode: None,
        };
        state
            .commit(|db| {
                folder::set_had(db, inbox, true, true)?;
                folder::set_validity(db, inbox, UidValidity::new(7).unwrap())?;
                for (uid, file) in [(1, "cur/a:2,S"), (2, "cur/b:2,S"), (3, "cur/gone:2,S"), (4, "new/moved")] {
                    base::insert(db, &message(uid, file))?;
                }
                Ok(())
            })
            .unwrap();
        for file in ["cur/a:2,S", "cur/b:2,FS", "cur/moved:2,S", "new/fresh"] {
            std::fs::write(dir.path.join(file), "x").unwrap();
        }
        let pending = |dirs: Option<&str>| {
            let dirs = dirs.map(|dir| BTreeSet::from([temp.path().join("m").join(dir)]));
            has_pending(&account, dirs.as_ref()).map_err(|e| e.to_string()).unwrap()
        };
        assert!(pending(None) && pending(Some("INBOX")) && pending(Some("nowhere")));
        let found = look(&account).map_err(|e| e.to_string()).unwrap();
        let folder = found.folders.first().unwrap();
        assert_eq!((folder.messages, folder.new, folder.changed, folder.deleted), (4, 1, 1, 1));
        assert!(folder.compared && folder.condition().is_none());
        std::fs::remove_dir_all(dir.path.join("cur")).unwrap();
        let found = look(&account).map_err(|e| e.to_string()).unwrap();
        assert_eq!(found.folders.first().map(|f| (f.condition(), f.deleted)), Some((Some("missing"), 0)));
    }
}
