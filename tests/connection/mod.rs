//! The line to the server: certificates of ours, compression.

mod client_cert;
mod compress;
