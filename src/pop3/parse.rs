//! Lines of POP3 answers, parsed with nom. PURE. Functions are named after the ABNF of RFC 2449 §8 and RFC 5034 §6;
//! where servers are known to differ from it, the comment says how.

use nom::branch::alt;
use nom::bytes::complete::{tag_no_case, take_while, take_while1};
use nom::character::complete::{char, digit1};
use nom::combinator::{map_res, opt, rest, verify};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};
use nom::{IResult, Parser};

use super::error::Code;

/// The first line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `+OK`.
    pub ok: bool,
    /// The response code, on either kind of answer.
    pub code: Option<Code>,
    /// The text behind both, as it came.
    pub text: Vec<u8>,
}

/// What a server says inside `AUTH` (RFC 5034 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthLine {
    /// `+ base64`: a challenge, still encoded.
    Challenge(Vec<u8>),
    /// The end of the exchange.
    Status(Status),
}

/// `resp-code = "[" resp-level *("/" resp-level) "]"`
fn resp_code(input: &[u8]) -> IResult<&[u8], Code> {
    let resp_level = take_while1(|c: u8| c > b' ' && c < 0x7f && !matches!(c, b'/' | b']' | b'['));
    let (input, levels) = delimited(char('['), separated_list1(char('/'), resp_level), char(']')).parse(input)?;
    Ok((input, Code::from_levels(&levels)))
}

fn blanks(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|c| c == b' ' || c == b'\t').parse(input)
}

/// `single-line = status [SP text] CRLF`, `status = "+OK" / "-ERR"`; the line end is already gone. Case does not matter, and any
/// word behind `+` or `-` is taken (servers send `+` alone, `-NO` and the like).
fn single_line(input: &[u8]) -> IResult<&[u8], Status> {
    let word = |input| -> IResult<&[u8], &[u8]> { take_while(|c: u8| c.is_ascii_alphabetic()).parse(input) };
    let ok = alt((
        tag_no_case("+OK").map(|_| true),
        tag_no_case("-ERR").map(|_| false),
        (char('+'), word).map(|_| true),
        (char('-'), word).map(|_| false),
    ));
    let (input, (ok, _, code, _, text)) = (ok, blanks, opt(resp_code), blanks, rest).parse(input)?;
    Ok((input, Status { ok, code, text: text.to_vec() }))
}

/// The first line of an answer, without its line end. `None` when it is neither `+` nor `-`.
#[must_use]
pub fn status(line: &[u8]) -> Option<Status> {
    single_line(line).ok().map(|(_, status)| status)
}

/// The first line that a server ever sends: `+OK` or `-ERR` and nothing else, or it is no POP3 server.
#[must_use]
pub fn greeting(line: &[u8]) -> Option<Status> {
    status(line).filter(|_| is_status(line))
}

/// Whether bytes begin as a status line does: with `+OK` or `-ERR` as a word.
#[must_use]
pub fn is_status(bytes: &[u8]) -> bool {
    let word = bytes.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    word.eq_ignore_ascii_case(b"+OK") || word.eq_ignore_ascii_case(b"-ERR")
}

/// `continue-req = "+" SP [base64] CRLF`, or the final status. `+OK` ends the exchange; `+` alone is an empty challenge.
#[must_use]
pub fn auth_line(line: &[u8]) -> Option<AuthLine> {
    let continue_req = |input| -> IResult<&[u8], &[u8]> {
        let (input, _) =
            (char('+'), verify(rest_of, |r: &[u8]| matches!(r.first(), None | Some(b' ' | b'\t')))).parse(input)?;
        Ok((input, line.get(1..).unwrap_or_default().trim_ascii()))
    };
    match continue_req(line) {
        Ok((_, challenge)) => Some(AuthLine::Challenge(challenge.to_vec())),
        Err(_) => status(line).map(AuthLine::Status),
    }
}

fn rest_of(input: &[u8]) -> IResult<&[u8], &[u8]> {
    rest(input)
}

/// `timestamp = "<" *VCHAR "@" *VCHAR ">"` of a greeting (RFC 1939 §7): what APOP digests, angle brackets included.
#[must_use]
pub fn timestamp(greeting: &[u8]) -> Option<Vec<u8>> {
    let from = greeting.iter().position(|&c| c == b'<')?;
    let vchar = |c: u8| (0x21..0x7f).contains(&c) && !matches!(c, b'<' | b'>' | b'@');
    let mut stamp =
        (char::<&[u8], nom::error::Error<&[u8]>>('<'), take_while(vchar), char('@'), take_while(vchar), char('>'));
    let tail = greeting.get(from..)?;
    let (left, _) = stamp.parse(tail).ok()?;
    Some(tail.get(..tail.len() - left.len())?.to_vec())
}

/// `msg = 1*DIGIT`, never 0 and within 32 bits.
fn message_number(input: &[u8]) -> IResult<&[u8], u32> {
    verify(number, |&n| n > 0).parse(input)
}

fn number<T: std::str::FromStr>(input: &[u8]) -> IResult<&[u8], T> {
    map_res(digit1, |digits: &[u8]| {
        std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(nom::error::ErrorKind::Digit)
    })
    .parse(input)
}

/// `octets = 1*DIGIT`; a figure below zero or none at all, which some servers send, is "not told".
fn octets(input: &[u8]) -> IResult<&[u8], Option<u64>> {
    opt(number).parse(input)
}

/// `drop-listing = "+OK" SP msg SP octets`: the text of STAT's answer as (messages, octets).
#[must_use]
pub fn drop_listing(text: &[u8]) -> Option<(u64, Option<u64>)> {
    let (_, (_, count, size)) = (blanks, number, preceded(blanks, octets)).parse(text).ok()?;
    Some((count, size))
}

/// `scan-listing = msg SP octets [SP text]`: one line of LIST. Several blanks are taken.
#[must_use]
pub fn scan_listing(line: &[u8]) -> Option<(u32, Option<u64>)> {
    let (_, (_, number, size)) = (blanks, message_number, preceded(blanks, octets)).parse(line).ok()?;
    Some((number, size))
}

/// `uidl-listing = msg SP unique-id`: one line of UIDL. The id is everything behind the blanks, whatever its bytes
/// (servers send blanks, 8-bit, more than 70 characters); it may be empty, which means none.
#[must_use]
pub fn unique_id_listing(line: &[u8]) -> Option<(u32, &[u8])> {
    let (_, (_, number, id)) = (blanks, message_number, preceded(blanks, rest)).parse(line).ok()?;
    Some((number, id.trim_ascii_end()))
}

/// `capa-resp = capa-tag *(SP capa-arg)`: one line of CAPA as its words.
#[must_use]
pub fn capability(line: &[u8]) -> Vec<String> {
    line.split(|c| c.is_ascii_whitespace())
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(line: &str) -> Option<Code> {
        let status = status(line.as_bytes()).unwrap();
        assert!(!status.ok, "{line}");
        status.code
    }

    #[test]
    fn codes_are_hierarchical_and_ignore_case() {
        assert_eq!(refused("-ERR [IN-USE] locked"), Some(Code::InUse));
        assert_eq!(refused("-err [login-delay]wait"), Some(Code::LoginDelay));
        assert_eq!(refused("-ERR [SYS/TEMP/DISK] x"), Some(Code::SysTemp));
        assert_eq!(refused("-ERR [SYS/PERM] x"), Some(Code::SysPerm));
        assert_eq!(refused("-ERR [AUTH] x"), Some(Code::Auth));
        assert_eq!(refused("-ERR [SYS] x"), Some(Code::Other("SYS".into())));
        assert_eq!(refused("-ERR [not a code] x"), None);
        assert_eq!(status(b"-ERR [AUTH] no such user").unwrap().text, b"no such user");
    }

    #[test]
    fn status_lines_are_read_leniently() {
        assert!(status(b"+OK").unwrap().ok);
        assert!(status(b"+ok ready").unwrap().ok);
        assert!(status(b"+").unwrap().ok);
        assert!(!status(b"-NO").unwrap().ok);
        assert_eq!(status(b"OK"), None);
        assert_eq!(status(b""), None);
        assert_eq!(status(b"+OK  two  blanks").unwrap().text, b"two  blanks");
    }

    #[test]
    fn a_greeting_is_one_of_two_words() {
        assert!(greeting(b"+OK").is_some_and(|s| s.ok) && greeting(b"+ok ready <a@b>").is_some_and(|s| s.ok));
        assert!(greeting(b"-ERR [SYS/TEMP] no").is_some_and(|s| !s.ok && s.code == Some(Code::SysTemp)));
        for line in ["+", "+OKAY", "+HELLO you", "* OK IMAP4 ready", "220 ready", "-NO", ""] {
            assert_eq!(greeting(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn challenges_are_not_ends() {
        assert_eq!(auth_line(b"+ YWJj"), Some(AuthLine::Challenge(b"YWJj".to_vec())));
        assert_eq!(auth_line(b"+"), Some(AuthLine::Challenge(Vec::new())));
        assert_eq!(auth_line(b"+ "), Some(AuthLine::Challenge(Vec::new())));
        assert!(matches!(auth_line(b"+OK in"), Some(AuthLine::Status(Status { ok: true, .. }))));
        assert!(matches!(auth_line(b"-ERR"), Some(AuthLine::Status(Status { ok: false, .. }))));
        assert_eq!(auth_line(b"hello"), None);
    }

    #[test]
    fn the_stamp_of_a_greeting() {
        assert_eq!(
            timestamp(b"POP3 server ready <1896.697170952@dbc.mtview.ca.us> hi").as_deref(),
            Some(b"<1896.697170952@dbc.mtview.ca.us>".as_slice())
        );
        assert_eq!(timestamp(b"ready <no at>"), None);
        assert_eq!(timestamp(b"ready"), None);
        assert_eq!(timestamp(b"ready <a@b"), None);
    }

    #[test]
    fn listings_of_odd_servers() {
        assert_eq!(drop_listing(b"2 320"), Some((2, Some(320))));
        assert_eq!(drop_listing(b"2 -1"), Some((2, None)));
        assert_eq!(drop_listing(b"x"), None);
        assert_eq!(scan_listing(b"1 120"), Some((1, Some(120))));
        assert_eq!(scan_listing(b" 1   120 more"), Some((1, Some(120))));
        assert_eq!(scan_listing(b"1 -1"), Some((1, None)));
        assert_eq!(scan_listing(b"0 120"), None);
        assert_eq!(scan_listing(b"4294967296 1"), None);
        assert_eq!(unique_id_listing(b"1 whqtswO00WBw418f9t5JxYwZ"), Some((1, b"whqtswO00WBw418f9t5JxYwZ".as_slice())));
        assert_eq!(unique_id_listing(b"2    a b\xe4 "), Some((2, b"a b\xe4".as_slice())));
        assert_eq!(unique_id_listing(b"3"), Some((3, b"".as_slice())));
        assert_eq!(unique_id_listing(b"x y"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(line in proptest::collection::vec(prop_oneof![Just(b'+'), Just(b'['), Just(b']'), Just(b'/'), Just(b'<'),
                Just(b'@'), Just(b'>'), Just(b' '), Just(b'1'), any::<u8>()], 0..40)) {
            let _ = (status(&line), auth_line(&line), timestamp(&line), drop_listing(&line), scan_listing(&line));
            let _ = (unique_id_listing(&line), capability(&line));
        }
    }
}
