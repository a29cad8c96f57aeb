//! One random change of a history, as a person makes it on one side, noted in the model.

use super::model::{Model, Side, subject};
use crate::support::corpus::{Corpus, Kind};
use crate::support::message::{Flags, Msg, Snapshot, flags};
use crate::support::rig::Rig;
use std::fs::{self, File};
use std::path::Path;

/// What people use as flags here: `\Deleted` stays out, because it announces a deletion.
const FLAGS: [&str; 10] =
    ["", "S", "FS", "RS", "D", "S work", "F todo", "PS work later", " todo later", "S Work x-new"];

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
            (82..=86, Some(found)) => self.copy(rig, side, &found, &to),
            (87..=89, Some(found)) if side == Side::Local => self.move_on_both(rig, &found, &to, &now),
            (90..=94, Some(found)) if side == Side::Local => self.rename(rig, &found),
            (90..=93, Some(_)) => self.renumber(rig),
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
                if rig.mailbox().copy(&found.folder, found.msg.uid(), to) {
                    self.model.arrived(side, found.msg.content());
                }
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

    /// A folder with messages takes a new name, on one side or on both, and sometimes another takes its place; empty ones prove
    /// nothing to anybody.
    pub fn rename_folder(&mut self, rig: &Rig) -> String {
        let now = rig.remote();
        let names: Vec<String> =
            now.keys().filter(|name| is_leaf(&now, name) && now[*name].len() >= 2).cloned().collect();
        if names.is_empty() {
            return "nothing".to_owned();
        }
        let from = self.corpus.rng.pick(&names).clone();
        self.renames += 1;
        let there = format!("Renamed {}", self.renames);
        let [on_server, here, alike] = *self.corpus.rng.pick(&RENAMES);
        let to = if on_server && here && !alike { format!("Renamed here {}", self.renames) } else { there.clone() };
        let (anew_here, anew_there) = (self.corpus.rng.chance(30), self.corpus.rng.chance(30));
        let mut told = format!("rename folder {from}:");
        if on_server {
            rig.mailbox().rename(&from, &there);
            told += &format!(" to {there} on the server");
            if anew_there {
                rig.mailbox().create(&from);
                told += " and make another";
            }
        }
        if here {
            fs::rename(rig.local().dir(&from), rig.local().dir(&to)).expect("rename");
            told += &format!(" to {to} here");
            if anew_here {
                rig.local().create(&from);
                told += " and make another";
            }
        }
        self.model.renamed_folder(&from, if on_server { &there } else { &to });
        told
    }

    /// The server numbers a folder anew: its messages are the same, under other UIDs and another UIDVALIDITY.
    fn renumber(&mut self, rig: &Rig) -> String {
        let now = rig.remote();
        let names: Vec<&String> = now.keys().filter(|name| is_leaf(&now, name) && !now[*name].is_empty()).collect();
        if names.is_empty() {
            return "nothing".to_owned();
        }
        let name = (*self.corpus.rng.pick(&names)).clone();
        let mut session = rig.mailbox();
        session.remove(&name);
        session.create(&name);
        for message in &now[&name] {
            session.append(&name, &message.bytes, &message.flags, message.date);
        }
        self.model.renumbered(&name);
        format!("number {name} anew")
    }

    /// A message that stands alone in one folder on both sides is moved on both, mostly to different ones.
    fn move_on_both(&mut self, rig: &Rig, found: &Found, to: &str, now: &Snapshot) -> String {
        let content = found.msg.content();
        let [here, there] = [rig.local().snapshot(), rig.remote()].map(|all| alone(&all, &content));
        let (Some(here), Some(there)) = (here, there) else { return "nothing".to_owned() };
        let folders: Vec<&String> = now.keys().filter(|name| **name != there.folder).collect();
        if here.folder != there.folder || here.folder == to || !rig.local().dir(to).exists() || folders.is_empty() {
            return "nothing".to_owned();
        }
        let target = (*self.corpus.rng.pick(&folders)).clone();
        if rig.mailbox().try_command("NOOP").is_err() || !rig.remote().contains_key(&target) {
            return "nothing".to_owned();
        }
        rig.local().mv(&here.folder, Path::new(&here.msg.place), to);
        self.model.moved(Side::Local, to, content.clone());
        rig.mailbox().mv(&there.folder, there.msg.uid(), &target);
        self.model.moved(Side::Remote, &target, content);
        format!("move {} here to {to}, on the server to {target}", found.told())
    }
}

/// On the server, here, and under the same name on both.
const RENAMES: [[bool; 3]; 4] = [[true, false, false], [false, true, false], [true, true, false], [true, true, true]];

fn is_leaf(now: &Snapshot, name: &str) -> bool {
    let inner = format!("{name}/");
    !["INBOX", "Trash"].contains(&name) && !now.keys().any(|other| other.starts_with(&inner))
}

/// The only message of this content.
fn alone(all: &Snapshot, content: &[u8]) -> Option<Found> {
    let of_folder = |(folder, messages): (&String, &Vec<Msg>)| -> Vec<Found> {
        let equal = messages.iter().filter(|m| m.content() == content);
        equal.map(|m| Found { folder: folder.clone(), msg: m.clone() }).collect()
    };
    let mut found: Vec<Found> = all.iter().flat_map(of_folder).collect();
    (found.len() == 1).then(|| found.remove(0))
}

impl Found {
    fn told(&self) -> String {
        let place = self.msg.place.rsplit('/').next().unwrap_or_default();
        format!("{} of {} ({place})", subject(&self.msg.bytes), self.folder)
    }
}
