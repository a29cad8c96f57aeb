//! The line cut after every byte of a session, either way, and each command refused: whatever dies, the next run completes it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Waits are short, and most of the time is spent in them.
const THREADS: usize = 8;

/// Calls `test` with each number below `end`, on several threads.
fn for_each_below(end: usize, test: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let at = next.fetch_add(1, Ordering::Relaxed)
                    && at < end
                {
                    test(at);
                }
            });
        }
    });
}

/// A world whose server does or does not pipeline.
fn world(pipelining: bool) -> World {
    let mut peer = three();
    if !pipelining {
        peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
    }
    World { timeout: Duration::from_millis(100), ..World::new(peer) }
}

/// How many bytes the server sends and hears in a session that nothing disturbs.
fn length(pipelining: bool, deletes: bool) -> (usize, usize) {
    let world = World { timeout: Duration::from_secs(20), ..world(pipelining) };
    let server = world.peer.listen(vec![]);
    let mut account = account(Protocol::Pop3, world.dir.path().join("mail"), server.port, world.timeout);
    account.endpoint.host = "localhost".into();
    world.run_account(&account, &mode(deletes));
    // Its session has ended when the listener has.
    drop(server);
    world.peer.mailbox().longest
}

fn mode(deletes: bool) -> Options {
    if deletes { delete() } else { Options::default() }
}

/// One ordinary run that must complete everything.
#[track_caller]
fn settle(world: World, deletes: bool, what: &str) {
    let world = World { timeout: Duration::from_secs(20), ..world };
    let (report, told) = world.run(&mode(deletes), vec![]);
    assert!(report.kinds.is_empty(), "{what}: {told:?}");
    let left = if deletes { 0 } else { 3 };
    assert_eq!((world.bodies(), world.on_server()), (ALL_THREE.map(str::to_owned).to_vec(), left), "{what}");
    assert_eq!(world.run(&mode(deletes), vec![]).0.summary.downloaded, 0, "{what}");
}

/// A session cut as `behaviour` says, and what follows.
fn cut(pipelining: bool, deletes: bool, behaviour: Behaviour) {
    let what =
        format!("deletes {deletes}, pipelining {pipelining}, {:?} {:?}", behaviour.cut_after, behaviour.deaf_after);
    let world = world(pipelining);
    let dying = Behaviour { capabilities: world.peer.behaviour.capabilities.clone(), ..behaviour };
    let (report, told) = world.run(&mode(deletes), vec![dying]);
    // The line works again at once: mostly the same run gets over it.
    assert!(report.kinds.iter().all(|kind| *kind == Kind::TryLater), "{what}: {told:?}");
    let bodies = world.bodies();
    assert!(bodies.iter().all(|body| ALL_THREE.contains(&body.as_str())) && bodies.len() <= 3, "{what}: {bodies:?}");
    assert!(bodies.len() + world.on_server() >= 3, "lost: {what}");
    assert!(deletes || world.on_server() == 3, "deleted: {what}");
    settle(world, deletes, &what);
}

#[test]
fn cut_after_every_byte_nothing_is_lost_or_doubled() {
    for (pipelining, deletes) in [(true, true), (true, false), (false, true)] {
        let (sent, _) = length(pipelining, deletes);
        assert!(sent > 200, "{sent}");
        for_each_below(sent, |at| cut(pipelining, deletes, Behaviour { cut_after: Some(at), ..Behaviour::default() }));
    }
}

#[test]
fn deaf_after_every_byte_nothing_is_lost_or_doubled() {
    for deletes in [true, false] {
        let (_, heard) = length(true, deletes);
        assert!(heard > 60, "{heard}");
        for_each_below(heard, |at| cut(true, deletes, Behaviour { deaf_after: Some(at), ..Behaviour::default() }));
    }
}

#[test]
fn a_line_that_always_breaks_at_the_same_byte() {
    let (sent, _) = length(true, true);
    for_each_below(sent / 23, |at| {
        let at = at * 23;
        let world = World { timeout: Duration::from_millis(60), ..World::new(three()) };
        let dying = Behaviour { cut_after: Some(at), ..Behaviour::default() };
        let (report, _) = world.run(&delete(), vec![dying; 40]);
        assert!(world.on_server() == 0 || !report.kinds.is_empty(), "{at}");
        settle(world, true, &at.to_string());
    });
}

#[test]
fn each_command_refused_once() {
    // What only one message concerns is told, and the others go on; what is optional is done without.
    let exits: [(&str, Option<Kind>, Option<Kind>); 11] = [
        ("CAPA", None, None),
        ("USER", Some(Kind::Auth), Some(Kind::Auth)),
        ("PASS", Some(Kind::Auth), Some(Kind::Auth)),
        ("UIDL", None, None),
        ("LIST", None, None),
        ("RETR", Some(Kind::Protocol), Some(Kind::Protocol)),
        ("RETR 1", Some(Kind::Protocol), Some(Kind::Protocol)),
        ("TOP", None, None),
        ("DELE", Some(Kind::Protocol), None),
        ("DELE 2", Some(Kind::Protocol), None),
        ("QUIT", Some(Kind::Protocol), None),
    ];
    for (command, when_deleting, when_keeping) in exits {
        for (deletes, kind) in [(true, when_deleting), (false, when_keeping)] {
            let what = format!("{command}, deletes {deletes}");
            let world = World { timeout: Duration::from_millis(500), ..World::new(three()) };
            let (report, told) = world.run(&mode(deletes), vec![answers(&[(command, "-ERR no")])]);
            assert_eq!(report.kinds.first().copied(), kind, "{what}: {told:?}");
            assert!(world.bodies().len() + world.on_server() >= 3, "{what}");
            settle(world, deletes, &what);
        }
    }
}

#[test]
fn sizes_that_are_wrong_cost_nothing() {
    for pipelining in [true, false] {
        for sizes in [[-1, -1, -1], [0, 0, 0], [1, 1, 1], [4_000_000_000, 1, 21], [9_223_372_036_854_775_807, 0, -5]] {
            let mut peer = three();
            if !pipelining {
                peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
            }
            for (message, size) in peer.mailbox().messages.iter_mut().zip(sizes) {
                message.listed = Some(size);
            }
            let world = World::new(peer);
            assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 3, "{sizes:?}");
            // And other ones the next time.
            world.peer.mailbox().messages.iter_mut().for_each(|message| message.listed = Some(77));
            assert_eq!(world.run(&Options::default(), vec![]).0.summary.downloaded, 0, "{sizes:?}");
            settle(world, true, &format!("{sizes:?}"));
        }
    }
}
