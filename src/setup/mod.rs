//! From an e-mail address to a working profile.

pub mod autoconfig;
pub mod discover;
pub mod dns;
pub mod error;
pub mod network;
pub mod schedule;

pub use error::{Error, ProbeError};
