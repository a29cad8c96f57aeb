//! Fetching: POP3 and IMAP, kept and deleted, under every accident.

mod again;
mod elsewhere;
mod exact;
mod faults;
mod imap;
mod login;
mod personas;
mod pop3;
