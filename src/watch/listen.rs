//! A connection that listens: NOTIFY for all folders, else IDLE on one. It comes back by itself after every failure.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::imap::{Access, Error, ListAsk, Login, MailboxName, Session};
use crate::severity::{Kind, Severity as _};
use crate::stop::Stop;
use crate::transport::Traffic;

use super::Hands;
use super::agenda::{News, pause};
use super::bell::{Bell, wait};
use super::board::Board;
use super::choose::candidates;

/// IDLE is begun anew after this long: servers end it after 29 minutes (RFC 2177 §3), routers in between forget silent
/// connections much earlier, and the new one shows that the connection still lives.
const CYCLE: Duration = Duration::from_secs(9 * 60);

/// How a listener is directed.
#[derive(Debug)]
pub struct Reins {
    /// Lets it prove that its connection lives, and look at its target.
    bell: Bell,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Breaks off the connection that there is.
    connection: Option<Stop>,
    /// What a listener beside the first listens to; `None`: nothing for now.
    target: Option<MailboxName>,
    ended: bool,
}

impl Reins {
    /// Without a connection or a target.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { bell: Bell::new()?, state: Mutex::default() })
    }

    /// Lets it prove that its connection lives.
    pub fn check(&self) {
        self.bell.ring();
    }

    /// Lets it connect anew, at once: an answer on a dead connection would not come.
    pub fn reconnect(&self) {
        self.break_off(&mut self.state());
    }

    /// Ends it.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.break_off(&mut state);
    }

    /// Sets what it listens to.
    pub fn aim(&self, target: Option<MailboxName>) {
        let mut state = self.state();
        if state.target != target {
            state.target = target;
            self.bell.ring();
        }
    }

    /// What it listens to.
    #[must_use]
    pub fn target(&self) -> Option<MailboxName> {
        self.state().target.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn break_off(&self, state: &mut State) {
        if let Some(stop) = state.connection.take() {
            stop.request();
        }
        self.bell.ring();
    }

    fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// What breaks the next connection off.
    fn begin(&self) -> std::io::Result<Stop> {
        let stop = Stop::new()?;
        let mut state = self.state();
        if state.ended {
            stop.request();
        } else {
            state.connection = Some(stop.clone());
        }
        Ok(stop)
    }
}

/// One listening connection.
pub struct Listener<'a> {
    /// The account.
    pub account: &'a Account,
    /// Gives credentials.
    pub hands: &'a dyn Hands,
    /// Where it tells.
    pub board: &'a Board,
    /// How it is directed.
    pub reins: &'a Reins,
    /// Whether it is the first: for INBOX, or for all folders.
    pub first: bool,
}

/// Why a connection is left in peace.
enum End {
    /// To be made anew at once.
    Again,
    /// The server cannot tell of news.
    Useless,
}

impl Listener<'_> {
    /// Listens until it is ended.
    pub fn run(&self) {
        let mut failures = 0;
        while !self.reins.has_ended() {
            let begun = Instant::now();
            let stop = self.reins.begin();
            let served = stop.as_ref().map_err(Trouble::from).and_then(|stop| self.serve(stop));
            let broken_off = stop.is_ok_and(|stop| stop.requested());
            match served {
                Ok(End::Again) => failures = 0,
                Ok(End::Useless) => return,
                Err(_) if broken_off => failures = 0,
                Err(trouble) => {
                    if begun.elapsed() > CYCLE {
                        failures = 0;
                    }
                    self.tell_failure(&trouble);
                    failures += 1;
                    // Whether to go on with a login that is refused, a round decides.
                    self.rest(pause(if trouble.refused { u32::MAX } else { failures }));
                }
            }
        }
    }

    fn tell_failure(&self, trouble: &Trouble) {
        if self.first {
            let link = if trouble.reachable { News::Deaf } else { News::Lost };
            self.board.tell(|told| (told.link, told.trouble) = (Some(link), Some(trouble.text.clone())));
        }
    }

    /// Waits before the next attempt, unless something calls.
    fn rest(&self, max: Duration) {
        wait(&[self.reins.bell.fd()], max);
        self.reins.bell.hush();
    }

    fn serve(&self, stop: &Stop) -> Result<End, Trouble> {
        // What rang for the connection before is answered by this one.
        self.reins.bell.hush();
        if self.first {
            return self.serve_first(stop);
        }
        let Some(target) = self.reins.target() else {
            self.rest(CYCLE);
            return Ok(End::Again);
        };
        let mut session = self.open(stop)?;
        session.select(&target, Access::ReadOnly, None)?;
        // What came while nobody listened is unknown.
        self.board.tell(|told| told.changed = true);
        loop {
            self.cycle(&mut session)?;
            if self.reins.target().as_ref() != Some(&target) {
                session.logout();
                return Ok(End::Again);
            }
        }
    }

    fn serve_first(&self, stop: &Stop) -> Result<End, Trouble> {
        let mut session = self.open(stop)?;
        if !session.capabilities().idle {
            session.logout();
            self.board.tell(|told| told.link = Some(News::Deaf));
            return Ok(End::Useless);
        }
        let ask = ListAsk { status: true, subscribed: self.account.subscribed_only, shared: true };
        let listing = session.list(&ask)?;
        let notifies = session.notify()?;
        if !notifies {
            let inbox = listing.folders.iter().find(|folder| folder.name.is_inbox()).map(|folder| &folder.mailbox);
            let Some(inbox) = inbox else { return Err(Error::Unsupported("INBOX").into()) };
            session.select(inbox, Access::ReadOnly, None)?;
        }
        let candidates = if notifies { Vec::new() } else { candidates(self.account, &listing) };
        self.board.tell(|told| (told.link, told.candidates) = (Some(News::Up), Some(candidates)));
        loop {
            // NOTIFY is asked for once: Dovecot 2.3 tells nothing more after a second one.
            self.cycle(&mut session)?;
        }
    }

    /// One IDLE.
    fn cycle(&self, session: &mut Session) -> Result<(), Trouble> {
        let end = session.idle(CYCLE, &[self.reins.bell.fd()])?;
        self.reins.bell.hush();
        if end.selected || end.folders || !end.changed.is_empty() {
            self.board.tell(|told| told.changed = true);
        }
        Ok(())
    }

    fn open(&self, stop: &Stop) -> Result<Session, Trouble> {
        let credentials = self.hands.credentials().map_err(|error| Trouble {
            text: error.to_string(),
            reachable: true,
            refused: true,
        })?;
        let login = Login {
            account: self.account,
            credentials: &credentials,
            stop,
            traffic: Arc::new(Traffic::default()),
            trace: self.hands.trace(),
            once: true,
        };
        Ok(Session::open(&login)?)
    }
}

/// Why listening failed.
struct Trouble {
    text: String,
    /// The server answers; otherwise rounds had better wait, too.
    reachable: bool,
    /// The login is refused.
    refused: bool,
}

impl From<&std::io::Error> for Trouble {
    fn from(error: &std::io::Error) -> Self {
        Self { text: error.to_string(), reachable: true, refused: false }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let lost = matches!(error, Error::Transport(_)) && error.kind() == Kind::TryLater;
        // A server that goes down says BYE.
        let leaves = matches!(error, Error::Bye { .. } | Error::Skipped(_));
        Self { text: error.to_string(), reachable: !(lost || leaves), refused: error.kind() == Kind::Auth }
    }
}
