//! Which folders get a connection that listens, where one connection cannot listen to all. PURE.

use std::collections::HashMap;

use crate::account::Account;
use crate::imap::{Listing, MailboxName, SpecialUse};
use crate::mail::FolderName;

/// A folder that could be listened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: FolderName,
    /// Its name on the server.
    pub mailbox: MailboxName,
    /// UIDNEXT: how much it ever received.
    pub received: u32,
}

/// The folders of the listing that the account syncs, INBOX aside.
#[must_use]
pub fn candidates(account: &Account, listing: &Listing) -> Vec<Candidate> {
    let takes_part = |folder: &&crate::imap::ListedFolder| {
        let virtual_one = matches!(folder.special, Some(SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important));
        folder.selectable
            && !folder.name.is_inbox()
            && account.folders.matches(&folder.name)
            && (!account.subscribed_only || folder.subscribed)
            && !(account.quirks.gmail && virtual_one)
    };
    let candidate = |folder: &crate::imap::ListedFolder| Candidate {
        name: folder.name.clone(),
        mailbox: folder.mailbox.clone(),
        received: folder.figures.as_ref().and_then(|f| f.uid_next).map_or(0, |uid| uid.get()),
    };
    listing.folders.iter().filter(takes_part).map(candidate).collect()
}

/// The `count` most active: those in which most changed while we watched, then those that ever received most.
#[must_use]
pub fn choose(candidates: &[Candidate], changes: &HashMap<FolderName, u32>, count: usize) -> Vec<MailboxName> {
    let mut ranked: Vec<&Candidate> = candidates.iter().collect();
    let activity = |c: &Candidate| changes.get(&c.name).copied().unwrap_or(0);
    ranked.sort_by(|a, b| (activity(b), b.received).cmp(&(activity(a), a.received)).then_with(|| a.name.cmp(&b.name)));
    ranked.into_iter().take(count).map(|c| c.mailbox.clone()).collect()
}

/// How many connections listen besides the first, which listens to INBOX: one stays for the rounds.
#[must_use]
pub fn listeners_beside_inbox(connections: usize, candidates: usize) -> usize {
    connections.saturating_sub(2).min(candidates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, received: u32) -> Candidate {
        let name = FolderName::parse(name).unwrap();
        let mailbox = crate::imap::name::encode(&name, Some(b'/'), false).unwrap();
        Candidate { name, mailbox, received }
    }

    #[test]
    fn what_changes_goes_before_what_is_large() {
        let all = [candidate("Archive", 9000), candidate("Lists", 20), candidate("Sent", 500), candidate("Work", 20)];
        let names = |changes: &[(&str, u32)], count| {
            let changes = changes.iter().map(|(n, c)| (FolderName::parse(n).unwrap(), *c)).collect();
            let chosen = choose(&all, &changes, count);
            let name = |m: &MailboxName| all.iter().find(|c| c.mailbox == *m).map(|c| c.name.to_string()).unwrap();
            chosen.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[], 2), ["Archive", "Sent"]);
        assert_eq!(names(&[("Lists", 3), ("Work", 1)], 3), ["Lists", "Work", "Archive"]);
        assert_eq!(names(&[], 9).len(), 4);
        assert_eq!(names(&[], 0).len(), 0);
    }

    #[test]
    fn one_connection_stays_free() {
        assert_eq!([1, 2, 3, 4, 9].map(|n| listeners_beside_inbox(n, 5)), [0, 0, 1, 2, 5]);
        assert_eq!(listeners_beside_inbox(4, 1), 1);
    }
}
