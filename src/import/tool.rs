//! The tools that can be moved in from, and where each keeps its configuration.

use std::fmt;

use super::{Imported, fetchmail, getmail, mbsync, mpop, offlineimap};

/// A tool whose configuration can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// isync's mbsync.
    Mbsync,
    /// `OfflineIMAP`.
    OfflineImap,
    /// getmail, 5 and 6.
    Getmail,
    /// fetchmail.
    Fetchmail,
    /// mpop.
    Mpop,
}

/// Where a file is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Below the home directory.
    Home(&'static str),
    /// Below `$XDG_CONFIG_HOME`, else `~/.config`.
    Config(&'static str),
}

impl Tool {
    /// All of them, in the order of the manual.
    pub const ALL: [Self; 5] = [Self::Mbsync, Self::OfflineImap, Self::Getmail, Self::Fetchmail, Self::Mpop];

    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mbsync => "mbsync",
            Self::OfflineImap => "offlineimap",
            Self::Getmail => "getmail",
            Self::Fetchmail => "fetchmail",
            Self::Mpop => "mpop",
        }
    }

    /// The tool called `word`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.as_str() == word)
    }

    /// The files that the tool itself reads without being told; the first that exists counts.
    #[must_use]
    pub fn files(self) -> &'static [Place] {
        match self {
            Self::Mbsync => &[Place::Config("isyncrc"), Place::Home(".mbsyncrc")],
            Self::OfflineImap => &[Place::Config("offlineimap/config"), Place::Home(".offlineimaprc")],
            Self::Getmail => &[Place::Config("getmail/getmailrc"), Place::Home(".getmail/getmailrc")],
            Self::Fetchmail => &[Place::Home(".fetchmailrc")],
            Self::Mpop => &[Place::Home(".mpoprc"), Place::Config("mpop/config")],
        }
    }

    /// Reads `text`; `file` is the file's name without its directory, after which getmail's account is called.
    #[must_use]
    pub fn read(self, text: &str, file: &str) -> Imported {
        match self {
            Self::Mbsync => mbsync::parse(text),
            Self::OfflineImap => offlineimap::parse(text),
            Self::Getmail => getmail::parse(text, file),
            Self::Fetchmail => fetchmail::parse(text),
            Self::Mpop => mpop::parse(text),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for tool in Tool::ALL {
            assert_eq!(Tool::parse(tool.as_str()), Some(tool));
            assert!(tool.read("", "").accounts.is_empty(), "{tool}");
        }
        assert_eq!(Tool::parse("isync"), None);
    }
}
