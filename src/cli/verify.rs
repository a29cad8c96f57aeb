//! `verify`: a look at both sides of each account.

use super::args::VerifyArgs;
use super::context::{Context, Roots, env};
use super::exit::Exit;
use super::hold::How;
use super::overrides;
use super::roots::run_tasks;
use super::work::{Task, Work};
use crate::config::Job;

/// `mailferry verify`.
pub fn verify(context: &Context, args: &VerifyArgs) -> Exit {
    let overrides = overrides::ad_hoc(&args.select.ad_hoc, &env);
    let accounts = match context.accounts(&args.select.accounts, Job::Any, &overrides, Roots::Look) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let tasks = accounts.into_iter().map(|account| Task { account, work: Work::Verify(args.deep) }).collect();
    // As in a dry run nothing is written; a lock that exists is taken, so that no run changes things meanwhile.
    run_tasks(context, tasks, How { dry_run: true, wait: false })
}
