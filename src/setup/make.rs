//! Setup from the first question to the written profile: ask, check, test the login, write.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::ask::{Asker, Terminal};
use super::discover::Network;
use super::draft::{Draft, Source};
use super::error::{Error, ProbeError};
use super::interview::{self, Given, Known, SignIn};
use super::{schedule, write};
use crate::account::{Account, Protocol, SecretSource};
use crate::config::{self, check::World, paths};
use crate::mail::text;
use crate::severity::Kind;
use crate::ui::style::{count, size};

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

/// The desktop's keyring.
pub trait Keyring {
    /// Whether it can be asked now.
    fn is_there(&self) -> bool;
    /// Whether it has a password for this service and user.
    fn has(&self, service: &str, user: &str) -> bool;
    /// Stores a password.
    ///
    /// # Errors
    /// Why not, in words.
    fn store(&self, service: &str, user: &str, secret: &SecretString) -> Result<(), String>;
}

/// Signs in with OAuth 2.0, on another device or here, and keeps the tokens.
pub type SigningIn<'a> = &'a dyn Fn(&Account, bool) -> Result<(), ProbeError>;

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
    /// The keyring.
    pub keyring: &'a dyn Keyring,
    /// The sign-in.
    pub sign_in: SigningIn<'a>,
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

/// What stands for `maildir` where no file says otherwise.
const DEFAULT_MAILDIR: &str = "~/Mail/{account}";
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
    let known = Known {
        names: existing.iter().map(|account| account.name.clone()).collect(),
        maildir: write::default_maildir(&old).unwrap_or_else(|| DEFAULT_MAILDIR.to_owned()),
        keyring: terminal.is_some() && around.keyring.is_there(),
    };
    let mut asker = Asker::new(terminal, yes);
    let mut draft = interview::login(given, &mut asker, around.network, &known)?;
    refuse_known(&draft.name, &existing, &path)?;
    let account_of = |draft: &Draft| -> Result<(String, Account), Error> {
        let new = write::insert(&old, draft, &path)?;
        let account = parse(&new, &path, around)?.into_iter().find(|a| a.name == draft.name);
        let account =
            account.ok_or_else(|| vec![config::Complaint::config("the new account is not in its own file")])?;
        Ok((new, account))
    };
    // Without a person every answer is there now, or its lack is told before anything is connected.
    if !asker.interactive() {
        interview::job(given, &mut draft, &mut asker, &known)?;
        others(&existing, &account_of(&draft)?.1)?;
    }
    let (_, account) = account_of(&draft)?;
    new_password(&mut draft, &account, &mut asker, around.keyring)?;
    for warning in config::warnings(&account) {
        asker.say(&warning);
    }
    let signs_in_later = sign_in(given, &draft, &account, &mut asker, around)? == SignIn::Later;
    if !signs_in_later {
        let found = test(&mut draft, &account, &mut asker, around)?;
        asker.say(&describe(&found));
    }
    if asker.interactive() {
        interview::job(given, &mut draft, &mut asker, &known)?;
        while let Err(why) = others(&existing, &account_of(&draft)?.1) {
            asker.say(&text::clean(&why.to_string()));
            interview::maildir(None, &mut draft, &mut asker, &known)?;
        }
    }
    let (new, account) = account_of(&draft)?;
    if !asker.confirm(&format!("Write the account `{}` to {}", draft.name, tilde(&path, around)), true)? {
        return Err(Error::GivenUp);
    }
    match (&draft.source, &account.login.secret) {
        (Source::File(_, Some(secret)), SecretSource::File(file)) => write::secret_file(file, secret)?,
        (Source::Keyring(service, Some(secret)), _) => {
            around.keyring.store(service, &account.login.user, secret).map_err(Error::Keyring)?;
        }
        _ => {}
    }
    write::replace(&path, new.as_bytes())?;
    let text = next_steps(&account, &draft, &path, around, signs_in_later);
    Ok(Done { account, path, text })
}

/// Signs in, where that is how the account logs in; tells when.
fn sign_in(
    given: &Given,
    draft: &Draft,
    account: &Account,
    asker: &mut Asker,
    around: &Surroundings,
) -> Result<SignIn, Error> {
    let Source::Client(..) = draft.source else { return Ok(SignIn::Browser) };
    let device = account.login.oauth2.as_ref().is_some_and(|settings| settings.device_url.is_some());
    let how = interview::sign_in(given.sign_in, device, asker)?;
    if how != SignIn::Later {
        (around.sign_in)(account, how == SignIn::Device).map_err(Error::Probe)?;
    }
    Ok(how)
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

/// A password file or keyring entry that is not there yet is made from what the user types; a file that is there is
/// not overwritten.
fn new_password(draft: &mut Draft, account: &Account, asker: &mut Asker, keyring: &dyn Keyring) -> Result<(), Error> {
    if let Source::Keyring(service, typed @ None) = &mut draft.source
        && asker.interactive()
        && keyring.is_there()
        && !keyring.has(service, &account.login.user)
    {
        *typed = Some(asker.secret("Password, which the keyring does not have yet", "--password-keyring")?);
    }
    let (Source::File(_, typed), SecretSource::File(file)) = (&mut draft.source, &account.login.secret) else {
        return Ok(());
    };
    match (&typed, file.exists()) {
        (Some(_), true) => {
            let why = format!("{} is there already; give its name, or another", file.display());
            return Err(Error::Invalid { flag: "--password-file", why });
        }
        (None, false) if asker.interactive() => {
            *typed = Some(asker.secret(&format!("Password, for {}", file.display()), "--password-file")?);
        }
        (Some(_), false) | (None, true | false) => {}
    }
    Ok(())
}

/// The password that was typed and stands nowhere yet.
fn typed(source: &mut Source) -> Option<&mut SecretString> {
    match source {
        Source::File(_, typed) | Source::Keyring(_, typed) => typed.as_mut(),
        Source::Command(_) | Source::Env(_) | Source::Client(..) | Source::TokenCommand(_) => None,
    }
}

/// Tests the login; a typed password may be corrected.
fn test(draft: &mut Draft, account: &Account, asker: &mut Asker, around: &Surroundings) -> Result<SetupProbe, Error> {
    let mut tries = 1;
    loop {
        let mut tested = account.clone();
        if let Some(secret) = typed(&mut draft.source) {
            // It is stored after the test.
            tested.login.secret = SecretSource::Inline(secret.expose_secret().to_owned().into());
        }
        asker.say(&format!("Testing the login at {} …", account.endpoint.host));
        let mut error = match (around.probe)(&tested) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        if error.kind == Kind::Auth && error.hint.is_none() {
            error.hint = draft.preset.map(|p| p.advice.to_owned()).filter(|advice| !advice.is_empty());
        }
        match typed(&mut draft.source) {
            Some(secret) if error.refused && asker.interactive() && tries < TRIES => {
                asker.say(&text::clean(&error.message));
                if let Some(hint) = &error.hint {
                    asker.say(&text::clean(hint));
                }
                *secret = asker.secret("Password", "--password-file")?;
                tries += 1;
            }
            _ => return Err(Error::Probe(error)),
        }
    }
}

/// The folders and how much there is.
fn describe(found: &SetupProbe) -> String {
    let messages: u64 = found.folders.iter().filter_map(|(_, count)| *count).sum();
    let bytes = found.bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
    let folders = count(found.folders.len() as u64, "folder");
    let mut out = format!("The login works: {folders}, {}{bytes}.", count(messages, "message"));
    for (name, count) in found.folders.iter().take(SHOWN) {
        let count = count.map(|c| c.to_string()).unwrap_or_default();
        out += &format!("\n  {count:>8}  {}", text::clean(name));
    }
    if found.folders.len() > SHOWN {
        out += &format!("\n            … and {} more", found.folders.len() - SHOWN);
    }
    out
}

/// A path as people write it: from `~`, where it lies below.
fn tilde(path: &Path, around: &Surroundings) -> String {
    let home = (around.env)("HOME").filter(|home| home.len() > 1);
    let below = home.and_then(|home| path.strip_prefix(home).ok().map(|rest| format!("~/{}", rest.display())));
    below.unwrap_or_else(|| path.display().to_string())
}

fn next_steps(account: &Account, draft: &Draft, path: &Path, around: &Surroundings, sign_in: bool) -> String {
    // cron and systemd know HOME and not the variables of this shell.
    let usual = (around.env)("HOME").map(|home| Path::new(&home).join(".config/mailferry/config.toml"));
    let place = path.to_string_lossy();
    let config = (usual.as_deref() != Some(path)).then_some(place.as_ref());
    let name = &account.name;
    let verb = match account.protocol {
        Protocol::Imap => "sync",
        Protocol::Pop3 => "fetch",
    };
    let auth = if sign_in {
        format!("Sign in once, then the rest works:\n\n  mailferry auth {name}\n\n")
    } else {
        String::new()
    };
    let session = match draft.source {
        Source::Keyring(..) | Source::Command(_) => {
            "cron has no desktop session and few variables: what asks a keyring or an agent works there only while you\n\
             are logged in. A password file works always.\n\n"
        }
        Source::Env(_) => {
            "cron does not know your shell's variables: set the one with the password in the crontab.\n\n"
        }
        Source::File(..) | Source::Client(..) | Source::TokenCommand(_) => "",
    };
    let indented =
        |text: String| text.lines().map(|l| format!("  {l}").trim_end().to_owned() + "\n").collect::<String>();
    format!(
        "Wrote the account `{name}` to {}.\n\n{auth}Look what a run would do, then run it:\n\n  \
         mailferry {verb} -n {name}\n  mailferry {verb} {name}\n\n\
         Every five minutes by cron: `crontab -e`, and add\n\n  {}\n\n{session}\
         Or by a timer of systemd: write ~/.config/systemd/user/mailferry.service\n\n{}\n\
         and ~/.config/systemd/user/mailferry.timer\n\n{}\nthen\n\n  {}\n",
        tilde(path, around),
        schedule::cron_line(around.program, config),
        indented(schedule::systemd_service(around.program, config)),
        indented(schedule::systemd_timer()),
        schedule::SYSTEMD_ENABLE,
    )
}

#[cfg(test)]
mod tests;
