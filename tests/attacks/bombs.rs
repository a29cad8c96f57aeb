//! Compressed answers that grow without end: bounded memory, and the run ends.

use super::stand::{relay, survive_small, unguarded};
use crate::support::peer::{Conversation, Handler, Peer};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use std::io::{Result, Write};
use std::time::Duration;

/// Half a gigabyte of this text, in half a megabyte.
fn bomb(lead: &str, more: &[u8]) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(lead.as_bytes()).expect("deflate");
    let piece = more.repeat((1 << 20) / more.len());
    for _ in 0..512 {
        deflate.write_all(&piece).expect("deflate");
    }
    deflate.flush().expect("deflate");
    deflate.get_ref().clone()
}

/// A line slow enough to want compression; once it has it, the bomb.
fn serving(bomb: Vec<u8>, exploded: std::sync::mpsc::Sender<()>) -> Handler {
    let exploded = std::sync::Mutex::new(exploded);
    Box::new(move |c: &mut Conversation| -> Result<()> {
        let body = "x".repeat(70) + "\r\n";
        c.send("* OK [CAPABILITY IMAP4rev1 COMPRESS=DEFLATE] hi\r\n")?;
        loop {
            let command = c.command()?;
            let line = command.line.to_ascii_uppercase();
            if line.contains("COMPRESS") {
                c.answer("{tag} OK\r\n")?;
                exploded.lock().expect("lock").send(()).ok();
                while c.send(&bomb).is_ok() {
                    std::thread::yield_now();
                }
                return Ok(());
            }
            let mut data = match line.split(' ').nth(1).unwrap_or_default() {
                "LIST" => "* LIST () \"/\" INBOX\r\n".to_owned(),
                "SELECT" | "EXAMINE" => "* 40 EXISTS\r\n* OK [UIDVALIDITY 1] .\r\n* OK [UIDNEXT 41] .\r\n".to_owned(),
                "CAPABILITY" => "* CAPABILITY IMAP4rev1 COMPRESS=DEFLATE\r\n".to_owned(),
                _ => String::new(),
            };
            if line.contains("BODY.PEEK[]") {
                // Slower than three megabytes a second: the pause is the line's slowness, and waits for nothing.
                let text = body.repeat((1 << 20) / body.len());
                for uid in wanted(&line) {
                    let head = format!(
                        "* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" BODY[] {{{}}}\r\n",
                        text.len()
                    );
                    c.send(format!("{head}{text})\r\n"))?;
                    std::thread::sleep(Duration::from_millis(400));
                }
            } else if line.contains("FETCH") {
                for uid in 1..=40 {
                    data += &format!(
                        "* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE \"01-Jan-2020 00:00:00 +0000\" RFC822.SIZE 1048536)\r\n"
                    );
                }
            }
            c.answer(&format!("{data}{{tag}} OK\r\n"))?;
        }
    })
}

/// The UIDs of a `UID FETCH a:b,c …`.
fn wanted(line: &str) -> Vec<u32> {
    let set = line.split(' ').nth(3).unwrap_or_default();
    set.split(',')
        .flat_map(|range| {
            let (a, b) = range.split_once(':').unwrap_or((range, range));
            a.parse::<u32>().unwrap_or(1)..=b.parse::<u32>().unwrap_or(40)
        })
        .collect()
}

#[test]
fn deflate_bombs() {
    // The line has to be slow for some seconds before compression is asked for: they wait side by side.
    std::thread::scope(|scope| {
        for (lead, more) in [
            ("* OK ", &b"xxxxxxxxxxxxxxxx"[..]),
            ("* LIST () \"/\" ", b"(((((((((((((((("),
            ("", b"* OK [ALERT] again and again and again\r\n"),
        ] {
            scope.spawn(move || {
                let (tell, told) = std::sync::mpsc::channel();
                let peer = Peer::start(vec![serving(bomb(lead, more), tell)]);
                let mut ferry = unguarded(peer.port());
                ferry.set("tunnel", &format!("{:?}", relay(peer.port())));
                ferry.set("connections", "1");
                survive_small(&ferry, &["sync"], &[69, 75]);
                assert!(told.try_recv().is_ok(), "compression was never asked for");
            });
        }
    });
}
