//! The walk against the scripted server: every accident of the catalogue, then a healthy run; nothing lost, nothing twice.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::account::{Account, Endpoint, Keep, LayoutKind, Login, Store, TlsMode};
use crate::auth::{Credentials, Secret};
use crate::mail::lines::LineEndings;
use crate::maildir::scan;
use crate::pop3::peer::{Behaviour, Peer};
use crate::severity::Kind;
use crate::state::Access;
use crate::stop::Stop;
use crate::ui::event::{Body, Event, Sink};

mod faults;
mod servers;

pub(super) fn account(protocol: Protocol, root: PathBuf, port: u16, timeout: Duration) -> Account {
    let endpoint = Endpoint { timeout, ..Endpoint::new("127.0.0.1", port, TlsMode::None) };
    Account { connections: 1, ..Account::new("work", protocol, endpoint, Login::new("me"), root) }
}

/// Collects what is told.
#[derive(Default)]
pub(super) struct Told(pub(super) Mutex<Vec<Event>>);

impl Sink for Told {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
    fn progress(&self, _account: &str, _what: &str, _done: u64, _total: u64) {}
}

/// A server and a Maildir, over several runs. The account's key is its label: the port differs from run to run.
struct World {
    dir: tempfile::TempDir,
    peer: Peer,
    timeout: Duration,
}

impl World {
    fn new(peer: Peer) -> Self {
        // In memory where that is possible: the order of steps is what is tested, not the disk.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { dir: dir.unwrap(), peer, timeout: Duration::from_secs(20) }
    }

    fn quick(peer: Peer) -> Self {
        Self { timeout: Duration::from_millis(200), ..Self::new(peer) }
    }

    fn run(&self, options: &Options, script: Vec<Behaviour>) -> (Report, Vec<Event>) {
        let server = self.peer.listen(script);
        let mut account = account(Protocol::Pop3, self.dir.path().join("mail"), server.port, self.timeout);
        account.endpoint.host = "localhost".into();
        // The port of a test server changes; the account does not.
        let dir = self.dir.path().join("mail/.mailferry");
        if dir.is_dir() {
            let mut state = State::open(&dir, Access::Write { local: true }).unwrap();
            state.connection().execute("UPDATE account SET port = ?1", [server.port]).unwrap();
        }
        self.run_account(&account, options)
    }

    fn run_account(&self, account: &Account, options: &Options) -> (Report, Vec<Event>) {
        let mut layout = Layout::new(&account.store);
        let file_system = layout.prepare_root().unwrap();
        let mut state = State::open(&layout.state_dir(), Access::Write { local: true }).unwrap();
        let credentials = Credentials { user: "me".into(), secret: Some(Secret::new(b"pw".to_vec())), oauth: false };
        let (told, stop) = (Told::default(), Stop::new().unwrap());
        let job = Job { account, credentials: &credentials, options, sink: &told, stop: &stop, trace: None };
        let report = run(job, &layout, &file_system, &mut state);
        (report, told.0.into_inner().unwrap())
    }

    /// The bodies in the Maildir, sorted.
    fn bodies(&self) -> Vec<String> {
        bodies(&self.dir.path().join("mail"))
    }

    fn on_server(&self) -> usize {
        self.peer.mailbox().messages.len()
    }
}

pub(super) fn bodies(root: &std::path::Path) -> Vec<String> {
    let store = Store { root: root.to_owned(), layout: LayoutKind::Nested, line_endings: LineEndings::Lf };
    let mut all = Vec::new();
    for found in Layout::new(&store).discover().unwrap().folders {
        for entry in scan(&found.dir).unwrap().entries {
            all.push(String::from_utf8(std::fs::read(found.dir.path_of(&entry.place)).unwrap()).unwrap());
        }
        assert_eq!(std::fs::read_dir(found.dir.path.join("tmp")).unwrap().count(), 0, "something was left in tmp");
    }
    all.sort();
    all
}

fn three() -> Peer {
    Peer::with(&[
        ("a1", "Subject: a\r\n\r\n.\r\n..x\r\n"),
        ("b2", "Subject: b\r\n\r\nbody\r\n"),
        ("c3", "Subject: c\r\n\r\nc\r\n"),
    ])
}

const ALL_THREE: [&str; 3] = ["Subject: a\n\n.\n..x\n", "Subject: b\n\nbody\n", "Subject: c\n\nc\n"];

fn delete() -> Options {
    Options { keep: Some(Keep::Delete), ..Options::default() }
}

fn answers(answers: &[(&'static str, &'static str)]) -> Behaviour {
    Behaviour { answers: answers.to_vec(), ..Behaviour::default() }
}

#[test]
fn keep_then_nothing_new_then_delete() {
    let world = World::new(three());
    let (report, _) = world.run(&Options::default(), vec![]);
    assert_eq!((report.summary.downloaded, report.kinds.as_slice(), report.changed.len()), (3, [].as_slice(), 3));
    assert_eq!(world.bodies(), ALL_THREE);
    let name = report.changed[0].file_name().unwrap().as_bytes().to_vec();
    assert!(name[..10].iter().all(u8::is_ascii_digit));
    world.peer.take_commands();
    let (report, _) = world.run(&Options::default(), vec![]);
    assert_eq!((report.summary.downloaded, report.summary.round_trips), (0, 1));
    assert!(!world.peer.take_commands().iter().any(|c| c.starts_with("RETR") || c.starts_with("TOP")));
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.summary.deleted_remote, world.on_server()), (3, 0));
    let commands = world.peer.take_commands();
    assert!(commands.contains(&"TOP 1 0".to_owned()) && !commands.iter().any(|c| c.starts_with("RETR")));
    assert_eq!(world.bodies(), ALL_THREE);
}

#[test]
fn fetch_and_delete_in_one_session() {
    let world = World::new(three());
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.summary.downloaded, report.summary.deleted_remote, world.on_server()), (3, 3, 0));
    assert_eq!(world.bodies(), ALL_THREE);
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = World::new(three());
    let options = Options { dry_run: true, ..delete() };
    let (report, told) = world.run(&options, vec![]);
    assert_eq!((report.summary.downloaded, world.on_server()), (0, 3));
    let planned = |word: &str| told.iter().filter(|e| matches!(&e.body, Body::Planned(p) if p.action == word)).count();
    assert_eq!((planned("download"), planned("delete")), (3, 3));
    assert!(!world.peer.take_commands().iter().any(|c| c.starts_with("RETR") || c.starts_with("DELE")));
    assert!(world.bodies().is_empty());
}

#[test]
fn a_dry_run_tells_what_only_its_content_can_tell_apart() {
    let world = World::new(three());
    world.run(&Options::default(), vec![]);
    let dry = |options: &Options| {
        world.peer.take_commands();
        let (_, told) = world.run(&Options { dry_run: true, ..options.clone() }, vec![]);
        assert!(!world.peer.take_commands().iter().any(|c| c.starts_with("RETR") || c.starts_with("DELE")));
        let word = |e: &Event| {
            let Body::Planned(p) = &e.body else { return None };
            Some(format!("{} {}", p.action, p.uidl.clone().unwrap_or_default()))
        };
        told.iter().filter_map(word).collect::<Vec<_>>()
    };
    assert!(dry(&Options::default()).is_empty());
    // Other ids, one of them for another message; and one message twice, of which one is here.
    world.peer.mailbox().messages[0].uidl = Some("a9".into());
    world.peer.put("a10", "Subject: a\r\n\r\n.\r\n..x\r\n");
    world.peer.put("d4", "Subject: d\r\n\r\nd\r\n");
    let mixed = ["compare a9", "download a10", "download d4"];
    assert_eq!(dry(&Options::default()), mixed);
    // The memory is gone: every file may be one of them.
    std::fs::rename(world.dir.path().join("mail/.mailferry"), world.dir.path().join("aside")).unwrap();
    let lost = ["compare a9", "compare b2", "compare c3", "download a10", "download d4"];
    assert_eq!(dry(&Options::default()), lost);
    assert_eq!(dry(&delete()).len(), 10);
    std::fs::remove_dir_all(world.dir.path().join("mail/.mailferry")).unwrap();
    std::fs::rename(world.dir.path().join("aside"), world.dir.path().join("mail/.mailferry")).unwrap();
    assert_eq!(dry(&Options::default()), mixed);
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 2);
    // With --all a file that is gone is one that comes.
    std::fs::remove_dir_all(world.dir.path().join("mail/INBOX/new")).unwrap();
    std::fs::create_dir(world.dir.path().join("mail/INBOX/new")).unwrap();
    assert!(dry(&Options::default()).is_empty());
    assert!(dry(&Options { all: true, ..Options::default() }).iter().all(|told| told.starts_with("download")));
}

#[test]
fn limits_and_sizes() {
    let world = World::new(three());
    world.peer.mailbox().messages[0].listed = Some(30_000_000);
    let options = Options { limit: Some(1), max_size: Some(25 << 20), ..Options::default() };
    let (report, told) = world.run(&options, vec![]);
    assert_eq!((report.summary.downloaded, report.summary.skipped, report.kinds.len()), (1, 2, 0));
    assert!(told.iter().any(|e| matches!(&e.body, Body::Warning { message, .. } if message.contains("max_size"))));
    let (report, told) = world.run(&options, vec![]);
    assert_eq!((report.summary.downloaded, report.summary.skipped, told.len()), (1, 1, 0));
    // Sizes that lie change nothing but that.
    world.peer.mailbox().messages[0].listed = Some(-1);
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 1);
    assert_eq!(world.bodies(), ALL_THREE);
}

#[test]
fn old_ones_go_and_young_ones_stay() {
    let world = World::new(three());
    let after = |age| Options { keep: Some(Keep::DeleteAfter(Duration::from_secs(age))), ..Options::default() };
    assert_eq!(world.run(&after(3600), vec![]).0.summary.deleted_remote, 0);
    assert_eq!(world.run(&after(0), vec![]).0.summary.deleted_remote, 3);
}

#[test]
fn all_fetches_what_is_not_here() {
    let world = World::new(three());
    let (report, _) = world.run(&Options::default(), vec![]);
    std::fs::remove_file(&report.changed[0]).unwrap();
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 0);
    let all = Options { all: true, ..Options::default() };
    assert_eq!(world.run(&all, vec![]).0.summary.downloaded, 1);
    assert_eq!(world.run(&all, vec![]).0.summary.downloaded, 0);
    std::fs::remove_dir_all(world.dir.path().join("mail/.mailferry")).unwrap();
    assert_eq!(world.run(&all, vec![]).0.summary.downloaded, 0);
    assert_eq!(world.bodies(), ALL_THREE);
}
