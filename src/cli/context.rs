//! What every command has: the output, the wish to stop, the options of all commands, and the way to its accounts.

use std::sync::Arc;

use super::advice;
use super::args::Global;
use super::exit::{Exit, account_exit};
use crate::account::{Account, Protocol, SecretSource};
use crate::auth::environment;
use crate::config::{self, Complaint, Job, Overrides};
use crate::severity::{Kind, Severity};
use crate::stop::Stop;
use crate::transport::Trace;
use crate::ui::Ui;

/// What every command has.
pub struct Context {
    /// The output.
    pub ui: Arc<Ui>,
    /// Set by SIGINT and SIGTERM.
    pub stop: Stop,
    /// The options of every command.
    pub global: Global,
}

/// The environment.
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How a command treats the Maildirs of its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// It writes: what cannot share a Maildir is refused.
    Sync,
    /// It only adds what a server sends: accounts of either protocol may share a Maildir.
    Fetch,
    /// It only looks.
    Look,
}

impl Context {
    /// The accounts that `names` mean, with the options applied. What is wrong has been told; then the exit is given.
    ///
    /// # Errors
    /// The exit: 2 for URLs, 78 for the rest.
    pub fn accounts(
        &self,
        names: &[String],
        job: Job,
        overrides: &Overrides,
        roots: Roots,
    ) -> Result<Vec<Account>, Exit> {
        let given = self.global.config.as_deref();
        // Every account's variable is hidden from every child, also from those of other accounts. A profile that is wrong
        // is told about below, where it is needed.
        let profile = config::load(given, &env).map(|config| config.accounts).unwrap_or_default();
        for account in &profile {
            if let SecretSource::Env(name) = &account.login.secret {
                environment::protect(name);
            }
        }
        let chosen =
            config::accounts(given, names, job, overrides, &env).map_err(|complaints| self.complain(&complaints))?;
        let complaints = conflicts(&chosen, &profile, roots);
        if complaints.is_empty() { Ok(chosen) } else { Err(self.complain(&complaints)) }
    }

    /// Tells complaints; gives the exit that they are.
    pub fn complain(&self, complaints: &[Complaint]) -> Exit {
        for complaint in complaints {
            // For people the line in the file says it already.
            let account = complaint.account.as_deref().filter(|_| self.global.json || complaint.file.is_none());
            self.ui.error(complaint.kind, account, &complaint.to_string(), complaint.hint.as_deref());
        }
        let kinds: Vec<Kind> = complaints.iter().map(|complaint| complaint.kind).collect();
        account_exit(&kinds)
    }

    /// Tells a failure; gives its exit.
    pub fn fail(&self, account: Option<&str>, error: &dyn Severity) -> Exit {
        self.ui.error(error.kind(), account, &error.to_string(), advice::of(error, None).as_deref());
        Exit::Failed(error.kind())
    }

    /// The trace of an account's connections, with `-vv`.
    pub fn trace(&self, account: &str) -> Option<Trace> {
        let (ui, account) = (Arc::clone(&self.ui), account.to_owned());
        self.ui.traces().then(|| Trace::new(move |line| ui.trace(&format!("{account} {line}"))))
    }
}

/// What is wrong between the Maildirs of the chosen accounts and those of the profile.
fn conflicts(chosen: &[Account], profile: &[Account], roots: Roots) -> Vec<Complaint> {
    let mut accounts: Vec<Account> = chosen.to_vec();
    match roots {
        Roots::Look => return Vec::new(),
        Roots::Sync => {}
        // Fetches into one Maildir do not meet: only a root inside another matters, and another layout.
        Roots::Fetch => accounts.iter_mut().for_each(|account| account.protocol = Protocol::Pop3),
    }
    let mut complaints = config::conflicts(&accounts.iter().collect::<Vec<_>>());
    for other in profile.iter().filter(|other| chosen.iter().all(|account| account.name != other.name)) {
        for account in &accounts {
            complaints.extend(config::conflicts(&[other, account]));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn profile(text: &str) -> Vec<Account> {
        let world = config::check::World { env: &|_| Some("/home/me".to_owned()), base: Path::new("/"), private: true };
        config::parse(text, Path::new("c"), &world).unwrap().accounts
    }

    #[test]
    fn an_account_that_is_not_run_counts_too() {
        let all = profile(
            "[defaults]\nhost = \"h\"\nuser = \"u\"\nprotocol = \"imap\"\n[accounts.a]\nmaildir = \"/m\"\n\
             [accounts.b]\nmaildir = \"/m/b\"\n[accounts.c]\nmaildir = \"/m\"\n[accounts.d]\nmaildir = \"/d\"\n",
        );
        let wrong = |names: &[&str], roots| {
            let chosen: Vec<Account> = all.iter().filter(|a| names.contains(&a.name.as_str())).cloned().collect();
            conflicts(&chosen, &all, roots).len()
        };
        assert_eq!((wrong(&["d"], Roots::Sync), wrong(&["b"], Roots::Sync), wrong(&["a"], Roots::Sync)), (0, 2, 2));
        assert_eq!((wrong(&["a"], Roots::Fetch), wrong(&["a"], Roots::Look)), (1, 0));
    }
}
