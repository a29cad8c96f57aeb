//! Connections: TCP, TLS, tunnels, compression, and what crosses them. The only room that opens sockets.
//!
//! [`connect`] makes one attempt and gives a [`Stream`]: one connection, buffered in both directions, whose every wait
//! ends at the account's timeout, at a deadline, or when a stop is asked for.

mod certificate;
mod channel;
mod deflate;
mod dial;
mod error;
mod identity;
mod input;
mod name;
pub mod retry;
mod rewind;
mod socket;
mod stream;
mod tls;
mod traffic;
mod tunnel;
mod wait;
mod wirelog;

#[cfg(test)]
mod tests;

pub use certificate::Certificate;
pub use dial::{Dial, addresses, connect};
pub use error::{CertificateFailure, Error};
pub use stream::{Stream, Woken};
pub use traffic::Traffic;
pub use wirelog::Trace;
