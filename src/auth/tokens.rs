//! Tokens on disk: one file 0600 for each user at a host, refreshed by one run at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Secret;
use super::oauth::{Client, Error, Tokens};
use crate::stop::Stop;

/// A token that ends sooner counts as ended: a login takes time, and clocks differ.
const MARGIN: u64 = 90;
/// How long a token without a stated life is used.
const UNSTATED: u64 = 600;
/// The longest token file.
const LONGEST: u64 = 1024 * 1024;
/// How long to pause while another run refreshes.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// The form on disk.
#[derive(Default, Deserialize)]
struct Kept {
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    /// Seconds since 1970.
    #[serde(default)]
    expires_at: u64,
}

/// The same, to be written.
#[derive(Serialize)]
struct Keep<'a> {
    access_token: Option<&'a str>,
    refresh_token: Option<&'a str>,
    expires_at: u64,
}

/// PURE: the name of the file for a user at a host: nothing in it can leave the directory.
#[must_use]
pub fn file_name(user: &str, host: &str) -> String {
    let mut name = String::new();
    for byte in format!("{user}@{host}").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'@' => name.push(char::from(byte)),
            b'.' if !name.is_empty() => name.push('.'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    // A file system's limit is 255 bytes; a digest keeps long names apart.
    if name.len() > 200 {
        use sha2::{Digest, Sha256};
        let digest =
            Sha256::digest(&name).iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        name.truncate(150);
        name.push_str(&digest);
    }
    name + ".json"
}

/// Keeps the tokens of a sign-in. The old ones are replaced only when the new ones are on disk.
///
/// # Errors
/// [`Error::Store`], [`Error::Stopped`].
pub fn store(path: &Path, tokens: &Tokens, stop: &Stop) -> Result<(), Error> {
    let _lock = lock(path, stop)?;
    Draft::begin(path)?.finish(tokens)
}

/// A good access token: the stored one, or else a new one, for which the server is asked. `refused` is a token that the
/// mail server did not take: it is not given again. Two runs at once ask once: the second finds the first one's token.
///
/// # Errors
/// [`Error::NotSignedIn`], and everything that asking and storing can meet.
pub fn access_token(client: &Client, path: &Path, refused: Option<&Secret>, stop: &Stop) -> Result<Secret, Error> {
    if !client.is_app_only() && !path.exists() {
        return Err(Error::NotSignedIn);
    }
    let _lock = lock(path, stop)?;
    let kept = load(path)?;
    if kept.expires_at > now() + MARGIN
        && let Some(known) = kept.access_token.filter(|known| Some(known) != refused)
    {
        return Ok(known);
    }
    // Made before the server is asked: a new refresh token for which there is no room would be lost, and the old one
    // with it.
    let draft = Draft::begin(path)?;
    let tokens = if client.is_app_only() {
        client.client_credentials(stop)?
    } else {
        client.refresh(&kept.refresh_token.ok_or(Error::NotSignedIn)?, stop)?
    };
    draft.finish(&tokens)?;
    Ok(tokens.access)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |why| Error::Store { path: path.to_owned(), why }
}

fn load(path: &Path) -> Result<Kept, Error> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(failed(path)(error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut bytes).map_err(failed(path))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // The library's words could quote the file.
        let why = format!("it is damaged at line {}; sign in again", error.line());
        failed(path)(io::Error::new(io::ErrorKind::InvalidData, why))
    })
}

/// `path` with `suffix` behind its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Holds the lock beside `path` until dropped; waits for another run, unless a stop is asked for.
fn lock(path: &Path, stop: &Stop) -> Result<File, Error> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed(directory))?;
    }
    let own = beside(path, ".lock");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&own).map_err(failed(&own))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                if stop.pause(LOCK_PAUSE) {
                    return Err(Error::Stopped);
                }
            }
            Err(TryLockError::Error(error)) => return Err(failed(&own)(error)),
        }
    }
}

/// The next content of a token file, not in its place yet. Removed when dropped unfinished.
struct Draft {
    file: File,
    from: PathBuf,
    to: PathBuf,
}

impl Draft {
    /// To be called under the lock.
    fn begin(path: &Path) -> Result<Self, Error> {
        let from = beside(path, ".new");
        // Left by a run that was killed; nobody else writes under the lock.
        match fs::remove_file(&from) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&from)(error)),
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&from).map_err(failed(&from))?;
        Ok(Self { file, from, to: path.to_owned() })
    }

    fn finish(mut self, tokens: &Tokens) -> Result<(), Error> {
        let kept = Keep {
            access_token: tokens.access.expose_str(),
            refresh_token: tokens.refresh.as_ref().and_then(Secret::expose_str),
            expires_at: now().saturating_add(tokens.expires_in.map_or(UNSTATED, |life| life.as_secs())),
        };
        let json =
            serde_json::to_vec_pretty(&kept).map(Zeroizing::new).map_err(|error| failed(&self.to)(error.into()))?;
        self.put(&json).map_err(failed(&self.to))
    }

    fn put(&mut self, json: &[u8]) -> io::Result<()> {
        self.file.write_all(json)?;
        self.file.sync_all()?;
        fs::rename(&self.from, &self.to)?;
        match self.to.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already once it was renamed.
        let _ = fs::remove_file(&self.from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_cannot_leave_the_directory() {
        assert_eq!(file_name("me@example.org", "imap.example.org"), "me@example.org@imap.example.org.json");
        assert_eq!(file_name("../../x", "h"), "%2E.%2F..%2Fx@h.json");
    }

    proptest! {
        #[test]
        fn every_name_is_one_plain_file(user in "\\PC{0,300}", host in "[a-z.]{1,300}") {
            let name = file_name(&user, &host);
            prop_assert!(name.len() < 240 && !name.contains('/') && !name.starts_with('.'));
        }
    }
}
