//! Streams over socket pairs, loopback and tunnels.

mod tls;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::{Dial, Error, Stream, Traffic, Woken, connect};
use crate::account::{CommandLine, Endpoint, TlsMode};
use crate::stop::Stop;

/// Far more than any test needs.
const LONG: Duration = Duration::from_secs(30);
/// What tests of time-outs wait for.
const SHORT: Duration = Duration::from_millis(50);

fn pair(timeout: Duration) -> (Stream, UnixStream, Stop, Arc<Traffic>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (stop, traffic) = (Stop::new().unwrap(), Arc::new(Traffic::default()));
    let stream = Stream::from_socket(OwnedFd::from(ours), timeout, &stop, Arc::clone(&traffic)).unwrap();
    (stream, theirs, stop, traffic)
}

pub(super) fn endpoint(port: u16, tls: TlsMode) -> Endpoint {
    Endpoint {
        host: "localhost".to_owned(),
        port,
        tls,
        fingerprint: None,
        ca_file: None,
        client_cert: None,
        tunnel: None,
        timeout: LONG,
    }
}

pub(super) fn dial(endpoint: &Endpoint) -> Result<Stream, Error> {
    let stop = Stop::new().unwrap();
    connect(&Dial { endpoint, stop: &stop, traffic: Arc::default(), trace: None })
}

fn line(stream: &mut Stream) -> Result<String, Error> {
    let mut line = Vec::new();
    loop {
        let data = stream.fill()?;
        let (part, end) = match memchr::memchr(b'\n', data) {
            Some(at) => (&data[..=at], true),
            None => (data, false),
        };
        line.extend_from_slice(part);
        let length = part.len();
        stream.consume(length);
        if end {
            return Ok(String::from_utf8(line).unwrap());
        }
    }
}

#[test]
fn lines_cross_and_round_trips_count() {
    let (mut stream, mut peer, _stop, traffic) = pair(LONG);
    stream.write(b"a NOOP\r\n").unwrap();
    stream.write(b"b NOOP\r\n").unwrap();
    let server = thread::spawn(move || {
        let mut got = [0; 16];
        peer.read_exact(&mut got).unwrap();
        peer.write_all(b"a OK\r\nb OK\r\n").unwrap();
        peer
    });
    assert_eq!(line(&mut stream).unwrap(), "a OK\r\n");
    assert_eq!(line(&mut stream).unwrap(), "b OK\r\n");
    let peer = server.join().unwrap();
    assert_eq!((traffic.bytes_out(), traffic.bytes_in(), traffic.round_trips()), (16, 12, 1));
    assert!(stream.is_loopback() && !stream.is_encrypted() && !stream.is_tunnel());
    drop(peer);
    assert!(matches!(stream.fill(), Err(Error::Closed { .. })));
}

#[test]
fn both_directions_full_is_no_deadlock() {
    const SIZE: usize = 4 * 1024 * 1024;
    let (mut stream, mut peer, _stop, traffic) = pair(LONG);
    // The peer writes everything before it reads anything, and so do we.
    let server = thread::spawn(move || {
        peer.write_all(&vec![b'x'; SIZE]).unwrap();
        let mut got = vec![0; SIZE];
        peer.read_exact(&mut got).unwrap();
        got.iter().all(|&byte| byte == b'y')
    });
    stream.write_body(&vec![b'y'; SIZE]).unwrap();
    stream.flush().unwrap();
    let mut got = 0;
    while got < SIZE {
        let length = stream.fill().unwrap().len();
        got += length;
        stream.consume_body(length);
    }
    assert!(server.join().unwrap());
    assert_eq!((got, traffic.bytes_out()), (SIZE, SIZE as u64));
}

#[test]
fn a_stream_may_change_threads() {
    fn sends<T: Send>() {}
    sends::<Stream>();
}

#[test]
fn more_keeps_what_is_there() {
    let (mut stream, mut peer, _stop, _) = pair(LONG);
    peer.write_all(b"abc").unwrap();
    assert_eq!(stream.fill().unwrap(), b"abc");
    stream.consume(1);
    peer.write_all(b"def").unwrap();
    assert_eq!(stream.more(100).unwrap(), b"bcdef");
    assert!(matches!(stream.more(5), Err(Error::Protocol { .. })));
    assert_eq!(stream.buffered(), b"bcdef");
}

#[test]
fn waits_end_in_time() {
    let (mut stream, mut peer, _stop, _) = pair(SHORT);
    assert!(matches!(stream.fill(), Err(Error::Timeout { silent: true, .. })));
    peer.write_all(b"x").unwrap();
    stream.fill().unwrap();
    stream.consume(1);
    assert!(matches!(stream.fill(), Err(Error::Timeout { silent: false, .. })));
    // A peer that never reads is a time-out as well.
    assert!(matches!(stream.write(&vec![0; 32 * 1024 * 1024]), Err(Error::Timeout { .. })));
}

#[test]
fn the_deadline_ends_a_peer_that_drips() {
    let (mut stream, mut peer, _stop, _) = pair(LONG);
    let server = thread::spawn(move || while peer.write_all(b"x").is_ok() {});
    stream.set_deadline(Some(Instant::now() + SHORT));
    let outcome = loop {
        match stream.fill().map(<[u8]>::len) {
            Ok(length) => stream.consume_body(length),
            Err(error) => break error,
        }
    };
    assert!(matches!(outcome, Error::Deadline { .. }));
    drop(stream);
    server.join().unwrap();
}

#[test]
fn a_stop_wakes_every_wait() {
    let (mut stream, mut peer, stop, _) = pair(LONG);
    let waiting = thread::spawn(move || {
        let outcome = stream.fill().map(<[u8]>::len);
        (outcome, stream)
    });
    stop.request();
    let (outcome, mut stream) = waiting.join().unwrap();
    assert!(matches!(outcome, Err(Error::Stopped)));
    assert!(matches!(stream.wait_readable(LONG, &[]), Err(Error::Stopped)));
    // Work in hand can still be finished.
    stream.heed_stop(false);
    peer.write_all(b"done").unwrap();
    assert_eq!(stream.fill().unwrap(), b"done");
}

#[test]
fn idle_is_woken_by_input_by_others_and_by_time() {
    use std::os::fd::AsFd;
    let (mut stream, mut peer, _stop, _) = pair(LONG);
    let (other, mut wake) = UnixStream::pair().unwrap();
    assert_eq!(stream.wait_readable(SHORT, &[other.as_fd()]).unwrap(), Woken::TimedOut);
    wake.write_all(b"x").unwrap();
    assert_eq!(stream.wait_readable(LONG, &[other.as_fd()]).unwrap(), Woken::Other(0));
    peer.write_all(b"* 1 EXISTS\r\n").unwrap();
    assert_eq!(stream.wait_readable(LONG, &[]).unwrap(), Woken::Input);
    assert_eq!(stream.buffered(), b"* 1 EXISTS\r\n");
    stream.consume(12);
    drop(peer);
    assert!(matches!(stream.wait_readable(LONG, &[]), Err(Error::Closed { .. })));
}

#[test]
fn compression_works_both_ways_and_takes_what_came_early() {
    const SIZE: usize = 3_000_000;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let stop = Stop::new().unwrap();
    let traffic: [Arc<Traffic>; 2] = Default::default();
    let mut left = Stream::from_socket(ours.into(), LONG, &stop, Arc::clone(&traffic[0])).unwrap();
    let mut right = Stream::from_socket(theirs.into(), LONG, &stop, Arc::clone(&traffic[1])).unwrap();
    let body: Vec<u8> = (0..SIZE).map(|i| (i % 251) as u8).collect();
    let expected = body.clone();
    let server = thread::spawn(move || {
        right.write(b"ok\r\n").unwrap();
        right.flush().unwrap();
        right.start_deflate().unwrap();
        right.write(b"early\r\n").unwrap();
        right.flush().unwrap();
        assert_eq!(line(&mut right).unwrap(), "hello\r\n");
        right.write_body(&body).unwrap();
        right.flush().unwrap();
    });
    assert_eq!(line(&mut left).unwrap(), "ok\r\n");
    left.start_deflate().unwrap();
    assert!(left.start_deflate().is_err());
    assert_eq!(line(&mut left).unwrap(), "early\r\n");
    left.write(b"hello\r\n").unwrap();
    let mut got = Vec::new();
    while got.len() < SIZE {
        let data = left.fill().unwrap();
        assert!(data.len() <= 256 * 1024);
        got.extend_from_slice(data);
        let length = data.len();
        left.consume_body(length);
    }
    assert_eq!(got, expected);
    server.join().unwrap();
    assert!(traffic[0].bytes_in() < 200_000, "{}", traffic[0].bytes_in());
}

#[test]
fn a_deflate_bomb_is_inflated_only_as_it_is_read() {
    use flate2::{Compression, write::DeflateEncoder};
    const SIZE: usize = 64 * 1024 * 1024;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; SIZE]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < SIZE / 500);
    let (mut stream, mut peer, _stop, _) = pair(LONG);
    stream.start_deflate().unwrap();
    let server = thread::spawn(move || peer.write_all(&bomb));
    let mut got = 0;
    loop {
        match stream.fill().map(<[u8]>::len) {
            Ok(length) => {
                assert!(length <= 256 * 1024);
                got += length;
                stream.consume_body(length);
            }
            Err(Error::Closed { .. }) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(got, SIZE);
    server.join().unwrap().unwrap();
}

#[test]
fn damaged_compression_is_an_error() {
    let (mut stream, mut peer, _stop, _) = pair(LONG);
    stream.start_deflate().unwrap();
    peer.write_all(b"* this is clear text, not deflate\r\n").unwrap();
    assert!(matches!(stream.fill(), Err(Error::Protocol { .. })));
}

#[test]
fn refused_and_unknown_hosts_are_told_apart() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    assert!(matches!(dial(&endpoint(port, TlsMode::None)), Err(Error::Connect { .. })));
    let mut nowhere = endpoint(1, TlsMode::None);
    nowhere.host = "does-not-exist.invalid".to_owned();
    assert!(matches!(dial(&nowhere), Err(Error::Resolve { .. })));
}

#[test]
fn a_tunnel_speaks_by_stdin_and_stdout_and_dies_with_the_stream() {
    let mut settings = endpoint(143, TlsMode::Implicit);
    settings.tunnel =
        Some(CommandLine::Shell("echo '* PREAUTH'; read line; echo \"got $line\"; exec sleep 1000".to_owned()));
    let begun = Instant::now();
    let mut stream = dial(&settings).unwrap();
    assert!(stream.is_tunnel() && stream.is_encrypted() && !stream.is_loopback());
    assert_eq!(line(&mut stream).unwrap(), "* PREAUTH\n");
    stream.write(b"a NOOP\n").unwrap();
    assert_eq!(line(&mut stream).unwrap(), "got a NOOP\n");
    drop(stream);
    assert!(begun.elapsed() < LONG);
}

#[test]
fn a_failing_tunnel_says_why() {
    let mut settings = endpoint(143, TlsMode::None);
    settings.tunnel = Some(CommandLine::Shell("echo 'no \u{1b}route' >&2; exit 3".to_owned()));
    let mut stream = dial(&settings).unwrap();
    let error = stream.fill().unwrap_err().to_string();
    assert!(error.contains("no \u{fffd}route"), "{error}");
    settings.tunnel = Some(CommandLine::Argv(vec!["/does/not/exist".to_owned()]));
    assert!(matches!(dial(&settings), Err(Error::Tunnel { .. })));
}

#[test]
fn the_trace_hides_secrets_and_counts_bodies() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let copy = Arc::clone(&lines);
    let mut settings = endpoint(listener.local_addr().unwrap().port(), TlsMode::None);
    settings.host = "127.0.0.1".to_owned();
    let stop = Stop::new().unwrap();
    let trace = super::Trace::new(move |line: &str| copy.lock().unwrap().push(line.to_owned()));
    let mut stream =
        connect(&Dial { endpoint: &settings, stop: &stop, traffic: Arc::default(), trace: Some(trace) }).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    stream.trace().unwrap().hide(b"hunter2");
    stream.write_secret(b"PASS hunter2\r\n", "PASS ***").unwrap();
    stream.write(b"RETR 1\r\n").unwrap();
    stream.flush().unwrap();
    peer.write_all(b"+OK hunter2 is right\r\nbody\r\n.\r\n").unwrap();
    assert_eq!(line(&mut stream).unwrap(), "+OK hunter2 is right\r\n");
    while stream.buffered().len() < 9 {
        stream.more(100).unwrap();
    }
    stream.consume_body(6);
    stream.consume(3);
    let expected = ["> PASS ***", "> RETR 1", "< +OK *** is right", "< [6 bytes]", "< ."];
    assert_eq!(*lines.lock().unwrap(), expected);
}
