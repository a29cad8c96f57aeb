//! PURE: which of the listed messages are known, and what is to be done with each. Servers re-use UIDLs, repeat them, leave them
//! out, change them at every login: an id only nominates a row, and nothing is deleted on the word of an id alone.

mod identity;
mod settle;

use std::collections::{BTreeMap, HashSet};

use crate::account::Keep;
use crate::mail::{Digest, Timestamp};
use crate::state::seen::{Row, Status};
use identity::{Identity, identify};
pub use settle::{Candidates, Settled};

/// How long a message that is no longer listed stays in the memory: long enough for a server that is broken for a while, or whose
/// mailbox is restored from a backup.
const RETENTION: i64 = 400 * 86_400;

/// A listed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number, or UID.
    pub number: u32,
    /// Its id as [`crate::state::seen::key`] makes it.
    pub key: Option<Vec<u8>>,
    /// Its size as listed, in bytes.
    pub size: Option<u64>,
}

/// How far it is believed that an id whose size agrees names the message that it named before. Nothing is ever deleted on the
/// word of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is, as with the UIDs of IMAP.
    Ids,
    /// Where new mail has come, the headers of the last few known messages are compared: a server that gives ids again gives
    /// them to what comes next.
    Neighbours,
    /// The headers of a few known messages are compared, spread over the listing: it may be another server. If one of them is
    /// another message, so may all be.
    Sample,
    /// Nothing is known without its header.
    Nothing,
}

/// How many headers a sample has, and how many neighbours of new mail are looked at.
const SAMPLE: usize = 8;
const NEIGHBOURS: usize = 4;

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What becomes of the server's copies.
    pub keep: Keep,
    /// Whether deletions asked for in an earlier run are asked for again.
    pub finish_deletions: bool,
    /// How far ids are believed.
    pub trust: Trust,
    /// At most so many new messages.
    pub limit: Option<u64>,
    /// No message larger than this, in bytes.
    pub max_size: Option<u64>,
    /// When the run is.
    pub now: Timestamp,
}

/// Digests of headers that were asked for; `None`: the server did not give it.
pub type Headers = BTreeMap<u32, Option<Digest>>;

/// Why a message stays on the server unfetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is larger than `max_size`.
    TooLarge,
    /// `--limit` is used up.
    Limit,
}

/// Something to do with a listed message. What is known and stays needs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Retrieve it; what it is shows its content. `expected`: the row (an index) that it may be.
    Retrieve {
        /// The message.
        entry: usize,
        /// The row that it may be.
        expected: Option<usize>,
    },
    /// Delete it on the server: it is this row, which is durable here.
    Delete {
        /// The message.
        entry: usize,
        /// Its row.
        row: usize,
    },
    /// Leave it.
    Skip {
        /// The message.
        entry: usize,
        /// Why.
        reason: Reason,
    },
}

/// What to do. Indexes are those of the listing and the rows that it was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Not empty: the headers of these numbers are needed first. Then all else is provisional.
    pub ask: Vec<u32>,
    /// In the order of the listing.
    pub actions: Vec<Action>,
    /// Known messages whose row does not show that: (row, entry).
    pub refresh: Vec<(usize, usize)>,
    /// Rows no longer listed, for the first time.
    pub left: Vec<usize>,
    /// Rows whose deletion was asked for, and that are no longer listed.
    pub gone: Vec<usize>,
    /// Rows not listed for so long that they can be forgotten.
    pub forget: Vec<usize>,
    /// Rows that no listed message stands for: a new message with the content of one is that one.
    pub free: Vec<usize>,
}

/// Plans. `present`: what the Maildir holds by content, where everything that is not there is wanted (`--all`).
#[must_use]
pub fn plan(
    entries: &[Entry],
    rows: &[Row],
    headers: &Headers,
    rules: &Rules,
    present: Option<&HashSet<Digest>>,
) -> Plan {
    let mut identities = identify(entries, rows, headers, rules.trust == Trust::Nothing);
    if identity::are_ids_re_used((entries, rows, headers), &identities, rules.trust == Trust::Sample) {
        identities = identify(entries, rows, headers, true);
    }
    let mut plan = Plan::default();
    let mut taken = vec![false; rows.len()];
    let mut room = rules.limit;
    for (at, (entry, identity)) in entries.iter().zip(&identities).enumerate() {
        match *identity {
            Identity::Ask => plan.ask.push(entry.number),
            Identity::Open { expected } => {
                if let Some(slot) = expected.and_then(|row| taken.get_mut(row)) {
                    *slot = true;
                }
                plan.actions.push(retrieve(
                    at,
                    entry,
                    expected,
                    rules.max_size,
                    if expected.is_some() { None } else { room.as_mut() },
                ));
            }
            Identity::Known { row, checked } => {
                if let Some(slot) = taken.get_mut(row) {
                    *slot = true;
                }
                if let Some(known) = rows.get(row) {
                    let missing = |all: &HashSet<Digest>| !known.seen.content.is_some_and(|c| all.contains(&c));
                    if present.is_some_and(missing) {
                        plan.actions.push(retrieve(at, entry, Some(row), rules.max_size, room.as_mut()));
                    } else {
                        known_message(&mut plan, (at, entry), (row, known), (checked, headers), rules);
                    }
                }
            }
        }
    }
    probe(&mut plan, (entries, rows, headers), &identities, rules.trust);
    if plan.ask.is_empty() {
        absent(&mut plan, rows, &taken, rules.now);
    }
    plan
}

/// Asks for the headers of some known messages, as `trust` says.
fn probe(
    plan: &mut Plan,
    (entries, rows, headers): (&[Entry], &[Row], &Headers),
    identities: &[Identity],
    trust: Trust,
) {
    let is_new = |action: &Action| matches!(action, Action::Retrieve { expected: None, .. });
    let wanted = match trust {
        Trust::Neighbours if plan.actions.iter().any(is_new) => NEIGHBOURS,
        Trust::Sample => SAMPLE,
        Trust::Ids | Trust::Neighbours | Trust::Nothing => return,
    };
    let has_header = |identity: Identity| match identity {
        Identity::Known { row, .. } | Identity::Open { expected: Some(row) } => {
            rows.get(row).is_some_and(|row| row.seen.header.is_some())
        }
        Identity::Ask | Identity::Open { expected: None } => false,
    };
    let known = entries.iter().zip(identities).filter(|(_, identity)| has_header(**identity));
    let known: Vec<u32> = known.map(|(entry, _)| entry.number).collect();
    let step = if trust == Trust::Sample { known.len().div_ceil(wanted).max(1) } else { 1 };
    for number in known.iter().rev().step_by(step).take(wanted) {
        if !headers.contains_key(number) && !plan.ask.contains(number) {
            plan.ask.push(*number);
        }
    }
}

/// Retrieves a message, unless a limit is in the way. `room`: how many new ones there may still be; checking a known one uses
/// nothing up.
fn retrieve(
    at: usize,
    entry: &Entry,
    expected: Option<usize>,
    max_size: Option<u64>,
    room: Option<&mut u64>,
) -> Action {
    if max_size.is_some_and(|max| entry.size.is_some_and(|size| size > max)) {
        return Action::Skip { entry: at, reason: Reason::TooLarge };
    }
    if let Some(left) = room {
        if *left == 0 {
            return Action::Skip { entry: at, reason: Reason::Limit };
        }
        *left -= 1;
    }
    Action::Retrieve { entry: at, expected }
}

/// Deletes a known message if that is due and proved, and notes what its row does not say.
fn known_message(
    plan: &mut Plan,
    (at, entry): (usize, &Entry),
    (index, row): (usize, &Row),
    (checked, headers): (bool, &Headers),
    rules: &Rules,
) {
    let seen = &row.seen;
    let due = is_due(row, rules);
    let asked = seen.status == Status::DeleteAsked;
    if seen.absent.is_some() || seen.status == Status::Gone || (asked && !due) || key_or_size_differs(row, entry) {
        plan.refresh.push((index, at));
    }
    if !due {
        return;
    }
    // The figure of LIST and the header must both be those of the message that was stored: servers re-use UIDLs.
    let can_be_proved = seen.header.is_some() && seen.size == entry.size;
    if checked && can_be_proved {
        plan.actions.push(Action::Delete { entry: at, row: index });
    } else if can_be_proved && !headers.contains_key(&entry.number) {
        plan.ask.push(entry.number);
    } else {
        plan.actions.push(retrieve(at, entry, Some(index), rules.max_size, None));
    }
}

/// Whether the server's copy of a delivered message is to be deleted.
#[must_use]
pub fn is_due(row: &Row, rules: &Rules) -> bool {
    (row.seen.status == Status::DeleteAsked && rules.finish_deletions) || is_old_enough(row.seen.first_seen, rules)
}

/// Whether the rules delete a message that was first seen then.
#[must_use]
pub fn is_old_enough(first_seen: Timestamp, rules: &Rules) -> bool {
    match rules.keep {
        Keep::Keep => false,
        Keep::Delete => true,
        Keep::DeleteAfter(age) => {
            let passed = rules.now.0.saturating_sub(first_seen.0);
            u64::try_from(passed).is_ok_and(|passed| passed >= age.as_secs())
        }
    }
}

/// What becomes of the rows that nothing listed stands for.
fn absent(plan: &mut Plan, rows: &[Row], taken: &[bool], now: Timestamp) {
    for (index, row) in rows.iter().enumerate() {
        if taken.get(index).copied().unwrap_or_default() {
            continue;
        }
        plan.free.push(index);
        if row.seen.status == Status::DeleteAsked {
            plan.gone.push(index);
        }
        match row.seen.absent {
            None => plan.left.push(index),
            Some(since) if now.0.saturating_sub(since.0) > RETENTION => plan.forget.push(index),
            Some(_) => {}
        }
    }
}

fn key_or_size_differs(row: &Row, entry: &Entry) -> bool {
    row.seen.uidl != entry.key || (entry.size.is_some() && row.seen.size != entry.size)
}

#[cfg(test)]
mod tests;
