//! The three-way merge of one message: what happened to it since both sides were last equal. PURE.

use std::collections::BTreeSet;

use crate::mail::{Flags, Keyword, System};

/// What happened to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// New here: carry it to the server.
    Upload,
    /// New on the server: carry it here.
    Download,
    /// On both sides and never seen together: the same content is one message, else both of the above.
    Pair,
    /// Known and on both sides: only flags can differ.
    MergeFlags,
    /// Gone from the server.
    DeletedRemotely,
    /// Gone from the Maildir.
    DeletedLocally,
    /// Gone from both.
    Forget,
    /// Nowhere and unknown: there is no such message.
    Nothing,
}

/// The verdict over a message that both sides had (`base`), the Maildir has (`local`) and the server has (`remote`).
#[must_use]
pub fn merge(base: bool, local: bool, remote: bool) -> Verdict {
    match (base, local, remote) {
        (false, true, false) => Verdict::Upload,
        (false, false, true) => Verdict::Download,
        (false, true, true) => Verdict::Pair,
        (true, true, true) => Verdict::MergeFlags,
        (true, true, false) => Verdict::DeletedRemotely,
        (true, false, true) => Verdict::DeletedLocally,
        (true, false, false) => Verdict::Forget,
        (false, false, false) => Verdict::Nothing,
    }
}

/// The flags that a side can hold now (HAZARDS 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// Flags with letters.
    pub system: System,
    /// Keywords; `None`: any.
    pub keywords: Option<BTreeSet<Keyword>>,
}

impl Mask {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self { system: System::ALL, keywords: None }
    }

    /// What both sides can hold.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let keywords = match (&self.keywords, &other.keywords) {
            (Some(a), Some(b)) => Some(a.intersection(b).cloned().collect()),
            (Some(only), None) | (None, Some(only)) => Some(only.clone()),
            (None, None) => None,
        };
        Self { system: self.system.intersection(other.system), keywords }
    }

    /// The part of `flags` that can be held.
    #[must_use]
    pub fn keep(&self, flags: &Flags) -> Flags {
        Flags {
            system: flags.system.intersection(self.system),
            keywords: match &self.keywords {
                None => flags.keywords.clone(),
                Some(only) => flags.keywords.intersection(only).cloned().collect(),
            },
        }
    }

    /// The part that cannot.
    #[must_use]
    pub fn leave(&self, flags: &Flags) -> Flags {
        flags.difference(&self.keep(flags))
    }
}

/// Who may change whom, as far as flags go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flow {
    /// Both sides become equal.
    Both,
    /// Only the Maildir changes; what changed in it stays pending.
    ToLocal,
    /// Only the Maildir changes, back to what the server has.
    Mirror,
    /// Only the server changes; what changed on it stays pending.
    ToRemote,
}

/// What a merge of flags leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// What the Maildir should have, if that is a change.
    pub local: Option<Flags>,
    /// What the server should have, if that is a change.
    pub remote: Option<Flags>,
    /// What both sides then last had.
    pub base: Flags,
    /// A change of the Maildir stays pending.
    pub held_local: bool,
    /// A change of the server stays pending.
    pub held_remote: bool,
}

/// Merges flags: each on its own, only those that both sides can hold (`both`); the others stay as they are on each side.
#[must_use]
pub fn merge_flags(base: &Flags, local: &Flags, remote: &Flags, both: &Mask, flow: Flow) -> Merged {
    let unknown = both.leave(base);
    let (b, l, r) = (both.keep(base), both.keep(local), both.keep(remote));
    let merged = Flags::merge(&b, &l, &r);
    let (to_local, to_remote, agreed) = match flow {
        Flow::Both => (merged.clone(), merged.clone(), merged),
        Flow::ToLocal => (merged, r.clone(), r.clone()),
        Flow::Mirror => (r.clone(), r.clone(), r.clone()),
        Flow::ToRemote => (l.clone(), merged, l.clone()),
    };
    Merged {
        held_local: to_local != agreed,
        held_remote: to_remote != agreed,
        local: (to_local != l).then(|| to_local.union(&both.leave(local))),
        remote: (to_remote != r).then(|| to_remote.union(&both.leave(remote))),
        base: agreed.union(&unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn new_here_is_uploaded() {
        assert_eq!(merge(false, true, false), Verdict::Upload);
    }
    #[test]
    fn new_there_is_downloaded() {
        assert_eq!(merge(false, false, true), Verdict::Download);
    }
    #[test]
    fn unknown_on_both_sides_is_paired() {
        assert_eq!(merge(false, true, true), Verdict::Pair);
    }
    #[test]
    fn known_on_both_sides_merges_flags() {
        assert_eq!(merge(true, true, true), Verdict::MergeFlags);
    }
    #[test]
    fn known_and_gone_there_was_deleted_there() {
        assert_eq!(merge(true, true, false), Verdict::DeletedRemotely);
    }
    #[test]
    fn known_and_gone_here_was_deleted_here() {
        assert_eq!(merge(true, false, true), Verdict::DeletedLocally);
    }
    #[test]
    fn gone_from_both_is_forgotten() {
        assert_eq!(merge(true, false, false), Verdict::Forget);
    }
    #[test]
    fn nothing_is_nothing() {
        assert_eq!(merge(false, false, false), Verdict::Nothing);
    }

    fn flags(text: &str) -> Flags {
        text.split_whitespace().collect()
    }

    #[test]
    fn hazard_06_a_flag_that_one_side_cannot_hold_is_not_removed() {
        let both = Mask { system: System::ALL, keywords: Some([Keyword::new("known").unwrap()].into()) };
        let merged = merge_flags(&flags("known odd"), &flags("known"), &flags("\\Seen odd"), &both, Flow::Both);
        assert_eq!(merged.local, Some(flags("\\Seen")));
        assert_eq!(merged.remote, None);
        assert_eq!(merged.base, flags("\\Seen odd"));
    }

    #[test]
    fn pull_keeps_local_changes_pending() {
        let merged = merge_flags(&flags(""), &flags("\\Flagged"), &flags("\\Seen"), &Mask::all(), Flow::ToLocal);
        assert_eq!(merged.local, Some(flags("\\Flagged \\Seen")));
        assert_eq!((merged.remote, merged.base, merged.held_local), (None, flags("\\Seen"), true));
    }

    #[test]
    fn mirror_undoes_local_changes() {
        let merged = merge_flags(&flags("\\Seen"), &flags("\\Flagged"), &flags("\\Seen"), &Mask::all(), Flow::Mirror);
        assert_eq!((merged.local, merged.remote, merged.held_local), (Some(flags("\\Seen")), None, false));
    }

    fn any_flags() -> impl Strategy<Value = Flags> {
        (0u8..64, proptest::collection::btree_set("[a-c]", 0..3)).prop_map(|(bits, words)| Flags {
            system: System::from_bits(bits),
            keywords: words.iter().filter_map(|w| Keyword::new(w)).collect(),
        })
    }

    fn any_flow() -> impl Strategy<Value = Flow> {
        prop_oneof![Just(Flow::Both), Just(Flow::ToLocal), Just(Flow::Mirror), Just(Flow::ToRemote)]
    }

    proptest! {
        #[test]
        fn a_second_merge_changes_nothing(b in any_flags(), l in any_flags(), r in any_flags(), m in any_flags(), flow in any_flow()) {
            let both = Mask { system: m.system, keywords: Some(m.keywords) };
            let first = merge_flags(&b, &l, &r, &both, flow);
            let (l2, r2) = (first.local.clone().unwrap_or(l.clone()), first.remote.clone().unwrap_or(r.clone()));
            prop_assert_eq!(both.leave(&l2), both.leave(&l));
            prop_assert_eq!(both.leave(&r2), both.leave(&r));
            let second = merge_flags(&first.base, &l2, &r2, &both, flow);
            prop_assert_eq!((second.local, second.remote, &second.base), (None, None, &first.base));
            if flow == Flow::Both {
                prop_assert_eq!(both.keep(&l2), both.keep(&r2));
                let mirrored = merge_flags(&b, &r, &l, &both, flow);
                prop_assert_eq!(mirrored.base, first.base);
            }
        }

        #[test]
        fn what_was_held_goes_up_when_both_ways_are_open_again(b in any_flags(), l in any_flags(), r in any_flags()) {
            let pulled = merge_flags(&b, &l, &r, &Mask::all(), Flow::ToLocal);
            let l2 = pulled.local.unwrap_or(l.clone());
            let later = merge_flags(&pulled.base, &l2, &r, &Mask::all(), Flow::Both);
            prop_assert_eq!(later.base, Flags::merge(&b, &l, &r));
        }
    }
}
