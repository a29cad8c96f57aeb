//! A small raw IMAP client that arranges and inspects what a server holds.
//!
//! Folder names are plain UTF-8 with `/` between levels, without the namespace prefix, whatever the server uses.

use super::clock;
use super::dovecot::{Dovecot, PASSWORD};
use super::message::{Flags, Msg, Snapshot, flags_of_imap, imap_names, wire_lines};
use super::mutf7;
use super::response::{self, Response, Value};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A session of one user.
pub struct Mailbox {
    reader: BufReader<TcpStream>,
    next: u32,
    selected: Option<String>,
    separator: char,
    prefix: &'static str,
    plain: bool,
}

impl Mailbox {
    /// Logs `user` in.
    ///
    /// # Panics
    /// On every failure, as all methods here do: the text names command and answer.
    pub fn open(server: &Dovecot, user: &str) -> Self {
        let mut session = Self::connect(server.imap(), server.options.separator, server.options.prefix);
        session.command(&format!("LOGIN {user} {PASSWORD}"));
        session
    }

    /// A session before login.
    pub fn connect(at: SocketAddr, separator: char, prefix: &'static str) -> Self {
        let stream = TcpStream::connect(at).unwrap_or_else(|e| panic!("{at}: {e}"));
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
        stream.set_nodelay(true).expect("nodelay");
        let mut session =
            Self { reader: BufReader::new(stream), next: 0, selected: None, separator, prefix, plain: false };
        let greeting = response::read(&mut session.reader).expect("a greeting");
        assert!(greeting.line.starts_with("* OK"), "{}", greeting.line);
        session
    }

    /// Does without LITERAL+, UNSELECT and MOVE.
    #[must_use]
    pub fn plainly(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Sends one command and returns the untagged responses of its OK.
    pub fn command(&mut self, text: &str) -> Vec<Response> {
        match self.try_command(text) {
            Ok(responses) => responses,
            Err(answer) => panic!("{text}: {answer}"),
        }
    }

    /// The same; NO and BAD come back as their line.
    pub fn try_command(&mut self, text: &str) -> Result<Vec<Response>, String> {
        let tag = self.send(text.as_bytes());
        self.answer(&tag)
    }

    fn send(&mut self, text: &[u8]) -> String {
        self.next += 1;
        let tag = format!("t{}", self.next);
        let mut line = format!("{tag} ").into_bytes();
        line.extend_from_slice(text);
        line.extend_from_slice(b"\r\n");
        self.reader.get_mut().write_all(&line).expect("write");
        tag
    }

    fn answer(&mut self, tag: &str) -> Result<Vec<Response>, String> {
        let mut all = Vec::new();
        loop {
            let response = response::read(&mut self.reader).map_err(|e| e.to_string())?;
            match response.line.strip_prefix(tag).and_then(|r| r.strip_prefix(' ')) {
                Some(rest) if rest.starts_with("OK") => return Ok(all),
                Some(rest) => return Err(rest.to_owned()),
                None => all.push(response),
            }
        }
    }

    fn wire_name(&self, folder: &str) -> String {
        if folder == "INBOX" {
            return "\"INBOX\"".into();
        }
        let levels: Vec<_> = folder.split('/').map(mutf7::encode).collect();
        let name = format!("{}{}", self.prefix, levels.join(&self.separator.to_string()));
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    }

    /// Creates a folder; one that is there already is fine.
    pub fn create(&mut self, folder: &str) {
        let name = self.wire_name(folder);
        match self.try_command(&format!("CREATE {name}")) {
            Err(no) if !no.contains("ALREADYEXISTS") => panic!("CREATE {name}: {no}"),
            _ => {}
        }
    }

    /// Deletes a folder.
    pub fn remove(&mut self, folder: &str) {
        self.unselect();
        let name = self.wire_name(folder);
        self.command(&format!("DELETE {name}"));
    }

    /// Renames a folder.
    pub fn rename(&mut self, folder: &str, to: &str) {
        self.unselect();
        let (from, to) = (self.wire_name(folder), self.wire_name(to));
        self.command(&format!("RENAME {from} {to}"));
    }

    /// Subscribes to a folder.
    pub fn subscribe(&mut self, folder: &str) {
        let name = self.wire_name(folder);
        self.command(&format!("SUBSCRIBE {name}"));
    }

    fn unselect(&mut self) {
        if self.plain {
            self.select("INBOX");
        } else if self.selected.take().is_some() {
            self.command("UNSELECT");
        }
    }

    /// Opens a folder for the commands on messages; nothing is sent if it is open.
    pub fn select(&mut self, folder: &str) {
        if self.selected.as_deref() != Some(folder) {
            self.selected = None;
            let name = self.wire_name(folder);
            self.command(&format!("SELECT {name}"));
            self.selected = Some(folder.to_owned());
        }
    }

    /// Stores a message; lone LF becomes CRLF. Returns its UID.
    pub fn append(&mut self, folder: &str, bytes: &[u8], flags: &Flags, date: i64) -> u32 {
        let bytes = wire_lines(bytes);
        let head = format!(
            "APPEND {} ({}) \"{}\" {{{}{}}}",
            self.wire_name(folder),
            imap_names(flags).join(" "),
            clock::internal_date(date),
            bytes.len(),
            if self.plain { "" } else { "+" }
        );
        let tag = self.send(head.as_bytes());
        while self.plain && !response::read(&mut self.reader).expect("a continuation").line.starts_with('+') {}
        let stream = self.reader.get_mut();
        stream.write_all(&bytes).and_then(|()| stream.write_all(b"\r\n")).expect("write");
        loop {
            let response = response::read(&mut self.reader).expect("an answer to APPEND");
            if let Some(rest) = response.line.strip_prefix(&format!("{tag} ")) {
                let uid = rest.split_once("[APPENDUID ").and_then(|(_, r)| r.split(' ').nth(1));
                let uid = uid.and_then(|u| u.split(']').next()).and_then(|u| u.parse().ok());
                return uid.unwrap_or_else(|| panic!("APPEND to {folder}: {rest}"));
            }
        }
    }

    /// Sets exactly these flags.
    pub fn store(&mut self, folder: &str, uid: u32, flags: &Flags) {
        self.select(folder);
        self.command(&format!("UID STORE {uid} FLAGS.SILENT ({})", imap_names(flags).join(" ")));
    }

    /// Copies a message, if it is there: a server says OK to a UID that is gone.
    pub fn copy(&mut self, folder: &str, uid: u32, to: &str) -> bool {
        self.select(folder);
        let to = self.wire_name(to);
        let is_there = !self.command(&format!("UID FETCH {uid} (UID)")).is_empty();
        self.command(&format!("UID COPY {uid} {to}"));
        is_there
    }

    /// Moves a message.
    pub fn mv(&mut self, folder: &str, uid: u32, to: &str) {
        if self.plain {
            self.copy(folder, uid, to);
            return self.delete(folder, uid);
        }
        self.select(folder);
        let to = self.wire_name(to);
        self.command(&format!("UID MOVE {uid} {to}"));
    }

    /// Deletes a message for good.
    pub fn delete(&mut self, folder: &str, uid: u32) {
        self.select(folder);
        self.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"));
        self.command(&format!("UID EXPUNGE {uid}"));
    }

    /// Every folder that can hold messages, with its attributes.
    pub fn folders(&mut self) -> Vec<(String, Vec<String>)> {
        let pattern = format!("LIST \"\" \"{}*\"", self.prefix);
        let mut answers = self.command(&pattern);
        if !self.prefix.is_empty() {
            answers.extend(self.command("LIST \"\" INBOX"));
        }
        let mut out = Vec::new();
        for answer in answers.iter().filter(|r| r.line.starts_with("* LIST ")) {
            let attributes: Vec<_> = answer.values[2].list().iter().map(Value::text).collect();
            let name = self.plain_name(&answer.values[4].text());
            let absent = ["\\Noselect", "\\NonExistent"];
            if !attributes.iter().any(|a| absent.iter().any(|b| a.eq_ignore_ascii_case(b))) {
                out.push((name, attributes));
            }
        }
        out.sort();
        out.dedup();
        out
    }

    fn plain_name(&self, wire: &str) -> String {
        if wire.eq_ignore_ascii_case("INBOX") {
            return "INBOX".into();
        }
        let inner = wire.strip_prefix(self.prefix).unwrap_or(wire);
        let levels: Vec<_> = inner.split(self.separator).map(mutf7::decode).collect();
        levels.join("/")
    }

    /// The messages of one folder, in UID order.
    pub fn messages(&mut self, folder: &str) -> Vec<Msg> {
        self.select(folder);
        let mut out = Vec::new();
        for response in self.command("UID FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])") {
            let Some(Value::List(pairs)) = response.values.get(3) else { continue };
            let after = |key: &str| Response::after(pairs, key);
            let (Some(uid), Some(bytes)) = (after("UID"), after("BODY[]")) else { continue };
            let names: Vec<_> = after("FLAGS").map(Value::list).unwrap_or_default().iter().map(Value::text).collect();
            let date = after("INTERNALDATE").map(Value::text).unwrap_or_default();
            out.push(Msg {
                place: uid.text(),
                flags: flags_of_imap(&names),
                date: clock::parse_internal_date(&date).unwrap_or_else(|| panic!("INTERNALDATE {date}")),
                bytes: bytes.bytes(),
            });
        }
        out.sort_by_key(Msg::uid);
        out
    }

    /// Everything the user has.
    pub fn snapshot(&mut self) -> Snapshot {
        self.folders().into_iter().map(|(name, _)| (name.clone(), self.messages(&name))).collect()
    }
}

/// Everything a user has on a server, by a session of its own.
pub fn snapshot(server: &Dovecot, user: &str) -> Snapshot {
    Mailbox::open(server, user).snapshot()
}

#[cfg(test)]
mod tests {
    use super::super::dovecot::Options;
    use super::super::message::{flags, unix_lines};
    use super::*;

    #[test]
    fn bytes_flags_dates_and_names_come_back() {
        let mut other = Options { separator: '.', prefix: "INBOX.", ..Options::default() };
        other.without.insert("MOVE");
        for options in [Options::default(), other] {
            let server = Dovecot::shared(&options);
            let user = server.user("raw");
            let mut box_ = Mailbox::open(&server, &user);
            for folder in ["Entwürfe & mehr", "A/B/日本", "say \"hi\""] {
                box_.create(folder);
            }
            let odd = if options.separator == '/' { ["v1.2", "a.b/c.d"] } else { ["cur", "x/new"] };
            let odd = ["50%", "a~b", "back\\slash"].iter().chain(&odd);
            for folder in odd.clone() {
                box_.create(folder);
                assert!(box_.folders().iter().any(|(name, _)| name == folder), "{folder}");
                box_.remove(folder);
            }
            let body = b"Subject: x\n\n\xff\x80 8-bit\n.\n..\nno end".to_vec();
            let uid = box_.append("A/B/日本", &body, &flags("FS work"), 1_000_000_000);
            box_.copy("A/B/日本", uid, "Entwürfe & mehr");
            box_.mv("A/B/日本", uid, "say \"hi\"");
            let gone = box_.append("INBOX", b"gone\n", &flags(""), 7);
            box_.delete("INBOX", gone);
            let all = snapshot(&server, &user);
            let names: Vec<_> = all.keys().map(String::as_str).collect();
            assert_eq!(names, ["A/B/日本", "Entwürfe & mehr", "INBOX", "Trash", "say \"hi\""]);
            assert!(all["INBOX"].is_empty() && all["A/B/日本"].is_empty());
            let copy = &all["say \"hi\""][0];
            assert_eq!(unix_lines(&copy.bytes), body);
            assert_eq!((copy.flags.clone(), copy.date), (flags("FS work"), 1_000_000_000));
            assert_eq!(all["Entwürfe & mehr"][0].bytes, copy.bytes);
            box_.store("say \"hi\"", copy.uid(), &flags("RT"));
            assert_eq!(box_.messages("say \"hi\"")[0].flags, flags("RT"));
            box_.rename("Entwürfe & mehr", "Neu");
            box_.remove("Neu");
            assert!(!box_.folders().iter().any(|(n, _)| n == "Neu"));
        }
    }
}
