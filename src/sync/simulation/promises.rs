//! What must hold after each event of a history.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::account::{Direction, Mode};
use crate::mail::Side;
use crate::state::Mark;

use super::super::op::Op;
use super::super::plan::Rules;
use super::run::Run;
use super::world::{self, CONTENTS, Ledger, Server, World};
use super::{ENDLESS, Event};

/// Both sides, for a message that a person can read.
pub(super) fn show(world: &World) -> String {
    let rows: Vec<String> = world
        .rows
        .values()
        .map(|r| {
            let file = r.file.as_deref().map(String::from_utf8_lossy);
            format!(
                "  {:?} in {} uid {:?} file {file:?} {:?} [{}]",
                r.id,
                r.folder.0,
                r.uid.map(|u| u.get()),
                r.mark,
                r.flags
            )
        })
        .collect();
    format!("local {:?}\nremote {:?}\nrows\n{}", world.local, world.remote, rows.join("\n"))
}

/// What both sides had of each content when they were last equal, and the bounds on what may be there now.
pub(super) struct Books {
    before: Vec<usize>,
    pub(super) ledger: Ledger,
}

impl Books {
    pub(super) fn open(world: &World) -> Self {
        let before = (0..CONTENTS).map(|c| world.count(Side::Local, c)).collect();
        Self { before, ledger: Ledger::default() }
    }

    /// At least so many must be left on one side at any time, and on both in the end.
    fn at_least(&self, content: u8) -> usize {
        let tally = self.ledger.by_content.get(&content).copied().unwrap_or_default();
        let [a, b] = tally.added;
        // A new copy where the other side has moved the message to is taken for the moved one.
        let moved: usize = tally.moved.iter().sum();
        let new = a.max(b).saturating_sub(moved);
        (self.before[usize::from(content)] + new).saturating_sub(tally.deleted.iter().sum::<usize>())
    }

    /// At most so many may be there in the end.
    fn at_most(&self, content: u8) -> usize {
        let tally = self.ledger.by_content.get(&content).copied().unwrap_or_default();
        let most =
            self.before[usize::from(content)] + tally.added.iter().sum::<usize>() + tally.moved.iter().sum::<usize>();
        if self.ledger.blurred { most } else { most - tally.deleted[0].max(tally.deleted[1]).min(most) }
    }
}

pub(super) fn nothing_vanished(world: &World, books: &Books) -> Result<(), TestCaseError> {
    for c in 0..CONTENTS {
        let there = world.count(Side::Local, c).max(world.count(Side::Remote, c));
        prop_assert!(there >= books.at_least(c), "content {c}: {there} left of {}\n{}", books.at_least(c), show(world));
    }
    Ok(())
}

fn both_agree(world: &World, books: &Books, ops: &[Op]) -> Result<(), TestCaseError> {
    let (mut local, mut remote) = (world.picture(Side::Local), world.picture(Side::Remote));
    // What was sent and is not found yet is bound with the next run, and never sent twice (HAZARDS 14).
    let sent = world.rows.values().any(|r| r.mark == Mark::Sent);
    for row in world.rows.values().filter(|r| r.mark == Mark::Sent) {
        let id = row.identity.digest.unwrap().0[0];
        let list = local.get_mut(&row.folder).unwrap();
        list.remove(list.iter().position(|(c, _)| *c == id).expect("a sent file"));
        let bound =
            |uid: u32| world.rows.values().any(|r| r.folder == row.folder && r.uid.is_some_and(|u| u.get() == uid));
        if world.remote[&row.folder].messages.iter().any(|(uid, (c, _))| *c == id && !bound(*uid)) {
            let list = remote.get_mut(&row.folder).unwrap();
            if let Some(at) = list.iter().position(|(c, _)| *c == id) {
                list.remove(at);
            }
        }
    }
    if sent {
        [&mut local, &mut remote].into_iter().flat_map(|p| p.values_mut()).flatten().for_each(|m| m.1.clear());
    }
    prop_assert_eq!(&local, &remote, "the sides differ\n{}\nafter {:#?}", show(world), ops);
    for c in 0..CONTENTS {
        let there = world.count(Side::Remote, c);
        let digest = Some(world::content(c).digest);
        let sent = world.rows.values().filter(|r| r.mark == Mark::Sent && r.identity.digest == digest).count();
        let (least, most) = (books.at_least(c).saturating_sub(sent), books.at_most(c));
        prop_assert!(
            least <= there && there <= most,
            "content {c}: {there} not in {least}..={most}\n{}\nafter {ops:#?}",
            show(world)
        );
    }
    Ok(())
}

/// A whole run, after which both sides agree and a second run has nothing to do.
pub(super) fn run_and_check(world: &mut World, books: &Books, rules: &Rules) -> Result<(), TestCaseError> {
    let (ops, outcome) = Run::new(world, ENDLESS).run(rules);
    prop_assert!(outcome.is_ok());
    both_agree(world, books, &ops)?;
    let settled = world.clone();
    let (ops, _) = Run::new(world, ENDLESS).run(rules);
    prop_assert!(ops.iter().all(|op| op.side().is_none()), "a second run goes on\n{}\nwith {:#?}", show(&settled), ops);
    let (ops, _) = Run::new(world, ENDLESS).run(rules);
    prop_assert!(ops.is_empty(), "a third run goes on\n{}\nwith {:#?}", show(world), ops);
    Ok(())
}

/// A run under rules that may leave the sides different: what they promise of either side holds.
pub(super) fn run_as(world: &mut World, rules: &Rules) -> Result<Vec<Op>, TestCaseError> {
    let before = world.clone();
    let (ops, outcome) = Run::new(world, ENDLESS).run(rules);
    prop_assert!(outcome.is_ok());
    if rules.direction == Direction::Pull {
        prop_assert_eq!(&before.remote, &world.remote, "a pull changed the server with {:#?}", ops);
    }
    if rules.direction == Direction::Push {
        prop_assert_eq!(&before.local, &world.local, "a push changed the Maildir with {:#?}", ops);
    }
    let inodes = |world: &World| -> BTreeSet<u64> {
        world.local.values().flat_map(|d| d.files.values().map(|f| f.inode)).collect()
    };
    if rules.mode == Mode::Archive {
        prop_assert!(inodes(&before).is_subset(&inodes(world)), "an archive lost a file with {ops:#?}");
    }
    if rules.mode == Mode::Mirror {
        let known: BTreeSet<u8> = before.rows.values().filter_map(|r| r.identity.digest).map(|d| d.0[0]).collect();
        let alone: BTreeSet<u64> = before
            .local
            .values()
            .flat_map(|d| d.files.values().filter(|f| !known.contains(&f.content)).map(|f| f.inode))
            .collect();
        let recreated: BTreeSet<u64> = alone.difference(&inodes(world)).copied().collect();
        prop_assert!(recreated.is_empty(), "a mirror deleted what only the Maildir had: {recreated:?} with {ops:#?}");
        let (local, remote) = (world.picture(Side::Local), world.picture(Side::Remote));
        for (folder, mut list) in local {
            for message in &remote[&folder] {
                let at = list.iter().position(|m| m == message);
                prop_assert!(
                    at.is_some(),
                    "{message:?} of {folder:?} is not mirrored\n{}\nafter {ops:#?}",
                    show(world)
                );
                list.remove(at.unwrap());
            }
        }
    }
    if rules.direction == Direction::Push {
        // A move that meets a new UID of its message is carried across with the next run.
        let _ = Run::new(world, ENDLESS).run(rules);
    }
    let settled = world.clone();
    if rules.limit.is_none() {
        let (again, _) = Run::new(world, ENDLESS).run(rules);
        prop_assert!(
            again.iter().all(|op| op.side().is_none()),
            "a second run goes on\n{}\nwith {again:#?}",
            show(&settled)
        );
    }
    Ok(ops)
}

pub(super) fn live_through(history: &[Event], server: Server, rules: &Rules) -> Result<World, TestCaseError> {
    let mut world = World::new(server);
    let mut books = Books::open(&world);
    for event in history {
        match event {
            Event::Deed(deed) => world.carry_out(deed, &mut books.ledger),
            Event::Crash(fuel) => {
                let (_, outcome) = Run::new(&mut world, *fuel).run(rules);
                books.ledger.blurred |= outcome.is_err();
                nothing_vanished(&world, &books)?;
            }
            Event::As(manner) => {
                run_as(&mut world, &manner.rules())?;
                books.ledger.blurred = true;
                nothing_vanished(&world, &books)?;
            }
            Event::Run => {
                run_and_check(&mut world, &books, rules)?;
                books = Books::open(&world);
            }
        }
    }
    run_and_check(&mut world, &books, rules)?;
    Ok(world)
}
