//! Carries a row's change out on one side, as a mail reader or another client would.

use super::local::Local;
use super::mailbox::Mailbox;
use super::message::{Flags, Snapshot, unix_lines};
use super::scenario_table::{Cell, Copy, Row};
use std::collections::BTreeSet;
use std::path::Path;

/// A side that can be changed; places are UIDs or paths as in [`super::message::Msg`].
pub trait Side {
    /// What there was before any change.
    fn before(&self) -> &Snapshot;
    fn add(&mut self, folder: &str, content: &[u8], flags: &Flags, date: i64);
    fn set_flags(&mut self, folder: &str, place: &str, flags: &Flags) -> String;
    fn mv(&mut self, folder: &str, place: &str, to: &str);
    fn delete(&mut self, folder: &str, place: &str);
    fn create(&mut self, folder: &str);
    fn remove(&mut self, folder: &str);
}

/// The Maildir.
pub struct LocalSide {
    local: Local,
    before: Snapshot,
}

impl LocalSide {
    pub fn new(local: Local) -> Self {
        Self { before: local.snapshot(), local }
    }
}

impl Side for LocalSide {
    fn before(&self) -> &Snapshot {
        &self.before
    }
    fn add(&mut self, folder: &str, content: &[u8], flags: &Flags, date: i64) {
        self.local.deliver(folder, content, flags, date);
    }
    fn set_flags(&mut self, folder: &str, place: &str, flags: &Flags) -> String {
        self.local.set_flags(folder, Path::new(place), flags).display().to_string()
    }
    fn mv(&mut self, folder: &str, place: &str, to: &str) {
        self.local.mv(folder, Path::new(place), to);
    }
    fn delete(&mut self, _: &str, place: &str) {
        self.local.delete(Path::new(place));
    }
    fn create(&mut self, folder: &str) {
        self.local.create(folder);
    }
    fn remove(&mut self, folder: &str) {
        self.local.remove(folder);
    }
}

/// The server.
pub struct RemoteSide {
    session: Mailbox,
    before: Snapshot,
}

impl RemoteSide {
    pub fn new(mut session: Mailbox) -> Self {
        Self { before: session.snapshot(), session }
    }
}

fn uid(place: &str) -> u32 {
    place.parse().expect("a UID")
}

impl Side for RemoteSide {
    fn before(&self) -> &Snapshot {
        &self.before
    }
    fn add(&mut self, folder: &str, content: &[u8], flags: &Flags, date: i64) {
        self.session.append(folder, content, flags, date);
    }
    fn set_flags(&mut self, folder: &str, place: &str, flags: &Flags) -> String {
        self.session.store(folder, uid(place), flags);
        place.to_owned()
    }
    fn mv(&mut self, folder: &str, place: &str, to: &str) {
        self.session.mv(folder, uid(place), to);
    }
    fn delete(&mut self, folder: &str, place: &str) {
        self.session.delete(folder, uid(place));
    }
    fn create(&mut self, folder: &str) {
        self.session.create(folder);
    }
    fn remove(&mut self, folder: &str) {
        self.session.remove(folder);
    }
}

/// Changes a side from the row's base to `to`. `make` gives content and date of a variant of the row's message.
///
/// # Panics
/// If the side does not hold the base, or the change cannot be made in one step.
pub fn apply(side: &mut impl Side, row: &Row, to: &Cell, make: &dyn Fn(usize) -> (Vec<u8>, i64)) {
    if let (Cell::Folder(before), Cell::Folder(after), Some(folder)) = (&row.base, to, row.folder()) {
        match (before, after) {
            (false, true) => side.create(folder),
            (true, false) => side.remove(folder),
            _ => {}
        }
        return;
    }
    let (from, to) = (row.base.copies(), to.copies());
    let mut taken = BTreeSet::new();
    for i in 0..from.len().max(to.len()) {
        let (old, new) = (from.get(i).and_then(Option::as_ref), to.get(i).and_then(Option::as_ref));
        let Some(old) = old else {
            if let Some(new) = new {
                let (content, date) = make(new.variant);
                side.add(&new.folder, &content, &new.flags, date);
            }
            continue;
        };
        if new == Some(old) {
            find(side, row, old, &make(old.variant).0, &mut taken);
            continue;
        }
        let mut place = find(side, row, old, &make(old.variant).0, &mut taken);
        let Some(new) = new else {
            side.delete(&old.folder, &place);
            continue;
        };
        assert_eq!(new.variant, old.variant, "{}: a content cannot change, only go and come", row.place);
        if new.flags != old.flags {
            place = side.set_flags(&old.folder, &place, &new.flags);
        }
        if new.folder != old.folder {
            side.mv(&old.folder, &place, &new.folder);
        }
    }
}

/// The place of a copy that no other position of the row has taken.
fn find(side: &impl Side, row: &Row, copy: &Copy, content: &[u8], taken: &mut BTreeSet<String>) -> String {
    let folder = side.before().get(&copy.folder).map(Vec::as_slice).unwrap_or_default();
    let fits = |place: &String| !taken.contains(&format!("{} {place}", copy.folder));
    let found = folder.iter().find(|m| m.flags == copy.flags && unix_lines(&m.bytes) == content && fits(&m.place));
    let place = found.unwrap_or_else(|| panic!("{}: the base is not there: {copy:?}", row.place)).place.clone();
    taken.insert(format!("{} {place}", copy.folder));
    place
}

#[cfg(test)]
mod tests {
    use super::super::dovecot::Dovecot;
    use super::super::mailbox;
    use super::super::message::{assert_in_step, flags};
    use super::super::scenario_table::parse;
    use super::*;
    use crate::support::local::Layout;

    /// Both sides, brought to the same base and changed by the same rows, are in step: what one can do the other does alike.
    #[test]
    fn both_sides_change_alike() {
        let text = "== t\nflag . FS{work} = => - -\nmove S Work/RS = => - -\ngone S - = => - -\ntwins S&S -&F = => - -\n\
                    new - .&S{x}' = => - -\ncopy S S&Work/S = => - -\nNew/ - + = => - -\nGone/ + - = => - -\n";
        let rows = &parse("t", text)[0].rows;
        let server = Dovecot::usual();
        let user = server.user("change");
        let temp = tempfile::tempdir().expect("a folder");
        let local = Local::new(temp.path(), Layout::Nested);
        let mut session = Mailbox::open(&server, &user);
        for folder in ["INBOX", "Trash", "Work", "Gone"] {
            session.create(folder);
            local.create(folder);
        }
        let content = |row: &Row, variant: usize| format!("Subject: {} {variant}\n\nx\n", row.name).into_bytes();
        for row in rows {
            for copy in row.base.copies().iter().flatten() {
                session.append(&copy.folder, &content(row, copy.variant), &copy.flags, 7);
                local.deliver(&copy.folder, &content(row, copy.variant), &copy.flags, 7);
            }
        }
        let (mut remote_side, mut local_side) =
            (RemoteSide::new(Mailbox::open(&server, &user)), LocalSide::new(local.clone()));
        for row in rows {
            let make = |variant| (content(row, variant), 7);
            apply(&mut local_side, row, &row.change.local, &make);
            apply(&mut remote_side, row, &row.change.local, &make);
        }
        let all = mailbox::snapshot(&server, &user);
        assert_in_step(&all, &local.snapshot());
        assert_eq!(all.keys().collect::<Vec<_>>(), ["INBOX", "New", "Trash", "Work"]);
        assert_eq!(all["INBOX"].len(), 5);
        assert!(all["Work"].iter().any(|m| m.flags == flags("RS")));
    }
}
