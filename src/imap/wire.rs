//! What the `imap` crate reads from and writes to: our connection, one line per read, without anything that the crate
//! does not survive (it panics, loses its place or overflows the stack at quite ordinary lines).

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::completion::Completion;
use super::connection::Connection;
use super::error::Error;
use super::parse::{NESTING, Response, Status, response};

/// A handle on a lent connection. Clones share it.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Slot>>);

#[derive(Default)]
struct Slot {
    connection: Option<Box<Connection>>,
    /// The login of the crate has been answered, by us.
    logged_in: bool,
    /// What the crate has yet to read.
    lines: Vec<u8>,
    read: usize,
    /// What the crate wrote and has not flushed.
    written: Vec<u8>,
    /// How far input had come when the crate's command was sent: nothing before answers it.
    begun: u64,
    /// How the crate's command ended.
    end: Option<Completion>,
    failure: Option<Error>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    /// Without a connection; the first command, the crate's LOGIN, is answered here.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the crate a connection on which nothing is outstanding.
    pub fn lend(&self, connection: Box<Connection>) {
        let mut slot = self.slot();
        slot.connection = Some(connection);
        slot.end = None;
        slot.failure = None;
    }

    /// Takes it back, with the end of the command and what went wrong on the way.
    pub fn take_back(&self) -> (Option<Box<Connection>>, Option<Completion>, Option<Error>) {
        let mut slot = self.slot();
        (slot.connection.take(), slot.end.take(), slot.failure.take())
    }
}

impl Read for Wire {
    /// At most one line, so that the crate's own buffer is empty once it has read its tagged reply.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut slot = self.slot();
        while slot.lines.len() == slot.read {
            slot.lines.clear();
            slot.read = 0;
            slot.next_response()?;
        }
        let rest = slot.lines.get(slot.read..).unwrap_or_default();
        let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let length = line.min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        slot.read += length;
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.slot().written.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.slot().flush()
    }
}

impl Slot {
    fn failed(&mut self, error: Error) -> io::Error {
        let told = io::Error::other(error.to_string());
        self.failure = Some(error);
        told
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = std::mem::take(&mut self.written);
        if written.is_empty() {
            return Ok(());
        }
        if !self.logged_in {
            self.logged_in = true;
            let tag = written.split(|&c| c == b' ').next().unwrap_or_default();
            self.lines.extend_from_slice(tag);
            self.lines.extend_from_slice(b" OK\r\n");
            return Ok(());
        }
        let result = match self.connection.as_mut() {
            Some(connection) => {
                self.begun = connection.arrived();
                connection.write(&written)
            }
            None => Err(Error::Skipped("the session has ended")),
        };
        result.map_err(|error| self.failed(error))
    }

    /// Reads a response and, if the crate can bear it, makes it the next lines.
    fn next_response(&mut self) -> io::Result<()> {
        let position = self.connection.as_ref().map_or(0, |connection| connection.position());
        let frame = match self.connection.as_mut() {
            Some(connection) => connection.next_frame(false),
            None => Err(Error::Skipped("the session has ended")),
        };
        let mut frame = frame.map_err(|error| self.failed(error))?;
        frame.extend_from_slice(b"\r\n");
        if let Response::Tagged { tag, status, text } = response(&frame) {
            if position < self.begun {
                return Err(self.failed(Error::protocol("an answer that came before its command", tag)));
            }
            let word = match status {
                Some(Status::Ok) => "OK",
                Some(Status::No) => "NO",
                Some(Status::Bad | Status::Bye | Status::PreAuth) | None => "BAD",
            };
            self.end = status.map(|status| Completion::new(status, &text));
            self.lines.extend_from_slice(tag);
            self.lines.extend_from_slice(format!(" {word} done\r\n").as_bytes());
        } else if is_bearable(&frame) {
            self.lines.extend_from_slice(&frame);
        }
        Ok(())
    }
}

/// Whether the crate may see an untagged response: its parser takes all of it, it is none of those that the crate
/// panics at, and it is not nested so deeply that parsing would overflow the stack.
fn is_bearable(frame: &[u8]) -> bool {
    let Response::Data { .. } = response(frame) else { return false };
    let mut depth = 0usize;
    for &c in frame {
        match c {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING {
            return false;
        }
    }
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        imap_proto::parser::parse_response(frame).is_ok_and(|(rest, _)| rest.is_empty())
    }));
    parsed.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_crate_may_see() {
        assert!(is_bearable(b"* CAPABILITY IMAP4rev1 IDLE\r\n"));
        assert!(is_bearable(b"* LIST () \"/\" INBOX\r\n"));
        for bad in [
            &b"* NO [ALERT] x\r\n"[..],
            b"* BAD x\r\n",
            b"* 1 FETCH (INTERNALDATE NIL)\r\n",
            b"* XFOO bar\r\n",
            b"+ go\r\n",
            b"* CAPABILITY IMAP4rev2\r\n",
        ] {
            assert!(!is_bearable(bad), "{}", String::from_utf8_lossy(bad));
        }
        let deep = [b"* LIST ".as_slice(), &b"(".repeat(5000), b"\r\n"].concat();
        assert!(!is_bearable(&deep));
    }
}
