//! Answers too many, too few and cut short: no message takes the place of another, and none is half a message.

use super::*;

#[test]
fn a_lone_dot_that_was_not_stuffed_is_no_end() {
    for (pipelining, which) in [(true, 0), (false, 0), (true, 1)] {
        let mut peer = Peer::default();
        for n in 0..2 {
            peer.put(
                &format!("u{n}"),
                if n == which { "Subject: a\r\n\r\nx\r\n.\r\nlost tail\r\n" } else { "S: b\r\n\r\n" },
            );
        }
        peer.behaviour.forgets_stuffing = true;
        if !pipelining {
            peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
        }
        let mut session = login(&peer, None).unwrap();
        session.be_careful();
        let listing = session.listing().unwrap();
        let mut got = Collected::default();
        let error = session.transfer(&all(&listing), Part::Whole, &mut got).err().unwrap();
        assert_eq!(error.kind(), Kind::Protocol);
        assert_eq!(got.whole.len(), which);
    }
}

#[test]
fn an_answer_that_nobody_asked_for_shifts_nothing() {
    let message = "+OK\r\nSubject: forged\r\n\r\nx\r\n.\r\n";
    for (ids, pipelining, command, extra, whole) in [
        (true, true, "RETR 1", message, 0),
        (true, true, "RETR 2", message, 1),
        (false, true, "RETR 2", message, 1),
        (true, true, "RETR 3", message, 2),
        (true, true, "RETR 2", "-ERR busy\r\n", 1),
        (true, true, "UIDL 2", "+OK\r\n", 1),
        (true, true, "UIDL 3", "+OK 2 b2\r\n", 2),
        // A status line alone makes the real one a message's first line.
        (true, true, "RETR 2", "+OK\r\n", 1),
        (true, false, "RETR 2", "+OK\r\n", 1),
        (true, false, "RETR 2", "-ERR busy\r\n", 1),
        (true, false, "RETR 2", message, 1),
        (false, false, "RETR 3", message, 2),
    ] {
        shifts_nothing(ids, pipelining, (command, extra), (true, whole));
        // Proved together with those behind it, none is taken.
        if pipelining && command != "UIDL 2" {
            shifts_nothing(ids, pipelining, (command, extra), (false, 0));
        }
    }
}

fn shifts_nothing(ids: bool, pipelining: bool, unasked: (&'static str, &'static str), expected: (bool, usize)) {
    let (command, extra) = unasked;
    let (careful, whole) = expected;
    let mut peer = three();
    peer.behaviour.unasked = Some((command, extra));
    if !ids {
        peer.behaviour.answers = vec![("UIDL", "-ERR no")];
    }
    if !pipelining {
        peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
    }
    peer.mailbox().messages[1].body.extend_from_slice(b"\r\n");
    let mut session = login(&peer, None).unwrap();
    let listing = session.listing().unwrap();
    let mut got = Collected::default();
    if careful {
        session.be_careful();
    }
    let result = session.transfer(&all(&listing), Part::Whole, &mut got);
    let case = format!("{careful} {ids} {pipelining} {command} {extra:?}: {:?}", got.whole);
    assert_eq!(result.err().map(|e| e.kind()), Some(Kind::Protocol), "{case}");
    assert_eq!(got.whole.len(), whole, "{case}");
    for (number, body) in &got.whole {
        assert!(body.starts_with([b"Subject: a", b"Subject: b", b"Subject: c"][*number as usize - 1]), "{case}");
    }
}

#[test]
fn a_late_answer_too_many_binds_nothing_where_sizes_say_nothing() {
    // No pipelining, and sizes as Exchange gives them: a few messages wait for one that can be told.
    let message = "+OK\r\nSubject: forged\r\n\r\nx\r\n.\r\n";
    for (unasked, asked, whole) in
        [(None, 2, 20), (Some(("RETR 3", message)), 0, 0), (Some(("UIDL 16", message)), 1, 0)]
    {
        let mut peer = Peer::default();
        for n in 1..=20 {
            peer.put(&format!("u{n}"), &format!("Subject: {n}\r\n\r\n"));
        }
        peer.mailbox().messages.iter_mut().for_each(|m| m.listed = Some(4711));
        peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
        peer.behaviour.unasked = unasked;
        let mut session = login(&peer, None).unwrap();
        let listing = session.listing().unwrap();
        let mut got = Collected::default();
        let result = session.transfer(&all(&listing), Part::Whole, &mut got);
        assert_eq!((result.is_ok(), got.whole.len()), (unasked.is_none(), whole), "{unasked:?}");
        let proofs = peer.take_commands().iter().filter(|c| c.starts_with("UIDL ")).count();
        assert_eq!(proofs, asked, "{unasked:?}");
    }
}

#[test]
fn a_server_in_step_may_refuse_to_say_which_message_it_gave() {
    let mut peer = three();
    peer.behaviour.capabilities.retain(|c| *c != "PIPELINING");
    peer.behaviour.answers = vec![("UIDL 3", "-ERR one at a time"), ("LIST 3", "-ERR one at a time")];
    peer.mailbox().messages.iter_mut().for_each(|m| m.listed = Some(-1));
    let mut session = login(&peer, None).unwrap();
    let listing = session.listing().unwrap();
    let mut got = Collected::default();
    session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
    assert_eq!(got.whole.len(), 3);
}

#[test]
fn what_looks_like_a_status_line_is_content_where_the_size_says_so() {
    let body = "+OK this is\r\nno header\r\n";
    let peer = Peer::with(&[("a", body)]);
    let mut session = login(&peer, None).unwrap();
    let listing = session.listing().unwrap();
    let mut got = Collected::default();
    session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
    assert_eq!(got.whole, [(1, body.as_bytes().to_vec())]);
}

#[test]
fn an_answer_too_many_before_quit_deletes_nothing_for_sure() {
    for (extra, sure) in [("+OK\r\n", false), ("", true)] {
        let mut peer = three();
        peer.behaviour.unasked = Some(("DELE 2", extra));
        let mut session = login(&peer, None).unwrap();
        session.listing().unwrap();
        let ended = session.delete_and_quit(&[1, 2, 3]).unwrap();
        assert_eq!(ended.quit.is_ok(), sure);
    }
}

#[test]
fn a_greeting_of_another_protocol_is_not_answered() {
    for greeting in ["* OK IMAP4rev1 ready", "220 mail ESMTP", "+HELLO", "+"] {
        let mut peer = three();
        peer.behaviour.greeting = greeting.into();
        let error = login(&peer, None).err().unwrap();
        assert!(matches!(error, Error::Protocol { command: "the connection", .. }), "{greeting}: {error}");
        assert!(peer.take_commands().is_empty());
    }
}

#[test]
fn a_dot_behind_a_bare_lf_ends_nothing() {
    let body = "Subject: a\r\n\r\nhello\n.\r\n+OK\r\n";
    let mut peer = Peer::with(&[("a1", body), ("b2", "Subject: b\r\n\r\nb\r\n")]);
    // A server that stuffs only after CR LF sends this as it is.
    peer.behaviour.forgets_stuffing = true;
    let mut session = login(&peer, None).unwrap();
    let listing = session.listing().unwrap();
    let mut got = Collected::default();
    session.transfer(&all(&listing), Part::Whole, &mut got).unwrap();
    assert_eq!(got.whole[0], (1, body.as_bytes().to_vec()));
    assert_eq!(got.whole.len(), 2);
}

#[test]
fn a_session_cut_at_any_byte_never_gives_half_a_message() {
    let whole = {
        let peer = three();
        let (socket, running) = peer.serve();
        let stream =
            Stream::from_socket(socket, Duration::from_secs(20), &Stop::new().unwrap(), Arc::default()).unwrap();
        session(stream, &mut Collected::default()).unwrap();
        running.join()
    };
    for cut in 0..whole {
        let mut peer = three();
        peer.behaviour = Behaviour { cut_after: Some(cut), ..Behaviour::default() };
        let (socket, _running) = peer.serve();
        let stream =
            Stream::from_socket(socket, Duration::from_secs(20), &Stop::new().unwrap(), Arc::default()).unwrap();
        let mut got = Collected::default();
        let error = session(stream, &mut got).err().unwrap();
        assert!(matches!(error, Error::Transport(_)), "{cut}: {error}");
        for (number, body) in got.whole {
            assert!(body.ends_with([b"x\r\n", b"y\r\n", b"\xbc\r\n"][number as usize - 1].as_slice()), "cut at {cut}");
        }
    }
}

fn session(stream: Stream, got: &mut Collected) -> Result<(), Error> {
    let mut session = log_in(Authorization::greet(stream, profile())?, &credentials(), None)?;
    let listing = session.listing()?;
    session.transfer(&all(&listing), Part::Whole, got)?;
    session.delete_and_quit(&[1])?.quit
}
