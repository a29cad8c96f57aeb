//! Flags and keywords of a message, and how three views of them merge.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The flags that Maildir has letters for, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct System(u8);

impl System {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// `\Draft`, letter `D`.
    pub const DRAFT: Self = Self(1);
    /// `\Flagged`, letter `F`.
    pub const FLAGGED: Self = Self(2);
    /// The keyword `$Forwarded`, letter `P` ("passed").
    pub const FORWARDED: Self = Self(4);
    /// `\Answered`, letter `R` ("replied").
    pub const ANSWERED: Self = Self(8);
    /// `\Seen`, letter `S`.
    pub const SEEN: Self = Self(16);
    /// `\Deleted`, letter `T` ("trashed").
    pub const DELETED: Self = Self(32);
    /// Every flag.
    pub const ALL: Self = Self(63);

    /// Bit, Maildir letter and IMAP name of each, in the letters' order.
    pub const TABLE: [(Self, u8, &'static str); 6] = [
        (Self::DRAFT, b'D', "\\Draft"),
        (Self::FLAGGED, b'F', "\\Flagged"),
        (Self::FORWARDED, b'P', "$Forwarded"),
        (Self::ANSWERED, b'R', "\\Answered"),
        (Self::SEEN, b'S', "\\Seen"),
        (Self::DELETED, b'T', "\\Deleted"),
    ];

    /// The bits, for the state database.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The flags of `bits`; unknown bits are dropped.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether all of `other` are in it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// In either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// In both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In this one but not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// An IMAP keyword (RFC 9051 `flag-keyword`): an atom. Two that differ in case alone are equal.
#[derive(Clone, Debug)]
pub struct Keyword(Box<str>);

impl Keyword {
    /// The keyword `name`; `None` if it is no atom or longer than 255 bytes.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let atom = |c: u8| c > b' ' && c < 127 && !br#"(){%*"\]"#.contains(&c);
        (!name.is_empty() && name.len() <= 255 && name.bytes().all(atom)).then(|| Self(name.into()))
    }

    /// Its text, as first seen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|b| b.to_ascii_lowercase())
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}
impl Eq for Keyword {}
impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(other.folded())
    }
}
impl Hash for Keyword {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}
impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All flags of a message: the six with letters and any keywords. `\Recent` is never part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// The flags with a Maildir letter.
    pub system: System,
    /// Every other keyword.
    pub keywords: BTreeSet<Keyword>,
}

impl Flags {
    /// No flag at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Flags without keywords.
    #[must_use]
    pub fn of(system: System) -> Self {
        Self { system, keywords: BTreeSet::new() }
    }

    /// Adds one flag by its IMAP name. `\Recent`, unknown `\` flags and what is no atom are ignored.
    pub fn insert_imap(&mut self, name: &str) {
        if let Some((bit, _, _)) = System::TABLE.iter().find(|(_, _, n)| n.eq_ignore_ascii_case(name)) {
            self.system = self.system.union(*bit);
        } else if !name.starts_with('\\')
            && let Some(keyword) = Keyword::new(name)
        {
            self.keywords.insert(keyword);
        }
    }

    /// The IMAP names of all flags, `\Answered` and so on first.
    pub fn imap_names(&self) -> impl Iterator<Item = &str> + '_ {
        System::TABLE
            .iter()
            .filter(|(bit, _, _)| self.system.contains(*bit))
            .map(|(_, _, name)| *name)
            .chain(self.keywords.iter().map(Keyword::as_str))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.system.is_empty() && self.keywords.is_empty()
    }

    /// In either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            system: self.system.union(other.system),
            keywords: self.keywords.union(&other.keywords).cloned().collect(),
        }
    }

    /// In this one but not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self {
            system: self.system.difference(other.system),
            keywords: self.keywords.difference(&other.keywords).cloned().collect(),
        }
    }

    /// In both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            system: self.system.intersection(other.system),
            keywords: self.keywords.intersection(&other.keywords).cloned().collect(),
        }
    }

    /// The three-way merge of flags, which cannot conflict: each flag on its own keeps what changed.
    #[must_use]
    pub fn merge(base: &Self, local: &Self, remote: &Self) -> Self {
        base.intersection(local).intersection(remote).union(&local.difference(base)).union(&remote.difference(base))
    }
}

impl fmt::Display for Flags {
    /// IMAP names, separated by blanks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.imap_names().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl<'a> FromIterator<&'a str> for Flags {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut flags = Self::none();
        for name in names {
            flags.insert_imap(name);
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn imap_names_round_trip_and_recent_is_left_out() {
        let flags: Flags = ["\\Seen", "\\recent", "$forwarded", "Junk", "\\Nonsense", "a b"].into_iter().collect();
        assert_eq!(flags.to_string(), "$Forwarded \\Seen Junk");
    }

    #[test]
    fn keywords_compare_without_case() {
        let a: Flags = ["Work"].into_iter().collect();
        let b: Flags = ["wORK"].into_iter().collect();
        assert_eq!(a, b);
        assert!(a.difference(&b).is_empty());
    }

    fn any_flags() -> impl Strategy<Value = Flags> {
        (0u8..64, proptest::collection::btree_set("[a-c]", 0..3)).prop_map(|(bits, words)| Flags {
            system: System::from_bits(bits),
            keywords: words.iter().filter_map(|w| Keyword::new(w)).collect(),
        })
    }

    proptest! {
        #[test]
        fn merge_keeps_every_change_and_mirrors(b in any_flags(), l in any_flags(), r in any_flags()) {
            let m = Flags::merge(&b, &l, &r);
            prop_assert_eq!(&m, &Flags::merge(&b, &r, &l));
            prop_assert!(l.difference(&b).difference(&m).is_empty());
            prop_assert!(r.difference(&b).difference(&m).is_empty());
            prop_assert!(b.difference(&l).difference(&r.difference(&b)).intersection(&m).is_empty());
            prop_assert_eq!(Flags::merge(&b, &b, &r), r.clone());
            prop_assert_eq!(Flags::merge(&m, &m, &m), m);
        }
    }
}
