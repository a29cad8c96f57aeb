//! Moves: a deletion here and an arrival there with one identity. PURE.
//!
//! An inode or a size only nominates. A local move counts if the arriving file's digest equals the row's; a move on the server if
//! EMAILID (or X-GM-MSGID) is the same, or size, Message-ID and INTERNALDATE are and the header section is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mail::{Digest, MessageId, Side, Timestamp, Uid};
use crate::state::{FolderId, Mark, Row, RowId};

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
    /// By row: the file of a folder that the server made anew, whose message stands in another folder there (its place is in
    /// `remote`): somebody renamed the folder and made one of the old name.
    pub left: BTreeMap<RowId, At>,
}

impl Moves {
    /// The arrivals that are spoken for, on one side.
    #[must_use]
    pub fn taken(&self, side: Side) -> BTreeSet<At> {
        match side {
            Side::Local => self.local.values().chain(self.left.values()).copied().collect(),
            Side::Remote => self.remote.values().copied().collect(),
        }
    }
}

fn missing<'a>(view: &'a View, side: Side) -> impl Iterator<Item = &'a Touched> + 'a {
    view.touched.iter().filter(move |t| match side {
        Side::Local => t.local.is_none() && t.row.file.is_some(),
        // A row with neither stands there alone by agreement and has lost its UID: the folder was numbered anew.
        Side::Remote => t.remote.is_none() && (t.row.uid.is_some() || t.row.file.is_none()),
    })
}

/// What in-folder pairing has taken, by side.
#[derive(Debug, Default)]
pub struct Taken {
    /// Unknown files.
    pub local: BTreeSet<At>,
    /// Unknown messages.
    pub remote: BTreeSet<At>,
}

/// A known message that is not where it was on the server.
#[derive(Clone, Copy)]
struct Absent<'a> {
    row: &'a Row,
    /// Its file, if that is among the unknown ones: its folder has another UIDVALIDITY.
    file: Option<At>,
}

/// Whether a file's row says that it was on the server, under a UIDVALIDITY that is no more.
fn was_there<'a>(new: &'a LocalNew, view: &View) -> Option<&'a Row> {
    let row = new.row.as_deref()?;
    let known = row.identity.size_wire.is_some() && matches!(row.mark, Mark::Paired | Mark::Waiting);
    let unbound = view.adopting || row.uid.is_none();
    (known && unbound && !view.no_uploads).then_some(row)
}

/// All messages that are not where they were on the server: first those of which that is certain.
fn gone_there<'a>(views: &'a [View], taken: &BTreeSet<At>) -> Vec<Absent<'a>> {
    let mut all: Vec<Absent<'a>> =
        views.iter().flat_map(|v| missing(v, Side::Remote)).map(|t| Absent { row: &t.row, file: None }).collect();
    for view in views {
        for (index, new) in view.local_new.iter().enumerate() {
            let at = At { folder: view.folder, index };
            if let Some(row) = was_there(new, view).filter(|_| !taken.contains(&at)) {
                all.push(Absent { row, file: Some(at) });
            }
        }
    }
    all
}

/// Whether any known message is missing on a side, so that an arrival there may be it.
#[must_use]
pub fn any_missing(views: &[View], side: Side) -> bool {
    let renumbered = |view: &View| side == Side::Remote && view.local_new.iter().any(|n| was_there(n, view).is_some());
    views.iter().any(|view| missing(view, side).next().is_some() || renumbered(view))
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

/// Messages by what they looked like on the server; those with several contents are left out.
fn by_look(all: Vec<Absent<'_>>) -> HashMap<Look, Vec<Absent<'_>>> {
    let mut gone: HashMap<Look, Vec<Absent<'_>>> = HashMap::new();
    for one in all {
        let id = &one.row.identity;
        if let (Some(size), Some(date)) = (id.size_wire, id.date) {
            gone.entry(Look { size, date, message_id: id.message_id }).or_default().push(one);
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
    let known = |rows: Vec<Absent<'_>>| rows.first().map(|g| (g.row.identity.header, g.row.identity.digest));
    let certain = gone_there(views, &BTreeSet::new()).into_iter().filter(|g| g.file.is_none()).collect();
    Gone(by_look(certain).into_iter().filter_map(|(look, rows)| Some((look, known(rows)?))).collect())
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
pub fn headers_needed(views: &[View], taken: &Taken) -> BTreeMap<FolderId, BTreeSet<Uid>> {
    let gone = gone_there(views, &taken.local);
    let names: BTreeSet<&str> = gone.iter().filter_map(|one| one.row.identity.email_id.as_deref()).collect();
    let gone = by_look(gone);
    let mut needed: BTreeMap<FolderId, BTreeSet<Uid>> = BTreeMap::new();
    for view in views {
        for (index, new) in view.remote_new.iter().enumerate() {
            let free =
                new.row.is_none() && new.header.is_none() && !taken.remote.contains(&At { folder: view.folder, index });
            let named = new.message.email_id.as_deref().is_some_and(|id| names.contains(id));
            if free && (named || look_of(new).is_some_and(|look| gone.contains_key(&look))) {
                needed.entry(view.folder).or_default().insert(new.message.uid);
            }
        }
    }
    needed
}

/// Finds the moves on the server, with the headers that [`headers_needed`] asked for, and puts them into `found`. A name that the server
/// gives (EMAILID, X-GM-MSGID) only nominates: a wrong one must not put one message in another's place.
pub fn remote_moves(views: &[View], taken: &Taken, found: &mut Moves) {
    let gone = gone_there(views, &taken.local);
    let mut by_name: HashMap<&str, Vec<Absent<'_>>> = HashMap::new();
    for one in &gone {
        if let Some(email_id) = one.row.identity.email_id.as_deref() {
            by_name.entry(email_id).or_default().push(*one);
        }
    }
    let mut by_look = by_look(gone);
    let mut used: BTreeSet<RowId> = BTreeSet::new();
    for view in views {
        for (index, new) in view.remote_new.iter().enumerate() {
            let at = At { folder: view.folder, index };
            if new.row.is_some() || taken.remote.contains(&at) {
                continue;
            }
            let named = new.message.email_id.as_deref().and_then(|id| by_name.get_mut(id));
            let looks = look_of(new).and_then(|look| by_look.get_mut(&look));
            let same_content = |row: &Row| new.digest.is_none() || new.digest == row.identity.digest;
            let same_header = |row: &Row| new.header.is_some() && row.identity.header == new.header;
            let same = |row: &Row| same_header(row) && same_content(row);
            let as_long = |row: &Row| new.message.size.is_none() || row.identity.size_wire == new.message.size;
            let one = take(named, &used, |row| same(row) && as_long(row)).or_else(|| take(looks, &used, same));
            if let Some(one) = one {
                used.insert(one.row.id);
                found.remote.insert(one.row.id, at);
                found.left.extend(one.file.map(|file| (one.row.id, file)));
            }
        }
    }
}

fn take<'a>(
    candidates: Option<&mut Vec<Absent<'a>>>,
    used: &BTreeSet<RowId>,
    fits: impl Fn(&Row) -> bool,
) -> Option<Absent<'a>> {
    let candidates = candidates?;
    let at = candidates.iter().position(|one| !used.contains(&one.row.id) && fits(one.row))?;
    // In order: those that are certainly gone come before those whose folder was only numbered anew.
    Some(candidates.remove(at))
}

/// Equal messages of one folder of which each side lost another one: what is left on both is one message, and nothing of it is
/// deleted. By the row whose file is gone: that whose message is gone.
#[must_use]
pub fn reunited(views: &[View], moves: &Moves, moved: &BTreeSet<RowId>) -> BTreeMap<RowId, RowId> {
    let mut found = BTreeMap::new();
    for view in views.iter().filter(|v| v.lost.is_none()) {
        let known = |t: &&Touched| t.row.mark == Mark::Paired && !moved.contains(&t.row.id);
        let mut there: HashMap<Digest, Vec<RowId>> = HashMap::new();
        for touched in missing(view, Side::Remote).filter(known) {
            let stays = touched.local.is_some() && !moves.remote.contains_key(&touched.row.id);
            if let Some(digest) = touched.row.identity.digest.filter(|_| stays) {
                there.entry(digest).or_default().push(touched.row.id);
            }
        }
        for touched in missing(view, Side::Local).filter(known) {
            let stays = touched.remote.is_some() && !moves.local.contains_key(&touched.row.id);
            let twin = touched.row.identity.digest.filter(|_| stays).and_then(|digest| there.get_mut(&digest)?.pop());
            found.extend(twin.map(|twin| (touched.row.id, twin)));
        }
    }
    found
}
