//! One folder of `verify`: the files, the rows, the server's listing, what pairs by content, and with `--deep` every body.

use std::collections::{BTreeMap, HashMap};

use crate::imap::{self, Access, FetchSet, Items, Session};
use crate::mail::snapshot::{RemoteMessage, Selected};
use crate::mail::{ContentHasher, Flags, System, Uid, UidSet, UidValidity};
use crate::maildir::{self, Entry, Keywords, Place as FilePlace, read, scan};
use crate::ui::event::{Difference, Verified};

use super::super::decide;
use super::super::engine::{Engine, Error, Folders};
use super::super::merge::Mask;
use super::super::view::{LocalNew, RemoteNew, View};
use super::super::{capacity, listing, moves};
use super::compare::{self, File, Kind, Known, dates_differ, rows_of};
use super::{Place, deep, tell};

/// Of so many messages that only the server has the Message-ID is asked for.
const NAMED: usize = 10_000;

/// Compares a folder and tells what differs.
///
/// # Errors
/// What keeps the folder from being compared.
pub(super) fn check(engine: &Engine<'_>, place: &Place, deep: bool, total: &mut Verified) -> Result<(), Error> {
    let mut check = Check::new(engine, place, deep)?;
    check.load_rows()?;
    check.list()?;
    check.pair()?;
    check.one_sided();
    if deep {
        check.bodies()?;
    }
    check.report(total)
}

/// What differs, before it is put into words.
struct Found {
    kind: Kind,
    uid: Option<Uid>,
    file: Option<usize>,
    detail: Option<String>,
}

/// A message of one side that nothing on the other is known to be.
struct Lone<T> {
    what: T,
    /// It stands there alone by agreement.
    agreed: bool,
    /// It had a file.
    lost_file: bool,
}

struct Check<'a, 'e> {
    engine: &'a Engine<'e>,
    place: &'a Place,
    deep: bool,
    entries: Vec<Entry>,
    /// What was read of each entry; `None`: it could not be read, which was told.
    files: Vec<Option<File>>,
    keywords: Keywords,
    /// The rows by rising UID.
    rows: Vec<Known>,
    validity: Option<UidValidity>,
    /// What the server can hold.
    there: Mask,
    locals: Vec<Lone<usize>>,
    remotes: Vec<Lone<RemoteMessage>>,
    pairs: Vec<(Uid, usize)>,
    found: Vec<Found>,
    figures: Verified,
}

impl<'a, 'e> Check<'a, 'e> {
    /// Scans the folder and reads its files: all sizes, with `deep` all contents.
    fn new(engine: &'a Engine<'e>, place: &'a Place, deep: bool) -> Result<Self, Error> {
        let dir = &place.folder.dir;
        let (entries, keywords) =
            if place.is_here { (scan(dir)?.entries, Keywords::load(dir)?) } else { (Vec::new(), Keywords::default()) };
        let mut files = Vec::with_capacity(entries.len());
        for entry in &entries {
            if files.len() % 64 == 0 {
                engine.check_stop()?;
            }
            files.push(match look(place, &entry.place, deep.then(|| deep::hasher(engine))) {
                Ok(file) => Some(file),
                Err(error) if error.is_absence() => None,
                Err(error) => {
                    engine.fail_message(&place.folder.name, &entry.place.to_string(), &error);
                    None
                }
            });
        }
        Ok(Self {
            engine,
            place,
            deep,
            entries,
            files,
            keywords,
            rows: Vec::new(),
            validity: None,
            there: Mask::all(),
            locals: Vec::new(),
            remotes: Vec::new(),
            pairs: Vec::new(),
            found: Vec::new(),
            figures: Verified::default(),
        })
    }

    fn load_rows(&mut self) -> Result<(), Error> {
        let by_name: HashMap<&[u8], usize> =
            self.entries.iter().enumerate().map(|(i, e)| (e.place.name.unique(), i)).collect();
        let rows = &mut self.rows;
        self.engine.state().each_row(self.place.folder.id, |row| {
            let name = row.file.as_deref().and_then(FilePlace::from_bytes);
            rows.push(Known {
                uid: row.uid,
                mark: row.mark,
                had_file: row.file.is_some(),
                file: name.and_then(|place| by_name.get(place.name.unique()).copied()),
                size_wire: row.identity.size_wire,
                size: row.identity.size,
                seen: false,
            });
        })?;
        Ok(())
    }

    /// Lists the server's folder and compares what the rows pair.
    fn list(&mut self) -> Result<(), Error> {
        let (engine, place) = (self.engine, self.place);
        let Some(mailbox) = &place.folder.mailbox else { return Ok(()) };
        // SELECT, not EXAMINE: only it tells which flags can be stored, and Courier's UIDVALIDITY is stable only under it.
        decide::with_mailbox(engine, mailbox, Access::ReadWrite, &mut |session, selected| {
            self.begin_list(selected);
            self.receive(session, selected)
        })
    }

    fn begin_list(&mut self, selected: &Selected) {
        self.validity = selected.figures.uid_validity;
        self.there = capacity::can_hold(selected);
        self.remotes.clear();
        self.pairs.clear();
        self.found.clear();
        self.figures = Verified::default();
        if listing::figures_are_new(&self.place.folder.base.figures, &selected.figures) {
            // The UIDs of the rows mean nothing any more (HAZARDS 1).
            self.rows.iter_mut().for_each(|row| row.uid = None);
        }
        self.rows.iter_mut().for_each(|row| row.seen = false);
    }

    fn receive(&mut self, session: &mut Session, selected: &Selected) -> Result<(), imap::Error> {
        let name = self.place.folder.name.to_string();
        let (sink, account) = (self.engine.job.sink, &self.engine.job.account.name);
        let expected = selected.figures.messages.map(u64::from);
        let items = Items::FLAGS | Items::DATE | Items::SIZE;
        let pending = session.send_fetch(&FetchSet::All, items, None)?;
        let mut listed = 0;
        let end = session.finish_fetch(pending, &mut |message| {
            listed += 1;
            if listed % 256 == 0 {
                sink.progress(account, &name, listed, expected.unwrap_or(0));
            }
            self.see(message);
        })?;
        session.noop()?;
        if end.partial || (expected != Some(listed) && u64::from(session.exists()) != listed) {
            let text = format!("the server listed {listed} of {} messages", session.exists());
            return Err(imap::Error::Protocol(text));
        }
        Ok(())
    }

    /// Takes one message of the listing.
    fn see(&mut self, message: RemoteMessage) {
        let rows = rows_of(&mut self.rows, message.uid);
        rows.iter_mut().for_each(|row| row.seen = true);
        let with_file: Vec<Known> = rows.iter().filter(|row| row.file.is_some()).copied().collect();
        let agreed = !rows.is_empty() && rows.iter().all(Known::is_agreed);
        let lost_file = rows.iter().any(|row| row.had_file);
        for row in &with_file {
            if let Some(file) = row.file {
                self.compare(&message, file);
                // In a deep look the contents themselves decide.
                if !self.deep {
                    self.compare_size(&message, file, row);
                }
            }
        }
        if with_file.is_empty() {
            self.remotes.push(Lone { what: message, agreed, lost_file });
        }
    }

    /// Compares what else there is of a message and its file.
    fn compare(&mut self, message: &RemoteMessage, file: usize) {
        self.figures.compared += 1;
        let ours = self.flags_of(file);
        if let Some(detail) = compare::flags(ours.as_ref(), message.flags.as_ref(), &self.both(ours.as_ref(), message))
        {
            self.differ(Kind::Flags, Some(message.uid), Some(file), Some(detail));
        }
        if let Some(read) = self.files.get(file).copied().flatten() {
            self.figures.dates += u64::from(dates_differ(&read, message));
        }
        self.pairs.push((message.uid, file));
    }

    /// Compares lengths, where a row says that the two are one message.
    fn compare_size(&mut self, message: &RemoteMessage, file: usize, row: &Known) {
        let Some(read) = self.files.get(file).copied().flatten() else { return };
        if let Some(detail) = compare::size(&read, message, row) {
            self.differ(Kind::Size, Some(message.uid), Some(file), Some(detail));
        }
    }

    fn differ(&mut self, kind: Kind, uid: Option<Uid>, file: Option<usize>, detail: Option<String>) {
        self.found.push(Found { kind, uid, file, detail });
    }

    fn flags_of(&self, file: usize) -> Option<Flags> {
        self.keywords.flags_of(&self.entries.get(file)?.place.name)
    }

    /// The flags of a message that both sides can hold (HAZARDS 6).
    fn both(&self, ours: Option<&Flags>, message: &RemoteMessage) -> Mask {
        let all = ours.into_iter().chain(message.flags.as_ref()).flat_map(|flags| flags.keywords.iter());
        let keywords = all.filter(|keyword| self.keywords.can_hold(keyword)).cloned().collect();
        self.there.and(&Mask { system: System::ALL, keywords: Some(keywords) })
    }

    /// Pairs by content what no row pairs, as a sync would.
    fn pair(&mut self) -> Result<(), Error> {
        let mut rows_file = vec![None; self.entries.len()];
        for row in &self.rows {
            if let Some(slot) = row.file.and_then(|file| rows_file.get_mut(file)) {
                *slot = Some(*row);
            }
        }
        for (file, row) in rows_file.iter().enumerate() {
            if row.is_none_or(|row| row.uid.is_none() || !row.seen) {
                let agreed = row.is_some_and(|row| row.is_agreed() || (self.place.is_kept && row.uid.is_some()));
                self.locals.push(Lone { what: file, agreed, lost_file: false });
            }
        }
        if self.locals.is_empty() || self.remotes.is_empty() {
            return Ok(());
        }
        let folder = &self.place.folder;
        let mut view = View::empty(folder.id, folder.name.clone());
        view.adopting = true;
        let mut at = Vec::new();
        for (index, lone) in self.locals.iter().enumerate() {
            self.engine.check_stop()?;
            let Some(entry) = self.entries.get(lone.what) else { continue };
            // One that cannot be read was told of.
            let Ok(content) = read::content(&folder.dir, &entry.place) else { continue };
            let date = self.files.get(lone.what).copied().flatten().and_then(|file| file.date);
            let flags = self.flags_of(lone.what).unwrap_or_default();
            let (place, inode) = (entry.place.to_bytes(), entry.inode);
            view.local_new.push(LocalNew { place, inode, flags, content, date, row: None });
            at.push(index);
        }
        let new = |lone: &Lone<RemoteMessage>| RemoteNew {
            message: lone.what.clone(),
            header: None,
            digest: None,
            row: None,
        };
        view.remote_new = self.remotes.iter().map(new).collect();
        let folders: Folders = [(folder.id, folder.clone())].into();
        let pairing = decide::pair_folder(self.engine, &folders, &mut view, &moves::Gone::default())?;
        let pairs = pairing.pairs.into_iter().filter_map(|(l, r)| Some((*at.get(l)?, r))).collect();
        self.take_pairs(pairs, &view);
        Ok(())
    }

    fn take_pairs(&mut self, pairs: Vec<(usize, usize)>, view: &View) {
        let (mut locals, mut remotes) = (Vec::new(), Vec::new());
        for (l, r) in pairs {
            let (Some(file), Some(new)) = (self.locals.get(l).map(|l| l.what), view.remote_new.get(r)) else {
                continue;
            };
            self.compare(&new.message, file);
            locals.push(l);
            remotes.push(r);
        }
        locals.sort_unstable();
        remotes.sort_unstable();
        keep_others(&mut self.locals, &locals);
        keep_others(&mut self.remotes, &remotes);
    }

    /// What is left stands on one side only.
    fn one_sided(&mut self) {
        for lone in std::mem::take(&mut self.locals) {
            if lone.agreed {
                self.figures.one_sided += 1;
            } else {
                self.differ(Kind::OnlyLocal, None, Some(lone.what), None);
            }
        }
        for lone in std::mem::take(&mut self.remotes) {
            if lone.agreed {
                self.figures.one_sided += 1;
            } else {
                let kind = if lone.lost_file { Kind::MissingFile } else { Kind::OnlyRemote };
                self.differ(kind, Some(lone.what.uid), None, None);
            }
        }
    }

    fn bodies(&mut self) -> Result<(), Error> {
        self.pairs.sort_unstable();
        let wrong = deep::compare(self.engine, &self.place.folder, self.validity, &self.pairs, &self.files)?;
        for (uid, file, detail) in wrong {
            self.differ(Kind::Content, Some(uid), Some(file), Some(detail));
        }
        Ok(())
    }

    /// Tells what was found, with names.
    fn report(mut self, total: &mut Verified) -> Result<(), Error> {
        let found = std::mem::take(&mut self.found);
        let nameless: UidSet = found.iter().filter(|f| f.file.is_none()).filter_map(|f| f.uid).take(NAMED).collect();
        let names = self.names(&nameless)?;
        let lost: UidSet = found.iter().filter(|f| f.kind == Kind::MissingFile).filter_map(|f| f.uid).collect();
        let rows = self.engine.state().rows_by_uid(self.place.folder.id, &lost)?;
        let lost: BTreeMap<Option<Uid>, Option<Vec<u8>>> = rows.into_iter().map(|row| (row.uid, row.file)).collect();
        let folder = &self.place.folder;
        for found in found {
            let place = found.file.and_then(|file| self.entries.get(file)).map(|entry| &entry.place);
            let header = place.and_then(|place| read::header(&folder.dir, place).ok());
            let was = lost.get(&found.uid).cloned().flatten().filter(|_| found.kind == Kind::MissingFile);
            let difference = Difference {
                kind: found.kind.as_str(),
                uid: found.uid.map(Uid::get),
                uidl: None,
                file: place.map(ToString::to_string).or(was.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
                message_id: match place {
                    Some(_) => header.and_then(|content| content.message_id_text),
                    None => found.uid.and_then(|uid| names.get(&uid).cloned()),
                },
                detail: found.detail,
            };
            tell(self.engine, &folder.name, difference, total);
        }
        total.compared += self.figures.compared;
        total.one_sided += self.figures.one_sided;
        total.dates += self.figures.dates;
        Ok(())
    }

    /// The Message-IDs of messages on the server.
    fn names(&self, set: &UidSet) -> Result<BTreeMap<Uid, String>, Error> {
        let mut names = BTreeMap::new();
        let Some(mailbox) = self.place.folder.mailbox.as_ref().filter(|_| !set.is_empty()) else { return Ok(names) };
        decide::with_mailbox(self.engine, mailbox, Access::ReadOnly, &mut |session, _| {
            session.headers(set, &mut |uid, header| {
                let id = read::content_of(header).ok().and_then(|content| content.message_id_text);
                names.extend(id.map(|id| (uid, id)));
            })
        })?;
        Ok(names)
    }
}

/// Removes the elements at `taken`, which is sorted.
fn keep_others<T>(all: &mut Vec<T>, taken: &[usize]) {
    let mut index = 0;
    all.retain(|_| {
        index += 1;
        taken.binary_search(&(index - 1)).is_err()
    });
}

/// Reads a file: its length as on the wire, with a hasher its content.
fn look(place: &Place, file: &FilePlace, deep: Option<ContentHasher>) -> Result<File, maildir::Error> {
    let dir = &place.folder.dir;
    let message = match read::open(dir, file) {
        Ok(message) => message,
        Err(maildir::Error::Empty { .. }) => return Ok(File { size: 0, date: None, digest: None }),
        Err(error) => return Err(error),
    };
    let date = Some(message.mtime);
    if let Some(hasher) = deep {
        let content = read::content_by(dir, file, hasher)?;
        return Ok(File { size: content.size, date, digest: Some(content.digest) });
    }
    Ok(File { size: read::wire_length(dir, file)?, date, digest: None })
}
