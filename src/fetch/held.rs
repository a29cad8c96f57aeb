//! The messages that are here already and that no fetched message stands for: what arrives with the content of one is that one.
//! So a memory that was lost, or another memory's Maildir, doubles nothing. Each file is used up once: equal messages stay as many as
//! they are.

use std::collections::{HashMap, HashSet};

use crate::mail::{Digest, FolderName};
use crate::maildir::{FolderDir, Layout, Place, read, scan};
use crate::state::files::Files;

use super::desk::digest_of;
use super::job::Error;

struct File {
    folder: FolderName,
    dir: FolderDir,
    place: Place,
}

/// Files by content.
#[derive(Default)]
pub struct Held {
    free: HashMap<Digest, Vec<File>>,
    /// Folders that the server has too: each is fetched for itself, and only its own arrivals are looked for in it.
    shared: HashSet<FolderName>,
    /// Whether files were read whose content no memory knows.
    pub complete: bool,
}

impl Held {
    /// Looks through all folders. Contents come from the memories; `complete`: what they do not know is read. `shared`: folders
    /// that receive mail of their own.
    ///
    /// # Errors
    /// When a folder cannot be read: then nothing is known about what is there.
    pub fn find(layout: &Layout, files: Files, shared: HashSet<FolderName>, complete: bool) -> Result<Self, Error> {
        let mut held = Self { free: HashMap::new(), shared, complete };
        let mut known = files.delivered;
        for (name, digest) in files.synced {
            if let Some(place) = Place::from_bytes(&name) {
                known.insert(place.name.unique().to_vec(), digest);
            }
        }
        if known.is_empty() && !complete {
            return Ok(held);
        }
        for found in layout.discover()?.folders {
            let entries = match scan(&found.dir) {
                Ok(scan) => scan.entries,
                // A directory of it is missing: it is made when something arrives.
                Err(_) if !found.complete => continue,
                Err(error) => return Err(error.into()),
            };
            for entry in entries {
                let unique = entry.place.name.unique();
                if files.claimed.contains(unique) {
                    continue;
                }
                let digest = match known.get(unique) {
                    Some(digest) => Some(*digest),
                    None if complete => digest_of(&found.dir, &entry.place),
                    None => None,
                };
                if let Some(digest) = digest {
                    let file = File { folder: found.name.clone(), dir: found.dir.clone(), place: entry.place };
                    held.free.entry(digest).or_default().push(file);
                }
            }
        }
        for digest in files.claimed_contents {
            held.free.get_mut(&digest).and_then(Vec::pop);
        }
        Ok(held)
    }

    /// The headers of what is here for `folder`.
    pub fn headers<'h>(&'h self, folder: &'h FolderName) -> impl Iterator<Item = Digest> + 'h {
        let files = self.free.values().flatten();
        let files = files.filter(move |file| file.folder == *folder || !self.shared.contains(&file.folder));
        files.filter_map(|file| read::header(&file.dir, &file.place).ok().map(|content| content.header))
    }

    /// A message of this content, for `folder`: where it is, and the unique part of its name. It is read again before it is believed.
    pub fn take(&mut self, digest: Digest, folder: &FolderName) -> Option<(FolderName, Vec<u8>)> {
        let files = self.free.get_mut(&digest)?;
        loop {
            let own = files.iter().position(|file| file.folder == *folder);
            let elsewhere = || files.iter().position(|file| !self.shared.contains(&file.folder));
            let file = files.swap_remove(own.or_else(elsewhere)?);
            if digest_of(&file.dir, &file.place) == Some(digest) {
                return Some((file.folder, file.place.name.unique().to_vec()));
            }
        }
    }
}
