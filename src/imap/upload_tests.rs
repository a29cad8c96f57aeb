//! Uploads to a scripted server.

use crate::imap::scripted::{ended, session};
use crate::imap::*;
use crate::mail::{Flags, System, Uid};

#[test]
fn an_uploaded_batch_is_one_command() {
    let flags = Flags::of(System::SEEN);
    let wire = "F2 APPEND \"a\" (\\Seen) \" 1-Jan-1970 00:00:00 +0000\" {3+}\r\none (\\Seen) \" 1-Jan-1970 00:00:00 +0000\" {3+}\r\ntwo\r\n";
    for (answer, uids) in [
        ("F2 OK [APPENDUID 7 12:13] x\r\n", [Some(12), Some(13)]),
        ("F2 OK [APPENDUID 7 12] x\r\n", [None, None]),
        ("F2 OK x\r\n", [None, None]),
    ] {
        let (mut session, server) = session("IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS", &[(wire, answer)]);
        let (mut one, mut two): (&[u8], &[u8]) = (b"one", b"two");
        let date = Some(crate::mail::Timestamp(0));
        let mut messages = [
            Append { flags: &flags, date, size: 3, body: &mut one },
            Append { flags: &flags, date, size: 3, body: &mut two },
        ];
        let got = session.append(&MailboxName::new(b"a"), &mut messages, AppendHow::Batched);
        let got: Vec<Option<u32>> = got.into_iter().map(|r| r.expect("stored").uid.map(Uid::get)).collect();
        assert_eq!(got, uids);
        ended(server);
    }
}

#[test]
fn a_refused_upload_says_why_for_each_message() {
    let (mut session, server) = session(
        "IMAP4rev1",
        &[
            ("F2 APPEND \"a\" {3}\r\n", "* 1 EXISTS\r\n+ go\r\n"),
            ("one\r\nF3 APPEND \"a\" {3}\r\n", "F2 OK x\r\nF3 NO [OVERQUOTA] full\r\n"),
            ("F4 APPEND \"a\" {5}\r\n", "+ go\r\n"),
            ("three\r\n", "F4 NO [TRYCREATE] x\r\n"),
        ],
    );
    let (mut one, mut two, mut three): (&[u8], &[u8], &[u8]) = (b"one", b"two", b"three");
    let flags = Flags::none();
    let mut messages = [
        Append { flags: &flags, date: None, size: 3, body: &mut one },
        Append { flags: &flags, date: None, size: 3, body: &mut two },
        Append { flags: &flags, date: None, size: 5, body: &mut three },
    ];
    let got = session.append(&MailboxName::new(b"a"), &mut messages, AppendHow::Batched);
    let codes: Vec<_> = got.iter().map(|r| r.as_ref().map(drop).map_err(|e| e.code().cloned())).collect();
    assert_eq!(codes, [Ok(()), Err(Some(Code::OverQuota)), Err(Some(Code::TryCreate))]);
    assert!(session.is_alive());
    ended(server);
}

#[test]
fn a_message_that_changes_while_it_is_sent_ends_the_session() {
    let (mut session, _server) = session("IMAP4rev1 LITERAL+ APPENDLIMIT=100", &[]);
    let (mut one, mut short, mut big): (&[u8], &[u8], &[u8]) = (b"one", b"sh", b"");
    let flags = Flags::none();
    let mut messages = [
        Append { flags: &flags, date: None, size: 101, body: &mut big },
        Append { flags: &flags, date: None, size: 3, body: &mut short },
        Append { flags: &flags, date: None, size: 3, body: &mut one },
    ];
    let got = session.append(&MailboxName::new(b"a"), &mut messages, AppendHow::OneByOne);
    assert_eq!(got[0].as_ref().map(drop).map_err(|e| e.code().cloned()), Err(Some(Code::TooBig)));
    assert!(matches!((&got[1], &got[2]), (Err(Error::Source(_)), Err(Error::Skipped(_)))));
    assert!(!session.is_alive());
}

#[test]
fn an_ok_to_half_an_upload_is_none() {
    let (mut session, _server) =
        session("IMAP4rev1", &[("F2 APPEND \"a\" {3}\r\n", "F2 OK [APPENDUID 7 1] stored\r\n")]);
    let mut one: &[u8] = b"one";
    let mut messages = [Append { flags: &Flags::none(), date: None, size: 3, body: &mut one }];
    let got = session.append(&MailboxName::new(b"a"), &mut messages, AppendHow::Batched);
    assert!(matches!(got.as_slice(), [Err(Error::Protocol(_))]) && !session.is_alive());
}

#[test]
fn a_connection_lost_during_an_upload_leaves_it_open_what_was_stored() {
    let wire = "F2 APPEND \"a\" {3+}\r\none\r\nF3 APPEND \"a\" {3+}\r\ntwo\r\n";
    let (mut session, server) = session("IMAP4rev1 LITERAL+", &[(wire, "F2 OK x\r\n")]);
    let (mut one, mut two): (&[u8], &[u8]) = (b"one", b"two");
    let flags = Flags::none();
    let mut messages = [
        Append { flags: &flags, date: None, size: 3, body: &mut one },
        Append { flags: &flags, date: None, size: 3, body: &mut two },
    ];
    let got = session.append(&MailboxName::new(b"a"), &mut messages, AppendHow::Batched);
    assert!(matches!(got.as_slice(), [Ok(_), Err(Error::Transport(_))]), "{got:?}");
    ended(server);
}

#[test]
fn a_message_with_nul_goes_alone_as_a_literal8_or_not_at_all() {
    let flags = Flags::none();
    let send = |session: &mut Session| {
        let (mut one, mut nul, mut two): (&[u8], &[u8], &[u8]) = (b"one", b"x\0y", b"two");
        let mut messages = [
            Append { flags: &flags, date: None, size: 3, body: &mut one },
            Append { flags: &flags, date: None, size: 3, body: &mut nul },
            Append { flags: &flags, date: None, size: 3, body: &mut two },
        ];
        session.append(&MailboxName::new(b"a"), &mut messages, AppendHow::Batched)
    };
    let (mut with, server) = session(
        "IMAP4rev1 LITERAL+ MULTIAPPEND BINARY",
        &[
            ("F2 APPEND \"a\" {3+}\r\none\r\n", "F2 OK x\r\n"),
            ("F3 APPEND \"a\" ~{3+}\r\nx\0y\r\n", "F3 OK x\r\n"),
            ("F4 APPEND \"a\" {3+}\r\ntwo\r\n", "F4 OK x\r\n"),
        ],
    );
    assert!(send(&mut with).iter().all(Result::is_ok));
    ended(server);
    let (mut without, server) = session(
        "IMAP4rev1 LITERAL+ MULTIAPPEND",
        &[("F2 APPEND \"a\" {3+}\r\none\r\n", "F2 OK x\r\n"), ("F3 APPEND \"a\" {3+}\r\ntwo\r\n", "F3 OK x\r\n")],
    );
    let results = send(&mut without);
    assert!(matches!(results.as_slice(), [Ok(_), Err(Error::Nul), Ok(_)]), "{results:?}");
    assert!(without.is_alive());
    ended(server);
}

#[test]
fn an_8_bit_header_is_sent_as_utf8_only_where_that_is_agreed_and_a_plain_one_failed() {
    let flags = Flags::none();
    let offered = "IMAP4rev1 LITERAL+ ENABLE UTF8=ACCEPT";
    let message = "S: ü\r\n\r\nx";
    let (mut session, server) = session(
        offered,
        &[
            ("F2 ENABLE UTF8=ACCEPT\r\n", "* ENABLED UTF8=ACCEPT\r\nF2 OK x\r\n"),
            ("F3 APPEND {2+}\r\nä {10+}\r\nS: ü\r\n\r\nx\r\n", "F3 NO 8 bits\r\n"),
            ("F4 APPEND {2+}\r\nä UTF8 (~{10+}\r\nS: ü\r\n\r\nx)\r\n", "F4 OK x\r\n"),
            ("F5 APPEND {2+}\r\nä {10+}\r\nS: x\r\n\r\nü\r\n", "F5 OK x\r\n"),
        ],
    );
    let mut send = |text: &str, how: AppendHow| {
        let mut body = text.as_bytes();
        let mut messages = [Append { flags: &flags, date: None, size: 10, body: &mut body }];
        session.append(&MailboxName::new("ä".as_bytes()), &mut messages, how).remove(0)
    };
    assert!(send(message, AppendHow::Batched).is_err());
    assert!(send(message, AppendHow::OneByOne).is_ok());
    assert!(send("S: x\r\n\r\nü", AppendHow::OneByOne).is_ok());
    ended(server);
}

#[test]
fn the_form_of_a_message_is_found_wherever_it_is_cut() {
    let wanted = |nul, eight_bit_header| Form { nul, eight_bit_header };
    for (text, form) in [
        ("S: x\r\n\r\nü\0", wanted(true, false)),
        ("S: ü\n\nx", wanted(false, true)),
        ("\nü", wanted(false, false)),
        ("S: x\r\nü", wanted(false, true)),
    ] {
        for cut in 0..=text.len() {
            let mut look = FormReader::default();
            look.update(&text.as_bytes()[..cut]);
            look.update(&text.as_bytes()[cut..]);
            assert_eq!(look.form(), form, "{text:?} cut at {cut}");
        }
    }
}
