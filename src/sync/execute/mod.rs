//! Carries a plan out, phase by phase, in the order that the first law asks for (see [`super::plan`]).

mod copies;
mod cursor;
mod delete;
mod download;
mod flags;
mod identity;
mod moves;
mod progress;
pub(super) mod settle;
mod upload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::imap;
use crate::mail::{FolderName, Keyword, Side, UidValidity};
use crate::maildir::{Keywords, scan};
use crate::severity::Severity as _;
use crate::state::{FolderId, RowId};

use super::engine::{Engine, Error, Folder, Folders};
use super::merge::Mask;
use super::op::Op;
use super::plan::Plan;
use super::survey::Survey;

/// The standing condition of a folder in which the server permits not all.
const NOT_PERMITTED: &str = "not_permitted";

/// Tells once that the server does not permit everything in a folder: in one wording, whichever change comes first.
///
/// # Errors
/// Those of the state.
pub fn tell_not_permitted(engine: &Engine<'_>, folder: &FolderName) -> Result<(), Error> {
    if engine.job.options.must_upload {
        engine.fail(Some(folder), &Error::ReadOnly);
        return Ok(());
    }
    let detail = format!(
        "the server does not permit what was changed here in {folder}: it waits (`mailferry status` counts it)"
    );
    engine.standing(Some(folder), NOT_PERMITTED, &detail, Error::ReadOnly.hint().as_deref())
}

/// What the phases share.
pub(super) struct Run<'a, 'e> {
    engine: &'a Engine<'e>,
    folders: &'a Folders,
    survey: &'a Survey,
    /// Folders in which something failed: their cursors stay and nothing is deleted in them.
    failed: Mutex<BTreeSet<FolderId>>,
    /// Folders whose directories we wrote to: their times are not recorded.
    written: Mutex<BTreeSet<FolderId>>,
    /// Keyword letters by folder.
    keywords: Mutex<BTreeMap<FolderId, Keywords>>,
}

/// Carries out the plan.
///
/// # Errors
/// What takes the account down; what was done until then is durable and known to the state.
pub fn execute(engine: &Engine<'_>, folders: &Folders, survey: &Survey, plan: Plan) -> Result<(), Error> {
    let run = Run {
        engine,
        folders,
        survey,
        failed: Mutex::default(),
        written: Mutex::default(),
        keywords: Mutex::default(),
    };
    let Plan { ops, held, refused, .. } = plan;
    let mut phases = Phases::sort(ops);
    if !phases.is_empty() {
        engine.state().begin_run(engine.account.id)?;
    }
    let outcome = run.phases(&mut phases);
    let ended = outcome.as_ref().err().map(crate::severity::Severity::scope);
    // What was finished before a failure stays finished; cursors advance only where nothing was left undone.
    if ended.is_none() {
        run.record_cursors(&held)?;
        let carried = |id: &&FolderId| !run.is_failed(**id) && !refused.contains(id);
        for folder in survey.found.keys().filter(carried).filter_map(|id| folders.get(id)) {
            engine.cleared(Some(&folder.name), NOT_PERMITTED)?;
        }
    }
    outcome
}

/// The steps by phase.
#[derive(Default)]
struct Phases {
    settle: Vec<Op>,
    moves: Vec<Op>,
    downloads: Vec<Op>,
    uploads: Vec<Op>,
    flags: Vec<Op>,
    deletions: Vec<Op>,
}

impl Phases {
    fn sort(mut ops: Vec<Op>) -> Self {
        let mut phases = Self::default();
        // Downloads stay where they are: there are few steps, or there are 200,000 of these.
        let others = ops.extract_if(.., |op| !matches!(op, Op::Download { .. } | Op::Refetch { .. }));
        for op in others {
            match op {
                Op::Pair { .. } | Op::Rebind { .. } | Op::Settle { .. } | Op::Note { .. } | Op::Forget { .. } => {
                    phases.settle.push(op)
                }
                Op::MoveLocal { .. } | Op::MoveRemote { .. } => phases.moves.push(op),
                Op::Download { .. } | Op::Refetch { .. } => phases.downloads.push(op),
                Op::Upload { .. } => phases.uploads.push(op),
                Op::Flags { .. } => phases.flags.push(op),
                Op::DeleteLocal { .. } | Op::DeleteRemote { .. } => phases.deletions.push(op),
            }
        }
        phases.downloads = ops;
        phases
    }

    fn is_empty(&self) -> bool {
        [&self.settle, &self.moves, &self.downloads, &self.uploads, &self.flags, &self.deletions]
            .iter()
            .all(|ops| ops.is_empty())
    }
}

impl Run<'_, '_> {
    fn phases(&self, phases: &mut Phases) -> Result<(), Error> {
        self.take_over_validity()?;
        let paired = self.settle(std::mem::take(&mut phases.settle))?;
        phases.flags.extend(paired);
        self.engine.check_stop()?;
        let unmoved = self.carry_moves(std::mem::take(&mut phases.moves))?;
        self.engine.check_stop()?;
        self.download(std::mem::take(&mut phases.downloads))?;
        self.engine.check_stop()?;
        self.upload(std::mem::take(&mut phases.uploads))?;
        self.engine.check_stop()?;
        phases.flags.retain(|op| !matches!(op, Op::Flags { row, .. } if unmoved.contains(row)));
        self.change_flags(std::mem::take(&mut phases.flags))?;
        self.engine.check_stop()?;
        self.delete(std::mem::take(&mut phases.deletions))
    }

    fn folder(&self, id: FolderId) -> Result<&Folder, Error> {
        self.folders.get(&id).ok_or_else(|| Error::Guard("a folder of the plan is unknown".to_owned()))
    }

    /// The UIDVALIDITY that the plan for a folder was made under.
    fn validity(&self, id: FolderId) -> Option<UidValidity> {
        let looked = self.survey.found.get(&id).and_then(|f| f.remote.as_ref()).and_then(|r| r.figures.uid_validity);
        looked.or_else(|| self.folders.get(&id).and_then(|f| f.base.figures.uid_validity))
    }

    /// The flags that both sides of a folder can hold.
    fn mask(&self, id: FolderId) -> Mask {
        self.survey.views.iter().find(|v| v.folder == id).map_or_else(Mask::all, |v| v.both.clone())
    }

    fn fail(&self, id: FolderId, error: &Error) {
        self.mark_failed(id);
        self.engine.fail(self.folders.get(&id).map(|f| &f.name), error);
    }

    fn mark_failed(&self, id: FolderId) {
        lock(&self.failed).insert(id);
    }

    fn is_failed(&self, id: FolderId) -> bool {
        lock(&self.failed).contains(&id) || self.survey.found.get(&id).is_some_and(|f| f.failed)
    }

    fn wrote(&self, id: FolderId) {
        lock(&self.written).insert(id);
    }

    /// Works with a folder's keyword letters, read once.
    fn with_keywords<T>(&self, id: FolderId, work: impl FnOnce(&mut Keywords) -> T) -> Result<T, Error> {
        let mut all = lock(&self.keywords);
        if let std::collections::btree_map::Entry::Vacant(slot) = all.entry(id) {
            let seen = self.survey.found.get(&id).and_then(|f| f.local.as_ref()).map(|l| l.keywords.clone());
            let keywords = match seen {
                Some(keywords) => keywords,
                None => Keywords::load(&self.folder(id)?.dir)?,
            };
            slot.insert(keywords);
        }
        let keywords = all.get_mut(&id).ok_or_else(|| Error::Guard("a folder's keywords are unknown".to_owned()))?;
        Ok(work(keywords))
    }

    /// Gives letters to keywords. A new one is given only when every name in the folder was looked at: a file that was moved here
    /// may carry a letter that no line names, and must not come to another keyword by that.
    fn assign<'k>(&self, id: FolderId, wanted: impl Iterator<Item = &'k Keyword> + Clone) -> Result<(), Error> {
        let missing = wanted.clone();
        let is_new = self.with_keywords(id, |keywords| missing.into_iter().any(|k| keywords.letter(k).is_none()))?;
        let scanned = self.survey.found.get(&id).and_then(|f| f.local.as_ref()).is_some_and(|l| l.scanned);
        if is_new && !scanned {
            let found = scan(&self.folder(id)?.dir)?;
            self.with_keywords(id, |keywords| {
                let letters = found.entries.iter().fold(0, |all, e| all | keywords.unnamed(&e.place.letters()));
                keywords.reserve(letters);
            })?;
        }
        self.with_keywords(id, |keywords| {
            wanted.for_each(|keyword| {
                keywords.assign(keyword);
            });
        })
    }

    /// Makes the letters given out so far durable, before any file carries one.
    fn save_keywords(&self, id: FolderId) -> Result<(), Error> {
        let dir = self.folder(id)?.dir.clone();
        self.with_keywords(id, |keywords| {
            if keywords.is_dirty() {
                self.wrote(id);
            }
            keywords.save(&dir)
        })??;
        Ok(())
    }

    /// Counts something done in a folder.
    fn count(&self, folder: FolderId, change: impl Fn(&mut crate::ui::event::Figures)) -> Result<(), Error> {
        self.engine.report().count(&self.folder(folder)?.name, change);
        Ok(())
    }

    /// A right that is lacking is no failure: what is not permitted waits, is told of once, and is tried again.
    fn not_permitted(&self, id: FolderId) -> Result<(), Error> {
        let told = lock(&self.failed).contains(&id);
        self.mark_failed(id);
        let Some(folder) = self.folders.get(&id).filter(|_| !told) else { return Ok(()) };
        tell_not_permitted(self.engine, &folder.name)
    }

    /// Handles the failure of one folder's step: what takes the account down goes on, the rest is told of here.
    fn contain(&self, id: FolderId, outcome: Result<(), Error>) -> Result<(), Error> {
        match outcome {
            Ok(()) => Ok(()),
            // A mail reader was there first: the next run sees what it did.
            Err(Error::Maildir(error)) if error.is_overtaken() => {
                self.mark_failed(id);
                Ok(())
            }
            Err(Error::ReadOnly) => self.not_permitted(id),
            Err(Error::Imap(imap::Error::Refused { code: Some(imap::Code::NoPerm), .. })) => self.not_permitted(id),
            Err(error) if error.scope() >= crate::severity::Scope::Account => {
                self.mark_failed(id);
                Err(error)
            }
            Err(error) => {
                self.fail(id, &error);
                Ok(())
            }
        }
    }

    /// Whether a folder that could not be looked at may hold what is missing elsewhere on `side` (HAZARDS 12).
    fn may_hide(&self, side: Side) -> bool {
        self.survey.found.iter().filter(|(_, f)| f.failed).any(|(id, found)| match side {
            Side::Local => found.local.is_none(),
            Side::Remote => self.folders.get(id).is_none_or(|folder| {
                let now = folder.listed.as_ref().and_then(|l| l.uid_next);
                found.remote.is_none() && (now.is_none() || now != folder.base.figures.uid_next)
            }),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows that a phase could not bring to where the plan wanted them.
pub(super) type Unmoved = BTreeSet<RowId>;
