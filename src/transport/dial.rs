//! From a profile to a connection: one attempt, within the time allowed.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with, sockopt};

use super::channel::Channel;
use super::name::resolve;
use super::rewind::Script;
use super::socket::Socket;
use super::stream::Parts;
use super::tls::{self, Failure};
use super::tunnel::Tunnel;
use super::wait::Limits;
use super::{Error, Stream, Trace, Traffic};
use crate::account::{Endpoint, TlsMode};
use crate::stop::Stop;

/// How long one address may take before the next is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// How long a server that gave no greeting in clear may take to answer a TLS hello.
const PROBE: Duration = Duration::from_secs(5);

/// What a connection needs.
#[derive(Debug)]
pub struct Dial<'a> {
    /// Where to, and how.
    pub endpoint: &'a Endpoint,
    /// Wakes every wait.
    pub stop: &'a Stop,
    /// Counts what crosses.
    pub traffic: Arc<Traffic>,
    /// Where lines are shown, for `-vv`.
    pub trace: Option<Trace>,
}

/// Connects: by TCP, to all addresses of the host in turn, or by the tunnel command; then TLS, where it is implicit. No
/// greeting is read. One attempt; pauses between attempts are [`retry::pause`](super::retry::pause)'s.
///
/// The stream's deadline is set to 4 × timeout from now: for all steps up to the login (SPEC §2).
///
/// # Errors
/// Every kind of [`Error`].
pub fn connect(dial: &Dial<'_>) -> Result<Stream, Error> {
    let endpoint = dial.endpoint;
    let mut limits = Limits {
        peer: tls::peer(endpoint),
        timeout: endpoint.timeout,
        deadline: Instant::now().checked_add(endpoint.timeout.saturating_mul(4)),
        stop: Some(dial.stop.clone()),
        heard: false,
    };
    let (channel, tunnel) = match &endpoint.tunnel {
        Some(line) => {
            limits.check()?;
            limits.peer = "the tunnel".to_owned();
            let (tunnel, fd) = Tunnel::start(line)?;
            (Channel::Plain(socket(fd, &limits)?), Some(tunnel))
        }
        None => (reach(endpoint, dial.stop, &limits)?, None),
    };
    Ok(Stream::new(Parts {
        channel,
        limits,
        stop: dial.stop.clone(),
        traffic: Arc::clone(&dial.traffic),
        trace: dial.trace.clone(),
        endpoint: Some(Arc::new(endpoint.clone())),
        tunnel,
    }))
}

/// The addresses of the host, in the order in which [`connect`] tries them; none with a tunnel.
///
/// # Errors
/// [`Error::Resolve`]; a time-out; a stop.
pub fn addresses(endpoint: &Endpoint, stop: &Stop) -> Result<Vec<SocketAddr>, Error> {
    if endpoint.tunnel.is_some() {
        return Ok(Vec::new());
    }
    let limits = Limits {
        peer: tls::peer(endpoint),
        timeout: endpoint.timeout,
        deadline: Instant::now().checked_add(endpoint.timeout),
        stop: Some(stop.clone()),
        heard: false,
    };
    resolve(&endpoint.host, endpoint.port, &limits)
}

fn reach(endpoint: &Endpoint, stop: &Stop, limits: &Limits) -> Result<Channel, Error> {
    // Read first: a broken setting is no reason to bother the server.
    let connector = match endpoint.tls {
        TlsMode::Implicit => Some(tls::connector(endpoint, stop)?),
        TlsMode::StartTls => {
            tls::connector(endpoint, stop)?;
            None
        }
        TlsMode::None => None,
    };
    let socket = tcp(endpoint, limits)?;
    let Some(connector) = connector else { return Ok(Channel::Plain(socket)) };
    match tls::handshake(&connector, endpoint, socket, limits) {
        Ok(stream) => Ok(Channel::Tls(Box::new(stream))),
        Err(failure) => Err(explain(failure, endpoint, limits, None)),
    }
}

fn socket(fd: OwnedFd, limits: &Limits) -> Result<Socket, Error> {
    Socket::new(fd).map_err(|why| Error::Broken { peer: limits.peer.clone(), why })
}

/// A TCP connection to the first address that takes it. Each address gets a head start before the next one.
fn tcp(endpoint: &Endpoint, limits: &Limits) -> Result<Socket, Error> {
    let mut addresses = resolve(&endpoint.host, endpoint.port, limits)?.into_iter();
    let begun = Instant::now();
    let failed = |why: std::io::Error| Error::Connect { peer: limits.peer.clone(), why };
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    let mut trying: Vec<OwnedFd> = Vec::new();
    loop {
        let next = addresses.next();
        let more = next.is_some();
        match next.map(begin) {
            Some(Ok(fd)) => trying.push(fd),
            Some(Err(errno)) => last = errno.into(),
            None if trying.is_empty() => return Err(failed(last)),
            None => {}
        }
        if trying.is_empty() {
            continue;
        }
        let left = limits.timeout.saturating_sub(begun.elapsed());
        let sources: Vec<_> = trying.iter().map(|fd| (fd.as_fd(), PollFlags::OUT)).collect();
        let ready = limits.wait_for(&sources, if more { left.min(HEAD_START) } else { left })?;
        match ready {
            Some(ready) => {
                let done = ready.iter().position(|ready| !ready.is_empty()).unwrap_or(0);
                let fd = trying.remove(done);
                match sockopt::socket_error(&fd).and_then(|outcome| outcome) {
                    Ok(()) => return finish(fd, limits),
                    Err(errno) => last = errno.into(),
                }
            }
            None if begun.elapsed() >= limits.timeout => {
                return Err(Error::Timeout { peer: limits.peer.clone(), after: limits.timeout, silent: false });
            }
            None => {}
        }
    }
}

fn begin(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let fd = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match rustix::net::connect(&fd, &address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(fd),
        Err(errno) => Err(errno),
    }
}

fn finish(fd: OwnedFd, limits: &Limits) -> Result<Socket, Error> {
    // Both only help: commands are not delayed, and a peer that vanished is noticed in IDLE.
    let _ = sockopt::set_tcp_nodelay(&fd, true);
    let _ = sockopt::set_socket_keepalive(&fd, true);
    socket(fd, limits)
}

/// The error for a failed handshake. Where the certificate was refused, one more connection reads it for the message,
/// without verification and without a byte of ours inside TLS.
pub(super) fn explain(failure: Failure, endpoint: &Endpoint, limits: &Limits, script: Option<&Script>) -> Error {
    match failure {
        Failure::Other(error) => error,
        Failure::Certificate(mut failure) => {
            if failure.certificate.is_none() {
                failure.certificate = look(endpoint, limits, script).ok().flatten();
            }
            Error::Certificate(failure)
        }
    }
}

fn look(endpoint: &Endpoint, limits: &Limits, script: Option<&Script>) -> Result<Option<super::Certificate>, Error> {
    let unpinned = Endpoint { fingerprint: None, ..endpoint.clone() };
    let connector = tls::blind_connector(&unpinned)?;
    let mut socket = tcp(&unpinned, limits)?;
    if let Some(script) = script {
        let Some((flights, lines)) = script.replay() else { return Ok(None) };
        let mut heard = 0;
        for (lines, bytes) in flights {
            hear(&mut socket, limits, &mut heard, *lines)?;
            // A few bytes into an empty socket buffer: they always fit.
            socket.write_all(bytes).map_err(|why| Error::Broken { peer: limits.peer.clone(), why })?;
        }
        hear(&mut socket, limits, &mut heard, lines)?;
    }
    match tls::handshake(&connector, &unpinned, socket, limits) {
        Ok(stream) => Ok(tls::certificate(&stream)),
        Err(Failure::Other(error)) => Err(error),
        Err(Failure::Certificate(failure)) => Err(Error::Certificate(failure)),
    }
}

/// Reads until `wanted` lines have come in all; byte by byte, so that nothing of the handshake is taken.
fn hear(socket: &mut Socket, limits: &Limits, heard: &mut usize, wanted: usize) -> Result<(), Error> {
    let mut byte = [0];
    while *heard < wanted {
        match socket.read(&mut byte) {
            Ok(0) => return Err(Error::Closed { peer: limits.peer.clone() }),
            Ok(_) => *heard += usize::from(byte == *b"\n"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                limits.wait(&[(socket.fd(), PollFlags::IN)])?;
            }
            Err(why) => return Err(Error::Broken { peer: limits.peer.clone(), why }),
        }
    }
    Ok(())
}

/// Whether the server answers a TLS hello: asked when its greeting in clear never came.
pub(super) fn speaks_tls(endpoint: &Endpoint, limits: &Limits) -> bool {
    let limits = Limits { timeout: limits.timeout.min(PROBE), ..limits.clone() };
    matches!(look(endpoint, &limits, None), Ok(Some(_)))
}
