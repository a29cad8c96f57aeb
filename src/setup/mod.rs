//! From an e-mail address to a working profile.

pub mod schedule;
