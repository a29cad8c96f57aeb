//! What the steps of one account's run share: the job, the Maildir, the state, connections, and what is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::imap::{Login, MailboxName, Session};
use crate::mail::pattern::Patterns;
use crate::mail::snapshot::Figures;
use crate::mail::{Digest, FolderName, Side, Timestamp, Uid, UidValidity};
use crate::maildir::{FileSystem, FolderDir, Layout};
use crate::severity::{Kind, Retry, Scope, Severity};
use crate::state::account::AccountRow;
use crate::state::{Cursor, FolderId, State};
use crate::transport::{self, Traffic};
use crate::ui::event::Body;

use super::folders::Action;
use super::view::Role;

pub use super::conn::Conn;
pub use super::error::Error;
pub use crate::job::Report;

/// How often what a broken connection interrupted is tried again (SPEC §2, `timeout`).
pub const RETRIES: u32 = 3;

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
    /// What the server does not permit is a failure and no standing condition: a restore was asked for.
    pub must_upload: bool,
}

/// One account's run.
pub type Job<'a> = crate::job::Job<'a, Options>;

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
            Action::Gone => false,
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
    /// The server cannot be asked to compress.
    uncompressed: AtomicBool,
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
            uncompressed: AtomicBool::new(false),
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
        let mut session = Session::open(&Login {
            account: self.job.account,
            credentials: self.job.credentials,
            stop: self.job.stop,
            traffic: Arc::clone(&self.traffic),
            trace: self.job.trace.cloned(),
            once: false,
        })?;
        if self.uncompressed.load(Ordering::Relaxed) {
            session.leave_uncompressed();
        }
        Ok(Conn::new(session))
    }

    /// Tells a connection how long so many bytes of messages took, which may turn compression on. A server that breaks off over
    /// that is not asked for it again.
    ///
    /// # Errors
    /// A failing connection.
    pub fn weigh(&self, conn: &mut Conn, bytes: u64, time: Duration) -> Result<(), Error> {
        let weighed = conn.session.weigh(bytes, time);
        self.uncompressed.fetch_or(weighed.is_err(), Ordering::Relaxed);
        Ok(weighed?)
    }

    /// Asks something of the connection that will be used next.
    ///
    /// # Errors
    /// When there is no connection and none can be had.
    pub fn with_spare<T>(&self, ask: impl FnOnce(&mut Conn) -> T) -> Result<T, Error> {
        let mut conn = self.connection()?;
        let answer = ask(&mut conn);
        self.give_back(conn);
        Ok(answer)
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

    /// Tells something that is neither failure nor warning.
    pub fn event(&self, folder: Option<&FolderName>, body: Body) {
        self.job.tell(folder, body);
    }

    /// Tells a failure and counts it.
    pub fn fail(&self, folder: Option<&FolderName>, error: &dyn Severity) {
        let kind = self.job.tell_failure(folder, None, error);
        self.report().kinds.push(kind);
    }

    /// Tells the failure of one message, named by its UID or file.
    pub fn fail_message(&self, folder: &FolderName, which: &str, error: &dyn Severity) {
        let kind = self.job.tell_failure(Some(folder), Some(which), error);
        self.report().kinds.push(kind);
    }

    /// Tells a warning.
    pub fn warn(&self, folder: Option<&FolderName>, message: String, hint: Option<&str>) {
        self.job.tell(folder, Body::Warning { message, hint: hint.map(str::to_owned) });
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
                    if error.kind() == Kind::Interrupted || error.scope() >= Scope::Account {
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

    /// Runs `work` on a connection. A failure that trying again may mend costs the connection, and `work` gets another
    /// one, three times at most.
    ///
    /// # Errors
    /// Those of `work` and of connecting; [`Error::Interrupted`].
    pub fn retried<T>(&self, mut work: impl FnMut(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            self.check_stop()?;
            let mut conn = self.connection()?;
            let outcome = work(&mut conn);
            self.give_back(conn);
            match outcome {
                Err(error) if error.retry() == Retry::Now && tries < RETRIES => {
                    tries += 1;
                    self.back_off(&error, tries)?;
                }
                other => return other,
            }
        }
    }

    /// Gives a server time before it is asked again; `tries` failures came before. A session that was cut off is taken up again at
    /// once the first time: connecting has a back-off of its own.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn back_off(&self, error: &Error, tries: u32) -> Result<(), Error> {
        let steps = if error.is_silence() { tries } else { tries.saturating_sub(1) };
        if let Some(pause) = transport::retry::pause(steps, self.job.account.endpoint.timeout) {
            // What asked for the stop is looked at right below.
            let _ = self.job.stop.pause(pause);
        }
        self.check_stop()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folders of a run, by row.
pub type Folders = BTreeMap<FolderId, Folder>;
