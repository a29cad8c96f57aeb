//! The command line: every command, option and help text, and no logic.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

mod setup;

pub use setup::{Layout, Mode, Protocol, SetupArgs, SetupProfile, SetupSecret, SetupServer, SignIn, Tls};

use crate::config::measure;

// Headings in the help. They stand on each option, because a heading of a flattened group would spread to what follows.
const EVERY: &str = "Options of every command";
const URL: &str = "For accounts given as a URL";
const COPIES: &str = "The server's copies";

/// What was asked for.
#[derive(Debug, Parser)]
#[command(
    name = "mailferry",
    version,
    about = "Fetches and synchronises mail: POP3 and IMAP to Maildir, one shot, nothing lost",
    long_about = "Fetches mail by POP3 or IMAP and synchronises IMAP mailboxes with local Maildirs, both ways, in one \
                  shot. It is made for cron, for scripts and for backups: no message is lost or doubled whatever dies, \
                  the cost of a run follows what changed, and it is quiet when all is well.",
    after_help = "Start with `mailferry setup me@example.org`; then `mailferry run` in cron does the rest.",
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command; without one, a short help is shown and the exit is 2.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command, before or after it.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The config file [env: MAILFERRY_CONFIG] [default: ~/.config/mailferry/config.toml]
    #[arg(help_heading = EVERY, short, long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Only errors
    #[arg(help_heading = EVERY, short, long, global = true)]
    pub quiet: bool,
    /// Say more: -v what changed in each folder, -vv the protocol without its secrets
    #[arg(help_heading = EVERY, short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// One JSON object a line on standard output
    #[arg(help_heading = EVERY, long, global = true)]
    pub json: bool,
    /// Colours: auto (unless NO_COLOR is set), always or never
    #[arg(help_heading = EVERY, long, global = true, value_enum, value_name = "WHEN", hide_default_value = true, hide_possible_values = true, default_value_t = Color::Auto)]
    pub color: Color,
    /// No progress bars
    #[arg(help_heading = EVERY, long, global = true)]
    pub no_progress: bool,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do each account's job: sync IMAP, fetch POP3. The line for cron
    ///
    /// Every account, or those named: one with `protocol = "imap"` is synced, one with "pop3" is fetched, as its profile says.
    /// Accounts are worked on side by side, and one that fails stops no other. Without a terminal nothing is printed
    /// unless something is wrong.
    Run(RunArgs),
    /// Synchronise IMAP accounts with their Maildirs, both ways
    ///
    /// New messages, flags, keywords, moves, deletions and folders go both ways. What both sides last had decides, flag by flag;
    /// a deletion beats a change of flags. Whatever must exist is made safe on disk before anything is deleted. `mode` and
    /// `direction` in the profile make a mirror, an archive or one way of it. Where much would be deleted at once, it is not
    /// (`max_delete`, exit 65), until --allow-mass-delete. A Maildir that is there already, or whose state is lost, is matched by
    /// content: nothing that both sides have is transferred.
    Sync(SyncArgs),
    /// Fetch mail one way, from POP3 or IMAP to the Maildir
    ///
    /// The POP3 accounts, or those named, IMAP accounts too. What was fetched is remembered, and not fetched again, whatever is
    /// done with it here. The server's copies are kept unless the profile or an option says otherwise; a copy is deleted only
    /// when the message is safe on disk, and only after a look whether it is still the same message.
    Fetch(FetchArgs),
    /// Stay in the foreground and sync as soon as either side changes
    ///
    /// Waits for news from the server (IDLE, NOTIFY) and from the Maildir, and syncs at once; POP3 accounts are asked
    /// every `poll_interval`. Ends cleanly on SIGINT and SIGTERM.
    Watch(SelectArgs),
    /// Test each profile, from the connection to the Maildir
    ///
    /// Resolves the name, connects, checks the certificate, logs in, lists capabilities in use, folders and quota, and looks
    /// whether the Maildir can be written. Says what will be synced. Changes nothing.
    Check(SelectArgs),
    /// Show unsynced changes and the last run; connects nowhere
    ///
    /// Reads the Maildir and its state. NEW, CHANGED and DELETED count what the server does not know yet, STATE tells
    /// that a folder is missing here or left out by `folders`.
    Status(SelectArgs),
    /// List the server's folders and where each goes
    ///
    /// USE is the folder's special use (sent, trash, …), SYNC whether `folders` in the profile takes it, SIZE what the server
    /// tells, if it does.
    Folders(OneArgs),
    /// Compare both sides message by message; 65 if they differ
    ///
    /// Compares folders, messages, flags and sizes, with --deep every content, and changes nothing. Each difference is one
    /// line: only_local, only_remote, missing_file, flags, size, content, folder_only_local or folder_only_remote. What
    /// stands on one side by agreement (kept by an archive, too large) and files whose time is not the server's date are
    /// counted and are no difference. Without a state messages are paired by content. POP3: what is still on the server is
    /// compared with what was fetched; nothing is retrieved.
    Verify(VerifyArgs),
    /// Upload what the server lacks from the Maildir; never deletes
    ///
    /// Creates folders and keeps dates, flags and keywords. What the server has by content is left alone, so that it can be
    /// run again after a break and doubles nothing. Nothing changes in the Maildir, and a sync afterwards has nothing to do.
    /// With --to the other account's own Maildir is not touched.
    Restore(RestoreArgs),
    /// Find the server's settings, test the login and write a profile
    ///
    /// Finds the server of a mail address in its own table of providers, by the domain's mail exchanger, in the settings
    /// that the provider publishes (autoconfig, by HTTPS alone), or in DNS (RFC 6186); asks otherwise. Shows the server before
    /// a password goes there, and never proposes a connection without TLS. Logs in before it writes anything, shows the
    /// folders and how much there is, then asks what to do. The account is added to the config file, of which every other byte
    /// stays as it is; a password that was typed goes into a file of its own (mode 0600) or into the keyring. Ends with the
    /// line for cron and the units for systemd. Without a terminal a missing answer is an error that names its option; --yes
    /// takes the defaults.
    Setup(Box<SetupArgs>),
    /// Sign in with OAuth 2.0 and store the tokens
    ///
    /// Prints the address to open in a browser on this computer and waits for it (loopback redirect with PKCE), or with
    /// --device prints a code to enter on another device. The tokens are kept in a file that only you can read, later runs
    /// renew them, and at the end the login is tested. You bring the client id: mailferry.toml(5), OAUTH 2.0, says how to get
    /// one from Google and Microsoft. Google has no codes for mail; on a machine without a browser, sign in on another one
    /// and copy the file in ~/.local/state/mailferry/tokens.
    Auth(AuthArgs),
    /// Print another program's accounts as mailferry TOML
    ///
    /// A setting without a counterpart becomes a comment and a warning. Nothing is written: put the output into the config file.
    /// With --state what the other program has fetched or paired is taken over into the state of the Maildirs.
    Import(ImportArgs),
    /// Print a shell's completion script
    Completions(CompletionsArgs),
    /// Print the manual page, or that of a command
    Man(ManArgs),
}

/// Options of an account given as a URL.
#[derive(Clone, Debug, Default, Args)]
pub struct AdHoc {
    /// The Maildir [required with a URL; overrides `maildir`]
    #[arg(help_heading = URL, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub into: Option<PathBuf>,
    /// A command whose first line of output is the password
    #[arg(help_heading = URL, long, value_name = "CMD", value_hint = ValueHint::CommandString)]
    pub password_command: Option<String>,
    /// Certificates (PEM) to trust besides the system's
    #[arg(help_heading = URL, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Accept just the certificate with this SHA-256 (sha256:HEX)
    #[arg(help_heading = URL, long, value_name = "FP", value_parser = fingerprint)]
    pub tls_fingerprint: Option<Fingerprint>,
}

/// A certificate's SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// The accounts of a command that takes any number.
#[derive(Clone, Debug, Args)]
pub struct SelectArgs {
    /// Accounts by name or URL [default: all]
    #[arg(value_name = "ACCOUNT")]
    pub accounts: Vec<String>,
    /// For URLs.
    #[command(flatten)]
    pub ad_hoc: AdHoc,
}

/// The account of a command that takes one.
#[derive(Clone, Debug, Args)]
pub struct OneArgs {
    /// An account by name or URL
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// For URLs.
    #[command(flatten)]
    pub ad_hoc: AdHoc,
}

/// Options of run, sync and fetch.
#[derive(Clone, Debug, Default, Args)]
pub struct Work {
    /// Connect, compare and print the plan; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Only these folders; patterns as in `folders` (repeatable)
    #[arg(long = "folder", value_name = "PATTERN", value_parser = pattern)]
    pub folders: Vec<String>,
    /// Trust no cache: compare everything
    #[arg(long)]
    pub full: bool,
    /// Wait for a run that holds the Maildir instead of exiting 75
    #[arg(long)]
    pub wait: bool,
}

/// Limits of sync and fetch.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Limits {
    /// At most so many new messages; the rest stays for the next run
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<NonZeroU64>,
    /// Skip larger messages, such as 25M
    #[arg(long, value_name = "SIZE", value_parser = measure::size)]
    pub max_size: Option<u64>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which accounts.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How to work.
    #[command(flatten)]
    pub work: Work,
}

/// `sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Which accounts.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How to work.
    #[command(flatten)]
    pub work: Work,
    /// Limits.
    #[command(flatten)]
    pub limits: Limits,
    /// Which way to sync [default: the profile's `direction`]
    #[arg(long, value_enum, value_name = "WAY")]
    pub direction: Option<Direction>,
    /// Let this run pass the deletion guard
    #[arg(long)]
    pub allow_mass_delete: bool,
}

/// `--direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// Both ways
    Both,
    /// From the server, which is not changed
    Pull,
    /// To the server; the Maildir is not changed
    Push,
}

/// `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Which accounts.
    #[command(flatten)]
    pub select: SelectArgs,
    /// How to work.
    #[command(flatten)]
    pub work: Work,
    /// Limits.
    #[command(flatten)]
    pub limits: Limits,
    /// What stays on the server.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// Also messages fetched before
    #[arg(long)]
    pub all: bool,
}

/// What a fetch leaves on the server: one of them.
#[derive(Clone, Copy, Debug, Default, Args)]
#[group(multiple = false)]
pub struct KeepArgs {
    /// Keep them [default]
    #[arg(help_heading = COPIES, long)]
    pub keep: bool,
    /// Delete them once the download is safe on disk
    #[arg(help_heading = COPIES, long)]
    pub delete: bool,
    /// Delete them when older than AGE, such as 30d, 12h, 4w
    #[arg(help_heading = COPIES, long, value_name = "AGE", value_parser = measure::age)]
    pub delete_after: Option<Duration>,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Which accounts.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Compare the content too, which downloads every message
    #[arg(long)]
    pub deep: bool,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Whose Maildir.
    #[command(flatten)]
    pub one: OneArgs,
    /// Upload to this account instead
    #[arg(long, value_name = "ACCOUNT2")]
    pub to: Option<String>,
    /// Print what would be uploaded; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Only these folders; patterns as in `folders` (repeatable)
    #[arg(long = "folder", value_name = "PATTERN", value_parser = pattern)]
    pub folders: Vec<String>,
}

/// `auth`.
#[derive(Debug, Args)]
pub struct AuthArgs {
    /// Which account.
    #[command(flatten)]
    pub one: OneArgs,
    /// Sign in with a code on another device, for machines without a browser
    #[arg(long)]
    pub device: bool,
}

/// `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The program to import from
    #[arg(value_enum, value_name = "TOOL")]
    pub tool: Tool,
    /// Its config file [default: where the program looks]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Also take over what it has fetched or paired, so that nothing is fetched twice
    #[arg(long)]
    pub state: bool,
    /// Print passwords that stand in its file
    #[arg(long)]
    pub with_passwords: bool,
    /// Show what --state would do; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// The programs that `import` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum Tool {
    /// isync's mbsync (~/.mbsyncrc)
    Mbsync,
    /// OfflineIMAP (~/.offlineimaprc)
    OfflineImap,
    /// getmail (~/.getmail/getmailrc)
    Getmail,
    /// fetchmail (~/.fetchmailrc)
    Fetchmail,
    /// mpop (~/.mpoprc)
    Mpop,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// A command, or mailferry.toml
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    measure::fingerprint(text).map(Fingerprint)
}

fn at_least_one(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "is not a number from 1 on".to_owned())
}

fn pattern(text: &str) -> Result<String, String> {
    if matches!(text, "" | "!") || text.chars().any(char::is_control) {
        return Err("is no pattern".to_owned());
    }
    Ok(text.to_owned())
}

/// The help for a run without a command.
#[must_use]
pub fn short_help() -> String {
    use clap::CommandFactory;
    Cli::command().render_help().to_string()
}

#[cfg(test)]
mod tests;
