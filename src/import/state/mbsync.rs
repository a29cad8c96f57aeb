//! mbsync's sync state, and the UIDs that it puts into file names.

use std::collections::BTreeMap;

use super::{PairedMessage, unique_part};
use crate::import::model::Warning;
use crate::import::origin::{MbsyncChannel, MbsyncOrigin};
use crate::mail::Side;

/// A `.mbsyncstate`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// UIDVALIDITY on the server; 0 if the file does not say.
    pub far_uid_validity: u32,
    /// UIDVALIDITY of the Maildir folder, as in its `.uidvalidity`; 0 if the file does not say.
    pub near_uid_validity: u32,
    /// Up to this UID the server's messages were pulled.
    pub max_pulled_uid: u32,
    /// Up to this UID the Maildir's messages were pushed.
    pub max_pushed_uid: u32,
    /// Up to this UID the server's messages were left out by `MaxMessages`.
    pub max_expired_far_uid: u32,
    /// One per message.
    pub entries: Vec<SyncEntry>,
    /// Lines that are none of the format.
    pub warnings: Vec<Warning>,
}

/// One message of a [`SyncState`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncEntry {
    /// UID on the server; 0 if it is gone there or was never there.
    pub far: u32,
    /// UID in the Maildir; 0 likewise.
    pub near: u32,
    /// One of the two is only a placeholder for a message over `MaxSize`: which.
    pub placeholder: Option<Side>,
    /// Left out of the Maildir by `MaxMessages`, or skipped.
    pub expired: bool,
    /// Maildir letters that both sides had.
    pub flags: String,
}

/// Reads a sync state of any version: named header lines, those of the Master/Slave days, and the single header line of isync 1.0.
#[must_use]
pub fn parse(text: &str) -> SyncState {
    let mut state = SyncState::default();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
    if let Some((number, first)) = lines.next_if(|(_, line)| line.starts_with(|c: char| c.is_ascii_digit())) {
        if !short_header(first, &mut state) {
            state.warnings.push(Warning::new(number, "no header of a sync state"));
            return state;
        }
    } else {
        for (number, line) in lines.by_ref() {
            if line.trim().is_empty() {
                break;
            }
            if !header(line, &mut state) {
                state.warnings.push(Warning::new(number, "an unknown line in the header of the sync state"));
            }
        }
    }
    for (number, line) in lines {
        match entry(line) {
            Some(entry) => state.entries.push(entry),
            None => state.warnings.push(Warning::new(number, "no entry of a sync state")),
        }
    }
    state
}

fn header(line: &str, state: &mut SyncState) -> bool {
    let Some((key, value)) = line.split_once(' ') else {
        return false;
    };
    let Ok(value) = value.trim().parse::<u32>() else {
        return false;
    };
    let field = match key {
        "FarUidValidity" | "MasterUidValidity" => &mut state.far_uid_validity,
        "NearUidValidity" | "SlaveUidValidity" => &mut state.near_uid_validity,
        "MaxPulledUid" => &mut state.max_pulled_uid,
        "MaxPushedUid" => &mut state.max_pushed_uid,
        "MaxExpiredFarUid" | "MaxExpiredMasterUid" => &mut state.max_expired_far_uid,
        // UIDs of the Maildir side: nothing follows from it.
        "MaxExpiredSlaveUid" => return true,
        _ => return false,
    };
    *field = value;
    true
}

/// `FARVALIDITY:MAXPULLED NEARVALIDITY:MAXEXPIRED:MAXPUSHED`.
fn short_header(line: &str, state: &mut SyncState) -> bool {
    let numbers: Option<Vec<u32>> = line.trim().split([':', ' ']).map(|number| number.parse().ok()).collect();
    let Some([far_validity, pulled, near_validity, _, pushed]) = numbers.as_deref() else {
        return false;
    };
    state.far_uid_validity = *far_validity;
    state.max_pulled_uid = *pulled;
    state.near_uid_validity = *near_validity;
    state.max_pushed_uid = *pushed;
    true
}

/// `FAR NEAR FLAGS`; negative UIDs of old versions mean that there is none.
fn entry(line: &str) -> Option<SyncEntry> {
    let mut words = line.split_ascii_whitespace();
    let uid = |word: &str| word.parse::<i64>().ok().map(|uid| u32::try_from(uid).unwrap_or(0));
    let (far, near) = (uid(words.next()?)?, uid(words.next()?)?);
    let marks = words.next().unwrap_or_default();
    if words.next().is_some() {
        return None;
    }
    let flags = marks.trim_start_matches(['<', '>', '^', '~', 'X']);
    let marks = marks.get(..marks.len() - flags.len())?;
    Some(SyncEntry {
        far,
        near,
        placeholder: if marks.contains('<') { Some(Side::Remote) } else { marks.contains('>').then_some(Side::Local) },
        expired: marks.contains(['^', '~', 'X']),
        flags: flags.to_owned(),
    })
}

/// The UID in a file name: the number after `,U=`.
#[must_use]
pub fn file_uid(file: &str) -> Option<u32> {
    let (_, tail) = file.split_once(",U=")?;
    let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    tail.get(..digits)?.parse().ok().filter(|uid| *uid > 0)
}

/// The UIDVALIDITY in a folder's `.uidvalidity`, its first line.
#[must_use]
pub fn uid_validity(text: &str) -> Option<u32> {
    text.lines().next()?.trim().parse().ok()
}

/// A folder as it stands on disk.
#[derive(Clone, Copy, Debug)]
pub struct FolderFiles<'a> {
    /// What [`PairedMessage::folder`] shall be.
    pub folder: &'a str,
    /// From its `.uidvalidity`.
    pub uid_validity: Option<u32>,
    /// File names in `cur` and `new`.
    pub files: &'a [&'a str],
    /// `InfoDelimiter`, normally `:`.
    pub info_delimiter: char,
}

/// The messages of a folder that stand on both sides.
///
/// Empty if the folder's UIDVALIDITY is not the one that `state` was written for. A UID that two files carry pairs neither; placeholders
/// are no messages.
#[must_use]
pub fn paired(state: &SyncState, folder: &FolderFiles<'_>) -> Vec<PairedMessage> {
    if state.far_uid_validity == 0 || folder.uid_validity.is_none_or(|validity| validity != state.near_uid_validity) {
        return Vec::new();
    }
    let by_uid = files_by_uid(folder);
    let real = state.entries.iter().filter(|entry| entry.far > 0 && entry.near > 0 && entry.placeholder.is_none());
    real.filter_map(|entry| {
        let file = (*by_uid.get(&entry.near)?)?;
        Some(PairedMessage {
            folder: folder.folder.to_owned(),
            uid_validity: state.far_uid_validity,
            uid: entry.far,
            unique: unique_part(file, folder.info_delimiter).to_owned(),
            flags: Some(entry.flags.clone()),
        })
    })
    .collect()
}

/// The files of a folder, up to their flags, that only stand for a message too large to download: no messages, never to be uploaded.
#[must_use]
pub fn placeholders(state: &SyncState, folder: &FolderFiles<'_>) -> Vec<String> {
    if folder.uid_validity.is_none_or(|validity| validity != state.near_uid_validity) {
        return Vec::new();
    }
    let by_uid = files_by_uid(folder);
    let stubs = state.entries.iter().filter(|entry| entry.placeholder == Some(Side::Local));
    let files = stubs.filter_map(|entry| *by_uid.get(&entry.near)?);
    files.map(|file| unique_part(file, folder.info_delimiter).to_owned()).collect()
}

/// `None` for a UID that several files carry.
fn files_by_uid<'a>(folder: &FolderFiles<'a>) -> BTreeMap<u32, Option<&'a str>> {
    let mut by_uid: BTreeMap<u32, Option<&str>> = BTreeMap::new();
    for file in folder.files {
        if let Some(uid) = file_uid(file) {
            by_uid.entry(uid).and_modify(|file| *file = None).or_insert(Some(file));
        }
    }
    by_uid
}

/// Where the sync state of a pair of boxes is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateFile {
    /// In the Maildir folder.
    InFolder(&'static str),
    /// A path, `~` not expanded.
    Path(String),
    /// A file of this name in mbsync's default directory: `~/.mbsync/`, or `$XDG_STATE_HOME/isync/`.
    Default(String),
}

/// The sync state of `far_box` and `near_box`, full box names with `/` between levels (prefixes of the channel included).
///
/// A file of the same name with `.journal` at its end means that the last run of mbsync was interrupted.
#[must_use]
pub fn state_file(origin: &MbsyncOrigin, channel: &MbsyncChannel, far_box: &str, near_box: &str) -> StateFile {
    let flat = |name: &str| name.replace('/', "!");
    // The Maildir's box is named as on disk.
    let near_box = match &origin.flatten {
        Some(flatten) => near_box.replace('/', flatten),
        None => near_box.to_owned(),
    };
    let near_box = near_box.as_str();
    let delimiter = origin.field_delimiter;
    let global = format!(
        "{delimiter}{}{delimiter}{}_{delimiter}{}{delimiter}{}",
        channel.far.0,
        flat(far_box),
        channel.near.0,
        flat(near_box)
    );
    match channel.sync_state.as_deref() {
        Some("*") => StateFile::InFolder(".mbsyncstate"),
        Some(path) if channel.own_sync_state => StateFile::Path(format!("{path}{}", flat(near_box))),
        Some(path) => StateFile::Path(format!("{path}{global}")),
        None => StateFile::Default(global),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::origin::SubFolders;

    const INBOX: &str = include_str!("../../../tests/data/import/mbsync/INBOX.mbsyncstate");

    fn files<'a>(files: &'a [&'a str], uid_validity: Option<u32>) -> FolderFiles<'a> {
        FolderFiles { folder: "INBOX", uid_validity, files, info_delimiter: ':' }
    }

    #[test]
    fn a_real_folder_is_paired() {
        let state = parse(INBOX);
        assert_eq!((state.far_uid_validity, state.max_pulled_uid, state.entries.len()), (1_795_298_767, 4, 4));
        let validity = uid_validity(include_str!("../../../tests/data/import/mbsync/INBOX.uidvalidity"));
        let names =
            ["1795298765.9696_4.vm,U=4:2,FS", "1795298765.9696_1.vm,U=1:2,", "unknown.vm:2,S", "a,U=2:2,", "b,U=2:2,"];
        let pairs = paired(&state, &files(&names, validity));
        let found: Vec<_> = pairs.iter().map(|pair| (pair.uid, pair.unique.as_str(), pair.flags.as_deref())).collect();
        assert_eq!(found, [(1, "1795298765.9696_1.vm,U=1", Some("")), (4, "1795298765.9696_4.vm,U=4", Some("FS"))]);
        assert!(paired(&state, &files(&names, Some(1))).is_empty(), "another UIDVALIDITY");
        assert!(paired(&state, &files(&names, None)).is_empty(), "no .uidvalidity");
    }

    #[test]
    fn a_placeholder_is_no_message() {
        let state = parse(include_str!("../../../tests/data/import/mbsync/placeholder.mbsyncstate"));
        assert_eq!(state.max_expired_far_uid, 3);
        assert_eq!(state.entries[2].placeholder, Some(Side::Local));
        let pairs = paired(&state, &files(&["a,U=1:2,", "b,U=2:2,", "c,U=3:2,"], Some(1_795_298_765)));
        assert_eq!(pairs.iter().map(|pair| pair.uid).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(placeholders(&state, &files(&["a,U=1:2,", "c,U=3:2,S"], Some(1_795_298_765))), ["c,U=3"]);
        assert!(placeholders(&state, &files(&["c,U=3:2,S"], Some(1))).is_empty());
    }

    #[test]
    fn old_headers() {
        let state = parse(
            "MasterUidValidity 7\nSlaveUidValidity 8\nMaxPulledUid 3\nMaxPushedUid 3\nMaxExpiredMasterUid 1\n\n1 -1 XFS\n2 0 \n3 3 ~S\n",
        );
        assert_eq!((state.far_uid_validity, state.near_uid_validity, state.warnings.len()), (7, 8, 0));
        assert_eq!((state.entries[0].near, state.entries[0].expired, state.entries[0].flags.as_str()), (0, true, "FS"));
        assert!(state.entries[2].expired);
        let state = parse("7:3 8:0:3\n1 1 S\n2 2\n");
        assert_eq!((state.far_uid_validity, state.near_uid_validity, state.entries.len()), (7, 8, 2));
        assert_eq!(parse("7:3\n1 1\n").warnings.len(), 1);
    }

    #[test]
    fn state_files() {
        let channel = |sync_state: Option<&str>, own_sync_state| MbsyncChannel {
            name: "c".to_owned(),
            far: ("far".to_owned(), String::new()),
            near: ("near".to_owned(), String::new()),
            patterns: true,
            sync_state: sync_state.map(str::to_owned),
            own_sync_state,
        };
        let origin = MbsyncOrigin {
            path: String::new(),
            inbox: String::new(),
            sub_folders: SubFolders::Verbatim,
            far_path: String::new(),
            flatten: None,
            channels: Vec::new(),
            field_delimiter: ':',
            info_delimiter: ':',
        };
        let file = |channel: MbsyncChannel| state_file(&origin, &channel, "Lists/rust", "Lists.rust");
        // As mbsync 1.4.4 was seen to name them.
        assert_eq!(
            file(channel(Some("/st-"), false)),
            StateFile::Path("/st-:far:Lists!rust_:near:Lists.rust".to_owned())
        );
        assert_eq!(
            state_file(&origin, &channel(Some("/s/"), true), "x", "Lists/rust"),
            StateFile::Path("/s/Lists!rust".to_owned())
        );
        let flat = MbsyncOrigin { flatten: Some(".".to_owned()), ..origin.clone() };
        let path = StateFile::Path("/st-:far:Lists!rust_:near:Lists.rust".to_owned());
        assert_eq!(state_file(&flat, &channel(Some("/st-"), false), "Lists/rust", "Lists/rust"), path);
        assert_eq!(file(channel(Some("*"), false)), StateFile::InFolder(".mbsyncstate"));
        assert_eq!(file(channel(None, false)), StateFile::Default(":far:Lists!rust_:near:Lists.rust".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), dense in "[0-9 :<>~^FS\n-]{0,60}", file in "[a,U=0-9:]{0,20}") {
            let state = parse(&text);
            let _ = paired(&state, &files(&[&file, &text], Some(0)));
            let _ = parse(&dense);
        }

        #[test]
        fn a_torn_file_pairs_a_part(cut in 0..INBOX.len()) {
            let names = ["a,U=1:2,", "b,U=2:2,", "c,U=3:2,", "d,U=4:2,"];
            let whole = paired(&parse(INBOX), &files(&names, Some(1_795_298_765)));
            let part = paired(&parse(&INBOX[..cut]), &files(&names, Some(1_795_298_765)));
            for pair in &part {
                prop_assert!(whole.iter().any(|known| known.uid == pair.uid && known.unique == pair.unique) || pair.uid_validity != whole[0].uid_validity);
            }
        }
    }
}
