//! What the steps of one account's run share: the job, the Maildir, the state, connections, and what is told.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::auth::Credentials;
use crate::imap::{self, Access, Login, MailboxName, Session};
use crate::mail::pattern::Patterns;
use crate::mail::snapshot::Figures;
use crate::mail::{Digest, FolderName, Side, Timestamp, Uid, UidValidity};
use crate::maildir::{self, FileSystem, FolderDir, Layout};
use crate::severity::{Kind, Severity};
use crate::state::account::AccountRow;
use crate::state::{self, Cursor, FolderId, State};
use crate::stop::Stop;
use crate::transport::{Trace, Traffic};
use crate::ui::event::{Body, Event, Sink, Summary};

use super::folders::Action;
use super::view::Role;

/// What the command line asks of a run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Change nothing on either side, state included.
    pub dry_run: bool,
    /// Trust no cache.
    pub full: bool,
    /// Let this run pass the guard.
    pub allow_mass_delete: bool,
    /// At most this many new messages each way.
    pub limit: Option<u64>,
    /// Only these folders.
    pub only: Option<Patterns>,
}

/// One account's run.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The account.
    pub account: &'a Account,
    /// Its secret, resolved.
    pub credentials: &'a Credentials,
    /// What the command line asks.
    pub options: &'a Options,
    /// Takes what is told.
    pub sink: &'a dyn Sink,
    /// Asks us to end.
    pub stop: &'a Stop,
    /// Takes protocol lines (`-vv`).
    pub trace: Option<&'a Trace>,
}

/// How a run ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The figures; `result`, `exit` and `elapsed_ms` are set by the caller of the walk.
    pub summary: Summary,
    /// What went wrong, each once.
    pub kinds: Vec<Kind>,
    /// Something was finished.
    pub progress: bool,
    /// Files that are new or changed, for the hooks.
    pub changed: Vec<PathBuf>,
}

/// A failure of any part, as the walk hands it on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Speaking with the server.
    #[error(transparent)]
    Imap(#[from] imap::Error),
    /// The Maildir.
    #[error(transparent)]
    Maildir(#[from] maildir::Error),
    /// The state.
    #[error(transparent)]
    State(#[from] state::Error),
    /// A stop was asked for.
    #[error("interrupted")]
    Interrupted,
    /// Something that must not be carried out.
    #[error("{0}")]
    Guard(String),
}

impl Severity for Error {
    fn scope(&self) -> crate::severity::Scope {
        match self {
            Self::Imap(e) => e.scope(),
            Self::Maildir(e) => e.scope(),
            Self::State(e) => e.scope(),
            Self::Interrupted => crate::severity::Scope::Run,
            Self::Guard(_) => crate::severity::Scope::Folder,
        }
    }
    fn retry(&self) -> crate::severity::Retry {
        match self {
            Self::Imap(e) => e.retry(),
            Self::Maildir(e) => e.retry(),
            Self::State(e) => e.retry(),
            Self::Interrupted | Self::Guard(_) => crate::severity::Retry::Later,
        }
    }
    fn kind(&self) -> Kind {
        match self {
            Self::Imap(e) => e.kind(),
            Self::Maildir(e) => e.kind(),
            Self::State(e) => e.kind(),
            Self::Interrupted => Kind::Interrupted,
            Self::Guard(_) => Kind::Guard,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            Self::Imap(e) => e.hint(),
            Self::Maildir(e) => e.hint(),
            Self::State(e) => e.hint(),
            Self::Interrupted => Some("run it again: it goes on where it stopped".into()),
            Self::Guard(_) => Some("look at what is missing; --allow-mass-delete lets it pass".into()),
        }
    }
}

/// A line's rate shows after so many bytes.
const WEIGHED_BYTES: u64 = 1 << 20;
/// Below this many bytes a second and connection a line is slow.
const SLOW_LINE: f64 = 3_000_000.0;

/// A connection and the folder that is open on it.
pub struct Conn {
    /// The session.
    pub session: Session,
    /// What is open, if that is known. What was opened to read takes no change, and some servers say OK all the same.
    pub open: Option<(FolderId, UidValidity, Access)>,
    /// It was asked whether compression pays.
    pub weighed: bool,
}

impl Conn {
    /// Turns compression on where the line, not the processor, is the limit: `bytes` took `time` to come. A server deflates some
    /// 28 MB a second, so it pays on slow lines alone, and never on this machine.
    ///
    /// # Errors
    /// A failing connection.
    pub fn weigh(&mut self, bytes: u64, time: Duration) -> Result<(), Error> {
        if self.weighed || bytes < WEIGHED_BYTES || self.session.is_loopback() {
            return Ok(());
        }
        self.weighed = true;
        let slow = time.as_secs_f64() > 0.0 && Duration::from_secs(1).mul_f64(bytes as f64 / SLOW_LINE) < time;
        if slow {
            self.session.compress()?;
        }
        Ok(())
    }

    /// Opens a folder for changes, under the UIDVALIDITY that the plan was made under (HAZARDS 10).
    ///
    /// # Errors
    /// [`Error::Guard`] if it is another one now; a refusal; a failing connection.
    pub fn open(&mut self, folder: &Folder, validity: Option<UidValidity>) -> Result<(), Error> {
        if validity.is_some_and(|v| self.open == Some((folder.id, v, Access::ReadWrite))) {
            return Ok(());
        }
        self.open = None;
        let Some(mailbox) = folder.mailbox.as_ref() else {
            return Err(Error::Guard(format!("{} is not on the server", folder.name)));
        };
        let selected = self.session.select(mailbox, Access::ReadWrite, None)?;
        let now = selected.figures.uid_validity;
        match (validity, now) {
            (Some(wanted), Some(now)) if wanted == now => {
                self.open = Some((folder.id, now, Access::ReadWrite));
                Ok(())
            }
            (None, _) => Ok(()),
            (Some(_), _) => Err(Error::Guard(format!("the UIDVALIDITY of {} changed meanwhile", folder.name))),
        }
    }
}

/// A folder that takes part.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its row.
    pub id: FolderId,
    /// Its name.
    pub name: FolderName,
    /// Its role.
    pub role: Role,
    /// What becomes of it.
    pub action: Action,
    /// Its directory.
    pub dir: FolderDir,
    /// Its name on the server, if it is there.
    pub mailbox: Option<MailboxName>,
    /// The figures of the listing.
    pub listed: Option<Figures>,
    /// Where the last comparison ended.
    pub base: Cursor,
    /// It was left out until now.
    pub woken: bool,
}

impl Folder {
    /// Whether the folder is on that side now.
    #[must_use]
    pub fn is_on(&self, side: Side) -> bool {
        match self.action {
            Action::Lost(missing) | Action::Remove(missing) => missing != side,
            Action::Sync | Action::Recreate | Action::CreateLocal | Action::CreateRemote => true,
        }
    }
}

/// What all steps share.
pub struct Engine<'a> {
    /// The job.
    pub job: Job<'a>,
    /// The Maildir.
    pub layout: Layout,
    /// What its file system can be trusted with.
    pub file_system: FileSystem,
    /// The account's row.
    pub account: AccountRow,
    /// Part of derived file names.
    pub secret: String,
    /// The account's Trash.
    pub trash: Option<MailboxName>,
    /// Bytes and round trips.
    pub traffic: Arc<Traffic>,
    state: Mutex<&'a mut State>,
    report: Mutex<Report>,
    spare: Mutex<Vec<Conn>>,
    started: Instant,
}

impl<'a> Engine<'a> {
    /// An engine that has done nothing.
    #[must_use]
    pub fn new(
        job: Job<'a>,
        layout: Layout,
        file_system: FileSystem,
        account: AccountRow,
        state: &'a mut State,
        secret: String,
    ) -> Self {
        Self {
            job,
            layout,
            file_system,
            account,
            secret,
            trash: None,
            traffic: Arc::new(Traffic::default()),
            state: Mutex::new(state),
            report: Mutex::new(Report::default()),
            spare: Mutex::new(Vec::new()),
            started: Instant::now(),
        }
    }

    /// The state, for one step.
    pub fn state(&self) -> MutexGuard<'_, &'a mut State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The report, for one change.
    pub fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The report in the end.
    #[must_use]
    pub fn finish(&self) -> Report {
        let mut report = self.report().clone();
        report.summary.bytes_in = self.traffic.bytes_in();
        report.summary.bytes_out = self.traffic.bytes_out();
        report.summary.round_trips = self.traffic.round_trips();
        report.summary.elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        report
    }

    /// Whether to end.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if so.
    pub fn check_stop(&self) -> Result<(), Error> {
        if self.job.stop.requested() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// A connection: one that lies idle, else a new one.
    ///
    /// # Errors
    /// When none can be had.
    pub fn connection(&self) -> Result<Conn, Error> {
        let idle = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(conn) = idle {
            return Ok(conn);
        }
        let session = Session::open(&Login {
            account: self.job.account,
            credentials: self.job.credentials,
            stop: self.job.stop,
            traffic: Arc::clone(&self.traffic),
            trace: self.job.trace.cloned(),
            once: false,
        })?;
        Ok(Conn { session, open: None, weighed: false })
    }

    /// Whether the server is on this machine.
    ///
    /// # Errors
    /// When there is no connection and none can be had.
    pub fn is_loopback(&self) -> Result<bool, Error> {
        let mut conn = self.connection()?;
        let loopback = conn.session.is_loopback();
        self.give_back(conn);
        Ok(loopback)
    }

    /// Gives a connection back; a dead one is dropped.
    pub fn give_back(&self, conn: Conn) {
        if conn.session.is_alive() {
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
    }

    /// Says goodbye on all idle connections.
    pub fn log_out(&self) {
        for conn in std::mem::take(&mut *self.spare.lock().unwrap_or_else(PoisonError::into_inner)) {
            conn.session.logout();
        }
    }

    /// The unique part of a downloaded message's file name, derived so that a second delivery finds the first (the third law).
    #[must_use]
    pub fn unique(&self, folder: &FolderName, validity: UidValidity, uid: Uid, date: Option<Timestamp>) -> String {
        let account = self.job.account;
        let (host, user, folder) = (&account.endpoint.host, &account.login.user, folder.key());
        let digest = Digest::of(format!("{}\n{host}\n{user}\n{folder}\n{validity}\n{uid}", self.secret).as_bytes());
        let hex: String = digest.0.iter().take(10).map(|b| format!("{b:02x}")).collect();
        format!("{}.{hex}.mailferry", date.map_or(0, |d| d.0.max(0)))
    }

    fn tell(&self, folder: Option<&FolderName>, body: Body) {
        let account = Some(self.job.account.name.clone());
        self.job.sink.event(Event { body, account, folder: folder.map(ToString::to_string) });
    }

    /// Tells something that is neither failure nor warning.
    pub fn event(&self, folder: Option<&FolderName>, body: Body) {
        self.tell(folder, body);
    }

    /// Tells a failure and counts it.
    pub fn fail(&self, folder: Option<&FolderName>, error: &dyn Severity) {
        let kind = error.kind();
        self.report().kinds.push(kind);
        self.tell(folder, Body::Error { kind: kind.as_str(), message: error.to_string(), hint: error.hint() });
    }

    /// Tells the failure of one message, named by its UID or file.
    pub fn fail_message(&self, folder: &FolderName, which: &str, error: &dyn Severity) {
        let kind = error.kind();
        self.report().kinds.push(kind);
        let message = format!("{which}: {error}");
        self.tell(Some(folder), Body::Error { kind: kind.as_str(), message, hint: error.hint() });
    }

    /// Tells a warning.
    pub fn warn(&self, folder: Option<&FolderName>, message: String, hint: Option<&str>) {
        self.tell(folder, Body::Warning { message, hint: hint.map(str::to_owned) });
    }

    /// Tells a standing condition: once, and again when `detail` changes.
    ///
    /// # Errors
    /// Those of the database.
    pub fn standing(
        &self,
        folder: Option<&FolderName>,
        kind: &str,
        detail: &str,
        hint: Option<&str>,
    ) -> Result<(), Error> {
        let key = folder.map(FolderName::key).unwrap_or_default();
        let is_new = self.job.options.dry_run || self.state().notice(self.account.id, &key, kind, detail)?;
        if is_new {
            self.warn(folder, detail.to_owned(), hint);
        }
        Ok(())
    }

    /// A standing condition holds no longer.
    ///
    /// # Errors
    /// Those of the database.
    pub fn cleared(&self, folder: Option<&FolderName>, kind: &str) -> Result<(), Error> {
        if !self.job.options.dry_run {
            let key = folder.map(FolderName::key).unwrap_or_default();
            self.state().clear_notice(self.account.id, &key, kind)?;
        }
        Ok(())
    }

    /// Runs `work` on each task, on up to `connections` connections at once. A failure that trying again may mend costs the
    /// connection and is tried again, three times at most; what then still fails is told by `failed` and the rest goes on.
    ///
    /// # Errors
    /// [`Error::Interrupted`], and failures that take the account down.
    pub fn on_connections<T: Send>(
        &self,
        tasks: Vec<T>,
        connections: usize,
        work: impl Fn(&mut Conn, &mut T) -> Result<(), Error> + Sync,
        failed: impl Fn(&T, &Error) + Sync,
    ) -> Result<(), Error> {
        let connections = connections.clamp(1, tasks.len().max(1));
        let queue = Mutex::new(tasks.into_iter());
        let fatal: Mutex<Option<Error>> = Mutex::new(None);
        let run = || {
            loop {
                if lock(&fatal).is_some() {
                    return;
                }
                let Some(mut task) = lock(&queue).next() else { return };
                if let Err(error) = self.retried(|conn| work(conn, &mut task)) {
                    if error.kind() == Kind::Interrupted || error.scope() >= crate::severity::Scope::Account {
                        failed(&task, &error);
                        lock(&fatal).get_or_insert(error);
                        return;
                    }
                    failed(&task, &error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..connections {
                // Without another thread this one does the work.
                let _ = std::thread::Builder::new().spawn_scoped(scope, run);
            }
            run();
        });
        let error = lock(&fatal).take();
        error.map_or(Ok(()), Err)
    }

    /// Runs `work` on a connection; again, three times at most and on another connection, where trying again may mend what
    /// failed.
    ///
    /// # Errors
    /// Those of `work` and of connecting; a stop.
    pub fn retried<T>(&self, mut work: impl FnMut(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            self.check_stop()?;
            let mut conn = self.connection()?;
            let outcome = work(&mut conn);
            self.give_back(conn);
            match outcome {
                Err(error)
                    if error.retry() == crate::severity::Retry::Now && tries < 3 && !self.job.stop.requested() =>
                {
                    tries += 1
                }
                other => return other,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folders of a run, by row.
pub type Folders = BTreeMap<FolderId, Folder>;
