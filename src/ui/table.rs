//! What `status`, `check`, `folders` and `verify` print: records, as aligned columns or as JSON. PURE.

use super::style::{Paint, fit, paint, shorten, size, width};
use crate::mail::text::clean_to;

/// One value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text; exact in JSON, cleaned for people.
    Text(String),
    /// A path: in full in JSON, as the second text (from `~`, for instance) for people.
    Path(String, String),
    /// A count.
    Number(u64),
    /// Bytes; a number in JSON, `4.2 MiB` for people.
    Size(u64),
    /// Seconds since 1970; RFC 3339 in JSON, local time for people.
    Time(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts; a list in JSON, separated by commas for people.
    List(Vec<String>),
    /// Objects of their own; a list in JSON, their number for people.
    Objects(Vec<Vec<(&'static str, Value)>>),
    /// Not known: no field in JSON, `-` for people.
    Missing,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Value {
    /// Text if there is any.
    #[must_use]
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Missing, |t| Self::Text(t.into()))
    }

    /// The JSON value; `None` for a missing one.
    pub(super) fn to_json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Text(text) | Self::Path(text, _) => text.as_str().into(),
            Self::Number(number) | Self::Size(number) => (*number).into(),
            Self::Time(seconds) => jiff::Timestamp::from_second(*seconds).ok()?.to_string().into(),
            Self::Flag(flag) => (*flag).into(),
            Self::List(list) => list.clone().into(),
            Self::Objects(objects) => objects.iter().map(|fields| object(fields)).collect(),
            Self::Missing => return None,
        })
    }

    /// What people read, without anything that a terminal acts on.
    fn to_cell(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => "-".to_owned(),
            Self::Text(text) | Self::Path(_, text) => clean_to(text, 1000),
            Self::Number(number) => number.to_string(),
            Self::Size(bytes) => size(*bytes),
            Self::Time(seconds) => jiff::Timestamp::from_second(*seconds).map_or_else(
                |_| "-".to_owned(),
                |t| t.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
            ),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::List(list) if list.is_empty() => "-".to_owned(),
            Self::List(list) => clean_to(&list.join(", "), 1000),
            Self::Objects(objects) => objects.len().to_string(),
            Self::Missing => "-".to_owned(),
        }
    }
}

fn object(fields: &[(&'static str, Value)]) -> serde_json::Value {
    fields.iter().filter_map(|(name, value)| Some(((*name).to_owned(), value.to_json()?))).collect()
}

/// One object of output: an account of `status`, a check, a folder, a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The field `event`.
    pub event: &'static str,
    /// The account's name.
    pub account: Option<String>,
    /// The folder's name.
    pub folder: Option<String>,
    /// The other fields, in order.
    pub fields: Vec<(&'static str, Value)>,
}

impl Record {
    /// A record with no field yet.
    #[must_use]
    pub fn new(event: &'static str) -> Self {
        Self { event, account: None, folder: None, fields: Vec::new() }
    }

    /// With its account.
    #[must_use]
    pub fn account(mut self, name: impl Into<String>) -> Self {
        self.account = Some(name.into());
        self
    }

    /// With its folder.
    #[must_use]
    pub fn folder(mut self, name: impl Into<String>) -> Self {
        self.folder = Some(name.into());
        self
    }

    /// With one field more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.fields.push((name, value));
        self
    }

    fn cell(&self, field: &str) -> String {
        let named = |text: &Option<String>| text.as_ref().map_or_else(|| "-".to_owned(), |t| clean_to(t, 1000));
        match field {
            "account" => named(&self.account),
            "folder" => named(&self.folder),
            _ => {
                self.fields.iter().find(|(name, _)| *name == field).map_or_else(|| "-".to_owned(), |(_, v)| v.to_cell())
            }
        }
    }
}

/// One column of a table: the field it shows (`account` and `folder` too) and its heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    field: &'static str,
    title: &'static str,
    right: bool,
}

impl Column {
    /// A column of text, aligned left.
    #[must_use]
    pub const fn left(field: &'static str, title: &'static str) -> Self {
        Self { field, title, right: false }
    }

    /// A column of figures, aligned right.
    #[must_use]
    pub const fn right(field: &'static str, title: &'static str) -> Self {
        Self { field, title, right: true }
    }
}

/// Narrower than this no column is made.
const NARROWEST: usize = 8;

/// The table with its heading, a line each, no trailing blanks. `columns_wide`: a terminal's width, to which the widest
/// text columns are shortened; `None` (a file, a pipe) shortens nothing. Empty without records.
#[must_use]
pub fn render(columns: &[Column], records: &[Record], columns_wide: Option<usize>, colored: bool) -> String {
    if records.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = records.iter().map(|r| columns.iter().map(|c| r.cell(c.field)).collect()).collect();
    let mut widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| {
            rows.iter().filter_map(|r| r.get(i)).map(|cell| width(cell)).max().unwrap_or(0).max(width(c.title))
        })
        .collect();
    if let Some(limit) = columns_wide {
        squeeze(&mut widths, columns, limit);
    }
    let heading = line(columns, &widths, columns.iter().map(|c| c.title));
    let mut out = paint(&heading, Paint::Heading, colored);
    out.push('\n');
    for row in &rows {
        out.push_str(&line(columns, &widths, row.iter().map(String::as_str)));
        out.push('\n');
    }
    out
}

fn line<'a>(columns: &[Column], widths: &[usize], cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> =
        columns.iter().zip(widths).zip(cells).map(|((c, w), cell)| fit(&shorten(cell, *w), *w, c.right)).collect();
    cells.join("  ").trim_end().to_owned()
}

/// Takes from the widest text column, one place at a time, until all fit into `limit`.
fn squeeze(widths: &mut [usize], columns: &[Column], limit: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
    while over > 0 {
        let widest = widths
            .iter_mut()
            .zip(columns)
            .filter(|(w, c)| !c.right && **w > NARROWEST)
            .map(|(w, _)| w)
            .max_by_key(|w| **w);
        let Some(widest) = widest else { return };
        *widest -= 1;
        over -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 5] = [
        Column::left("folder", "FOLDER"),
        Column::right("messages", "MESSAGES"),
        Column::right("size", "SIZE"),
        Column::left("special", "USE"),
        Column::left("path", "PATH"),
    ];

    fn records() -> Vec<Record> {
        let record = |folder: &str, messages, size, path: &str| {
            Record::new("folder")
                .folder(folder)
                .with("messages", Value::Number(messages))
                .with("size", Value::Size(size))
                .with("special", Value::Missing)
                .with("path", Value::Path("/full".into(), path.into()))
        };
        vec![
            record("INBOX", 12_345, 1_200_000_000, "/home/me/Mail/work/INBOX"),
            record("Bücher/日本", 3, 900, "/home/me/Mail/work/Bücher/日本"),
            record("a\u{1b}[2Jb", 0, 0, "/home/me/Mail/work/a%1B[2Jb-and-a-name-that-goes-on-and-on-for-a-long-while"),
        ]
    }

    #[test]
    fn in_a_file_nothing_is_shortened() {
        let expected = "\
FOLDER       MESSAGES     SIZE  USE  PATH
INBOX           12345  1.1 GiB  -    /home/me/Mail/work/INBOX
Bücher/日本         3    900 B  -    /home/me/Mail/work/Bücher/日本
a\u{fffd}[2Jb              0      0 B  -    /home/me/Mail/work/a%1B[2Jb-and-a-name-that-goes-on-and-on-for-a-long-while
";
        assert_eq!(render(&COLUMNS, &records(), None, false), expected);
    }

    #[test]
    fn at_80_columns_the_widest_is_shortened() {
        let text = render(&COLUMNS, &records(), Some(80), false);
        assert!(text.lines().all(|l| width(l) <= 80), "{text}");
        assert!(text.ends_with("/home/me/Mail/work/a%1B[2Jb-and-a-name-tha…\n"), "{text}");
        let text = render(&COLUMNS, &records(), Some(120), false);
        assert!(text.lines().all(|l| width(l) <= 120) && !text.contains('…'), "{text}");
    }

    #[test]
    fn figures_are_never_shortened() {
        let text = render(&COLUMNS, &records(), Some(10), false);
        assert!(text.contains("12345") && text.contains("1.1 GiB"), "{text}");
        assert_eq!(render(&COLUMNS, &[], Some(80), true), "");
        assert!(render(&COLUMNS, &records(), None, true).starts_with("\x1b[1mFOLDER"));
    }
}
