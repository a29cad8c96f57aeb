//! Pairing by content: unknown messages of both sides in one folder, before either is treated as new. PURE.
//!
//! Candidates share the header section; what is certain before anything depends on it is the digest of the whole. Several
//! equal messages pair one to one. Where a doubt remains, nothing is carried across and nothing is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mail::{Digest, Flags, MessageId, Timestamp, Uid};

/// An unknown message of the Maildir, read through.
#[derive(Clone, Debug)]
pub struct LocalCandidate {
    /// Digest of the canonical form.
    pub digest: Digest,
    /// Digest of the header section.
    pub header: Digest,
    /// Its Message-ID.
    pub message_id: Option<MessageId>,
    /// Length in bytes with `CR LF` line ends, without header fields that do not count.
    pub size: u64,
    /// The file's time.
    pub date: Option<Timestamp>,
    /// Its flags.
    pub flags: Flags,
    /// The UID whose derived name the file carries: it is the download of that message, whose row a crash took.
    pub own: Option<Uid>,
}

/// An unknown message of the server, as far as it is known.
#[derive(Clone, Debug)]
pub struct RemoteCandidate {
    /// Its UID.
    pub uid: Uid,
    /// The server's size, likewise: a hint.
    pub size: Option<u64>,
    /// INTERNALDATE.
    pub date: Option<Timestamp>,
    /// Its Message-ID: `None` when it was not asked for.
    pub message_id: Option<Option<MessageId>>,
    /// Digest of its header section, once fetched.
    pub header: Option<Digest>,
    /// Digest of the whole, once fetched.
    pub digest: Option<Digest>,
    /// Its flags.
    pub flags: Flags,
}

/// The UIDs whose headers must be fetched: their Message-ID (or the lack of one) is also that of a local candidate.
#[must_use]
pub fn headers_needed(locals: &[LocalCandidate], remotes: &[RemoteCandidate]) -> BTreeSet<Uid> {
    let ids: BTreeSet<Option<MessageId>> = locals.iter().map(|l| l.message_id).collect();
    remotes
        .iter()
        .filter(|r| r.header.is_none() && r.message_id.is_none_or(|id| ids.contains(&id)))
        .map(|r| r.uid)
        .collect()
}

/// What pairing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// Pairs of (index of the local candidate, index of the remote one).
    pub pairs: Vec<(usize, usize)>,
    /// Remote candidates whose bodies must be fetched before anything of their group is decided, by index.
    pub bodies_needed: BTreeSet<usize>,
    /// Local candidates that wait for those bodies, by index.
    pub undecided: BTreeSet<usize>,
    /// How many local candidates met a remote one with their Message-ID but with another header or content.
    pub lookalikes: usize,
}

/// Pairs what can be paired. Call again when the bodies asked for are known; those that cannot be had keep their group undecided.
///
/// With `by_size` a group with one content here and equal sizes there is paired without a body, as an adoption needs it;
/// otherwise every pair rests on digests.
#[must_use]
pub fn pair(locals: &[LocalCandidate], remotes: &[RemoteCandidate], by_size: bool) -> Pairing {
    let mut out = Pairing::default();
    let mut groups: BTreeMap<Digest, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (i, local) in locals.iter().enumerate() {
        groups.entry(local.header).or_default().0.push(i);
    }
    for (i, remote) in remotes.iter().enumerate() {
        if let Some(group) = remote.header.and_then(|h| groups.get_mut(&h)) {
            group.1.push(i);
        }
    }
    for (ours, theirs) in groups.values().filter(|(_, theirs)| !theirs.is_empty()) {
        pair_group(locals, remotes, (ours, theirs, by_size), &mut out);
    }
    out.lookalikes = lookalikes(locals, remotes, &out);
    out
}

fn pair_group(
    locals: &[LocalCandidate],
    remotes: &[RemoteCandidate],
    group: (&[usize], &[usize], bool),
    out: &mut Pairing,
) {
    let (ours, theirs, may_trust) = group;
    let known = |i: &usize| remotes.get(*i).is_some_and(|r| r.digest.is_some());
    let contents: BTreeMap<Digest, u64> =
        ours.iter().filter_map(|&i| locals.get(i)).map(|l| (l.digest, l.size)).collect();
    let sizes_agree =
        |size: u64| theirs.iter().filter_map(|&i| remotes.get(i)).all(|r| r.digest.is_some() || r.size == Some(size));
    let by_size = match contents.iter().next() {
        Some((digest, size)) if may_trust && contents.len() == 1 && sizes_agree(*size) => Some(*digest),
        _ => None,
    };
    if by_size.is_none() && !theirs.iter().all(known) {
        out.bodies_needed.extend(theirs.iter().copied().filter(|i| !known(i)));
        out.undecided.extend(ours.iter().copied());
        return;
    }
    for digest in contents.keys() {
        let a: Vec<usize> =
            ours.iter().copied().filter(|&i| locals.get(i).is_some_and(|l| l.digest == *digest)).collect();
        let b: Vec<usize> = theirs
            .iter()
            .copied()
            .filter(|&i| remotes.get(i).is_some_and(|r| r.digest.or(by_size) == Some(*digest)))
            .collect();
        out.pairs.extend(pair_equals(locals, remotes, a, b));
    }
}

/// Equal messages: files with the name derived for a UID first, then those with equal date and flags, then equal date, then in order.
fn pair_equals(
    locals: &[LocalCandidate],
    remotes: &[RemoteCandidate],
    mut ours: Vec<usize>,
    mut theirs: Vec<usize>,
) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut taken = BTreeSet::new();
    ours.retain(|&i| {
        let own = locals.get(i).and_then(|l| l.own);
        let at = theirs.iter().position(|&j| own.is_some() && remotes.get(j).map(|r| r.uid) == own);
        pairs.extend(at.map(|at| (i, theirs.remove(at))));
        at.is_none()
    });
    for strictness in 0..3 {
        let mut waiting: HashMap<(Option<Timestamp>, Option<&Flags>), Vec<usize>> = HashMap::new();
        let key = |date: Option<Timestamp>, flags| match strictness {
            0 => (date, Some(flags)),
            1 => (date, None),
            _ => (None, None),
        };
        for &i in theirs.iter().rev() {
            if let Some(r) = remotes.get(i) {
                waiting.entry(key(r.date, &r.flags)).or_default().push(i);
            }
        }
        ours.retain(|&i| {
            let Some(l) = locals.get(i) else { return false };
            match waiting.get_mut(&key(l.date, &l.flags)).and_then(Vec::pop) {
                Some(r) => {
                    pairs.push((i, r));
                    taken.insert(r);
                    false
                }
                None => true,
            }
        });
        theirs.retain(|i| !taken.contains(i));
        if ours.is_empty() || theirs.is_empty() {
            break;
        }
    }
    pairs
}

fn lookalikes(locals: &[LocalCandidate], remotes: &[RemoteCandidate], done: &Pairing) -> usize {
    let paired_local: BTreeSet<usize> = done.pairs.iter().map(|p| p.0).collect();
    let paired_remote: BTreeSet<usize> = done.pairs.iter().map(|p| p.1).collect();
    let mut ids: BTreeSet<MessageId> = BTreeSet::new();
    for (i, remote) in remotes.iter().enumerate() {
        if let Some(Some(id)) = remote.message_id
            && !paired_remote.contains(&i)
        {
            ids.insert(id);
        }
    }
    locals
        .iter()
        .enumerate()
        .filter(|(i, l)| !paired_local.contains(i) && l.message_id.is_some_and(|id| ids.contains(&id)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn local(header: u8, body: u8) -> LocalCandidate {
        LocalCandidate {
            digest: Digest([header, body].repeat(16).try_into().unwrap()),
            header: Digest([header; 32]),
            message_id: Some(MessageId([header; 16])),
            size: 100 + u64::from(body),
            date: None,
            flags: Flags::none(),
            own: None,
        }
    }

    fn remote(uid: u32, header: u8, size: u64, body: Option<u8>) -> RemoteCandidate {
        RemoteCandidate {
            uid: Uid::new(uid).unwrap(),
            size: Some(size),
            date: None,
            message_id: Some(Some(MessageId([header; 16]))),
            header: Some(Digest([header; 32])),
            digest: body.map(|b| Digest([header, b].repeat(16).try_into().unwrap())),
            flags: Flags::none(),
        }
    }

    #[test]
    fn one_content_and_equal_sizes_need_no_body() {
        let done = pair(
            &[local(1, 1), local(1, 1)],
            &[remote(1, 1, 101, None), remote(2, 1, 101, None), remote(3, 1, 101, None)],
            true,
        );
        assert_eq!(done.pairs, [(0, 0), (1, 1)]);
        assert!(done.bodies_needed.is_empty());
    }

    #[test]
    fn the_same_header_with_two_contents_needs_bodies() {
        let locals = [local(1, 1), local(1, 2)];
        let done = pair(&locals, &[remote(1, 1, 102, None)], true);
        assert_eq!((done.pairs.len(), done.bodies_needed.len(), done.undecided.len()), (0, 1, 2));
        let done = pair(&locals, &[remote(1, 1, 102, Some(2))], true);
        assert_eq!(done.pairs, [(1, 0)]);
    }

    #[test]
    fn hazard_24_a_lying_size_is_doubt_not_difference() {
        let done = pair(&[local(1, 1)], &[remote(1, 1, 9999, None)], true);
        assert_eq!((done.pairs.len(), done.bodies_needed.len()), (0, 1));
        assert_eq!(pair(&[local(1, 1)], &[remote(1, 1, 9999, Some(1))], true).pairs, [(0, 0)]);
        let done = pair(&[local(1, 1)], &[remote(1, 1, 101, Some(3))], true);
        assert_eq!((done.pairs.len(), done.lookalikes), (0, 1));
    }

    #[test]
    fn equal_dates_pair_first() {
        let mut locals = [local(1, 1), local(1, 1)];
        locals[1].date = Some(Timestamp(5));
        let mut remotes = [remote(1, 1, 101, None), remote(2, 1, 101, None)];
        remotes[0].date = Some(Timestamp(5));
        assert_eq!(
            pair(&locals, &remotes, true).pairs.iter().collect::<BTreeSet<_>>(),
            [(1, 0), (0, 1)].iter().collect()
        );
    }

    #[test]
    fn hazard_19_a_file_named_after_a_message_is_that_message() {
        let locals = [LocalCandidate { own: Uid::new(2), ..local(1, 1) }];
        let done = pair(&locals, &[remote(1, 1, 101, None), remote(2, 1, 101, None)], true);
        assert_eq!(done.pairs, [(0, 1)], "the other would be delivered to the same name");
    }

    #[test]
    fn headers_are_asked_of_namesakes_only() {
        let needed = headers_needed(
            &[local(1, 1)],
            &[
                RemoteCandidate { header: None, ..remote(1, 1, 1, None) },
                RemoteCandidate { header: None, ..remote(2, 2, 1, None) },
                RemoteCandidate { header: None, message_id: None, ..remote(3, 2, 1, None) },
            ],
        );
        assert_eq!(needed.iter().map(|u| u.get()).collect::<Vec<_>>(), [1, 3]);
    }

    proptest! {
        #[test]
        fn pairs_are_one_to_one_and_equal(ours in proptest::collection::vec((0u8..3, 0u8..3), 0..8), theirs in proptest::collection::vec((0u8..3, 0u8..3), 0..8)) {
            let locals: Vec<_> = ours.iter().map(|&(h, b)| local(h, b)).collect();
            let remotes: Vec<_> = theirs.iter().zip(1u32..).map(|(&(h, b), uid)| remote(uid, h, 7, Some(b))).collect();
            let done = pair(&locals, &remotes, true);
            prop_assert!(done.bodies_needed.is_empty());
            let (a, b): (BTreeSet<_>, BTreeSet<_>) = done.pairs.iter().copied().unzip();
            prop_assert_eq!((a.len(), b.len()), (done.pairs.len(), done.pairs.len()));
            for &(i, j) in &done.pairs {
                prop_assert_eq!(Some(locals[i].digest), remotes[j].digest);
            }
            for (i, l) in locals.iter().enumerate() {
                for (j, r) in remotes.iter().enumerate() {
                    prop_assert!(Some(l.digest) != r.digest || a.contains(&i) || b.contains(&j));
                }
            }
        }
    }
}
