//! Tests of `data`.

use super::*;
use crate::imap::parse::{Response, response};
use proptest::prelude::*;

fn fetch(bytes: &[u8]) -> FetchLine<'_> {
    let Response::Message { rest, .. } = response(bytes) else { panic!("no FETCH") };
    FetchLine::parse(rest)
}

fn message(bytes: &[u8]) -> RemoteMessage {
    fetch(bytes).into_message().expect("a UID")
}

fn set(text: &str) -> UidSet {
    UidSet::parse(text).expect("a set")
}

#[test]
fn fetch_items() {
    let m = message(
        b"* 1 FETCH (UID 7 FLAGS (\\Seen $Forwarded \\Recent) INTERNALDATE \" 7-Jul-1996 02:44:25 -0700\" RFC822.SIZE 44827 \
          MODSEQ (624140003) EMAILID (M6d99ac3275bb4e) BODY[HEADER.FIELDS (MESSAGE-ID)] {21}\r\nMessage-ID: <1@x>\r\n\r\n)",
    );
    assert_eq!(m.flags.map(|f| f.to_string()).as_deref(), Some("$Forwarded \\Seen"));
    assert_eq!((m.uid.get(), m.size, m.date), (7, Some(44827), Some(Timestamp(836_732_665))));
    assert_eq!((m.modseq, m.email_id.as_deref()), (ModSeq::new(624_140_003), Some("M6d99ac3275bb4e")));
    assert_eq!(m.message_id, Some(MessageId::of_value(b"<1@x>")));
}

#[test]
fn what_is_odd_takes_nothing_else_with_it() {
    let m = message(b"* 1 fetch (ENVELOPE (NIL \"Gr\xfc\xdfe \"x\" y\" (((\"a\"))) ) X-FOO (1 (2)) internaldate NIL  FLAGS (a(b \\Seen) rfc822.size -1 MODSEQ (-1) uid 3 ) ");
    assert_eq!((m.uid.get(), m.date, m.size, m.modseq), (3, None, None, None));
    assert_eq!(m.flags.map(|f| f.system), Some(crate::mail::System::SEEN));
    assert_eq!(message(b"* 1 FETCH (INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" UID 3)").date, None);
    assert_eq!(message(b"* 1 FETCH (RFC822.SIZE 5000000000 UID 4 FLAGS NIL)").size, Some(5_000_000_000));
    for bad in [&b"* 1 FETCH (UID 0)"[..], b"* 1 FETCH ()", b"* 1 FETCH (UID 4294967296)", b"* 1 FETCH (UID -1)"] {
        assert!(fetch(bad).into_message().is_none());
    }
}

#[test]
fn a_body_is_there_or_nil_or_not_told() {
    assert_eq!(fetch(b"* 1 FETCH (UID 7 BODY[] NIL)").body, Some(Value::Nil));
    assert_eq!(fetch(b"* 1 FETCH (UID 7 BODY[] \"\")").body, Some(Value::Quoted(b"")));
    assert_eq!(fetch(b"* 1 FETCH (UID 7 FLAGS ())").body, None);
}

#[test]
fn labels_and_gmail_identities() {
    let m = message(
        b"* 1 FETCH (X-GM-LABELS (\\Inbox \"Muy Importante\" Entw&APw-rfe) X-GM-MSGID 1278455344230334866 UID 4)",
    );
    assert_eq!(m.labels, Some(["\\Inbox", "Muy Importante", "Entwürfe"].map(str::to_owned).to_vec()));
    assert_eq!(m.email_id.as_deref(), Some("1278455344230334866"));
}

#[test]
fn status_lines() {
    let (name, f) = status(b"\"We \\\"quote\\\"\" (MESSAGES 1 UIDNEXT 0 uidvalidity 4294967296 HIGHESTMODSEQ 0 SIZE 9999999999 MAILBOXID (F22) X-Y (1))").expect("a status");
    assert_eq!(name.as_bytes(), b"We \"quote\"");
    assert_eq!((f.messages, f.uid_next, f.uid_validity, f.highest_modseq), (Some(1), None, None, None));
    assert_eq!((f.size, f.mailbox_id.as_deref()), (Some(9_999_999_999), Some("F22")));
    // Cyrus 3.6 has been seen to answer with uninitialised memory.
    assert_eq!(
        status(b"x (MAILBOXID (\x02 4\xf6) MESSAGES 3)").map(|(_, f)| (f.messages, f.mailbox_id)),
        Some((Some(3), None))
    );
}

#[test]
fn list_lines() {
    let line = list(b"(\\HasNoChildren \\Trash) \"/\" {7}\r\nfoo\"bar").expect("a line");
    assert_eq!((line.delimiter, line.name.as_bytes()), (Some(b'/'), &b"foo\"bar"[..]));
    assert_eq!(line.attributes, ["hasnochildren", "trash"]);
    assert_eq!(list(b"() \"\\\\\" foo").map(|l| l.delimiter), Some(Some(b'\\')));
    assert_eq!(list(b"() NIL NIL").map(|l| (l.delimiter, l.name)), Some((None, MailboxName::new(b"NIL"))));
    assert_eq!(list(b"()  \"/\" [Gmail]/All (X-FOO (1))").map(|l| l.name), Some(MailboxName::new(b"[Gmail]/All")));
}

#[test]
fn sets_stay_ranges_and_are_strict() {
    assert_eq!(vanished(b"(EARLIER) 300:310,405,411"), Some((true, set("300:310,405,411"))));
    assert_eq!(vanished(b"410:405"), Some((false, set("405:410"))));
    assert_eq!(vanished(b"1:4294967295").map(|(_, s)| s.len()), Some(4_294_967_295));
    for bad in [&b"1,2,"[..], b"", b"1:*", b"0", b"(EARLIER"] {
        assert_eq!(vanished(bad), None);
    }
}

#[test]
fn searches() {
    assert_eq!(search(b"SEARCH", b"2 5 6 (MODSEQ 917162500) ", "F1"), Some(set("2,5:6")));
    assert_eq!(search(b"ESEARCH", b"(TAG \"F1\") UID COUNT 3 ALL 2,5:7", "F1"), Some(set("2,5:7")));
    assert_eq!(search(b"ESEARCH", b"(TAG \"F1\") UID", "F1"), Some(UidSet::new()));
    assert_eq!(search(b"ESEARCH", b"(TAG \"F2\") UID ALL 1", "F1"), None);
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(bytes in proptest::collection::vec(prop_oneof![
            Just(b"UID ".to_vec()), Just(b"FLAGS (".to_vec()), Just(b"MODSEQ (".to_vec()), Just(b"BODY[".to_vec()),
            Just(b"(EARLIER) ".to_vec()), Just(b"1:4294967295".to_vec()), Just(b") ".to_vec()), Just(b"\"".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..4)], 0..12)) {
        let bytes = bytes.concat();
        let _ = FetchLine::parse(&bytes).into_message();
        let _ = (status(&bytes), list(&bytes), vanished(&bytes), ordered_set(&bytes), search(b"ESEARCH", &bytes, "F1"));
        let _ = (search(b"SEARCH", &bytes, "F1"), mailbox_id(&bytes));
    }
}

#[test]
fn a_name_sent_as_a_literal_is_its_bytes_also_without_any_and_with_a_line_end() {
    for (wire, name) in [
        (&b"* LIST () \"/\" {0}\r\n"[..], &b""[..]),
        (b"* LIST () \"/\" {3}\r\na\r\n", b"a\r\n"),
        (b"* LIST () \"/\" {3}\r\n{0}", b"{0}"),
        (b"* LIST () \"/\" \"{0}\"", b"{0}"),
        (b"* LIST () \"/\" plain\r\n", b"plain"),
    ] {
        let parsed = crate::imap::parse::response(wire);
        let Response::Data { rest, .. } = parsed else { panic!("{parsed:?}") };
        assert_eq!(list(rest).map(|line| line.name.as_bytes().to_vec()).as_deref(), Some(name), "{wire:?}");
    }
}
