//! Fetch and delete, broken off: the line cut anywhere, the program killed anywhere. Afterwards one ordinary run completes it, nothing
//! is lost and nothing is there twice.

use crate::support::message::flags;
use crate::support::proxy::{End, Fault, Manner, Way};
use crate::support::rig::Rig;

const MESSAGES: usize = 12;

fn body(n: usize) -> Vec<u8> {
    format!("Subject: {n}\nMessage-ID: <{n}@example.org>\n\n{}\n", ".dot and text\n".repeat(n * 3 + 1)).into_bytes()
}

fn filled(rig: Rig) -> Rig {
    let mut session = rig.mailbox();
    for n in 0..MESSAGES {
        session.append("INBOX", &body(n), &flags(if n % 2 == 0 { "S" } else { "" }), 1_600_000_000);
    }
    rig
}

fn new_rig(pop3: bool) -> Rig {
    let mut rig = filled(if pop3 { Rig::pop3("broken") } else { Rig::usual("broken") });
    rig.ferry.set("timeout", "\"1s\"");
    rig
}

const FETCH: [&str; 3] = ["fetch", crate::support::ferry::ACCOUNT, "--delete"];

/// One ordinary run, after which everything must be here once and nothing there.
fn settle(rig: &Rig, what: &str) {
    let here = rig.local().messages("INBOX").len();
    let there = rig.remote()["INBOX"].len();
    assert!(here + there >= MESSAGES, "{what}: {here} here and {there} there");
    rig.proxy.restart(Manner::default());
    let outcome = rig.ferry.json(&FETCH);
    outcome.assert_code(0);
    let mut bodies: Vec<Vec<u8>> = rig.local().messages("INBOX").into_iter().map(|m| m.bytes).collect();
    let mut wanted: Vec<Vec<u8>> = (0..MESSAGES).map(body).collect();
    bodies.sort();
    wanted.sort();
    assert!(bodies == wanted, "{what}: {} files", bodies.len());
    assert!(rig.remote()["INBOX"].is_empty(), "{what}");
    assert!(rig.local().leftovers().is_empty(), "{what}");
}

/// How many places the tests try.
fn places() -> u64 {
    std::env::var("MAILFERRY_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

#[test]
fn the_line_is_cut_anywhere() {
    for pop3 in [true, false] {
        let whole = new_rig(pop3);
        whole.ferry.json(&FETCH).assert_code(0);
        for way in [Way::Down, Way::Up] {
            let length = whole.proxy.passed(way);
            for place in 0..places() {
                let after = length * (2 * place + 1) / (2 * places());
                let end = if place % 2 == 0 { End::Fin } else { End::Rst };
                let rig = new_rig(pop3);
                rig.proxy.restart(Manner { fault: Some(Fault::Cut { way, after, end }), ..Manner::default() });
                rig.ferry.json(&FETCH);
                settle(&rig, &format!("pop3 {pop3}, {way:?} cut after {after}"));
            }
        }
    }
}

#[test]
fn the_program_dies_between_any_two_steps() {
    for pop3 in [true, false] {
        for point in ["fetch.delivered", "fetch.recorded", "fetch.delete_asked", "fetch.quit", "fetch.expunged"] {
            let mut rig = new_rig(pop3);
            rig.ferry.env("MAILFERRY_CHECKPOINT", &format!("{point}:1"));
            let outcome = rig.ferry.run(&FETCH);
            let passes = !(pop3 && point == "fetch.expunged" || !pop3 && point == "fetch.quit");
            assert_eq!(outcome.signal.is_some(), passes, "{point}: {outcome:?}");
            rig.ferry.env("MAILFERRY_CHECKPOINT", "none:1");
            settle(&rig, point);
        }
    }
}
