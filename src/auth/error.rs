//! Why there is no secret to log in with.

use super::oauth;
use crate::severity::{Kind, Retry, Scope, Severity};

/// A failure to get a secret. Texts are cleaned and hold no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The profile names no source, and there is nobody to ask.
    #[error("no password: the profile names none, and there is no terminal to ask on")]
    Missing {
        /// The account's name.
        account: String,
    },
    /// A source gave nothing.
    #[error("no password: {key} {why}")]
    Source {
        /// The account's name.
        account: String,
        /// The source's key.
        key: &'static str,
        /// Why not.
        why: String,
    },
    /// What a source gave cannot be a password.
    #[error("the password of {account} from {key} {why}")]
    Unusable {
        /// The account's name.
        account: String,
        /// The source's key.
        key: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No access token.
    #[error("no access token for {account}: {why}")]
    Token {
        /// The account's name.
        account: String,
        /// Why not.
        why: oauth::Error,
    },
    /// `token_command` failed.
    #[error("no access token for {account}: token_command {why}")]
    TokenCommand {
        /// The account's name.
        account: String,
        /// Why.
        why: String,
    },
    /// A stop was asked for.
    #[error("interrupted")]
    Stopped,
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Stopped => Scope::Run,
            Self::Missing { .. }
            | Self::Source { .. }
            | Self::Unusable { .. }
            | Self::Token { .. }
            | Self::TokenCommand { .. } => Scope::Account,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Stopped => Retry::Later,
            Self::Token { why, .. } => why.retry(),
            Self::Missing { .. } | Self::Source { .. } | Self::Unusable { .. } | Self::TokenCommand { .. } => {
                Retry::Never
            }
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Stopped => Kind::Interrupted,
            Self::Missing { .. } | Self::Source { .. } | Self::Unusable { .. } => Kind::Config,
            Self::Token { why, .. } => why.kind(),
            Self::TokenCommand { .. } => Kind::Auth,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "set password_command (or password_file, password_env, password_keyring), or give systemd a credential mailferry.ACCOUNT"
                    .to_owned(),
            ),
            Self::Source { key: "password_keyring", why, .. } if why.contains("no such entry") => Some(
                "store it: secret-tool store --label=mail service SERVICE username USER, with the profile's password_keyring and user"
                    .to_owned(),
            ),
            Self::Source { key: "password_keyring", .. } => Some(
                "a keyring needs a desktop session; under cron use password_command or a systemd credential".to_owned(),
            ),
            Self::Source { key: "password_command", .. } => Some(
                "run the command in a shell: it must end with 0 and print the password as its first line; cron has few variables and no session".to_owned(),
            ),
            Self::Source { key: "password_env", .. } => {
                Some("set the variable where mailferry is started; cron and systemd do not read your shell's files".to_owned())
            }
            Self::Source { key: "password_file" | "the credential of systemd", .. } => {
                Some("write the password into the file's first line, and let no one else read it (chmod 600)".to_owned())
            }
            Self::Source { .. } => Some("use password_command or password_file".to_owned()),
            Self::Unusable { .. } => Some("a password is one line without control characters at its end".to_owned()),
            Self::Token { account, why } => why.advice(account),
            Self::TokenCommand { .. } => Some("run token_command by hand; it must print an access token".to_owned()),
            Self::Stopped => None,
        }
    }
}
