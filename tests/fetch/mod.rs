//! Fetching: POP3 and IMAP, kept and deleted, under every accident.

mod faults;
mod imap;
mod pop3;
