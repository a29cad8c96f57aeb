//! PURE: which of the listed messages are known, and what is to be done with each. Servers re-use UIDLs, repeat them, leave them
//! out, change them at every login: an id only nominates a row, and nothing is deleted on the word of an id alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::account::Keep;
use crate::mail::{Content, Digest, Timestamp};
use crate::state::seen::{Row, Status};

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

/// What is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What becomes of the server's copies.
    pub keep: Keep,
    /// Whether deletions asked for in an earlier run are asked for again.
    pub finish_deletions: bool,
    /// Whether nothing is taken for known without its header.
    pub full: bool,
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

/// What a listed message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// That row. `checked`: by its header.
    Known { row: usize, checked: bool },
    /// Its header decides.
    Ask,
    /// Its content decides.
    Open { expected: Option<usize> },
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
    let identities = identify(entries, rows, headers, rules.full);
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
    if plan.ask.is_empty() {
        absent(&mut plan, rows, &taken, rules.now);
    }
    plan
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

fn sizes_agree(row: &Row, entry: &Entry) -> bool {
    row.seen.size.is_none() || entry.size.is_none() || row.seen.size == entry.size
}

fn is_live(row: &Row) -> bool {
    row.seen.absent.is_none() && row.seen.status != Status::Gone
}

/// Messages and rows under one id, as indexes.
#[derive(Default)]
struct Group {
    entries: Vec<usize>,
    rows: Vec<usize>,
}

fn identify(entries: &[Entry], rows: &[Row], headers: &Headers, full: bool) -> Vec<Identity> {
    let mut groups: HashMap<Option<&[u8]>, Group> = HashMap::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        groups.entry(entry.key.as_deref()).or_default().entries.push(at);
    }
    for (at, row) in rows.iter().enumerate() {
        if let Some(group) = groups.get_mut(&row.seen.uidl.as_deref()) {
            group.rows.push(at);
        }
    }
    let mut out = vec![Identity::Open { expected: None }; entries.len()];
    let mut set = |at: usize, identity| {
        if let Some(slot) = out.get_mut(at) {
            *slot = identity;
        }
    };
    for (key, group) in groups {
        let pairs = if full || key.is_none() { None } else { by_size(&group, entries, rows) };
        match pairs {
            _ if group.rows.is_empty() => {}
            Some(pairs) => {
                for (at, row) in pairs {
                    set(at, by_one_header(at, row, entries, rows, headers));
                }
            }
            None => by_headers(&group, entries, rows, headers, &mut set),
        }
    }
    out
}

/// The plain case: as many live rows as messages under this id, and sizes that agree.
fn by_size(group: &Group, entries: &[Entry], rows: &[Row]) -> Option<Vec<(usize, usize)>> {
    let mut live: Vec<usize> = group.rows.iter().copied().filter(|&r| rows.get(r).is_some_and(is_live)).collect();
    let mut listed = group.entries.clone();
    if live.len() != listed.len() {
        return None;
    }
    live.sort_by_key(|&r| rows.get(r).map(|row| row.seen.size));
    listed.sort_by_key(|&e| entries.get(e).map(|entry| entry.size));
    let pairs: Vec<(usize, usize)> = listed.into_iter().zip(live).collect();
    let agree = |&(e, r): &(usize, usize)| Some(sizes_agree(rows.get(r)?, entries.get(e)?));
    pairs.iter().all(|pair| agree(pair).unwrap_or_default()).then_some(pairs)
}

/// A message that id and size call known: its header, where it was asked for, must agree.
fn by_one_header(at: usize, row: usize, entries: &[Entry], rows: &[Row], headers: &Headers) -> Identity {
    let recorded = rows.get(row).and_then(|r| r.seen.header);
    match entries.get(at).and_then(|entry| headers.get(&entry.number)) {
        Some(&Some(header)) if recorded.is_some() => {
            if recorded == Some(header) {
                Identity::Known { row, checked: true }
            } else {
                Identity::Open { expected: Some(row) }
            }
        }
        Some(_) | None => Identity::Known { row, checked: false },
    }
}

/// The doubtful cases: headers decide, one to one; equal sizes and live rows first. A row taken over from another tool has no
/// header, and its id is all there is.
fn by_headers(group: &Group, entries: &[Entry], rows: &[Row], headers: &Headers, set: &mut dyn FnMut(usize, Identity)) {
    let mut free = group.rows.clone();
    for &at in &group.entries {
        let Some(entry) = entries.get(at) else { continue };
        let identity = match headers.get(&entry.number) {
            None => Identity::Ask,
            Some(header) => {
                let rank = |&r: &usize| {
                    let row = rows.get(r)?;
                    let same = header.is_some() && row.seen.header == *header;
                    let imported = row.seen.header.is_none();
                    (same || imported).then_some((same, row.seen.size == entry.size, is_live(row)))
                };
                match free.iter().copied().filter(|r| rank(r).is_some()).max_by_key(rank) {
                    Some(row) => {
                        free.retain(|&r| r != row);
                        let checked = rows.get(row).is_some_and(|r| header.is_some() && r.seen.header == *header);
                        Identity::Known { row, checked }
                    }
                    None => Identity::Open { expected: None },
                }
            }
        };
        set(at, identity);
    }
}

/// What a retrieved message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// That row's message, which is here already.
    Row(usize),
    /// Here already, without a row.
    Present,
    /// To be stored; `Some`: as that row's message.
    Store(Option<usize>),
}

/// The rows that retrieved messages may turn out to be; each is used up once.
#[derive(Debug, Default)]
pub struct Candidates {
    free: HashMap<Digest, Vec<usize>>,
}

impl Candidates {
    /// The rows that no listed message stands for.
    #[must_use]
    pub fn new(plan: &Plan, rows: &[Row]) -> Self {
        let mut free: HashMap<Digest, Vec<usize>> = HashMap::new();
        for &index in plan.free.iter().rev() {
            if let Some(content) = rows.get(index).and_then(|row| row.seen.content) {
                free.entry(content).or_default().push(index);
            }
        }
        Self { free }
    }

    /// Decides by content. `expected` is the plan's; `present` as in [`plan`], or given where a row of another tool is
    /// to be checked.
    pub fn settle(
        &mut self,
        content: &Content,
        expected: Option<(usize, &Row)>,
        present: Option<&HashSet<Digest>>,
    ) -> Settled {
        let missing = present.is_some_and(|all| !all.contains(&content.digest));
        let here = |row| if missing { Settled::Store(Some(row)) } else { Settled::Row(row) };
        if let Some((index, row)) = expected {
            match row.seen.content {
                Some(known) if known == content.digest => return here(index),
                // Another tool stored it, if it is here at all.
                None if present.is_some() => return here(index),
                None => return Settled::Store(Some(index)),
                // Its id names another message now; itself it may come under another.
                Some(known) => self.free.entry(known).or_default().push(index),
            }
        }
        if let Some(row) = self.free.get_mut(&content.digest).and_then(Vec::pop) {
            return here(row);
        }
        if present.is_some() && !missing { Settled::Present } else { Settled::Store(None) }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
