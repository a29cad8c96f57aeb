//! What the other tools already paired (IMAP) or fetched (POP3), as plain data.

pub mod mbsync;
pub mod offlineimap;
pub mod uidl;

use super::model::Warning;

/// A message that stands both on the server and in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PairedMessage {
    /// The folder, as the caller named it.
    pub folder: String,
    /// Of the server's folder.
    pub uid_validity: u32,
    /// On the server; never 0.
    pub uid: u32,
    /// File name up to the flags: `1795298765.9696_4.vm,U=4`.
    pub unique: String,
    /// Maildir letters that both sides had after the last run; `None` if the tool does not say.
    pub flags: Option<String>,
}

/// A message that was fetched by POP3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenUidl {
    /// Server; empty where the file's name says it.
    pub host: String,
    /// User; empty where the file's name says it.
    pub user: String,
    /// As the tool wrote it.
    pub uidl: String,
    /// When it was first seen, in seconds since 1970.
    pub time: Option<i64>,
    /// The tool wrote `-` for every `/` (getmail).
    pub slashes_folded: bool,
}

impl SeenUidl {
    /// Whether the server's `uidl` is this message.
    #[must_use]
    pub fn is(&self, uidl: &str) -> bool {
        if self.slashes_folded { self.uidl == uidl.replace('/', "-") } else { self.uidl == uidl }
    }
}

/// A message that was fetched by IMAP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenUid {
    /// The mailbox, where the line names it (old files); else the file's name says it.
    pub mailbox: Option<String>,
    /// Of the mailbox.
    pub uid_validity: u32,
    /// In the mailbox.
    pub uid: u32,
    /// When it was first seen, in seconds since 1970.
    pub time: Option<i64>,
}

/// What a state file holds, and its lines that are none of its format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<T> {
    /// In file order.
    pub messages: Vec<T>,
    /// Lines that were skipped: their messages will be fetched again.
    pub warnings: Vec<Warning>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { messages: Vec::new(), warnings: Vec::new() }
    }
}

/// The file name up to its flags.
#[must_use]
pub fn unique_part(file: &str, info_delimiter: char) -> &str {
    file.rsplit_once(&format!("{info_delimiter}2,")).map_or(file, |(unique, _)| unique)
}
