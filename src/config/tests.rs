//! Profiles as people write them, and what comes out.
