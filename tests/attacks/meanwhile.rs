//! Things that happen while a run is at work or between two: a mail reader, a server that goes, changes its mind or crawls, clocks that
//! jump, Maildirs that are copied and put back.

use super::stand::{DATE, Switch, holding, local, mail, remote, subject, survive, unguarded};
use crate::support::corpus::Rng;
use crate::support::fake_imap::{FakeImap, Hook};
use crate::support::ferry::Ferry;
use crate::support::message::flags;
use crate::support::peer::{Handler, Peer};
use crate::support::rig::Rig;
use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// What a reader did, for the reckoning at the end.
#[derive(Default)]
struct Diary {
    added: Vec<String>,
    deleted: Vec<String>,
}

/// A mail reader that renames, moves, adds and deletes without pause until told to stop. Races it loses (a file that the program
/// renamed first) it takes as a reader does: it looks again.
fn reader(local: crate::support::local::Local, stop: Arc<AtomicBool>, seed: u64) -> std::thread::JoinHandle<Diary> {
    std::thread::spawn(move || {
        let (mut rng, mut diary, mut step) = (Rng::new(seed), Diary::default(), 0);
        while !stop.load(Ordering::SeqCst) {
            step += 1;
            let folder = *rng.pick(&["INBOX", "Work"]);
            let dir = local.dir(folder);
            let names: Vec<(String, String)> = ["new", "cur"]
                .iter()
                .flat_map(|sub| {
                    let list = fs::read_dir(dir.join(sub)).into_iter().flatten().flatten();
                    list.map(|e| ((*sub).to_owned(), e.file_name().to_string_lossy().into_owned())).collect::<Vec<_>>()
                })
                .collect();
            if rng.chance(15) {
                let name = format!("reader{step}");
                local.deliver(folder, &mail(&name), &flags("S"), DATE);
                diary.added.push(name);
            } else if !names.is_empty() {
                let (sub, name) = rng.pick(&names).clone();
                let from = dir.join(&sub).join(&name);
                let unique = name.split(":2,").next().unwrap_or_default().to_owned();
                let letters = *rng.pick(&["", "S", "FS", "RS", "F"]);
                match rng.below(10) {
                    0 => {
                        let gone = subject(&fs::read(&from).unwrap_or_default());
                        if !gone.is_empty() && fs::remove_file(&from).is_ok() {
                            diary.deleted.push(gone);
                        }
                    }
                    1 => {
                        let other = if folder == "INBOX" { "Work" } else { "INBOX" };
                        fs::rename(&from, local.dir(other).join("cur").join(format!("{unique}:2,{letters}"))).ok();
                    }
                    _ => _ = fs::rename(&from, dir.join("cur").join(format!("{unique}:2,{letters}"))),
                }
            }
            // The pace of a quick hand; nothing waits for it.
            std::thread::sleep(Duration::from_millis(3));
        }
        diary
    })
}

#[test]
fn a_mail_reader_at_work_all_the_time() {
    let rig = Rig::usual("reader");
    let mut session = rig.mailbox();
    session.create("Work");
    let mut all = Vec::new();
    for i in 0..40 {
        let name = format!("m{i}");
        session.append(if i % 2 == 0 { "INBOX" } else { "Work" }, &mail(&name), &flags(""), DATE);
        all.push(name);
    }
    rig.sync();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = reader(rig.local(), stop.clone(), 7);
    for i in 0..6 {
        let name = format!("server{i}");
        session.append("INBOX", &mail(&name), &flags("F"), DATE);
        all.push(name);
        // 75: a file went while it was being sent, and the connection with it.
        let outcome = rig.ferry.json(&["sync"]);
        assert!(matches!(outcome.code, Some(0 | 65 | 69 | 75)), "{} {}", outcome.stdout, outcome.stderr);
    }
    stop.store(true, Ordering::SeqCst);
    let diary = reader.join().expect("the reader");
    drop(session);
    for _ in 0..3 {
        let outcome = rig.ferry.json(&["sync"]);
        assert!(matches!(outcome.code, Some(0 | 65)), "{} {}", outcome.stdout, outcome.stderr);
    }
    rig.ferry.sync();
    rig.assert_in_step();
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let remote = rig.remote();
    for folder in ["INBOX", "Work", "Trash"] {
        for message in &remote[folder] {
            places.entry(subject(&message.bytes)).or_default().push(folder);
        }
    }
    assert!(diary.added.len() + diary.deleted.len() > 3, "the reader did next to nothing");
    for name in all.iter().chain(&diary.added) {
        let found = places.get(name).cloned().unwrap_or_default();
        let (gone, deleted) = (!found.iter().any(|f| *f != "Trash"), diary.deleted.contains(name));
        // A move whose two ends no single run saw at rest is an arrival, and later a deletion: then a copy lies in the Trash.
        assert!(
            (deleted || !found.is_empty()) && found.iter().filter(|f| **f != "Trash").count() <= 1,
            "{name} stands in {found:?} ({deleted})"
        );
        assert!(!gone || deleted, "{name} is only in the Trash, and nobody deleted it");
    }
}

/// A server that hangs up, with BYE or without a word, at its n-th command.
#[test]
fn a_server_that_restarts_in_the_middle() {
    for bye in ["* BYE server shutting down\r\n", ""] {
        for at in 3..14 {
            let count = Arc::new(AtomicUsize::new(0));
            let on = Switch::default();
            let (heard, going) = (count.clone(), on.clone());
            let hook: Hook = Box::new(move |_, _| {
                let ends = going.is_on() && heard.fetch_add(1, Ordering::SeqCst) == at;
                ends.then(|| format!("{bye}\u{0}end").into_bytes())
            });
            let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c"]), hook);
            let mut ferry = unguarded(fake.port());
            ferry.set("timeout", "\"1s\"");
            ferry.sync();
            ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
            fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("there"), &[], DATE)));
            super::stand::delete(&ferry, "INBOX", "a");
            on.set(true);
            survive(&ferry, &["sync"], &[0, 65, 69, 75]);
            on.set(false);
            survive(&ferry, &["sync"], &[0, 65]);
            survive(&ferry, &["sync"], &[0, 65]);
            assert_eq!(local(&ferry, "INBOX"), ["b", "c", "here", "there"], "{bye:?} at {at}");
            assert_eq!(remote(&fake, "INBOX"), ["b", "c", "here", "there"], "{bye:?} at {at}");
        }
    }
}

/// Between runs, and in the middle of one: nothing is lost or doubled, and nothing comes down that is here.
#[test]
fn another_uidvalidity_between_runs_and_within_one() {
    for within in [false, true] {
        let anew = |s: &mut crate::support::fake_imap::Store| {
            let inbox = s.folders.get_mut("INBOX").expect("INBOX");
            inbox.uid_validity += 1;
            for (i, message) in inbox.messages.iter_mut().enumerate() {
                message.uid = u32::try_from(i).unwrap_or(0) + 101;
            }
            inbox.uid_next = 201;
        };
        let (on, count) = (Switch::default(), AtomicUsize::new(0));
        let going = on.clone();
        let hook: Hook = Box::new(move |c, store| {
            if going.is_on() && c.line.contains(" SELECT ") && count.fetch_add(1, Ordering::SeqCst) == 1 {
                anew(store);
            }
            None
        });
        let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c", "d"]), hook);
        let ferry = unguarded(fake.port());
        ferry.sync();
        match within {
            true => on.set(true),
            false => fake.change(anew),
        }
        ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("there"), &["\\Seen"], DATE)));
        for _ in 0..4 {
            survive(&ferry, &["sync"], &[0, 65, 69]);
        }
        assert_eq!(local(&ferry, "INBOX"), ["a", "b", "c", "d", "here", "there"], "within: {within}");
        assert_eq!(remote(&fake, "INBOX"), ["a", "b", "c", "d", "here", "there"], "within: {within}");
    }
}

/// Every file and directory is given times of long ago, then of the far future, as a clock that jumped leaves them; messages change
/// meanwhile.
#[test]
fn clocks_that_jump() {
    let now = SystemTime::now();
    for time in [SystemTime::UNIX_EPOCH + Duration::from_secs(86_400), now + Duration::from_secs(10 * 365 * 86_400)] {
        let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c"]));
        let ferry = unguarded(fake.port());
        ferry.sync();
        super::stand::delete(&ferry, "INBOX", "a");
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("there"), &["\\Seen"], DATE)));
        ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
        let inbox = ferry.local().dir("INBOX");
        for dir in ["cur", "new", "tmp", "", "../.mailferry"] {
            let times = FileTimes::new().set_modified(time).set_accessed(time);
            File::open(inbox.join(dir)).and_then(|d| d.set_times(times)).expect("times");
        }
        for _ in 0..4 {
            survive(&ferry, &["sync"], &[0, 65]);
        }
        let (here, there) = (local(&ferry, "INBOX"), remote(&fake, "INBOX"));
        assert_eq!(here, there);
        // Times that went back look like a restored backup: then what is missing here comes again, and nothing is lost.
        let wanted: Vec<&str> =
            ["a", "b", "c", "here", "there"].into_iter().filter(|n| *n != "a" || here.contains(&"a".into())).collect();
        assert_eq!(here, wanted);
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(done.success());
}

/// A Maildir put back from yesterday's copy: all of it, its state alone, its folders alone.
#[test]
fn a_maildir_put_back_in_whole_or_in_part() {
    for part in ["all", "state", "folders"] {
        let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c"]));
        let ferry = unguarded(fake.port());
        ferry.sync();
        let root = ferry.local().root;
        let old = ferry.home().join(".config/old");
        copy(&root, &old);
        // The day after: something came, something went, something was read, on either side.
        fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("d"), &["\\Seen"], DATE)));
        ferry.local().deliver("INBOX", &mail("e"), &flags("S"), DATE);
        super::stand::delete(&ferry, "INBOX", "a");
        for _ in 0..2 {
            ferry.sync();
        }
        assert_eq!(remote(&fake, "INBOX"), ["b", "c", "d", "e"], "{part}");
        match part {
            "all" => {
                fs::remove_dir_all(&root).expect("the root");
                copy(&old, &root);
            }
            "state" => {
                fs::remove_dir_all(root.join(".mailferry")).expect("the state");
                copy(&old.join(".mailferry"), &root.join(".mailferry"));
            }
            _ => {
                fs::remove_dir_all(root.join("INBOX")).expect("INBOX");
                copy(&old.join("INBOX"), &root.join("INBOX"));
            }
        }
        for _ in 0..4 {
            survive(&ferry, &["sync"], &[0, 65]);
        }
        let (here, there) = (local(&ferry, "INBOX"), remote(&fake, "INBOX"));
        assert_eq!(here, there, "{part}");
        // "a", whose file came back with the copy, may be taken for new; everything else stands once.
        let rest: Vec<&String> = here.iter().filter(|n| *n != "a").collect();
        assert_eq!(rest, ["b", "c", "d", "e"], "{part}");
        assert!(here.len() <= 5, "{part}: {here:?}");
    }
}

/// The copy of a Maildir, run from another place: it compares, deletes nothing in that run, and doubles nothing.
#[test]
fn a_maildir_copied_elsewhere() {
    let fake = FakeImap::start(holding("IMAP4rev1 UIDPLUS", &["a", "b", "c"]));
    let ferry = unguarded(fake.port());
    ferry.sync();
    let mut other = unguarded(fake.port());
    fs::create_dir_all(other.home().join("Mail")).expect("folder");
    copy(&ferry.local().root, &other.local().root);
    other.set("timeout", "\"5s\"");
    super::stand::delete(&other, "INBOX", "a");
    other.local().deliver("INBOX", &mail("copy"), &flags("S"), DATE);
    survive(&other, &["sync"], &[0, 65]);
    assert!(remote(&fake, "INBOX").contains(&"a".to_owned()), "the first run of a copy deletes nothing");
    for _ in 0..3 {
        survive(&other, &["sync"], &[0, 65]);
        survive(&ferry, &["sync"], &[0, 65]);
    }
    let there = remote(&fake, "INBOX");
    assert_eq!(there.iter().filter(|n| *n != "a").collect::<Vec<_>>(), ["b", "c", "copy"]);
    assert_eq!(local(&ferry, "INBOX"), there);
    assert_eq!(local(&other, "INBOX"), there);
}

/// A server that says one byte, waits, says the next: either it all arrives, or the run ends in time.
#[test]
fn a_server_that_crawls() {
    let handler: Handler = Box::new(|c| {
        let slowly = |c: &mut crate::support::peer::Conversation, text: &str| {
            for byte in text.bytes() {
                c.send([byte])?;
                // The pace of the line, not a wait for anything.
                std::thread::sleep(Duration::from_millis(10));
            }
            Ok::<(), std::io::Error>(())
        };
        slowly(c, "* OK hi\r\n")?;
        loop {
            let command = c.command()?;
            let data = match command.line.split(' ').nth(1).unwrap_or_default() {
                "LIST" => "* LIST () \"/\" INBOX\r\n",
                "SELECT" | "EXAMINE" => "* 1 EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 2] .\r\n",
                "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n",
                "UID" if command.line.contains("BODY.PEEK[]") => {
                    "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {17}\r\nSubject: a\r\n\r\nx\r\n)\r\n"
                }
                "UID" if command.line.contains("FETCH") => {
                    "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" RFC822.SIZE 17)\r\n"
                }
                _ => "",
            };
            slowly(c, &format!("{data}{} OK\r\n", command.tag))?;
        }
    });
    let peer = Peer::start(vec![handler]);
    let mut ferry = unguarded(peer.port());
    ferry.set("timeout", "\"2s\"");
    survive(&ferry, &["sync"], &[0]);
    assert_eq!(local(&ferry, "INBOX"), ["a"]);
}

/// The server's greeting crawls for ever: the whole way in has one limit, 4 × timeout (CVE-2011-1947).
#[test]
fn a_login_that_crawls_for_ever() {
    let handler: Handler = Box::new(|c| {
        c.send("* OK [CAPABILITY IMAP4rev1] hi\r\n")?;
        c.command()?;
        loop {
            c.send("* OK still here\r\n")?;
            // The pace of the line.
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    let peer = Peer::start(vec![handler]);
    let mut ferry = unguarded(peer.port());
    ferry.set("timeout", "\"1s\"");
    let begin = Instant::now();
    survive(&ferry, &["check"], &[75]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

/// The connection is there, and nobody is behind it: silence at one stage of a session, given up in time (77 and 75 are told apart), and
/// made good by the next run.
#[test]
fn half_open_connections() {
    // A command has 30 s even so; the stages wait side by side.
    let stages = ["LOGIN", "SELECT", "FETCH", "APPEND"];
    std::thread::scope(|scope| {
        for silent in stages {
            scope.spawn(move || half_open(silent));
        }
    });
}

fn half_open(silent: &'static str) {
    let on = Switch::default();
    let mute = on.clone();
    let hook: Hook = Box::new(move |c, _| (mute.is_on() && c.line.contains(silent)).then(Vec::new));
    let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS", &["a", "b"]), hook);
    let mut ferry: Ferry = unguarded(fake.port());
    ferry.set("timeout", "\"1s\"");
    ferry.sync();
    ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
    on.set(true);
    let outcome = ferry.start(&["sync", "--json"]).finish(Duration::from_secs(240));
    assert_eq!(outcome.code, Some(75), "{silent}: {} {}", outcome.stdout, outcome.stderr);
    on.set(false);
    ferry.sync();
    ferry.sync();
    assert_eq!(local(&ferry, "INBOX"), ["a", "b", "here"], "{silent}");
    assert_eq!(remote(&fake, "INBOX"), ["a", "b", "here"], "{silent}");
}
