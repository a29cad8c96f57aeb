//! COMPRESS=DEFLATE (RFC 4978): raw deflate in both directions, inflating no more than there is room for.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// How much compressed input is held.
pub(super) const RAW: usize = 64 * 1024;

/// What inflating gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inflated {
    /// So many bytes, at least one.
    Bytes(usize),
    /// Nothing: more input is needed.
    Hungry,
    /// The peer ended the compressed stream.
    End,
}

/// Both directions' state.
#[derive(Debug)]
pub(super) struct Deflate {
    inflate: Decompress,
    deflate: Compress,
    /// Compressed input not yet inflated: `raw[from..to]`.
    raw: Vec<u8>,
    from: usize,
    to: usize,
}

impl Deflate {
    /// `early` is what was received already behind the server's agreement: it is compressed.
    pub(super) fn new(early: &[u8]) -> Self {
        let mut raw = vec![0; RAW.max(early.len())];
        if let Some(start) = raw.get_mut(..early.len()) {
            start.copy_from_slice(early);
        }
        Self {
            inflate: Decompress::new(false),
            deflate: Compress::new(Compression::default(), false),
            raw,
            from: 0,
            to: early.len(),
        }
    }

    /// Room for compressed input; only when [`inflate`](Self::inflate) was hungry.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.from = 0;
        self.to = 0;
        &mut self.raw
    }

    /// So many bytes were put into the room.
    pub(super) fn received(&mut self, bytes: usize) {
        self.to = bytes.min(self.raw.len());
    }

    /// Inflates into `out`, which is not empty.
    pub(super) fn inflate(&mut self, out: &mut [u8]) -> Result<Inflated, flate2::DecompressError> {
        // Also without input: what did not fit into the last `out` waits inside.
        let input = self.raw.get(self.from..self.to).unwrap_or_default();
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, out, FlushDecompress::None)?;
        self.from += usize::try_from(self.inflate.total_in() - before_in).unwrap_or(usize::MAX);
        let made = usize::try_from(self.inflate.total_out() - before_out).unwrap_or(usize::MAX);
        Ok(match (made, status) {
            (0, Status::StreamEnd) => Inflated::End,
            (0, Status::Ok | Status::BufError) => Inflated::Hungry,
            (made, Status::Ok | Status::BufError | Status::StreamEnd) => Inflated::Bytes(made),
        })
    }

    /// Appends `bytes`, compressed, to `out`; with `flush` all that was written is complete in `out`.
    pub(super) fn deflate(
        &mut self,
        mut bytes: &[u8],
        out: &mut Vec<u8>,
        flush: bool,
    ) -> Result<(), flate2::CompressError> {
        let how = if flush { FlushCompress::Sync } else { FlushCompress::None };
        loop {
            out.reserve(16 * 1024);
            let before = self.deflate.total_in();
            self.deflate.compress_vec(bytes, out, how)?;
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(taken..).unwrap_or_default();
            // Room left over says that nothing waits inside.
            if bytes.is_empty() && out.len() < out.capacity() {
                return Ok(());
            }
        }
    }
}
