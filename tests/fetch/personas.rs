//! The large providers as they are known to behave over POP3, and small ones with known faults: each gives its mail once, and keeps
//! what it was not told to delete.

use crate::support::fake_pop3::{FakePop3, Hook, Maildrop};
use crate::support::ferry::{Ferry, Outcome};
use crate::support::peer::Command;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

fn capabilities(lines: &str) -> Vec<String> {
    lines.split('|').map(str::to_owned).collect()
}

fn maildrop(lines: &str, count: usize) -> Maildrop {
    let mut drop = Maildrop { capabilities: capabilities(lines), ..Maildrop::default() };
    for n in 0..count {
        drop.add(&format!("GmailId{n:016x}"), format!("Subject: {n}\nMessage-ID: <{n}@x>\n\nthis is {n}\n").as_bytes());
    }
    drop
}

fn account(fake: &FakePop3, user: &str) -> Ferry {
    Ferry::pop3(fake.port(), user)
}

#[track_caller]
fn fetch(ferry: &Ferry, more: &[&str]) -> Outcome {
    let outcome = ferry.json(&[&["fetch"], more].concat());
    outcome.assert_code(0);
    assert!(ferry.local().leftovers().is_empty());
    outcome
}

fn words(command: &Command) -> Vec<&str> {
    command.line.split(' ').collect()
}

/// What was retrieved leaves the listing at QUIT, and a listing has at most 250 messages; `recent:` shows all, always.
#[derive(Default)]
struct Gmail {
    recent: bool,
    /// The ids of this session's listing.
    shown: Vec<String>,
    retrieved: BTreeSet<String>,
    popped: BTreeSet<String>,
}

const GMAIL: &str = "USER|RESP-CODES|EXPIRE 0|LOGIN-DELAY 300|TOP|UIDL|X-GOOGLE-RICO|SASL PLAIN XOAUTH2 OAUTHBEARER";

fn gmail(count: usize) -> (FakePop3, Arc<Mutex<Gmail>>) {
    let state = Arc::new(Mutex::new(Gmail::default()));
    let shared = state.clone();
    let hook: Hook = Box::new(move |command, drop| {
        let mut gmail = shared.lock().unwrap();
        let all = drop.messages.clone();
        let pick = |n: Option<&&str>, shown: &[String]| {
            let id = shown.get(n?.parse::<usize>().ok()?.checked_sub(1)?)?;
            all.iter().find(|m| m.uidl == *id).cloned()
        };
        let listing = |gmail: &Gmail, each: &dyn Fn(&str) -> String| {
            let lines: String =
                gmail.shown.iter().enumerate().map(|(i, id)| format!("{} {}\r\n", i + 1, each(id))).collect();
            Some(format!("+OK\r\n{lines}.\r\n").into_bytes())
        };
        let said = words(command);
        match (said[0], said.get(1)) {
            ("AUTH", _) => {
                use base64::Engine as _;
                let proof = base64::engine::general_purpose::STANDARD.decode(said[2]).unwrap();
                gmail.recent = String::from_utf8_lossy(&proof).contains("recent:");
                gmail.retrieved.clear();
                let open = all.iter().map(|m| m.uidl.clone());
                gmail.shown = match gmail.recent {
                    true => open.collect(),
                    false => open.filter(|id| !gmail.popped.contains(id)).take(250).collect(),
                };
                Some(b"+OK Welcome.\r\n".to_vec())
            }
            ("UIDL", None) => listing(&gmail, &|id| id.to_owned()),
            ("LIST", None) => listing(&gmail, &|id| all.iter().find(|m| m.uidl == id).unwrap().bytes.len().to_string()),
            ("UIDL", n) => Some(format!("+OK {} {}\r\n", n.unwrap(), pick(n, &gmail.shown)?.uidl).into_bytes()),
            ("TOP" | "RETR", n) => {
                let message = pick(n, &gmail.shown)?;
                if said[0] == "RETR" {
                    gmail.retrieved.insert(message.uidl.clone());
                }
                Some([b"+OK\r\n".as_slice(), &message.bytes, b".\r\n"].concat())
            }
            ("QUIT", _) => {
                if !gmail.recent {
                    let retrieved = std::mem::take(&mut gmail.retrieved);
                    gmail.popped.extend(retrieved);
                }
                Some(b"+OK Farewell.\r\n".to_vec())
            }
            _ => None,
        }
    });
    (FakePop3::with_hook(maildrop(GMAIL, count), hook), state)
}

#[test]
fn gmail_gives_everything_in_one_run_and_recent_doubles_nothing() {
    let (fake, state) = gmail(620);
    let mut ferry = account(&fake, "me@gmail.com");
    let first = fetch(&ferry, &[]);
    assert_eq!((first.figure("downloaded"), state.lock().unwrap().popped.len()), (620, 620));
    // No warning about EXPIRE 0: what Gmail does with its copy is a setting there.
    assert!(first.events_of("warning").is_empty());
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    // The same memory serves the user name that shows all of the last month to every client.
    ferry.set("user", "\"recent:me@gmail.com\"");
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    fake.change(|m| m.add("new", b"Subject: new\n\nnew\n"));
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 1);
    ferry.set("user", "\"me@gmail.com\"");
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    assert_eq!((ferry.local().messages("INBOX").len(), fake.maildrop().messages.len()), (621, 621));
}

#[test]
fn gmail_is_not_told_to_hide_what_is_not_safe() {
    let (fake, state) = gmail(3);
    let ferry = account(&fake, "me@gmail.com");
    // Where the folder should be there is a file.
    std::fs::create_dir_all(&ferry.local().root).unwrap();
    std::fs::write(ferry.local().root.join("INBOX"), "in the way").unwrap();
    assert_ne!(ferry.json(&["fetch"]).code, Some(0));
    assert!(!fake.heard().contains("QUIT"));
    std::fs::remove_file(ferry.local().root.join("INBOX")).unwrap();
    let planned = fetch(&ferry, &["-n"]);
    assert_eq!((planned.events_of("planned").len(), state.lock().unwrap().popped.len()), (3, 0));
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 3);
}

#[test]
fn a_second_login_that_comes_too_soon_is_left_to_the_next_run() {
    let (fake, _) = gmail(300);
    let inner = fake.maildrop();
    drop(fake);
    let logins = Arc::new(Mutex::new(0));
    let counted = logins.clone();
    let hook: Hook = Box::new(move |command, _| {
        let mut logins = counted.lock().unwrap();
        *logins += u32::from(command.line.starts_with("AUTH"));
        (command.line.starts_with("AUTH"))
            .then(|| if *logins == 2 { b"-ERR [LOGIN-DELAY] wait\r\n".to_vec() } else { b"+OK\r\n".to_vec() })
    });
    let fake = FakePop3::with_hook(inner, hook);
    let ferry = account(&fake, "me@gmail.com");
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 300);
    assert_eq!(*logins.lock().unwrap(), 2);
    // A login that is refused for that alone is for later.
    *logins.lock().unwrap() = 1;
    ferry.json(&["fetch"]).assert_code(75);
}

#[test]
fn a_site_that_may_not_keep_is_told_of_once() {
    let fake = FakePop3::start(maildrop("USER|UIDL|TOP|EXPIRE 0|PIPELINING", 2));
    let ferry = account(&fake, "me");
    let warnings = [(); 2].map(|()| fetch(&ferry, &[]).events_of("warning"));
    assert!(warnings[0][0]["message"].as_str().unwrap().contains("EXPIRE 0"));
    assert_eq!((warnings[0].len(), warnings[1].len()), (1, 0));
}

#[test]
fn microsoft_with_sizes_of_its_store_and_numbers_for_ids() {
    // No PIPELINING, no RESP-CODES; UIDLs are small numbers; AUTH takes no initial response; one item has no content.
    let mut drop = maildrop("TOP|UIDL|SASL PLAIN XOAUTH2|USER", 0);
    for n in 0..40 {
        drop.add(&format!("{}", 6499 + n), format!("Subject: {n}\n\nthis is {n}\n").as_bytes());
    }
    let hook: Hook = Box::new(|command, drop| {
        let said = words(command);
        match (said[0], said.get(1)) {
            ("AUTH", Some(&"XOAUTH2")) if said.len() == 2 => Some(b"+ \r\n".to_vec()),
            ("AUTH", _) => Some(b"-ERR Protocol error. Connection is closed. 10\r\n".to_vec()),
            (one, None) if one.len() > 30 => Some(b"+OK User successfully logged on.\r\n".to_vec()),
            ("LIST", None) => {
                let lines: String = drop
                    .messages
                    .iter()
                    .enumerate()
                    .map(|(i, m)| format!("{} {}\r\n", i + 1, m.bytes.len() / 2))
                    .collect();
                Some(format!("+OK\r\n{lines}.\r\n").into_bytes())
            }
            ("RETR", Some(&"7")) => Some(b"+OK\r\n.\r\n".to_vec()),
            _ => None,
        }
    });
    let fake = FakePop3::with_hook(drop, hook);
    let mut ferry = account(&fake, "me@outlook.com");
    ferry.set("auth", "\"xoauth2\"");
    ferry.set("password", &format!("{:?}", "token".repeat(900)));
    let outcome = ferry.json(&["fetch"]);
    outcome.assert_code(69);
    assert_eq!((outcome.figure("downloaded"), outcome.figure("skipped")), (39, 1));
    assert!(outcome.events_of("error")[0]["message"].as_str().unwrap().contains("message 7 (6505)"));
    let before = fake.heard().len();
    assert_eq!(ferry.json(&["fetch"]).figure("downloaded"), 0);
    assert!(fake.heard()[before..].matches("RETR").count() == 1, "only the empty one is asked for again");
    // The mailbox was moved, and the numbers begin anew: all is other mail.
    fake.change(|m| {
        for (n, message) in m.messages.iter_mut().enumerate() {
            message.bytes = format!("Subject: {n:04}\r\n\r\nmoved {n}\r\n").into_bytes();
        }
    });
    assert_eq!(ferry.json(&["fetch"]).figure("downloaded"), 39);
    assert_eq!(ferry.local().messages("INBOX").len(), 78);
}

#[test]
fn yahoo_refuses_now_and_then() {
    let refused = Arc::new(Mutex::new(true));
    let flag = refused.clone();
    let hook: Hook = Box::new(move |command, _| {
        let first = command.line.starts_with("AUTH") && std::mem::take(&mut *flag.lock().unwrap());
        match words(command)[0] {
            "AUTH" if first => Some(b"-ERR [SYS/TEMP] Server error - Please try again later.\r\n".to_vec()),
            "AUTH" => Some(b"+OK logged in\r\n".to_vec()),
            _ => None,
        }
    });
    let fake = FakePop3::with_hook(maildrop("TOP|UIDL|SASL PLAIN XOAUTH2|EXPIRE NEVER|USER", 5), hook);
    let ferry = account(&fake, "me@yahoo.com");
    ferry.json(&["fetch"]).assert_code(75);
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 5);
    assert_eq!(fetch(&ferry, &["--delete"]).figure("deleted_remote"), 5);
}

#[test]
fn qq_and_163_say_it_in_their_own_words() {
    // 163 greets with a stamp that it does not mean, in Latin letters and others; ids hold blanks' neighbours of ASCII.
    let mut drop = maildrop("UIDL|TOP|USER", 0);
    drop.greeting =
        "+OK Welcome to coremail Mail Pop3 Server (163coms[10774b260cc7a37d26d71b52404dcf5cs]) <1a2b@163.com>".into();
    for id in ["1tbiQg~^{|}", "xtbBDQ%2F/../x", "A".repeat(70).as_str(), "with blank"] {
        drop.add(id, format!("Subject: {id}\n\nx\n").as_bytes());
    }
    let hook: Hook = Box::new(|command, _| match words(command)[0] {
        "APOP" => Some(b"-ERR Unable to log on\r\n".to_vec()),
        "PASS" if command.line.contains("wrong") => {
            Some("-ERR Unable to log on \u{6388}\u{6743}\u{7801}\u{9519}\u{8bef}\r\n".as_bytes().to_vec())
        }
        _ => None,
    });
    let fake = FakePop3::with_hook(drop, hook);
    let mut ferry = account(&fake, "me@163.com");
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 4);
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    ferry.set("password", "\"wrong\"");
    let refused = ferry.json(&["fetch"]);
    refused.assert_code(77);
    assert!(refused.events_of("error")[0]["message"].as_str().unwrap().contains('\u{6388}'));
    ferry.set("password", "\"pass\"");
    assert_eq!(fetch(&ferry, &["--delete"]).figure("deleted_remote"), 4);
}

#[test]
fn an_old_server_without_anything() {
    // RFC 1939 and no more: no CAPA, UIDL, TOP or codes, lines that end with LF alone, and a listing that came too short.
    let hook: Hook = Box::new(|command, _| match words(command)[0] {
        "UIDL" | "TOP" | "CAPA" => Some(b"-ERR what?\r\n".to_vec()),
        _ => None,
    });
    let fake = FakePop3::with_hook(Maildrop { capabilities: Vec::new(), ..maildrop("", 6) }, hook);
    let ferry = account(&fake, "me");
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 6);
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    assert_eq!(fetch(&ferry, &["--delete"]).figure("deleted_remote"), 6);
    assert_eq!(ferry.local().messages("INBOX").len(), 6);
}

#[test]
fn an_empty_mailbox_for_a_moment_is_not_a_purge() {
    let empty = Arc::new(Mutex::new(false));
    let flag = empty.clone();
    let hook: Hook = Box::new(move |command, _| {
        let lie = *flag.lock().unwrap() && matches!(command.line.as_str(), "UIDL" | "LIST");
        lie.then(|| b"+OK\r\n.\r\n".to_vec())
    });
    let fake = FakePop3::with_hook(maildrop("USER|UIDL|TOP|PIPELINING", 30), hook);
    let ferry = account(&fake, "me");
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 30);
    *empty.lock().unwrap() = true;
    assert_eq!(fetch(&ferry, &["--delete"]).figure("deleted_remote"), 0);
    *empty.lock().unwrap() = false;
    let before = fake.heard().len();
    assert_eq!(fetch(&ferry, &[]).figure("downloaded"), 0);
    assert!(!fake.heard()[before..].contains("RETR"), "known by their headers");
}
