//! What a message *is*: a digest of its canonical form, and the hints that nominate candidates.
//!
//! The canonical form is the message with every line ended by `CR LF`, without any other `CR`, and without `X-TUID` header
//! fields, which mbsync adds. Servers eat stray `CR`s (Dovecot stores `CR CR LF` as `CR LF`), and what came back without them is
//! still the same message. Two messages are one only if these digests are equal; a Message-ID alone never says so.

use sha2::{Digest as _, Sha256};

use super::lines::ToCrlf;

/// SHA-256 over a canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of any bytes, as they are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest in `bytes`, which must be 32 long.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

/// A hash of the trimmed value of the first Message-ID field; the same whether the server or the file gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// From a field's value, with or without folding; `None` when nothing but blanks is in it.
    #[must_use]
    pub fn of_value(value: &[u8]) -> Option<Self> {
        let plain: Vec<u8> = value.iter().copied().filter(|c| !c.is_ascii_whitespace()).collect();
        if plain.is_empty() {
            return None;
        }
        let digest = Sha256::digest(&plain);
        Some(Self(digest.as_slice().get(..16)?.try_into().ok()?))
    }

    /// From bytes that hold header fields, such as an answer to `BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]`.
    #[must_use]
    pub fn of_header(header: &[u8]) -> Option<Self> {
        let mut hasher = ContentHasher::new();
        hasher.update(header);
        hasher.finish().message_id
    }

    /// From 16 bytes as kept in the state.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

/// What reading a message through once tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Digest of the canonical form.
    pub digest: Digest,
    /// Digest of the canonical header section: everything before the first empty line.
    pub header: Digest,
    /// The Message-ID, if the header has one.
    pub message_id: Option<MessageId>,
    /// Length in bytes with `CR LF` line ends, `X-TUID` included: what a server calls the size.
    pub size: u64,
    /// How much of the size is header fields that do not count (`X-TUID`); 0 where the header was not looked at.
    pub left_out: u64,
    /// The Message-ID's text for people and JSON, cut at 200 bytes.
    pub message_id_text: Option<String>,
}

/// At most this much of a header line is looked at; longer lines are still digested in full.
const LINE_CAP: usize = 4096;

/// Computes a [`Content`] from chunks of a message in either line-ending form.
#[derive(Clone)]
pub struct ContentHasher {
    canonical: ToCrlf,
    buffer: Vec<u8>,
    all: Sha256,
    header: Option<HeaderScan>,
    header_digest: Option<Digest>,
    message_id: Option<Vec<u8>>,
    size: u64,
    bytes_left_out: u64,
    /// A field that is left out besides `X-TUID`.
    left_out: Option<&'static str>,
}

#[derive(Clone)]
struct HeaderScan {
    hash: Sha256,
    line: Vec<u8>,
    /// The beginning of this line was too long to keep and has been dealt with.
    inside: bool,
    field: Field,
}

#[derive(Clone, Copy, PartialEq)]
enum Field {
    Other,
    LeftOut,
    MessageId,
}

impl Default for ContentHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl ContentHasher {
    /// A hasher that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self {
            canonical: ToCrlf::default(),
            buffer: Vec::new(),
            all: Sha256::new(),
            header: Some(HeaderScan { hash: Sha256::new(), line: Vec::new(), inside: false, field: Field::Other }),
            header_digest: None,
            message_id: None,
            size: 0,
            bytes_left_out: 0,
            left_out: None,
        }
    }

    /// A hasher that leaves out one more header field: one that a server adds when a flag is set (Exchange's
    /// `X-Message-Flag`). Its digests compare only with those of its like.
    #[must_use]
    pub fn without(field: &'static str) -> Self {
        Self { left_out: Some(field), ..Self::new() }
    }

    /// Takes the next bytes of the message.
    pub fn update(&mut self, chunk: &[u8]) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.canonical.push(chunk, &mut buffer);
        self.size += buffer.len() as u64;
        drop_stray(&mut buffer);
        let mut rest = buffer.as_slice();
        while self.header.is_some() && !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (part, tail) = rest.split_at(end);
            self.header_part(part);
            rest = tail;
        }
        self.all.update(rest);
        buffer.shrink_to(1 << 20);
        self.buffer = buffer;
    }

    /// Part of one header line, with its LF if the line ends here.
    fn header_part(&mut self, part: &[u8]) {
        let Some(scan) = self.header.as_mut() else { return };
        scan.line.extend_from_slice(part);
        if part.last() == Some(&b'\n') {
            self.header_line();
            if let Some(scan) = self.header.as_mut() {
                scan.inside = false;
            }
        } else if scan.line.len() > LINE_CAP {
            self.header_line();
            if let Some(scan) = self.header.as_mut() {
                scan.inside = true;
            }
        }
    }

    /// A whole header line, or as much of it as is kept.
    fn header_line(&mut self) {
        let Some(scan) = self.header.as_mut() else { return };
        let line = std::mem::take(&mut scan.line);
        if line == b"\r\n" && !scan.inside {
            self.end_header();
            self.all.update(&line);
            return;
        }
        if !scan.inside && !matches!(line.first(), Some(b' ' | b'\t')) {
            scan.field = match line.split(|&c| c == b':').next().unwrap_or_default().trim_ascii() {
                name if name.eq_ignore_ascii_case(b"x-tuid") => Field::LeftOut,
                name if self.left_out.is_some_and(|out| name.eq_ignore_ascii_case(out.as_bytes())) => Field::LeftOut,
                name if name.eq_ignore_ascii_case(b"message-id") && self.message_id.is_none() => Field::MessageId,
                _ => Field::Other,
            };
            if scan.field == Field::MessageId {
                let value = line.iter().position(|&c| c == b':').and_then(|at| line.get(at + 1..));
                self.message_id = Some(value.unwrap_or_default().to_vec());
            }
        } else if scan.field == Field::MessageId
            && let Some(id) = self.message_id.as_mut()
            && id.len() < LINE_CAP
        {
            id.extend_from_slice(&line);
        }
        if scan.field == Field::LeftOut {
            self.bytes_left_out += line.len() as u64;
        } else {
            scan.hash.update(&line);
            self.all.update(&line);
        }
    }

    fn end_header(&mut self) {
        if let Some(scan) = self.header.take() {
            self.header_digest = Some(Digest(scan.hash.finalize().into()));
        }
    }

    /// Ends the message.
    #[must_use]
    pub fn finish(mut self) -> Content {
        let unended = self.header.as_ref().filter(|scan| !scan.line.is_empty()).map(|scan| scan.line.ends_with(b"\r"));
        if let Some(half) = unended {
            self.header_line();
            // A message without body may come back with the end of its header cut (Courier's BODY[HEADER]): the same header.
            if let Some(scan) = self.header.as_mut().filter(|scan| scan.field != Field::LeftOut) {
                scan.hash.update(if half { b"\n".as_slice() } else { b"\r\n" });
            }
        }
        self.end_header();
        let header = self.header_digest.unwrap_or_else(|| Digest::of(b""));
        let mut value = self.message_id.unwrap_or_default();
        value.truncate(LINE_CAP);
        let text = String::from_utf8_lossy(value.trim_ascii()).chars().take(200).collect::<String>();
        Content {
            digest: Digest(self.all.finalize().into()),
            header,
            message_id: MessageId::of_value(&value),
            size: self.size,
            left_out: self.bytes_left_out,
            message_id_text: (!text.is_empty()).then_some(text),
        }
    }
}

/// Takes out of a part of a message with `CR LF` line ends every `CR` that ends no line. One before a `LF` that begins the next
/// part goes as well, and comes back with that `LF`.
fn drop_stray(part: &mut Vec<u8>) {
    let count = |byte| memchr::memchr_iter(byte, part).count();
    if count(b'\r') == count(b'\n') && part.first() != Some(&b'\n') && part.last() != Some(&b'\r') {
        return;
    }
    let mut kept = Vec::with_capacity(part.len() + 1);
    for &byte in part.iter().filter(|&&byte| byte != b'\r') {
        if byte == b'\n' {
            kept.push(b'\r');
        }
        kept.push(byte);
    }
    *part = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(bytes: &[u8]) -> Content {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn line_endings_and_x_tuid_do_not_count() {
        let wire = content(b"Subject: a\r\nMessage-ID:\r\n <x@y>\r\n\r\nbody\r\n");
        let disk = content(b"Subject: a\nX-TUID: abc\n def\nMessage-ID:\n <x@y>\n\nbody\n");
        assert_eq!((wire.digest, wire.header, wire.message_id), (disk.digest, disk.header, disk.message_id));
        assert_eq!((wire.size, wire.left_out), (41, 0));
        assert_eq!(disk.size - disk.left_out, wire.size);
        assert_eq!(wire.message_id, MessageId::of_value(b"<x@y>"));
        assert_eq!(wire.message_id_text.as_deref(), Some("<x@y>"));
    }

    #[test]
    fn stray_carriage_returns_do_not_count() {
        let eaten = content(b"Message-ID: <1>\n\nbo\ndy");
        for text in [
            "Message-ID: <1>\r\r\n\r\r\nbo\r\ndy",
            "Message-ID: <1>\n\nbo\r\r\n\rdy\r",
            "Message-ID: <1>\r\n\r\nb\ro\ndy",
        ] {
            let with = content(text.as_bytes());
            assert_eq!((with.digest, with.header, with.message_id), (eaten.digest, eaten.header, eaten.message_id));
        }
        assert_eq!(content(b"a\r\r\nb\r").size, 6, "the size counts them: it is that of the wire");
        assert_ne!(content(b"bo\ndy").digest, content(b"body").digest);
    }

    #[test]
    fn one_more_field_may_be_left_out() {
        let digest = |text: &[u8]| {
            let mut hasher = ContentHasher::without("X-Message-Flag");
            hasher.update(text);
            hasher.finish().digest
        };
        assert_eq!(digest(b"A: b\n\nc\n"), digest(b"x-message-flag: Follow\n up\nA: b\n\nc\n"));
        assert_eq!(digest(b"A: b\n\nc\n"), content(b"A: b\n\nc\n").digest);
        assert_ne!(digest(b"\nX-Message-Flag: x\n"), digest(b"\n"));
    }

    #[test]
    fn a_header_without_body_is_the_same_however_it_ends() {
        let whole = content(b"Subject: a\r\nTo: b\r\n");
        for cut in
            [&b"Subject: a\r\nTo: b\r"[..], b"Subject: a\r\nTo: b", b"Subject: a\nTo: b", b"Subject: a\nTo: b\n\n"]
        {
            assert_eq!(content(cut).header, whole.header, "{cut:?}");
        }
        assert_ne!(content(b"Subject: a\r\nTo: b").digest, whole.digest);
    }

    #[test]
    fn bodies_and_headers_count() {
        let a = content(b"Subject: a\n\nX-TUID: in the body\n");
        let b = content(b"Subject: a\n\nother\n");
        assert_eq!(a.header, b.header);
        assert_ne!(a.digest, b.digest);
        assert_ne!(content(b"Subject: b\n\nother\n").header, b.header);
        assert_ne!(content(b"").digest, content(b"\n").digest);
    }

    #[test]
    fn the_answer_to_a_field_fetch_gives_the_same_id() {
        let whole = content(b"From: x\r\nMessage-Id: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n");
        assert_eq!(whole.message_id, MessageId::of_header(b"Message-Id: <1@x>\r\nMessage-ID: <2@x>\r\n\r\n"));
        assert_eq!(MessageId::of_header(b"\r\n"), None);
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes in proptest::collection::vec(prop_oneof![
                Just(b"\r\n".to_vec()), Just(b"\n".to_vec()), Just(b"X-TUID: a".to_vec()), Just(b"Message-ID: <a>".to_vec()),
                Just(b" ".to_vec()), Just(b"\r".to_vec()), Just(b"text".to_vec())], 0..20),
            cut in 0usize..100) {
            let bytes = bytes.concat();
            let cut = cut.min(bytes.len());
            let mut hasher = ContentHasher::new();
            hasher.update(&bytes[..cut]);
            hasher.update(&bytes[cut..]);
            prop_assert_eq!(hasher.finish(), content(&bytes));
        }
    }
}
