//! Some parts on one connection: the commands go out together, the bodies come in their order.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use crate::imap::Access;
use crate::mail::{UidSet, UidValidity};
use crate::maildir::Batch;

use super::super::super::engine::{Conn, Error};
use super::super::Run;
use super::super::progress::Progress;
use super::Waiting;
use super::parts::Part;
use super::receiver::Receiver;

impl Run<'_, '_> {
    /// Asks for all parts of a load and takes what comes. What did not come stays in its part.
    pub(super) fn flight(
        &self,
        conn: &mut Conn,
        load: &mut [Part],
        (batch, waiting): (&mut Batch<'_>, &mut HashMap<u64, Waiting>),
        progress: &Mutex<Progress>,
    ) -> Result<(), Error> {
        let mut flights = Vec::new();
        for (at, part) in load.iter().enumerate() {
            let target = self.folder(part.folder)?;
            let Some(mailbox) = target.mailbox.as_ref() else {
                return Err(Error::Guard(format!("{} is not on the server", target.name)));
            };
            let set: UidSet = part.wants.keys().copied().collect();
            // The folder that is open already needs no SELECT; between two requests it is the wall that keeps their answers apart.
            let open = conn
                .open
                .filter(|(id, validity, _)| at == 0 && *id == part.folder && self.validity(*id) == Some(*validity));
            let select =
                if open.is_some() { None } else { Some(conn.session.send_select(mailbox, Access::ReadOnly, None)?) };
            conn.open = open;
            flights.push((select, conn.session.send_bodies(&set)?));
        }
        let last = load.last().map(|part| part.folder);
        for (part, (select, bodies)) in load.iter_mut().zip(flights) {
            let wanted = self.validity(part.folder);
            let asked = select.is_some();
            let selected = match select {
                Some(select) => conn.session.finish_select(select).map(|s| s.figures.uid_validity),
                None => Ok(wanted),
            };
            let same = selected.as_ref().is_ok_and(|now| same_validity(*now, wanted));
            if asked && same && last == Some(part.folder) {
                conn.open = wanted.map(|validity| (part.folder, validity, Access::ReadOnly));
            }
            let target = self.folder(part.folder)?;
            let mut sink = Receiver {
                run: self,
                dir: &target.dir,
                part,
                batch: &mut *batch,
                waiting: &mut *waiting,
                incoming: None,
                received: 0,
                open: same,
                progress,
                name: target.name.to_string(),
                last: Instant::now(),
            };
            let received = conn.session.finish_bodies(bodies, &mut sink);
            match (selected, received) {
                (Err(error), _) | (Ok(_), Err(error)) if error.is_fatal() => return Err(sink_error(error)),
                (Err(error), _) => {
                    self.fail(part.folder, &error.into());
                    part.wants.clear();
                }
                (Ok(_), _) if !same => {
                    self.fail(
                        part.folder,
                        &Error::Guard(format!("the UIDVALIDITY of {} changed meanwhile", target.name)),
                    );
                    part.wants.clear();
                }
                (Ok(_), Err(error)) => self.engine.fail(Some(&target.name), &error),
                (Ok(_), Ok(())) => {}
            }
        }
        Ok(())
    }
}

fn same_validity(now: Option<UidValidity>, wanted: Option<UidValidity>) -> bool {
    wanted.is_none() || now == wanted
}

/// A failure of the Maildir that came through the connection is the Maildir's.
fn sink_error(error: crate::imap::Error) -> Error {
    if let crate::imap::Error::Sink(source) = error {
        return crate::maildir::Error::from_writer(source).into();
    }
    error.into()
}
