//! A user on a server, a proxy before it, and a home from which the program is run: what most tests need.

use super::corpus::Corpus;
use super::dovecot::Dovecot;
use super::ferry::{Ferry, Outcome};
use super::local::Local;
use super::mailbox::{self, Mailbox};
use super::message::{Snapshot, assert_in_step};
use super::proxy::{Manner, Proxy, Record};
use std::sync::Arc;

/// One IMAP account under test.
pub struct Rig {
    pub server: Arc<Dovecot>,
    pub user: String,
    pub proxy: Proxy,
    pub ferry: Ferry,
}

impl Rig {
    /// A new user of this server, without mail; `hint` is part of the name.
    pub fn new(server: Arc<Dovecot>, hint: &str) -> Self {
        let user = server.user(hint);
        let proxy = Proxy::start(server.imap(), Manner::default());
        let ferry = Ferry::imap(proxy.port(), &user);
        Self { server, user, proxy, ferry }
    }

    /// A new user of the usual server.
    pub fn usual(hint: &str) -> Self {
        Self::new(Dovecot::usual(), hint)
    }

    /// Makes the program reach the proxy by a tunnel command: then it does not take the server for one on this machine.
    pub fn go_afar(&mut self) {
        let command = tunnel(self.proxy.port());
        self.ferry.set("tunnel", &command);
    }

    /// Another client of the user.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::open(&self.server, &self.user)
    }

    /// The same for POP3: the program fetches by way of the proxy.
    pub fn pop3(hint: &str) -> Self {
        let server = Dovecot::usual();
        let user = server.user(hint);
        let proxy = Proxy::start(server.pop3(), Manner::default());
        let ferry = Ferry::pop3(proxy.port(), &user);
        Self { server, user, proxy, ferry }
    }

    /// The account's Maildir.
    pub fn local(&self) -> Local {
        let mut local = self.ferry.local();
        // A namespace's prefix is part of the names on disk.
        local.prefix = if self.server.options.prefix.is_empty() { "" } else { "INBOX/" };
        local
    }

    /// Everything on the server.
    pub fn remote(&self) -> Snapshot {
        mailbox::snapshot(&self.server, &self.user)
    }

    /// Stores `count` messages of the corpus, spread over these folders.
    pub fn fill(&self, corpus: &mut Corpus, folders: &[&str], count: usize) {
        let mut session = self.mailbox();
        for folder in folders {
            session.create(folder);
        }
        for i in 0..count {
            let (bytes, flags, date) = (corpus.message(), corpus.flags(), corpus.date());
            session.append(folders[i % folders.len()], &bytes, &flags, date);
        }
    }

    /// A run that must exit 0, and what passed over the wire.
    #[track_caller]
    pub fn sync(&self) -> (Outcome, Vec<Record>) {
        self.proxy.restart(Manner::default());
        let outcome = self.ferry.sync();
        (outcome, self.proxy.records())
    }

    /// Fails unless both sides hold the same and no half-written file is left.
    #[track_caller]
    pub fn assert_in_step(&self) {
        assert_in_step(&self.remote(), &self.local().snapshot());
        assert_eq!(self.local().leftovers(), Vec::<std::path::PathBuf>::new());
    }
}

/// A tunnel command, as TOML, that leads to a port of this machine.
pub fn tunnel(port: u16) -> String {
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & back=$!; cat >&3; kill $back");
    format!("[\"bash\", \"-c\", {script:?}]")
}
