//! A TCP proxy in front of a real server: counts, records, delays, slows down, stalls, cuts and leaves out response codes.

use super::response::literal_size;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A direction of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// In good order: the reader sees an end of file.
    Fin,
    /// By a reset: the reader sees an error.
    Rst,
}

/// What happens when a direction has carried so many bytes, counted over all connections.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Exactly `after` bytes pass, then both ends are closed; further connections work as usual.
    Cut { way: Way, after: u64, end: End },
    /// Exactly `after` bytes pass, then nothing more in that direction until the proxy is dropped.
    Stall { way: Way, after: u64 },
}

/// How the proxy treats the stream.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    pub fault: Option<Fault>,
    /// Added to each direction; pipelined commands share it.
    pub delay: Duration,
    /// Bytes a second in each direction, shared by all connections as on one line.
    pub rate: Option<u64>,
    /// Response codes such as `APPENDUID` that are taken out of the server's lines.
    pub hidden_codes: Vec<&'static str>,
}

/// One connection as it went over the wire.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub up: Vec<u8>,
    pub down: Vec<u8>,
    /// How often the client spoke after the server had: the round trips, the greeting not counted.
    pub turns: u32,
    last_was_down: bool,
}

impl Record {
    /// What the client said, as text.
    pub fn client(&self) -> String {
        String::from_utf8_lossy(&self.up).into_owned()
    }

    /// The client's commands, each with its tag and without its literals (for IMAP).
    pub fn commands(&self) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let (mut rest, mut goes_on) = (&self.up[..], false);
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let line = rest[..end].trim_ascii_end();
            rest = &rest[end + 1..];
            let text = String::from_utf8_lossy(line);
            match out.last_mut() {
                Some(last) if goes_on => last.push_str(&text),
                _ => out.push(text.into_owned()),
            }
            let size = literal_size(line);
            goes_on = size.is_some();
            rest = rest.get(size.unwrap_or(0)..).unwrap_or_default();
        }
        out
    }

    /// What the server said, as text.
    pub fn server(&self) -> String {
        String::from_utf8_lossy(&self.down).into_owned()
    }
}

#[derive(Default)]
struct State {
    records: Vec<Record>,
    streams: Vec<TcpStream>,
    /// Connections that the server has not closed yet.
    live: usize,
    passed: [u64; 2],
    /// Until when each direction of a line with a rate is taken.
    taken: [Option<Instant>; 2],
    manner: Manner,
    spent: bool,
}

/// A running proxy; it ends when dropped.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts a proxy to `target` on a free loopback port.
    pub fn start(target: SocketAddr, manner: Manner) -> Self {
        Self::start_with(TcpListener::bind("127.0.0.1:0").expect("a port"), target, manner)
    }

    /// Starts one where another was, as when a server comes back.
    ///
    /// # Panics
    /// If the address stays taken.
    pub fn start_again(address: SocketAddr, target: SocketAddr) -> Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpListener::bind(address) {
                Ok(listener) => return Self::start_with(listener, target, Manner::default()),
                Err(error) => assert!(Instant::now() < deadline, "{address}: {error}"),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn start_with(listener: TcpListener, target: SocketAddr, manner: Manner) -> Self {
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State { manner, ..State::default() }));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (state.clone(), stop.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                if let Ok(server) = TcpStream::connect(target) {
                    join(&shared, client, server);
                }
            }
        });
        Self { address, state, stop }
    }

    /// The port to give to the client.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Forgets what was recorded and counted, and treats what follows in another manner. Returns what was recorded.
    pub fn restart(&self, manner: Manner) -> Vec<Record> {
        let mut state = lock(&self.state);
        state.manner = manner;
        state.passed = [0; 2];
        state.taken = [None; 2];
        state.spent = false;
        // Old connections keep their numbers, so their places stay and only their contents go.
        state.records.iter_mut().map(std::mem::take).collect()
    }

    /// Forgets what was recorded; manner and counts stay.
    pub fn clear(&self) {
        lock(&self.state).records.iter_mut().for_each(|r| *r = Record::default());
    }

    /// What has passed since the last `restart` or `clear`, a record for each connection.
    pub fn records(&self) -> Vec<Record> {
        lock(&self.state).records.iter().filter(|r| !(r.up.is_empty() && r.down.is_empty())).cloned().collect()
    }

    /// Bytes that passed in one direction.
    pub fn passed(&self, way: Way) -> u64 {
        lock(&self.state).passed[index(way)]
    }

    /// Connections whose server side is still open.
    pub fn live(&self) -> usize {
        lock(&self.state).live
    }

    /// Whether the fault has happened.
    pub fn struck(&self) -> bool {
        lock(&self.state).spent
    }

    /// Ends every connection now.
    pub fn cut_all(&self, end: End) {
        for stream in lock(&self.state).streams.drain(..) {
            finish(&stream, end);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.cut_all(End::Fin);
        // Wakes the accepting thread, which then sees the flag and goes, its listener with it.
        TcpStream::connect(self.address).ok();
    }
}

fn index(way: Way) -> usize {
    match way {
        Way::Up => 0,
        Way::Down => 1,
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(|e| e.into_inner())
}

fn finish(stream: &TcpStream, end: End) {
    match end {
        End::Fin => stream.shutdown(Shutdown::Both).ok(),
        // Dissolving the association resets the connection at once, whoever else still holds the socket.
        End::Rst => rustix::net::connect_unspec(stream).ok(),
    };
}

/// Starts the two directions of one connection.
fn join(state: &Arc<Mutex<State>>, client: TcpStream, server: TcpStream) {
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let number = {
        let mut held = lock(state);
        held.records.push(Record::default());
        held.live += 1;
        held.streams.extend([client.try_clone(), server.try_clone()].into_iter().flatten());
        held.records.len() - 1
    };
    let pairs = [(Way::Up, &client, &server), (Way::Down, &server, &client)];
    for (way, from, to) in pairs {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
        let (sender, receiver) = channel();
        let shared = state.clone();
        let reading = state.clone();
        thread::spawn(move || {
            read_side(from, &sender);
            if way == Way::Down {
                lock(&reading).live -= 1;
            }
        });
        thread::spawn(move || Pump { state: shared, number, way, to, filter: Filter::default() }.run(&receiver));
    }
}

/// Reads as fast as it can and notes when each piece came, so that a delay holds back no later piece.
fn read_side(mut from: TcpStream, pieces: &Sender<(Instant, Vec<u8>)>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if pieces.send((Instant::now(), buffer[..n].to_vec())).is_err() {
            return;
        }
    }
}

struct Pump {
    state: Arc<Mutex<State>>,
    number: usize,
    way: Way,
    to: TcpStream,
    filter: Filter,
}

impl Pump {
    fn run(mut self, pieces: &Receiver<(Instant, Vec<u8>)>) {
        while let Ok((came, piece)) = pieces.recv() {
            let delay = lock(&self.state).manner.delay;
            thread::sleep((came + delay).saturating_duration_since(Instant::now()));
            if !self.pass(piece) {
                return;
            }
        }
        // A FIN passes on as a FIN; the other direction may still have something to carry.
        self.to.shutdown(Shutdown::Write).ok();
    }

    /// Hands a piece on as far as the fault lets it; false when this direction is over.
    fn pass(&mut self, piece: Vec<u8>) -> bool {
        let mut state = lock(&self.state);
        let piece = match (self.way, state.manner.hidden_codes.is_empty()) {
            (Way::Down, false) => self.filter.apply(&piece, &state.manner.hidden_codes),
            _ => piece,
        };
        let before = state.passed[index(self.way)];
        let limit = match state.manner.fault {
            Some(Fault::Cut { way, after, .. } | Fault::Stall { way, after }) if way == self.way && !state.spent => {
                Some(after)
            }
            _ => None,
        };
        let left = limit.map_or(u64::MAX, |after| after.saturating_sub(before));
        let count = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let struck = limit.is_some() && left <= piece.len() as u64;
        let part = &piece[..count];
        state.passed[index(self.way)] += count as u64;
        let until = state.manner.rate.map(|rate| {
            let taken = &mut state.taken[index(self.way)];
            let free = taken.unwrap_or_else(Instant::now).max(Instant::now());
            *taken.insert(free + Duration::from_secs(count as u64) / u32::try_from(rate).unwrap_or(u32::MAX))
        });
        note(&mut state.records[self.number], self.way, part);
        state.spent |= struck;
        let fault = state.manner.fault;
        drop(state);
        if let Some(until) = until {
            thread::sleep(until.saturating_duration_since(Instant::now()));
        }
        let sent = self.to.write_all(part).is_ok();
        match fault {
            Some(Fault::Cut { end, .. }) if struck => {
                let streams = { lock(&self.state).streams.drain(..).collect::<Vec<_>>() };
                for stream in streams {
                    finish(&stream, end);
                }
                false
            }
            Some(Fault::Stall { .. }) if struck => false,
            _ => sent,
        }
    }
}

fn note(record: &mut Record, way: Way, part: &[u8]) {
    match way {
        Way::Up => {
            record.turns += u32::from(record.last_was_down);
            record.last_was_down = false;
            record.up.extend_from_slice(part);
        }
        Way::Down => {
            record.last_was_down = true;
            record.down.extend_from_slice(part);
        }
    }
}

/// Takes response codes out of whole lines; literals pass untouched.
#[derive(Default)]
struct Filter {
    held: Vec<u8>,
    literal: usize,
}

impl Filter {
    fn apply(&mut self, piece: &[u8], codes: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = piece;
        while !rest.is_empty() {
            if self.literal > 0 {
                let (now, later) = rest.split_at(self.literal.min(rest.len()));
                out.extend_from_slice(now);
                self.literal -= now.len();
                rest = later;
                continue;
            }
            let end = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
            self.held.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            if self.held.ends_with(b"\n") {
                let line = std::mem::take(&mut self.held);
                self.literal = literal_size(line.trim_ascii_end()).unwrap_or(0);
                out.extend(without_codes(line, codes));
            }
        }
        out
    }
}

fn without_codes(line: Vec<u8>, codes: &[&str]) -> Vec<u8> {
    let text = String::from_utf8_lossy(&line);
    for code in codes {
        if let Some((head, tail)) = text.split_once(&format!("[{code} "))
            && let Some((_, rest)) = tail.split_once("] ")
        {
            return format!("{head}{rest}").into_bytes();
        }
    }
    line
}
