//! From the greeting to the TRANSACTION state: STLS, CAPA, the choice of a login, and everything that can go with it in one flight.

use std::time::Duration;

use super::capability::{Capabilities, Remembered};
use super::command::{self, Command};
use super::error::{Error, Refusal};
use super::link::Link;
use super::parse::{self, AuthLine};
use super::session::Transaction;
use crate::account::AuthMechanism;
use crate::auth::Credentials;
use crate::auth::sasl::{self, Exchange, Mechanism, Offer, SaslError};
use crate::mail::text::clean;
use crate::severity::{Kind, Severity};
use crate::transport::{self, Stream};

/// The most challenges that a login may have.
const MAX_CHALLENGES: u64 = 16;

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

/// A step of the login: what is sent, and then answered.
enum Step {
    /// CAPA, to keep what is remembered true.
    Capa,
    /// UTF8.
    Utf8,
    /// A line of the login: its bytes, what a trace shows of it, and its word.
    Line(Vec<u8>, String, &'static str),
    /// A SASL exchange, which may go to and fro.
    Exchange(Box<Exchange>),
    /// CAPA after the login.
    CapaAfter,
}

impl<'a> Authorization<'a> {
    /// Reads the greeting of a new connection.
    ///
    /// # Errors
    /// [`Error::Greeting`] for `-ERR`; when the connection or the protocol breaks.
    pub fn greet(stream: Stream, profile: Profile<'a>) -> Result<Self, Error> {
        let mut link = Link::new(stream, profile.timeout);
        let line = link.line("the connection")?;
        let status = parse::greeting(&line).ok_or_else(|| Error::protocol("the connection", &line))?;
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
        if self.link.has_input() {
            // Without tags, an answer sent ahead of STLS would pass for the answer to it (CVE-2026-42246).
            let peer = self.link.stream().peer().to_owned();
            return Err(transport::Error::Ahead { peer, switch: "TLS" }.into());
        }
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

    /// Logs in to a server that has said what it can do; `None`: it must not be asked, not even after the login.
    ///
    /// # Errors
    /// [`Error::Login`], [`Error::Mechanism`], [`Error::Exchange`]; when the connection or the protocol breaks.
    pub fn login(self, credentials: &Credentials, capabilities: Option<Capabilities>) -> Result<Transaction, Error> {
        let ask = capabilities.is_some();
        self.log_in(credentials, capabilities.unwrap_or_default(), None, ask)
    }

    /// Logs in to a server that is known from last time: where it pipelines, everything up to the listing goes out in one
    /// flight, CAPA with it.
    ///
    /// # Errors
    /// As [`login`](Self::login).
    pub fn login_again(self, credentials: &Credentials, remembered: &Remembered) -> Result<Transaction, Error> {
        // A server that knew no CAPA is not asked again: some hang up.
        let told = |capabilities: &Capabilities| !capabilities.is_empty();
        let ask = told(&remembered.before) || remembered.after.as_ref().is_some_and(told);
        self.log_in(credentials, remembered.before.clone(), Some(remembered), ask)
    }

    fn log_in(
        mut self,
        credentials: &Credentials,
        before: Capabilities,
        remembered: Option<&Remembered>,
        ask: bool,
    ) -> Result<Transaction, Error> {
        let mechanism = self.choose(credentials, &before)?;
        let proof = self.proof(mechanism, credentials)?;
        // Without USER, PASS or APOP only a session that has shown it takes an initial response may be sent ahead.
        let known = remembered.is_some_and(|memory| memory.direct);
        let sasl = proof.iter().any(|step| matches!(step, Step::Exchange(_)));
        let ahead = before.hears_behind_the_login(sasl) && (known || !sasl);
        let mut steps = Vec::new();
        if remembered.is_some() && ask {
            steps.push(Step::Capa);
        }
        if before.has("UTF8") {
            steps.push(Step::Utf8);
        }
        steps.extend(proof);
        // Some servers (Gmail) pipeline only after the login, and say so only then.
        if ask && !(before.pipelining() && before.has("UIDL") && before.has("TOP")) {
            steps.push(Step::CapaAfter);
        }
        let remembered = self.take(steps, ahead, before)?;
        let now = remembered.after.clone().filter(|caps| !caps.is_empty()).unwrap_or_else(|| remembered.before.clone());
        Ok(Transaction::new(self.link, now, remembered, ahead))
    }

    fn choose(&mut self, credentials: &Credentials, before: &Capabilities) -> Result<Mechanism, Error> {
        let mechanisms = before.sasl();
        let offer = Offer {
            mechanisms: &mechanisms,
            commands: sasl::Commands {
                login: before.has("USER") || mechanisms.is_empty(),
                // Servers show a stamp without supporting APOP: never by itself.
                apop: self.stamp.is_some() && self.profile.mechanism == AuthMechanism::Apop,
            },
            encrypted: self.link.stream().is_encrypted(),
            have: sasl::Have {
                binding: self.link.stream().tls_server_end_point().is_some(),
                oauth: credentials.oauth,
                no_secret: credentials.secret.is_none(),
            },
        };
        Ok(sasl::choose(self.profile.mechanism, &offer)?)
    }

    /// The steps that prove who we are.
    fn proof(&mut self, mechanism: Mechanism, credentials: &Credentials) -> Result<Vec<Step>, Error> {
        let secret = credentials.secret.as_ref().ok_or(SaslError::NoSecret(mechanism.name()));
        let user = credentials.user.as_bytes();
        match mechanism {
            Mechanism::Command => {
                let (name, pass) = (command::line("USER", user)?, command::line("PASS", secret?.expose())?);
                let shown = String::from_utf8_lossy(&name).trim_end().to_owned();
                Ok(vec![Step::Line(name, shown, "USER"), Step::Line(pass, "PASS ***".into(), "PASS")])
            }
            Mechanism::Apop => {
                let stamp = self.stamp.as_deref().unwrap_or_default();
                let digest = sasl::apop(stamp, secret?).ok_or(SaslError::Malformed {
                    mechanism: "APOP",
                    why: "the time stamp of the greeting is not safe to use",
                })?;
                let line = command::line("APOP", &[user, b" ", digest.as_bytes()].concat())?;
                Ok(vec![Step::Line(line, "APOP ***".into(), "APOP")])
            }
            Mechanism::Plain
            | Mechanism::Login
            | Mechanism::CramMd5
            | Mechanism::ScramSha1
            | Mechanism::ScramSha1Plus
            | Mechanism::ScramSha256
            | Mechanism::ScramSha256Plus
            | Mechanism::External
            | Mechanism::XOAuth2
            | Mechanism::OAuthBearer => {
                let binding = self.link.stream().tls_server_end_point();
                let peer = sasl::Peer { binding: binding.as_deref(), host: self.profile.host, port: self.profile.port };
                Ok(vec![Step::Exchange(Box::new(Exchange::new(mechanism, credentials, &peer)?))])
            }
        }
    }

    /// Goes through the steps. Where the server pipelines, all up to a SASL exchange are sent before the first answer is read; with
    /// `ahead` that is all of them, and the listing behind them.
    fn take(&mut self, mut steps: Vec<Step>, ahead: bool, before: Capabilities) -> Result<Remembered, Error> {
        let exchange = steps.iter().position(|step| matches!(step, Step::Exchange(_)));
        let early = match exchange {
            _ if ahead => steps.len(),
            Some(at) if before.pipelining() => at + 1,
            Some(_) | None => 0,
        };
        for step in steps.iter_mut().take(early) {
            send(&mut self.link, step)?;
        }
        if ahead {
            self.link.send(Command::Uidl)?;
            self.link.send(Command::List)?;
        }
        let mut memory = Remembered { before, after: None, direct: true };
        for (at, step) in steps.iter_mut().enumerate() {
            if at >= early {
                send(&mut self.link, step)?;
            }
            match step {
                Step::Capa => memory.before = read_capabilities(&mut self.link)?,
                Step::CapaAfter => memory.after = Some(read_capabilities(&mut self.link)?),
                Step::Utf8 => {
                    // A server that refuses it gives messages as it did before RFC 6856.
                    let status = self.link.status("UTF8")?;
                    let refusal = Refusal::of(&status);
                    if !status.ok && refusal.kind(Kind::Protocol) == Kind::TryLater {
                        return Err(Error::Refused { command: "UTF8", refusal });
                    }
                }
                Step::Line(_, _, word) => {
                    let status = self.link.status(word)?;
                    if !status.ok {
                        return Err(Error::Login(Refusal::of(&status)));
                    }
                }
                Step::Exchange(exchange) => memory.direct = converse(&mut self.link, exchange, ahead)?,
            }
        }
        Ok(memory)
    }
}

fn send(link: &mut Link, step: &mut Step) -> Result<(), Error> {
    match step {
        Step::Capa | Step::CapaAfter => link.send(Command::Capa),
        Step::Utf8 => link.send(Command::Utf8),
        Step::Line(bytes, shown, _) => link.send_secret(bytes, shown),
        Step::Exchange(exchange) => {
            let name = exchange.mechanism().name();
            let line = initial(exchange).and_then(|first| {
                let first = if first.is_empty() { "=".to_owned() } else { sasl::encode(&first) };
                command::line("AUTH", format!("{name} {first}").as_bytes()).ok()
            });
            match line {
                Some(line) => link.send_secret(&line, &format!("AUTH {name} ***")),
                None => link.send_secret(format!("AUTH {name}\r\n").as_bytes(), &format!("AUTH {name}")),
            }
        }
    }
}

/// The initial response (RFC 5034 §4). Never for tokens: they hardly fit in a command line, and Microsoft takes them only as the
/// answer to a challenge.
fn initial(exchange: &mut Exchange) -> Option<Vec<u8>> {
    match exchange.mechanism() {
        Mechanism::XOAuth2 | Mechanism::OAuthBearer => None,
        Mechanism::Plain
        | Mechanism::Login
        | Mechanism::Command
        | Mechanism::CramMd5
        | Mechanism::ScramSha1
        | Mechanism::ScramSha1Plus
        | Mechanism::ScramSha256
        | Mechanism::ScramSha256Plus
        | Mechanism::External
        | Mechanism::Apop => exchange.initial(),
    }
}

/// Answers challenges until the server says yes; whether it asked nothing at all.
fn converse(link: &mut Link, exchange: &mut Exchange, ahead: bool) -> Result<bool, Error> {
    // A server that took no initial response, or was sent none because it was too long, asks for it first.
    let mut first = initial(exchange);
    for round in 0..MAX_CHALLENGES {
        let line = link.line("AUTH")?;
        match parse::auth_line(&line).ok_or_else(|| Error::protocol("AUTH", &line))? {
            AuthLine::Status(status) if status.ok => {
                exchange.done(None)?;
                return Ok(round == 0);
            }
            AuthLine::Status(status) => {
                let mut refusal = Refusal::of(&status);
                if let Some(why) = exchange.refusal() {
                    refusal.text = clean(&format!("{} {why}", refusal.text));
                }
                return Err(Error::Login(refusal));
            }
            AuthLine::Challenge(_) if ahead => return Err(Error::protocol("AUTH", &line)),
            AuthLine::Challenge(text) => {
                let challenge = sasl::decode(&text).ok_or_else(|| Error::protocol("AUTH", &line))?;
                let answer = match first.take() {
                    Some(answer) if challenge.is_empty() => answer,
                    Some(_) | None => exchange.step(&challenge)?,
                };
                link.send_secret(format!("{}\r\n", sasl::encode(&answer)).as_bytes(), "***")?;
            }
        }
    }
    Err(Error::Limit { command: "AUTH", limit: MAX_CHALLENGES })
}

fn read_capabilities(link: &mut Link) -> Result<Capabilities, Error> {
    match link.expect_ok(Command::Capa) {
        Ok(_) => {}
        Err(error @ Error::Refused { .. }) if error.kind() == Kind::TryLater => return Err(error),
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
