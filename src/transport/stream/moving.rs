//! Moves bytes between a stream's buffers and its channel, within the limits of every wait.

use std::io;

use rustix::event::PollFlags;

use super::Stream;
use crate::account::TlsMode;
use crate::transport::channel::Channel;
use crate::transport::deflate::Inflated;
use crate::transport::socket::Socket;
use crate::transport::wait::Limits;
use crate::transport::{Error, dial, identity, tls};

/// How far the read buffer may grow while the peer does not take what we send.
const INPUT_WHILE_SENDING: usize = 8 * 1024 * 1024;
/// Output is sent once there is so much.
const OUTPUT: usize = 64 * 1024;

/// What reading once gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulled {
    Some,
    Nothing,
    End,
}

impl Stream {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if let Some(script) = &mut self.script {
            script.said(bytes);
        }
        for chunk in bytes.chunks(OUTPUT) {
            match &mut self.deflate {
                Some(deflate) => {
                    deflate.deflate(chunk, &mut self.output, false).map_err(|error| self.limits.protocol(&error))?;
                    self.held = true;
                }
                None => self.output.extend_from_slice(chunk),
            }
            if self.output.len() - self.sent >= OUTPUT {
                self.send()?;
            }
        }
        Ok(())
    }

    pub(super) fn send(&mut self) -> Result<(), Error> {
        let mut open = true;
        while self.sent < self.output.len() {
            let pending = self.output.get(self.sent..).unwrap_or_default();
            match self.channel.write(pending) {
                Ok(0) => return Err(self.limits.broken(io::ErrorKind::WriteZero.into())),
                Ok(taken) => {
                    self.sent += taken;
                    self.traffic.sent(taken);
                    self.asked = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut wanted = self.wanted()?;
                    // The peer may be waiting for us to read.
                    if open && self.input.make_room(INPUT_WHILE_SENDING) {
                        match self.pull()? {
                            Pulled::Some => continue,
                            Pulled::Nothing => wanted |= self.wanted()?,
                            Pulled::End => open = false,
                        }
                    }
                    self.limits.wait(&[(self.socket()?.fd(), wanted)])?;
                }
                Err(error) => return Err(self.ended(error)),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }

    /// Waits for input behind what is there.
    pub(super) fn receive(&mut self, limit: usize) -> Result<(), Error> {
        if std::mem::take(&mut self.asked) {
            self.traffic.round_trip();
        }
        self.limits.check()?;
        self.input.make_room(limit);
        loop {
            match self.pull()? {
                Pulled::Some => return Ok(()),
                Pulled::End => return Err(self.closed()),
                Pulled::Nothing => {
                    let wanted = self.wanted()?;
                    let outcome = self.limits.wait(&[(self.socket()?.fd(), wanted)]);
                    outcome.map_err(|error| self.silence(error))?;
                }
            }
        }
    }

    /// Reads once, without waiting, into the room behind the input; there must be some.
    pub(super) fn pull(&mut self) -> Result<Pulled, Error> {
        let room = self.input.room();
        let Some(deflate) = &mut self.deflate else {
            return match self.channel.read(room) {
                Ok(0) => Ok(Pulled::End),
                Ok(got) => {
                    self.input.add(got);
                    self.traffic.received(got);
                    self.hear()
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Pulled::Nothing),
                Err(error) => Err(self.ended(error)),
            };
        };
        loop {
            match deflate.inflate(room).map_err(|error| self.limits.protocol(&error))? {
                Inflated::Bytes(made) => {
                    self.input.add(made);
                    return Ok(Pulled::Some);
                }
                Inflated::End => return Ok(Pulled::End),
                Inflated::Hungry => match self.channel.read(deflate.room()) {
                    Ok(0) => return Ok(Pulled::End),
                    Ok(got) => {
                        deflate.received(got);
                        self.traffic.received(got);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Pulled::Nothing),
                    Err(error) => return Err(self.ended(error)),
                },
            }
        }
    }

    /// After input came: the very first bytes tell whether the server speaks TLS where clear text was expected.
    pub(super) fn hear(&mut self) -> Result<Pulled, Error> {
        if !self.limits.heard {
            self.limits.heard = true;
            if matches!(self.channel, Channel::Plain(_)) && tls::looks_like_tls(self.input.data()) {
                return Err(Error::TlsPort { peer: self.limits.peer.clone() });
            }
        }
        Ok(Pulled::Some)
    }

    /// A greeting in clear that never came: the server may be waiting for our TLS hello.
    pub(super) fn silence(&self, error: Error) -> Error {
        match (&error, &self.endpoint, &self.channel) {
            (Error::Timeout { silent: true, .. }, Some(endpoint), Channel::Plain(_))
                if self.tunnel.is_none()
                    && endpoint.tls == TlsMode::StartTls
                    && dial::speaks_tls(endpoint, &self.limits) =>
            {
                Error::TlsPort { peer: self.limits.peer.clone() }
            }
            _ => error,
        }
    }

    pub(super) fn ended(&mut self, why: io::Error) -> Error {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        // With TLS 1.3 the handshake is over for us before the server has looked at our certificate.
        if let (Channel::Tls(_), Some(why)) = (&self.channel, identity::refusal(&why.to_string())) {
            return Error::ClientCertificate { peer: self.limits.peer.clone(), why };
        }
        match (&mut self.tunnel, why.kind()) {
            (Some(tunnel), BrokenPipe | ConnectionAborted | ConnectionReset) => tunnel.end(),
            _ => self.limits.broken(why),
        }
    }

    pub(super) fn closed(&mut self) -> Error {
        match &mut self.tunnel {
            Some(tunnel) => tunnel.end(),
            None => Error::Closed { peer: self.limits.peer.clone() },
        }
    }

    pub(super) fn socket(&self) -> Result<&Socket, Error> {
        self.channel.socket().ok_or_else(|| self.limits.broken(io::ErrorKind::NotConnected.into()))
    }

    pub(super) fn wanted(&self) -> Result<PollFlags, Error> {
        Ok(self.socket()?.wanted())
    }
}

impl Limits {
    fn broken(&self, why: io::Error) -> Error {
        Error::Broken { peer: self.peer.clone(), why }
    }

    pub(super) fn protocol(&self, error: &dyn std::error::Error) -> Error {
        Error::Protocol { peer: self.peer.clone(), why: format!("its compressed data is damaged: {error}") }
    }
}
