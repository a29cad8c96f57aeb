//! A scripted POP3 server for tests: keeps its mailbox over sessions, refuses, lies and dies as told.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// A message of the mailbox.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its unique id; `None`: the server leaves it empty.
    pub uidl: Option<String>,
    /// Its bytes with CR LF line ends.
    pub body: Vec<u8>,
    /// What LIST tells; `None`: the truth.
    pub listed: Option<i64>,
}

/// What outlives a session.
#[derive(Debug, Default)]
pub struct Mailbox {
    /// The messages.
    pub messages: Vec<Stored>,
    /// Every command received, over all sessions.
    pub commands: Vec<String>,
    /// How many sessions there were.
    pub sessions: u32,
    /// How many bytes the longest of them sent and heard.
    pub longest: (usize, usize),
}

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// The greeting.
    pub greeting: String,
    /// The lines of CAPA before the login; empty: CAPA is refused.
    pub capabilities: Vec<&'static str>,
    /// The lines of CAPA after it, where they differ.
    pub capabilities_after: Option<Vec<&'static str>>,
    /// Answers to commands that begin so, instead of the usual ones. An empty answer closes the connection.
    pub answers: Vec<(&'static str, &'static str)>,
    /// The connection is closed after so many bytes of output.
    pub cut_after: Option<usize>,
    /// The connection is closed after so many bytes of input.
    pub deaf_after: Option<usize>,
    /// Everything retrieved is deleted by QUIT.
    pub expire_zero: bool,
    /// Dots are not stuffed.
    pub forgets_stuffing: bool,
    /// Said, unasked, ahead of the answer to the command.
    pub unasked: Option<(&'static str, &'static str)>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            greeting: "+OK ready".into(),
            capabilities: vec!["TOP", "UIDL", "USER", "RESP-CODES", "PIPELINING"],
            capabilities_after: None,
            answers: Vec::new(),
            cut_after: None,
            deaf_after: None,
            expire_zero: false,
            forgets_stuffing: false,
            unasked: None,
        }
    }
}

/// A server with its mailbox.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    mailbox: Arc<Mutex<Mailbox>>,
    /// How the next session goes.
    pub behaviour: Behaviour,
}

/// A listening server; dropping it ends it.
pub struct Listening {
    /// Its port on 127.0.0.1.
    pub port: u16,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One running session.
pub struct Running {
    thread: JoinHandle<usize>,
}

impl Running {
    /// Waits for its end; gives the bytes that it sent.
    pub fn join(self) -> usize {
        self.thread.join().unwrap()
    }
}

impl Peer {
    /// A server with these messages, under the unique ids given.
    pub fn with(messages: &[(&str, &str)]) -> Self {
        let peer = Self::default();
        for (uidl, body) in messages {
            peer.put(uidl, body);
        }
        peer
    }

    /// Adds a message. An empty id is none.
    pub fn put(&self, uidl: &str, body: &str) {
        let uidl = (!uidl.is_empty()).then(|| uidl.to_owned());
        self.mailbox().messages.push(Stored { uidl, body: body.as_bytes().to_vec(), listed: None });
    }

    /// The mailbox.
    pub fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap()
    }

    /// The commands received since the last call.
    pub fn take_commands(&self) -> Vec<String> {
        std::mem::take(&mut self.mailbox().commands)
    }

    /// Starts a session; the socket is the client's end.
    pub fn serve(&self) -> (OwnedFd, Running) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut session = self.session(OwnedFd::from(ours), self.behaviour.clone());
        (theirs.into(), Running { thread: std::thread::spawn(move || session.run()) })
    }

    fn session(&self, socket: OwnedFd, behaviour: Behaviour) -> Session {
        Session { socket: socket.into(), mailbox: Arc::clone(&self.mailbox), behaviour, sent: 0, heard: 0 }
    }

    /// Listens on a loopback port: the sessions behave as `script` says in turn, those after it as [`Peer::behaviour`].
    pub fn listen(&self, script: Vec<Behaviour>) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ended = Arc::new(AtomicBool::new(false));
        let (peer, over) = (self.clone(), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            let mut script = script.into_iter();
            while let Ok((socket, _)) = listener.accept() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let behaviour = script.next().unwrap_or_else(|| peer.behaviour.clone());
                peer.session(socket.into(), behaviour).run();
            }
        });
        Listening { port, ended, thread: Some(thread) }
    }
}

struct Session {
    /// A socket reads and writes like a file.
    socket: File,
    mailbox: Arc<Mutex<Mailbox>>,
    behaviour: Behaviour,
    sent: usize,
    heard: usize,
}

impl Session {
    /// False when the connection is to be closed.
    fn say(&mut self, bytes: &[u8]) -> bool {
        let room = self.behaviour.cut_after.map_or(usize::MAX, |cut| cut.saturating_sub(self.sent));
        let part = &bytes[..bytes.len().min(room)];
        self.sent += part.len();
        let whole = part.len() == bytes.len();
        self.socket.write_all(part).is_ok() && whole
    }

    fn line(&mut self, text: &str) -> bool {
        self.say(format!("{text}\r\n").as_bytes())
    }

    fn run(&mut self) -> usize {
        let greeting = self.behaviour.greeting.clone();
        self.mailbox.lock().unwrap().sessions += 1;
        let snapshot = self.mailbox.lock().unwrap().messages.clone();
        let (mut deleted, mut retrieved) = (vec![false; snapshot.len()], vec![false; snapshot.len()]);
        let (mut input, mut logged_in) = (Vec::new(), false);
        let mut go_on = self.line(&greeting);
        while go_on {
            let Some(command) = self.read_line(&mut input) else { break };
            self.mailbox.lock().unwrap().commands.push(command.clone());
            if let Some((_, extra)) = self.behaviour.unasked.filter(|(word, _)| command == *word) {
                self.say(extra.as_bytes());
            }
            if let Some((_, answer)) = self.behaviour.answers.iter().find(|(word, _)| command.starts_with(word)) {
                let answer = *answer;
                go_on = !answer.is_empty() && self.line(answer);
                continue;
            }
            let words: Vec<&str> = command.split(' ').collect();
            let index = words.get(1).and_then(|n| n.parse::<usize>().ok()).unwrap_or(0).wrapping_sub(1);
            go_on = match words[0] {
                "CAPA" => self.capa(logged_in),
                "PASS" | "AUTH" | "APOP" => {
                    logged_in = true;
                    self.line("+OK in")
                }
                "STAT" => self.line(&format!("+OK {} 0", snapshot.len())),
                "LIST" if index < snapshot.len() => {
                    let stored = &snapshot[index];
                    self.line(&format!("+OK {} {}", index + 1, stored.listed.unwrap_or(stored.body.len() as i64)))
                }
                "UIDL" if index < snapshot.len() => {
                    self.line(&format!("+OK {} {}", index + 1, snapshot[index].uidl.clone().unwrap_or_default()))
                }
                "LIST" => self.listing(&snapshot, |s| s.listed.unwrap_or(s.body.len() as i64).to_string()),
                "UIDL" => self.listing(&snapshot, |s| s.uidl.clone().unwrap_or_default()),
                "RETR" if index < snapshot.len() => {
                    retrieved[index] = true;
                    self.body(&snapshot[index].body)
                }
                "TOP" if index < snapshot.len() => {
                    let text = String::from_utf8_lossy(&snapshot[index].body).into_owned();
                    let header = text.split_once("\r\n\r\n").map_or(text.clone(), |(h, _)| format!("{h}\r\n\r\n"));
                    self.body(header.as_bytes())
                }
                "DELE" if index < snapshot.len() => {
                    deleted[index] = true;
                    self.line("+OK marked")
                }
                "RSET" => {
                    deleted.fill(false);
                    self.line("+OK")
                }
                "QUIT" => {
                    let gone = |i: usize| deleted[i] || (self.behaviour.expire_zero && retrieved[i]);
                    let mut mailbox = self.mailbox.lock().unwrap();
                    let known = snapshot.len().min(mailbox.messages.len());
                    let arrived = mailbox.messages.split_off(known);
                    mailbox.messages =
                        snapshot.iter().enumerate().filter(|(i, _)| !gone(*i)).map(|(_, s)| s.clone()).collect();
                    mailbox.messages.extend(arrived);
                    drop(mailbox);
                    self.line("+OK bye");
                    false
                }
                "USER" | "NOOP" | "UTF8" => self.line("+OK"),
                _ => self.line("-ERR unknown"),
            };
        }
        let longest = &mut self.mailbox.lock().unwrap().longest;
        *longest = (longest.0.max(self.sent), longest.1.max(self.heard));
        self.sent
    }

    fn capa(&mut self, logged_in: bool) -> bool {
        let lines = match (&self.behaviour.capabilities_after, logged_in) {
            (Some(after), true) => after.clone(),
            _ => self.behaviour.capabilities.clone(),
        };
        if lines.is_empty() {
            return self.line("-ERR what?");
        }
        self.say(format!("+OK\r\n{}\r\n.\r\n", lines.join("\r\n")).as_bytes())
    }

    fn listing(&mut self, messages: &[Stored], text: impl Fn(&Stored) -> String) -> bool {
        let lines: Vec<String> =
            messages.iter().enumerate().map(|(i, s)| format!("{} {}\r\n", i + 1, text(s))).collect();
        self.say(format!("+OK\r\n{}.\r\n", lines.concat()).as_bytes())
    }

    fn body(&mut self, body: &[u8]) -> bool {
        let mut out = b"+OK\r\n".to_vec();
        for line in body.split_inclusive(|&c| c == b'\n') {
            if line.first() == Some(&b'.') && !self.behaviour.forgets_stuffing {
                out.push(b'.');
            }
            out.extend_from_slice(line);
        }
        if !body.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        self.say(&out)
    }

    fn read_line(&mut self, input: &mut Vec<u8>) -> Option<String> {
        loop {
            if let Some(at) = input.iter().position(|&c| c == b'\n') {
                let line: Vec<u8> = input.drain(..=at).collect();
                return Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
            }
            let mut buffer = [0; 4096];
            let room = self.behaviour.deaf_after.map_or(buffer.len(), |deaf| deaf.saturating_sub(self.heard));
            if room == 0 {
                return None;
            }
            let most = room.min(buffer.len());
            match self.socket.read(&mut buffer[..most]) {
                Ok(n) if n > 0 => {
                    self.heard += n;
                    input.extend_from_slice(&buffer[..n]);
                }
                _ => return None,
            }
        }
    }
}
