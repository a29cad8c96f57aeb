//! Tests of the proxy itself against the real server.

use super::dovecot::Dovecot;
use super::mailbox::Mailbox;
use super::message::flags;
use super::proxy::{End, Fault, Manner, Proxy, Way};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    stream
}

/// Logs in, asks for NOOP and logs out through the proxy; what the server said, and whether it ended by an error.
fn session(proxy: &Proxy, user: &str) -> (Vec<u8>, bool) {
    let mut stream = connect(proxy);
    let mut got = Vec::new();
    let text = format!("a LOGIN {user} pass\r\nb NOOP\r\nc LOGOUT\r\n");
    let sent = stream.write_all(text.as_bytes()).is_ok();
    let failed = stream.read_to_end(&mut got).is_err();
    (got, failed || !sent)
}

#[test]
fn it_passes_and_records_everything() {
    let server = Dovecot::usual();
    let proxy = Proxy::start(server.imap(), Manner::default());
    let (got, failed) = session(&proxy, &server.user("p"));
    assert!(!failed);
    let records = proxy.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].down, got);
    assert!(records[0].client().ends_with("c LOGOUT\r\n"));
    assert_eq!((proxy.passed(Way::Up), proxy.passed(Way::Down)), (records[0].up.len() as u64, got.len() as u64));
    assert!(!proxy.struck());
}

#[test]
fn it_cuts_at_the_very_byte() {
    let server = Dovecot::usual();
    let user = server.user("cut");
    for (after, end) in [(1, End::Fin), (17, End::Fin), (40, End::Rst), (333, End::Fin)] {
        let fault = Fault::Cut { way: Way::Down, after, end };
        let proxy = Proxy::start(server.imap(), Manner { fault: Some(fault), ..Manner::default() });
        let (got, failed) = session(&proxy, &user);
        assert!(proxy.struck());
        assert_eq!(proxy.passed(Way::Down), after);
        if end == End::Fin && !failed {
            assert_eq!(got.len() as u64, after);
        }
        assert!(session(&proxy, &user).0.len() > 400, "later connections work");
    }
    let fault = Fault::Cut { way: Way::Up, after: 5, end: End::Fin };
    let proxy = Proxy::start(server.imap(), Manner { fault: Some(fault), ..Manner::default() });
    session(&proxy, &user);
    assert_eq!(proxy.records()[0].client(), "a LOG");
}

#[test]
fn a_delay_does_not_hold_back_pipelining() {
    let server = Dovecot::usual();
    let user = server.user("delay");
    let delay = Duration::from_millis(60);
    let proxy = Proxy::start(server.imap(), Manner { delay, ..Manner::default() });
    let begin = Instant::now();
    let mut stream = connect(&proxy);
    stream.write_all(format!("a LOGIN {user} pass\r\n").as_bytes()).expect("write");
    for i in 0..20 {
        stream.write_all(format!("n{i} NOOP\r\n").as_bytes()).expect("write");
    }
    stream.write_all(b"z LOGOUT\r\n").expect("write");
    let mut got = String::new();
    stream.read_to_string(&mut got).expect("read");
    let took = begin.elapsed();
    assert!(got.contains("n19 OK"));
    assert!(took >= 2 * delay && took < 10 * delay, "{took:?}");
}

#[test]
fn a_stall_passes_its_bytes_and_no_more() {
    let server = Dovecot::usual();
    let fault = Fault::Stall { way: Way::Down, after: 10 };
    let proxy = Proxy::start(server.imap(), Manner { fault: Some(fault), ..Manner::default() });
    let mut stream = connect(&proxy);
    let mut ten = [0; 10];
    stream.read_exact(&mut ten).expect("ten bytes");
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("timeout");
    assert!(stream.read(&mut ten).is_err());
    assert!(proxy.struck());
}

#[test]
fn codes_are_hidden_in_lines_but_not_in_literals() {
    let server = Dovecot::usual();
    let user = server.user("codes");
    Mailbox::open(&server, &user).append("INBOX", b"a [APPENDUID 1 2] b\n", &flags(""), 5);
    let proxy = Proxy::start(server.imap(), Manner { hidden_codes: vec!["APPENDUID"], ..Manner::default() });
    let mut stream = connect(&proxy);
    let text = format!(
        "a LOGIN {user} pass\r\nb APPEND INBOX {{3+}}\r\nx\r\n\r\nc SELECT INBOX\r\nd FETCH 1 BODY.PEEK[]\r\ne LOGOUT\r\n"
    );
    stream.write_all(text.as_bytes()).expect("write");
    let mut got = String::new();
    stream.read_to_string(&mut got).expect("read");
    let append = got.lines().find(|l| l.starts_with("b ")).unwrap_or_default();
    assert!(append.starts_with("b OK Append"), "{append}");
    assert!(got.contains("a [APPENDUID 1 2] b"), "{got}");
}

#[test]
fn a_line_with_a_rate_takes_its_time_whoever_shares_it() {
    let server = Dovecot::usual();
    let user = server.user("rate");
    let body = "x".repeat(70) + "\n";
    let text = format!("Subject: long\n\n{}", body.repeat(3000));
    Mailbox::open(&server, &user).append("INBOX", text.as_bytes(), &flags(""), 0);
    let proxy = Proxy::start(server.imap(), Manner { rate: Some(1_000_000), ..Manner::default() });
    let begun = Instant::now();
    let fetch = || {
        let mut stream = connect(&proxy);
        let text = format!("a LOGIN {user} pass\r\nb SELECT INBOX\r\nc FETCH 1 BODY[]\r\nd LOGOUT\r\n");
        stream.write_all(text.as_bytes()).expect("write");
        stream.read_to_end(&mut Vec::new()).expect("read");
    };
    std::thread::scope(|scope| {
        scope.spawn(fetch);
        fetch();
    });
    assert!(begun.elapsed() > Duration::from_millis(400), "{:?}", begun.elapsed());
}
