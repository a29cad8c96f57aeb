//! One account's part of a run: secret, work, summary, hooks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::context::Context;
use super::exit::{Exit, account_exit, result};
use super::hold::Held;
use super::hooks::{self, News};
use crate::account::{Account, Protocol, SecretSource};
use crate::auth::{Credentials, source};
use crate::severity::{Kind, Severity};
use crate::state::Continuity;
use crate::ui::event::{Body, Event, Sink, Summary};
use crate::{fetch, sync};

/// What is done.
#[derive(Clone, Debug)]
pub enum Work {
    /// Bidirectional sync.
    Sync(sync::Options),
    /// One way.
    Fetch(fetch::Options),
}

/// An account and what is done with it.
#[derive(Clone, Debug)]
pub struct Task {
    /// The account.
    pub account: Account,
    /// Its work.
    pub work: Work,
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
    /// Its exit.
    pub exit: Exit,
}

impl Done {
    /// Tells a failure that ends the account.
    pub fn failed(context: &Context, task: &Task, error: &dyn Severity) -> Self {
        context.fail(Some(&task.account.name), error);
        Self { kinds: vec![error.kind()], ..Self::default() }
    }
}

impl From<sync::Report> for Done {
    fn from(report: sync::Report) -> Self {
        let sync::Report { summary, kinds, progress, changed } = report;
        Self { summary, kinds, progress, changed, exit: Exit::Ok }
    }
}

impl From<fetch::Report> for Done {
    fn from(report: fetch::Report) -> Self {
        let fetch::Report { summary, kinds, progress, changed } = report;
        Self { summary, kinds, progress, changed, exit: Exit::Ok }
    }
}

/// Does tasks.
pub struct Worker<'a> {
    /// What every command has.
    pub context: &'a Context,
    /// One account at a time asks on the terminal.
    pub asking: &'a Mutex<()>,
}

impl Worker<'_> {
    /// Tells that the account begins.
    pub fn begin(&self, task: &Task) {
        let protocol = match task.account.protocol {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        };
        let job = match task.work {
            Work::Sync(_) => "sync",
            Work::Fetch(_) => "fetch",
        };
        self.tell(task, Body::AccountStarted { protocol, job });
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
            self.context.ui.error(Kind::Protocol, Some(&task.account.name), message, None);
            Done { kinds: vec![Kind::Protocol], ..Done::default() }
        });
        done.summary.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        done
    }

    /// Decides the exit and tells the summary.
    pub fn end(&self, task: &Task, mut done: Done) -> Done {
        done.exit = account_exit(&done.kinds);
        done.summary.exit = done.exit.code();
        done.summary.result = result(done.exit, done.progress);
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

    fn tell(&self, task: &Task, body: Body) {
        self.context.ui.event(Event { body, account: Some(task.account.name.clone()), folder: None });
    }

    fn attempt(&self, task: &Task, held: &mut Held) -> Done {
        let context = self.context;
        let credentials = match self.credentials(&task.account) {
            Ok(credentials) => credentials,
            Err(error) => return Done::failed(context, task, &error),
        };
        if !credentials.oauth {
            return self.carry_out(task, &credentials, held, &*context.ui);
        }
        // A token may have been withdrawn before its time: a refused login is told only if a new one does not help.
        let sink = Patient { inner: &*context.ui, refusals: Mutex::default() };
        let done = self.carry_out(task, &credentials, held, &sink);
        if done.kinds.contains(&Kind::Auth) {
            match source::renew(&task.account, &context.stop, &credentials) {
                Ok(Some(new)) => return self.carry_out(task, &new, held, &*context.ui),
                Ok(None) => {}
                Err(error) => return Done::failed(context, task, &error),
            }
        }
        sink.tell_all();
        done
    }

    fn credentials(&self, account: &Account) -> Result<Credentials, crate::auth::Error> {
        let asks = matches!(account.login.secret, SecretSource::Ask) && account.login.oauth2.is_none();
        let _turn = asks.then(|| self.asking.lock().unwrap_or_else(PoisonError::into_inner));
        source::resolve(account, &self.context.stop, true)
    }

    fn carry_out(&self, task: &Task, credentials: &Credentials, held: &mut Held, sink: &dyn Sink) -> Done {
        let (account, stop) = (&task.account, &self.context.stop);
        let trace = self.context.trace(&account.name);
        let (layout, file_system) = (held.layout(account), held.file_system);
        match &task.work {
            Work::Sync(options) => {
                let job = sync::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                let continuity = held.continuity;
                sync::run(job, sync::Ground { layout, file_system, state: &mut held.state, continuity }).into()
            }
            Work::Fetch(options) => {
                let hold_deletions = held.continuity == Continuity::Broken;
                let full = options.full || hold_deletions;
                let options = &fetch::Options { hold_deletions, full, ..options.clone() };
                let job = fetch::Job { account, credentials, options, sink, stop, trace: trace.as_ref() };
                fetch::run(job, &layout, &file_system, &mut held.state).into()
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
