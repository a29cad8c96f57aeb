//! Looking at a folder: SELECT with CONDSTORE and QRESYNC, FETCH of what is known about messages, searches.

use super::command::{Command, MailboxName};
use super::connection::Connection;
use super::data::{self, FetchLine, Items};
use super::error::Error;
use super::parse::{Response, StatusText, number};
use super::session::{Pending, Session};
use crate::mail::snapshot::{Permanent, RemoteMessage, Selected};
use crate::mail::{ModSeq, Uid, UidSet, UidValidity};

/// Longest set in one command: some servers refuse lines of 10,000 bytes.
pub const SET_BYTES: usize = 8000;

/// How to open a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// EXAMINE: nothing can be changed, not even by accident.
    ReadOnly,
    /// SELECT.
    ReadWrite,
}

/// Where we were: for QRESYNC (RFC 7162 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResyncPoint {
    /// The UIDVALIDITY known.
    pub uid_validity: UidValidity,
    /// The mod-sequence up to which everything is known.
    pub modseq: ModSeq,
    /// The UIDs known, if that is short enough to be worth sending.
    pub known: Option<UidSet>,
}

/// What a SELECT asked.
#[derive(Debug)]
pub struct SelectAsk {
    access: Access,
    resync: Option<(UidValidity, ModSeq)>,
}

/// Which messages to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchSet {
    /// These.
    Uids(UidSet),
    /// This one and all above it.
    From(Uid),
    /// All.
    All,
}

impl FetchSet {
    fn contains(&self, uid: Uid) -> bool {
        match self {
            Self::Uids(set) => set.contains(uid),
            Self::From(first) => uid >= *first,
            Self::All => true,
        }
    }
}

/// What a FETCH asked.
#[derive(Debug)]
pub struct FetchAsk {
    set: FetchSet,
    /// The items without which a line is no answer but news of its own.
    needed: Items,
}

/// How a FETCH ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchEnd {
    /// UIDs that VANISHED told of on the way: not yet confirmed.
    pub vanished: UidSet,
    /// The server stopped at its MESSAGELIMIT (RFC 9738): the listing is not complete.
    pub partial: bool,
}

impl Session {
    /// Buffers SELECT or EXAMINE. With `resync`, and QRESYNC enabled, the server is asked for what changed since.
    ///
    /// # Errors
    /// When the connection fails or the name cannot be sent.
    pub fn send_select(
        &mut self,
        mailbox: &MailboxName,
        access: Access,
        resync: Option<&ResyncPoint>,
    ) -> Result<Pending<SelectAsk>, Error> {
        if resync.is_some() && self.capabilities().qresync && !self.live()?.told.qresync {
            // Whether ENABLE worked must be known first: not every server that offers it answers it.
            self.live()?.settle()?;
        }
        let qresync = self.live()?.told.qresync;
        let verb = match access {
            Access::ReadOnly => "EXAMINE",
            Access::ReadWrite => "SELECT",
        };
        let mut command = Command::new(verb).mailbox(mailbox, self.literals())?;
        let resync = resync.filter(|_| qresync);
        if let Some(point) = resync {
            command = command.word("(QRESYNC (").glue_number(u64::from(point.uid_validity.get()));
            command = command.number(point.modseq.get());
            if let Some(known) = point.known.as_ref().filter(|k| !k.is_empty() && k.to_string().len() <= SET_BYTES) {
                command = command.set(known);
            }
            command = command.glue("))");
        } else if self.capabilities().condstore {
            command = command.word("(CONDSTORE)");
        }
        let ask = SelectAsk { access, resync: resync.map(|point| (point.uid_validity, point.modseq)) };
        self.send_selection(mailbox, command, ask)
    }

    /// Reads the answer to a SELECT.
    ///
    /// # Errors
    /// A refusal, of the folder alone; everything else that can happen to a connection.
    pub fn finish_select(&mut self, pending: Pending<SelectAsk>) -> Result<Selected, Error> {
        let mut selected = Selected::default();
        let mut sticky = true;
        let completion =
            self.finish_selection(&pending, &mut |response, _| Ok(select_line(response, &mut selected, &mut sticky)))?;
        let read_only = matches!(&completion.code, Some(super::code::Code::Other(code)) if code == "READ-ONLY");
        selected.read_only = read_only || pending.ask.access == Access::ReadOnly;
        if !sticky {
            // UIDs that hold for this session alone are as good as none (RFC 4315 §3).
            selected.figures.uid_validity = None;
        }
        let figures = &selected.figures;
        selected.resynced = pending.ask.resync.is_some_and(|(validity, modseq)| {
            figures.uid_validity == Some(validity) && figures.highest_modseq.is_some_and(|now| now >= modseq)
        });
        Ok(selected)
    }

    /// Selects a folder: [`Session::send_select`] and [`Session::finish_select`].
    ///
    /// # Errors
    /// As theirs.
    pub fn select(
        &mut self,
        mailbox: &MailboxName,
        access: Access,
        resync: Option<&ResyncPoint>,
    ) -> Result<Selected, Error> {
        let pending = self.send_select(mailbox, access, resync)?;
        self.finish_select(pending)
    }

    /// Buffers a FETCH of what is known about messages; `since` only of those that changed after it, where the server
    /// keeps mod-sequences (elsewhere of all).
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_fetch(
        &mut self,
        set: &FetchSet,
        items: Items,
        since: Option<ModSeq>,
    ) -> Result<Pending<FetchAsk>, Error> {
        let base = self.fetch_items(items);
        let qresync = self.live()?.told.qresync;
        let since = since.filter(|_| self.capabilities().condstore);
        let finish = |command: Command| {
            let mut command = command.words(&base);
            if let Some(modseq) = since {
                command = command.word("(CHANGEDSINCE").number(modseq.get());
                command = command.glue(if qresync { " VANISHED)" } else { ")" });
            }
            command
        };
        let start = || Command::new("UID FETCH");
        let commands: Vec<Command> = match set {
            FetchSet::Uids(uids) => uids.chunks(SET_BYTES).iter().map(|part| finish(start().set(part))).collect(),
            FetchSet::From(first) => vec![finish(start().number(u64::from(first.get())).glue(":*"))],
            FetchSet::All => vec![finish(start().word("1:*"))],
        };
        // MODSEQ may be missing in a folder that keeps none.
        let mut needed = items.and(Items::FLAGS | Items::DATE | Items::SIZE | Items::MESSAGE_ID);
        if base.iter().any(|word| matches!(*word, "EMAILID" | "X-GM-MSGID")) {
            needed = needed | items.and(Items::EMAIL_ID);
        }
        if self.capabilities().gmail {
            needed = needed | items.and(Items::LABELS);
        }
        self.send(&commands, FetchAsk { set: set.clone(), needed })
    }

    fn fetch_items(&self, items: Items) -> Vec<&'static str> {
        let offered = self.capabilities();
        let mut words = vec!["UID"];
        let mut want = |item: Items, word: &'static str| {
            if items.contains(item) {
                words.push(word);
            }
        };
        want(Items::FLAGS, "FLAGS");
        want(Items::DATE, "INTERNALDATE");
        want(Items::SIZE, "RFC822.SIZE");
        if offered.condstore {
            want(Items::MODSEQ, "MODSEQ");
        }
        if offered.objectid {
            want(Items::EMAIL_ID, "EMAILID");
        } else if offered.gmail {
            want(Items::EMAIL_ID, "X-GM-MSGID");
        }
        if offered.gmail {
            want(Items::LABELS, "X-GM-LABELS");
        }
        want(Items::MESSAGE_ID, "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]");
        words
    }

    /// Reads the answer to a FETCH: each message with a UID that was asked for and all items asked for (MODSEQ may be
    /// missing), as it comes. What else the server tells meanwhile is left out. While several listings of one folder
    /// are under way, a message may be told twice.
    ///
    /// # Errors
    /// A refusal, also of a part: what was passed on is then not complete.
    pub fn finish_fetch(
        &mut self,
        pending: Pending<FetchAsk>,
        each: &mut dyn FnMut(RemoteMessage),
    ) -> Result<FetchEnd, Error> {
        let mut end = FetchEnd::default();
        let ask = &pending.ask;
        let completion = self.finish(&pending, "FETCH", None, &mut |response, _| match response {
            Response::Message { rest, .. } if response.is_fetch() => {
                let line = FetchLine::parse(rest);
                let wanted = line.uid.is_some_and(|uid| ask.set.contains(uid)) && line.present.contains(ask.needed);
                if let Some(message) = line.into_message().filter(|_| wanted) {
                    each(message);
                }
                Ok(true)
            }
            Response::Data { word, rest } if word.eq_ignore_ascii_case(b"VANISHED") => {
                if let Some((_, gone)) = data::vanished(rest) {
                    gone.ranges().for_each(|(a, b)| end.vanished.insert_range(a.get(), b.get()));
                }
                Ok(true)
            }
            Response::Status { text, .. } => {
                end.partial |= text.is("MESSAGELIMIT");
                Ok(false)
            }
            Response::Message { .. } | Response::Data { .. } => Ok(false),
            Response::Tagged { .. } | Response::Continue(_) | Response::Nothing => Ok(false),
        })?;
        end.partial |= completion.code == Some(super::code::Code::MessageLimit);
        Ok(end)
    }

    /// All UIDs of the selected folder: one ESEARCH if its answer agrees with EXISTS, else a listing of UIDs.
    ///
    /// # Errors
    /// A refusal or a failing connection.
    pub fn all_uids(&mut self) -> Result<UidSet, Error> {
        if self.capabilities().esearch {
            let found = self.search("ALL")?;
            if found.len() == u64::from(self.exists()) {
                return Ok(found);
            }
        }
        self.uids(&FetchSet::All)
    }

    /// Which of these UIDs are in the selected folder now.
    ///
    /// # Errors
    /// A refusal or a failing connection.
    pub fn existing(&mut self, set: &UidSet) -> Result<UidSet, Error> {
        if set.is_empty() {
            return Ok(UidSet::new());
        }
        self.uids(&FetchSet::Uids(set.clone()))
    }

    /// The first half of [`Session::existing`].
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send_existing(&mut self, set: &UidSet) -> Result<Pending<FetchAsk>, Error> {
        self.send_fetch(&FetchSet::Uids(set.clone()), Items::NONE, None)
    }

    /// The second half of [`Session::existing`].
    ///
    /// # Errors
    /// A refusal or a failing connection.
    pub fn finish_existing(&mut self, pending: Pending<FetchAsk>) -> Result<UidSet, Error> {
        let mut found = UidSet::new();
        let end = self.finish_fetch(pending, &mut |message| found.insert(message.uid))?;
        if end.partial {
            return Err(Error::Skipped("the server lists no more messages at once (MESSAGELIMIT)"));
        }
        Ok(found)
    }

    fn uids(&mut self, set: &FetchSet) -> Result<UidSet, Error> {
        let pending = self.send_fetch(set, Items::NONE, None)?;
        self.finish_existing(pending)
    }

    /// The UIDs marked `\Deleted` in the selected folder.
    ///
    /// # Errors
    /// A refusal or a failing connection.
    pub fn marked_deleted(&mut self) -> Result<UidSet, Error> {
        self.search("DELETED")
    }

    fn search(&mut self, key: &'static str) -> Result<UidSet, Error> {
        let lead = if self.capabilities().esearch { "UID SEARCH RETURN (ALL)" } else { "UID SEARCH" };
        let pending = self.send(&[Command::new(lead).word(key)], ())?;
        let tag = Connection::tag_text(pending.tag());
        let mut found: Option<UidSet> = None;
        let completion = self.finish(&pending, "SEARCH", None, &mut |response, _| {
            let Response::Data { word, rest } = response else { return Ok(false) };
            let Some(part) = data::search(word, rest, &tag) else { return Ok(false) };
            let all = found.get_or_insert_default();
            part.ranges().for_each(|(a, b)| all.insert_range(a.get(), b.get()));
            Ok(true)
        })?;
        if completion.code == Some(super::code::Code::MessageLimit) {
            return Err(Error::Skipped("the server searches no more messages at once (MESSAGELIMIT)"));
        }
        found.ok_or(Error::Skipped("the server gave no answer to SEARCH"))
    }
}

/// Takes what one response to SELECT tells; `true` for the part that may be long.
fn select_line(response: &Response<'_>, selected: &mut Selected, sticky: &mut bool) -> bool {
    match response {
        Response::Status { text, .. } => select_code(text, selected, sticky),
        Response::Message { rest, .. } if response.is_fetch() => {
            selected.changed.extend(FetchLine::parse(rest).into_message());
            return true;
        }
        Response::Message { number, word, .. } if word.eq_ignore_ascii_case(b"EXISTS") => {
            selected.figures.messages = *number;
        }
        Response::Data { word, rest } if word.eq_ignore_ascii_case(b"VANISHED") => {
            if let Some((true, gone)) = data::vanished(rest) {
                gone.ranges().for_each(|(a, b)| selected.vanished.insert_range(a.get(), b.get()));
            }
            return true;
        }
        Response::Message { .. }
        | Response::Data { .. }
        | Response::Tagged { .. }
        | Response::Continue(_)
        | Response::Nothing => {}
    }
    false
}

fn select_code(text: &StatusText<'_>, selected: &mut Selected, sticky: &mut bool) {
    let figures = &mut selected.figures;
    let argument = text.arguments.split(|&c| c == b' ').next().unwrap_or_default();
    match text.code.to_ascii_uppercase().as_slice() {
        // What came before belongs to the folder that was open.
        b"CLOSED" => {
            *selected = Selected::default();
            *sticky = true;
        }
        b"UIDVALIDITY" => figures.uid_validity = number(argument).and_then(UidValidity::new),
        b"UIDNEXT" => figures.uid_next = number(argument).and_then(Uid::new),
        b"HIGHESTMODSEQ" => figures.highest_modseq = number(argument).and_then(ModSeq::new),
        b"NOMODSEQ" => figures.highest_modseq = None,
        b"UIDNOTSTICKY" => *sticky = false,
        b"MAILBOXID" => figures.mailbox_id = data::mailbox_id(text.arguments),
        b"PERMANENTFLAGS" => {
            let list = super::parse::Values::new(text.arguments).flags().unwrap_or_default();
            let any_keyword = list.split(|&c| c == b' ').any(|flag| flag == b"\\*");
            selected.permanent = Some(Permanent { flags: data::flags(list), any_keyword });
        }
        _ => {}
    }
}
