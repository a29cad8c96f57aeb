//! `run`, `sync` and `fetch`: from their options to one task an account.

use super::args::{FetchArgs, RunArgs, SyncArgs, Work as WorkArgs};
use super::context::{Context, Roots, env};
use super::exit::Exit;
use super::hold::How;
use super::overrides;
use super::roots::run_tasks;
use super::work::{Task, Work};
use crate::account::{Account, Protocol};
use crate::config::{Job, Overrides};
use crate::mail::pattern::Patterns;
use crate::{fetch, sync};

/// `mailferry run`.
pub fn run(context: &Context, args: &RunArgs) -> Exit {
    let overrides = overrides::run(args, &env);
    let work = |account: &Account| match account.protocol {
        Protocol::Imap => Work::Sync(sync_options(&args.work)),
        Protocol::Pop3 => Work::Fetch(fetch_options(&args.work)),
    };
    perform(context, Request { names: &args.select.accounts, job: Job::Any, overrides, work: &args.work }, &work)
}

/// `mailferry sync`.
pub fn sync(context: &Context, args: &SyncArgs) -> Exit {
    let options = sync::Options {
        allow_mass_delete: args.allow_mass_delete,
        limit: args.limits.limit.map(std::num::NonZero::get),
        ..sync_options(&args.work)
    };
    let overrides = overrides::sync(args, &env);
    let request = Request { names: &args.select.accounts, job: Job::Sync, overrides, work: &args.work };
    perform(context, request, &|_| Work::Sync(options.clone()))
}

/// `mailferry fetch`.
pub fn fetch(context: &Context, args: &FetchArgs) -> Exit {
    let overrides = overrides::fetch(args, &env);
    let options = fetch::Options {
        all: args.all,
        limit: args.limits.limit.map(std::num::NonZero::get),
        max_size: args.limits.max_size,
        keep: overrides.keep,
        ..fetch_options(&args.work)
    };
    let request = Request { names: &args.select.accounts, job: Job::Fetch, overrides, work: &args.work };
    perform(context, request, &|_| Work::Fetch(options.clone()))
}

struct Request<'a> {
    names: &'a [String],
    job: Job,
    overrides: Overrides,
    work: &'a WorkArgs,
}

fn perform(context: &Context, request: Request<'_>, work: &dyn Fn(&Account) -> Work) -> Exit {
    let Request { names, job, mut overrides, work: args } = request;
    // The work narrows itself: to the account these folders must not look as if they had left the selection.
    overrides.folders.clear();
    let roots = if job == Job::Fetch { Roots::Fetch } else { Roots::Sync };
    let accounts = match context.accounts(names, job, &overrides, roots) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let tasks = accounts.into_iter().map(|account| Task { work: work(&account), account }).collect();
    run_tasks(context, tasks, How { dry_run: args.dry_run, wait: args.wait })
}

fn only(args: &WorkArgs) -> Option<Patterns> {
    (!args.folders.is_empty()).then(|| Patterns::new(&args.folders))
}

fn sync_options(args: &WorkArgs) -> sync::Options {
    sync::Options { dry_run: args.dry_run, full: args.full, only: only(args), ..sync::Options::default() }
}

fn fetch_options(args: &WorkArgs) -> fetch::Options {
    fetch::Options { dry_run: args.dry_run, full: args.full, only: only(args), ..fetch::Options::default() }
}
