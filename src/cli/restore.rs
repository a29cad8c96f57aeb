//! `restore`: the Maildir of one account goes up to its server, or to that of another account.

use super::args::RestoreArgs;
use super::context::{Context, Roots, env};
use super::exit::Exit;
use super::hold::How;
use super::overrides;
use super::roots::run_tasks;
use super::work::{Task, Work};
use crate::account::{Account, Protocol};
use crate::config::{Job, Overrides};
use crate::mail::pattern::Patterns;
use crate::severity::Kind;
use crate::sync;

/// `mailferry restore`.
pub fn restore(context: &Context, args: &RestoreArgs) -> Exit {
    let overrides = overrides::ad_hoc(&args.one.ad_hoc, &env);
    let source = match one(context, &args.one.account, &overrides, Roots::Sync) {
        Ok(account) => account,
        Err(exit) => return exit,
    };
    let target = match &args.to {
        None => None,
        Some(name) => match one(context, name, &for_target(name, &overrides, &source), Roots::Look) {
            Ok(account) => Some(account),
            Err(exit) => return exit,
        },
    };
    let receiver = target.as_ref().unwrap_or(&source);
    if receiver.protocol == Protocol::Pop3 {
        let message = format!("{} is a POP3 account: nothing can be uploaded to it", receiver.name);
        context.ui.error(Kind::Config, Some(&receiver.name), &message, Some("name an IMAP account: --to ACCOUNT2"));
        return Exit::Failed(Kind::Config);
    }
    if !source.store.root.is_dir() {
        let message = format!("there is no Maildir at {}: nothing to restore from", source.store.root.display());
        let hint = "mount what it is on, or set `maildir` to where it is now";
        context.ui.error(Kind::Config, Some(&source.name), &message, Some(hint));
        return Exit::Failed(Kind::Config);
    }
    let elsewhere = target.as_ref().is_some_and(|target| !is_same(&source, target));
    let account = match target {
        Some(target) if elsewhere => going_to(source, target),
        Some(_) | None => source,
    };
    let only = (!args.folders.is_empty()).then(|| Patterns::new(&args.folders));
    let options =
        sync::Options { dry_run: args.dry_run, full: true, only, must_upload: true, ..sync::Options::default() };
    let task = Task { account, work: Work::Restore { options, elsewhere } };
    run_tasks(context, vec![task], How { dry_run: args.dry_run, wait: false })
}

fn one(context: &Context, name: &str, overrides: &Overrides, roots: Roots) -> Result<Account, Exit> {
    let accounts = context.accounts(&[name.to_owned()], Job::Any, overrides, roots)?;
    accounts.into_iter().next().ok_or(Exit::Failed(Kind::Config))
}

/// The Maildir is that of the source, the target's own is not touched; what else was given is meant for a URL.
fn for_target(name: &str, given: &Overrides, source: &Account) -> Overrides {
    let into = Some(source.store.root.clone());
    if name.contains("://") { Overrides { into, ..given.clone() } } else { Overrides { into, ..Overrides::default() } }
}

/// Whether two accounts are one on the server.
fn is_same(a: &Account, b: &Account) -> bool {
    (a.protocol, &a.endpoint.host, a.endpoint.port, &a.login.user)
        == (b.protocol, &b.endpoint.host, b.endpoint.port, &b.login.user)
}

/// The folders and files of `source` for the server of `target`.
fn going_to(source: Account, target: Account) -> Account {
    Account { store: source.store, folders: source.folders, subscribed_only: false, ..target }
}
