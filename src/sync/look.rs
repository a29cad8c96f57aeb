//! A look at the Maildir: scans, what they differ in from the rows, and the second look that confirms deletions.

use std::collections::BTreeMap;

use crate::mail::Flags;
use crate::maildir::{self, FolderDir, Keywords, Place, Stamp, Touched, deliver, read, scan, stamp};
use crate::severity::Severity as _;
use crate::state::RowId;

use super::compare::{self, Known, LocalDelta, Seen, flags_key};
use super::engine::{Engine, Error, Folder};
use super::view::{LocalNew, LocalNow};

/// A file younger than this, in nanoseconds, may still be written to (HAZARDS 23).
const YOUNG: i64 = 2_000_000_000;

/// What the Maildir shows of one folder.
#[derive(Debug, Default)]
pub struct LocalLook {
    /// The directory's times before the scan; what a cursor may be made from.
    pub stamp: Option<Stamp>,
    /// It was read; otherwise its times say that nothing has changed.
    pub scanned: bool,
    /// Rows whose file is gone, confirmed or not.
    pub missing: Vec<RowId>,
    /// Rows whose file looks different now.
    pub changed: BTreeMap<RowId, LocalNow>,
    /// Files without a row.
    pub unknown: Vec<(Place, u64)>,
    /// The folder's keyword letters.
    pub keywords: Keywords,
    /// The folder was put back from an older copy.
    pub restored: bool,
    /// Something could not be settled in this look: the times are not recorded.
    pub unsettled: bool,
    /// Files that are no mail.
    pub foreign: u32,
    /// Some files share their unique part.
    pub twins: bool,
}

/// The times as the state keeps them.
#[must_use]
pub fn stamp_bytes(stamp: &Stamp) -> Vec<u8> {
    let keywords = stamp.keywords.unwrap_or_default();
    let has = u8::from(stamp.keywords.is_some());
    let mut out = vec![has];
    for number in [stamp.cur.inode, stamp.new.inode, keywords.inode, keywords.size] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let times = [stamp.cur.mtime_ns, stamp.cur.ctime_ns, stamp.new.mtime_ns, stamp.new.ctime_ns, keywords.mtime_ns];
    for number in times.into_iter().chain([stamp.cur.born_ns, stamp.new.born_ns]) {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out
}

/// The inverse of [`stamp_bytes`].
#[must_use]
pub fn stamp_of(bytes: &[u8]) -> Option<Stamp> {
    let (has, rest) = bytes.split_first()?;
    let mut words = rest.chunks_exact(8).filter_map(|c| c.try_into().ok()).map(u64::from_be_bytes);
    let mut next = || words.next();
    let (cur_inode, new_inode, kw_inode, kw_size) = (next()?, next()?, next()?, next()?);
    let mut time = || next().map(u64::cast_signed);
    let mut result = Stamp::default();
    (result.cur.inode, result.new.inode) = (cur_inode, new_inode);
    (result.cur.mtime_ns, result.cur.ctime_ns) = (time()?, time()?);
    (result.new.mtime_ns, result.new.ctime_ns) = (time()?, time()?);
    let mtime_ns = time()?;
    (result.cur.born_ns, result.new.born_ns) = (time()?, time()?);
    if *has == 1 {
        result.keywords = Some(maildir::FileStamp { inode: kw_inode, size: kw_size, mtime_ns });
    }
    Some(result)
}

/// Only the inodes, by which a restored folder is known: the next run scans.
#[must_use]
pub fn unsettled(stamp: &Stamp) -> Stamp {
    let mut result = Stamp::default();
    (result.cur.inode, result.new.inode) = (stamp.cur.inode, stamp.new.inode);
    (result.cur.born_ns, result.new.born_ns) = (stamp.cur.born_ns, stamp.new.born_ns);
    result
}

/// Looks at a folder. With `force` whatever its times say.
///
/// # Errors
/// Those of the scan: what cannot be read is never taken for empty.
pub fn local(
    engine: &Engine<'_>,
    folder: &Folder,
    known: impl FnOnce() -> Result<Known, Error>,
    force: bool,
) -> Result<(LocalLook, Option<Known>), Error> {
    let now = stamp(&folder.dir)?;
    let before = folder.base.stamp.as_deref().and_then(stamp_of);
    if !force && engine.file_system.shortcuts_allowed && before == Some(now) {
        let look = LocalLook { stamp: Some(now), keywords: Keywords::load(&folder.dir)?, ..LocalLook::default() };
        return Ok((look, None));
    }
    let known = known()?;
    let restored = before.is_some_and(|before| now.is_restored_since(&before));
    let mut look = look_again(folder, &known)?;
    if look.twins && !engine.job.options.dry_run {
        part_twins(folder, &known)?;
        look = look_again(folder, &known)?;
    }
    look.restored = restored;
    if force && !engine.job.options.dry_run && drop_torn(engine, folder, &known)? {
        // What is missing now is fetched again.
        look = look_again(folder, &known)?;
        look.restored = true;
    }
    Ok((look, Some(known)))
}

/// A known file of length 0 is damage (HAZARDS 8): it is told of and removed, so that its message is fetched again.
fn drop_torn(engine: &Engine<'_>, folder: &Folder, known: &Known) -> Result<bool, Error> {
    let mut touched = Touched::new();
    let mut torn = 0;
    for entry in scan(&folder.dir)?.entries {
        let path = folder.dir.path_of(&entry.place);
        let empty = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() == 0);
        if empty && known.has_file(&entry.place.to_bytes()) {
            torn += u32::from(touched.drop_copy(&folder.dir, &entry.place)?);
        }
    }
    touched.sync()?;
    if torn > 0 {
        let text = format!("{torn} message files were empty (a disk that was full, or failed): they are fetched again");
        engine.warn(Some(&folder.name), text, None);
    }
    Ok(torn > 0)
}

/// Two files of one unique part (HAZARDS 23): what a mail reader is renaming right now is gone at a second look. Of two that stay,
/// equal ones are one message, with the flags of both; otherwise the second gets a name of its own. The file that a row knows under its
/// whole name is the first.
fn part_twins(folder: &Folder, known: &Known) -> Result<(), Error> {
    let found = scan(&folder.dir)?;
    if found.twins.is_empty() || !found.steady {
        return Ok(());
    }
    let keywords = Keywords::load(&folder.dir)?;
    let mut touched = Touched::new();
    for group in &found.twins {
        let mut entries: Vec<_> = group.iter().filter_map(|&i| found.entries.get(i)).collect();
        entries.sort_by_key(|entry| !known.has_place(&entry.place.to_bytes()));
        let mut entries = entries.into_iter();
        let Some(first) = entries.next() else { continue };
        let mut place = first.place.clone();
        for other in entries {
            let (Ok(ours), Ok(theirs)) = (read::content(&folder.dir, &place), read::content(&folder.dir, &other.place))
            else {
                continue;
            };
            if ours.digest == theirs.digest {
                let flags = |p: &Place| keywords.flags_of(&p.name).unwrap_or_default();
                let (letters, _) = keywords.letters_over(&place.letters(), &flags(&place).union(&flags(&other.place)));
                touched.drop_copy(&folder.dir, &other.place)?;
                place = touched.set_letters(&folder.dir, &place, &letters)?;
            } else {
                touched.set_unique(&folder.dir, &other.place, &deliver::fresh_unique())?;
            }
        }
    }
    Ok(touched.sync()?)
}

fn look_again(folder: &Folder, known: &Known) -> Result<LocalLook, Error> {
    let found = scan(&folder.dir)?;
    let mut keywords = Keywords::load(&folder.dir)?;
    let places: Vec<Vec<u8>> = found.entries.iter().map(|e| e.place.to_bytes()).collect();
    let flags_of = |place: &Place| -> Option<Flags> { keywords.flags_of(&place.name) };
    let delta: LocalDelta = compare::local(
        known,
        found
            .entries
            .iter()
            .zip(&places)
            .map(|(entry, bytes)| Seen { place: bytes, flags: flags_of(&entry.place).as_ref().map(flags_key) }),
    );
    let mut look =
        LocalLook { stamp: Some(found.stamp), scanned: true, foreign: found.foreign, ..LocalLook::default() };
    look.twins = !found.twins.is_empty();
    look.unsettled = !found.steady || look.twins;
    let mut letters = 0;
    for (row, index) in delta.changed {
        let Some(entry) = found.entries.get(index) else { continue };
        // A name without flags says nothing about them: the row's flags stand (HAZARDS 6); see `view`.
        let flags = flags_of(&entry.place).unwrap_or_default();
        look.changed.insert(row, LocalNow { place: entry.place.to_bytes(), inode: entry.inode, flags });
    }
    let twins: Vec<usize> = found.twins.iter().flat_map(|group| group.iter().copied()).collect();
    for index in delta.unknown {
        let Some(entry) = found.entries.get(index) else { continue };
        // The second file of one name is what a reader is renaming now, or a copy: it waits.
        let doubled = twins.contains(&index) && known.briefs().next().is_some();
        if !doubled {
            look.unknown.push((entry.place.clone(), entry.inode));
        }
    }
    for entry in &found.entries {
        letters |= keywords.unnamed(&entry.place.letters());
    }
    keywords.reserve(letters);
    look.missing = delta.missing.into_iter().collect();
    look.keywords = keywords;
    Ok(look)
}

/// The second look (HAZARDS 12, 13): `missing` is believed only if the folder had been still for longer than its file system's clock
/// is coarse when it began, and nothing was renamed in it since the first: then any rename while it was read would have shown.
///
/// # Errors
/// Those of the scan.
pub fn confirm(
    engine: &Engine<'_>,
    folder: &Folder,
    look: &mut LocalLook,
    known: &Known,
    now_ns: i64,
) -> Result<(), Error> {
    let first = std::mem::take(&mut look.missing);
    let (restored, foreign) = (look.restored, look.foreign);
    let mut again = look_again(folder, known)?;
    again.restored = restored;
    again.foreign = foreign;
    // A time in the future (a clock that jumped) proves as much as one long past: the next change would replace it.
    let apart = |time: i64| now_ns.abs_diff(time) > engine.file_system.grain_ns().unsigned_abs();
    let still = again.stamp.is_some_and(|s| apart(s.cur.mtime_ns) && apart(s.new.mtime_ns));
    if still && !again.unsettled {
        again.missing.retain(|row| first.contains(row));
    } else {
        again.missing.clear();
        again.unsettled = true;
    }
    if !engine.file_system.shortcuts_allowed && !again.missing.is_empty() {
        // On a file system whose listings may be stale a later run confirms.
        again.unsettled = true;
    }
    *look = again;
    Ok(())
}

/// How long to wait until all of `stamps` are old enough to prove something, in nanoseconds; at most five seconds.
#[must_use]
pub fn wait_for(stamps: impl Iterator<Item = Stamp>, now_ns: i64, grain_ns: i64) -> i64 {
    let latest = stamps.map(|s| s.entries_ns()).filter(|&t| t <= now_ns).max().unwrap_or(i64::MIN);
    latest.saturating_add(grain_ns + 20_000_000).saturating_sub(now_ns).clamp(0, 5_000_000_000)
}

/// Reads unknown files through. Those that are empty, still changing or unreadable are left out; `failed` tells of the latter.
///
/// # Errors
/// None of a single file.
pub fn read_unknown(
    dir: &FolderDir,
    look: &mut LocalLook,
    clock: Clock,
    mut failed: impl FnMut(&maildir::Error),
) -> Vec<LocalNew> {
    let mut out = Vec::new();
    for (place, inode) in std::mem::take(&mut look.unknown) {
        let opened = read::open(dir, &place);
        let message = match opened {
            Ok(message) => message,
            // An empty file is no message.
            Err(maildir::Error::Empty { .. }) => {
                look.foreign = look.foreign.saturating_add(1);
                continue;
            }
            Err(error) => {
                look.unsettled = true;
                if !error.is_absence() {
                    failed(&error);
                }
                continue;
            }
        };
        // A message that may still be written to is none yet (HAZARDS 23).
        if clock.until_settled(message.mtime_ns, message.ctime_ns) > 0 {
            look.unsettled = true;
            look.unknown.push((place, inode));
            continue;
        }
        let content = match read::content(dir, &place) {
            Ok(content) => content,
            Err(error) => {
                look.unsettled = true;
                if !error.is_absence() && error.kind() == crate::severity::Kind::Disk {
                    failed(&error);
                }
                continue;
            }
        };
        let flags = look.keywords.flags_of(&place.name).unwrap_or_default();
        out.push(LocalNew { place: place.to_bytes(), inode, flags, content, date: Some(message.mtime), row: None });
    }
    out
}

/// How long, in nanoseconds, until all unknown files may be read; at most two seconds.
#[must_use]
pub fn wait_for_files(folder: &FolderDir, look: &LocalLook, clock: Clock) -> i64 {
    let opened = look.unknown.iter().filter_map(|(place, _)| read::open(folder, place).ok());
    let waits = opened.map(|message| clock.until_settled(message.mtime_ns, message.ctime_ns));
    waits.filter(|wait| *wait > 0).max().map_or(0, |wait| wait + 20_000_000)
}

/// A file system's clock, all in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// What it says now.
    pub now: i64,
    /// How coarse it is, with a margin.
    pub grain: i64,
}

impl Clock {
    /// How long until a file of these times may be taken for whole (HAZARDS 23); 0 if it may now.
    ///
    /// A write sets both times to the same moment. Where the second is later something else came last, and that is the rename
    /// from `tmp` (or the times set at the end of a copy): such a file is done once a moment that the clock can tell apart
    /// has passed without another write. Who writes where mail is read gets the full two seconds.
    fn until_settled(self, mtime: i64, ctime: i64) -> i64 {
        let quiet = if ctime > mtime { self.grain.min(YOUNG) } else { YOUNG };
        let age = self.now - mtime;
        if (0..quiet).contains(&age) { quiet - age } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazard_23_only_a_file_that_was_renamed_after_its_last_write_is_whole_at_once() {
        const MS: i64 = 1_000_000;
        let wait = |grain, age, renamed_after| {
            let clock = Clock { now: 5_000 * MS, grain: grain * MS };
            let mtime = clock.now - age * MS;
            clock.until_settled(mtime, mtime + renamed_after * MS) / MS
        };
        assert_eq!([wait(100, 500, 0), wait(100, 1999, 0), wait(100, 2000, 0)], [1500, 1, 0], "written in place");
        assert_eq!([wait(100, 30, 4), wait(100, 99, 1), wait(100, 100, 1)], [70, 1, 0], "delivered");
        assert_eq!([wait(2000, 500, 4), wait(2000, 2000, 4)], [1500, 0], "a clock that counts in seconds");
        assert_eq!(wait(100, -10, 0), 0, "a time to come says nothing");
    }
}
