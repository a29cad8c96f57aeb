//! Damaged IMAP: recorded sessions of three servers and a list of odd responses, changed at a few places.

use proptest::prelude::*;

use super::data::{FetchLine, list, mailbox_id, ordered_set, search, status, vanished};
use super::framing::tests::frames;
use super::framing::{HEADER, LITERAL, SET_LINE};
use super::parse::{Response, response};
use crate::mutated::{mutated, pieces};

const WORDS: &[&str] = &[
    "* ",
    "+ ",
    "F1 OK ",
    "F1 NO ",
    "BAD",
    "BYE",
    "PREAUTH",
    "(",
    ")",
    "\"",
    "\\",
    "{0}\r\n",
    "{5}\r\n",
    "{5+}\r\n",
    "~{3}\r\n",
    "{99999999999}\r\n",
    "[",
    "]",
    "[COPYUID 1 1:4294967295 1]",
    "[APPENDUID 1 2]",
    "[HIGHESTMODSEQ 1]",
    "UID ",
    "FLAGS (",
    "BODY[] ",
    "BODY[HEADER] ",
    "NIL",
    "VANISHED (EARLIER) 1:*",
    "FETCH (",
    "ESEARCH (TAG \"F1\") UID ALL ",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "((((((((((((((((",
    "))))))))",
];

fn seeds() -> Vec<Vec<u8>> {
    let recorded: [&[u8]; 4] = [
        include_bytes!("../../tests/data/wire/imap-dovecot.txt"),
        include_bytes!("../../tests/data/wire/imap-cyrus.txt"),
        include_bytes!("../../tests/data/wire/imap-courier.txt"),
        include_bytes!("../../tests/data/wire/imap-responses.txt"),
    ];
    recorded.iter().flat_map(|text| pieces(text)).collect()
}

proptest! {
    /// Framing takes no more than it is given, gives the same wherever the stream is cut, and every parser lives on every frame.
    #[test]
    fn mutations_of_sessions(bytes in mutated(seeds(), WORDS), piece in 1usize..40) {
        let (whole, bodies) = frames(&bytes, usize::MAX);
        prop_assert_eq!((&whole, &bodies), (&frames(&bytes, piece).0, &frames(&bytes, piece).1));
        let held: usize = whole.iter().map(Vec::len).sum::<usize>() + bodies.iter().map(Vec::len).sum::<usize>();
        prop_assert!(held <= bytes.len() + 8 * whole.len());
        for frame in &whole {
            prop_assert!(frame.len() <= SET_LINE + usize::try_from(LITERAL.max(HEADER)).unwrap_or(usize::MAX));
            match response(frame) {
                Response::Message { rest, .. } => {
                    let _ = FetchLine::parse(rest).into_message();
                }
                Response::Data { word, rest } => {
                    let _ = (status(rest), list(rest), vanished(rest), search(word, rest, "F1"));
                }
                Response::Status { text, .. } | Response::Tagged { text, .. } => {
                    let _ = format!("{text:?}");
                }
                Response::Continue(_) | Response::Nothing => {}
            }
            // Each is also asked about what it is not.
            let _ = (FetchLine::parse(frame).into_message(), status(frame), list(frame), vanished(frame));
            let _ = (ordered_set(frame), mailbox_id(frame), search(b"SEARCH", frame, "F1"), search(b"ESEARCH", frame, "F1"));
        }
    }
}
