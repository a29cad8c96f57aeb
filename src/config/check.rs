//! From typed settings to checked accounts: which table wins, what goes together, what an account needs. PURE.

use std::path::Path;
use std::time::Duration;

use super::build;
use super::complaint::Complaint;
use super::file::{Profile, Section};
use super::keys::{self, KEEP, Only, PASSWORD};
use super::paths::{self, Env};
use super::presets::{self, Preset};
use super::values::{self, Setting, Settings, Typed};
use crate::account::{Account, Protocol};

/// What a check needs to know of the world.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The environment.
    pub env: Env<'a>,
    /// What relative paths start from.
    pub base: &'a Path,
    /// Whether the file belongs to the user and no one else can read it.
    pub private: bool,
}

/// Checks a profile. Complaints have no file yet; accounts keep the order of the file, those with complaints are left out.
#[must_use]
pub fn check(profile: &Profile, world: &World) -> (Vec<Account>, Vec<Complaint>) {
    let mut complaints = Vec::new();
    let defaults = values::read(&profile.defaults, keys::KEYS, &mut complaints);
    one_choice(&defaults, &profile.defaults, &mut complaints);
    inline_password(&defaults, "defaults", world, &mut complaints);
    let mut accounts = Vec::new();
    for (name, section) in &profile.accounts {
        let before = complaints.len();
        account_name(name, section, &mut complaints);
        let own = values::read(section, keys::KEYS, &mut complaints);
        one_choice(&own, section, &mut complaints);
        inline_password(&own, &section.title, world, &mut complaints);
        let merged = Merged::new(name, section.line, own, &defaults);
        let Some(protocol) = protocol(&merged, &mut complaints) else { continue };
        other_protocol(&merged, protocol, &mut complaints);
        if let Some(account) = build::account(&merged, protocol, world, &mut complaints)
            && complaints.len() == before
        {
            accounts.push(account);
        }
    }
    for complaint in &mut complaints {
        complaint.message = complaint.message.replace('\n', " ");
    }
    (accounts, complaints)
}

/// An account's own settings over the defaults.
pub struct Merged {
    /// The account's name.
    pub name: String,
    /// The line of its header.
    pub line: usize,
    /// What its own table says.
    pub own: Settings,
    /// What the defaults say and its own table leaves to them.
    pub defaults: Settings,
}

impl Merged {
    fn new(name: &str, line: usize, own: Settings, defaults: &Settings) -> Self {
        let mut defaults = defaults.clone();
        if own.first_of(&PASSWORD).is_some() {
            defaults.remove(&PASSWORD);
            // A password in the account means that it does not sign in the way the defaults do.
            defaults.remove(&["oauth2"]);
        }
        if own.get("oauth2").is_some() {
            defaults.remove(&PASSWORD);
        }
        if own.first_of(&KEEP).is_some() {
            defaults.remove(&KEEP);
        }
        if matches!(own.get("mode").map(|s| &s.value), Some(Typed::Text(mode)) if mode != "sync") {
            // `mirror` and `archive` decide these two; what the defaults say belongs to their mode.
            defaults.remove(&["direction", "on_remote_delete"]);
        }
        if own.get("client_cert").is_some() {
            defaults.remove(&["client_cert_password_command"]);
        }
        if own.get("provider").is_some() {
            // An own provider stands for its host, port and tls.
            defaults.remove(&["host", "port", "tls"]);
        }
        Self { name: name.to_owned(), line, own, defaults }
    }

    /// The setting that counts.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.own.get(key).or_else(|| self.defaults.get(key))
    }

    /// Text, a path or a choice.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key).map(|s| &s.value) {
            Some(Typed::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A boolean.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key).map(|s| &s.value) {
            Some(Typed::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.get(key).map(|s| &s.value) {
            Some(Typed::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// An age.
    #[must_use]
    pub fn age(&self, key: &str) -> Option<Duration> {
        match self.get(key).map(|s| &s.value) {
            Some(Typed::Age(age)) => Some(*age),
            _ => None,
        }
    }

    /// The preset.
    #[must_use]
    pub fn preset(&self) -> Option<&'static Preset> {
        self.text("provider").and_then(presets::find)
    }

    /// A complaint about a key of this account, at the key's line or at the account's header.
    #[must_use]
    pub fn complaint(&self, key: &str, why: &str) -> Complaint {
        let line = self.get(key).map_or(self.line, |setting| setting.line);
        let place = if self.own.get(key).is_none() && self.defaults.get(key).is_some() { "defaults" } else { "" };
        let title = if place.is_empty() { format!("accounts.{}", self.name) } else { place.to_owned() };
        Complaint::config(format!("`{key}` in [{title}] {why}")).at(line).key(key).account(&self.name)
    }

    /// A complaint about a key that the account lacks.
    #[must_use]
    pub fn missing(&self, key: &str, why: &str) -> Complaint {
        Complaint::config(format!("[accounts.{}] {why}", self.name)).at(self.line).key(key).account(&self.name)
    }
}

fn account_name(name: &str, section: &Section, complaints: &mut Vec<Complaint>) {
    let why = match paths::component(name) {
        Err(why) => Some(why),
        Ok(()) if name.starts_with('-') => {
            Some("starts with `-`, so that the command line would take it for an option")
        }
        Ok(()) if name.starts_with('.') => Some("starts with a dot, which would hide its Maildir"),
        Ok(()) => None,
    };
    if let Some(why) = why {
        complaints.push(Complaint::config(format!("the account's name {name:?} {why}")).at(section.line));
    }
}

/// Two keys of one choice in one table: password sources, and what a fetch leaves on the server.
fn one_choice(settings: &Settings, section: &Section, complaints: &mut Vec<Complaint>) {
    let passwords: Vec<_> = PASSWORD.iter().filter_map(|key| settings.get(key).map(|s| (*key, s.line))).collect();
    let active = |key: &&&str| match settings.get(key).map(|s| &s.value) {
        Some(Typed::Flag(flag)) => *flag,
        Some(_) => true,
        None => false,
    };
    let keeps: Vec<_> =
        KEEP.iter().filter(active).filter_map(|key| settings.get(key).map(|s| (*key, s.line))).collect();
    for set in [passwords, keeps] {
        if let [(first, _), .., (last, line)] = set.as_slice() {
            let message = format!("[{}] sets both `{first}` and `{last}`: choose one", section.title);
            complaints.push(Complaint::config(message).at(*line).key(*last));
        }
    }
    if let (Some(password), Some(oauth)) = (settings.first_of(&PASSWORD), settings.get("oauth2")) {
        let message = format!("[{}] sets both `{}` and `oauth2`: choose one", section.title, password.0);
        complaints.push(Complaint::config(message).at(oauth.line).key("oauth2"));
    }
}

fn inline_password(settings: &Settings, title: &str, world: &World, complaints: &mut Vec<Complaint>) {
    if let Some(setting) = settings.get("password")
        && !world.private
    {
        let message = format!(
            "`password` in [{title}] is accepted only in a file that belongs to you and that no one else can read"
        );
        complaints.push(
            Complaint::config(message)
                .at(setting.line)
                .key("password")
                .hint("run chmod 600 on the file, or use `password_command`"),
        );
    }
}

fn protocol(merged: &Merged, complaints: &mut Vec<Complaint>) -> Option<Protocol> {
    match (merged.text("protocol"), merged.preset()) {
        (Some("pop3"), _) => Some(Protocol::Pop3),
        (Some(_), _) => Some(Protocol::Imap),
        (None, Some(preset)) if preset.imap.is_none() && preset.pop3.is_some() => Some(Protocol::Pop3),
        (None, Some(_)) => Some(Protocol::Imap),
        (None, None) => {
            // A wrong value of either key has its complaint already.
            if !complaints.iter().any(|c| matches!(c.key.as_deref(), Some("protocol" | "provider"))) {
                let why = "needs `protocol = \"imap\"` or `protocol = \"pop3\"`";
                complaints.push(merged.missing("protocol", why));
            }
            None
        }
    }
}

/// Keys of the other protocol: ignored in the defaults, wrong in an account.
fn other_protocol(merged: &Merged, protocol: Protocol, complaints: &mut Vec<Complaint>) {
    for (name, _) in merged.own.iter() {
        let (fits, word) = match (keys::find(name).map(|key| key.only), protocol) {
            (Some(Only::Imap), Protocol::Pop3) => (false, "IMAP"),
            (Some(Only::Pop3), Protocol::Imap) => (false, "POP3"),
            (Some(Only::Imap | Only::Pop3 | Only::Both) | None, Protocol::Imap | Protocol::Pop3) => (true, ""),
        };
        if !fits {
            complaints.push(merged.complaint(name, &format!("is for {word} accounts only")));
        }
    }
}
