//! From an account to a session: connection, greeting, TLS and login, tried again as SPEC §2 says (`timeout`).

use std::sync::Arc;
use std::time::Duration;

use super::capability::{Apop, Remembered};
use super::error::Error;
use super::login::{Authorization, Profile};
use super::session::Transaction;
use crate::account::{Account, AuthMechanism, TlsMode};
use crate::auth::Credentials;
use crate::severity::{Kind, Retry, Severity};
use crate::stop::Stop;
use crate::transport::{self, Dial, Trace, Traffic};

/// What a login needs.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// Where to, and how.
    pub account: &'a Account,
    /// Resolved once for the account.
    pub credentials: &'a Credentials,
    /// Wakes every wait.
    pub stop: &'a Stop,
    /// Counts what crosses.
    pub traffic: Arc<Traffic>,
    /// Where lines are shown, for `-vv`.
    pub trace: Option<Trace>,
    /// What the server could do last time.
    pub remembered: Option<Remembered>,
    /// Whether a failure is final at once, as for `check`, `setup` and `auth`.
    pub once: bool,
}

/// How a session is begun: what went wrong so far is done otherwise.
struct Tactics<'a> {
    /// What the server could do last time. What is wrong by now is asked for again, in the plain order.
    remembered: Option<&'a Remembered>,
    /// Whether CAPA may be asked: some servers hang up on a command that they do not know.
    ask: bool,
    apop: Apop,
    alone: bool,
}

impl Tactics<'_> {
    /// Whether another way may end otherwise than in this failure: then it is chosen. Each is chosen once.
    fn can_change(&mut self, failure: &Failure, mechanism: AuthMechanism) -> bool {
        let Failure { error, during_capa } = failure;
        if *during_capa && self.ask && matches!(error, Error::Transport(transport::Error::Closed { .. })) {
            self.ask = false;
            return true;
        }
        // Servers show a stamp that cannot do APOP. One that has not done it before is offered the password once.
        let refused = matches!(error, Error::Apop(_)) && error.kind() == Kind::Auth;
        if refused && self.apop == Apop::Unknown && mechanism == AuthMechanism::Auto {
            self.apop = Apop::Fails;
            return true;
        }
        let out_of_step = matches!(error, Error::Protocol { command, .. } if *command != "the connection");
        let odd = out_of_step || matches!(error, Error::Exchange(_) | Error::Mechanism(_));
        if odd && (self.remembered.is_some() || out_of_step && !self.alone) {
            self.remembered = None;
            self.alone |= out_of_step;
            return true;
        }
        false
    }
}

/// Connects and logs in.
///
/// # Errors
/// The last failure.
pub fn open(login: &Login<'_>) -> Result<Transaction, Error> {
    let timeout = login.account.endpoint.timeout;
    let remembered = login.remembered.as_ref();
    let (apop, alone) = remembered.map(|memory| (memory.apop, memory.alone)).unwrap_or_default();
    let mut tactics = Tactics { remembered, ask: true, apop, alone };
    let mut attempt = 1;
    loop {
        let failure = match attempt_once(login, &tactics) {
            Ok(session) => return Ok(session),
            Err(failure) => failure,
        };
        if tactics.can_change(&failure, login.account.login.mechanism) {
            continue;
        }
        let pause = if login.once { None } else { transport::retry::pause(attempt, timeout) };
        let Some(pause) = pause.filter(|_| failure.error.retry() == Retry::Now) else { return Err(failure.error) };
        wait(login.stop, pause)?;
        attempt += 1;
    }
}

struct Failure {
    error: Error,
    during_capa: bool,
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), during_capa: false }
    }
}

fn attempt_once(login: &Login<'_>, tactics: &Tactics<'_>) -> Result<Transaction, Failure> {
    let endpoint = &login.account.endpoint;
    let dial = Dial { endpoint, stop: login.stop, traffic: Arc::clone(&login.traffic), trace: login.trace.clone() };
    let stream = transport::connect(&dial)?;
    let profile = Profile {
        host: &endpoint.host,
        port: endpoint.port,
        mechanism: login.account.login.mechanism,
        apop: tactics.apop,
        alone: tactics.alone,
        timeout: endpoint.timeout,
    };
    let mut session = Authorization::greet(stream, profile)?;
    if endpoint.tls == TlsMode::StartTls && endpoint.tunnel.is_none() {
        session = session.start_tls()?;
    }
    let mut session = match tactics.remembered {
        Some(memory) => session.login_again(login.credentials, memory)?,
        None if tactics.ask => {
            let fresh = session.capabilities().map_err(|error| Failure { error, during_capa: true })?;
            session.login(login.credentials, Some(fresh))?
        }
        None => session.login(login.credentials, None)?,
    };
    session.read_ahead()?;
    Ok(session)
}

/// Waits, unless a stop is asked for.
///
/// # Errors
/// [`transport::Error::Stopped`].
pub fn wait(stop: &Stop, time: Duration) -> Result<(), transport::Error> {
    if stop.pause(time) { Err(transport::Error::Stopped) } else { Ok(()) }
}
