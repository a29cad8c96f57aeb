//! Tests of `framing`.
