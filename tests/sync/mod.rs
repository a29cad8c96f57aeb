//! What `sync` does, seen from outside.

mod basics;
mod faults;
mod scenarios;
