//! How bytes travel: in clear or inside TLS.

use std::io::{self, Read, Write};

use native_tls::TlsStream;

use super::socket::Socket;

/// How bytes travel.
#[derive(Debug)]
pub(super) enum Channel {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// Between the two, or after a failed handshake.
    Gone,
}

impl Channel {
    pub(super) fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Plain(socket) => Some(socket),
            Self::Tls(stream) => Some(stream.get_ref()),
            Self::Gone => None,
        }
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(stream) => match stream.read(buf) {
                // A peer that closes without the goodbye of TLS, as many do. Whether something is missing is for the
                // protocol to say: an unfinished reply is.
                Err(error) if is_bare_end(&error) => Ok(0),
                other => other,
            },
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(super) fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buf),
            Self::Tls(stream) => stream.write(buf),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Whether the library complains that the connection ended without `close_notify` (RFC 8446 §6.1).
fn is_bare_end(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().contains("unexpected eof while reading")
}
