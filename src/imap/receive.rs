//! The reading half of a connection: answers, until the command that is waited for has ended.

use super::completion::Completion;
use super::connection::{Connection, Discard, OnData, TAG, lend};
use super::download::BodySink;
use super::error::Error;
use super::framing::{Frame, UNTAGGED};
use super::parse::{Response, Status, StatusText, number, response};
use crate::mail::text::clean_bytes;

/// What one response meant for whoever waits.
enum Event {
    /// Data, already dealt with.
    Data,
    /// `+ text`.
    Continue(Vec<u8>),
    /// A command's end.
    Tagged,
}

impl Connection {
    /// Reads one response while the commands `first` to `last` are waited for (0 to 0: none is). Data goes to `on`, and
    /// bodies to `body`, if it can be theirs; what can be others' is kept for them.
    ///
    /// # Errors
    /// When the connection fails, the server says BYE or answers what was not asked, and what `on` gives.
    fn advance(
        &mut self,
        (first, last): (u32, u32),
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Event, Error> {
        if self.dead {
            return Err(Error::Skipped("the session has ended"));
        }
        let turn = self.answers.is_turn_of(last);
        let (frame, position) = if turn { self.receive(body)? } else { self.receive(Some(&mut Discard))? };
        let result = self.digest(&frame, position, (first, last), &mut |response, streamed| {
            if turn { on(response, streamed) } else { Ok(false) }
        });
        self.frame = frame;
        self.check(result)
    }

    fn digest(
        &mut self,
        frame: &Frame,
        position: u64,
        (first, last): (u32, u32),
        on: &mut OnData<'_>,
    ) -> Result<Event, Error> {
        let response = response(&frame.bytes);
        self.told.note(&response)?;
        match response {
            Response::Tagged { tag, status, text } => self.tagged(tag, status, &text, position),
            Response::Continue(text) => Ok(Event::Continue(text.to_vec())),
            Response::Status { .. } | Response::Message { .. } | Response::Data { .. } => {
                if on(&response, frame.streamed)? {
                    self.payload();
                }
                // EXISTS and its like are nobody's answer but SELECT's.
                let news = matches!(response, Response::Message { .. }) && !response.is_fetch();
                let lasting = !news || self.answers.is_opening();
                if lasting && frame.streamed.is_none() {
                    self.answers.hold(first, last, &frame.bytes);
                }
                Ok(Event::Data)
            }
            Response::Nothing => Ok(Event::Data),
        }
    }

    fn tagged(
        &mut self,
        tag: &[u8],
        status: Option<Status>,
        text: &StatusText<'_>,
        position: u64,
    ) -> Result<Event, Error> {
        let ours = tag.strip_prefix(&[TAG]).filter(|digits| !digits.starts_with(b"0")).and_then(number::<u32>);
        let Some(ours) = ours else { return Err(Error::protocol("an answer to nothing that was asked", tag)) };
        let Some(status) = status else { return Err(Error::protocol("an answer without a result", text.text)) };
        if status == Status::Bye || status == Status::PreAuth {
            return Err(Error::Bye { code: None, text: clean_bytes(text.text) });
        }
        self.answers.tagged(ours, Completion::new(status, text), position)?;
        self.budget = UNTAGGED;
        self.payload();
        Ok(Event::Tagged)
    }

    /// Reads up to the ends of the commands with the tags `first` to `last`, which are one request.
    ///
    /// # Errors
    /// When the connection fails, the server breaks the protocol, and what `on` gives.
    pub fn complete_all(
        &mut self,
        (first, last): (u32, u32),
        mut body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Vec<Completion>, Error> {
        for response in self.answers.held(last) {
            if let Err(error) = on(&response, None) {
                self.dead = true;
                return Err(error);
            }
        }
        while (first..=last).any(|tag| self.answers.is_under_way(tag)) {
            if let Event::Continue(text) = self.advance((first, last), lend(&mut body), on)? {
                let error = Error::protocol("it asks for more of a command that was complete", &text);
                return self.check(Err(error));
            }
        }
        let ends: Option<Vec<Completion>> = (first..=last).map(|tag| self.answers.take(tag)).collect();
        self.answers.tidy(last);
        ends.ok_or(Error::Skipped("no answer is to be expected any more"))
    }

    /// Reads up to the end of one command.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn complete(
        &mut self,
        tag: u32,
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Completion, Error> {
        let end = self.complete_all((tag, tag), body, on)?.pop();
        end.ok_or(Error::Skipped("no answer is to be expected any more"))
    }

    /// As [`Connection::complete_all`], for commands whose data must not be looked at.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn complete_unseen(&mut self, tags: (u32, u32)) -> Result<Vec<Completion>, Error> {
        self.complete_all(tags, Some(&mut Discard), &mut |_, _| Ok(false))
    }

    /// Reads up to the server's `+` for the command `tag`, which was begun last, or to the command's end: then `None`,
    /// and [`Connection::complete`] gives it.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn continuation(&mut self, tag: u32, on: &mut OnData<'_>) -> Result<Option<Vec<u8>>, Error> {
        while self.answers.is_under_way(tag) {
            match self.advance((tag, tag), None, on)? {
                Event::Continue(text) if self.answers.is_open(tag) => return Ok(Some(text)),
                Event::Continue(text) => {
                    let error = Error::protocol("it asks for more of a command that was complete", &text);
                    return self.check(Err(error));
                }
                Event::Data | Event::Tagged => {}
            }
        }
        Ok(None)
    }

    /// The end of a command if it came, without a look at those before it.
    pub fn take_end(&mut self, tag: u32) -> Option<Completion> {
        self.answers.take(tag)
    }

    /// Reads one response for the command `tag`, as in IDLE, where data comes for as long as one waits: `false` when
    /// that was the command's end.
    ///
    /// # Errors
    /// As [`Connection::complete_all`].
    pub fn listen(&mut self, tag: u32, on: &mut OnData<'_>) -> Result<bool, Error> {
        self.advance((tag, tag), None, on)?;
        Ok(self.answers.is_under_way(tag))
    }

    /// Reads until nothing is under way, and keeps all that came for those who will ask.
    ///
    /// # Errors
    /// As [`Connection::complete_all`]; while messages are to come, which cannot be kept.
    pub fn settle(&mut self) -> Result<(), Error> {
        if self.answers.awaits_bodies() {
            return Err(Error::Skipped("messages that were asked for must be taken first"));
        }
        while !self.answers.is_settled() {
            if let Event::Continue(text) = self.advance((0, 0), None, &mut |_, _| Ok(false))? {
                let error = Error::protocol("it asks for more of a command that was complete", &text);
                return self.check(Err(error));
            }
        }
        Ok(())
    }
}
