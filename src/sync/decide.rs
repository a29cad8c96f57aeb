//! From what was found to a plan: pairing and moves, with the headers and bodies that they ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::imap::{Access, BodySink, FetchSet, Items, MailboxName, Session};
use crate::mail::snapshot::{RemoteMessage, Selected};
use crate::mail::{Content, ContentHasher, Digest, Side, Uid, UidSet};
use crate::state::{FolderId, RowId};

use super::adopt::{self, LocalCandidate, Pairing, RemoteCandidate};
use super::compare::unique as unique_of;
use super::engine::{Engine, Error, Folders};
use super::moves::{self, At, Moves, Taken};
use super::plan::{Paired, Plan, Rules, plan};
use super::recover;
use super::survey::{Survey, fail};
use super::view::View;

/// Above this many messages that resemble others by Message-ID alone a folder uploads nothing (HAZARDS 24).
const LOOKALIKES: usize = 20;

/// Makes the plan.
///
/// # Errors
/// What takes the account down.
pub fn decide(engine: &Engine<'_>, folders: &Folders, survey: &mut Survey, rules: &Rules) -> Result<Plan, Error> {
    recover::recover(engine, folders, survey)?;
    let mut paired = Paired::default();
    let gone = moves::gone(&survey.views);
    moves::set_renames_aside(&mut survey.views);
    for view in &mut survey.views {
        pair(engine, folders, view, &gone, &mut paired)?;
    }
    paired.moved = half_moved(engine, &survey.views, &paired)?;
    let moves = find_moves(engine, folders, &mut survey.views, &paired)?;
    let plan = plan(&survey.views, &paired, &moves, rules);
    for id in &plan.emptied {
        if let (Some(folder), Some(found)) = (folders.get(id), survey.found.get_mut(id)) {
            let detail = format!(
                "{} was made anew on the server and is empty there: its messages here are left untouched",
                folder.name
            );
            fail(engine, folder, found, &Error::Guard(detail))?;
        }
    }
    Ok(plan)
}

/// Pairs the arrivals of one folder, if both sides have any.
///
/// # Errors
/// What takes the account down.
pub(super) fn pair(
    engine: &Engine<'_>,
    folders: &Folders,
    view: &mut View,
    gone: &moves::Gone,
    paired: &mut Paired,
) -> Result<(), Error> {
    if view.unpaired_files().is_empty() || view.remote_new.is_empty() {
        return Ok(());
    }
    let pairing = pair_folder(engine, folders, view, gone)?;
    record(engine, view, pairing, paired)
}

fn record(engine: &Engine<'_>, view: &mut View, pairing: Pairing, paired: &mut Paired) -> Result<(), Error> {
    if pairing.lookalikes > LOOKALIKES {
        view.no_uploads = true;
        let detail = format!(
            "{} messages here have the Message-ID of others on the server but not their content: nothing is uploaded to this folder",
            pairing.lookalikes
        );
        engine.standing(
            Some(&view.name),
            "lookalikes",
            &detail,
            Some("compare them with `mailferry verify --deep`"),
        )?;
    }
    let at = |index| At { folder: view.folder, index };
    paired.undecided.extend(pairing.undecided.iter().map(|&i| (Side::Local, at(i))));
    paired.undecided.extend(pairing.bodies_needed.iter().map(|&i| (Side::Remote, at(i))));
    paired.pairs.insert(view.folder, pairing.pairs);
    Ok(())
}

/// Pairs unknown files with unknown messages of one folder by content, with the headers and bodies that this asks for.
///
/// # Errors
/// What takes the account down.
pub(super) fn pair_folder(
    engine: &Engine<'_>,
    folders: &Folders,
    view: &mut View,
    gone: &moves::Gone,
) -> Result<Pairing, Error> {
    let mut locals: Vec<LocalCandidate> = view
        .unpaired_files()
        .iter()
        .map(|l| LocalCandidate {
            digest: l.content.digest,
            header: l.content.header,
            message_id: l.content.message_id,
            size: l.content.size.saturating_sub(l.content.left_out),
            date: l.date,
            flags: l.flags.clone(),
            own: None,
        })
        .collect();
    ask_message_ids(engine, folders, view)?;
    bind_intents(engine, view, &locals)?;
    let headers: UidSet = adopt::headers_needed(&locals, &candidates(view, &BTreeMap::new())).into_iter().collect();
    let left_out = fetch_headers(engine, folders, view, &headers)?;
    recognise_own(engine, view, &mut locals);
    for new in view.remote_new.iter_mut().filter(|r| r.digest.is_none()) {
        new.digest = gone.content(new);
    }
    let pairing = adopt::pair(&locals, &candidates(view, &left_out), view.adopting);
    if pairing.bodies_needed.is_empty() {
        return Ok(pairing);
    }
    let bodies: UidSet =
        pairing.bodies_needed.iter().filter_map(|&i| view.remote_new.get(i)).map(|r| r.message.uid).collect();
    digest_bodies(engine, folders, view, &bodies)?;
    Ok(adopt::pair(&locals, &candidates(view, &left_out), view.adopting))
}

/// Sizes are without what `left_out` says of a message: a header field that mbsync adds does not count.
fn candidates(view: &View, left_out: &BTreeMap<Uid, u64>) -> Vec<RemoteCandidate> {
    view.remote_new
        .iter()
        .map(|r| RemoteCandidate {
            uid: r.message.uid,
            size: r.message.size.map(|size| size.saturating_sub(left_out.get(&r.message.uid).copied().unwrap_or(0))),
            date: r.message.date,
            message_id: r.message.message_id,
            header: r.header,
            digest: r.digest,
            flags: r.flags(),
        })
        .collect()
}

/// An upload whose answer never came (HAZARDS 14): the only message since then with its Message-ID is it, even where the
/// server has rewritten its header.
fn bind_intents(engine: &Engine<'_>, view: &mut View, locals: &[LocalCandidate]) -> Result<(), Error> {
    let intents = engine.state().intents(view.folder)?;
    for intent in intents {
        let (Some(id), Some(digest), Some(from)) = (intent.message_id, intent.digest, intent.uid_next) else {
            continue;
        };
        let since = |uid: Uid| uid >= from;
        let mut found =
            view.remote_new.iter_mut().filter(|r| since(r.message.uid) && r.message.message_id == Some(Some(id)));
        let (Some(only), None) = (found.next(), found.next()) else { continue };
        if let Some(local) = locals.iter().find(|l| l.digest == digest)
            && locals.iter().filter(|l| l.message_id == Some(id)).count() == 1
        {
            (only.header, only.digest) = (Some(local.header), Some(local.digest));
        }
    }
    Ok(())
}

/// A file that carries the name derived for a message's UID, with its header and size, is our own download, whose row a crash
/// took (the third law). Of equal messages it is that one: the others would be delivered to its name.
fn recognise_own(engine: &Engine<'_>, view: &mut View, locals: &mut [LocalCandidate]) {
    let Some(validity) = view.validity else { return };
    let names: BTreeMap<&[u8], usize> = view
        .local_new
        .iter()
        .enumerate()
        .filter(|(_, l)| l.row.is_none())
        .map(|(i, l)| (unique_of(&l.place), i))
        .collect();
    for new in &mut view.remote_new {
        let derived = engine.unique(&view.name, validity, new.message.uid, new.message.date);
        let Some(&index) = names.get(derived.as_bytes()) else { continue };
        let Some(local) = view.local_new.get(index) else { continue };
        locals.get_mut(index).into_iter().for_each(|candidate| candidate.own = Some(new.message.uid));
        if new.header == Some(local.content.header) && new.message.size == Some(local.content.size) {
            new.digest = Some(local.content.digest);
        }
    }
}

/// The rows whose message a run that died had copied, but not yet removed from where it was: their file has just been paired
/// with the copy (HAZARDS 16).
fn half_moved(engine: &Engine<'_>, views: &[View], paired: &Paired) -> Result<BTreeSet<RowId>, Error> {
    let mut moved = BTreeSet::new();
    for view in views {
        let Some(pairs) = paired.pairs.get(&view.folder).filter(|pairs| !pairs.is_empty()) else { continue };
        let mut arrived: Vec<Digest> =
            pairs.iter().filter_map(|&(l, _)| view.local_new.get(l)).map(|l| l.content.digest).collect();
        for intent in engine.state().intents(view.folder)?.into_iter().filter(|i| i.file.is_none()) {
            let at = arrived.iter().position(|digest| Some(*digest) == intent.digest);
            if let (Some(at), Some(row)) = (at, intent.message) {
                arrived.swap_remove(at);
                moved.insert(row);
            }
        }
    }
    Ok(moved)
}

/// Runs `work` with the view's folder open, to read.
fn with_folder(
    engine: &Engine<'_>,
    folders: &Folders,
    view: &View,
    work: &mut dyn FnMut(&mut Session) -> Result<(), crate::imap::Error>,
) -> Result<(), Error> {
    let Some(mailbox) = folders.get(&view.folder).and_then(|f| f.mailbox.as_ref()) else { return Ok(()) };
    with_mailbox(engine, mailbox, Access::ReadOnly, &mut |session, _| work(session))
}

/// Runs `work` with a mailbox open; again, three times at most, where trying again may mend what failed.
///
/// # Errors
/// Those of the server and of `work`; a stop.
pub(super) fn with_mailbox(
    engine: &Engine<'_>,
    mailbox: &MailboxName,
    access: Access,
    work: &mut dyn FnMut(&mut Session, &Selected) -> Result<(), crate::imap::Error>,
) -> Result<(), Error> {
    engine.retried(|conn| {
        conn.open = None;
        let selected = conn.session.select(mailbox, access, None)?;
        Ok(work(&mut conn.session, &selected)?)
    })
}

fn ask_message_ids(engine: &Engine<'_>, folders: &Folders, view: &mut View) -> Result<(), Error> {
    let unasked: UidSet =
        view.remote_new.iter().filter(|r| r.message.message_id.is_none()).map(|r| r.message.uid).collect();
    if unasked.is_empty() {
        return Ok(());
    }
    let mut told: BTreeMap<Uid, RemoteMessage> = BTreeMap::new();
    with_folder(engine, folders, view, &mut |session| {
        let pending = session.send_fetch(&FetchSet::Uids(unasked.clone()), Items::MESSAGE_ID, None)?;
        session.finish_fetch(pending, &mut |m| {
            told.insert(m.uid, m);
        })?;
        Ok(())
    })?;
    for new in &mut view.remote_new {
        if let Some(message) = told.get(&new.message.uid) {
            new.message.message_id = message.message_id;
        }
    }
    Ok(())
}

/// Fetches header sections; gives how many bytes of each do not count.
///
/// # Errors
/// Those of the server; a stop.
pub(super) fn fetch_headers(
    engine: &Engine<'_>,
    folders: &Folders,
    view: &mut View,
    set: &UidSet,
) -> Result<BTreeMap<Uid, u64>, Error> {
    let mut left_out = BTreeMap::new();
    if set.is_empty() {
        return Ok(left_out);
    }
    let mut told: BTreeMap<Uid, Digest> = BTreeMap::new();
    with_folder(engine, folders, view, &mut |session| {
        session.headers(set, &mut |uid, header| {
            let mut hasher = ContentHasher::new();
            hasher.update(header);
            let content = hasher.finish();
            left_out.insert(uid, content.left_out);
            told.insert(uid, content.header);
        })
    })?;
    for new in &mut view.remote_new {
        new.header = new.header.or(told.get(&new.message.uid).copied());
    }
    Ok(left_out)
}

/// Reads bodies through without storing them.
#[derive(Default)]
pub(super) struct Digests {
    /// What each message begins with.
    hasher: ContentHasher,
    current: Option<ContentHasher>,
    /// What was read.
    pub(super) done: BTreeMap<Uid, Content>,
}

impl Digests {
    /// A sink that computes digests in another way.
    pub(super) fn by(hasher: ContentHasher) -> Self {
        Self { hasher, ..Self::default() }
    }
}

impl BodySink for Digests {
    fn begin(&mut self, _size: u64) -> io::Result<()> {
        self.current = Some(self.hasher.clone());
        Ok(())
    }
    fn data(&mut self, chunk: &[u8]) -> io::Result<()> {
        if let Some(hasher) = &mut self.current {
            hasher.update(chunk);
        }
        Ok(())
    }
    fn end(&mut self, message: &RemoteMessage) -> io::Result<()> {
        if let Some(hasher) = self.current.take() {
            self.done.insert(message.uid, hasher.finish());
        }
        Ok(())
    }
    fn missing(&mut self, _message: &RemoteMessage) {}
    fn forget(&mut self) {
        self.current = None;
    }
}

fn digest_bodies(engine: &Engine<'_>, folders: &Folders, view: &mut View, set: &UidSet) -> Result<(), Error> {
    let mut digests = Digests::default();
    with_folder(engine, folders, view, &mut |session| {
        let pending = session.send_bodies(set)?;
        session.finish_bodies(pending, &mut digests)
    })?;
    for new in &mut view.remote_new {
        if let Some(content) = digests.done.get(&new.message.uid) {
            new.digest = Some(content.digest);
        }
    }
    Ok(())
}

/// Finds messages that stand in another place than the rows say.
///
/// # Errors
/// What takes the account down.
pub(super) fn find_moves(
    engine: &Engine<'_>,
    folders: &Folders,
    views: &mut [View],
    paired: &Paired,
) -> Result<Moves, Error> {
    let mut found = Moves::default();
    if moves::any_missing(views, Side::Local) {
        found.local = moves::local_moves(views, &paired.taken(Side::Local));
    }
    if !moves::any_missing(views, Side::Remote) {
        return Ok(found);
    }
    let taken = Taken { local: paired.taken(Side::Local), remote: paired.taken(Side::Remote) };
    let arrivals: BTreeSet<FolderId> = views.iter().filter(|v| !v.remote_new.is_empty()).map(|v| v.folder).collect();
    for view in views.iter_mut().filter(|v| arrivals.contains(&v.folder)) {
        ask_message_ids(engine, folders, view)?;
    }
    for (folder, uids) in moves::headers_needed(views, &taken) {
        if let Some(view) = views.iter_mut().find(|v| v.folder == folder) {
            fetch_headers(engine, folders, view, &uids.into_iter().collect())?;
        }
    }
    moves::remote_moves(views, &taken, &mut found);
    Ok(found)
}
