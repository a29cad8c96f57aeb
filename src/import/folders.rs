//! Folder directories of the other tools: which server folder each is, and how it comes to mailferry's name.

use std::collections::BTreeSet;

use super::model::Warning;
use super::origin::{MbsyncChannel, MbsyncOrigin, OfflineImapOrigin, SubFolders};

/// A folder directory of mbsync's and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MbsyncFolder {
    /// Index into [`MbsyncOrigin::channels`].
    pub channel: usize,
    /// The box in the Maildir store.
    pub near_box: String,
    /// The box as the channel names it on the server, in modified UTF-7: with `near_box` it names the state file.
    pub far_box: String,
    /// The server's full name, in modified UTF-7, `/` between levels.
    pub server: String,
}

/// What the directory `dir` is, relative to the store's `Path` (with Maildir++: to its `Inbox`).
///
/// `inbox` is the `Inbox` relative to the same place. `None` if no channel covers it.
#[must_use]
pub fn mbsync_folder(origin: &MbsyncOrigin, dir: &str, inbox: Option<&str>) -> Option<MbsyncFolder> {
    let near_box = near_box(origin, dir, inbox)?;
    let exact = |channel: &&MbsyncChannel| !channel.patterns && inbox_if_empty(&channel.near.1) == near_box;
    let by_name = origin.channels.iter().position(|channel| exact(&channel));
    let by_prefix =
        || origin.channels.iter().position(|channel| channel.patterns && near_box.starts_with(&channel.near.1));
    let index = by_name.or_else(by_prefix)?;
    let channel = origin.channels.get(index)?;
    let far_box = if channel.patterns {
        format!("{}{}", channel.far.1, near_box.strip_prefix(channel.near.1.as_str())?)
    } else {
        inbox_if_empty(&channel.far.1).to_owned()
    };
    let server = if far_box == "INBOX" { far_box.clone() } else { format!("{}{far_box}", origin.far_path) };
    Some(MbsyncFolder { channel: index, near_box, far_box, server })
}

fn near_box(origin: &MbsyncOrigin, dir: &str, inbox: Option<&str>) -> Option<String> {
    let dir = dir.trim_matches('/');
    if inbox.is_some_and(|inbox| inbox.trim_matches('/') == dir) {
        return Some("INBOX".to_owned());
    }
    let name = match origin.sub_folders {
        SubFolders::Verbatim => dir.to_owned(),
        SubFolders::MaildirPlusPlus => dir.strip_prefix('.')?.replace('.', "/"),
        SubFolders::Legacy => {
            let mut levels = dir.split('/');
            let mut name = levels.next()?.to_owned();
            for level in levels {
                name.push('/');
                name.push_str(level.strip_prefix('.')?);
            }
            name
        }
    };
    let name = match &origin.flatten {
        Some(flatten) => name.replace(flatten.as_str(), "/"),
        None => name,
    };
    (!name.is_empty()).then_some(name)
}

fn inbox_if_empty(name: &str) -> &str {
    if name.is_empty() { "INBOX" } else { name }
}

/// The server's name (in modified UTF-7, with the server's own separator) of `OfflineIMAP`'s directory `dir`.
///
/// `dir` is relative to `localfolders`; `server_names` are the names that the server has. `None` if there is no or more than one.
#[must_use]
pub fn offlineimap_folder<'a>(
    origin: &OfflineImapOrigin,
    dir: &str,
    server_names: &[&'a str],
    separator: &str,
) -> Option<&'a str> {
    let translation = origin.name_trans.as_ref()?;
    let local = |name: &str| {
        let visible = translation.apply(name);
        if separator.is_empty() { visible } else { visible.replace(separator, &origin.separator) }
    };
    let mut found = server_names.iter().filter(|name| local(name) == dir.trim_matches('/'));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A directory and the server folder that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldFolder {
    /// Relative to the account's root, `/` between levels; empty for the root itself.
    pub dir: String,
    /// The server's name with `/` between levels.
    pub server: String,
    /// Whether `server` is in modified UTF-7 (`false` with `OfflineIMAP`'s `utf8foldernames`).
    pub encoded: bool,
}

/// One renaming; both paths are relative to the root and hold at the time of this step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// What is there.
    pub from: String,
    /// What it becomes; parents may have to be created, and an empty directory that is left there removed.
    pub to: String,
}

/// What has to be renamed, in this order, and what cannot be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RenamePlan {
    /// Steps, parents first.
    pub renames: Vec<Rename>,
    /// Directories that keep their names, and why.
    pub warnings: Vec<Warning>,
}

/// The renamings that bring each folder to the directory mailferry expects it in.
///
/// `directory` gives the path of a folder below the root, as mailferry names it on disk (`None`: it has none). Nothing is renamed onto
/// something that is there.
#[must_use]
pub fn renames(folders: &[OldFolder], directory: &dyn Fn(&OldFolder) -> Option<String>) -> RenamePlan {
    let mut plan = RenamePlan::default();
    let mut wanted: Vec<(String, String)> = Vec::new();
    let mut targets = BTreeSet::new();
    for folder in folders {
        match directory(folder) {
            None => {
                let text = format!("{:?} keeps its name: there is no directory for {:?}", folder.dir, folder.server);
                plan.warnings.push(Warning::new(0, text));
            }
            Some(to) if !targets.insert(to.clone()) => {
                let text = format!("{:?} keeps its name: another directory is {to:?}, too", folder.dir);
                plan.warnings.push(Warning::new(0, text));
            }
            Some(to) => wanted.push((folder.dir.clone(), to)),
        }
    }
    // Parents first, so that a child finds its parent in place instead of creating it.
    wanted.sort_by_key(|(from, to)| (depth(to), depth(from), to.clone()));
    let staying =
        folders.iter().map(|folder| folder.dir.clone()).filter(|dir| !wanted.iter().any(|(from, _)| from == dir));
    let mut places: Vec<String> = wanted.iter().map(|(from, _)| from.clone()).collect();
    places.extend(staying);
    carry_out(&wanted, places, &mut plan);
    plan
}

/// Moves what can move until nothing more does; what is left over becomes a warning.
///
/// `places` is where each folder is: those of `wanted` first, in their order.
fn carry_out(wanted: &[(String, String)], mut places: Vec<String>, plan: &mut RenamePlan) {
    // A directory in the way may be about to move itself, and a parent that moves takes its children along: hence several rounds. A folder
    // moves at most once by itself and once back after its parent, so they end.
    for _ in 0..=2 * wanted.len() {
        let mut moved = false;
        for (index, (_, to)) in wanted.iter().enumerate() {
            let Some(from) = places.get(index).filter(|from| *from != to && !from.is_empty()).cloned() else {
                continue;
            };
            let mut pending = wanted.iter().zip(&places).filter(|((_, target), place)| target != *place);
            if is_taken(&places, to) || pending.any(|(_, place)| is_below(to, place)) {
                continue;
            }
            let step = Rename { from, to: to.clone() };
            for place in &mut places {
                *place = moved_path(place, &step);
            }
            plan.renames.push(step);
            moved = true;
        }
        if !moved {
            break;
        }
    }
    for ((original, to), _) in wanted.iter().zip(&places).filter(|((_, to), place)| to != *place) {
        plan.warnings
            .push(Warning::new(0, format!("{original:?} cannot be renamed to {to:?}: something is in the way")));
    }
}

/// Whether a folder is at `path`, or below it, so that a directory is there.
fn is_taken(places: &[String], path: &str) -> bool {
    places.iter().any(|place| place == path || is_below(place, path))
}

fn depth(path: &str) -> usize {
    if path.is_empty() { 0 } else { path.split('/').count() }
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

/// Where `path` is after `step`.
fn moved_path(path: &str, step: &Rename) -> String {
    if path == step.from {
        return step.to.clone();
    }
    match path.strip_prefix(step.from.as_str()).filter(|rest| rest.starts_with('/')) {
        Some(rest) => format!("{}{rest}", step.to),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::{mbsync, offlineimap, origin::Origin};

    /// Stands in for the decoder of modified UTF-7 and the names of a nested Maildir.
    fn nested(folder: &OldFolder) -> Option<String> {
        match folder.encoded {
            true => (folder.server != "&bad-").then(|| folder.server.replace("&APw-", "ü").replace("&-", "&")),
            false => Some(folder.server.clone()),
        }
    }

    fn old(dirs: &[(&str, &str)]) -> Vec<OldFolder> {
        dirs.iter()
            .map(|(dir, server)| OldFolder { dir: (*dir).to_owned(), server: (*server).to_owned(), encoded: true })
            .collect()
    }

    fn steps(dirs: &[(&str, &str)]) -> (Vec<(String, String)>, usize) {
        let plan = renames(&old(dirs), &nested);
        (plan.renames.into_iter().map(|step| (step.from, step.to)).collect(), plan.warnings.len())
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn modified_utf7_level_by_level() {
        let (renames, warnings) = steps(&[
            ("Entw&APw-rfe/M&APw-ll", "Entw&APw-rfe/M&APw-ll"),
            ("Entw&APw-rfe", "Entw&APw-rfe"),
            ("INBOX", "INBOX"),
            ("&bad-", "&bad-"),
        ]);
        assert_eq!(renames, pairs(&[("Entw&APw-rfe", "Entwürfe"), ("Entwürfe/M&APw-ll", "Entwürfe/Müll")]));
        assert_eq!(warnings, 1);
    }

    #[test]
    fn names_that_are_decoded_already_are_not_decoded_again() {
        let folder = OldFolder { dir: "a.R&-D".to_owned(), server: "a/R&-D".to_owned(), encoded: false };
        let plan = renames(&[folder], &nested);
        assert_eq!(plan.renames, [Rename { from: "a.R&-D".to_owned(), to: "a/R&-D".to_owned() }]);
    }

    #[test]
    fn flat_and_legacy_names() {
        let (renames, _) =
            steps(&[("Lists", "Lists"), ("Lists.a", "Lists/a"), ("Lists.a.b", "Lists/a/b"), ("X/.y", "X/y")]);
        assert_eq!(renames, pairs(&[("Lists.a", "Lists/a"), ("X/.y", "X/y"), ("Lists.a.b", "Lists/a/b")]));
    }

    #[test]
    fn nothing_is_renamed_onto_something() {
        let (renames, warnings) = steps(&[("a", "b"), ("b", "a")]);
        assert_eq!((renames.len(), warnings), (0, 2));
        let (renames, warnings) = steps(&[("a", "b"), ("b", "c")]);
        assert_eq!((renames, warnings), (pairs(&[("b", "c"), ("a", "b")]), 0));
        assert_eq!(steps(&[("a", "c"), ("b", "c")]).1, 1);
        assert_eq!(steps(&[("a", "a/b")]).1, 1);
    }

    #[test]
    fn mbsync_boxes() {
        let imported = mbsync::parse(include_str!("../../tests/data/import/mbsync/mbsyncrc"));
        let origin = |index: usize| match &imported.accounts[index].origin {
            Some(Origin::Mbsync(origin)) => origin.clone(),
            other => panic!("{other:?}"),
        };
        let work = mbsync_folder(&origin(0), "Lists/rust", Some("INBOX")).unwrap();
        assert_eq!((work.near_box.as_str(), work.server.as_str()), ("Lists/rust", "Lists/rust"));
        let sent = mbsync_folder(&origin(1), "sent", Some("inbox")).unwrap();
        assert_eq!((sent.channel, sent.server.as_str()), (1, "[Gmail]/Sent Mail"));
        assert_eq!(mbsync_folder(&origin(1), "inbox", Some("inbox")).unwrap().server, "INBOX");
        assert_eq!(mbsync_folder(&origin(1), "other", Some("inbox")), None);
        let mut styles = origin(0);
        styles.far_path = "INBOX/".to_owned();
        styles.sub_folders = SubFolders::Legacy;
        assert_eq!(mbsync_folder(&styles, "Lists/.rust/.x", None).unwrap().server, "INBOX/Lists/rust/x");
        assert_eq!(mbsync_folder(&styles, "Lists/rust", None), None);
        styles.sub_folders = SubFolders::MaildirPlusPlus;
        assert_eq!(mbsync_folder(&styles, ".Lists.rust", Some("")).unwrap().near_box, "Lists/rust");
        assert_eq!(mbsync_folder(&styles, "", Some("")).unwrap().server, "INBOX");
        styles.sub_folders = SubFolders::Verbatim;
        styles.flatten = Some(".".to_owned());
        assert_eq!(mbsync_folder(&styles, "Lists.rust", None).unwrap().near_box, "Lists/rust");
    }

    #[test]
    fn offlineimap_names() {
        let imported = offlineimap::parse(include_str!("../../tests/data/import/offlineimap/offlineimaprc"));
        let Some(Origin::OfflineImap(origin)) = &imported.accounts[0].origin else { panic!() };
        let names = ["INBOX", "INBOX.Lists.rust", "INBOX.Sent", "Sent"];
        assert_eq!(offlineimap_folder(origin, "Lists/rust", &names, "."), Some("INBOX.Lists.rust"));
        assert_eq!(offlineimap_folder(origin, "INBOX", &names, "."), Some("INBOX"));
        assert_eq!(offlineimap_folder(origin, "Sent", &names, "."), None, "two folders of the server");
    }

    #[test]
    fn a_thousand_folders_take_no_time() {
        let names: Vec<(String, String)> =
            (0..1000).map(|number| (format!("L.&APw-{number}"), format!("L/&APw-{number}"))).collect();
        let dirs: Vec<(&str, &str)> = names.iter().map(|(dir, server)| (dir.as_str(), server.as_str())).collect();
        assert_eq!(steps(&dirs).0.len(), 1000);
    }

    proptest! {
        /// Carried out on a set of paths, no step loses or merges a folder, and every folder without a warning is where it belongs.
        #[test]
        fn renaming_loses_nothing(dirs in prop::collection::btree_map("[ab]{1,2}(/[ab]){0,2}", "[ab]{1,2}(/[ab]){0,2}", 0..8)) {
            let folders: Vec<OldFolder> = dirs.iter().map(|(dir, server)| OldFolder { dir: dir.clone(), server: server.clone(), encoded: true }).collect();
            let plan = renames(&folders, &nested);
            let mut now: Vec<String> = folders.iter().map(|folder| folder.dir.clone()).collect();
            for step in &plan.renames {
                prop_assert!(now.contains(&step.from), "{step:?} of {now:?}");
                prop_assert!(!is_taken(&now, &step.to), "{step:?} onto {now:?}");
                now = now.iter().map(|path| moved_path(path, step)).collect();
            }
            prop_assert_eq!(now.iter().collect::<BTreeSet<_>>().len(), folders.len());
            let placed = now.iter().zip(&folders).filter(|(now, folder)| **now == folder.server).count();
            prop_assert!(placed + plan.warnings.len() >= folders.len(), "{:?} {:?}", now, plan);
        }
    }
}
