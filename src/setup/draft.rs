//! A profile in the making, and its table in TOML. PURE.

use secrecy::{ExposeSecret, SecretString};
use toml_edit::{InlineTable, Item, Table, value};

use crate::account::{LayoutKind, Mode, Protocol, TlsMode};
use crate::config::build::default_port;
use crate::config::presets::Preset;

/// Where the password will come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// `password_command`.
    Command(String),
    /// `password_file`, and what to write into it if the password was asked for.
    File(String, Option<SecretString>),
    /// `password_env`.
    Env(String),
    /// `password_keyring`, and what to store there if the password was asked for.
    Keyring(String, Option<SecretString>),
    /// `oauth2` with a client id and, if it has one, its secret.
    Client(String, Option<SecretString>),
    /// `oauth2` with a command.
    TokenCommand(String),
}

/// What a fetch leaves on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepWord {
    /// Everything.
    Keep,
    /// Nothing.
    Delete,
    /// What is younger than this, as written.
    DeleteAfter(String),
}

/// An account as it will stand in the file.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// Its provider, if it is a known one.
    pub preset: Option<&'static Preset>,
    /// IMAP or POP3.
    pub protocol: Protocol,
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// User name.
    pub user: String,
    /// `auth`, if it was asked for.
    pub auth: Option<String>,
    /// The password.
    pub source: Source,
    /// `ca_file`.
    pub ca_file: Option<String>,
    /// `tls_fingerprint`, as written.
    pub tls_fingerprint: Option<String>,
    /// `maildir`, as written; the default if none.
    pub maildir: Option<String>,
    /// `layout`.
    pub layout: LayoutKind,
    /// `mode`, for IMAP.
    pub mode: Mode,
    /// For POP3.
    pub keep: KeepWord,
}

impl Draft {
    /// The table of the account: only what differs from what the preset and the defaults say.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = Table::new();
        let known = self.preset.and_then(|p| p.server(self.protocol));
        let mut set = |key: &str, text: &str| {
            table.insert(key, value(text));
        };
        set(
            "protocol",
            match self.protocol {
                Protocol::Imap => "imap",
                Protocol::Pop3 => "pop3",
            },
        );
        if let Some(preset) = self.preset {
            set("provider", preset.name);
        }
        if known.is_none_or(|s| s.host != self.host) {
            set("host", &self.host);
        }
        let same_tls = known.is_some_and(|s| s.tls == self.tls);
        let usual = known.filter(|_| same_tls).map_or(default_port(self.protocol, self.tls), |s| s.port);
        if self.port != usual {
            table.insert("port", value(i64::from(self.port)));
        }
        let mut set = |key: &str, text: &str| {
            table.insert(key, value(text));
        };
        if !same_tls {
            set(
                "tls",
                match self.tls {
                    TlsMode::Implicit => "implicit",
                    TlsMode::StartTls => "starttls",
                    TlsMode::None => "none",
                },
            );
        }
        set("user", &self.user);
        for (key, text) in
            [("auth", &self.auth), ("ca_file", &self.ca_file), ("tls_fingerprint", &self.tls_fingerprint)]
        {
            if let Some(text) = text {
                set(key, text);
            }
        }
        match &self.source {
            Source::Command(command) => set("password_command", command),
            Source::File(path, _) => set("password_file", path),
            Source::Env(name) => set("password_env", name),
            Source::Keyring(service, _) => set("password_keyring", service),
            Source::Client(..) | Source::TokenCommand(_) => {}
        }
        if let Some(maildir) = &self.maildir {
            set("maildir", maildir);
        }
        match self.layout {
            LayoutKind::Nested => {}
            LayoutKind::MaildirPlusPlus => set("layout", "maildir++"),
        }
        match (self.protocol, self.mode) {
            (Protocol::Pop3, _) | (Protocol::Imap, Mode::Sync) => {}
            (Protocol::Imap, Mode::Mirror) => set("mode", "mirror"),
            (Protocol::Imap, Mode::Archive) => set("mode", "archive"),
        }
        match &self.keep {
            KeepWord::Keep => {}
            KeepWord::Delete => {
                table.insert("delete", value(true));
            }
            KeepWord::DeleteAfter(age) => {
                table.insert("delete_after", value(age));
            }
        }
        let oauth = self.oauth2();
        if !oauth.is_empty() {
            table.insert("oauth2", Item::Value(oauth.into()));
        }
        table
    }

    /// `oauth2`; empty if the login needs no token.
    fn oauth2(&self) -> InlineTable {
        let mut oauth = InlineTable::new();
        match &self.source {
            Source::Client(id, secret) => {
                oauth.insert("client_id", id.into());
                if let Some(secret) = secret {
                    oauth.insert("client_secret", secret.expose_secret().into());
                }
            }
            Source::TokenCommand(command) => {
                oauth.insert("token_command", command.into());
            }
            Source::Command(_) | Source::File(..) | Source::Env(_) | Source::Keyring(..) => {}
        }
        oauth
    }
}
