//! One look at a folder: every message file with its inode, and nothing opened.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use rustix::fs::FileType;

use super::error::Error;
use super::handle;
use super::layout::FolderDir;
use super::listing;
use super::name::{FileName, Place, Sub};
use super::stamp::{Stamp, stamp};

/// A message file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub place: Place,
    /// Its inode, which nominates and proves nothing.
    pub inode: u64,
}

/// What a look at a folder saw.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// The messages, in no order. One that a mail reader moved from `new` to `cur` meanwhile stands in it once.
    pub entries: Vec<Entry>,
    /// The folder's figures before the look: what a cursor is made from.
    pub stamp: Stamp,
    /// Whether the figures were the same afterwards: otherwise `readdir` may have missed a file.
    pub steady: bool,
    /// Links, directories and special files among the messages: not mail.
    pub foreign: u32,
    /// Indexes into `entries` of those that share their unique part with others, as groups of two and more.
    pub twins: Vec<Vec<usize>>,
}

/// Looks at a folder. Dot files are nobody's; whatever cannot be read fails the folder, since what is not seen would
/// be taken for deleted.
///
/// # Errors
/// [`Error::Missing`], [`Error::Foreign`] or [`Error::Io`].
pub fn scan(folder: &FolderDir) -> Result<Scan, Error> {
    let dir = folder.open()?;
    let before = stamp(folder)?;
    let mut scan = Scan { stamp: before, ..Scan::default() };
    // `new` first: what a mail reader moves to `cur` meanwhile is seen twice rather than not at all.
    for sub in [Sub::New, Sub::Cur] {
        let path = folder.path.join(sub.as_str());
        let open = handle::open_dir_at(&dir, Path::new(sub.as_str()), &path)?;
        listing::each(&open, &path, &mut |name, kind, inode| {
            if name.first() == Some(&b'.') {
                return Ok(());
            }
            match (kind, FileName::new(name)) {
                (FileType::RegularFile, Some(name)) => scan.entries.push(Entry { place: Place { sub, name }, inode }),
                _ => scan.foreign = scan.foreign.saturating_add(1),
            }
            Ok(())
        })?;
    }
    scan.steady = stamp(folder)? == before;
    settle_twins(&mut scan);
    Ok(scan)
}

/// Finds entries with one unique part. Those with one inode, too, are one file seen under two names: the last one stays.
fn settle_twins(scan: &mut Scan) {
    let hasher = RandomState::new();
    let mut hashes: Vec<(u64, usize)> =
        scan.entries.iter().enumerate().map(|(i, e)| (hasher.hash_one(e.place.name.unique()), i)).collect();
    hashes.sort_unstable();
    let suspects: Vec<usize> =
        hashes.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1).flatten().map(|&(_, i)| i).collect();
    if suspects.is_empty() {
        return;
    }
    let mut seen: HashMap<(Vec<u8>, u64), usize> = HashMap::new();
    let mut stale = Vec::new();
    for &i in &suspects {
        let Some(entry) = scan.entries.get(i) else { continue };
        if let Some(earlier) = seen.insert((entry.place.name.unique().to_vec(), entry.inode), i) {
            stale.push(earlier);
        }
    }
    stale.sort_unstable();
    let mut index = 0;
    scan.entries.retain(|_| {
        index += 1;
        stale.binary_search(&(index - 1)).is_err()
    });
    let mut groups: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
    for (i, entry) in scan.entries.iter().enumerate() {
        if seen.contains_key(&(entry.place.name.unique().to_vec(), entry.inode)) {
            groups.entry(entry.place.name.unique().to_vec()).or_default().push(i);
        }
    }
    scan.twins = groups.into_values().filter(|group| group.len() > 1).collect();
    scan.twins.sort();
}
