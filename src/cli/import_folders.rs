//! `import --state` for mbsync and OfflineIMAP: folders get the directories that ours have; their messages are then paired by
//! content, so that nothing is transferred or doubled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::hold::{Failure, Held, How};
use super::import::warn;
use super::import_state::{Move, boxed};
use super::remote;
use crate::auth::source;
use crate::imap;
use crate::import::folders::{self, MbsyncFolder, OldFolder};
use crate::import::origin::{MbsyncOrigin, OfflineImapOrigin, SubFolders};
use crate::import::state::mbsync::{self as state, FolderFiles, StateFile};
use crate::mail::FolderName;
use crate::maildir::{Layout, Place};
use crate::ui::table::Value;

/// Where placeholders go, in the state's directory.
const PLACEHOLDERS: &str = "placeholders";

/// Takes over mbsync's folders.
///
/// # Errors
/// When the Maildir cannot be held or read, or a folder cannot be renamed.
pub fn mbsync(one: &Move<'_>, origin: &MbsyncOrigin) -> Result<(), Failure> {
    let held = hold(one)?;
    let layout = held.layout(&one.account);
    let base = match origin.sub_folders {
        SubFolders::MaildirPlusPlus => one.expand(&origin.inbox)?,
        SubFolders::Verbatim | SubFolders::Legacy => one.expand(&origin.path)?,
    };
    let inbox = one.expand(&origin.inbox)?;
    // Where the profile has another root by now the directories were moved as they are.
    let prefix = layout.root().strip_prefix(&base).map(Path::to_owned).unwrap_or_default();
    let inbox = inbox.strip_prefix(&base).ok().and_then(Path::to_str).map(str::to_owned);
    let (mut old, mut stateless) = (Vec::new(), Vec::new());
    for dir in dirs(one, &layout)? {
        let Some(place) = prefix.join(&dir).to_str().map(str::to_owned) else { continue };
        let Some(folder) = folders::mbsync_folder(origin, &place, inbox.as_deref()) else {
            warn(one.context, Some(&one.account.name), &format!("{dir:?} belongs to no channel and keeps its name"));
            continue;
        };
        if !placeholders(one, origin, (&layout, &dir), &folder)? {
            stateless.push(dir.clone());
        }
        old.push(OldFolder { dir, server: folder.server, encoded: true });
    }
    if let Some(first) = stateless.first() {
        let text = format!(
            "no state of mbsync for {} of {} folders ({first:?} is one): they are paired by content all the same, but a file that \
             only stands for a message over MaxSize is not told from a message",
            stateless.len(),
            old.len()
        );
        warn(one.context, Some(&one.account.name), &text);
    }
    let name = |folder: &OldFolder| imap::name::decode(folder.server.as_bytes(), Some(b'/'), !folder.encoded);
    rename(one, &layout, &old, &name)
}

/// Takes over `OfflineIMAP`'s folders. Their names on disk do not tell the server's, so it is asked.
///
/// # Errors
/// As [`mbsync`]; and when the server cannot be asked.
pub fn offlineimap(one: &Move<'_>, origin: &OfflineImapOrigin) -> Result<(), Failure> {
    if origin.name_trans.is_none() {
        let text = "nametrans is not understood: name the folders' directories as `mailferry folders` shows them";
        warn(one.context, Some(&one.account.name), text);
        return Ok(());
    }
    let credentials = source::resolve(&one.account, &one.context.stop, true).map_err(boxed)?;
    let mut session = remote::open_imap(one.context, &one.account, &credentials).map_err(boxed)?;
    let utf8 = session.utf8_names();
    let listing = session.list(&imap::ListAsk { status: false, subscribed: false, shared: true }).map_err(boxed)?;
    session.logout();
    let separator = listing.delimiter.map(|delimiter| char::from(delimiter).to_string()).unwrap_or_default();
    let mut names: BTreeMap<String, FolderName> = BTreeMap::new();
    for folder in remote::selectable(&listing) {
        let wire = String::from_utf8_lossy(folder.mailbox.as_bytes()).into_owned();
        let seen =
            if origin.utf8_names && !utf8 { imap::name::from_utf7(wire.as_bytes()).unwrap_or(wire) } else { wire };
        names.insert(seen, folder.name.clone());
    }
    let held = hold(one)?;
    let layout = held.layout(&one.account);
    let known: Vec<&str> = names.keys().map(String::as_str).collect();
    let mut old = Vec::new();
    for dir in dirs(one, &layout)? {
        match folders::offlineimap_folder(origin, &dir, &known, &separator) {
            Some(server) => old.push(OldFolder { dir, server: server.to_owned(), encoded: false }),
            None => {
                let text = format!("{dir:?} is no one folder of the server and keeps its name");
                warn(one.context, Some(&one.account.name), &text);
            }
        }
    }
    rename(one, &layout, &old, &|folder| names.get(&folder.server).cloned())
}

fn hold(one: &Move<'_>) -> Result<Held, Failure> {
    let how = How { dry_run: one.dry_run, wait: false };
    Held::take(&one.account.store, how, &one.context.stop)
}

/// The directories with messages, relative to the root. A name that is no text belongs to no server folder.
fn dirs(one: &Move<'_>, layout: &Layout) -> Result<Vec<String>, Failure> {
    if !layout.root().exists() {
        warn(one.context, Some(&one.account.name), &format!("there is no Maildir at {}", layout.root().display()));
        return Ok(Vec::new());
    }
    let found = layout.maildirs(true).map_err(boxed)?;
    Ok(found.into_iter().filter_map(|dir| dir.into_os_string().into_string().ok()).collect())
}

fn rename(
    one: &Move<'_>,
    layout: &Layout,
    old: &[OldFolder],
    name: &dyn Fn(&OldFolder) -> Option<FolderName>,
) -> Result<(), Failure> {
    let directory = |folder: &OldFolder| {
        let dir = layout.dir(&name(folder)?).ok()?;
        dir.path.strip_prefix(layout.root()).ok()?.to_str().map(str::to_owned)
    };
    let plan = folders::renames(old, &directory);
    for warning in &plan.warnings {
        warn(one.context, Some(&one.account.name), &warning.to_string());
    }
    for step in &plan.renames {
        let fields = [("from", Value::from(step.from.as_str())), ("to", step.to.as_str().into())];
        let text = format!("folder directory {:?} becomes {:?}", step.from, step.to);
        if !one.dry_run {
            layout.rehome(Path::new(&step.from), Path::new(&step.to)).map_err(boxed)?;
        }
        one.tell("rename", &fields, &text);
    }
    let text = format!("{} folders; the next sync pairs their messages by content", old.len());
    one.tell("pair", &[("folders", Value::Number(old.len() as u64))], &text);
    Ok(())
}

/// Files that only stand for a message that was too large to download would be uploaded: they are put aside, and the
/// messages themselves come with the next sync. `false`: mbsync's state of the folder is not there.
fn placeholders(
    one: &Move<'_>,
    origin: &MbsyncOrigin,
    (layout, dir): (&Layout, &str),
    folder: &MbsyncFolder,
) -> Result<bool, Failure> {
    let Some(channel) = origin.channels.get(folder.channel) else { return Ok(false) };
    let path = layout.root().join(dir);
    let files = match state::state_file(origin, channel, &folder.far_box, &folder.near_box) {
        StateFile::InFolder(name) => vec![path.join(name)],
        StateFile::Path(text) => vec![one.expand(&text)?],
        StateFile::Default(name) => default_dirs(one)?.map(|dir| dir.join(&name)).to_vec(),
    };
    let read = |file: PathBuf| Some((std::fs::read_to_string(&file).ok()?, file));
    let Some((text, file)) = files.into_iter().find_map(read) else { return Ok(false) };
    let mut journal = file.clone().into_os_string();
    journal.push(".journal");
    if Path::new(&journal).exists() {
        warn(one.context, Some(&one.account.name), &format!("mbsync was interrupted in {dir:?}: let it finish first"));
    }
    let validity = std::fs::read_to_string(path.join(".uidvalidity")).ok();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for sub in ["cur", "new"] {
        for entry in std::fs::read_dir(path.join(sub)).into_iter().flatten().flatten() {
            if let Ok(name) = entry.file_name().into_string()
                && let Some(place) = Place::from_bytes(format!("{sub}/{name}").as_bytes())
            {
                places.insert(name, place);
            }
        }
    }
    let files: Vec<&str> = places.keys().map(String::as_str).collect();
    let look = FolderFiles {
        folder: dir,
        uid_validity: validity.as_deref().and_then(state::uid_validity),
        files: &files,
        info_delimiter: origin.info_delimiter,
    };
    let stubs = state::placeholders(&state::parse(&text), &look);
    for (name, place) in &places {
        let unique = crate::import::state::unique_part(name, origin.info_delimiter);
        if !stubs.iter().any(|stub| stub == unique) {
            continue;
        }
        if !one.dry_run {
            put_aside(layout, dir, place)?;
        }
        let text = format!("{dir}/{name} only stands for a large message and is put aside");
        one.tell("put_aside", &[("file", Value::Text(format!("{dir}/{name}")))], &text);
    }
    Ok(true)
}

fn put_aside(layout: &Layout, dir: &str, place: &Place) -> Result<PathBuf, Failure> {
    layout.put_aside(Path::new(dir), place, PLACEHOLDERS).map_err(boxed)
}

/// mbsync's own directories: that of 1.4, which later versions go on using where it is, and that of 1.5.
fn default_dirs(one: &Move<'_>) -> Result<[PathBuf; 2], Failure> {
    let new = match one.expand("${XDG_STATE_HOME}/isync") {
        Ok(path) => path,
        Err(_) => one.expand("~/.local/state/isync")?,
    };
    Ok([one.expand("~/.mbsync/")?, new])
}
