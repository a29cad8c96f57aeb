//! The vocabulary of mail: values without I/O that every other room speaks.

pub mod content;
pub mod date;
pub mod flags;
pub mod lines;
pub mod name;
pub mod pattern;
pub mod side;
pub mod snapshot;
pub mod text;
pub mod uid;

pub use content::{Content, ContentHasher, Digest, MessageId};
pub use date::Timestamp;
pub use flags::{Flags, Keyword, System};
pub use name::{Component, FolderName};
pub use side::Side;
pub use uid::{ModSeq, Uid, UidSet, UidValidity};
