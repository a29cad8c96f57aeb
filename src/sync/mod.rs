//! Synchronisation: decide (pure), then do.

pub mod adopt;
pub mod guard;
pub mod merge;
pub mod moves;
pub mod view;
