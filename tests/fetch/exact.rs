//! Bytes that hardly a server gives, and a message larger than the memory that we may use.

use crate::support::fake_pop3::{FakePop3, Maildrop, Message};
use crate::support::ferry::{Ferry, Running};
use crate::support::peer::{Conversation, Handler, Peer};
use std::process::Command;
use std::time::Duration;

#[test]
fn every_byte_of_an_odd_message() {
    let bodies: [&[u8]; 8] = [
        b"Subject: nul\r\n\r\na\0b\0\0\r\n",
        b"Subject: no last line end\r\n\r\nend",
        b"Subject: lone cr\r\n\r\na\rb\r\rc\r\n",
        b"Subject: 8 bit \xff\xfe\r\n\r\n\x80\x81\xfe\xff\r\n",
        b".dot first: x\r\n\r\n.\r\n..\r\n",
        b"Subject: only a header\r\n",
        b"\xef\xbb\xbfSubject: bom\r\n\r\nx\r\n",
        b"From me Mon Jan  1 00:00:00 2024\r\nSubject: mbox\r\n\r\nx\r\n",
    ];
    for pipelining in [true, false] {
        let mut maildrop = Maildrop::default();
        for (n, body) in bodies.iter().enumerate() {
            maildrop.messages.push(Message { uidl: format!("u{n}"), bytes: body.to_vec() });
        }
        if !pipelining {
            maildrop.capabilities.retain(|c| c != "PIPELINING");
        }
        let fake = FakePop3::start(maildrop);
        let mut ferry = Ferry::pop3(fake.port(), "me");
        ferry.set("line_endings", "\"crlf\"");
        let outcome = ferry.json(&["fetch"]);
        outcome.assert_code(0);
        assert_eq!(outcome.figure("downloaded"), 8);
        let mut wanted: Vec<Vec<u8>> = bodies.iter().map(|b| b.to_vec()).collect();
        // The terminator of a POP3 answer stands on a line of its own.
        wanted[1].extend_from_slice(b"\r\n");
        let folder = ferry.local().dir("INBOX").join("new");
        let mut got: Vec<Vec<u8>> =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        wanted.sort();
        got.sort();
        assert!(got == wanted, "pipelining {pipelining}: {got:?}");
        ferry.json(&["fetch", "--delete"]).assert_code(0);
        assert!(fake.maildrop().messages.is_empty());
    }
}

const LARGE: usize = 192 << 20;

/// A server that makes up one message of `LARGE` bytes as it sends it.
fn endless() -> Peer {
    let line = [b'x'; 76];
    let chunk: Vec<u8> = [line.as_slice(), b"\r\n"].concat().repeat(1024);
    let serve = move |c: &mut Conversation| -> std::io::Result<()> {
        c.send("+OK ready\r\n")?;
        while let Ok(command) = c.command() {
            match command.line.split(' ').next().unwrap_or_default() {
                "CAPA" => c.send("+OK\r\nUIDL\r\nTOP\r\nUSER\r\n.\r\n")?,
                "UIDL" => c.send("+OK\r\n1 large\r\n.\r\n")?,
                "LIST" => c.send(format!("+OK\r\n1 {LARGE}\r\n.\r\n"))?,
                "RETR" => {
                    let head = "Subject: large\r\n\r\n";
                    c.send(format!("+OK\r\n{head}"))?;
                    let mut left = LARGE - head.len() - 2;
                    while left > 0 {
                        let part = left.min(chunk.len());
                        c.send(&chunk[..part])?;
                        left -= part;
                    }
                    c.send("\r\n.\r\n")?;
                }
                _ => c.send("+OK\r\n")?,
            }
        }
        Ok(())
    };
    let handler: Handler = Box::new(serve);
    Peer::start(vec![handler])
}

#[test]
fn a_message_larger_than_the_memory_that_we_may_use() {
    let peer = endless();
    let ferry = Ferry::pop3(peer.port(), "me");
    // What a process may allocate, in KiB.
    let mut command = Command::new("sh");
    let script = "ulimit -d 65536 && exec \"$0\" fetch --json";
    ferry.dress(command.args(["-c", script]).arg(Ferry::binary()));
    let outcome = Running::new(command).finish(Duration::from_secs(170));
    outcome.assert_code(0);
    assert_eq!(outcome.figure("downloaded"), 1);
    let folder = ferry.local().dir("INBOX").join("new");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    // Each line end is a byte shorter on disk.
    let size = file.metadata().unwrap().len();
    assert!(size < LARGE as u64 && size > (LARGE - LARGE / 60) as u64, "{size}");
}
