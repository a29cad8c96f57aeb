//! Ten thousand messages, interrupted anywhere: the next run goes on where the last one stopped.

use crate::support::fake_pop3::{FakePop3, Maildrop};
use crate::support::ferry::{Ferry, Outcome};
use crate::support::proxy::{End, Fault, Manner, Proxy, Way};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

const MESSAGES: usize = 10_000;
/// What one interruption may cost: the batch that was not yet durable, and what was under way.
const LOST_WORK: usize = 4_600;

fn body(n: usize) -> Vec<u8> {
    format!("Subject: {n}\nMessage-ID: <{n}@example.org>\n\nthis is {n}\n").into_bytes()
}

fn filled() -> FakePop3 {
    let mut drop = Maildrop::default();
    for n in 0..MESSAGES {
        drop.add(&format!("id{n}"), &body(n));
    }
    FakePop3::start(drop)
}

/// One run, with time enough for a machine that has other work.
fn fetch(ferry: &Ferry) -> Outcome {
    ferry.start(&["fetch", "--json"]).finish(Duration::from_secs(300))
}

#[test]
fn ten_thousand_interrupted_anywhere() {
    let fake = filled();
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], fake.port())), Manner::default());
    let mut ferry = Ferry::pop3(proxy.port(), "me");
    ferry.set("timeout", "\"20s\"");
    let retrieved = || fake.heard().matches("RETR ").count();
    let here = |ferry: &Ferry| ferry.local().messages("INBOX").len();
    // Killed between files and rows, and behind a commit.
    for point in ["fetch.delivered:2", "fetch.recorded:1"] {
        ferry.env("MAILFERRY_CHECKPOINT", point);
        assert!(fetch(&ferry).signal.is_some(), "{point}");
    }
    ferry.env("MAILFERRY_CHECKPOINT", "none:1");
    let (kept, asked) = (here(&ferry), retrieved());
    assert!(kept >= 4_000 && asked <= kept + 2 * LOST_WORK, "{kept} kept of {asked}");
    // Cut twice in the middle of what is left.
    for after in [350_000, 700_000] {
        let fault = Some(Fault::Cut { way: Way::Down, after, end: End::Rst });
        proxy.restart(Manner { fault, ..Manner::default() });
        fetch(&ferry);
        assert!(here(&ferry) >= kept);
    }
    proxy.restart(Manner::default());
    fetch(&ferry).assert_code(0);
    assert!(retrieved() <= MESSAGES + 4 * LOST_WORK, "{} messages were retrieved", retrieved());
    let bodies: HashSet<Vec<u8>> = ferry.local().messages("INBOX").into_iter().map(|m| m.bytes).collect();
    assert_eq!((bodies.len(), here(&ferry)), (MESSAGES, MESSAGES));
    assert!(ferry.local().leftovers().is_empty());
    // Nothing new is one flight, however many there are.
    let again = fetch(&ferry);
    assert_eq!((again.figure("downloaded"), again.figure("round_trips")), (0, 1));
}
