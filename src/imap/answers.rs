//! Which answer belongs to which command, when several are under way. PURE.
//!
//! A server may carry out pipelined commands side by side (RFC 9051 §5.5) and Dovecot does: data of a later command may
//! come before the end of an earlier one, and their ends in any order. Only SELECT waits for all before it and keeps
//! all behind it waiting. So commands are grouped by the SELECT that they stand behind (their epoch), and data is
//! offered to whoever waits and kept for the others of the same group, who take what they asked for by content.

use super::completion::Completion;
use super::error::Error;
use super::parse::{Response, Status, response};

/// What kind of answer a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Lines.
    Plain,
    /// SELECT or EXAMINE: begins an epoch.
    Select,
    /// Whole messages, which cannot be kept for later.
    Bodies,
}

/// A command on its way. Positions count the bytes of input.
#[derive(Debug)]
struct Sent {
    tag: u32,
    group: Group,
    kind: Kind,
    /// What had arrived when it was begun: nothing before can answer it.
    begun: u64,
    /// What had arrived when it was complete: no OK before can answer it. `None` until then.
    complete: Option<u64>,
}

/// Commands that a server may carry out side by side: those behind one SELECT, and that SELECT by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    epoch: u64,
    /// `false` sorts first: a SELECT comes before what stands behind it.
    behind: bool,
}

/// The commands under way, and what came for those that nobody has asked about yet.
#[derive(Debug, Default)]
pub struct Answers {
    epoch: u64,
    sent: Vec<Sent>,
    done: Vec<(u32, Group, Completion)>,
    held: Vec<(Group, Vec<u8>)>,
}

impl Answers {
    /// Keeps that a command is begun.
    pub fn begin(&mut self, tag: u32, kind: Kind, arrived: u64) {
        if kind == Kind::Select {
            self.epoch += 1;
        }
        let group = Group { epoch: self.epoch, behind: kind != Kind::Select };
        self.sent.push(Sent { tag, group, kind, begun: arrived, complete: None });
    }

    /// Keeps that a command is complete.
    pub fn complete(&mut self, tag: u32, arrived: u64) {
        if let Some(sent) = self.sent.iter_mut().find(|sent| sent.tag == tag) {
            sent.complete = Some(arrived);
        }
    }

    /// Whether everything sent was answered.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether messages are still to come that nobody has taken.
    #[must_use]
    pub fn awaits_bodies(&self) -> bool {
        self.sent.iter().any(|sent| sent.kind == Kind::Bodies)
    }

    /// Whether commands are under way beside which bodies could come where nobody takes them.
    #[must_use]
    pub fn has_plain(&self) -> bool {
        self.sent.iter().any(|sent| sent.kind == Kind::Plain && sent.group.epoch == self.epoch)
    }

    /// Whether the command has not been answered.
    #[must_use]
    pub fn is_under_way(&self, tag: u32) -> bool {
        self.sent.iter().any(|sent| sent.tag == tag)
    }

    /// Whether the server may ask for more of this command.
    #[must_use]
    pub fn is_open(&self, tag: u32) -> bool {
        self.sent.last().is_some_and(|sent| sent.tag == tag)
    }

    /// The command's end if it came; it is forgotten, as are older ones that nobody asked about.
    pub fn take(&mut self, tag: u32) -> Option<Completion> {
        let at = self.done.iter().position(|(done, _, _)| *done == tag)?;
        let (_, _, completion) = self.done.swap_remove(at);
        Some(completion)
    }

    /// Forgets what was kept for nobody, after the commands up to `tag` were dealt with.
    pub fn tidy(&mut self, tag: u32) {
        self.done.retain(|(done, _, _)| *done > tag);
        let (sent, done) = (&self.sent, &self.done);
        self.held.retain(|(group, _)| {
            sent.iter().any(|sent| sent.group == *group) || done.iter().any(|(_, of, _)| of == group)
        });
    }

    fn group_of(&self, tag: u32) -> Option<Group> {
        let sent = self.sent.iter().find(|sent| sent.tag == tag).map(|sent| sent.group);
        sent.or_else(|| self.done.iter().find(|(done, _, _)| *done == tag).map(|(_, group, _)| *group))
    }

    /// What was kept for the group of this command.
    pub fn held(&self, tag: u32) -> impl Iterator<Item = Response<'_>> {
        let group = self.group_of(tag);
        self.held.iter().filter(move |(of, _)| Some(*of) == group).map(|(_, bytes)| response(bytes))
    }

    /// Whether the server is at work on a SELECT.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.sent.iter().map(|sent| sent.group).min().is_some_and(|group| !group.behind)
    }

    /// Whether data that comes now can belong to the command.
    #[must_use]
    pub fn is_turn_of(&self, tag: u32) -> bool {
        self.sent.iter().map(|sent| sent.group).min() == self.group_of(tag)
    }

    /// Keeps data for the commands of the group at work other than `first` to `last`.
    pub fn hold(&mut self, first: u32, last: u32, bytes: &[u8]) {
        let Some(group) = self.sent.iter().map(|sent| sent.group).min() else { return };
        let other = |sent: &Sent| sent.group == group && !(first..=last).contains(&sent.tag);
        if self.sent.iter().any(other) {
            self.held.push((group, bytes.to_vec()));
        }
    }

    /// Takes a command's end.
    ///
    /// # Errors
    /// When it answers nothing, or came before what it answers.
    pub fn tagged(&mut self, tag: u32, completion: Completion, position: u64) -> Result<(), Error> {
        let at = self.sent.iter().position(|sent| sent.tag == tag);
        let Some(at) = at else { return Err(Error::Protocol("an answer to nothing that was asked".to_owned())) };
        let sent = self.sent.remove(at);
        let sound = match completion.status {
            Status::Ok => sent.complete.is_some_and(|complete| position >= complete),
            Status::No | Status::Bad | Status::Bye | Status::PreAuth => position >= sent.begun,
        };
        if !sound {
            return Err(Error::Protocol("an answer that came before its command".to_owned()));
        }
        self.done.push((tag, sent.group, completion));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(status: Status) -> Completion {
        Completion { status, code: None, arguments: Vec::new(), text: String::new() }
    }

    fn under_way(kinds: &[Kind]) -> Answers {
        let mut answers = Answers::default();
        for (tag, kind) in (1..).zip(kinds) {
            answers.begin(tag, *kind, 0);
            answers.complete(tag, 0);
        }
        answers
    }

    #[test]
    fn ends_in_any_order_and_data_is_kept_for_the_others() {
        let mut answers = under_way(&[Kind::Plain, Kind::Plain]);
        answers.hold(1, 1, b"* 5 FETCH (UID 5)");
        answers.tagged(2, end(Status::Ok), 0).expect("out of order");
        answers.tagged(1, end(Status::Ok), 0).expect("the first");
        assert!(answers.take(1).is_some());
        answers.tidy(1);
        assert_eq!(answers.held(2).count(), 1);
        assert!(answers.take(2).is_some());
        answers.tidy(2);
        assert!(answers.held.is_empty() && answers.is_settled());
    }

    #[test]
    fn select_is_a_wall() {
        let mut answers = under_way(&[Kind::Plain, Kind::Select, Kind::Plain]);
        assert!(answers.is_turn_of(1) && !answers.is_turn_of(2) && !answers.is_turn_of(3));
        answers.hold(1, 1, b"* 5 FETCH (UID 5)");
        assert_eq!((answers.held(2).count(), answers.held(3).count()), (0, 0));
        answers.tagged(1, end(Status::Ok), 0).expect("the first");
        assert!(answers.is_turn_of(2) && !answers.is_turn_of(3));
    }

    #[test]
    fn answers_that_come_too_early_or_to_nothing() {
        let mut answers = Answers::default();
        answers.begin(1, Kind::Plain, 10);
        assert!(answers.tagged(1, end(Status::No), 9).is_err());
        let mut answers = Answers::default();
        answers.begin(1, Kind::Plain, 10);
        assert!(answers.tagged(1, end(Status::Ok), 20).is_err(), "OK to half a command");
        let mut answers = under_way(&[Kind::Plain]);
        answers.tagged(1, end(Status::Ok), 0).expect("once");
        assert!(answers.tagged(1, end(Status::Ok), 0).is_err(), "twice");
    }
}
