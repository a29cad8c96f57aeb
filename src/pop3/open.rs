//! From an account to a session: connection, greeting, TLS and login, tried again as SPEC §2 says (`timeout`).

use std::sync::Arc;
use std::time::Duration;

use super::capability::Remembered;
use super::error::Error;
use super::login::{Authorization, Profile};
use super::session::Transaction;
use crate::account::{Account, TlsMode};
use crate::auth::Credentials;
use crate::severity::{Retry, Severity};
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

/// Connects and logs in.
///
/// # Errors
/// The last failure.
pub fn open(login: &Login<'_>) -> Result<Transaction, Error> {
    let timeout = login.account.endpoint.timeout;
    let mut remembered = login.remembered.as_ref();
    let mut ask = true;
    let mut attempt = 1;
    loop {
        let error = match attempt_once(login, remembered, ask) {
            Ok(session) => return Ok(session),
            Err(Failure { error, during_capa }) => {
                // Some servers hang up on a command that they do not know.
                if during_capa && ask && matches!(error, Error::Transport(transport::Error::Closed { .. })) {
                    ask = false;
                    continue;
                }
                error
            }
        };
        // What was remembered may be wrong by now: without it everything is asked for, in the plain order.
        if remembered.take().is_some()
            && matches!(error, Error::Protocol { .. } | Error::Exchange(_) | Error::Mechanism(_))
        {
            continue;
        }
        let pause = if login.once { None } else { transport::retry::pause(attempt, timeout) };
        let Some(pause) = pause.filter(|_| error.retry() == Retry::Now) else { return Err(error) };
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

fn attempt_once(login: &Login<'_>, remembered: Option<&Remembered>, ask: bool) -> Result<Transaction, Failure> {
    let endpoint = &login.account.endpoint;
    let dial = Dial { endpoint, stop: login.stop, traffic: Arc::clone(&login.traffic), trace: login.trace.clone() };
    let stream = transport::connect(&dial)?;
    let profile = Profile {
        host: &endpoint.host,
        port: endpoint.port,
        mechanism: login.account.login.mechanism,
        timeout: endpoint.timeout,
    };
    let mut session = Authorization::greet(stream, profile)?;
    if endpoint.tls == TlsMode::StartTls && endpoint.tunnel.is_none() {
        session = session.start_tls()?;
    }
    if let Some(memory) = remembered {
        return Ok(session.login_again(login.credentials, memory)?);
    }
    let fresh =
        if ask { Some(session.capabilities().map_err(|error| Failure { error, during_capa: true })?) } else { None };
    Ok(session.login(login.credentials, fresh)?)
}

/// Waits, unless a stop is asked for.
///
/// # Errors
/// [`transport::Error::Stopped`].
pub fn wait(stop: &Stop, time: Duration) -> Result<(), transport::Error> {
    if stop.pause(time) { Err(transport::Error::Stopped) } else { Ok(()) }
}
