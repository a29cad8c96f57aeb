//! The power goes after any change that the program makes to the disk, and of what was not yet durable any part is lost.

use super::{Case, of_stories, try_cases};
use crate::support::disk::Loss;
use crate::support::ground::{Kind, Saved};
use crate::support::story::{Allowed, Harm, STORIES, Stage, Story};
use std::collections::BTreeSet;

/// How many random losses at each moment.
const RANDOM: u64 = 8;

#[derive(Clone)]
struct Cut {
    story: Story,
    /// The last change that was made.
    change: usize,
    /// Which of the states that the server had then, from the latest back.
    earlier: usize,
    loss: Loss,
}

impl Case for Cut {
    fn story(&self) -> Story {
        self.story
    }

    fn name(&self) -> String {
        format!("{} {}:{}:{:?}", self.story.name(), self.change, self.earlier, self.loss)
    }

    fn play(&self, stage: &Stage) -> Harm {
        let film = stage.film();
        // Each stage has a film of its own, of about the same length.
        let mut change = self.change.min(film.recording.len() - 1);
        if !film.recording.is_moment(change) {
            change += 1;
        }
        let states = film.states(change);
        let server = film.state(states[self.earlier.min(states.len() - 1)]).clone();
        stage.ground.restore(&Saved { tree: film.recording.image(change, self.loss), server });
        Harm::default()
    }
}

/// Every different image of an undisturbed run.
fn images(stage: &Stage) -> Vec<Cut> {
    let film = stage.film();
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    let losses = [Loss::Nothing, Loss::Everything, Loss::Data, Loss::Zeros, Loss::Names];
    for change in (0..film.recording.len()).filter(|at| film.recording.is_moment(*at)) {
        let states = film.states(change);
        for loss in losses.into_iter().chain((0..RANDOM).map(Loss::Random)) {
            for earlier in BTreeSet::from([0, states.len() - 1]) {
                if seen.insert((states[earlier], film.recording.key(change, loss))) {
                    out.push(Cut { story: stage.story, change, earlier, loss });
                }
            }
        }
    }
    out
}

#[test]
fn the_power_may_go_at_any_moment() {
    let cases = of_stories(&STORIES, Kind::FakeImap, images);
    try_cases("power", cases, Kind::FakeImap, 60);
}

#[test]
fn a_disk_that_lies_loses_mail_and_that_is_seen() {
    let stage = Stage::new(Story::PopDelete, Kind::FakeImap);
    let film = stage.film();
    let last = film.recording.len() - 1;
    let server = film.state(film.states(last)[0]).clone();
    let mut harm = Vec::new();
    for recording in [&film.recording, &film.recording.on_a_lying_disk()] {
        stage.restore();
        let tree = recording.image(last, Loss::Everything);
        stage.ground.restore(&Saved { tree, server: server.clone() });
        harm.push(stage.aftermath(Allowed::Nothing));
    }
    assert_eq!(harm[0], Harm::default());
    assert_eq!((harm[1].lost, harm[1].doubled), (6, 0), "{}", harm[1].text);
}
