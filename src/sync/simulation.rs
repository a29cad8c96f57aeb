//! Random histories of two sides in memory, carried to the end by the real planner: what must hold whatever happened.

mod hazards;
mod promises;
mod run;
mod world;

use proptest::prelude::*;

use crate::account::{Direction, Mode, OnDelete, OnRemoteDelete};
use crate::mail::{Flags, Side};
use crate::state::{FolderId, Mark};

use super::guard::Limits;
use super::plan::{Rules, Trash};
use promises::{Books, live_through, run_and_check, run_as, show};
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

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(400),
        max_shrink_iters: 20_000,
        max_global_rejects: 200_000,
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
