//! Servers that re-use, repeat, change and leave out what they should not.

use super::*;

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
fn ids_of_equal_size_that_were_given_again_are_found_out() {
    let many = |first: char| -> Vec<(String, String)> {
        (0..6).map(|n| (format!("{n}"), format!("Subject: {first}\r\n\r\n{}\r\n", "x".repeat(n % 3)))).collect()
    };
    let fill = |mail: &[(String, String)]| {
        let peer = Peer::default();
        mail.iter().for_each(|(id, body)| peer.put(id, body));
        peer
    };
    // The mailbox was made anew: of six messages five have the old sizes, too.
    let mut world = World::new(fill(&many('a')));
    world.run(&Options::default(), vec![]);
    let mut anew = many('b');
    anew[2].1 = "Subject: another\r\n\r\n".into();
    world.peer = fill(&anew);
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 6);
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 0);
    assert_eq!(world.bodies().len(), 12);
    // The newest message was deleted, and what came next got its id and has its size.
    let world = World::new(fill(&many('a')));
    world.run(&Options::default(), vec![]);
    world.peer.mailbox().messages[5].body[9] = b'z';
    world.peer.put("6", "Subject: new\r\n\r\n");
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 2);
    assert_eq!(world.bodies().len(), 8);
    // Nothing shows it but the header, which `--full` compares.
    world.peer.mailbox().messages[0].body[9] = b'z';
    assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 0);
    assert_eq!(world.run(&Options { full: true, ..Options::default() }, vec![]).0.summary.downloaded, 1);
}

#[test]
fn another_port_of_the_server_costs_a_sample() {
    let peer = Peer::default();
    for n in 0..100 {
        peer.put(&format!("u{n}"), &format!("Subject: {n}\r\n\r\n"));
    }
    let world = World::new(peer);
    let run = |options: &Options| {
        let server = world.peer.listen(vec![]);
        let account = account(Protocol::Pop3, world.dir.path().join("mail"), server.port, world.timeout);
        world.peer.take_commands();
        let (report, _) = world.run_account(&account, options);
        let asked = |word: &str| world.peer.mailbox().commands.iter().filter(|c| c.starts_with(word)).count();
        (report.summary.downloaded, asked("TOP"), asked("RETR"))
    };
    assert_eq!(run(&Options::default()), (100, 0, 100));
    let dry = Options { dry_run: true, ..Options::default() };
    for options in [&dry, &Options::default(), &Options::default()] {
        assert_eq!(run(options), (0, 8, 0));
    }
    // Another server behind it, which counts its ids in the same way.
    for message in &mut world.peer.mailbox().messages {
        message.body[0] = b'T';
    }
    assert_eq!(run(&Options::default()), (100, 100, 100));
    assert_eq!(world.bodies().len(), 200);
    assert_eq!(run(&delete()), (0, 100, 0));
    assert_eq!(world.on_server(), 0);
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
