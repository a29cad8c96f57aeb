//! The line is cut after any byte, in either direction.

use super::{Case, of_stories, try_cases};
use crate::support::ground::Kind;
use crate::support::proxy::{End, Fault, Manner, Way};
use crate::support::story::{Harm, Stage, Story};

#[derive(Clone)]
struct Cut {
    story: Story,
    way: Way,
    after: u64,
}

impl Case for Cut {
    fn story(&self) -> Story {
        self.story
    }

    fn name(&self) -> String {
        format!("{} {}:{}", self.story.name(), if self.way == Way::Up { "up" } else { "down" }, self.after)
    }

    fn play(&self, stage: &Stage) -> Harm {
        let end = if self.after.is_multiple_of(3) { End::Rst } else { End::Fin };
        let fault = Some(Fault::Cut { way: self.way, after: self.after, end });
        stage.ground.proxy.restart(Manner { fault, ..Manner::default() });
        let outcome = stage.run_hurried();
        let mut harm = Harm::default();
        if !matches!(outcome.code, Some(0 | 69 | 75)) {
            harm.note(&format!("exit {:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr));
        }
        harm
    }
}

#[test]
fn a_session_may_be_cut_after_any_byte() {
    let stories = [Story::Pull, Story::Mixed, Story::Upload, Story::Moves, Story::PopDelete];
    let cases = of_stories(&stories, Kind::FakeImap, |stage| {
        let mut cases = Vec::new();
        for (way, end) in [(Way::Up, stage.bytes[0]), (Way::Down, stage.bytes[1])] {
            cases.extend((0..end).map(|after| Cut { story: stage.story, way, after }));
        }
        cases
    });
    try_cases("cuts", cases, Kind::FakeImap, 60);
}
