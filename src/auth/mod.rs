//! Secrets: where they come from, and how they log in.

pub mod command;
pub mod environment;
mod secret;

pub use environment::child_environment;
pub use secret::Secret;

/// Shim until the real one is merged.
#[allow(missing_docs)]
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub secret: Option<Secret>,
    pub oauth: bool,
}
