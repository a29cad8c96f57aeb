//! POP3 (RFC 1939, 2449, 2595, 5034, 6856): our own client. A connection's state is its type: [`Authorization`] until the login,
//! [`Transaction`] after it; only [`Transaction::quit`] and its relatives send QUIT, everything else that ends a session drops it.

pub mod capability;
pub mod command;
pub mod error;
mod link;
pub mod login;
pub mod multiline;
mod open;
pub mod parse;
pub mod session;
pub mod transfer;

pub use capability::{Apop, Capabilities, Remembered};
pub use error::{Code, Error, Refusal};
pub use login::{Authorization, Profile};
pub use open::{Login, open, wait};
pub use session::{Ended, Listed, Listing, Transaction};
pub use transfer::{MessageSink, Part, Wanted};

#[cfg(test)]
pub mod peer;
#[cfg(test)]
mod tests;
