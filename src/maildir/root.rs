//! Making sure that a root can be used: ours to write, on a file system that can hold a Maildir, not another layout's.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::error::Error;
use super::filesystem::FileSystem;
use super::handle::{self, FILE_MODE};
use super::layout::{self, Layout};
use super::listing;

/// A name as messages have it.
const COLON_PROBE: &str = "probe:2,FS";

impl Layout {
    /// Checks what can be checked without changing anything: whose tree it is, and that it has not the other layout.
    ///
    /// # Errors
    /// [`Error::ForeignOwner`], [`Error::OtherLayout`], or what the system refuses.
    pub fn check_root(&self) -> Result<(), Error> {
        refuse_foreign_owner(&self.root, rustix::process::geteuid().as_raw())?;
        let other = self.other_state_dir();
        if std::fs::symlink_metadata(other.join("state.db")).is_ok_and(|meta| meta.is_file()) {
            return Err(Error::OtherLayout { path: other });
        }
        Ok(())
    }

    /// Creates the root and the state's directory where they are missing, durably and with mode 0700, and finds out what
    /// the file system can do. Afterwards the root is without links: two names of one root are equal.
    ///
    /// # Errors
    /// As [`Layout::check_root`]; [`Error::ColonRefused`]; [`Error::Foreign`] when the state's directory is a link.
    pub fn prepare_root(&mut self) -> Result<FileSystem, Error> {
        self.check_root()?;
        create_durably(&self.root)?;
        self.root = std::fs::canonicalize(&self.root).map_err(|e| Error::io("open", &self.root, e))?;
        self.check_root()?;
        let path = self.state_dir();
        let root = handle::open_root(&self.root)?;
        let name = path.file_name().map(Path::new).unwrap_or(&path);
        let state = File::from(layout::make_dir(&root, name, &path)?);
        let meta = state.metadata().map_err(|e| Error::io("read", &path, e))?;
        if meta.mode() & 0o077 != 0 {
            state
                .set_permissions(Permissions::from_mode(meta.mode() & 0o700))
                .map_err(|e| Error::io("protect", &path, e))?;
        }
        probe_name(&state.into(), &path, COLON_PROBE)?;
        FileSystem::of(&path)
    }
}

/// Refuses to let root write into another user's tree: files of root's there would lock the user out.
fn refuse_foreign_owner(root: &Path, user: u32) -> Result<(), Error> {
    if user != 0 {
        return Ok(());
    }
    for path in root.ancestors() {
        match std::fs::metadata(path) {
            Ok(meta) if meta.uid() == user => return Ok(()),
            Ok(meta) => return Err(Error::ForeignOwner { path: path.to_owned(), owner: meta.uid() }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::io("examine", path, e)),
        }
    }
    Ok(())
}

/// Creates a directory and its missing parents, each durable in its own parent.
fn create_durably(path: &Path) -> Result<(), Error> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|p| !p.as_os_str().is_empty() && std::fs::metadata(p).is_err()).collect();
    for dir in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(dir) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            Err(e) => return Err(Error::io("create", dir, e)),
        }
        let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        handle::sync_dir(handle::open_root(parent)?, parent)?;
    }
    Ok(())
}

/// Makes and reads back a file with the name `wanted`, which has a colon.
fn probe_name(state: &std::os::fd::OwnedFd, path: &Path, wanted: &str) -> Result<(), Error> {
    let refused = || Error::ColonRefused { path: path.to_owned() };
    let file: PathBuf = path.join(wanted);
    let create = |name: &str| {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        handle::openat(state, name, flags, FILE_MODE).map(drop)
    };
    let remove = |name: &str| match rustix::fs::unlinkat(state, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(e) => Err(Error::io("remove", path.join(name), e)),
    };
    if let Err(e) = create(wanted) {
        // A file system that takes the same name without the colon refuses the colon, whatever its error says.
        if create("probe.2").is_err() {
            return Err(Error::io("create", file, e));
        }
        remove("probe.2")?;
        // Once more: the first time may have been an accident.
        return create(wanted).map_or_else(|_| Err(refused()), |()| remove(wanted));
    }
    let mut seen = false;
    listing::each(state, path, &mut |name, _, _| {
        seen |= name == wanted.as_bytes();
        Ok(())
    })?;
    remove(wanted)?;
    if seen { Ok(()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{LayoutKind, Store};
    use crate::mail::lines::LineEndings;

    fn layout(root: PathBuf, layout: LayoutKind) -> Layout {
        Layout::new(&Store { root, layout, line_endings: LineEndings::Lf })
    }

    #[test]
    fn a_root_is_made_private_and_its_links_are_resolved() {
        let temp = tempfile::tempdir().unwrap();
        let base = std::fs::canonicalize(temp.path()).unwrap();
        let mut first = layout(base.join("a/b/mail"), LayoutKind::Nested);
        first.prepare_root().unwrap();
        for part in ["a", "a/b", "a/b/mail", "a/b/mail/.mailferry"] {
            assert_eq!(std::fs::metadata(base.join(part)).unwrap().mode() & 0o777, 0o700, "{part}");
        }
        assert_eq!(std::fs::read_dir(first.state_dir()).unwrap().count(), 0);
        std::os::unix::fs::symlink(first.root(), base.join("link")).unwrap();
        let mut second = layout(base.join("link"), LayoutKind::Nested);
        second.prepare_root().unwrap();
        assert_eq!(second.root(), first.root());
    }

    #[test]
    fn the_states_directory_is_no_link_and_for_us_alone() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("mail");
        std::fs::create_dir_all(root.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(root.join("elsewhere"), root.join(".mailferry")).unwrap();
        assert!(matches!(layout(root.clone(), LayoutKind::Nested).prepare_root(), Err(Error::Foreign { .. })));
        std::fs::remove_file(root.join(".mailferry")).unwrap();
        std::fs::create_dir(root.join(".mailferry")).unwrap();
        std::fs::set_permissions(root.join(".mailferry"), Permissions::from_mode(0o755)).unwrap();
        layout(root.clone(), LayoutKind::Nested).prepare_root().unwrap();
        assert_eq!(std::fs::metadata(root.join(".mailferry")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_refused_name_is_told_from_a_directory_that_takes_none() {
        let temp = tempfile::tempdir().unwrap();
        let state = handle::open_root(temp.path()).unwrap();
        assert!(probe_name(&state, temp.path(), COLON_PROBE).is_ok());
        // What no file system here takes stands for the colon.
        let refused = probe_name(&state, temp.path(), &"x".repeat(300));
        assert!(matches!(refused, Err(Error::ColonRefused { .. })));
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
        std::fs::remove_dir(temp.path()).unwrap();
        assert!(matches!(probe_name(&state, temp.path(), COLON_PROBE), Err(Error::Io { .. })));
        std::fs::create_dir(temp.path()).unwrap();
    }

    #[test]
    fn the_other_layouts_root_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let mut nested = layout(temp.path().join("mail"), LayoutKind::Nested);
        let mut flat = layout(temp.path().join("mail"), LayoutKind::MaildirPlusPlus);
        flat.prepare_root().unwrap();
        // A folder may be called so.
        nested.prepare_root().unwrap();
        std::fs::write(flat.state_dir().join("state.db"), "").unwrap();
        assert!(matches!(nested.prepare_root(), Err(Error::OtherLayout { .. })));
    }

    #[test]
    fn root_stays_out_of_other_users_trees() {
        let temp = tempfile::tempdir().unwrap();
        let owner = std::fs::metadata(temp.path()).unwrap().uid();
        let root = temp.path().join("not/there/yet");
        assert!(refuse_foreign_owner(&root, 1000).is_ok());
        if owner == 0 {
            assert!(refuse_foreign_owner(&root, 0).is_ok());
            std::os::unix::fs::chown(temp.path(), Some(12_345), None).unwrap();
        }
        let refused = refuse_foreign_owner(&root, 0);
        assert!(matches!(refused, Err(Error::ForeignOwner { .. })), "{refused:?}");
        if owner == 0 {
            std::os::unix::fs::chown(temp.path(), Some(0), None).unwrap();
        }
    }
}
