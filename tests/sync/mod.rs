//! What `sync` does, seen from outside.

mod backup;
mod basics;
mod faults;
mod hazards;
mod histories;
mod scenarios;
mod shared;
