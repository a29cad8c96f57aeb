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
