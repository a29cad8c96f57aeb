//! What the command line changes in an account. PURE.

use std::path::PathBuf;

use super::build;
use super::url::{self, Address};
use crate::account::{Account, CommandLine, Direction, Endpoint, Keep, Login, Mode, SecretSource};
use crate::mail::pattern::Patterns;

/// Options that override keys. Paths are absolute already.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--direction`.
    pub direction: Option<Direction>,
    /// `--max-size`.
    pub max_size: Option<u64>,
    /// `--folder`: only these of the profile's folders.
    pub folders: Vec<String>,
    /// `--keep`, `--delete`, `--delete-after`.
    pub keep: Option<Keep>,
    /// `--into`.
    pub into: Option<PathBuf>,
    /// `--password-command`.
    pub password_command: Option<String>,
    /// `--ca-file`.
    pub ca_file: Option<PathBuf>,
    /// `--tls-fingerprint`.
    pub tls_fingerprint: Option<[u8; 32]>,
}

/// Applies the options to an account.
pub fn apply(account: &mut Account, overrides: &Overrides) {
    if let Some(direction) = overrides.direction {
        account.sync.direction = direction;
        if direction != Direction::Pull {
            // A mirror or an archive that is asked to push is neither in this run; what an archive keeps, it keeps.
            account.sync.mode = Mode::Sync;
        }
    }
    if let Some(max_size) = overrides.max_size {
        account.max_size = Some(max_size);
    }
    if !overrides.folders.is_empty() {
        account.folders = account.folders.clone().and(Patterns::new(&overrides.folders));
    }
    if let Some(keep) = overrides.keep {
        account.keep = keep;
    }
    if let Some(into) = &overrides.into {
        account.store.root.clone_from(into);
    }
    if let Some(command) = &overrides.password_command {
        account.login.secret = SecretSource::Command(CommandLine::Shell(command.clone()));
        account.login.oauth2 = None;
    }
    if let Some(file) = &overrides.ca_file {
        account.endpoint.ca_file = Some(file.clone());
    }
    if let Some(pin) = overrides.tls_fingerprint {
        account.endpoint.fingerprint = Some(pin);
    }
}

/// The account of a URL, with every default; `apply` then gives it the options of the command line.
#[must_use]
pub fn ad_hoc(address: Address, root: PathBuf) -> Account {
    let Address { protocol, tls, user, host, port } = address;
    let endpoint = Endpoint::new(&host, port.unwrap_or_else(|| build::default_port(protocol, tls)), tls);
    Account::new(&format!("{user}@{host}"), protocol, endpoint, Login::new(&user), root)
}

/// The account of a URL on the command line.
///
/// # Errors
/// What is wrong with the URL, without quoting it.
pub fn from_url(text: &str, into: PathBuf) -> Result<Account, url::Error> {
    url::parse(text).map(|address| ad_hoc(address, into))
}
