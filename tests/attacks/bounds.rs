//! Lines, literals, nesting, sets and counts without end: 69, in bounded memory and time.

use super::stand::{Told, holding, local, remote, survive, survive_small, unguarded};
use crate::support::fake_imap::{FakeImap, Filter, Hook};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use crate::support::peer::{Handler, Peer};

/// A server that answers everything honestly enough, and at `word` says `lead` and then `more` without end.
fn endless(word: &'static str, lead: &'static str, more: &'static [u8], codes: &[i32]) {
    let handler: Handler = Box::new(move |c| {
        c.send("* OK [CAPABILITY IMAP4rev1] hi\r\n")?;
        loop {
            let command = c.command()?;
            if command.line.contains(word) {
                c.send(lead)?;
                let chunk = more.repeat(64 * 1024 / more.len());
                while c.send(&chunk).is_ok() {}
                return Ok(());
            }
            let data = match command.line.split(' ').nth(1).unwrap_or_default() {
                "LIST" => "* LIST () \"/\" INBOX\r\n",
                "SELECT" | "EXAMINE" => "* 1 EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 2] .\r\n",
                "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n",
                _ => "",
            };
            c.answer(&format!("{data}{{tag}} OK\r\n"))?;
        }
    });
    let peer = Peer::start(vec![handler]);
    let ferry = unguarded(peer.port());
    survive_small(&ferry, &["sync"], codes);
}

#[test]
fn a_greeting_without_end() {
    let says = |lead: &'static str| -> Handler {
        Box::new(move |c| {
            c.send(lead)?;
            while c.send([b'x'; 64 * 1024]).is_ok() {}
            Ok(())
        })
    };
    let imap = Peer::start(vec![says("* OK ")]);
    survive_small(&unguarded(imap.port()), &["sync"], &[69]);
    let pop3 = Peer::start(vec![says("+OK ")]);
    let ferry = Ferry::new().account(ACCOUNT, AccountKeys::plain("pop3", pop3.port(), "someone"));
    survive_small(&ferry, &["fetch", ACCOUNT], &[69]);
}

#[test]
fn lines_without_end() {
    endless("LOGIN", "* OK ", b"x", &[69]);
    endless("LIST", "* LIST () \"/\" ", b"x", &[69]);
    endless("LIST", "* SEARCH", b" 1", &[69]);
    endless("SELECT", "* FLAGS (", b"x ", &[69]);
    endless("FETCH", "* 1 FETCH (", b"x ", &[69]);
    endless("FETCH", "F", b"9", &[69]);
}

#[test]
fn nesting_without_end() {
    endless("LIST", "* LIST ", b"(", &[69]);
    endless("FETCH", "* 1 FETCH (BODYSTRUCTURE ", b"(", &[69]);
}

#[test]
fn literals_without_end() {
    endless("LIST", "* LIST () \"/\" {4294967295}\r\n", b"x", &[69]);
    endless("LIST", "* LIST () \"/\" {99999999999999999999}\r\n", b"x", &[69]);
    endless("FETCH", "* 1 FETCH (UID 1 X-THING {18446744073709551615}\r\n", b"x", &[69]);
    endless("FETCH", "* 1 FETCH (UID 1 FLAGS ({1}\r\nx {1}\r\nx) X ", b"{1}\r\nx ", &[69]);
}

#[test]
fn many_small_lines_without_end() {
    endless("LIST", "", b"* LIST (\\HasNoChildren) \"/\" \"the same folder again and again\"\r\n", &[69]);
}

#[test]
fn sets_without_end_are_not_expanded() {
    for data in [
        "* SEARCH 1 2 3 4294967295\r\n",
        "* ESEARCH (TAG \"x\") UID ALL 1:4294967295\r\n",
        "* VANISHED 1:4294967295\r\n",
        "* VANISHED (EARLIER) 1:4294967295\r\n",
        "* 4294967295 EXISTS\r\n",
        "* 4294967295 EXPUNGE\r\n",
        "* OK [COPYUID 1 1:4294967295 1:4294967295] x\r\n",
        "* OK [UIDNEXT 4294967295] x\r\n",
        "* OK [HIGHESTMODSEQ 99999999999999999999] x\r\n",
        "* OK [HIGHESTMODSEQ -1] x\r\n",
        "* OK [UIDVALIDITY 9.3736e+06] x\r\n",
        "* STATUS INBOX (MESSAGES 4294967295 UIDNEXT 4294967295)\r\n",
        "* 0 FETCH (UID 0 FLAGS ())\r\n",
        "* 7 FETCH (UID 4294967295 FLAGS (\\Deleted))\r\n",
        "* 7 FETCH (UID 18446744073709551617 FLAGS (\\Deleted))\r\n",
        "* 1 FETCH (UID -1 FLAGS (\\Deleted))\r\n",
    ] {
        let hook: Hook = Box::new(move |c, _| {
            let word = c.line.split(' ').nth(1).unwrap_or_default().to_ascii_uppercase();
            matches!(word.as_str(), "NOOP" | "ID" | "CAPABILITY" | "CLOSE" | "UNSELECT")
                .then(|| format!("* CAPABILITY IMAP4rev1\r\n{data}{{tag}} OK\r\n").into_bytes())
        });
        // Outside a folder by the hook, and behind the honest answers of an open one by the filter.
        let mut store = holding("IMAP4rev1 ID", &["a", "b"]);
        store.filter = Filter::new(move |c, mut answer| {
            if c.line.contains(" SELECT ") || c.line.contains(" UID FETCH ") {
                answer.splice(0..0, data.bytes());
            }
            answer
        });
        let told = Told::default();
        let fake = FakeImap::with_hook(store, told.count(hook));
        let ferry = unguarded(fake.port());
        for _ in 0..2 {
            survive_small(&ferry, &["sync"], &[0, 65, 69]);
        }
        told.assert_told(data);
        assert_eq!(remote(&fake, "INBOX"), ["a", "b"], "{data}");
        assert!(local(&ferry, "INBOX").iter().all(|n| n == "a" || n == "b"));
    }
}

/// An announced body longer than what comes: the line ends in the middle, and nothing half is kept.
#[test]
fn a_body_that_is_shorter_than_announced() {
    let hook: Hook = Box::new(|c, _| {
        c.line
            .contains("BODY.PEEK[]")
            .then(|| b"* 1 FETCH (UID 1 BODY[] {5000}\r\nSubject: a\r\n)\r\n{tag} OK\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let mut ferry = unguarded(fake.port());
    ferry.set("timeout", "\"1s\"");
    survive(&ferry, &["sync"], &[69, 75]);
    assert_eq!(local(&ferry, "INBOX"), Vec::<String>::new());
    assert_eq!(ferry.local().leftovers(), Vec::<std::path::PathBuf>::new());
}
