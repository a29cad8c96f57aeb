//! The program is killed at any of its system calls.

use super::{Case, ground, of_stories, try_cases};
use crate::support::story::{Harm, STORIES, Stage, Story};
use crate::support::strace;
use std::collections::BTreeMap;

#[derive(Clone)]
struct Kill {
    story: Story,
    call: String,
    nth: u64,
}

impl Case for Kill {
    fn story(&self) -> Story {
        self.story
    }

    fn name(&self) -> String {
        format!("{} {}:{}", self.story.name(), self.call, self.nth)
    }

    fn play(&self, stage: &Stage) -> Harm {
        strace::killed(&stage.ground.ferry, stage.story.command(), &self.call, self.nth);
        Harm::default()
    }
}

/// Every system call of an undisturbed run. `strace` counts them by name and thread, so that is how they are named here.
fn calls(stage: &Stage) -> Vec<Kill> {
    stage.restore();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut of_thread: BTreeMap<(u32, String), u64> = BTreeMap::new();
    for call in strace::recorded(&stage.ground.ferry, stage.story.command(), "all") {
        let count = of_thread.entry((call.thread, call.name.clone())).or_default();
        *count += 1;
        let most = counts.entry(call.name).or_default();
        *most = (*most).max(*count);
    }
    let all =
        |(call, count): (String, u64)| (1..=count).map(move |nth| Kill { story: stage.story, call: call.clone(), nth });
    counts.into_iter().flat_map(all).collect()
}

#[test]
fn the_program_may_be_killed_at_any_system_call() {
    let cases = of_stories(&STORIES, ground(), calls);
    // The first call is strace's own: what runs the program.
    let cases = cases.into_iter().filter(|c| c.call != "execve").collect();
    try_cases("kills", cases, ground(), 50);
}
