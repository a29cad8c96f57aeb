//! Tests of the room as a whole, each on a Maildir of its own in a temporary directory.

mod change;
mod deliver;
mod layout;
mod scan;
mod watch;

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

use tempfile::TempDir;

use super::*;
use crate::account::{LayoutKind, Store};
use crate::mail::lines::LineEndings;
use crate::mail::{FolderName, System, Timestamp};

/// A Maildir with one folder, INBOX.
struct World {
    temp: TempDir,
    layout: Layout,
    fs: FileSystem,
    inbox: FolderDir,
}

fn world() -> World {
    world_with(LayoutKind::Nested, LineEndings::Lf)
}

fn world_with(layout: LayoutKind, line_endings: LineEndings) -> World {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("mail");
    std::fs::create_dir(&root).unwrap();
    let layout = Layout::new(&Store { root, layout, line_endings });
    let inbox = layout.create(&FolderName::inbox()).unwrap();
    World { temp, layout, fs: FileSystem::default(), inbox }
}

fn folder(name: &str) -> FolderName {
    FolderName::parse(name).unwrap()
}

impl World {
    fn create(&self, name: &str) -> FolderDir {
        self.layout.create(&folder(name)).unwrap()
    }

    /// Delivers one message.
    fn deliver(&self, dir: &FolderDir, unique: &str, letters: &str, wire: &[u8]) -> Delivered {
        let mut batch = Batch::new(&self.layout, &self.fs).unwrap();
        let mut incoming = batch.begin(dir).unwrap();
        incoming.write_all(wire).unwrap();
        let letters = Letters::parse(letters.as_bytes());
        let date = Some(Timestamp(1_000_000_000));
        incoming.finish(&mut batch, &Delivery { key: 7, unique: unique.as_bytes(), letters: &letters, date }).unwrap();
        batch.commit().unwrap().remove(0)
    }
}

/// All files of a folder, `cur/NAME` and so on, sorted.
fn files(dir: &FolderDir) -> Vec<String> {
    let mut out = Vec::new();
    for sub in ["cur", "new", "tmp"] {
        for entry in std::fs::read_dir(dir.path.join(sub)).unwrap() {
            out.push(format!("{sub}/{}", String::from_utf8_lossy(entry.unwrap().file_name().as_bytes())));
        }
    }
    out.sort();
    out
}

fn place(text: &str) -> Place {
    Place::from_bytes(text.as_bytes()).unwrap()
}
