//! The options of `setup`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::{Fingerprint, KeepArgs, fingerprint};

const SERVER: &str = "The server";
const LOGIN: &str = "The login";
const PROFILE: &str = "The profile";

/// `setup`: every question has its option.
#[derive(Clone, Debug, Default, Args)]
pub struct SetupArgs {
    /// The mail address
    #[arg(value_name = "EMAIL", value_hint = ValueHint::EmailAddress)]
    pub email: Option<String>,
    /// The server.
    #[command(flatten)]
    pub server: SetupServer,
    /// The password.
    #[command(flatten)]
    pub secret: SetupSecret,
    /// What to do with the mail.
    #[command(flatten)]
    pub profile: SetupProfile,
    /// Take every default and write without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Do not look on the network for the server's settings
    #[arg(long)]
    pub offline: bool,
}

/// Where the server is.
#[derive(Clone, Debug, Default, Args)]
pub struct SetupServer {
    /// A provider known to mailferry, such as fastmail
    #[arg(help_heading = SERVER, long, value_name = "NAME")]
    pub provider: Option<String>,
    /// imap or pop3
    #[arg(help_heading = SERVER, long, value_enum, value_name = "PROTOCOL")]
    pub protocol: Option<Protocol>,
    /// The server's name
    #[arg(help_heading = SERVER, long, value_name = "HOST", value_hint = ValueHint::Hostname)]
    pub host: Option<String>,
    /// The server's port
    #[arg(help_heading = SERVER, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// When TLS begins
    #[arg(help_heading = SERVER, long, value_enum, value_name = "TLS")]
    pub tls: Option<Tls>,
    /// Certificates (PEM) to trust besides the system's
    #[arg(help_heading = SERVER, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Accept just the certificate with this SHA-256 (sha256:HEX)
    #[arg(help_heading = SERVER, long, value_name = "FP", value_parser = fingerprint)]
    pub tls_fingerprint: Option<Fingerprint>,
}

/// How to log in.
#[derive(Clone, Debug, Default, Args)]
pub struct SetupSecret {
    /// The user name [default: the address, or what the provider wants]
    #[arg(help_heading = LOGIN, long, value_name = "USER")]
    pub user: Option<String>,
    /// The mechanism, such as plain or scram-sha-256 [default: auto]
    #[arg(help_heading = LOGIN, long, value_name = "AUTH")]
    pub auth: Option<String>,
    /// A command whose first line of output is the password
    #[arg(help_heading = LOGIN, long, value_name = "CMD", group = "source", value_hint = ValueHint::CommandString)]
    pub password_command: Option<String>,
    /// A file whose first line is the password; made with mode 0600 if the password was asked for
    #[arg(help_heading = LOGIN, long, value_name = "FILE", group = "source", value_hint = ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,
    /// An environment variable that holds the password
    #[arg(help_heading = LOGIN, long, value_name = "NAME", group = "source")]
    pub password_env: Option<String>,
    /// The service name of the keyring's entry, which is made if the password was asked for
    #[arg(help_heading = LOGIN, long, value_name = "SERVICE", group = "source")]
    pub password_keyring: Option<String>,
    /// The id of your OAuth 2.0 application: sign in with it instead of a password
    #[arg(help_heading = LOGIN, long, value_name = "ID", group = "source")]
    pub client_id: Option<String>,
    /// A file whose first line is the application's secret, if it has one
    #[arg(help_heading = LOGIN, long, value_name = "FILE", requires = "client_id", value_hint = ValueHint::FilePath)]
    pub client_secret_file: Option<PathBuf>,
    /// When and where to sign in with OAuth 2.0 [default without a terminal: later]
    #[arg(help_heading = LOGIN, long, value_enum, value_name = "WHERE")]
    pub sign_in: Option<SignIn>,
    /// A command whose first line of output is an OAuth 2.0 access token
    #[arg(help_heading = LOGIN, long, value_name = "CMD", group = "source", value_hint = ValueHint::CommandString)]
    pub token_command: Option<String>,
}

/// What becomes of the mail.
#[derive(Clone, Debug, Default, Args)]
pub struct SetupProfile {
    /// The account's name in the config file
    #[arg(help_heading = PROFILE, long, value_name = "NAME")]
    pub name: Option<String>,
    /// The Maildir [default: ~/Mail/{account}]
    #[arg(help_heading = PROFILE, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub maildir: Option<String>,
    /// The layout of the Maildir
    #[arg(help_heading = PROFILE, long, value_enum, value_name = "LAYOUT")]
    pub layout: Option<Layout>,
    /// IMAP: sync both ways, mirror the server, or archive
    #[arg(help_heading = PROFILE, long, value_enum, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// POP3: what stays on the server.
    #[command(flatten)]
    pub keep: KeepArgs,
}

/// `--protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    /// IMAP, both ways
    Imap,
    /// POP3, one way
    Pop3,
}

/// `--tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tls {
    /// With the first byte
    Implicit,
    /// By STARTTLS or STLS
    Starttls,
    /// Never: password and mail can be read on the way
    None,
}

/// `--sign-in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignIn {
    /// Now, in a browser on this computer
    Browser,
    /// Now, with a code on another device
    Device,
    /// Later, with `mailferry auth`
    Later,
}

/// `--layout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// ROOT/INBOX, ROOT/Lists/rust
    Nested,
    /// INBOX is ROOT, others ROOT/.Lists.rust
    #[value(name = "maildir++")]
    MaildirPlusPlus,
}

/// `--mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Both sides become equal
    Sync,
    /// The Maildir becomes what the server is
    Mirror,
    /// Everything is pulled, nothing is ever deleted here
    Archive,
}
