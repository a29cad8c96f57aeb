//! Rows against what a side shows now: only the differences come out. PURE.
//!
//! There may be 200,000 rows, so files are known by two hashes of their names, not by the names.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hasher as _};

use crate::mail::{Flags, System, Uid, UidSet};
use crate::state::base::keywords_hash;
use crate::state::{Brief, Mark, RowId};

/// A folder's rows as far as comparing needs them, by rising UID, those without first.
#[derive(Debug, Default)]
pub struct Known {
    rows: Vec<KnownRow>,
    /// The first row with a UID.
    uids_from: usize,
}

#[derive(Debug)]
struct KnownRow {
    brief: Brief,
    /// Hashes of the file's unique part and of its whole place; `None`: no file.
    file: Option<(u64, u64)>,
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The unique part of `cur/NAME`.
#[must_use]
pub fn unique(place: &[u8]) -> &[u8] {
    let name = place.get(4..).unwrap_or_default();
    let end = memchr::memmem::find(name, b":2,").unwrap_or(name.len());
    name.get(..end).unwrap_or(name)
}

/// Whether a name is one that we derive for downloads: what has it was not renamed by another program.
#[must_use]
pub fn is_ours(place: &[u8]) -> bool {
    memchr::memmem::find(unique(place), b".mailferry").is_some()
}

impl Known {
    /// Adds a row; they must come by rising UID, those without first.
    pub fn push(&mut self, brief: Brief, file: Option<&[u8]>) {
        if brief.uid.is_none() {
            self.uids_from = self.rows.len() + 1;
        }
        self.rows.push(KnownRow { brief, file: file.map(|place| (hash(unique(place)), hash(place))) });
    }

    /// Whether a row has just this file name, flags included.
    pub fn has_place(&self, place: &[u8]) -> bool {
        let whole = hash(place);
        self.rows.iter().any(|row| row.file.is_some_and(|(_, place)| place == whole))
    }

    /// The rows.
    pub fn briefs(&self) -> impl Iterator<Item = &Brief> {
        self.rows.iter().map(|row| &row.brief)
    }

    fn with_uids(&self) -> &[KnownRow] {
        self.rows.get(self.uids_from..).unwrap_or_default()
    }

    /// The rows with one UID: several files may be bound to one (HAZARDS 15).
    fn of_uid(&self, uid: Uid) -> impl Iterator<Item = &KnownRow> {
        let rows = self.with_uids();
        let from = rows.partition_point(|row| row.brief.uid < Some(uid));
        rows.get(from..).unwrap_or_default().iter().take_while(move |row| row.brief.uid == Some(uid))
    }

    /// Whether a row has this UID.
    #[must_use]
    pub fn has_uid(&self, uid: Uid) -> bool {
        self.of_uid(uid).next().is_some()
    }

    /// Whether a row has the file of that unique part.
    #[must_use]
    pub fn has_file(&self, place: &[u8]) -> bool {
        let wanted = hash(unique(place));
        self.rows.iter().any(|row| row.file.is_some_and(|(unique, _)| unique == wanted))
    }

    /// The distinct UIDs.
    #[must_use]
    pub fn uids(&self) -> UidSet {
        self.with_uids().iter().filter_map(|row| row.brief.uid).collect()
    }
}

/// A file as a scan saw it.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    /// `cur/NAME` or `new/NAME`.
    pub place: &'a [u8],
    /// Its flags; `None` where its name says nothing about them.
    pub flags: Option<(System, u64)>,
}

/// What differs in the Maildir.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LocalDelta {
    /// Rows whose file is gone.
    pub missing: BTreeSet<RowId>,
    /// Rows whose file has another name or other flags, with its index in the scan.
    pub changed: BTreeMap<RowId, usize>,
    /// Files without a row, by their index.
    pub unknown: Vec<usize>,
}

/// Compares rows with a scan.
#[must_use]
pub fn local<'a>(known: &Known, scan: impl Iterator<Item = Seen<'a>>) -> LocalDelta {
    let mut delta = LocalDelta::default();
    let mut rows: HashMap<u64, &KnownRow> = HashMap::with_capacity(known.rows.len());
    for row in &known.rows {
        if let Some((unique, _)) = row.file {
            rows.insert(unique, row);
        }
    }
    for (index, seen) in scan.enumerate() {
        let Some(row) = rows.remove(&hash(unique(seen.place))) else {
            delta.unknown.push(index);
            continue;
        };
        let same_flags = seen.flags.is_none_or(|flags| flags == (row.brief.system, row.brief.keywords));
        let same_place = row.file.is_some_and(|(_, place)| place == hash(seen.place));
        if !same_flags || !same_place {
            delta.changed.insert(row.brief.id, index);
        }
    }
    delta.missing = rows.into_values().map(|row| row.brief.id).collect();
    delta
}

/// What differs on the server.
#[derive(Debug, Default)]
pub struct RemoteDelta {
    /// Rows whose message is gone.
    pub gone: BTreeSet<RowId>,
    /// Rows whose flags differ, and how they are.
    pub changed: BTreeMap<RowId, Flags>,
    /// UIDs without a row.
    pub unknown: BTreeSet<Uid>,
}

impl RemoteDelta {
    /// Takes one message of a listing.
    pub fn see(&mut self, known: &Known, uid: Uid, flags: Option<&Flags>) {
        let mut found = false;
        for row in known.of_uid(uid) {
            found = true;
            if let Some(flags) = flags
                && (flags.system, keywords_hash(&flags.keywords)) != (row.brief.system, row.brief.keywords)
            {
                self.changed.insert(row.brief.id, flags.clone());
            }
        }
        if !found {
            self.unknown.insert(uid);
        }
    }

    /// Takes UIDs that are gone.
    pub fn vanished(&mut self, known: &Known, set: &UidSet) {
        for row in known.with_uids() {
            if row.brief.uid.is_some_and(|uid| set.contains(uid)) {
                self.gone.insert(row.brief.id);
                self.changed.remove(&row.brief.id);
            }
        }
        self.unknown.retain(|uid| !set.contains(*uid));
    }

    /// Takes a complete listing's UIDs: rows that are not in it are gone.
    pub fn complete(&mut self, known: &Known, listed: &UidSet) {
        for row in known.with_uids() {
            if row.brief.uid.is_some_and(|uid| !listed.contains(uid)) {
                self.gone.insert(row.brief.id);
                self.changed.remove(&row.brief.id);
            }
        }
    }

    /// How many messages the server has by this account: must equal EXISTS (HAZARDS 9).
    #[must_use]
    pub fn expected(&self, known: &Known) -> u64 {
        let gone: UidSet = known
            .with_uids()
            .iter()
            .filter(|row| self.gone.contains(&row.brief.id))
            .filter_map(|row| row.brief.uid)
            .collect();
        known.uids().len() - gone.len() + self.unknown.len() as u64
    }
}

/// The message with all flags and keywords that a listing told of it, as [`Seen::flags`] wants them.
#[must_use]
pub fn flags_key(flags: &Flags) -> (System, u64) {
    (flags.system, keywords_hash(&flags.keywords))
}

/// The rows that a look must take up although nothing differs: open ones, and those that stand on one side.
#[must_use]
pub fn unsettled(known: &Known) -> Vec<RowId> {
    known.briefs().filter(|b| b.open || b.mark != Mark::Paired).map(|b| b.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(rows: &[(i64, Option<u32>, Option<&str>, System)]) -> Known {
        let mut known = Known::default();
        for &(id, uid, file, system) in rows {
            let brief = Brief {
                id: RowId(id),
                uid: uid.and_then(Uid::new),
                system,
                keywords: 0,
                mark: Mark::Paired,
                open: false,
            };
            known.push(brief, file.map(str::as_bytes));
        }
        known
    }

    fn seen<'a>(places: &'a [&'a str]) -> impl Iterator<Item = Seen<'a>> {
        places.iter().map(|p| Seen {
            place: p.as_bytes(),
            flags: p.split_once(":2,").map(|(_, l)| (if l.contains('S') { System::SEEN } else { System::NONE }, 0)),
        })
    }

    #[test]
    fn files_are_known_by_their_unique_part() {
        let rows = known(&[
            (1, None, Some("cur/a:2,S"), System::SEEN),
            (2, Some(5), Some("new/b"), System::NONE),
            (3, Some(6), Some("cur/c:2,"), System::NONE),
            (4, Some(7), None, System::NONE),
        ]);
        let delta = local(&rows, seen(&["cur/a:2,S", "cur/b:2,S", "cur/x:2,"]));
        assert_eq!(delta.missing, [RowId(3)].into());
        assert_eq!(delta.changed, [(RowId(2), 1)].into());
        assert_eq!(delta.unknown, [2]);
    }

    #[test]
    fn hazard_06_a_name_without_flags_says_nothing_about_them() {
        let rows = known(&[(1, Some(1), Some("cur/a"), System::SEEN)]);
        assert_eq!(local(&rows, seen(&["cur/a"])), LocalDelta::default());
    }

    #[test]
    fn hazard_09_what_a_delta_says_must_add_up() {
        let rows = known(&[
            (1, Some(1), Some("cur/a:2,"), System::NONE),
            (2, Some(1), Some("cur/b:2,"), System::NONE),
            (3, Some(3), Some("cur/c:2,"), System::NONE),
        ]);
        let uid = |n| Uid::new(n).unwrap();
        let mut delta = RemoteDelta::default();
        assert_eq!(delta.expected(&rows), 2, "two files, one UID");
        delta.see(&rows, uid(9), None);
        assert_eq!(delta.expected(&rows), 3);
        delta.vanished(&rows, &UidSet::range(uid(1), uid(2)));
        assert_eq!((delta.expected(&rows), delta.gone.len()), (2, 2));
        delta.complete(&rows, &[uid(9)].into_iter().collect());
        assert_eq!(delta.expected(&rows), 1);
    }
}
