//! Synchronisation: decide (pure), then do.

pub mod adopt;
pub mod compare;
pub mod engine;
pub mod folders;
pub mod guard;
pub mod listing;
pub mod look;
pub mod merge;
pub mod moves;
pub mod op;
pub mod plan;
pub mod survey;
pub mod view;
