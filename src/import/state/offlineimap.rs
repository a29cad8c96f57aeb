//! `OfflineIMAP`'s file names and status caches.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest, Md5};

use super::{PairedMessage, Seen, unique_part};
use crate::import::model::Warning;

/// A row of a status cache: of a text file, or of the SQLite table `status(id, flags, mtime, labels)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRow {
    /// UID on the server (`id`).
    pub uid: u32,
    /// Maildir letters.
    pub flags: String,
}

/// Reads a status cache in text form, format 1 (`uid:flags`) or 2 (`uid|flags|mtime|labels`).
#[must_use]
pub fn parse_status(text: &str) -> Seen<StatusRow> {
    let mut seen = Seen::default();
    let mut lines = text.lines().enumerate();
    let version = lines.next().and_then(|(_, line)| line.trim().rsplit_once(" FORMAT ")).map(|(_, version)| version);
    let delimiter = match version {
        Some("1") => ':',
        Some("2") => '|',
        _ => {
            seen.warnings.push(Warning::new(1, "no status cache of OfflineIMAP, or one of an unknown format"));
            return seen;
        }
    };
    for (index, line) in lines {
        let mut fields = line.trim().split(delimiter);
        let row = fields.next().and_then(|uid| uid.parse::<u32>().ok()).filter(|uid| *uid > 0).zip(fields.next());
        match row {
            Some((uid, flags)) => seen.messages.push(StatusRow { uid, flags: flags.to_owned() }),
            None => seen.warnings.push(Warning::new(index + 1, "no line of a status cache")),
        }
    }
    seen
}

/// What `OfflineIMAP` wrote into a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMark<'a> {
    /// UID on the server.
    pub uid: u32,
    /// MD5 of the folder's local name, in hex; a file that was moved by hand carries that of another folder.
    pub folder_md5: &'a str,
}

/// The mark of a file name: `,U=UID,FMD5=MD5`.
#[must_use]
pub fn file_mark(file: &str) -> Option<FileMark<'_>> {
    let uid = super::mbsync::file_uid(file)?;
    let (_, tail) = file.split_once(",FMD5=")?;
    let end = tail.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(tail.len());
    let folder_md5 = tail.get(..end).filter(|md5| md5.len() == 32)?;
    Some(FileMark { uid, folder_md5 })
}

/// The MD5 that marks files of the folder whose local name is `visible` (levels joined by the repository's `sep`).
#[must_use]
pub fn folder_md5(visible: &str) -> String {
    let mut hex = String::new();
    for byte in Md5::digest(visible.as_bytes()) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// The name of a folder's file in `FolderValidity` and `LocalStatus-sqlite`; `folder` is the server's name there, the local one here.
#[must_use]
pub fn state_name(folder: &str) -> String {
    match folder.replace('/', ".").as_str() {
        "" | "." => "dot".to_owned(),
        name => name.to_owned(),
    }
}

/// The UIDVALIDITY in a file of `FolderValidity`.
#[must_use]
pub fn uid_validity(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

/// A folder as it stands on disk.
#[derive(Clone, Copy, Debug)]
pub struct FolderFiles<'a> {
    /// What [`PairedMessage::folder`] shall be.
    pub folder: &'a str,
    /// Its local name, levels joined by the repository's `sep`.
    pub visible: &'a str,
    /// Of the server's folder, from `FolderValidity` of the remote repository.
    pub uid_validity: u32,
    /// File names in `cur` and `new`.
    pub files: &'a [&'a str],
}

/// The messages of a folder that stand on both sides.
///
/// With the rows of the status cache only those that it knows count, and their flags are the last agreed ones. A UID that two files
/// carry pairs neither.
#[must_use]
pub fn paired(folder: &FolderFiles<'_>, status: Option<&[StatusRow]>) -> Vec<PairedMessage> {
    let md5 = folder_md5(folder.visible);
    let known: Option<BTreeMap<u32, &str>> =
        status.map(|rows| rows.iter().map(|row| (row.uid, row.flags.as_str())).collect());
    let mut by_uid: BTreeMap<u32, Option<&str>> = BTreeMap::new();
    for file in folder.files {
        if let Some(mark) = file_mark(file).filter(|mark| mark.folder_md5 == md5) {
            by_uid.entry(mark.uid).and_modify(|file| *file = None).or_insert(Some(file));
        }
    }
    let files = by_uid.into_iter().filter_map(|(uid, file)| Some((uid, file?)));
    files
        .filter(|(uid, _)| known.as_ref().is_none_or(|known| known.contains_key(uid)))
        .map(|(uid, file)| PairedMessage {
            folder: folder.folder.to_owned(),
            uid_validity: folder.uid_validity,
            uid,
            unique: unique_part(unique_part(file, '!'), ':').to_owned(),
            flags: known.as_ref().and_then(|known| known.get(&uid)).map(|flags| (*flags).to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILES: [&str; 5] = [
        "1795298766_4.9747.vm,U=4,FMD5=7e33429f656f1e6e9d79b29c3f82c57e:2,FS",
        "1795298766_0.9747.vm,U=1,FMD5=7e33429f656f1e6e9d79b29c3f82c57e:2,",
        "1795298766_5.9747.vm,U=2,FMD5=91747d9579ef8845a1c434991635c77a:2,S",
        "1795298766_9.9747.vm:2,S",
        "1795298766_8.9747.vm,U=6,FMD5=7e33429f656f1e6e9d79b29c3f82c57e",
    ];

    fn folder<'a>(visible: &'a str) -> FolderFiles<'a> {
        FolderFiles { folder: "INBOX", visible, uid_validity: 1_795_298_767, files: &FILES }
    }

    #[test]
    fn a_real_folder_is_paired() {
        // Digests as offlineimap 8.0.0 was seen to write them.
        assert_eq!(folder_md5("Lists.rust"), "91747d9579ef8845a1c434991635c77a");
        assert_eq!(folder_md5("Lists/rust"), "1bca6f6d4c9b9adcea6a3d29d914107d");
        let uids: Vec<_> = paired(&folder("INBOX"), None).iter().map(|pair| pair.uid).collect();
        assert_eq!(uids, [1, 4, 6]);
        let status = [StatusRow { uid: 4, flags: "FS".to_owned() }, StatusRow { uid: 9, flags: String::new() }];
        let pairs = paired(&folder("INBOX"), Some(&status));
        assert_eq!(pairs.len(), 1);
        assert_eq!(
            (pairs[0].unique.as_str(), pairs[0].flags.as_deref()),
            ("1795298766_4.9747.vm,U=4,FMD5=7e33429f656f1e6e9d79b29c3f82c57e", Some("FS"))
        );
        assert_eq!(paired(&folder("Lists.rust"), None).len(), 1);
    }

    #[test]
    fn status_in_text_form() {
        let head = "OFFLINEIMAP LocalStatus CACHE DATA - DO NOT MODIFY - FORMAT ";
        let seen = parse_status(&format!("{head}2\n1||0|\n4|FS|0|a, b\nx|\n"));
        assert_eq!(seen.messages.len(), 2);
        assert_eq!(seen.messages[1], StatusRow { uid: 4, flags: "FS".to_owned() });
        assert_eq!(seen.warnings[0].line, Some(4));
        assert_eq!(parse_status(&format!("{head}1\n7:S\n")).messages[0].uid, 7);
        assert!(parse_status(&format!("{head}3\n7:S\n")).messages.is_empty());
    }

    #[test]
    fn the_sqlite_cache_has_the_rows_we_ask_for() {
        let cache = rusqlite::Connection::open_in_memory().unwrap();
        cache
            .execute_batch(include_str!("../../../tests/data/import/offlineimap/LocalStatus-sqlite.INBOX.sql"))
            .unwrap();
        let mut query = cache.prepare("SELECT id, flags FROM status ORDER BY id").unwrap();
        let rows = query.query_map([], |row| Ok(StatusRow { uid: row.get(0)?, flags: row.get(1)? })).unwrap();
        let rows: Vec<_> = rows.map(Result::unwrap).collect();
        let pairs = paired(&folder("INBOX"), Some(&rows));
        let found: Vec<_> = pairs.iter().map(|pair| (pair.uid, pair.flags.as_deref())).collect();
        assert_eq!(found, [(1, Some("")), (4, Some("FS")), (6, Some(""))]);
    }

    #[test]
    fn state_names() {
        assert_eq!(
            (state_name("Lists/rust"), state_name("."), state_name("INBOX")),
            ("Lists.rust".to_owned(), "dot".to_owned(), "INBOX".to_owned())
        );
        assert_eq!(uid_validity("1795298767\n"), Some(1_795_298_767));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), file in "[a,U=FMD50-9:!2]{0,60}") {
            let _ = parse_status(&text);
            let _ = parse_status(&format!("FORMAT 2\n{text}"));
            let _ = paired(&FolderFiles { folder: &text, visible: &text, uid_validity: 1, files: &[&file, &text] }, None);
        }
    }
}
