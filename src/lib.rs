//! mailferry: one-shot POP3 fetch and IMAP synchronisation into Maildir, without losing or doubling a message.
//!
//! This page is the tour of the house; each room's own first lines say more.
//!
//! ```text
//!  cli ─────────────┬── args, one file per command, exit status, manual and completions
//!   │               └── ui          the only writer to stdout and stderr; the schema of --json
//!   ├── sync            decide, then do: merge, adopt, moves, guard, plan are PURE; survey, look and execute touch the world
//!   ├── fetch           one way: plan is PURE; two walks (POP3, IMAP), one desk where arrivals become durable
//!   ├── watch           stays: bells (IDLE, NOTIFY, inotify, clock) ring, rounds of sync and fetch answer
//!   ├── setup           from an e-mail address to a written profile
//!   └── import          other tools' configurations and memories, as plain data (PURE)
//!        │
//!        ├── imap       one connection's protocol: framing, parse and command are PURE; pipelined session
//!        ├── pop3       the same for POP3: parse and command PURE, a push decoder for bodies, states as types
//!        ├── maildir    the only room that touches mail files; a file appears in one way only (deliver)
//!        └── state      the only room with SQL: what both sides last had, inside the Maildir it describes
//!             │
//!             ├── config      profiles to checked accounts        ├── auth    secrets, SASL (PURE), OAuth 2.0
//!             └── transport   the only room that opens sockets
//!                  │
//!                  └── mail, account, severity, stop, checkpoint: vocabulary, no mail I/O
//! ```
//!
//! `imap`, `pop3`, `maildir` and `state` never import each other: who needs two of them stands above and passes values. A file whose
//! first line says PURE knows no file, socket, clock or environment: it takes values and gives values, and is tested as such.
//!
//! # Two walks
//! - **sync** (`sync::run`): lock and state (`cli::hold`) → connect and log in → list folders, with their figures → folders that
//!   changed on neither side are done → for the others a look at both sides (`sync::survey`) → messages that no row knows are paired by
//!   content, moves are recognised (`sync::decide`) → one plan for the whole account (`sync::plan`), held back where the guard says so
//!   → printed (`--dry-run`) or carried out phase by phase (`sync::execute`) → cursors, last of all.
//! - **fetch** (`fetch::run`): lock and state → log in, list → what is known, what is wanted, what may go (`fetch::plan`) → bodies
//!   stream to `tmp` and become durable in batches (`fetch::desk`) → deletions of what is durable → QUIT; only its `+OK` makes
//!   them true.
//!
//! # Three laws
//! 1. Nothing is deleted before its copy and its row are durable.
//! 2. A row is committed right after its step; a cursor (what lets the next run skip work) only when every step of its folder is done.
//!    A crash repeats work and never loses it.
//! 3. A repeated step recognises its own half-done work.
//!
//! Errors are typed below `cli` and answer [`severity::Severity`]: how far they reach, whether trying again helps, which exit status
//! they are. One bad message never stops a folder, one bad folder never an account.

pub mod account;
pub mod auth;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod fetch;
pub mod imap;
pub mod import;
pub mod job;
pub mod mail;
pub mod maildir;
pub mod pop3;
pub mod setup;
pub mod severity;
pub mod state;
pub mod stop;
pub mod sync;
pub mod transport;
pub mod ui;
pub mod watch;

#[cfg(test)]
mod mutated;
#[cfg(test)]
mod mutation_tests;
