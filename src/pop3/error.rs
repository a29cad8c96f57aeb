//! What can go wrong in a POP3 session, and how bad each is.

use std::fmt;
use std::io;

use super::parse::Status;
use crate::auth::sasl;
use crate::mail::text::clean_bytes;
use crate::severity::{Kind, Retry, Scope, Severity};
use crate::transport;

/// A response code (RFC 2449 §8, RFC 3206). Levels that are not known are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// `[IN-USE]`: the login was right, the maildrop is locked.
    InUse,
    /// `[LOGIN-DELAY]`: too soon after the last login.
    LoginDelay,
    /// `[SYS/TEMP]`: the server is in trouble for a while.
    SysTemp,
    /// `[SYS/PERM]`: the server is in trouble until a person helps.
    SysPerm,
    /// `[AUTH]`: the credentials are wrong.
    Auth,
    /// Another one: its first level.
    Other(String),
}

impl Code {
    /// The code that `levels` spell, in any case.
    pub(super) fn from_levels(levels: &[&[u8]]) -> Self {
        let level =
            |n: usize| levels.get(n).map(|l| String::from_utf8_lossy(l).to_ascii_uppercase()).unwrap_or_default();
        match (level(0).as_str(), level(1).as_str()) {
            ("IN-USE", _) => Self::InUse,
            ("LOGIN-DELAY", _) => Self::LoginDelay,
            ("SYS", "TEMP") => Self::SysTemp,
            ("SYS", "PERM") => Self::SysPerm,
            ("AUTH", _) => Self::Auth,
            (other, _) => Self::Other(other.to_owned()),
        }
    }
}

/// A `-ERR`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its response code.
    pub code: Option<Code>,
    /// The server's words, cleaned.
    pub text: String,
}

impl Refusal {
    pub(super) fn of(status: &Status) -> Self {
        Self { code: status.code.clone(), text: clean_bytes(&status.text) }
    }

    /// The class of this refusal; `plain` where it has no code that says.
    #[must_use]
    pub fn kind(&self, plain: Kind) -> Kind {
        match self.code {
            Some(Code::InUse | Code::LoginDelay | Code::SysTemp) => Kind::TryLater,
            Some(Code::SysPerm) => Kind::Protocol,
            Some(Code::Auth) => Kind::Auth,
            Some(Code::Other(_)) | None => plain,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match &self.code {
            Some(Code::InUse) => "[IN-USE] ",
            Some(Code::LoginDelay) => "[LOGIN-DELAY] ",
            Some(Code::SysTemp) => "[SYS/TEMP] ",
            Some(Code::SysPerm) => "[SYS/PERM] ",
            Some(Code::Auth) => "[AUTH] ",
            Some(Code::Other(_)) | None => "",
        };
        write!(f, "\"{code}{}\"", self.text)
    }
}

/// A POP3 session's failure. But for `Refused` the session is over: the connection was dropped without QUIT.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection failed.
    #[error(transparent)]
    Transport(#[from] transport::Error),
    /// The greeting was `-ERR`.
    #[error("the server takes no logins now: {0}")]
    Greeting(Refusal),
    /// The login was refused.
    #[error("the server refused the login: {0}")]
    Login(Refusal),
    /// APOP was refused: for the password, or because the greeting promises what the server cannot do.
    #[error("the server refused the login: {0}")]
    Apop(Refusal),
    /// What the profile wants and what the server offers have nothing in common.
    #[error(transparent)]
    Mechanism(#[from] sasl::Refusal),
    /// The exchange of a login went wrong: a challenge that is none, a server that did not prove itself.
    #[error(transparent)]
    Exchange(#[from] sasl::SaslError),
    /// `tls = "starttls"`, and the server refused STLS.
    #[error("the server refused STLS: {0}")]
    NoTls(Refusal),
    /// A command was refused.
    #[error("the server refused {command}: {refusal}")]
    Refused {
        /// The command's word.
        command: &'static str,
        /// The refusal.
        refusal: Refusal,
    },
    /// What came is no POP3.
    #[error("the server broke the protocol in answer to {command}: \"{text}\"")]
    Protocol {
        /// The command's word, or `the connection`.
        command: &'static str,
        /// What came, cleaned, at most 200 characters.
        text: String,
    },
    /// An answer without end, or far beyond what was announced.
    #[error("the server's answer to {command} is longer than {limit} bytes")]
    Limit {
        /// The command's word.
        command: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// What the profile gave cannot be sent in a POP3 command.
    #[error("the argument of {command} cannot be sent: {why}")]
    Unsendable {
        /// The command's word.
        command: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// What took the data failed; its own error says more.
    #[error("storing failed: {0}")]
    Sink(io::Error),
}

impl Error {
    pub(super) fn protocol(command: &'static str, line: &[u8]) -> Self {
        Self::Protocol { command, text: clean_bytes(line) }
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Transport(error) => error.scope(),
            Self::Refused { .. } => Scope::Message,
            Self::Greeting(_)
            | Self::Login(_)
            | Self::Apop(_)
            | Self::Mechanism(_)
            | Self::Exchange(_)
            | Self::NoTls(_)
            | Self::Protocol { .. }
            | Self::Limit { .. }
            | Self::Unsendable { .. }
            | Self::Sink(_) => Scope::Account,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Transport(error) => error.retry(),
            Self::Greeting(_) => Retry::Later,
            Self::Login(refusal) | Self::Apop(refusal) | Self::NoTls(refusal) | Self::Refused { refusal, .. } => {
                match refusal.kind(Kind::Protocol) {
                    Kind::TryLater => Retry::Later,
                    Kind::Usage
                    | Kind::Guard
                    | Kind::Protocol
                    | Kind::Disk
                    | Kind::Auth
                    | Kind::Config
                    | Kind::Interrupted => Retry::Never,
                }
            }
            Self::Mechanism(refusal) => refusal.retry(),
            Self::Exchange(error) => error.retry(),
            Self::Protocol { .. } | Self::Limit { .. } | Self::Unsendable { .. } => Retry::Never,
            Self::Sink(_) => Retry::Later,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Transport(error) => error.kind(),
            Self::Greeting(refusal) => refusal.kind(Kind::TryLater),
            Self::Login(refusal) | Self::Apop(refusal) => refusal.kind(Kind::Auth),
            Self::Mechanism(refusal) => refusal.kind(),
            Self::Exchange(error) => error.kind(),
            Self::NoTls(refusal) | Self::Refused { refusal, .. } => refusal.kind(Kind::Protocol),
            Self::Protocol { .. } | Self::Limit { .. } => Kind::Protocol,
            Self::Unsendable { .. } => Kind::Config,
            Self::Sink(_) => Kind::Disk,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Transport(error) => error.hint(),
            Self::Greeting(refusal) | Self::Login(refusal) | Self::Apop(refusal) => match refusal.code {
                Some(Code::InUse) => Some("another program reads this mailbox now; the next run tries again".into()),
                Some(Code::LoginDelay) => Some("the server wants more time between two logins: run less often".into()),
                Some(Code::SysTemp) => Some("the server is in trouble; the next run tries again".into()),
                Some(Code::SysPerm) => Some("the server's operator has to repair this mailbox".into()),
                Some(Code::Other(_)) | None if matches!(self, Self::Apop(_)) => Some(
                    "check user and password; a server that keeps only hashes of passwords cannot do APOP, whatever its \
                     greeting says: then set auth = \"plain\", and tls if it has that"
                        .into(),
                ),
                Some(Code::Auth | Code::Other(_)) | None => None,
            },
            Self::NoTls(_) => Some("set tls = \"implicit\" (port 995) if the server has that".into()),
            Self::Unsendable { .. } => Some("check user and password; auth = \"plain\" takes longer ones".into()),
            Self::Mechanism(refusal) => refusal.hint(),
            Self::Exchange(error) => error.hint(),
            Self::Protocol { command: "the connection", text } if text.starts_with("* ") => {
                Some("it speaks IMAP: set protocol = \"imap\", or the port of POP3 (995, or 110 with starttls)".into())
            }
            Self::Protocol { command: "the connection", .. } => {
                Some("is that a POP3 server? Check host, port, tls and protocol".into())
            }
            Self::Refused { .. } | Self::Protocol { .. } | Self::Limit { .. } | Self::Sink(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::status;
    use super::*;

    fn login(line: &str) -> Error {
        Error::Login(Refusal::of(&status(line.as_bytes()).unwrap()))
    }

    #[test]
    fn codes_decide_the_exit() {
        for (line, exit, retry) in [
            ("-ERR [IN-USE] locked", 75, Retry::Later),
            ("-ERR [LOGIN-DELAY] soon", 75, Retry::Later),
            ("-ERR [SYS/TEMP] x", 75, Retry::Later),
            ("-ERR [SYS/PERM] x", 69, Retry::Never),
            ("-ERR [AUTH] x", 77, Retry::Never),
            ("-ERR no", 77, Retry::Never),
        ] {
            assert_eq!((login(line).kind().exit(), login(line).retry()), (exit, retry), "{line}");
        }
        let greeting = Error::Greeting(Refusal::of(&status(b"-ERR busy").unwrap()));
        assert_eq!(greeting.kind(), Kind::TryLater);
    }

    #[test]
    fn the_servers_words_are_cleaned_and_cut() {
        let error = Error::protocol("RETR", &[b"\x1b[2J".as_slice(), &[b'x'; 5000]].concat());
        let text = error.to_string();
        assert!(text.contains("\u{fffd}[2Jxxx") && text.chars().count() < 300, "{text}");
        assert_eq!(error.kind(), Kind::Protocol);
    }
}
