//! Synchronisation: decide (pure), then do.
