//! The line to the server: certificates of ours, compression.

mod characters;
mod client_cert;
mod compress;
