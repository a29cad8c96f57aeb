//! A connection that listens: NOTIFY for all folders, else IDLE on one. It comes back by itself after every failure.

use std::sync::{Arc, Mutex, PoisonError};
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

/// What the keeper wants of a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Order {
    /// Nothing: the bell is enough to make it prove that its connection lives.
    #[default]
    Check,
    /// Connect anew.
    Reconnect,
}

/// How a listener is directed.
#[derive(Debug)]
pub struct Reins {
    bell: Bell,
    order: Mutex<Order>,
    /// What a listener beside the first listens to; `None`: nothing for now.
    target: Mutex<Option<MailboxName>>,
}

impl Reins {
    /// Without an order or a target.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { bell: Bell::new()?, order: Mutex::default(), target: Mutex::default() })
    }

    /// Lets it prove that its connection lives.
    pub fn check(&self) {
        self.bell.ring();
    }

    /// Lets it connect anew, at once.
    pub fn reconnect(&self) {
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Order::Reconnect;
        self.bell.ring();
    }

    /// Sets what it listens to.
    pub fn aim(&self, target: Option<MailboxName>) {
        let mut now = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != target {
            *now = target;
            self.bell.ring();
        }
    }

    /// What it listens to.
    #[must_use]
    pub fn target(&self) -> Option<MailboxName> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take_order(&self) -> Order {
        self.bell.hush();
        std::mem::take(&mut *self.order.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One listening connection.
pub struct Listener<'a> {
    /// The account.
    pub account: &'a Account,
    /// Gives credentials.
    pub hands: &'a dyn Hands,
    /// Ends it.
    pub halt: &'a Stop,
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
    /// Listens until the halt.
    pub fn run(&self) {
        let mut failures = 0;
        while !self.halt.requested() {
            let begun = Instant::now();
            match self.serve() {
                Ok(End::Again) => failures = 0,
                Ok(End::Useless) => return,
                Err(_) if self.halt.requested() => return,
                Err(trouble) => {
                    if begun.elapsed() > CYCLE {
                        failures = 0;
                    }
                    self.tell_failure(&trouble);
                    failures += 1;
                    self.rest(pause(failures));
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
        wait(&[self.halt.fd(), self.reins.bell.fd()], max);
        self.reins.take_order();
    }

    fn serve(&self) -> Result<End, Trouble> {
        if self.first {
            return self.serve_first();
        }
        let Some(target) = self.reins.target() else {
            wait(&[self.halt.fd(), self.reins.bell.fd()], CYCLE);
            self.reins.take_order();
            return Ok(End::Again);
        };
        let mut session = self.open()?;
        session.select(&target, Access::ReadOnly, None)?;
        // What came while nobody listened is unknown.
        self.board.tell(|told| told.changed = true);
        loop {
            if self.cycle(&mut session)? || self.reins.target().as_ref() != Some(&target) {
                session.logout();
                return Ok(End::Again);
            }
        }
    }

    fn serve_first(&self) -> Result<End, Trouble> {
        let mut session = self.open()?;
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
            if self.cycle(&mut session)? {
                session.logout();
                return Ok(End::Again);
            }
            if notifies && !session.notify()? {
                return Err(Error::Unsupported("NOTIFY any more").into());
            }
        }
    }

    /// One IDLE. `true`: connect anew.
    fn cycle(&self, session: &mut Session) -> Result<bool, Trouble> {
        let end = session.idle(CYCLE, &[self.reins.bell.fd()])?;
        if end.selected || !end.changed.is_empty() {
            self.board.tell(|told| told.changed = true);
        }
        Ok(end.other && self.reins.take_order() == Order::Reconnect)
    }

    fn open(&self) -> Result<Session, Trouble> {
        let credentials =
            self.hands.credentials().map_err(|error| Trouble { text: error.to_string(), reachable: true })?;
        let login = Login {
            account: self.account,
            credentials: &credentials,
            stop: self.halt,
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
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let lost = matches!(error, Error::Transport(_)) && error.kind() == Kind::TryLater;
        // A server that goes down says BYE.
        let leaves = matches!(error, Error::Bye { .. } | Error::Skipped(_));
        Self { text: error.to_string(), reachable: !(lost || leaves) }
    }
}
