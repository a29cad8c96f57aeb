//! Setup from the first question to the written profile: ask, check, test the login, write.

use std::path::{Path, PathBuf};

use super::ask::{Asker, Terminal};
use super::discover::Network;
use super::draft::{Draft, Source};
use super::error::{Error, ProbeError};
use super::interview::{Given, interview};
use super::{schedule, write};
use crate::account::{Account, Protocol, SecretSource};
use crate::config::{self, check::World, paths};
use crate::mail::text;
use crate::severity::Kind;

/// What the test of a login found.
#[derive(Clone, Debug, Default)]
pub struct SetupProbe {
    /// Each folder with its number of messages, if known. For POP3 the one mailbox.
    pub folders: Vec<(String, Option<u64>)>,
    /// Bytes in all, if known.
    pub bytes: Option<u64>,
}

/// Tests the login of an account: connects once, changes nothing.
pub type Probe<'a> = &'a dyn Fn(&Account) -> Result<SetupProbe, ProbeError>;

/// What setup needs of the world.
pub struct Surroundings<'a> {
    /// `--config`.
    pub config: Option<&'a Path>,
    /// The environment.
    pub env: paths::Env<'a>,
    /// The network; `None` with `--offline`.
    pub network: Option<&'a dyn Network>,
    /// The program's path, for cron.
    pub program: &'a str,
    /// The test of the login.
    pub probe: Probe<'a>,
}

/// A profile that was written.
#[derive(Clone, Debug)]
pub struct Done {
    /// The account.
    pub account: Account,
    /// The config file.
    pub path: PathBuf,
    /// What to do next, to be shown: the lines for cron and systemd.
    pub text: String,
}

/// How often a typed password may be wrong.
const TRIES: u32 = 3;
/// How many folders are shown.
const SHOWN: usize = 20;

/// Makes a profile.
///
/// # Errors
/// See [`Error`]; nothing was written then, but for a password file whose profile could not be written.
pub fn make(
    given: &Given,
    yes: bool,
    terminal: Option<&mut dyn Terminal>,
    around: &Surroundings,
) -> Result<Done, Error> {
    let path = config::path(around.config, around.env).map_err(|complaint| vec![complaint])?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let old = write::read(&path)?;
    let existing = parse(&old, &path, around)?;
    if let Some(name) = &given.name {
        refuse_known(name, &existing, &path)?;
    }
    let mut asker = Asker::new(terminal, yes);
    let mut draft = interview(given, &mut asker, around.network)?;
    refuse_known(&draft.name, &existing, &path)?;
    let new = write::insert(&old, &draft, &path)?;
    let accounts = parse(&new, &path, around)?;
    let account = accounts.into_iter().find(|a| a.name == draft.name);
    let account = account.ok_or_else(|| vec![config::Complaint::config("the new account is not in its own file")])?;
    others(&existing, &account)?;
    new_password_file(&mut draft, &account, &mut asker)?;
    for warning in config::warnings(&account) {
        asker.say(&warning);
    }
    let signs_in_later = matches!(draft.source, Source::ClientId(_));
    if !signs_in_later {
        let found = test(&mut draft, &account, &mut asker, around)?;
        asker.say(&describe(&found));
    }
    if !asker.confirm(&format!("Write the account `{}` to {}", draft.name, path.display()), true)? {
        return Err(Error::GivenUp);
    }
    if let (Source::File(_, Some(secret)), SecretSource::File(file)) = (&draft.source, &account.login.secret) {
        write::secret_file(file, secret)?;
    }
    write::replace(&path, new.as_bytes())?;
    let text = next_steps(&account, &path, around, signs_in_later);
    Ok(Done { account, path, text })
}

fn parse(text: &str, path: &Path, around: &Surroundings) -> Result<Vec<Account>, Error> {
    let base = path.parent().unwrap_or(Path::new("/"));
    // Setup writes the file with mode 0600.
    let world = World { env: around.env, base, private: true };
    Ok(config::parse(text, path, &world)?.accounts)
}

fn refuse_known(name: &str, existing: &[Account], path: &Path) -> Result<(), Error> {
    if existing.iter().any(|a| a.name == name) {
        return Err(Error::Exists { name: name.to_owned(), path: path.to_owned() });
    }
    Ok(())
}

/// A Maildir that another account has is found out now and not in the first run.
fn others(existing: &[Account], account: &Account) -> Result<(), Error> {
    let complaints: Vec<_> = existing.iter().flat_map(|other| config::conflicts(&[other, account])).collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.into()) }
}

/// A password file that is not there yet is made from what the user types; one that is there is not overwritten.
fn new_password_file(draft: &mut Draft, account: &Account, asker: &mut Asker) -> Result<(), Error> {
    let (Source::File(_, typed), SecretSource::File(file)) = (&mut draft.source, &account.login.secret) else {
        return Ok(());
    };
    match (&typed, file.exists()) {
        (Some(_), true) => {
            let why = format!("{} is there already; give its name, or another", file.display());
            return Err(Error::Invalid { flag: "--password-file", why });
        }
        (None, false) if asker.interactive() => {
            *typed = Some(asker.secret("Password (not shown): ", "--password-file")?);
        }
        (Some(_), false) | (None, true | false) => {}
    }
    Ok(())
}

/// Tests the login; a typed password may be corrected.
fn test(draft: &mut Draft, account: &Account, asker: &mut Asker, around: &Surroundings) -> Result<SetupProbe, Error> {
    let mut tries = 1;
    loop {
        let mut tested = account.clone();
        if let Source::File(_, Some(secret)) = &draft.source {
            // The file is written after the test.
            tested.login.secret = SecretSource::Inline(secret.clone());
        }
        asker.say(&format!("Testing the login at {} …", account.endpoint.host));
        let mut error = match (around.probe)(&tested) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let typed = matches!(draft.source, Source::File(_, Some(_))) && asker.interactive();
        if error.kind == Kind::Auth && typed && tries < TRIES {
            asker.say(&text::clean(&error.message));
            let secret = asker.secret("Password (not shown): ", "--password-file")?;
            if let Source::File(_, kept) = &mut draft.source {
                *kept = Some(secret);
            }
            tries += 1;
            continue;
        }
        if error.kind == Kind::Auth && error.hint.is_none() {
            error.hint = draft.preset.map(|p| p.advice.to_owned()).filter(|advice| !advice.is_empty());
        }
        return Err(Error::Probe(error));
    }
}

/// The folders and how much there is.
fn describe(found: &SetupProbe) -> String {
    let messages: u64 = found.folders.iter().filter_map(|(_, count)| *count).sum();
    let size = found.bytes.map(|bytes| format!(", {} MiB", bytes >> 20)).unwrap_or_default();
    let mut out = format!("The login works: {} folders, {messages} messages{size}.", found.folders.len());
    for (name, count) in found.folders.iter().take(SHOWN) {
        let count = count.map(|c| c.to_string()).unwrap_or_default();
        out += &format!("\n  {count:>8} {}", text::clean(name));
    }
    if found.folders.len() > SHOWN {
        out += &format!("\n           … and {} more", found.folders.len() - SHOWN);
    }
    out
}

fn next_steps(account: &Account, path: &Path, around: &Surroundings, sign_in: bool) -> String {
    // cron and systemd know HOME and not the variables of this shell.
    let usual = (around.env)("HOME").map(|home| Path::new(&home).join(".config/mailferry/config.toml"));
    let place = path.to_string_lossy();
    let config = (usual.as_deref() != Some(path)).then_some(place.as_ref());
    let name = &account.name;
    let first = match account.protocol {
        Protocol::Imap => format!("mailferry sync -n {name}     # look first\n  mailferry sync {name}"),
        Protocol::Pop3 => format!("mailferry fetch -n {name}    # look first\n  mailferry fetch {name}"),
    };
    let auth = if sign_in {
        format!("Sign in once, then the rest works:\n\n  mailferry auth {name}\n\n")
    } else {
        String::new()
    };
    let indented = |text: String| text.lines().map(|l| format!("  {l}\n")).collect::<String>();
    format!(
        "Wrote the account `{name}` to {}.\n\n{auth}Try it:\n\n  {first}\n\nEvery five minutes by cron (crontab -e):\n\n  {}\n\n\
         Or by a systemd timer: ~/.config/systemd/user/mailferry.service\n\n{}\nand ~/.config/systemd/user/mailferry.timer\n\n{}\n\
         then\n\n  {}\n",
        path.display(),
        schedule::cron_line(around.program, config),
        indented(schedule::systemd_service(around.program, config)),
        indented(schedule::systemd_timer()),
        schedule::SYSTEMD_ENABLE,
    )
}

#[cfg(test)]
mod tests;
