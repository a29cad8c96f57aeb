//! What a key of a profile is, and the nearest word to a mistyped one. PURE.

pub use super::key_table::{KEYS, OAUTH2};

/// What a key's value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// A host name or address.
    Host,
    /// A secret's text.
    Secret,
    /// A string run by `sh -c`, or an array run as it is.
    Command,
    /// A path; `~`, `${VAR}`, `{account}` and `{user}` expand.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number within these bounds.
    Number(u32, u32),
    /// An age; `true` if zero is possible.
    Age(bool),
    /// A size in bytes.
    Size,
    /// A share.
    Percent,
    /// A folder's name.
    Folder,
    /// An array of patterns.
    Patterns,
    /// An array of words, or one string with blanks between them.
    Words,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A preset's name.
    Provider,
    /// `sha256:HEX`.
    Fingerprint,
    /// `https://…`.
    Url,
    /// The table `oauth2`.
    OAuth2,
}

/// Which accounts a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// Both protocols.
    Both,
    /// IMAP accounts.
    Imap,
    /// POP3 accounts.
    Pop3,
}

/// A key of an account or of `[defaults]`.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
    /// Which accounts it is for.
    pub only: Only,
    /// Its default, as text for the manual; empty if there is none.
    pub default: &'static str,
    /// A value as it stands in a file.
    pub example: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// The words of `auth`.
pub const AUTH: &[&str] = &[
    "auto",
    "plain",
    "login",
    "cram-md5",
    "scram-sha-1",
    "scram-sha-256",
    "xoauth2",
    "oauthbearer",
    "apop",
    "external",
];

/// The keys that say where the password comes from: one choice.
pub const PASSWORD: [&str; 5] = ["password_command", "password_file", "password_env", "password_keyring", "password"];

/// The keys that say what a fetch leaves on the server: one choice.
pub const KEEP: [&str; 3] = ["keep", "delete", "delete_after"];

/// The key of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The candidate nearest to a mistyped word, if one is near: at most a third of its letters differ.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let near = closest(word, candidates)?;
    (distance(&fold(word), &fold(near)) <= allowed).then_some(near)
}

/// The candidate with the fewest edits, however many; the first of several.
#[must_use]
pub fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let folded = fold(word);
    candidates.iter().copied().min_by_key(|candidate| distance(&folded, &fold(candidate)))
}

/// `-` for `_`, and case, are no difference.
fn fold(word: &str) -> String {
    word.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

/// Edits (insert, remove, replace, swap neighbours) between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (i, ca) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, &cb) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX / 2);
            let mut best =
                (at(&previous, j) + usize::from(ca != cb)).min(at(&previous, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = j > 0 && last_a == Some(cb) && b.get(j - 1) == Some(&ca);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        last_a = Some(ca);
        before = std::mem::replace(&mut previous, row);
    }
    previous.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("folders", "folders"), 0);
        assert_eq!(distance("fodlers", "folders"), 1);
        assert_eq!(distance("folder_s", "folders"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn nearest_words() {
        let names: Vec<&str> = KEYS.iter().map(|k| k.name).collect();
        assert_eq!(nearest("folder_s", &names), Some("folders"));
        assert_eq!(nearest("pasword-command", &names), Some("password_command"));
        assert_eq!(nearest("Host", &names), Some("host"));
        assert_eq!(nearest("zzzzzz", &names), None);
        assert!(closest("zzzzzz", &names).is_some() && closest("x", &[]).is_none());
        assert_eq!(nearest("hsot", &names), Some("host"));
    }

    #[test]
    fn names_are_unique_and_explained() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(!key.about.is_empty() && !key.example.is_empty(), "{}", key.name);
            assert!(KEYS.iter().skip(i + 1).all(|other| other.name != key.name), "{}", key.name);
        }
        assert!(PASSWORD.iter().chain(&KEEP).all(|name| find(name).is_some()));
    }
}
