//! The parts of `check` that are about folders, the Maildir and what the state has noted.

use std::path::Path;

use rustix::fs::{Access, access};

use super::check::Check;
use super::remote;
use crate::account::{Account, Direction, LayoutKind, Mode, OnDelete, OnRemoteDelete};
use crate::imap::Listing;
use crate::maildir::{FileSystem, FolderDir, Layout};
use crate::severity::Kind;
use crate::state::{self, State};
use crate::sync::folders::{Action, FolderPlan};
use crate::ui::style::{count, size};

/// Tells which folders there are, which of them take part, and which patterns match none.
pub fn folders(check: &mut Check<'_>, listing: &Listing) {
    let plan = match remote::folder_plan(check.account, listing) {
        Ok(plan) => plan,
        Err(error) => return check.fail("folders", &*error),
    };
    let names = remote::names(listing);
    let taking_part = |name: &crate::mail::FolderName| plan.steps.iter().any(|step| step.name == *name);
    let synced = names.iter().filter(|name| taking_part(name)).count();
    let (there, synced) = (count(names.len() as u64, "folder"), synced.to_string());
    check.ok("folders", &format!("{there} on the server, {synced} of them synced"));
    let mut known = names;
    known.extend(plan.steps.iter().map(|step| step.name.clone()));
    for pattern in check.account.folders.unmatched(&known) {
        let text = format!("{pattern:?} in `folders` matches nothing");
        check.warn("patterns", &text, Some("`mailferry folders` lists the names; write them as they stand there"));
    }
    check.ok("plan", &rules(check.account, &plan));
    check.ok("synced", &contents(check.account, listing, &plan));
}

/// So many folders are named; `mailferry folders` lists all.
const NAMED: usize = 40;

/// The folders that take part, with their messages on the server.
fn contents(account: &Account, listing: &Listing, plan: &FolderPlan) -> String {
    let one = |step: &crate::sync::folders::Step| {
        let listed = listing.folders.iter().find(|folder| folder.name == step.name);
        let messages = listed.and_then(|folder| folder.figures.as_ref()).and_then(|figures| figures.messages);
        let what = match (step.action, messages) {
            (Action::CreateRemote, _) => "new here".to_owned(),
            (Action::Gone, _) => "gone from both sides".to_owned(),
            (Action::Lost(_), _) => "missing on one side, left alone".to_owned(),
            (Action::Remove(_), _) => "to be removed".to_owned(),
            (Action::Sync | Action::Recreate | Action::CreateLocal, Some(messages)) => messages.to_string(),
            (Action::Sync | Action::Recreate | Action::CreateLocal, None) => "?".to_owned(),
        };
        format!("{} ({what})", step.name)
    };
    let mut steps: Vec<_> = plan.steps.iter().collect();
    steps.sort_by_cached_key(|step| (!step.name.is_inbox(), step.name.to_string()));
    let mut folders: Vec<String> = steps.iter().take(NAMED).map(|step| one(step)).collect();
    if let Some(more @ 1..) = steps.len().checked_sub(NAMED) {
        folders.push(format!("and {more} more, see `mailferry folders {}`", account.name));
    }
    if folders.is_empty() { "no folder is synced".to_owned() } else { folders.join(", ") }
}

fn rules(account: &Account, plan: &FolderPlan) -> String {
    let sync = &account.sync;
    let way = match (sync.mode, sync.direction) {
        (Mode::Mirror, _) => "mirror: the Maildir becomes what the server is",
        (Mode::Archive, _) => "archive: everything is pulled, nothing is deleted here",
        (Mode::Sync, Direction::Both) => "sync both ways",
        (Mode::Sync, Direction::Pull) => "pull: the server is not changed",
        (Mode::Sync, Direction::Push) => "push: the Maildir is not changed",
    };
    let here = match (sync.on_delete, &plan.trash) {
        _ if sync.direction == Direction::Pull => String::new(),
        (OnDelete::Trash, Some(trash)) => format!("; deleted here: moved to {trash} there"),
        (OnDelete::Trash, None) => "; deleted here: expunged there, for it has no Trash".to_owned(),
        (OnDelete::Expunge, _) => "; deleted here: expunged there".to_owned(),
        (OnDelete::Flag, _) => "; deleted here: marked \\Deleted there".to_owned(),
        (OnDelete::Ignore, _) => "; deleted here: stays there".to_owned(),
    };
    let there = match (sync.on_remote_delete, sync.direction) {
        (_, Direction::Push) => "",
        (OnRemoteDelete::Delete, Direction::Both | Direction::Pull) => "; deleted there: deleted here",
        (OnRemoteDelete::Keep, Direction::Both | Direction::Pull) => "; deleted there: kept here",
    };
    format!("{way}{here}{there}")
}

/// Tests whether the Maildir can be used and written.
pub fn maildir(check: &mut Check<'_>) {
    let layout = Layout::new(&check.account.store);
    if let Err(error) = layout.check_root() {
        return check.fail("maildir", &error);
    }
    let root = layout.root().to_owned();
    let kind = match layout.kind() {
        LayoutKind::Nested => "nested",
        LayoutKind::MaildirPlusPlus => "maildir++",
    };
    if !root.exists() {
        let parent = root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        return match writable(parent) {
            Ok(()) => check.ok("maildir", &format!("{} will be made ({kind})", root.display())),
            Err(why) => unwritable(check, parent, &why),
        };
    }
    if let Err(why) = writable(&root) {
        return unwritable(check, &root, &why);
    }
    let found = match layout.discover() {
        Ok(found) => found,
        Err(error) => return check.fail("maildir", &error),
    };
    for folder in &found.folders {
        if let Err((path, why)) = folder_writable(&folder.dir) {
            return unwritable(check, &path, &why);
        }
    }
    let state = layout.state_dir();
    if state.exists()
        && let Err(error) = FileSystem::of(&state)
    {
        return check.fail("maildir", &error);
    }
    let free = rustix::fs::statvfs(&root).map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    let free = free.map(|bytes| format!(", {} free", size(bytes))).unwrap_or_default();
    let folders = count(found.folders.len() as u64, "folder");
    check.ok("maildir", &format!("{} can be written ({kind}, {folders}{free})", root.display()));
}

fn writable(path: &Path) -> Result<(), std::io::Error> {
    access(path, Access::WRITE_OK | Access::READ_OK | Access::EXEC_OK).map_err(Into::into)
}

fn folder_writable(folder: &FolderDir) -> Result<(), (std::path::PathBuf, std::io::Error)> {
    for sub in ["cur", "new", "tmp"] {
        let path = folder.path.join(sub);
        match writable(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err((path, error)),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn unwritable(check: &mut Check<'_>, path: &Path, why: &std::io::Error) {
    let text = format!("{} cannot be written: {why}", path.display());
    check.broken("maildir", Kind::Disk, &text, Some("change its owner or mode, or `maildir` in the profile"));
}

/// Tells the standing conditions that the state has noted.
pub fn notices(check: &mut Check<'_>) {
    match noted(check.account) {
        Ok(notices) => {
            for (folder, detail) in notices {
                let place = if folder.is_empty() { String::new() } else { format!("{folder}: ") };
                check.warn("noted", &format!("{place}{detail}"), None);
            }
        }
        Err(error) => check.fail("state", &error),
    }
}

/// The standing conditions of an account as (folder, detail).
///
/// # Errors
/// When the state cannot be read.
pub fn noted(account: &Account) -> Result<Vec<(String, String)>, state::Error> {
    let mut state = State::open(&Layout::new(&account.store).state_dir(), state::Access::Read)?;
    let Some(row) = state.find_account(&remote::key(account))? else { return Ok(Vec::new()) };
    let name = |key: &str| crate::mail::FolderName::from_key(key).map(|name| name.to_string()).unwrap_or_default();
    // These are looked at anew.
    let anew = |kind: &str| matches!(kind, "patterns" | "password_file");
    let noted = state.notices(row.id)?.into_iter().filter(|(_, kind, _)| !anew(kind));
    Ok(noted.map(|(folder, _, detail)| (name(&folder), detail)).collect())
}
