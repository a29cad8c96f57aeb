//! Secrets: where they come from, and how they log in.

pub mod command;
pub mod environment;
mod secret;

pub use environment::child_environment;
pub use secret::Secret;
