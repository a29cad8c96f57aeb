//! What can go wrong in a Maildir, each with the path that it happened to.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::mail::text::clean_to;
use crate::severity::{Kind, Retry, Scope, Severity};

/// A failure in the Maildir.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused something.
    #[error("cannot {doing} {}: {source}", shown(path))]
    Io {
        /// What was tried, as an infinitive: `open`, `read`, ….
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file system or the user's quota is full.
    #[error("no space left to write {}: {source}", shown(path))]
    Full {
        /// What could not be written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A symbolic link or a special file stands where a directory or file of ours must be.
    #[error("{} is a link or no {wanted}", shown(path))]
    Foreign {
        /// What stands there.
        path: PathBuf,
        /// `directory` or `regular file`.
        wanted: &'static str,
    },
    /// The directory has no `cur`, or is not there at all.
    #[error("{} is missing", shown(path))]
    Missing {
        /// The missing directory.
        path: PathBuf,
    },
    /// A folder's name gives a path that the file system cannot hold.
    #[error("the name of folder {} is too long for a path", clean_to(folder, 200))]
    NameTooLong {
        /// The folder's name.
        folder: String,
    },
    /// A folder's name that no path stands for.
    #[error("the name of folder {} cannot be kept on disk", clean_to(folder, 200))]
    NameUnusable {
        /// The folder's name.
        folder: String,
    },
    /// A unique part that cannot be a file name, or a file name that would be too long.
    #[error("{} cannot hold a file named {}", shown(path), clean_to(name, 200))]
    FileName {
        /// The folder's directory.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The message is not there any more, under any flags.
    #[error("{} is not there any more", shown(path))]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// Another program changed it while we worked on it; the next run takes it up.
    #[error("{} was changed by another program meanwhile", shown(path))]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A message's file that cannot be read, or is no regular file.
    #[error("cannot read {}: {source}", shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A message file without content.
    #[error("{} is empty", shown(path))]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Something of that name exists.
    #[error("{} exists already", shown(path))]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// A folder that was to be removed holds messages, other files or folders.
    #[error("{} is not empty", shown(path))]
    NotEmpty {
        /// The folder's directory.
        path: PathBuf,
    },
    /// The file system refuses `:` in file names, or changes it.
    #[error("the file system of {} cannot hold file names with a colon", shown(path))]
    ColonRefused {
        /// The directory that was tried.
        path: PathBuf,
    },
    /// root was about to write into another user's tree.
    #[error("running as root, but {} belongs to user {owner}", shown(path))]
    ForeignOwner {
        /// The root, or its nearest existing parent.
        path: PathBuf,
        /// The owner's numeric id.
        owner: u32,
    },
    /// The root holds the state of the other layout.
    #[error("{} was made with the other layout", shown(path))]
    OtherLayout {
        /// The other layout's state directory.
        path: PathBuf,
    },
    /// Watching for changes failed.
    #[error("cannot watch {}: {reason}", shown(path))]
    Watch {
        /// What was to be watched.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

impl Error {
    /// The error for a system call that failed on `path`.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return Self::Full { path, source };
        }
        Self::Io { doing, path, source }
    }

    /// The error for a message's file that cannot be read.
    pub(super) fn unreadable(path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Unreadable { path: path.into(), source: source.into() }
    }

    /// The typed error that a writer of ours wrapped into `source` (see [`super::deliver::Incoming`]), or `source` itself.
    #[must_use]
    pub fn from_writer(source: io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(own) => own,
            Err(source) => Self::io("write", "a message", source),
        }
    }

    /// Whether another program was there first: the next look shows what it did.
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Changed { .. })
    }

    /// Whether this says that what was asked for does not exist.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Missing { .. } | Self::Gone { .. } => true,
            Self::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Full { .. }
            | Self::Foreign { .. }
            | Self::NameTooLong { .. }
            | Self::NameUnusable { .. }
            | Self::FileName { .. }
            | Self::Changed { .. }
            | Self::Unreadable { .. }
            | Self::Empty { .. }
            | Self::Exists { .. }
            | Self::NotEmpty { .. }
            | Self::ColonRefused { .. }
            | Self::ForeignOwner { .. }
            | Self::OtherLayout { .. }
            | Self::Watch { .. } => false,
        }
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Gone { .. }
            | Self::Changed { .. }
            | Self::Unreadable { .. }
            | Self::Empty { .. }
            | Self::FileName { .. } => Scope::Message,
            Self::Io { .. }
            | Self::Foreign { .. }
            | Self::Missing { .. }
            | Self::NameTooLong { .. }
            | Self::NameUnusable { .. }
            | Self::Exists { .. }
            | Self::NotEmpty { .. } => Scope::Folder,
            Self::Full { .. }
            | Self::ColonRefused { .. }
            | Self::ForeignOwner { .. }
            | Self::OtherLayout { .. }
            | Self::Watch { .. } => Scope::Account,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Gone { .. } | Self::Changed { .. } => Retry::Later,
            Self::Io { .. }
            | Self::Full { .. }
            | Self::Foreign { .. }
            | Self::Missing { .. }
            | Self::NameTooLong { .. }
            | Self::NameUnusable { .. }
            | Self::FileName { .. }
            | Self::Unreadable { .. }
            | Self::Empty { .. }
            | Self::Exists { .. }
            | Self::NotEmpty { .. }
            | Self::ColonRefused { .. }
            | Self::ForeignOwner { .. }
            | Self::OtherLayout { .. }
            | Self::Watch { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing { .. } => Kind::Guard,
            Self::Changed { .. } => Kind::TryLater,
            Self::ColonRefused { .. } | Self::ForeignOwner { .. } | Self::OtherLayout { .. } => Kind::Config,
            Self::Io { .. }
            | Self::Full { .. }
            | Self::Foreign { .. }
            | Self::NameTooLong { .. }
            | Self::NameUnusable { .. }
            | Self::FileName { .. }
            | Self::Gone { .. }
            | Self::Unreadable { .. }
            | Self::Empty { .. }
            | Self::Exists { .. }
            | Self::NotEmpty { .. }
            | Self::Watch { .. } => Kind::Disk,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Io { .. }
            | Self::Exists { .. }
            | Self::NotEmpty { .. }
            | Self::FileName { .. }
            | Self::Gone { .. }
            | Self::Unreadable { .. }
            | Self::Changed { .. } => return None,
            Self::Full { .. } => "free some space (or raise the quota) and run again; nothing was lost",
            Self::Foreign { .. } => {
                "mailferry follows no link below a Maildir's root: put a real directory or file there, or point `maildir` at the link's target"
            }
            Self::Missing { .. } => {
                "missing folders are never read as deleted messages: restore the directory, or run with --full to download it again"
            }
            Self::NameTooLong { .. } | Self::NameUnusable { .. } => {
                "rename the folder on the server, or leave it out with `folders`"
            }
            Self::Empty { .. } => "remove the file, or restore it from a backup",
            Self::ColonRefused { .. } => {
                "Maildir needs file names with `:`; put `maildir` on another file system (not FAT, NTFS or some network shares)"
            }
            Self::ForeignOwner { .. } => "run mailferry as that user",
            Self::OtherLayout { .. } => "set `layout` back to what it was, or choose another directory for `maildir`",
            Self::Watch { .. } => "raise fs.inotify.max_user_watches, or run from cron instead of `watch`",
        };
        Some(text.to_owned())
    }
}

/// A path for people.
pub(super) fn shown(path: &Path) -> String {
    clean_to(&String::from_utf8_lossy(path.as_os_str().as_bytes()), 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_apart_and_names_the_path() {
        let e = Error::io("write", "/m/INBOX/tmp/x", io::Error::from_raw_os_error(28));
        assert!(matches!(e, Error::Full { .. }));
        assert!(e.to_string().contains("/m/INBOX/tmp/x"));
        assert_eq!((e.scope(), e.kind().exit()), (Scope::Account, 74));
        assert_eq!(Error::io("open", "/x", io::Error::from_raw_os_error(13)).kind().exit(), 74);
    }

    #[test]
    fn writers_hand_typed_errors_through() {
        let inner = Error::Full { path: "/m".into(), source: io::Error::from_raw_os_error(28) };
        assert!(matches!(Error::from_writer(io::Error::other(inner)), Error::Full { .. }));
        assert!(matches!(Error::from_writer(io::Error::other("x")), Error::Io { .. }));
    }

    #[test]
    fn paths_reach_a_terminal_clean() {
        let e = Error::Gone { path: "/m/a\x1b[2J".into() };
        assert!(!e.to_string().contains('\x1b'));
    }
}
