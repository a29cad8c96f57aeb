//! What `sync` does, seen from outside.

mod backup;
mod basics;
mod gmail;
mod hazards;
mod histories;
mod kept;
mod names;
mod odd;
mod scenarios;
mod shared;
