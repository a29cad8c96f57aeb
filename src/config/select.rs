//! Which accounts a command works on (SPEC §8). PURE.

use super::complaint::Complaint;
use super::keys;
use crate::account::{Account, Protocol};

/// What a command does with accounts, as far as their choice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Every account, each its own job: `run`, `watch`, `check`, `status`, `verify`.
    Any,
    /// IMAP accounts only: `sync`.
    Sync,
    /// Without names the POP3 accounts, by name any: `fetch`.
    Fetch,
}

/// The accounts of those names, in the order of the names and each once; without names all that the job is for, in the
/// order of the file.
///
/// # Errors
/// Names that are not known, with the nearest; names of the other kind; nothing to work on. All of them 78.
pub fn select(accounts: &[Account], names: &[&str], job: Job) -> Result<Vec<Account>, Vec<Complaint>> {
    if names.is_empty() {
        let chosen: Vec<Account> = accounts.iter().filter(|a| by_itself(a.protocol, job)).cloned().collect();
        return if chosen.is_empty() { Err(vec![nothing(accounts, job)]) } else { Ok(chosen) };
    }
    let mut complaints = Vec::new();
    let mut chosen: Vec<Account> = Vec::new();
    for name in names {
        match accounts.iter().find(|a| a.name == *name) {
            None => complaints.push(unknown(name, accounts)),
            Some(account) if job == Job::Sync && account.protocol == Protocol::Pop3 => complaints.push(not_imap(name)),
            Some(account) if chosen.iter().any(|c| c.name == account.name) => {}
            Some(account) => chosen.push(account.clone()),
        }
    }
    if complaints.is_empty() { Ok(chosen) } else { Err(complaints) }
}

/// The complaint about `sync` of a POP3 account.
#[must_use]
pub fn not_imap(name: &str) -> Complaint {
    Complaint::config(format!("account `{name}` is a POP3 account, which cannot be synced"))
        .account(name)
        .hint("use `mailferry fetch` or `mailferry run`")
}

fn by_itself(protocol: Protocol, job: Job) -> bool {
    match (job, protocol) {
        (Job::Any, Protocol::Imap | Protocol::Pop3) => true,
        (Job::Sync, Protocol::Imap) | (Job::Fetch, Protocol::Pop3) => true,
        (Job::Sync, Protocol::Pop3) | (Job::Fetch, Protocol::Imap) => false,
    }
}

fn unknown(name: &str, accounts: &[Account]) -> Complaint {
    let names: Vec<&str> = accounts.iter().map(|a| a.name.as_str()).collect();
    let complaint = Complaint::config(match keys::nearest(name, &names) {
        Some(near) => format!("no account `{name}`; did you mean `{near}`?"),
        None if names.is_empty() => format!("no account `{name}`: the file has none"),
        None => format!("no account `{name}`; there are: {}", names.join(", ")),
    });
    complaint.account(name)
}

fn nothing(accounts: &[Account], job: Job) -> Complaint {
    match job {
        Job::Sync if !accounts.is_empty() => {
            Complaint::config("there is no IMAP account to sync").hint("`mailferry fetch` fetches the POP3 accounts")
        }
        Job::Fetch if !accounts.is_empty() => Complaint::config("there is no POP3 account to fetch")
            .hint("name an IMAP account to fetch it: mailferry fetch ACCOUNT"),
        Job::Any | Job::Sync | Job::Fetch => {
            Complaint::config("there is no account").hint("`mailferry setup` makes one")
        }
    }
}
