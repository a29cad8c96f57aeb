//! POP3 against a real Dovecot: exact bytes, and what each option does.

use crate::support::ferry::Outcome;
use crate::support::message::flags;
use crate::support::rig::Rig;

/// Bodies that careless clients change.
fn odd() -> Vec<Vec<u8>> {
    let mut all = vec![
        b"Subject: dots\n\n.\n..\n...x\n.y\nend\n".to_vec(),
        b"Subject: 8bit\n\n\xff\xfe\xe4 raw\n".to_vec(),
        b"Subject: cr\n\na\rb\n".to_vec(),
        b"Subject: blanks \n\nend  \n\n\n".to_vec(),
        b"\nno header\n".to_vec(),
    ];
    all.push([b"Subject: long\n\n".as_slice(), &vec![b'x'; 200_000], b"\n"].concat());
    all
}

#[track_caller]
fn fetch(rig: &Rig, more: &[&str]) -> Outcome {
    let mut args = vec!["fetch"];
    args.extend(more);
    let outcome = rig.ferry.json(&args);
    outcome.assert_code(0);
    assert!(rig.local().leftovers().is_empty());
    outcome
}

fn filled(hint: &str, bodies: &[Vec<u8>]) -> Rig {
    let rig = Rig::pop3(hint);
    let mut session = rig.mailbox();
    for body in bodies {
        session.append("INBOX", body, &flags(""), 1_600_000_000);
    }
    rig
}

fn stored(rig: &Rig) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = rig.local().messages("INBOX").into_iter().map(|m| m.bytes).collect();
    all.sort();
    all
}

fn on_server(rig: &Rig) -> usize {
    rig.remote()["INBOX"].len()
}

#[test]
fn odd_messages_come_exactly_and_once() {
    let mut bodies = odd();
    let mut rig = filled("odd", &bodies);
    rig.ferry.set("auth", "\"plain\"");
    assert_eq!(fetch(&rig, &[]).figure("downloaded"), 6);
    bodies.sort();
    assert!(stored(&rig) == bodies);
    // Login, UIDL and LIST go out at once.
    let again = fetch(&rig, &[]);
    assert_eq!((again.figure("downloaded"), again.figure("round_trips")), (0, 1));
    assert_eq!(on_server(&rig), 6);
    assert_eq!(fetch(&rig, &["--delete"]).figure("deleted_remote"), 6);
    assert_eq!((on_server(&rig), stored(&rig).len()), (0, 6));
    assert_eq!(fetch(&rig, &[]).figure("downloaded"), 0);
}

#[test]
fn crlf_on_disk_is_the_wire() {
    let mut rig = filled("crlf", &odd()[..1]);
    rig.ferry.set("line_endings", "\"crlf\"");
    fetch(&rig, &[]);
    let file = std::fs::read_dir(rig.local().dir("INBOX").join("new")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read(file).unwrap(), b"Subject: dots\r\n\r\n.\r\n..\r\n...x\r\n.y\r\nend\r\n");
}

#[test]
fn options_leave_what_they_should() {
    let rig = filled("options", &odd());
    let planned = fetch(&rig, &["-n", "--delete"]);
    assert_eq!((planned.events_of("planned").len(), on_server(&rig)), (12, 6));
    let limited = fetch(&rig, &["--limit", "2", "--max-size", "100K"]);
    assert_eq!((limited.figure("downloaded"), limited.figure("skipped")), (2, 4));
    assert_eq!(fetch(&rig, &["--max-size", "100K", "--delete"]).figure("deleted_remote"), 5);
    assert_eq!(on_server(&rig), 1);
    assert_eq!(fetch(&rig, &["--delete-after", "1h"]).figure("deleted_remote"), 0);
    assert_eq!((fetch(&rig, &["--delete-after", "0s"]).figure("deleted_remote"), on_server(&rig)), (1, 0));
    assert_eq!(stored(&rig).len(), 6);
}
