//! What `sync` does, seen from outside.

mod basics;
mod faults;
mod hazards;
mod scenarios;
