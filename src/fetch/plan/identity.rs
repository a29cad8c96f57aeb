//! PURE: which row a listed message is, by id, size and header.

use std::collections::HashMap;

use super::{Entry, Headers};
use crate::mail::Digest;
use crate::state::seen::{Row, Status};

/// What a listed message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// That row. `checked`: by its header.
    Known { row: usize, checked: bool },
    /// Its header decides.
    Ask,
    /// Its content decides.
    Open { expected: Option<usize> },
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

/// What each listed message is. `full`: nothing is known without its header.
#[must_use]
pub fn identify(entries: &[Entry], rows: &[Row], headers: &Headers, full: bool) -> Vec<Identity> {
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

/// Whether a header has shown that the server gives ids again: then none of this listing proves anything by itself. An id whose
/// size agrees counts only with `sample`, where another server may be speaking: some servers' TOP gives another header than their
/// RETR.
#[must_use]
pub fn are_ids_re_used(
    (entries, rows, headers): (&[Entry], &[Row], &Headers),
    identities: &[Identity],
    sample: bool,
) -> bool {
    let suspects = entries.iter().zip(identities).filter_map(|(entry, identity)| {
        let header = (*headers.get(&entry.number)?)?;
        let open = matches!(identity, Identity::Open { .. }) && entry.key.is_some();
        open.then_some((entry, header))
    });
    let suspects: HashMap<Option<&[u8]>, (&Entry, Digest)> =
        suspects.map(|(entry, header)| (entry.key.as_deref(), (entry, header))).collect();
    rows.iter().filter(|row| is_live(row)).any(|row| {
        let suspect = suspects.get(&row.seen.uidl.as_deref());
        suspect.is_some_and(|(entry, header)| {
            row.seen.header.is_some_and(|known| known != *header) && (sample || row.seen.size != entry.size)
        })
    })
}
