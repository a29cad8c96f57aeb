//! The test ground: servers, peers, proxies, messages and readers that know nothing of mailferry's own code.

pub mod clock;
pub mod corpus;
pub mod disk;
pub mod dovecot;
pub mod fake_imap;
pub mod fake_pop3;
pub mod fake_store;
pub mod ferry;
pub mod ground;
pub mod guardian;
pub mod issuer;
pub mod local;
pub mod mailbox;
pub mod message;
pub mod mutf7;
pub mod other_servers;
pub mod peer;
pub mod proxy;
#[cfg(test)]
mod proxy_tests;
pub mod response;
pub mod rig;
pub mod scenario;
pub mod scenario_change;
pub mod scenario_table;
pub mod shelf;
pub mod story;
pub mod strace;
pub mod tls;
