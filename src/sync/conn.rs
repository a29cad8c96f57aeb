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
        if validity.is_some_and(|v| self.open == Some((folder.id, v, Access::ReadWrite))) {
            return Ok(());
        }
        self.open = None;
        let Some(mailbox) = folder.mailbox.as_ref() else {
            return Err(Error::Guard(format!("{} is not on the server", folder.name)));
        };
        let selected = self.session.select(mailbox, Access::ReadWrite, None)?;
        let now = selected.figures.uid_validity;
        match (validity, now) {
            (Some(wanted), Some(now)) if wanted == now => {
                self.open = Some((folder.id, now, Access::ReadWrite));
                Ok(())
            }
            (None, _) => Ok(()),
            (Some(_), _) => Err(Error::Guard(format!("the UIDVALIDITY of {} changed meanwhile", folder.name))),
        }
    }
}
