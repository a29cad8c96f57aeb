//! A scripted server in this process, for faults and attacks: it says and expects what a test tells it, and never hangs.

use super::proxy::End;
use super::response::literal_size;
use super::tls::Certificate;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use native_tls::{TlsAcceptor, TlsStream};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a peer waits for the client before its script fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// One step of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Says these bytes as they are.
    Send(Vec<u8>),
    /// Reads one command that contains this text (ASCII case ignored) and remembers its tag.
    Expect(String),
    /// Says these bytes with every `{tag}` replaced by the last command's tag.
    Answer(String),
    /// Reads one command containing the first text and says the second, `{tag}` replaced.
    Reply(String, String),
    /// Ends the connection in order.
    Fin,
    /// Resets the connection.
    Rst,
    /// Goes on in TLS.
    Tls(Certificate),
    /// Reads whatever comes until the client closes.
    Drain,
}

/// `Step::Send` of a text.
pub fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

/// `Step::Reply` of two texts.
pub fn reply(expect: &str, answer: &str) -> Step {
    Step::Reply(expect.to_owned(), answer.to_owned())
}

/// `Step::Expect` of a text.
pub fn expect(text: &str) -> Step {
    Step::Expect(text.to_owned())
}

/// What a test does with one connection.
pub type Handler = Box<dyn Fn(&mut Conversation) -> Result<()> + Send + Sync>;

/// A handler that follows a list of steps.
pub fn script(steps: Vec<Step>) -> Handler {
    Box::new(move |conversation| steps.iter().try_for_each(|step| conversation.step(step)))
}

/// One command of a client.
#[derive(Clone, Debug)]
pub struct Command {
    /// The first word: an IMAP tag (for POP3 the command itself).
    pub tag: String,
    /// The whole line without its end; literals follow in `literals`.
    pub line: String,
    pub literals: Vec<Vec<u8>>,
}

enum Stream {
    Plain(TcpStream),
    Deflate(Box<(TcpStream, Compress, Decompress)>),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

/// The peer's end of one connection.
pub struct Conversation {
    stream: Stream,
    socket: TcpStream,
    buffer: Vec<u8>,
    tag: String,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    number: usize,
}

impl Conversation {
    /// Which connection of the peer it is, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Says bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes.as_ref()),
            Stream::Tls(stream) => stream.write_all(bytes.as_ref()).and_then(|()| stream.flush()),
            Stream::Deflate(parts) => {
                let (stream, deflate, _) = &mut **parts;
                let mut out = Vec::new();
                let mut rest = bytes.as_ref();
                loop {
                    out.reserve(64 * 1024);
                    let before = deflate.total_in();
                    deflate.compress_vec(rest, &mut out, FlushCompress::Sync).map_err(Error::other)?;
                    rest = &rest[usize::try_from(deflate.total_in() - before).unwrap_or(0)..];
                    if rest.is_empty() && out.len() < out.capacity() {
                        return stream.write_all(&out);
                    }
                }
            }
            Stream::Gone => Err(Error::from(ErrorKind::NotConnected)),
        }
    }

    /// Says a text with `{tag}` replaced by the last command's tag.
    pub fn answer(&mut self, text: &str) -> Result<()> {
        let text = text.replace("{tag}", &self.tag);
        self.send(text)
    }

    /// Reads one line, without its end.
    pub fn line(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            self.fill()?;
        }
    }

    /// Reads one whole command; a synchronising literal is asked for with `+ go`.
    pub fn command(&mut self) -> Result<Command> {
        let mut text = Vec::new();
        let mut literals = Vec::new();
        loop {
            let line = self.line()?;
            text.extend_from_slice(&line);
            let Some(size) = literal_size(&line) else { break };
            if !line.ends_with(b"+}") {
                self.send("+ go\r\n")?;
            }
            while self.buffer.len() < size {
                self.fill()?;
            }
            literals.push(self.buffer.drain(..size).collect());
        }
        let line = String::from_utf8_lossy(&text).into_owned();
        self.tag = line.split(' ').next().unwrap_or_default().to_owned();
        Ok(Command { tag: self.tag.clone(), line, literals })
    }

    /// Reads one command and fails unless it contains `text`, ASCII case ignored.
    pub fn expect(&mut self, text: &str) -> Result<Command> {
        let command = self.command()?;
        if command.line.to_ascii_uppercase().contains(&text.to_ascii_uppercase()) {
            return Ok(command);
        }
        Err(Error::other(format!("expected {text:?}, heard {:?}", command.line)))
    }

    /// Answers each command by `handler` until that returns `false` or the client closes. `handler` gives the text to say, with
    /// `{tag}` for the tag; `None` ends the loop.
    pub fn serve(&mut self, mut handler: impl FnMut(&Command) -> Option<String>) -> Result<()> {
        loop {
            let command = match self.command() {
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                other => other?,
            };
            match handler(&command) {
                Some(text) => self.answer(&text)?,
                None => return Ok(()),
            }
        }
    }

    /// Goes on in TLS under this certificate.
    pub fn tls(&mut self, certificate: &Certificate) -> Result<()> {
        let acceptor = TlsAcceptor::new(certificate.identity()).map_err(Error::other)?;
        if let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) {
            self.buffer.clear();
            self.stream = Stream::Tls(Box::new(acceptor.accept(stream).map_err(|e| Error::other(e.to_string()))?));
        }
        Ok(())
    }

    /// Goes on compressed, as after COMPRESS DEFLATE.
    pub fn deflate(&mut self) {
        if let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) {
            let parts = (stream, Compress::new(Compression::fast(), false), Decompress::new(false));
            self.stream = Stream::Deflate(Box::new(parts));
        }
    }

    /// Says bytes below TLS or compression.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        (&self.socket).write_all(bytes)
    }

    /// Ends the connection.
    pub fn close(&mut self, end: End) {
        match end {
            End::Fin => self.socket.shutdown(Shutdown::Both).ok(),
            End::Rst => rustix::net::connect_unspec(&self.socket).ok(),
        };
        self.stream = Stream::Gone;
    }

    /// Reads until the client closes.
    pub fn drain(&mut self) {
        while self.fill().is_ok() {}
    }

    /// Does one step of a script.
    pub fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Send(bytes) => self.send(bytes),
            Step::Expect(text) => self.expect(text).map(drop),
            Step::Answer(text) => self.answer(text),
            Step::Reply(text, answer) => self.expect(text).and_then(|_| self.answer(answer)),
            Step::Fin => {
                self.close(End::Fin);
                Ok(())
            }
            Step::Rst => {
                self.close(End::Rst);
                Ok(())
            }
            Step::Tls(certificate) => self.tls(certificate),
            Step::Drain => {
                self.drain();
                Ok(())
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        let n = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut piece)?,
            Stream::Tls(stream) => stream.read(&mut piece)?,
            Stream::Deflate(parts) => parts.0.read(&mut piece)?,
            Stream::Gone => 0,
        };
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut clear = piece[..n].to_vec();
        if let Stream::Deflate(parts) = &mut self.stream {
            clear = inflated(&mut parts.2, &clear)?;
        }
        self.buffer.extend_from_slice(&clear);
        if let Some(heard) = guarded(&self.heard).get_mut(self.number) {
            heard.extend_from_slice(&clear);
        }
        Ok(())
    }
}

/// All that a piece of a compressed stream stands for.
fn inflated(inflate: &mut Decompress, mut piece: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        out.reserve(64 * 1024);
        let before = inflate.total_in();
        inflate.decompress_vec(piece, &mut out, FlushDecompress::None).map_err(Error::other)?;
        piece = &piece[usize::try_from(inflate.total_in() - before).unwrap_or(0)..];
        if piece.is_empty() && out.len() < out.capacity() {
            return Ok(out);
        }
    }
}

/// What a peer heard, and what went against its scripts.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the client sent (inside TLS), a text for each connection.
    pub heard: Vec<String>,
    /// Why scripts ended early, `connection 0: expected …`.
    pub failures: Vec<String>,
}

/// A running peer.
pub struct Peer {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    failures: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Serves the n-th connection by the n-th handler, later ones by the last.
    pub fn start(handlers: Vec<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let handlers: Vec<Arc<Handler>> = handlers.into_iter().map(Arc::new).collect();
        let (ears, complaints, stopped) = (heard.clone(), failures.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut running: Vec<JoinHandle<()>> = Vec::new();
            for (number, client) in listener.incoming().flatten().enumerate() {
                if stopped.load(Ordering::Acquire) {
                    break;
                }
                let Some(handler) = handlers.get(number).or(handlers.last()).cloned() else { break };
                guarded(&ears).push(Vec::new());
                let (heard, failures) = (ears.clone(), complaints.clone());
                // A thread that is not let go of keeps its stack: a peer of many thousand connections would run out of them.
                running.retain(|thread| !thread.is_finished());
                running.push(thread::spawn(move || {
                    if let Err(e) = converse(client, number, heard, &handler) {
                        guarded(&failures).push(format!("connection {number}: {e}"));
                    }
                }));
            }
            for thread in running {
                thread.join().ok();
            }
        });
        Self { address, heard, failures, stop, thread: Some(thread) }
    }

    /// Serves every connection by the same steps.
    pub fn script(steps: Vec<Step>) -> Self {
        Self::start(vec![script(steps)])
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What has been heard so far.
    pub fn heard(&self) -> Vec<String> {
        guarded(&self.heard).iter().map(|h| String::from_utf8_lossy(h).into_owned()).collect()
    }

    /// Takes no more connections, waits for the scripts, and reports.
    pub fn finish(mut self) -> Report {
        self.end();
        Report { heard: self.heard(), failures: guarded(&self.failures).clone() }
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.end();
    }
}

fn guarded<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn converse(client: TcpStream, number: usize, heard: Arc<Mutex<Vec<Vec<u8>>>>, handler: &Handler) -> Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    client.set_nodelay(true)?;
    let stream = Stream::Plain(client.try_clone()?);
    let mut conversation =
        Conversation { stream, socket: client, buffer: Vec::new(), tag: String::new(), heard, number };
    handler(&mut conversation)
}

#[cfg(test)]
mod tests {
    use super::super::tls::Authority;
    use super::*;

    #[test]
    fn a_script_is_followed_and_what_was_heard_is_kept() {
        let peer = Peer::script(vec![
            send("* OK hello\r\n"),
            reply("login", "{tag} OK done\r\n"),
            reply("append", "{tag} NO full\r\n"),
            Step::Fin,
        ]);
        let mut stream = TcpStream::connect(peer.address).expect("connect");
        stream.write_all(b"x1 LOGIN a b\r\nx2 APPEND INBOX {3+}\r\nabc\r\n").expect("write");
        let mut got = String::new();
        stream.read_to_string(&mut got).expect("read");
        assert_eq!(got, "* OK hello\r\nx1 OK done\r\nx2 NO full\r\n");
        drop(stream);
        let report = peer.finish();
        assert_eq!(report.heard, ["x1 LOGIN a b\r\nx2 APPEND INBOX {3+}\r\nabc\r\n"]);
        assert!(report.failures.is_empty(), "{:?}", report.failures);
    }

    #[test]
    fn deviations_and_loops_are_reported_and_end() {
        let serve: Handler = Box::new(|c| {
            c.send("* OK\r\n")?;
            c.serve(|command| {
                (!command.line.contains("STOP")).then(|| format!("{{tag}} OK {}\r\n", command.literals.len()))
            })
        });
        let peer = Peer::start(vec![serve, script(vec![expect("LOGIN")]), script(vec![Step::Rst])]);
        let mut stream = TcpStream::connect(peer.address).expect("connect");
        stream.write_all(b"a NOOP\r\nb STOP\r\n").expect("write");
        let mut got = String::new();
        stream.read_to_string(&mut got).expect("read");
        assert_eq!(got, "* OK\r\na OK 0\r\n");
        let mut second = TcpStream::connect(peer.address).expect("connect");
        second.write_all(b"a STARTTLS\r\n").expect("write");
        second.read_to_string(&mut got).ok();
        let mut third = TcpStream::connect(peer.address).expect("connect");
        assert!(third.read(&mut [0]).is_err(), "a reset is an error");
        let report = peer.finish();
        assert_eq!(report.failures.len(), 1, "{:?}", report.failures);
        assert!(report.failures[0].contains("expected \"LOGIN\", heard \"a STARTTLS\""));
    }

    #[test]
    fn tls_is_spoken_under_any_certificate() {
        let certificate = Authority::new().issue(&["wrong.example"]);
        let peer = Peer::script(vec![Step::Tls(certificate), send("* OK\r\n"), Step::Drain]);
        let stream = TcpStream::connect(peer.address).expect("connect");
        let connector =
            native_tls::TlsConnector::builder().danger_accept_invalid_certs(true).build().expect("connector");
        let mut tls = connector.connect("localhost", stream).expect("handshake");
        let mut five = [0; 5];
        tls.read_exact(&mut five).expect("greeting");
        tls.write_all(b"a NOOP\r\n").expect("write");
        tls.shutdown().ok();
        drop(tls);
        assert_eq!(peer.finish().heard, ["a NOOP\r\n"]);
    }
}
