//! What a run tells: the schema of `--json` (SPEC §6), and what text and progress are made from.

use serde::Serialize;

/// What is told. `account` and `folder` travel beside it, in [`Event`].
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Body {
    /// An account begins.
    AccountStarted {
        /// `imap` or `pop3`.
        protocol: &'static str,
        /// What is done: `sync`, `fetch`, `watch`, `restore`, ….
        job: &'static str,
    },
    /// What was done in a folder: one for each in which something was, before the summary.
    Folder(Figures),
    /// One action of a dry run.
    Planned(Planned),
    /// Something the user should know; the run goes on.
    Warning {
        /// What it is.
        message: String,
        /// What to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// Something failed.
    Error {
        /// [`crate::severity::Kind::as_str`].
        kind: &'static str,
        /// What failed and why, in the server's or system's own words, cleaned.
        message: String,
        /// What to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// One difference that `verify` found.
    Difference(Difference),
    /// An account has ended.
    Summary(Summary),
}

/// A message or folder that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `only_local`, `only_remote`, `missing_file`, `flags`, `size`, `content`, `folder_only_local` or `folder_only_remote`.
    pub kind: &'static str,
    /// The message's UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The message's UIDL (POP3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uidl: Option<String>,
    /// The message's file, relative to its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The message's Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// What each side has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What was done: in a folder, or in all of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// New messages in the Maildir.
    pub downloaded: u64,
    /// New messages on the server.
    pub uploaded: u64,
    /// Messages changed in the Maildir.
    pub flags_local: u64,
    /// Messages changed on the server.
    pub flags_remote: u64,
    /// Messages removed from the Maildir.
    pub deleted_local: u64,
    /// Messages removed from the server, to its Trash included.
    pub deleted_remote: u64,
    /// Messages moved in the Maildir; in a folder, those that came.
    pub moved_local: u64,
    /// Messages moved on the server, likewise.
    pub moved_remote: u64,
    /// Messages left out by a limit or a failure; in a folder, by a failure.
    pub skipped: u64,
}

/// One action of a plan.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Planned {
    /// `download`, `upload`, `flags`, `delete`, `move`, `create_folder`, `remove_folder`, ….
    pub action: &'static str,
    /// The side that would change: `local` or `remote`.
    pub side: &'static str,
    /// The message's UID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The message's UIDL (POP3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uidl: Option<String>,
    /// The message's file, relative to the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The message's Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// More: the flags that would be set, the folder that a move leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a run over an account ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// All done.
    #[default]
    Ok,
    /// Something was done, something was not.
    Partial,
    /// Nothing was done.
    Failed,
}

/// The figures of `verify`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Messages that both sides have and that were compared.
    pub compared: u64,
    /// Differences found.
    pub differences: u64,
    /// Messages that stand on one side only by agreement: kept here, left there, too large.
    pub one_sided: u64,
    /// Messages whose file has another time than the server's date: no difference.
    pub dates: u64,
}

/// The figures of a run over one account.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// What was done.
    #[serde(flatten)]
    pub figures: Figures,
    /// Folders looked at.
    pub folders: u64,
    /// Bytes received on the connections (inside TLS, after compression).
    pub bytes_in: u64,
    /// Bytes sent, likewise.
    pub bytes_out: u64,
    /// How often a connection waited for an answer.
    pub round_trips: u64,
    /// Wall-clock milliseconds.
    pub elapsed_ms: u64,
    /// What `verify` compared; no fields in other summaries.
    #[serde(flatten)]
    pub verified: Option<Verified>,
    /// How it ended.
    pub result: RunResult,
    /// The account's exit status.
    pub exit: u8,
}

/// A summary is read as its figures with something beside them.
impl std::ops::Deref for Summary {
    type Target = Figures;

    fn deref(&self) -> &Figures {
        &self.figures
    }
}

impl std::ops::DerefMut for Summary {
    fn deref_mut(&mut self) -> &mut Figures {
        &mut self.figures
    }
}

/// Something told, with the place that it is about.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// What is told.
    #[serde(flatten)]
    pub body: Body,
    /// The account's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The folder's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// Takes what `sync`, `fetch` and the other jobs tell. Implemented by `ui` for terminals, logs and JSON, and by tests.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event);
    /// Progress of an account's work: `done` of `total` messages in `what`, a folder's name or a phase. `total` 0:
    /// unknown. Called often; must be cheap.
    fn progress(&self, account: &str, what: &str, done: u64, total: u64);
    /// As [`Sink::progress`], in bytes of bodies.
    fn progress_bytes(&self, account: &str, what: &str, done: u64, total: u64) {
        self.progress(account, what, done, total);
    }
}
