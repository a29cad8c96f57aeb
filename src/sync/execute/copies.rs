//! Messages that the server names (EMAILID, X-GM-MSGID) and that are here already: copied instead of fetched again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mail::{ContentHasher, Digest, Uid, UidSet};
use crate::maildir::{Batch, Delivery, Place};
use crate::severity::{Scope, Severity as _};
use crate::state::{FolderId, Mark, Row};

use super::super::engine::Error;
use super::Run;
use super::download::{Waiting, Want};

/// What is to be downloaded, by folder.
pub(super) type Wanted = BTreeMap<FolderId, BTreeMap<Uid, Want>>;

impl Run<'_, '_> {
    /// Copies what is here already; gives what must be fetched. Of several messages of one name only the first is fetched now: the
    /// others come back in the second set, to be copied afterwards.
    pub(super) fn copy_known(&self, wanted: Wanted) -> Result<(Wanted, Wanted), Error> {
        let (mut now, mut later) = (Wanted::new(), Wanted::new());
        let mut asked: BTreeSet<String> = BTreeSet::new();
        let mut fetch = |name: Option<String>, folder, uid, want| {
            let first = name.is_none_or(|name| asked.insert(name));
            let set = if first { &mut now } else { &mut later };
            set.entry(folder).or_default().insert(uid, want);
        };
        let mut nominated: BTreeMap<FolderId, BTreeMap<Uid, (Want, Vec<Row>)>> = BTreeMap::new();
        for (folder, wants) in wanted {
            for (uid, want) in wants {
                let name = want.message().email_id.clone().filter(|_| want.row().is_none());
                let sources = match &name {
                    Some(name) => self.sources(name, want.message().size)?,
                    None => Vec::new(),
                };
                if sources.is_empty() {
                    fetch(name, folder, uid, want);
                } else {
                    nominated.entry(folder).or_default().insert(uid, (want, sources));
                }
            }
        }
        let mut batch = Batch::new(&self.engine.layout, &self.engine.file_system)?;
        let mut waiting = HashMap::new();
        for (folder, wants) in nominated {
            let headers = self.headers_of(folder, wants.keys().copied().collect())?;
            for (uid, (want, mut sources)) in wants {
                let header = headers.get(&uid);
                sources.retain(|row| header.is_some() && row.identity.header.as_ref() == header);
                if !self.copy_one((&mut batch, &mut waiting), folder, &want, &sources)? {
                    fetch(want.message().email_id.clone(), folder, uid, want);
                }
            }
        }
        self.commit(&mut batch, &mut waiting)?;
        Ok((now, later))
    }

    /// The messages here that the server gives this name and size.
    fn sources(&self, name: &str, size: Option<u64>) -> Result<Vec<Row>, Error> {
        let mut rows = self.engine.state().rows_by_email_id(name)?;
        rows.retain(|row| {
            let identity = &row.identity;
            row.mark == Mark::Paired && identity.digest.is_some() && size.is_some() && identity.size_wire == size
        });
        Ok(rows)
    }

    /// The header sections of messages: the server's name for a message only nominates, and a wrong one must not put one message in
    /// another's place. What a folder refuses is not known.
    fn headers_of(&self, folder: FolderId, set: UidSet) -> Result<HashMap<Uid, Digest>, Error> {
        let target = self.folder(folder)?;
        let mut headers = HashMap::new();
        let outcome = self.engine.retried(|conn| {
            conn.open(target, self.validity(folder))?;
            Ok(conn.session.headers(&set, &mut |uid, header| {
                let mut hasher = ContentHasher::new();
                hasher.update(header);
                headers.insert(uid, hasher.finish().header);
            })?)
        });
        match outcome {
            Err(error) if error.scope() >= Scope::Account => Err(error),
            // The download that follows says what is wrong.
            Err(_) => Ok(HashMap::new()),
            Ok(()) => Ok(headers),
        }
    }

    /// Copies one message from a row's file. The copy counts only if its digest is the row's (HAZARDS 25).
    fn copy_one(
        &self,
        (batch, waiting): (&mut Batch<'_>, &mut HashMap<u64, Waiting>),
        folder: FolderId,
        want: &Want,
        sources: &[Row],
    ) -> Result<bool, Error> {
        let to = &self.folder(folder)?.dir;
        for source in sources {
            let Some(from) = self.folders.get(&source.folder).filter(|f| f.dir.path.exists()) else { continue };
            let Some(place) = source.file.as_deref().and_then(Place::from_bytes) else { continue };
            let incoming = match batch.copy(&from.dir, &place, to) {
                Ok(incoming) => incoming,
                Err(error) if error.scope() <= Scope::Message => continue,
                Err(error) => return Err(error.into()),
            };
            if Some(incoming.content().digest) != source.identity.digest {
                continue;
            }
            let flags = self.mask(folder).keep(&want.message().flags.clone().unwrap_or_default());
            self.assign(folder, flags.keywords.iter())?;
            let letters = self.with_keywords(folder, |keywords| keywords.letters_of(&flags).0)?;
            let key = waiting.len() as u64;
            let unique = self.unique(folder, want);
            let delivery = Delivery { key, unique: unique.as_bytes(), letters: &letters, date: want.message().date };
            incoming.finish(batch, &delivery)?;
            waiting.insert(key, Waiting { folder, want: want.clone(), flags });
            return Ok(true);
        }
        Ok(false)
    }
}
