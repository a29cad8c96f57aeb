//! Folders as a whole: listing them on both sides, creating what is new, removing what is gone.

use std::collections::BTreeMap;

use crate::imap::{self, Access, FetchSet, Items, ListAsk, ListedFolder, Listing, MailboxName, SpecialUse};
use crate::mail::pattern::Patterns;
use crate::mail::snapshot::Figures;
use crate::mail::{FolderName, Side, UidSet};
use crate::maildir::{self, Discovery, deliver};
use crate::severity::{Scope, Severity as _};
use crate::state::account::Key;
use crate::state::{FolderId, FolderRow};
use crate::ui::event::Body;

use super::describe::folder_step;
use super::engine::{Conn, Engine, Error, Folder, Folders};
use super::folders::{self, Action, FolderPlan, FolderRules, LocalFolder, RemoteFolder, Special, Step};
use super::plan::Trash;

/// So many messages tell whether another port is the same server.
const SAMPLE: u32 = 8;

/// Both sides' folders as they are listed now.
pub(super) struct Listed {
    /// The server's.
    pub(super) listing: Listing,
    /// The Maildir's.
    pub(super) found: Discovery,
    /// Those of the state.
    pub(super) known: Vec<FolderRow>,
}

/// Lists both sides.
///
/// # Errors
/// What takes the account down.
pub(super) fn list(engine: &Engine<'_>, conn: &mut Conn) -> Result<Listed, Error> {
    let subscribed = engine.job.account.subscribed_only;
    let listing = conn.session.list(&ListAsk { status: true, subscribed, shared: true })?;
    let found = engine.layout.discover()?;
    let known = engine.state().folders(engine.account.id)?;
    Ok(Listed { listing, found, known })
}

/// Lists both sides, decides over folders, and creates those that are new.
///
/// # Errors
/// What takes the account down; a folder that fails is told of and left out.
pub fn prepare(engine: &mut Engine<'_>, full: bool) -> Result<(Folders, Trash), Error> {
    let mut conn = engine.connection()?;
    let mut listed = list(engine, &mut conn)?;
    if engine.account.other_port && !same_server(engine, &mut conn, &listed.listing, &listed.known)? {
        engine.account.rekeyed = true;
    }
    if engine.account.rekeyed {
        listed.known.iter_mut().for_each(|row| row.cursor.figures = Figures::default());
    }
    let plan = listed.decide(&rules(engine, full && engine.job.options.full));
    let trash = trash_of(engine, &listed.listing, &plan)?;
    note_foreign(engine, &listed.found)?;
    note_unmatched(engine, &listed)?;
    if !engine.job.options.dry_run {
        sleep(engine, &listed.known, &plan)?;
    }
    let out = open(engine, &mut conn, &listed, &plan.steps)?;
    engine.give_back(conn);
    Ok((out, trash))
}

const HINT: &str = "`mailferry folders` lists the names; write them as they stand there";

/// Patterns that select nothing on either side: most are typing errors, and nothing else would tell.
///
/// # Errors
/// Those of the state.
pub(super) fn note_unmatched(engine: &Engine<'_>, listed: &Listed) -> Result<(), Error> {
    let mut known: Vec<FolderName> = listed.listing.folders.iter().map(|folder| folder.name.clone()).collect();
    known.extend(listed.found.folders.iter().map(|folder| folder.name.clone()));
    let quoted = |patterns: &Patterns| -> Vec<String> {
        patterns.unmatched(&known).into_iter().map(|pattern| format!("{pattern:?}")).collect()
    };
    let asked = engine.job.options.only.as_ref().map(quoted).unwrap_or_default();
    if !asked.is_empty() {
        engine.warn(None, format!("--folder {} matches no folder", asked.join(", ")), Some(HINT));
    }
    let unmatched = quoted(&engine.job.account.folders);
    if unmatched.is_empty() {
        return engine.cleared(None, "patterns");
    }
    let detail = format!("{} in `folders` matches no folder", unmatched.join(", "));
    engine.standing(None, "patterns", &detail, Some(HINT))
}

/// Brings folders to where their steps want them; one that fails is told of and left out.
///
/// # Errors
/// What takes the account down.
pub(super) fn open(engine: &Engine<'_>, conn: &mut Conn, listed: &Listed, steps: &[Step]) -> Result<Folders, Error> {
    let mut out = Folders::new();
    let by_name: BTreeMap<&FolderName, &FolderRow> = listed.known.iter().map(|row| (&row.name, row)).collect();
    for (at, step) in steps.iter().enumerate() {
        let row = by_name.get(&step.name).copied();
        match folder(engine, conn, &listed.listing, step, row, at) {
            Ok(Some(folder)) => {
                out.insert(folder.id, folder);
            }
            Ok(None) => {}
            Err(error) if error.scope() >= Scope::Account => return Err(error),
            Err(error) => engine.fail(Some(&step.name), &error),
        }
    }
    Ok(out)
}

/// Behind another port of the same host may be the same server or, with tunnels, quite another one: some known messages of the
/// fullest folder tell (HAZARDS 1). What was found is recorded.
fn same_server(engine: &Engine<'_>, conn: &mut Conn, listing: &Listing, known: &[FolderRow]) -> Result<bool, Error> {
    let fullest = known
        .iter()
        .filter(|row| row.cursor.figures.uid_validity.is_some())
        .max_by_key(|row| row.cursor.figures.messages);
    let same = match fullest.and_then(|row| Some((row, listing.folders.iter().find(|f| f.name == row.name)?))) {
        None => fullest.is_none(),
        Some((row, listed)) => {
            let sample = engine.state().sample(row.id, SAMPLE)?;
            let set: UidSet = sample.iter().filter_map(|r| r.uid).collect();
            let select = conn.session.send_select(&listed.mailbox, Access::ReadOnly, None)?;
            let fetch = conn.session.send_fetch(&FetchSet::Uids(set), Items::MESSAGE_ID | Items::DATE, None)?;
            let selected = conn.session.finish_select(select);
            let (mut alike, mut other) = (0, 0);
            let fetched = conn.session.finish_fetch(fetch, &mut |m| {
                let row = sample.iter().find(|r| r.uid == Some(m.uid));
                match row.is_some_and(|r| m.message_id == Some(r.identity.message_id) && m.date == r.identity.date) {
                    true => alike += 1,
                    false => other += 1,
                }
            });
            let validity = selected?.figures.uid_validity;
            fetched?;
            validity == row.cursor.figures.uid_validity && other == 0 && (alike > 0 || sample.is_empty())
        }
    };
    if !engine.job.options.dry_run {
        let endpoint = &engine.job.account.endpoint;
        let (id, user) = (engine.account.id, &engine.job.account.login.user);
        let key = Key { kind: "imap", host: &endpoint.host, port: endpoint.port, user };
        if same {
            engine.state().set_port(id, endpoint.port)?;
        } else {
            engine.state().rekey(id, &key, &engine.job.account.name)?;
        }
    }
    Ok(same)
}

/// The profile's rules over folders.
pub(super) fn rules<'a>(engine: &Engine<'a>, full: bool) -> FolderRules<'a> {
    let account = engine.job.account;
    FolderRules {
        patterns: &account.folders,
        only: engine.job.options.only.as_ref(),
        subscribed_only: account.subscribed_only,
        gmail: account.quirks.gmail,
        create: account.sync.create_folders,
        delete: account.sync.delete_folders,
        direction: account.sync.direction,
        mode: account.sync.mode,
        on_remote_delete: account.sync.on_remote_delete,
        trash: account.sync.trash.as_ref(),
        full,
    }
}

impl Listed {
    /// What becomes of all folders under these rules.
    pub(super) fn decide(&self, rules: &FolderRules<'_>) -> FolderPlan {
        let remote: Vec<RemoteFolder> = self.listing.folders.iter().map(remote_folder).collect();
        let local: Vec<LocalFolder> =
            self.found.folders.iter().map(|f| LocalFolder { name: f.name.clone(), complete: f.complete }).collect();
        folders::plan(&remote, &local, &self.known, rules)
    }
}

/// A listed folder as the rules over folders see it.
#[must_use]
pub fn remote_folder(folder: &ListedFolder) -> RemoteFolder {
    let special = folder.special.map(|s| match s {
        SpecialUse::All => Special::All,
        SpecialUse::Flagged => Special::Flagged,
        SpecialUse::Important => Special::Important,
        SpecialUse::Junk => Special::Junk,
        SpecialUse::Trash => Special::Trash,
        SpecialUse::Archive | SpecialUse::Drafts | SpecialUse::Sent => Special::Other,
    });
    RemoteFolder { name: folder.name.clone(), selectable: folder.selectable, special, subscribed: folder.subscribed }
}

fn trash_of(engine: &mut Engine<'_>, listing: &Listing, plan: &FolderPlan) -> Result<Trash, Error> {
    let Some(name) = &plan.trash else {
        let had = engine.account.had_trash || engine.job.account.sync.trash.is_some();
        return Ok(if had { Trash::Lost } else { Trash::Never });
    };
    engine.trash = listing.folders.iter().find(|f| f.name == *name).map(|f| f.mailbox.clone());
    if !engine.account.had_trash && !engine.job.options.dry_run {
        let id = engine.account.id;
        engine.state().set_had_trash(id)?;
    }
    Ok(Trash::Found)
}

fn note_foreign(engine: &Engine<'_>, found: &Discovery) -> Result<(), Error> {
    if found.foreign.is_empty() {
        return engine.cleared(None, "foreign_folders");
    }
    let list: Vec<String> = found.foreign.iter().take(5).map(|p| p.display().to_string()).collect();
    let more = if found.foreign.len() > 5 { ", …" } else { "" };
    let detail = format!("not folders of this Maildir, left alone: {}{more}", list.join(", "));
    engine.standing(None, "foreign_folders", &detail, None)
}

/// Folders that the selection leaves out keep their rows and sleep; those that are back are awake from their first run on.
fn sleep(engine: &Engine<'_>, known: &[FolderRow], plan: &FolderPlan) -> Result<(), Error> {
    for row in known {
        let asleep = plan.asleep.contains(&row.name);
        let awake = plan.steps.iter().any(|s| s.name == row.name);
        if (asleep && !row.asleep) || (awake && row.asleep) {
            engine.state().set_asleep(row.id, asleep)?;
        }
    }
    Ok(())
}

fn folder(
    engine: &Engine<'_>,
    conn: &mut Conn,
    listing: &Listing,
    step: &Step,
    row: Option<&FolderRow>,
    at: usize,
) -> Result<Option<Folder>, Error> {
    let listed = listing.folders.iter().find(|f| f.name == step.name && f.selectable);
    let dir = engine.layout.dir(&step.name)?;
    let mut mailbox = listed.map(|f| f.mailbox.clone());
    let dry = engine.job.options.dry_run;
    match step.action {
        Action::CreateLocal if dry => {
            engine.event(Some(&step.name), Body::Planned(folder_step("create_folder", Side::Local)))
        }
        // Half a folder that no run has finished is what a crash left of making it: nothing of it can look deleted.
        Action::CreateLocal if row.is_none_or(|r| !r.had_local) => drop(engine.layout.repair(&step.name)?),
        Action::CreateLocal => drop(engine.layout.create(&step.name)?),
        Action::Recreate if dry => {}
        Action::Recreate => drop(engine.layout.repair(&step.name)?),
        Action::CreateRemote if dry => {
            engine.event(Some(&step.name), Body::Planned(folder_step("create_folder", Side::Remote)))
        }
        Action::CreateRemote => mailbox = Some(create(conn, listing, &step.name)?),
        // Told of at the end, unless it was only renamed.
        Action::Lost(_) => {}
        Action::Sync => {
            engine.cleared(Some(&step.name), "lost")?;
        }
        Action::Remove(_) | Action::Gone => {}
    }
    let id = match row {
        Some(row) => row.id,
        // Rows that do not exist are numbered from below in a dry run.
        None if dry => FolderId(-1 - i64::try_from(at).unwrap_or(0)),
        None => engine.state().folder(engine.account.id, &step.name)?,
    };
    if !dry
        && (engine.account.unfinished || row.is_none_or(|r| !r.had_local))
        && !matches!(step.action, Action::Lost(_) | Action::Gone)
    {
        clean(&dir);
    }
    Ok(Some(Folder {
        id,
        name: step.name.clone(),
        role: step.role,
        action: step.action,
        dir,
        mailbox,
        listed: listed.and_then(|f| f.figures.clone()),
        base: row.map(|r| r.cursor.clone()).unwrap_or_default(),
        woken: step.woken,
    }))
}

/// Half-written files of runs that died are of no use to anybody.
fn clean(dir: &maildir::FolderDir) {
    // What cannot be removed now is removed another time.
    let _ = deliver::clean_tmp(dir);
}

/// Tells of every folder that a side lacks, for a dry run.
///
/// # Errors
/// Those of the database.
pub fn tell_all_lost(engine: &Engine<'_>, folders: &Folders) -> Result<(), Error> {
    for folder in folders.values() {
        if let Action::Lost(side) = folder.action {
            tell_lost(engine, &folder.name, side)?;
        }
    }
    Ok(())
}

fn tell_lost(engine: &Engine<'_>, name: &FolderName, side: Side) -> Result<(), Error> {
    match side {
        Side::Local => {
            let text =
                format!("the folder {name} is missing in the Maildir: its messages on the server are left alone");
            engine.fail(Some(name), &LostFolder(text));
            Ok(())
        }
        Side::Remote => {
            let detail = format!("the folder {name} is gone from the server: its messages here are left alone");
            let hint =
                "remove the folder here too, or set `delete_folders = true`; `mailferry restore` uploads it again";
            engine.standing(Some(name), "lost", &detail, Some(hint))
        }
    }
}

/// A folder that is missing in the Maildir.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct LostFolder(String);

impl crate::severity::Severity for LostFolder {
    fn scope(&self) -> Scope {
        Scope::Folder
    }
    fn retry(&self) -> crate::severity::Retry {
        crate::severity::Retry::Never
    }
    fn kind(&self) -> crate::severity::Kind {
        crate::severity::Kind::Guard
    }
    fn hint(&self) -> Option<String> {
        Some("put it back, or run with --full to download it again; with `delete_folders = true` its absence is carried to the server".into())
    }
}

fn create(conn: &mut Conn, listing: &Listing, name: &FolderName) -> Result<MailboxName, Error> {
    let utf8 = conn.session.utf8_names();
    let mailbox = imap::name::encode(name, listing.delimiter, utf8)
        .ok_or_else(|| Error::Guard(format!("the server cannot have a folder named {name}")))?;
    conn.session.create(&mailbox)?;
    crate::checkpoint::hit("remote.created");
    // Other mail programs show only what is subscribed; without it the folder works all the same.
    if let Err(error) = conn.session.subscribe(&mailbox)
        && error.is_fatal()
    {
        return Err(error.into());
    }
    Ok(mailbox)
}

/// Removes folders that the other side lacks and in which nothing is left: those that `delete_folders` lets go, and those whose
/// messages have all moved (a rename).
///
/// # Errors
/// What takes the account down.
pub fn remove(engine: &Engine<'_>, folders: &Folders) -> Result<(), Error> {
    for folder in folders.values() {
        let side = match folder.action {
            Action::Remove(side) | Action::Lost(side) => side,
            Action::Gone => {
                let counts = engine.state().counts(folder.id)?;
                if counts.remote == 0 && counts.local == 0 {
                    engine.state().forget_folder(folder.id)?;
                }
                continue;
            }
            Action::Sync | Action::Recreate | Action::CreateLocal | Action::CreateRemote => continue,
        };
        let counts = engine.state().counts(folder.id)?;
        let renamed = matches!(folder.action, Action::Lost(_))
            && counts.remote == 0
            && counts.local == 0
            && engine.report().progress;
        let removed = matches!(folder.action, Action::Remove(_)) && counts.remote == 0 && counts.local == 0;
        if !(renamed || removed) || folder.name.is_inbox() {
            if matches!(folder.action, Action::Lost(_)) {
                tell_lost(engine, &folder.name, side)?;
            }
            continue;
        }
        let outcome = remove_one(engine, folder, side.other());
        match outcome {
            Ok(()) => engine.state().forget_folder(folder.id)?,
            Err(error) if error.scope() >= Scope::Account => return Err(error),
            Err(error) => engine.fail(Some(&folder.name), &error),
        }
    }
    Ok(())
}

fn remove_one(engine: &Engine<'_>, folder: &Folder, side: Side) -> Result<(), Error> {
    match side {
        Side::Local => Ok(engine.layout.remove(&folder.dir)?),
        Side::Remote => {
            let Some(mailbox) = &folder.mailbox else { return Ok(()) };
            let mut conn = engine.connection()?;
            conn.open = None;
            let outcome = empty_and_delete(&mut conn, mailbox);
            engine.give_back(conn);
            outcome
        }
    }
}

/// DELETE takes whatever is in the folder with it: only an empty one goes.
fn empty_and_delete(conn: &mut Conn, mailbox: &MailboxName) -> Result<(), Error> {
    let figures = conn.session.status(std::slice::from_ref(mailbox))?.pop();
    let empty = figures.is_some_and(|f| f.is_ok_and(|f| f.messages == Some(0)));
    if !empty {
        return Err(Error::Guard("the folder on the server has new messages: it stays".to_owned()));
    }
    // A folder that is open here would take the connection with it (Dovecot).
    conn.session.select(&MailboxName::new(b"INBOX"), Access::ReadOnly, None)?;
    conn.session.delete(mailbox)?;
    Ok(())
}
