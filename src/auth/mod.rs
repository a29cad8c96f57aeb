//! Secrets: where they come from, and how they log in.
