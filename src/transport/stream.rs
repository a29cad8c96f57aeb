//! One connection, buffered in both directions: every protocol of mailferry reads and writes through this.

mod moving;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use moving::Pulled;

use super::channel::Channel;
use super::deflate::Deflate;
use super::dial;
use super::input::Input;
use super::rewind::Script;
use super::socket::Socket;
use super::tls::{self, Failure};
use super::tunnel::Tunnel;
use super::wait::Limits;
use super::wirelog::{Trace, Tracer};
use super::{Certificate, Error, Traffic};
use crate::account::{Endpoint, TlsMode};
use crate::stop::Stop;

/// The read buffer.
const INPUT: usize = 256 * 1024;

/// Why [`Stream::wait_readable`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There is input: [`Stream::buffered`] is not empty.
    Input,
    /// The descriptor at this index of `also` is readable.
    Other(usize),
    /// The time has passed.
    TimedOut,
}

/// One connection. It is `Send`, and made by [`connect`](super::connect).
///
/// After any error but [`Error::Stopped`] it is useless and must be dropped. No wait is longer than the account's
/// `timeout` without a byte, nor goes past the deadline, nor survives a requested stop.
#[derive(Debug)]
pub struct Stream {
    channel: Channel,
    limits: Limits,
    input: Input,
    deflate: Option<Box<Deflate>>,
    /// Bytes ready for the channel (compressed, if we compress): `output[sent..]`.
    output: Vec<u8>,
    sent: usize,
    /// Whether the compressor may hold back something that was written.
    held: bool,
    /// Whether something was sent since input was last waited for.
    asked: bool,
    traffic: Arc<Traffic>,
    trace: Option<(Trace, Tracer, Tracer)>,
    endpoint: Option<Arc<Endpoint>>,
    stop: Stop,
    script: Option<Script>,
    tunnel: Option<Tunnel>,
    loopback: bool,
}

/// What a new stream is made from.
pub(super) struct Parts {
    pub(super) channel: Channel,
    pub(super) limits: Limits,
    pub(super) stop: Stop,
    pub(super) traffic: Arc<Traffic>,
    pub(super) trace: Option<Trace>,
    pub(super) endpoint: Option<Arc<Endpoint>>,
    pub(super) tunnel: Option<Tunnel>,
}

impl Stream {
    pub(super) fn new(parts: Parts) -> Self {
        let peer = parts.channel.socket().and_then(Socket::peer);
        // A socket without an address is one end of a pair.
        let loopback = parts.tunnel.is_none() && peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback());
        let script = parts.endpoint.as_ref().filter(|endpoint| endpoint.tls == TlsMode::StartTls);
        Self {
            channel: parts.channel,
            limits: parts.limits,
            input: Input::new(INPUT),
            deflate: None,
            output: Vec::new(),
            sent: 0,
            held: false,
            asked: false,
            traffic: parts.traffic,
            trace: parts.trace.map(|trace| (trace.clone(), Tracer::new(trace.clone(), '<'), Tracer::new(trace, '>'))),
            script: script.map(|_| Script::default()),
            endpoint: parts.endpoint,
            stop: parts.stop,
            tunnel: parts.tunnel,
            loopback,
        }
    }

    /// A stream over a connected socket, without TLS: for tests and scripted peers.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking.
    pub fn from_socket(socket: OwnedFd, timeout: Duration, stop: &Stop, traffic: Arc<Traffic>) -> Result<Self, Error> {
        let peer = "the peer".to_owned();
        let socket = Socket::new(socket).map_err(|why| Error::Broken { peer: peer.clone(), why })?;
        Ok(Self::new(Parts {
            channel: Channel::Plain(socket),
            limits: Limits { peer, timeout, deadline: None, stop: Some(stop.clone()), heard: false },
            stop: stop.clone(),
            traffic,
            trace: None,
            endpoint: None,
            tunnel: None,
        }))
    }

    /// Received bytes; waits until there is at least one, after sending what is pending. Never empty.
    ///
    /// # Errors
    /// [`Error::Closed`] (or [`Error::Tunnel`]) at the end of the stream, [`Error::Timeout`], [`Error::Deadline`],
    /// [`Error::Stopped`], and what breaks connections.
    pub fn fill(&mut self) -> Result<&[u8], Error> {
        if self.input.is_empty() {
            self.flush()?;
            if self.input.is_empty() {
                self.receive(INPUT)?;
            }
        }
        Ok(self.input.data())
    }

    /// As [`fill`](Self::fill), but waits for at least one byte more than there is, up to `limit` bytes in all: for
    /// what must be seen whole before it is consumed.
    ///
    /// # Errors
    /// Those of `fill`, and [`Error::Protocol`] when `limit` bytes are there already.
    pub fn more(&mut self, limit: usize) -> Result<&[u8], Error> {
        let before = self.input.data().len();
        self.flush()?;
        if self.input.data().len() == before {
            if before >= limit {
                let why = format!("it sent more than {limit} bytes where less was expected");
                return Err(Error::Protocol { peer: self.limits.peer.clone(), why });
            }
            self.receive(limit.max(INPUT))?;
        }
        Ok(self.input.data())
    }

    /// Received bytes that are there without waiting; may be empty.
    #[must_use]
    pub fn buffered(&self) -> &[u8] {
        self.input.data()
    }

    /// Takes `n` bytes away from the front of what was received. They are traced as lines.
    pub fn consume(&mut self, n: usize) {
        if let Some((_, received, _)) = &mut self.trace {
            received.bytes(self.input.data().get(..n).unwrap_or_default());
        }
        self.advance(n);
    }

    /// As [`consume`](Self::consume), for bytes of a message: the trace only counts them.
    pub fn consume_body(&mut self, n: usize) {
        if let Some((_, received, _)) = &mut self.trace {
            received.body(n.min(self.input.data().len()));
        }
        self.advance(n);
    }

    fn advance(&mut self, n: usize) {
        if let Some(script) = &mut self.script {
            script.heard(self.input.data().get(..n).unwrap_or_default());
        }
        self.input.consume(n);
    }

    /// Buffers `bytes`, and sends once there is much. While the peer does not take them, input is read (at most 8
    /// MiB), so that both directions full is no deadlock.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush).
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some((_, _, sent)) = &mut self.trace {
            sent.bytes(bytes);
        }
        self.push(bytes)
    }

    /// As [`write`](Self::write), for bytes of a message: the trace only counts them.
    ///
    /// # Errors
    /// Those of `flush`.
    pub fn write_body(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some((_, _, sent)) = &mut self.trace {
            sent.body(bytes.len());
        }
        self.push(bytes)
    }

    /// As [`write`](Self::write), for a line with a secret: the trace has `shown` instead, also where the peer repeats
    /// the line.
    ///
    /// # Errors
    /// Those of `flush`.
    pub fn write_secret(&mut self, bytes: &[u8], shown: &str) -> Result<(), Error> {
        if let Some((_, _, sent)) = &mut self.trace {
            sent.secret(bytes, shown);
        }
        self.push(bytes)
    }

    /// Sends everything that was written.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::Deadline`], [`Error::Stopped`] when it had to wait, [`Error::Broken`].
    pub fn flush(&mut self) -> Result<(), Error> {
        if let (Some(deflate), true) = (&mut self.deflate, self.held) {
            deflate.deflate(&[], &mut self.output, true).map_err(|error| self.limits.protocol(&error))?;
            self.held = false;
        }
        self.send()
    }

    /// Waits at most `max` for input, or until one of `also` is readable, after sending what is pending: for IDLE.
    ///
    /// # Errors
    /// Those of [`fill`](Self::fill), but for the time-out.
    pub fn wait_readable(&mut self, max: Duration, also: &[BorrowedFd<'_>]) -> Result<Woken, Error> {
        self.flush()?;
        let begun = Instant::now();
        loop {
            if !self.input.is_empty() {
                return Ok(Woken::Input);
            }
            if std::mem::take(&mut self.asked) {
                self.traffic.round_trip();
            }
            self.input.make_room(INPUT);
            match self.pull()? {
                Pulled::Some => return Ok(Woken::Input),
                Pulled::End => return Err(self.closed()),
                Pulled::Nothing => {}
            }
            let socket = self.socket()?;
            let mut sources = vec![(socket.fd(), socket.wanted())];
            sources.extend(also.iter().map(|&fd| (fd, PollFlags::IN)));
            let Some(ready) = self.limits.wait_for(&sources, max.saturating_sub(begun.elapsed()))? else {
                return Ok(Woken::TimedOut);
            };
            if let Some(index) = ready.iter().skip(1).position(|ready| !ready.is_empty()) {
                return Ok(Woken::Other(index));
            }
        }
    }

    /// Turns TLS on, as the profile of [`connect`](super::connect) says. What was learned before must be forgotten.
    ///
    /// # Errors
    /// [`Error::Ahead`] when the server sent something ahead of the handshake (a STARTTLS injection);
    /// [`Error::Certificate`], [`Error::Tls`], and those of every wait.
    pub fn start_tls(&mut self) -> Result<(), Error> {
        self.flush()?;
        if !self.input.is_empty() || self.deflate.is_some() {
            return Err(Error::Ahead { peer: self.limits.peer.clone(), switch: "TLS" });
        }
        let (Some(endpoint), Channel::Plain(socket)) =
            (self.endpoint.clone(), std::mem::replace(&mut self.channel, Channel::Gone))
        else {
            let why = "TLS cannot be started here".to_owned();
            return Err(Error::Protocol { peer: self.limits.peer.clone(), why });
        };
        let connector = tls::connector(&endpoint, &self.stop)?;
        let script = self.script.take().unwrap_or_default();
        match tls::handshake(&connector, &endpoint, socket, &self.limits) {
            Ok(stream) => self.channel = Channel::Tls(Box::new(stream)),
            // Whatever is no TLS record was put there ahead of the server's first one.
            Err(Failure::Other(Error::PlainPort { peer, .. })) => return Err(Error::Ahead { peer, switch: "TLS" }),
            Err(failure) => return Err(dial::explain(failure, &endpoint, &self.limits, Some(&script))),
        }
        self.note("TLS");
        Ok(())
    }

    /// Turns compression on in both directions (RFC 4978), right behind the server's agreement.
    ///
    /// # Errors
    /// Those of [`flush`](Self::flush); [`Error::Protocol`] when it is on already.
    pub fn start_deflate(&mut self) -> Result<(), Error> {
        self.flush()?;
        if self.deflate.is_some() {
            let why = "compression is on already".to_owned();
            return Err(Error::Protocol { peer: self.limits.peer.clone(), why });
        }
        // What is here already was sent behind the agreement: it is compressed.
        self.deflate = Some(Box::new(Deflate::new(self.input.data())));
        self.input.consume(usize::MAX);
        self.note("compression");
        Ok(())
    }

    fn note(&self, text: &str) {
        if let Some((trace, _, _)) = &self.trace {
            trace.note(text);
        }
    }

    /// Whether others cannot read along: TLS, or a tunnel.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tunnel.is_some() || matches!(self.channel, Channel::Tls(_))
    }

    /// Whether it is a tunnel command.
    #[must_use]
    pub fn is_tunnel(&self) -> bool {
        self.tunnel.is_some()
    }

    /// Whether the peer is this machine. A tunnel may lead anywhere: `false`.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The channel binding `tls-server-end-point` (RFC 5929 §4), for SCRAM-*-PLUS.
    #[must_use]
    pub fn tls_server_end_point(&self) -> Option<Vec<u8>> {
        match &self.channel {
            Channel::Tls(stream) => stream.tls_server_end_point().ok().flatten(),
            Channel::Plain(_) | Channel::Gone => None,
        }
    }

    /// The server's certificate, under TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<Certificate> {
        match &self.channel {
            Channel::Tls(stream) => tls::certificate(stream),
            Channel::Plain(_) | Channel::Gone => None,
        }
    }

    /// `host:port`, for messages.
    #[must_use]
    pub fn peer(&self) -> &str {
        &self.limits.peer
    }

    /// From now on no wait goes past `at`, though bytes keep coming. [`connect`](super::connect) sets 4 × timeout, for
    /// everything up to the login: the caller replaces it then.
    pub fn set_deadline(&mut self, at: Option<Instant>) {
        self.limits.deadline = at;
    }

    /// Whether waits are woken by the stop, as they are from the start. Without that, a command in hand can be brought
    /// to its end; set a deadline.
    pub fn heed_stop(&mut self, heed: bool) {
        self.limits.stop = heed.then(|| self.stop.clone());
    }

    /// The trace, to hide more secrets from it.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref().map(|(trace, _, _)| trace)
    }
}
