//! `import --state`: what another tool has fetched becomes ours, so that nothing comes twice.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::context::{Context, env};
use super::hold::{Failure, Held, How};
use super::import::warn;
use super::{import_folders, remote};
use crate::account::{Account, Protocol};
use crate::config::{self, Complaint, check::World, paths};
use crate::imap;
use crate::import::origin::Origin;
use crate::import::state::uidl;
use crate::import::{Imported, ImportedAccount, Warning, render};
use crate::mail::Timestamp;
use crate::severity::{Kind, Severity};
use crate::state::account::Key;
use crate::state::seen::{self, Seen, Source, Status};
use crate::ui::table::{Record, Value};

/// So many `-` of a UIDL may have been `/`: each is tried both ways (getmail).
const FOLDED: usize = 3;

/// One account on its way to us.
pub struct Move<'a> {
    /// What every command has.
    pub context: &'a Context,
    /// Where it goes.
    pub account: Account,
    /// The folder of the tool's configuration file.
    pub directory: &'a Path,
    /// Nothing is changed.
    pub dry_run: bool,
}

/// Takes over the state of every account. What went wrong has been told.
pub fn take_over(context: &Context, imported: &Imported, directory: &Path, dry_run: bool) -> Vec<Kind> {
    let given = context.global.config.as_deref();
    let profile = config::load(given, &env).map(|config| config.accounts).unwrap_or_default();
    let mut kinds = Vec::new();
    for theirs in imported.accounts.iter().filter(|account| account.enabled) {
        let Some(origin) = &theirs.origin else {
            warn(context, Some(&theirs.name), "nothing is known of what was fetched or paired");
            continue;
        };
        let account = match ours(theirs, &profile) {
            Ok(account) => account,
            Err(complaints) => {
                context.complain(&complaints);
                kinds.push(Kind::Config);
                continue;
            }
        };
        let one = Move { context, account, directory, dry_run };
        if let Err(error) = one.run(origin) {
            context.fail(Some(&one.account.name), &*error);
            kinds.push(error.kind());
        }
    }
    kinds
}

/// The account of the profile that is this one, else this one as it was imported.
fn ours(theirs: &ImportedAccount, profile: &[Account]) -> Result<Account, Vec<Complaint>> {
    let (host, user, provider) = (theirs.text("host"), theirs.text("user"), theirs.text("provider"));
    let protocol = if theirs.text("protocol") == Some("pop3") { Protocol::Pop3 } else { Protocol::Imap };
    let same = |account: &&Account| {
        let server = match host {
            Some(host) => account.endpoint.host.eq_ignore_ascii_case(host),
            None => account.provider.as_deref() == provider,
        };
        server && account.protocol == protocol && Some(account.login.user.as_str()) == user
    };
    if let Some(account) = profile.iter().find(same) {
        return Ok(account.clone());
    }
    let alone = Imported { accounts: vec![theirs.clone()], warnings: Vec::new() };
    let base = std::env::current_dir().unwrap_or_default();
    let world = World { env: &env, base: &base, private: true };
    let config = config::parse(&render(&alone, false), Path::new("the imported account"), &world)?;
    config.accounts.into_iter().next().ok_or_else(|| vec![Complaint::config("the imported account is none")])
}

/// Now, in seconds since 1970.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// A message as the other tool knew it.
struct Known {
    /// Which of the tool's files told of it.
    origin: usize,
    source: String,
    folder: String,
    keys: Vec<String>,
    time: Option<i64>,
}

impl Move<'_> {
    fn run(&self, origin: &Origin) -> Result<(), Failure> {
        match origin {
            Origin::Mbsync(origin) => import_folders::mbsync(self, origin),
            Origin::OfflineImap(origin) => import_folders::offlineimap(self, origin),
            Origin::Getmail { server, port, user, mailboxes } => {
                let base: String = format!("{server}-{port}-{user}");
                self.getmail(&format!("oldmail-{}", stripped(&base, '-')), mailboxes)
            }
            Origin::Fetchmail { id_file, host, poll, user } => {
                let path = self.expand(id_file.as_deref().unwrap_or("~/.fetchids"))?;
                let Some(bytes) = self.read(&path) else { return Ok(()) };
                let found = uidl::fetchmail(&bytes);
                self.skipped(&path, &found.warnings);
                let mine = |host_of: &str| host_of == host || host_of == poll;
                let messages = found.messages.iter().filter(|m| m.user == *user && mine(&m.host));
                self.remember(messages.map(|m| self.pop3(m)).collect())
            }
            Origin::Mpop { uidls_file, host, user } => {
                let path = self.expand(&uidls_file.replace("%H", host).replace("%U", user))?;
                let Some(bytes) = self.read(&path) else { return Ok(()) };
                let found = uidl::mpop(&bytes);
                self.skipped(&path, &found.warnings);
                let messages = found.messages.iter().filter(|m| m.user == *user && m.host == *host);
                self.remember(messages.map(|m| self.pop3(m)).collect())
            }
        }
    }

    fn getmail(&self, file: &str, mailboxes: &[String]) -> Result<(), Failure> {
        if self.account.protocol == Protocol::Pop3 {
            let path = self.directory.join(file);
            let Some(bytes) = self.read(&path) else { return Ok(()) };
            let found = uidl::getmail(&bytes);
            self.skipped(&path, &found.warnings);
            return self.remember(found.messages.iter().map(|m| self.pop3(m)).collect());
        }
        let mut known = Vec::new();
        for (origin, mailbox) in mailboxes.iter().enumerate() {
            let path = self.directory.join(format!("{file}-{}", stripped(mailbox, '.')));
            let Some(bytes) = self.read(&path) else { continue };
            let found = uidl::getmail_imap(&bytes);
            self.skipped(&path, &found.warnings);
            // getmail takes names in modified UTF-7 and as text, and with the server's separator, which nothing tells: both that
            // are in use are meant, once where they make no difference.
            let mut keys = BTreeSet::new();
            for separator in *b"/." {
                let name = imap::name::decode(mailbox.as_bytes(), Some(separator), !mailbox.is_ascii());
                let Some(name) = name.filter(|name| keys.insert(name.key())) else { continue };
                known.extend(found.messages.iter().map(|m| Known {
                    origin,
                    source: format!("{}:{}", m.uid_validity, name.key()),
                    folder: name.key(),
                    keys: vec![m.uid.to_string()],
                    time: m.time,
                }));
            }
        }
        self.remember(known)
    }

    fn pop3(&self, message: &crate::import::state::SeenUidl) -> Known {
        Known {
            origin: 0,
            source: String::new(),
            folder: self.account.folder.key(),
            keys: if message.slashes_folded { unfolded(&message.uidl) } else { vec![message.uidl.clone()] },
            time: message.time,
        }
    }

    /// Writes what was fetched into the memory of `fetch`; what it knows already stays as it is.
    fn remember(&self, known: Vec<Known>) -> Result<(), Failure> {
        let how = How { dry_run: self.dry_run, wait: false };
        let mut held = Held::take(&self.account.store, how, &self.context.stop)?;
        let key = Key { kind: "fetch", ..remote::key(&self.account) };
        let count = known.iter().map(|m| (m.origin, &m.keys)).collect::<BTreeSet<_>>().len() as u64;
        if self.dry_run {
            self.tell(
                "remember",
                &[("messages", Value::Number(count))],
                &format!("would remember {count} messages as fetched"),
            );
            return Ok(());
        }
        let state = &mut held.state;
        let now = now();
        let account = state.fetch_account(&key, &self.account.name, now).map_err(boxed)?.id;
        let mut there: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
        for source in seen::sources(state.connection(), account).map_err(boxed)? {
            let rows = seen::load(state.connection(), Source { account, source: &source }).map_err(boxed)?;
            there.extend(rows.into_iter().filter_map(|row| Some((source.clone(), row.seen.uidl?))));
        }
        state
            .commit(|db| {
                for message in &known {
                    for key in &message.keys {
                        let uidl = seen::key(key.as_bytes());
                        if there.insert((message.source.clone(), uidl.clone())) {
                            let row = row(message, uidl, now);
                            seen::insert(db, Source { account, source: &message.source }, &row)?;
                        }
                    }
                }
                Ok(())
            })
            .map_err(boxed)?;
        self.tell("remember", &[("messages", Value::Number(count))], &format!("{count} messages are known as fetched"));
        Ok(())
    }

    /// The path that a configuration's text means; relative to the configuration.
    ///
    /// # Errors
    /// A variable that is not set.
    pub fn expand(&self, text: &str) -> Result<PathBuf, Failure> {
        let base = std::path::absolute(self.directory).unwrap_or_default();
        let user = &self.account.login.user;
        let with = paths::Expansion { env: &env, base: &base, account: &self.account.name, user };
        // A brace is nothing special to the other tools.
        paths::expand(text, &with).map_err(|why| boxed(Complaint::config(format!("the path {text:?} {why}"))))
    }

    /// A state file's bytes. One that cannot be read is a warning.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                warn(
                    self.context,
                    Some(&self.account.name),
                    &format!("nothing taken over from {}: {error}", path.display()),
                );
                None
            }
        }
    }

    /// Tells lines that were not understood.
    pub fn skipped(&self, path: &Path, warnings: &[Warning]) {
        for warning in warnings {
            warn(self.context, Some(&self.account.name), &format!("{}: {warning}", path.display()));
        }
    }

    /// Tells what was, or in a dry run would be, done: as a comment behind the profile, which stands on stdout.
    pub fn tell(&self, action: &'static str, fields: &[(&'static str, Value)], text: &str) {
        let mut record = Record::new("imported").account(&self.account.name).with("action", action.into());
        for (name, value) in fields {
            record = record.with(name, value.clone());
        }
        self.context.ui.record(&record, &format!("# {}: {text}", self.account.name));
    }
}

/// A failure of any kind.
pub fn boxed<E: Severity + Send + 'static>(error: E) -> Failure {
    Box::new(error)
}

fn row(message: &Known, uidl: Vec<u8>, now: Timestamp) -> Seen {
    Seen {
        uidl: Some(uidl),
        size: None,
        header: None,
        content: None,
        first_seen: message.time.map_or(now, Timestamp),
        folder: message.folder.clone(),
        file: None,
        status: Status::Delivered,
        absent: None,
    }
}

/// As getmail makes file names: each run of characters that some system does not take becomes one.
fn stripped(text: &str, with: char) -> String {
    let mut out = String::new();
    let mut run = false;
    for c in text.chars() {
        let bad = matches!(c, '/' | '\\' | ':' | ';' | '<' | '>' | '|');
        if !bad {
            out.push(c);
        } else if !run {
            out.push(with);
        }
        run = bad;
    }
    out
}

/// The UIDLs that getmail may have meant: it writes `-` for `/`.
fn unfolded(uidl: &str) -> Vec<String> {
    let dashes = uidl.matches('-').count();
    if dashes > FOLDED {
        return vec![uidl.to_owned()];
    }
    let mut all = vec![String::new()];
    for c in uidl.chars() {
        let slashed: Vec<String> = if c == '-' { all.iter().map(|s| format!("{s}/")).collect() } else { Vec::new() };
        all.iter_mut().for_each(|s| s.push(c));
        all.extend(slashed);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn getmails_names() {
        assert_eq!(stripped("oldmail-pop.h-995-me@h", '-'), "oldmail-pop.h-995-me@h");
        assert_eq!(stripped("a:/b", '-'), "a-b");
        assert_eq!(unfolded("abc"), ["abc"]);
        let mut both = unfolded("a-b-c");
        both.sort();
        assert_eq!(both, ["a-b-c", "a-b/c", "a/b-c", "a/b/c"]);
        assert_eq!(unfolded("a-b-c-d-e"), ["a-b-c-d-e"]);
    }
}
