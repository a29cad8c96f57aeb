//! The timetable: what is answered when.

use super::*;
use proptest::prelude::*;

const POLL: Duration = Duration::from_secs(300);
const START: u64 = 1_700_000_000_000;

fn at(ms: u64) -> Moment {
    Moment { steady: Duration::from_millis(ms), wall: Duration::from_millis(START + ms) }
}

fn sleep(ms: u64) -> Next {
    Next::Sleep(Duration::from_millis(ms))
}

/// An account that listens and has had its first round from 0 to 1 s.
fn settled() -> Agenda {
    let mut agenda = Agenda::new(POLL, true, at(0));
    agenda.note(News::Up, at(0));
    agenda.began(at(0));
    agenda.ended(Verdict::Clean, at(1000));
    agenda
}

#[test]
fn the_first_round_waits_for_the_listener_but_not_for_ever() {
    let mut agenda = Agenda::new(POLL, true, at(0));
    assert_eq!(agenda.next(at(0)), sleep(10_000));
    assert_eq!(agenda.next(at(10_000)), Next::Round);
    agenda.note(News::Up, at(50));
    assert_eq!(agenda.next(at(50)), Next::Round);
    assert_eq!(Agenda::new(POLL, false, at(0)).next(at(0)), Next::Round);
    let mut deaf = Agenda::new(POLL, true, at(0));
    deaf.note(News::Deaf, at(20));
    assert_eq!(deaf.next(at(20)), Next::Round);
}

#[test]
fn a_burst_is_one_round_and_is_not_put_off_for_ever() {
    let mut agenda = settled();
    assert_eq!(agenda.next(at(1000)), sleep(60_000));
    agenda.note(News::Changed, at(2000));
    assert_eq!(agenda.next(at(2000)), sleep(250));
    agenda.note(News::Changed, at(2200));
    assert_eq!(agenda.next(at(2250)), sleep(200));
    for ms in (2200..3000).step_by(100) {
        agenda.note(News::Changed, at(ms));
    }
    assert_eq!(agenda.next(at(3000)), Next::Round);
    agenda.began(at(3000));
    assert_eq!(agenda.next(at(3000)), sleep(60_000));
}

#[test]
fn what_comes_during_a_round_is_answered_after_it() {
    let mut agenda = settled();
    agenda.note(News::Changed, at(2000));
    agenda.began(at(2250));
    agenda.note(News::Changed, at(2300));
    agenda.ended(Verdict::Clean, at(2900));
    assert_eq!(agenda.next(at(2900)), Next::Round);
}

#[test]
fn the_poll_goes_on_without_news() {
    let agenda = settled();
    assert_eq!(agenda.next(at(299_000)), sleep(1000));
    assert_eq!(agenda.next(at(300_000)), Next::Round);
}

#[test]
fn a_lost_server_is_not_asked_until_it_is_back_or_the_poll_comes() {
    let mut agenda = settled();
    agenda.note(News::Lost, at(5000));
    assert!(!agenda.is_well());
    agenda.note(News::Changed, at(6000));
    assert_eq!(agenda.next(at(20_000)), sleep(60_000));
    assert_eq!(agenda.next(at(300_000)), Next::Round);
    agenda.note(News::Up, at(30_000));
    assert_eq!(agenda.next(at(30_000)), Next::Round);
    assert!(agenda.is_well());
    // A server that only refuses the listener goes on being asked.
    agenda.note(News::Deaf, at(31_000));
    agenda.began(at(31_000));
    agenda.note(News::Changed, at(32_000));
    assert_eq!(agenda.next(at(32_250)), Next::Round);
}

#[test]
fn failures_are_tried_again_after_growing_pauses() {
    let mut agenda = Agenda::new(POLL, false, at(0));
    let mut now = 0;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        agenda.began(at(now));
        agenda.ended(Verdict::Failed, at(now));
        // News does not shorten them.
        agenda.note(News::Changed, at(now + 1));
        let begun = now;
        while let Next::Sleep(more) = agenda.next(at(now)) {
            now += u64::try_from(more.as_millis()).unwrap();
        }
        pauses.push((now - begun) / 1000);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    agenda.ended(Verdict::Clean, at(now));
    agenda.began(at(now));
    agenda.ended(Verdict::Failed, at(now));
    assert_eq!(agenda.next(at(now)), sleep(2000));
}

#[test]
fn what_failed_in_part_waits_for_news_or_the_poll() {
    let mut agenda = settled();
    agenda.began(at(2000));
    agenda.ended(Verdict::Partial, at(2000));
    assert_eq!(agenda.next(at(10_000)), sleep(60_000));
    agenda.note(News::Changed, at(2100));
    assert_eq!(agenda.next(at(2500)), sleep(1500));
}

#[test]
fn a_suspension_is_noticed_by_the_wall_clock() {
    let mut agenda = settled();
    assert!(!agenda.tick(at(61_000)));
    let later =
        Moment { steady: Duration::from_secs(90), wall: Duration::from_millis(START) + Duration::from_secs(9000) };
    agenda.note(News::Lost, at(70_000));
    assert!(agenda.tick(later));
    // The connection is made anew, and then a round is due.
    assert_eq!(agenda.next(later), sleep(60_000));
    let up = Moment { steady: Duration::from_secs(93), ..later };
    agenda.note(News::Up, up);
    assert_eq!(agenda.next(up), Next::Round);
    // A clock that was set back.
    let mut agenda = settled();
    let back = Moment { steady: Duration::from_secs(61), wall: Duration::from_secs(1) };
    assert!(agenda.tick(back));
    assert_eq!(agenda.next(back), sleep(2000));
    assert!(!agenda.tick(back));
}

#[test]
fn programs_that_undo_each_other_cannot_make_it_spin() {
    let mut agenda = settled();
    let mut now = 2000;
    let mut rounds = 0;
    while now < 62_000 {
        agenda.note(News::Changed, at(now));
        match agenda.next(at(now)) {
            Next::Round => {
                agenda.began(at(now));
                agenda.ended(Verdict::Clean, at(now));
                rounds += 1;
            }
            Next::Sleep(more) => now += u64::try_from(more.as_millis()).unwrap().max(1),
        }
    }
    assert!((20..=41).contains(&rounds), "{rounds}");
}

proptest! {
    /// Whatever happens: no sleep is zero or longer than a nap, and every piece of news is answered in the end.
    #[test]
    fn it_neither_spins_nor_forgets(steps in proptest::collection::vec((0u8..8, 0u64..5_000), 1..60)) {
        let mut agenda = Agenda::new(POLL, true, at(0));
        let mut now = 0;
        for (what, passed) in steps {
            now += passed;
            prop_assert!(!agenda.tick(at(now)));
            match what {
                0 | 1 => agenda.note(News::Changed, at(now)),
                2 => agenda.note(News::Up, at(now)),
                3 => agenda.note(News::Lost, at(now)),
                4 => agenda.note(News::Deaf, at(now)),
                _ => {
                    agenda.began(at(now));
                    let verdict = [Verdict::Clean, Verdict::Partial, Verdict::Failed][usize::from(what - 5)];
                    agenda.ended(verdict, at(now));
                }
            }
            if let Next::Sleep(more) = agenda.next(at(now)) {
                prop_assert!(!more.is_zero() && more <= NAP);
            }
        }
        agenda.note(News::Changed, at(now));
        let end = now + 600_000;
        while let Next::Sleep(more) = agenda.next(at(now)) {
            now += u64::try_from(more.as_millis()).unwrap().max(1);
            prop_assert!(now < end);
        }
    }
}
