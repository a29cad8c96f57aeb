//! The walk over a POP3 account: sessions until all is here, and after each what may be deleted.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::account::Keep;
use crate::checkpoint;
use crate::mail::{Digest, FolderName};
use crate::pop3::{self, Login, Part, Remembered, Transaction, Wanted};
use crate::severity::{Kind, Retry, Severity};
use crate::state::seen::{self, Row, RowId, Source, Status};
use crate::transport;

use super::books::{Lessons, Mail, account_for, due, keep_books, name_of, refuse, tell_skipped};
use super::desk::{Desk, Done};
use super::dry::{Here, tell_plan};
use super::job::{Engine, Error};
use super::look;
use super::plan::{self, Action, Candidates, Entry, Plan, Rules};
use super::receive::{Expected, HeaderSink, Receiver};

/// A message that breaks so many sessions is left out.
const PATIENCE: u32 = 2;

/// More sessions than this a run never has.
const MAX_SESSIONS: u32 = 1000;

/// More sessions than this are not given to messages that break them.
const MAX_TROUBLE: u32 = 20;

/// What a session has done.
struct Session {
    /// Whether another session would find more.
    more: bool,
}

/// Fetches everything, over as many sessions as it takes.
///
/// # Errors
/// What took the account down; everything that came before is safe and recorded.
pub fn run(engine: &mut Engine<'_>) -> Result<(), Error> {
    let folder = &engine.job.account.folder;
    if engine.job.options.only.as_ref().is_some_and(|only| !only.matches(folder)) {
        return Ok(());
    }
    let mut lessons = Lessons::default();
    let result = sessions(engine, &mut lessons);
    engine.report.summary.skipped = lessons.left + lessons.refused.len() as u64;
    result
}

fn sessions(engine: &mut Engine<'_>, lessons: &mut Lessons) -> Result<(), Error> {
    let mut attempt = 1;
    let mut complete = false;
    for _ in 0..MAX_SESSIONS {
        let before = (engine.report.summary.downloaded, lessons.broken_sessions());
        let error = match session(engine, lessons) {
            Ok(Session { more: true }) => {
                complete = true;
                continue;
            }
            Ok(Session { more: false }) => return Ok(()),
            Err(error) => error,
        };
        lessons.failed = true;
        if engine.job.stop.requested() {
            return Err(Error::Interrupted);
        }
        // Gmail's next batch may have to wait for the next run: this one has fetched a listing in full.
        if std::mem::take(&mut complete) && error.retry() == Retry::Later && error.kind() == Kind::TryLater {
            return Ok(());
        }
        if !lessons.logged_in {
            return Err(error);
        }
        if engine.report.summary.downloaded > before.0 {
            attempt = 1;
        }
        let broken = lessons.broken_sessions();
        if broken > before.1 && error.retry() != Retry::Now {
            // One message is to blame, not the line: it is asked for once more, then left out.
            if broken > MAX_TROUBLE {
                return Err(error);
            }
            continue;
        }
        let timeout = engine.job.account.endpoint.timeout;
        let pause = transport::retry::pause(attempt, timeout).filter(|_| error.retry() == Retry::Now);
        let Some(pause) = pause else { return Err(error) };
        pop3::wait(engine.job.stop, pause).map_err(|_| Error::Interrupted)?;
        attempt += 1;
    }
    Ok(())
}

/// Logs in, with what is remembered of the server.
///
/// # Errors
/// Those of the server and the state.
pub(super) fn log_in(engine: &mut Engine<'_>) -> Result<(Transaction, String), Error> {
    let remembered = match engine.account.as_ref().map(|account| account.id) {
        Some(id) if !engine.job.options.full => seen::capabilities(engine.state.connection(), id)?,
        Some(_) | None => String::new(),
    };
    let server = pop3::open(&Login {
        account: engine.job.account,
        credentials: engine.job.credentials,
        stop: engine.job.stop,
        traffic: Arc::clone(&engine.traffic),
        trace: engine.job.trace.cloned(),
        remembered: (!remembered.is_empty()).then(|| Remembered::from_text(&remembered)),
        once: false,
    })?;
    Ok((server, remembered))
}

/// One session, from the login to QUIT.
fn session(engine: &mut Engine<'_>, lessons: &mut Lessons) -> Result<Session, Error> {
    let account = engine.account.as_ref().map(|account| account.id);
    lessons.logged_in = false;
    let (mut server, remembered) = log_in(engine)?;
    lessons.logged_in = true;
    if lessons.failed {
        server.be_careful();
    }
    let mail = list(&mut server, &engine.job.account.folder)?;
    let source = account.map(|account| Source { account, source: "" });
    let rows = match source {
        Some(source) => seen::load(engine.state.connection(), source)?,
        None => Vec::new(),
    };
    let rules = engine.rules();
    let again = engine.is_gone(&mail.folder)? || engine.job.options.all;
    let mut present = if again { Some(look::contents(engine.layout)?) } else { None };
    let (mut plan, headers) = make_plan(&mut server, &mail, &rows, &rules, present.as_ref())?;
    engine.report.summary.folders = 1;
    lessons.left = tell_skipped(engine, &plan, &mail)?;
    leave_out_trouble(engine, &mut plan, &mail, lessons);
    let (Some(source), false) = (source, engine.job.options.dry_run) else {
        let here = Here::look(&plan, &mail, &rows, &engine.held(rows.is_empty(), HashSet::new())?);
        let headers = ask_headers(&mut server, &mail, &here.questions(&plan, &mail, &headers.headers), headers)?;
        let here = here.matches(&plan, &mail, &headers.headers);
        tell_plan(engine, (&plan, &mail, &rows), &rules, &here, present.as_ref());
        server.leave();
        return Ok(Session { more: false });
    };
    let fresh = server.remembered().to_text();
    let fresh = (fresh != remembered).then_some(fresh.as_str());
    keep_books(engine, source, (&plan, &rows, &mail.entries), &rules, fresh)?;
    // A row of another tool says nothing about what is here: that is looked up before it is believed.
    let doubtful = |action: &Action| match action {
        Action::Retrieve { expected: Some(row), .. } => rows.get(*row).is_some_and(|row| row.seen.content.is_none()),
        Action::Retrieve { expected: None, .. } | Action::Delete { .. } | Action::Skip { .. } => false,
    };
    if present.is_none() && plan.actions.iter().any(doubtful) {
        present = Some(look::contents(engine.layout)?);
    }
    let arrived = receive(engine, &mut server, source, (&plan, &mail, &rows), present.as_ref(), lessons)?;
    let stored = arrived.iter().filter(|done| done.path.is_some()).count();
    let due = due(&plan, &mail.entries, &rows, &arrived, &rules);
    let gmail = engine.job.account.quirks.gmail || server.capabilities().has("X-GOOGLE-RICO");
    if server.capabilities().quit_deletes() && !gmail && rules.keep == Keep::Keep {
        let detail = "the server deletes by itself what was fetched (EXPIRE 0): keeping is up to the Maildir";
        engine.standing(&engine.job.account.folder, "expire", Some(detail))?;
    }
    let retrieved = plan.actions.iter().any(|action| matches!(action, Action::Retrieve { .. }));
    end(engine, server, &due, retrieved)?;
    let room = engine.rules().limit != Some(0);
    Ok(Session { more: gmail && stored > 0 && room })
}

/// UIDL and LIST as the plan wants them.
fn list(server: &mut Transaction, folder: &FolderName) -> Result<Mail, Error> {
    let listing = server.listing()?;
    let entries = listing
        .messages
        .iter()
        .map(|m| Entry { number: m.number, key: m.uidl.as_deref().map(seen::key), size: m.size })
        .collect();
    Ok(Mail { folder: folder.clone(), entries, ids: listing.messages.into_iter().map(|m| m.uidl).collect() })
}

/// What to ask the server for, in the order of the listing.
fn wanted(mail: &Mail, which: impl Fn(&Entry) -> bool) -> Vec<Wanted<'_>> {
    let ids = mail.ids.iter().map(Option::as_deref);
    let listed = mail.entries.iter().zip(ids).filter(|(entry, _)| which(entry));
    listed.map(|(entry, uidl)| Wanted { number: entry.number, size: entry.size, uidl }).collect()
}

/// Plans, asking for headers as long as the plan wants some.
fn make_plan(
    server: &mut Transaction,
    mail: &Mail,
    rows: &[Row],
    rules: &Rules,
    present: Option<&HashSet<Digest>>,
) -> Result<(Plan, HeaderSink), Error> {
    let mut sink = HeaderSink::default();
    loop {
        let plan = plan::plan(&mail.entries, rows, &sink.headers, rules, present);
        if plan.ask.is_empty() {
            return Ok((plan, sink));
        }
        let ask: HashSet<u32> = plan.ask.iter().copied().collect();
        sink = ask_headers(server, mail, &ask, sink)?;
        for number in ask {
            sink.headers.entry(number).or_insert(None);
        }
    }
}

/// Asks for headers, where the server has TOP.
fn ask_headers(
    server: &mut Transaction,
    mail: &Mail,
    ask: &HashSet<u32>,
    mut sink: HeaderSink,
) -> Result<HeaderSink, Error> {
    let capabilities = server.capabilities();
    if !ask.is_empty() && (capabilities.is_empty() || capabilities.has("TOP")) {
        server.transfer(&wanted(mail, |entry| ask.contains(&entry.number)), Part::Header, &mut sink)?;
    }
    Ok(sink)
}

/// Takes messages out of the plan that broke sessions again and again.
fn leave_out_trouble(engine: &mut Engine<'_>, plan: &mut Plan, mail: &Mail, lessons: &mut Lessons) {
    let mut left_out = Vec::new();
    plan.actions.retain(|action| {
        let Action::Retrieve { entry: at, .. } = action else { return true };
        let Some(entry) = mail.entries.get(*at) else { return true };
        let hopeless = lessons.trouble.get(&name_of(entry)).is_some_and(|&count| count >= PATIENCE);
        if hopeless {
            left_out.push(entry.number);
        }
        !hopeless
    });
    for number in left_out {
        let why = "the session broke each time it was asked for";
        refuse(engine, mail, lessons, number, (why, Kind::Protocol));
    }
}

/// Retrieves what the plan wants. On failure everything whole that came is durable, and the session is dropped.
fn receive(
    engine: &mut Engine<'_>,
    server: &mut Transaction,
    source: Source<'_>,
    (plan, mail, rows): (&Plan, &Mail, &[Row]),
    present: Option<&HashSet<Digest>>,
    lessons: &mut Lessons,
) -> Result<Vec<Done>, Error> {
    let mut expected = BTreeMap::new();
    for action in &plan.actions {
        if let Action::Retrieve { entry, expected: row } = action
            && let Some(entry) = mail.entries.get(*entry)
        {
            expected.insert(entry.number, Expected { entry: entry.clone(), row: *row });
        }
    }
    if expected.is_empty() {
        return Ok(Vec::new());
    }
    let order = wanted(mail, |entry| expected.contains_key(&entry.number));
    let folder = engine.job.account.folder.clone();
    let held = engine.held(rows.is_empty(), HashSet::new())?;
    let desk = Desk::new(engine, source, &folder, rows)?;
    let (sink, name, total) = (engine.job.sink, engine.job.account.name.as_str(), order.len() as u64);
    let label = folder.to_string();
    let stop = engine.job.stop;
    let progress = |count: u64| {
        sink.progress(name, &label, count, total);
        !stop.requested()
    };
    let mut receiver = Receiver::new(desk, engine.state, rows, &progress);
    receiver.candidates = Candidates::new(plan, rows);
    receiver.present = present;
    receiver.held = held;
    receiver.wanted = expected;
    let transferred = server.transfer(&order, Part::Whole, &mut receiver);
    // What is whole is kept, whatever became of the rest.
    let committed = match receiver.failed {
        None | Some(Error::Interrupted) => receiver.commit(),
        Some(_) => Ok(()),
    };
    let (done, refused) = (receiver.done, receiver.refused);
    let failed = receiver.failed;
    // A lost connection is only the fault of a message that had begun.
    let blamed = match &transferred {
        Ok(()) => None,
        Err(error) if error.kind() == Kind::Protocol => receiver.asked,
        Err(_) => receiver.current,
    };
    let blamed = blamed.and_then(|number| receiver.wanted.get(&number)).map(|e| name_of(&e.entry));
    account_for(engine, &mail.folder, &done);
    for (number, (why, kind)) in refused {
        refuse(engine, mail, lessons, number, (&why, kind));
    }
    if let Some(error) = failed {
        return Err(error);
    }
    committed?;
    if let Err(error) = transferred {
        let times_out = matches!(
            error,
            pop3::Error::Transport(transport::Error::Timeout { .. } | transport::Error::Deadline { .. })
        );
        if let (Some(key), false) = (blamed, times_out || engine.job.stop.requested()) {
            let blame = if matches!(error, pop3::Error::Limit { .. }) { PATIENCE } else { 1 };
            *lessons.trouble.entry(key).or_default() += blame;
        }
        return Err(error.into());
    }
    Ok(done)
}

/// Deletes what is due, and says goodbye. Only QUIT's `+OK` makes deletions real.
fn end(engine: &mut Engine<'_>, server: Transaction, due: &[(u32, RowId)], retrieved: bool) -> Result<(), Error> {
    if due.is_empty() {
        if retrieved {
            // Everything is durable: how the server answers changes nothing here.
            let _ = server.quit();
        } else {
            server.leave();
        }
        return Ok(());
    }
    let rows: Vec<RowId> = due.iter().map(|(_, row)| *row).collect();
    engine.state.commit(|db| seen::set_status(db, &rows, Status::DeleteAsked))?;
    checkpoint::hit("fetch.delete_asked");
    let numbers: Vec<u32> = due.iter().map(|(number, _)| *number).collect();
    let ended = server.delete_and_quit(&numbers)?;
    checkpoint::hit("fetch.quit");
    let folder = engine.job.account.folder.clone();
    let is_refused = |number: u32| ended.refused.iter().any(|(n, _)| *n == number);
    if let Err(error) = ended.quit {
        let (why, kind) = (error.to_string(), error.kind());
        engine.fail(Some(&folder), &Error::NotDeleted { count: due.len(), why, kind });
        return Ok(());
    }
    let gone: Vec<RowId> = due.iter().filter(|(number, _)| !is_refused(*number)).map(|(_, row)| *row).collect();
    let now = engine.now;
    engine.state.commit(|db| {
        seen::set_status(db, &gone, Status::Gone)?;
        seen::set_absent(db, &gone, Some(now))
    })?;
    gone.iter().for_each(|_| engine.report.count(&folder, |f| f.deleted_remote += 1));
    if let Some((_, refusal)) = ended.refused.first() {
        let (why, kind) = (refusal.to_string(), refusal.kind(Kind::Protocol));
        let error = Error::NotDeleted { count: ended.refused.len(), why, kind };
        engine.fail(Some(&folder), &error);
    }
    Ok(())
}
