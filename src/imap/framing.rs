//! Cuts the byte stream into responses: lines and literals, each bounded before memory is; bodies go straight through.

use super::download::BodySink;
use super::error::Error;
use super::parse::number;

/// The longest line, literals aside (SPEC §2, `timeout`).
pub const LINE: usize = 64 << 10;
/// The longest line of SEARCH, ESEARCH, VANISHED, and of the codes that carry sets.
pub const SET_LINE: usize = 8 << 20;
/// All that may come for one command, bodies aside.
pub const UNTAGGED: u64 = 256 << 20;
/// The longest literal that is not a body.
pub const LITERAL: u64 = 64 << 10;
/// The longest literal with a message's header.
pub const HEADER: u64 = 1 << 20;

/// Where bytes come from: a connection, or a test's slice.
pub trait Source {
    /// At least one byte that was not consumed yet; waits for it.
    ///
    /// # Errors
    /// At the end of the stream, and when the connection fails.
    fn fill(&mut self) -> Result<&[u8], Error>;
    /// Passes over the first `n` bytes of what `fill` gave.
    fn consume(&mut self, n: usize);
    /// As `consume`, for bytes of a literal: while they come the command makes progress.
    fn consume_body(&mut self, n: usize) {
        self.consume(n);
    }
}

/// One response's bytes, kept from one response to the next so that nothing is allocated for each.
#[derive(Debug, Default)]
pub struct Frame {
    /// The wire's bytes with literals in place, without the last line end. A streamed body is the atom `NIL`.
    pub bytes: Vec<u8>,
    /// The length of the body that went to the sink.
    pub streamed: Option<u64>,
}

/// What of a response may be as long as a set of UIDs.
fn line_limit(line: &[u8]) -> usize {
    let head = line.get(..200).unwrap_or(line).to_ascii_uppercase();
    let mut words = head.split(|&c| c == b' ').filter(|word| !word.is_empty());
    let (first, second, third) = (words.next(), words.next(), words.next());
    let data = first == Some(b"*") && matches!(second, Some(b"SEARCH" | b"ESEARCH" | b"VANISHED"));
    let code = |word: Option<&[u8]>| matches!(word, Some(b"[COPYUID" | b"[APPENDUID" | b"[MODIFIED"));
    if data || code(second) || code(third) { SET_LINE } else { LINE }
}

/// Whether a line that ends in `{n}` announces a literal: in data, never in the text of a status response.
fn has_literals(line: &[u8]) -> bool {
    let mut words = line.get(..64).unwrap_or(line).split(|&c| c == b' ').filter(|word| !word.is_empty());
    if words.next() != Some(b"*") {
        return false;
    }
    let word = words.next().unwrap_or_default();
    let status: [&[u8]; 5] = [b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"];
    !word.starts_with(b"[") && !status.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// The literal announced at the end of `line`: (where its `{` or `~{` stands, its length).
fn announced(line: &[u8]) -> Option<(usize, u64)> {
    let inside = line.strip_suffix(b"}")?;
    let inside = inside.strip_suffix(b"+").unwrap_or(inside);
    let digits = inside.iter().rev().take_while(|c| c.is_ascii_digit()).count();
    let open = inside.len().checked_sub(digits + 1)?;
    if digits == 0 || inside.get(open) != Some(&b'{') {
        return None;
    }
    let size = number(inside.get(open + 1..)?)?;
    Some((if open > 0 && inside.get(open - 1) == Some(&b'~') { open - 1 } else { open }, size))
}

enum Place {
    Body,
    Header,
    Other,
}

/// What the literal is that follows `line`.
fn place(line: &[u8]) -> Place {
    let line = line.trim_ascii_end();
    let tail = line.get(line.len().saturating_sub(64)..).unwrap_or_default().to_ascii_uppercase();
    if tail.ends_with(b"BODY[]") {
        return Place::Body;
    }
    let open = line.iter().rposition(|&c| c == b'[').unwrap_or(0);
    let section = line.get(open..).unwrap_or_default();
    if section.len() >= 8
        && section.get(..7).is_some_and(|head| head.eq_ignore_ascii_case(b"[HEADER"))
        && line.ends_with(b"]")
    {
        return Place::Header;
    }
    Place::Other
}

/// Reads one response into `frame`. `budget` is what the command may still receive. A `BODY[]` literal goes to `body`
/// if there is one; without it, it must be as short as any other literal.
///
/// # Errors
/// Over a limit, when the stream ends or fails, and when the sink fails. The stream's place is lost then.
pub fn read_frame<S: Source + ?Sized>(
    source: &mut S,
    frame: &mut Frame,
    budget: &mut u64,
    mut body: Option<&mut dyn BodySink>,
) -> Result<(), Error> {
    frame.bytes.clear();
    frame.streamed = None;
    let mut literals = 0usize;
    let mut line_start = 0usize;
    loop {
        read_line(source, frame, literals, budget)?;
        if !has_literals(&frame.bytes) {
            return Ok(());
        }
        let line = frame.bytes.get(line_start..).unwrap_or_default();
        let Some((at, size)) = announced(line) else { return Ok(()) };
        let before = line.get(..at).unwrap_or_default();
        let limit = match (place(before), body.as_deref_mut()) {
            (Place::Body, Some(sink)) => {
                if frame.streamed.is_some() {
                    return Err(Error::Protocol("two bodies in one response".to_owned()));
                }
                frame.bytes.truncate(line_start + at);
                frame.bytes.extend_from_slice(b"NIL");
                stream(source, sink, size)?;
                frame.streamed = Some(size);
                line_start = frame.bytes.len();
                continue;
            }
            (Place::Header, _) => HEADER,
            (Place::Body | Place::Other, _) => LITERAL,
        };
        if size > limit {
            return Err(Error::Limit("a literal"));
        }
        *budget = budget.checked_sub(size).ok_or(Error::Limit("data for one command"))?;
        let size = usize::try_from(size).map_err(|_| Error::Limit("a literal"))?;
        frame.bytes.extend_from_slice(b"\r\n");
        copy(source, &mut frame.bytes, size)?;
        literals += size;
        line_start = frame.bytes.len();
    }
}

/// Appends a line without its end. `literals` of the frame's bytes do not count as line.
fn read_line<S: Source + ?Sized>(
    source: &mut S,
    frame: &mut Frame,
    literals: usize,
    budget: &mut u64,
) -> Result<(), Error> {
    loop {
        let chunk = source.fill()?;
        let found = memchr::memchr(b'\n', chunk);
        let length = found.map_or(chunk.len(), |at| at + 1);
        frame.bytes.extend_from_slice(chunk.get(..length).unwrap_or_default());
        source.consume(length);
        let spent = u64::try_from(length).map_err(|_| Error::Limit("a line"))?;
        *budget = budget.checked_sub(spent).ok_or(Error::Limit("data for one command"))?;
        let text = frame.bytes.len().saturating_sub(literals);
        if text > LINE && text > line_limit(&frame.bytes) {
            return Err(Error::Limit("a line"));
        }
        if found.is_some() {
            frame.bytes.pop();
            if frame.bytes.last() == Some(&b'\r') {
                frame.bytes.pop();
            }
            return Ok(());
        }
    }
}

fn copy<S: Source + ?Sized>(source: &mut S, out: &mut Vec<u8>, mut left: usize) -> Result<(), Error> {
    while left > 0 {
        let chunk = source.fill()?;
        let part = chunk.get(..left).unwrap_or(chunk);
        out.extend_from_slice(part);
        let length = part.len();
        source.consume_body(length);
        left -= length;
    }
    Ok(())
}

fn stream<S: Source + ?Sized>(source: &mut S, sink: &mut dyn BodySink, mut left: u64) -> Result<(), Error> {
    sink.begin(left).map_err(Error::Sink)?;
    while left > 0 {
        let chunk = source.fill()?;
        let part = usize::try_from(left).ok().and_then(|left| chunk.get(..left)).unwrap_or(chunk);
        sink.data(part).map_err(Error::Sink)?;
        let length = part.len();
        source.consume_body(length);
        left = left.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
    }
    Ok(())
}

#[cfg(test)]
#[path = "framing_tests.rs"]
pub(super) mod tests;
