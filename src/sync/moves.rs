//! Moves: a deletion here and an arrival there with one identity. PURE.
//!
//! An inode or a size only nominates. A local move counts if the arriving file's digest equals the row's; a move on the server if
//! EMAILID (or X-GM-MSGID) is the same, or size, Message-ID and INTERNALDATE are and the header section is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mail::{Digest, MessageId, Side, Timestamp, Uid};
use crate::state::{FolderId, RowId};

use super::view::{LocalNew, RemoteNew, Touched, View};

/// Where an arrival stands: folder and index in that view's `local_new` or `remote_new`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// The folder.
    pub folder: FolderId,
    /// The index.
    pub index: usize,
}

/// The arrivals that are known messages in a new place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// By row: the file that it is now.
    pub local: BTreeMap<RowId, At>,
    /// By row: the message on the server that it is now.
    pub remote: BTreeMap<RowId, At>,
}

impl Moves {
    /// The arrivals that are spoken for, on one side.
    #[must_use]
    pub fn taken(&self, side: Side) -> BTreeSet<At> {
        match side {
            Side::Local => self.local.values().copied().collect(),
            Side::Remote => self.remote.values().copied().collect(),
        }
    }
}

fn missing<'a>(view: &'a View, side: Side) -> impl Iterator<Item = &'a Touched> + 'a {
    view.touched.iter().filter(move |t| match side {
        Side::Local => t.local.is_none() && t.row.file.is_some(),
        Side::Remote => t.remote.is_none() && t.row.uid.is_some(),
    })
}

/// Whether any known message is missing on a side, so that an arrival there may be it.
#[must_use]
pub fn any_missing(views: &[View], side: Side) -> bool {
    views.iter().any(|view| missing(view, side).next().is_some())
}

/// Whether a file may be a known one under another name: one with a name of ours is a download whose row a crash took.
fn is_renamed(new: &LocalNew) -> bool {
    new.row.is_none() && !super::compare::is_ours(&new.place)
}

/// Puts files that got another name in their folder, while their message is still on the server, at the end of their view's
/// `local_new` and counts them in `renamed`: they are known before anything is paired, so that an equal message that came
/// meanwhile is not taken for theirs (HAZARDS 3).
pub fn set_renames_aside(views: &mut [View]) {
    for view in views {
        let mut gone: HashMap<Digest, Vec<&Touched>> = HashMap::new();
        for touched in missing(view, Side::Local).filter(|t| t.remote.is_some()) {
            if let Some(digest) = touched.row.identity.digest {
                gone.entry(digest).or_default().push(touched);
            }
        }
        if gone.is_empty() {
            continue;
        }
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        for same_file in [true, false] {
            for (index, new) in view.local_new.iter().enumerate().filter(|(_, new)| is_renamed(new)) {
                let Some(candidates) = gone.get_mut(&new.content.digest).filter(|_| !taken.contains(&index)) else {
                    continue;
                };
                let fits = |t: &&Touched| !same_file || t.row.inode == Some(new.inode);
                if let Some(position) = candidates.iter().position(fits) {
                    candidates.swap_remove(position);
                    taken.insert(index);
                }
            }
        }
        view.renamed = taken.len();
        let all = std::mem::take(&mut view.local_new).into_iter().enumerate();
        let (last, first): (Vec<_>, Vec<_>) = all.partition(|(index, _)| taken.contains(index));
        view.local_new = first.into_iter().chain(last).map(|(_, new)| new).collect();
    }
}

/// Finds the moves in the Maildir. `paired` are arrivals that in-folder pairing has taken.
#[must_use]
pub fn local_moves(views: &[View], paired: &BTreeSet<At>) -> BTreeMap<RowId, At> {
    let mut gone: HashMap<Digest, Vec<&Touched>> = HashMap::new();
    for touched in views.iter().flat_map(|v| missing(v, Side::Local)) {
        if let Some(digest) = touched.row.identity.digest {
            gone.entry(digest).or_default().push(touched);
        }
    }
    let mut found = BTreeMap::new();
    let mut taken = BTreeSet::new();
    // Among equal messages: the same file first, then one of the same folder, then any.
    for strictness in 0..3 {
        for view in views {
            for (index, new) in view.local_new.iter().enumerate() {
                let at = At { folder: view.folder, index };
                if new.row.is_some() || paired.contains(&at) || taken.contains(&at) {
                    continue;
                }
                let Some(candidates) = gone.get_mut(&new.content.digest) else { continue };
                let fits = |t: &&Touched| match strictness {
                    0 => t.row.inode == Some(new.inode),
                    1 => t.row.folder == view.folder,
                    _ => true,
                };
                if let Some(position) = candidates.iter().position(fits) {
                    found.insert(candidates.swap_remove(position).row.id, at);
                    taken.insert(at);
                }
            }
        }
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Look {
    size: u64,
    date: Timestamp,
    message_id: Option<MessageId>,
}

fn look_of(new: &RemoteNew) -> Option<Look> {
    Some(Look { size: new.message.size?, date: new.message.date?, message_id: new.message.message_id? })
}

/// The messages gone from the server by what they looked like there; those with several contents are left out.
fn gone_by_look(views: &[View]) -> HashMap<Look, Vec<&Touched>> {
    let mut gone: HashMap<Look, Vec<&Touched>> = HashMap::new();
    for touched in views.iter().flat_map(|v| missing(v, Side::Remote)) {
        let id = &touched.row.identity;
        if let (Some(size), Some(date)) = (id.size_wire, id.date) {
            gone.entry(Look { size, date, message_id: id.message_id }).or_default().push(touched);
        }
    }
    gone.retain(|_, rows| {
        rows.windows(2).all(|w| matches!(w, [a, b] if a.row.identity.digest == b.row.identity.digest))
    });
    gone
}

/// What messages that are gone from the server were, by what they looked like there.
#[derive(Debug, Default)]
pub struct Gone(HashMap<Look, (Option<Digest>, Option<Digest>)>);

/// Remembers what is gone from the server, for [`Gone::content`].
#[must_use]
pub fn gone(views: &[View]) -> Gone {
    let known = |rows: Vec<&Touched>| rows.first().map(|t| (t.row.identity.header, t.row.identity.digest));
    Gone(gone_by_look(views).into_iter().filter_map(|(look, rows)| Some((look, known(rows)?))).collect())
}

impl Gone {
    /// The content of an arrival that looks in every way like a message that is gone, header section included.
    #[must_use]
    pub fn content(&self, new: &RemoteNew) -> Option<Digest> {
        let (header, digest) = self.0.get(&look_of(new)?)?;
        digest.filter(|_| header.is_some() && *header == new.header)
    }
}

/// The arrivals on the server whose headers must be compared before they can be called moves.
#[must_use]
pub fn headers_needed(views: &[View], paired: &BTreeSet<At>) -> BTreeMap<FolderId, BTreeSet<Uid>> {
    let gone = gone_by_look(views);
    let names = gone_by_name(views);
    let mut needed: BTreeMap<FolderId, BTreeSet<Uid>> = BTreeMap::new();
    for view in views {
        for (index, new) in view.remote_new.iter().enumerate() {
            let free =
                new.row.is_none() && new.header.is_none() && !paired.contains(&At { folder: view.folder, index });
            let named = new.message.email_id.as_deref().is_some_and(|id| names.contains_key(id));
            if free && (named || look_of(new).is_some_and(|look| gone.contains_key(&look))) {
                needed.entry(view.folder).or_default().insert(new.message.uid);
            }
        }
    }
    needed
}

/// The messages gone from the server by the name that it gave them (EMAILID, X-GM-MSGID).
fn gone_by_name(views: &[View]) -> HashMap<&str, Vec<&Touched>> {
    let mut gone: HashMap<&str, Vec<&Touched>> = HashMap::new();
    for touched in views.iter().flat_map(|v| missing(v, Side::Remote)) {
        if let Some(email_id) = touched.row.identity.email_id.as_deref() {
            gone.entry(email_id).or_default().push(touched);
        }
    }
    gone
}

/// Finds the moves on the server, with the headers that [`headers_needed`] asked for. A name that the server gives only nominates: a
/// wrong one must not put one message in another's place.
#[must_use]
pub fn remote_moves(views: &[View], paired: &BTreeSet<At>) -> BTreeMap<RowId, At> {
    let mut by_look = gone_by_look(views);
    let mut by_name = gone_by_name(views);
    let mut found = BTreeMap::new();
    let mut used: BTreeSet<RowId> = BTreeSet::new();
    for view in views {
        for (index, new) in view.remote_new.iter().enumerate() {
            let at = At { folder: view.folder, index };
            if new.row.is_some() || paired.contains(&at) {
                continue;
            }
            let named = new.message.email_id.as_deref().and_then(|id| by_name.get_mut(id));
            let looks = look_of(new).and_then(|look| by_look.get_mut(&look));
            let same = |t: &Touched| new.header.is_some() && t.row.identity.header == new.header;
            let as_long = |t: &Touched| new.message.size.is_none() || t.row.identity.size_wire == new.message.size;
            let row = take(named, &used, |t| same(t) && as_long(t)).or_else(|| take(looks, &used, same));
            if let Some(id) = row {
                used.insert(id);
                found.insert(id, at);
            }
        }
    }
    found
}

fn take(
    candidates: Option<&mut Vec<&Touched>>,
    used: &BTreeSet<RowId>,
    fits: impl Fn(&Touched) -> bool,
) -> Option<RowId> {
    let candidates = candidates?;
    let at = candidates.iter().position(|t| !used.contains(&t.row.id) && fits(t))?;
    Some(candidates.swap_remove(at).row.id)
}
