//! One look at an account's server, for `check`, `folders` and `setup`: connects once, changes nothing.

use std::sync::Arc;

use super::advice;
use super::context::Context;
use crate::account::{Account, Protocol};
use crate::auth::{Credentials, source};
use crate::imap::{self, ListAsk, ListedFolder, Listing, SpecialUse};
use crate::mail::FolderName;
use crate::maildir::Layout;
use crate::pop3;
use crate::setup::ProbeError;
use crate::setup::make::SetupProbe;
use crate::severity::{Kind, Severity};
use crate::state::account::Key;
use crate::state::{Access, FolderRow, State};
use crate::sync::folders::{self, FolderPlan, FolderRules, LocalFolder};
use crate::transport::Traffic;

/// Logs in to an IMAP server, once.
///
/// # Errors
/// Whatever keeps it from that.
pub fn open_imap(
    context: &Context,
    account: &Account,
    credentials: &Credentials,
) -> Result<imap::Session, imap::Error> {
    imap::Session::open(&imap::Login {
        account,
        credentials,
        stop: &context.stop,
        traffic: Arc::new(Traffic::default()),
        trace: context.trace(&account.name),
        once: true,
    })
}

/// Logs in to a POP3 server, once.
///
/// # Errors
/// Whatever keeps it from that.
pub fn open_pop3(
    context: &Context,
    account: &Account,
    credentials: &Credentials,
) -> Result<pop3::Transaction, pop3::Error> {
    pop3::open(&pop3::Login {
        account,
        credentials,
        stop: &context.stop,
        traffic: Arc::new(Traffic::default()),
        trace: context.trace(&account.name),
        remembered: None,
        once: true,
    })
}

/// Every folder with its figures.
///
/// # Errors
/// When the server refuses or the connection fails.
pub fn list(session: &mut imap::Session) -> Result<Listing, imap::Error> {
    session.list(&ListAsk { status: true, subscribed: true, shared: true })
}

/// As [`list`], with sizes and unseen messages where the server tells them.
///
/// # Errors
/// When the server refuses or the connection fails.
pub fn list_in_detail(session: &mut imap::Session) -> Result<Listing, imap::Error> {
    let mut listing = session.list(&ListAsk { status: false, subscribed: true, shared: true })?;
    let mailboxes: Vec<_> = selectable(&listing).map(|folder| folder.mailbox.clone()).collect();
    let mut figures = session.status_details(&mailboxes)?.into_iter();
    for folder in listing.folders.iter_mut().filter(|folder| folder.selectable) {
        folder.figures = figures.next().and_then(Result::ok);
    }
    Ok(listing)
}

/// What a sync would do with folders, by this listing.
///
/// # Errors
/// When the Maildir or its state cannot be read.
pub fn folder_plan(account: &Account, listing: &Listing) -> Result<FolderPlan, Box<dyn Severity + Send>> {
    let layout = Layout::new(&account.store);
    let found = layout.discover().map_err(boxed)?;
    let local: Vec<LocalFolder> =
        found.folders.iter().map(|f| LocalFolder { name: f.name.clone(), complete: f.complete }).collect();
    let remote: Vec<_> = listing.folders.iter().map(crate::sync::remote_folder).collect();
    let known = known_folders(account, &layout).map_err(boxed)?;
    Ok(folders::plan(&remote, &local, &known, &rules(account)))
}

fn boxed<E: Severity + Send + 'static>(error: E) -> Box<dyn Severity + Send> {
    Box::new(error)
}

fn known_folders(account: &Account, layout: &Layout) -> Result<Vec<FolderRow>, crate::state::Error> {
    let mut state = State::open(&layout.state_dir(), Access::Read)?;
    match state.find_account(&key(account))? {
        Some(row) => state.folders(row.id),
        None => Ok(Vec::new()),
    }
}

/// How the state knows the account: what its own job (`run`) keeps.
#[must_use]
pub fn key(account: &Account) -> Key<'_> {
    let (kind, user) = match account.protocol {
        Protocol::Imap => ("imap", account.login.user.as_str()),
        Protocol::Pop3 => fetch_user(account),
    };
    Key { kind, host: &account.endpoint.host, port: account.endpoint.port, user }
}

/// As a fetch knows a POP3 user: Gmail's UIDLs are the same with and without this prefix.
fn fetch_user(account: &Account) -> (&'static str, &str) {
    let user = account.login.user.as_str();
    ("fetch", user.strip_prefix("recent:").unwrap_or(user))
}

fn rules(account: &Account) -> FolderRules<'_> {
    FolderRules {
        patterns: &account.folders,
        only: None,
        subscribed_only: account.subscribed_only,
        gmail: account.quirks.gmail,
        create: account.sync.create_folders,
        delete: account.sync.delete_folders,
        direction: account.sync.direction,
        mode: account.sync.mode,
        on_remote_delete: account.sync.on_remote_delete,
        trash: account.sync.trash.as_ref(),
        full: false,
    }
}

/// The word for a special use (RFC 6154).
#[must_use]
pub fn special_word(special: SpecialUse) -> &'static str {
    match special {
        SpecialUse::All => "all",
        SpecialUse::Archive => "archive",
        SpecialUse::Drafts => "drafts",
        SpecialUse::Flagged => "flagged",
        SpecialUse::Important => "important",
        SpecialUse::Junk => "junk",
        SpecialUse::Sent => "sent",
        SpecialUse::Trash => "trash",
    }
}

/// The folders that hold messages.
pub fn selectable(listing: &Listing) -> impl Iterator<Item = &ListedFolder> {
    listing.folders.iter().filter(|folder| folder.selectable)
}

/// Names of the server's folders.
#[must_use]
pub fn names(listing: &Listing) -> Vec<FolderName> {
    selectable(listing).map(|folder| folder.name.clone()).collect()
}

/// The test of a login for `setup`.
///
/// # Errors
/// What keeps the account from working, with what to do.
pub fn probe(context: &Context, account: &Account) -> Result<SetupProbe, ProbeError> {
    let wrap = |error: &dyn Severity| probe_error(error, Some(account));
    let credentials = source::resolve(account, &context.stop, true).map_err(|error| probe_error(&error, None))?;
    match account.protocol {
        Protocol::Imap => {
            let mut session = open_imap(context, account, &credentials).map_err(|error| wrap(&error))?;
            let mut listing = list_in_detail(&mut session).map_err(|error| wrap(&error))?;
            session.logout();
            sort(&mut listing);
            let sizes: Option<Vec<u64>> = selectable(&listing).map(|f| f.figures.as_ref()?.size).collect();
            Ok(SetupProbe {
                folders: selectable(&listing)
                    .map(|f| {
                        let messages = f.figures.as_ref().and_then(|figures| figures.messages);
                        (f.name.to_string(), messages.map(u64::from))
                    })
                    .collect(),
                bytes: sizes.map(|sizes| sizes.iter().sum()),
            })
        }
        Protocol::Pop3 => {
            let mut session = open_pop3(context, account, &credentials).map_err(|error| wrap(&error))?;
            let (messages, bytes) = session.stat().map_err(|error| wrap(&error))?;
            session.leave();
            Ok(SetupProbe { folders: vec![(account.folder.to_string(), Some(messages))], bytes })
        }
    }
}

/// A failure as `setup` tells it. `account`: the server's own, once there is something to log in with.
#[must_use]
pub fn probe_error(error: &dyn Severity, account: Option<&Account>) -> ProbeError {
    let (kind, message) = (error.kind(), error.to_string());
    // A certificate is refused by us, and no other password helps.
    let refused = kind == Kind::Auth && account.is_some() && !message.contains("certificate");
    ProbeError { kind, message, hint: advice::of(error, account), refused }
}

/// INBOX first, the others by name.
pub fn sort(listing: &mut Listing) {
    listing.folders.sort_by_cached_key(|folder| (!folder.name.is_inbox(), folder.name.to_string()));
}
