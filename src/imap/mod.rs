//! IMAP: one connection's protocol, from bytes to mail vocabulary.
//!
//! `framing` cuts the stream into responses, `parse` and `data` give them meaning, `command` writes, `connection`
//! attributes answers to commands by tag; on top of it [`Session`] speaks in mailboxes, messages and sets.
//! Commands may be pipelined: `send_*` only buffers, `finish_*` reads, in the order of sending.

mod answers;
mod capability;
mod change;
mod code;
mod command;
mod completion;
mod compress;
mod connection;
mod data;
mod download;
mod error;
mod framing;
mod idle;
mod list;
mod login;
#[cfg(test)]
mod mutation_tests;
pub mod name;
mod parse;
pub mod quirks;
mod receive;
#[cfg(test)]
mod scripted;
mod session;
mod snapshot;
mod told;
mod upload;
mod wire;

pub use capability::Capabilities;
pub use change::{Copied, CopyAsk, ExpungeAsk, ExpungeEnd, StoreAsk, StoreChange, StoreEnd};
pub use code::Code;
pub use command::MailboxName;
pub use data::Items;
pub use download::{BodiesAsk, BodySink, HeadersAsk};
pub use error::Error;
pub use idle::{IdleEnd, Quota};
pub use list::{ListAsk, ListedFolder, Listing, SpecialUse};
pub use login::Login;
pub use session::{Pending, Session};
pub use snapshot::{Access, FetchAsk, FetchEnd, FetchSet, ResyncPoint, SelectAsk};
pub use upload::{Append, AppendHow, Appended, Body, Form, FormReader};
