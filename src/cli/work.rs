//! One account's part of a run: secret, work, summary, hooks.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::advice::{self, Advised};
use super::context::Context;
use super::exit::{Exit, account_exit, result};
use super::hold::{Failure, Held};
use super::hooks::{self, News};
use crate::account::{Account, Protocol, SecretSource};
use crate::auth::{Credentials, source};
use crate::job::Report;
use crate::mail::FolderName;
use crate::severity::{Kind, Severity};
use crate::state::account::Key;
use crate::state::{Continuity, State};
use crate::ui::event::{Body, Event, Figures, Sink, Summary};
use crate::{fetch, sync};

/// What is done.
#[derive(Clone, Debug)]
pub enum Work {
    /// Bidirectional sync.
    Sync(sync::Options),
    /// One way.
    Fetch(fetch::Options),
    /// Upload what the server lacks.
    Restore {
        /// The options.
        options: sync::Options,
        /// To another account than that of the Maildir, whose state says nothing of it.
        elsewhere: bool,
    },
    /// Compare; `true`: the contents too.
    Verify(bool),
}

impl Work {
    /// Its word in events.
    fn job(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Fetch(_) => "fetch",
            Self::Restore { .. } => "restore",
            Self::Verify(_) => "verify",
        }
    }

    /// Whether it brings the Maildir and its state up to date: then hooks follow, and a restored state is dealt with.
    pub fn updates(&self) -> bool {
        match self {
            Self::Sync(_) | Self::Fetch(_) => true,
            Self::Restore { .. } | Self::Verify(_) => false,
        }
    }
}

/// An account and what is done with it.
#[derive(Clone, Debug)]
pub struct Task {
    /// The account.
    pub account: Account,
    /// Its work.
    pub work: Work,
}

impl Task {
    /// How the state knows the account in this work.
    fn key(&self) -> Key<'_> {
        let (endpoint, user) = (&self.account.endpoint, self.account.login.user.as_str());
        let (kind, user) = match (&self.work, self.account.protocol) {
            (Work::Fetch(_), Protocol::Imap) => ("fetch", user),
            (Work::Sync(_) | Work::Restore { .. } | Work::Verify(_), Protocol::Imap) | (Work::Sync(_), _) => {
                ("imap", user)
            }
            // Gmail's UIDLs are the same with and without this prefix.
            (Work::Fetch(_) | Work::Restore { .. } | Work::Verify(_), Protocol::Pop3) => {
                ("fetch", user.strip_prefix("recent:").unwrap_or(user))
            }
        };
        Key { kind, host: &endpoint.host, port: endpoint.port, user }
    }

    /// Whether the work changes things, and in every folder.
    fn is_whole(&self) -> bool {
        match &self.work {
            Work::Sync(options) => options.only.is_none() && !options.dry_run && options.limit.is_none(),
            Work::Fetch(options) => options.only.is_none() && !options.dry_run && options.limit.is_none(),
            Work::Restore { .. } | Work::Verify(_) => false,
        }
    }
}

/// How an account ended.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The figures.
    pub summary: Summary,
    /// What went wrong.
    pub kinds: Vec<Kind>,
    /// Something was finished.
    pub progress: bool,
    /// Files that are new or changed.
    pub changed: Vec<PathBuf>,
    /// What was done in each folder.
    pub folders: BTreeMap<FolderName, Figures>,
    /// Its exit.
    pub exit: Exit,
}

impl Done {
    /// With exit and result, which follow from the rest.
    pub fn decided(mut self) -> Self {
        self.exit = account_exit(&self.kinds);
        self.summary.exit = self.exit.code();
        self.summary.result = result(self.exit, self.progress);
        self
    }
}

impl From<Report> for Done {
    fn from(report: Report) -> Self {
        let Report { summary, kinds, progress, changed, folders } = report;
        Self { summary, kinds, progress, changed, folders, exit: Exit::Ok }
    }
}

/// Does tasks.
pub struct Worker<'a> {
    /// What every command has.
    pub context: &'a Context,
    /// One account at a time asks on the terminal.
    pub asking: &'a Mutex<()>,
    /// Takes what is told.
    pub sink: &'a dyn Sink,
    /// Keeps the account's secret for later runs, in a program that stays.
    pub purse: Option<&'a Purse>,
}

/// A secret that was resolved before.
#[derive(Debug, Default)]
pub struct Purse(Mutex<Option<Credentials>>);

impl Purse {
    /// Forgets it.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Credentials>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker<'_> {
    /// Tells that the account begins.
    pub fn begin(&self, task: &Task) {
        let protocol = match task.account.protocol {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        };
        self.tell(task, Body::AccountStarted { protocol, job: task.work.job() });
    }

    /// Tells a warning.
    pub fn warn(&self, task: &Task, message: String, hint: &str) {
        self.tell(task, Body::Warning { message, hint: Some(hint.to_owned()) });
    }

    /// Does the work; what goes wrong is told.
    pub fn run(&self, task: &Task, held: &mut Held) -> Done {
        let started = Instant::now();
        let mut done = catch_unwind(AssertUnwindSafe(|| self.attempt(task, held))).unwrap_or_else(|_| {
            // Its place was told by the hook; one account's fault must not stop the others.
            let message = "a fault of mailferry ended this account's run";
            let kind = Kind::Protocol.as_str();
            self.tell(task, Body::Error { kind, message: message.to_owned(), hint: None });
            Done { kinds: vec![Kind::Protocol], ..Done::default() }
        });
        done.summary.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        done
    }

    /// Tells a failure that ends the account.
    pub fn failed(&self, task: &Task, error: &dyn Severity) -> Done {
        let kind = error.kind();
        self.tell(
            task,
            Body::Error {
                kind: kind.as_str(),
                message: advice::placed(kind.as_str(), error.to_string(), &task.account),
                hint: advice::of(error, Some(&task.account)),
            },
        );
        Done { kinds: vec![kind], ..Done::default() }
    }

    /// Decides the exit and tells the summary.
    pub fn end(&self, task: &Task, done: Done) -> Done {
        let done = done.decided();
        for (name, figures) in done.folders.iter().filter(|(_, figures)| **figures != Figures::default()) {
            let (account, folder) = (Some(task.account.name.clone()), Some(name.to_string()));
            self.sink.event(Event { body: Body::Folder(figures.clone()), account, folder });
        }
        self.tell(task, Body::Summary(done.summary.clone()));
        done
    }

    /// Runs the account's hooks, after its end.
    pub fn hooks(&self, task: &Task, done: &Done) {
        let news = News { new: done.summary.downloaded, changed: &done.changed };
        for wrong in hooks::run(&task.account, news, &self.context.stop) {
            self.warn(task, wrong, "run the command by hand; the mail itself is not concerned");
        }
    }

    /// Tells something of the account.
    pub fn tell(&self, task: &Task, body: Body) {
        self.sink.event(Event { body, account: Some(task.account.name.clone()), folder: None });
    }

    fn attempt(&self, task: &Task, held: &mut Held) -> Done {
        let credentials = match self.credentials(&task.account) {
            Ok(credentials) => credentials,
            Err(error) => return self.failed(task, &error),
        };
        if !credentials.oauth {
            return self.carry_out(task, &credentials, held, self.sink);
        }
        // A token may have been withdrawn before its time: a refused login is told only if a new one does not help.
        let sink = Patient { inner: self.sink, refusals: Mutex::default() };
        let done = self.carry_out(task, &credentials, held, &sink);
        if done.kinds.contains(&Kind::Auth) {
            match source::renew(&task.account, &self.context.stop, &credentials) {
                Ok(Some(new)) => return self.carry_out(task, &new, held, self.sink),
                Ok(None) => {}
                Err(error) => return self.failed(task, &error),
            }
        }
        sink.tell_all();
        done
    }

    /// What to log in with: from the purse, else resolved, with a question if need be.
    ///
    /// # Errors
    /// When there is none.
    pub fn credentials(&self, account: &Account) -> Result<Credentials, crate::auth::Error> {
        // A token has a time of its own: its source knows whether it still holds.
        let lasts = account.login.oauth2.is_none();
        let mut kept = self.purse.filter(|_| lasts).map(Purse::lock);
        if let Some(known) = kept.as_deref().and_then(Option::as_ref) {
            return Ok(known.clone());
        }
        let asks = matches!(account.login.secret, SecretSource::Ask) && lasts;
        let _turn = asks.then(|| self.asking.lock().unwrap_or_else(PoisonError::into_inner));
        let credentials = source::resolve(account, &self.context.stop, true)?;
        if let Some(kept) = kept.as_deref_mut() {
            *kept = Some(credentials.clone());
        }
        Ok(credentials)
    }

    fn carry_out(&self, task: &Task, credentials: &Credentials, held: &mut Held, sink: &dyn Sink) -> Done {
        let key = task.key();
        let continuity = match held.continuity_of(&key) {
            Ok(continuity) => continuity,
            Err(error) => return self.failed(task, &*error),
        };
        if continuity == Continuity::Broken && task.work.updates() {
            let message =
                "the Maildir or its state is a copy or was restored: this run compares everything and deletes nothing";
            self.warn(task, message.to_owned(), "no action is needed: the next run carries deletions out again");
        }
        let done = self.work(task, credentials, (held, continuity), sink);
        if let Err(error) = self.tell_exposed(task, held) {
            return self.failed(task, &*error);
        }
        // What was left out or failed is in doubt still.
        let whole = task.is_whole() && done.kinds.iter().all(|kind| *kind == Kind::Guard);
        if continuity == Continuity::Broken
            && whole
            && let Err(error) = held.settle(&key)
        {
            return self.failed(task, &*error);
        }
        done
    }

    /// A password that others can read: told once, and again when that changes.
    fn tell_exposed(&self, task: &Task, held: &mut Held) -> Result<(), Failure> {
        if !task.work.updates() {
            return Ok(());
        }
        let exposed = source::exposed(&task.account);
        if let Some(detail) = held.is_news(&task.key(), "password_file", exposed.as_deref())? {
            self.warn(task, detail, "chmod 600 it");
        }
        Ok(())
    }

    fn work(
        &self,
        task: &Task,
        credentials: &Credentials,
        (held, continuity): (&mut Held, Continuity),
        sink: &dyn Sink,
    ) -> Done {
        let (account, stop) = (&task.account, &self.context.stop);
        let sink: &dyn Sink = &Advised::new(sink, account);
        let trace = self.context.trace(&account.name);
        let (layout, file_system) = (held.layout(account), held.file_system);
        match &task.work {
            Work::Sync(options) => {
                let job = sync::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                sync::run(job, sync::Ground { layout, file_system, state: &mut held.state, continuity }).into()
            }
            Work::Fetch(options) => {
                let hold_deletions = continuity == Continuity::Broken;
                let full = options.full || hold_deletions;
                let options = &fetch::Options { hold_deletions, full, ..options.clone() };
                let job = fetch::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                fetch::run(job, &layout, &file_system, &mut held.state).into()
            }
            Work::Verify(deep) if account.protocol == Protocol::Pop3 => {
                let options = &fetch::Options { dry_run: true, ..fetch::Options::default() };
                let job = fetch::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                fetch::verify::run(job, &layout, &file_system, &mut held.state, *deep).into()
            }
            Work::Verify(deep) => {
                let options = &sync::Options { dry_run: true, ..sync::Options::default() };
                let job = sync::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                let ground = sync::Ground { layout, file_system, state: &mut held.state, continuity };
                sync::verify::run(job, ground, *deep).into()
            }
            Work::Restore { options, elsewhere } => {
                let mut none = match elsewhere.then(State::in_memory).transpose() {
                    Ok(none) => none,
                    Err(error) => return self.failed(task, &error),
                };
                let continuity = if *elsewhere { Continuity::New } else { continuity };
                let job = sync::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                let state = none.as_mut().unwrap_or(&mut held.state);
                sync::restore(job, sync::Ground { layout, file_system, state, continuity }).into()
            }
        }
    }
}

/// Keeps refused logins back.
struct Patient<'a> {
    inner: &'a dyn Sink,
    refusals: Mutex<Vec<Event>>,
}

impl Patient<'_> {
    fn tell_all(&self) {
        for event in std::mem::take(&mut *self.refusals.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.inner.event(event);
        }
    }
}

impl Sink for Patient<'_> {
    fn event(&self, event: Event) {
        if matches!(&event.body, Body::Error { kind, .. } if *kind == Kind::Auth.as_str()) {
            self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        } else {
            self.inner.event(event);
        }
    }

    fn progress(&self, account: &str, what: &str, done: u64, total: u64) {
        self.inner.progress(account, what, done, total);
    }

    fn progress_bytes(&self, account: &str, what: &str, done: u64, total: u64) {
        self.inner.progress_bytes(account, what, done, total);
    }
}
