//! POP3 of Dovecot, Courier and Cyrus: the same promises on each.

use crate::support::dovecot::Dovecot;
use crate::support::ferry::{Ferry, Outcome};
use crate::support::local::Local;
use crate::support::mailbox::Mailbox;
use crate::support::message::flags;
use crate::support::other_servers::{Kind, OtherServer};

/// A user at one of the servers.
struct Rig {
    name: String,
    connect: Box<dyn Fn() -> Mailbox>,
    session: Mailbox,
    ferry: Ferry,
}

fn everywhere(hint: &str, test: impl Fn(&mut Rig)) {
    let begin = |name: &str, port: u16, user: &str, connect: Box<dyn Fn() -> Mailbox>| {
        let mut ferry = Ferry::pop3(port, user);
        ferry.set("auth", "\"plain\"");
        test(&mut Rig { name: name.to_owned(), session: connect(), connect, ferry });
    };
    let server = Dovecot::usual();
    let user = server.user(hint);
    let (at, name) = (server.clone(), user.clone());
    begin("Dovecot", server.ports.pop3, &user, Box::new(move || Mailbox::open(&at, &name)));
    for kind in [Kind::Courier, Kind::Cyrus] {
        let server = OtherServer::shared(kind);
        let user = server.user(hint);
        let (at, name) = (server.clone(), user.clone());
        begin(&format!("{kind:?}"), server.ports.1, &user, Box::new(move || at.mailbox(&name)));
    }
}

/// Bodies that careless clients change.
fn odd() -> Vec<Vec<u8>> {
    vec![
        b"Subject: dots\n\n.\n..\n...x\n.y\nend\n".to_vec(),
        b"Subject: 8bit\n\n\xff\xfe\xe4 raw\n".to_vec(),
        b"Subject: blanks \n\nend  \n\n\n".to_vec(),
        [b"Subject: long\n\n".as_slice(), &vec![b'x'; 200_000], b"\n"].concat(),
    ]
}

impl Rig {
    fn put(&mut self, body: &[u8]) {
        self.session.append("INBOX", body, &flags(""), 1_600_000_000);
    }

    #[track_caller]
    fn fetch(&self, more: &[&str]) -> Outcome {
        let outcome = self.ferry.json(&[&["fetch"], more].concat());
        assert_eq!(outcome.code, Some(0), "{}: {more:?} {outcome:?}", self.name);
        assert!(self.local().leftovers().is_empty());
        outcome
    }

    fn local(&self) -> Local {
        self.ferry.local()
    }

    fn stored(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = self.local().messages("INBOX").into_iter().map(|m| m.bytes).collect();
        all.sort();
        all
    }

    fn on_server(&self) -> usize {
        (self.connect)().messages("INBOX").len()
    }
}

#[test]
fn kept_kept_again_and_deleted() {
    everywhere("kept", |rig| {
        let mut bodies = odd();
        bodies.iter().for_each(|body| rig.put(body));
        let planned = rig.fetch(&["-n"]);
        assert_eq!((planned.events_of("planned").len(), rig.local().root.join("INBOX").exists()), (4, false));
        assert_eq!(rig.fetch(&[]).figure("downloaded"), 4, "{}", rig.name);
        bodies.sort();
        assert!(rig.stored() == bodies, "{}", rig.name);
        let again = rig.fetch(&[]);
        assert_eq!((again.figure("downloaded"), rig.on_server()), (0, 4), "{}", rig.name);
        // The first run learned what the server can do.
        // Dovecot takes all in one flight. Courier and Cyrus do not hear, or not in order, what comes behind a login.
        let trips = again.figure("round_trips");
        assert!(if rig.name == "Dovecot" { trips == 1 } else { trips <= 5 }, "{}: {again:?}", rig.name);
        let third = rig.fetch(&[]).figure("round_trips");
        assert!(third <= trips, "{}: {third} after {trips}", rig.name);
        assert_eq!(rig.fetch(&["--delete-after", "1h"]).figure("deleted_remote"), 0);
        let deleted = rig.fetch(&["--delete"]);
        assert_eq!((deleted.figure("downloaded"), deleted.figure("deleted_remote")), (0, 4), "{}", rig.name);
        assert_eq!((rig.on_server(), rig.stored().len()), (0, 4), "{}", rig.name);
        assert_eq!(rig.fetch(&[]).figure("downloaded"), 0);
    });
}

#[test]
fn limits_and_ages() {
    everywhere("limits", |rig| {
        odd().iter().for_each(|body| rig.put(body));
        let limited = rig.fetch(&["--limit", "1", "--max-size", "100K"]);
        assert_eq!((limited.figure("downloaded"), limited.figure("skipped")), (1, 3), "{}", rig.name);
        let small = rig.fetch(&["--max-size", "100K", "--delete"]);
        assert_eq!((small.figure("downloaded"), small.figure("deleted_remote"), small.figure("skipped")), (2, 3, 1));
        assert_eq!(rig.on_server(), 1, "{}", rig.name);
        assert_eq!(rig.fetch(&["--delete-after", "0s"]).figure("deleted_remote"), 1);
        assert_eq!((rig.on_server(), rig.stored().len()), (0, 4), "{}", rig.name);
    });
}

#[test]
fn a_lost_memory_and_equal_messages() {
    everywhere("again", |rig| {
        for _ in 0..2 {
            rig.put(b"Subject: twin\n\ntwin\n");
        }
        rig.put(b"Subject: other\n\nother\n");
        rig.fetch(&[]);
        std::fs::remove_dir_all(rig.local().root.join(".mailferry")).unwrap();
        rig.put(b"Subject: twin\n\ntwin\n");
        // Courier lists messages of one second in any order.
        let mut told: Vec<String> =
            rig.fetch(&["-n"]).events_of("planned").iter().map(|e| e["action"].to_string()).collect();
        told.sort();
        assert_eq!(told, ["\"compare\"", "\"compare\"", "\"compare\"", "\"download\""], "{}", rig.name);
        assert_eq!(rig.fetch(&[]).figure("downloaded"), 1, "{}", rig.name);
        assert_eq!(rig.fetch(&["--full"]).figure("downloaded"), 0, "{}", rig.name);
        assert_eq!((rig.stored().len(), rig.on_server()), (4, 4), "{}", rig.name);
        assert_eq!(rig.fetch(&["--delete"]).figure("deleted_remote"), 4, "{}", rig.name);
    });
}

#[test]
fn a_stamp_that_promises_too_much() {
    // Cyrus greets with one, and cannot do APOP where it does not know the passwords.
    let server = OtherServer::shared(Kind::Cyrus);
    let user = server.user("stamp");
    server.mailbox(&user).append("INBOX", b"Subject: x\n\nx\n", &flags(""), 1_600_000_000);
    let ferry = Ferry::pop3(server.ports.1, &user);
    let trips = [1, 0].map(|downloaded| {
        let outcome = ferry.json(&["fetch"]);
        outcome.assert_code(0);
        assert_eq!(outcome.figure("downloaded"), downloaded);
        outcome.figure("round_trips")
    });
    assert!(trips[1] < trips[0], "{trips:?}");
}
