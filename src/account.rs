//! A checked account: what everything below `cli` works from. Made by `config`, never changed afterwards.

use std::path::PathBuf;
use std::time::Duration;

use crate::mail::FolderName;
use crate::mail::lines::LineEndings;
use crate::mail::pattern::Patterns;

/// The default of `timeout`.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// The default of `poll_interval`.
pub const POLL_INTERVAL: Duration = Duration::from_secs(300);
/// The default of `connections`.
pub const CONNECTIONS: usize = 4;
/// The default of `max_delete`.
pub const MAX_DELETE: u8 = 50;

/// The protocol of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// IMAP4rev1 and later.
    Imap,
    /// POP3.
    Pop3,
}

/// When TLS begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// With the first byte.
    Implicit,
    /// By STARTTLS or STLS, which the server must offer.
    StartTls,
    /// Never.
    None,
}

/// Server-specific behaviour that no capability tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// Gmail: `\All`, `\Flagged` and `\Important` folders are left out unless asked for; labels.
    pub gmail: bool,
    /// Exchange and Outlook.com: sizes are estimates, keywords are refused, non-mail folders are listed.
    pub exchange: bool,
    /// The server wants ID after login before any SELECT (163, 126).
    pub id_required: bool,
}

/// How to log in. `Auto` takes the strongest that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AuthMechanism {
    Auto,
    Plain,
    Login,
    CramMd5,
    ScramSha1,
    ScramSha256,
    XOAuth2,
    OAuthBearer,
    Apop,
    External,
}

/// A command from the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Run by `sh -c`.
    Shell(String),
    /// Program and arguments, run as they are.
    Argv(Vec<String>),
}

/// Where a secret comes from. Never holds the secret itself but for `Inline`, which has no `Debug` of its text.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// `password_command`: the first line of its output.
    Command(CommandLine),
    /// `password_file`: the first line of the file.
    File(PathBuf),
    /// `password_env`: an environment variable's name; removed from the environment of every child.
    Env(String),
    /// `password_keyring`: the service name.
    Keyring(String),
    /// `password` in the profile.
    Inline(secrecy::SecretString),
    /// `$CREDENTIALS_DIRECTORY/mailferry.ACCOUNT`, else a prompt on a terminal.
    Ask,
}

/// The table `oauth2`.
#[derive(Clone, Debug, Default)]
pub struct OAuth2 {
    /// The application's id.
    pub client_id: Option<String>,
    /// The application's secret, if it has one.
    pub client_secret: Option<secrecy::SecretString>,
    /// Authorization endpoint.
    pub auth_url: Option<String>,
    /// Token endpoint.
    pub token_url: Option<String>,
    /// Device authorization endpoint (RFC 8628).
    pub device_url: Option<String>,
    /// Scopes to ask for.
    pub scopes: Vec<String>,
    /// A command that prints an access token on its first line.
    pub token_command: Option<CommandLine>,
}

/// Where and how to connect.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host name or address as configured: the name that the certificate must have.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// SHA-256 of the certificate; replaces the CA and name checks.
    pub fingerprint: Option<[u8; 32]>,
    /// Extra trust roots, PEM.
    pub ca_file: Option<PathBuf>,
    /// PKCS #12 identity and the command for its password.
    pub client_cert: Option<(PathBuf, Option<CommandLine>)>,
    /// A command whose stdin and stdout speak the protocol, instead of TCP.
    pub tunnel: Option<CommandLine>,
    /// The key `timeout`.
    pub timeout: Duration,
}

impl Endpoint {
    /// A host and its port, trusted as the system trusts.
    #[must_use]
    pub fn new(host: &str, port: u16, tls: TlsMode) -> Self {
        Self {
            host: host.to_owned(),
            port,
            tls,
            fingerprint: None,
            ca_file: None,
            client_cert: None,
            tunnel: None,
            timeout: TIMEOUT,
        }
    }
}

/// How to log in.
#[derive(Clone, Debug)]
pub struct Login {
    /// User name.
    pub user: String,
    /// The mechanism.
    pub mechanism: AuthMechanism,
    /// Where the password comes from.
    pub secret: SecretSource,
    /// Set when `oauth2` is in the profile.
    pub oauth2: Option<OAuth2>,
}

impl Login {
    /// As a user whose secret is asked for, by whatever mechanism is the best.
    #[must_use]
    pub fn new(user: &str) -> Self {
        Self { user: user.to_owned(), mechanism: AuthMechanism::Auto, secret: SecretSource::Ask, oauth2: None }
    }
}

/// How folders become directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LayoutKind {
    /// `ROOT/INBOX`, `ROOT/Lists/rust`.
    #[default]
    Nested,
    /// INBOX is ROOT itself, the others `ROOT/.Lists.rust`.
    MaildirPlusPlus,
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub struct Store {
    /// The account's root, expanded and absolute.
    pub root: PathBuf,
    /// Directory layout.
    pub layout: LayoutKind,
    /// Line ends on disk.
    pub line_endings: LineEndings,
}

/// The key `mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Both sides become equal.
    #[default]
    Sync,
    /// The Maildir becomes what the server is.
    Mirror,
    /// Pulled and kept for ever.
    Archive,
}

/// The key `direction`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// From the server only, which is never changed.
    Pull,
    /// To the server only; the Maildir is never changed.
    Push,
}

/// What a local deletion becomes on the server (`on_delete`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDelete {
    /// Moved to Trash.
    #[default]
    Trash,
    /// Expunged.
    Expunge,
    /// Marked `\Deleted`.
    Flag,
    /// Nothing.
    Ignore,
}

/// What a deletion on the server becomes here (`on_remote_delete`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnRemoteDelete {
    /// Deleted here too.
    #[default]
    Delete,
    /// Kept.
    Keep,
}

/// The rules of a synchronisation.
#[derive(Clone, Debug)]
pub struct SyncRules {
    /// `mode`.
    pub mode: Mode,
    /// `direction`, after `mode` and `--direction`: `mirror` and `archive` are `Pull`.
    pub direction: Direction,
    /// `trash`.
    pub trash: Option<FolderName>,
    /// `on_delete`.
    pub on_delete: OnDelete,
    /// `on_remote_delete`; `Keep` with `archive`.
    pub on_remote_delete: OnRemoteDelete,
    /// `expunge`.
    pub expunge: bool,
    /// `max_delete` in per cent, 0 to 100; 100 turns the guard off.
    pub max_delete: u8,
    /// `create_folders`.
    pub create_folders: bool,
    /// `delete_folders`.
    pub delete_folders: bool,
}

impl Default for SyncRules {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            direction: Direction::default(),
            trash: None,
            on_delete: OnDelete::default(),
            on_remote_delete: OnRemoteDelete::default(),
            expunge: false,
            max_delete: MAX_DELETE,
            create_folders: true,
            delete_folders: false,
        }
    }
}

/// What a fetch does with the server's copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Leaves them.
    #[default]
    Keep,
    /// Deletes each after its download is safe on disk.
    Delete,
    /// Deletes each when it was first seen here longer ago than this.
    DeleteAfter(Duration),
}

/// Commands that run after a run.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// `on_new`: once per run if new mail came.
    pub on_new: Option<CommandLine>,
    /// `after`: at every end.
    pub after: Option<CommandLine>,
}

/// One account, checked.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name in the profile; for ad-hoc accounts `user@host`. A label only: the state goes by host and user.
    pub name: String,
    /// IMAP or POP3.
    pub protocol: Protocol,
    /// The preset's name, for hints.
    pub provider: Option<String>,
    /// Where the server is.
    pub endpoint: Endpoint,
    /// How to log in.
    pub login: Login,
    /// The Maildir.
    pub store: Store,
    /// `folders`.
    pub folders: Patterns,
    /// `subscribed_only`.
    pub subscribed_only: bool,
    /// The rules of `sync`.
    pub sync: SyncRules,
    /// The rule of `fetch`.
    pub keep: Keep,
    /// `folder`: what receives POP3 mail.
    pub folder: FolderName,
    /// `connections`, at least 1.
    pub connections: usize,
    /// `max_size` in bytes.
    pub max_size: Option<u64>,
    /// Hooks.
    pub hooks: Hooks,
    /// `poll_interval`.
    pub poll_interval: Duration,
    /// Quirks of the preset.
    pub quirks: Quirks,
}

impl Account {
    /// An account with the default of every other key (SPEC §2).
    #[must_use]
    pub fn new(name: &str, protocol: Protocol, endpoint: Endpoint, login: Login, root: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            protocol,
            provider: None,
            endpoint,
            login,
            store: Store { root, layout: LayoutKind::default(), line_endings: LineEndings::default() },
            folders: Patterns::all(),
            subscribed_only: false,
            sync: SyncRules::default(),
            keep: Keep::default(),
            folder: FolderName::inbox(),
            connections: CONNECTIONS,
            max_size: None,
            hooks: Hooks::default(),
            poll_interval: POLL_INTERVAL,
            quirks: Quirks::default(),
        }
    }
}
