//! One random change of a history, as a person makes it on one side, noted in the model.

use super::model::{Model, Side, subject};
use crate::support::corpus::{Corpus, Kind};
use crate::support::message::{Flags, Msg, Snapshot, flags};
use crate::support::rig::Rig;
use std::fs::{self, File};
use std::path::Path;

/// What people use as flags here: `\Deleted` stays out, because it announces a deletion.
const FLAGS: [&str; 8] = ["", "S", "FS", "RS", "D", "S work", "F todo", "PS work later"];

/// Folders that people make.
const NEW_FOLDERS: [&str; 4] = ["Neu", "Work/Entwürfe", "v1.2 50%", "Deep/er/still"];

/// The people of one account on both sides.
pub struct People {
    pub corpus: Corpus,
    pub model: Model,
    /// How many folders were renamed, for names that nobody had.
    pub renames: usize,
}

/// A message of one side and where it stands.
struct Found {
    folder: String,
    msg: Msg,
}

impl People {
    /// Makes one change and says what it was.
    pub fn change(&mut self, rig: &Rig, side: Side) -> String {
        let now = match side {
            Side::Local => rig.local().snapshot(),
            Side::Remote => rig.remote(),
        };
        let folders: Vec<String> = now.keys().cloned().collect();
        let to = self.corpus.rng.pick(&folders).clone();
        let dice = self.corpus.rng.below(100);
        let what = match (dice, self.any(&now)) {
            (0..=29, _) | (_, None) => self.arrive(rig, side, &to, &now),
            (30..=44, Some(found)) => self.delete(rig, side, &found),
            (45..=64, Some(found)) => self.flag(rig, side, &found),
            (65..=81, Some(found)) => self.relocate(rig, side, &found, &to),
            (82..=88, Some(found)) => self.copy(rig, side, &found, &to),
            (89..=93, Some(found)) if side == Side::Local => self.rename(rig, &found),
            (_, Some(_)) => self.create(rig, side),
        };
        format!("{side:?}: {what}")
    }

    /// Any message, chosen by content so that names of files do not matter.
    fn any(&mut self, now: &Snapshot) -> Option<Found> {
        let mut all: Vec<Found> = Vec::new();
        for (folder, messages) in now {
            all.extend(messages.iter().map(|m| Found { folder: folder.clone(), msg: m.clone() }));
        }
        all.sort_by_cached_key(|f| (f.folder.clone(), f.msg.content(), f.msg.flags.clone(), f.msg.date));
        let at = self.corpus.rng.below(all.len());
        (at < all.len()).then(|| all.swap_remove(at))
    }

    fn some_flags(&mut self) -> Flags {
        flags(self.corpus.rng.pick::<&str>(&FLAGS))
    }

    fn arrive(&mut self, rig: &Rig, side: Side, to: &str, now: &Snapshot) -> String {
        let kinds = [Kind::Plain, Kind::EmptyBody, Kind::NoFinalNewline, Kind::LeadingDots, Kind::NoMessageId];
        let set = self.some_flags();
        let (bytes, date) = match (self.corpus.rng.below(10), self.any(now)) {
            // Equal messages may become one, whose two sides would differ if their dates did.
            (0..=1, Some(found)) => (found.msg.content(), found.msg.date),
            (2..=3, _) => (self.corpus.same_message_id(), self.corpus.date()),
            _ => {
                let kind = *self.corpus.rng.pick(&kinds);
                (self.corpus.of_kind(kind), self.corpus.date())
            }
        };
        self.put(rig, side, to, (&bytes, &set, date));
        format!("new {} in {to} {set:?}", subject(&bytes))
    }

    /// Stores a message; the file's bytes and the server's differ in line ends only.
    fn put(&mut self, rig: &Rig, side: Side, to: &str, (bytes, set, date): (&[u8], &Flags, i64)) {
        match side {
            Side::Local => _ = rig.local().deliver(to, bytes, set, date),
            Side::Remote => _ = rig.mailbox().append(to, bytes, set, date),
        }
        self.model.arrived(side, crate::support::message::unix_lines(bytes));
    }

    fn delete(&mut self, rig: &Rig, side: Side, found: &Found) -> String {
        match side {
            Side::Local => rig.local().delete(Path::new(&found.msg.place)),
            Side::Remote => rig.mailbox().delete(&found.folder, found.msg.uid()),
        }
        self.model.deleted(side, &found.folder, found.msg.content());
        format!("delete {}", found.told())
    }

    fn flag(&mut self, rig: &Rig, side: Side, found: &Found) -> String {
        let set = self.some_flags();
        match side {
            Side::Local => _ = rig.local().set_flags(&found.folder, Path::new(&found.msg.place), &set),
            Side::Remote => rig.mailbox().store(&found.folder, found.msg.uid(), &set),
        }
        self.model.flagged(&set, found.msg.content());
        format!("flag {} {:?} -> {set:?}", found.told(), found.msg.flags)
    }

    fn relocate(&mut self, rig: &Rig, side: Side, found: &Found, to: &str) -> String {
        if found.folder == to {
            return "nothing".to_owned();
        }
        match side {
            Side::Local => _ = rig.local().mv(&found.folder, Path::new(&found.msg.place), to),
            Side::Remote => rig.mailbox().mv(&found.folder, found.msg.uid(), to),
        }
        self.model.moved(side, to, found.msg.content());
        format!("move {} to {to}", found.told())
    }

    fn copy(&mut self, rig: &Rig, side: Side, found: &Found, to: &str) -> String {
        let mut how = "";
        match side {
            Side::Remote => {
                rig.mailbox().copy(&found.folder, found.msg.uid(), to);
                self.model.arrived(side, found.msg.content());
            }
            // `cp` keeps the name, a mail reader takes a new one.
            Side::Local if found.folder != to && found.msg.flags.iter().all(|f| f.len() == 1) => {
                how = " under the same name";
                let from = Path::new(&found.msg.place);
                let target = rig.local().dir(to).join("cur").join(from.file_name().expect("a name"));
                fs::copy(from, &target).expect("a copy");
                let time = fs::metadata(from).and_then(|m| m.modified()).expect("a time");
                File::open(&target).and_then(|f| f.set_modified(time)).expect("a time");
                self.model.arrived(side, found.msg.content());
            }
            Side::Local => {
                let (bytes, set) = (found.msg.content(), found.msg.flags.clone());
                self.put(rig, side, to, (&bytes, &set, found.msg.date));
            }
        }
        format!("copy {} to {to}{how}", found.told())
    }

    /// Another tool gives a file a name of its own.
    fn rename(&mut self, rig: &Rig, found: &Found) -> String {
        let from = Path::new(&found.msg.place);
        let name = from.file_name().and_then(|n| n.to_str()).expect("a name");
        let info = name.split_once(":2,").map_or("", |(_, i)| i);
        let unique = format!("16{:08}.renamed", self.corpus.rng.below(100_000_000));
        fs::rename(from, rig.local().dir(&found.folder).join("cur").join(format!("{unique}:2,{info}")))
            .expect("rename");
        self.model.renamed(found.msg.content());
        format!("rename the file of {}", found.told())
    }

    fn create(&mut self, rig: &Rig, side: Side) -> String {
        let name = *self.corpus.rng.pick(&NEW_FOLDERS);
        match side {
            Side::Local => rig.local().create(name),
            Side::Remote => rig.mailbox().create(name),
        }
        format!("create folder {name}")
    }

    /// A folder with messages takes a new name; empty ones prove nothing to anybody.
    pub fn rename_folder(&mut self, rig: &Rig, side: Side) -> String {
        let now = rig.remote();
        let leaf = |name: &String| !now.keys().any(|n| n.starts_with(&format!("{name}/")));
        let fit = |name: &&String| {
            let full = now.get(*name).is_some_and(|m| m.len() >= 2);
            full && leaf(name) && !["INBOX", "Trash"].contains(&name.as_str())
        };
        let names: Vec<&String> = now.keys().filter(fit).collect();
        if names.is_empty() {
            return "nothing".to_owned();
        }
        let from = (*self.corpus.rng.pick(&names)).clone();
        self.renames += 1;
        let to = format!("Renamed {}", self.renames);
        match side {
            Side::Local => fs::rename(rig.local().dir(&from), rig.local().dir(&to)).expect("rename"),
            Side::Remote => rig.mailbox().rename(&from, &to),
        }
        self.model.renamed_folder(&from, &to);
        format!("{side:?}: rename folder {from} to {to}")
    }
}

impl Found {
    fn told(&self) -> String {
        let place = self.msg.place.rsplit('/').next().unwrap_or_default();
        format!("{} of {} ({place})", subject(&self.msg.bytes), self.folder)
    }
}
