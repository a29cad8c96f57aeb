//! Two sides and a state in memory, and what people do to them between runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::mail::{Content, Digest, Flags, MessageId, Side, System, Timestamp, Uid};
use crate::state::{FolderId, Row, RowId};

/// The folders; the last is the Trash.
pub const FOLDERS: [FolderId; 3] = [FolderId(1), FolderId(2), FolderId(3)];
/// The Trash.
pub const TRASH: FolderId = FolderId(3);
/// How many contents there are: 0 and 1, 2 and 3 share a header section, 4 has no Message-ID, 5's size is a lie.
pub const CONTENTS: u8 = 6;

/// What a message of this content is known by, when it is read through.
pub fn content(id: u8) -> Content {
    Content {
        digest: Digest([id; 32]),
        header: Digest([id / 2 * 16; 32]),
        message_id: message_id(id),
        size: u64::from(id) + 100,
        left_out: 0,
        message_id_text: None,
    }
}

pub fn message_id(id: u8) -> Option<MessageId> {
    (id != 4).then_some(MessageId([id / 2; 16]))
}

pub fn date(id: u8) -> Timestamp {
    Timestamp(1_000_000 + i64::from(id))
}

pub fn size_wire(id: u8) -> u64 {
    u64::from(id) + if id == 5 { 1000 } else { 100 }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub content: u8,
    pub inode: u64,
    pub flags: Flags,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Stands for its times: another one after every change.
    pub stamp: u64,
    /// By the unique part of the name.
    pub files: BTreeMap<String, File>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub validity: u32,
    pub next: u32,
    pub modseq: u64,
    pub messages: BTreeMap<u32, (u8, Flags)>,
}

/// What the state has recorded of a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub validity: Option<u32>,
    pub next: Option<u32>,
    pub modseq: Option<u64>,
    pub stamp: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub local: BTreeMap<FolderId, Directory>,
    pub remote: BTreeMap<FolderId, Mailbox>,
    pub rows: BTreeMap<RowId, Row>,
    pub cursors: BTreeMap<FolderId, Cursor>,
    /// Messages that were about to be moved on the server, and where to.
    pub intents: Vec<(RowId, FolderId)>,
    /// Counts names, inodes and rows.
    pub counter: u64,
    /// How the server behaves.
    pub server: Server,
}

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// UIDPLUS: it says which UIDs messages got.
    pub uidplus: bool,
    /// MOVE, else COPY and an expunge.
    pub moves: bool,
    /// EMAILID.
    pub email_ids: bool,
}

/// The state of one side, as far as both must agree: by folder, contents with flags.
pub type Picture = BTreeMap<FolderId, Vec<(u8, String)>>;

impl World {
    pub fn new(server: Server) -> Self {
        let mailbox = Mailbox { validity: 1, next: 1, modseq: 1, messages: BTreeMap::new() };
        Self {
            local: FOLDERS.iter().map(|&f| (f, Directory { stamp: 1, ..Directory::default() })).collect(),
            remote: FOLDERS.iter().map(|&f| (f, mailbox.clone())).collect(),
            rows: BTreeMap::new(),
            cursors: FOLDERS.iter().map(|&f| (f, Cursor::default())).collect(),
            intents: Vec::new(),
            counter: 0,
            server,
        }
    }

    pub fn count_on(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn directory(&mut self, folder: FolderId) -> &mut Directory {
        let directory = self.local.get_mut(&folder).unwrap();
        directory.stamp += 1;
        directory
    }

    pub fn mailbox(&mut self, folder: FolderId) -> &mut Mailbox {
        let mailbox = self.remote.get_mut(&folder).unwrap();
        mailbox.modseq += 1;
        mailbox
    }

    pub fn add_local(&mut self, folder: FolderId, content: u8, flags: Flags) {
        let number = self.count_on();
        self.directory(folder).files.insert(format!("f{number}"), File { content, inode: number, flags });
    }

    pub fn add_remote(&mut self, folder: FolderId, content: u8, flags: Flags) -> Uid {
        let mailbox = self.mailbox(folder);
        let uid = mailbox.next;
        mailbox.next += 1;
        mailbox.messages.insert(uid, (content, flags));
        Uid::new(uid).unwrap()
    }

    pub fn picture(&self, side: Side) -> Picture {
        let mut out = Picture::new();
        for folder in FOLDERS {
            let mut list: Vec<(u8, String)> = match side {
                Side::Local => self.local[&folder].files.values().map(|f| (f.content, f.flags.to_string())).collect(),
                Side::Remote => {
                    self.remote[&folder].messages.values().map(|(c, flags)| (*c, flags.to_string())).collect()
                }
            };
            list.sort();
            out.insert(folder, list);
        }
        out
    }

    pub fn count(&self, side: Side, content: u8) -> usize {
        self.picture(side).values().flatten().filter(|(c, _)| *c == content).count()
    }

    fn pick_local(&self, at: usize) -> Option<(FolderId, String)> {
        let all: Vec<_> = self.local.iter().flat_map(|(f, d)| d.files.keys().map(|k| (*f, k.clone()))).collect();
        (!all.is_empty()).then(|| all[at % all.len()].clone())
    }

    /// The number by which deeds name the first message of a content.
    pub fn position(&self, side: Side, content: u8) -> Option<usize> {
        match side {
            Side::Local => self.local.values().flat_map(|d| d.files.values()).position(|f| f.content == content),
            Side::Remote => self.remote.values().flat_map(|m| m.messages.values()).position(|(c, _)| *c == content),
        }
    }

    fn pick_remote(&self, at: usize) -> Option<(FolderId, u32)> {
        let all: Vec<_> = self.remote.iter().flat_map(|(f, m)| m.messages.keys().map(|k| (*f, *k))).collect();
        (!all.is_empty()).then(|| all[at % all.len()])
    }
}

/// What a person, or another program, does between runs. Messages are named by a number, modulo how many there are.
#[derive(Clone)]
pub enum Deed {
    Add(Side, FolderId, u8, Flags),
    Delete(Side, usize),
    Mark(Side, usize, Flags),
    Move(Side, usize, FolderId),
    Copy(Side, usize, FolderId),
    /// Another program gives a file another name.
    Rename(usize),
    /// The state is lost.
    Lose,
    /// The server renumbers a folder.
    Renumber(FolderId),
}

impl std::fmt::Debug for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add(side, folder, content, flags) => write!(f, "add {content} [{flags}] to {side} {}", folder.0),
            Self::Delete(side, at) => write!(f, "delete {side} #{at}"),
            Self::Mark(side, at, flags) => write!(f, "mark {side} #{at} [{flags}]"),
            Self::Move(side, at, to) => write!(f, "move {side} #{at} to {}", to.0),
            Self::Copy(side, at, to) => write!(f, "copy {side} #{at} to {}", to.0),
            Self::Rename(at) => write!(f, "rename the file of #{at}"),
            Self::Lose => write!(f, "lose the state"),
            Self::Renumber(folder) => write!(f, "renumber {}", folder.0),
        }
    }
}

/// What deeds did to one content since both sides were last equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub added: [usize; 2],
    pub deleted: [usize; 2],
    pub moved: [usize; 2],
}

/// What deeds did since both sides were last equal.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub by_content: BTreeMap<u8, Tally>,
    /// Rows or UIDs were lost, or a run died: what was a move or a deletion may now be anything.
    pub blurred: bool,
}

fn side_index(side: Side) -> usize {
    usize::from(side == Side::Remote)
}

impl World {
    pub fn carry_out(&mut self, deed: &Deed, ledger: &mut Ledger) {
        match deed {
            Deed::Add(side, folder, content, flags) => {
                ledger.by_content.entry(*content).or_default().added[side_index(*side)] += 1;
                match side {
                    Side::Local => self.add_local(*folder, *content, flags.clone()),
                    Side::Remote => {
                        self.add_remote(*folder, *content, flags.clone());
                    }
                }
            }
            Deed::Delete(Side::Local, at) => {
                let Some((folder, name)) = self.pick_local(*at) else { return };
                let file = self.directory(folder).files.remove(&name).unwrap();
                ledger.by_content.entry(file.content).or_default().deleted[0] += 1;
            }
            Deed::Delete(Side::Remote, at) => {
                let Some((folder, uid)) = self.pick_remote(*at) else { return };
                let (content, _) = self.mailbox(folder).messages.remove(&uid).unwrap();
                ledger.by_content.entry(content).or_default().deleted[1] += 1;
            }
            Deed::Mark(Side::Local, at, flags) => {
                let Some((folder, name)) = self.pick_local(*at) else { return };
                self.directory(folder).files.get_mut(&name).unwrap().flags = flags.clone();
            }
            Deed::Mark(Side::Remote, at, flags) => {
                let Some((folder, uid)) = self.pick_remote(*at) else { return };
                self.mailbox(folder).messages.get_mut(&uid).unwrap().1 = flags.clone();
            }
            Deed::Move(side, at, to) | Deed::Copy(side, at, to) => {
                self.transfer(*side, *at, *to, matches!(deed, Deed::Copy(..)), ledger);
            }
            Deed::Rename(at) => {
                let Some((folder, name)) = self.pick_local(*at) else { return };
                let number = self.count_on();
                let directory = self.directory(folder);
                let file = directory.files.remove(&name).unwrap();
                directory.files.insert(format!("r{number}"), file);
            }
            Deed::Lose => {
                self.rows.clear();
                self.intents.clear();
                self.cursors.values_mut().for_each(|c| *c = Cursor::default());
                ledger.blurred = true;
            }
            Deed::Renumber(folder) => {
                let mailbox = self.mailbox(*folder);
                mailbox.validity += 1;
                let old = std::mem::take(&mut mailbox.messages);
                mailbox.messages = old.into_values().zip(1u32..).map(|(m, uid)| (uid, m)).collect();
                mailbox.next = u32::try_from(mailbox.messages.len()).unwrap() + 1;
                ledger.blurred = true;
            }
        }
    }

    fn transfer(&mut self, side: Side, at: usize, to: FolderId, copy: bool, ledger: &mut Ledger) {
        let moved = match side {
            Side::Local => {
                let Some((from, name)) = self.pick_local(at).filter(|(from, _)| copy || *from != to) else { return };
                let number = self.count_on();
                let mut file = self.local[&from].files[&name].clone();
                if copy {
                    file.inode = number;
                } else {
                    self.directory(from).files.remove(&name);
                }
                if from != to {
                    // Letters mean other keywords in another folder.
                    file.flags.keywords = BTreeSet::new();
                }
                let content = file.content;
                let name = if copy { format!("c{number}") } else { name };
                self.directory(to).files.insert(name, file);
                content
            }
            Side::Remote => {
                let Some((from, uid)) = self.pick_remote(at).filter(|(from, _)| copy || *from != to) else { return };
                let (content, flags) = self.remote[&from].messages[&uid].clone();
                if !copy {
                    self.mailbox(from).messages.remove(&uid);
                }
                self.add_remote(to, content, flags);
                content
            }
        };
        let tally = ledger.by_content.entry(moved).or_default();
        if copy {
            tally.added[side_index(side)] += 1;
        } else {
            tally.moved[side_index(side)] += 1;
        }
    }
}

/// `cur/NAME` with the letters of the flags.
pub fn place(name: &str, flags: &Flags) -> Vec<u8> {
    let letters: String = System::TABLE
        .iter()
        .filter(|(bit, _, _)| flags.system.contains(*bit))
        .map(|(_, letter, _)| char::from(*letter))
        .collect();
    format!("cur/{name}:2,{letters}").into_bytes()
}

/// The unique part of a place.
pub fn unique(place: &[u8]) -> String {
    let text = std::str::from_utf8(place).unwrap();
    text.trim_start_matches("cur/").split(":2,").next().unwrap().to_owned()
}
