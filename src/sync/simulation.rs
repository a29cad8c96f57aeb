//! Random histories of two sides in memory, carried to the end by the real planner: what must hold whatever happened.

mod run;
mod world;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::account::{Direction, Mode, OnDelete, OnRemoteDelete};
use crate::mail::{Flags, Side};
use crate::state::{FolderId, Mark};

use super::guard::Limits;
use super::op::Op;
use super::plan::{Rules, Trash};
use run::Run;
use world::{CONTENTS, Deed, FOLDERS, Ledger, Server, World};

const ENDLESS: usize = usize::MAX;

/// One thing of a history.
#[derive(Clone)]
enum Event {
    Deed(Deed),
    /// A run that dies after so many half-steps.
    Crash(usize),
    /// A whole run.
    Run,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deed(deed) => write!(f, "{deed:?}"),
            Self::Crash(fuel) => write!(f, "run that dies after {fuel} half-steps"),
            Self::Run => write!(f, "run"),
        }
    }
}

fn rules() -> Rules {
    Rules {
        direction: Direction::Both,
        mode: Mode::Sync,
        on_delete: OnDelete::Expunge,
        on_remote_delete: OnRemoteDelete::Delete,
        expunge: false,
        max_size: None,
        limit: None,
        guard: Limits { percent: 100, allow: true },
        trash: Trash::Found,
    }
}

fn any_side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Local), Just(Side::Remote)]
}

fn any_folder() -> impl Strategy<Value = FolderId> {
    proptest::sample::select(FOLDERS.to_vec())
}

fn any_flags() -> impl Strategy<Value = Flags> {
    let choices = ["", "\\Seen", "\\Flagged", "\\Seen \\Answered", "work", "\\Seen work"];
    proptest::sample::select(choices.to_vec()).prop_map(|text| text.split_whitespace().collect())
}

/// Deeds that leave state and UIDs alone.
fn any_plain_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        5 => (any_side(), any_folder(), 0..CONTENTS, any_flags()).prop_map(|(s, f, c, m)| Deed::Add(s, f, c, m)),
        2 => (any_side(), 0usize..20).prop_map(|(s, n)| Deed::Delete(s, n)),
        2 => (any_side(), 0usize..20, any_flags()).prop_map(|(s, n, m)| Deed::Mark(s, n, m)),
        2 => (any_side(), 0usize..20, any_folder()).prop_map(|(s, n, f)| Deed::Move(s, n, f)),
        1 => (any_side(), 0usize..20, any_folder()).prop_map(|(s, n, f)| Deed::Copy(s, n, f)),
        1 => (0usize..20).prop_map(Deed::Rename),
    ]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        14 => any_plain_deed(),
        1 => Just(Deed::Lose),
        1 => any_folder().prop_map(Deed::Renumber),
    ]
}

fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => any_deed().prop_map(Event::Deed),
        1 => (0usize..12).prop_map(Event::Crash),
        1 => Just(Event::Run),
    ];
    proptest::collection::vec(event, 1..24)
}

fn any_server() -> impl Strategy<Value = Server> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(uidplus, moves, email_ids)| Server {
        uidplus,
        moves,
        email_ids,
    })
}

/// Both sides, for a message that a person can read.
fn show(world: &World) -> String {
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
struct Books {
    before: Vec<usize>,
    ledger: Ledger,
}

impl Books {
    fn open(world: &World) -> Self {
        let before = (0..CONTENTS).map(|c| world.count(Side::Local, c)).collect();
        Self { before, ledger: Ledger::default() }
    }

    /// At least so many must be left on one side at any time, and on both in the end.
    fn at_least(&self, content: u8) -> usize {
        let tally = self.ledger.by_content.get(&content).copied().unwrap_or_default();
        let [a, b] = tally.added;
        // A new copy where the other side has moved the message to is taken for the moved one.
        let new = a.max(b).saturating_sub(tally.moved);
        (self.before[usize::from(content)] + new).saturating_sub(tally.deleted.iter().sum())
    }

    /// At most so many may be there in the end.
    fn at_most(&self, content: u8) -> usize {
        let tally = self.ledger.by_content.get(&content).copied().unwrap_or_default();
        let most = self.before[usize::from(content)] + tally.added.iter().sum::<usize>() + tally.moved;
        if self.ledger.blurred { most } else { most - tally.deleted[0].max(tally.deleted[1]).min(most) }
    }
}

fn nothing_vanished(world: &World, books: &Books) -> Result<(), TestCaseError> {
    for c in 0..CONTENTS {
        let there = world.count(Side::Local, c).max(world.count(Side::Remote, c));
        prop_assert!(there >= books.at_least(c), "content {c}: {there} left of {}\n{}", books.at_least(c), show(world));
    }
    Ok(())
}

fn both_agree(world: &World, books: &Books, ops: &[Op]) -> Result<(), TestCaseError> {
    let (mut local, remote) = (world.picture(Side::Local), world.picture(Side::Remote));
    // What was sent and is not found again stands here alone: it is never sent twice (HAZARDS 14).
    for row in world.rows.values().filter(|r| r.mark == Mark::Sent) {
        let list = local.get_mut(&row.folder).unwrap();
        let id = row.identity.digest.unwrap().0[0];
        let at = list.iter().position(|(c, _)| *c == id).expect("a sent file");
        list.remove(at);
    }
    prop_assert_eq!(&local, &remote, "the sides differ\n{}\nafter {:#?}", show(world), ops);
    for c in 0..CONTENTS {
        let there = world.count(Side::Remote, c);
        let (least, most) = (books.at_least(c), books.at_most(c));
        prop_assert!(
            least <= there && there <= most,
            "content {c}: {there} not in {least}..={most}\n{}\nafter {ops:#?}",
            show(world)
        );
    }
    Ok(())
}

/// A whole run, after which both sides agree and a second run has nothing to do.
fn run_and_check(world: &mut World, books: &Books, rules: &Rules) -> Result<(), TestCaseError> {
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

fn live_through(history: &[Event], server: Server, rules: &Rules) -> Result<World, TestCaseError> {
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
            Event::Run => {
                run_and_check(&mut world, &books, rules)?;
                books = Books::open(&world);
            }
        }
    }
    run_and_check(&mut world, &books, rules)?;
    Ok(world)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_sides_agree_whatever_happened(history in any_history(), server in any_server()) {
        live_through(&history, server, &rules())?;
    }
}
