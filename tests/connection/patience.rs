//! How long a server is waited for, how often it is asked again, and what its refusals are (SPEC §2 `timeout`, §8).

use crate::support::fake_imap::{FakeImap, Folder, Hook, Store};
use crate::support::ferry::Ferry;
use crate::support::peer::{Handler, Peer};
use std::time::{Duration, Instant};

const DATE: i64 = 1_600_000_000;

fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\n{name}\n").into_bytes()
}

fn fake(capabilities: &str, hook: Hook) -> FakeImap {
    let mut store = Store { capabilities: capabilities.into(), ..Store::default() };
    for name in ["INBOX", "Work"] {
        let folder: &mut Folder = store.folders.entry(name.into()).or_default();
        folder.add(&mail(name), &["\\Seen"], DATE);
    }
    FakeImap::with_hook(store, hook)
}

fn ferry(port: u16, timeout: &str) -> Ferry {
    let mut ferry = Ferry::imap(port, "someone");
    ferry.set("timeout", &format!("{timeout:?}"));
    ferry
}

/// Answers one command so, always.
fn answering(word: &'static str, answer: &'static str) -> Hook {
    Box::new(move |c, _| c.line.to_ascii_uppercase().contains(word).then(|| answer.as_bytes().to_vec()))
}

fn logins(fake: &FakeImap) -> usize {
    fake.heard().lines().filter(|line| line.contains(" LOGIN ")).count()
}

#[test]
fn a_silent_server_is_given_half_one_and_two_time_outs_and_then_up() {
    let fake = fake("IMAP4rev1 UIDPLUS", answering(" SELECT ", ""));
    let begun = Instant::now();
    ferry(fake.port(), "2s").json(&["sync"]).assert_code(75);
    assert_eq!(logins(&fake), 4);
    // Four waits of two seconds, and the pauses between them.
    assert!(begun.elapsed() >= Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_coded_refusal_is_for_later_and_a_plain_one_for_the_user_and_neither_is_tried_again() {
    for (answer, code) in [
        ("{tag} NO [UNAVAILABLE] later\r\n", 75),
        ("{tag} NO [LIMIT] too many\r\n", 75),
        ("{tag} NO [INUSE] another has it\r\n", 75),
        ("{tag} NO who are you\r\n", 77),
        ("{tag} NO [AUTHENTICATIONFAILED] no\r\n", 77),
        ("{tag} NO [AUTHORIZATIONFAILED] no\r\n", 77),
        ("{tag} NO [EXPIRED] no\r\n", 77),
    ] {
        let fake = fake("IMAP4rev1", answering(" LOGIN ", answer));
        let begun = Instant::now();
        ferry(fake.port(), "60s").json(&["sync"]).assert_code(code);
        assert_eq!(logins(&fake), 1, "{answer}");
        // Half a time-out would have been the first pause.
        assert!(begun.elapsed() < Duration::from_secs(29), "{answer}");
    }
}

#[test]
fn a_goodbye_at_the_login_is_tried_again() {
    let fake = fake("IMAP4rev1", answering(" LOGIN ", "* BYE going down\r\n"));
    ferry(fake.port(), "1s").json(&["sync"]).assert_code(75);
    assert_eq!(logins(&fake), 4);
}

#[test]
fn bad_to_an_initial_response_is_tried_once_without_it() {
    let refusing = |all: bool| -> Hook {
        Box::new(move |c, _| {
            let asked = c.line.contains(" AUTHENTICATE ") && (all || c.line.split(' ').count() > 3);
            asked.then(|| b"{tag} BAD no such thing\r\n".to_vec())
        })
    };
    for (all, code) in [(false, 0), (true, 77)] {
        let fake = fake("IMAP4rev1 LOGINDISABLED SASL-IR AUTH=PLAIN", refusing(all));
        ferry(fake.port(), "10s").json(&["sync"]).assert_code(code);
        assert_eq!(fake.heard().matches(" AUTHENTICATE PLAIN").count(), 2, "{}", fake.heard());
    }
}

#[test]
fn no_to_select_fails_that_folder_alone() {
    for word in [" SELECT \"WORK\"", " EXAMINE \"WORK\""] {
        let fake = fake("IMAP4rev1 UIDPLUS", answering(word, "{tag} NO [NOPERM] not you\r\n"));
        let ferry = ferry(fake.port(), "10s");
        let outcome = ferry.json(&["sync"]);
        let heard = fake.heard();
        if heard.to_ascii_uppercase().contains(word) {
            outcome.assert_code(69);
            assert_eq!(outcome.events_of("summary")[0]["result"], "partial");
            let errors = outcome.events_of("error");
            assert!(errors.iter().all(|e| e["folder"] == "Work"), "{errors:?}");
            assert!(!errors.is_empty());
        }
        assert_eq!(ferry.local().messages("INBOX").len(), 1);
    }
}

/// A server that says `lead` and then a little more every tenth of a second.
fn dribbling(lead: &'static str, until: &'static str, more: &'static str) -> Peer {
    let handler: Handler = Box::new(move |c| {
        c.send(lead)?;
        while !until.is_empty() {
            let command = c.command()?;
            if command.line.contains(until) {
                break;
            }
            c.answer("{tag} OK [CAPABILITY IMAP4rev1] done\r\n")?;
        }
        while c.send(more).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    });
    Peer::start(vec![handler])
}

#[test]
fn bytes_that_dribble_do_not_hold_a_login_for_longer_than_four_time_outs() {
    let peer = dribbling("* OK ", "", "x");
    let begun = Instant::now();
    ferry(peer.port(), "1s").json(&["folders", "work"]).assert_code(75);
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn chatter_does_not_hold_a_command_for_longer_than_its_time() {
    let peer = dribbling("* OK [CAPABILITY IMAP4rev1] hi\r\n", " LIST ", "* OK still here\r\n");
    let begun = Instant::now();
    ferry(peer.port(), "1s").json(&["folders", "work"]).assert_code(75);
    let took = begun.elapsed();
    // Fifteen time-outs, but at least half a minute.
    assert!(took >= Duration::from_secs(30) && took < Duration::from_secs(50), "{took:?}");
}
