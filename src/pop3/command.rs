//! POP3 commands as bytes. PURE. No argument can smuggle in a second command, and none is longer than a server must take.

use std::fmt;

use super::error::Error;

/// The longest command line that a server must take, CR LF included (RFC 2449 §4).
pub const MAX_COMMAND: usize = 255;

/// A command without secrets; those of the login are made by [`line()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// What the server can do (RFC 2449 §5).
    Capa,
    /// TLS from here on (RFC 2595 §4).
    Stls,
    /// Headers in UTF-8 (RFC 6856 §2).
    Utf8,
    /// How many messages and octets.
    Stat,
    /// The size of every message.
    List,
    /// The unique id of every message.
    Uidl,
    /// The size of one message, in a single line that repeats its number.
    ListOf(u32),
    /// The unique id of one message, likewise.
    UidlOf(u32),
    /// The header and so many lines of the body.
    Top(u32, u32),
    /// A whole message.
    Retr(u32),
    /// Marks a message for deletion at QUIT.
    Dele(u32),
    /// Nothing.
    Noop,
    /// Takes the marks of DELE back.
    Rset,
    /// Ends the session; in TRANSACTION state deletes what is marked.
    Quit,
}

impl Command {
    /// The command's word, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Capa => "CAPA",
            Self::Stls => "STLS",
            Self::Utf8 => "UTF8",
            Self::Stat => "STAT",
            Self::List | Self::ListOf(_) => "LIST",
            Self::Uidl | Self::UidlOf(_) => "UIDL",
            Self::Top(..) => "TOP",
            Self::Retr(_) => "RETR",
            Self::Dele(_) => "DELE",
            Self::Noop => "NOOP",
            Self::Rset => "RSET",
            Self::Quit => "QUIT",
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Top(number, lines) => write!(f, " {number} {lines}"),
            Self::Retr(number) | Self::Dele(number) | Self::ListOf(number) | Self::UidlOf(number) => {
                write!(f, " {number}")
            }
            Self::Capa
            | Self::Stls
            | Self::Utf8
            | Self::Stat
            | Self::List
            | Self::Uidl
            | Self::Noop
            | Self::Rset
            | Self::Quit => Ok(()),
        }
    }
}

/// A line `WORD argument CR LF` of the login.
///
/// # Errors
/// [`Error::Unsendable`] when the argument holds CR, LF or NUL, or the line is longer than [`MAX_COMMAND`].
pub fn line(word: &'static str, argument: &[u8]) -> Result<Vec<u8>, Error> {
    if argument.iter().any(|c| matches!(c, b'\r' | b'\n' | 0)) {
        return Err(Error::Unsendable { command: word, why: "it holds a control character" });
    }
    let mut out = Vec::with_capacity(word.len() + argument.len() + 3);
    out.extend_from_slice(word.as_bytes());
    out.push(b' ');
    out.extend_from_slice(argument);
    out.extend_from_slice(b"\r\n");
    if out.len() > MAX_COMMAND {
        return Err(Error::Unsendable { command: word, why: "it is longer than POP3 allows (255 bytes)" });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_their_arguments() {
        assert_eq!(Command::Top(3, 0).to_string(), "TOP 3 0");
        assert_eq!(Command::Retr(4_294_967_295).to_string(), "RETR 4294967295");
        assert_eq!(
            (Command::UidlOf(7).to_string(), Command::ListOf(8).to_string()),
            ("UIDL 7".into(), "LIST 8".into())
        );
        assert_eq!(Command::Quit.to_string(), "QUIT");
    }

    #[test]
    fn nothing_can_be_injected() {
        for bad in [b"a\r\nDELE 1".as_slice(), b"a\nb", b"a\rb", b"a\0b"] {
            assert!(matches!(line("USER", bad), Err(Error::Unsendable { .. })));
        }
        assert_eq!(line("PASS", b"two words ").unwrap(), b"PASS two words \r\n");
    }

    #[test]
    fn lines_stay_short() {
        assert_eq!(line("USER", &[b'x'; 248]).unwrap().len(), 255);
        assert!(line("USER", &[b'x'; 249]).is_err());
    }
}
