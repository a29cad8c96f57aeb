//! How far a failure reaches, whether trying again helps, and what it is to a script: answered by every error.

/// What a failure takes down with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One message; the folder goes on.
    Message,
    /// One folder; the account goes on.
    Folder,
    /// One account; the run goes on.
    Account,
    /// Everything.
    Run,
}

/// Whether the same thing may work when tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// In this run, after a pause.
    Now,
    /// In a later run.
    Later,
    /// Not before somebody changes something.
    Never,
}

/// The class of a failure: each is one exit status (SPEC §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 2: wrong usage.
    Usage,
    /// 65: a guard stopped something; nothing was lost.
    Guard,
    /// 69: the server refuses or breaks the protocol.
    Protocol,
    /// 74: local disk.
    Disk,
    /// 75: try again later.
    TryLater,
    /// 77: login or certificate refused.
    Auth,
    /// 78: configuration.
    Config,
    /// 130: interrupted.
    Interrupted,
}

impl Kind {
    /// The exit status.
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Guard => 65,
            Self::Protocol => 69,
            Self::Disk => 74,
            Self::TryLater => 75,
            Self::Auth => 77,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }

    /// The word in JSON (`kind`).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Guard => "guard",
            Self::Protocol => "protocol",
            Self::Disk => "disk",
            Self::TryLater => "try_later",
            Self::Auth => "auth",
            Self::Config => "config",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What each module's error answers by a total match.
pub trait Severity: std::error::Error {
    /// What it takes down with it.
    fn scope(&self) -> Scope;
    /// Whether to try again.
    fn retry(&self) -> Retry;
    /// Its class.
    fn kind(&self) -> Kind;
    /// What the user should do, as one sentence; `None` where the class's general advice is best.
    fn hint(&self) -> Option<String> {
        None
    }
}
