//! A look at the server: the cheapest listing that it allows, for many folders in one flight.
//!
//! With QRESYNC only what changed is told; with CONDSTORE changed flags and, where the count does not add up, all UIDs; with
//! neither all UIDs and flags. Whatever was told must add up to EXISTS, else everything is listed (HAZARDS 9).

use std::collections::{BTreeMap, VecDeque};

use crate::imap::{Access, FetchAsk, FetchSet, Items, Pending, ResyncPoint, SelectAsk, Session};
use crate::mail::snapshot::{Figures, RemoteMessage, Selected};
use crate::mail::{Uid, UidSet, UidValidity};
use crate::severity::{Scope, Severity as _};
use crate::state::{FolderId, Mark};

use super::compare::{Known, RemoteDelta};
use super::engine::{Error, Folder};

/// How many folders' commands are under way at once: some kilobytes of commands, far from filling a socket.
pub const WINDOW: usize = 48;

/// A folder to be listed.
pub struct Asked<'a> {
    /// The folder; it has a mailbox.
    pub folder: &'a Folder,
    /// Its rows.
    pub known: &'a Known,
    /// Compare everything.
    pub full: bool,
    /// Whether unknown files wait to be paired: then arrivals' Message-IDs are asked for at once.
    pub unknown_files: bool,
}

/// What a look at one folder on the server told.
#[derive(Debug, Default)]
pub struct RemoteLook {
    /// What SELECT told.
    pub selected: Selected,
    /// What a cursor may be made of: seen before the listing.
    pub figures: Figures,
    /// What differs.
    pub delta: RemoteDelta,
    /// Messages without a row.
    pub arrivals: BTreeMap<Uid, RemoteMessage>,
    /// What the server says of messages that we put there since the last listing.
    pub own: Vec<RemoteMessage>,
    /// The UIDs of the rows mean nothing any more (HAZARDS 1).
    pub fresh: bool,
    /// The listing adds up: absence is believed and the cursor may advance.
    pub trusted: bool,
}

/// A folder and what came of its look.
type Outcome = (FolderId, Result<RemoteLook, Error>);

enum How {
    Fresh,
    Resync,
    Changed(crate::mail::ModSeq),
    Full,
}

struct Flight<'a> {
    asked: Asked<'a>,
    how: How,
    select: Pending<SelectAsk>,
    flags: Option<Pending<FetchAsk>>,
    arrivals: Option<Pending<FetchAsk>>,
    own: Option<Pending<FetchAsk>>,
}

fn arrival_items(asked: &Asked<'_>) -> Items {
    let items = Items::FLAGS | Items::DATE | Items::SIZE | Items::EMAIL_ID;
    let is_first = asked.known.briefs().next().is_none() && !asked.unknown_files;
    if is_first { items } else { items | Items::MESSAGE_ID }
}

/// Whether the listing's figures already say that the rows' UIDs mean nothing.
pub(super) fn figures_are_new(base: &Figures, now: &Figures) -> bool {
    let lower = |a: Option<Uid>, b: Option<Uid>| matches!((a, b), (Some(a), Some(b)) if a < b);
    base.uid_validity.is_none()
        || (now.uid_validity.is_some() && now.uid_validity != base.uid_validity)
        || lower(now.uid_next, base.uid_next)
        || matches!((now.highest_modseq, base.highest_modseq), (Some(a), Some(b)) if a < b)
}

/// Lists folders, all of them in flight as far as that goes. Each gets its own outcome.
///
/// # Errors
/// What takes the session down.
pub fn remote<'a>(session: &mut Session, asked: Vec<Asked<'a>>) -> Result<Vec<Outcome>, Error> {
    let mut waiting: VecDeque<Asked<'a>> = asked.into();
    let mut flying: VecDeque<Flight<'a>> = VecDeque::new();
    let mut out = Vec::new();
    loop {
        while flying.len() < WINDOW
            && let Some(next) = waiting.pop_front()
        {
            flying.push_back(send(session, next)?);
        }
        let Some(flight) = flying.pop_front() else { return Ok(out) };
        let id = flight.asked.folder.id;
        match finish(session, flight) {
            Ok((look, again)) => match again {
                // What was told does not add up or was about other messages: this one is listed in full, after the others.
                Some(asked) => {
                    let flown = drain(session, &mut flying)?;
                    out.extend(flown);
                    out.push((id, list_all(session, &asked, look)));
                }
                None => out.push((id, Ok(look))),
            },
            Err(error) if error.scope() >= Scope::Account => return Err(error),
            Err(error) => out.push((id, Err(error))),
        }
    }
}

fn drain<'a>(session: &mut Session, flying: &mut VecDeque<Flight<'a>>) -> Result<Vec<Outcome>, Error> {
    let mut again = Vec::new();
    let mut out = Vec::new();
    while let Some(flight) = flying.pop_front() {
        let id = flight.asked.folder.id;
        match finish(session, flight) {
            Ok((look, None)) => out.push((id, Ok(look))),
            Ok((look, Some(asked))) => again.push((id, look, asked)),
            Err(error) if error.scope() >= Scope::Account => return Err(error),
            Err(error) => out.push((id, Err(error))),
        }
    }
    for (id, look, asked) in again {
        out.push((id, list_all(session, &asked, look)));
    }
    Ok(out)
}

fn send<'a>(session: &mut Session, asked: Asked<'a>) -> Result<Flight<'a>, Error> {
    let base = &asked.folder.base.figures;
    let listed = asked.folder.listed.clone().unwrap_or_default();
    let capabilities = session.capabilities();
    let (qresync, condstore) = (capabilities.qresync, capabilities.condstore);
    let how = match (base.uid_validity, base.highest_modseq) {
        _ if figures_are_new(base, &listed) || base.uid_next.is_none() => How::Fresh,
        _ if asked.full => How::Full,
        (Some(_), Some(_)) if qresync => How::Resync,
        (Some(_), Some(modseq)) if condstore => How::Changed(modseq),
        _ => How::Full,
    };
    let point = match (&how, base.uid_validity, base.highest_modseq) {
        (How::Resync, Some(uid_validity), Some(modseq)) => Some(ResyncPoint { uid_validity, modseq, known: None }),
        _ => None,
    };
    let Some(mailbox) = asked.folder.mailbox.as_ref() else {
        return Err(Error::Guard(format!("{} is not on the server", asked.folder.name)));
    };
    // EXAMINE would do, but Courier's UIDVALIDITY is only stable under SELECT.
    let select = session.send_select(mailbox, Access::ReadWrite, point.as_ref())?;
    let items = arrival_items(&asked);
    // What we put there ourselves has a row already: what lies between is told by the counts.
    let since =
        |next: Uid| asked.known.uids().last().and_then(|u| Uid::new(u.get() + 1)).map_or(next, |own| own.max(next));
    let nothing = listed.messages == Some(0);
    let (flags, arrivals) = match (&how, base.uid_next) {
        (How::Fresh, _) if nothing => (None, None),
        (How::Fresh, _) | (How::Full, None) => (None, Some(session.send_fetch(&FetchSet::All, items, None)?)),
        (How::Full, Some(_)) if nothing => (None, None),
        (How::Full, Some(next)) => (
            Some(session.send_fetch(&FetchSet::All, Items::FLAGS, None)?),
            new_since(session, &listed, since(next), items)?,
        ),
        (How::Changed(modseq), Some(next)) => (
            Some(session.send_fetch(&FetchSet::All, Items::FLAGS, Some(*modseq))?),
            new_since(session, &listed, since(next), items)?,
        ),
        (How::Resync, Some(next)) => (None, new_since(session, &listed, since(next), items)?),
        (How::Changed(_) | How::Resync, None) => (None, None),
    };
    let own = match (&how, base.uid_next) {
        (How::Changed(_) | How::Resync | How::Full, Some(next)) if !nothing => own_since(session, asked.known, next)?,
        _ => None,
    };
    Ok(Flight { asked, how, select, flags, arrivals, own })
}

/// Asks for what came since `next`, unless the listing says that nothing did.
fn new_since(
    session: &mut Session,
    listed: &Figures,
    next: Uid,
    items: Items,
) -> Result<Option<Pending<FetchAsk>>, Error> {
    if listed.uid_next.is_some_and(|now| now <= next) {
        return Ok(None);
    }
    Ok(Some(session.send_fetch(&FetchSet::From(next), items, None)?))
}

/// Asks for date and size of what we put there ourselves: a server may change both (SPEC §4 compares the date before a deletion).
fn own_since(session: &mut Session, known: &Known, next: Uid) -> Result<Option<Pending<FetchAsk>>, Error> {
    let own: UidSet = known.uids().iter().filter(|uid| *uid >= next).collect();
    if own.is_empty() {
        return Ok(None);
    }
    Ok(Some(session.send_fetch(&FetchSet::Uids(own), Items::DATE | Items::SIZE, None)?))
}

fn finish<'a>(session: &mut Session, flight: Flight<'a>) -> Result<(RemoteLook, Option<Asked<'a>>), Error> {
    let Flight { asked, how, select, flags, arrivals, own } = flight;
    let known = asked.known;
    let base = &asked.folder.base.figures;
    // Every command of the flight is answered, whatever became of the first: their replies stand in the stream.
    let selected = session.finish_select(select);
    let mut listed = UidSet::new();
    let mut delta = RemoteDelta::default();
    let mut found = BTreeMap::new();
    let fetched = match flags {
        Some(pending) => session.finish_fetch(pending, &mut |m: RemoteMessage| {
            listed.insert(m.uid);
            delta.see(known, m.uid, m.flags.as_ref());
        }),
        None => Ok(crate::imap::FetchEnd::default()),
    };
    let came = match arrivals {
        Some(pending) => session.finish_fetch(pending, &mut |m: RemoteMessage| {
            listed.insert(m.uid);
            found.insert(m.uid, m);
        }),
        None => Ok(crate::imap::FetchEnd::default()),
    };
    let mut own_told = Vec::new();
    let own = own.map(|pending| session.finish_fetch(pending, &mut |m| own_told.push(m))).transpose();
    let selected = selected?;
    let (fetched, came) = (fetched?, came?);
    let own_gone = own?.map(|end| end.vanished).unwrap_or_default();
    let partial = fetched.partial || came.partial;
    let (vanished, more) = (fetched.vanished, came.vanished);
    let mut look =
        RemoteLook { figures: cursor(&selected, asked.folder.listed.as_ref()), selected, ..RemoteLook::default() };
    look.fresh = matches!(how, How::Fresh) || figures_are_new(base, &look.selected.figures);
    if look.fresh {
        // Under a new UIDVALIDITY no row has a UID: all that is listed is unknown.
        let complete = matches!(how, How::Fresh);
        look.arrivals = found;
        look.delta.unknown = look.arrivals.keys().copied().collect();
        look.trusted = complete && !partial && counts_agree(session, &look.selected, look.arrivals.len() as u64);
        if complete {
            assume_uid_next(&mut look.figures, &listed, &Figures::default());
        }
        let again = (!look.trusted).then_some(asked);
        return Ok((look, again));
    }
    for message in std::mem::take(&mut look.selected.changed) {
        delta.see(known, message.uid, message.flags.as_ref());
    }
    for message in found.values() {
        delta.see(known, message.uid, message.flags.as_ref());
    }
    look.own = own_told;
    for set in [&look.selected.vanished, &vanished, &more, &own_gone] {
        delta.vanished(known, set);
    }
    if matches!(how, How::Full) {
        delta.complete(known, &listed);
        assume_uid_next(&mut look.figures, &listed, base);
    }
    found.retain(|uid, _| delta.unknown.contains(uid));
    look.arrivals = found;
    let untold: UidSet = delta.unknown.iter().copied().filter(|uid| !look.arrivals.contains_key(uid)).collect();
    let honoured = !matches!(how, How::Resync) || look.selected.resynced;
    look.trusted =
        untold.is_empty() && honoured && !partial && counts_agree(session, &look.selected, delta.expected(known));
    look.delta = delta;
    let again = (!look.trusted).then_some(asked);
    Ok((look, again))
}

/// EXISTS may have been told again meanwhile: either figure will do, since both were true of this listing's time.
fn counts_agree(session: &Session, selected: &Selected, expected: u64) -> bool {
    selected.figures.messages.is_none_or(|n| u64::from(n) == expected) || u64::from(session.exists()) == expected
}

/// The figures of SELECT, and of the listing where SELECT told none.
fn cursor(selected: &Selected, listed: Option<&Figures>) -> Figures {
    let told = &selected.figures;
    let empty = Figures::default();
    let listed = listed.unwrap_or(&empty);
    let same = told.uid_validity == listed.uid_validity || listed.uid_validity.is_none();
    let listed = if same { listed } else { &empty };
    Figures {
        uid_validity: told.uid_validity.or(listed.uid_validity),
        uid_next: told.uid_next.or(listed.uid_next),
        messages: told.messages.or(listed.messages),
        highest_modseq: told.highest_modseq.or(listed.highest_modseq),
        mailbox_id: told.mailbox_id.clone().or(listed.mailbox_id.clone()),
        ..Figures::default()
    }
}

/// Where the server tells no UIDNEXT (Courier, of a folder that STATUS was not asked about), what comes after all that is listed: new
/// messages get no lower UID, and without it the next run would pair everything by content.
fn assume_uid_next(figures: &mut Figures, listed: &UidSet, base: &Figures) {
    if figures.uid_next.is_none() {
        let behind = listed.last().and_then(|uid| Uid::new(uid.get().checked_add(1)?));
        figures.uid_next = behind.max(base.uid_next).or_else(|| Uid::new(1));
    }
}

/// Lists one folder completely, on a session that is idle.
fn list_all(session: &mut Session, asked: &Asked<'_>, mut look: RemoteLook) -> Result<RemoteLook, Error> {
    let Some(mailbox) = asked.folder.mailbox.as_ref() else { return Ok(look) };
    let pending = session.send_select(mailbox, Access::ReadWrite, None)?;
    let items = if look.fresh { arrival_items(asked) } else { Items::FLAGS };
    let fetch = session.send_fetch(&FetchSet::All, items, None)?;
    let selected = session.finish_select(pending);
    let mut messages = BTreeMap::new();
    let fetched = session.finish_fetch(fetch, &mut |m: RemoteMessage| {
        messages.insert(m.uid, m);
    });
    let selected = selected?;
    fetched?;
    if selected.figures.uid_validity != look.selected.figures.uid_validity {
        // It changed while we looked: nothing of this folder is decided now.
        return Err(Error::Guard(format!("the UIDVALIDITY of {} changed meanwhile", asked.folder.name)));
    }
    session.noop()?;
    let listed: UidSet = messages.keys().copied().collect();
    look.delta = RemoteDelta::default();
    if look.fresh {
        look.delta.unknown = messages.keys().copied().collect();
        look.arrivals = messages;
        look.trusted = u64::from(session.exists()) == look.arrivals.len() as u64;
        return Ok(look);
    }
    for message in messages.values() {
        look.delta.see(asked.known, message.uid, message.flags.as_ref());
    }
    look.delta.complete(asked.known, &listed);
    let missing: UidSet = look.delta.unknown.iter().copied().filter(|uid| !look.arrivals.contains_key(uid)).collect();
    look.arrivals.retain(|uid, _| look.delta.unknown.contains(uid));
    if !missing.is_empty() {
        let pending = session.send_fetch(&FetchSet::Uids(missing), arrival_items(asked), None)?;
        let arrivals = &mut look.arrivals;
        session.finish_fetch(pending, &mut |m: RemoteMessage| {
            arrivals.insert(m.uid, m);
        })?;
    }
    look.trusted = u64::from(session.exists()) == look.delta.expected(asked.known)
        && look.delta.unknown.iter().all(|uid| look.arrivals.contains_key(uid));
    look.figures.messages = None;
    Ok(look)
}

/// Confirms, for folders listed by QRESYNC, that what was said to have vanished is not there (SPEC §4), and tells again the
/// flags of rows with open work. Folders in one flight.
///
/// # Errors
/// What takes the session down.
pub fn confirm(session: &mut Session, looks: &mut [(&Folder, &Known, &mut RemoteLook, UidSet)]) -> Result<(), Error> {
    let mut flights = Vec::new();
    for (folder, known, look, open) in looks.iter() {
        let gone: UidSet = known.briefs().filter(|b| look.delta.gone.contains(&b.id)).filter_map(|b| b.uid).collect();
        let mut set = gone;
        for uid in open.iter() {
            set.insert(uid);
        }
        let Some(mailbox) = folder.mailbox.as_ref().filter(|_| !set.is_empty()) else {
            flights.push(None);
            continue;
        };
        let select = session.send_select(mailbox, Access::ReadWrite, None)?;
        let fetch = session.send_fetch(&FetchSet::Uids(set), Items::FLAGS, None)?;
        flights.push(Some((select, fetch)));
    }
    for ((_, known, look, _), flight) in looks.iter_mut().zip(flights) {
        let Some((select, fetch)) = flight else { continue };
        let selected = session.finish_select(select);
        let mut there = Vec::new();
        let fetched = session.finish_fetch(fetch, &mut |m: RemoteMessage| there.push(m));
        // A lost connection proves nothing, and what was moved would be taken for new: the caller asks again.
        let (selected, fetched) = match (selected, fetched) {
            (Err(error), _) | (_, Err(error)) if error.is_fatal() => return Err(error.into()),
            (selected, fetched) => (selected, fetched),
        };
        let same: Option<UidValidity> = selected.ok().and_then(|s| s.figures.uid_validity);
        if fetched.is_err() || same != look.selected.figures.uid_validity {
            look.trusted = false;
            look.delta.gone.clear();
            continue;
        }
        for message in there {
            for brief in known.briefs().filter(|b| b.uid == Some(message.uid)) {
                if look.delta.gone.remove(&brief.id) {
                    look.trusted = false;
                }
            }
            look.delta.see(known, message.uid, message.flags.as_ref());
        }
    }
    Ok(())
}

/// The UIDs of rows whose work is open and that both sides have.
#[must_use]
pub fn open_uids(known: &Known) -> UidSet {
    known.briefs().filter(|b| b.open && b.mark == Mark::Paired).filter_map(|b| b.uid).collect()
}
