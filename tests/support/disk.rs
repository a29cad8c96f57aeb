//! What a disk may hold after a power cut: everything that was made durable, and any part of the rest.
//!
//! A run is recorded as the changes that it makes to a tree, some of which are "sync this". At any moment a change is durable if a sync
//! of its file, its directory or everything came after it. The others may each have reached the disk or not: data without the name,
//! the name without the data, a part of a write. A rename is on the disk as a whole or not at all, as every journal guarantees.

use super::corpus::Rng;
use super::shelf::{Node, Tree};
use super::strace::Call;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The calls to record.
pub const CALLS: &str = "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,rename,renameat,\
    renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,mkdir,mkdirat,fsync,fdatasync,sync,syncfs,sync_file_range,utimensat,\
    copy_file_range,sendfile";

/// Inodes that the recorded run made and that were gone at its end have numbers from here on.
const UNKNOWN: u64 = 1 << 60;

/// The root of the tree.
const ROOT: u64 = 0;

#[derive(Clone, Debug)]
enum Change {
    Write {
        inode: u64,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        inode: u64,
        length: usize,
    },
    Time {
        inode: u64,
        time: SystemTime,
    },
    Enter {
        dir: u64,
        name: OsString,
        inode: u64,
        is_dir: bool,
    },
    /// `after`: the change that gave the new name, if it was a rename.
    Leave {
        dir: u64,
        name: OsString,
        after: Option<usize>,
    },
    Sync {
        inode: u64,
    },
    SyncAll,
}

/// How much of what is not durable is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// All of it.
    Nothing,
    /// None of it.
    Everything,
    /// Names, without the data.
    Data,
    /// Names and lengths; where the data should be there are zeros.
    Zeros,
    /// Data, without the names.
    Names,
    /// Some, by this seed.
    Random(u64),
}

/// What becomes of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fate {
    Kept,
    Gone,
    Zeroed,
    /// Only so many bytes of a write.
    Torn(usize),
}

/// A recorded run.
pub struct Recording {
    base: Tree,
    changes: Vec<Change>,
    times: Vec<SystemTime>,
}

impl Recording {
    /// From the calls of a run that began with `base` and ended with `after` below `root`.
    ///
    /// # Panics
    /// If the calls are not understood or do not lead from the one to the other.
    pub fn new(root: &Path, base: Tree, calls: &[Call], after: &Tree) -> Self {
        let mut reader = Reader {
            root,
            nodes: base.iter().map(|(p, n)| (p.clone(), (n.inode(), matches!(n, Node::Dir(_))))).collect(),
            changes: Vec::new(),
            times: Vec::new(),
            next: UNKNOWN,
        };
        for call in calls.iter().filter(|c| c.result >= 0) {
            reader.read(call);
        }
        let named: BTreeMap<u64, u64> =
            reader.nodes.iter().filter_map(|(p, (inode, _))| Some((*inode, after.get(p)?.inode()))).collect();
        let mut recording = Self { base, changes: reader.changes, times: reader.times };
        recording.rename_inodes(&named);
        let end = recording.image(recording.len() - 1, Loss::Nothing);
        for (path, node) in after {
            let shared_memory = path.to_string_lossy().ends_with("-shm");
            let same = match (node, end.get(path)) {
                (Node::File { bytes, .. }, Some(Node::File { bytes: ours, .. })) => bytes == ours || shared_memory,
                (Node::Dir(inode), Some(Node::Dir(ours))) => inode == ours,
                _ => false,
            };
            assert!(same, "{} is not as the record says", path.display());
        }
        assert_eq!(end.len(), after.len(), "the record leaves other files");
        recording
    }

    fn rename_inodes(&mut self, named: &BTreeMap<u64, u64>) {
        for change in &mut self.changes {
            for number in match change {
                Change::Write { inode, .. } | Change::Truncate { inode, .. } | Change::Time { inode, .. } => {
                    vec![inode]
                }
                Change::Enter { dir, inode, .. } => vec![dir, inode],
                Change::Leave { dir, .. } => vec![dir],
                Change::Sync { inode } => vec![inode],
                Change::SyncAll => vec![],
            } {
                *number = named.get(number).copied().unwrap_or(*number);
            }
        }
    }

    /// The same on a disk that makes nothing durable, whatever it answers.
    pub fn on_a_lying_disk(&self) -> Self {
        let mut changes = self.changes.clone();
        for change in &mut changes {
            if matches!(change, Change::Sync { .. } | Change::SyncAll) {
                *change = Change::Sync { inode: u64::MAX };
            }
        }
        Self { base: self.base.clone(), changes, times: self.times.clone() }
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether the power can go right after a change: not in the middle of a rename.
    pub fn is_moment(&self, change: usize) -> bool {
        !matches!(self.changes.get(change + 1), Some(Change::Leave { after: Some(_), .. }))
    }

    /// When a change was made; long after the last one for those behind it.
    pub fn time(&self, change: usize) -> SystemTime {
        self.times.get(change).copied().unwrap_or(SystemTime::now() + Duration::from_secs(60))
    }

    /// Whether the changes up to `last` are durable.
    fn durable(&self, last: usize) -> Vec<bool> {
        let mut durable = vec![false; last + 1];
        for (at, change) in self.changes[..=last].iter().enumerate() {
            let synced = if let Change::Sync { inode } = change { Some(*inode) } else { None };
            if synced.is_none() && !matches!(change, Change::SyncAll) {
                continue;
            }
            for before in 0..at {
                let of = match &self.changes[before] {
                    Change::Write { inode, .. } | Change::Truncate { inode, .. } | Change::Time { inode, .. } => *inode,
                    Change::Enter { dir, .. } | Change::Leave { dir, .. } => *dir,
                    Change::Sync { .. } | Change::SyncAll => continue,
                };
                if synced.is_none_or(|inode| inode == of) {
                    durable[before] = true;
                    if let Change::Leave { after: Some(entered), .. } = self.changes[before] {
                        durable[entered] = true;
                    }
                }
            }
        }
        for (at, change) in self.changes[..=last].iter().enumerate() {
            if let Change::Leave { after: Some(entered), .. } = change {
                durable[at] = durable[*entered];
            }
        }
        durable
    }

    fn fates(&self, last: usize, loss: Loss) -> Vec<Fate> {
        let mut rng = Rng::new(if let Loss::Random(seed) = loss { seed ^ (last as u64) << 20 } else { 0 });
        let percent = [20, 50, 80][rng.below(3)];
        let mut fates = Vec::with_capacity(last + 1);
        for (durable, change) in self.durable(last).into_iter().zip(&self.changes) {
            let is_name = matches!(change, Change::Enter { .. } | Change::Leave { .. });
            let is_write = matches!(change, Change::Write { .. });
            let fate = match loss {
                _ if durable => Fate::Kept,
                _ if matches!(change, Change::Sync { .. } | Change::SyncAll) => Fate::Kept,
                Loss::Nothing => Fate::Kept,
                Loss::Everything => Fate::Gone,
                Loss::Data => {
                    if is_name {
                        Fate::Kept
                    } else {
                        Fate::Gone
                    }
                }
                Loss::Zeros => {
                    if is_write {
                        Fate::Zeroed
                    } else {
                        Fate::Kept
                    }
                }
                Loss::Names => {
                    if is_name {
                        Fate::Gone
                    } else {
                        Fate::Kept
                    }
                }
                Loss::Random(_) => match (rng.chance(percent), change) {
                    (true, Change::Write { bytes, .. }) if rng.chance(15) => Fate::Torn(rng.below(bytes.len())),
                    (true, _) => Fate::Kept,
                    (false, _) if is_write && rng.chance(15) => Fate::Zeroed,
                    (false, _) => Fate::Gone,
                },
            };
            let entered = if let Change::Leave { after, .. } = change { *after } else { None };
            let fate = entered.and_then(|at| fates.get(at).copied()).unwrap_or(fate);
            fates.push(fate);
        }
        fates
    }

    /// What tells an image from others of this recording: two of equal keys are equal.
    pub fn key(&self, last: usize, loss: Loss) -> Vec<(usize, u64)> {
        let number = |fate: &Fate| match fate {
            Fate::Kept => 0,
            Fate::Gone => u64::MAX,
            Fate::Zeroed => u64::MAX - 1,
            Fate::Torn(length) => 1 + *length as u64,
        };
        let fates = self.fates(last, loss);
        let counts = |(at, fate): &(usize, &Fate)| {
            **fate != Fate::Gone && !matches!(self.changes[*at], Change::Sync { .. } | Change::SyncAll)
        };
        fates.iter().enumerate().filter(counts).map(|(at, fate)| (at, number(fate))).collect()
    }

    /// The tree when the power goes right after change `last`.
    pub fn image(&self, last: usize, loss: Loss) -> Tree {
        let mut disk = Disk::new(&self.base);
        for (fate, change) in self.fates(last, loss).into_iter().zip(&self.changes) {
            disk.apply(change, fate);
        }
        let mut tree = Tree::new();
        disk.reach(ROOT, Path::new(""), &mut tree);
        tree
    }
}

/// Names and contents by inode.
struct Disk {
    entries: BTreeMap<(u64, OsString), (u64, bool)>,
    files: BTreeMap<u64, (Arc<Vec<u8>>, SystemTime)>,
}

impl Disk {
    fn new(tree: &Tree) -> Self {
        let mut disk = Self { entries: BTreeMap::new(), files: BTreeMap::new() };
        for (path, node) in tree {
            let parent = path.parent().and_then(|p| tree.get(p)).map_or(ROOT, Node::inode);
            let name = path.file_name().expect("a name").to_owned();
            disk.entries.insert((parent, name), (node.inode(), matches!(node, Node::Dir(_))));
            if let Node::File { inode, bytes, time } = node {
                disk.files.insert(*inode, (bytes.clone(), *time));
            }
        }
        disk
    }

    fn file(&mut self, inode: u64) -> &mut (Arc<Vec<u8>>, SystemTime) {
        self.files.entry(inode).or_insert_with(|| (Arc::default(), SystemTime::now()))
    }

    fn apply(&mut self, change: &Change, fate: Fate) {
        if fate == Fate::Gone {
            return;
        }
        match change {
            Change::Write { inode, at, bytes } => {
                let zeros = vec![0; bytes.len()];
                let bytes: &[u8] = match fate {
                    Fate::Zeroed => &zeros,
                    Fate::Torn(length) => &bytes[..length],
                    Fate::Kept | Fate::Gone => bytes,
                };
                let held = Arc::make_mut(&mut self.file(*inode).0);
                if held.len() < at + bytes.len() {
                    held.resize(at + bytes.len(), 0);
                }
                held[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Truncate { inode, length } => Arc::make_mut(&mut self.file(*inode).0).resize(*length, 0),
            Change::Time { inode, time } => self.file(*inode).1 = *time,
            Change::Enter { dir, name, inode, is_dir } => {
                self.entries.insert((*dir, name.clone()), (*inode, *is_dir));
            }
            Change::Leave { dir, name, .. } => _ = self.entries.remove(&(*dir, name.clone())),
            Change::Sync { .. } | Change::SyncAll => {}
        }
    }

    fn reach(&mut self, dir: u64, path: &Path, tree: &mut Tree) {
        let first = (dir, OsString::new());
        let inside: Vec<_> = self
            .entries
            .range(first..)
            .take_while(|((d, _), _)| *d == dir)
            .map(|((_, name), node)| (path.join(name), *node))
            .collect();
        for (path, (inode, is_dir)) in inside {
            if is_dir {
                tree.insert(path.clone(), Node::Dir(inode));
                self.reach(inode, &path, tree);
            } else {
                let (bytes, time) = self.file(inode).clone();
                tree.insert(path, Node::File { inode, bytes, time });
            }
        }
    }
}

/// Turns calls into changes.
struct Reader<'a> {
    root: &'a Path,
    /// The tree as the program sees it.
    nodes: BTreeMap<PathBuf, (u64, bool)>,
    changes: Vec<Change>,
    times: Vec<SystemTime>,
    next: u64,
}

impl Reader<'_> {
    fn push(&mut self, call: &Call, change: Change) -> usize {
        self.changes.push(change);
        self.times.push(call.time);
        self.changes.len() - 1
    }

    /// The path below the root; none for what is elsewhere.
    fn below(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(self.root).ok().filter(|p| !p.as_os_str().is_empty()).map(Path::to_owned)
    }

    fn inode(&self, path: &Path) -> Option<u64> {
        if path == self.root {
            return Some(ROOT);
        }
        Some(self.nodes.get(&self.below(path)?)?.0)
    }

    fn entry(&self, path: &Path) -> (u64, OsString) {
        let parent = path.parent().and_then(|p| self.nodes.get(p)).map_or(ROOT, |n| n.0);
        (parent, path.file_name().expect("a name").to_owned())
    }

    fn enter(&mut self, call: &Call, path: PathBuf, node: (u64, bool)) -> usize {
        let (dir, name) = self.entry(&path);
        self.nodes.insert(path, node);
        self.push(call, Change::Enter { dir, name, inode: node.0, is_dir: node.1 })
    }

    fn make(&mut self, call: &Call, path: PathBuf, is_dir: bool) {
        self.next += 1;
        self.enter(call, path, (self.next, is_dir));
    }

    fn leave(&mut self, call: &Call, path: &Path, after: Option<usize>) {
        let (dir, name) = self.entry(path);
        self.nodes.remove(path);
        self.push(call, Change::Leave { dir, name, after });
    }

    fn read(&mut self, call: &Call) {
        let file = || call.descriptor(0).and_then(|path| self.inode(&path));
        match call.name.as_str() {
            "open" => self.open(call, call.path(None, 0), 1),
            "openat" => self.open(call, call.path(Some(0), 1), 2),
            "write" => {
                if let Some(inode) = file() {
                    // Whoever writes without a place appends, all through the program.
                    let at = self.length(inode);
                    self.push(call, Change::Write { inode, at, bytes: call.bytes(1) });
                }
            }
            "pwrite64" => {
                if let Some(inode) = file() {
                    let at = usize::try_from(call.number(3)).expect("a place");
                    self.push(call, Change::Write { inode, at, bytes: call.bytes(1) });
                }
            }
            "ftruncate" => {
                if let Some(inode) = file() {
                    let length = usize::try_from(call.number(1)).expect("a length");
                    self.push(call, Change::Truncate { inode, length });
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(inode) = file() {
                    self.push(call, Change::Sync { inode });
                }
            }
            "sync" | "syncfs" => _ = self.push(call, Change::SyncAll),
            "mkdir" => self.make_dir(call, &call.path(None, 0)),
            "mkdirat" => self.make_dir(call, &call.path(Some(0), 1)),
            "rename" => self.rename(call, &call.path(None, 0), &call.path(None, 1)),
            "renameat" | "renameat2" => self.rename(call, &call.path(Some(0), 1), &call.path(Some(2), 3)),
            "unlink" | "rmdir" => self.remove(call, &call.path(None, 0)),
            "unlinkat" => self.remove(call, &call.path(Some(0), 1)),
            "link" => self.link(call, &call.path(None, 0), &call.path(None, 1)),
            "linkat" => self.link(call, &call.path(Some(0), 1), &call.path(Some(2), 3)),
            "utimensat" => self.times(call),
            _ => {
                let touches = call.arguments.iter().any(|a| a.contains(&*self.root.to_string_lossy()));
                assert!(!touches, "{} is not understood: {:?}", call.name, call.arguments);
            }
        }
    }

    fn open(&mut self, call: &Call, path: PathBuf, flags: usize) {
        let (Some(path), Some(flags)) = (self.below(&path), call.arguments.get(flags)) else { return };
        match self.nodes.get(&path) {
            Some((inode, false)) if flags.contains("O_TRUNC") => {
                let inode = *inode;
                self.push(call, Change::Truncate { inode, length: 0 });
            }
            None if flags.contains("O_CREAT") => self.make(call, path, false),
            _ => {}
        }
    }

    fn make_dir(&mut self, call: &Call, path: &Path) {
        if let Some(path) = self.below(path) {
            self.make(call, path, true);
        }
    }

    fn rename(&mut self, call: &Call, from: &Path, to: &Path) {
        let (Some(from), Some(to)) = (self.below(from), self.below(to)) else { return };
        let node = *self.nodes.get(&from).unwrap_or_else(|| panic!("{} is unknown", from.display()));
        assert!(!node.1, "no directory is renamed in these stories");
        let entered = self.enter(call, to, node);
        self.leave(call, &from, Some(entered));
    }

    fn remove(&mut self, call: &Call, path: &Path) {
        if let Some(path) = self.below(path) {
            self.leave(call, &path, None);
        }
    }

    fn link(&mut self, call: &Call, from: &Path, to: &Path) {
        if let (Some(from), Some(to)) = (self.below(from), self.below(to)) {
            let node = *self.nodes.get(&from).unwrap_or_else(|| panic!("{} is unknown", from.display()));
            self.enter(call, to, node);
        }
    }

    /// `utimensat(fd, NULL, [{tv_sec=…, tv_nsec=…}, {tv_sec=…, tv_nsec=…}], 0)`; the second is the one that counts.
    fn times(&mut self, call: &Call) {
        let path = if call.arguments[1] == "NULL" { call.descriptor(0) } else { Some(call.path(Some(0), 1)) };
        let node = path.and_then(|p| self.below(&p)).and_then(|p| self.nodes.get(&p).copied());
        let Some((inode, false)) = node else { return };
        let value = |key: &str| {
            let text = call.arguments[2].rsplit_once(key).map(|(_, t)| t).unwrap_or_default();
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u64>().ok()
        };
        let (Some(seconds), Some(nanos)) = (value("tv_sec="), value("tv_nsec=")) else { return };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        self.push(call, Change::Time { inode, time });
    }

    /// How long the program believes a file to be.
    fn length(&self, of: u64) -> usize {
        let mut length = 0;
        for change in &self.changes {
            if let Change::Write { inode, at, bytes } = change
                && *inode == of
            {
                length = length.max(at + bytes.len());
            } else if let Change::Truncate { inode, length: now } = change
                && *inode == of
            {
                length = *now;
            }
        }
        length
    }
}
