//! What both sides last had: the database inside the Maildir.

pub mod seen;
