//! COMPRESS=DEFLATE (RFC 4978): when it pays, and turning it on.
//!
//! A server deflates some 28 MB a second, so on a fast line compression costs more than it saves, and on this machine always. Nothing but
//! trying tells how fast a line is: the first messages that cross a connection are a sample, and what its transfer takes decides.

use std::time::Duration;

use super::command::Command;
use super::error::Error;
use super::session::Session;

/// So many bytes of messages show a line's rate.
const SAMPLE: u64 = 512 << 10;
/// Below this many bytes a second and connection a line is slow.
const SLOW_LINE: u64 = 3_000_000;

impl Session {
    /// How many bytes of messages should cross alone, to be told to [`Session::weigh`], before more is asked for or sent. `None`: it is
    /// settled whether this connection is compressed.
    #[must_use]
    pub fn sample(&mut self) -> Option<u64> {
        let open = !self.weighed && self.capabilities().compress_deflate && !self.is_loopback();
        open.then_some(SAMPLE)
    }

    /// Settles that this connection stays as it is.
    pub fn leave_uncompressed(&mut self) {
        self.weighed = true;
    }

    /// Turns compression on if `bytes` that took `time` to cross say that the line is slow; less than a sample says nothing.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn weigh(&mut self, bytes: u64, time: Duration) -> Result<(), Error> {
        if bytes < SAMPLE || self.sample().is_none() {
            return Ok(());
        }
        self.weighed = true;
        if is_slow(bytes, time) {
            self.compress()?;
        }
        Ok(())
    }

    /// Turns compression on, if it is offered; whether it pays is the caller's to know. `false`: it stays off.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn compress(&mut self) -> Result<bool, Error> {
        if !self.capabilities().compress_deflate {
            return Ok(false);
        }
        self.live()?.settle()?;
        match self.run(Command::new("COMPRESS DEFLATE"), "COMPRESS", &mut |_, _| Ok(false)) {
            Ok(_) => {
                let connection = self.live()?;
                let started = connection.stream().start_deflate().map_err(Error::from);
                connection.check(started)?;
                Ok(true)
            }
            Err(Error::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Whether a line on which `bytes` took `time` is slow.
fn is_slow(bytes: u64, time: Duration) -> bool {
    u128::from(bytes) * 1_000_000 < u128::from(SLOW_LINE) * time.as_micros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::scripted::{ended, session};

    #[test]
    fn a_line_is_slow_below_three_megabytes_a_second() {
        assert!(is_slow(2_900_000, Duration::from_secs(1)));
        assert!(!is_slow(3_000_000, Duration::from_secs(1)));
        assert!(!is_slow(1, Duration::ZERO) && is_slow(SAMPLE, Duration::MAX));
    }

    #[test]
    fn a_refusal_leaves_the_session_as_it_is() {
        for answer in ["F2 NO [COMPRESSIONACTIVE] no\r\n", "F2 BAD what\r\n"] {
            let (mut session, server) = session(
                "IMAP4rev1 COMPRESS=DEFLATE",
                &[("F2 COMPRESS DEFLATE\r\n", answer), ("F3 NOOP\r\n", "F3 OK done\r\n")],
            );
            assert!(!session.compress().unwrap());
            session.run(Command::new("NOOP"), "NOOP", &mut |_, _| Ok(false)).unwrap();
            ended(server);
        }
    }

    #[test]
    fn where_it_is_not_offered_or_the_server_is_near_nothing_is_sampled() {
        let (mut far, server) = session("IMAP4rev1", &[]);
        assert!(far.sample().is_none() && !far.compress().unwrap());
        ended(server);
        // The scripted server is on this machine.
        let (mut near, server) = session("IMAP4rev1 COMPRESS=DEFLATE", &[]);
        assert!(near.sample().is_none());
        near.weigh(u64::MAX, Duration::MAX).unwrap();
        ended(server);
    }
}
