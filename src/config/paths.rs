//! Paths of a profile: `~`, `${VAR}`, `{account}` and `{user}` become an absolute path. PURE: the environment is asked
//! through a closure.

use std::path::{Component, Path, PathBuf};

/// An environment: a variable's value by its name.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the placeholders of a path stand for.
#[derive(Clone, Copy)]
pub struct Expansion<'a> {
    /// The environment, for `~` (`HOME`) and `${VAR}`.
    pub env: Env<'a>,
    /// What a relative path starts from: the folder of the config file, or the current one for the command line.
    pub base: &'a Path,
    /// `{account}`.
    pub account: &'a str,
    /// `{user}`.
    pub user: &'a str,
}

/// The path that `text` means: absolute, without `.` and `..`, nothing resolved on disk.
///
/// # Errors
/// What is wrong, as the end of a sentence about the value.
pub fn expand(text: &str, with: &Expansion) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("holds a NUL".to_owned());
    }
    let mut out = String::new();
    let mut rest = text;
    if let Some(after) = text.strip_prefix('~') {
        if !after.is_empty() && !after.starts_with('/') {
            return Err("starts with another user's `~`: write the path in full".to_owned());
        }
        out.push_str(&variable("HOME", with).map_err(|_| "needs HOME for `~`, which is not set".to_owned())?);
        rest = after;
    }
    while let Some(at) = rest.find(['$', '{']) {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        rest = placeholder(tail, with, &mut out)?;
    }
    out.push_str(rest);
    Ok(normalised(&with.base.join(out)))
}

/// Writes what the placeholder at the start of `tail` stands for, and returns what follows it.
fn placeholder<'t>(tail: &'t str, with: &Expansion, out: &mut String) -> Result<&'t str, String> {
    if let Some(after) = tail.strip_prefix("${") {
        let (name, rest) = after.split_once('}').ok_or_else(|| "has a `${` without its `}`".to_owned())?;
        out.push_str(&variable(name, with)?);
        return Ok(rest);
    }
    for (word, value) in [("{account}", with.account), ("{user}", with.user)] {
        if let Some(rest) = tail.strip_prefix(word) {
            component(value).map_err(|why| format!("uses {word}, which {why}"))?;
            out.push_str(value);
            return Ok(rest);
        }
    }
    let one = tail.chars().next().unwrap_or_default();
    if one == '{' {
        return Err("has a `{` that starts neither `{account}` nor `{user}`".to_owned());
    }
    out.push(one);
    Ok(tail.get(one.len_utf8()..).unwrap_or_default())
}

fn variable(name: &str, with: &Expansion) -> Result<String, String> {
    match (with.env)(name) {
        Some(value) if value.contains('\0') => Err(format!("uses ${{{name}}}, which holds a NUL")),
        Some(value) if !value.is_empty() => Ok(value),
        Some(_) | None => Err(format!("uses ${{{name}}}, which is not set")),
    }
}

/// Whether `value` may stand in a path as (part of) one level.
///
/// # Errors
/// Why not, as the end of a sentence about it.
pub fn component(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        Err("is empty")
    } else if value.contains('/') {
        Err("holds a `/`")
    } else if value == "." || value.contains("..") {
        Err("is or holds a step up or nowhere (`..`, `.`)")
    } else if value.chars().any(char::is_control) {
        Err("holds a control character")
    } else {
        Ok(())
    }
}

/// Without `.` and `..`, by text only.
fn normalised(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/me".to_owned()),
            "MAILROOT" => Some("/srv/mail".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn expanded(text: &str, user: &str) -> Result<PathBuf, String> {
        expand(text, &Expansion { env: &env, base: Path::new("/etc/mf"), account: "work", user })
    }

    #[test]
    fn placeholders() {
        let ok = |text: &str| expanded(text, "me@example.org").unwrap().display().to_string();
        assert_eq!(ok("~/Mail/{account}"), "/home/me/Mail/work");
        assert_eq!(ok("~"), "/home/me");
        assert_eq!(ok("${MAILROOT}/{user}/x"), "/srv/mail/me@example.org/x");
        assert_eq!(ok("mail/./a/../b"), "/etc/mf/mail/b");
        assert_eq!(ok("/a$b/c~"), "/a$b/c~");
    }

    #[test]
    fn what_is_refused() {
        for bad in ["", "${NOPE}/x", "${EMPTY}/x", "~other/x", "/a/{name}", "/a/${HOME", "/a\0b"] {
            assert!(expanded(bad, "me").is_err(), "{bad:?}");
        }
        for user in ["../../etc", "a/b", "..", "", "a\nb"] {
            assert!(expanded("/m/{user}", user).is_err(), "{user:?}");
        }
    }

    proptest! {
        #[test]
        fn users_never_leave_the_root(user in "\\PC{0,12}|[./a]{0,6}") {
            if let Ok(path) = expanded("/m/{user}/x", &user) {
                prop_assert!(path.starts_with("/m") && path.components().count() == 4);
            }
        }
    }
}
