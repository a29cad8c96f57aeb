//! Runs the built program in a home of its own and collects what it says.

use super::dovecot::{Dovecot, PASSWORD};
use super::local::{Layout, Local};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a run may take unless the test says otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of the account that the shorthands make.
pub const ACCOUNT: &str = "work";

/// One account of the configuration: keys and their values as TOML.
#[derive(Clone, Debug, Default)]
pub struct AccountKeys(BTreeMap<String, String>);

impl AccountKeys {
    /// Sets a key to a TOML value: `set("on_delete", "\"flag\"")`.
    #[must_use]
    pub fn set(mut self, key: &str, toml: impl Into<String>) -> Self {
        self.0.insert(key.to_owned(), toml.into());
        self
    }

    /// Sets a key to a string.
    #[must_use]
    pub fn text(self, key: &str, value: &str) -> Self {
        self.set(key, format!("{value:?}"))
    }

    /// An account without TLS on loopback.
    pub fn plain(protocol: &str, port: u16, user: &str) -> Self {
        Self::default()
            .text("protocol", protocol)
            .text("host", "127.0.0.1")
            .set("port", port.to_string())
            .text("tls", "none")
            .text("user", user)
            .text("password", PASSWORD)
            .text("timeout", "10s")
    }
}

/// A home with a configuration, in which the program is run.
pub struct Ferry {
    home: TempDir,
    accounts: BTreeMap<String, AccountKeys>,
    environment: Vec<(String, String)>,
}

impl Default for Ferry {
    fn default() -> Self {
        Self::new()
    }
}

impl Ferry {
    /// A home without accounts.
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("mfh-").tempdir().expect("a home");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
        Self { home, accounts: BTreeMap::new(), environment: Vec::new() }
    }

    /// A home with the IMAP account [`ACCOUNT`] of `user`, without TLS, by way of `port` (the server's or a proxy's).
    pub fn imap(port: u16, user: &str) -> Self {
        Self::new().account(ACCOUNT, AccountKeys::plain("imap", port, user))
    }

    /// The same for POP3.
    pub fn pop3(port: u16, user: &str) -> Self {
        Self::new().account(ACCOUNT, AccountKeys::plain("pop3", port, user))
    }

    /// The IMAP account of `user` at this server, without TLS.
    pub fn at(server: &Dovecot, user: &str) -> Self {
        Self::imap(server.ports.imap, user)
    }

    /// Adds or replaces an account; its Maildir is `HOME/Mail/NAME` unless the keys say otherwise.
    #[must_use]
    pub fn account(mut self, name: &str, keys: AccountKeys) -> Self {
        self.accounts.insert(name.to_owned(), keys);
        self.write_config();
        self
    }

    /// Changes one key of [`ACCOUNT`], as TOML.
    pub fn set(&mut self, key: &str, toml: &str) {
        let keys = self.accounts.entry(ACCOUNT.to_owned()).or_default();
        keys.0.insert(key.to_owned(), toml.to_owned());
        self.write_config();
    }

    /// Adds a variable to the otherwise clean environment of later runs.
    pub fn env(&mut self, key: &str, value: &str) {
        self.environment.push((key.to_owned(), value.to_owned()));
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.home().join(".config/mailferry/config.toml")
    }

    /// The Maildir of [`ACCOUNT`].
    pub fn local(&self) -> Local {
        let keys = self.accounts.get(ACCOUNT);
        let plus = keys.and_then(|k| k.0.get("layout")).is_some_and(|l| l.contains("maildir++"));
        Local::new(self.home().join("Mail").join(ACCOUNT), if plus { Layout::Plus } else { Layout::Nested })
    }

    fn write_config(&self) {
        let mut text = String::new();
        for (name, keys) in &self.accounts {
            let quoted = format!("{name:?}");
            _ = writeln!(text, "[accounts.{quoted}]");
            if !keys.0.contains_key("maildir") {
                _ = writeln!(text, "maildir = {:?}", self.home().join("Mail").join(name));
            }
            for (key, value) in &keys.0 {
                _ = writeln!(text, "{key} = {value}");
            }
        }
        self.write_raw_config(&text);
    }

    /// Writes the configuration as it stands, for tests of bad ones.
    pub fn write_raw_config(&self, text: &str) {
        let path = self.config();
        fs::create_dir_all(path.parent().expect("a parent")).expect("config folder");
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).expect("config");
        file.write_all(text.as_bytes()).expect("config");
    }

    /// The program under test; `MAILFERRY_BIN` names another one (a release build).
    pub fn binary() -> PathBuf {
        std::env::var_os("MAILFERRY_BIN").map_or_else(|| env!("CARGO_BIN_EXE_mailferry").into(), PathBuf::from)
    }

    /// The command that `run` and `start` use: clean environment, own home. For tests that wrap it (strace).
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Self::binary());
        command.args(args);
        self.dress(&mut command);
        command
    }

    /// Gives any command the clean environment.
    pub fn dress(&self, command: &mut Command) {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// Runs the program with these arguments to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.start(args).finish(PATIENCE)
    }

    /// Runs a command with `--json`: `json(&["sync"])`.
    pub fn json(&self, args: &[&str]) -> Outcome {
        let mut all = args.to_vec();
        all.push("--json");
        self.run(&all)
    }

    /// `sync --json` of everything, which must exit 0.
    #[track_caller]
    pub fn sync(&self) -> Outcome {
        let outcome = self.json(&["sync"]);
        outcome.assert_code(0);
        outcome
    }

    /// Starts the program.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::new(self.command(args))
    }
}

/// A program at work.
pub struct Running {
    child: Child,
    began: Instant,
    out: JoinHandle<Vec<u8>>,
    err: JoinHandle<Vec<u8>>,
}

impl Running {
    /// Starts a command whose outputs are piped.
    pub fn new(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let out = collect(child.stdout.take());
        let err = collect(child.stderr.take());
        Self { child, began: Instant::now(), out, err }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, signal).ok();
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end; kills it when `patience` is over, which the outcome then says.
    pub fn finish(mut self, patience: Duration) -> Outcome {
        let mut late = false;
        let status = loop {
            match self.child.try_wait().expect("wait") {
                Some(status) => break status,
                None if self.began.elapsed() > patience && !late => {
                    late = true;
                    self.child.kill().ok();
                }
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let text =
            |thread: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned();
        let (stdout, stderr) = (text(self.out), text(self.err));
        assert!(!late, "killed after {patience:?}\n{stdout}\n{stderr}");
        Outcome { code: status.code(), signal: status.signal(), stdout, stderr, elapsed: self.began.elapsed() }
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut from) = from {
            from.read_to_end(&mut all).ok();
        }
        all
    })
}

/// What a run left.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Outcome {
    /// The JSON objects of stdout.
    ///
    /// # Panics
    /// If a line is none.
    pub fn events(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}\n{}", self.stderr));
        self.stdout.lines().map(parse).collect()
    }

    /// The events of one kind.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|e| e["event"] == kind).collect()
    }

    /// A number of the one summary.
    ///
    /// # Panics
    /// Unless there is exactly one summary and it has the field.
    #[track_caller]
    pub fn figure(&self, field: &str) -> u64 {
        let summaries = self.events_of("summary");
        assert_eq!(summaries.len(), 1, "summaries in\n{}\n{}", self.stdout, self.stderr);
        summaries[0][field].as_u64().unwrap_or_else(|| panic!("no number {field} in {}", summaries[0]))
    }

    /// Fails with all output unless the exit code is `code`.
    #[track_caller]
    pub fn assert_code(&self, code: i32) {
        assert_eq!(
            self.code,
            Some(code),
            "exit code (signal {:?})\n-- stdout\n{}-- stderr\n{}",
            self.signal,
            self.stdout,
            self.stderr
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_clean_and_the_config_private() {
        let mut ferry = Ferry::imap(1143, "me\"x").account("p", AccountKeys::plain("pop3", 1110, "u"));
        ferry.env("EXTRA", "1");
        ferry.set("layout", "\"maildir++\"");
        assert_eq!(ferry.local().layout, Layout::Plus);
        let text = fs::read_to_string(ferry.config()).expect("config");
        assert!(text.contains("[accounts.\"work\"]") && text.contains(r#"user = "me\"x""#), "{text}");
        assert_eq!(fs::metadata(ferry.config()).expect("config").permissions().mode() & 0o777, 0o600);
        let mut env = Command::new("env");
        ferry.dress(&mut env);
        let outcome = Running::new(env).finish(PATIENCE);
        outcome.assert_code(0);
        let names: Vec<_> = outcome.stdout.lines().filter_map(|l| l.split('=').next()).collect();
        assert_eq!(names.len(), 5, "{names:?}");
        assert!(
            outcome.stdout.contains("EXTRA=1") && outcome.stdout.contains(&format!("HOME={}", ferry.home().display()))
        );
    }

    #[test]
    fn signals_and_codes_are_told_apart() {
        let ferry = Ferry::new();
        let mut sleeper = Command::new("sleep");
        ferry.dress(sleeper.arg("30"));
        let running = Running::new(sleeper);
        running.signal(rustix::process::Signal::KILL);
        let outcome = running.finish(PATIENCE);
        assert_eq!((outcome.code, outcome.signal), (None, Some(9)));
        let mut shell = Command::new("sh");
        ferry.dress(shell.args(["-c", r#"echo '{"event":"summary","uploaded":3}'; exit 65"#]));
        let outcome = Running::new(shell).finish(PATIENCE);
        outcome.assert_code(65);
        assert_eq!(outcome.figure("uploaded"), 3);
    }
}
