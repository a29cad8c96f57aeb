//! mailferry: one-shot POP3 fetch and IMAP synchronisation into Maildir, without losing or doubling a message.

pub mod account;
pub mod auth;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod fetch;
pub mod imap;
pub mod import;
pub mod mail;
pub mod maildir;
pub mod pop3;
pub mod setup;
pub mod severity;
pub mod state;
pub mod stop;
pub mod sync;
pub mod transport;
pub mod ui;
pub mod watch;
