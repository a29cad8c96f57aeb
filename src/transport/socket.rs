//! A non-blocking socket as a byte stream that remembers what it last could not do.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::PollFlags;
use rustix::net::{RecvFlags, SendFlags};

/// How many of the first bytes received are kept to tell TLS from clear text.
const FIRST: usize = 64;

/// A connected socket (TCP, or one end of a socket pair). Reads and writes fail with `WouldBlock` instead of waiting;
/// [`wanted`](Self::wanted) then says what to wait for, which TLS alone cannot tell.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    wanted: PollFlags,
    first: First,
    first_is_full: bool,
}

/// The first bytes received, readable also after the library has swallowed the socket with an error.
#[derive(Clone, Debug, Default)]
pub(super) struct First(Arc<Mutex<Vec<u8>>>);

impl First {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds what there is room for; `true` once there is none.
    fn add(&self, bytes: &[u8]) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = FIRST - kept.len();
        kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        kept.len() == FIRST
    }
}

impl Socket {
    /// Takes a connected socket and makes it non-blocking.
    pub(super) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self { fd, wanted: PollFlags::IN, first: First::default(), first_is_full: false })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// What the last operation that gave `WouldBlock` needs.
    pub(super) fn wanted(&self) -> PollFlags {
        self.wanted
    }

    /// Keeps the first bytes received from now on, at most 64.
    pub(super) fn keep_first(&mut self) -> First {
        self.first = First::default();
        self.first_is_full = false;
        self.first.clone()
    }

    /// The other end's address, for TCP.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        let tcp = TcpStream::from(self.fd.try_clone().ok()?);
        tcp.peer_addr().ok()
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.fd, &mut *buf, RecvFlags::empty()) {
                Ok((got, _)) => {
                    if !self.first_is_full {
                        self.first_is_full = self.first.add(buf.get(..got).unwrap_or_default());
                    }
                    return Ok(got);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => {
                    self.wanted = PollFlags::IN;
                    return Err(errno.into());
                }
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(&self.fd, buf, SendFlags::NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => {
                    self.wanted = PollFlags::OUT;
                    return Err(errno.into());
                }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
