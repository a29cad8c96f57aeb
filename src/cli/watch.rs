//! `watch`: every account is kept in step until a signal comes, each round done as `run` would do it.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::args::SelectArgs;
use super::context::{Context, Roots, env};
use super::exit::{Exit, run_exit};
use super::hold::{Held, How};
use super::local;
use super::overrides;
use super::roots::warned;
use super::rounds::{Steady, did_something, verdict};
use super::work::{Done, Purse, Task, Work, Worker};
use crate::account::{Account, Protocol, SecretSource};
use crate::auth::{self, Credentials};
use crate::config::Job;
use crate::severity::Kind;
use crate::transport::Trace;
use crate::ui::event::Body;
use crate::watch::systemd::{Environment, Manager, status};
use crate::watch::{Bell, End, Hands, Outcome, Verdict, keep, wait};
use crate::{fetch, sync};

/// A thread that waits wakes at least every minute: one that did not for so long hangs.
const HANGS: Duration = Duration::from_secs(300);
/// How long the main thread sleeps without a watchdog.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// `mailferry watch`.
pub fn run(context: &Context, args: &SelectArgs) -> Exit {
    let overrides = overrides::ad_hoc(&args.ad_hoc, &env);
    let accounts = match context.accounts(&args.accounts, Job::Any, &overrides, Roots::Sync) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let failed = |error: std::io::Error| {
        context.ui.error(Kind::TryLater, None, &format!("the system gives no pipe, socket or thread: {error}"), None);
        Exit::Failed(Kind::TryLater)
    };
    let environment = Environment {
        socket: env("NOTIFY_SOCKET"),
        watchdog_usec: env("WATCHDOG_USEC"),
        watchdog_pid: env("WATCHDOG_PID"),
        pid: std::process::id(),
    };
    match Manager::new(&environment).and_then(|manager| watch(context, accounts, &manager)) {
        Ok(exit) => exit,
        Err(error) => failed(error),
    }
}

fn watch(context: &Context, accounts: Vec<Account>, manager: &Manager) -> std::io::Result<Exit> {
    let asking = Mutex::new(());
    let watched = watched(context, accounts, (manager, &asking));
    let (bell, running) = (Bell::new()?, AtomicUsize::new(watched.len()));
    let exits = Mutex::new(Vec::new());
    let names: Vec<&str> = watched.iter().map(|one| one.task.account.name.as_str()).collect();
    std::thread::scope(|scope| {
        for one in &watched {
            let keep_one = || {
                let exit = one.keep();
                lock(&exits).push(exit);
                running.fetch_sub(1, Ordering::SeqCst);
                bell.ring();
            };
            if let Err(error) = std::thread::Builder::new().spawn_scoped(scope, keep_one) {
                context.stop.request();
                return Err(error);
            }
        }
        manager.tell(&format!("READY=1\n{}", status(&format!("watching {}", names.join(", ")))));
        context.ui.detail(&format!("watching {}; Ctrl-C ends it", names.join(", ")));
        while running.load(Ordering::SeqCst) > 0 && !context.stop.requested() {
            if watched.iter().all(Watched::lives) {
                manager.tell("WATCHDOG=1");
            }
            wait(&[context.stop.fd(), bell.fd()], manager.watchdog().unwrap_or(LONG));
            bell.hush();
        }
        manager.tell("STOPPING=1");
        Ok(())
    })?;
    // What was going on when the signal came was made safe: that is no failure of a program that ends by signals.
    Ok(if context.stop.requested() { Exit::Ok } else { run_exit(&lock(&exits)) })
}

fn watched<'a>(
    context: &'a Context,
    accounts: Vec<Account>,
    (manager, asking): (&'a Manager, &'a Mutex<()>),
) -> Vec<Watched<'a>> {
    let mut watched = Vec::new();
    for account in accounts {
        let work = match account.protocol {
            Protocol::Imap => Work::Sync(sync::Options::default()),
            Protocol::Pop3 => Work::Fetch(fetch::Options::default()),
        };
        watched.push(Watched {
            context,
            manager,
            asking,
            task: Task { account, work },
            sink: Steady::new(&*context.ui),
            purse: Purse::default(),
            life: Mutex::new(Life { beat: Some(Instant::now()), ..Life::default() }),
        });
    }
    watched
}

/// How an account's thread is.
#[derive(Debug, Default)]
struct Life {
    /// When it last waited; `None`: it works.
    beat: Option<Instant>,
    /// It is over.
    ended: bool,
    rounds: u64,
    /// A round came to its end without a failure, since the last refusal.
    worked: bool,
    exit: Exit,
    status: String,
}

/// An account that is watched.
struct Watched<'a> {
    context: &'a Context,
    manager: &'a Manager,
    asking: &'a Mutex<()>,
    task: Task,
    sink: Steady<'a>,
    purse: Purse,
    life: Mutex<Life>,
}

impl Watched<'_> {
    /// Keeps the account until the stop, or until it is given up; gives its exit.
    fn keep(&self) -> Exit {
        let protocol = match self.task.account.protocol {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
        };
        self.worker().tell(&self.task, Body::AccountStarted { protocol, job: "watch" });
        let end = catch_unwind(AssertUnwindSafe(|| keep(&self.task.account, self, &self.context.stop)));
        let exit = match end {
            Ok(Ok(End::Stopped)) => Exit::Ok,
            Ok(Ok(End::GivenUp)) => lock(&self.life).exit,
            Ok(Err(error)) => {
                let message = format!("the system gives no pipe or thread: {error}");
                self.context.ui.error(Kind::TryLater, Some(&self.task.account.name), &message, None);
                Exit::Failed(Kind::TryLater)
            }
            // Told by the hook.
            Err(_) => Exit::Failed(Kind::Protocol),
        };
        lock(&self.life).ended = true;
        if exit != Exit::Ok {
            self.status("given up");
        }
        exit
    }

    fn worker(&self) -> Worker<'_> {
        Worker { context: self.context, asking: self.asking, sink: &self.sink, purse: Some(&self.purse) }
    }

    /// Whether the thread works, or has waited lately, or is over.
    fn lives(&self) -> bool {
        let life = lock(&self.life);
        life.ended || life.beat.is_none_or(|beat| beat.elapsed() < HANGS)
    }

    /// One run over the account, while the Maildir is held; gives its root.
    fn attempt(&self, task: &Task) -> (Done, Option<PathBuf>) {
        let worker = self.worker();
        // Another account, or a run beside us, may hold the Maildir for a while.
        let how = How { dry_run: false, wait: true };
        let mut held = match Held::take(&task.account.store, how, &self.context.stop) {
            Ok(held) => warned(&worker, task, held),
            Err(error) => return (worker.failed(task, &*error), None),
        };
        let root = held.root.clone();
        let done = worker.run(task, &mut held);
        (done, Some(root))
    }

    /// What a refused login or a wrong configuration means: where it worked before, the secret that was kept may be old, or
    /// its source away for a moment. That is tried once more.
    fn reconsidered(&self, verdict: Verdict) -> Verdict {
        let mut life = lock(&self.life);
        match verdict {
            Verdict::Clean => life.worked = true,
            Verdict::Partial | Verdict::Failed => {}
            Verdict::GiveUp => {
                let asks = matches!(self.task.account.login.secret, SecretSource::Ask);
                self.purse.clear();
                if std::mem::take(&mut life.worked) && !asks {
                    return Verdict::Failed;
                }
            }
        }
        verdict
    }

    /// Tells what a round did, unless it was as quiet as the one before.
    fn report(&self, task: &Task, done: Done) {
        let worker = self.worker();
        let done = done.decided();
        let (first, same) = {
            let mut life = lock(&self.life);
            life.rounds += 1;
            let same = life.exit == done.exit;
            life.exit = done.exit;
            (life.rounds == 1, same)
        };
        if self.context.stop.requested()
            && done.exit == Exit::Failed(Kind::Interrupted)
            && !did_something(&done.summary)
        {
            return;
        }
        if first || !same || did_something(&done.summary) {
            let done = worker.end(task, done);
            worker.hooks(task, &done);
            self.status(if done.exit == Exit::Ok { "in step" } else { "not in step" });
        }
    }
}

impl Hands for Watched<'_> {
    fn round(&self, connections: usize) -> Outcome {
        lock(&self.life).beat = None;
        let account = Account { connections, ..self.task.account.clone() };
        let task = Task { account, work: self.task.work.clone() };
        self.sink.begin();
        let (done, root) = self.attempt(&task);
        self.sink.end();
        let verdict = self.reconsidered(verdict(&done.kinds));
        let inside = |path: &PathBuf| root.as_ref().and_then(|root| path.strip_prefix(root).ok()).map(PathBuf::from);
        let changed = done.changed.iter().filter_map(inside).collect();
        self.report(&task, done);
        self.beat();
        Outcome { verdict, changed }
    }

    fn has_pending(&self, folders: Option<&BTreeSet<PathBuf>>) -> bool {
        // What cannot be read the round will tell.
        local::has_pending(&self.task.account, folders).unwrap_or(true)
    }

    fn credentials(&self) -> Result<Credentials, auth::Error> {
        self.worker().credentials(&self.task.account)
    }

    fn trace(&self) -> Option<Trace> {
        self.context.trace(&self.task.account.name)
    }

    fn warn(&self, message: String, hint: &str) {
        self.worker().warn(&self.task, message, hint);
    }

    fn status(&self, text: &str) {
        let mut life = lock(&self.life);
        if life.status != text {
            text.clone_into(&mut life.status);
            let line = format!("{}: {text}", self.task.account.name);
            self.manager.tell(&status(&line));
            self.context.ui.detail(&line);
        }
    }

    fn beat(&self) {
        lock(&self.life).beat = Some(Instant::now());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
