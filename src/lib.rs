//! mailferry.
