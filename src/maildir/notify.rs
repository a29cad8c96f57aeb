//! Noticing changes in a Maildir as they happen, for `watch`.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{CreateKind, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::pipe::{PipeFlags, pipe_with};

use super::error::Error;
use super::keywords;
use super::layout::{FolderDir, Layout};

/// What changed since it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Directories of folders whose messages or keywords changed.
    pub folders: BTreeSet<PathBuf>,
    /// Directories appeared or went: look for folders again, then [`Watch::add`] the new ones.
    pub structure: bool,
    /// The system lost track: look at everything.
    pub lost: bool,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug)]
struct Shared {
    changes: Mutex<(Changes, Vec<PathBuf>)>,
    root: PathBuf,
    state_dir: PathBuf,
    bell: OwnedFd,
}

/// A watch over a Maildir's folders.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    shared: Arc<Shared>,
    ring: OwnedFd,
    root: PathBuf,
}

impl Watch {
    /// Watches the root and these folders. Changes of before are not told: sync once after this.
    ///
    /// # Errors
    /// [`Error::Watch`], mostly because the user has too many watches.
    pub fn new(layout: &Layout, folders: &[FolderDir]) -> Result<Self, Error> {
        let root = layout.root().to_owned();
        let failed = |e: rustix::io::Errno| Error::Watch { path: root.clone(), reason: e.to_string() };
        let (ring, bell) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(failed)?;
        let shared =
            Arc::new(Shared { changes: Mutex::default(), root: root.clone(), state_dir: layout.state_dir(), bell });
        let handler = Arc::clone(&shared);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| handler.take(event))
            .map_err(|e| Error::Watch { path: root.clone(), reason: e.to_string() })?;
        let mut watch = Self { watcher, shared, ring, root };
        watch.watch(&watch.root.clone())?;
        for folder in folders {
            watch.add(folder)?;
        }
        Ok(watch)
    }

    /// Watches one more folder; again is harmless.
    ///
    /// # Errors
    /// [`Error::Watch`].
    pub fn add(&mut self, folder: &FolderDir) -> Result<(), Error> {
        let below = folder.path.strip_prefix(&self.root).unwrap_or(Path::new("")).to_owned();
        let mut path = self.root.clone();
        for part in &below {
            path.push(part);
            self.watch(&path)?;
        }
        self.watch(&folder.path.join("new"))?;
        self.watch(&folder.path.join("cur"))
    }

    fn watch(&mut self, path: &Path) -> Result<(), Error> {
        self.watcher
            .watch(path, RecursiveMode::NonRecursive)
            .map_err(|e| Error::Watch { path: path.to_owned(), reason: e.to_string() })
    }

    /// Readable when something changed: to be polled, never read.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }

    /// What changed since the last call. Our own changes are told, too: call it once more after a sync and drop the answer
    /// only if the folders' stamps say the same.
    pub fn take(&mut self) -> Changes {
        let mut sink = [0; 512];
        while matches!(rustix::io::read(&self.ring, &mut sink), Ok(n) if n > 0) {}
        let (changes, born) = std::mem::take(&mut *self.shared.lock());
        for dir in born {
            // Gone again already, or no directory: nothing to watch. What is in it by now, discovery finds.
            let _ = self.watch(&dir);
        }
        changes
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, (Changes, Vec<PathBuf>)> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: notify::Result<Event>) {
        let mut guard = self.lock();
        let (changes, born) = &mut *guard;
        match event {
            Err(_) => changes.lost = true,
            Ok(event) if event.need_rescan() => changes.lost = true,
            Ok(event) => {
                if !matters(event.kind) {
                    return;
                }
                let folder = matches!(event.kind, EventKind::Create(CreateKind::Folder | CreateKind::Any));
                for path in event.paths {
                    self.sort(&path, changes);
                    if folder && changes.structure && !is_message_dir(&path) {
                        born.push(path);
                    }
                }
            }
        }
        let ring = !changes.is_empty();
        drop(guard);
        if ring {
            // A full pipe rings as well.
            let _ = rustix::io::write(&self.bell, b"x");
        }
    }

    /// Notes what a change of `path` means.
    fn sort(&self, path: &Path, changes: &mut Changes) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        if path == self.state_dir || path.starts_with(&self.state_dir) {
            return;
        }
        match parent.file_name().and_then(|n| n.to_str()) {
            Some("new" | "cur") if parent != self.root => {
                if let Some(folder) = parent.parent() {
                    changes.folders.insert(folder.to_owned());
                }
            }
            _ if name == keywords::FILE => {
                changes.folders.insert(parent.to_owned());
            }
            _ if keywords::FILES.iter().any(|f| name == *f) => {}
            _ => changes.structure = true,
        }
    }
}

fn is_message_dir(path: &Path) -> bool {
    path.file_name().and_then(|n| n.to_str()).is_some_and(|n| matches!(n, "cur" | "new" | "tmp"))
}

/// Whether a kind of event can mean that messages came, went or were renamed: reading and writing in place do not.
fn matters(kind: EventKind) -> bool {
    match kind {
        EventKind::Any | EventKind::Other | EventKind::Create(_) | EventKind::Remove(_) => true,
        EventKind::Modify(kind) => matches!(kind, notify::event::ModifyKind::Name(_) | notify::event::ModifyKind::Any),
        EventKind::Access(_) => false,
    }
}
