//! Where an account's secret comes from. Reads the environment, files and terminals; runs commands.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::command::{self, first_line};
use super::{Credentials, Error, Secret, environment, keyring, oauth, prompt, tokens};
use crate::account::{Account, AuthMechanism, CommandLine, OAuth2, SecretSource};
use crate::mail::text::clean;
use crate::stop::Stop;

/// The longest secret.
const LONGEST: u64 = 64 * 1024;
/// A command that may ask a person (a PIN entry) gets at least so long.
const PERSON: Duration = Duration::from_secs(120);

/// Gets the account's secret. `interactive`: a person may be asked on the terminal, if there is one.
///
/// # Errors
/// [`Error`]: a source that fails or gives what cannot be a password is `Config`; a refused token is `Auth`.
pub fn resolve(account: &Account, stop: &Stop, interactive: bool) -> Result<Credentials, Error> {
    let user = account.login.user.clone();
    if let Some(settings) = &account.login.oauth2 {
        let secret = Some(token(account, settings, stop, None)?);
        return Ok(guarded(Credentials { user, secret, oauth: true }));
    }
    let unasked = matches!(account.login.secret, SecretSource::Ask);
    let needless = account.login.mechanism == AuthMechanism::External
        || account.endpoint.tunnel.is_some()
        || (account.endpoint.client_cert.is_some() && account.login.mechanism == AuthMechanism::Auto);
    let bearer = matches!(account.login.mechanism, AuthMechanism::XOAuth2 | AuthMechanism::OAuthBearer);
    let secret = match password(account, stop, interactive && !needless) {
        // A tunnel or a client certificate logs in by itself, as a rule.
        Err(Error::Missing { .. }) if unasked && needless => None,
        other => Some(other?),
    };
    Ok(guarded(Credentials { user, secret, oauth: bearer }))
}

/// Gets a new access token after the server refused `refused`: to be called at most once per run. `None` when the
/// secret is no token, or nothing newer can be had by this account's means.
///
/// # Errors
/// As [`resolve`].
pub fn renew(account: &Account, stop: &Stop, refused: &Credentials) -> Result<Option<Credentials>, Error> {
    let (Some(settings), Some(old)) = (&account.login.oauth2, &refused.secret) else { return Ok(None) };
    let secret = token(account, settings, stop, Some(old))?;
    Ok((secret != *old).then(|| guarded(Credentials { user: refused.user.clone(), secret: Some(secret), oauth: true })))
}

/// Where the account's tokens are kept: `$XDG_STATE_HOME/mailferry/tokens/`, one file for each user at a host.
///
/// # Errors
/// When there is no home directory.
pub fn token_path(account: &Account) -> Result<PathBuf, Error> {
    let state = match env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(path) => path,
        None => match env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
            Some(home) => home.join(".local/state"),
            None => return Err(failed(account, "oauth2", "has no place for tokens: HOME is not set")),
        },
    };
    let name = tokens::file_name(&account.login.user, &account.endpoint.host);
    Ok(state.join("mailferry/tokens").join(name))
}

fn token(account: &Account, settings: &OAuth2, stop: &Stop, refused: Option<&Secret>) -> Result<Secret, Error> {
    if let Some(line) = &settings.token_command {
        let token = first_line(line, account.endpoint.timeout, stop).map_err(|why| {
            if matches!(why, command::Error::Stopped) {
                return Error::Stopped;
            }
            Error::TokenCommand { account: account.name.clone(), why: why.to_string() }
        })?;
        return usable(account, "token_command", token.expose());
    }
    let path = token_path(account)?;
    let client = oauth::Client::new(settings, account.endpoint.timeout, None);
    let outcome = client.and_then(|client| tokens::access_token(&client, &path, refused, stop));
    let token = outcome.map_err(|why| {
        if matches!(why, oauth::Error::Stopped) {
            return Error::Stopped;
        }
        Error::Token { account: account.name.clone(), why }
    })?;
    usable(account, "oauth2", token.expose())
}

fn password(account: &Account, stop: &Stop, interactive: bool) -> Result<Secret, Error> {
    match &account.login.secret {
        SecretSource::Command(line) => from_command(account, line, stop),
        SecretSource::File(path) => from_file(account, "password_file", path),
        SecretSource::Env(name) => {
            environment::protect(name);
            let value = env::var_os(name)
                .ok_or_else(|| failed(account, "password_env", &format!("names {name}, which is not set")))?;
            let value = Zeroizing::new(std::os::unix::ffi::OsStringExt::into_vec(value));
            usable(account, "password_env", &value)
        }
        SecretSource::Keyring(service) => from_keyring(account, service),
        SecretSource::Inline(text) => usable(account, "password", text.expose_secret().as_bytes()),
        SecretSource::Ask => ask(account, stop, interactive),
    }
}

fn from_command(account: &Account, line: &CommandLine, stop: &Stop) -> Result<Secret, Error> {
    let person = io::stdin().is_terminal() || env::var_os("GPG_TTY").is_some();
    let timeout = if person { account.endpoint.timeout.max(PERSON) } else { account.endpoint.timeout };
    let secret = first_line(line, timeout, stop).map_err(|why| {
        if matches!(why, command::Error::Stopped) {
            return Error::Stopped;
        }
        failed(account, "password_command", &why.to_string())
    })?;
    usable(account, "password_command", secret.expose())
}

/// The first line of a file.
fn from_file(account: &Account, key: &'static str, path: &Path) -> Result<Secret, Error> {
    let broken = |error: io::Error| failed(account, key, &format!("{} cannot be read: {error}", path.display()));
    let file = File::open(path).map_err(broken)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(broken)?;
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    usable(account, key, line)
}

/// What is wrong with the file that holds the account's password, if others can read it: a warning, not a refusal, as secrets
/// that a machine's keeper mounts are often so.
#[must_use]
pub fn exposed(account: &Account) -> Option<String> {
    let SecretSource::File(path) = &account.login.secret else { return None };
    let mode = std::fs::metadata(path).ok()?.mode();
    let shown = clean(&path.display().to_string());
    (mode & 0o044 != 0).then(|| format!("password_file {shown} can be read by others (mode {:03o})", mode & 0o777))
}

fn ask(account: &Account, stop: &Stop, interactive: bool) -> Result<Secret, Error> {
    if let Some(directory) = env::var_os("CREDENTIALS_DIRECTORY").filter(|_| !account.name.contains('/')) {
        let path = Path::new(&directory).join(format!("mailferry.{}", account.name));
        if path.exists() {
            return from_file(account, "the credential of systemd", &path);
        }
    }
    if !interactive || !io::stdin().is_terminal() {
        return Err(Error::Missing { account: account.name.clone() });
    }
    let question = format!("Password of {} at {}: ", clean(&account.login.user), clean(&account.endpoint.host));
    match prompt::ask(question, stop) {
        Ok(Some(secret)) => usable(account, "the terminal", secret.expose()),
        Ok(None) => Err(Error::Stopped),
        Err(error) => Err(failed(account, "the terminal", &format!("cannot be read: {error}"))),
    }
}

fn from_keyring(account: &Account, service: &str) -> Result<Secret, Error> {
    let found = keyring::get(service, &account.login.user, account.endpoint.timeout);
    let secret = found.map_err(|why| failed(account, "password_keyring", &why.to_string()))?;
    usable(account, "password_keyring", secret.expose())
}

fn failed(account: &Account, key: &'static str, why: &str) -> Error {
    Error::Source { account: account.name.clone(), key, why: why.to_owned() }
}

/// The rules of SPEC §8: one trailing CR is dropped, any other CR, LF or NUL is refused.
fn usable(account: &Account, key: &'static str, bytes: &[u8]) -> Result<Secret, Error> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let unusable = |why| Err(Error::Unusable { account: account.name.clone(), key, why });
    if bytes.is_empty() {
        return unusable("is empty");
    }
    if bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return unusable("holds a line end or NUL");
    }
    Ok(Secret::new(bytes.to_vec()))
}

/// The credentials, which no text of a server may show from now on.
fn guarded(credentials: Credentials) -> Credentials {
    // The filter is the whole process's: in unit tests one test's invented password would spoil another's texts.
    if let Some(secret) = credentials.secret.as_ref().filter(|_| cfg!(not(test))) {
        crate::mail::text::protect(&credentials.user, secret.expose());
    }
    credentials
}

#[cfg(test)]
mod tests;
