//! Numbers that a server gives: UIDs, UIDVALIDITY, mod-sequences, and sets of UIDs.

use std::fmt;
use std::num::NonZeroU32;

/// A message's unique identifier within one folder and UIDVALIDITY (RFC 9051 §2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(NonZeroU32);

impl Uid {
    /// The UID `value`; `None` for 0, which no message has.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number under which a folder's UIDs hold (RFC 9051 §2.3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UidValidity(NonZeroU32);

impl UidValidity {
    /// The UIDVALIDITY `value`; `None` for 0.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A modification sequence, 1 to 2^63-1 (RFC 7162 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModSeq(u64);

impl ModSeq {
    /// The mod-sequence `value`; `None` for 0, by which a server says that it keeps none, and above 2^63-1.
    #[must_use]
    pub fn new(value: u64) -> Option<Self> {
        (value != 0 && i64::try_from(value).is_ok()).then_some(Self(value))
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of UIDs, kept as sorted ranges that neither touch nor overlap: never expanded, so that a
/// server's `1:4294967295` costs eight bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All UIDs from `first` to `last`, both included; the order of the two does not matter.
    #[must_use]
    pub fn range(first: Uid, last: Uid) -> Self {
        let (a, b) = (first.get().min(last.get()), first.get().max(last.get()));
        Self { ranges: vec![(a, b)] }
    }

    /// Whether no UID is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many UIDs it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|&(a, b)| u64::from(b - a) + 1).sum()
    }

    /// Adds one UID: in constant time when it is beyond the largest, as in a listing.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid.get(), uid.get());
    }

    /// Adds all UIDs from `first` to `last`, both included and at least 1.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        let (mut a, mut b) = (first.min(last).max(1), first.max(last).max(1));
        let start = self.ranges.partition_point(|&(_, end)| end.saturating_add(1) < a);
        let mut end = start;
        while let Some(&(ra, rb)) = self.ranges.get(end) {
            if ra > b.saturating_add(1) {
                break;
            }
            (a, b) = (a.min(ra), b.max(rb));
            end += 1;
        }
        self.ranges.splice(start..end, [(a, b)]);
    }

    /// Whether `uid` is in it.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < uid.get());
        self.ranges.get(at).is_some_and(|&(start, _)| start <= uid.get())
    }

    /// The ranges, rising, as (first, last).
    pub fn ranges(&self) -> impl Iterator<Item = (Uid, Uid)> + '_ {
        self.ranges.iter().filter_map(|&(a, b)| Some((Uid::new(a)?, Uid::new(b)?)))
    }

    /// Every UID, rising. Only for sets that we made ourselves: a server's set is intersected, never expanded.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|&(a, b)| (a..=b).filter_map(Uid::new))
    }

    /// The largest UID.
    #[must_use]
    pub fn last(&self) -> Option<Uid> {
        self.ranges.last().and_then(|&(_, b)| Uid::new(b))
    }

    /// The smallest UID.
    #[must_use]
    pub fn first(&self) -> Option<Uid> {
        self.ranges.first().and_then(|&(a, _)| Uid::new(a))
    }

    /// Cuts the set into several whose text is at most `bytes` long: servers refuse long command lines
    /// (Exchange at about 10,000 bytes). A single range is never cut.
    #[must_use]
    pub fn chunks(&self, bytes: usize) -> Vec<Self> {
        let mut out: Vec<Self> = Vec::new();
        let mut length = usize::MAX;
        for &(a, b) in &self.ranges {
            let text = if a == b { a.to_string().len() } else { a.to_string().len() + b.to_string().len() + 1 } + 1;
            length = length.saturating_add(text);
            match out.last_mut() {
                Some(set) if length <= bytes => set.ranges.push((a, b)),
                _ => {
                    out.push(Self { ranges: vec![(a, b)] });
                    length = text;
                }
            }
        }
        out
    }

    /// Parses a `sequence-set` without `*` (RFC 9051 §9). `None` for anything else; bounds in either order.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::new();
        for part in text.split(',') {
            let (a, b) = part.split_once(':').unwrap_or((part, part));
            let number = |s: &str| -> Option<Uid> {
                if s.is_empty() || !s.bytes().all(|c| c.is_ascii_digit()) {
                    return None;
                }
                Uid::new(s.parse().ok()?)
            };
            let (a, b) = (number(a)?, number(b)?);
            set.insert_range(a.get(), b.get());
        }
        Some(set)
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, &(a, b)) in self.ranges.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            if a == b {
                write!(f, "{a}")?;
            } else {
                write!(f, "{a}:{b}")?;
            }
        }
        Ok(())
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(iter: I) -> Self {
        let mut set = Self::new();
        for uid in iter {
            set.insert(uid);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(text: &str) -> UidSet {
        UidSet::parse(text).unwrap_or_default()
    }

    #[test]
    fn ranges_merge_and_stay_sorted() {
        assert_eq!(set("5,1:3,4,9").to_string(), "1:5,9");
        assert_eq!(set("410:405").to_string(), "405:410");
        assert_eq!(set("1:4294967295").len(), 4_294_967_295);
    }

    #[test]
    fn refuses_what_is_not_a_set() {
        for bad in ["", "0", "1:0", "*", "1:*", "1,,2", "1,", "-1", "4294967296", "+1", " 1"] {
            assert_eq!(UidSet::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn chunks_are_short_and_lose_nothing() {
        let all: UidSet = (1..2000).step_by(2).filter_map(Uid::new).collect();
        let chunks = all.chunks(100);
        assert!(chunks.iter().all(|c| c.to_string().len() <= 100));
        assert_eq!(chunks.iter().flat_map(UidSet::iter).collect::<UidSet>(), all);
    }

    proptest! {
        #[test]
        fn holds_what_was_put_in(uids in proptest::collection::btree_set(1u32..300, 0..80)) {
            let made: UidSet = uids.iter().rev().filter_map(|&u| Uid::new(u)).collect();
            prop_assert_eq!(made.iter().map(Uid::get).collect::<Vec<_>>(), uids.iter().copied().collect::<Vec<_>>());
            for u in 1..300 {
                prop_assert_eq!(Uid::new(u).is_some_and(|u| made.contains(u)), uids.contains(&u));
            }
            if !made.is_empty() {
                prop_assert_eq!(UidSet::parse(&made.to_string()), Some(made));
            }
        }
    }
}
