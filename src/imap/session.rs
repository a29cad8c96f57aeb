//! A session: an authenticated connection, and what of its commands the `imap` crate carries out.
//!
//! This is the one file that calls the crate. The crate gets the connection only while nothing else is outstanding,
//! through [`Wire`], which hands it one line at a time and nothing that it does not survive; after any error that is
//! not a plain NO or BAD the connection is dropped.

use super::answers::Kind;
use super::capability::Capabilities;
use super::command::{Command, Literals, MailboxName};
use super::completion::Completion;
use super::connection::{Connection, OnData};
use super::download::BodySink;
use super::error::Error;
use super::login::{self, Login};
use super::parse::Status;
use super::wire::Wire;
use crate::mail::UidSet;

/// A command that was sent and whose answer is still to be read. `T` says which and keeps what was asked.
#[must_use = "the answer is read by the finish function"]
#[derive(Debug)]
pub struct Pending<T> {
    first: u32,
    last: u32,
    /// The SELECT that it stands behind; `None` for what needs no folder.
    folder: Option<u64>,
    pub(super) ask: T,
}

impl<T> Pending<T> {
    /// The SELECT that it stands behind.
    pub(super) fn folder(&self) -> Option<u64> {
        self.folder
    }

    /// The tag of its (last) command.
    pub(super) fn tag(&self) -> u32 {
        self.last
    }
}

/// An authenticated session with a server.
pub struct Session {
    connection: Option<Box<Connection>>,
    by_crate: Option<(imap::Session<Wire>, Wire)>,
    /// Counts SELECTs sent; the commands behind one that failed are void.
    selection: u64,
    /// The last SELECT known to have succeeded.
    opened: u64,
    /// The folder of the last SELECT.
    folder: Option<MailboxName>,
    /// The messages that are asked for: (tag, SELECT, UIDs).
    pub(super) bodies: Vec<(u32, Option<u64>, UidSet)>,
    /// Whether it is settled that the connection is compressed, or is not.
    pub(super) weighed: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("selection", &self.selection).finish_non_exhaustive()
    }
}

impl Session {
    /// Connects and logs in, with the retries of SPEC §2. Capabilities are asked for only if the server did not tell
    /// them; ID and ENABLE travel with the first command.
    ///
    /// # Errors
    /// The last attempt's failure.
    pub fn open(login: &Login<'_>) -> Result<Self, Error> {
        Ok(Self::over(login::open(login)?))
    }

    /// On a connection that has logged in.
    pub(super) fn over(connection: Connection) -> Self {
        Self {
            connection: Some(Box::new(connection)),
            by_crate: None,
            selection: 0,
            opened: 0,
            folder: None,
            bodies: Vec::new(),
            weighed: false,
        }
    }

    /// The connection, unless it failed.
    pub(super) fn live(&mut self) -> Result<&mut Connection, Error> {
        match self.connection.as_deref_mut() {
            Some(connection) if !connection.is_dead() => Ok(connection),
            Some(_) | None => Err(Error::Skipped("the session has ended")),
        }
    }

    /// Whether it can still be used.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.connection.as_deref().is_some_and(|connection| !connection.is_dead())
    }

    /// What the server offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        static NOTHING: std::sync::LazyLock<Capabilities> = std::sync::LazyLock::new(Capabilities::default);
        self.connection.as_deref().map_or(&NOTHING, |connection| &connection.told.capabilities)
    }

    /// Whether mailbox names are UTF-8 rather than modified UTF-7, for [`super::name`]. It is known once the first command was answered:
    /// ENABLE travels with that.
    #[must_use]
    pub fn utf8_names(&self) -> bool {
        self.capabilities().utf8_names() || self.is_utf8()
    }

    /// Whether the server has agreed to UTF8=ACCEPT.
    pub(super) fn is_utf8(&self) -> bool {
        self.connection.as_deref().is_some_and(|connection| connection.told.utf8)
    }

    /// The first alerts of the server, cleaned: to be shown to the user with the server's name.
    #[must_use]
    pub fn alerts(&self) -> &[String] {
        self.connection.as_deref().map_or(&[], |connection| connection.told.alerts.as_slice())
    }

    /// The greeting's text and the name in the server's ID, cleaned, for `check`.
    #[must_use]
    pub fn server(&self) -> (String, Option<String>) {
        let told = self.connection.as_deref().map(|connection| &connection.told);
        told.map(|told| (told.greeting.clone(), told.id.clone())).unwrap_or_default()
    }

    /// EXISTS of the selected folder as last told, less what was expunged since.
    #[must_use]
    pub fn exists(&self) -> u32 {
        self.connection.as_deref().map_or(0, |connection| connection.told.exists)
    }

    /// The certificate, for `check`.
    #[must_use]
    pub fn certificate(&mut self) -> Option<crate::transport::Certificate> {
        self.live().ok()?.stream().certificate()
    }

    /// Whether the peer is this machine.
    #[must_use]
    pub fn is_loopback(&mut self) -> bool {
        self.live().is_ok_and(|connection| connection.stream().is_loopback())
    }

    pub(super) fn literals(&self) -> Literals {
        Literals::of(self.capabilities())
    }

    /// Buffers commands on the selected folder as one request.
    pub(super) fn send<T>(&mut self, commands: &[Command], ask: T) -> Result<Pending<T>, Error> {
        let folder = Some(self.selection);
        Ok(Pending { folder, ..self.send_free(commands, ask)? })
    }

    /// Buffers commands that need no folder as one request.
    pub(super) fn send_free<T>(&mut self, commands: &[Command], ask: T) -> Result<Pending<T>, Error> {
        self.send_as(commands, ask, Kind::Plain)
    }

    /// Buffers requests for messages, which must find somebody to take them: nothing else may be under way then.
    pub(super) fn send_for_bodies<T>(&mut self, commands: &[Command], ask: T) -> Result<Pending<T>, Error> {
        if self.live()?.answers().has_plain() {
            self.live()?.settle()?;
        }
        let folder = Some(self.selection);
        Ok(Pending { folder, ..self.send_as(commands, ask, Kind::Bodies)? })
    }

    fn send_as<T>(&mut self, commands: &[Command], ask: T, kind: Kind) -> Result<Pending<T>, Error> {
        let connection = self.live()?;
        let (mut first, mut last) = (None, 0);
        for command in commands {
            last = connection.send_as(command, kind)?;
            first.get_or_insert(last);
        }
        // Nothing to ask for is an empty row of tags.
        Ok(Pending { first: first.unwrap_or(1), last, folder: None, ask })
    }

    /// As [`Session::send`], for commands that change messages: only in a folder that is known to be open, since what
    /// stands behind a failed SELECT could hit the folder before it.
    pub(super) fn send_change<T>(&mut self, commands: &[Command], ask: T) -> Result<Pending<T>, Error> {
        if self.selection == 0 || self.opened != self.selection {
            return Err(Error::Skipped("no folder is known to be open"));
        }
        self.send(commands, ask)
    }

    /// Buffers a SELECT.
    pub(super) fn send_selection<T>(
        &mut self,
        folder: &MailboxName,
        command: Command,
        ask: T,
    ) -> Result<Pending<T>, Error> {
        self.selection += 1;
        self.folder = Some(folder.clone());
        let folder = Some(self.selection);
        Ok(Pending { folder, ..self.send_as(&[command], ask, Kind::Select)? })
    }

    /// Reads the answer to a SELECT.
    pub(super) fn finish_selection<T>(
        &mut self,
        pending: &Pending<T>,
        on: &mut OnData<'_>,
    ) -> Result<Completion, Error> {
        let completion = self.live()?.complete(pending.last, None, on)?.ok("SELECT")?;
        self.opened = pending.folder.unwrap_or_default();
        Ok(completion)
    }

    /// Reads the answers to a request; all of them, also behind a refusal, which is then the result.
    pub(super) fn finish<T>(
        &mut self,
        pending: &Pending<T>,
        name: &'static str,
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Completion, Error> {
        let mut last = Completion::nothing();
        for end in self.finish_each(pending, body, on)? {
            last = end.ok(name)?;
        }
        Ok(last)
    }

    /// As [`Session::finish`], with the end of each of the request's commands.
    pub(super) fn finish_each<T>(
        &mut self,
        pending: &Pending<T>,
        body: Option<&mut dyn BodySink>,
        on: &mut OnData<'_>,
    ) -> Result<Vec<Completion>, Error> {
        let tags = (pending.first, pending.last);
        let void = pending.folder.is_some_and(|folder| folder == 0 || folder != self.opened);
        let connection = self.live()?;
        if void {
            connection.complete_unseen(tags)?;
            return Err(Error::Skipped("the folder could not be opened"));
        }
        connection.complete_all(tags, body, on)
    }

    /// Sends one command and reads its answer.
    pub(super) fn run(
        &mut self,
        command: Command,
        name: &'static str,
        on: &mut OnData<'_>,
    ) -> Result<Completion, Error> {
        let connection = self.live()?;
        let tag = connection.send(&command)?;
        connection.complete(tag, None, on)?.ok(name)
    }

    /// NOOP: brings EXISTS up to date, and proves that the connection lives.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub fn noop(&mut self) -> Result<(), Error> {
        if self.selection > 0 {
            return self.run(Command::new("NOOP"), "NOOP", &mut |_, _| Ok(false)).map(drop);
        }
        self.carried("NOOP", |session| session.noop())
    }

    /// Creates a mailbox.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub fn create(&mut self, mailbox: &MailboxName) -> Result<(), Error> {
        self.on_mailbox("CREATE", mailbox, |session, name| session.create(name))
    }

    /// Leaves the selected folder if it is this one: servers end sessions whose folder goes away.
    fn leave(&mut self, mailbox: &MailboxName) -> Result<(), Error> {
        if self.folder.as_ref() != Some(mailbox) || !self.capabilities().unselect {
            return Ok(());
        }
        self.folder = None;
        self.selection += 1;
        match self.run(Command::new("UNSELECT"), "UNSELECT", &mut |_, _| Ok(false)) {
            Ok(_) | Err(Error::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes a mailbox with all messages in it.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub fn delete(&mut self, mailbox: &MailboxName) -> Result<(), Error> {
        self.leave(mailbox)?;
        self.on_mailbox("DELETE", mailbox, |session, name| session.delete(name))
    }

    /// Subscribes to a mailbox.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub fn subscribe(&mut self, mailbox: &MailboxName) -> Result<(), Error> {
        self.on_mailbox("SUBSCRIBE", mailbox, |session, name| session.subscribe(name))
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub fn unsubscribe(&mut self, mailbox: &MailboxName) -> Result<(), Error> {
        self.on_mailbox("UNSUBSCRIBE", mailbox, |session, name| session.unsubscribe(name))
    }

    /// Renames a mailbox; inferior mailboxes go along.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        self.leave(from)?;
        if let (Some(from), Some(to)) = (from.as_ascii(), to.as_ascii()) {
            return self.carried("RENAME", |session| session.rename(from, to));
        }
        let literals = self.literals();
        let command = Command::new("RENAME").mailbox(from, literals)?.mailbox(to, literals)?;
        self.run(command, "RENAME", &mut |_, _| Ok(false)).map(drop)
    }

    /// One of the commands on a single mailbox: by the crate where it can write the name, else by ourselves.
    fn on_mailbox(
        &mut self,
        name: &'static str,
        mailbox: &MailboxName,
        call: impl FnOnce(&mut imap::Session<Wire>, &str) -> imap::Result<()>,
    ) -> Result<(), Error> {
        if let Some(ascii) = mailbox.as_ascii() {
            return self.carried(name, |session| call(session, ascii));
        }
        let command = Command::new(name).mailbox(mailbox, self.literals())?;
        self.run(command, name, &mut |_, _| Ok(false)).map(drop)
    }

    /// Lets the crate run one command on this connection.
    fn carried(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut imap::Session<Wire>) -> imap::Result<()>,
    ) -> Result<(), Error> {
        self.live()?.settle()?;
        let (mut session, wire) = match self.by_crate.take() {
            Some(pair) => pair,
            None => authenticated()?,
        };
        let connection = self.connection.take().ok_or(Error::Skipped("the session has ended"))?;
        wire.lend(connection);
        let result = call(&mut session);
        let (connection, end, failure) = wire.take_back();
        if let Some(error) = failure {
            return Err(error);
        }
        match (result, end) {
            (Ok(()), Some(end)) if end.status == Status::Ok => {}
            (Err(imap::Error::No(_) | imap::Error::Bad(_)), Some(end)) if end.status != Status::Ok => {
                self.connection = connection;
                self.by_crate = Some((session, wire));
                return end.ok(name).map(drop);
            }
            (Ok(()), _) => return Err(Error::Protocol(format!("no clear answer to {name}"))),
            (Err(error), _) => {
                return Err(Error::protocol(&format!("{name} went wrong"), error.to_string().as_bytes()));
            }
        }
        self.connection = connection;
        self.by_crate = Some((session, wire));
        Ok(())
    }

    /// Says goodbye and drops the connection without waiting for an answer.
    pub fn logout(mut self) {
        if let Ok(connection) = self.live()
            && connection.send(&Command::new("LOGOUT")).is_ok()
        {
            // Nothing depends on it any more.
            let _ = connection.stream().flush();
        }
    }
}

/// A session of the crate without a login of its own: its LOGIN never leaves the wire.
fn authenticated() -> Result<(imap::Session<Wire>, Wire), Error> {
    let wire = Wire::new();
    let mut client = imap::Client::new(wire.clone());
    client.greeting_read = true;
    let session = client.login("", "").map_err(|(error, _)| Error::Protocol(error.to_string()))?;
    Ok((session, wire))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
