//! The program dies at any of the points that it names between its steps.

use super::{Case, ground, of_stories, try_cases};
use crate::support::ferry::Running;
use crate::support::story::{Harm, STORIES, Stage, Story};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone)]
struct Point {
    story: Story,
    name: String,
    hit: u64,
}

impl Case for Point {
    fn story(&self) -> Story {
        self.story
    }

    fn name(&self) -> String {
        format!("{} {}:{}", self.story.name(), self.name, self.hit)
    }

    fn play(&self, stage: &Stage) -> Harm {
        let mut command = stage.ground.ferry.command(stage.story.command());
        command.env("MAILFERRY_CHECKPOINT", format!("{}:{}", self.name, self.hit));
        let outcome = Running::new(command).finish(Duration::from_secs(60));
        let mut harm = Harm::default();
        if outcome.signal.is_none() && outcome.code != Some(0) {
            harm.note(&format!("exit {:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr));
        }
        harm
    }
}

/// Every hit of every point that an undisturbed run passes.
fn points(stage: &Stage) -> Vec<Point> {
    stage.restore();
    let log = stage.ground.ferry.home().join("points");
    let mut command = stage.ground.ferry.command(stage.story.command());
    command.env("MAILFERRY_CHECKPOINT_LOG", &log);
    Running::new(command).finish(Duration::from_secs(60)).assert_code(0);
    let mut hits: BTreeMap<String, u64> = BTreeMap::new();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    text.lines().for_each(|name| *hits.entry(name.to_owned()).or_default() += 1);
    let all = |(name, count): (String, u64)| {
        (1..=count).map(move |hit| Point { story: stage.story, name: name.clone(), hit })
    };
    hits.into_iter().flat_map(all).collect()
}

#[test]
fn the_program_may_die_at_any_of_its_points() {
    let cases = of_stories(&STORIES, ground(), points);
    try_cases("points", cases, ground(), 50);
}
