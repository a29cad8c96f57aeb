//! A POP3 server in this process that can lie: its maildrop is open to the test, and any command can be answered otherwise.

use super::fake_store::Filter;
use super::message::wire_lines;
use super::peer::{Command, Conversation, Handler, Peer, Report};
use std::io::{ErrorKind, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// One message of the maildrop.
#[derive(Clone, Debug)]
pub struct Message {
    pub uidl: String,
    /// With CRLF, not dot-stuffed.
    pub bytes: Vec<u8>,
}

/// Everything the server has and says of itself.
#[derive(Clone, Debug)]
pub struct Maildrop {
    pub greeting: String,
    /// The lines of CAPA; empty: CAPA is not known.
    pub capabilities: Vec<String>,
    pub messages: Vec<Message>,
    /// How many sessions ended by QUIT.
    pub quits: u32,
    /// What becomes of honest answers on their way out.
    pub filter: Filter,
}

impl Default for Maildrop {
    fn default() -> Self {
        Self {
            greeting: "+OK ready".into(),
            capabilities: ["USER", "UIDL", "TOP", "PIPELINING", "RESP-CODES"].map(str::to_owned).to_vec(),
            messages: Vec::new(),
            quits: 0,
            filter: Filter::default(),
        }
    }
}

impl Maildrop {
    /// Adds a message; LF becomes CRLF.
    pub fn add(&mut self, uidl: &str, bytes: &[u8]) {
        self.messages.push(Message { uidl: uidl.to_owned(), bytes: wire_lines(bytes) });
    }
}

/// Answers a command in the server's stead; `None` leaves it to the server.
pub type Hook = Box<dyn Fn(&Command, &mut Maildrop) -> Option<Vec<u8>> + Send + Sync>;

/// A running fake.
pub struct FakePop3 {
    peer: Peer,
    drop: Arc<Mutex<Maildrop>>,
    live: Arc<AtomicUsize>,
}

impl FakePop3 {
    /// An honest server.
    pub fn start(maildrop: Maildrop) -> Self {
        Self::with_hook(maildrop, Box::new(|_, _| None))
    }

    /// A server that lets `hook` speak first.
    pub fn with_hook(maildrop: Maildrop, hook: Hook) -> Self {
        let drop = Arc::new(Mutex::new(maildrop));
        let shared = drop.clone();
        let live = Arc::new(AtomicUsize::new(0));
        let count = live.clone();
        let handler: Handler = Box::new(move |c| {
            count.fetch_add(1, Ordering::SeqCst);
            let result = serve(c, &shared, &hook);
            count.fetch_sub(1, Ordering::SeqCst);
            result
        });
        Self { peer: Peer::start(vec![handler]), drop, live }
    }

    pub fn port(&self) -> u16 {
        self.peer.port()
    }

    /// How many sessions it has now.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    /// The maildrop as it is now.
    pub fn maildrop(&self) -> Maildrop {
        self.drop.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Changes the maildrop; sessions that run keep what they saw at their start.
    pub fn change<T>(&self, change: impl FnOnce(&mut Maildrop) -> T) -> T {
        change(&mut self.drop.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// Every command heard so far.
    pub fn heard(&self) -> String {
        self.peer.heard().concat()
    }

    /// Ends the server; what it heard.
    pub fn finish(self) -> Report {
        self.peer.finish()
    }
}

/// Serves one connection from its greeting on, for peers that begin otherwise (TLS first).
pub fn serve(c: &mut Conversation, maildrop: &Mutex<Maildrop>, hook: &Hook) -> Result<()> {
    let lock = || maildrop.lock().unwrap_or_else(|e| e.into_inner());
    let greeting = lock().greeting.clone();
    c.send(format!("{greeting}\r\n"))?;
    // What the session sees is what was there when it began (RFC 1939 §8); deletions wait for QUIT.
    let session = lock().messages.clone();
    let mut deleted = vec![false; session.len()];
    loop {
        let command = match c.command() {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        };
        let forged = hook(&command, &mut lock());
        let quits = command.line.eq_ignore_ascii_case("QUIT");
        let bytes = forged.unwrap_or_else(|| answer(&command, &lock().capabilities, &session, &mut deleted));
        if quits && bytes.starts_with(b"+OK") {
            let mut held = lock();
            let gone =
                |m: &Message| session.iter().zip(&deleted).any(|(s, d)| *d && s.uidl == m.uidl && s.bytes == m.bytes);
            held.messages.retain(|m| !gone(m));
            held.quits += 1;
        }
        let filter = lock().filter.clone();
        c.send(filter.apply(&command, bytes))?;
        if quits {
            return Ok(());
        }
    }
}

fn answer(command: &Command, capabilities: &[String], session: &[Message], deleted: &mut [bool]) -> Vec<u8> {
    let words: Vec<&str> = command.line.split(' ').collect();
    let number = words.get(1).and_then(|w| w.parse::<usize>().ok());
    let chosen = number.and_then(|n| n.checked_sub(1)).filter(|i| deleted.get(*i) == Some(&false));
    let present = || session.iter().enumerate().zip(deleted.iter()).filter(|(_, d)| !**d).map(|(m, _)| m);
    let listing = |each: &dyn Fn(&Message) -> String| {
        let lines: String = present().map(|(i, m)| format!("{} {}\r\n", i + 1, each(m))).collect();
        format!("+OK\r\n{lines}.\r\n").into_bytes()
    };
    match (words[0].to_ascii_uppercase().as_str(), chosen) {
        ("CAPA", _) if capabilities.is_empty() => b"-ERR unknown\r\n".to_vec(),
        ("CAPA", _) => format!("+OK\r\n{}\r\n.\r\n", capabilities.join("\r\n")).into_bytes(),
        ("STAT", _) => {
            let size: usize = present().map(|(_, m)| m.bytes.len()).sum();
            format!("+OK {} {size}\r\n", present().count()).into_bytes()
        }
        ("LIST", None) => listing(&|m| m.bytes.len().to_string()),
        ("LIST", Some(i)) => format!("+OK {} {}\r\n", i + 1, session[i].bytes.len()).into_bytes(),
        ("UIDL", None) if number.is_none() => listing(&|m| m.uidl.clone()),
        ("UIDL", Some(i)) => format!("+OK {} {}\r\n", i + 1, session[i].uidl).into_bytes(),
        ("RETR", Some(i)) => multiline(&session[i].bytes),
        ("TOP", Some(i)) => {
            let lines = words.get(2).and_then(|w| w.parse().ok()).unwrap_or(0);
            multiline(&top(&session[i].bytes, lines))
        }
        ("DELE", Some(i)) => {
            deleted[i] = true;
            b"+OK\r\n".to_vec()
        }
        ("RSET", _) => {
            deleted.fill(false);
            b"+OK\r\n".to_vec()
        }
        ("USER" | "PASS" | "NOOP" | "QUIT" | "APOP", _) => b"+OK\r\n".to_vec(),
        _ => b"-ERR no such thing\r\n".to_vec(),
    }
}

/// The header, the blank line and so many lines of the body.
fn top(bytes: &[u8], lines: usize) -> Vec<u8> {
    let header = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body: Vec<u8> = bytes[header..].split_inclusive(|b| *b == b'\n').take(lines).flatten().copied().collect();
    [&bytes[..header], &body].concat()
}

/// Dot-stuffed and ended as RFC 1939 §3 says.
fn multiline(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"+OK\r\n".to_vec();
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn session(fake: &FakePop3, commands: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", fake.port())).expect("connect");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("timeout");
        stream.write_all(commands.as_bytes()).expect("write");
        stream.shutdown(std::net::Shutdown::Write).expect("shutdown");
        let mut got = String::new();
        stream.read_to_string(&mut got).expect("read");
        got
    }

    #[test]
    fn deletions_become_real_with_quit_only() {
        let mut drop = Maildrop::default();
        drop.add("a", b"Subject: a\n\n.dot\nb\n");
        drop.add("b", b"Subject: b\n\nx");
        let fake =
            FakePop3::with_hook(drop, Box::new(|c, _| c.line.starts_with("NOOP").then(|| b"-ERR lie\r\n".to_vec())));
        let got = session(&fake, "STAT\r\nUIDL\r\nRETR 1\r\nTOP 1 1\r\nNOOP\r\nDELE 1\r\n");
        assert!(got.contains("+OK\r\nSubject: a\r\n\r\n..dot\r\nb\r\n.\r\n"), "{got}");
        assert!(got.contains("Subject: a\r\n\r\n..dot\r\n.\r\n") && got.contains("-ERR lie"), "{got}");
        assert_eq!((fake.maildrop().messages.len(), fake.maildrop().quits), (2, 0));
        session(&fake, "DELE 1\r\nQUIT\r\n");
        assert_eq!((fake.maildrop().messages.len(), fake.maildrop().quits), (1, 1));
        assert!(fake.heard().contains("DELE 1"));
        assert!(fake.finish().failures.is_empty());
    }
}
