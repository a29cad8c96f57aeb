//! Listings, numbers and codes that lie: nothing is deleted because of them, and nothing of another message is touched.

use super::stand::{DATE, Switch, Told, delete, holding, local, lying, mail, remote, survive, unguarded};
use crate::support::fake_imap::{FakeImap, Filter, Hook, Store, listing_line};
use crate::support::message::flags;

/// Whether a command asks for the list of messages.
fn lists(line: &str) -> bool {
    let line = line.to_ascii_uppercase();
    line.contains("FETCH") && !line.contains("BODY")
}

/// Half of INBOX's listing and then this.
fn half(end: &'static str) -> Hook {
    Box::new(move |c, store| {
        lists(&c.line).then(|| {
            let messages = store.folders.get("INBOX").map(|f| f.messages.clone()).unwrap_or_default();
            let mut out: Vec<u8> =
                messages.iter().take(2).enumerate().flat_map(|(i, m)| listing_line(i + 1, m)).collect();
            out.extend_from_slice(end.as_bytes());
            out
        })
    })
}

#[test]
fn a_listing_that_stops_half_way_deletes_nothing() {
    for end in ["{tag} NO sorry\r\n", "{tag} BAD what\r\n", "* BYE gone\r\n{tag} OK\r\n", "{tag} OK\r\n", "* 9 FETC"] {
        let (fake, mut ferry, lie) = lying(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c", "d"]), half(end));
        ferry.set("timeout", "\"1s\"");
        ferry.sync();
        lie.set(true);
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("e"), &[], DATE)));
        survive(&ferry, &["sync"], &[0, 65, 69, 75]);
        let here = local(&ferry, "INBOX");
        for name in ["a", "b", "c", "d"] {
            assert!(here.contains(&name.to_owned()), "{end:?}: {here:?}");
        }
        assert_eq!(remote(&fake, "INBOX"), ["a", "b", "c", "d", "e"]);
        lie.set(false);
        ferry.sync();
        assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c", "d", "e"]);
    }
}

/// Forges one kind of command from the second run on, deletes "a" here, and expects that everything else survives everywhere.
#[track_caller]
fn forged(capabilities: &str, word: &'static str, answer: &'static str) {
    let hook: Hook =
        Box::new(move |c, _| c.line.to_ascii_uppercase().contains(word).then(|| answer.as_bytes().to_vec()));
    let told = Told::default();
    let (fake, mut ferry, lie) = lying(holding(capabilities, &["a", "b", "c"]), told.count(hook));
    ferry.set("timeout", "\"1s\"");
    ferry.sync();
    lie.set(true);
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("d"), &[], DATE)));
    delete(&ferry, "INBOX", "a");
    survive(&ferry, &["sync"], &[0, 65, 69, 75]);
    told.assert_told(&format!("{word} {answer}"));
    lie.set(false);
    survive(&ferry, &["sync"], &[0, 65]);
    survive(&ferry, &["sync"], &[0, 65]);
    for names in [local(&ferry, "INBOX"), remote(&fake, "INBOX")] {
        for name in ["b", "c", "d"] {
            assert_eq!(names.iter().filter(|n| *n == name).count(), 1, "{word} {answer:?}: {name} in {names:?}");
        }
    }
}

#[test]
fn vanished_for_everything() {
    for answer in ["* VANISHED 1:4294967295\r\n{tag} OK\r\n", "* VANISHED (EARLIER) 1:4294967295\r\n{tag} OK\r\n"] {
        forged("IMAP4rev1 UIDPLUS ENABLE CONDSTORE QRESYNC", "FETCH", answer);
        forged("IMAP4rev1 UIDPLUS ENABLE CONDSTORE QRESYNC", "SELECT", answer);
    }
}

/// As [`forged`], but the lie stands among honest answers, to every command of an open folder: before them and before their last line.
#[track_caller]
fn slipped_in(capabilities: &str, lie: &'static str) {
    for word in [" SELECT ", " UID FETCH ", " NOOP", " UID STORE ", " UID EXPUNGE ", " APPEND ", " STATUS ", " LIST "] {
        let told = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let (on, counted) = (Switch::default(), told.clone());
        let lying = on.clone();
        let mut store = holding(capabilities, &["a", "b", "c"]);
        store.filter = Filter::new(move |c, answer| {
            if !lying.is_on() || !c.line.contains(word) {
                return answer;
            }
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let end = answer[..answer.len() - 2].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            [lie.as_bytes(), &answer[..end], lie.as_bytes(), &answer[end..]].concat()
        });
        let fake = FakeImap::start(store);
        let mut ferry = unguarded(fake.port());
        ferry.set("timeout", "\"1s\"");
        ferry.sync();
        on.set(true);
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("d"), &[], DATE)));
        ferry.local().deliver("INBOX", &mail("e"), &flags("S"), DATE);
        delete(&ferry, "INBOX", "a");
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 65, 69, 75]);
        }
        on.set(false);
        for _ in 0..3 {
            survive(&ferry, &["sync", "--full"], &[0, 65]);
        }
        // Only where STATUS and NOOP are of no use are they not sent.
        let counts = told.load(std::sync::atomic::Ordering::SeqCst);
        assert!(counts > 0 || [" NOOP", " STATUS "].contains(&word), "{word} was never heard");
        for names in [local(&ferry, "INBOX"), remote(&fake, "INBOX")] {
            for name in ["b", "c", "d", "e"] {
                assert_eq!(names.iter().filter(|n| *n == name).count(), 1, "{word} {lie:?}: {name} in {names:?}");
            }
        }
    }
}

#[test]
fn lies_among_honest_answers() {
    for lie in [
        "* VANISHED 1:4294967295\r\n",
        "* VANISHED (EARLIER) 1:3,\r\n",
        "* 1 EXPUNGE\r\n",
        "* 0 EXISTS\r\n",
        "* OK [UIDVALIDITY 77] changed my mind\r\n",
        "* OK [HIGHESTMODSEQ 1] .\r\n* OK [UIDNEXT 1] .\r\n",
        "* 2 FETCH (UID 3 FLAGS (\\Deleted))\r\n",
        "* OK [COPYUID 1 1:3 1:3] .\r\n* OK [APPENDUID 1 2] .\r\n",
        "* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1)\r\n",
        "* LIST (\\Noselect) \"/\" INBOX\r\n",
    ] {
        slipped_in("IMAP4rev1 UIDPLUS ID", lie);
    }
}

#[test]
fn an_empty_folder_under_the_same_uidvalidity() {
    let empty = "* 0 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 5] .\r\n{tag} OK [READ-WRITE]\r\n";
    let hook: Hook = Box::new(move |c, _| c.line.contains("SELECT").then(|| empty.as_bytes().to_vec()));
    let (fake, mut ferry, lie) = lying(holding("IMAP4rev1", &["a", "b", "c"]), hook);
    ferry.set("max_delete", "\"50%\"");
    ferry.sync();
    lie.set(true);
    survive(&ferry, &["sync"], &[0, 65, 69]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "b", "c"]);
    // EXISTS is no listing: what FETCH gives counts.
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c"]);
}

#[test]
fn uidvalidity_that_is_zero_absent_or_changes_each_time() {
    for lie in ["", "* OK [UIDVALIDITY 0] .\r\n", "* OK [UIDVALIDITY -1] .\r\n", "* OK [UIDVALIDITY 4294967296] .\r\n"]
    {
        let answer: &'static str =
            Box::leak(format!("* 4 EXISTS\r\n{lie}* OK [UIDNEXT 5] .\r\n{{tag}} OK [READ-WRITE]\r\n").into_boxed_str());
        forged("IMAP4rev1 UIDPLUS", "SELECT", answer);
    }
}

#[test]
fn modseqs_that_go_back_overflow_or_are_negative() {
    for modseq in ["0", "1", "-1", "18446744073709551615", "99999999999999999999"] {
        let text = format!(
            "* 4 EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 5] .\r\n* OK [HIGHESTMODSEQ {modseq}] .\r\n{{tag}} OK [READ-WRITE]\r\n"
        );
        forged("IMAP4rev1 UIDPLUS ENABLE CONDSTORE", "SELECT", Box::leak(text.into_boxed_str()));
    }
}

/// APPENDUID names a message that was there before: were it believed, deleting the new one here would delete the old one there.
#[test]
fn appenduid_of_another_message() {
    for code in [
        "[APPENDUID 1 1]",
        "[APPENDUID 1 2]",
        "[APPENDUID 2 9]",
        "[APPENDUID 1 0]",
        "[APPENDUID 1 1:4294967295]",
        "[APPENDUID 1 900]",
    ] {
        let hook: Hook = Box::new(move |c, store| {
            c.line.contains(" APPEND ").then(|| {
                let sent = c.literals.last().cloned().unwrap_or_default();
                store.folders.entry("INBOX".into()).or_default().add(&sent, &[], DATE);
                format!("{{tag}} OK {code} stored\r\n").into_bytes()
            })
        });
        let (fake, ferry, lie) = lying(holding("IMAP4rev1 UIDPLUS", &["a", "b"]), hook);
        ferry.sync();
        lie.set(true);
        ferry.local().deliver("INBOX", &mail("new"), &flags("S"), DATE);
        survive(&ferry, &["sync"], &[0, 65, 69]);
        delete(&ferry, "INBOX", "new");
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 65, 69]);
        }
        let there = remote(&fake, "INBOX");
        assert!(there.starts_with(&["a".to_owned(), "b".to_owned()]), "{code}: {there:?}");
        let here = local(&ferry, "INBOX");
        assert!(here.starts_with(&["a".to_owned(), "b".to_owned()]), "{code}: {here:?}");
    }
}

/// COPYUID names another message of the target.
#[test]
fn copyuid_of_another_message() {
    for code in
        ["[COPYUID 1 1 1]", "[COPYUID 1 1 2]", "[COPYUID 1 2 1]", "[COPYUID 9 1 3]", "[COPYUID 1 1:9 1:9]", "[COPYUID]"]
    {
        let hook: Hook = Box::new(move |c, store: &mut Store| {
            c.line.contains("UID COPY").then(|| {
                let first = store.folders.get("INBOX").and_then(|f| f.messages.first().cloned()).expect("a message");
                store.folders.entry("Work".into()).or_default().add(&first.bytes, &["\\Seen"], DATE);
                format!("{{tag}} OK {code} copied\r\n").into_bytes()
            })
        });
        let mut store = holding("IMAP4rev1 UIDPLUS", &["a", "b"]);
        let work = store.folders.entry("Work".into()).or_default();
        work.add(&mail("x"), &["\\Seen"], DATE);
        work.add(&mail("y"), &["\\Seen"], DATE);
        let (fake, ferry, lie) = lying(store, hook);
        ferry.sync();
        lie.set(true);
        let home = ferry.local();
        let message = home.messages("INBOX").into_iter().find(|m| m.bytes == mail("a")).expect("a");
        home.mv("INBOX", std::path::Path::new(&message.place), "Work");
        survive(&ferry, &["sync"], &[0, 65, 69]);
        delete(&ferry, "Work", "a");
        for _ in 0..3 {
            survive(&ferry, &["sync"], &[0, 65, 69]);
        }
        let there = remote(&fake, "Work");
        assert!(there.contains(&"x".into()) && there.contains(&"y".into()), "{code}: {there:?}");
        let here = local(&ferry, "Work");
        assert!(here.contains(&"x".into()) && here.contains(&"y".into()), "{code}: {here:?}");
        assert_eq!((local(&ferry, "INBOX"), remote(&fake, "INBOX")), (vec!["b".to_owned()], vec!["b".to_owned()]));
    }
}

#[test]
fn bodies_that_nobody_asked_for() {
    let evil = "Subject: evil\r\n\r\nx\r\n";
    let text = format!(
        "* 1 FETCH (UID 1 FLAGS () BODY[] {{{}}}\r\n{evil})\r\n* 9 FETCH (UID 99 BODY[] {{{}}}\r\n{evil})\r\n",
        evil.len(),
        evil.len()
    );
    for word in ["LOGIN", "LIST", "STATUS", "SELECT", "FETCH"] {
        let text = text.clone();
        let hook: Hook = Box::new(move |c, store| {
            if !c.line.contains(word) || c.line.contains("BODY") {
                return None;
            }
            let listing: Vec<u8> =
                store.folders["INBOX"].messages.iter().enumerate().flat_map(|(i, m)| listing_line(i + 1, m)).collect();
            let select = "* 2 EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 3] .\r\n* LIST () \"/\" INBOX\r\n* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1)\r\n";
            let mut out = format!("{text}{select}").into_bytes();
            if word == "FETCH" {
                out.extend(listing);
            }
            out.extend(text.as_bytes());
            out.extend(b"{tag} OK\r\n");
            Some(out)
        });
        let (fake, ferry, lie) = lying(holding("IMAP4rev1", &["a", "b"]), hook);
        lie.set(true);
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 69]);
        }
        let here = local(&ferry, "INBOX");
        assert!(!here.contains(&"evil".to_owned()), "{word}: {here:?}");
        assert_eq!(remote(&fake, "INBOX"), ["a", "b"]);
    }
}

#[test]
fn sizes_that_lie_are_hints() {
    for size in ["0", "1", "4294967295", "99999999999", "18446744073709551616", "-5"] {
        let hook: Hook = Box::new(move |c, store| {
            lists(&c.line).then(|| {
                let lines =
                    store.folders["INBOX"].messages.iter().enumerate().flat_map(|(i, m)| listing_line(i + 1, m));
                let text = String::from_utf8(lines.collect()).expect("text");
                let lied: String = text
                    .split_inclusive("RFC822.SIZE ")
                    .map(|piece| match piece.starts_with(|c: char| c.is_ascii_digit()) {
                        true => format!("{size}{}", piece.trim_start_matches(|c: char| c.is_ascii_digit())),
                        false => piece.to_owned(),
                    })
                    .collect();
                format!("{lied}{{tag}} OK\r\n").into_bytes()
            })
        });
        let (fake, ferry, lie) = lying(holding("IMAP4rev1", &["a", "b"]), hook);
        lie.set(true);
        for _ in 0..2 {
            survive(&ferry, &["sync"], &[0, 69]);
        }
        assert_eq!(remote(&fake, "INBOX"), ["a", "b"]);
        lie.set(false);
        survive(&ferry, &["sync"], &[0]);
        assert_eq!(local(&ferry, "INBOX"), ["a", "b"], "{size}");
    }
}
