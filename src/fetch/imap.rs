//! The walk over an IMAP account: folder by folder the same plan, memory and order as over a POP3 maildrop, with UIDs for ids.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::account::Keep;
use crate::checkpoint;
use crate::imap::{Access, FetchSet, Items, ListAsk, ListedFolder, Login, Session, SpecialUse, StoreChange};
use crate::mail::snapshot::{Figures, Selected};
use crate::mail::{ContentHasher, Digest, Flags, FolderName, Keyword, System, Uid, UidSet};
use crate::maildir::Keywords;
use crate::severity::{Kind, Retry, Scope, Severity};
use crate::state::seen::{self, Row, RowId, Source, Status};
use crate::state::{FolderRow, folder as folders};
use crate::transport;

use super::bodies::{Bodies, requests, transfer};
use super::books::{Lessons, Mail, account_for, due, keep_books, refuse, tell_skipped};
use super::desk::{Desk, Done};
use super::dry::{Here, tell_plan};
use super::held::Held;
use super::job::{Engine, Error};
use super::look;
use super::plan::{self, Action, Candidates, Entry, Headers, Plan, Rules};
use super::receive::{Expected, Receiver};

/// Fetches every folder, over as many connections as it takes.
///
/// # Errors
/// What took the account down; everything that came before is safe and recorded.
pub fn run(engine: &mut Engine<'_>) -> Result<(), Error> {
    let mut finished = HashSet::new();
    let mut attempt = 1;
    loop {
        let before = (engine.report.summary.downloaded, finished.len());
        // A login that failed has been tried again already, where that helps.
        let server = connect(engine)?;
        let Err(error) = pass(engine, server, &mut finished) else { return Ok(()) };
        if engine.job.stop.requested() {
            return Err(Error::Interrupted);
        }
        if (engine.report.summary.downloaded, finished.len()) != before {
            attempt = 1;
        }
        let pause = transport::retry::pause(attempt, engine.job.account.endpoint.timeout);
        let Some(pause) = pause.filter(|_| error.retry() == Retry::Now) else { return Err(error) };
        crate::pop3::wait(engine.job.stop, pause).map_err(|_| Error::Interrupted)?;
        attempt += 1;
    }
}

fn connect(engine: &Engine<'_>) -> Result<Session, Error> {
    let opened = Session::open(&Login {
        account: engine.job.account,
        credentials: engine.job.credentials,
        stop: engine.job.stop,
        traffic: Arc::clone(&engine.traffic),
        trace: engine.job.trace.cloned(),
        once: false,
    });
    if engine.job.stop.requested() {
        return Err(Error::Interrupted);
    }
    Ok(opened?)
}

/// All folders that are not finished, on one connection.
fn pass(engine: &mut Engine<'_>, mut server: Session, finished: &mut HashSet<FolderName>) -> Result<(), Error> {
    let account = engine.job.account;
    let ask = ListAsk { status: true, subscribed: account.subscribed_only, shared: true };
    let mut listed: Vec<ListedFolder> = server.list(&ask)?.folders;
    let shared: HashSet<FolderName> = listed.iter().map(|folder| folder.name.clone()).collect();
    listed.retain(|folder| takes_part(engine, folder));
    engine.report.summary.folders = listed.len() as u64;
    let known: HashMap<FolderName, FolderRow> = match &engine.account {
        Some(row) => engine.state.folders(row.id)?.into_iter().map(|row| (row.name.clone(), row)).collect(),
        None => HashMap::new(),
    };
    let all = if engine.job.options.all { Some(look::contents(engine.layout)?) } else { None };
    let mut held = None;
    for folder in &listed {
        if finished.contains(&folder.name) {
            continue;
        }
        if engine.job.stop.requested() {
            return Err(Error::Interrupted);
        }
        let mut walk = Walk {
            engine: &mut *engine,
            folder,
            present: all.as_ref(),
            looked: None,
            held: &mut held,
            shared: &shared,
            lessons: Lessons::default(),
        };
        let result = walk.run(&mut server, known.get(&folder.name));
        let lessons = walk.lessons;
        match result {
            Err(error) if error.scope() > Scope::Folder || !server.is_alive() => return Err(error),
            Err(error) => engine.fail(Some(&folder.name), &error),
            Ok(()) => {}
        }
        engine.report.summary.skipped += lessons.left + lessons.refused.len() as u64;
        finished.insert(folder.name.clone());
    }
    server.logout();
    Ok(())
}

/// Whether the profile and the command line want the folder.
fn takes_part(engine: &Engine<'_>, folder: &ListedFolder) -> bool {
    let (account, name) = (engine.job.account, &folder.name);
    let is_virtual = matches!(folder.special, Some(SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important));
    folder.selectable
        && account.folders.matches(name)
        && engine.job.options.only.as_ref().is_none_or(|only| only.matches(name))
        && !(account.quirks.gmail && is_virtual && !account.folders.names(name))
        && (!account.subscribed_only || folder.subscribed || name.is_inbox())
}

fn ask_headers(server: &mut Session, ask: impl IntoIterator<Item = u32>, headers: &mut Headers) -> Result<(), Error> {
    let asked: UidSet = ask.into_iter().filter_map(Uid::new).collect();
    Ok(server.headers(&asked, &mut |uid, bytes| {
        let mut hasher = ContentHasher::new();
        hasher.update(bytes);
        headers.insert(uid.get(), Some(hasher.finish().header));
    })?)
}

/// The walk over one folder.
struct Walk<'w, 'a> {
    engine: &'w mut Engine<'a>,
    folder: &'w ListedFolder,
    /// What the Maildir holds by content, with `--all`.
    present: Option<&'w HashSet<Digest>>,
    /// The same where only this folder needs it.
    looked: Option<HashSet<Digest>>,
    /// What is here without a row; `None`: to be looked for.
    held: &'w mut Option<Held>,
    /// All folders of the server.
    shared: &'w HashSet<FolderName>,
    lessons: Lessons,
}

/// The rows of a folder: its own, and those of earlier UIDVALIDITYs, whose ids say nothing any more.
fn load(engine: &mut Engine<'_>, source: Source<'_>, name: &FolderName) -> Result<Vec<Row>, Error> {
    let now = engine.now;
    let db = engine.state.connection();
    let mut rows = seen::load(db, source)?;
    for other in seen::sources(db, source.account)? {
        let same_folder = other.split_once(':').is_some_and(|(_, key)| key == name.key());
        if same_folder && other != source.source {
            for mut row in seen::load(db, Source { source: &other, ..source })? {
                row.seen.uidl = None;
                row.seen.absent.get_or_insert(now);
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

impl<'a> Walk<'_, 'a> {
    fn run(&mut self, server: &mut Session, known: Option<&FolderRow>) -> Result<(), Error> {
        let account = self.engine.account.as_ref().map(|row| row.id);
        let rules = self.engine.rules();
        if self.engine.is_gone(&self.folder.name)? && self.present.is_none() {
            self.looked = Some(look::contents(self.engine.layout)?);
        }
        let listed = self.folder.figures.clone().unwrap_or_default();
        let open = match (account, listed.uid_validity) {
            (Some(account), Some(validity)) => {
                let source = format!("{validity}:{}", self.folder.name.key());
                let source = Source { account, source: &source };
                let asked = rules.finish_deletions && seen::has_open_deletions(self.engine.state.connection(), source)?;
                asked || rules.keep != Keep::Keep
            }
            (None, _) | (_, None) => rules.keep != Keep::Keep,
        };
        if !open && self.is_unchanged(known, &listed) {
            return Ok(());
        }
        let dry = self.engine.job.options.dry_run;
        let access = if open && !dry { Access::ReadWrite } else { Access::ReadOnly };
        let selected = server.select(&self.folder.mailbox, access, None)?;
        let Some(validity) = selected.figures.uid_validity else {
            return Err(Error::Folder("the folder's UIDs do not last: nothing of it could be recognised next time"));
        };
        let source = format!("{validity}:{}", self.folder.name.key());
        let source = account.map(|account| Source { account, source: &source });
        let rows = match source {
            Some(source) => load(self.engine, source, &self.folder.name)?,
            None => Vec::new(),
        };
        let (mail, complete) = self.list(server, &selected)?;
        let (mut plan, mut headers) = self.plan(server, &mail.entries, &rows, &rules)?;
        if !complete {
            // What such a listing does not show may be there all the same.
            (plan.left, plan.gone, plan.forget) = (Vec::new(), Vec::new(), Vec::new());
        }
        self.lessons.left = tell_skipped(self.engine, &plan, &mail)?;
        let (Some(source), false) = (source, dry) else {
            let held = self.held(rows.is_empty())?;
            let here = Here::look(&plan, &mail, &rows, &held);
            *self.held = Some(held);
            ask_headers(server, here.questions(&plan, &mail, &headers), &mut headers)?;
            let (here, present) = (here.matches(&plan, &mail, &headers), self.present.or(self.looked.as_ref()));
            tell_plan(self.engine, (&plan, &mail, &rows), &rules, &here, present);
            return Ok(());
        };
        keep_books(self.engine, source, (&plan, &rows, &mail.entries), &rules, None)?;
        let arrived = self.receive(server, source, (&plan, &mail, &rows))?;
        let due = due(&plan, &mail.entries, &rows, &arrived, &rules);
        let nothing_open = complete && self.lessons.left == 0 && self.lessons.refused.is_empty();
        self.delete(server, &selected, &due)?;
        if nothing_open {
            self.settle(&listed, &selected.figures)?;
        }
        Ok(())
    }

    /// Whether nothing came and nothing went since the last run, by the figures of the listing.
    fn is_unchanged(&self, known: Option<&FolderRow>, listed: &Figures) -> bool {
        let options = self.engine.job.options;
        let Some(figures) = known.map(|row| &row.cursor.figures) else { return false };
        let told = listed.uid_validity.is_some() && listed.uid_next.is_some() && listed.messages.is_some();
        let same = (figures.uid_validity, figures.uid_next, figures.messages)
            == (listed.uid_validity, listed.uid_next, listed.messages);
        let other_port = self.engine.account.as_ref().is_some_and(|account| account.other_port);
        told && same && !options.full && !options.all && !other_port
    }

    /// Records the figures that the listing stood for: those told before it, where there are any.
    fn settle(&mut self, listed: &Figures, selected: &Figures) -> Result<(), Error> {
        let Some(account) = self.engine.account.as_ref().map(|row| row.id) else { return Ok(()) };
        let figures = if listed.uid_next.is_some() && listed.messages.is_some() { listed } else { selected };
        let id = self.engine.state.folder(account, &self.folder.name)?;
        Ok(self.engine.state.commit(|db| folders::set_figures(db, id, figures))?)
    }

    /// All messages with their sizes; whether the listing is complete.
    fn list(&self, server: &mut Session, selected: &Selected) -> Result<(Mail, bool), Error> {
        let mut entries: BTreeMap<u32, Entry> = BTreeMap::new();
        let mut complete = true;
        if selected.figures.messages != Some(0) {
            let pending = server.send_fetch(&FetchSet::All, Items::SIZE, None)?;
            let end = server.finish_fetch(pending, &mut |message| {
                let number = message.uid.get();
                let key = Some(number.to_string().into_bytes());
                entries.insert(number, Entry { number, key, size: message.size });
            })?;
            complete = !end.partial && u32::try_from(entries.len()).is_ok_and(|count| count == server.exists());
        }
        let mail = Mail { folder: self.folder.name.clone(), entries: entries.into_values().collect(), ids: Vec::new() };
        Ok((mail, complete))
    }

    /// Plans, asking for headers as long as the plan wants some.
    fn plan(
        &self,
        server: &mut Session,
        entries: &[Entry],
        rows: &[Row],
        rules: &Rules,
    ) -> Result<(Plan, Headers), Error> {
        let mut headers = Headers::new();
        loop {
            let plan = plan::plan(entries, rows, &headers, rules, self.present.or(self.looked.as_ref()));
            if plan.ask.is_empty() {
                return Ok((plan, headers));
            }
            ask_headers(server, plan.ask.iter().copied(), &mut headers)?;
            for number in plan.ask {
                headers.entry(number).or_insert(None);
            }
        }
    }

    /// Retrieves what the plan wants. On failure everything whole that came is durable.
    fn receive(
        &mut self,
        server: &mut Session,
        source: Source<'_>,
        (plan, mail, rows): (&Plan, &Mail, &[Row]),
    ) -> Result<Vec<Done>, Error> {
        let mut wanted = BTreeMap::new();
        for action in &plan.actions {
            if let Action::Retrieve { entry, expected } = action
                && let Some(entry) = mail.entries.get(*entry)
            {
                wanted.insert(entry.number, Expected { entry: entry.clone(), row: *expected });
            }
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let requests = requests(wanted.values().map(|e| &e.entry), server.sample());
        let asked: UidSet = wanted.keys().filter_map(|&n| Uid::new(n)).collect();
        // A row of another tool says nothing about what is here: that is looked up before it is believed.
        let doubtful =
            wanted.values().any(|e| e.row.and_then(|r| rows.get(r)).is_some_and(|row| row.seen.content.is_none()));
        if doubtful && self.present.is_none() && self.looked.is_none() {
            self.looked = Some(look::contents(self.engine.layout)?);
        }
        let held = self.held(rows.is_empty())?;
        let (sink, stop, total) = (self.engine.job.sink, self.engine.job.stop, wanted.len() as u64);
        let (account, label) = (self.engine.job.account.name.as_str(), self.folder.name.to_string());
        let progress = |count: u64| {
            sink.progress(account, &label, count, total);
            !stop.requested()
        };
        let mut desk = Desk::new(self.engine, source, &self.folder.name, rows)?;
        let dir = desk.dir()?;
        let keywords = Keywords::load(&dir)?;
        let mut receiver = Receiver::new(desk, self.engine.state, rows, &progress);
        receiver.candidates = Candidates::new(plan, rows);
        receiver.present = self.present.or(self.looked.as_ref());
        receiver.held = held;
        receiver.wanted = wanted;
        let mut bodies = Bodies { receiver, keywords, dir, left_out: BTreeSet::new(), got: UidSet::new(), bytes: 0 };
        let transferred = transfer(server, &requests, &mut bodies);
        let Bodies { mut receiver, left_out, got, .. } = bodies;
        let committed = match receiver.failed {
            None | Some(Error::Interrupted) => receiver.commit(),
            Some(_) => Ok(()),
        };
        let (done, refused, failed) = (receiver.done, receiver.refused, receiver.failed);
        if failed.is_none() && committed.is_ok() {
            *self.held = Some(receiver.held);
        }
        account_for(self.engine, &self.folder.name, &done);
        for (number, (why, kind)) in refused {
            refuse(self.engine, mail, &mut self.lessons, number, (&why, kind));
        }
        if let Some(error) = failed {
            return Err(error);
        }
        committed?;
        transferred?;
        self.missing(server, mail, &asked, &got)?;
        let names: Vec<&str> = left_out.iter().map(Keyword::as_str).collect();
        let detail = format!("a Maildir folder holds 26 keywords: {} stay on the server", names.join(", "));
        self.engine.standing(&self.folder.name, "keywords", (!names.is_empty()).then_some(detail.as_str()))?;
        Ok(done)
    }

    /// What is here without a row. What one folder used up is no longer there for the next.
    fn held(&mut self, is_new: bool) -> Result<Held, Error> {
        match self.held.take() {
            Some(held) if held.complete || !is_new => Ok(held),
            Some(_) | None => self.engine.held(is_new, self.shared.clone()),
        }
    }

    /// What was asked for and not mentioned: gone meanwhile, or not given.
    fn missing(&mut self, server: &mut Session, mail: &Mail, asked: &UidSet, got: &UidSet) -> Result<(), Error> {
        let silent: UidSet = asked.iter().filter(|uid| !got.contains(*uid)).collect();
        for uid in server.existing(&silent)?.iter() {
            refuse(self.engine, mail, &mut self.lessons, uid.get(), ("the server did not give it", Kind::Protocol));
        }
        Ok(())
    }

    /// Deletes what is due, by UID EXPUNGE of just these.
    fn delete(&mut self, server: &mut Session, selected: &Selected, due: &[(u32, RowId)]) -> Result<(), Error> {
        if due.is_empty() {
            return Ok(());
        }
        let detail = (!server.capabilities().uidplus)
            .then_some("the server cannot expunge single messages (UIDPLUS): nothing is deleted there");
        self.engine.standing(&self.folder.name, "uidplus", detail)?;
        if detail.is_some() {
            return Ok(());
        }
        if selected.read_only {
            let why = "the server opened the folder read-only".to_owned();
            self.engine
                .fail(Some(&self.folder.name), &Error::NotDeleted { count: due.len(), why, kind: Kind::Protocol });
            return Ok(());
        }
        let rows: Vec<RowId> = due.iter().map(|(_, row)| *row).collect();
        self.engine.state.commit(|db| seen::set_status(db, &rows, Status::DeleteAsked))?;
        checkpoint::hit("fetch.delete_asked");
        let set: UidSet = due.iter().filter_map(|(number, _)| Uid::new(*number)).collect();
        let store = server.send_store(&set, StoreChange::Add, &Flags::of(System::DELETED))?;
        let expunge = server.send_expunge(&set)?;
        server.finish_store(store)?;
        server.finish_expunge(expunge)?;
        let left = server.existing(&set)?;
        checkpoint::hit("fetch.expunged");
        let is_gone = |number: u32| Uid::new(number).is_some_and(|uid| !left.contains(uid));
        let gone: Vec<RowId> = due.iter().filter(|(number, _)| is_gone(*number)).map(|(_, row)| *row).collect();
        let now = self.engine.now;
        self.engine.state.commit(|db| {
            seen::set_status(db, &gone, Status::Gone)?;
            seen::set_absent(db, &gone, Some(now))
        })?;
        gone.iter().for_each(|_| self.engine.report.count(&self.folder.name, |f| f.deleted_remote += 1));
        if !left.is_empty() {
            let why = "the server still lists them after EXPUNGE".to_owned();
            let count = usize::try_from(left.len()).unwrap_or(usize::MAX);
            self.engine.fail(Some(&self.folder.name), &Error::NotDeleted { count, why, kind: Kind::Protocol });
        }
        Ok(())
    }
}
