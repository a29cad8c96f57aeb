//! Servers that abuse the login: endless exchanges, costs, servers that cannot prove themselves, challenges at the wrong time.

use super::stand::{SECRET, holding, local, survive, survive_small, unguarded};
use crate::support::ferry::Ferry;
use crate::support::peer::{Conversation, Handler, Peer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Result;

/// Offers one mechanism and leaves the exchange to `exchange`.
fn offering(mechanism: &'static str, exchange: fn(&mut Conversation, &str) -> Result<()>) -> (Peer, Ferry) {
    let handler: Handler = Box::new(move |c| {
        c.send(format!("* OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH={mechanism}] hi\r\n"))?;
        loop {
            let command = c.command()?;
            if command.line.contains("AUTHENTICATE") {
                exchange(c, &command.tag)?;
            } else {
                c.answer(&format!("* CAPABILITY IMAP4rev1 AUTH={mechanism}\r\n{{tag}} OK\r\n"))?;
            }
        }
    });
    let peer = Peer::start(vec![handler]);
    let mut ferry = unguarded(peer.port());
    ferry.set("auth", &format!("{:?}", mechanism.to_ascii_lowercase()));
    ferry.set("timeout", "\"2s\"");
    (peer, ferry)
}

/// Reads the client's base64 line.
fn text(c: &mut Conversation) -> Result<String> {
    let line = c.line()?;
    Ok(String::from_utf8_lossy(&STANDARD.decode(line).unwrap_or_default()).into_owned())
}

fn challenge(c: &mut Conversation, text: &str) -> Result<()> {
    c.send(format!("+ {}\r\n", STANDARD.encode(text)))
}

#[test]
fn challenges_without_end() {
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"] {
        let (peer, ferry) = offering(mechanism, |c, _| {
            for _ in 0..10_000 {
                c.send("+ \r\n")?;
                c.line()?;
            }
            Ok(())
        });
        survive(&ferry, &["sync"], &[69, 77]);
        let lines = peer.finish().heard.concat().lines().count();
        assert!(lines < 20, "{mechanism}: {lines} lines");
    }
}

#[test]
fn scram_iterations_that_cost_an_hour() {
    for count in ["4294967295", "99999999999999999999", "100000000", "0", "-1", "1"] {
        let handler: Handler = Box::new(move |c| {
            c.send("* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hi\r\n")?;
            let command = c.command()?;
            c.send("+ \r\n")?;
            let first = text(c)?;
            let nonce = first.split("r=").nth(1).unwrap_or_default().to_owned();
            challenge(c, &format!("r={nonce}server,s=c2FsdHNhbHQ=,i={count}"))?;
            c.line()?;
            c.send(format!("{} NO\r\n", command.tag))?;
            c.drain();
            Ok(())
        });
        let peer = Peer::start(vec![handler]);
        let mut ferry = unguarded(peer.port());
        ferry.set("auth", "\"scram-sha-256\"");
        let outcome = survive_small(&ferry, &["sync"], &[69, 77]);
        assert!(outcome.elapsed.as_secs() < 20, "{count}: {:?}", outcome.elapsed);
    }
}

#[test]
fn scram_servers_that_prove_nothing() {
    // The nonce is not ours, the signature is wrong, or there is none.
    let (peer, ferry) = offering("SCRAM-SHA-256", |c, tag| {
        c.send("+ \r\n")?;
        text(c)?;
        challenge(c, "r=another,s=c2FsdHNhbHQ=,i=4096")?;
        c.line()?;
        c.send(format!("{tag} OK in\r\n"))
    });
    survive(&ferry, &["sync"], &[69, 77]);
    assert!(!peer.finish().heard.concat().contains("LIST"));
    let begun = |c: &mut Conversation| {
        c.send("+ \r\n")?;
        let first = text(c)?;
        let nonce = first.split("r=").nth(1).unwrap_or_default().to_owned();
        challenge(c, &format!("r={nonce}server,s=c2FsdHNhbHQ=,i=4096"))?;
        text(c).map(drop)
    };
    let ends: [fn(&mut Conversation, &str) -> Result<()>; 2] = [
        |c, tag| {
            challenge(c, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
            c.line()?;
            c.send(format!("{tag} OK in\r\n"))
        },
        |c, tag| c.send(format!("{tag} OK in\r\n")),
    ];
    for end in ends {
        let handler: Handler = Box::new(move |c| {
            c.send("* OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256] hi\r\n")?;
            let tag = c.command()?.tag;
            begun(c)?;
            end(c, &tag)?;
            c.serve(|_| Some("{tag} OK\r\n".into()))
        });
        let peer = Peer::start(vec![handler]);
        let mut ferry = unguarded(peer.port());
        ferry.set("auth", "\"scram-sha-256\"");
        survive(&ferry, &["sync"], &[69, 77]);
        assert!(!peer.finish().heard.concat().contains("LIST"));
    }
}

#[test]
fn a_refused_mechanism_is_not_followed_by_a_weaker_one() {
    let (peer, ferry) = offering("SCRAM-SHA-256", |c, tag| c.send(format!("{tag} NO use LOGIN\r\n")));
    survive(&ferry, &["sync"], &[77]);
    let heard = peer.finish().heard.concat();
    assert!(
        !heard.contains(SECRET) && !heard.contains("LOGIN") && heard.matches("AUTHENTICATE").count() == 1,
        "{heard}"
    );
}

#[test]
fn referrals_are_not_followed() {
    let elsewhere = Peer::script(vec![crate::support::peer::send("* OK hi\r\n"), crate::support::peer::Step::Drain]);
    let port = elsewhere.port();
    let hook: crate::support::fake_imap::Hook = Box::new(move |c, _| {
        let word = if c.line.contains("LOGIN") { "NO" } else { "OK" };
        (c.line.contains("LOGIN") || c.line.contains("SELECT"))
            .then(|| format!("{{tag}} {word} [REFERRAL imap://someone@127.0.0.1:{port}/] moved\r\n").into_bytes())
    });
    let fake = crate::support::fake_imap::FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let ferry = unguarded(fake.port());
    survive(&ferry, &["sync"], &[77]);
    assert_eq!(elsewhere.finish().heard.concat(), "");
    assert_eq!(local(&ferry, "INBOX"), Vec::<String>::new());
}
