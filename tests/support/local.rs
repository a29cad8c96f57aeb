//! Maildirs read and changed as a mail reader would, by rules written here from SPEC §3 and not by the program's code.

use super::message::{Flags, Msg, Snapshot};
use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// Where the folders of an account stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// `ROOT/INBOX`, `ROOT/Lists/rust`.
    #[default]
    Nested,
    /// INBOX is `ROOT`, the others `ROOT/.Lists.rust`.
    Plus,
}

impl Layout {
    /// The value of the configuration key `layout`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Nested => "nested",
            Self::Plus => "maildir++",
        }
    }
}

/// An account's root.
#[derive(Clone, Debug)]
pub struct Local {
    pub root: PathBuf,
    pub layout: Layout,
    /// What stands before every folder but INBOX on disk and is left out of the names here: `INBOX/` for a server that
    /// keeps its folders below INBOX.
    pub prefix: &'static str,
}

impl Local {
    pub fn new(root: impl Into<PathBuf>, layout: Layout) -> Self {
        Self { root: root.into(), layout, prefix: "" }
    }

    /// The directory of a folder (`/` between levels).
    pub fn dir(&self, folder: &str) -> PathBuf {
        let prefix = if folder == "INBOX" { "" } else { self.prefix };
        let full = format!("{prefix}{folder}");
        let levels: Vec<_> = full.split('/').map(|l| encode(l, self.layout)).collect();
        match self.layout {
            Layout::Nested => levels.iter().fold(self.root.clone(), |p, l| p.join(l)),
            Layout::Plus if folder == "INBOX" => self.root.clone(),
            Layout::Plus => self.root.join(format!(".{}", levels.join("."))),
        }
    }

    /// The folders there are: those with a `cur`.
    pub fn folders(&self) -> Vec<String> {
        let mut out = Vec::new();
        match self.layout {
            Layout::Nested => nested(&self.root, "", &mut out),
            Layout::Plus => {
                if self.root.join("cur").is_dir() {
                    out.push("INBOX".to_owned());
                }
                for name in names_in(&self.root) {
                    if let Some(inner) = name.strip_prefix('.')
                        && self.root.join(&name).join("cur").is_dir()
                    {
                        let levels: Vec<_> = inner.split('.').map(decode).collect();
                        out.push(levels.join("/"));
                    }
                }
            }
        }
        for name in &mut out {
            if let Some(inner) = name.strip_prefix(self.prefix) {
                *name = inner.to_owned();
            }
        }
        out.sort();
        out
    }

    /// The messages of a folder, by path; empty if there is none.
    pub fn messages(&self, folder: &str) -> Vec<Msg> {
        let dir = self.dir(folder);
        let keywords = keywords(&dir);
        let mut out = Vec::new();
        for sub in ["new", "cur"] {
            for name in names_in(&dir.join(sub)) {
                if name.starts_with('.') {
                    continue;
                }
                let path = dir.join(sub).join(&name);
                let letters = name.rsplit_once(":2,").map_or("", |(_, l)| l);
                let flags = letters
                    .chars()
                    .filter_map(|c| match c {
                        'A'..='Z' => Some(c.to_string()),
                        _ => keywords.get(&c).map(|k| k.to_ascii_lowercase()),
                    })
                    .collect();
                let date = fs::metadata(&path).map(|m| m.mtime()).unwrap_or_default();
                let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                out.push(Msg { place: path.display().to_string(), flags, date, bytes });
            }
        }
        out.sort_by(|a, b| a.place.cmp(&b.place));
        out
    }

    /// Everything there is.
    pub fn snapshot(&self) -> Snapshot {
        self.folders().into_iter().map(|name| (name.clone(), self.messages(&name))).collect()
    }

    /// Files left in any `tmp`, which after a complete run must be none.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        let in_tmp = |f: &String| {
            let tmp = self.dir(f).join("tmp");
            names_in(&tmp).into_iter().map(move |n| tmp.join(n)).collect::<Vec<_>>()
        };
        self.folders().iter().flat_map(in_tmp).collect()
    }

    /// Makes a folder.
    pub fn create(&self, folder: &str) {
        for sub in ["tmp", "new", "cur"] {
            let path = self.dir(folder).join(sub);
            fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
    }

    /// Removes a folder with what is in it; folders below it stay.
    pub fn remove(&self, folder: &str) {
        let dir = self.dir(folder);
        for sub in ["tmp", "new", "cur"] {
            fs::remove_dir_all(dir.join(sub)).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        }
        if names_in(&dir).iter().all(|n| dir.join(n).is_file()) {
            fs::remove_dir_all(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        }
    }

    /// Delivers a message by way of `tmp`, as a mail reader saves one; its time is `date`. Returns its path.
    pub fn deliver(&self, folder: &str, bytes: &[u8], flags: &Flags, date: i64) -> PathBuf {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        self.create(folder);
        let dir = self.dir(folder);
        let unique = format!("1700000000.R{}P{}.reader", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let tmp = dir.join("tmp").join(&unique);
        let mut file = File::create_new(&tmp).unwrap_or_else(|e| panic!("{}: {e}", tmp.display()));
        file.write_all(bytes).expect("write");
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(date).expect("a date after 1970"));
        file.set_times(FileTimes::new().set_modified(time)).expect("file times");
        let target = match flags.is_empty() {
            true => dir.join("new").join(unique),
            false => dir.join("cur").join(format!("{unique}:2,{}", self.letters(folder, flags))),
        };
        fs::rename(&tmp, &target).expect("rename");
        target
    }

    /// Gives a message exactly these flags; returns its new path.
    pub fn set_flags(&self, folder: &str, path: &Path, flags: &Flags) -> PathBuf {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let unique = name.split(":2,").next().unwrap_or(name);
        let target = self.dir(folder).join("cur").join(format!("{unique}:2,{}", self.letters(folder, flags)));
        rename(path, &target);
        target
    }

    /// Moves a message to another folder, keeping its flags; returns its new path.
    pub fn mv(&self, from: &str, path: &Path, to: &str) -> PathBuf {
        self.create(to);
        let shown = path.display().to_string();
        let flags = self.messages(from).into_iter().find(|m| m.place == shown).map(|m| m.flags).unwrap_or_default();
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let unique = name.split(":2,").next().unwrap_or(name);
        // What mbsync puts into a name is the old folder's UID, which a mail reader has to leave out.
        let unique = unique.split(",U=").next().unwrap_or(unique);
        let target = self.dir(to).join("cur").join(format!("{unique}:2,{}", self.letters(to, &flags)));
        rename(path, &target);
        target
    }

    /// Deletes a message.
    pub fn delete(&self, path: &Path) {
        fs::remove_file(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// The letters of flags in a folder, new keywords entered in its `dovecot-keywords`.
    fn letters(&self, folder: &str, flags: &Flags) -> String {
        let dir = self.dir(folder);
        let mut known = keywords(&dir);
        let before = known.len();
        let mut letters: Vec<char> = Vec::new();
        for flag in flags {
            if flag.len() == 1 && flag.starts_with(|c: char| c.is_ascii_uppercase()) {
                letters.extend(flag.chars());
                continue;
            }
            let letter = known.iter().find(|(_, k)| k.eq_ignore_ascii_case(flag)).map(|(c, _)| *c);
            let letter = letter.unwrap_or_else(|| {
                let free = ('a'..='z').find(|c| !known.contains_key(c)).expect("a free keyword letter");
                known.insert(free, flag.clone());
                free
            });
            letters.push(letter);
        }
        if known.len() != before {
            let text: String = known.iter().map(|(c, k)| format!("{} {k}\n", u32::from(*c) - u32::from('a'))).collect();
            fs::write(dir.join("dovecot-keywords"), text).expect("dovecot-keywords");
        }
        letters.sort_unstable();
        letters.into_iter().collect()
    }
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap_or_else(|e| panic!("{} -> {}: {e}", from.display(), to.display()));
}

/// The folder's keywords by letter, from its `dovecot-keywords` (lines `0 name`).
fn keywords(dir: &Path) -> BTreeMap<char, String> {
    let text = fs::read_to_string(dir.join("dovecot-keywords")).unwrap_or_default();
    let entry = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        Some((char::from(b'a'.checked_add(number.parse().ok()?)?), name.to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

fn names_in(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect()
}

fn nested(dir: &Path, name: &str, out: &mut Vec<String>) {
    if !name.is_empty() && dir.join("cur").is_dir() {
        out.push(name.to_owned());
    }
    for entry in names_in(dir) {
        let inside = ["cur", "new", "tmp"].contains(&entry.as_str());
        if !inside && !entry.starts_with('.') && dir.join(&entry).is_dir() {
            let below = decode(&entry);
            let full = if name.is_empty() { below } else { format!("{name}/{below}") };
            nested(&dir.join(&entry), &full, out);
        }
    }
}

/// One level of a name as the disk holds it (SPEC §3).
fn encode(level: &str, layout: Layout) -> String {
    let mut out = String::new();
    for (i, c) in level.chars().enumerate() {
        let bad = c.is_control() || c == '%' || c == '/' || (c == '.' && (i == 0 || layout == Layout::Plus));
        match bad {
            true => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| out += &format!("%{b:02X}")),
            false => out.push(c),
        }
    }
    match out.as_str() {
        "cur" | "new" | "tmp" | "dovecot-keywords" => format!("%{:02X}{}", out.as_bytes()[0], &out[1..]),
        _ => out,
    }
}

fn decode(level: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = level.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = hex.and_then(|h| std::str::from_utf8(h).ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::message::flags;
    use super::*;

    #[test]
    fn both_layouts_hold_and_change_messages() {
        for layout in [Layout::Nested, Layout::Plus] {
            let temp = tempfile::tempdir().expect("a folder");
            let mut local = Local::new(temp.path(), layout);
            local.prefix = if layout == Layout::Plus { "INBOX/" } else { "" };
            local.create("INBOX");
            let path = local.deliver("Lists/v1.2 50%", b"a\n", &flags("S work"), 99);
            local.deliver("INBOX", b"b\n", &flags(""), 5);
            assert_eq!(local.folders(), ["INBOX", "Lists/v1.2 50%"]);
            let path = local.set_flags("Lists/v1.2 50%", &path, &flags("FR todo work"));
            let path = local.mv("Lists/v1.2 50%", &path, "Archive/cur");
            let all = local.snapshot();
            assert_eq!(all["Archive/cur"][0].flags, flags("FR todo work"));
            assert_eq!(all["Archive/cur"][0].date, 99);
            assert!(all["INBOX"][0].place.contains("/new/"));
            assert!(all["Lists/v1.2 50%"].is_empty() && local.leftovers().is_empty());
            local.delete(&path);
            local.remove("Archive/cur");
            assert_eq!(local.folders(), ["INBOX", "Lists/v1.2 50%"]);
        }
    }

    #[test]
    fn the_dovecot_server_reads_what_this_writes() {
        let server = super::super::dovecot::Dovecot::usual();
        let user = server.user("reader");
        let mut session = super::super::mailbox::Mailbox::open(&server, &user);
        session.append("INBOX", b"x\n", &flags("S work"), 9);
        session.create("Lists/rust");
        session.append("Lists/rust", b"y\n", &flags("F todo"), 10);
        let root = server.storage(&user);
        let inbox = Local::new(root.clone(), Layout::Plus).messages("INBOX");
        assert_eq!((inbox[0].flags.clone(), inbox[0].date), (flags("S work"), 9));
        let nested = Local::new(root, Layout::Nested).messages("Lists/rust");
        assert_eq!(nested[0].flags, flags("F todo"));
    }
}
