//! Holding a Maildir for one run: its root is checked and made, its lock taken, its state opened.

use std::path::PathBuf;

use crate::account::{Account, Store};
use crate::maildir::{FileSystem, Layout};
use crate::severity::Severity;
use crate::state::account::Key;
use crate::state::{Access, Continuity, Lock, State};
use crate::stop::Stop;

/// Why a Maildir cannot be held.
pub type Failure = Box<dyn Severity + Send>;

/// How a Maildir is held.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Nothing is created or changed.
    pub dry_run: bool,
    /// Wait for a run that holds it.
    pub wait: bool,
}

/// A Maildir that no other run can use while this lives.
pub struct Held {
    /// The root, without links if it exists.
    pub root: PathBuf,
    /// What its file system can be trusted with.
    pub file_system: FileSystem,
    /// Its state.
    pub state: State,
    /// What was found of the state as a whole; see [`Held::continuity_of`].
    continuity: Continuity,
    dry_run: bool,
    /// `None` in a dry run over a Maildir that nothing has worked on.
    _lock: Option<Lock>,
}

impl Held {
    /// Takes the Maildir of `store`.
    ///
    /// # Errors
    /// A root that cannot be used (78, 74), another run (75), a state that cannot be opened (74, 78), a stop (130).
    pub fn take(store: &Store, how: How, stop: &Stop) -> Result<Self, Failure> {
        if how.dry_run { Self::look(store, how, stop) } else { Self::work(store, how, stop) }
    }

    fn work(store: &Store, how: How, stop: &Stop) -> Result<Self, Failure> {
        let mut layout = Layout::new(store);
        let file_system = layout.prepare_root().map_err(boxed)?;
        let dir = layout.state_dir();
        let lock = Lock::take(&dir, how.wait, stop).map_err(boxed)?;
        let mut state = State::open(&dir, Access::Write { local: !file_system.network }).map_err(boxed)?;
        let continuity = state.continuity(layout.root()).map_err(boxed)?;
        match continuity {
            // Made here and now, whatever becomes of this run.
            Continuity::New => state.record_identity(layout.root()).map_err(boxed)?,
            Continuity::Broken => state.doubt_all(layout.root()).map_err(boxed)?,
            Continuity::Same => {}
        }
        Ok(Self { root: layout.root().to_owned(), file_system, state, continuity, dry_run: false, _lock: Some(lock) })
    }

    fn look(store: &Store, how: How, stop: &Stop) -> Result<Self, Failure> {
        let layout = Layout::new(store);
        layout.check_root().map_err(boxed)?;
        let dir = layout.state_dir();
        // A lock that nobody ever took is not made for a look, nor is the file system tried out.
        let lock = Lock::look(&dir, how.wait, stop).map_err(boxed)?;
        let file_system = FileSystem::default();
        let state = State::open(&dir, Access::Read).map_err(boxed)?;
        let continuity = state.continuity(layout.root()).map_err(boxed)?;
        Ok(Self { root: layout.root().to_owned(), file_system, state, continuity, dry_run: true, _lock: lock })
    }

    /// The account's view of the root.
    #[must_use]
    pub fn layout(&self, account: &Account) -> Layout {
        Layout::new(&Store { root: self.root.clone(), ..account.store.clone() })
    }

    /// Whether the state is of the files of this account: a copy or a restored backup stays in doubt until the account's
    /// own run has dealt with it. An account that the state does not know is new.
    ///
    /// # Errors
    /// Those of the state.
    pub fn continuity_of(&mut self, key: &Key<'_>) -> Result<Continuity, Failure> {
        let Some(row) = self.state.find_account(key).map_err(boxed)? else { return Ok(Continuity::New) };
        let doubtful = self.continuity == Continuity::Broken && self.dry_run;
        let doubtful = doubtful || self.state.is_doubtful(row.id).map_err(boxed)?;
        Ok(if doubtful { Continuity::Broken } else { Continuity::Same })
    }

    /// Records a standing condition of the account, or that it holds no longer; gives it where it is to be told.
    ///
    /// # Errors
    /// Those of the state.
    pub fn is_news(&mut self, key: &Key<'_>, kind: &str, detail: Option<&str>) -> Result<Option<String>, Failure> {
        let Some(row) = self.state.find_account(key).map_err(boxed)?.filter(|_| !self.dry_run) else { return Ok(None) };
        let Some(detail) = detail else {
            self.state.clear_notice(row.id, "", kind).map_err(boxed)?;
            return Ok(None);
        };
        let is_new = self.state.notice(row.id, "", kind, detail).map_err(boxed)?;
        Ok(is_new.then(|| detail.to_owned()))
    }

    /// Records that the account's run has dealt with the doubt.
    ///
    /// # Errors
    /// Those of the state.
    pub fn settle(&mut self, key: &Key<'_>) -> Result<(), Failure> {
        match self.state.find_account(key).map_err(boxed)? {
            Some(row) => self.state.settle(row.id).map_err(boxed),
            None => Ok(()),
        }
    }
}

fn boxed<E: Severity + Send + 'static>(error: E) -> Failure {
    Box::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::LayoutKind;
    use crate::mail::lines::LineEndings;
    use crate::severity::Kind;

    fn store(root: PathBuf) -> Store {
        Store { root, layout: LayoutKind::Nested, line_endings: LineEndings::Lf }
    }

    const WORK: How = How { dry_run: false, wait: false };
    const LOOK: How = How { dry_run: true, wait: false };

    #[test]
    fn a_look_leaves_nothing_and_a_run_keeps_others_out() {
        let temp = tempfile::tempdir().unwrap();
        let stop = Stop::new().unwrap();
        let store = store(temp.path().join("mail"));
        let looked = Held::take(&store, LOOK, &stop).map_err(|e| e.to_string()).unwrap();
        assert_eq!(looked.continuity, Continuity::New);
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
        let held = Held::take(&store, WORK, &stop).map_err(|e| e.to_string()).unwrap();
        assert_eq!(held.continuity, Continuity::New);
        for how in [WORK, LOOK] {
            assert_eq!(Held::take(&store, how, &stop).err().map(|e| e.kind()), Some(Kind::TryLater));
        }
        drop(held);
        // Other tests of this process start programs: until such a child has become its program it holds the lock, too.
        for how in [LOOK, WORK] {
            let held = Held::take(&store, How { wait: true, ..how }, &stop).map_err(|e| e.to_string()).unwrap();
            assert_eq!(held.continuity, Continuity::Same);
        }
    }

    #[test]
    fn a_copy_is_in_doubt_until_each_account_has_dealt_with_it() {
        let temp = tempfile::tempdir().unwrap();
        let stop = Stop::new().unwrap();
        let store = store(temp.path().join("mail"));
        let take = |how| Held::take(&store, how, &stop).map_err(|e| e.to_string()).unwrap();
        let keys = ["a", "b"].map(|user| Key { kind: "fetch", host: "h", port: 1, user });
        let mut held = take(WORK);
        for key in &keys {
            held.state.fetch_account(key, key.user, crate::mail::Timestamp(0)).unwrap();
            assert_eq!(held.continuity_of(key).map_err(|e| e.to_string()).unwrap(), Continuity::Same);
        }
        drop(held);
        std::fs::rename(&store.root, temp.path().join("old")).unwrap();
        std::fs::create_dir_all(store.root.join(".mailferry")).unwrap();
        let state = ".mailferry/state.db";
        std::fs::copy(temp.path().join("old").join(state), store.root.join(state)).unwrap();
        let of = |held: &mut Held, at: usize| held.continuity_of(&keys[at]).map_err(|e| e.to_string()).unwrap();
        assert_eq!(of(&mut take(LOOK), 0), Continuity::Broken);
        for _ in 0..2 {
            let mut held = take(WORK);
            assert_eq!((of(&mut held, 0), of(&mut held, 1)), (Continuity::Broken, Continuity::Broken));
        }
        take(WORK).settle(&keys[0]).map_err(|e| e.to_string()).unwrap();
        for how in [WORK, LOOK] {
            let mut held = take(how);
            assert_eq!((of(&mut held, 0), of(&mut held, 1)), (Continuity::Same, Continuity::Broken));
        }
    }
}
