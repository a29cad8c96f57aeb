//! A message as either side holds it, and how two sides are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Flags as text: `D F P R S T` as in a Maildir name (`P` is `$Forwarded`), a keyword as itself in lower case.
pub type Flags = BTreeSet<String>;

/// The IMAP names of the six flags with letters.
pub const LETTERS: [(char, &str); 6] = [
    ('D', "\\Draft"),
    ('F', "\\Flagged"),
    ('P', "$Forwarded"),
    ('R', "\\Answered"),
    ('S', "\\Seen"),
    ('T', "\\Deleted"),
];

/// One message of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msg {
    /// UID on a server, path in a Maildir.
    pub place: String,
    pub flags: Flags,
    /// INTERNALDATE, or the file's time: seconds since 1970.
    pub date: i64,
    pub bytes: Vec<u8>,
}

impl Msg {
    /// The UID, for a message from a server.
    pub fn uid(&self) -> u32 {
        self.place.parse().unwrap_or_else(|_| panic!("{} is no UID", self.place))
    }

    /// Content with every line end as LF, so that both sides compare.
    pub fn content(&self) -> Vec<u8> {
        unix_lines(&self.bytes)
    }
}

/// All folders of one side, names with `/` between levels and `INBOX` in capitals.
pub type Snapshot = BTreeMap<String, Vec<Msg>>;

/// CRLF as LF; a lone CR stays.
pub fn unix_lines(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (i, b) in bytes.iter().enumerate() {
        if *b == b'\r' && bytes.get(i + 1) == Some(&b'\n') {
            continue;
        }
        out.push(*b);
    }
    out
}

/// Every lone LF as CRLF: the form that goes over the wire.
pub fn wire_lines(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 40);
    let mut last = 0;
    for b in bytes {
        if *b == b'\n' && last != b'\r' {
            out.push(b'\r');
        }
        out.push(*b);
        last = *b;
    }
    out
}

/// The flags of a list of IMAP names; `\Recent` is left out.
pub fn flags_of_imap<S: AsRef<str>>(names: &[S]) -> Flags {
    names
        .iter()
        .map(AsRef::as_ref)
        .filter(|n| !n.eq_ignore_ascii_case("\\Recent"))
        .map(|n| {
            let letter = LETTERS.iter().find(|(_, imap)| imap.eq_ignore_ascii_case(n));
            letter.map_or_else(|| n.to_ascii_lowercase(), |(c, _)| c.to_string())
        })
        .collect()
}

/// The IMAP names of flags.
pub fn imap_names(flags: &Flags) -> Vec<String> {
    let name = |f: &String| {
        let letter = LETTERS.iter().find(|(c, _)| f.len() == 1 && f.starts_with(*c));
        letter.map_or_else(|| f.clone(), |(_, imap)| (*imap).to_owned())
    };
    flags.iter().map(name).collect()
}

/// Flags from their letters, for tests: `flags("FS")`, `flags("S work todo")`.
pub fn flags(text: &str) -> Flags {
    let mut words = text.split(' ');
    let mut out: Flags = words.next().unwrap_or_default().chars().map(String::from).collect();
    out.extend(words.map(str::to_ascii_lowercase));
    out
}

/// Every difference between two sides, a line each; empty if they are in step.
///
/// Compared are the folders, per folder the multiset of (content with line ends normalised, flags, date).
pub fn differences(server: &Snapshot, local: &Snapshot) -> String {
    let mut out = String::new();
    let names: BTreeSet<_> = server.keys().chain(local.keys()).collect();
    for name in names {
        match (server.get(name), local.get(name)) {
            (Some(remote), Some(local)) => folder_differences(name, remote, local, &mut out),
            (Some(_), None) => _ = writeln!(out, "{name}: folder only on the server"),
            (None, Some(_)) => _ = writeln!(out, "{name}: folder only in the Maildir"),
            (None, None) => {}
        }
    }
    out
}

fn folder_differences(name: &str, remote: &[Msg], local: &[Msg], out: &mut String) {
    let mut unmatched: Vec<&Msg> = local.iter().collect();
    let mut left = Vec::new();
    for msg in remote {
        let content = msg.content();
        let same = |m: &&Msg| m.flags == msg.flags && m.date == msg.date && m.content() == content;
        match unmatched.iter().position(same) {
            Some(at) => _ = unmatched.swap_remove(at),
            None => left.push(msg),
        }
    }
    for msg in left {
        let content = msg.content();
        if let Some(at) = unmatched.iter().position(|m| m.content() == content) {
            let other = unmatched.swap_remove(at);
            _ = writeln!(
                out,
                "{name}: {} has flags {:?} date {} on the server (UID {}), flags {:?} date {} locally ({})",
                title(msg),
                msg.flags,
                msg.date,
                msg.place,
                other.flags,
                other.date,
                other.place
            );
        } else {
            _ = writeln!(
                out,
                "{name}: {} (UID {}, {} bytes) is only on the server",
                title(msg),
                msg.place,
                msg.bytes.len()
            );
        }
    }
    for msg in unmatched {
        _ = writeln!(out, "{name}: {} ({}, {} bytes) is only in the Maildir", title(msg), msg.place, msg.bytes.len());
    }
}

/// The subject of a message, for failure texts.
pub fn title(msg: &Msg) -> String {
    let text = String::from_utf8_lossy(&msg.bytes);
    let line = text.lines().take_while(|l| !l.is_empty()).find_map(|l| l.strip_prefix("Subject: "));
    format!("“{}”", line.unwrap_or("(no subject)"))
}

/// Fails with every difference between the two sides.
///
/// # Panics
/// If there is one.
#[track_caller]
pub fn assert_in_step(server: &Snapshot, local: &Snapshot) {
    let text = differences(server, local);
    assert!(text.is_empty(), "server and Maildir differ:\n{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn msg(text: &str, letters: &str) -> Msg {
        Msg { place: "1".into(), flags: flags(letters), date: 5, bytes: text.into() }
    }

    fn folder(messages: Vec<Msg>) -> Snapshot {
        BTreeMap::from([("INBOX".to_owned(), messages)])
    }

    #[test]
    fn line_ends_do_not_count_but_everything_else_does() {
        assert_in_step(&folder(vec![msg("a\r\nb\r\n", "S")]), &folder(vec![msg("a\nb\n", "S")]));
        let twins = || folder(vec![msg("a\n", ""), msg("a\n", "")]);
        assert_in_step(&twins(), &twins());
        assert!(differences(&twins(), &folder(vec![msg("a\n", "")])).contains("only on the server"));
        assert!(differences(&folder(vec![msg("a\n", "S")]), &folder(vec![msg("a\n", "F")])).contains("flags {\"F\"}"));
        assert!(differences(&folder(vec![]), &folder(vec![msg("x", "")])).contains("only in the Maildir"));
        assert!(differences(&Snapshot::new(), &folder(vec![])).contains("folder only in the Maildir"));
        let mut older = msg("a", "");
        older.date = 4;
        assert!(differences(&folder(vec![msg("a", "")]), &folder(vec![older])).contains("date 4"));
    }

    #[test]
    fn flags_have_one_form() {
        assert_eq!(flags_of_imap(&["\\seen", "$Forwarded", "Work", "\\Recent"]), flags("PS work"));
        assert_eq!(imap_names(&flags("S work")), ["\\Seen", "work"]);
    }

    #[test]
    fn line_ends_go_both_ways() {
        assert_eq!(wire_lines(b"a\nb\r\nc"), b"a\r\nb\r\nc");
        assert_eq!(unix_lines(b"a\r\nb\rc\n"), b"a\nb\rc\n");
    }
}
