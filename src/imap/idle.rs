//! Waiting for news: IDLE and NOTIFY; and what only `check` asks: quotas.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::command::{Command, MailboxName};
use super::connection::Connection;
use super::data;
use super::error::Error;
use super::parse::{Response, Values};
use super::session::Session;
use crate::mail::text::clean_bytes;
use crate::transport::Woken;

/// Why waiting ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdleEnd {
    /// Something happened in the selected folder.
    pub selected: bool,
    /// Folders in which something happened, told by NOTIFY.
    pub changed: Vec<MailboxName>,
    /// A folder came, went or was renamed, told by NOTIFY.
    pub folders: bool,
    /// One of the other descriptors is readable.
    pub other: bool,
}

/// One resource of a quota root (RFC 9208).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The root's name, cleaned.
    pub root: String,
    /// `STORAGE` (in KiB), `MESSAGE`, ….
    pub resource: String,
    /// What is used.
    pub usage: u64,
    /// What may be used.
    pub limit: u64,
}

impl IdleEnd {
    fn take(&mut self, response: &Response<'_>) -> bool {
        match response {
            Response::Message { word, .. } => {
                let news = [&b"EXISTS"[..], b"EXPUNGE", b"FETCH"].iter().any(|w| word.eq_ignore_ascii_case(w));
                self.selected |= news;
                news
            }
            Response::Data { word, rest } if word.eq_ignore_ascii_case(b"STATUS") => {
                let name = data::status(rest).map(|(name, _)| name);
                let news = name.is_some();
                self.changed.extend(name.filter(|name| !self.changed.contains(name)));
                news
            }
            Response::Data { word, .. } if word.eq_ignore_ascii_case(b"LIST") => {
                self.folders = true;
                true
            }
            Response::Data { word, .. } if word.eq_ignore_ascii_case(b"VANISHED") => {
                self.selected = true;
                true
            }
            Response::Data { .. }
            | Response::Status { .. }
            | Response::Tagged { .. }
            | Response::Continue(_)
            | Response::Nothing => false,
        }
    }

    fn is_news(&self) -> bool {
        self.selected || self.folders || !self.changed.is_empty() || self.other
    }
}

impl Session {
    /// Waits in IDLE until the server tells news, one of `also` is readable, or `max` has passed (at most 29 minutes
    /// make sense: servers end longer ones). All news that has arrived is gathered.
    ///
    /// # Errors
    /// A refusal, a failing connection, an interruption.
    pub fn idle(&mut self, max: Duration, also: &[BorrowedFd<'_>]) -> Result<IdleEnd, Error> {
        if !self.capabilities().idle {
            return Err(Error::Unsupported("IDLE"));
        }
        let connection = self.live()?;
        connection.settle()?;
        let mut end = IdleEnd::default();
        let tag = connection.send(&Command::new("IDLE"))?;
        if connection.continuation(tag, &mut |response, _| Ok(end.take(response)))?.is_none() {
            connection.complete(tag, None, &mut |_, _| Ok(false))?.ok("IDLE")?;
            return connection.check(Err(Error::Protocol("IDLE ended before it began".to_owned())));
        }
        let waited = wait(connection, tag, max, also, &mut end);
        waited?;
        connection.write(b"DONE\r\n")?;
        connection.complete(tag, None, &mut |response, _| Ok(end.take(response)))?.ok("IDLE")?;
        Ok(end)
    }

    /// Asks for news of all personal folders, by NOTIFY (RFC 5465). `false`: not offered, or refused. From then on
    /// [`Session::idle`] tells in which folders something happened, and that there are others (where the server can say so).
    ///
    /// # Errors
    /// A failing connection.
    pub fn notify(&mut self) -> Result<bool, Error> {
        if !self.capabilities().notify {
            return Ok(false);
        }
        let messages = "(MessageNew MessageExpunge FlagChange)";
        for events in ["(MessageNew MessageExpunge FlagChange MailboxName)", messages] {
            let command =
                Command::new("NOTIFY SET (selected").word(messages).glue(") (personal").word(events).glue(")");
            match self.run(command, "NOTIFY", &mut |_, _| Ok(false)) {
                Ok(_) => return Ok(true),
                // BADEVENT: it knows no events of folders (RFC 5465 §3.1).
                Err(Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// INBOX's quotas; none where the server keeps none.
    ///
    /// # Errors
    /// A refusal, a failing connection.
    pub fn quota(&mut self) -> Result<Vec<Quota>, Error> {
        if !self.capabilities().quota {
            return Ok(Vec::new());
        }
        let mut quotas = Vec::new();
        self.run(Command::new("GETQUOTAROOT INBOX"), "GETQUOTAROOT", &mut |response, _| {
            let Response::Data { word, rest } = response else { return Ok(false) };
            if word.eq_ignore_ascii_case(b"QUOTA") && quotas.len() < 100 {
                quotas.extend(quota(rest));
            }
            Ok(true)
        })?;
        Ok(quotas)
    }
}

/// Waits until there is news or the time is over.
fn wait(
    connection: &mut Connection,
    tag: u32,
    max: Duration,
    also: &[BorrowedFd<'_>],
    end: &mut IdleEnd,
) -> Result<(), Error> {
    let until = std::time::Instant::now().checked_add(max);
    connection.wait_for_ever();
    while !end.is_news() {
        let left = until.map_or(max, |until| until.saturating_duration_since(std::time::Instant::now()));
        if left.is_zero() {
            break;
        }
        let woken = connection.stream().wait_readable(left, also).map_err(Error::from);
        match connection.check(woken)? {
            Woken::Input => {
                if !connection.listen(tag, &mut |response, _| Ok(end.take(response)))? {
                    return connection.check(Err(Error::Protocol("IDLE ended by itself".to_owned())));
                }
            }
            Woken::Other(_) => end.other = true,
            Woken::TimedOut => break,
        }
    }
    connection.set_ready();
    Ok(())
}

/// The resources of one QUOTA line.
fn quota(rest: &[u8]) -> Vec<Quota> {
    let mut values = Values::new(rest);
    let root = values.next().and_then(|root| root.bytes()).map(|root| clean_bytes(&root)).unwrap_or_default();
    let mut out = Vec::new();
    let Some(list) = values.next() else { return out };
    let mut items = list.items();
    while let (Some(resource), Some(usage), Some(limit)) = (items.next(), items.next(), items.next()) {
        if let (Some(resource), Some(usage), Some(limit)) = (resource.bytes(), usage.number(), limit.number()) {
            out.push(Quota { root: root.clone(), resource: clean_bytes(&resource), usage, limit });
        }
    }
    out
}
