//! `fetch`: one way, server to Maildir, with keep or delete.
//!
//! The walk: listing -> plan(listing, memory, rules) -> retrieve, pipelined -> deliver -> rows -> delete only what is durable and
//! due -> QUIT; only its `+OK` makes a deletion real. If anything that was retrieved is not safely stored, the connection is
//! dropped without QUIT.

mod bodies;
mod books;
mod desk;
mod dry;
mod held;
mod imap;
mod job;
mod look;
mod name;
pub mod plan;
mod pop3;
mod receive;
#[cfg(test)]
mod tests;
pub mod verify;

pub use job::{Error, Job, Options, Report};

use crate::account::Protocol;
use crate::maildir::{FileSystem, Layout};
use crate::state::State;
use job::Engine;

/// Fetches one account into the Maildir `layout`, whose lock the caller holds. Never fails: what went wrong was told, and
/// stands in the report.
#[must_use]
pub fn run(job: Job<'_>, layout: &Layout, file_system: &FileSystem, state: &mut State) -> Report {
    let mut engine = match Engine::new(job, layout, file_system, state) {
        Ok(engine) => engine,
        Err(error) => return job::failed(job, &error),
    };
    let result = match job.account.protocol {
        Protocol::Pop3 => pop3::run(&mut engine),
        Protocol::Imap => imap::run(&mut engine),
    };
    if let Err(error) = result {
        engine.fail(None, &error);
    }
    engine.finish()
}
