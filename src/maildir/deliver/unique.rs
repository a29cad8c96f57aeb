//! Names that no other file has: in `tmp`, and for messages whose name nothing is derived from.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::super::error::Error;
use super::super::layout::FolderDir;
use super::super::{handle, listing};

/// What our files in `tmp` begin with.
const PREFIX: &str = "mailferry.";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// 64 random bits of this process.
fn run_id() -> u64 {
    static ID: OnceLock<u64> = OnceLock::new();
    *ID.get_or_init(random)
}

/// 64 random bits. Without the system's source: clock, process and address layout, since O_EXCL guards the names anyway.
fn random() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        use std::hash::BuildHasher as _;
        std::hash::RandomState::new().hash_one((SystemTime::now(), std::process::id()))
    })
}

/// A name for `tmp` that tells whose it is.
pub(in super::super) fn tmp_name() -> String {
    format!("{PREFIX}{:016x}.{}", run_id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Removes what dead runs of ours left in a folder's `tmp`. Only under the Maildir's lock: then whatever of ours is not
/// this process's own is abandoned. Returns how many files went.
///
/// # Errors
/// When `tmp` cannot be read or a file cannot be removed. A folder without `tmp` has nothing to clean.
pub fn clean_tmp(folder: &FolderDir) -> Result<usize, Error> {
    let path = folder.path.join("tmp");
    let tmp = match handle::open_dir_at(folder.open()?, std::path::Path::new("tmp"), &path) {
        Ok(tmp) => tmp,
        Err(Error::Missing { .. }) => return Ok(0),
        Err(e) => return Err(e),
    };
    let own = format!("{PREFIX}{:016x}.", run_id());
    let mut dead = Vec::new();
    listing::each(&tmp, &path, &mut |name, kind, _| {
        if kind == FileType::RegularFile && name.starts_with(PREFIX.as_bytes()) && !name.starts_with(own.as_bytes()) {
            dead.push(name.to_vec());
        }
        Ok(())
    })?;
    for name in &dead {
        match rustix::fs::unlinkat(&tmp, name.as_slice(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(e) => return Err(Error::io("remove a file of", path, e)),
        }
    }
    Ok(dead.len())
}

/// A unique part for a message whose name is derived from nothing: time, 64 random bits, a counter and the host.
#[must_use]
pub fn fresh_unique() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let host = host(rustix::system::uname().nodename().to_bytes());
    format!("{}.M{}R{:016x}Q{counter}.{host}", now.as_secs(), now.subsec_micros(), random()).into_bytes()
}

/// A host's name as part of a file name: `/` and `:` as in the Maildir convention, anything else unusual as `_`.
fn host(name: &[u8]) -> String {
    let out: String = name
        .iter()
        .take(64)
        .map(|&c| match c {
            b'/' => "\\057".to_owned(),
            b':' => "\\072".to_owned(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(c).to_string(),
            _ => "_".to_owned(),
        })
        .collect();
    if out.is_empty() { "localhost".to_owned() } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maildir::FileName;

    #[test]
    fn unique_parts_are_unique_and_usable() {
        let (a, b) = (fresh_unique(), fresh_unique());
        assert_ne!(a, b);
        assert!(FileName::of_unique(&a).is_some() && !a.contains(&b':'));
        assert_eq!(host(b"a/b:c d.example"), "a\\057b\\072c_d.example");
    }
}
