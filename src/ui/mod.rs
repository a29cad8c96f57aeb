//! The only writer to stdout and stderr.

pub mod event;
