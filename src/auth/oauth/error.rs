//! Why there is no access token, in words.

use std::path::PathBuf;

use crate::severity::{Kind, Retry};

/// A failure of OAuth 2.0. Texts are cleaned and hold no token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The profile's `oauth2` table lacks something or is wrong.
    #[error("oauth2: {0}")]
    Setting(&'static str),
    /// The authorization server could not be asked.
    #[error("{host} cannot be asked: {why}")]
    Unreachable {
        /// The server.
        host: String,
        /// The library's words.
        why: String,
    },
    /// It said no (RFC 6749 §5.2).
    #[error("the authorization server refused ({error}){}{description}", if .description.is_empty() { "" } else { ": " })]
    Refused {
        /// The code: `invalid_grant`, …
        error: String,
        /// Its words.
        description: String,
    },
    /// What it answered makes no sense.
    #[error("the authorization server's answer is unusable: {0}")]
    Answer(&'static str),
    /// Nobody has signed in yet.
    #[error("nobody has signed in yet")]
    NotSignedIn,
    /// The provider has no device sign-in.
    #[error("this provider has no device sign-in for mail")]
    NoDevice {
        /// Whether it is Google.
        google: bool,
    },
    /// The person did not sign in in time.
    #[error("nobody signed in in time")]
    Expired,
    /// Tokens could not be read or kept.
    #[error("cannot keep tokens in {path:?}: {why}")]
    Store {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// The local listener for the browser failed.
    #[error("cannot listen for the browser: {0}")]
    Listen(std::io::Error),
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    NoRandom,
    /// A stop was asked for.
    #[error("interrupted")]
    Stopped,
}

impl Error {
    /// Its class.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Setting(_) | Self::NoDevice { .. } => Kind::Config,
            Self::Unreachable { .. } | Self::Listen(_) | Self::NoRandom => Kind::TryLater,
            Self::Refused { error, .. } if error == "temporarily_unavailable" || error == "server_error" => {
                Kind::TryLater
            }
            Self::Refused { .. } | Self::NotSignedIn | Self::Expired => Kind::Auth,
            Self::Answer(_) => Kind::Protocol,
            Self::Store { .. } => Kind::Disk,
            Self::Stopped => Kind::Interrupted,
        }
    }

    /// Whether trying again helps.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } => Retry::Now,
            Self::Listen(_) | Self::NoRandom | Self::Stopped => Retry::Later,
            Self::Refused { .. } if self.kind() == Kind::TryLater => Retry::Later,
            Self::Setting(_)
            | Self::Refused { .. }
            | Self::Answer(_)
            | Self::NotSignedIn
            | Self::NoDevice { .. }
            | Self::Expired
            | Self::Store { .. } => Retry::Never,
        }
    }

    /// What to do about it, for the account of this name.
    #[must_use]
    pub fn advice(&self, account: &str) -> Option<String> {
        match self {
            Self::NotSignedIn | Self::Expired => Some(format!("run: mailferry auth {account}")),
            Self::NoDevice { google: true } => {
                Some("Google has no device sign-in for mail: run mailferry auth without --device".to_owned())
            }
            Self::NoDevice { google: false } => {
                Some("run mailferry auth without --device, or set oauth2.device_url".to_owned())
            }
            Self::Refused { error, description } => Some(refused(error, description, account)),
            Self::Setting(_) => Some("complete the table oauth2 of the profile".to_owned()),
            Self::Unreachable { .. } => Some("check the network connection and oauth2.token_url".to_owned()),
            Self::Answer(_) => Some("check oauth2.token_url".to_owned()),
            Self::Store { .. } | Self::Listen(_) | Self::NoRandom | Self::Stopped => None,
        }
    }
}

fn refused(error: &str, description: &str, account: &str) -> String {
    // The provider's words, which are shown too, count more than these numbers, which it may change.
    if description.contains("AADSTS53003") {
        return "your organisation blocks this sign-in: sign in without --device on a computer that it allows, or ask the administrator".to_owned();
    }
    if description.contains("AADSTS65001") || description.contains("AADSTS90094") || error == "consent_required" {
        return "an administrator must allow this application for your organisation".to_owned();
    }
    match error {
        "invalid_grant" => format!(
            "the sign-in has ended (password changed, 90 days unused, or 7 days for a Google project in testing); run: mailferry auth {account}"
        ),
        "invalid_client" | "unauthorized_client" => {
            "check oauth2.client_id and client_secret with the provider".to_owned()
        }
        "invalid_scope" => "check oauth2.scopes with the provider".to_owned(),
        "access_denied" => format!("the sign-in was declined; run: mailferry auth {account}"),
        _ => format!("if it stays so, run: mailferry auth {account}"),
    }
}
