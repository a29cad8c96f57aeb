//! `fetch`: one way, server to Maildir, with keep or delete.

pub mod plan;
