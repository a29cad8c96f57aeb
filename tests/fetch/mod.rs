//! Fetching: POP3 and IMAP, kept and deleted, under every accident.

mod again;
mod imap;
mod pop3;
