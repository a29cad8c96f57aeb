//! One message on both sides, and one folder's rows against what both sides show now: what differs. PURE.

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Digest, Flags, Timestamp, Uid};
use crate::state::Mark;

use super::super::merge::Mask;

/// How a message or a folder differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// In the Maildir only.
    OnlyLocal,
    /// On the server only.
    OnlyRemote,
    /// On the server; here was a file of it, which is gone.
    MissingFile,
    /// Other flags or keywords.
    Flags,
    /// Another length.
    Size,
    /// Another content (`--deep`).
    Content,
    /// The folder is missing on the server.
    FolderOnlyLocal,
    /// The folder is missing in the Maildir.
    FolderOnlyRemote,
}

impl Kind {
    /// The word in JSON (`kind`) and text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlyLocal => "only_local",
            Self::OnlyRemote => "only_remote",
            Self::MissingFile => "missing_file",
            Self::Flags => "flags",
            Self::Size => "size",
            Self::Content => "content",
            Self::FolderOnlyLocal => "folder_only_local",
            Self::FolderOnlyRemote => "folder_only_remote",
        }
    }
}

/// A file, as far as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its length with `CR LF` line ends; 0 for an empty one.
    pub size: u64,
    /// Its time; `None`: an empty one.
    pub date: Option<Timestamp>,
    /// Its content, in a deep look.
    pub digest: Option<Digest>,
}

/// What the state knows of a message, small because there may be 200,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its UID; `None`: not on the server, or under a UIDVALIDITY that holds no longer.
    pub uid: Option<Uid>,
    /// Its mark.
    pub mark: Mark,
    /// Whether it had a file.
    pub had_file: bool,
    /// Its file among those of the scan.
    pub file: Option<usize>,
    /// RFC822.SIZE as the server told it.
    pub size_wire: Option<u64>,
    /// The length of its content.
    pub size: Option<u64>,
    /// The server has listed it.
    pub seen: bool,
}

impl Known {
    /// Whether it stands on one side only by agreement (HAZARDS 4): then its absence on the other is no difference.
    #[must_use]
    pub fn is_agreed(&self) -> bool {
        match self.mark {
            Mark::Kept | Mark::Ignored | Mark::Flagged | Mark::Skipped => true,
            Mark::Paired | Mark::Sent | Mark::Waiting => false,
        }
    }

    /// Whether both lengths are those of the time when the contents were found to be equal: some servers tell others than the
    /// messages have (HAZARDS 24).
    #[must_use]
    pub fn explains(&self, local: u64, remote: u64) -> bool {
        self.size == Some(local) && self.size_wire == Some(remote)
    }
}

/// The rows of one UID among rows that are sorted by UID.
#[must_use]
pub fn rows_of(rows: &mut [Known], uid: Uid) -> &mut [Known] {
    let from = rows.partition_point(|row| row.uid < Some(uid));
    let to = rows.partition_point(|row| row.uid <= Some(uid));
    rows.get_mut(from..to).unwrap_or_default()
}

/// How the flags of a message differ, among those that both sides can hold; `None`: not at all, or a side does not tell.
#[must_use]
pub fn flags(local: Option<&Flags>, remote: Option<&Flags>, both: &Mask) -> Option<String> {
    let (ours, theirs) = (both.keep(local?), both.keep(remote?));
    (ours != theirs).then(|| format!("here {}, on the server {}", shown(&ours), shown(&theirs)))
}

fn shown(flags: &Flags) -> String {
    let text = flags.to_string();
    if text.is_empty() { "none".to_owned() } else { text }
}

/// How the lengths differ.
#[must_use]
pub fn size(file: &File, message: &RemoteMessage, row: Option<&Known>) -> Option<String> {
    let told = message.size?;
    let same = file.size == told || row.is_some_and(|row| row.explains(file.size, told));
    (!same).then(|| format!("here {} bytes, on the server {told}", file.size))
}

/// Whether the dates differ: told as a figure only, because a file's time is easily changed and nothing depends on it.
#[must_use]
pub fn dates_differ(file: &File, message: &RemoteMessage) -> bool {
    message.date.is_some() && file.date.is_some() && message.date != file.date
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::System;

    fn message(uid: u32, size: u64) -> RemoteMessage {
        RemoteMessage { size: Some(size), date: Some(Timestamp(7)), ..RemoteMessage::new(Uid::new(uid).unwrap()) }
    }

    fn known(uid: u32, mark: Mark) -> Known {
        Known { uid: Uid::new(uid), mark, had_file: true, file: None, size_wire: None, size: None, seen: false }
    }

    #[test]
    fn flags_differ_only_in_what_both_sides_can_hold() {
        let (seen, none) = (Flags::of(System::SEEN), Flags::none());
        assert_eq!(flags(Some(&seen), Some(&none), &Mask::all()).as_deref(), Some("here S, on the server none"));
        let mask = Mask { system: System::DELETED, keywords: None };
        assert_eq!(flags(Some(&seen), Some(&none), &mask), None);
        assert_eq!(flags(None, Some(&none), &Mask::all()), None);
        assert_eq!(flags(Some(&seen), Some(&seen), &Mask::all()), None);
    }

    #[test]
    fn hazard_24_a_size_that_always_lied_is_no_difference() {
        let file = File { size: 100, date: Some(Timestamp(7)), digest: None };
        let row = Known { size: Some(100), size_wire: Some(90), ..known(1, Mark::Paired) };
        assert_eq!(size(&file, &message(1, 90), Some(&row)), None);
        assert!(size(&file, &message(1, 91), Some(&row)).is_some());
        assert!(size(&File { size: 99, ..file }, &message(1, 90), Some(&row)).is_some());
        assert_eq!(size(&file, &message(1, 100), None), None);
        assert_eq!(size(&file, &message(1, 90), None).as_deref(), Some("here 100 bytes, on the server 90"));
    }

    #[test]
    fn a_date_is_only_counted() {
        let file = File { size: 100, date: Some(Timestamp(7)), digest: None };
        assert!(!dates_differ(&file, &message(1, 1)));
        assert!(dates_differ(&File { date: Some(Timestamp(8)), ..file }, &message(1, 1)));
    }

    #[test]
    fn hazard_04_one_side_by_agreement() {
        let agreed = [Mark::Kept, Mark::Ignored, Mark::Flagged, Mark::Skipped];
        assert!(agreed.into_iter().all(|mark| known(1, mark).is_agreed()));
        assert!([Mark::Paired, Mark::Sent, Mark::Waiting].into_iter().all(|mark| !known(1, mark).is_agreed()));
    }

    #[test]
    fn several_files_of_one_uid_are_found() {
        let none = Known { uid: None, ..known(1, Mark::Kept) };
        let mut rows = [none, known(2, Mark::Paired), known(2, Mark::Paired), known(5, Mark::Paired)];
        for (uid, count) in [(1, 0), (2, 2), (3, 0), (5, 1), (6, 0)] {
            assert_eq!(rows_of(&mut rows, Uid::new(uid).unwrap()).len(), count, "{uid}");
        }
    }
}
