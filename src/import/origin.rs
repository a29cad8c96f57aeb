//! Where each tool keeps what it already has: what `import --state` needs to find and read it.

/// The state of one account in the tool's own terms. Paths are as the configuration wrote them (`~` and variables not expanded).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// mbsync: one IMAP account and one Maildir store, joined by one or more channels.
    Mbsync(MbsyncOrigin),
    /// `OfflineIMAP`.
    OfflineImap(OfflineImapOrigin),
    /// getmail.
    Getmail {
        /// `server`, as in the file name `oldmail-SERVER-PORT-USER[-MAILBOX]`.
        server: String,
        /// `port`, the default of the retriever's type included.
        port: u16,
        /// `username`.
        user: String,
        /// IMAP mailboxes; empty for POP3.
        mailboxes: Vec<String>,
    },
    /// fetchmail.
    Fetchmail {
        /// `set idfile`; `None`: `~/.fetchids`.
        id_file: Option<String>,
        /// The host that is asked (`via`, else the poll name): fetchmail 6.4 writes it into the id file.
        host: String,
        /// The poll name, which the manual says stands there.
        poll: String,
        /// The remote user.
        user: String,
    },
    /// mpop.
    Mpop {
        /// `uidls_file`; `%U`, `%H` and `~` are not expanded.
        uidls_file: String,
        /// `host`.
        host: String,
        /// `user`.
        user: String,
    },
}

/// mbsync's stores and channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MbsyncOrigin {
    /// The Maildir store's `Path`, a prefix of the folders' paths; empty if it has none.
    pub path: String,
    /// The Maildir store's `Inbox`.
    pub inbox: String,
    /// How directories are named.
    pub sub_folders: SubFolders,
    /// `Path` of the IMAP store with `/` between levels: what stands before every name on the server but INBOX.
    pub far_path: String,
    /// `Flatten`: what stands between levels in the Maildir's names.
    pub flatten: Option<String>,
    /// Each channel that was joined into the account.
    pub channels: Vec<MbsyncChannel>,
    /// `FieldDelimiter` of the global state's file names.
    pub field_delimiter: char,
    /// `InfoDelimiter` before the flags in file names, normally `:`.
    pub info_delimiter: char,
}

/// One channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MbsyncChannel {
    /// Its name.
    pub name: String,
    /// Store and box (or prefix) on the server.
    pub far: (String, String),
    /// Store and box (or prefix) in the Maildir.
    pub near: (String, String),
    /// Whether it has patterns, so that the boxes are prefixes.
    pub patterns: bool,
    /// `SyncState`: `*`, a path (ending in `/` or not), or `None` for the default directory.
    pub sync_state: Option<String>,
    /// Whether `sync_state` stood in the channel: its files are then named by the near box alone.
    pub own_sync_state: bool,
}

/// mbsync's `SubFolders`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubFolders {
    /// `Lists/rust`.
    Verbatim,
    /// `.Lists.rust`.
    MaildirPlusPlus,
    /// `Lists/.rust`.
    Legacy,
}

/// `OfflineIMAP`'s names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineImapOrigin {
    /// `metadata`, by default `~/.offlineimap`.
    pub metadata: String,
    /// Name of the account, as in `Account-NAME`.
    pub account: String,
    /// Name of the remote repository, as in `Repository-NAME`.
    pub remote: String,
    /// `localfolders`.
    pub root: String,
    /// `sep` between levels in local names.
    pub separator: String,
    /// `utf8foldernames`: local names are decoded already.
    pub utf8_names: bool,
    /// How a server name becomes a local one; `None` if the expression was not understood.
    pub name_trans: Option<super::python_names::NameTrans>,
}
