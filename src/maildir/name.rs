//! Message file names: unique part and flag letters. PURE.
//!
//! A name is `UNIQUE` or `UNIQUE:2,LETTERS`, where the letters are `DFPRST`, `a`–`z` for keywords, and whatever else
//! another program put there, which is kept.

use std::fmt;

use crate::mail::System;
use crate::mail::text::clean_bytes;

/// What introduces the letters.
const INFO: &[u8] = b":2,";

/// The letters after `:2,`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Letters {
    /// `DFPRST`.
    pub system: System,
    /// Keyword letters: bit 0 is `a`, bit 25 is `z`.
    pub keywords: u32,
    /// Everything else, as it stood: letters that we do not know, then a first `,` and all behind it.
    pub rest: Box<[u8]>,
}

impl Letters {
    /// Flags without keywords.
    #[must_use]
    pub fn of(system: System) -> Self {
        Self { system, ..Self::default() }
    }

    /// Whether there is nothing to write after `:2,`: such a message is new.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.system.is_empty() && self.keywords == 0 && self.rest.is_empty()
    }

    /// Whether flags and keywords are those of `other`, whatever else stands beside them.
    #[must_use]
    pub fn same_flags(&self, other: &Self) -> bool {
        self.system == other.system && self.keywords == other.keywords
    }

    /// The letters of `text`, which stands after `:2,`. Any order, any repetition.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let (flags, tail) = text.split_at(text.iter().position(|&c| c == b',').unwrap_or(text.len()));
        let mut letters = Self::default();
        let mut rest = Vec::new();
        for &c in flags {
            if let Some((bit, _, _)) = System::TABLE.iter().find(|(_, letter, _)| *letter == c) {
                letters.system = letters.system.union(*bit);
            } else if c.is_ascii_lowercase() {
                letters.keywords |= 1 << (c - b'a');
            } else {
                rest.push(c);
            }
        }
        rest.extend_from_slice(tail);
        letters.rest = rest.into();
        letters
    }

    /// The letters in ASCII order, capitals first, each once.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let cut = self.rest.iter().position(|&c| c == b',').unwrap_or(self.rest.len());
        let (unknown, tail) = self.rest.split_at(cut);
        let system = System::TABLE.iter().filter(|(bit, _, _)| self.system.contains(*bit)).map(|(_, c, _)| *c);
        let keywords = (b'a'..=b'z').filter(|c| self.keywords & (1 << (c - b'a')) != 0);
        let mut out: Vec<u8> = system.chain(keywords).chain(unknown.iter().copied()).collect();
        out.sort_unstable();
        out.dedup();
        out.extend_from_slice(tail);
        out
    }

    /// What a change from `old` to `new` makes of these letters, which another program has changed meanwhile: each
    /// letter on its own keeps what changed; what is unknown stays.
    #[must_use]
    pub fn rebased(&self, old: &Self, new: &Self) -> Self {
        let added = new.system.difference(old.system);
        let gone = old.system.difference(new.system);
        Self {
            system: self.system.union(added).difference(gone),
            keywords: (self.keywords | (new.keywords & !old.keywords)) & !(old.keywords & !new.keywords),
            rest: self.rest.clone(),
        }
    }
}

/// The name of a message's file in `new` or `cur`. Any bytes but `/` and NUL; never empty, never a dot file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileName(Box<[u8]>);

impl FileName {
    /// The file name `bytes`; `None` if no message can have it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let usable = !bytes.is_empty() && bytes.first() != Some(&b'.') && memchr::memchr2(b'/', 0, bytes).is_none();
        usable.then(|| Self(bytes.into()))
    }

    /// The name without flags of a message in `new`.
    #[must_use]
    pub fn of_unique(unique: &[u8]) -> Option<Self> {
        if memchr::memmem::find(unique, INFO).is_some() { None } else { Self::new(unique) }
    }

    /// All of it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn cut(&self) -> usize {
        memchr::memmem::find(&self.0, INFO).unwrap_or(self.0.len())
    }

    /// The part that stays when flags change: what stands before the first `:2,`.
    #[must_use]
    pub fn unique(&self) -> &[u8] {
        self.0.get(..self.cut()).unwrap_or(&self.0)
    }

    /// The letters; `None` without `:2,`: then nobody has said anything about flags.
    #[must_use]
    pub fn letters(&self) -> Option<Letters> {
        self.0.get(self.cut() + INFO.len()..).map(Letters::parse)
    }

    /// The same message with these letters: for `cur`.
    #[must_use]
    pub fn with_letters(&self, letters: &Letters) -> Self {
        Self([self.unique(), INFO, &letters.to_bytes()].concat().into())
    }

    /// The same letters, if any, under another unique part; `None` if no message can have that name.
    #[must_use]
    pub fn with_unique(&self, unique: &[u8]) -> Option<Self> {
        let plain = Self::of_unique(unique)?;
        Some(self.letters().map_or_else(|| plain.clone(), |letters| plain.with_letters(&letters)))
    }
}

impl fmt::Display for FileName {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean_bytes(&self.0))
    }
}

/// The two directories that hold messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Sub {
    /// Nobody has looked at the message yet.
    New,
    /// A mail reader has.
    Cur,
}

impl Sub {
    /// The directory's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Cur => "cur",
        }
    }
}

/// Where a message's file is in its folder: `cur/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// `new` or `cur`.
    pub sub: Sub,
    /// The file's name in it.
    pub name: FileName,
}

impl Place {
    /// Where a message with `letters` goes: without any into `new`, else into `cur`. `None` if no message can have
    /// that unique part.
    #[must_use]
    pub fn arrival(unique: &[u8], letters: &Letters) -> Option<Self> {
        let plain = FileName::of_unique(unique)?;
        Some(if letters.is_empty() {
            Self { sub: Sub::New, name: plain }
        } else {
            Self { sub: Sub::Cur, name: plain.with_letters(letters) }
        })
    }

    /// The letters; none at all where nothing is said.
    #[must_use]
    pub fn letters(&self) -> Letters {
        self.name.letters().unwrap_or_default()
    }

    /// `cur/NAME` or `new/NAME`, for the state.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.sub.as_str().as_bytes(), b"/", self.name.as_bytes()].concat()
    }

    /// The inverse of [`Place::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (sub, name) = bytes.split_at_checked(4)?;
        let sub = match sub {
            b"new/" => Sub::New,
            b"cur/" => Sub::Cur,
            _ => return None,
        };
        Some(Self { sub, name: FileName::new(name)? })
    }
}

impl fmt::Display for Place {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sub.as_str(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> FileName {
        FileName::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn letters_are_read_in_any_order_and_written_sorted() {
        let n = name("1.a.host,S=12:2,SbaFS");
        assert_eq!(n.unique(), b"1.a.host,S=12");
        let letters = n.letters().unwrap();
        assert_eq!((letters.system, letters.keywords), (System::SEEN.union(System::FLAGGED), 3));
        assert_eq!(n.with_letters(&letters).as_bytes(), b"1.a.host,S=12:2,FSab");
    }

    #[test]
    fn what_we_do_not_know_is_kept() {
        let letters = name("x:2,SNZ1,ext:2,F").letters().unwrap();
        assert_eq!(letters.system, System::SEEN);
        assert_eq!(letters.to_bytes(), b"1NSZ,ext:2,F");
        let flagged = Letters { system: System::FLAGGED, ..letters };
        assert_eq!(name("x:2,S").with_letters(&flagged).as_bytes(), b"x:2,1FNZ,ext:2,F");
    }

    #[test]
    fn no_info_says_nothing() {
        assert_eq!(name("x").letters(), None);
        assert_eq!(name("x:1,S").letters(), None);
        assert_eq!(name("x:2,").letters(), Some(Letters::default()));
        for bad in [&b""[..], b".hidden", b"a/b", b"a\0b"] {
            assert_eq!(FileName::new(bad), None);
        }
        assert_eq!(FileName::of_unique(b"a:2,S"), None);
    }

    #[test]
    fn arrivals_without_letters_are_new() {
        assert_eq!(Place::arrival(b"u", &Letters::default()).unwrap().to_bytes(), b"new/u");
        assert_eq!(Place::arrival(b"u", &Letters::of(System::SEEN)).unwrap().to_bytes(), b"cur/u:2,S");
    }

    #[test]
    fn a_change_is_carried_onto_letters_that_changed_meanwhile() {
        let old = Letters::parse(b"Sa");
        let new = Letters::parse(b"SFb");
        assert_eq!(Letters::parse(b"RSacZ").rebased(&old, &new).to_bytes(), b"FRSZbc");
    }

    proptest! {
        #[test]
        fn names_round_trip(unique in "[^/\0.:][^/\0:]{0,20}", text in "[A-Za-z0-9,]{0,12}") {
            let letters = Letters::parse(text.as_bytes());
            let plain = FileName::new(unique.as_bytes()).unwrap();
            let full = plain.with_letters(&letters);
            prop_assert_eq!(full.unique(), unique.as_bytes());
            let again = full.letters().unwrap();
            prop_assert!(again.same_flags(&letters));
            prop_assert_eq!(full.with_letters(&again), full.clone());
            let place = Place { sub: Sub::Cur, name: full };
            prop_assert_eq!(Place::from_bytes(&place.to_bytes()), Some(place));
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Place::from_bytes(&bytes);
            if let Some(n) = FileName::new(&bytes) {
                let letters = n.letters().unwrap_or_default();
                let full = n.with_letters(&letters);
                prop_assert_eq!(full.unique(), n.unique());
            }
        }
    }
}
