//! What a history's users may expect: how often each content must and may exist, and where, when both sides are in step again.
//!
//! The model knows nothing of UIDs, names or runs. It counts, for each content, what people did on each side since the two
//! sides were last in step. Equal messages are counted, not told apart.

use crate::support::message::{Flags, Snapshot};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The side on which a person changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Local,
    Remote,
}

/// What was done to one content since both sides were last in step, by side where it matters.
#[derive(Clone, Debug, Default)]
struct Content {
    /// How many there were.
    before: usize,
    /// Folder and flags, if there was exactly one.
    alone: Option<(String, Flags)>,
    arrived: [usize; 2],
    deleted: [usize; 2],
    /// Deletions that `on_delete = "trash"` cannot turn into a message of the Trash.
    deleted_for_good: usize,
    moved: [usize; 2],
    renamed: usize,
    /// Its folder was numbered anew: what was moved out of it here meanwhile goes back.
    renumbered: bool,
    flagged: usize,
    last_flags: Flags,
    last_folder: String,
}

impl Content {
    fn everything(&self) -> usize {
        self.before + self.arrived[0] + self.arrived[1]
    }

    /// The fewest there must be.
    fn least(&self, trash: bool) -> usize {
        let [here, there] = self.arrived;
        let deleted = if trash && here + there == 0 { self.deleted_for_good } else { self.deleted.iter().sum() };
        // Two equal messages that appear in one folder on both sides are one message, wherever they came from.
        let [out_here, out_there] = self.moved;
        let meets = (out_here > 0 && there + out_there > 0) || (out_there > 0 && here + out_here > 0);
        let merged = here.min(there) + if meets { out_here + out_there } else { 0 };
        let at_least_one = usize::from(self.everything() > deleted);
        self.everything().saturating_sub(deleted + merged).max(at_least_one)
    }

    /// The most there may be.
    fn most(&self, trash: bool) -> usize {
        let [here, there] = self.deleted;
        let plain = self.arrived == [0; 2] && self.moved == [0; 2] && self.renamed == 0;
        // A message that was moved, copied or renamed meanwhile may survive its deletion; a change of flags does not save it.
        let gone = if plain && !trash { here.max(there) } else { 0 };
        self.everything().saturating_sub(gone)
    }

    /// Whether only this happened to a message without an equal.
    fn only(&self, moved: usize, flagged: usize) -> bool {
        self.before == 1
            && self.arrived == [0; 2]
            && self.deleted == [0; 2]
            && self.moved.iter().sum::<usize>() == moved
            && self.flagged == flagged
    }
}

/// The expectations of one stretch between two points at which both sides were in step.
#[derive(Clone, Debug, Default)]
pub struct Model {
    contents: BTreeMap<Vec<u8>, Content>,
    /// Whether deletions here become messages of the Trash there.
    trash: bool,
}

impl Model {
    /// Both sides hold exactly `all`.
    pub fn new(all: &Snapshot, trash: bool) -> Self {
        let mut model = Self { trash, ..Self::default() };
        for (folder, messages) in all {
            for message in messages {
                let content = model.contents.entry(message.content()).or_default();
                content.before += 1;
                content.alone = (content.before == 1).then(|| (folder.clone(), message.flags.clone()));
            }
        }
        model
    }

    fn of(&mut self, content: Vec<u8>) -> &mut Content {
        self.contents.entry(content).or_default()
    }

    /// A new message, or a copy of one.
    pub fn arrived(&mut self, side: Side, content: Vec<u8>) {
        self.of(content).arrived[side as usize] += 1;
    }

    pub fn deleted(&mut self, side: Side, folder: &str, content: Vec<u8>) {
        let one = self.of(content);
        one.deleted[side as usize] += 1;
        let stays = side == Side::Local && folder != "Trash" && one.moved == [0; 2];
        one.deleted_for_good += usize::from(!stays);
    }

    pub fn moved(&mut self, side: Side, to: &str, content: Vec<u8>) {
        let one = self.of(content);
        one.moved[side as usize] += 1;
        to.clone_into(&mut one.last_folder);
        // What is in the Trash already, on any side, leaves it for good.
        one.deleted_for_good = one.deleted.iter().sum();
    }

    pub fn renamed_folder(&mut self, from: &str, to: &str) {
        for (folder, _) in self.contents.values_mut().filter_map(|c| c.alone.as_mut()) {
            if folder == from {
                to.clone_into(folder);
            }
        }
    }

    /// The server numbered a folder anew: in the run that meets that nothing is deleted.
    pub fn renumbered(&mut self, folder: &str) {
        let known = |c: &&mut Content| c.alone.as_ref().is_none_or(|(name, _)| name == folder);
        self.contents.values_mut().filter(known).for_each(|c| (c.renamed, c.renumbered) = (c.renamed + 1, true));
    }

    /// A file got another name in the same folder.
    pub fn renamed(&mut self, content: Vec<u8>) {
        self.of(content).renamed += 1;
    }

    pub fn flagged(&mut self, flags: &Flags, content: Vec<u8>) {
        let one = self.of(content);
        one.flagged += 1;
        one.last_flags.clone_from(flags);
    }

    /// Every expectation that both sides, now in step, do not meet: a line each.
    pub fn complaints(&self, all: &Snapshot) -> String {
        let mut found: BTreeMap<Vec<u8>, Vec<(&str, &Flags)>> = BTreeMap::new();
        for (folder, messages) in all {
            for message in messages {
                found.entry(message.content()).or_default().push((folder, &message.flags));
            }
        }
        let mut out = String::new();
        for (bytes, content) in &self.contents {
            let places = found.remove(bytes).unwrap_or_default();
            let name = subject(bytes);
            let (least, most) = (content.least(self.trash), content.most(self.trash));
            if places.len() < least {
                _ = writeln!(out, "LOST: {name}: {least} to {most} expected, found {places:?}; {content:?}");
            }
            if places.len() > most {
                _ = writeln!(out, "DOUBLE: {name}: {least} to {most} expected, found {places:?}; {content:?}");
            }
            if let ([(folder, flags)], Some((was, had))) = (places.as_slice(), &content.alone) {
                let stayed = content.only(0, content.flagged) && folder != was;
                let astray = content.only(1, content.flagged) && *folder != content.last_folder && !content.renumbered;
                if stayed || astray {
                    _ = writeln!(out, "ASTRAY: {name}: found in {folder}; {content:?}");
                }
                let kept = content.only(content.moved.iter().sum(), 0) && *flags != had;
                let changed = content.only(content.moved.iter().sum(), 1) && **flags != content.last_flags;
                if kept || changed {
                    _ = writeln!(out, "FLAGS: {name}: found {flags:?}; {content:?}");
                }
            }
        }
        for (bytes, places) in found {
            _ = writeln!(out, "FROM NOWHERE: {} in {places:?}", subject(&bytes));
        }
        out
    }
}

/// The subject of a message, and how long it is, which tells it from others of the same header.
pub fn subject(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let line = text.lines().take_while(|l| !l.is_empty()).find_map(|l| l.strip_prefix("Subject: "));
    format!("“{}”({})", line.unwrap_or("no subject"), content.len())
}
