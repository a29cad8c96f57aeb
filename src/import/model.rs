//! What an import yields: accounts as mailferry keys, and what could not be taken over.

use std::fmt;

use zeroize::Zeroizing;

use super::origin::Origin;

/// The result of reading one configuration of another tool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// In the order of the file.
    pub accounts: Vec<ImportedAccount>,
    /// Everything that has no counterpart, that of the accounts included, in the order of the file.
    pub warnings: Vec<Warning>,
}

/// Something that was not taken over, or not literally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Line of the configuration, counted from 1; `None` if it is about the whole.
    pub line: Option<usize>,
    /// One line of text without control characters and without secrets.
    pub text: String,
}

impl Warning {
    /// A warning about `line` (0: about the whole file).
    #[must_use]
    pub fn new(line: usize, text: impl AsRef<str>) -> Self {
        Self { line: (line > 0).then_some(line), text: one_line(text.as_ref()) }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// A password that stood in the file: shown by nothing but [`Password::reveal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for `--with-passwords`.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A value of a mailferry key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An array of strings.
    List(Vec<String>),
    /// An inline table of strings and lists (`oauth2`).
    Table(Vec<(&'static str, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

/// One account in mailferry's terms.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedAccount {
    /// Unique in its [`Imported`]; letters, digits and `-_.@+` only.
    pub name: String,
    /// `false`: the tool left it alone unless asked (fetchmail's `skip`), so it is written as comments.
    pub enabled: bool,
    /// Keys of the configuration file with their values, each once, in the order in which they are written.
    pub keys: Vec<(&'static str, Value)>,
    /// A password that stood in the file.
    pub password: Option<Password>,
    /// What becomes a comment above the account.
    pub notes: Vec<Warning>,
    /// Where the tool keeps what it has fetched or paired.
    pub origin: Option<Origin>,
}

impl ImportedAccount {
    /// An account without keys. `name` is made a valid one.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: account_name(name),
            enabled: true,
            keys: Vec::new(),
            password: None,
            notes: Vec::new(),
            origin: None,
        }
    }

    /// Sets a key; a second value replaces the first.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.keys.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.keys.push((key, value)),
        }
    }

    /// Takes a key away.
    pub fn unset(&mut self, key: &str) {
        self.keys.retain(|(name, _)| *name != key);
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.keys.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// The text of a key that is a string.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Int(_) | Value::List(_) | Value::Table(_) => None,
        }
    }

    /// Says what was not taken over, as a comment in the TOML and as a warning.
    pub fn warn(&mut self, line: usize, text: impl AsRef<str>) {
        let warning = Warning::new(line, text);
        if !self.notes.contains(&warning) {
            self.notes.push(warning);
        }
    }
}

impl Imported {
    /// A warning that belongs to no account.
    pub fn warn(&mut self, line: usize, text: impl AsRef<str>) {
        self.warnings.push(Warning::new(line, text));
    }

    /// Adds an account under a name that no other has, and its notes to the warnings.
    pub fn add(&mut self, mut account: ImportedAccount) {
        let base = account.name.clone();
        let mut count = 2_u32;
        while self.accounts.iter().any(|other| other.name == account.name) {
            account.name = format!("{base}-{count}");
            count = count.saturating_add(1);
        }
        self.warnings.extend(account.notes.iter().cloned());
        self.accounts.push(account);
    }

    /// Turns the folder names of `folders` and `trash` from modified UTF-7, in which the tools' users have to write them, into text.
    ///
    /// `decode` gives `None` for what is no modified UTF-7 (a plain `R&D`), which stays as it is.
    #[must_use]
    pub fn decode_names(mut self, decode: &dyn Fn(&str) -> Option<String>) -> Self {
        let decoded = |name: &str| decode(name).unwrap_or_else(|| name.to_owned());
        for account in &mut self.accounts {
            let already = matches!(&account.origin, Some(Origin::OfflineImap(origin)) if origin.utf8_names);
            for (key, value) in &mut account.keys {
                match value {
                    Value::Text(name) if *key == "trash" => *name = decoded(name),
                    Value::List(patterns) if *key == "folders" && !already => {
                        for pattern in patterns {
                            *pattern = decoded(pattern);
                        }
                    }
                    Value::Text(_) | Value::List(_) | Value::Bool(_) | Value::Int(_) | Value::Table(_) => {}
                }
            }
        }
        self
    }

    /// Brings the warnings into the order of the file, each once (accounts can share a section).
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let mut once: Vec<Warning> = Vec::new();
        for warning in self.warnings {
            if !once.contains(&warning) {
                once.push(warning);
            }
        }
        once.sort_by_key(|warning| warning.line.unwrap_or(0));
        self.warnings = once;
        self
    }
}

/// `text` as one line without control and bidi characters: it may come from a foreign file and goes to a terminal.
#[must_use]
pub fn one_line(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hidden(c) { ' ' } else { c }).collect()
}

fn account_name(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
    let cleaned: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let trimmed = cleaned.trim_matches(|c| c == '-' || c == '.');
    if trimmed.is_empty() { "account".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_and_unique() {
        let mut imported = Imported::default();
        for name in ["my work/1", "my work:1", "…"] {
            imported.add(ImportedAccount::new(name));
        }
        let names: Vec<_> = imported.accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["my-work-1", "my-work-1-2", "account"]);
    }

    #[test]
    fn a_password_is_not_in_debug_output() {
        let mut account = ImportedAccount::new("a");
        account.password = Some(Password::new("hunter2".to_owned()));
        assert!(!format!("{account:?}").contains("hunter2"));
    }

    #[test]
    fn folder_names_are_decoded() {
        let mut account = ImportedAccount::new("a");
        account.set("folders", vec!["*".to_owned(), "!Entw&APw-rfe/*".to_owned(), "R&D".to_owned()]);
        account.set("trash", "M&APw-ll");
        account.set("maildir", "~/M&APw-ll");
        let mut imported = Imported::default();
        imported.add(account);
        let decode = |name: &str| (name != "R&D").then(|| name.replace("&APw-", "ü"));
        let account = &imported.decode_names(&decode).accounts[0];
        let names = ["*", "!Entwürfe/*", "R&D"].map(str::to_owned).to_vec();
        assert_eq!(account.get("folders"), Some(&Value::List(names)));
        assert_eq!((account.text("trash"), account.text("maildir")), (Some("Müll"), Some("~/M&APw-ll")));
    }

    #[test]
    fn warnings_hold_no_control_characters() {
        assert_eq!(Warning::new(3, "a\u{1b}[2J\nb\u{202e}").to_string(), "line 3: a [2J b ");
    }
}
