//! Why a profile was not made.

use std::io;
use std::path::PathBuf;

use crate::config::Complaint;
use crate::severity::{Kind, Retry, Scope, Severity};

/// Why a profile was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A question without an answer, and nobody to ask.
    #[error("{question}: not known, and there is no terminal to ask on")]
    Missing {
        /// The option that answers it.
        flag: &'static str,
        /// What is missing.
        question: String,
        /// Whether `--yes` would take a default.
        has_default: bool,
    },
    /// An answer that cannot be.
    #[error("{flag}: {why}")]
    Invalid {
        /// The option that answers it.
        flag: &'static str,
        /// Why not.
        why: String,
    },
    /// The provider has no server that could be asked.
    #[error("{title} has no server that mailferry could talk to")]
    NoServer {
        /// The provider.
        title: &'static str,
        /// What it says about that.
        advice: &'static str,
    },
    /// The account is in the file already.
    #[error("account `{name}` stands in {} already", path.display())]
    Exists {
        /// The account.
        name: String,
        /// The config file.
        path: PathBuf,
    },
    /// The config file is wrong before or after the change: all complaints.
    #[error("{}", first(.0))]
    Config(Vec<Complaint>),
    /// The server refused, or could not be reached.
    #[error("{}", .0.message)]
    Probe(ProbeError),
    /// The user said no, or ended the input.
    #[error("given up; nothing was written")]
    GivenUp,
    /// A stop was asked for.
    #[error("interrupted; nothing was written")]
    Stopped,
    /// The password could not be put into the keyring.
    #[error("the keyring did not take the password: {0}")]
    Keyring(String),
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why the test of the login failed.
#[derive(Clone, Debug)]
pub struct ProbeError {
    /// Its class.
    pub kind: Kind,
    /// What failed and why.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether the server refused this user and password: another password may help.
    pub refused: bool,
}

fn first(complaints: &[Complaint]) -> String {
    complaints.first().map(ToString::to_string).unwrap_or_default()
}

impl From<Vec<Complaint>> for Error {
    fn from(complaints: Vec<Complaint>) -> Self {
        Self::Config(complaints)
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        Scope::Run
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing { .. } | Self::Invalid { .. } | Self::GivenUp => Kind::Usage,
            Self::NoServer { .. } | Self::Exists { .. } | Self::Config(_) => Kind::Config,
            Self::Probe(probe) => probe.kind,
            Self::Keyring(_) => Kind::Config,
            Self::Stopped => Kind::Interrupted,
            Self::File { .. } => Kind::Disk,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { flag, has_default: true, .. } => {
                Some(format!("give {flag}, or --yes to take every default"))
            }
            Self::Missing { flag, has_default: false, .. } => Some(format!("give {flag}")),
            Self::NoServer { advice, .. } => Some((*advice).to_owned()).filter(|advice| !advice.is_empty()),
            Self::Exists { .. } => Some("give another --name, or change the file by hand".to_owned()),
            Self::Config(all) => all.first()?.hint.as_deref().map(str::to_owned),
            Self::Probe(probe) => probe.hint.clone(),
            Self::Keyring(_) => {
                Some("unlock it in your desktop session, or give --password-file or --password-command".to_owned())
            }
            Self::Invalid { .. } | Self::GivenUp | Self::Stopped | Self::File { .. } => None,
        }
    }
}
