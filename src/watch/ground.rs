//! The Maildir of a watched account: which directories are watched, and what happened in them.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use crate::maildir::notify::Changes;
use crate::maildir::{self, Discovery, Layout, Watch};

/// A Maildir under watch; until there is one, nothing is seen.
pub struct Ground {
    layout: Layout,
    watch: Option<Watch>,
    /// Folders may have come.
    stale: bool,
    /// The system has no watches left; told once, not tried again.
    blind: bool,
}

impl Ground {
    /// Not watched yet.
    #[must_use]
    pub fn new(layout: Layout) -> Self {
        Self { layout, watch: None, stale: true, blind: false }
    }

    /// Readable when something changed.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(Watch::fd)
    }

    /// Whether something changed since it was last asked.
    pub fn changed(&mut self) -> bool {
        self.take().is_some()
    }

    /// What changed since it was last asked.
    pub fn take(&mut self) -> Option<Changes> {
        let changes = self.watch.as_mut()?.take();
        self.stale |= changes.structure || changes.lost;
        (!changes.is_empty()).then_some(changes)
    }

    /// Watches all folders that are there now, and forgets what has changed so far: to be called before the round that
    /// answers it, so that no change falls between. `true`: the watch is new.
    ///
    /// # Errors
    /// When the system refuses: told once; from then on only polls look at the Maildir.
    pub fn prepare(&mut self) -> Result<bool, maildir::Error> {
        self.changed();
        if self.blind || !self.stale || !self.layout.root().is_dir() {
            return Ok(false);
        }
        let result = self.layout.discover().and_then(|found| self.watch_all(&found));
        self.blind = result.is_err();
        if self.blind {
            self.watch = None;
        }
        self.stale = false;
        result
    }

    fn watch_all(&mut self, found: &Discovery) -> Result<bool, maildir::Error> {
        let complete = found.folders.iter().filter(|folder| folder.complete);
        let dirs: Vec<_> = complete.map(|folder| folder.dir.clone()).collect();
        let Some(watch) = self.watch.as_mut() else {
            self.watch = Some(Watch::new(&self.layout, &dirs)?);
            return Ok(true);
        };
        // Also those that were known: one that was away and is back has new directories under its old path.
        for dir in &dirs {
            watch.add(dir)?;
        }
        Ok(false)
    }

    /// The folder directory of a message's path, relative to the root.
    #[must_use]
    pub fn folder_of(path: &Path) -> Option<PathBuf> {
        path.parent()?.parent().map(Path::to_owned)
    }

    /// A folder's directory, relative to the root.
    #[must_use]
    pub fn relative(&self, name: &crate::mail::FolderName) -> Option<PathBuf> {
        let dir = self.layout.dir(name).ok()?;
        dir.path.strip_prefix(self.layout.root()).ok().map(Path::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{LayoutKind, Store};
    use crate::mail::FolderName;
    use crate::mail::lines::LineEndings;
    use std::time::{Duration, Instant};

    fn until_changed(ground: &mut Ground) {
        let end = Instant::now() + Duration::from_secs(20);
        while !ground.changed() {
            assert!(Instant::now() < end);
            super::super::bell::wait(&[ground.fd().unwrap()], Duration::from_secs(1));
        }
    }

    #[test]
    fn folders_that_come_later_are_watched_from_the_next_round_on() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("mail");
        let layout =
            Layout::new(&Store { root: root.clone(), layout: LayoutKind::Nested, line_endings: LineEndings::Lf });
        let mut ground = Ground::new(layout.clone());
        assert!(!ground.prepare().unwrap() && ground.fd().is_none() && !ground.changed());
        std::fs::create_dir(&root).unwrap();
        let inbox = layout.create(&FolderName::inbox()).unwrap();
        assert!(ground.prepare().unwrap());
        assert!(!ground.prepare().unwrap());
        std::fs::write(inbox.path.join("new/a"), "x").unwrap();
        until_changed(&mut ground);
        let lists = layout.create(&FolderName::parse("Lists/rust").unwrap()).unwrap();
        until_changed(&mut ground);
        while ground.stale {
            ground.prepare().unwrap();
        }
        std::fs::write(lists.path.join("cur/a:2,S"), "x").unwrap();
        let end = Instant::now() + Duration::from_secs(20);
        while !ground.watch.as_mut().unwrap().take().folders.contains(&lists.path) {
            assert!(Instant::now() < end);
            super::super::bell::wait(&[ground.fd().unwrap()], Duration::from_secs(1));
        }
        assert_eq!(ground.relative(&FolderName::parse("Lists/rust").unwrap()), Some(PathBuf::from("Lists/rust")));
        assert_eq!(Ground::folder_of(Path::new("Lists/rust/cur/a")), Some(PathBuf::from("Lists/rust")));
    }
}
