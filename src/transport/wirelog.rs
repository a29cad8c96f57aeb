//! The protocol trace of `-vv`: a line for each line that crosses, with secrets and bodies left out.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem;

use crate::mail::text::clean_bytes;

/// The longest line that is kept together; the rest of a longer one is counted.
const LONGEST: usize = 4096;

/// Takes the trace of an account's connections. Cloning is cheap; clones share the secrets to hide.
#[derive(Clone)]
pub struct Trace {
    sink: Arc<dyn Fn(&str) + Send + Sync>,
    secrets: Arc<Mutex<Vec<zeroize::Zeroizing<Vec<u8>>>>>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

impl Trace {
    /// A trace that hands each finished line (`> a1 NOOP`, `< a1 OK`), cleaned and at most 200 characters, to `sink`.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), secrets: Arc::default() }
    }

    /// Replaces `secret` by `***` wherever it crosses from now on: servers repeat what they were told. Shorter ones
    /// than 4 bytes are not looked for, they would hit everywhere.
    pub fn hide(&self, secret: &[u8]) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= 4 && !secrets.iter().any(|known| known.as_slice() == secret) {
            secrets.push(secret.to_vec().into());
            secrets.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// Tells something that is no line of the protocol: `* TLS`.
    pub(super) fn note(&self, text: &str) {
        (self.sink)(&format!("* {text}"));
    }

    fn line(&self, arrow: char, line: &[u8], left_out: u64) {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = line.to_vec();
        for secret in secrets.iter() {
            shown = replace(&shown, secret, b"***");
        }
        drop(secrets);
        let mut text = format!("{arrow} {}", clean_bytes(&shown));
        if left_out > 0 {
            text.push_str(&format!(" [{left_out} more bytes]"));
        }
        (self.sink)(&text);
    }
}

fn replace(haystack: &[u8], needle: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(haystack.len());
    let mut from = 0;
    for at in memmem::find_iter(haystack, needle) {
        out.extend_from_slice(haystack.get(from..at).unwrap_or_default());
        out.extend_from_slice(by);
        from = at + needle.len();
    }
    out.extend_from_slice(haystack.get(from..).unwrap_or_default());
    out
}

/// One direction of one connection: puts lines together and counts bodies.
#[derive(Debug)]
pub(super) struct Tracer {
    trace: Trace,
    arrow: char,
    line: Vec<u8>,
    left_out: u64,
    body: u64,
    literal: u64,
}

impl Tracer {
    pub(super) fn new(trace: Trace, arrow: char) -> Self {
        Self { trace, arrow, line: Vec::new(), left_out: 0, body: 0, literal: 0 }
    }

    /// Bytes that crossed. What an IMAP literal announces (`{12}` at a line's end) is counted, not shown.
    pub(super) fn bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.literal > 0 {
                let length = usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len());
                bytes = bytes.get(length..).unwrap_or_default();
                self.body(length);
                self.literal = self.literal.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                continue;
            }
            self.end_body();
            let (part, end) = match memchr::memchr(b'\n', bytes) {
                Some(at) => (at + 1, true),
                None => (bytes.len(), false),
            };
            let (now, rest) = bytes.split_at_checked(part).unwrap_or((bytes, &[]));
            bytes = rest;
            let keep = now.len().min(LONGEST.saturating_sub(self.line.len()));
            self.line.extend_from_slice(now.get(..keep).unwrap_or_default());
            self.left_out += u64::try_from(now.len() - keep).unwrap_or(0);
            if end {
                self.literal = announced(&self.line).filter(|_| self.left_out == 0).unwrap_or(0);
                self.end_line();
            }
        }
    }

    /// Bytes of a message: only counted.
    pub(super) fn body(&mut self, length: usize) {
        self.body += u64::try_from(length).unwrap_or(0);
    }

    /// A line that must not be shown, and what is shown instead.
    pub(super) fn secret(&mut self, bytes: &[u8], shown: &str) {
        self.trace.hide(bytes.trim_ascii());
        self.bytes(shown.as_bytes());
        if bytes.ends_with(b"\n") && !shown.ends_with('\n') {
            self.bytes(b"\r\n");
        }
    }

    fn end_line(&mut self) {
        self.trace.line(self.arrow, &self.line, self.left_out);
        self.line.clear();
        self.left_out = 0;
    }

    fn end_body(&mut self) {
        if self.body > 0 {
            (self.trace.sink)(&format!("{} [{} bytes]", self.arrow, self.body));
            self.body = 0;
        }
    }
}

/// The size of the literal that a line ends with (RFC 9051 `literal`, RFC 7888 `{n+}`).
fn announced(line: &[u8]) -> Option<u64> {
    let digits = line.trim_ascii_end().strip_suffix(b"}")?;
    let digits = digits.strip_suffix(b"+").or_else(|| digits.strip_suffix(b"-")).unwrap_or(digits);
    let start = memchr::memrchr(b'{', digits)?;
    std::str::from_utf8(digits.get(start + 1..)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(run: impl Fn(&mut Tracer)) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&lines);
        let trace = Trace::new(move |line: &str| copy.lock().unwrap().push(line.to_owned()));
        run(&mut Tracer::new(trace, '<'));
        let lines = lines.lock().unwrap();
        lines.clone()
    }

    #[test]
    fn lines_are_cleaned_and_bodies_counted_however_they_are_cut() {
        let wire = b"* 1 FETCH (BODY[] {11}\r\nhello\r\nyou\r)\r\na1 OK \x1b[2J\r\n";
        for cut in 1..wire.len() {
            let lines = traced(|tracer| {
                tracer.bytes(&wire[..cut]);
                tracer.bytes(&wire[cut..]);
            });
            assert_eq!(lines, ["< * 1 FETCH (BODY[] {11}", "< [11 bytes]", "< )", "< a1 OK \u{fffd}[2J"]);
        }
    }

    #[test]
    fn secrets_do_not_come_back() {
        let lines = traced(|tracer| {
            tracer.secret(b"AGZyZWQAc2VjcmV0\r\n", "***");
            tracer.trace.hide(b"secret");
            tracer.bytes(b"a1 NO wrong secret in AGZyZWQAc2VjcmV0\r\n");
        });
        assert_eq!(lines, ["< ***", "< a1 NO wrong *** in ***"]);
    }

    #[test]
    fn a_long_line_is_cut() {
        let lines = traced(|tracer| {
            tracer.bytes(&vec![b'x'; 100_000]);
            tracer.bytes(b"\r\nend\n");
        });
        assert!(lines[0].ends_with("x… [95906 more bytes]"), "{}", lines[0]);
        assert_eq!(lines[1], "< end");
    }
}
