//! Changing messages on the server: STORE, COPY, MOVE, EXPUNGE.

use super::command::{Command, MailboxName};
use super::completion::Completion;
use super::data::{self, FetchLine};
use super::error::Error;
use super::parse::{Response, Values, number};
use super::session::{Pending, Session};
use super::snapshot::SET_BYTES;
use crate::mail::{Flags, ModSeq, Uid, UidSet, UidValidity};

/// What a STORE does with the flags given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreChange {
    /// `+FLAGS`.
    Add,
    /// `-FLAGS`.
    Remove,
}

/// A STORE that was sent.
#[derive(Debug)]
pub struct StoreAsk {
    set: UidSet,
}

/// How a STORE ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreEnd {
    /// The MODIFIED code's UIDs, which were not changed.
    pub modified: UidSet,
    /// The largest MODSEQ that the server told for messages of the set.
    pub modseq: Option<ModSeq>,
    /// Messages of the set that the answer told anything of: with CONDSTORE each that was changed (RFC 7162 §3.1.3). A STORE is
    /// answered OK for those that another client has just expunged, too.
    pub told: UidSet,
}

/// A COPY or MOVE that was sent.
#[derive(Debug)]
pub struct CopyAsk {
    set: UidSet,
    name: &'static str,
}

/// How a COPY or MOVE ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The target's UIDVALIDITY, if COPYUID told it.
    pub uid_validity: Option<UidValidity>,
    /// (From, to): empty where the server told nothing that holds together.
    pub pairs: Vec<(Uid, Uid)>,
}

/// An EXPUNGE that was sent.
#[derive(Debug)]
pub struct ExpungeAsk {
    _private: (),
}

/// How an EXPUNGE ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpungeEnd {
    /// What VANISHED told; servers without QRESYNC tell only how many are left ([`Session::exists`]).
    pub vanished: UidSet,
    /// HIGHESTMODSEQ of the answer (RFC 7162 §3.2.5.1).
    pub highest_modseq: Option<ModSeq>,
}

impl Session {
    /// Buffers a change of flags, without echo.
    ///
    /// # Errors
    /// When no folder is known to be open, or the connection fails.
    pub fn send_store(&mut self, set: &UidSet, change: StoreChange, flags: &Flags) -> Result<Pending<StoreAsk>, Error> {
        let word = match change {
            StoreChange::Add => "+FLAGS.SILENT",
            StoreChange::Remove => "-FLAGS.SILENT",
        };
        let part = |part: &UidSet| Command::new("UID STORE").set(part).word(word).flags(flags);
        let commands: Vec<Command> = set.chunks(SET_BYTES).iter().map(part).collect();
        self.send_change(&commands, StoreAsk { set: set.clone() })
    }

    /// Reads the answer to a STORE.
    ///
    /// # Errors
    /// A refusal (a keyword that the folder cannot hold, a folder without the right), a failing connection.
    pub fn finish_store(&mut self, pending: Pending<StoreAsk>) -> Result<StoreEnd, Error> {
        let mut end = StoreEnd::default();
        let set = &pending.ask.set;
        let completion = self.finish(&pending, "STORE", None, &mut |response, _| {
            if let Response::Message { rest, .. } = response
                && response.is_fetch()
            {
                let told = FetchLine::parse(rest).into_message().filter(|message| set.contains(message.uid));
                if let Some(message) = told {
                    end.told.insert(message.uid);
                    end.modseq = end.modseq.max(message.modseq);
                }
                return Ok(true);
            }
            Ok(false)
        })?;
        end.modified = completion.arguments_of("MODIFIED").and_then(data::uid_set).unwrap_or_default();
        Ok(end)
    }

    /// Buffers a COPY.
    ///
    /// # Errors
    /// When no folder is known to be open, the name cannot be sent, or the connection fails.
    pub fn send_copy(&mut self, set: &UidSet, to: &MailboxName) -> Result<Pending<CopyAsk>, Error> {
        self.send_transfer("UID COPY", "COPY", set, to)
    }

    /// Buffers a MOVE.
    ///
    /// # Errors
    /// As [`Session::send_copy`], and where the server offers no MOVE.
    pub fn send_move(&mut self, set: &UidSet, to: &MailboxName) -> Result<Pending<CopyAsk>, Error> {
        if !self.capabilities().move_ {
            return Err(Error::Unsupported("MOVE"));
        }
        self.send_transfer("UID MOVE", "MOVE", set, to)
    }

    fn send_transfer(
        &mut self,
        verb: &'static str,
        name: &'static str,
        set: &UidSet,
        to: &MailboxName,
    ) -> Result<Pending<CopyAsk>, Error> {
        let literals = self.literals();
        let part = |part: &UidSet| Command::new(verb).set(part).mailbox(to, literals);
        let commands = set.chunks(SET_BYTES).iter().map(part).collect::<Result<Vec<_>, _>>()?;
        self.send_change(&commands, CopyAsk { set: set.clone(), name })
    }

    /// Reads the answer to a COPY or MOVE.
    ///
    /// # Errors
    /// A refusal; of a large set a part may have been carried out. A failing connection.
    pub fn finish_copy(&mut self, pending: Pending<CopyAsk>) -> Result<Copied, Error> {
        let mut copied = Copied::default();
        let set = &pending.ask.set;
        let ends = self.finish_each(&pending, None, &mut |response, _| {
            if let Response::Status { text, .. } = response {
                copied.take(text.arguments_of("COPYUID"), set);
            }
            Ok(false)
        })?;
        let mut result = Ok(());
        for end in ends {
            match end.ok(pending.ask.name) {
                Ok(end) => copied.take(end.arguments_of("COPYUID"), set),
                Err(error) => result = result.and(Err(error)),
            }
        }
        result.map(|()| copied)
    }

    /// Buffers an expunge of just these UIDs.
    ///
    /// # Errors
    /// Where the server offers no UIDPLUS, when no folder is known to be open, or the connection fails.
    pub fn send_expunge(&mut self, set: &UidSet) -> Result<Pending<ExpungeAsk>, Error> {
        if !self.capabilities().uidplus {
            return Err(Error::Unsupported("UIDPLUS"));
        }
        let part = |part: &UidSet| Command::new("UID EXPUNGE").set(part);
        let commands: Vec<Command> = set.chunks(SET_BYTES).iter().map(part).collect();
        self.send_change(&commands, ExpungeAsk { _private: () })
    }

    /// Reads the answer to an expunge.
    ///
    /// # Errors
    /// A refusal, a failing connection.
    pub fn finish_expunge(&mut self, pending: Pending<ExpungeAsk>) -> Result<ExpungeEnd, Error> {
        let mut end = ExpungeEnd::default();
        let completion = self.finish(&pending, "EXPUNGE", None, &mut |response, _| {
            if let Response::Data { word, rest } = response
                && word.eq_ignore_ascii_case(b"VANISHED")
                && let Some((false, gone)) = data::vanished(rest)
            {
                gone.ranges().for_each(|(a, b)| end.vanished.insert_range(a.get(), b.get()));
                return Ok(true);
            }
            Ok(matches!(response, Response::Message { word, .. } if word.eq_ignore_ascii_case(b"EXPUNGE")))
        })?;
        end.highest_modseq = highest_modseq(&completion);
        Ok(end)
    }

    /// Plain EXPUNGE of all that is marked `\Deleted`: the caller has proved that only its own are.
    ///
    /// # Errors
    /// When no folder is known to be open, a refusal, a failing connection.
    pub fn expunge_all(&mut self) -> Result<(), Error> {
        let pending = self.send_change(&[Command::new("EXPUNGE")], ExpungeAsk { _private: () })?;
        self.finish_expunge(pending).map(drop)
    }
}

fn highest_modseq(completion: &Completion) -> Option<ModSeq> {
    number(completion.arguments_of("HIGHESTMODSEQ")?.trim_ascii()).and_then(ModSeq::new)
}

impl Copied {
    /// Adds a COPYUID's pairs if it holds together: equal lengths, not more than was asked for, each source asked for.
    fn take(&mut self, arguments: Option<&[u8]>, asked: &UidSet) {
        let Some((validity, pairs)) = arguments.and_then(|arguments| copy_uid(arguments, asked)) else { return };
        if self.uid_validity.is_some_and(|known| known != validity) {
            *self = Self::default();
            return;
        }
        self.uid_validity = Some(validity);
        self.pairs.extend(pairs);
    }
}

fn copy_uid(arguments: &[u8], asked: &UidSet) -> Option<(UidValidity, Vec<(Uid, Uid)>)> {
    let mut values = Values::new(arguments);
    let validity = values.next()?.number().and_then(UidValidity::new)?;
    let from = data::ordered_set(&values.next()?.bytes()?)?;
    let to = data::ordered_set(&values.next()?.bytes()?)?;
    let length = data::ordered_len(&from);
    if length != data::ordered_len(&to) || length > asked.len() {
        return None;
    }
    let pairs: Vec<_> = data::ordered_iter(&from).zip(data::ordered_iter(&to)).collect();
    pairs.iter().all(|(from, _)| asked.contains(*from)).then_some((validity, pairs))
}

/// The UIDVALIDITY and UIDs of an APPENDUID code, if there are exactly `count`.
pub fn append_uid(arguments: &[u8], count: usize) -> Option<(UidValidity, Vec<Uid>)> {
    let mut values = Values::new(arguments);
    let validity = values.next()?.number().and_then(UidValidity::new)?;
    let set = data::ordered_set(&values.next()?.bytes()?)?;
    (data::ordered_len(&set) == u64::try_from(count).ok()?).then(|| (validity, data::ordered_iter(&set).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> UidSet {
        UidSet::parse(text).expect("a set")
    }

    fn pairs(arguments: &str, asked: &str) -> Option<Vec<(u32, u32)>> {
        let (_, pairs) = copy_uid(arguments.as_bytes(), &set(asked))?;
        Some(pairs.into_iter().map(|(a, b)| (a.get(), b.get())).collect())
    }

    #[test]
    fn copyuid_pairs_by_position() {
        assert_eq!(pairs("38505 304,319:320 3956:3958", "300:400"), Some(vec![(304, 3956), (319, 3957), (320, 3958)]));
        assert_eq!(pairs("1 9,3 5:4", "1:9"), Some(vec![(9, 5), (3, 4)]));
    }

    #[test]
    fn copyuid_that_lies_is_nothing() {
        for (bad, asked) in [
            ("1 1:3 1:2", "1:9"),
            ("1 1:4294967295 1:4294967295", "1:9"),
            ("0 1 1", "1:9"),
            ("1 10 1", "1:9"),
            ("1 0 1", "1:9"),
            ("1", "1:9"),
            ("1 1:* 1:*", "1:9"),
        ] {
            assert_eq!(pairs(bad, asked), None, "{bad}");
        }
    }

    #[test]
    fn appenduid_must_have_the_batch_s_length() {
        assert!(append_uid(b"38505 3955:3957", 3).is_some());
        assert!(append_uid(b"38505 3955:3957", 2).is_none());
        assert!(append_uid(b"38505 1:4294967295", 2).is_none());
    }
}
