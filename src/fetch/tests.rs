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
        // One key for all runs, whatever the port.
        account.endpoint.host = "localhost".into();
        self.run_account(&account, options)
    }

    fn run_account(&self, account: &Account, options: &Options) -> (Report, Vec<Event>) {
        let mut layout = Layout::new(&account.store);
        let file_system = layout.prepare_root().unwrap();
        let mut state = State::open(&layout.state_dir(), Access::Write { local: true }).unwrap();
        // The port of a test server changes; the account does not.
        state.connection().execute("UPDATE account SET port = ?1", [account.endpoint.port]).unwrap();
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
fn one_message_that_is_answered_by_rubbish_does_not_stop_the_others() {
    for pipelining in [true, false] {
        let mut peer = three();
        peer.behaviour.answers = vec![("RETR 2", "blah")];
        if !pipelining {
            peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
        }
        let world = World::quick(peer);
        let (report, told) = world.run(&delete(), vec![]);
        assert_eq!((report.kinds.as_slice(), report.summary.skipped), ([Kind::Protocol].as_slice(), 1), "{told:?}");
        assert!(
            told.iter().any(|e| matches!(&e.body, Body::Error { message, .. } if message.contains("message 2 (b2)")))
        );
        assert_eq!((world.bodies().len(), world.on_server()), (2, 1));
    }
}

#[test]
fn an_unasked_answer_gives_no_message_the_name_of_another() {
    let peer = three();
    let forged = "+OK\r\nSubject: forged\r\n\r\nx\r\n.\r\n";
    let script = |n| vec![Behaviour { unasked: Some(("RETR 2", forged)), ..Behaviour::default() }; n];
    let world = World::quick(peer);
    let (report, _) = world.run(&delete(), script(9));
    assert_eq!((report.kinds.as_slice(), report.summary.skipped), ([Kind::Protocol].as_slice(), 1));
    assert_eq!((world.bodies().len(), world.on_server()), (2, 1));
    world.run(&delete(), vec![]);
    assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), 0));
}

#[test]
fn response_codes_of_any_command_decide_the_exit() {
    for (command, answer, kind) in [
        ("RETR 2", "-ERR [SYS/TEMP] x", Kind::TryLater),
        ("RETR 2", "-ERR [SYS/PERM] x", Kind::Protocol),
        ("DELE 2", "-ERR [IN-USE] x", Kind::TryLater),
        ("QUIT", "-ERR [SYS/TEMP] x", Kind::TryLater),
        ("UIDL", "-ERR [AUTH] x", Kind::Auth),
        ("LIST", "-ERR [LOGIN-DELAY] x", Kind::TryLater),
    ] {
        let mut peer = three();
        peer.behaviour.answers = vec![(command, answer)];
        let (report, _) = World::quick(peer).run(&delete(), vec![]);
        assert_eq!(report.kinds, [kind], "{command} {answer}");
    }
}

#[test]
fn a_failing_login_is_tried_four_times_and_no_more() {
    let cut = Behaviour { cut_after: Some(0), ..Behaviour::default() };
    for (protocol, behaviour) in [
        (Protocol::Imap, cut.clone()),
        (Protocol::Imap, Behaviour { greeting: "* BYE not now".into(), ..Behaviour::default() }),
        (Protocol::Pop3, cut),
        (Protocol::Pop3, answers(&[("CAPA", "+OK\r\nUSER\r\n."), ("USER", "")])),
    ] {
        let mut peer = three();
        peer.behaviour = behaviour;
        let mut world = World::new(peer);
        world.timeout = Duration::from_millis(50);
        let server = world.peer.listen(vec![]);
        let account = account(protocol, world.dir.path().join("mail"), server.port, world.timeout);
        let (report, _) = world.run_account(&account, &Options::default());
        assert_eq!(report.kinds.len(), 1);
        assert_eq!(world.peer.mailbox().sessions, 4);
    }
}

#[test]
fn half_written_files_of_a_dead_run_go() {
    let world = World::new(three());
    let (report, _) = world.run(&Options { limit: Some(1), ..Options::default() }, vec![]);
    let tmp = report.changed[0].parent().unwrap().with_file_name("tmp");
    std::fs::write(tmp.join("mailferry.00000000000000aa.1"), "half").unwrap();
    std::fs::write(tmp.join("another-programs"), "half").unwrap();
    world.run(&Options::default(), vec![]);
    let left: Vec<_> = std::fs::read_dir(&tmp).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["another-programs"]);
}

#[test]
fn one_message_that_the_server_refuses() {
    let world = World::new(three());
    let (report, told) = world.run(&delete(), vec![answers(&[("RETR 2", "-ERR damaged")])]);
    assert_eq!((report.kinds.as_slice(), report.summary.skipped), ([Kind::Protocol].as_slice(), 1));
    assert!(report.progress && world.on_server() == 1);
    assert!(told.iter().any(
        |e| matches!(&e.body, Body::Error { message, .. } if message.contains("(b2)") && message.contains("damaged"))
    ));
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.kinds.len(), world.on_server()), (0, 0));
    assert_eq!(world.bodies(), ALL_THREE);
}

#[test]
fn a_quit_that_is_not_answered_or_refused() {
    for answer in ["", "-ERR some deleted messages not removed"] {
        let world = World::quick(three());
        let dead = answers(&[("QUIT", answer)]);
        let script = vec![dead; 4];
        let (report, _) = world.run(&delete(), script);
        assert_eq!((report.summary.deleted_remote, world.on_server()), (0, 3), "{answer}");
        assert_eq!(report.kinds, [if answer.is_empty() { Kind::TryLater } else { Kind::Protocol }]);
        // Without being told again: what was to be deleted is deleted next time.
        let world = World { timeout: Duration::from_secs(20), ..world };
        let (report, _) = world.run(&Options::default(), vec![]);
        assert_eq!((report.summary.deleted_remote, report.summary.downloaded, world.on_server()), (3, 0, 0));
        assert_eq!(world.bodies(), ALL_THREE);
    }
}

#[test]
fn every_command_refused_once() {
    for command in ["CAPA", "USER", "PASS", "UIDL", "LIST", "RETR", "RETR 1", "NOOP", "DELE", "DELE 2", "QUIT"] {
        let world = World::quick(three());
        world.run(&delete(), vec![answers(&[(command, "-ERR no")])]);
        assert!(world.bodies().iter().all(|body| ALL_THREE.contains(&body.as_str())));
        let world = World { timeout: Duration::from_secs(20), ..world };
        let (report, _) = world.run(&delete(), vec![]);
        assert!(report.kinds.is_empty(), "{command}");
        assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), 0), "{command}");
    }
}

/// At least the bytes of the longest session that `three` has.
const SESSION: usize = 500;

#[test]
fn cut_anywhere_nothing_is_lost_or_doubled() {
    for cut in (0..SESSION).step_by(5) {
        let world = World::quick(three());
        let dying = Behaviour { cut_after: Some(cut), ..Behaviour::default() };
        world.run(&delete(), vec![dying]);
        assert!(world.bodies().len() + world.on_server() >= 3, "lost at {cut}");
        let world = World { timeout: Duration::from_secs(20), ..world };
        let (report, _) = world.run(&delete(), vec![]);
        assert!(report.kinds.is_empty(), "{cut}");
        assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), 0), "{cut}");
    }
}

#[test]
fn a_line_that_always_breaks_at_the_same_byte() {
    for cut in (0..SESSION).step_by(41) {
        let world = World::quick(three());
        let dying = Behaviour { cut_after: Some(cut), ..Behaviour::default() };
        let (report, _) = world.run(&delete(), vec![dying; 40]);
        assert!(world.on_server() == 0 || !report.kinds.is_empty());
        let world = World { timeout: Duration::from_secs(20), ..world };
        world.run(&delete(), vec![]);
        assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), 0), "{cut}");
    }
}

#[test]
fn a_message_that_breaks_every_session_is_left_out() {
    let peer = three();
    peer.mailbox().messages[1].body = b"Subject: b\r\n\r\nx\r\n.\r\ngarbage\r\n".to_vec();
    let mut world = World::quick(peer);
    world.peer.behaviour.forgets_stuffing = true;
    world.peer.mailbox().messages[0].body = b"Subject: a\r\n\r\na\r\n".to_vec();
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.kinds.as_slice(), report.summary.skipped), ([Kind::Protocol].as_slice(), 1));
    assert_eq!(world.bodies(), ["Subject: a\n\na\n", "Subject: c\n\nc\n"]);
    assert_eq!(world.on_server(), 1);
}

#[test]
fn re_used_ids_cost_no_message() {
    let world = World::new(three());
    world.run(&Options::default(), vec![]);
    // Another message of the same size under a known id: nothing is deleted on the word of the id.
    world.peer.mailbox().messages[1].body = b"Subject: z\r\n\r\nbody\r\n".to_vec();
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.summary.downloaded, world.on_server()), (1, 0));
    assert_eq!(world.bodies().len(), 4);
    // And of another size, when copies are kept.
    let world = World::new(three());
    world.run(&Options::default(), vec![]);
    world.peer.mailbox().messages[1].body = b"Subject: other\r\n\r\nlonger body\r\n".to_vec();
    let (report, _) = world.run(&Options::default(), vec![]);
    assert_eq!((report.summary.downloaded, world.bodies().len()), (1, 4));
    let (report, _) = world.run(&Options::default(), vec![]);
    assert_eq!(report.summary.downloaded, 0);
}

#[test]
fn repeated_missing_and_changing_ids() {
    for ids in [["x", "x", "x"], ["", "", ""], ["x", "", "x"]] {
        let world = World::new(three());
        for (message, id) in world.peer.mailbox().messages.iter_mut().zip(ids) {
            message.uidl = (!id.is_empty()).then(|| id.to_owned());
        }
        for expected in [3, 0, 0] {
            assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, expected, "{ids:?}");
        }
        world.peer.put("x", "Subject: d\r\n\r\nd\r\n");
        assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 1, "{ids:?}");
        let (report, _) = world.run(&delete(), vec![]);
        assert_eq!((report.summary.downloaded, world.on_server(), world.bodies().len()), (0, 0, 4));
    }
    let world = World::new(three());
    for round in 0..4 {
        for (n, message) in world.peer.mailbox().messages.iter_mut().enumerate() {
            message.uidl = Some(format!("round{round}-{n}"));
        }
        let (report, _) = world.run(&Options::default(), vec![]);
        assert_eq!((report.summary.downloaded, world.bodies().len()), (if round == 0 { 3 } else { 0 }, 3));
    }
}

#[test]
fn messages_that_uidl_leaves_out_are_fetched_too() {
    let world = World::new(three());
    let partial = answers(&[("UIDL", "+OK\r\n1 a1\r\n3 c3\r\n.")]);
    assert_eq!(world.run(&Options::default(), vec![partial.clone()]).0.summary.downloaded, 3);
    assert_eq!(world.run(&Options::default(), vec![partial]).0.summary.downloaded, 0);
    // It only came between UIDL and LIST.
    assert_eq!(world.run(&delete(), vec![]).0.summary.downloaded, 0);
    assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), 0));
}

#[test]
fn identical_copies_under_one_id_are_two_messages() {
    let world = World::new(Peer::with(&[("x", "S: a\r\n\r\n"), ("x", "S: a\r\n\r\n")]));
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.summary.downloaded, world.on_server(), world.bodies().len()), (2, 0, 2));
}

#[test]
fn servers_without_uidl_top_or_capa() {
    let mut world = World::new(three());
    world.peer.behaviour = Behaviour {
        capabilities: vec![],
        answers: vec![("UIDL", "-ERR no"), ("TOP", "-ERR no")],
        ..Behaviour::default()
    };
    for expected in [3, 0] {
        assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, expected);
    }
    let (report, _) = world.run(&delete(), vec![]);
    assert_eq!((report.summary.downloaded, world.on_server(), world.bodies().len()), (0, 0, 3));
}

#[test]
fn a_server_that_hangs_up_on_capa_is_not_asked_again() {
    let mut world = World::new(three());
    world.peer.behaviour.answers = vec![("CAPA", "")];
    for (expected, asked) in [(3, 1), (0, 0)] {
        let (report, _) = world.run(&Options::default(), vec![]);
        assert_eq!((report.summary.downloaded, report.kinds.len()), (expected, 0));
        assert_eq!(world.peer.take_commands().iter().filter(|c| *c == "CAPA").count(), asked);
    }
}

#[test]
fn what_is_remembered_of_a_server_may_be_wrong() {
    let mut world = World::new(three());
    world.run(&Options::default(), vec![]);
    world.peer.put("d4", "Subject: d\r\n\r\nd\r\n");
    // It pipelined, and hangs up now on what is sent ahead.
    world.peer.behaviour.capabilities = vec!["UIDL", "TOP"];
    world.peer.behaviour.answers = vec![("CAPA", "rubbish")];
    let honest = Behaviour { capabilities: vec!["UIDL", "TOP"], ..Behaviour::default() };
    let (report, _) = world.run(&Options::default(), vec![world.peer.behaviour.clone(), honest]);
    assert_eq!((report.summary.downloaded, report.kinds.len()), (1, 0));
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

#[test]
fn files_of_a_run_that_was_killed_are_found_again() {
    let world = World::new(three());
    let (report, _) = world.run(&Options::default(), vec![]);
    // As after a death between files and rows, with a mail reader at work since.
    let db = rusqlite::Connection::open(world.dir.path().join("mail/.mailferry/state.db")).unwrap();
    db.execute_batch("DELETE FROM seen; UPDATE account SET unfinished = 1").unwrap();
    drop(db);
    let (from, inbox) = (&report.changed[0], world.dir.path().join("mail/INBOX"));
    let name = from.file_name().unwrap().to_str().unwrap();
    std::fs::rename(from, inbox.join("cur").join(format!("{name}:2,S"))).unwrap();
    let (report, _) = world.run(&delete(), vec![]);
    assert!(report.kinds.is_empty());
    assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), 0));
}

#[test]
fn a_disk_that_refuses_means_no_quit() {
    let mut world = World::new(three());
    world.peer.behaviour.expire_zero = true;
    // Where the folder should be there is a file.
    std::fs::create_dir_all(world.dir.path().join("mail")).unwrap();
    std::fs::write(world.dir.path().join("mail/INBOX"), "in the way").unwrap();
    let (report, _) = world.run(&Options::default(), vec![]);
    assert_eq!((report.summary.downloaded, world.on_server()), (0, 3));
    assert!(!report.kinds.is_empty());
    assert!(!world.peer.take_commands().contains(&"QUIT".to_owned()));
    std::fs::remove_file(world.dir.path().join("mail/INBOX")).unwrap();
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 3);
}

#[test]
fn a_server_that_gives_its_mail_in_parts() {
    // As Gmail: what was retrieved leaves the listing, so another session is worth it.
    let mut world = World::new(three());
    world.peer.behaviour.expire_zero = true;
    world.peer.behaviour.capabilities.push("X-GOOGLE-RICO");
    let (report, _) = world.run(&Options::default(), vec![]);
    assert_eq!((report.summary.downloaded, report.kinds.len()), (3, 0));
    assert_eq!(world.peer.take_commands().iter().filter(|c| c.starts_with("PASS")).count(), 2);
    // A second login that comes too soon is no failure.
    world.peer.put("d4", "Subject: d\r\n\r\nd\r\n");
    let soon = Behaviour { answers: vec![("PASS", "-ERR [LOGIN-DELAY] wait")], ..world.peer.behaviour.clone() };
    let (report, _) = world.run(&Options::default(), vec![world.peer.behaviour.clone(), soon]);
    assert_eq!((report.summary.downloaded, report.kinds.len()), (1, 0));
}

#[test]
fn refused_logins_are_not_repeated() {
    for (answer, kind) in
        [("-ERR no", Kind::Auth), ("-ERR [IN-USE] x", Kind::TryLater), ("-ERR [SYS/PERM] x", Kind::Protocol)]
    {
        let mut world = World::new(three());
        world.peer.behaviour.answers = vec![("PASS", answer)];
        let (report, told) = world.run(&Options::default(), vec![]);
        assert_eq!((report.kinds.as_slice(), told.len()), ([kind].as_slice(), 1));
        assert_eq!(world.peer.take_commands().iter().filter(|c| c.starts_with("PASS")).count(), 1);
    }
}
