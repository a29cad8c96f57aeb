//! `verify` of a POP3 account: what is still on the server against what is remembered of it, and its files.
//!
//! Nothing is retrieved: some servers delete what was. With `--deep` the files' contents are compared with what was received.

use std::collections::{BTreeMap, HashMap};

use crate::mail::text::clean_bytes;
use crate::maildir::{FileSystem, Layout, read};
use crate::pop3::Listed;
use crate::severity::Kind;
use crate::state::State;
use crate::state::seen::{self, Row, Seen, Source, Status};
use crate::ui::event::{Body, Difference, Verified};

use super::job::{Engine, Error, Job, Report, failed};
use super::look::Strays;
use super::pop3;

/// Compares one account, whose options must be those of a dry run; the report says how it ended: [`Kind::Guard`] if anything
/// differs.
#[must_use]
pub fn run(job: Job<'_>, layout: &Layout, file_system: &FileSystem, state: &mut State, deep: bool) -> Report {
    let mut engine = match Engine::new(job, layout, file_system, state) {
        Ok(engine) => engine,
        Err(error) => return failed(job, &error),
    };
    let mut figures = Verified::default();
    if let Err(error) = compare(&mut engine, deep, &mut figures) {
        engine.fail(None, &error);
    }
    if figures.differences > 0 {
        engine.report.kinds.push(Kind::Guard);
    }
    engine.report.progress = figures.compared > 0 || figures.differences > 0;
    engine.report.summary.verified = Some(figures);
    engine.finish()
}

fn compare(engine: &mut Engine<'_>, deep: bool, figures: &mut Verified) -> Result<(), Error> {
    let (mut server, _) = pop3::log_in(engine)?;
    let listing = server.listing()?;
    let rows = match engine.account.as_ref().map(|account| account.id) {
        Some(account) => seen::load(engine.state.connection(), Source { account, source: "" })?,
        None => Vec::new(),
    };
    // Nothing was asked to be deleted: QUIT only says goodbye, and its answer does not matter.
    let _ = server.quit();
    let files = Strays::find(engine.layout)?;
    engine.report.summary.folders = 1;
    let nameless = listing.messages.iter().filter(|m| m.uidl.is_none()).count();
    if nameless > 0 {
        let message =
            format!("{nameless} messages have no UIDL on this server: they cannot be compared without retrieving them");
        let hint = Some("mailferry fetch recognises them by their headers".to_owned());
        engine.tell(None, Body::Warning { message, hint });
    }
    let mut known: HashMap<&[u8], &Row> = HashMap::new();
    for row in rows.iter().filter(|row| row.seen.status != Status::Gone) {
        if let Some(uidl) = &row.seen.uidl {
            known.insert(uidl, row);
        }
    }
    for message in &listing.messages {
        if engine.job.stop.requested() {
            return Err(Error::Interrupted);
        }
        let Some(uidl) = &message.uidl else { continue };
        let row = known.get(seen::key(uidl).as_slice()).map(|row| &row.seen);
        figures.compared += u64::from(row.is_some());
        for (kind, detail) in differences(message, row, &files, deep) {
            let file = row.and_then(|seen| seen.file.as_deref());
            let difference = Difference {
                kind,
                uidl: Some(clean_bytes(uidl)),
                file: file.map(|name| String::from_utf8_lossy(name).into_owned()),
                detail,
                ..Difference::default()
            };
            figures.differences += 1;
            engine.tell(Some(&engine.job.account.folder), Body::Difference(difference));
        }
    }
    Ok(())
}

/// How one message differs from what is remembered of it.
fn differences(
    message: &Listed,
    row: Option<&Seen>,
    files: &Strays,
    deep: bool,
) -> BTreeMap<&'static str, Option<String>> {
    let mut found = BTreeMap::new();
    let Some(seen) = row else {
        found.insert("only_remote", Some("never fetched".to_owned()));
        return found;
    };
    if let (Some(then), Some(now)) = (seen.size, message.size)
        && then != now
    {
        found.insert("size", Some(format!("when it was fetched {then} bytes, on the server now {now}")));
    }
    // Rows that came from another tool know no file.
    let Some(name) = seen.file.as_deref() else { return found };
    let Some((dir, place)) = files.get(name) else {
        found.insert("missing_file", None);
        return found;
    };
    if deep && let Some(then) = seen.content {
        match read::content(dir, place) {
            Ok(content) if content.digest == then => {}
            Ok(_) => drop(found.insert("content", Some("the file is not what was received".to_owned()))),
            Err(error) => drop(found.insert("content", Some(error.to_string()))),
        }
    }
    found
}
