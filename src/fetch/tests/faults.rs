//! Accidents of every kind, then a healthy run: nothing lost, nothing twice.

use super::*;

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

#[test]
fn a_stamp_of_a_server_that_cannot_do_apop() {
    let stamped = |answers: &[(&'static str, &'static str)]| {
        let mut world = World::new(three());
        world.peer.behaviour.greeting = "+OK ready <1896.697170952@dbc.mtview.ca.us>".into();
        world.peer.behaviour.answers = answers.to_vec();
        world
    };
    let proofs = |world: &World| -> Vec<String> {
        let words: Vec<String> = world.peer.take_commands().iter().map(|c| c[..4].to_owned()).collect();
        words.into_iter().filter(|word| ["PASS", "APOP", "AUTH"].contains(&word.as_str())).collect()
    };
    // Offered the password once, and remembered.
    let world = stamped(&[("APOP", "-ERR [AUTH] authentication failure")]);
    for asked in [vec!["APOP", "PASS"], vec!["PASS"]] {
        let (report, told) = world.run(&Options::default(), vec![]);
        assert!(report.kinds.is_empty(), "{told:?}");
        assert_eq!(proofs(&world), asked);
    }
    // Neither is taken: that was it.
    let world = stamped(&[("APOP", "-ERR no"), ("PASS", "-ERR no")]);
    assert_eq!(world.run(&Options::default(), vec![]).0.kinds, [Kind::Auth]);
    assert_eq!(proofs(&world), ["APOP", "PASS"]);
    // Where it has worked the password is never sent.
    let mut world = stamped(&[]);
    world.run(&Options::default(), vec![]);
    assert_eq!(proofs(&world), ["APOP"]);
    world.peer.behaviour.answers = vec![("APOP", "-ERR no")];
    assert_eq!(world.run(&Options::default(), vec![]).0.kinds, [Kind::Auth]);
    assert_eq!(proofs(&world), ["APOP"]);
    // Busy is not refused.
    let world = stamped(&[("APOP", "-ERR [IN-USE] locked")]);
    assert_eq!(world.run(&Options::default(), vec![]).0.kinds, [Kind::TryLater]);
    assert_eq!(proofs(&world), ["APOP"]);
}
