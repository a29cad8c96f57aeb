//! Line endings: how the bytes of a message map between the wire (CRLF) and the disk (LF), in streams.
//!
//! The mapping loses nothing: `CR LF` becomes `LF` and back, while `CR CR LF` and lone `CR` stay as they are on
//! both sides. Only a bare `LF` on the wire, which no message may have (RFC 5322 §2.3), comes back as `CR LF`.

use memchr::memchr;

/// How the lines of stored messages end (`line_endings`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineEndings {
    /// `LF`, as Unix programs expect.
    #[default]
    Lf,
    /// Byte for byte as on the wire.
    Crlf,
}

/// Turns wire bytes into disk bytes: the `CR` of each `CR LF` is dropped unless another `CR` stands before it.
#[derive(Clone, Debug, Default)]
pub struct ToLf {
    /// `CR`s seen at the end of the last chunk and not yet written: 0, 1 or 2 (2 stands for "two or more").
    pending: u8,
}

impl ToLf {
    /// Appends the mapping of `chunk` to `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while self.pending > 0 {
            match rest.split_first() {
                None => return,
                Some((b'\r', tail)) => {
                    out.push(b'\r');
                    self.pending = 2;
                    rest = tail;
                }
                Some((&first, _)) => {
                    if first != b'\n' || self.pending == 2 {
                        out.push(b'\r');
                    }
                    self.pending = 0;
                }
            }
        }
        while let Some(at) = memchr(b'\r', rest) {
            let (before, from_cr) = rest.split_at(at);
            out.extend_from_slice(before);
            self.pending = 1;
            let mut tail = from_cr.get(1..).unwrap_or_default();
            while let Some((b'\r', next)) = tail.split_first() {
                out.push(b'\r');
                self.pending = 2;
                tail = next;
            }
            match tail.first() {
                None => return,
                Some(&b'\n') if self.pending == 1 => {}
                Some(_) => out.push(b'\r'),
            }
            self.pending = 0;
            rest = tail;
        }
        out.extend_from_slice(rest);
    }

    /// Ends the message: a `CR` at its very end is kept.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.pending > 0 {
            out.push(b'\r');
        }
        self.pending = 0;
    }
}

/// Turns disk bytes into wire bytes, and any bytes into the canonical form: each `LF` without a `CR` before it gets one.
#[derive(Clone, Debug, Default)]
pub struct ToCrlf {
    after_cr: bool,
}

impl ToCrlf {
    /// Appends the mapping of `chunk` to `out`.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let mut rest = chunk;
        while let Some(at) = memchr(b'\n', rest) {
            let (before, from_lf) = rest.split_at(at);
            let has_cr = before.last().map_or(self.after_cr, |&c| c == b'\r');
            out.extend_from_slice(before);
            out.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
            self.after_cr = false;
            rest = from_lf.get(1..).unwrap_or_default();
        }
        if let Some(&last) = rest.last() {
            self.after_cr = last == b'\r';
        }
        out.extend_from_slice(rest);
    }

    /// How long the wire form of `chunk` is, without making it.
    pub fn measure(&mut self, chunk: &[u8]) -> u64 {
        let mut added = 0;
        let mut previous = self.after_cr;
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', chunk) {
            if at > from {
                previous = at.checked_sub(1).and_then(|i| chunk.get(i)) == Some(&b'\r');
            }
            added += u64::from(!previous);
            previous = false;
            from = at + 1;
        }
        if from < chunk.len() {
            previous = chunk.last() == Some(&b'\r');
        }
        self.after_cr = previous;
        chunk.len() as u64 + added
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_lf(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut map, mut out) = (ToLf::default(), Vec::new());
        for c in chunks {
            map.push(c, &mut out);
        }
        map.finish(&mut out);
        out
    }

    fn to_crlf(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut map, mut out) = (ToCrlf::default(), Vec::new());
        for c in chunks {
            map.push(c, &mut out);
        }
        out
    }

    #[test]
    fn examples() {
        assert_eq!(to_lf(&[b"a\r\nb\rc\r\r\n\r"]), b"a\nb\rc\r\r\n\r");
        assert_eq!(to_crlf(&[b"a\nb\rc\r\r\n\r\n"]), b"a\r\nb\rc\r\r\n\r\n");
    }

    fn messy() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'x')], 0..40)
    }

    proptest! {
        #[test]
        fn the_disk_form_goes_back_to_the_canonical_form(bytes in messy()) {
            let canonical = to_crlf(&[&bytes]);
            prop_assert_eq!(to_crlf(&[&to_lf(&[&canonical])]), canonical.clone());
            prop_assert_eq!(to_crlf(&[&to_lf(&[&bytes])]), canonical);
        }

        #[test]
        fn cuts_do_not_matter(bytes in messy(), cut in 0usize..40, cut2 in 0usize..40) {
            let (a, b) = (cut.min(cut2).min(bytes.len()), cut.max(cut2).min(bytes.len()));
            let parts = [&bytes[..a], &bytes[a..b], &bytes[b..]];
            prop_assert_eq!(to_lf(&parts), to_lf(&[&bytes]));
            prop_assert_eq!(to_crlf(&parts), to_crlf(&[&bytes]));
            let mut m = ToCrlf::default();
            let length: u64 = parts.iter().map(|p| m.measure(p)).sum();
            prop_assert_eq!(length, to_crlf(&[&bytes]).len() as u64);
        }
    }
}
