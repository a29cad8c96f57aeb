//! From an e-mail address to a working profile.

pub mod ask;
pub mod autoconfig;
pub mod discover;
pub mod dns;
pub mod draft;
pub mod error;
pub mod interview;
pub mod make;
pub mod network;
pub mod schedule;
pub mod tty;
pub mod write;

pub use error::{Error, ProbeError};
