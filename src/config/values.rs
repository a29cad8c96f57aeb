//! From written values to typed ones, one key at a time, by the table of keys. PURE.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::complaint::Complaint;
use super::file::{Entry, Section, Value};
use super::keys::{self, Form, Key};
use super::{measure, presets, url};
use crate::account::CommandLine;
use crate::mail::FolderName;

/// A value of the right kind.
#[derive(Clone, Debug)]
pub enum Typed {
    /// Text, a host, a path not yet expanded, a choice, a provider, a URL.
    Text(String),
    /// A secret's text.
    Secret(SecretString),
    /// A command.
    Command(CommandLine),
    /// A boolean.
    Flag(bool),
    /// A number, a size or a share.
    Number(u64),
    /// An age.
    Age(Duration),
    /// A folder.
    Folder(FolderName),
    /// Patterns or words.
    Texts(Vec<String>),
    /// A certificate's digest.
    Pin([u8; 32]),
    /// The table `oauth2`.
    Table(Settings),
}

/// A typed value and its line.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The value.
    pub value: Typed,
    /// Its line.
    pub line: usize,
}

/// A table's settings by key; only known keys.
#[derive(Clone, Debug, Default)]
pub struct Settings(BTreeMap<&'static str, Setting>);

impl Settings {
    /// The setting of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.0.get(key)
    }

    /// Whether one of these keys is set; the first of them in order.
    #[must_use]
    pub fn first_of(&self, keys: &[&'static str]) -> Option<(&'static str, &Setting)> {
        keys.iter().find_map(|key| self.0.get(key).map(|setting| (*key, setting)))
    }

    /// Without these keys.
    pub fn remove(&mut self, keys: &[&str]) {
        self.0.retain(|name, _| !keys.contains(name));
    }

    /// Every key and setting.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Setting)> {
        self.0.iter().map(|(key, setting)| (*key, setting))
    }
}

/// Types a section's values against a table of keys; what is wrong goes to `complaints`.
pub fn read(section: &Section, table: &'static [Key], complaints: &mut Vec<Complaint>) -> Settings {
    let mut settings = Settings::default();
    for entry in &section.entries {
        let Some(key) = table.iter().find(|key| key.name == entry.key) else {
            complaints.push(unknown(entry, section, table));
            continue;
        };
        match typed(key, &entry.value, complaints) {
            Ok(value) => {
                settings.0.insert(key.name, Setting { value, line: entry.line });
            }
            Err(why) => complaints.push(
                Complaint::config(format!("`{}` in [{}] {why}", key.name, section.title)).at(entry.line).key(key.name),
            ),
        }
    }
    settings
}

fn unknown(entry: &Entry, section: &Section, table: &'static [Key]) -> Complaint {
    let names: Vec<&str> = table.iter().map(|key| key.name).collect();
    let within = || names.iter().copied().filter(|name| entry.key.contains(name)).max_by_key(|name| name.len());
    let tail = match keys::nearest(&entry.key, &names).or_else(|| familiar(&entry.key)).or_else(within) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => {
            let closest = keys::closest(&entry.key, &names).unwrap_or_default();
            format!("; `man mailferry.toml` lists the keys, `{closest}` is the nearest")
        }
    };
    let message = format!("unknown key `{}` in [{}]{tail}", entry.key, section.title);
    Complaint::config(message).at(entry.line).key(entry.key.clone())
}

/// Words that other programs use for what is meant.
fn familiar(word: &str) -> Option<&'static str> {
    let folded = word.to_ascii_lowercase().replace('-', "_");
    match folded.as_str() {
        "username" | "login" | "email" | "remoteuser" => Some("user"),
        "server" | "hostname" | "remotehost" | "address" => Some("host"),
        "pass" | "passwd" | "remotepass" => Some("password"),
        "passcmd" | "pass_cmd" | "passwordeval" | "remotepasseval" | "password_cmd" | "pass_command" => {
            Some("password_command")
        }
        "ssl" | "ssltype" | "tlstype" | "encryption" | "security" | "starttls" => Some("tls"),
        "type" => Some("protocol"),
        "patterns" | "folderfilter" | "mailboxes" => Some("folders"),
        "path" | "localfolders" | "root" | "maildirstore" => Some("maildir"),
        "authmechs" | "auth_mechanisms" => Some("auth"),
        "cert_fingerprint" | "fingerprint" => Some("tls_fingerprint"),
        "certificatefile" | "sslcacertfile" | "ca" => Some("ca_file"),
        "oauth" | "xoauth2" => Some("oauth2"),
        "maxsize" | "max_message_size" => Some("max_size"),
        "subfolders" => Some("layout"),
        _ => None,
    }
}

fn typed(key: &Key, value: &Value, complaints: &mut Vec<Complaint>) -> Result<Typed, String> {
    match (key.form, value) {
        (Form::Text, Value::Text(text)) => clean(text).map(Typed::Text),
        (Form::Path, Value::Text(text)) if text.contains('\0') => Err("holds a NUL".to_owned()),
        (Form::Path, Value::Text(text)) => Ok(Typed::Text(text.clone())),
        (Form::Host, Value::Text(text)) => {
            url::host_name(text).map(|()| Typed::Text(text.clone())).map_err(str::to_owned)
        }
        (Form::Secret, Value::Text(text)) => Ok(Typed::Secret(SecretString::from(text.clone()))),
        (Form::Command, Value::Text(text)) => shell(text),
        (Form::Command, Value::Texts(words)) => argv(words),
        (Form::Flag, Value::Flag(flag)) => Ok(Typed::Flag(*flag)),
        (Form::Number(least, most), Value::Integer(digits)) => number(digits, least, most),
        (Form::Age(zero), Value::Text(text)) => match measure::age(text) {
            Ok(age) if age.is_zero() && !zero => Err("must be more than zero".to_owned()),
            Ok(age) => Ok(Typed::Age(age)),
            Err(why) => Err(format!("{why} (it is {text:?})")),
        },
        (Form::Size, Value::Text(text) | Value::Integer(text)) => {
            measure::size(text).map(Typed::Number).map_err(|why| format!("{why} (it is {text:?})"))
        }
        (Form::Percent, Value::Text(text)) => measure::percent(text)
            .map(|share| Typed::Number(share.into()))
            .map_err(|why| format!("{why} (it is {text:?})")),
        (Form::Folder, Value::Text(text)) => match FolderName::parse(text) {
            Some(name) if !text.chars().any(char::is_control) => Ok(Typed::Folder(name)),
            Some(_) | None => Err("is not a folder name: levels with `/` between them".to_owned()),
        },
        (Form::Patterns, Value::Texts(texts)) => patterns(texts),
        (Form::Words, Value::Texts(texts)) => {
            texts.iter().map(|t| clean(t)).collect::<Result<_, _>>().map(Typed::Texts)
        }
        (Form::Words, Value::Text(text)) => {
            clean(text).map(|text| Typed::Texts(text.split_whitespace().map(str::to_owned).collect()))
        }
        (Form::Choice(words), Value::Text(text)) => choice(text, words).map(Typed::Text),
        (Form::Provider, Value::Text(text)) => {
            let names: Vec<&str> = presets::PRESETS.iter().map(|p| p.name).collect();
            choice(text, &names).map(Typed::Text)
        }
        (Form::Fingerprint, Value::Text(text)) => measure::fingerprint(text).map(Typed::Pin),
        (Form::Url, Value::Text(text)) => endpoint(text).map(Typed::Text),
        (Form::OAuth2, Value::Table(section)) => Ok(Typed::Table(read(section, keys::OAUTH2, complaints))),
        (form, other) => Err(format!(
            "must be {}, not {}; for example {} = {}",
            wanted(form),
            other.describe(),
            key.name,
            key.example
        )),
    }
}

fn wanted(form: Form) -> &'static str {
    match form {
        Form::Text | Form::Host | Form::Secret | Form::Path | Form::Folder | Form::Choice(_) => "a string",
        Form::Provider | Form::Fingerprint | Form::Url => "a string",
        Form::Command => "a string or a list of strings",
        Form::Flag => "true or false",
        Form::Number(..) => "a number",
        Form::Age(_) | Form::Percent => "a string with its unit",
        Form::Size => "a size",
        Form::Patterns => "a list of strings",
        Form::Words => "a list of strings",
        Form::OAuth2 => "a table",
    }
}

/// Text without control characters, and not empty.
fn clean(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("is empty".to_owned())
    } else if text.chars().any(char::is_control) {
        Err("holds a control character".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

fn shell(text: &str) -> Result<Typed, String> {
    match text.trim() {
        "" => Err("is empty".to_owned()),
        _ if text.contains('\0') => Err("holds a NUL".to_owned()),
        _ => Ok(Typed::Command(CommandLine::Shell(text.to_owned()))),
    }
}

fn argv(words: &[String]) -> Result<Typed, String> {
    match words.first() {
        None => Err("is empty".to_owned()),
        Some(program) if program.is_empty() => Err("names no program".to_owned()),
        Some(_) if words.iter().any(|w| w.contains('\0')) => Err("holds a NUL".to_owned()),
        Some(_) => Ok(Typed::Command(CommandLine::Argv(words.to_vec()))),
    }
}

fn number(digits: &str, least: u32, most: u32) -> Result<Typed, String> {
    match digits.parse::<u32>() {
        Ok(number) if (least..=most).contains(&number) => Ok(Typed::Number(number.into())),
        Ok(_) | Err(_) => Err(format!("must be a number from {least} to {most} (it is {digits})")),
    }
}

fn patterns(texts: &[String]) -> Result<Typed, String> {
    if texts.is_empty() {
        return Err("is empty: [\"*\"] selects every folder".to_owned());
    }
    for text in texts {
        if matches!(text.as_str(), "" | "!") || text.chars().any(char::is_control) {
            return Err(format!("holds {text:?}, which is no pattern"));
        }
    }
    Ok(Typed::Texts(texts.to_vec()))
}

fn choice(text: &str, words: &[&str]) -> Result<String, String> {
    if words.contains(&text) {
        return Ok(text.to_owned());
    }
    let near = keys::nearest(text, words).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    let list = words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(", ");
    let list = if words.len() > 12 {
        "a provider listed by `man mailferry.toml`".to_owned()
    } else {
        format!("one of {list}")
    };
    Err(format!("must be {list}, not {text:?}{near}"))
}

/// `https://…`; `http` only for this machine, where nobody can listen.
fn endpoint(text: &str) -> Result<String, String> {
    let local = |rest: &str| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    };
    let fine = match text.split_once("://") {
        Some(("https", rest)) => !rest.is_empty(),
        Some(("http", rest)) => local(rest),
        Some(_) | None => false,
    };
    if fine && !text.chars().any(|c| c.is_control() || c == ' ') {
        Ok(text.to_owned())
    } else {
        Err("must be an https:// address".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;

    #[test]
    fn every_example_is_accepted() {
        for key in keys::KEYS.iter().chain(keys::OAUTH2) {
            let table: &'static [Key] = if keys::find(key.name).is_some() { keys::KEYS } else { keys::OAUTH2 };
            let (profile, complaints) = file::parse(&format!("[defaults]\n{} = {}\n", key.name, key.example));
            assert!(complaints.is_empty(), "{complaints:?}");
            let mut complaints = Vec::new();
            let settings = read(&profile.defaults, table, &mut complaints);
            assert!(complaints.is_empty() && settings.get(key.name).is_some(), "{}: {complaints:?}", key.name);
        }
    }

    fn complaint(line: &str) -> String {
        let (profile, _) = file::parse(&format!("[accounts.work]\n{line}\n"));
        let mut complaints = Vec::new();
        read(&profile.accounts[0].1, keys::KEYS, &mut complaints);
        assert_eq!(complaints.len(), 1, "{line}");
        assert_eq!(complaints[0].line, Some(2));
        complaints[0].message.clone()
    }

    #[test]
    fn wrong_values() {
        assert!(complaint("folder_s = ['a']").contains("in [accounts.work]; did you mean `folders`?"));
        assert!(complaint("username = 'a'").contains("did you mean `user`?"));
        assert!(complaint("folder_pattern = 'a'").contains("did you mean `folder`?"));
        assert!(complaint("frobnicate = 1").contains("man mailferry.toml"));
        assert!(complaint("port = '993'").contains("must be a number, not a string; for example port = 993"));
        assert!(complaint("port = 0").contains("from 1 to 65535"));
        assert!(complaint("connections = 0").contains("from 1"));
        assert!(complaint("max_delete = '101%'").contains("over 100%"));
        assert!(complaint("timeout = '0s'").contains("more than zero"));
        assert!(complaint("timeout = 60").contains("a string with its unit"));
        assert!(complaint("tls = 'starttsl'").contains("did you mean \"starttls\"?"));
        assert!(complaint("provider = 'gmial'").contains("did you mean \"gmail\"?"));
        assert!(complaint("folders = 'INBOX'").contains("must be a list"));
        assert!(complaint("folders = []").contains("is empty"));
        assert!(complaint("folders = [1]").contains("other things than strings"));
        assert!(complaint("user = \"a\\nb\"").contains("control character"));
        assert!(complaint("host = 'h:993'").contains("write it as `port`"));
        assert!(complaint("trash = '/x'").contains("not a folder name"));
        assert!(complaint("password_command = []").contains("is empty"));
        assert!(complaint("max_size = 0").contains("at least 1"));
        assert!(complaint("oauth2 = { token_url = 'http://login.example' }").contains("https://"));
        assert!(complaint("oauth2 = { clientid = 'x' }").contains("did you mean `client_id`?"));
        assert!(!complaint("password = 12345").contains("12345"));
    }

    #[test]
    fn endpoints() {
        for good in ["https://a.example/x", "http://127.0.0.1:8080/t", "http://localhost", "http://[::1]:1/x"] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in
            ["http://a.example", "ftp://a", "a.example", "https://", "http://127.0.0.1.evil.example/", "https://a b"]
        {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
