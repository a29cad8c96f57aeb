//! What `sync` does, seen from outside.

mod scenarios;
