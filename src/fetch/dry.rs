//! The plan of a dry run: what a run would do, as far as headers show it. Nothing is retrieved: some servers delete what was.

use std::collections::{HashMap, HashSet};

use crate::mail::Digest;
use crate::state::seen::Row;
use crate::ui::event::{Body, Planned};

use super::books::Mail;
use super::held::Held;
use super::job::Engine;
use super::plan::{self, Action, Headers, Plan, Reason, Rules};

/// Messages that are here and that a message under an unknown id may turn out to be: how many of each header.
pub struct Here(HashMap<Digest, u32>);

impl Here {
    /// What is here: rows that no listed message stands for, and files that stand for none.
    #[must_use]
    pub fn look(plan: &Plan, mail: &Mail, rows: &[Row], held: &Held) -> Self {
        let mut here = HashMap::new();
        if plan.actions.iter().any(is_new) {
            let of_rows = plan.free.iter().filter_map(|&row| rows.get(row)?.seen.header);
            for header in of_rows.chain(held.headers(&mail.folder)) {
                *here.entry(header).or_default() += 1;
            }
        }
        Self(here)
    }

    /// The messages whose headers are to be asked for.
    #[must_use]
    pub fn questions(&self, plan: &Plan, mail: &Mail, headers: &Headers) -> HashSet<u32> {
        let new = plan.actions.iter().filter(|action| is_new(action) && !self.0.is_empty());
        let numbers = new.filter_map(|action| Some(mail.entries.get(entry_of(action))?.number));
        numbers.filter(|number| !headers.contains_key(number)).collect()
    }

    /// The new messages (indexes) that are here already by their headers, one to one.
    #[must_use]
    pub fn matches(mut self, plan: &Plan, mail: &Mail, headers: &Headers) -> HashSet<usize> {
        let mut is_here = |at: usize| {
            let header = mail.entries.get(at).and_then(|entry| *headers.get(&entry.number)?);
            let left = header.and_then(|header| self.0.get_mut(&header)).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        let new = plan.actions.iter().filter(|action| is_new(action)).map(entry_of);
        new.filter(|&at| is_here(at)).collect()
    }
}

fn is_new(action: &Action) -> bool {
    matches!(action, Action::Retrieve { expected: None, .. })
}

fn entry_of(action: &Action) -> usize {
    match action {
        Action::Retrieve { entry, .. } | Action::Delete { entry, .. } | Action::Skip { entry, .. } => *entry,
    }
}

/// Tells the plan. `here`: see [`Here::matches`]; `present`: what the Maildir holds by content, where that decides.
pub fn tell_plan(
    engine: &Engine<'_>,
    (plan, mail, rows): (&Plan, &Mail, &[Row]),
    rules: &Rules,
    here: &HashSet<usize>,
    present: Option<&HashSet<Digest>>,
) {
    let tell = |action, side, at: usize, detail: Option<&str>| {
        let uid = mail.entries.get(at).filter(|_| mail.ids.is_empty()).map(|entry| entry.number);
        let detail = detail.map(str::to_owned);
        let planned = Planned { action, side, uid, uidl: mail.uidl(at), detail, ..Planned::default() };
        engine.tell(Some(&mail.folder), Body::Planned(planned));
    };
    let is_missing = |row: usize| {
        let content = rows.get(row).and_then(|row| row.seen.content);
        present.is_some_and(|all| !content.is_some_and(|content| all.contains(&content)))
    };
    for action in &plan.actions {
        match action {
            Action::Retrieve { entry, expected } => {
                let (known, missing) = (expected.is_some(), expected.is_some_and(is_missing));
                if here.contains(entry) || (known && !missing) {
                    tell("compare", "local", *entry, Some("retrieved, and stored only if it is not here already"));
                } else {
                    tell("download", "local", *entry, None);
                }
                if plan::is_old_enough(rules.now, rules) {
                    tell("delete", "remote", *entry, None);
                }
            }
            Action::Delete { entry, .. } => tell("delete", "remote", *entry, None),
            Action::Skip { entry, reason: Reason::TooLarge } => {
                tell("skip", "local", *entry, Some("larger than max_size"));
            }
            Action::Skip { entry, reason: Reason::Limit } => tell("skip", "local", *entry, Some("beyond --limit")),
        }
    }
}
