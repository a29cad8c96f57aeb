//! A connection of a run, and the folder that is open on it.

use crate::imap::{Access, Session};
use crate::mail::UidValidity;
use crate::state::FolderId;

use super::engine::Folder;
use super::error::Error;

/// A connection and the folder that is open on it.
pub struct Conn {
    /// The session.
    pub session: Session,
    /// What is open, if that is known. What was opened to read takes no change, and some servers say OK all the same.
    pub open: Option<(FolderId, UidValidity, Access)>,
}

impl Conn {
    /// A session on which nothing is open yet.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self { session, open: None }
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
