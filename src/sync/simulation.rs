//! Random histories of two sides in memory, carried to the end by the real planner: what must hold whatever happened.

mod hazards;
mod run;
mod world;

use std::collections::BTreeSet;

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
    /// A whole run under other rules.
    As(Manner),
}

/// Other rules, after which both sides need not agree.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Pull,
    Push,
    Mirror,
    Limit,
    Small,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deed(deed) => write!(f, "{deed:?}"),
            Self::Crash(fuel) => write!(f, "run that dies after {fuel} half-steps"),
            Self::Run => write!(f, "run"),
            Self::As(manner) => write!(f, "run as {manner:?}"),
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

impl Manner {
    fn rules(self) -> Rules {
        match self {
            Self::Pull => Rules { direction: Direction::Pull, ..rules() },
            Self::Push => Rules { direction: Direction::Push, ..rules() },
            Self::Mirror => Rules { direction: Direction::Pull, mode: Mode::Mirror, ..rules() },
            Self::Limit => Rules { limit: Some(1), ..rules() },
            Self::Small => Rules { max_size: Some(102), ..rules() },
        }
    }
}

fn archive() -> Rules {
    let (direction, mode) = (Direction::Pull, Mode::Archive);
    Rules { direction, mode, on_remote_delete: OnRemoteDelete::Keep, ..rules() }
}

fn any_manner() -> impl Strategy<Value = Manner> {
    proptest::sample::select(vec![Manner::Pull, Manner::Push, Manner::Mirror, Manner::Limit, Manner::Small])
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
        1 => any_manner().prop_map(Event::As),
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
        let moved: usize = tally.moved.iter().sum();
        let new = a.max(b).saturating_sub(moved);
        // A moved twin may be taken for another one that came to the same place: equal messages become one.
        let merged = moved;
        (self.before[usize::from(content)] + new).saturating_sub(tally.deleted.iter().sum::<usize>() + merged)
    }

    /// At most so many may be there in the end.
    fn at_most(&self, content: u8) -> usize {
        let tally = self.ledger.by_content.get(&content).copied().unwrap_or_default();
        let most =
            self.before[usize::from(content)] + tally.added.iter().sum::<usize>() + tally.moved.iter().sum::<usize>();
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

/// A run under rules that may leave the sides different: what they promise of either side holds.
fn run_as(world: &mut World, rules: &Rules) -> Result<Vec<Op>, TestCaseError> {
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

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(400),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..usual
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn both_sides_agree_whatever_happened(history in any_history(), server in any_server()) {
        live_through(&history, server, &rules())?;
    }

    #[test]
    fn pull_push_and_mirror_keep_their_promises(
        history in proptest::collection::vec(any_plain_deed(), 0..8),
        manners in proptest::collection::vec((any_manner(), proptest::collection::vec(any_plain_deed(), 0..6)), 1..4),
        server in any_server(),
    ) {
        let mut world = World::new(server);
        let mut ledger = Ledger::default();
        history.iter().for_each(|deed| world.carry_out(deed, &mut ledger));
        run_as(&mut world, &rules())?;
        for (manner, deeds) in manners {
            deeds.iter().for_each(|deed| world.carry_out(deed, &mut ledger));
            run_as(&mut world, &manner.rules())?;
        }
    }

    #[test]
    fn an_archive_never_loses_a_file(
        deeds in proptest::collection::vec(proptest::collection::vec(any_deed(), 0..6), 1..5),
        server in any_server(),
    ) {
        let mut world = World::new(server);
        let mut ledger = Ledger::default();
        for deeds in deeds {
            deeds.iter().for_each(|deed| world.carry_out(deed, &mut ledger));
            run_as(&mut world, &archive())?;
        }
    }

    #[test]
    fn what_is_trashed_reaches_the_local_trash_with_the_next_run(
        deeds in proptest::collection::vec(proptest::collection::vec(any_plain_deed(), 0..6), 1..4),
        server in any_server(),
    ) {
        let rules = Rules { on_delete: OnDelete::Trash, ..rules() };
        let mut world = World::new(server);
        for deeds in deeds {
            let mut books = Books::open(&world);
            deeds.iter().for_each(|deed| world.carry_out(deed, &mut books.ledger));
            books.ledger.blurred = true;
            let (ops, _) = Run::new(&mut world, ENDLESS).run(&rules);
            let (mut local, mut remote) = (world.picture(Side::Local), world.picture(Side::Remote));
            if world.rows.values().all(|r| r.mark != Mark::Sent) {
                local.remove(&world::TRASH);
                remote.remove(&world::TRASH);
                prop_assert_eq!(&local, &remote, "{}\nafter {:#?}", show(&world), ops);
            }
            run_and_check(&mut world, &books, &rules)?;
        }
    }

    #[test]
    fn swapping_the_sides_mirrors_the_outcome(
        places in proptest::collection::vec((any_side(), any_folder()), usize::from(CONTENTS - 1)),
        deeds in proptest::collection::vec((any_fate(), any_fate()), usize::from(CONTENTS - 1)),
    ) {
        let both = |swap: bool| {
            let mut world = World::new(Server { uidplus: true, moves: true, email_ids: false });
            let mut ledger = Ledger::default();
            let side_of = |side: Side| if swap { side.other() } else { side };
            for (content, (side, folder)) in (0..).zip(&places) {
                world.carry_out(&Deed::Add(side_of(*side), *folder, content, Flags::none()), &mut ledger);
            }
            let _ = Run::new(&mut world, ENDLESS).run(&rules());
            for (content, (here, there)) in (0..).zip(&deeds) {
                for (side, fate) in [(Side::Local, here), (Side::Remote, there)] {
                    let side = side_of(side);
                    let Some(at) = world.position(side, content) else { continue };
                    match fate {
                        Fate::Stays => {}
                        Fate::Goes => world.carry_out(&Deed::Delete(side, at), &mut ledger),
                        Fate::Changes(flags) => world.carry_out(&Deed::Mark(side, at, flags.clone()), &mut ledger),
                        Fate::Moves(to) => world.carry_out(&Deed::Move(side, at, *to), &mut ledger),
                    }
                }
            }
            let (ops, _) = Run::new(&mut world, ENDLESS).run(&rules());
            (world.picture(Side::Local), world.picture(Side::Remote), ops)
        };
        // A message that was moved to different folders on the two sides follows the server.
        let rivals = deeds.iter().any(|d| matches!(d, (Fate::Moves(a), Fate::Moves(b)) if a != b));
        prop_assume!(!rivals);
        let (local, remote, ops) = both(false);
        prop_assert_eq!(&local, &remote, "the sides differ after {:#?}", ops);
        let (swapped, _, other) = both(true);
        prop_assert_eq!(local, swapped, "swapped it comes to something else: {:#?}\nand {:#?}", ops, other);
    }
}

/// What becomes of a message on one side.
#[derive(Clone, Debug)]
enum Fate {
    Stays,
    Goes,
    Changes(Flags),
    Moves(FolderId),
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let flags = proptest::sample::select(vec!["", "\\Seen", "\\Flagged"]);
    prop_oneof![
        Just(Fate::Stays),
        Just(Fate::Goes),
        flags.prop_map(|text| Fate::Changes(text.split_whitespace().collect())),
        any_folder().prop_map(Fate::Moves),
    ]
}
