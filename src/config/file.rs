//! The profile as it is written: sections, keys and values with their lines, nothing judged but the shape. PURE.

use toml::de::{DeTable, DeValue};

use super::complaint::Complaint;
use super::keys;

/// A value as written. No `Debug`: it may be a password.
#[derive(Clone)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer as its digits, sign included.
    Integer(String),
    /// A boolean.
    Flag(bool),
    /// An array of strings.
    Texts(Vec<String>),
    /// A table.
    Table(Section),
    /// Anything else, by its name for people.
    Other(&'static str),
}

/// A key with its value and the line it stands in, from 1.
#[derive(Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its line.
    pub line: usize,
    /// Its value.
    pub value: Value,
}

/// A table in the order of the file.
#[derive(Clone, Default)]
pub struct Section {
    /// What stands in the brackets: `defaults`, `accounts.work`.
    pub title: String,
    /// The line of its header.
    pub line: usize,
    /// Its keys.
    pub entries: Vec<Entry>,
}

/// A profile: defaults, and the accounts in the order of the file.
#[derive(Clone, Default)]
pub struct Profile {
    /// `[defaults]`.
    pub defaults: Section,
    /// Each `[accounts.NAME]` by its name.
    pub accounts: Vec<(String, Section)>,
}

/// Reads a profile. Complaints are about syntax and about tables that are not known; what is readable is returned too.
#[must_use]
pub fn parse(text: &str) -> (Profile, Vec<Complaint>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    let mut complaints: Vec<Complaint> = Vec::new();
    for error in errors {
        let line = error.span().map_or(1, |span| lines.of(span.start));
        // The parser's message never quotes the line, which may hold a password.
        if !complaints.iter().any(|c| c.line == Some(line)) {
            complaints.push(Complaint::config(syntax(error.message())).at(line).hint(syntax_hint(error.message())));
        }
    }
    if !complaints.is_empty() {
        return (Profile::default(), complaints);
    }
    let root = section(table.get_ref(), String::new(), &lines, 1);
    let mut profile = Profile::default();
    for entry in root.entries {
        match (entry.key.as_str(), entry.value) {
            ("defaults", Value::Table(table)) => profile.defaults = table,
            ("accounts", Value::Table(table)) => take_accounts(table, &mut profile, &mut complaints),
            ("defaults" | "accounts", _) => {
                let message = format!("`{}` must be a table: write [{}]", entry.key, example_title(&entry.key));
                complaints.push(Complaint::config(message).at(entry.line).key(entry.key));
            }
            (_, value) => complaints.push(unknown_at_top(&entry.key, entry.line, &value)),
        }
    }
    (profile, complaints)
}

const SYNTAX_HINT: &str = "text values stand in quotes, as in user = \"me@example.org\"; lists in brackets";

fn syntax_hint(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        return "each key, and each [accounts.NAME], stands once: remove one of the two";
    }
    SYNTAX_HINT
}

fn syntax(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    format!("not valid TOML: {first}")
}

fn example_title(key: &str) -> &'static str {
    if key == "accounts" { "accounts.NAME" } else { "defaults" }
}

fn take_accounts(table: Section, profile: &mut Profile, complaints: &mut Vec<Complaint>) {
    for entry in table.entries {
        match entry.value {
            Value::Table(section) => profile.accounts.push((entry.key, section)),
            Value::Text(_) | Value::Integer(_) | Value::Flag(_) | Value::Texts(_) | Value::Other(_) => {
                let message = format!("`{}` stands directly in [accounts]; write it below [accounts.NAME]", entry.key);
                complaints.push(Complaint::config(message).at(entry.line).key(entry.key));
            }
        }
    }
}

fn unknown_at_top(key: &str, line: usize, value: &Value) -> Complaint {
    let message = if keys::find(key).is_some() {
        format!("key `{key}` stands outside a table; write it below [defaults] or [accounts.NAME]")
    } else if let Some(near) = keys::nearest(key, &["defaults", "accounts"]) {
        format!("unknown table `{key}`; did you mean `{near}`?")
    } else if matches!(value, Value::Table(_)) {
        format!("unknown table [{key}]; an account is written as [accounts.{key}]")
    } else {
        format!("unknown key `{key}`; the file has the tables [defaults] and [accounts.NAME]")
    };
    Complaint::config(message).at(line).key(key)
}

fn section(table: &DeTable<'_>, title: String, lines: &Lines, line: usize) -> Section {
    let mut items: Vec<_> = table.iter().collect();
    items.sort_by_key(|(key, _)| key.span().start);
    let entries = items
        .into_iter()
        .map(|(key, value)| {
            let name = key.get_ref().to_string();
            let line = lines.of(key.span().start);
            let inner = if title.is_empty() { name.clone() } else { format!("{title}.{name}") };
            Entry { value: convert(value.get_ref(), inner, lines, line), key: name, line }
        })
        .collect();
    Section { title, line, entries }
}

fn convert(value: &DeValue<'_>, title: String, lines: &Lines, line: usize) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(number.to_string()),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Table(table) => Value::Table(section(table, title, lines, line)),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|i| i.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Value::Other("a list that holds other things than strings"), Value::Texts)
        }
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
    }
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1).collect())
    }

    /// The line of a byte, from 1.
    fn of(&self, at: usize) -> usize {
        self.0.partition_point(|&start| start <= at) + 1
    }
}

impl Value {
    /// What it is, for people.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Texts(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(what) => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_order_and_lines() {
        let (profile, complaints) =
            parse("[defaults]\nmaildir = 'x'\n\n[accounts.zeta]\nport = 0x10\n[accounts.alpha]\nfolders = ['a']\n");
        assert!(complaints.is_empty());
        let names: Vec<_> = profile.accounts.iter().map(|(n, s)| (n.as_str(), s.entries[0].line)).collect();
        assert_eq!(names, [("zeta", 5), ("alpha", 7)]);
        assert_eq!(profile.accounts[0].1.title, "accounts.zeta");
    }

    #[test]
    fn complains_about_shape() {
        let text = "maildir = 'x'\n[account.work]\nuser = 'a'\n[work]\nuser='b'\n[accounts]\nuser = 'c'\n";
        let (_, complaints) = parse(text);
        let texts: Vec<_> = complaints.iter().map(|c| (c.line.unwrap(), c.message.as_str())).collect();
        assert!(texts[0].1.contains("outside a table") && texts[0].0 == 1, "{texts:?}");
        assert!(texts[1].1.contains("did you mean `accounts`") && texts[1].0 == 2, "{texts:?}");
        assert!(texts[2].1.contains("[accounts.work]") && texts[2].0 == 4, "{texts:?}");
        assert!(texts[3].1.contains("directly in [accounts]") && texts[3].0 == 7, "{texts:?}");
    }

    #[test]
    fn a_syntax_error_names_the_line_and_no_secret() {
        let (_, complaints) = parse("[accounts.a]\nuser = me@example.org\npassword = hunter2\n");
        assert_eq!(complaints.iter().map(|c| c.line.unwrap()).collect::<Vec<_>>(), [2, 3]);
        assert!(!format!("{complaints:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\PC|\n){0,200}|(\\[?[a-z.]{0,5}\\]?( = )?['\"0-9\\[\\]{}]{0,3}\n){0,8}") {
            let _ = parse(&text);
        }
    }
}
