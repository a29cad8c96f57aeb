//! The hazards that two sides in memory can show, one test each.

use crate::account::{Direction, Mode, OnDelete, OnRemoteDelete};
use crate::mail::{Flags, Side};
use crate::state::{FolderId, Mark};

use super::super::op::{Op, Removal};
use super::super::plan::{Rules, Trash};
use super::run::Run;
use super::world::{Deed, FOLDERS, Ledger, Server, TRASH, World};
use super::{ENDLESS, archive, rules, show};

const INBOX: FolderId = FOLDERS[0];
const WORK: FolderId = FOLDERS[1];
const PLAIN: Server = Server { uidplus: true, moves: true, email_ids: false };

/// A world in which both sides hold these contents in INBOX.
fn both_have(contents: &[u8], server: Server) -> World {
    let mut world = World::new(server);
    for &content in contents {
        world.add_remote(INBOX, content, Flags::none());
    }
    run(&mut world, &rules());
    world
}

fn run(world: &mut World, rules: &Rules) -> Vec<Op> {
    let (ops, outcome) = Run::new(world, ENDLESS).run(rules);
    outcome.expect("a run that does not die");
    ops
}

fn act(world: &mut World, deed: Deed) {
    world.carry_out(&deed, &mut Ledger::default());
}

fn counts(world: &World, content: u8) -> (usize, usize) {
    (world.count(Side::Local, content), world.count(Side::Remote, content))
}

#[test]
fn hazard_01_a_renumbered_folder_deletes_nothing() {
    let mut world = both_have(&[0, 2], PLAIN);
    act(&mut world, Deed::Delete(Side::Remote, 0));
    act(&mut world, Deed::Renumber(INBOX));
    let ops = run(&mut world, &rules());
    assert!(!ops.iter().any(|op| matches!(op, Op::DeleteLocal { .. } | Op::DeleteRemote { .. })), "{ops:#?}");
    assert_eq!((counts(&world, 0), counts(&world, 2)), ((1, 1), (1, 1)), "{}", show(&world));
}

#[test]
fn hazard_01_what_a_renumbered_folder_lost_waits_and_is_never_deleted_here() {
    let mut world = both_have(&[0, 2], PLAIN);
    let pull = Rules { direction: Direction::Pull, ..rules() };
    act(&mut world, Deed::Delete(Side::Remote, 0));
    act(&mut world, Deed::Renumber(INBOX));
    run(&mut world, &pull);
    act(&mut world, Deed::Mark(Side::Local, 0, ["\\Seen"].into_iter().collect()));
    act(&mut world, Deed::Mark(Side::Local, 1, ["\\Seen"].into_iter().collect()));
    run(&mut world, &pull);
    assert_eq!(counts(&world, 0), (1, 0), "{}", show(&world));
    run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (1, 1), "{}", show(&world));
}

#[test]
fn hazard_04_a_declined_deletion_keeps_its_mark_in_a_renumbered_folder_whatever_dies() {
    let ignore = Rules { on_delete: OnDelete::Ignore, ..rules() };
    for fuel in 0..8 {
        let mut world = both_have(&[0, 2], PLAIN);
        let at = world.position(Side::Local, 0).unwrap();
        act(&mut world, Deed::Delete(Side::Local, at));
        run(&mut world, &ignore);
        act(&mut world, Deed::Renumber(INBOX));
        let _ = Run::new(&mut world, fuel).run(&ignore);
        run(&mut world, &ignore);
        run(&mut world, &ignore);
        assert_eq!((counts(&world, 0), counts(&world, 2)), ((0, 1), (1, 1)), "dead after {fuel}\n{}", show(&world));
    }
}

#[test]
fn twins_of_which_each_side_moves_another_stay_two() {
    let mut world = both_have(&[0, 0], PLAIN);
    act(&mut world, Deed::Move(Side::Local, 0, WORK));
    act(&mut world, Deed::Move(Side::Remote, 1, WORK));
    let ops = run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (2, 2), "{ops:#?}");
    assert_eq!(world.picture(Side::Local)[&WORK].len(), 1, "{}", show(&world));
}

#[test]
fn hazard_03_an_inode_used_again_is_no_move() {
    let mut world = both_have(&[0], PLAIN);
    let inode = world.local[&INBOX].files.values().next().unwrap().inode;
    act(&mut world, Deed::Delete(Side::Local, 0));
    world.add_local(WORK, 2, Flags::none());
    world.directory(WORK).files.values_mut().for_each(|f| f.inode = inode);
    let ops = run(&mut world, &rules());
    assert!(!ops.iter().any(|op| matches!(op, Op::MoveRemote { .. })), "{ops:#?}");
    assert_eq!((counts(&world, 0), counts(&world, 2)), ((0, 0), (1, 1)));
}

#[test]
fn hazard_03_a_renamed_file_is_known_before_a_twin_is_paired() {
    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Rename(0));
    world.add_remote(INBOX, 0, Flags::none());
    run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (2, 2), "{}", show(&world));
}

#[test]
fn hazard_04_a_declined_deletion_stays_declined_under_other_rules() {
    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Delete(Side::Local, 0));
    run(&mut world, &Rules { on_delete: OnDelete::Ignore, ..rules() });
    run(&mut world, &rules());
    act(&mut world, Deed::Move(Side::Remote, 0, WORK));
    run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (0, 1), "ignored {}", show(&world));

    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Delete(Side::Remote, 0));
    run(&mut world, &archive());
    run(&mut world, &rules());
    act(&mut world, Deed::Rename(0));
    run(&mut world, &rules());
    act(&mut world, Deed::Move(Side::Local, 0, WORK));
    run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (1, 0), "kept {}", show(&world));
}

#[test]
fn hazard_04_an_archive_keeps_what_a_mirror_would_delete() {
    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Delete(Side::Remote, 0));
    run(&mut world, &archive());
    let (direction, mode) = (Direction::Pull, Mode::Mirror);
    let mirror = Rules { direction, mode, on_remote_delete: OnRemoteDelete::Delete, ..rules() };
    run(&mut world, &mirror);
    assert_eq!(counts(&world, 0), (1, 0));
}

#[test]
fn hazard_12_a_move_that_may_not_be_carried_across_is_no_deletion() {
    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Move(Side::Local, 0, WORK));
    let pull = Rules { direction: Direction::Pull, ..rules() };
    run(&mut world, &pull);
    run(&mut world, &pull);
    assert_eq!(counts(&world, 0), (1, 1));
    let ops = run(&mut world, &rules());
    assert!(matches!(ops.as_slice(), [Op::MoveRemote { .. }]), "{ops:#?}");
}

#[test]
fn hazard_14_what_was_sent_is_not_sent_again() {
    let mut world = World::new(Server { uidplus: false, ..PLAIN });
    world.add_local(INBOX, 4, Flags::none());
    run(&mut world, &rules());
    assert_eq!(world.rows.values().map(|r| r.mark).collect::<Vec<_>>(), [Mark::Sent]);
    let ops = run(&mut world, &rules());
    assert!(matches!(ops.as_slice(), [Op::Pair { .. }]), "{ops:#?}");
    assert!(run(&mut world, &rules()).is_empty());
    assert_eq!(counts(&world, 4), (1, 1));
}

#[test]
fn hazard_16_a_message_moved_on_both_sides_ends_where_the_server_has_it() {
    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Move(Side::Local, 0, WORK));
    act(&mut world, Deed::Move(Side::Remote, 0, TRASH));
    run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (1, 1));
    assert_eq!(world.picture(Side::Local)[&TRASH].len(), 1, "{}", show(&world));
}

#[test]
fn hazard_16_the_rest_of_a_move_that_died_is_not_trashed() {
    for fuel in 0..8 {
        let mut world = both_have(&[0], Server { moves: false, ..PLAIN });
        let trashing = Rules { on_delete: OnDelete::Trash, ..rules() };
        act(&mut world, Deed::Move(Side::Local, 0, WORK));
        let (_, outcome) = Run::new(&mut world, fuel).run(&trashing);
        if outcome.is_err() {
            run(&mut world, &trashing);
        }
        assert_eq!(counts(&world, 0), (1, 1), "died after {fuel} half-steps\n{}", show(&world));
        assert_eq!(world.picture(Side::Remote)[&WORK].len(), 1);
    }
}

#[test]
fn hazard_20_what_a_limit_left_is_taken_up_by_later_runs() {
    let mut world = World::new(PLAIN);
    for content in 0..4 {
        world.add_remote(INBOX, content, Flags::none());
    }
    let one = Rules { limit: Some(1), ..rules() };
    run(&mut world, &one);
    run(&mut world, &one);
    assert_eq!(world.picture(Side::Local)[&INBOX].len(), 2);
    run(&mut world, &rules());
    assert_eq!(world.picture(Side::Local), world.picture(Side::Remote));
}

#[test]
fn hazard_23_a_file_moved_by_a_reader_keeps_its_keywords() {
    let mut world = both_have(&[], PLAIN);
    world.add_remote(INBOX, 0, ["work"].into_iter().collect());
    run(&mut world, &rules());
    act(&mut world, Deed::Move(Side::Local, 0, WORK));
    run(&mut world, &rules());
    run(&mut world, &rules());
    assert_eq!(world.picture(Side::Remote)[&WORK], [(0, "work".to_owned())]);
    assert_eq!(world.picture(Side::Local), world.picture(Side::Remote));
}

#[test]
fn hazard_25_without_the_trash_that_there_was_deletions_wait() {
    let mut world = both_have(&[0], PLAIN);
    act(&mut world, Deed::Delete(Side::Local, 0));
    let lost = Rules { on_delete: OnDelete::Trash, trash: Trash::Lost, ..rules() };
    assert!(run(&mut world, &lost).is_empty());
    assert!(run(&mut world, &lost).is_empty());
    let ops = run(&mut world, &Rules { trash: Trash::Found, ..lost });
    assert!(matches!(ops.as_slice(), [Op::DeleteRemote { removal: Removal::Trash, .. }]), "{ops:#?}");
}

#[test]
fn twins_moved_on_both_sides_and_renamed_stay_as_many() {
    let mut world = World::new(Server { uidplus: false, moves: false, email_ids: false });
    let (two, three) = (FOLDERS[1], FOLDERS[2]);
    for folder in [three, two, two, INBOX, two] {
        world.add_local(folder, 0, Flags::none());
        run(&mut world, &rules());
    }
    run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (5, 5));
    act(&mut world, Deed::Move(Side::Remote, 2, INBOX));
    act(&mut world, Deed::Move(Side::Local, 1, INBOX));
    act(&mut world, Deed::Rename(2));
    let ops = run(&mut world, &rules());
    assert_eq!(counts(&world, 0), (5, 5), "{}\n{ops:#?}", show(&world));
}
