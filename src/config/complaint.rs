//! What is wrong with a profile or with what was asked of it, and where it stands.

use std::fmt;
use std::path::PathBuf;

use crate::mail::text;
use crate::severity::{Kind, Retry, Scope, Severity};

/// One thing that is wrong. Its text never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The file that it stands in; `None` for what came from the command line.
    pub file: Option<PathBuf>,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// The account concerned.
    pub account: Option<Box<str>>,
    /// The key concerned.
    pub key: Option<Box<str>>,
    /// What is wrong, with the nearest valid word where there is one.
    pub message: String,
    /// What to do, where the message does not say it.
    pub hint: Option<Box<str>>,
    /// [`Kind::Config`] (78), or [`Kind::Usage`] (2) for what stands on the command line.
    pub kind: Kind,
}

impl Complaint {
    /// A complaint about the configuration (78).
    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self {
            file: None,
            line: None,
            account: None,
            key: None,
            message: message.into(),
            hint: None,
            kind: Kind::Config,
        }
    }

    /// A complaint about the command line (2).
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::config(message) }
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Box<str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With its line, from 1.
    #[must_use]
    pub fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// With its key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Box<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With its account.
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        self.account = Some(account.into());
        self
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", text::clean_to(&file.to_string_lossy(), 1000))?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        f.write_str(&text::clean_to(&self.message, 1000))
    }
}

impl std::error::Error for Complaint {}

impl Severity for Complaint {
    fn scope(&self) -> Scope {
        Scope::Run
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn hint(&self) -> Option<String> {
        self.hint.as_deref().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_what() {
        let mut complaint =
            Complaint::config("unknown key `folder_s` in [accounts.work]; did you mean `folders`?").at(12);
        complaint.file = Some(PathBuf::from("config.toml"));
        assert_eq!(
            complaint.to_string(),
            "config.toml:12: unknown key `folder_s` in [accounts.work]; did you mean `folders`?"
        );
        assert_eq!(complaint.kind().exit(), 78);
        assert_eq!(Complaint::usage("x").kind().exit(), 2);
        assert!(!Complaint::config("a\x1b[31m").to_string().contains('\x1b'));
    }
}
