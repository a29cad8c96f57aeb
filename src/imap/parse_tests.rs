//! Tests of `parse`.

use super::*;
use proptest::prelude::*;

fn text<'a>(response: &Response<'a>) -> StatusText<'a> {
    let (Response::Tagged { text, .. } | Response::Status { text, .. }) = response else {
        panic!("no status: {response:?}")
    };
    *text
}

/// Undoes the `\XHH`, `\r` and `\n` of the recorded list.
fn raw(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("\\X") {
            out.push(u8::from_str_radix(&hex[..2], 16).expect("hex"));
            rest = &hex[2..];
        } else if let Some(tail) = rest.strip_prefix("\\r\\n") {
            out.extend_from_slice(b"\r\n");
            rest = tail;
        } else {
            out.extend_from_slice(c.to_string().as_bytes());
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[test]
fn takes_every_kind_of_response_seen_in_the_field() {
    let list = include_str!("../../tests/data/wire/imap-responses.txt");
    let mut seen = 0;
    for line in list.lines().filter(|line| !line.starts_with('#')) {
        let (name, bytes) = line.split_once('|').expect("a name");
        let bytes = raw(bytes);
        let parsed = response(&bytes);
        let first = name.split(' ').next().expect("a word");
        let fits = match (first, &parsed) {
            ("code" | "OK" | "tagged" | "BYE" | "PREAUTH" | "text" | "lower-case" | "LF", p) => {
                matches!(p, Response::Status { .. } | Response::Tagged { status: Some(_), .. })
            }
            ("continuation", p) => matches!(p, Response::Continue(_)),
            ("FETCH" | "EXISTS/RECENT/EXPUNGE" | "EXISTS" | "double-space", p) => matches!(p, Response::Message { .. }),
            ("UIDFETCH", p) => matches!(p, Response::Message { .. }),
            ("unknown", p) => matches!(p, Response::Message { .. } | Response::Data { .. }),
            ("blank" | "star", p) => matches!(p, Response::Nothing),
            (_, p) => matches!(p, Response::Data { .. }),
        };
        assert!(fits, "{name}: {parsed:?}");
        seen += 1;
    }
    assert_eq!(seen, 181);
}

#[test]
fn codes() {
    let flags = response(b"* OK [PERMANENTFLAGS (\\Seen OIB-[Gmail]/All \\*)] Flags permitted.");
    assert_eq!(text(&flags).arguments_of("permanentflags"), Some(&b"(\\Seen OIB-[Gmail]/All \\*)"[..]));
    assert_eq!(text(&flags).text, b"Flags permitted.");
    assert_eq!(text(&response(b"* OK [PERMANENTFLAGS (a[b \\*)] x")).arguments, b"(a[b \\*)");
    assert_eq!(text(&response(b"* OK [ALERT]text")).text, b"text");
    assert_eq!(text(&response(b"* OK  [UIDVALIDITY 1] x")).arguments, b"1");
    assert_eq!(text(&response(b"* OK [not a code")).code, b"");
    assert_eq!(text(&response(b"* [COPYUID 1 2 3] moved")).arguments, b"1 2 3");
    assert_eq!(text(&response(b"a1 NO [XFOO \"]\" y] z")).arguments, b"\"]\" y");
}

#[test]
fn values() {
    let all: Vec<_> = Values::new(b"a \"b\\\"c\" {3}\r\nd)e (f (g) \")\") nil ~{1}\r\nx").collect();
    assert_eq!(all.len(), 6);
    assert_eq!(all[1].bytes().as_deref(), Some(&b"b\"c"[..]));
    assert_eq!(all[2], Value::Literal(b"d)e"));
    assert_eq!(all[3], Value::List(b"f (g) \")\""));
    assert_eq!((all[4], all[5]), (Value::Nil, Value::Literal(b"x")));
    assert_eq!(Values::new(b"\"a\"b\" c").next(), Some(Value::Quoted(b"a\"b")));
    assert_eq!(Values::new(b"FLAGS(\\Seen)").collect::<Vec<_>>(), [Value::Atom(b"FLAGS"), Value::List(b"\\Seen")]);
}

#[test]
fn numbers_are_plain_digits_that_fit() {
    assert_eq!(number::<u32>(b"007"), Some(7));
    for bad in [&b""[..], b"-1", b"+1", b"1e5", b"4294967296", b"9.3736e+06", b" 1", b"Infinity"] {
        assert_eq!(number::<u32>(bad), None);
    }
}

#[test]
fn depth_costs_nothing() {
    let deep =
        [b"* 1 FETCH (BODYSTRUCTURE ".as_slice(), &b"(".repeat(50_000), &b")".repeat(50_000), b" UID 3)"].concat();
    assert!(response(&deep).is_fetch());
    assert_eq!(Values::new(&deep).count(), 4);
}

proptest! {
    #[test]
    fn any_bytes_are_a_response(bytes in proptest::collection::vec(prop_oneof![
            Just(b'('), Just(b')'), Just(b'"'), Just(b'\\'), Just(b'['), Just(b']'), Just(b'{'), Just(b'}'), Just(b'1'),
            Just(b' '), Just(b'*'), Just(b'\r'), Just(b'\n'), any::<u8>()], 0..60)) {
        let _ = response(&bytes);
        prop_assert!(Values::new(&bytes).count() <= bytes.len());
        let mut values = Values::new(&bytes);
        while values.item().is_some() {
            values.flags();
        }
    }
}
