//! What was said before STARTTLS, so that one more connection can say it again to read a refused certificate.

/// How much is remembered; before TLS a client says a few dozen bytes.
const LONGEST: usize = 4096;

/// How many lines had come before, and what was said then.
pub(super) type Flight = (usize, Vec<u8>);

/// The clear-text part of a session: our flights, and how many lines had come before each.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    flights: Vec<Flight>,
    lines: usize,
    size: usize,
}

impl Script {
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.lines += memchr::memchr_iter(b'\n', bytes).count();
    }

    pub(super) fn said(&mut self, bytes: &[u8]) {
        self.size += bytes.len();
        if self.size <= LONGEST {
            self.flights.push((self.lines, bytes.to_vec()));
        }
    }

    /// The flights in order, each with the number of lines to wait for first; and the lines to wait for at the end.
    /// `None` when too much was said.
    pub(super) fn replay(&self) -> Option<(&[Flight], usize)> {
        (self.size <= LONGEST).then_some((self.flights.as_slice(), self.lines))
    }
}
