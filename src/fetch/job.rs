//! What a fetch is asked, what it answers, and what its steps share.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::account::{Keep, Protocol};
use crate::mail::pattern::Patterns;
use crate::mail::{FolderName, Timestamp};
use crate::maildir::{self, FileSystem, Layout};
use crate::severity::{Kind, Retry, Scope, Severity};
use crate::state::account::{AccountRow, Key};
use crate::state::{self, State, files};
use crate::transport::{self, Traffic};
use crate::ui::event::Body;
use crate::{imap, pop3};

use super::held::Held;
use super::plan::{Rules, Trust};

pub use crate::job::Report;

/// What the command line asks of a fetch.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Change nothing on either side, state included.
    pub dry_run: bool,
    /// Trust no id without its header; IMAP: look at every message.
    pub full: bool,
    /// Fetch everything that is not in the Maildir, whatever was fetched before.
    pub all: bool,
    /// At most this many new messages.
    pub limit: Option<u64>,
    /// No message larger than this, in bytes; overrides the profile.
    pub max_size: Option<u64>,
    /// What becomes of the server's copies; overrides the profile.
    pub keep: Option<Keep>,
    /// Only these folders.
    pub only: Option<Patterns>,
    /// Nothing is deleted on the server in this run: the state is a copy or was restored.
    pub hold_deletions: bool,
}

/// One account's fetch.
pub type Job<'a> = crate::job::Job<'a, Options>;

/// A failure of any part, as the walk hands it on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Speaking POP3.
    #[error(transparent)]
    Pop3(#[from] pop3::Error),
    /// Speaking IMAP.
    #[error(transparent)]
    Imap(#[from] imap::Error),
    /// The Maildir.
    #[error(transparent)]
    Maildir(#[from] maildir::Error),
    /// The state.
    #[error(transparent)]
    State(#[from] state::Error),
    /// A message that the server cannot or will not give, or breaks off.
    #[error("message {number}{id} stays on the server: {why}")]
    Message {
        /// Its number or UID.
        number: u32,
        /// Its UIDL in brackets with a blank before them, or nothing.
        id: String,
        /// Why, with the server's words cleaned.
        why: String,
        /// The class of the refusal.
        kind: Kind,
    },
    /// The server did not delete what it was asked to.
    #[error("{count} messages were not deleted: {why}")]
    NotDeleted {
        /// How many.
        count: usize,
        /// The server's words.
        why: String,
        /// The class of the refusal.
        kind: Kind,
    },
    /// Nothing of a folder can be fetched.
    #[error("{0}")]
    Folder(&'static str),
    /// The folder that received messages is not there any more.
    #[error(
        "the folder {0} is missing in the Maildir, and messages were delivered there; nothing of it is fetched or deleted"
    )]
    FolderGone(FolderName),
    /// A stop was asked for.
    #[error("interrupted")]
    Interrupted,
}

impl From<transport::Error> for Error {
    fn from(error: transport::Error) -> Self {
        Self::Pop3(error.into())
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Pop3(e) => e.scope(),
            Self::Imap(e) => e.scope(),
            Self::Maildir(e) => e.scope(),
            Self::State(e) => e.scope(),
            Self::Message { .. } | Self::NotDeleted { .. } => Scope::Message,
            Self::Folder(_) | Self::FolderGone(_) => Scope::Folder,
            Self::Interrupted => Scope::Run,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Pop3(e) => e.retry(),
            Self::Imap(e) => e.retry(),
            Self::Maildir(e) => e.retry(),
            Self::State(e) => e.retry(),
            Self::Message { .. }
            | Self::NotDeleted { .. }
            | Self::Folder(_)
            | Self::FolderGone(_)
            | Self::Interrupted => Retry::Later,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Pop3(e) => e.kind(),
            Self::Imap(e) => e.kind(),
            Self::Maildir(e) => e.kind(),
            Self::State(e) => e.kind(),
            Self::FolderGone(_) => Kind::Guard,
            Self::Message { kind, .. } | Self::NotDeleted { kind, .. } => *kind,
            Self::Folder(_) => Kind::Protocol,
            Self::Interrupted => Kind::Interrupted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Pop3(e) => e.hint(),
            Self::Imap(e) => e.hint(),
            Self::Maildir(e) => e.hint(),
            Self::State(e) => e.hint(),
            Self::Message { .. } => Some("the next run tries again".into()),
            Self::NotDeleted { .. } => Some("they are safe here; the next run asks again".into()),
            Self::Folder(_) => None,
            Self::FolderGone(_) => Some("put it back, or fetch with --full: that downloads again".into()),
            Self::Interrupted => Some("run it again: it goes on where it stopped".into()),
        }
    }
}

/// What the steps of one account's fetch share.
pub struct Engine<'a> {
    /// The job.
    pub job: Job<'a>,
    /// The Maildir.
    pub layout: &'a Layout,
    /// What its file system can be trusted with.
    pub file_system: &'a FileSystem,
    /// The state.
    pub state: &'a mut State,
    /// The account's row; `None` in a dry run over an account that was never fetched.
    pub account: Option<AccountRow>,
    /// Part of derived file names.
    pub secret: String,
    /// Bytes and round trips.
    pub traffic: Arc<Traffic>,
    /// What has happened.
    pub report: Report,
    /// When the run is.
    pub now: Timestamp,
    started: Instant,
}

impl<'a> Engine<'a> {
    /// Finds or makes the account's row.
    ///
    /// # Errors
    /// Those of the state.
    pub fn new(
        job: Job<'a>,
        layout: &'a Layout,
        file_system: &'a FileSystem,
        state: &'a mut State,
    ) -> Result<Self, Error> {
        let endpoint = &job.account.endpoint;
        let login = &job.account.login;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = Timestamp(i64::try_from(now).unwrap_or(i64::MAX));
        // Gmail's UIDLs are the same with and without this prefix.
        let user = match job.account.protocol {
            Protocol::Pop3 => login.user.strip_prefix("recent:").unwrap_or(&login.user),
            Protocol::Imap => &login.user,
        };
        let key = Key { kind: "fetch", host: &endpoint.host, port: endpoint.port, user };
        let (mut account, secret) = if job.options.dry_run {
            (state.look_up_fetch_account(&key, &job.account.name)?, String::new())
        } else {
            (Some(state.fetch_account(&key, &job.account.name, now)?), state.secret()?)
        };
        if let (Some(row), false) = (&mut account, job.options.dry_run)
            && row.full_at.is_some()
            && (job.options.full || job.options.hold_deletions)
        {
            state.forget_full(row.id)?;
            row.full_at = None;
        }
        Ok(Self {
            job,
            layout,
            file_system,
            state,
            account,
            secret,
            traffic: Arc::new(Traffic::default()),
            report: Report::default(),
            now,
            started: Instant::now(),
        })
    }

    /// The report in the end; a run whose every file has its row is marked as ended.
    pub fn finish(mut self) -> Report {
        let word = if self.report.kinds.is_empty() { "ok" } else { "partial" };
        let disk = self.report.kinds.contains(&Kind::Disk);
        if let (Some(account), false) = (&self.account, disk || self.job.options.dry_run) {
            // Whatever is here was given the chance to be recognised.
            let all_seen =
                self.report.kinds.is_empty() && self.report.summary.skipped == 0 && self.job.options.only.is_none();
            let ended = self.state.end_run(account.id, self.now.0, word, all_seen);
            // Its sample has been the same, or everything has been compared.
            let port = self.job.account.endpoint.port;
            let moved = account.other_port && self.report.kinds.is_empty();
            let moved = if moved { self.state.set_port(account.id, port) } else { Ok(()) };
            if let Err(error) = ended.and(moved) {
                self.fail(None, &error);
            }
        }
        let summary = &mut self.report.summary;
        summary.bytes_in = self.traffic.bytes_in();
        summary.bytes_out = self.traffic.bytes_out();
        summary.round_trips = self.traffic.round_trips();
        summary.elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report
    }

    /// What is wanted of the server's messages.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let options = self.job.options;
        let hold = options.hold_deletions;
        Rules {
            keep: if hold { Keep::Keep } else { options.keep.unwrap_or(self.job.account.keep) },
            finish_deletions: !hold && options.keep != Some(Keep::Keep),
            trust: self.trust(),
            limit: options.limit.map(|limit| limit.saturating_sub(self.report.summary.downloaded)),
            max_size: options.max_size.or(self.job.account.max_size),
            now: self.now,
        }
    }

    fn trust(&self) -> Trust {
        let other_port = self.account.as_ref().is_some_and(|account| account.other_port);
        match self.job.account.protocol {
            _ if self.job.options.full => Trust::Nothing,
            _ if other_port => Trust::Sample,
            Protocol::Pop3 => Trust::Neighbours,
            Protocol::Imap => Trust::Ids,
        }
    }

    /// What is here and stands for no fetched message. `is_new`: nothing was ever fetched from this source. `shared`: folders
    /// that the server has too, where each receives its own.
    ///
    /// # Errors
    /// When the state or the Maildir cannot be read.
    pub fn held(&mut self, is_new: bool, shared: HashSet<FolderName>) -> Result<Held, Error> {
        // A dry run may know no account, and look at a Maildir all the same.
        let unknown = AccountRow::unknown();
        let account = self.account.as_ref().unwrap_or(&unknown);
        let options = self.job.options;
        let complete = is_new || options.all || account.full_at.is_none();
        let files = files::load(self.state.connection(), account.id)?;
        Held::find(self.layout, files, shared, complete)
    }

    /// Whether the folder that received messages is not there any more, and they are to be fetched again (`--full`, `--all`).
    ///
    /// # Errors
    /// [`Error::FolderGone`] if they are not; when the state or the Maildir cannot be read.
    pub fn is_gone(&mut self, folder: &FolderName) -> Result<bool, Error> {
        let Some(account) = self.account.as_ref().map(|account| account.id) else { return Ok(false) };
        let missing = self.layout.dir(folder)?.is_missing()?;
        if !missing || !files::has_delivered(self.state.connection(), account, &folder.key())? {
            return Ok(false);
        }
        let options = self.job.options;
        if options.full || options.all { Ok(true) } else { Err(Error::FolderGone(folder.clone())) }
    }

    /// Tells something.
    pub fn tell(&self, folder: Option<&FolderName>, body: Body) {
        self.job.tell(folder, body);
    }

    /// Tells a failure and counts it.
    pub fn fail(&mut self, folder: Option<&FolderName>, error: &dyn Severity) {
        let kind = self.job.tell_failure(folder, None, error);
        self.report.kinds.push(kind);
    }

    /// Tells a standing condition: once, and again when `detail` changes; `None`: it holds no longer.
    ///
    /// # Errors
    /// Those of the database.
    pub fn standing(&mut self, folder: &FolderName, kind: &str, detail: Option<&str>) -> Result<(), Error> {
        let (Some(account), false) = (&self.account, self.job.options.dry_run) else { return Ok(()) };
        let Some(detail) = detail else {
            return Ok(self.state.clear_notice(account.id, &folder.key(), kind)?);
        };
        if self.state.notice(account.id, &folder.key(), kind, detail)? {
            self.tell(Some(folder), Body::Warning { message: detail.to_owned(), hint: None });
        }
        Ok(())
    }
}

/// The report of a fetch that could not begin.
pub(super) fn failed(job: Job<'_>, error: &Error) -> Report {
    Report { kinds: vec![job.tell_failure(None, None, error)], ..Report::default() }
}
