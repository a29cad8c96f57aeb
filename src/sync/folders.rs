//! Which folders take part, and what becomes of those that one side lacks. PURE.

use std::collections::{BTreeMap, BTreeSet};

use crate::account::{Direction, Mode, OnRemoteDelete};
use crate::mail::pattern::Patterns;
use crate::mail::{FolderName, Side};
use crate::state::FolderRow;

use super::view::Role;

/// Special uses that rules depend on (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// `\All`.
    All,
    /// `\Flagged`.
    Flagged,
    /// `\Important`.
    Important,
    /// `\Junk`.
    Junk,
    /// `\Trash`.
    Trash,
    /// Any other.
    Other,
}

/// A folder that the server lists.
#[derive(Clone, Debug)]
pub struct RemoteFolder {
    /// Its name.
    pub name: FolderName,
    /// It can be selected: not `\Noselect`, not `\NonExistent`.
    pub selectable: bool,
    /// Its special use.
    pub special: Option<Special>,
    /// It is subscribed.
    pub subscribed: bool,
}

/// A folder of the Maildir.
#[derive(Clone, Debug)]
pub struct LocalFolder {
    /// Its name.
    pub name: FolderName,
    /// It has `cur`, `new` and `tmp`.
    pub complete: bool,
}

/// The rules over folders.
#[derive(Clone, Debug)]
pub struct FolderRules<'a> {
    /// `folders`.
    pub patterns: &'a Patterns,
    /// `--folder`, if given.
    pub only: Option<&'a Patterns>,
    /// `subscribed_only`.
    pub subscribed_only: bool,
    /// The `gmail` preset: virtual folders are left out unless named.
    pub gmail: bool,
    /// `create_folders`.
    pub create: bool,
    /// `delete_folders`.
    pub delete: bool,
    /// `direction`.
    pub direction: Direction,
    /// `mode`.
    pub mode: Mode,
    /// `on_remote_delete`.
    pub on_remote_delete: OnRemoteDelete,
    /// The key `trash`.
    pub trash: Option<&'a FolderName>,
    /// `--full`.
    pub full: bool,
}

/// What becomes of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// On both sides.
    Sync,
    /// Here again, with all its messages: `--full` or `mirror`.
    Recreate,
    /// New on the server.
    CreateLocal,
    /// New here.
    CreateRemote,
    /// Both sides had it and this one lacks it: left alone.
    Lost(Side),
    /// Both sides had it, this one lacks it, and `delete_folders` carries that across.
    Remove(Side),
    /// Both sides had it and both lack it: it only says where messages came from.
    Gone,
}

/// A folder and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The folder.
    pub name: FolderName,
    /// What becomes of it.
    pub action: Action,
    /// Its role.
    pub role: Role,
    /// It was left out until now: absence is not believed in this run.
    pub woken: bool,
}

/// What becomes of all folders.
#[derive(Clone, Debug, Default)]
pub struct FolderPlan {
    /// The steps, by name.
    pub steps: Vec<Step>,
    /// Known folders that the selection leaves out now.
    pub asleep: Vec<FolderName>,
    /// The account's Trash.
    pub trash: Option<FolderName>,
}

/// The account's Trash: the key, else the first `\Trash` that is not INBOX, else a folder of a usual name.
#[must_use]
pub fn find_trash(remote: &[RemoteFolder], key: Option<&FolderName>) -> Option<FolderName> {
    if let Some(name) = key {
        return remote.iter().find(|f| f.name == *name && f.selectable).map(|f| f.name.clone());
    }
    let usable = || remote.iter().filter(|f| f.selectable && !f.name.is_inbox());
    usable()
        .find(|f| f.special == Some(Special::Trash))
        .or_else(|| {
            ["Trash", "Deleted Items", "Deleted Messages"].iter().find_map(|usual| {
                usable().find(|f| {
                    let text = f.name.to_string();
                    text.strip_prefix("INBOX/").unwrap_or(&text).eq_ignore_ascii_case(usual)
                })
            })
        })
        .map(|f| f.name.clone())
}

fn is_junk(folder: Option<&RemoteFolder>, name: &FolderName) -> bool {
    let text = name.to_string();
    let usual = ["Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail"];
    folder.is_some_and(|f| f.special == Some(Special::Junk))
        || usual.iter().any(|u| text.strip_prefix("INBOX/").unwrap_or(&text).eq_ignore_ascii_case(u))
}

/// Decides over all folders that either side has or had.
#[must_use]
pub fn plan(remote: &[RemoteFolder], local: &[LocalFolder], base: &[FolderRow], rules: &FolderRules<'_>) -> FolderPlan {
    let there: BTreeMap<&FolderName, &RemoteFolder> = remote.iter().map(|f| (&f.name, f)).collect();
    let here: BTreeMap<&FolderName, &LocalFolder> = local.iter().map(|f| (&f.name, f)).collect();
    let known: BTreeMap<&FolderName, &FolderRow> = base.iter().map(|f| (&f.name, f)).collect();
    let names: BTreeSet<&FolderName> = there.keys().chain(here.keys()).chain(known.keys()).copied().collect();
    let trash = find_trash(remote, rules.trash);
    let mut plan = FolderPlan { trash: trash.clone(), ..FolderPlan::default() };
    for name in names {
        let (theirs, ours, row) = (there.get(name).copied(), here.get(name).copied(), known.get(name).copied());
        if !rules.patterns.matches(name) || !wanted(name, theirs, row, rules) {
            if row.is_some() {
                plan.asleep.push(name.clone());
            }
            continue;
        }
        if rules.only.is_some_and(|only| !only.matches(name)) {
            continue;
        }
        let Some(action) = decide(theirs, ours, row, rules) else { continue };
        let role = if trash.as_ref() == Some(name) {
            Role::Trash
        } else if is_junk(theirs, name) {
            Role::Junk
        } else {
            Role::Plain
        };
        plan.steps.push(Step { name: name.clone(), action, role, woken: row.is_some_and(|r| r.asleep) });
    }
    plan
}

fn wanted(name: &FolderName, theirs: Option<&RemoteFolder>, row: Option<&FolderRow>, rules: &FolderRules<'_>) -> bool {
    let Some(folder) = theirs else { return true };
    let virtual_folder = matches!(folder.special, Some(Special::All | Special::Flagged | Special::Important));
    if rules.gmail && virtual_folder && !rules.patterns.names(name) {
        return false;
    }
    !rules.subscribed_only || folder.subscribed || name.is_inbox() || row.is_some_and(|r| !r.had_remote)
}

fn decide(
    theirs: Option<&RemoteFolder>,
    ours: Option<&LocalFolder>,
    row: Option<&FolderRow>,
    rules: &FolderRules<'_>,
) -> Option<Action> {
    let there = theirs.is_some_and(|f| f.selectable);
    let here = ours.is_some_and(|f| f.complete);
    let broken = ours.is_some_and(|f| !f.complete);
    let had_both = row.is_some_and(|r| r.had_local && r.had_remote);
    let name = theirs.map(|f| &f.name).or(ours.map(|f| &f.name)).or(row.map(|r| &r.name))?;
    let inbox = name.is_inbox();
    match (there, here, had_both) {
        (true, true, _) => Some(Action::Sync),
        (true, false, true) if rules.full || rules.mode == Mode::Mirror => Some(Action::Recreate),
        (true, false, true) if rules.delete && !broken && !inbox && rules.direction != Direction::Pull => {
            Some(Action::Remove(Side::Local))
        }
        (true, false, true) => Some(Action::Lost(Side::Local)),
        (true, false, false) if inbox || (rules.create && rules.direction != Direction::Push) => {
            Some(Action::CreateLocal)
        }
        (false, true, true) => {
            let keeps = rules.mode == Mode::Archive || rules.on_remote_delete == OnRemoteDelete::Keep;
            let remove = rules.delete && !inbox && !keeps && rules.direction != Direction::Push;
            Some(if remove { Action::Remove(Side::Remote) } else { Action::Lost(Side::Remote) })
        }
        (false, true, false) if rules.create && rules.direction != Direction::Pull && !inbox => {
            Some(Action::CreateRemote)
        }
        (false, false, true) if !broken => Some(Action::Gone),
        (true, false, false) | (false, true, false) | (false, false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Cursor, FolderId};

    fn name(text: &str) -> FolderName {
        FolderName::parse(text).unwrap()
    }

    fn remote(text: &str, special: Option<Special>) -> RemoteFolder {
        RemoteFolder { name: name(text), selectable: true, special, subscribed: true }
    }

    fn local(text: &str) -> LocalFolder {
        LocalFolder { name: name(text), complete: true }
    }

    fn known(text: &str) -> FolderRow {
        FolderRow {
            id: FolderId(1),
            name: name(text),
            cursor: Cursor::default(),
            had_local: true,
            had_remote: true,
            asleep: false,
        }
    }

    fn rules(patterns: &Patterns) -> FolderRules<'_> {
        FolderRules {
            patterns,
            only: None,
            subscribed_only: false,
            gmail: false,
            create: true,
            delete: false,
            direction: Direction::Both,
            mode: Mode::Sync,
            on_remote_delete: OnRemoteDelete::Delete,
            trash: None,
            full: false,
        }
    }

    fn action(theirs: bool, ours: bool, base: bool, change: impl Fn(&mut FolderRules<'_>)) -> Option<Action> {
        let all = Patterns::all();
        let mut rules = rules(&all);
        change(&mut rules);
        let remote: Vec<_> = theirs.then(|| remote("Work", None)).into_iter().collect();
        let local: Vec<_> = ours.then(|| local("Work")).into_iter().collect();
        let base: Vec<_> = base.then(|| known("Work")).into_iter().collect();
        plan(&remote, &local, &base, &rules).steps.first().map(|s| s.action)
    }

    #[test]
    fn hazard_17_a_folder_that_one_side_lost_is_left_alone() {
        assert_eq!(action(true, false, true, |_| ()), Some(Action::Lost(Side::Local)));
        assert_eq!(action(false, true, true, |_| ()), Some(Action::Lost(Side::Remote)));
        assert_eq!(action(true, false, true, |r| r.full = true), Some(Action::Recreate));
        assert_eq!(action(true, false, true, |r| r.delete = true), Some(Action::Remove(Side::Local)));
        assert_eq!(action(false, true, true, |r| r.delete = true), Some(Action::Remove(Side::Remote)));
        assert_eq!(action(false, false, true, |_| ()), Some(Action::Gone));
    }

    #[test]
    fn new_folders_go_both_ways() {
        assert_eq!(action(true, false, false, |_| ()), Some(Action::CreateLocal));
        assert_eq!(action(false, true, false, |_| ()), Some(Action::CreateRemote));
        assert_eq!(action(false, true, false, |r| r.direction = Direction::Pull), None);
        assert_eq!(action(true, false, false, |r| r.create = false), None);
    }

    #[test]
    fn trash_is_found_by_use_then_by_name() {
        let listed =
            [remote("INBOX", Some(Special::Trash)), remote("Deleted Items", None), remote("Bin", Some(Special::Trash))];
        assert_eq!(find_trash(&listed, None), Some(name("Bin")));
        assert_eq!(find_trash(&listed[..2], None), Some(name("Deleted Items")));
        assert_eq!(find_trash(&listed[..1], None), None);
        assert_eq!(find_trash(&[remote("INBOX/Trash", None)], None), Some(name("INBOX/Trash")));
        assert_eq!(find_trash(&listed, Some(&name("Nowhere"))), None);
    }

    #[test]
    fn gmail_leaves_out_virtual_folders_unless_named() {
        let listed = [remote("[Gmail]/All Mail", Some(Special::All)), remote("INBOX", None)];
        let all = Patterns::all();
        let gmail = FolderRules { gmail: true, ..rules(&all) };
        assert_eq!(plan(&listed, &[], &[], &gmail).steps.len(), 1);
        let named = Patterns::new(&["*", "[Gmail]/All Mail"]);
        assert_eq!(plan(&listed, &[], &[], &FolderRules { patterns: &named, ..gmail }).steps.len(), 2);
    }
}
