//! What goes wrong in a synchronisation, as its steps hand it on.

use crate::severity::{Kind, Retry, Scope, Severity};
use crate::{imap, maildir, state, transport};

/// A failure of any part, as the walk hands it on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Speaking with the server.
    #[error(transparent)]
    Imap(#[from] imap::Error),
    /// The Maildir.
    #[error(transparent)]
    Maildir(#[from] maildir::Error),
    /// The state.
    #[error(transparent)]
    State(#[from] state::Error),
    /// A stop was asked for.
    #[error("interrupted")]
    Interrupted,
    /// The server lets nothing be changed in the folder.
    #[error("the server lets nothing be changed in it")]
    ReadOnly,
    /// Something that must not be carried out.
    #[error("{0}")]
    Guard(String),
}

impl Error {
    /// Whether the server was waited for in vain, rather than cut us off.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Imap(imap::Error::Transport(transport::Error::Timeout { .. } | transport::Error::Deadline { .. }))
        )
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Imap(e) => e.scope(),
            Self::Maildir(e) => e.scope(),
            Self::State(e) => e.scope(),
            Self::Interrupted => Scope::Run,
            Self::ReadOnly | Self::Guard(_) => Scope::Folder,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            Self::Imap(e) => e.retry(),
            Self::Maildir(e) => e.retry(),
            Self::State(e) => e.retry(),
            Self::Interrupted | Self::ReadOnly | Self::Guard(_) => Retry::Later,
        }
    }
    fn kind(&self) -> Kind {
        match self {
            Self::Imap(e) => e.kind(),
            Self::Maildir(e) => e.kind(),
            Self::State(e) => e.kind(),
            Self::Interrupted => Kind::Interrupted,
            Self::ReadOnly => Kind::Protocol,
            Self::Guard(_) => Kind::Guard,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Imap(e) => e.hint(),
            Self::Maildir(e) => e.hint(),
            Self::State(e) => e.hint(),
            Self::Interrupted => Some("run it again: it goes on where it stopped".into()),
            Self::ReadOnly => Some("the owner of the folder can give the right".into()),
            Self::Guard(_) => Some("look at what is missing; --allow-mass-delete lets it pass".into()),
        }
    }
}
