//! The one integration test binary: support code with its own tests, then what is tested through the built program.
#![allow(
    dead_code,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod attacks;
mod cli;
mod connection;
mod fetch;
mod harm;
mod import;
mod servers;
mod support;
mod sync;
mod watch;
