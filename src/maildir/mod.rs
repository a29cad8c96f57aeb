//! Maildir: the only room that touches mail files.
