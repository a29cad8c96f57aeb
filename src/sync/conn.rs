//! A connection of a run: what is open on it, and whether its line wants compression.

use std::time::Duration;

use crate::imap::{Access, Session};
use crate::mail::UidValidity;
use crate::state::FolderId;

use super::engine::Folder;
use super::error::Error;

/// A line's rate shows after so many bytes.
const WEIGHED_BYTES: u64 = 1 << 20;
/// Below this many bytes a second and connection a line is slow.
const SLOW_LINE: f64 = 3_000_000.0;

/// A connection and the folder that is open on it.
pub struct Conn {
    /// The session.
    pub session: Session,
    /// What is open, if that is known. What was opened to read takes no change, and some servers say OK all the same.
    pub open: Option<(FolderId, UidValidity, Access)>,
    /// It was asked whether compression pays.
    weighed: bool,
}

impl Conn {
    /// A session on which nothing is open yet.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session, open: None, weighed: false }
    }

    /// Turns compression on where the line, not the processor, is the limit: `bytes` took `time` to come. A server deflates some
    /// 28 MB a second, so it pays on slow lines alone, and never on this machine.
    ///
    /// # Errors
    /// A failing connection.
    pub fn weigh(&mut self, bytes: u64, time: Duration) -> Result<(), Error> {
        if self.weighed || bytes < WEIGHED_BYTES || self.session.is_loopback() {
            return Ok(());
        }
        self.weighed = true;
        let slow = time.as_secs_f64() > 0.0 && Duration::from_secs(1).mul_f64(bytes as f64 / SLOW_LINE) < time;
        if slow {
            self.session.compress()?;
        }
        Ok(())
    }

    /// Opens a folder for changes, under the UIDVALIDITY that the plan was made under (HAZARDS 10).
    ///
    /// # Errors
    /// [`Error::Guard`] if it is another one now; a refusal; a failing connection.
    pub fn open(&mut self, folder: &Folder, validity: Option<UidValidity>) -> Result<(), Error> {
        self.opened(folder, validity).map(drop)
    }

    /// The same; [`Error::ReadOnly`] where the server lets nothing be changed. Dovecot says OK to a STORE there, and ignores it.
    ///
    /// # Errors
    /// That, and those of [`Conn::open`].
    pub fn open_to_change(&mut self, folder: &Folder, validity: Option<UidValidity>) -> Result<(), Error> {
        match self.opened(folder, validity)? {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(Error::ReadOnly),
        }
    }

    /// What the server lets be done.
    fn opened(&mut self, folder: &Folder, validity: Option<UidValidity>) -> Result<Access, Error> {
        if validity.is_some_and(|v| self.open == Some((folder.id, v, Access::ReadWrite))) {
            return Ok(Access::ReadWrite);
        }
        self.open = None;
        let Some(mailbox) = folder.mailbox.as_ref() else {
            return Err(Error::Guard(format!("{} is not on the server", folder.name)));
        };
        let selected = self.session.select(mailbox, Access::ReadWrite, None)?;
        let now = selected.figures.uid_validity;
        let access = if selected.read_only { Access::ReadOnly } else { Access::ReadWrite };
        match (validity, now) {
            (Some(wanted), Some(now)) if wanted == now => {
                self.open = Some((folder.id, now, access));
                Ok(access)
            }
            (None, _) => Ok(access),
            (Some(_), _) => Err(Error::Guard(format!("the UIDVALIDITY of {} changed meanwhile", folder.name))),
        }
    }
}
