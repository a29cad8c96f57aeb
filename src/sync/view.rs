//! What a look at one folder found, as plain data: the input of every decision. PURE.

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Content, Digest, Flags, FolderName, Side, Timestamp, UidValidity};
use crate::state::{FolderId, Mark, Row};

use super::merge::Mask;

/// A file that no paired row explains.
#[derive(Clone, Debug)]
pub struct LocalNew {
    /// `cur/NAME` or `new/NAME`.
    pub place: Vec<u8>,
    /// Its inode.
    pub inode: u64,
    /// Its flags.
    pub flags: Flags,
    /// Its content.
    pub content: Content,
    /// Its time.
    pub date: Option<Timestamp>,
    /// Its row, if it has one that stands on this side only.
    pub row: Option<Box<Row>>,
}

impl LocalNew {
    /// The flags that both sides last had, if they ever had it.
    #[must_use]
    pub fn base(&self) -> Option<&Flags> {
        let had = |row: &&Row| matches!(row.mark, Mark::Paired | Mark::Sent) || row.has_lost_uid();
        self.row.as_deref().filter(had).map(|row| &row.flags)
    }

    /// Whether it is carried to the server when nothing there equals it: not if it stands here alone by agreement.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.row.as_ref().is_none_or(|row| matches!(row.mark, Mark::Paired | Mark::Waiting))
    }
}

/// A message on the server that no paired row explains.
#[derive(Clone, Debug)]
pub struct RemoteNew {
    /// What the server told.
    pub message: RemoteMessage,
    /// Digest of its header section, once fetched.
    pub header: Option<Digest>,
    /// Digest of the whole, once fetched.
    pub digest: Option<Digest>,
    /// Its row, if it has one that stands on the server only.
    pub row: Option<Box<Row>>,
}

impl RemoteNew {
    /// Whether it is carried here when nothing here equals it.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.row.as_ref().is_none_or(|row| matches!(row.mark, Mark::Paired | Mark::Waiting))
    }

    /// Its flags; none if they were not told.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.message.flags.clone().unwrap_or_default()
    }
}

/// A file as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNow {
    /// `cur/NAME` or `new/NAME`.
    pub place: Vec<u8>,
    /// Its inode.
    pub inode: u64,
    /// Its flags.
    pub flags: Flags,
}

/// A message that both sides had and on which something differs now or was left open.
#[derive(Clone, Debug)]
pub struct Touched {
    /// What both sides last had.
    pub row: Row,
    /// What the Maildir has; `None`: it is gone.
    pub local: Option<LocalNow>,
    /// What the server has; `None`: it is gone.
    pub remote: Option<Flags>,
}

/// What a folder is for, as far as rules differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// No special use.
    #[default]
    Plain,
    /// The account's Trash.
    Trash,
    /// Spam, which people empty as they do Trash.
    Junk,
}

/// What a look at one folder found.
#[derive(Clone, Debug)]
pub struct View {
    /// The folder.
    pub folder: FolderId,
    /// Its name.
    pub name: FolderName,
    /// Its role.
    pub role: Role,
    /// Rows on which something differs.
    pub touched: Vec<Touched>,
    /// Unknown files.
    pub local_new: Vec<LocalNew>,
    /// How many of them, at the end, are known messages under another name.
    pub renamed: usize,
    /// Unknown messages on the server.
    pub remote_new: Vec<RemoteNew>,
    /// The flags that both sides can hold.
    pub both: Mask,
    /// The server lets nothing be changed in it.
    pub read_only: bool,
    /// The server lets no message of it be marked as deleted: none can be deleted there or moved away.
    pub keeps_all: bool,
    /// Absence is believed to be deletion in this run.
    pub deletions: bool,
    /// The UIDVALIDITY that the listing was made under.
    pub validity: Option<UidValidity>,
    /// Nothing is known of the folder's messages: they are paired as an adoption does.
    pub adopting: bool,
    /// The directory was restored from an older copy: what is missing here is fetched again (HAZARDS 5).
    pub refetch: bool,
    /// Too many messages resemble others without being them: nothing is uploaded (HAZARDS 24).
    pub no_uploads: bool,
    /// The server made the folder anew and it is empty there: what is not found elsewhere is left untouched.
    pub emptied: bool,
    /// The side on which the folder itself is missing: its rows only say where messages came from.
    pub lost: Option<Side>,
    /// How many messages both sides had.
    pub paired: u64,
}

impl View {
    /// The unknown files that may be paired with what the server has.
    #[must_use]
    pub fn unpaired_files(&self) -> &[LocalNew] {
        self.local_new.get(..self.local_new.len() - self.renamed).unwrap_or_default()
    }

    /// A view of a folder in which nothing was found.
    #[must_use]
    pub fn empty(folder: FolderId, name: FolderName) -> Self {
        Self {
            folder,
            name,
            role: Role::Plain,
            touched: Vec::new(),
            local_new: Vec::new(),
            renamed: 0,
            remote_new: Vec::new(),
            both: Mask::all(),
            read_only: false,
            keeps_all: false,
            deletions: true,
            validity: None,
            adopting: false,
            refetch: false,
            no_uploads: false,
            emptied: false,
            lost: None,
            paired: 0,
        }
    }
}
