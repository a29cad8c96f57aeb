//! Runs scenario tables: both sides are brought to a base, changed, synchronised and compared, row by row.
//!
//! A file `tests/data/scenarios/NAME.txt` holds tables. `== title` begins one; then come its settings, then its rows:
//!
//! ```text
//! == a deletion beats a change of flags
//! set on_delete = "expunge"     account key of the run under test (TOML)
//! then direction = "both"       account key added for a second run, checked by a second result
//! mirror                        every row holds with its sides swapped, too
//! no bodies                     the run under test moves no message's bytes (no APPEND, no body fetched)
//! no trash                      the account's server has no Trash
//! exit 65                       the exit code of the run under test (0 without this line)
//! apart reason                  runs these rows in an account of their own (else tables with equal settings share one)
//! # name  base  local  remote  =>  local  remote  [=> local remote]
//! gone    S     -      FS      =>  -      =
//! ```
//!
//! A cell is `-` (absent) or copies of the row's message joined by `&`. A copy is its flags: letters of `DFPRST`, or `.` for none, then
//! keywords in braces: `FS{work,todo}`. A folder stands before it with `/`: `Work/Sub/S`; without one it is INBOX. Each `'` at the end means
//! another content under the same Message-ID. Copies go by position from base to change: in `S&S  ->  -&S` the first copy is deleted, in
//! `S -> S&Work/S` one is added, in `S -> Work/S` it is moved. `=` is "as in base", in the last column "as on the other side". `name@8K` makes the
//! message at least that big. A name that ends in `/` is a row about a folder, with `+` and `-` as cells.
//!
//! Folders that messages name exist on both sides from the start, unless a folder row says otherwise. Without a `set` line the guard is off.
//! Of what a run moved to the server's Trash the local Trash may show nothing before one more run (SPEC §4). After each comparison one more
//! run must find nothing to do: its traffic is read for that.

use super::dovecot::{Dovecot, Options};
use super::ferry::Outcome;
use super::local::Layout;
use super::message::{Msg, Snapshot, unix_lines};
use super::proxy::{Manner, Record};
use super::rig::Rig;
use super::scenario_change::{LocalSide, RemoteSide, apply};
use super::scenario_table::{Cell, Copy, Group, Pair, Row, render};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// Under which server and layout the tables are run.
#[derive(Clone, Debug, Default)]
pub struct Variant {
    pub options: Options,
    pub layout: Layout,
    /// Rows with their sides swapped instead of as they stand (only tables that allow it).
    pub mirrored: bool,
}

impl Variant {
    /// The usual server with capabilities hidden.
    pub fn without(capabilities: &[&'static str]) -> Self {
        Self { options: Options::without(capabilities), ..Self::default() }
    }
}

/// Command words that must not be sent when their capability is not advertised.
const NEEDS: [(&str, &[&str]); 12] = [
    ("QRESYNC", &["QRESYNC"]),
    ("CONDSTORE", &["CHANGEDSINCE", "(CONDSTORE", "UNCHANGEDSINCE", "HIGHESTMODSEQ", "MODSEQ"]),
    ("UIDPLUS", &["UID EXPUNGE"]),
    ("MOVE", &["UID MOVE"]),
    ("LIST-STATUS", &["RETURN (STATUS", "SPECIAL-USE STATUS"]),
    ("LIST-EXTENDED", &[" RETURN (SPECIAL", " RETURN (SUBSCRIBED"]),
    ("LITERAL+", &["+}"]),
    ("ESEARCH", &["SEARCH RETURN"]),
    ("ENABLE", &[" ENABLE "]),
    ("NAMESPACE", &[" NAMESPACE"]),
    ("ID", &[" ID ("]),
    ("COMPRESS", &[" COMPRESS "]),
];

/// Command words that a run with nothing to do never sends.
const WORK: [&str; 9] = ["BODY", "APPEND", "STORE", "COPY", "MOVE", "EXPUNGE", "CREATE", "DELETE", "RENAME"];

/// Runs one group of rows; returns a line for each thing that is wrong, none if all is right.
pub fn run(group: &Group, variant: &Variant) -> Vec<String> {
    let mut variant = variant.clone();
    if group.settings.no_trash {
        variant.options.special.clear();
    }
    let mut rows = group.rows.clone();
    if variant.mirrored {
        rows = rows.iter().map(Row::mirrored).collect();
    }
    let mut stage = Stage::set(rows, variant);
    stage.play(group);
    stage.wrong
}

/// One account with its rows on it.
struct Stage {
    rows: Vec<Row>,
    contents: HashMap<Vec<u8>, (usize, usize)>,
    variant: Variant,
    rig: Rig,
    wrong: Vec<String>,
}

impl Stage {
    fn set(rows: Vec<Row>, variant: Variant) -> Self {
        let mut rig = Rig::new(Dovecot::shared(&variant.options), "scenario");
        rig.ferry.set("max_delete", "\"100%\"");
        rig.ferry.set("layout", &format!("{:?}", variant.layout.key()));
        let mut contents = HashMap::new();
        for (i, row) in rows.iter().enumerate() {
            for kind in 0..3 {
                contents.insert(message(row, kind), (i, kind));
            }
        }
        Self { rows, contents, variant, rig, wrong: Vec::new() }
    }

    fn manner(variant: &Variant) -> Manner {
        let hidden_codes =
            if variant.options.without.contains("UIDPLUS") { vec!["APPENDUID", "COPYUID"] } else { vec![] };
        Manner { hidden_codes, ..Manner::default() }
    }

    fn play(&mut self, group: &Group) {
        self.base();
        let settings = &group.settings;
        if self.synchronise("the first run", 0).is_none() {
            return;
        }
        let bases = self.rows.iter().map(|r| Pair { local: r.base.clone(), remote: r.base.clone() }).collect();
        self.compare("base", &bases, false);
        if !self.wrong.is_empty() {
            return;
        }
        self.change();
        for (key, value) in &settings.keys {
            self.rig.ferry.set(key, value);
        }
        self.phase("the run", 0, settings.exit, settings.no_bodies);
        if !settings.then.is_empty() && self.wrong.is_empty() {
            for (key, value) in &settings.then {
                self.rig.ferry.set(key, value);
            }
            self.phase("the second run", 1, 0, false);
        }
    }

    /// Runs, compares with the result of that number, settles, and runs once more for nothing.
    fn phase(&mut self, what: &str, result: usize, exit: i32, no_bodies: bool) {
        let Some(records) = self.synchronise(what, exit) else { return };
        if no_bodies {
            let carried =
                |c: &&String| c.contains("BODY.PEEK[]") || c.contains("BODY[]") || words(c).any(|w| w == "APPEND");
            let found: Vec<_> = records.iter().flat_map(Record::commands).collect();
            self.wrong.extend(found.iter().filter(carried).map(|c| format!("{what} carried bytes: {c}")));
        }
        let expected: Vec<Pair> = self
            .rows
            .iter()
            .map(|r| r.results.get(result).or(r.results.last()).cloned().unwrap_or_else(|| r.change.clone()))
            .collect();
        let trash = expected.iter().any(|p| p.local.copies().iter().flatten().any(|c| c.folder == "Trash"));
        self.compare(what, &expected, trash);
        if trash && self.wrong.is_empty() && self.synchronise("the settling run", exit).is_some() {
            self.compare("the settling run", &expected, false);
        }
        if self.wrong.is_empty() {
            self.quiet(what, exit);
        }
    }

    /// One more run, which must not do anything.
    fn quiet(&mut self, after: &str, exit: i32) {
        let Some(records) = self.synchronise("one more run", exit) else { return };
        for command in records.iter().flat_map(Record::commands) {
            if words(&command).take(3).any(|w| WORK.contains(&w)) || command.contains("BODY.PEEK[]") {
                self.wrong.push(format!("with nothing changed since {after}, one more run sent: {command}"));
            }
        }
    }

    /// Brings the server to the base.
    fn base(&mut self) {
        let mut session = self.rig.mailbox();
        let folder_rows: BTreeMap<_, _> = self.rows.iter().filter_map(|r| Some((r.folder()?, &r.base))).collect();
        let named: BTreeSet<_> = self.rows.iter().flat_map(Row::folders).collect();
        let plain = named.into_iter().filter(|f| *f != "INBOX" && *f != "Trash" && !folder_rows.contains_key(f));
        let there = folder_rows.iter().filter(|(_, base)| ***base == Cell::Folder(true)).map(|(f, _)| *f);
        for folder in plain.chain(there) {
            session.create(folder);
        }
        for (i, row) in self.rows.iter().enumerate() {
            for copy in row.base.copies().iter().flatten() {
                session.append(&copy.folder, &message(row, copy.variant), &copy.flags, date(i));
            }
        }
    }

    /// Changes both sides as the rows say.
    fn change(&self) {
        let mut remote = RemoteSide::new(self.rig.mailbox());
        let mut local = LocalSide::new(self.rig.local());
        // Folders come before the messages in them, and go after.
        let goes = |row: &Row| row.base == Cell::Folder(true);
        let comes = |row: &Row| row.folder().is_some() && !goes(row);
        let rows = || self.rows.iter().enumerate();
        let ordered = rows()
            .filter(|(_, r)| comes(r))
            .chain(rows().filter(|(_, r)| r.folder().is_none()))
            .chain(rows().filter(|(_, r)| goes(r)));
        for (i, row) in ordered {
            let make = |variant| (message(row, variant), date(i));
            apply(&mut local, row, &row.change.local, &make);
            apply(&mut remote, row, &row.change.remote, &make);
        }
    }

    /// Runs the program; what passed, unless the exit code is wrong.
    fn synchronise(&mut self, what: &str, exit: i32) -> Option<Vec<Record>> {
        self.rig.proxy.restart(Self::manner(&self.variant));
        let outcome = self.rig.ferry.run(&["sync", "-v"]);
        let records = self.rig.proxy.records();
        self.check_words(what, &records);
        if outcome.code != Some(exit) {
            self.wrong.push(complaint(what, exit, &outcome));
            return None;
        }
        Some(records)
    }

    fn check_words(&mut self, what: &str, records: &[Record]) {
        let used: Vec<String> = records.iter().flat_map(Record::commands).collect();
        for (capability, needed) in NEEDS.iter().filter(|(c, _)| self.variant.options.without.contains(c)) {
            let uses = |c: &&String| needed.iter().any(|n| c.contains(n));
            self.wrong.extend(used.iter().find(uses).map(|c| format!("{what} used {capability} unasked: {c}")));
        }
    }

    /// Compares both sides with what the rows say; `lenient` leaves the local Trash out.
    fn compare(&mut self, what: &str, expected: &Vec<Pair>, lenient: bool) {
        let server = self.rig.remote();
        let local = self.rig.local();
        let held = [self.by_row("locally", &local.snapshot()), self.by_row("on the server", &server)];
        let folders: [BTreeSet<String>; 2] = [local.folders().into_iter().collect(), server.into_keys().collect()];
        let leftovers = local.leftovers();
        let mut wrong = Vec::new();
        for (i, (row, pair)) in self.rows.iter().zip(expected).enumerate() {
            for (side, cell) in [&pair.local, &pair.remote].into_iter().enumerate() {
                let name = ["locally", "on the server"][side];
                if let (Cell::Folder(wanted), Some(folder)) = (cell, row.folder()) {
                    if folders[side].contains(folder) != *wanted {
                        wrong.push(format!("{}: after {what} the folder {name}: should be there: {wanted}", row.place));
                    }
                    continue;
                }
                let skip = |c: &Copy| lenient && side == 0 && c.folder == "Trash";
                let wanted: Vec<_> = cell.sorted().into_iter().filter(|c| !skip(c)).collect();
                let found: Vec<_> = held[side].get(&i).into_iter().flatten().filter(|c| !skip(c)).cloned().collect();
                if wanted != found {
                    let (wanted, found) = (render(&wanted), render(&found));
                    wrong.push(format!("{}: after {what} {name}: {found}, should be {wanted}", row.place));
                }
            }
        }
        self.wrong.extend(wrong);
        self.wrong.extend(leftovers.iter().map(|p| format!("after {what} {} is left", p.display())));
    }

    /// What each row has on a side, sorted; messages of no row and wrong dates are complaints.
    fn by_row(&mut self, side: &str, snapshot: &Snapshot) -> HashMap<usize, Vec<Copy>> {
        let mut out: HashMap<usize, Vec<Copy>> = HashMap::new();
        for (folder, msg) in snapshot.iter().flat_map(|(f, all)| all.iter().map(move |m| (f, m))) {
            let Some((row, variant)) = self.contents.get(&unix_lines(&msg.bytes)).copied() else {
                self.wrong.push(format!("{side} in {folder}: no row's message, {}", shown(msg)));
                continue;
            };
            if msg.date != date(row) {
                self.wrong.push(format!(
                    "{}: {side} in {folder} the date is {}, not {}",
                    self.rows[row].place,
                    msg.date,
                    date(row)
                ));
            }
            let copy = Copy { folder: folder.clone(), flags: msg.flags.clone(), variant };
            out.entry(row).or_default().push(copy);
        }
        out.values_mut().for_each(|copies| copies.sort());
        out
    }
}

fn words(command: &str) -> impl Iterator<Item = &str> {
    command.split(' ').skip(1)
}

fn shown(msg: &Msg) -> String {
    format!("{} {:?}", msg.place, String::from_utf8_lossy(&msg.bytes[..msg.bytes.len().min(100)]))
}

fn complaint(what: &str, exit: i32, outcome: &Outcome) -> String {
    let mut out = format!("{what}: exit code {:?}, should be {exit}", outcome.code);
    _ = write!(out, "\n{}{}", outcome.stdout, outcome.stderr);
    out
}

/// When a row's message came, in seconds since 1970.
fn date(row: usize) -> i64 {
    1_600_000_000 + 1_000 * i64::try_from(row).unwrap_or(0)
}

/// A row's message, with LF line ends.
fn message(row: &Row, variant: usize) -> Vec<u8> {
    let id = row.name.replace(' ', ".");
    let mut text = format!(
        "From: a@example.org\nTo: b@example.org\nSubject: {}\nMessage-ID: <{id}@example.org>\nDate: Mon, 14 Sep 2020 12:00:00 \
         +0000\n\nRow {}, content {variant}: ümlaut.\n",
        row.name, row.name
    );
    while text.len() < row.size {
        text.push_str("A line that only makes the message longer than it would be.\n");
    }
    text.into_bytes()
}
