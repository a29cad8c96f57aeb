//! Synchronisation: decide (pure), then do.

pub mod adopt;
pub mod compare;
pub mod folders;
pub mod guard;
pub mod merge;
pub mod moves;
pub mod op;
pub mod plan;
pub mod view;
