//! The client against the scripted server: flights, refusals, rubbish, cuts.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::peer::{Behaviour, Peer};
use super::*;
use crate::account::AuthMechanism;
use crate::auth::{Credentials, Secret};
use crate::severity::{Kind, Severity};
use crate::stop::Stop;
use crate::transport::{Stream, Traffic};

mod order;

fn profile() -> Profile<'static> {
    let timeout = Duration::from_secs(20);
    Profile {
        host: "pop.example.org",
        port: 110,
        mechanism: AuthMechanism::Auto,
        apop: Apop::Unknown,
        alone: false,
        timeout,
    }
}

fn connect(peer: &Peer, traffic: &Arc<Traffic>) -> Result<Authorization<'static>, Error> {
    connect_to(peer.serve().0, traffic)
}

fn connect_to(socket: std::os::fd::OwnedFd, traffic: &Arc<Traffic>) -> Result<Authorization<'static>, Error> {
    let stop = Stop::new().unwrap();
    let stream = Stream::from_socket(socket, Duration::from_secs(20), &stop, Arc::clone(traffic)).unwrap();
    Authorization::greet(stream, profile())
}

fn credentials() -> Credentials {
    Credentials { user: "me".into(), secret: Some(Secret::new(b"two words".to_vec())), oauth: false }
}

fn login(peer: &Peer, remembered: Option<&Remembered>) -> Result<Transaction, Error> {
    log_in(connect(peer, &Arc::default())?, &credentials(), remembered)
}

fn log_in(
    mut session: Authorization<'_>,
    credentials: &Credentials,
    remembered: Option<&Remembered>,
) -> Result<Transaction, Error> {
    match remembered {
        Some(memory) => session.login_again(credentials, memory),
        None => {
            let capabilities = session.capabilities()?;
            session.login(credentials, Some(capabilities))
        }
    }
}

/// Collects what is transferred.
#[derive(Default)]
struct Collected {
    begun: Vec<(u32, Vec<u8>)>,
    whole: Vec<(u32, Vec<u8>)>,
    refused: Vec<(u32, Refusal)>,
}

impl MessageSink for Collected {
    fn begin(&mut self, number: u32) -> io::Result<()> {
        self.begun.push((number, Vec::new()));
        Ok(())
    }
    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.begun.last_mut().unwrap().1.extend_from_slice(chunk);
        Ok(())
    }
    fn end(&mut self, number: u32) -> io::Result<()> {
        let first = self.begun.remove(0);
        assert_eq!(first.0, number);
        self.whole.push(first);
        Ok(())
    }
    fn refused(&mut self, number: u32, refusal: Refusal) -> io::Result<()> {
        self.refused.push((number, refusal));
        Ok(())
    }
}

fn all(listing: &Listing) -> Vec<Wanted<'_>> {
    listing.messages.iter().map(|m| Wanted { number: m.number, size: m.size, uidl: m.uidl.as_deref() }).collect()
}

fn three() -> Peer {
    Peer::with(&[
        ("a1", "Subject: a\r\n\r\n.\r\n..\r\nx\r\n"),
        ("b2", "Subject: b\r\n\r\nbody"),
        ("c3", "Subject: c\r\n\r\n\0\u{fc}\r\n"),
    ])
}

#[test]
fn everything_comes_exactly_with_and_without_pipelining() {
    for pipelining in [true, false] {
        let mut peer = three();
        if !pipelining {
            peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
        }
        let mut session = login(&peer, None).unwrap();
        let listing = session.listing().unwrap();
        assert_eq!(listing.messages[1], Listed { number: 2, uidl: Some(b"b2".to_vec()), size: Some(18) });
        let mut got = Collected::default();
        session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
        assert_eq!(got.whole[0], (1, b"Subject: a\r\n\r\n.\r\n..\r\nx\r\n".to_vec()));
        assert_eq!(got.whole[1], (2, b"Subject: b\r\n\r\nbody\r\n".to_vec()));
        assert_eq!(got.whole[2], (3, b"Subject: c\r\n\r\n\0\xc3\xbc\r\n".to_vec()));
        let mut headers = Collected::default();
        session.transfer(&all(&listing), Part::Header, &mut headers).unwrap();
        assert_eq!(headers.whole[1], (2, b"Subject: b\r\n\r\n".to_vec()));
        let ended = session.delete_and_quit(&[1, 3]).unwrap();
        assert!(ended.quit.is_ok() && ended.refused.is_empty());
        assert_eq!(peer.mailbox().messages.len(), 1);
    }
}

#[test]
fn a_known_server_is_asked_everything_in_one_flight() {
    let peer = three();
    let traffic = Arc::<Traffic>::default();
    let (socket, running) = peer.serve();
    let session = log_in(connect_to(socket, &traffic).unwrap(), &credentials(), None).unwrap();
    let first = session.remembered().clone();
    session.leave();
    running.join();
    assert!(first.before.pipelining() && first.after.is_none());
    peer.take_commands();
    let traffic = Arc::<Traffic>::default();
    let (socket, running) = peer.serve();
    let mut session = log_in(connect_to(socket, &traffic).unwrap(), &credentials(), Some(&first)).unwrap();
    assert_eq!(session.listing().unwrap().messages.len(), 3);
    session.leave();
    running.join();
    let commands = peer.take_commands();
    assert!(commands.starts_with(&["CAPA".into(), "USER me".into(), "PASS two words".into(), "UIDL".into()]));
    assert_eq!(traffic.round_trips(), 1);
}

#[test]
fn many_commands_go_out_in_few_bursts() {
    for (pipelining, most) in [(true, 60), (false, 2100)] {
        let mut peer = Peer::default();
        for n in 0..1000 {
            peer.put(&format!("u{n}"), "S: x\r\n\r\n");
        }
        if !pipelining {
            peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
        }
        let traffic = Arc::<Traffic>::default();
        let mut session = log_in(connect(&peer, &traffic).unwrap(), &credentials(), None).unwrap();
        let listing = session.listing().unwrap();
        let mut got = Collected::default();
        session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
        assert_eq!(got.whole.len(), 1000);
        let numbers: Vec<u32> = (1..=1000).collect();
        let ended = session.delete_and_quit(&numbers).unwrap();
        assert!(ended.quit.is_ok() && peer.mailbox().messages.is_empty());
        assert!(traffic.round_trips() <= most, "{}", traffic.round_trips());
    }
}

/// Logs in with `mechanism` against answers that are given line by line.
fn prove(
    mechanism: AuthMechanism,
    secret: &str,
    capabilities: &'static str,
    answers: &[(&'static str, &'static str)],
) -> (Result<(), Error>, Vec<String>) {
    let mut peer = three();
    peer.behaviour.greeting = "+OK ready <1896.697170952@dbc.mtview.ca.us>".into();
    peer.behaviour.capabilities.push(capabilities);
    peer.behaviour.answers = answers.to_vec();
    let (socket, _running) = peer.serve();
    let stream = Stream::from_socket(socket, Duration::from_secs(20), &Stop::new().unwrap(), Arc::default()).unwrap();
    let session = Authorization::greet(stream, Profile { mechanism, ..profile() }).unwrap();
    let oauth = mechanism == AuthMechanism::XOAuth2 || mechanism == AuthMechanism::OAuthBearer;
    let credentials = Credentials { user: "tim".into(), secret: Some(Secret::new(secret.into())), oauth };
    let result = log_in(session, &credentials, None).and_then(|mut session| {
        assert_eq!(session.listing()?.messages.len(), 3);
        Ok(())
    });
    let commands = peer.take_commands();
    (result, commands)
}

#[test]
fn tokens_go_in_two_steps_however_long() {
    let token = "x".repeat(6000);
    let (result, commands) =
        prove(AuthMechanism::XOAuth2, &token, "SASL PLAIN XOAUTH2", &[("AUTH", "+ "), ("dXNlcj10aW0BYXV0aD1", "+OK")]);
    result.unwrap();
    assert_eq!(commands[1], "AUTH XOAUTH2");
    assert!(commands[2].len() > 8000);
    let refused = "+ eyJzdGF0dXMiOiI0MDAifQ==";
    let (result, commands) = prove(
        AuthMechanism::OAuthBearer,
        "t",
        "SASL OAUTHBEARER",
        &[("AUTH", "+"), ("bixhPXRpb", refused), ("AQ==", "-ERR no")],
    );
    let error = result.err().unwrap();
    assert!(error.kind() == Kind::Auth && error.to_string().contains("400"), "{error}");
    assert_eq!(commands[3], "AQ==");
}

#[test]
fn passwords_go_by_sasl_where_offered() {
    let accept: &[(&'static str, &'static str)] = &[("AUTH", "+OK")];
    let (result, commands) = prove(AuthMechanism::Plain, "tanstaaf", "SASL PLAIN", accept);
    result.unwrap();
    assert_eq!(commands[1], "AUTH PLAIN AHRpbQB0YW5zdGFhZg==");
    // Too long for a command line, or not taken there: as the answer to a challenge.
    let (result, commands) =
        prove(AuthMechanism::Plain, &"p".repeat(300), "SASL PLAIN", &[("AUTH", "+ "), ("AHRpbQBw", "+OK")]);
    result.unwrap();
    assert_eq!(commands[1], "AUTH PLAIN");
    let (result, commands) =
        prove(AuthMechanism::Plain, "tanstaaf", "SASL PLAIN", &[("AUTH", "+"), ("AHRpbQB0", "+OK")]);
    result.unwrap();
    assert_eq!(commands[2], "AHRpbQB0YW5zdGFhZg==");
    let challenge = "+ PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+";
    let (result, commands) = prove(
        AuthMechanism::CramMd5,
        "tanstaaftanstaaf",
        "SASL CRAM-MD5",
        &[("AUTH", challenge), ("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw", "+OK")],
    );
    result.unwrap();
    assert_eq!(commands.len(), 5);
}

#[test]
fn a_server_that_proves_nothing_is_not_believed() {
    let (result, _) = prove(AuthMechanism::ScramSha256, "pencil", "SASL SCRAM-SHA-256", &[("AUTH", "+OK")]);
    assert_eq!(result.err().unwrap().kind(), Kind::Auth);
    let (result, _) = prove(AuthMechanism::ScramSha256, "pencil", "SASL PLAIN", &[]);
    assert!(matches!(result.err().unwrap(), Error::Mechanism(_)));
    let (result, _) = prove(AuthMechanism::Login, "x", "SASL LOGIN", &[("AUTH", "+ VXNlcm5hbWU6"), ("d", "+ x*x")]);
    assert_eq!(result.err().unwrap().kind(), Kind::Protocol);
}

#[test]
fn apop_is_the_rfcs_and_comes_before_a_password_in_clear() {
    let proof = "APOP tim c4c9334bac560ecc979e58001b3e22fb";
    for (mechanism, capabilities) in
        [(AuthMechanism::Apop, "X"), (AuthMechanism::Auto, "X"), (AuthMechanism::Auto, "SASL PLAIN LOGIN")]
    {
        let (result, commands) = prove(mechanism, "tanstaaf", capabilities, &[]);
        result.unwrap();
        assert_eq!(commands[1], proof);
    }
    // What proves more is preferred; what was asked for is not replaced.
    let (_, commands) = prove(AuthMechanism::Auto, "tanstaaf", "SASL CRAM-MD5", &[]);
    assert_eq!(commands[1], "AUTH CRAM-MD5");
    let (_, commands) = prove(AuthMechanism::Plain, "tanstaaf", "SASL PLAIN", &[]);
    assert!(commands[1].starts_with("AUTH PLAIN"));
    let (result, commands) = prove(AuthMechanism::Auto, "tanstaaf", "X", &[("APOP", "-ERR no such user")]);
    let error = result.err().unwrap();
    assert!(error.kind() == Kind::Auth && error.hint().unwrap().contains("auth = \"plain\""), "{error}");
    assert!(!commands.iter().any(|c| c.starts_with("PASS") || c.starts_with("USER")));
}

#[test]
fn capabilities_that_come_only_after_the_login_are_used() {
    let mut peer = three();
    peer.behaviour.capabilities = vec!["USER", "TOP", "UIDL", "EXPIRE 0", "SASL PLAIN XOAUTH2"];
    peer.behaviour.capabilities_after = Some(vec!["USER", "TOP", "UIDL", "EXPIRE 0", "PIPELINING"]);
    let mut session = login(&peer, None).unwrap();
    assert!(session.capabilities().pipelining() && session.capabilities().quit_deletes());
    assert_eq!(session.listing().unwrap().messages.len(), 3);
    let remembered = session.remembered().clone();
    assert!(remembered.after.is_some());
    let mut again = login(&peer, Some(&remembered)).unwrap();
    assert_eq!(again.listing().unwrap().messages.len(), 3);
}

#[test]
fn servers_that_know_less() {
    let mut peer = three();
    peer.behaviour.capabilities = Vec::new();
    peer.behaviour.answers = vec![("UIDL", "-ERR no"), ("LIST", "-ERR no")];
    let mut session = login(&peer, None).unwrap();
    let listing = session.listing().unwrap();
    assert!(!listing.has_uidl);
    assert_eq!(listing.messages[2], Listed { number: 3, uidl: None, size: None });
    let mut got = Collected::default();
    session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
    assert_eq!(got.whole.len(), 3);
    session.noop().unwrap();
    session.reset().unwrap();
    assert_eq!(session.stat().unwrap(), (3, Some(0)));
    session.quit().unwrap();
}

#[test]
fn refusals_have_their_classes() {
    for (command, answer, kind) in [
        ("PASS", "-ERR [IN-USE] busy", Kind::TryLater),
        ("PASS", "-ERR no such user", Kind::Auth),
        ("USER", "-ERR [AUTH] no", Kind::Auth),
        ("PASS", "-ERR [SYS/PERM] broken", Kind::Protocol),
        ("PASS", "\x1b]0;rubbish", Kind::Protocol),
        ("UIDL", "-ERR [SYS/TEMP] x", Kind::TryLater),
        ("UIDL", "-ERR [SYS/PERM] x", Kind::Protocol),
        ("UIDL", "-ERR [AUTH] x", Kind::Auth),
        ("LIST", "-ERR [SYS/PERM] x", Kind::Protocol),
        ("LIST", "-ERR [AUTH] x", Kind::Auth),
        ("LIST", "-ERR [IN-USE] x", Kind::TryLater),
        ("CAPA", "-ERR [SYS/TEMP] x", Kind::TryLater),
        ("CAPA", "-ERR [LOGIN-DELAY] x", Kind::TryLater),
        ("LIST", "rubbish", Kind::Protocol),
    ] {
        let mut peer = three();
        peer.behaviour.answers = vec![(command, answer)];
        let error = login(&peer, None).and_then(|mut s| s.listing()).err().unwrap();
        assert_eq!(error.kind(), kind, "{command} {answer}: {error}");
        assert!(!error.to_string().contains("two words"));
        assert!(!peer.mailbox().commands.contains(&"QUIT".to_owned()));
    }
    let mut peer = three();
    peer.behaviour.greeting = "-ERR go away".into();
    assert_eq!(login(&peer, None).err().unwrap().kind(), Kind::TryLater);
}

#[test]
fn figures_are_asked_for_behind_a_listing_that_was_sent_ahead() {
    let peer = three();
    let mut session = login(&peer, None).unwrap();
    assert_eq!(session.stat().unwrap(), (3, Some(0)));
    session.noop().unwrap();
    assert_eq!(session.listing().unwrap().messages.len(), 3);
    session.reset().unwrap();
    session.quit().unwrap();
    login(&peer, None).unwrap().quit().unwrap();
}

#[test]
fn one_refused_message_does_not_stop_the_others() {
    let mut peer = three();
    peer.behaviour.answers = vec![("RETR 2", "-ERR damaged"), ("DELE 1", "-ERR read-only")];
    let mut session = login(&peer, None).unwrap();
    let listing = session.listing().unwrap();
    let mut got = Collected::default();
    session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
    assert_eq!(got.whole.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((got.refused[0].0, got.refused[0].1.text.as_str()), (2, "damaged"));
    let ended = session.delete_and_quit(&[1, 3]).unwrap();
    assert_eq!(ended.refused[0].0, 1);
    assert_eq!(peer.mailbox().messages.len(), 2);
}

#[test]
fn endless_lines_and_answers_are_bounded() {
    let long: &'static str = Box::leak(format!("+OK {}", "x".repeat(200_000)).into_boxed_str());
    let mut peer = three();
    peer.behaviour.answers = vec![("USER", long)];
    assert!(matches!(login(&peer, None).err().unwrap(), Error::Limit { command: "USER", .. }));
    peer.behaviour.answers = Vec::new();
    peer.behaviour.greeting = long.to_owned();
    assert!(matches!(login(&peer, None).err().unwrap(), Error::Limit { .. }));
    let peer = three();
    peer.mailbox().messages[0].uidl = Some("y".repeat(200_000));
    assert!(matches!(login(&peer, None).unwrap().listing().err().unwrap(), Error::Limit { command: "UIDL", .. }));
}
