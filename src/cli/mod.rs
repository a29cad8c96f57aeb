//! The command line: arguments in, exit status out.

pub mod args;
pub mod docs;
pub mod exit;
pub mod overrides;
pub mod parse;
pub mod setup;
