//! From the words of the command line to what was asked for, or to what is said instead. A URL's password that stands in
//! a wrong place is not echoed.

use std::ffi::OsString;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{self, Cli};
use crate::config::keys;

/// Why nothing is done: help, the version, or wrong usage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The text to show, without colours.
    pub text: String,
    /// Whether it is what was asked for (`-h`, `-V`) and belongs on standard output, exit 0; else standard error, exit 2.
    pub wanted: bool,
}

/// Takes the command line apart. Without a command: the short help, not wanted.
///
/// # Errors
/// What to say instead of doing anything.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, Said> {
    match Cli::try_parse_from(words) {
        Ok(cli) if cli.command.is_none() => Err(Said { text: args::short_help(), wanted: false }),
        Ok(cli) => Ok(cli),
        Err(mut error) => {
            advise(&mut error);
            let wanted = !error.use_stderr();
            let text = error.render().to_string();
            Err(Said { text: if wanted { text } else { redacted(&text) }, wanted })
        }
    }
}

/// An option that no command has but the profile has as a key is told to be one; clap would advise to pass it as a value.
fn advise(error: &mut clap::Error) {
    if error.kind() != ErrorKind::UnknownArgument || error.get(ContextKind::SuggestedArg).is_some() {
        return;
    }
    error.remove(ContextKind::Suggested);
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return };
    let name = option.trim_start_matches('-').replace('-', "_");
    if keys::KEYS.iter().any(|key| key.name == name) {
        let tip = format!("`{name}` is a key of the profile, see mailferry.toml(5)");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// The text without what may be a password: all from the first `://` up to the last `@`, if a `:` stands between. What
/// clap quotes is not escaped, so that a password with quotes, blanks or line ends has no other certain end.
fn redacted(text: &str) -> String {
    let Some((before, after)) = text.split_once("://") else { return text.to_owned() };
    match after.rsplit_once('@') {
        Some((user, host)) if user.contains(':') => format!("{before}://***@{host}"),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Said {
        parse(words.iter().map(OsString::from)).unwrap_err()
    }

    #[test]
    fn help_is_wanted_and_errors_are_not() {
        assert!(said(&["mailferry", "--help"]).wanted && said(&["mailferry", "-V"]).wanted);
        assert!(said(&["mailferry", "sync", "-h"]).text.contains("--allow-mass-delete"));
        assert!(!said(&["mailferry"]).wanted && said(&["mailferry"]).text.contains("setup"));
        assert!(!said(&["mailferry", "sync", "--frob"]).wanted);
        assert!(parse(["mailferry", "run"].map(OsString::from)).is_ok());
        assert!(said(&["mailferry", "sync", "--dryrun"]).text.contains("'--dry-run'"));
        let key = said(&["mailferry", "sync", "--on-delete", "trash"]).text;
        assert!(key.contains("`on_delete` is a key of the profile") && !key.contains("as a value"), "{key}");
        assert!(!said(&["mailferry", "sync", "--frob"]).text.contains("as a value"));
    }

    #[test]
    fn passwords_in_wrong_places_are_not_echoed() {
        for words in [
            ["mailferry", "imaps://me:hunter2@h", "x", "y"],
            ["mailferry", "folders", "a", "imaps://me:hunter2@h"],
            ["mailferry", "folders", "a", "imaps://me:hunter2 'x@h"],
            ["mailferry", "folders", "a", "imaps://me:x@y'\nhunter2@h"],
            ["mailferry", "import", "imaps://me:hunter2@h", "x"],
            ["mailferry", "man", "sync", "imaps://me:p:hunter2@h"],
        ] {
            let text = said(&words).text;
            assert!(!text.contains("hunter2") && text.contains("imaps://***@"), "{text}");
        }
        assert_eq!(redacted("a imaps://me@h 'b://c' d"), "a imaps://me@h 'b://c' d");
        assert_eq!(redacted("https://x:8080/y"), "https://x:8080/y");
    }
}
