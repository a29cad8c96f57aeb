//! Writes commands: the one place where names, flags, dates and sets become protocol. PURE.
//!
//! A command can hold nothing but what these functions put in, so that no name can end it or begin another.

use super::capability::Capabilities;
use super::error::Error;
use crate::mail::{Flags, Timestamp, UidSet};

/// A mailbox's name as the server spells it: its own bytes, for commands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(Vec<u8>);

impl MailboxName {
    /// From the server's bytes. INBOX is spelt so in any case (RFC 9051 §5.1).
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(if bytes.eq_ignore_ascii_case(b"INBOX") { b"INBOX".to_vec() } else { bytes.to_vec() })
    }

    /// The server's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name if it is printable ASCII, which every way of quoting can hold.
    #[must_use]
    pub fn as_ascii(&self) -> Option<&str> {
        self.0.iter().all(|c| (b' '..=b'~').contains(c)).then(|| std::str::from_utf8(&self.0).ok())?
    }
}

/// How literals may be sent without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literals {
    /// LITERAL+: any length.
    Plus,
    /// LITERAL-: up to 4096 bytes (RFC 7888 §5).
    Minus,
    /// Only after the server's `+`.
    Synchronising,
}

impl Literals {
    /// What the server offers.
    #[must_use]
    pub fn of(capabilities: &Capabilities) -> Self {
        if capabilities.literal_plus {
            Self::Plus
        } else if capabilities.literal_minus {
            Self::Minus
        } else {
            Self::Synchronising
        }
    }

    /// Whether a literal of `size` bytes may go without waiting.
    #[must_use]
    pub fn at_once(self, size: u64) -> bool {
        match self {
            Self::Plus => true,
            Self::Minus => size <= 4096,
            Self::Synchronising => false,
        }
    }
}

/// A command without tag and line end.
#[derive(Clone, Debug, Default)]
pub struct Command {
    bytes: Vec<u8>,
}

impl Command {
    /// Begins with fixed words, such as `UID FETCH`.
    #[must_use]
    pub fn new(words: &'static str) -> Self {
        Self { bytes: words.as_bytes().to_vec() }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its bytes, to be wiped by whoever takes them.
    #[must_use]
    pub fn into_secret(self) -> Vec<u8> {
        self.bytes
    }

    /// A blank and fixed words.
    #[must_use]
    pub fn word(mut self, words: &'static str) -> Self {
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(words.as_bytes());
        self
    }

    /// A blank and a number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(number.to_string().as_bytes());
        self
    }

    /// A number without a blank before it.
    #[must_use]
    pub fn glue_number(mut self, number: u64) -> Self {
        self.bytes.extend_from_slice(number.to_string().as_bytes());
        self
    }

    /// A blank and a list of fixed words in parentheses.
    #[must_use]
    pub fn words(mut self, words: &[&'static str]) -> Self {
        self.bytes.extend_from_slice(b" (");
        self.bytes.extend_from_slice(words.join(" ").as_bytes());
        self.bytes.push(b')');
        self
    }

    /// A blank and a set of UIDs.
    #[must_use]
    pub fn set(mut self, set: &UidSet) -> Self {
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(set.to_string().as_bytes());
        self
    }

    /// Fixed words without a blank before them, as in `(` and `)`.
    #[must_use]
    pub fn glue(mut self, words: &'static str) -> Self {
        self.bytes.extend_from_slice(words.as_bytes());
        self
    }

    /// A blank and a list of flags; each is an atom by its type.
    #[must_use]
    pub fn flags(mut self, flags: &Flags) -> Self {
        self.bytes.extend_from_slice(b" (");
        self.bytes.extend_from_slice(flags.to_string().as_bytes());
        self.bytes.push(b')');
        self
    }

    /// A blank and a quoted date-time.
    #[must_use]
    pub fn date(mut self, date: Timestamp) -> Self {
        self.bytes.extend_from_slice(b" \"");
        self.bytes.extend_from_slice(date.to_imap().as_bytes());
        self.bytes.push(b'"');
        self
    }

    /// A blank and a mailbox name.
    ///
    /// # Errors
    /// As [`Command::string`].
    pub fn mailbox(self, name: &MailboxName, literals: Literals) -> Result<Self, Error> {
        self.string(name.as_bytes(), literals)
    }

    /// A blank and any string: quoted if it has no line end; 8-bit bytes and line ends as a literal if one may be sent
    /// without waiting, since a wait would break pipelining.
    ///
    /// # Errors
    /// For NUL, which no string may hold, and for line ends where the server takes no such literal.
    pub fn string(mut self, text: &[u8], literals: Literals) -> Result<Self, Error> {
        let eight_bit = !text.is_ascii();
        let line_end = text.iter().any(|c| matches!(c, b'\r' | b'\n'));
        if text.contains(&0) {
            return Err(Error::Unsupported("names with a NUL byte"));
        }
        self.bytes.push(b' ');
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if (eight_bit || line_end) && literals.at_once(size) {
            self.bytes.extend_from_slice(format!("{{{size}+}}\r\n").as_bytes());
            self.bytes.extend_from_slice(text);
        } else if line_end {
            return Err(Error::Unsupported("names with line ends"));
        } else {
            self.bytes.push(b'"');
            for &c in text {
                if matches!(c, b'"' | b'\\') {
                    self.bytes.push(b'\\');
                }
                self.bytes.push(c);
            }
            self.bytes.push(b'"');
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::parse::Values;
    use proptest::prelude::*;

    fn text(command: &Command) -> String {
        String::from_utf8_lossy(command.as_bytes()).into_owned()
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        let evil = MailboxName::new(b"evil\"\r\na9 DELETE \"Archive");
        assert!(Command::new("SELECT").mailbox(&evil, Literals::Synchronising).is_err());
        let sent = Command::new("SELECT").mailbox(&evil, Literals::Plus).expect("a literal");
        assert_eq!(text(&sent), "SELECT {25+}\r\nevil\"\r\na9 DELETE \"Archive");
        assert!(Command::new("SELECT").mailbox(&MailboxName::new(b"a\0b"), Literals::Plus).is_err());
    }

    #[test]
    fn names_are_quoted_and_inbox_has_one_spelling() {
        let quoted = |name: &[u8]| {
            text(&Command::new("X").mailbox(&MailboxName::new(name), Literals::Synchronising).expect("quoted"))
        };
        assert_eq!(quoted(b"We \"quote\" back\\slash"), "X \"We \\\"quote\\\" back\\\\slash\"");
        assert_eq!(quoted(b"inbox"), "X \"INBOX\"");
        assert_eq!(MailboxName::new("Entwürfe".as_bytes()).as_ascii(), None);
    }

    #[test]
    fn flags_and_dates() {
        let flags: Flags = ["\\Seen", "$Forwarded", "work"].into_iter().collect();
        assert_eq!(
            text(&Command::new("A").flags(&flags).date(Timestamp(0))),
            "A ($Forwarded \\Seen work) \" 1-Jan-1970 00:00:00 +0000\""
        );
        assert_eq!(text(&Command::new("A").flags(&Flags::none())), "A ()");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(name in proptest::collection::vec(1u8.., 0..40)) {
            for literals in [Literals::Plus, Literals::Minus, Literals::Synchronising] {
                if let Ok(command) = Command::new("X").string(&name, literals) {
                    let mut values = Values::new(&command.as_bytes()[1..]);
                    let read = values.next().and_then(|v| v.bytes().map(|b| b.into_owned()));
                    prop_assert_eq!(read.as_deref(), Some(name.as_slice()));
                    prop_assert_eq!(values.rest(), b"");
                }
            }
        }
    }
}
