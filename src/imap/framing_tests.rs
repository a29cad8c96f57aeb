//! Tests of `framing`.

use super::*;
use crate::imap::parse::{Response, response};
use crate::mail::snapshot::RemoteMessage;
use proptest::prelude::*;
use std::io;

/// A stream that comes in pieces.
struct Pieces<'a> {
    rest: &'a [u8],
    size: usize,
    left: usize,
}

impl<'a> Pieces<'a> {
    fn new(rest: &'a [u8], size: usize) -> Self {
        Self { rest, size, left: size }
    }
}

impl Source for Pieces<'_> {
    fn fill(&mut self) -> Result<&[u8], Error> {
        if self.rest.is_empty() {
            return Err(Error::Skipped("the end"));
        }
        Ok(&self.rest[..self.left.min(self.rest.len())])
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n..];
        self.left -= n;
        if self.left == 0 {
            self.left = self.size;
        }
    }
}

#[derive(Default)]
struct Bodies(Vec<Vec<u8>>);

impl BodySink for Bodies {
    fn begin(&mut self, _size: u64) -> io::Result<()> {
        self.0.push(Vec::new());
        Ok(())
    }
    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.0.last_mut().expect("begun").extend_from_slice(chunk);
        Ok(())
    }
    fn end(&mut self, _message: &RemoteMessage) -> io::Result<()> {
        Ok(())
    }
    fn missing(&mut self, _message: &RemoteMessage) {}
}

/// All frames of a stream, and the bodies.
pub fn frames(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut source = Pieces::new(bytes, piece);
    let (mut frame, mut sink, mut out) = (Frame::default(), Bodies::default(), Vec::new());
    while !source.rest.is_empty() {
        let mut budget = UNTAGGED;
        match read_frame(&mut source, &mut frame, &mut budget, Some(&mut sink)) {
            Ok(()) => out.push(frame.bytes.clone()),
            Err(_) => break,
        }
    }
    (out, sink.0)
}

fn fails(bytes: &[u8]) -> bool {
    let mut budget = UNTAGGED;
    let outcome = read_frame(&mut Pieces::new(bytes, 4096), &mut Frame::default(), &mut budget, None);
    matches!(outcome, Err(Error::Limit(_)))
}

#[test]
fn never_loses_its_place_in_real_sessions() {
    for (recorded, count) in [
        (&include_bytes!("../../tests/data/wire/imap-dovecot.txt")[..], 359),
        (include_bytes!("../../tests/data/wire/imap-cyrus.txt"), 388),
        (include_bytes!("../../tests/data/wire/imap-courier.txt"), 208),
    ] {
        let start = recorded.iter().position(|&c| c == b'\n').expect("a first line") + 1;
        let (all, bodies) = frames(&recorded[start..], 1 << 18);
        assert_eq!(all.len(), count);
        assert!(!bodies.is_empty());
        let mut ends = 0;
        for frame in &all {
            let response = response(frame);
            assert_ne!(response, Response::Nothing, "{}", String::from_utf8_lossy(frame));
            if let Response::Tagged { tag, status, .. } = response {
                assert!(tag.starts_with(b"T") && status.is_some(), "{}", String::from_utf8_lossy(frame));
                ends += 1;
            }
        }
        assert!(ends > 90, "{ends}");
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(frames(&recorded[start..], piece), (all.clone(), bodies.clone()), "in pieces of {piece}");
        }
    }
}

#[test]
fn bodies_go_through_and_other_literals_stay() {
    let wire = b"* 1 FETCH (BODY[] {5}\r\nhello UID 7)\r\n* LIST () \"/\" {3}\r\na\r\n\r\n* 2 FETCH (UID 8 BODY[] {0}\r\n)\r\n";
    let (all, bodies) = frames(wire, 3);
    assert_eq!(
        all,
        [&b"* 1 FETCH (BODY[] NIL UID 7)"[..], b"* LIST () \"/\" {3}\r\na\r\n", b"* 2 FETCH (UID 8 BODY[] NIL)"]
    );
    assert_eq!(bodies, [&b"hello"[..], b""]);
}

#[test]
fn braces_in_text_announce_nothing() {
    let wire = b"* OK see {5}\r\n* NO [ALERT] {99999999999}\r\nF1 NO {5}\r\n+ {5}\r\n* 1 EXISTS\r\n";
    assert_eq!(frames(wire, 100).0.len(), 5);
}

#[test]
fn limits() {
    let line = |head: &str, length: usize| [head.as_bytes(), &b"1 ".repeat(length / 2), b"\r\n"].concat();
    assert!(fails(&line("* LIST ", LINE + 2)) && !fails(&line("* LIST ", LINE - 20)));
    for head in ["* SEARCH ", "* esearch ", "* VANISHED ", "F1 OK [COPYUID 1 ", "* OK [COPYUID 1 "] {
        assert!(!fails(&line(head, LINE + 2)) && fails(&line(head, SET_LINE + 2)), "{head}");
    }
    let literal = |item: &str, size: u64| format!("* 1 FETCH ({item} {{{size}}}\r\n").into_bytes();
    assert!(fails(&literal("X", LITERAL + 1)) && !fails(&literal("X", LITERAL)));
    assert!(fails(&literal("BODY[HEADER]", HEADER + 1)) && !fails(&literal("BODY[HEADER]", HEADER)));
    assert!(!fails(&literal("BODY[HEADER.FIELDS (MESSAGE-ID)]", HEADER)));
    assert!(fails(&literal("BODY[]", LITERAL + 1)), "a body that nobody asked for");
    assert!(fails(&literal("X", u64::MAX)));
}

#[test]
fn a_command_s_data_is_bounded() {
    let wire = b"* 1 EXISTS\r\n".repeat(20);
    let mut source = Pieces::new(&wire, 64);
    let mut budget = 100;
    let mut outcome = Ok(());
    while outcome.is_ok() && !source.rest.is_empty() {
        outcome = read_frame(&mut source, &mut Frame::default(), &mut budget, None);
    }
    assert!(matches!(outcome, Err(Error::Limit(_))));
}

proptest! {
    #[test]
    fn cuts_do_not_matter(parts in proptest::collection::vec(proptest::sample::select(vec![
            &b"* 1 FETCH (UID 3 BODY[] {4}\r\nab\r\n)\r\n"[..], b"* OK x\r\n", b"* 1 FETCH (X {3}\r\n\r\n) UID 1)\n",
            b"{2}\r\n", b"\r\n", b"* X {1", b"}\r\n", b"~{2}\r\nxx\r\n"]), 0..12), piece in 1usize..20) {
        let wire = parts.concat();
        prop_assert_eq!(frames(&wire, piece), frames(&wire, 1 << 16));
    }

    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        let _ = frames(&bytes, piece);
    }
}
