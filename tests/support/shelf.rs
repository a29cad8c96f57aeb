//! Puts a directory tree back as it was, every file and directory under its own inode, so that a program which knows its files by
//! inode meets the same ones again. Only times of directories and of changes move on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A directory, by inode.
    Dir(u64),
    /// A file.
    File { inode: u64, bytes: Arc<Vec<u8>>, time: SystemTime },
}

impl Node {
    /// Its inode.
    pub fn inode(&self) -> u64 {
        match self {
            Self::Dir(inode) | Self::File { inode, .. } => *inode,
        }
    }
}

/// Everything below a root, by path relative to it: parents come before what is in them.
pub type Tree = BTreeMap<PathBuf, Node>;

/// Keeps the inodes of a root's tree: files by a link of their own, directories by moving them aside while they are not wanted.
pub struct Shelf {
    pub root: PathBuf,
    store: PathBuf,
    directories: Mutex<BTreeSet<u64>>,
}

impl Shelf {
    /// For the tree below `root`; `store` is on the same file system.
    pub fn new(root: PathBuf, store: PathBuf) -> Self {
        for dir in [&root, &store] {
            fs::create_dir_all(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        }
        Self { root, store, directories: Mutex::default() }
    }

    /// The tree as it is; each of its inodes is kept from now on.
    pub fn keep(&self) -> Tree {
        let mut tree = Tree::new();
        self.walk(Path::new(""), &mut tree);
        let mut kept = self.directories.lock().unwrap_or_else(|e| e.into_inner());
        for (path, node) in &tree {
            match node {
                Node::Dir(inode) => _ = kept.insert(*inode),
                Node::File { inode, .. } if self.shelved(*inode).exists() => {}
                Node::File { inode, .. } => must(fs::hard_link(self.root.join(path), self.shelved(*inode)), path),
            }
        }
        tree
    }

    /// Makes the root hold exactly `tree`.
    pub fn put(&self, tree: &Tree) {
        self.clear(Path::new(""), tree);
        for (path, node) in tree {
            let full = self.root.join(path);
            match node {
                Node::Dir(_) if full.is_dir() => {}
                Node::Dir(inode) => {
                    if fs::rename(self.shelved(*inode), &full).is_err() {
                        must(fs::DirBuilder::new().mode(0o700).create(&full), path);
                    }
                }
                Node::File { inode, bytes, time } => {
                    let shelved = self.shelved(*inode);
                    let place = if shelved.exists() { &shelved } else { &full };
                    must(write(place, bytes, *time), path);
                    if place != &full {
                        must(fs::hard_link(&shelved, &full), path);
                    }
                }
            }
        }
    }

    fn shelved(&self, inode: u64) -> PathBuf {
        self.store.join(inode.to_string())
    }

    fn walk(&self, dir: &Path, tree: &mut Tree) {
        for name in names(&self.root.join(dir)) {
            let path = dir.join(name);
            let full = self.root.join(&path);
            let Ok(meta) = full.symlink_metadata() else { continue };
            if meta.is_dir() {
                tree.insert(path.clone(), Node::Dir(meta.ino()));
                self.walk(&path, tree);
            } else if meta.is_file() {
                let bytes = Arc::new(fs::read(&full).unwrap_or_else(|e| panic!("{}: {e}", full.display())));
                let time = meta.modified().expect("a time");
                tree.insert(path, Node::File { inode: meta.ino(), bytes, time });
            }
        }
    }

    /// Takes away every file, and every directory that `tree` does not have there.
    fn clear(&self, dir: &Path, tree: &Tree) {
        for name in names(&self.root.join(dir)) {
            let path = dir.join(name);
            let full = self.root.join(&path);
            let Ok(meta) = full.symlink_metadata() else { continue };
            if !meta.is_dir() {
                must(fs::remove_file(&full), &path);
                continue;
            }
            self.clear(&path, tree);
            if tree.get(&path) == Some(&Node::Dir(meta.ino())) {
                continue;
            }
            let kept = self.directories.lock().unwrap_or_else(|e| e.into_inner()).contains(&meta.ino());
            must(if kept { fs::rename(&full, self.shelved(meta.ino())) } else { fs::remove_dir(&full) }, &path);
        }
    }
}

fn names(dir: &Path) -> Vec<std::ffi::OsString> {
    fs::read_dir(dir).map(|entries| entries.filter_map(|e| Some(e.ok()?.file_name())).collect()).unwrap_or_default()
}

fn write(path: &Path, bytes: &[u8], time: SystemTime) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.set_times(FileTimes::new().set_modified(time))
}

fn must(result: std::io::Result<()>, path: &Path) {
    result.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_comes_back_under_its_own_inodes() {
        let temp = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(temp.path().join("root"), temp.path().join("store"));
        let at = |path: &str| shelf.root.join(path);
        fs::create_dir_all(at("a/b")).expect("folders");
        fs::write(at("a/b/file"), "one").expect("a file");
        let before = shelf.keep();
        fs::write(at("a/b/file"), "changed").expect("a file");
        fs::rename(at("a/b/file"), at("a/moved")).expect("a move");
        fs::create_dir_all(at("new/er")).expect("folders");
        fs::write(at("new/er/file"), "two").expect("a file");
        let after = shelf.keep();
        fs::remove_dir_all(at("a")).expect("gone");
        shelf.put(&after);
        assert_eq!(after.keys().collect::<Vec<_>>(), shelf.keep().keys().collect::<Vec<_>>());
        assert_eq!(shelf.keep()[Path::new("new/er/file")], after[Path::new("new/er/file")]);
        shelf.put(&before);
        fs::create_dir(at("stranger")).expect("a folder");
        shelf.put(&after);
        shelf.put(&before);
        let again = shelf.keep();
        assert_eq!(again[Path::new("a/b/file")], before[Path::new("a/b/file")]);
        assert_eq!(again.len(), before.len());
    }
}
