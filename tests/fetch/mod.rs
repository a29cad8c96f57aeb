//! Fetching: POP3 and IMAP, kept and deleted, under every accident.

mod again;
mod elsewhere;
mod exact;
mod imap;
mod login;
mod many;
mod personas;
mod pop3;
mod run;
