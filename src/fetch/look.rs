//! Looking through the Maildir: by name after a run that was cut off, by content for `--all`.

use std::collections::{HashMap, HashSet};

use crate::mail::{Digest, FolderName};
use crate::maildir::{FolderDir, Layout, Place, scan};

use super::desk::digest_of;
use super::job::Error;

/// Files by the unique part of their name, whatever their flags, in every folder.
pub struct Strays {
    by_name: HashMap<Vec<u8>, (FolderName, FolderDir, Place)>,
}

impl Strays {
    /// Scans all folders.
    ///
    /// # Errors
    /// When one cannot be read: then nothing is known about what is there.
    pub fn find(layout: &Layout) -> Result<Self, Error> {
        let mut by_name = HashMap::new();
        for found in layout.discover()?.folders {
            for entry in scan(&found.dir)?.entries {
                let unique = entry.place.name.unique().to_vec();
                by_name.insert(unique, (found.name.clone(), found.dir.clone(), entry.place));
            }
        }
        Ok(Self { by_name })
    }

    /// The file of this name, whatever it holds: its folder, and where it is.
    pub fn get(&self, unique: &[u8]) -> Option<(&FolderDir, &Place)> {
        self.by_name.get(unique).map(|(_, dir, place)| (dir, place))
    }

    /// The folder that holds a file of this name with this content.
    pub fn take(&mut self, unique: &[u8], digest: Digest) -> Option<FolderName> {
        let (_, dir, place) = self.by_name.get(unique)?;
        if digest_of(dir, place) != Some(digest) {
            return None;
        }
        self.by_name.remove(unique).map(|(folder, _, _)| folder)
    }
}

/// The contents of all messages of the Maildir. A file that goes while we look is not there.
///
/// # Errors
/// When a folder cannot be read.
pub fn contents(layout: &Layout) -> Result<HashSet<Digest>, Error> {
    let mut all = HashSet::new();
    for found in layout.discover()?.folders {
        all.extend(scan(&found.dir)?.entries.iter().filter_map(|entry| digest_of(&found.dir, &entry.place)));
    }
    Ok(all)
}
