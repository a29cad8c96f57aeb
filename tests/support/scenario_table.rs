//! Reads scenario tables. The notation is documented in `scenario.rs`.

use super::message::{Flags, imap_names};
use std::collections::BTreeMap;
use std::path::Path;

/// One copy of a row's message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copy {
    pub folder: String,
    pub flags: Flags,
    /// 0 is the row's message; each `'` stands for another content under the same Message-ID.
    pub variant: usize,
}

/// What one side holds of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// By position, so that a change of a column says which copy became what.
    Messages(Vec<Option<Copy>>),
    /// A folder that is there or not.
    Folder(bool),
}

impl Cell {
    /// The copies by position; none for a folder.
    pub fn copies(&self) -> &[Option<Copy>] {
        match self {
            Self::Messages(copies) => copies,
            Self::Folder(_) => &[],
        }
    }

    /// The copies there are, sorted.
    pub fn sorted(&self) -> Vec<Copy> {
        let mut out: Vec<Copy> = self.copies().iter().flatten().cloned().collect();
        out.sort();
        out
    }
}

/// What both sides hold.
#[derive(Clone, Debug)]
pub struct Pair {
    pub local: Cell,
    pub remote: Cell,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// `flags.txt:12 name`.
    pub place: String,
    /// Unique over all tables; for a folder row the folder.
    pub name: String,
    /// Least size of the message in bytes.
    pub size: usize,
    pub base: Cell,
    /// What the two sides are changed to.
    pub change: Pair,
    /// What they must be after the run, and after the run under the `then` settings.
    pub results: Vec<Pair>,
}

impl Row {
    /// The folder, for a folder row.
    pub fn folder(&self) -> Option<&str> {
        matches!(self.base, Cell::Folder(_)).then_some(self.name.as_str())
    }

    /// The row with its sides swapped.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let swap = |p: &Pair| Pair { local: p.remote.clone(), remote: p.local.clone() };
        Self { change: swap(&self.change), results: self.results.iter().map(swap).collect(), ..self.clone() }
    }

    /// Every folder that its messages name.
    pub fn folders(&self) -> impl Iterator<Item = &str> {
        let pairs = self.results.iter().chain([&self.change]).flat_map(|p| [&p.local, &p.remote]);
        pairs.chain([&self.base]).flat_map(Cell::copies).flatten().map(|c| c.folder.as_str())
    }
}

/// What a table's rows have in common; tables with equal settings are run together.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Settings {
    /// Account keys of the run under test, as TOML.
    pub keys: BTreeMap<String, String>,
    /// Account keys added for the second run under test.
    pub then: BTreeMap<String, String>,
    /// Whether each row holds with its sides swapped as well.
    pub mirror: bool,
    /// Whether the run under test must not carry a message's bytes.
    pub no_bodies: bool,
    /// Whether the server has no Trash.
    pub no_trash: bool,
    /// Why these rows need an account of their own; empty if they do not.
    pub apart: String,
    /// The exit code of the run under test.
    pub exit: i32,
}

/// Rows that are run in one account.
#[derive(Clone, Debug)]
pub struct Group {
    pub settings: Settings,
    pub rows: Vec<Row>,
}

/// All tables of a folder, those with equal settings in one group.
///
/// # Panics
/// On anything that is not in the notation, naming file and line.
pub fn load(dir: &Path) -> Vec<Group> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "txt"))
        .collect();
    files.sort();
    let mut groups: BTreeMap<Settings, Vec<Row>> = BTreeMap::new();
    for path in files {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for group in parse(&file, &text) {
            groups.entry(group.settings).or_default().extend(group.rows);
        }
    }
    groups.into_iter().map(|(settings, rows)| Group { settings, rows }).collect()
}

/// The tables of one file.
pub fn parse(file: &str, text: &str) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{file}.txt:{}", number + 1);
        let line = line.split_once(" #").map_or(line, |(head, _)| head).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("==") {
            out.push(Group { settings: Settings::default(), rows: Vec::new() });
            continue;
        }
        let Some(group) = out.last_mut() else { panic!("{place}: a table begins with == and its title") };
        if line.contains("=>") {
            let row = row(file, &place, line).unwrap_or_else(|e| panic!("{place}: {e}: {line}"));
            group.rows.push(row);
        } else if !setting(&mut group.settings, line) {
            panic!("{place}: no setting and no row: {line}");
        }
    }
    out
}

fn setting(settings: &mut Settings, line: &str) -> bool {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match (word, rest.trim()) {
        ("mirror", "") => settings.mirror = true,
        ("no", "bodies") => settings.no_bodies = true,
        ("no", "trash") => settings.no_trash = true,
        ("apart", reason) => reason.clone_into(&mut settings.apart),
        ("exit", code) => settings.exit = code.parse().expect("a number"),
        ("set" | "then", pair) => {
            let Some((key, value)) = pair.split_once('=') else { return false };
            let keys = if word == "set" { &mut settings.keys } else { &mut settings.then };
            keys.insert(key.trim().to_owned(), value.trim().to_owned());
        }
        _ => return false,
    }
    true
}

fn row(file: &str, place: &str, line: &str) -> Result<Row, String> {
    let mut parts = line.split("=>").map(|p| p.split_whitespace().collect::<Vec<_>>());
    let first = parts.next().unwrap_or_default();
    let [name, base, local, remote] = first[..] else { return Err("four columns stand before =>".into()) };
    let (name, size) = match name.split_once('@') {
        Some((name, size)) => (name, size.trim_end_matches('K').parse::<usize>().map_err(|e| e.to_string())? * 1024),
        None => (name, 0),
    };
    let is_folder = name.ends_with('/');
    let base = cell(base, is_folder)?;
    let or_base = |text: &str| if text == "=" { Ok(base.clone()) } else { cell(text, is_folder) };
    let change = Pair { local: or_base(local)?, remote: or_base(remote)? };
    let mut results = Vec::new();
    for part in parts {
        let [local, remote] = part[..] else { return Err("two columns stand after =>".into()) };
        let local = cell(local, is_folder)?;
        let remote = if remote == "=" { local.clone() } else { cell(remote, is_folder)? };
        results.push(Pair { local, remote });
    }
    let plain = name.trim_end_matches('/');
    let name = if is_folder { plain.to_owned() } else { format!("{file} {plain}") };
    Ok(Row { place: format!("{place} {plain}"), name, size, base, change, results })
}

fn cell(text: &str, is_folder: bool) -> Result<Cell, String> {
    match (is_folder, text) {
        (true, "+") => Ok(Cell::Folder(true)),
        (true, "-") => Ok(Cell::Folder(false)),
        (true, _) => Err(format!("{text} is neither + nor -")),
        (false, _) => text.split('&').map(copy).collect::<Result<_, _>>().map(Cell::Messages),
    }
}

fn copy(text: &str) -> Result<Option<Copy>, String> {
    if text == "-" {
        return Ok(None);
    }
    let inner = text.trim_end_matches('\'');
    let variant = text.len() - inner.len();
    let (folder, rest) = inner.rsplit_once('/').unwrap_or(("INBOX", inner));
    let (letters, keywords) = rest.strip_suffix('}').and_then(|r| r.split_once('{')).unwrap_or((rest, ""));
    let letters = if letters == "." { "" } else { letters };
    if letters.chars().any(|c| !"DFPRST".contains(c))
        || (letters.is_empty() && keywords.is_empty() && !rest.starts_with('.'))
    {
        return Err(format!("{text} is no message"));
    }
    let mut flags: Flags = letters.chars().map(String::from).collect();
    flags.extend(keywords.split(',').filter(|k| !k.is_empty()).map(str::to_owned));
    Ok(Some(Copy { folder: folder.to_owned(), flags, variant }))
}

/// Copies in the notation of the tables.
pub fn render(copies: &[Copy]) -> String {
    if copies.is_empty() {
        return "-".into();
    }
    let one = |c: &Copy| {
        let (letters, keywords): (Vec<&String>, Vec<&String>) =
            c.flags.iter().partition(|f| f.len() == 1 && imap_names(&[(*f).clone()].into()) != [(*f).clone()]);
        let mut text = if c.folder == "INBOX" { String::new() } else { format!("{}/", c.folder) };
        text += &letters.into_iter().map(String::as_str).collect::<String>();
        if !keywords.is_empty() {
            let words: Vec<_> = keywords.into_iter().map(String::as_str).collect();
            text += &format!("{{{}}}", words.join(","));
        }
        if c.flags.is_empty() {
            text.push('.');
        }
        text + &"'".repeat(c.variant)
    };
    copies.iter().map(one).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notation_goes_both_ways() {
        for text in ["S", ".", "FS{work,x}", "{work}", "Work/Sub/.", "S&S", "Work/FS'&S''", "-"] {
            let parsed = cell(text, false).expect(text);
            let back: Vec<Copy> = parsed.copies().iter().flatten().cloned().collect();
            assert_eq!(render(&back), text);
        }
        for text in ["", "X", "Work/", "s"] {
            assert!(cell(text, false).is_err(), "{text:?}");
        }
    }

    #[test]
    fn tables_have_settings_and_rows() {
        let text = "== one\nset on_delete = \"flag\"\nmirror\na . F = => F =  # why\nNew/ - + - => + + => - -\n== two\nexit 65\nbig@8K S S&- S => S S\n";
        let tables = parse("t", text);
        assert_eq!(tables.len(), 2);
        assert!(tables[0].settings.mirror && tables[1].settings.exit == 65);
        assert_eq!(tables[0].settings.keys["on_delete"], "\"flag\"");
        let [a, new] = &tables[0].rows[..] else { panic!("two rows") };
        assert_eq!((a.place.as_str(), a.name.as_str()), ("t.txt:4 a", "t a"));
        assert_eq!(a.change.remote, a.base);
        assert_eq!(a.results[0].local, a.results[0].remote);
        assert_eq!(a.mirrored().change.local, a.base);
        assert_eq!((new.folder(), new.results.len()), (Some("New"), 2));
        assert_eq!((tables[1].rows[0].size, tables[1].rows[0].change.local.copies().len()), (8192, 2));
    }
}
