//! Sessions against a scripted server: what is sent, byte for byte, and what is made of the answers.

use std::io;
use std::time::Duration;

use crate::imap::scripted::{ended, session};
use crate::imap::*;
use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Flags, ModSeq, System, Uid, UidSet, UidValidity};
use crate::severity::{Kind, Retry, Severity};

const ALL: &str = "IMAP4rev1 ENABLE CONDSTORE QRESYNC UIDPLUS MOVE LITERAL+ MULTIAPPEND ESEARCH IDLE UNSELECT";

fn uid(n: u32) -> Uid {
    Uid::new(n).expect("not 0")
}

fn set(text: &str) -> UidSet {
    UidSet::parse(text).expect("a set")
}

const SELECTED: &str = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 10] x\r\n";

#[derive(Default)]
struct Taken {
    bodies: Vec<(u32, Vec<u8>)>,
    open: Vec<u8>,
    missing: Vec<u32>,
    forgotten: usize,
}

impl BodySink for Taken {
    fn begin(&mut self, _size: u64) -> io::Result<()> {
        self.open.clear();
        Ok(())
    }
    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.open.extend_from_slice(chunk);
        Ok(())
    }
    fn end(&mut self, message: &RemoteMessage) -> io::Result<()> {
        self.bodies.push((message.uid.get(), std::mem::take(&mut self.open)));
        Ok(())
    }
    fn missing(&mut self, message: &RemoteMessage) {
        self.missing.push(message.uid.get());
    }
    fn forget(&mut self) {
        self.forgotten += 1;
    }
}

#[test]
fn a_session_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Session>();
}

#[test]
fn the_first_flight_is_one() {
    let flight = "F2 ID (\"name\" \"mailferry\" \"version\" \"";
    let flight = format!(
        "{flight}{}\")\r\nF3 ENABLE CONDSTORE QRESYNC\r\nF4 LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ))\r\n",
        env!("CARGO_PKG_VERSION")
    );
    let (mut session, server) = session(
        &format!("{ALL} ID LIST-EXTENDED LIST-STATUS SPECIAL-USE"),
        &[(
            &flight,
            "* ID NIL\r\nF2 OK x\r\n* ENABLED CONDSTORE QRESYNC\r\nF3 OK x\r\n\
             * STATUS Later (MESSAGES 1)\r\n* LIST (\\HasNoChildren) \".\" inbox\r\n* LIST (\\Trash) \".\" M&APw-ll\r\n\
             * STATUS M&APw-ll (MESSAGES 2 UIDNEXT 5 UIDVALIDITY 9 HIGHESTMODSEQ 0)\r\n* LIST (\\Noselect) \".\" Later\r\n\
             * LIST () \".\" a.b\r\nF4 OK x\r\n",
        )],
    );
    let listing = session.list(&ListAsk { status: true, ..ListAsk::default() }).expect("a listing");
    let names: Vec<String> = listing.folders.iter().map(|f| f.name.to_string()).collect();
    assert_eq!(names, ["INBOX", "Müll", "Later", "a/b"]);
    let trash = &listing.folders[1];
    assert_eq!((trash.special, trash.mailbox.as_bytes()), (Some(SpecialUse::Trash), &b"M&APw-ll"[..]));
    let figures = trash.figures.as_ref().expect("told");
    assert_eq!((figures.messages, figures.highest_modseq), (Some(2), None));
    assert_eq!(listing.folders[0].figures, None, "a folder without STATUS is unknown");
    assert!(!listing.folders[2].selectable);
    assert_eq!(listing.delimiter, Some(b'.'));
    ended(server);
}

#[test]
fn without_list_status_there_is_a_second_flight() {
    let (mut session, server) = session(
        "IMAP4rev1",
        &[
            ("F2 LIST \"\" \"*\"\r\n", "* LIST () \"/\" INBOX\r\n* LIST () \"/\" \"a \\\"b\"\r\nF2 OK x\r\n"),
            (
                "F3 STATUS \"INBOX\" (MESSAGES UIDNEXT UIDVALIDITY)\r\nF4 STATUS \"a \\\"b\" (MESSAGES UIDNEXT UIDVALIDITY)\r\n",
                "F4 NO gone\r\n* STATUS INBOX (MESSAGES 4 UIDNEXT 5 UIDVALIDITY 1)\r\nF3 OK x\r\n",
            ),
        ],
    );
    let listing = session.list(&ListAsk { status: true, ..ListAsk::default() }).expect("a listing");
    assert_eq!(listing.folders[0].figures.as_ref().and_then(|f| f.messages), Some(4));
    assert_eq!(listing.folders[1].figures, None);
    ended(server);
}

#[test]
fn answers_side_by_side_reach_their_commands() {
    // As Dovecot answers: data of later commands comes before the ends of earlier ones, and ends change places.
    let (mut session, server) = session(
        "IMAP4rev1 MOVE UIDPLUS",
        &[
            ("F2 SELECT \"a\"\r\n", &format!("{SELECTED}F2 OK [READ-WRITE] x\r\n")),
            (
                "F3 UID STORE 1 +FLAGS.SILENT (\\Deleted)\r\nF4 UID FETCH 2:3 (UID FLAGS)\r\nF5 UID MOVE 3 \"t\"\r\n",
                "* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n* OK [COPYUID 5 3 8] moved\r\n* 3 FETCH (UID 3 FLAGS ())\r\n\
                 * 3 EXPUNGE\r\nF4 OK x\r\nF3 OK x\r\nF5 OK x\r\n",
            ),
        ],
    );
    session.select(&MailboxName::new(b"a"), Access::ReadWrite, None).expect("open");
    let store = session.send_store(&set("1"), StoreChange::Add, &Flags::of(System::DELETED)).expect("sent");
    let fetch = session.send_fetch(&FetchSet::Uids(set("2:3")), Items::FLAGS, None).expect("sent");
    let moved = session.send_move(&set("3"), &MailboxName::new(b"t")).expect("sent");
    session.finish_store(store).expect("stored");
    let mut seen = Vec::new();
    session.finish_fetch(fetch, &mut |m| seen.push(m.uid.get())).expect("fetched");
    assert_eq!(seen, [2, 3]);
    assert_eq!(session.finish_copy(moved).expect("moved").pairs, [(uid(3), uid(8))]);
    assert_eq!(session.exists(), 2);
    ended(server);
}

#[test]
fn what_stands_behind_a_failed_select_is_void() {
    let (mut session, server) = session(
        "IMAP4rev1",
        &[(
            "F2 SELECT \"a\"\r\nF3 UID FETCH 1:* (UID FLAGS)\r\nF4 SELECT \"b\"\r\nF5 UID FETCH 1:* (UID FLAGS)\r\n",
            // A server that keeps the folder before it open answers for the wrong one.
            &format!(
                "F2 NO no such folder\r\n* 1 FETCH (UID 1 FLAGS ())\r\nF3 OK x\r\n{SELECTED}F4 OK x\r\n\
                 * 1 FETCH (UID 4 FLAGS ())\r\nF5 OK x\r\n"
            ),
        )],
    );
    let (a, b) = (MailboxName::new(b"a"), MailboxName::new(b"b"));
    let first = session.send_select(&a, Access::ReadWrite, None).expect("sent");
    let one = session.send_fetch(&FetchSet::All, Items::FLAGS, None).expect("sent");
    let second = session.send_select(&b, Access::ReadWrite, None).expect("sent");
    let two = session.send_fetch(&FetchSet::All, Items::FLAGS, None).expect("sent");
    assert!(matches!(session.send_store(&set("1"), StoreChange::Add, &Flags::none()), Err(Error::Skipped(_))));
    assert!(matches!(session.finish_select(first), Err(Error::Refused { .. })));
    assert!(session.finish_fetch(one, &mut |_| panic!("of another folder")).is_err());
    assert_eq!(session.finish_select(second).map(|s| s.figures.messages).ok(), Some(Some(3)));
    let mut seen = Vec::new();
    session.finish_fetch(two, &mut |m| seen.push(m.uid.get())).expect("fetched");
    assert_eq!(seen, [4]);
    ended(server);
}

#[test]
fn a_listing_that_is_cut_is_an_error() {
    let (mut session, _server) = session(
        "IMAP4rev1",
        &[(
            "F2 SELECT \"a\"\r\nF3 UID FETCH 1:* (UID FLAGS)\r\n",
            &format!("{SELECTED}F2 OK x\r\n* 1 FETCH (UID 1 FLAGS ())\r\n"),
        )],
    );
    let select = session.send_select(&MailboxName::new(b"a"), Access::ReadWrite, None).expect("sent");
    let fetch = session.send_fetch(&FetchSet::All, Items::FLAGS, None).expect("sent");
    session.finish_select(select).expect("open");
    let error = session.finish_fetch(fetch, &mut |_| {}).expect_err("cut");
    assert_eq!((error.kind(), error.retry()), (Kind::TryLater, Retry::Now));
    assert!(!session.is_alive());
}

#[test]
fn qresync_counts_only_where_enabled_was_seen() {
    let point = ResyncPoint {
        uid_validity: UidValidity::new(7).expect("7"),
        modseq: ModSeq::new(20).expect("20"),
        known: None,
    };
    let enable = "F2 ENABLE CONDSTORE QRESYNC\r\n";
    let (mut with, server) = session(
        ALL,
        &[
            (enable, "* ENABLED QRESYNC\r\nF2 OK x\r\n"),
            (
                "F3 SELECT \"a\" (QRESYNC (7 20))\r\n",
                &format!(
                    "{SELECTED}* OK [HIGHESTMODSEQ 25] x\r\n* VANISHED (EARLIER) 1:2,5\r\n* 3 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (25))\r\nF3 OK [READ-WRITE] x\r\n"
                ),
            ),
        ],
    );
    let selected = with.select(&MailboxName::new(b"a"), Access::ReadWrite, Some(&point)).expect("open");
    assert!(selected.resynced && selected.vanished == set("1:2,5") && selected.changed.len() == 1);
    assert_eq!(selected.figures.messages, Some(3));
    ended(server);
    let (mut without, server) = session(
        ALL,
        &[
            (enable, "F2 OK x\r\n"),
            (
                "F3 SELECT \"a\" (CONDSTORE)\r\n",
                &format!("{SELECTED}* OK [HIGHESTMODSEQ 25] x\r\nF3 OK [READ-ONLY] x\r\n"),
            ),
        ],
    );
    let selected = without.select(&MailboxName::new(b"a"), Access::ReadWrite, Some(&point)).expect("open");
    assert!(!selected.resynced && selected.read_only);
    ended(server);
}

#[test]
fn from_a_uid_on_drops_what_lies_below() {
    let (mut session, server) = session(
        "IMAP4rev1",
        &[
            ("F2 EXAMINE \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            (
                "F3 UID FETCH 9:* (UID FLAGS INTERNALDATE)\r\n",
                "* 3 FETCH (UID 4 FLAGS () INTERNALDATE \" 7-Jul-1996 02:44:25 -0700\")\r\n* 2 FETCH (FLAGS ())\r\n\
                 * 2 FETCH (UID 10 FLAGS ())\r\n* 9 FETCH (UID 11 FLAGS () INTERNALDATE NIL)\r\nF3 OK x\r\n",
            ),
        ],
    );
    assert!(session.select(&MailboxName::new(b"a"), Access::ReadOnly, None).expect("open").read_only);
    let fetch = session.send_fetch(&FetchSet::From(uid(9)), Items::FLAGS | Items::DATE, None).expect("sent");
    let mut seen = Vec::new();
    session.finish_fetch(fetch, &mut |m| seen.push((m.uid.get(), m.date))).expect("fetched");
    assert_eq!(seen, [(11, None)]);
    ended(server);
}

#[test]
fn bodies_stream_and_are_told_apart() {
    let (mut session, server) = session(
        "IMAP4rev1",
        &[
            ("F2 EXAMINE \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            (
                "F3 UID FETCH 1:4 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\nF4 UID FETCH 6 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n",
                "* 1 FETCH (BODY[] {5}\r\na)\r\nb UID 1 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2 BODY[] NIL)\r\n* 9 FETCH (FLAGS ())\r\n\
                 * 5 FETCH (UID 6 BODY[] {2}\r\nxy)\r\n* 3 FETCH (UID 3 BODY[] \"q\\\"q\")\r\n* 4 FETCH (UID 99 BODY[] {1}\r\nz)\r\n\
                 * 1 FETCH (UID 1 FLAGS ())\r\nF3 OK x\r\nF4 OK x\r\n",
            ),
        ],
    );
    session.select(&MailboxName::new(b"a"), Access::ReadOnly, None).expect("open");
    let first = session.send_bodies(&set("1:4")).expect("sent");
    let second = session.send_bodies(&set("6")).expect("sent");
    let mut taken = Taken::default();
    session.finish_bodies(first, &mut taken).expect("read");
    session.finish_bodies(second, &mut taken).expect("read");
    assert_eq!(taken.bodies, [(1, b"a)\r\nb".to_vec()), (6, b"xy".to_vec()), (3, b"q\"q".to_vec())]);
    assert_eq!((taken.missing, taken.forgotten), (vec![2], 1));
    ended(server);
}

#[test]
fn the_crate_s_commands_survive_what_servers_say() {
    let (mut session, server) = session(
        "IMAP4rev1",
        &[
            (
                "a2 CREATE \"we \\\"q\\\"\"\r\n",
                "* NO [ALERT] \u{fc}berf\u{fc}llt\r\n* XFOO bar\r\n* 1 FETCH (INTERNALDATE NIL)\r\n* LIST () \"/\" x (CHILDINFO (\"SUBSCRIBED\"))\r\na2 NO [ALREADYEXISTS] schon da: Entw\u{fc}rfe\r\n",
            ),
            ("a3 SUBSCRIBE \"x\"\r\n", "a3 OK x\r\n"),
            ("a4 NOOP\r\n", "* 5 EXISTS\r\na4 OK x\r\n"),
            ("F2 EXAMINE \"x\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            ("F3 NOOP\r\n", "* 4 EXISTS\r\nF3 OK x\r\n"),
            ("a5 RENAME \"y\" \"z\"\r\n", "* BYE over\r\n"),
        ],
    );
    let refused = session.create(&MailboxName::new(b"we \"q\"")).expect_err("there");
    assert_eq!(refused.code(), Some(&Code::AlreadyExists));
    assert_eq!(session.alerts(), ["überfüllt"]);
    session.subscribe(&MailboxName::new(b"x")).expect("subscribed");
    session.noop().expect("alive");
    session.select(&MailboxName::new(b"x"), Access::ReadOnly, None).expect("open");
    session.noop().expect("alive");
    assert_eq!(session.exists(), 4);
    let over = session.rename(&MailboxName::new(b"y"), &MailboxName::new(b"z")).expect_err("over");
    assert!(matches!(over, Error::Bye { .. }) && !session.is_alive());
    ended(server);
}

#[test]
fn idle_tells_news_and_ends_cleanly() {
    let (mut session, server) = session(
        "IMAP4rev1 IDLE",
        &[
            ("F2 IDLE\r\n", "+ idling\r\n* 4 EXISTS\r\n"),
            ("DONE\r\n", "* STATUS other (MESSAGES 3)\r\nF2 OK x\r\n"),
            ("F3 UID SEARCH DELETED\r\n", ""),
        ],
    );
    let news = session.idle(Duration::from_secs(5), &[]).expect("news");
    assert_eq!((news.selected, news.changed), (true, vec![MailboxName::new(b"other")]));
    assert!(session.marked_deleted().is_err(), "no folder is open");
    drop(session);
    ended(server);
}

#[test]
fn searches_that_lie_are_not_believed() {
    let (mut session, server) = session(
        "IMAP4rev1 ESEARCH",
        &[
            ("F2 EXAMINE \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            ("F3 UID SEARCH RETURN (ALL) ALL\r\n", "* ESEARCH (TAG \"F3\") UID ALL 1:4294967295\r\nF3 OK x\r\n"),
            (
                "F4 UID FETCH 1:* (UID)\r\n",
                "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 5)\r\n* 3 FETCH (UID 9)\r\nF4 OK x\r\n",
            ),
        ],
    );
    session.select(&MailboxName::new(b"a"), Access::ReadOnly, None).expect("open");
    assert_eq!(session.all_uids().expect("listed"), set("2,5,9"));
    ended(server);
}

/// A sink on a full disk.
struct Full;

impl BodySink for Full {
    fn begin(&mut self, _size: u64) -> io::Result<()> {
        Ok(())
    }
    fn data(&mut self, _chunk: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn end(&mut self, _message: &RemoteMessage) -> io::Result<()> {
        Ok(())
    }
    fn missing(&mut self, _message: &RemoteMessage) {}
}

#[test]
fn a_full_disk_ends_the_session_in_the_middle_of_a_message() {
    let (mut session, _server) = session(
        "IMAP4rev1",
        &[
            ("F2 EXAMINE \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            (
                "F3 UID FETCH 1 (UID FLAGS INTERNALDATE BODY.PEEK[])\r\n",
                "* 1 FETCH (UID 1 BODY[] {5}\r\nabcde)\r\nF3 OK\r\n",
            ),
        ],
    );
    session.select(&MailboxName::new(b"a"), Access::ReadOnly, None).expect("open");
    let bodies = session.send_bodies(&set("1")).expect("sent");
    let error = session.finish_bodies(bodies, &mut Full).expect_err("full");
    assert_eq!((error.kind(), session.is_alive()), (Kind::Disk, false));
    assert!(matches!(session.noop(), Err(Error::Skipped(_))));
}

#[test]
fn a_listing_that_the_server_cut_short_says_so() {
    let (mut session, server) = session(
        "IMAP4rev1 MESSAGELIMIT=1000",
        &[
            ("F2 EXAMINE \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            ("F3 UID FETCH 1:* (UID)\r\n", "* 3 FETCH (UID 9)\r\nF3 OK [MESSAGELIMIT 1 9] x\r\n"),
            ("F4 UID FETCH 1:* (UID)\r\n", "* 3 FETCH (UID 9)\r\nF4 OK [MESSAGELIMIT 1 9] x\r\n"),
        ],
    );
    session.select(&MailboxName::new(b"a"), Access::ReadOnly, None).expect("open");
    let fetch = session.send_fetch(&FetchSet::All, Items::NONE, None).expect("sent");
    assert!(session.finish_fetch(fetch, &mut |_| {}).expect("fetched").partial);
    assert!(session.all_uids().is_err());
    ended(server);
}

#[test]
fn the_selected_folder_is_left_before_it_is_deleted() {
    let (mut session, server) = session(
        "IMAP4rev1 UNSELECT",
        &[
            ("F2 EXAMINE \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            ("F3 UNSELECT\r\n", "F3 OK x\r\n"),
            ("a2 DELETE \"a\"\r\n", "a2 OK x\r\n"),
        ],
    );
    let a = MailboxName::new(b"a");
    session.select(&a, Access::ReadOnly, None).expect("open");
    session.delete(&a).expect("deleted");
    assert!(session.send_store(&set("1"), StoreChange::Add, &Flags::none()).is_err(), "no folder is open");
    ended(server);
}

#[test]
fn expunge_takes_only_what_it_was_given() {
    let (mut session, server) = session(
        "IMAP4rev1 UIDPLUS",
        &[
            ("F2 SELECT \"a\"\r\n", &format!("{SELECTED}F2 OK x\r\n")),
            ("F3 UID EXPUNGE 4,9\r\n", "* 3 EXPUNGE\r\n* 1 EXPUNGE\r\nF3 OK x\r\n"),
        ],
    );
    session.select(&MailboxName::new(b"a"), Access::ReadWrite, None).expect("open");
    let expunge = session.send_expunge(&set("4,9")).expect("sent");
    session.finish_expunge(expunge).expect("expunged");
    assert_eq!(session.exists(), 1);
    ended(server);
    let (mut without, _server) = self::session("IMAP4rev1", &[]);
    assert!(matches!(without.send_expunge(&set("4")), Err(Error::Unsupported("UIDPLUS"))));
}

#[test]
fn quotas() {
    let (mut session, server) = session(
        "IMAP4rev1 QUOTA",
        &[(
            "F2 GETQUOTAROOT INBOX\r\n",
            "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 10 99999999999999 MESSAGE 3 -1)\r\n* QUOTA \"ROOT\"\r\nF2 OK x\r\n",
        )],
    );
    let quotas = session.quota().expect("told");
    assert_eq!(quotas.len(), 1);
    assert_eq!((quotas[0].resource.as_str(), quotas[0].usage, quotas[0].limit), ("STORAGE", 10, 99_999_999_999_999));
    ended(server);
}
