//! From an account to a session: connection, greeting, TLS and login, tried again as SPEC §2 says (`timeout`).

use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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

/// Connects and logs in.
///
/// # Errors
/// The last failure.
pub fn open(login: &Login<'_>) -> Result<Transaction, Error> {
    let timeout = login.account.endpoint.timeout;
    let mut remembered = login.remembered.as_ref();
    let mut ask = true;
    let mut apop = remembered.map(|memory| memory.apop).unwrap_or_default();
    let mut attempt = 1;
    loop {
        let error = match attempt_once(login, remembered, (ask, apop)) {
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
        // Servers show a stamp that cannot do APOP. One that has not done it before is offered the password once.
        if apop == Apop::Unknown
            && login.account.login.mechanism == AuthMechanism::Auto
            && matches!(error, Error::Apop(_))
            && error.kind() == Kind::Auth
        {
            apop = Apop::Fails;
            continue;
        }
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

fn attempt_once(
    login: &Login<'_>,
    remembered: Option<&Remembered>,
    (ask, apop): (bool, Apop),
) -> Result<Transaction, Failure> {
    let endpoint = &login.account.endpoint;
    let dial = Dial { endpoint, stop: login.stop, traffic: Arc::clone(&login.traffic), trace: login.trace.clone() };
    let stream = transport::connect(&dial)?;
    let profile = Profile {
        host: &endpoint.host,
        port: endpoint.port,
        mechanism: login.account.login.mechanism,
        apop,
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
    let mut fds = [PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN)];
    // An interrupted wait only makes the pause shorter.
    let _ = poll(&mut fds, Timespec::try_from(time).ok().as_ref());
    if stop.requested() { Err(transport::Error::Stopped) } else { Ok(()) }
}
