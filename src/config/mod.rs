//! From profiles to checked accounts: file, checks, presets, ad-hoc URLs, overrides of the command line.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub mod build;
pub mod check;
pub mod complaint;
pub mod conflicts;
pub mod file;
mod key_table;
pub mod keys;
pub mod measure;
pub mod overrides;
pub mod paths;
pub mod presets;
pub mod providers;
pub mod select;
#[cfg(test)]
mod tests;
pub mod url;
pub mod values;

pub use complaint::Complaint;
pub use conflicts::conflicts;
pub use overrides::{Overrides, apply};
pub use select::{Job, select};

use crate::account::{Account, TlsMode};
use crate::severity::Kind;

/// The error of this room.
pub type Error = Complaint;

/// Larger files are no profiles.
const LARGEST: u64 = 4 << 20;

/// A loaded profile.
#[derive(Clone, Debug)]
pub struct Config {
    /// The accounts in the order of the file.
    pub accounts: Vec<Account>,
    /// Where it was read from.
    pub path: PathBuf,
}

/// Where the profile is: `path`, else `MAILFERRY_CONFIG`, else `$XDG_CONFIG_HOME/mailferry/config.toml`, else
/// `~/.config/mailferry/config.toml`.
///
/// # Errors
/// None of them is known because `HOME` is not set (78).
pub fn path(path: Option<&Path>, env: paths::Env) -> Result<PathBuf, Complaint> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = path.map(Path::to_owned).or_else(|| set("MAILFERRY_CONFIG")) {
        return Ok(path);
    }
    let base =
        set("XDG_CONFIG_HOME").filter(|p| p.is_absolute()).or_else(|| set("HOME").map(|home| home.join(".config")));
    base.map(|base| base.join("mailferry/config.toml")).ok_or_else(|| {
        Complaint::config("HOME is not set, so there is no place for a config file").hint("give --config FILE")
    })
}

/// Reads and checks the profile.
///
/// # Errors
/// Everything that is wrong in it, each with its line (78).
pub fn load(given: Option<&Path>, env: paths::Env) -> Result<Config, Vec<Complaint>> {
    let path = path(given, env).map_err(|complaint| vec![complaint])?;
    let (text, private) = read(&path).map_err(|error| vec![unreadable(&path, &error)])?;
    let base = std::path::absolute(&path).ok().and_then(|p| p.parent().map(Path::to_owned)).unwrap_or_default();
    parse(&text, &path, &check::World { env, base: &base, private })
}

/// Checks a profile's text. PURE.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, path: &Path, world: &check::World) -> Result<Config, Vec<Complaint>> {
    let (profile, mut complaints) = file::parse(text);
    let (accounts, more) = check::check(&profile, world);
    complaints.extend(more);
    complaints.sort_by_key(|c| c.line);
    // What is wrong in the defaults is wrong for every account that takes it: once is enough.
    complaints.dedup_by(|a, b| a.line == b.line && a.message == b.message);
    for complaint in &mut complaints {
        complaint.file = Some(path.to_owned());
    }
    if complaints.is_empty() { Ok(Config { accounts, path: path.to_owned() }) } else { Err(complaints) }
}

/// The text, and whether it belongs to us and no one else can read it.
fn read(path: &Path) -> io::Result<(String, bool)> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    let private = about.mode() & 0o077 == 0 && about.uid() == rustix::process::geteuid().as_raw();
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > LARGEST) {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))?;
    Ok((text, private))
}

fn unreadable(path: &Path, error: &io::Error) -> Complaint {
    let mut complaint = if error.kind() == io::ErrorKind::NotFound {
        Complaint::config("there is no such config file").hint("`mailferry setup` makes one; --config names another")
    } else {
        Complaint::config(format!("the config file cannot be read: {error}"))
            .hint("--config FILE names a TOML file that you may read")
    };
    complaint.file = Some(path.to_owned());
    complaint
}

/// The accounts that a command works on, with its options applied: named ones from the profile, which is read only if
/// it is needed; then ad-hoc ones from URLs.
///
/// # Errors
/// Everything that is wrong: usage (2) for URLs, configuration (78) for the rest.
pub fn accounts(
    given: Option<&Path>,
    names: &[String],
    job: Job,
    overrides: &Overrides,
    env: paths::Env,
) -> Result<Vec<Account>, Vec<Complaint>> {
    let (urls, plain): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| url::is_url(name));
    let mut complaints = Vec::new();
    let mut ad_hoc: Vec<Account> = Vec::new();
    for url in urls {
        match from_url(url, job, overrides) {
            Ok(account) if ad_hoc.iter().any(|a| a.name == account.name && a.protocol == account.protocol) => {}
            Ok(account) => ad_hoc.push(account),
            Err(complaint) => complaints.push(complaint),
        }
    }
    if !complaints.is_empty() {
        return Err(complaints);
    }
    let mut chosen = Vec::new();
    if !plain.is_empty() || names.is_empty() {
        let plain: Vec<&str> = plain.into_iter().map(String::as_str).collect();
        let config = load(given, env)?;
        let located = |complaint| Complaint { file: Some(config.path.clone()), ..complaint };
        let selected = select(&config.accounts, &plain, job);
        chosen = selected.map_err(|all| all.into_iter().map(located).collect::<Vec<_>>())?;
    }
    chosen.extend(ad_hoc);
    for account in &mut chosen {
        apply(account, overrides);
    }
    Ok(chosen)
}

fn from_url(text: &str, job: Job, overrides: &Overrides) -> Result<Account, Complaint> {
    let Some(into) = overrides.into.clone() else {
        // A password is complained about first: it must not be tried again with `--into`.
        url::parse(text).map_err(|error| refused(&error))?;
        return Err(Complaint::usage("an account given as a URL needs --into DIR, the Maildir it goes to"));
    };
    let account = overrides::from_url(text, into).map_err(|error| refused(&error))?;
    if job == Job::Sync && account.protocol == crate::account::Protocol::Pop3 {
        return Err(select::not_imap(&account.name));
    }
    Ok(account)
}

fn refused(error: &url::Error) -> Complaint {
    Complaint { hint: error.hint().map(Into::into), kind: Kind::Usage, ..Complaint::usage(error.to_string()) }
}

/// What a user should know about an account that is accepted all the same; for `check`, `setup` and `-v`. PURE.
#[must_use]
pub fn warnings(account: &Account) -> Vec<String> {
    let endpoint = &account.endpoint;
    let here = matches!(endpoint.host.as_str(), "localhost" | "127.0.0.1" | "::1");
    let mut warnings = Vec::new();
    if endpoint.tls == TlsMode::None && endpoint.tunnel.is_none() && !here {
        warnings.push(format!(
            "tls = \"none\": the password and all mail can be read on the way to {}; use \"implicit\" or \"starttls\"",
            endpoint.host
        ));
    }
    if endpoint.fingerprint.is_some() && endpoint.tls == TlsMode::None {
        warnings.push("tls_fingerprint has no effect without TLS".to_owned());
    }
    if endpoint.fingerprint.is_some() && endpoint.ca_file.is_some() {
        warnings.push("ca_file has no effect beside tls_fingerprint".to_owned());
    }
    warnings
}
