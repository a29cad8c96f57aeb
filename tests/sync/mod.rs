//! What `sync` does, seen from outside.

mod backup;
mod basics;
mod hazards;
mod histories;
mod scenarios;
