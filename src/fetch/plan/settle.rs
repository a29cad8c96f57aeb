//! PURE: what a retrieved message turns out to be, by its content.

use std::collections::{HashMap, HashSet};

use super::Plan;
use crate::mail::{Content, Digest};
use crate::state::seen::Row;

/// What a retrieved message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// That row's message, which is here already.
    Row(usize),
    /// Here already, without a row.
    Present,
    /// To be stored; `Some`: as that row's message.
    Store(Option<usize>),
}

/// The rows that retrieved messages may turn out to be; each is used up once.
#[derive(Debug, Default)]
pub struct Candidates {
    free: HashMap<Digest, Vec<usize>>,
}

impl Candidates {
    /// The rows that no listed message stands for.
    #[must_use]
    pub fn new(plan: &Plan, rows: &[Row]) -> Self {
        let mut free: HashMap<Digest, Vec<usize>> = HashMap::new();
        for &index in plan.free.iter().rev() {
            if let Some(content) = rows.get(index).and_then(|row| row.seen.content) {
                free.entry(content).or_default().push(index);
            }
        }
        Self { free }
    }

    /// Decides by content. `expected` is the plan's; `present` as in [`plan`], or given where a row of another tool is
    /// to be checked.
    pub fn settle(
        &mut self,
        content: &Content,
        expected: Option<(usize, &Row)>,
        present: Option<&HashSet<Digest>>,
    ) -> Settled {
        let missing = present.is_some_and(|all| !all.contains(&content.digest));
        let here = |row| if missing { Settled::Store(Some(row)) } else { Settled::Row(row) };
        if let Some((index, row)) = expected {
            match row.seen.content {
                Some(known) if known == content.digest => return here(index),
                // Another tool stored it, if it is here at all.
                None if present.is_some() => return here(index),
                None => return Settled::Store(Some(index)),
                // Its id names another message now; itself it may come under another.
                Some(known) => self.free.entry(known).or_default().push(index),
            }
        }
        if let Some(row) = self.free.get_mut(&content.digest).and_then(Vec::pop) {
            return here(row);
        }
        if present.is_some() && !missing { Settled::Present } else { Settled::Store(None) }
    }
}
