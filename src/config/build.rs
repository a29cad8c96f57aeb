//! An account from its merged settings: defaults that follow other keys, and keys that depend on each other. PURE.

use std::path::PathBuf;
use std::time::Duration;

use super::check::{Merged, World};
use super::complaint::Complaint;
use super::paths::{self, Expansion};
use super::values::{Settings, Typed};
use crate::account::{
    Account, AuthMechanism, CONNECTIONS, CommandLine, Direction, Endpoint, Hooks, Keep, LayoutKind, Login, MAX_DELETE,
    Mode, OAuth2, OnDelete, OnRemoteDelete, POLL_INTERVAL, Protocol, SecretSource, Store, SyncRules, TIMEOUT, TlsMode,
};
use crate::mail::FolderName;
use crate::mail::lines::LineEndings;
use crate::mail::pattern::Patterns;

/// The host of an account that has only a tunnel.
pub const TUNNEL_HOST: &str = "tunnel";
/// The longest `timeout`: fifteen times as long must still be a sensible deadline.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(86_400);

const TLS: [(&str, TlsMode); 3] =
    [("implicit", TlsMode::Implicit), ("starttls", TlsMode::StartTls), ("none", TlsMode::None)];
const AUTH: [(&str, AuthMechanism); 10] = [
    ("auto", AuthMechanism::Auto),
    ("plain", AuthMechanism::Plain),
    ("login", AuthMechanism::Login),
    ("cram-md5", AuthMechanism::CramMd5),
    ("scram-sha-1", AuthMechanism::ScramSha1),
    ("scram-sha-256", AuthMechanism::ScramSha256),
    ("xoauth2", AuthMechanism::XOAuth2),
    ("oauthbearer", AuthMechanism::OAuthBearer),
    ("apop", AuthMechanism::Apop),
    ("external", AuthMechanism::External),
];
const LAYOUT: [(&str, LayoutKind); 2] = [("nested", LayoutKind::Nested), ("maildir++", LayoutKind::MaildirPlusPlus)];
const LINES: [(&str, LineEndings); 2] = [("lf", LineEndings::Lf), ("crlf", LineEndings::Crlf)];
const MODE: [(&str, Mode); 3] = [("sync", Mode::Sync), ("mirror", Mode::Mirror), ("archive", Mode::Archive)];
const DIRECTION: [(&str, Direction); 3] =
    [("both", Direction::Both), ("pull", Direction::Pull), ("push", Direction::Push)];
const ON_DELETE: [(&str, OnDelete); 4] = [
    ("trash", OnDelete::Trash),
    ("expunge", OnDelete::Expunge),
    ("flag", OnDelete::Flag),
    ("ignore", OnDelete::Ignore),
];
const ON_REMOTE_DELETE: [(&str, OnRemoteDelete); 2] =
    [("delete", OnRemoteDelete::Delete), ("keep", OnRemoteDelete::Keep)];

/// The port that belongs to a protocol and its TLS.
#[must_use]
pub fn default_port(protocol: Protocol, tls: TlsMode) -> u16 {
    match (protocol, tls) {
        (Protocol::Imap, TlsMode::Implicit) => 993,
        (Protocol::Imap, TlsMode::StartTls | TlsMode::None) => 143,
        (Protocol::Pop3, TlsMode::Implicit) => 995,
        (Protocol::Pop3, TlsMode::StartTls | TlsMode::None) => 110,
    }
}

/// The value that a word stands for; the words were checked against the table of keys.
fn pick<T: Copy>(merged: &Merged, key: &str, words: &[(&str, T)]) -> Option<T> {
    let word = merged.text(key)?;
    words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
}

/// Builds the account; `None` if something that it cannot do without is missing.
pub fn account(merged: &Merged, protocol: Protocol, world: &World, complaints: &mut Vec<Complaint>) -> Option<Account> {
    let user = user(merged, complaints);
    let paths = Paths { merged, world, user: user.as_deref().unwrap_or_default() };
    let endpoint = endpoint(merged, protocol, &paths, complaints);
    let login = login(merged, protocol, &paths, complaints);
    let root = match merged.text("maildir") {
        Some(_) => paths.at("maildir", complaints),
        None => paths
            .expand("~/Mail/{account}")
            .map_err(|why| complaints.push(merged.missing("maildir", &format!("`maildir` {why}"))))
            .ok(),
    };
    let sync = sync_rules(merged, complaints);
    let folder = match merged.get("folder").map(|s| &s.value) {
        Some(Typed::Folder(name)) if protocol == Protocol::Pop3 => name.clone(),
        _ => FolderName::inbox(),
    };
    let folders = match merged.get("folders").map(|s| &s.value) {
        Some(Typed::Texts(texts)) if protocol == Protocol::Imap => Patterns::new(texts),
        _ => Patterns::all(),
    };
    Some(Account {
        name: merged.name.clone(),
        protocol,
        provider: merged.text("provider").map(str::to_owned),
        endpoint: endpoint?,
        login: login?,
        store: Store {
            root: root?,
            layout: pick(merged, "layout", &LAYOUT).unwrap_or_default(),
            line_endings: pick(merged, "line_endings", &LINES).unwrap_or_default(),
        },
        folders,
        subscribed_only: merged.flag("subscribed_only").unwrap_or(false),
        sync,
        keep: keep(merged, complaints),
        folder,
        connections: merged.number("connections").and_then(|n| usize::try_from(n).ok()).unwrap_or(CONNECTIONS),
        max_size: merged.number("max_size"),
        hooks: Hooks { on_new: command(merged, "on_new"), after: command(merged, "after") },
        poll_interval: merged.age("poll_interval").unwrap_or(POLL_INTERVAL),
        quirks: merged.preset().map(|p| p.quirks).unwrap_or_default(),
    })
}

struct Paths<'a> {
    merged: &'a Merged,
    world: &'a World<'a>,
    user: &'a str,
}

const UNSET_HINT: &str = "set the variable where mailferry is started (cron has few), or write the path in full";

impl Paths<'_> {
    fn expand(&self, text: &str) -> Result<PathBuf, String> {
        let Self { merged, world, user } = self;
        paths::expand(text, &Expansion { env: world.env, base: world.base, account: &merged.name, user })
    }

    /// The path of a key; a complaint if it cannot be expanded.
    fn at(&self, key: &str, complaints: &mut Vec<Complaint>) -> Option<PathBuf> {
        let expanded = self.expand(self.merged.text(key)?);
        let told = |why: String| {
            let complaint = self.merged.complaint(key, &why);
            let unset = why.ends_with("which is not set");
            complaints.push(if unset { complaint.hint(UNSET_HINT) } else { complaint });
        };
        expanded.map_err(told).ok()
    }
}

/// The user name. Only a tunnel and a client's certificate can do without.
fn user(merged: &Merged, complaints: &mut Vec<Complaint>) -> Option<String> {
    let user = merged.text("user").map(str::to_owned);
    if user.is_none() {
        if merged.get("tunnel").is_some() || merged.text("auth") == Some("external") {
            return Some(String::new());
        }
        complaints.push(merged.missing("user", "needs `user`"));
    }
    user
}

fn endpoint(merged: &Merged, protocol: Protocol, paths: &Paths, complaints: &mut Vec<Complaint>) -> Option<Endpoint> {
    let preset = merged.preset();
    let server = preset.and_then(|p| p.server(protocol));
    let tunnel = command(merged, "tunnel");
    let host = merged
        .text("host")
        .map(str::to_owned)
        .or_else(|| server.map(|s| s.host.to_owned()))
        .or_else(|| tunnel.is_some().then(|| TUNNEL_HOST.to_owned()));
    let Some(host) = host else {
        match preset {
            Some(preset) => {
                let word = match protocol {
                    Protocol::Imap => "IMAP",
                    Protocol::Pop3 => "POP3",
                };
                let why = format!("names {}, of which no {word} server is known", preset.title);
                let complaint = merged.complaint("provider", &why);
                complaints.push(if preset.advice.is_empty() { complaint } else { complaint.hint(preset.advice) });
            }
            None => complaints.push(merged.missing("host", "needs `host` (or a `provider`)")),
        }
        return None;
    };
    let port = merged.number("port").and_then(|n| u16::try_from(n).ok());
    let tls = pick(merged, "tls", &TLS).or_else(|| tunnel.is_some().then_some(TlsMode::None));
    let tls = tls.or_else(|| match port {
        Some(143 | 110) => Some(TlsMode::StartTls),
        Some(993 | 995) => Some(TlsMode::Implicit),
        Some(_) | None => server.map(|s| s.tls),
    });
    let tls = tls.unwrap_or(TlsMode::Implicit);
    let preset_port = server.filter(|s| s.tls == tls).map(|s| s.port);
    let timeout = merged.age("timeout").unwrap_or(TIMEOUT);
    if timeout > LONGEST_TIMEOUT {
        complaints.push(merged.complaint("timeout", "is longer than a day"));
    }
    if merged.get("client_cert_password_command").is_some() && merged.get("client_cert").is_none() {
        complaints.push(merged.complaint("client_cert_password_command", "stands without `client_cert`"));
    }
    let client_cert =
        paths.at("client_cert", complaints).map(|path| (path, command(merged, "client_cert_password_command")));
    Some(Endpoint {
        host,
        port: port.or(preset_port).unwrap_or_else(|| default_port(protocol, tls)),
        tls,
        fingerprint: match merged.get("tls_fingerprint").map(|s| &s.value) {
            Some(Typed::Pin(pin)) => Some(*pin),
            _ => None,
        },
        ca_file: paths.at("ca_file", complaints),
        client_cert,
        tunnel,
        timeout,
    })
}

fn command(merged: &Merged, key: &str) -> Option<CommandLine> {
    match merged.get(key).map(|s| &s.value) {
        Some(Typed::Command(command)) => Some(command.clone()),
        _ => None,
    }
}

fn login(merged: &Merged, protocol: Protocol, paths: &Paths, complaints: &mut Vec<Complaint>) -> Option<Login> {
    let mechanism = pick(merged, "auth", &AUTH).unwrap_or(AuthMechanism::Auto);
    if mechanism == AuthMechanism::Apop && protocol == Protocol::Imap {
        complaints.push(merged.complaint("auth", "is \"apop\", which is for POP3 accounts only"));
    }
    let secret = if let Some(command) = command(merged, "password_command") {
        SecretSource::Command(command)
    } else if merged.get("password_file").is_some() {
        SecretSource::File(paths.at("password_file", complaints)?)
    } else if let Some(name) = merged.text("password_env") {
        if name.contains('=') {
            complaints.push(merged.complaint("password_env", "must be the name of a variable"));
        }
        SecretSource::Env(name.to_owned())
    } else if let Some(service) = merged.text("password_keyring") {
        SecretSource::Keyring(service.to_owned())
    } else if let Some(Typed::Secret(secret)) = merged.get("password").map(|s| &s.value) {
        SecretSource::Inline(secret.clone())
    } else {
        SecretSource::Ask
    };
    let oauth2 = match merged.get("oauth2").map(|s| &s.value) {
        Some(Typed::Table(table)) => Some(oauth2(merged, table, protocol, complaints)),
        _ => None,
    };
    let fits = matches!(mechanism, AuthMechanism::Auto | AuthMechanism::XOAuth2 | AuthMechanism::OAuthBearer);
    if oauth2.is_some() && !fits {
        complaints.push(
            merged.complaint("auth", "cannot be used with `oauth2`; leave it out, or choose xoauth2 or oauthbearer"),
        );
    }
    Some(Login { user: paths.user.to_owned(), mechanism, secret, oauth2 })
}

fn oauth2(merged: &Merged, table: &Settings, protocol: Protocol, complaints: &mut Vec<Complaint>) -> OAuth2 {
    let text = |key: &str| match table.get(key).map(|s| &s.value) {
        Some(Typed::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let preset = merged.preset();
    let known = preset.and_then(|p| p.oauth);
    let filled = |key: &str, preset: Option<&'static str>| text(key).or_else(|| preset.map(str::to_owned));
    let oauth = OAuth2 {
        client_id: text("client_id"),
        client_secret: match table.get("client_secret").map(|s| &s.value) {
            Some(Typed::Secret(secret)) => Some(secret.clone()),
            _ => None,
        },
        auth_url: filled("auth_url", known.map(|k| k.auth_url)),
        token_url: filled("token_url", known.map(|k| k.token_url)),
        device_url: filled("device_url", known.and_then(|k| k.device_url)),
        scopes: match table.get("scopes").map(|s| &s.value) {
            Some(Typed::Texts(scopes)) => scopes.clone(),
            _ => preset.map(|p| p.scopes(protocol).iter().map(|s| (*s).to_owned()).collect()).unwrap_or_default(),
        },
        token_command: match table.get("token_command").map(|s| &s.value) {
            Some(Typed::Command(command)) => Some(command.clone()),
            _ => None,
        },
    };
    if oauth.token_command.is_none() {
        for (key, missing) in [("client_id", oauth.client_id.is_none()), ("token_url", oauth.token_url.is_none())] {
            // A wrong value has its complaint already.
            if missing && !complaints.iter().any(|c| c.key.as_deref() == Some(key)) {
                complaints.push(merged.complaint("oauth2", &format!("needs `{key}` (or `token_command`)")));
            }
        }
    }
    oauth
}

fn sync_rules(merged: &Merged, complaints: &mut Vec<Complaint>) -> SyncRules {
    let mode = pick(merged, "mode", &MODE).unwrap_or_default();
    let direction = pick(merged, "direction", &DIRECTION);
    let gone = pick(merged, "on_remote_delete", &ON_REMOTE_DELETE);
    let pulls = matches!(mode, Mode::Mirror | Mode::Archive);
    if pulls && direction.is_some_and(|d| d != Direction::Pull) {
        complaints.push(merged.complaint("direction", "contradicts `mode`: mirror and archive only pull"));
    }
    let on_remote_delete = match (mode, gone) {
        (Mode::Archive, Some(OnRemoteDelete::Delete)) => {
            complaints.push(merged.complaint("on_remote_delete", "contradicts `mode`: an archive keeps everything"));
            OnRemoteDelete::Keep
        }
        (Mode::Mirror, Some(OnRemoteDelete::Keep)) => {
            complaints.push(
                merged.complaint(
                    "on_remote_delete",
                    "contradicts `mode`: a mirror is what the server is; `archive` keeps",
                ),
            );
            OnRemoteDelete::Delete
        }
        (Mode::Archive, _) => OnRemoteDelete::Keep,
        (Mode::Sync | Mode::Mirror, gone) => gone.unwrap_or_default(),
    };
    SyncRules {
        mode,
        direction: if pulls { Direction::Pull } else { direction.unwrap_or_default() },
        trash: match merged.get("trash").map(|s| &s.value) {
            Some(Typed::Folder(name)) => Some(name.clone()),
            _ => None,
        },
        on_delete: pick(merged, "on_delete", &ON_DELETE).unwrap_or_default(),
        on_remote_delete,
        expunge: merged.flag("expunge").unwrap_or(false),
        max_delete: merged.number("max_delete").and_then(|n| u8::try_from(n).ok()).unwrap_or(MAX_DELETE),
        create_folders: merged.flag("create_folders").unwrap_or(true),
        delete_folders: merged.flag("delete_folders").unwrap_or(false),
    }
}

fn keep(merged: &Merged, complaints: &mut Vec<Complaint>) -> Keep {
    let delete = merged.flag("delete").unwrap_or(false);
    let after = merged.age("delete_after");
    if merged.flag("keep") == Some(false) && !delete && after.is_none() {
        complaints.push(merged.complaint("keep", "is false; say `delete = true` or `delete_after` instead"));
    }
    match (delete, after) {
        (true, _) => Keep::Delete,
        (false, Some(age)) => Keep::DeleteAfter(age),
        (false, None) => Keep::Keep,
    }
}
