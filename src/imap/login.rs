//! From a connection to an authenticated one: greeting, STARTTLS, AUTHENTICATE or LOGIN, capabilities.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::command::{Command, Literals};
use super::completion::Completion;
use super::connection::Connection;
use super::error::Error;
use super::parse::{Response, Status, response};
use super::quirks;
use crate::account::{Account, TlsMode};
use crate::auth::Credentials;
use crate::auth::sasl::{self, Commands, Exchange, Have, Mechanism, Offer, Peer, SaslError};
use crate::mail::text::clean_bytes;
use crate::severity::{Retry, Severity};
use crate::stop::Stop;
use crate::transport::{self, Dial, Trace, Traffic};

/// What it takes to open a session.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// Where to, as whom, with which quirks.
    pub account: &'a Account,
    /// Resolved once for the account.
    pub credentials: &'a Credentials,
    /// Wakes every wait.
    pub stop: &'a Stop,
    /// Counts what crosses.
    pub traffic: Arc<Traffic>,
    /// Where lines are shown, for `-vv`.
    pub trace: Option<Trace>,
    /// Whether a failure is final at once, as for `check`, `setup`, `folders` and `auth` (SPEC §2, `timeout`).
    pub once: bool,
}

/// Connects and logs in, trying again as SPEC says.
///
/// # Errors
/// The last failure.
pub fn open(login: &Login<'_>) -> Result<Connection, Error> {
    let timeout = login.account.endpoint.timeout;
    let mut attempt = 1;
    loop {
        let error = match attempt_once(login) {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        let pause = if login.once { None } else { transport::retry::pause(attempt, timeout) };
        let Some(pause) = pause.filter(|_| error.retry() == Retry::Now) else { return Err(error) };
        if login.stop.pause(pause) {
            return Err(Error::Transport(transport::Error::Stopped));
        }
        attempt += 1;
    }
}

fn attempt_once(login: &Login<'_>) -> Result<Connection, Error> {
    let dial = Dial {
        endpoint: &login.account.endpoint,
        stop: login.stop,
        traffic: Arc::clone(&login.traffic),
        trace: login.trace.clone(),
    };
    let stream = transport::connect(&dial)?;
    let mut connection = Connection::new(stream, login.account.endpoint.timeout);
    establish(&mut connection, login.account, login.credentials)?;
    Ok(connection)
}

/// Everything from the greeting to known capabilities, on a fresh connection.
///
/// # Errors
/// When the server refuses or breaks the protocol, and when the connection fails.
pub fn establish(connection: &mut Connection, account: &Account, credentials: &Credentials) -> Result<(), Error> {
    let authenticated = greeting(connection)?;
    let tunnel = connection.stream().is_tunnel();
    if authenticated && !tunnel {
        // Whoever greets so on a plain port keeps us from TLS and from proving who we talk to.
        return Err(Error::Protocol("it claims that we are logged in already (PREAUTH)".to_owned()));
    }
    if account.endpoint.tls == TlsMode::StartTls && !tunnel {
        start_tls(connection)?;
    }
    if !authenticated {
        if !connection.told.capabilities_fresh {
            ask_capability(connection)?;
        }
        authenticate(connection, account, credentials)?;
    }
    let told = &connection.told;
    if !told.capabilities_fresh || quirks::must_ask_capability(&account.endpoint.host, &told.capabilities) {
        ask_capability(connection)?;
    }
    connection.set_ready();
    first_flight(connection, account.quirks.id_required)
}

/// Reads the greeting: whether it says that we are logged in already.
fn greeting(connection: &mut Connection) -> Result<bool, Error> {
    let bytes = connection.next_frame(false)?;
    match response(&bytes) {
        Response::Status { status, text } if bytes.starts_with(b"*") => {
            connection.told.greeting = clean_bytes(text.text);
            match status {
                Status::Ok => Ok(false),
                Status::PreAuth => Ok(true),
                Status::No | Status::Bad | Status::Bye => Err(Error::protocol("no greeting", &bytes)),
            }
        }
        Response::Status { .. }
        | Response::Tagged { .. }
        | Response::Continue(_)
        | Response::Message { .. }
        | Response::Data { .. }
        | Response::Nothing => Err(Error::NotImap(clean_bytes(bytes.get(..200).unwrap_or(&bytes)))),
    }
}

fn run(connection: &mut Connection, command: &Command, name: &'static str) -> Result<Completion, Error> {
    let tag = connection.send(command)?;
    connection.complete(tag, None, &mut |_, _| Ok(false))?.ok(name)
}

fn ask_capability(connection: &mut Connection) -> Result<(), Error> {
    connection.told.capabilities_fresh = false;
    run(connection, &Command::new("CAPABILITY"), "CAPABILITY")?;
    if connection.told.capabilities_fresh {
        return Ok(());
    }
    Err(Error::Protocol("no answer to CAPABILITY".to_owned()))
}

/// Upgrades. What was said before is forgotten; bytes sent ahead of the handshake are an error of the stream's.
fn start_tls(connection: &mut Connection) -> Result<(), Error> {
    if !connection.told.capabilities.starttls {
        ask_capability(connection)?;
    }
    if !connection.told.capabilities.starttls {
        return Err(Error::NoStartTls);
    }
    run(connection, &Command::new("STARTTLS"), "STARTTLS")?;
    connection.stream().start_tls()?;
    connection.told.forget();
    Ok(())
}

fn authenticate(connection: &mut Connection, account: &Account, credentials: &Credentials) -> Result<(), Error> {
    let capabilities = connection.told.capabilities.clone();
    let binding = connection.stream().tls_server_end_point();
    let encrypted = connection.stream().is_encrypted() || connection.stream().is_tunnel();
    let mechanisms: Vec<&str> = capabilities.auth.iter().map(String::as_str).collect();
    let offer = Offer {
        mechanisms: &mechanisms,
        commands: Commands { login: !capabilities.login_disabled, apop: false },
        encrypted,
        have: Have { binding: binding.is_some(), oauth: credentials.oauth, no_secret: credentials.secret.is_none() },
    };
    if let (Some(trace), Some(secret)) = (connection.stream().trace(), &credentials.secret) {
        trace.hide(secret.expose());
    }
    let mechanism = sasl::choose(account.login.mechanism, &offer)?;
    // What was told of capabilities before the login's answer does not count after it.
    connection.told.capabilities_fresh = false;
    if mechanism == Mechanism::Command {
        return log_in(connection, credentials, Literals::of(&capabilities));
    }
    let attempt = Attempt { mechanism, account, credentials, binding: binding.as_deref() };
    let outcome = attempt.run(connection, capabilities.sasl_ir)?;
    let outcome =
        if outcome.status == Status::Bad && capabilities.sasl_ir { attempt.run(connection, false)? } else { outcome };
    welcome(outcome)
}

/// A login's end as a result.
fn welcome(outcome: Completion) -> Result<(), Error> {
    match outcome.status {
        Status::Ok => Ok(()),
        Status::No | Status::Bad | Status::Bye | Status::PreAuth => {
            Err(Error::Login { code: outcome.code, text: outcome.text })
        }
    }
}

fn log_in(connection: &mut Connection, credentials: &Credentials, literals: Literals) -> Result<(), Error> {
    let secret = credentials.secret.as_ref().ok_or(SaslError::NoSecret("LOGIN"))?;
    let command =
        Command::new("LOGIN").string(credentials.user.as_bytes(), literals)?.string(secret.expose(), literals)?;
    let command = Zeroizing::new(command.into_secret());
    let tag = connection.begin(&command, Some("LOGIN ***"))?;
    connection.end(tag)?;
    welcome(connection.complete(tag, None, &mut |_, _| Ok(false))?)
}

/// One AUTHENTICATE.
struct Attempt<'a> {
    mechanism: Mechanism,
    account: &'a Account,
    credentials: &'a Credentials,
    binding: Option<&'a [u8]>,
}

impl Attempt<'_> {
    fn run(&self, connection: &mut Connection, at_once: bool) -> Result<Completion, Error> {
        let endpoint = &self.account.endpoint;
        let peer = Peer { binding: self.binding, host: &endpoint.host, port: endpoint.port };
        let mut exchange = Exchange::new(self.mechanism, self.credentials, &peer)?;
        let name = self.mechanism.name();
        let mut line = format!("AUTHENTICATE {name}").into_bytes();
        let mut shown = format!("AUTHENTICATE {name}");
        if at_once && let Some(bytes) = exchange.initial().map(Zeroizing::new) {
            // An empty initial response is a lone "=" (RFC 4959 §3).
            let text = Zeroizing::new(if bytes.is_empty() { "=".to_owned() } else { sasl::encode(&bytes) });
            line.reserve_exact(text.len() + 1);
            line.push(b' ');
            line.extend_from_slice(text.as_bytes());
            shown.push_str(" ***");
        }
        let line = Zeroizing::new(line);
        let tag = connection.begin(&line, Some(&shown))?;
        connection.end(tag)?;
        loop {
            let Some(text) = connection.continuation(tag, &mut |_, _| Ok(false))? else {
                let outcome = connection.complete(tag, None, &mut |_, _| Ok(false))?;
                if outcome.status == Status::Ok {
                    exchange.done(None)?;
                }
                return Ok(with_reason(outcome, &exchange));
            };
            let challenge =
                sasl::decode(&text).ok_or_else(|| Error::protocol("a challenge that is no base64", &text))?;
            match exchange.step(&challenge).map(Zeroizing::new) {
                Ok(bytes) => {
                    let reply = Zeroizing::new(sasl::encode(&bytes) + "\r\n");
                    connection.write_secret(reply.as_bytes(), "***\r\n")?;
                }
                Err(error) => {
                    connection.write(b"*\r\n")?;
                    // The server's answer to a cancelled exchange says nothing that we do not know.
                    connection.complete(tag, None, &mut |_, _| Ok(false))?;
                    return Err(error.into());
                }
            }
        }
    }
}

/// A refusal with the reason that the server gave inside the exchange, where its last words have none.
fn with_reason(mut outcome: Completion, exchange: &Exchange) -> Completion {
    if let Some(why) = exchange.refusal() {
        outcome.text = format!("{} ({why})", outcome.text).trim().to_owned();
    }
    outcome
}

/// Buffers ID and ENABLE ahead of whatever comes next; their answers are read along with its.
fn first_flight(connection: &mut Connection, id_required: bool) -> Result<(), Error> {
    let capabilities = connection.told.capabilities.clone();
    if capabilities.id || id_required {
        let version = env!("CARGO_PKG_VERSION");
        let id = Command::new("ID")
            .word("(\"name\" \"mailferry\" \"version\"")
            .string(version.as_bytes(), Literals::Synchronising)?
            .glue(")");
        connection.send(&id)?;
    }
    let wanted = [
        (capabilities.condstore, "CONDSTORE"),
        (capabilities.qresync, "QRESYNC"),
        (capabilities.utf8_accept, "UTF8=ACCEPT"),
    ];
    let mut words = wanted.iter().filter(|(offered, _)| *offered).map(|(_, word)| *word).peekable();
    if capabilities.enable && words.peek().is_some() {
        connection.send(&words.fold(Command::new("ENABLE"), Command::word))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
