//! From the greeting to the TRANSACTION state: STLS, CAPA, the choice of a login, and everything that can go with it in one flight.

use std::time::Duration;

use super::capability::{Capabilities, Remembered};
use super::command::{self, Command};
use super::error::{Error, Refusal};
use super::link::Link;
use super::parse;
use super::session::Transaction;
use crate::account::AuthMechanism;
use crate::auth::Credentials;
use crate::transport::Stream;

/// What a login needs to know of the profile.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// The server's name, for mechanisms that sign it.
    pub host: &'a str,
    /// Its port, likewise.
    pub port: u16,
    /// The mechanism wanted.
    pub mechanism: AuthMechanism,
    /// The key `timeout`.
    pub timeout: Duration,
}

/// A session before its login.
pub struct Authorization<'a> {
    link: Link,
    /// The time stamp of the greeting, for APOP.
    stamp: Option<Vec<u8>>,
    profile: Profile<'a>,
}

/// What has been sent and not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Capa,
    Utf8,
    User,
    Pass,
    CapaAfter,
}

impl<'a> Authorization<'a> {
    /// Reads the greeting of a new connection.
    ///
    /// # Errors
    /// [`Error::Greeting`] for `-ERR`; when the connection or the protocol breaks.
    pub fn greet(stream: Stream, profile: Profile<'a>) -> Result<Self, Error> {
        let mut link = Link::new(stream, profile.timeout);
        let status = link.status("the connection")?;
        if !status.ok {
            return Err(Error::Greeting(Refusal::of(&status)));
        }
        Ok(Self { link, stamp: parse::timestamp(&status.text), profile })
    }

    /// STLS (RFC 2595 §4). What the server said before, the stamp of its greeting included, is forgotten.
    ///
    /// # Errors
    /// [`Error::NoTls`] when refused; a transport error when the handshake fails or bytes came ahead of it.
    pub fn start_tls(mut self) -> Result<Self, Error> {
        self.link.send(Command::Stls)?;
        match self.link.expect_ok(Command::Stls) {
            Ok(_) => {}
            Err(Error::Refused { refusal, .. }) => return Err(Error::NoTls(refusal)),
            Err(error) => return Err(error),
        }
        self.link.stream().start_tls()?;
        self.stamp = None;
        Ok(self)
    }

    /// CAPA. A server that refuses it can nothing beyond RFC 1939.
    ///
    /// # Errors
    /// When the connection or the protocol breaks.
    pub fn capabilities(&mut self) -> Result<Capabilities, Error> {
        self.link.send(Command::Capa)?;
        read_capabilities(&mut self.link)
    }

    /// Logs in. With `remembered` everything up to the listing goes out in one flight; without it CAPA is asked first.
    ///
    /// # Errors
    /// [`Error::Login`], [`Error::NoMechanism`], [`Error::Exchange`]; when the connection or the protocol breaks.
    pub fn login(mut self, credentials: &Credentials, remembered: Option<&Remembered>) -> Result<Transaction, Error> {
        let before = match remembered {
            Some(memory) => memory.before.clone(),
            None => self.capabilities()?,
        };
        self.with_password(credentials, before, remembered)
    }

    /// USER and PASS (RFC 1939 §7), with all that may be pipelined around them.
    fn with_password(
        mut self,
        credentials: &Credentials,
        before: Capabilities,
        remembered: Option<&Remembered>,
    ) -> Result<Transaction, Error> {
        let secret = credentials.secret.as_ref().map(crate::auth::Secret::expose).unwrap_or_default();
        let user = command::line("USER", credentials.user.as_bytes())?;
        let pass = command::line("PASS", secret)?;
        let mut queue = Vec::new();
        if remembered.is_some() {
            queue.push(Sent::Capa);
        }
        if before.has("UTF8") {
            queue.push(Sent::Utf8);
        }
        queue.extend([Sent::User, Sent::Pass]);
        // Some servers (Gmail) pipeline only after the login, and say so only then.
        let complete = before.pipelining() && before.has("UIDL") && before.has("TOP");
        if !complete {
            queue.push(Sent::CapaAfter);
        }
        let ahead = before.pipelining();
        let (mut fresh, mut after) = (before.clone(), None);
        let mut unsent = queue.iter();
        if ahead {
            for &what in unsent.by_ref() {
                send(&mut self.link, what, &user, &pass)?;
            }
            self.link.send(Command::Uidl)?;
            self.link.send(Command::List)?;
        }
        for &what in &queue {
            if !ahead {
                send(&mut self.link, what, &user, &pass)?;
            }
            match what {
                Sent::Capa => fresh = read_capabilities(&mut self.link)?,
                Sent::CapaAfter => after = Some(read_capabilities(&mut self.link)?),
                Sent::Utf8 => {
                    // A server that refuses it gives messages as it did before RFC 6856.
                    self.link.status("UTF8")?;
                }
                Sent::User | Sent::Pass => accepted(&mut self.link, if what == Sent::User { "USER" } else { "PASS" })?,
            }
        }
        let now = after.clone().filter(|caps| !caps.is_empty()).unwrap_or_else(|| fresh.clone());
        Ok(Transaction::new(self.link, now, Remembered { before: fresh, after }, ahead))
    }
}

fn send(link: &mut Link, what: Sent, user: &[u8], pass: &[u8]) -> Result<(), Error> {
    match what {
        Sent::Capa | Sent::CapaAfter => link.send(Command::Capa),
        Sent::Utf8 => link.send(Command::Utf8),
        Sent::User => link.send_secret(user, &String::from_utf8_lossy(user)),
        Sent::Pass => link.send_secret(pass, "PASS ***"),
    }
}

/// The final answer to a step of the login.
fn accepted(link: &mut Link, command: &'static str) -> Result<(), Error> {
    let status = link.status(command)?;
    if status.ok { Ok(()) } else { Err(Error::Login(Refusal::of(&status))) }
}

fn read_capabilities(link: &mut Link) -> Result<Capabilities, Error> {
    match link.expect_ok(Command::Capa) {
        Ok(_) => {}
        Err(Error::Refused { .. }) => return Ok(Capabilities::default()),
        Err(error) => return Err(error),
    }
    let mut lines = Vec::new();
    link.lines("CAPA", &mut |line| {
        if lines.len() < 1000 {
            lines.push(parse::capability(line));
        }
    })?;
    Ok(Capabilities::new(lines))
}
