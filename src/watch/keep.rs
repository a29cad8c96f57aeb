//! The thread that keeps one account in step: waits for news, runs rounds, directs the connections that listen.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::thread::Scope;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::account::{Account, Direction, Mode, Protocol};
use crate::mail::FolderName;
use crate::maildir::Layout;
use crate::severity::Severity as _;
use crate::stop::Stop;

use super::agenda::{Agenda, Moment, News, Next, Verdict};
use super::bell::wait;
use super::board::Board;
use super::choose::{self, Candidate};
use super::ground::Ground;
use super::listen::{Listener, Reins};
use super::{Hands, Outcome};

/// Why keeping an account ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was asked to.
    Stopped,
    /// A round said that it makes no sense to go on.
    GivenUp,
}

/// Keeps an account in step until `stop`, or until a round gives it up.
///
/// # Errors
/// When the system gives no pipes or threads.
pub fn keep(account: &Account, hands: &dyn Hands, stop: &Stop) -> std::io::Result<End> {
    let reins: Vec<Reins> = (0..listeners(account)).map(|_| Reins::new()).collect::<std::io::Result<_>>()?;
    let board = Board::new()?;
    let clock = Instant::now();
    let mut keeper = Keeper {
        account,
        hands,
        stop,
        board: &board,
        reins: &reins,
        listening: 0,
        agenda: Agenda::new(account.poll_interval, !reins.is_empty(), moment(clock)),
        ground: sees_changes(account).then(|| Ground::new(Layout::new(&account.store))),
        candidates: Vec::new(),
        changes: HashMap::new(),
        rounds: 0,
        clock,
    };
    std::thread::scope(|scope| {
        let _end = EndAll(&reins);
        keeper.listen(scope, 1)?;
        keeper.run(scope)
    })
}

/// Ends all listeners, also when the keeper's thread is at fault: their threads are waited for.
struct EndAll<'a>(&'a [Reins]);

impl Drop for EndAll<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(Reins::end);
    }
}

/// The most connections that may listen; one of the account's stays for the rounds.
fn listeners(account: &Account) -> usize {
    let pulls = account.protocol == Protocol::Imap && account.sync.direction != Direction::Push;
    if pulls { account.connections.saturating_sub(1) } else { 0 }
}

/// Whether a change in the Maildir is worth a round.
fn sees_changes(account: &Account) -> bool {
    let pushes = account.sync.direction != Direction::Pull || account.sync.mode == Mode::Mirror;
    account.protocol == Protocol::Imap && pushes
}

fn moment(clock: Instant) -> Moment {
    // A clock on the wall before 1970 is as good as any: only its steps matter.
    Moment { steady: clock.elapsed(), wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
}

struct Keeper<'a> {
    account: &'a Account,
    hands: &'a dyn Hands,
    stop: &'a Stop,
    board: &'a Board,
    reins: &'a [Reins],
    /// How many of them have a thread.
    listening: usize,
    agenda: Agenda,
    ground: Option<Ground>,
    candidates: Vec<Candidate>,
    /// How often rounds changed something in a folder.
    changes: HashMap<FolderName, u32>,
    rounds: u64,
    clock: Instant,
}

impl<'a> Keeper<'a> {
    fn run<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> std::io::Result<End>
    where
        'a: 'scope,
    {
        loop {
            if self.stop.requested() {
                return Ok(End::Stopped);
            }
            if self.agenda.tick(moment(self.clock)) {
                self.used().iter().for_each(Reins::reconnect);
            }
            self.gather();
            match self.agenda.next(moment(self.clock)) {
                Next::Round => {
                    if self.round() == Verdict::GiveUp && !self.stop.requested() {
                        return Ok(End::GivenUp);
                    }
                    self.aim(scope)?;
                }
                Next::Sleep(longest) => {
                    self.hands.beat();
                    let mut fds: Vec<BorrowedFd<'_>> = vec![self.stop.fd(), self.board.fd()];
                    fds.extend(self.ground.as_ref().and_then(Ground::fd));
                    wait(&fds, longest);
                }
            }
        }
    }

    /// Takes all news.
    fn gather(&mut self) {
        let told = self.board.take();
        let mut news: Vec<News> = told.link.into_iter().collect();
        if told.changed || self.ground.as_mut().is_some_and(Ground::changed) {
            news.push(News::Changed);
        }
        let was_well = self.agenda.is_well();
        let now = moment(self.clock);
        news.into_iter().for_each(|news| self.agenda.note(news, now));
        if let Some(trouble) = told.trouble.filter(|_| told.link == Some(News::Lost)) {
            self.hands.status(&format!("not connected: {trouble}"));
        } else if !was_well && self.agenda.is_well() {
            self.hands.status("connected again");
        }
        if let Some(candidates) = told.candidates {
            self.candidates = candidates;
        }
    }

    fn round(&mut self) -> Verdict {
        let (prompted, first) = (self.agenda.has_news(), self.rounds == 0);
        self.agenda.began(moment(self.clock));
        self.look_at_ground();
        let connections = self.account.connections.saturating_sub(self.listening).max(1);
        let Outcome { verdict, changed } = self.hands.round(connections);
        self.rounds += 1;
        self.remember(&changed);
        if verdict == Verdict::Failed || (verdict == Verdict::Clean && !self.agenda.is_well()) {
            // A connection may be dead without anybody having noticed; or one that rests after a failure can be had again.
            self.used().iter().for_each(Reins::check);
        }
        if !prompted && !first && !changed.is_empty() {
            // A poll found what nobody told. That may be right where not every folder has its listener; or a connection is
            // dead, or a server tells nothing any more (RFC 5465 §5.8).
            let hears_all = self.candidates.is_empty();
            self.used().iter().for_each(if hears_all { Reins::reconnect } else { Reins::check });
        }
        if verdict == Verdict::Clean {
            self.tell_own_from_news();
        }
        self.agenda.ended(verdict, moment(self.clock));
        verdict
    }

    /// What was seen in the Maildir while a round was at work is mostly its own doing, and only the rest is news. The order
    /// matters: what changes after the look is seen by the watch.
    fn tell_own_from_news(&mut self) {
        let Some(ground) = self.ground.as_mut() else { return };
        let seen = ground.take();
        let blind = ground.fd().is_none();
        // The first round may have made the root.
        let everywhere = blind || seen.as_ref().is_some_and(|seen| seen.structure || seen.lost);
        if everywhere {
            let new = self.look_at_ground();
            if blind && !new {
                return;
            }
        }
        let folders = seen.map(|seen| seen.folders);
        let news = match &folders {
            _ if everywhere => self.hands.has_pending(None),
            Some(folders) => self.hands.has_pending(Some(folders)),
            None => false,
        };
        if news {
            self.agenda.note(News::Changed, moment(self.clock));
        }
    }

    /// Watches what is there; whether that is new.
    fn look_at_ground(&mut self) -> bool {
        match self.ground.as_mut().map(Ground::prepare) {
            Some(Err(error)) => {
                let hint = error.hint().unwrap_or_else(|| "raise fs.inotify.max_user_watches".to_owned());
                let message = format!("changes in the Maildir are noticed every `poll_interval` only: {error}");
                self.hands.warn(message, &hint);
                false
            }
            Some(Ok(new)) => new,
            None => false,
        }
    }

    fn remember(&mut self, changed: &[std::path::PathBuf]) {
        let Some(ground) = &self.ground else { return };
        let mut dirs: HashMap<_, u32> = HashMap::new();
        for dir in changed.iter().filter_map(|path| Ground::folder_of(path)) {
            *dirs.entry(dir).or_default() += 1;
        }
        if dirs.is_empty() {
            return;
        }
        for candidate in &self.candidates {
            if let Some(count) = ground.relative(&candidate.name).and_then(|dir| dirs.get(&dir)) {
                let known = self.changes.entry(candidate.name.clone()).or_default();
                *known = known.saturating_add(*count);
            }
        }
    }

    /// The listeners that have a thread.
    fn used(&self) -> &'a [Reins] {
        self.reins.get(..self.listening).unwrap_or_default()
    }

    /// Directs the listeners beside the first to the most active folders.
    fn aim<'scope>(&mut self, scope: &'scope Scope<'scope, '_>) -> std::io::Result<()>
    where
        'a: 'scope,
    {
        let beside = choose::listeners_beside_inbox(self.account.connections, self.candidates.len());
        let mut wanted = choose::choose(&self.candidates, &self.changes, beside);
        self.listen(scope, if self.reins.is_empty() { 0 } else { wanted.len() + 1 })?;
        // Who listens to a folder that is still wanted goes on with it.
        let beside = self.used().get(1..).unwrap_or_default();
        let free: Vec<&Reins> = beside
            .iter()
            .filter(|reins| match wanted.iter().position(|folder| reins.target().as_ref() == Some(folder)) {
                Some(at) => {
                    wanted.remove(at);
                    false
                }
                None => true,
            })
            .collect();
        let mut wanted = wanted.into_iter();
        free.into_iter().for_each(|reins| reins.aim(wanted.next()));
        Ok(())
    }

    /// Makes sure that so many listeners have threads.
    fn listen<'scope>(&mut self, scope: &'scope Scope<'scope, '_>, count: usize) -> std::io::Result<()>
    where
        'a: 'scope,
    {
        for (at, reins) in self.reins.iter().enumerate().take(count).skip(self.listening) {
            let (account, hands, board) = (self.account, self.hands, self.board);
            let listener = Listener { account, hands, board, reins, first: at == 0 };
            std::thread::Builder::new().name(format!("listen {at}")).spawn_scoped(scope, move || listener.run())?;
            self.listening = at + 1;
        }
        Ok(())
    }
}
