//! What goes wrong while speaking IMAP, and what that means.

use std::io;

use super::code::Code;
use crate::auth::sasl::{Refusal, SaslError};
use crate::mail::text::clean_bytes;
use crate::severity::{Kind, Retry, Scope, Severity};
use crate::transport;

/// A failure of a session or of one command. All but [`Error::Refused`], [`Error::Unsupported`],
/// [`Error::Nul`] and [`Error::Skipped`] leave the session unusable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection failed.
    #[error(transparent)]
    Transport(#[from] transport::Error),
    /// The server broke the protocol.
    #[error("the server breaks the protocol: {0}")]
    Protocol(String),
    /// What answered does not speak IMAP; what it said first, cleaned.
    #[error("that is no IMAP server, it says {0:?}")]
    NotImap(String),
    /// What the server sent is larger than any honest answer.
    #[error("the server sent more than is allowed: {0}")]
    Limit(&'static str),
    /// The server answered a command with NO or BAD.
    #[error("{command}: the server says: {text}")]
    Refused {
        /// The command, in capitals.
        command: &'static str,
        /// The response code, if it gave one.
        code: Option<Code>,
        /// The server's words, cleaned, at most 200 characters.
        text: String,
        /// BAD rather than NO.
        bad: bool,
    },
    /// The server ended the session.
    #[error("the server ended the session: {text}")]
    Bye {
        /// The response code, if it gave one.
        code: Option<Code>,
        /// The server's words, cleaned.
        text: String,
    },
    /// The login was refused for now or for good; the code tells which.
    #[error("login refused: {text}")]
    Login {
        /// The response code, if it gave one.
        code: Option<Code>,
        /// The server's words, cleaned.
        text: String,
    },
    /// No way to log in that both sides know.
    #[error("cannot log in: {0}")]
    Mechanism(#[from] Refusal),
    /// The login went wrong on our side, or the server failed to prove itself.
    #[error("cannot log in: {0}")]
    Sasl(#[from] SaslError),
    /// The server does not offer STARTTLS, which the profile asks for.
    #[error("the server offers no STARTTLS")]
    NoStartTls,
    /// The server lacks an extension without which the command must not be sent.
    #[error("the server does not offer {0}")]
    Unsupported(&'static str),
    /// A message with a NUL byte, and a server without BINARY (RFC 3516): in a common literal it would be refused, or altered.
    #[error("it has NUL bytes, which this server cannot be sent (it offers no BINARY)")]
    Nul,
    /// The command depended on another that failed, or on a session that has ended.
    #[error("{0}")]
    Skipped(&'static str),
    /// The command was sent and the session ended before its answer: whether it was carried out is unknown.
    #[error("sent, and the session ended before the answer")]
    Unanswered,
    /// Whatever takes the messages failed; the connection was given up in the middle of one.
    #[error("cannot store a message: {0}")]
    Sink(#[source] io::Error),
    /// Whatever gives a message for upload failed; the connection was given up in the middle of it.
    #[error("cannot read a message to upload: {0}")]
    Source(#[source] io::Error),
}

impl Error {
    /// A violation of the protocol, with a piece of what the server sent.
    pub(super) fn protocol(what: &str, sent: &[u8]) -> Self {
        Self::Protocol(format!("{what}: {:?}", clean_bytes(sent.get(..200).unwrap_or(sent))))
    }

    /// The response code of the server's refusal.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::Refused { code, .. } | Self::Bye { code, .. } | Self::Login { code, .. } => code.as_ref(),
            Self::Transport(_)
            | Self::Protocol(_)
            | Self::NotImap(_)
            | Self::Limit(_)
            | Self::Mechanism(_)
            | Self::Sasl(_)
            | Self::NoStartTls
            | Self::Unsupported(_)
            | Self::Nul
            | Self::Skipped(_)
            | Self::Unanswered
            | Self::Sink(_)
            | Self::Source(_) => None,
        }
    }

    /// Whether the session is unusable after it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Unsupported(_) | Self::Nul | Self::Skipped(_))
    }

    /// The same refusal for another message of the same command; anything that ended the session becomes `Skipped`.
    pub(super) fn repeat(&self) -> Self {
        match self {
            Self::Refused { command, code, text, bad } => {
                Self::Refused { command, code: code.clone(), text: text.clone(), bad: *bad }
            }
            Self::Unsupported(what) => Self::Unsupported(what),
            Self::Nul => Self::Nul,
            Self::Transport(_)
            | Self::Protocol(_)
            | Self::NotImap(_)
            | Self::Limit(_)
            | Self::Bye { .. }
            | Self::Login { .. }
            | Self::Mechanism(_)
            | Self::Sasl(_)
            | Self::NoStartTls
            | Self::Skipped(_)
            | Self::Unanswered
            | Self::Sink(_)
            | Self::Source(_) => Self::Skipped("not sent: the session has ended"),
        }
    }

    /// Whether the server's words ask to come back later, in codes or in the sentences of servers that have none.
    fn says_later(&self) -> bool {
        let (Self::Refused { text, .. } | Self::Bye { text, .. } | Self::Login { text, .. }) = self else {
            return false;
        };
        self.code().is_some_and(Code::is_temporary) || super::quirks::says_later(text)
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Transport(error) => error.scope(),
            Self::Protocol(_)
            | Self::NotImap(_)
            | Self::Limit(_)
            | Self::Bye { .. }
            | Self::Login { .. }
            | Self::Mechanism(_)
            | Self::Sasl(_)
            | Self::NoStartTls
            | Self::Unanswered
            | Self::Sink(_) => Scope::Account,
            Self::Refused { .. } | Self::Unsupported(_) | Self::Skipped(_) => Scope::Folder,
            Self::Source(_) | Self::Nul => Scope::Message,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Transport(error) => error.retry(),
            Self::Mechanism(error) => error.retry(),
            Self::Sasl(error) => error.retry(),
            Self::Protocol(_)
            | Self::NotImap(_)
            | Self::Limit(_)
            | Self::NoStartTls
            | Self::Unsupported(_)
            | Self::Nul => Retry::Never,
            Self::Bye { .. } if !self.says_later() => Retry::Now,
            Self::Bye { .. } | Self::Skipped(_) | Self::Unanswered | Self::Sink(_) | Self::Source(_) => Retry::Later,
            Self::Refused { .. } | Self::Login { .. } => {
                if self.says_later() {
                    Retry::Later
                } else {
                    Retry::Never
                }
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Transport(error) => error.kind(),
            Self::Bye { .. } | Self::Skipped(_) | Self::Unanswered => Kind::TryLater,
            Self::Protocol(_)
            | Self::NotImap(_)
            | Self::Limit(_)
            | Self::NoStartTls
            | Self::Unsupported(_)
            | Self::Nul => Kind::Protocol,
            Self::Refused { .. } if self.says_later() => Kind::TryLater,
            Self::Refused { .. } => Kind::Protocol,
            Self::Login { .. } if self.says_later() => Kind::TryLater,
            Self::Login { .. } => Kind::Auth,
            Self::Mechanism(error) => error.kind(),
            Self::Sasl(error) => error.kind(),
            Self::Sink(_) | Self::Source(_) => Kind::Disk,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Transport(error) => error.hint(),
            Self::Login { text, .. } => super::quirks::login_hint(text).map(str::to_owned),
            Self::NotImap(said) if said.starts_with("+OK") || said.starts_with("-ERR") => {
                Some("it speaks POP3: set protocol = \"pop3\", or the port of IMAP (993, or 143 with starttls)".to_owned())
            }
            Self::NotImap(_) => Some("check host, port and protocol".to_owned()),
            Self::NoStartTls => Some(
                "use tls = \"implicit\" (port 993); a server that used to offer STARTTLS may be hidden by somebody in between"
                    .to_owned(),
            ),
            Self::Refused { text, .. } | Self::Bye { text, .. } => {
                super::quirks::refusal_hint(text).map(str::to_owned)
            }
            Self::Protocol(_)
            | Self::Limit(_)
            | Self::Mechanism(_)
            | Self::Sasl(_)
            | Self::Unsupported(_)
            | Self::Skipped(_)
            | Self::Unanswered
            | Self::Sink(_)
            | Self::Source(_) => None,
            Self::Nul => Some(
                "the file stays here as it is; take the NUL bytes out of it, or move it out of the Maildir, if it need not be there"
                    .to_owned(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(code: Option<Code>, text: &str) -> Error {
        Error::Login { code, text: text.to_owned() }
    }

    #[test]
    fn coded_refusals_of_a_login_are_for_later_and_plain_ones_for_the_user() {
        for code in [Code::Unavailable, Code::Limit, Code::InUse] {
            let error = login(Some(code), "x");
            assert_eq!((error.kind(), error.retry()), (Kind::TryLater, Retry::Later));
        }
        for code in [None, Some(Code::AuthenticationFailed), Some(Code::AuthorizationFailed), Some(Code::Expired)] {
            let error = login(code, "no");
            assert_eq!((error.kind(), error.retry()), (Kind::Auth, Retry::Never));
        }
    }

    #[test]
    fn a_plain_bye_is_tried_again_and_a_coded_one_is_not() {
        let bye = |code| Error::Bye { code, text: String::new() };
        assert_eq!((bye(None).kind(), bye(None).retry()), (Kind::TryLater, Retry::Now));
        assert_eq!(bye(Some(Code::Unavailable)).retry(), Retry::Later);
    }
}
