//! The whole program against servers other than Dovecot: real Courier and Cyrus, by IMAP and POP3.

mod imap;
mod pop3;
