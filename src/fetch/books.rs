//! What both walks record and tell: what was learned, skipped, planned, refused, and what may be deleted.

use std::collections::{HashMap, HashSet};

use crate::mail::FolderName;
use crate::mail::text::clean_bytes;
use crate::severity::Kind;
use crate::state::seen::{self, Row, RowId, Source, Status};

use super::desk::Done;
use super::job::{Engine, Error};
use super::plan::{self, Action, Entry, Plan, Reason, Rules};

/// How a message is recognised in the next session: by its id, without one by its number. A wrong guess costs one run.
pub type Name = (Option<Vec<u8>>, u32);

/// What a run learns from session to session.
#[derive(Default)]
pub struct Lessons {
    /// How often each message broke a session.
    pub trouble: HashMap<Name, u32>,
    /// Messages that were told of as not given.
    pub refused: HashSet<Name>,
    /// How many the rules leave on the server, by the last plan.
    pub left: u64,
    /// Whether the session at hand got through its login, which has been tried again already where that helps.
    pub logged_in: bool,
    /// Whether a session of this run has failed.
    pub failed: bool,
}

impl Lessons {
    /// How many sessions were broken by single messages.
    #[must_use]
    pub fn broken_sessions(&self) -> u32 {
        self.trouble.values().sum()
    }
}

/// What is listed, and where it would go.
pub struct Mail {
    /// The folder that receives.
    pub folder: FolderName,
    /// The messages.
    pub entries: Vec<Entry>,
    /// Their UIDLs as the server gave them, for people; empty for IMAP, where the number says all.
    pub ids: Vec<Option<Vec<u8>>>,
}

impl Mail {
    /// Its UIDL, for people.
    #[must_use]
    pub fn uidl(&self, at: usize) -> Option<String> {
        self.ids.get(at).and_then(Option::as_deref).map(clean_bytes)
    }
}

/// How a message is recognised in the next session.
#[must_use]
pub fn name_of(entry: &Entry) -> Name {
    (entry.key.clone(), if entry.key.is_some() { 0 } else { entry.number })
}

/// A message that did not come: told once a run.
pub fn refuse(engine: &mut Engine<'_>, mail: &Mail, lessons: &mut Lessons, number: u32, (why, kind): (&str, Kind)) {
    let Some(at) = mail.entries.iter().position(|entry| entry.number == number) else { return };
    if mail.entries.get(at).is_some_and(|entry| !lessons.refused.insert(name_of(entry))) {
        return;
    }
    let id = mail.uidl(at).map(|id| format!(" ({id})")).unwrap_or_default();
    engine.fail(Some(&mail.folder), &Error::Message { number, id, why: why.to_owned(), kind });
}

/// Counts what the rules leave on the server, and tells of what is too large.
///
/// # Errors
/// Those of the state.
pub fn tell_skipped(engine: &mut Engine<'_>, plan: &Plan, mail: &Mail) -> Result<u64, Error> {
    let (mut skipped, mut large, mut bytes) = (0, 0_u64, 0_u64);
    for action in &plan.actions {
        if let Action::Skip { entry, reason } = action {
            skipped += 1;
            if *reason == Reason::TooLarge {
                large += 1;
                bytes += mail.entries.get(*entry).and_then(|entry| entry.size).unwrap_or_default();
            }
        }
    }
    let detail = format!("{large} messages ({bytes} bytes) are larger than max_size and stay on the server");
    engine.standing(&mail.folder, "too_large", (large > 0).then_some(detail.as_str()))?;
    Ok(skipped)
}

/// What the listing alone changes in the memory.
///
/// # Errors
/// Those of the state.
pub fn keep_books(
    engine: &mut Engine<'_>,
    source: Source<'_>,
    (plan, rows, entries): (&Plan, &[Row], &[Entry]),
    rules: &Rules,
    capabilities: Option<&str>,
) -> Result<(), Error> {
    let ids = |of: &[usize]| of.iter().filter_map(|&i| rows.get(i)).map(|row| row.id).collect::<Vec<RowId>>();
    let nothing = plan.refresh.is_empty() && plan.left.is_empty() && plan.gone.is_empty() && plan.forget.is_empty();
    if nothing && capabilities.is_none() {
        return Ok(());
    }
    let now = engine.now;
    engine.state.commit(|db| {
        if let Some(text) = capabilities {
            seen::set_capabilities(db, source.account, text)?;
        }
        for &(row, entry) in &plan.refresh {
            let (Some(row), Some(entry)) = (rows.get(row), entries.get(entry)) else { continue };
            let mut row = row.clone();
            row.seen.absent = None;
            row.seen.uidl.clone_from(&entry.key);
            // The figure of the message that was retrieved: only retrieving it again replaces it.
            row.seen.size = row.seen.size.or(entry.size);
            if row.seen.status == Status::Gone || !plan::is_due(&row, rules) {
                row.seen.status = Status::Delivered;
            }
            seen::update(db, source, &row)?;
        }
        seen::set_status(db, &ids(&plan.gone), Status::Gone)?;
        seen::set_absent(db, &ids(&plan.left), Some(now))?;
        seen::forget(db, &ids(&plan.forget))
    })?;
    Ok(())
}

/// Counts what became durable.
pub fn account_for(engine: &mut Engine<'_>, folder: &FolderName, done: &[Done]) {
    for one in done {
        if let Some(path) = &one.path {
            engine.report.count(folder, |f| f.downloaded += 1);
            engine.report.changed.push(path.clone());
        }
    }
}

/// What may be deleted now, by number: all of it durable, all of it proved in this session.
#[must_use]
pub fn due(plan: &Plan, entries: &[Entry], rows: &[Row], arrived: &[Done], rules: &Rules) -> Vec<(u32, RowId)> {
    let known = plan.actions.iter().filter_map(|action| match action {
        Action::Delete { entry, row } => Some((entries.get(*entry)?.number, rows.get(*row)?.id)),
        Action::Retrieve { .. } | Action::Skip { .. } => None,
    });
    let fresh = arrived.iter().filter_map(|done| {
        let row = Row { id: done.row, seen: done.seen.clone() };
        plan::is_due(&row, rules).then_some((done.number, done.row))
    });
    known.chain(fresh).collect()
}
