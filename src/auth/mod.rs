//! Secrets: where they come from, and how they log in.

pub mod command;
pub mod environment;
mod error;
pub mod keyring;
pub mod oauth;
pub mod prompt;
pub mod sasl;
mod secret;
pub mod source;
pub mod tokens;

pub use environment::child_environment;
pub use error::Error;
pub use secret::Secret;

/// What an account logs in with: resolved once per account and run, shared by its connections.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password, or access token if `oauth`; `None` where none is needed (a client certificate, a tunnel).
    pub secret: Option<Secret>,
    /// Whether the secret is an OAuth 2.0 access token.
    pub oauth: bool,
}
