//! COMPRESS=DEFLATE on a slow line: worth it, harmless where it is refused or broken off, and never a bomb. The line is a proxy with a rate;
//! behind a tunnel command the program cannot take the server for one on its own machine.

use crate::attacks::stand::survive_small;
use crate::support::corpus::Rng;
use crate::support::dovecot::{Dovecot, Options};
use crate::support::fake_imap::{FakeImap, Hook, RAW, Store};
use crate::support::ferry::Ferry;
use crate::support::message::{assert_in_step, flags};
use crate::support::proxy::{End, Fault, Manner, Proxy, Record, Way};
use crate::support::rig::{Rig, tunnel};
use flate2::{Compress, Compression, FlushCompress};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const DATE: i64 = 1_600_000_000;
const RATE: u64 = 1_000_000;
/// What is downloaded, in megabytes; more with `MAILFERRY_SLOW_MB`.
const MEGABYTES: usize = 5;

fn slow() -> Manner {
    Manner { rate: Some(RATE), ..Manner::default() }
}

/// Prose that deflates about as well as people's.
struct Prose {
    random: Rng,
    words: Vec<String>,
}

impl Prose {
    fn new() -> Self {
        let mut random = Rng::new(11);
        let word = |random: &mut Rng| -> String {
            let length = 2 + random.below(8);
            (0..length).map(|_| *random.pick(b"etaoinshrdlucmfwypvbgk") as char).collect()
        };
        let words = (0..3000).map(|_| word(&mut random)).collect();
        Self { random, words }
    }

    /// A message of about so many bytes.
    fn message(&mut self, number: usize, size: usize) -> Vec<u8> {
        let mut text =
            format!("From: a@example.org\nSubject: prose {number}\nMessage-ID: <prose{number}@example.org>\n\n");
        let mut column = 0;
        while text.len() < size {
            let word = self.random.pick(&self.words).clone();
            column += word.len() + 1;
            text += &word;
            text.push(if column > 70 { '\n' } else { ' ' });
            column = if column > 70 { 0 } else { column };
        }
        text.push('\n');
        text.into_bytes()
    }
}

fn megabytes() -> usize {
    std::env::var("MAILFERRY_SLOW_MB").ok().and_then(|n| n.parse().ok()).unwrap_or(MEGABYTES)
}

/// A user with so much prose in a few folders, at the end of a slow line.
fn rig(server: Arc<Dovecot>, hint: &str, megabytes: usize) -> Rig {
    let mut rig = Rig::new(server, hint);
    let (mut session, mut prose) = (rig.mailbox(), Prose::new());
    for folder in ["A", "B"] {
        session.create(folder);
    }
    for i in 0..megabytes * 50 {
        let folder = ["INBOX", "A", "B"][i % 3];
        session.append(folder, &prose.message(i, 20_000), &flags("S"), DATE);
    }
    rig.go_afar();
    rig
}

fn without() -> Arc<Dovecot> {
    Dovecot::shared(&Options::without(&["COMPRESS"]))
}

/// Runs a sync on a slow line; how long it took, and what passed each way.
fn timed(rig: &Rig) -> (Duration, u64, u64) {
    rig.proxy.restart(slow());
    let begun = Instant::now();
    let outcome = rig.ferry.start(&["--json", "sync"]).finish(Duration::from_secs(300));
    outcome.assert_code(0);
    (begun.elapsed(), rig.proxy.passed(Way::Up), rig.proxy.passed(Way::Down))
}

/// On how many connections the server agreed, and how many asked.
fn compressed(records: &[Record]) -> usize {
    records.iter().filter(|r| r.client().contains("COMPRESS DEFLATE")).count()
}

#[test]
fn a_download_over_a_slow_line_is_faster() {
    let size = megabytes();
    let plain = rig(without(), "slow-plain", size);
    let (long, _, all) = timed(&plain);
    assert_eq!(compressed(&plain.proxy.records()), 0);
    let deflated = rig(Dovecot::usual(), "slow-deflate", size);
    let (short, _, passed) = timed(&deflated);
    let records = deflated.proxy.records();
    println!(
        "{size} MB: {long:?} and {all} bytes, compressed {short:?} and {passed} bytes, {} connections",
        records.len()
    );
    assert!(compressed(&records) > 1, "several connections are compressed");
    assert!(passed * 3 < all * 2, "{passed} of {all} bytes passed");
    // Time is measured only where it was asked for: on a busy machine it says nothing. The bytes above say it always.
    if size >= 20 {
        assert!(short.mul_f64(1.5) < long, "{short:?} with, {long:?} without");
    }
    for rig in [plain, deflated] {
        rig.proxy.restart(Manner::default());
        assert_in_step(&rig.remote(), &rig.local().snapshot());
        // Nothing is left to do, and so little needs no compression.
        rig.ferry.sync();
        assert_eq!(compressed(&rig.proxy.records()), 0);
    }
}

#[test]
fn an_upload_over_a_slow_line_is_compressed_as_well() {
    let measure = |server: Arc<Dovecot>, hint: &str| {
        let rig = rig(server, hint, 0);
        rig.ferry.sync();
        let (local, mut prose) = (rig.local(), Prose::new());
        for i in 0..150 {
            local.deliver("INBOX", &prose.message(i, 20_000), &flags("S"), DATE);
        }
        let (_, up, _) = timed(&rig);
        rig.proxy.restart(Manner::default());
        assert_in_step(&rig.remote(), &rig.local().snapshot());
        up
    };
    let (plain, deflated) = (measure(without(), "slow-up-plain"), measure(Dovecot::usual(), "slow-up-deflate"));
    assert!(deflated * 3 < plain * 2, "{deflated} of {plain} bytes passed");
}

#[test]
fn fetch_compresses_a_slow_line_as_well() {
    let rig = rig(Dovecot::usual(), "slow-fetch", 2);
    rig.proxy.restart(slow());
    let outcome = rig.ferry.json(&["fetch", "work"]);
    outcome.assert_code(0);
    assert_eq!(outcome.figure("downloaded"), 100);
    assert_eq!(compressed(&rig.proxy.records()), 1);
    assert!(rig.proxy.passed(Way::Down) < 1_700_000, "{}", rig.proxy.passed(Way::Down));
    rig.proxy.restart(Manner::default());
    let mut remote = rig.remote();
    // What is empty there is not made here.
    remote.remove("Trash");
    assert_in_step(&remote, &rig.local().snapshot());
}

#[test]
fn a_server_on_this_machine_is_not_compressed() {
    let mut near = Rig::usual("near");
    let (mut session, mut prose) = (near.mailbox(), Prose::new());
    for i in 0..100 {
        session.append("INBOX", &prose.message(i, 20_000), &flags("S"), DATE);
    }
    near.ferry.set("connections", "1");
    near.proxy.restart(slow());
    near.ferry.sync();
    assert_eq!(compressed(&near.proxy.records()), 0);
}

#[test]
fn a_cut_inside_the_compressed_stream_loses_and_doubles_nothing() {
    for (after, end) in [(560_000, End::Rst), (700_000, End::Fin), (1_000_000, End::Rst)] {
        let mut rig = rig(Dovecot::usual(), "slow-cut", 3);
        rig.ferry.set("connections", "1");
        let fault = Some(Fault::Cut { way: Way::Down, after, end });
        rig.proxy.restart(Manner { fault, ..slow() });
        let outcome = rig.ferry.start(&["--json", "sync"]).finish(Duration::from_secs(120));
        assert!(rig.proxy.struck());
        assert!(outcome.code == Some(0) || outcome.code == Some(75), "{:?}\n{}", outcome.code, outcome.stdout);
        assert!(compressed(&rig.proxy.records()) > 0);
        rig.proxy.restart(Manner::default());
        rig.ferry.sync();
        assert_in_step(&rig.remote(), &rig.local().snapshot());
    }
}

#[test]
fn watch_hears_of_new_mail_over_a_compressed_line() {
    let rig = rig(Dovecot::usual(), "slow-watch", 2);
    rig.proxy.restart(slow());
    let watch = rig.ferry.start(&["--json", "watch"]);
    let wait_for = |count: usize| {
        let end = Instant::now() + Duration::from_secs(60);
        while rig.local().messages("INBOX").len() < count {
            assert!(Instant::now() < end, "{} of {count}", rig.local().messages("INBOX").len());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for(34);
    assert!(compressed(&rig.proxy.records()) > 0);
    let mut session = rig.mailbox();
    let mut prose = Prose::new();
    session.append("INBOX", &prose.message(9000, 5_000), &flags("S"), DATE);
    wait_for(35);
    watch.signal(Signal::TERM);
    watch.finish(Duration::from_secs(30)).assert_code(0);
    rig.proxy.restart(Manner::default());
    assert_in_step(&rig.remote(), &rig.local().snapshot());
}

/// A forged server with two megabytes of prose behind a slow line.
fn forged(hook: Hook) -> (FakeImap, Proxy, Ferry) {
    let mut store = Store { capabilities: "IMAP4rev1 UIDPLUS COMPRESS=DEFLATE".into(), ..Store::default() };
    let mut prose = Prose::new();
    let inbox = store.folders.entry("INBOX".into()).or_default();
    for i in 0..100 {
        inbox.add(&prose.message(i, 20_000), &["\\Seen"], DATE);
    }
    let fake = FakeImap::with_hook(store, hook);
    let proxy = Proxy::start(([127, 0, 0, 1], fake.port()).into(), slow());
    let mut ferry = Ferry::imap(proxy.port(), "someone");
    ferry.set("tunnel", &tunnel(proxy.port()));
    ferry.set("connections", "2");
    (fake, proxy, ferry)
}

#[test]
fn a_server_that_agrees_is_believed_and_one_that_refuses_is_not_asked_again() {
    let (fake, proxy, ferry) = forged(Box::new(|_, _| None));
    assert_eq!(ferry.sync().figure("downloaded"), 100);
    assert!(fake.heard().contains("COMPRESS DEFLATE"));
    assert!(proxy.passed(Way::Down) < 1_700_000);
    for refusal in ["{tag} NO [COMPRESSIONACTIVE] not now\r\n", "{tag} BAD what is that\r\n"] {
        let hook: Hook = Box::new(move |c, _| c.line.contains("COMPRESS").then(|| refusal.as_bytes().to_vec()));
        let (_fake, proxy, ferry) = forged(hook);
        assert_eq!(ferry.sync().figure("downloaded"), 100);
        for record in proxy.records() {
            assert!(record.client().matches("COMPRESS").count() <= 1, "{}", record.client());
        }
        assert_eq!(ferry.local().messages("INBOX").len(), 100);
    }
}

#[test]
fn a_server_that_breaks_off_over_it_is_not_asked_again_in_the_run() {
    let hook: Hook = Box::new(|c, _| c.line.contains("COMPRESS").then(|| b"* BYE not with me\r\n".to_vec()));
    let (fake, _proxy, mut ferry) = forged(hook);
    ferry.set("connections", "1");
    assert_eq!(ferry.sync().figure("downloaded"), 100);
    assert_eq!(fake.heard().matches("COMPRESS").count(), 1);
}

/// A deflate stream that says `lead` and then `more` until it is 130 megabytes, in less than one.
fn bomb(lead: &[u8], more: &[u8]) -> Vec<u8> {
    let block = more.repeat((1 << 20) / more.len());
    let deflated = |bytes: &[u8]| {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        // A full flush ends on a whole byte and forgets what came before: such pieces may be repeated.
        Compress::new(Compression::best(), false).compress_vec(bytes, &mut out, FlushCompress::Full).unwrap();
        out
    };
    [RAW, &deflated(lead), &deflated(&block).repeat(130)].concat()
}

#[test]
fn a_bomb_in_the_compressed_stream_ends_in_bounded_memory() {
    let bombs: [(&[u8], &[u8]); 2] = [
        // A line without end, and
        (b"* OK ", &[b'x'; 4096]),
        // a message of nothing but blanks that goes on where it should end.
        (b"* 1 FETCH (UID 1 FLAGS () BODY[] {120000000}\r\n", &[b' '; 4096]),
    ];
    for (lead, more) in bombs {
        let bomb = bomb(lead, more);
        let agreed = AtomicBool::new(false);
        let hook: Hook = Box::new(move |c, _| {
            if c.line.contains("COMPRESS") {
                agreed.store(true, Ordering::SeqCst);
            }
            (agreed.load(Ordering::SeqCst) && c.line.contains("BODY.PEEK[]")).then(|| bomb.clone())
        });
        let (fake, _proxy, mut ferry) = forged(hook);
        ferry.set("connections", "1");
        let outcome = survive_small(&ferry, &["sync"], &[69]);
        assert!(fake.heard().contains("COMPRESS DEFLATE"), "{}", outcome.stdout);
        drop(fake);
    }
}

#[test]
fn compressed_data_that_is_damaged_is_69() {
    // After its agreement this server goes on in clear.
    let hook: Hook = Box::new(|c, _| {
        c.line
            .contains("COMPRESS")
            .then(|| b"{tag} OK at once\r\n* OK this is no deflate stream, and never was\r\n".to_vec())
    });
    let (_fake, _proxy, mut ferry) = forged(hook);
    ferry.set("connections", "1");
    let outcome = ferry.json(&["sync"]);
    outcome.assert_code(69);
    assert!(outcome.stdout.contains("compressed data is damaged"), "{}", outcome.stdout);
}
