//! As a service: quiet and cheap while nothing happens, told of by systemd's protocol, ended by signals and refusals.

use super::{Watching, idling, in_step, until_idling, within};
use crate::support::corpus::Corpus;
use crate::support::ferry::{ACCOUNT, AccountKeys};
use crate::support::message::flags;
use crate::support::rig::Rig;
use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(30);

/// Processor time of a process so far, user and system.
fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat");
    let fields: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|f| f.parse().unwrap_or(0)).collect())
        .unwrap_or_default();
    Duration::from_millis((fields[11] + fields[12]) * 10)
}

/// Waits until no connection was made for three seconds.
fn until_peace(rig: &Rig) {
    let logins = || rig.proxy.records().len();
    let mut last = (logins(), Instant::now());
    within(LONG, "peace", || {
        if logins() != last.0 {
            last = (logins(), Instant::now());
        }
        last.1.elapsed() > Duration::from_secs(3)
    });
}

/// Own changes are no news: one of somebody else's is one round, one of ours a second at most, to see it in the server's figures.
#[test]
fn own_writes_are_not_answered() {
    let rig = Rig::usual("echo");
    rig.fill(&mut Corpus::new(6), &["INBOX", "Work"], 8);
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    until_peace(&rig);
    // A busy machine may spread one change's news over two rounds: the best of three counts.
    let mut rounds = Vec::new();
    let mut count = |change: &mut dyn FnMut(), wanted: usize| {
        let mut best = usize::MAX;
        for _ in 0..3 {
            let before = rig.proxy.records().len();
            change();
            within(LONG, "both sides", || in_step(&rig) && rig.proxy.records().len() > before);
            until_peace(&rig);
            best = best.min(rig.proxy.records().len() - before);
            if best <= wanted {
                break;
            }
        }
        rounds.push((best, wanted));
    };
    count(&mut || _ = rig.mailbox().append("Work", b"Subject: x\n\nx\n", &flags(""), 1_700_000_000), 1);
    let local = rig.local();
    let mut flag = || {
        let one = local.messages("INBOX").into_iter().find(|m| !m.flags.contains("F")).expect("a message");
        local.set_flags("INBOX", std::path::Path::new(&one.place), &flags("FS"));
    };
    count(&mut flag, 2);
    count(&mut || _ = local.deliver("Work", b"Subject: y\n\ny\n", &flags("S"), 1_700_000_000), 2);
    println!("rounds after a change there, a flag here, a message here: {rounds:?}");
    assert!(rounds.iter().all(|(best, wanted)| best <= wanted), "{rounds:?}");
    watching.end();
}

#[test]
fn ten_idle_seconds_cost_next_to_nothing() {
    let rig = Rig::usual("calm");
    rig.fill(&mut Corpus::new(4), &["INBOX", "Work", "Lists"], 60);
    let watching = Watching::start(&rig);
    until_idling(&rig, 1);
    within(LONG, "the first round", || in_step(&rig));
    let logins = || rig.proxy.records().len();
    until_peace(&rig);
    let (before, connections) = (cpu(watching.pid()), logins());
    std::thread::sleep(Duration::from_secs(10));
    let used = cpu(watching.pid()) - before;
    println!("ten idle seconds: {used:?} of processor time; {connections} connections in all");
    assert!(used < Duration::from_millis(200), "{used:?}");
    assert_eq!((logins(), idling(&rig)), (connections, 1));
    assert!(connections <= 8, "{connections}");
    let outcome = watching.end();
    assert_eq!(outcome.events_of("summary").len(), 1, "{}", outcome.stdout);
    assert_eq!(outcome.events_of("account_started")[0]["job"], "watch");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn systemd_is_told() {
    let mut rig = Rig::usual("unit");
    let path = rig.ferry.home().join("notify");
    let socket = UnixDatagram::bind(&path).expect("socket");
    socket.set_read_timeout(Some(LONG)).expect("timeout");
    rig.ferry.env("NOTIFY_SOCKET", path.to_str().expect("a path"));
    rig.ferry.env("WATCHDOG_USEC", "1000000");
    let watching = Watching::start(&rig);
    let mut heard = String::new();
    let mut buffer = [0; 1000];
    let mut listen = |until: &dyn Fn(&str) -> bool| {
        while !until(&heard) {
            let n = socket.recv(&mut buffer).expect("a message");
            heard += &String::from_utf8_lossy(&buffer[..n]);
            heard.push('\n');
        }
    };
    listen(&|heard| heard.contains("READY=1\n") && heard.contains("STATUS=watching work"));
    listen(&|heard| heard.contains("STATUS=work: in step") && heard.matches("WATCHDOG=1").count() > 3);
    watching.end_by(Signal::INT).assert_code(0);
    listen(&|heard| heard.contains("STOPPING=1"));
}

#[test]
fn a_refused_login_gives_the_account_up() {
    let mut rig = Rig::usual("refused");
    rig.ferry.set("password", "\"wrong\"");
    let outcome = rig.ferry.json(&["watch"]);
    outcome.assert_code(77);
    assert_eq!(outcome.events_of("summary").len(), 1);
    assert_eq!(outcome.events_of("summary")[0]["exit"], 77);
    assert_eq!(outcome.events_of("error")[0]["kind"], "auth");
}

#[test]
fn the_other_account_goes_on() {
    let rig = Rig::usual("two");
    let other = rig.server.user("other");
    let keys = AccountKeys::plain("imap", rig.proxy.port(), &other).text("password", "wrong");
    let rig =
        Rig { ferry: crate::support::ferry::Ferry::imap(rig.proxy.port(), &rig.user).account("bad", keys), ..rig };
    let mut watching = Watching::start(&rig);
    until_idling(&rig, 1);
    rig.mailbox().append("INBOX", b"Subject: x\n\nx\n", &flags(""), 1_700_000_000);
    within(LONG, "mail", || rig.local().messages("INBOX").len() == 1);
    assert!(watching.is_running());
    let outcome = watching.end();
    assert!(outcome.events_of("error").iter().all(|e| e["account"] == "bad"), "{}", outcome.stdout);
    assert!(outcome.events_of("summary").iter().any(|e| e["account"] == ACCOUNT));
}

#[test]
fn pop3_is_polled() {
    let mut rig = Rig::pop3("poll");
    rig.ferry.set("poll_interval", "\"1s\"");
    let watching = Watching::start(&rig);
    for n in 1..3 {
        rig.mailbox().append("INBOX", format!("Subject: {n}\n\nx\n").as_bytes(), &flags(""), 1_700_000_000);
        within(LONG, "mail", || rig.local().messages("INBOX").len() == n);
    }
    watching.end();
}

#[test]
fn a_signal_in_the_middle_of_a_round_is_an_end_in_good_order() {
    let rig = Rig::usual("middle");
    rig.fill(&mut Corpus::new(5), &["INBOX", "Work"], 300);
    let watching = Watching::start(&rig);
    let some = |rig: &Rig| rig.proxy.records().iter().any(|record| record.client().contains("BODY.PEEK[]"));
    within(LONG, "bodies", || some(&rig));
    let outcome = watching.end_by(Signal::TERM);
    outcome.assert_code(0);
    assert!(outcome.events_of("error").is_empty(), "{}", outcome.stdout);
    // What it had done is not done again, and nothing is doubled.
    rig.sync();
    rig.assert_in_step();
}
