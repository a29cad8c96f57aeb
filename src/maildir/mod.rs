//! Maildir: the only room that touches mail files.
//!
//! [`Layout`] says where folders are, [`scan`] what is in one, [`deliver`] is the one way a message appears, [`change`] how
//! it is renamed, moved and removed, [`read`] how it is read. Nothing here follows a link below the root, replaces a file,
//! or takes an unreadable directory for an empty one.

pub mod change;
pub mod deliver;
mod discover;
mod encode;
mod error;
mod filesystem;
mod handle;
pub mod keywords;
mod layout;
mod listing;
mod name;
pub mod notify;
pub mod read;
mod rehome;
mod root;
mod scan;
mod stamp;

pub use change::{Moved, Touched};
pub use deliver::{Batch, Delivered, Delivery, Incoming};
pub use discover::{Discovery, Found};
pub use error::Error;
pub use filesystem::{FileSystem, now_of};
pub use keywords::Keywords;
pub use layout::{FolderDir, Layout, state_dir};
pub use name::{FileName, Letters, Place, Sub};
pub use notify::Watch;
pub use scan::{Entry, Scan, scan};
pub use stamp::{DirStamp, FileStamp, Stamp, stamp};

#[cfg(test)]
mod tests;
