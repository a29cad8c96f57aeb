//! The read buffer of a connection.

/// Received bytes that nobody has consumed: `bytes[from..to]`.
#[derive(Debug)]
pub(super) struct Input {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Input {
    pub(super) fn new(size: usize) -> Self {
        Self { bytes: vec![0; size], from: 0, to: 0 }
    }

    /// Where the next bytes go; empty unless [`make_room`](Self::make_room) made some.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.to..).unwrap_or_default()
    }

    /// So many bytes were put into the room.
    pub(super) fn add(&mut self, n: usize) {
        self.to = self.to.saturating_add(n).min(self.bytes.len());
    }

    /// Takes bytes away from the front.
    pub(super) fn consume(&mut self, n: usize) {
        self.from = self.from.saturating_add(n).min(self.to);
    }

    pub(super) fn data(&self) -> &[u8] {
        self.bytes.get(self.from..self.to).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Makes room behind the data, up to `limit` bytes in all; `false` when there is none.
    pub(super) fn make_room(&mut self, limit: usize) -> bool {
        if self.is_empty() {
            self.from = 0;
            self.to = 0;
        } else if self.to == self.bytes.len() && self.from > 0 {
            self.bytes.copy_within(self.from..self.to, 0);
            self.to -= self.from;
            self.from = 0;
        }
        if self.to == self.bytes.len() && self.bytes.len() < limit {
            let size = (self.bytes.len() * 2).min(limit);
            self.bytes.resize(size, 0);
        }
        self.to < self.bytes.len()
    }
}
