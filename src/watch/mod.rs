//! Watching: staying in step with a server and a Maildir, as either changes.
//!
//! [`agenda`] decides when an account has its next round, [`keep`] is the thread that asks it and runs the rounds,
//! [`listen`] are the connections that hear of news on the server, `ground` sees changes in the Maildir. A round itself,
//! with lock, state, sync or fetch and all that is told, is the caller's ([`Hands`]), so that `watch` and `run` do the same.

pub mod agenda;
mod bell;
mod board;
mod choose;
mod ground;
mod keep;
mod listen;
pub mod systemd;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use agenda::Verdict;
pub use bell::{Bell, wait};
pub use keep::{End, keep};

use crate::auth::{self, Credentials};
use crate::transport::Trace;

/// What keeping an account needs of the program around it.
pub trait Hands: Sync {
    /// Runs one round over at most `connections` connections, and tells what there is to tell. Holds the Maildir while it
    /// lasts.
    fn round(&self, connections: usize) -> Outcome;
    /// Whether the Maildir holds what the last round has not seen, in these folders (their directories) or, with `None`,
    /// anywhere. It may say so for nothing; a round is all that follows.
    fn has_pending(&self, folders: Option<&BTreeSet<PathBuf>>) -> bool;
    /// What to log in with: resolved anew where that can be without asking anybody.
    ///
    /// # Errors
    /// When there is none.
    fn credentials(&self) -> Result<Credentials, auth::Error>;
    /// The trace of `-vv`.
    fn trace(&self) -> Option<Trace>;
    /// Tells a warning.
    fn warn(&self, message: String, hint: &str);
    /// Tells how the account is now, in a few words.
    fn status(&self, text: &str);
    /// The thread is about to wait: it does not hang.
    fn beat(&self);
}

/// How a round ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What comes next.
    pub verdict: Verdict,
    /// The files that it changed or made, relative to the root.
    pub changed: Vec<PathBuf>,
}
