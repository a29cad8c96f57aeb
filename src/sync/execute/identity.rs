//! Before anything is moved or removed on the server: are those UIDs still the messages that we mean? (HAZARDS 1)

use std::collections::BTreeMap;

use crate::imap::{FetchSet, Items};
use crate::mail::snapshot::RemoteMessage;
use crate::mail::{Uid, UidSet};
use crate::state::{FolderId, Row, folder};

use super::super::engine::{Conn, Error};
use super::Run;

impl Run<'_, '_> {
    /// The rows whose messages are still there, with the folder open. Message-ID and INTERNALDATE of just those UIDs must equal what
    /// the rows recorded; one that does not marks the whole folder for recovery by matching, and nothing is changed in it.
    ///
    /// # Errors
    /// [`Error::Guard`] on a mismatch; what the server refuses; a failing connection.
    pub(super) fn still_there<'r>(
        &self,
        conn: &mut Conn,
        id: FolderId,
        rows: &'r [Row],
    ) -> Result<Vec<&'r Row>, Error> {
        let target = self.folder(id)?;
        conn.open_to_change(target, self.validity(id))?;
        let set: UidSet = rows.iter().filter_map(|r| r.uid).collect();
        let pending = conn.session.send_fetch(&FetchSet::Uids(set), Items::MESSAGE_ID | Items::DATE, None)?;
        let mut told: BTreeMap<Uid, RemoteMessage> = BTreeMap::new();
        conn.session.finish_fetch(pending, &mut |m| {
            told.insert(m.uid, m);
        })?;
        let mut there = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(message) = row.uid.and_then(|uid| told.get(&uid)) else { continue };
            let same_date = message.date.is_none() || row.identity.date.is_none() || message.date == row.identity.date;
            let same_id = message.message_id.is_none_or(|id| id == row.identity.message_id);
            if !same_date || !same_id {
                self.engine.state().commit(|db| {
                    let recovery = crate::mail::snapshot::Figures::default();
                    folder::set_figures(db, id, &recovery)
                })?;
                return Err(Error::Guard(format!(
                    "UID {} of {} is another message now: nothing is deleted or moved in this run, the next one matches by content",
                    message.uid, target.name
                )));
            }
            there.push(row);
        }
        Ok(there)
    }
}
