//! An IMAP4rev1 server in this process that can lie: its store is open to the test, and any command can be answered otherwise.
//!
//! It knows what a plain server knows (and UIDPLUS, MOVE and COMPRESS, if the test advertises them). One client at a time is assumed: it sends
//! no unasked-for updates.

use super::clock;
pub use super::fake_store::{Filter, Folder, Message, Store};
use super::message::LETTERS;
use super::peer::{Command, Conversation, Handler, Peer, Report};
use std::collections::BTreeSet;
use std::io::{ErrorKind, Result};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Answers a command in the server's stead: bytes to say, with `{tag}` for the tag; `None` leaves it to the server. Behind an answer
/// that ends in NUL and `end` the server hangs up.
pub type Hook = Box<dyn Fn(&Command, &mut Store) -> Option<Vec<u8>> + Send + Sync>;

/// A hook's answer that begins so goes out below the compression, as it is.
pub const RAW: &[u8] = b"\0raw\0";

/// A running fake.
pub struct FakeImap {
    peer: Peer,
    store: Arc<Mutex<Store>>,
    live: Arc<AtomicUsize>,
}

impl FakeImap {
    /// An honest server.
    pub fn start(store: Store) -> Self {
        Self::with_hook(store, Box::new(|_, _| None))
    }

    /// A server that lets `hook` speak first. An answer without `{tag}` leaves the command unanswered.
    pub fn with_hook(store: Store, hook: Hook) -> Self {
        let store = Arc::new(Mutex::new(store));
        let shared = store.clone();
        let live = Arc::new(AtomicUsize::new(0));
        let count = live.clone();
        let handler: Handler = Box::new(move |c| {
            count.fetch_add(1, Ordering::SeqCst);
            let result = serve(c, &shared, &hook);
            count.fetch_sub(1, Ordering::SeqCst);
            result
        });
        Self { peer: Peer::start(vec![handler]), store, live }
    }

    pub fn port(&self) -> u16 {
        self.peer.port()
    }

    /// How many sessions it has now.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    /// The store as it is now.
    pub fn store(&self) -> Store {
        self.store.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Changes the store, for sessions that run as well.
    pub fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        change(&mut self.store.lock().unwrap_or_else(|e| e.into_inner()))
    }

    /// Every command heard so far, of all connections.
    pub fn heard(&self) -> String {
        self.peer.heard().concat()
    }

    /// Ends the server; what it heard.
    pub fn finish(self) -> Report {
        self.peer.finish()
    }
}

/// Serves one connection from its greeting on, for peers that begin otherwise (TLS first).
pub fn serve(c: &mut Conversation, store: &Mutex<Store>, hook: &Hook) -> Result<()> {
    let lock = || store.lock().unwrap_or_else(|e| e.into_inner());
    let greeting = lock().greeting.clone();
    c.send(format!("{greeting}\r\n"))?;
    let mut selected = None;
    loop {
        let command = match c.command() {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        };
        let forged = hook(&command, &mut lock());
        if let Some(bytes) = forged {
            if let Some(raw) = bytes.strip_prefix(RAW) {
                c.send_raw(raw)?;
                continue;
            }
            let last = bytes.strip_suffix(b"\0end");
            c.send(replace_tag(last.unwrap_or(&bytes), &command.tag))?;
            if last.is_some() {
                return Ok(());
            }
            continue;
        }
        if command.line.to_ascii_uppercase().contains(" AUTHENTICATE ") && command.line.split(' ').count() == 3 {
            c.send("+ \r\n")?;
            c.line()?;
        }
        let mut out = Vec::new();
        let end = answer(&command, &mut lock(), &mut selected, &mut out);
        out.extend_from_slice(format!("{} {end}\r\n", command.tag).as_bytes());
        let filter = lock().filter.clone();
        c.send(filter.apply(&command, out))?;
        if command.line.ends_with("COMPRESS DEFLATE") {
            c.deflate();
        }
        if end.contains("LOGOUT") {
            return Ok(());
        }
    }
}

fn replace_tag(bytes: &[u8], tag: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(5).position(|w| w == b"{tag}") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(tag.as_bytes());
        rest = &rest[at + 5..];
    }
    out.extend_from_slice(rest);
    out
}

/// The arguments of a command: words, quoted strings, literals in order, parenthesised lists as one.
fn arguments(command: &Command) -> Vec<String> {
    let mut literals = command.literals.iter();
    let (mut out, mut word, mut depth, mut quoted) = (Vec::new(), String::new(), 0, false);
    let mut chars = command.line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => word.extend(chars.next()),
            '"' => quoted = !quoted,
            _ if quoted => word.push(c),
            '{' => {
                while chars.next_if(|d| *d != ' ').is_some() {}
                word += &String::from_utf8_lossy(literals.next().map(Vec::as_slice).unwrap_or_default());
            }
            ' ' if depth == 0 => out.push(std::mem::take(&mut word)),
            _ => {
                depth += i32::from(c == '(' || c == '[') - i32::from(c == ')' || c == ']');
                word.push(c);
            }
        }
    }
    out.push(word);
    out
}

/// Does a command; what it has to say before the tagged line goes to `out`, that line's rest is returned.
fn answer(command: &Command, store: &mut Store, selected: &mut Option<String>, out: &mut Vec<u8>) -> String {
    let mut words = arguments(command);
    words.remove(0);
    let by_uid = words.first().is_some_and(|w| w.eq_ignore_ascii_case("UID"));
    if by_uid {
        words.remove(0);
    }
    let name = words.first().map(|w| w.to_ascii_uppercase()).unwrap_or_default();
    let word = |i: usize| words.get(i).cloned().unwrap_or_default();
    let mut say = |line: String| out.extend_from_slice(format!("{line}\r\n").as_bytes());
    match name.as_str() {
        "CAPABILITY" => say(format!("* CAPABILITY {}", store.capabilities)),
        "LOGIN" | "AUTHENTICATE" => return format!("OK [CAPABILITY {}] in", store.capabilities),
        "LOGOUT" => say("* BYE out".into()),
        "LIST" => store.folders.iter().for_each(|(n, f)| say(format!("* LIST ({}) \"/\" \"{n}\"", f.attributes))),
        "STATUS" => match store.folders.get(&word(1)) {
            Some(f) => say(status(&word(1), f, &word(2))),
            None => return "NO [NONEXISTENT] no such folder".into(),
        },
        "SELECT" | "EXAMINE" => {
            *selected = None;
            let Some(folder) = store.folders.get(&word(1)) else { return "NO [NONEXISTENT] no such folder".into() };
            *selected = Some(word(1));
            say("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)".into());
            say("* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] kept".into());
            say(format!("* {} EXISTS\r\n* 0 RECENT", folder.messages.len()));
            say(format!("* OK [UIDVALIDITY {}] .\r\n* OK [UIDNEXT {}] .", folder.uid_validity, folder.uid_next));
            return format!("OK [{}] {name}", if name == "SELECT" { "READ-WRITE" } else { "READ-ONLY" });
        }
        "CREATE" => _ = store.folders.entry(word(1)).or_default(),
        "DELETE" => _ = store.folders.remove(&word(1)),
        "APPEND" => {
            let bytes = command.literals.last().cloned().unwrap_or_default();
            let listed = words.iter().skip(2).find(|w| w.starts_with('(')).cloned().unwrap_or_default();
            let date = words.iter().find_map(|w| clock::parse_internal_date(w)).unwrap_or(0);
            let Some(folder) = store.folders.get_mut(&word(1)) else { return "NO [TRYCREATE] no such folder".into() };
            let flags: Vec<&str> = listed.trim_matches(['(', ')']).split(' ').filter(|w| !w.is_empty()).collect();
            let uid = folder.add(&bytes, &flags, date);
            if store.capabilities.contains("UIDPLUS") {
                return format!("OK [APPENDUID {} {uid}] stored", folder.uid_validity);
            }
        }
        "FETCH" | "STORE" | "COPY" | "MOVE" | "EXPUNGE" | "SEARCH" => {
            let Some(folder) = selected.clone() else { return "BAD nothing is selected".into() };
            return in_folder(&name, &words, by_uid, (store, &folder), out);
        }
        _ => {}
    }
    format!("OK {name}")
}

fn status(name: &str, folder: &Folder, items: &str) -> String {
    let unseen = folder.messages.iter().filter(|m| !m.flags.contains("\\Seen")).count();
    let value = |item: &str| match item {
        "MESSAGES" => folder.messages.len() as u64,
        "UIDNEXT" => folder.uid_next.into(),
        "UIDVALIDITY" => folder.uid_validity.into(),
        "UNSEEN" => unseen as u64,
        _ => 0,
    };
    let told = |item: &str| match item {
        "MAILBOXID" => format!("{item} (F{})", name.bytes().map(|b| format!("{b:02x}")).collect::<String>()),
        _ => format!("{item} {}", value(item)),
    };
    let items: Vec<_> = items.trim_matches(['(', ')']).split(' ').map(told).collect();
    format!("* STATUS \"{name}\" ({})", items.join(" "))
}

/// A command on messages of the selected folder.
fn in_folder(name: &str, words: &[String], by_uid: bool, (store, at): (&mut Store, &str), out: &mut Vec<u8>) -> String {
    let word = |i: usize| words.get(i).cloned().unwrap_or_default();
    let Some(mut folder) = store.folders.get(at).cloned() else { return "NO the folder is gone".into() };
    let set = if name == "SEARCH" { String::new() } else { word(1) };
    let chosen = |seq: usize, m: &Message| {
        let (number, last) = if by_uid {
            (m.uid, folder.messages.last().map_or(0, |l| l.uid))
        } else {
            (u32::try_from(seq + 1).unwrap_or(0), u32::try_from(folder.messages.len()).unwrap_or(0))
        };
        contains(&set, number, last)
    };
    let picked: Vec<u32> =
        folder.messages.iter().enumerate().filter(|(i, m)| chosen(*i, m)).map(|(_, m)| m.uid).collect();
    match name {
        "FETCH" => {
            let items = words[2..].join(" ").to_ascii_uppercase();
            for (seq, message) in folder.messages.iter().enumerate().filter(|(_, m)| picked.contains(&m.uid)) {
                out.extend_from_slice(&fetched(seq + 1, message, &items, by_uid));
            }
        }
        "STORE" => {
            let flags: BTreeSet<String> =
                words[3..].join(" ").trim_matches(['(', ')']).split_whitespace().map(str::to_owned).collect();
            for message in folder.messages.iter_mut().filter(|m| picked.contains(&m.uid)) {
                match word(2).chars().next() {
                    Some('+') => message.flags.extend(flags.clone()),
                    Some('-') => message.flags.retain(|f| !flags.contains(f)),
                    _ => message.flags = flags.clone(),
                }
            }
        }
        "COPY" | "MOVE" => {
            let Some(target) = store.folders.get_mut(&word(2)) else { return "NO [TRYCREATE] no such folder".into() };
            let from: Vec<Message> = folder.messages.iter().filter(|m| picked.contains(&m.uid)).cloned().collect();
            let mut pairs = (Vec::new(), Vec::new());
            for message in from {
                pairs.0.push(message.uid.to_string());
                pairs.1.push(target.uid_next.to_string());
                target.messages.push(Message { uid: target.uid_next, ..message });
                target.uid_next += 1;
            }
            let code = format!("[COPYUID {} {} {}]", target.uid_validity, pairs.0.join(","), pairs.1.join(","));
            if name == "MOVE" {
                out.extend_from_slice(format!("* OK {code} moved\r\n").as_bytes());
                remove(&mut folder, |m| picked.contains(&m.uid), out);
            } else if store.capabilities.contains("UIDPLUS") && !pairs.0.is_empty() {
                return format!("OK {code} copied");
            }
        }
        "EXPUNGE" => {
            remove(&mut folder, |m| m.flags.contains("\\Deleted") && (!by_uid || picked.contains(&m.uid)), out)
        }
        _ => {
            let text = words[1..].join(" ").to_ascii_uppercase();
            let id = text.split_once("MESSAGE-ID ").map(|(_, id)| id.to_owned());
            let among = text.split_once("UID ").map(|(_, s)| s.split(' ').next().unwrap_or_default().to_owned());
            let last = folder.messages.last().map_or(0, |m| m.uid);
            let fits = |m: &&Message| {
                (!text.contains("DELETED") || text.contains("UNDELETED") || m.flags.contains("\\Deleted"))
                    && id
                        .as_ref()
                        .is_none_or(|id| String::from_utf8_lossy(&m.bytes).to_ascii_uppercase().contains(id.as_str()))
                    && among.as_ref().is_none_or(|s| contains(s, m.uid, last))
            };
            let found: String = folder.messages.iter().filter(fits).map(|m| format!(" {}", m.uid)).collect();
            out.extend_from_slice(format!("* SEARCH{found}\r\n").as_bytes());
        }
    }
    store.folders.insert(at.to_owned(), folder);
    format!("OK {name}")
}

/// Removes messages and says so.
fn remove(folder: &mut Folder, goes: impl Fn(&Message) -> bool, out: &mut Vec<u8>) {
    let mut seq = 1;
    folder.messages.retain(|m| {
        let gone = goes(m);
        match gone {
            true => out.extend_from_slice(format!("* {seq} EXPUNGE\r\n").as_bytes()),
            false => seq += 1,
        }
        !gone
    });
}

fn contains(set: &str, number: u32, last: u32) -> bool {
    set.split(',').any(|range| {
        let value = |text: &str| if text == "*" { last } else { text.parse().unwrap_or(0) };
        let (a, b) = range.split_once(':').map_or_else(|| (value(range), value(range)), |(a, b)| (value(a), value(b)));
        number >= a.min(b) && number <= a.max(b)
    })
}

fn fetched(seq: usize, message: &Message, items: &str, by_uid: bool) -> Vec<u8> {
    let mut out = format!("* {seq} FETCH (").into_bytes();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    if by_uid || items.contains("UID") {
        parts.push(format!("UID {}", message.uid).into_bytes());
    }
    if items.contains("FLAGS") {
        let flags: Vec<_> = message.flags.iter().map(String::as_str).collect();
        parts.push(format!("FLAGS ({})", flags.join(" ")).into_bytes());
    }
    if items.contains("X-GM-MSGID") {
        parts.push(format!("X-GM-MSGID {}", message.gmail_id()).into_bytes());
    }
    if let (true, Some(id)) = (items.contains("EMAILID"), message.email_id()) {
        parts.push(format!("EMAILID ({id})").into_bytes());
    }
    if items.contains("INTERNALDATE") {
        parts.push(format!("INTERNALDATE \"{}\"", clock::internal_date(message.date)).into_bytes());
    }
    if items.contains("RFC822.SIZE") {
        parts.push(format!("RFC822.SIZE {}", message.bytes.len()).into_bytes());
    }
    let header = message.bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(message.bytes.len(), |at| at + 4);
    if let Some((_, tail)) = items.split_once("HEADER.FIELDS (") {
        let names = tail.split(')').next().unwrap_or_default();
        let text = String::from_utf8_lossy(&message.bytes[..header]).into_owned();
        let wanted =
            |l: &&str| l.split_once(':').is_some_and(|(n, _)| names.split(' ').any(|w| w.eq_ignore_ascii_case(n)));
        let lines: String = text.lines().filter(wanted).map(|l| format!("{l}\r\n")).collect();
        parts.push(literal(&format!("BODY[HEADER.FIELDS ({names})]"), format!("{lines}\r\n").as_bytes()));
    } else if items.contains("[HEADER]") {
        parts.push(literal("BODY[HEADER]", &message.bytes[..header]));
    }
    if items.contains("BODY.PEEK[]") || items.contains("BODY[]") {
        parts.push(if message.broken { b"BODY[] NIL".to_vec() } else { literal("BODY[]", &message.bytes) });
    }
    out.extend_from_slice(&parts.join(&b' '));
    out.extend_from_slice(b")\r\n");
    out
}

/// A line of a listing with everything a client may have asked for but the body, for forged listings.
pub fn listing_line(seq: usize, message: &Message) -> Vec<u8> {
    fetched(seq, message, "UID FLAGS INTERNALDATE RFC822.SIZE", true)
}

fn literal(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{name} {{{}}}\r\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out
}

/// The IMAP names of Maildir letters, for stores: `names("FS")`.
pub fn names(letters: &str) -> Vec<&'static str> {
    LETTERS.iter().filter(|(c, _)| letters.contains(*c)).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::mailbox::Mailbox;
    use super::super::message::flags;
    use super::*;

    #[test]
    fn the_test_client_gets_along_with_it() {
        let mut store = Store { capabilities: "IMAP4rev1 UIDPLUS MOVE".into(), ..Store::default() };
        store.folders.entry("INBOX".into()).or_default().add(b"Subject: a\n\n\xff\n", &names("FS"), 77);
        store.folders.insert("Trash".into(), Folder { attributes: "\\Trash".into(), ..Folder::default() });
        let hook: Hook = Box::new(|c, store| {
            let asked = c.line.contains("NOOP");
            asked.then(|| format!("* {} EXISTS\r\n{{tag}} OK lie\r\n", store.folders.len()).into_bytes())
        });
        let fake = FakeImap::with_hook(store, hook);
        let mut client = Mailbox::connect(([127, 0, 0, 1], fake.port()).into(), '/', "");
        client.command("LOGIN a b");
        let all = client.snapshot();
        assert_eq!((all["INBOX"][0].flags.clone(), all["INBOX"][0].date), (flags("FS"), 77));
        assert_eq!(all["INBOX"][0].bytes, b"Subject: a\r\n\r\n\xff\r\n");
        client.create("New");
        let uid = client.append("New", b"x\n", &flags("R work"), 9);
        client.mv("New", uid, "Trash");
        client.delete("INBOX", 1);
        assert!(client.messages("INBOX").is_empty() && client.messages("New").is_empty());
        assert_eq!(client.messages("Trash")[0].flags, flags("R work"));
        assert_eq!(client.command("NOOP")[0].line, "* 3 EXISTS");
        assert_eq!(client.command("UID SEARCH UID 1:5")[0].line, "* SEARCH 1");
        assert!(client.try_command("SELECT nowhere").is_err());
        assert_eq!(fake.store().folders["Trash"].uid_next, 2);
        drop(client);
        assert!(fake.heard().contains("APPEND"));
        assert!(fake.finish().failures.is_empty());
    }
}
