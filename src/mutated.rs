//! For tests: real input, damaged at a few places. More telling than random bytes, for it reaches deep into a parser.
//!
//! `PROPTEST_CASES=1000000 cargo test mutations` runs a million cases of each parser.

use proptest::prelude::*;
use proptest::sample::Index;

/// What one change does, at a place that an index chooses.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Remove(Index, Index),
    Double(Index, Index),
    Insert(Index, Vec<u8>),
    /// A piece of another seed.
    Splice(Index, usize, Index, Index),
    Cut(Index),
    /// The number that stands here becomes this one.
    Number(Index, &'static str),
}

/// Numbers at which others have failed.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1",
    "00000000000000000007",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e5",
    "99999999999999999999999",
];

/// One of the seeds with up to eight changes; words are put in whole.
pub fn mutated(seeds: Vec<Vec<u8>>, words: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let seeds = std::sync::Arc::new(seeds);
    let count = seeds.len();
    let place = any::<Index>;
    let change = prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        (place(), place()).prop_map(|(a, b)| Change::Remove(a, b)),
        (place(), place()).prop_map(|(a, b)| Change::Double(a, b)),
        (place(), prop::collection::vec(any::<u8>(), 1..5)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (place(), prop::sample::select(words)).prop_map(|(at, word)| Change::Insert(at, word.as_bytes().to_vec())),
        (place(), 0..count, place(), place()).prop_map(|(at, seed, a, b)| Change::Splice(at, seed, a, b)),
        place().prop_map(Change::Cut),
        (place(), prop::sample::select(&NUMBERS[..])).prop_map(|(at, number)| Change::Number(at, number)),
    ];
    (0..count, prop::collection::vec(change, 0..8)).prop_map(move |(seed, changes)| {
        let mut bytes = seeds[seed].clone();
        for change in &changes {
            apply(&mut bytes, change, &seeds);
        }
        bytes
    })
}

fn span(a: Index, b: Index, length: usize) -> std::ops::Range<usize> {
    let (a, b) = (a.index(length + 1), b.index(length + 1));
    // Short pieces change more than long ones.
    let (from, to) = (a.min(b), a.max(b));
    from..to.min(from + 64)
}

fn apply(bytes: &mut Vec<u8>, change: &Change, seeds: &[Vec<u8>]) {
    let length = bytes.len();
    match change {
        Change::Flip(at, byte) if length > 0 => bytes[at.index(length)] = *byte,
        Change::Flip(_, byte) => bytes.push(*byte),
        Change::Remove(a, b) => _ = bytes.drain(span(*a, *b, length)),
        Change::Double(a, b) => {
            let piece = bytes[span(*a, *b, length)].to_vec();
            let at = a.index(length + 1);
            bytes.splice(at..at, piece);
        }
        Change::Insert(at, piece) => {
            let at = at.index(length + 1);
            bytes.splice(at..at, piece.iter().copied());
        }
        Change::Splice(at, seed, a, b) => {
            let piece = seeds[*seed][span(*a, *b, seeds[*seed].len())].to_vec();
            let at = at.index(length + 1);
            bytes.splice(at..at, piece);
        }
        Change::Cut(at) => bytes.truncate(at.index(length + 1)),
        Change::Number(at, number) => {
            let from = at.index(length + 1);
            let Some(start) = (from..length).find(|i| bytes[*i].is_ascii_digit()) else { return };
            let end = (start..length).find(|i| !bytes[*i].is_ascii_digit()).unwrap_or(length);
            bytes.splice(start..end, number.bytes());
        }
    }
}

/// Pieces of a recorded session, five lines each.
pub fn pieces(recorded: &[u8]) -> Vec<Vec<u8>> {
    let lines: Vec<&[u8]> = recorded.split_inclusive(|b| *b == b'\n').collect();
    lines.chunks(5).map(<[&[u8]]>::concat).collect()
}
