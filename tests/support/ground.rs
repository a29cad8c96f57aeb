//! An account to break: a server of one kind or another, a line to it, and a home, all of which can be put back as they were.

use super::dovecot::Dovecot;
use super::fake_imap::{FakeImap, Hook, Store};
use super::fake_pop3::{self, FakePop3, Maildrop};
use super::ferry::Ferry;
use super::local::Local;
use super::mailbox::{self, Mailbox};
use super::message::{Msg, Snapshot, flags_of_imap};
use super::mutf7;
use super::proxy::{End, Manner, Proxy};
use super::shelf::{Shelf, Tree};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

/// Which server stands behind the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A real one, IMAP and POP3.
    Dovecot,
    /// In this process: quick, and its state of every moment can be had.
    FakeImap,
    /// The same for POP3.
    FakePop3,
}

enum Server {
    Dovecot(Arc<Dovecot>, String),
    Imap(FakeImap),
    Pop3(FakePop3),
}

/// What a server holds.
#[derive(Clone, Debug)]
pub enum Holdings {
    /// A copy of the user's directory.
    Dovecot(PathBuf),
    Imap(Store),
    Pop3(Maildrop),
}

/// Both sides at one moment.
#[derive(Clone, Debug)]
pub struct Saved {
    pub tree: Tree,
    pub server: Holdings,
}

/// What the server held and when it got a command that may have changed that, oldest first.
type History = Arc<Mutex<Option<Vec<(SystemTime, Holdings)>>>>;

/// The account.
pub struct Ground {
    server: Server,
    pub proxy: Proxy,
    pub ferry: Ferry,
    pub shelf: Shelf,
    history: History,
}

impl Ground {
    /// A new user without mail; the program speaks POP3 if `pop3`.
    pub fn new(kind: Kind, pop3: bool) -> Self {
        let history = History::default();
        let (server, target, user) = match kind {
            Kind::Dovecot => {
                let server = Dovecot::usual();
                let user = server.user("ground");
                let target = if pop3 { server.pop3() } else { server.imap() };
                (Server::Dovecot(server, user.clone()), target, user)
            }
            Kind::FakeImap => {
                let store =
                    Store { capabilities: "IMAP4rev1 UIDPLUS MOVE LITERAL+ SPECIAL-USE".into(), ..Store::default() };
                let fake = FakeImap::with_hook(store, remember(history.clone()));
                fake.change(|s| s.folders.entry("Trash".into()).or_default().attributes = "\\Trash".into());
                let target = SocketAddr::from(([127, 0, 0, 1], fake.port()));
                (Server::Imap(fake), target, "someone".to_owned())
            }
            Kind::FakePop3 => {
                let fake = FakePop3::with_hook(Maildrop::default(), remember_drop(history.clone()));
                let target = SocketAddr::from(([127, 0, 0, 1], fake.port()));
                (Server::Pop3(fake), target, "someone".to_owned())
            }
        };
        let proxy = Proxy::start(target, Manner::default());
        let ferry = if pop3 { Ferry::pop3(proxy.port(), &user) } else { Ferry::imap(proxy.port(), &user) };
        let shelf = Shelf::new(ferry.home().join("Mail"), ferry.home().join("shelf"));
        Self { server, proxy, ferry, shelf, history }
    }

    /// Another client of the user, past the line.
    pub fn mailbox(&self) -> Mailbox {
        match &self.server {
            Server::Dovecot(server, user) => Mailbox::open(server, user),
            Server::Imap(fake) => {
                let mut client = Mailbox::connect(SocketAddr::from(([127, 0, 0, 1], fake.port())), '/', "");
                client.command("LOGIN a b");
                client
            }
            Server::Pop3(_) => panic!("a maildrop has no IMAP client"),
        }
    }

    /// Puts a message into the server's INBOX.
    pub fn post(&self, number: usize, bytes: &[u8]) {
        match &self.server {
            Server::Pop3(fake) => fake.change(|d| d.add(&format!("uidl{number}"), bytes)),
            Server::Dovecot(..) | Server::Imap(_) => {
                _ = self.mailbox().append("INBOX", bytes, &super::message::flags(""), 1_600_000_000);
            }
        }
    }

    pub fn local(&self) -> Local {
        self.ferry.local()
    }

    /// Everything on the server.
    pub fn remote(&self) -> Snapshot {
        match &self.server {
            Server::Dovecot(server, user) => mailbox::snapshot(server, user),
            Server::Imap(fake) => imap_snapshot(&fake.store()),
            Server::Pop3(fake) => {
                let message = |m: &fake_pop3::Message| Msg {
                    place: m.uidl.clone(),
                    flags: super::message::Flags::new(),
                    date: 0,
                    bytes: m.bytes.clone(),
                };
                let all = fake.maildrop().messages.iter().map(message).collect();
                Snapshot::from([("INBOX".to_owned(), all)])
            }
        }
    }

    /// Waits until the server has done with every session that was.
    ///
    /// # Panics
    /// If one goes on.
    pub fn quiet(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let live = || match &self.server {
            Server::Dovecot(..) => self.proxy.live(),
            Server::Imap(fake) => fake.live(),
            Server::Pop3(fake) => fake.live(),
        };
        while live() > 0 {
            assert!(Instant::now() < deadline, "a session does not end");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Both sides as they are.
    pub fn save(&self) -> Saved {
        self.quiet();
        let server = match &self.server {
            Server::Dovecot(server, user) => {
                let copy = self.ferry.home().join("server");
                fs::remove_dir_all(&copy).ok();
                copy_tree(user_directory(server, user).as_path(), &copy);
                Holdings::Dovecot(copy)
            }
            Server::Imap(fake) => Holdings::Imap(fake.store()),
            Server::Pop3(fake) => Holdings::Pop3(fake.maildrop()),
        };
        Saved { tree: self.shelf.keep(), server }
    }

    /// Both sides as they were, and a line without faults.
    pub fn restore(&self, saved: &Saved) {
        self.quiet();
        // Nobody uses the old connections any more: they are only held open.
        self.proxy.cut_all(End::Fin);
        self.proxy.restart(Manner::default());
        self.shelf.put(&saved.tree);
        match (&self.server, &saved.server) {
            (Server::Dovecot(server, user), Holdings::Dovecot(copy)) => {
                let (place, fresh) = (user_directory(server, user), self.ferry.home().join("fresh"));
                copy_tree(copy, &fresh);
                // A whole directory at a time, so that a late server process meets either the old or the new.
                let old = self.ferry.home().join("old");
                fs::rename(&place, &old).expect("the old directory");
                fs::rename(&fresh, &place).expect("the new directory");
                fs::remove_dir_all(&old).ok();
            }
            (Server::Imap(fake), Holdings::Imap(store)) => fake.change(|s| *s = store.clone()),
            (Server::Pop3(fake), Holdings::Pop3(maildrop)) => fake.change(|d| *d = maildrop.clone()),
            _ => panic!("another server's holdings"),
        }
    }

    /// Runs `work` and returns what the server held meanwhile: each state from the moment of the command that made it.
    pub fn with_history(&self, work: impl FnOnce()) -> Vec<(SystemTime, Holdings)> {
        *locked(&self.history) = Some(Vec::new());
        work();
        let after = self.save().server;
        // Each state was noted when the next command came: it began when its own did.
        let noted = locked(&self.history).take().unwrap_or_default();
        let mut begins = vec![SystemTime::UNIX_EPOCH];
        begins.extend(noted.iter().map(|(time, _)| *time));
        let states = noted.into_iter().map(|(_, state)| state).chain([after]);
        begins.into_iter().zip(states).collect()
    }
}

fn user_directory(server: &Dovecot, user: &str) -> PathBuf {
    server.storage(user).parent().expect("a home").to_owned()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

/// Notes the store before each command.
fn remember(history: History) -> Hook {
    Box::new(move |_, store| {
        if let Some(history) = locked(&history).as_mut() {
            history.push((SystemTime::now(), Holdings::Imap(store.clone())));
        }
        None
    })
}

fn remember_drop(history: History) -> fake_pop3::Hook {
    Box::new(move |_, maildrop| {
        if let Some(history) = locked(&history).as_mut() {
            history.push((SystemTime::now(), Holdings::Pop3(maildrop.clone())));
        }
        None
    })
}

fn imap_snapshot(store: &Store) -> Snapshot {
    let plain = |name: &str| name.split('/').map(mutf7::decode).collect::<Vec<_>>().join("/");
    let message = |m: &super::fake_imap::Message| Msg {
        place: m.uid.to_string(),
        flags: flags_of_imap(&m.flags.iter().collect::<Vec<_>>()),
        date: m.date,
        bytes: m.bytes.clone(),
    };
    store.folders.iter().map(|(name, f)| (plain(name), f.messages.iter().map(message).collect())).collect()
}

/// Copies a server's files with their owners and times.
fn copy_tree(from: &Path, to: &Path) {
    let owner = from.symlink_metadata().expect("a directory");
    fs::create_dir(to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    chown(to, Some(owner.uid()), Some(owner.gid())).expect("chown");
    fs::set_permissions(to, owner.permissions()).expect("chmod");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let Ok(meta) = source.symlink_metadata() else { continue };
        if meta.is_dir() {
            copy_tree(&source, &target);
        } else if meta.is_file() && fs::copy(&source, &target).is_ok() {
            chown(&target, Some(meta.uid()), Some(meta.gid())).expect("chown");
            let file = fs::File::options().write(true).open(&target).expect("the copy");
            file.set_modified(meta.modified().expect("a time")).expect("file times");
        }
    }
}
