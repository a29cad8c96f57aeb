//! What is asked for with one command, and with one flight of commands.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Flags, Timestamp, Uid};
use crate::state::{FolderId, Row};

use super::super::super::view::RemoteNew;
use super::super::copies::Wanted;
use super::super::lock;

/// At most so many messages are asked for with one command.
const PART: usize = 500;
/// At most so many bytes.
const PART_BYTES: u64 = 32 << 20;
/// At most so many commands for different folders are under way on one connection.
const FLIGHT: usize = 32;
/// A sample is taken apart from the rest only if there is so many times as much.
const WORTH_A_SAMPLE: u64 = 3;

/// One message that is wanted: small, because it moves from list to list, and there may be 200,000.
#[derive(Clone)]
pub struct Want {
    /// The message as the plan has it; its row, if there is one, is waiting or has a file that is missing.
    remote: Box<RemoteNew>,
}

impl Want {
    /// The message that a plan names.
    pub fn new(remote: Box<RemoteNew>) -> Self {
        Self { remote }
    }

    /// A known message whose file is missing, with its flags on the server.
    pub fn again(uid: Uid, row: Option<Row>, flags: Flags) -> Self {
        let identity = row.as_ref().map(|r| &r.identity);
        let message = RemoteMessage {
            flags: Some(flags),
            size: identity.and_then(|i| i.size_wire),
            date: identity.and_then(|i| i.date),
            ..RemoteMessage::new(uid)
        };
        Self::new(Box::new(RemoteNew { message, header: None, digest: None, row: row.map(Box::new) }))
    }

    /// What the server told of it.
    pub fn message(&self) -> &RemoteMessage {
        &self.remote.message
    }

    /// Its row, if it has one.
    pub fn row(&self) -> Option<&Row> {
        self.remote.row.as_deref()
    }

    /// Takes INTERNALDATE from the answer that brings the body, where the listing told none.
    pub fn set_date_if_none(&mut self, date: Option<Timestamp>) {
        let own = &mut self.remote.message.date;
        *own = own.or(date);
    }
}

/// Messages of one folder that are asked for with one command.
#[derive(Clone)]
pub struct Part {
    pub folder: FolderId,
    pub wants: BTreeMap<Uid, Want>,
    /// How often it was asked for in vain.
    pub tries: u32,
}

impl Part {
    /// The bytes that it is likely to bring.
    pub fn bytes(&self) -> u64 {
        self.wants.values().map(|w| w.message().size.unwrap_or(4096)).sum()
    }
}

/// Cuts what is wanted into parts, the folders in turn, so that connections work on different ones.
pub fn cut(wanted: Wanted) -> Vec<Part> {
    let mut parts = Vec::new();
    for (folder, wants) in wanted {
        let mut part = Part { folder, wants: BTreeMap::new(), tries: 0 };
        let mut bytes = 0;
        for (uid, want) in wants {
            let size = want.message().size.unwrap_or(4096);
            if !part.wants.is_empty() && (part.wants.len() >= PART || bytes + size > PART_BYTES) {
                let next = Part { folder, wants: BTreeMap::new(), tries: 0 };
                parts.push(std::mem::replace(&mut part, next));
                bytes = 0;
            }
            bytes += size;
            part.wants.insert(uid, want);
        }
        parts.push(part);
    }
    parts
}

/// Several small parts of different folders, or one large one.
pub fn take_load(queue: &Mutex<VecDeque<Part>>) -> Vec<Part> {
    let mut queue = lock(queue);
    let mut load: Vec<Part> = Vec::new();
    let mut bytes = 0;
    while let Some(part) = queue.front() {
        let size = part.bytes();
        if !load.is_empty() && (load.len() >= FLIGHT || bytes + size > PART_BYTES) {
            break;
        }
        bytes += size;
        load.extend(queue.pop_front());
    }
    load
}

/// Leaves about so many bytes in a load, if there are some times as many; gives what was taken out.
pub fn leave(load: &mut Vec<Part>, bytes: u64) -> Vec<Part> {
    if load.iter().map(Part::bytes).sum::<u64>() < bytes.saturating_mul(WORTH_A_SAMPLE) {
        return Vec::new();
    }
    let mut kept = 0;
    let mut rest = Vec::new();
    for part in load.iter_mut() {
        let mut later = Part { wants: BTreeMap::new(), ..*part };
        let after = part.wants.iter().find_map(|(&uid, want)| {
            let full = kept >= bytes;
            kept += want.message().size.unwrap_or(4096);
            full.then_some(uid)
        });
        if let Some(uid) = after {
            later.wants = part.wants.split_off(&uid);
            rest.push(later);
        }
    }
    load.retain(|part| !part.wants.is_empty());
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(folder: i64, sizes: &[u64]) -> Part {
        let want = |(i, &size): (usize, &u64)| {
            let uid = Uid::new(u32::try_from(i + 1).unwrap()).unwrap();
            let message = RemoteMessage { size: Some(size), ..RemoteMessage::new(uid) };
            (uid, Want::new(Box::new(RemoteNew { message, header: None, digest: None, row: None })))
        };
        Part { folder: FolderId(folder), wants: sizes.iter().enumerate().map(want).collect(), tries: 0 }
    }

    fn counts(parts: &[Part]) -> Vec<(i64, usize)> {
        parts.iter().map(|part| (part.folder.0, part.wants.len())).collect()
    }

    #[test]
    fn a_sample_is_left_and_nothing_is_lost() {
        let mut load = vec![part(1, &[10, 10]), part(2, &[10, 10, 10]), part(3, &[10; 10])];
        let rest = leave(&mut load, 30);
        assert_eq!((counts(&load), counts(&rest)), (vec![(1, 2), (2, 1)], vec![(2, 2), (3, 10)]));
        // What would all be a sample goes as it is.
        let mut small = vec![part(1, &[10; 10])];
        assert!(leave(&mut small, 60).is_empty());
        assert_eq!(counts(&small), [(1, 10)]);
        // One message is never cut.
        let mut large = vec![part(1, &[1000])];
        assert!(leave(&mut large, 10).is_empty());
        assert_eq!(counts(&large), [(1, 1)]);
    }
}
