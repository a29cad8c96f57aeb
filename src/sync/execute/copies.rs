//! Messages that the server names (EMAILID, X-GM-MSGID) and that are here already: copied instead of fetched again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::mail::Uid;
use crate::maildir::{Batch, Delivery, Place};
use crate::severity::Severity as _;
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
        let mut batch = Batch::new(&self.engine.layout, &self.engine.file_system)?;
        let mut waiting = HashMap::new();
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for (folder, wants) in wanted {
            for (uid, want) in wants {
                let name = want.message().email_id.clone().filter(|_| want.row().is_none());
                let Some(name) = name else {
                    now.entry(folder).or_default().insert(uid, want);
                    continue;
                };
                let sources = self.engine.state().rows_by_email_id(&name)?;
                if self.copy_one((&mut batch, &mut waiting), folder, &want, &sources)? {
                    continue;
                }
                let set = if asked.insert(name) { &mut now } else { &mut later };
                set.entry(folder).or_default().insert(uid, want);
            }
        }
        self.commit(&mut batch, &mut waiting)?;
        Ok((now, later))
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
        for source in sources.iter().filter(|row| row.mark == Mark::Paired && row.identity.digest.is_some()) {
            let Some(from) = self.folders.get(&source.folder).filter(|f| f.dir.path.exists()) else { continue };
            let Some(place) = source.file.as_deref().and_then(Place::from_bytes) else { continue };
            let incoming = match batch.copy(&from.dir, &place, to) {
                Ok(incoming) => incoming,
                Err(error) if error.scope() <= crate::severity::Scope::Message => continue,
                Err(error) => return Err(error.into()),
            };
            if Some(incoming.content().digest) != source.identity.digest {
                continue;
            }
            let flags = self.mask(folder).keep(&want.message().flags.clone().unwrap_or_default());
            let letters = self.with_keywords(folder, |keywords| {
                flags.keywords.iter().for_each(|k| {
                    keywords.assign(k);
                });
                keywords.letters_of(&flags).0
            })?;
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
