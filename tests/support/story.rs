//! Sessions with much to lose, always the same for the same story: what a fault interrupts and a later run must complete.

use super::corpus::{Corpus, Kind};
use super::message::{Snapshot, differences, flags};
use super::proxy::Manner;
use super::rig::Rig;
use std::path::Path;

/// What the run under test has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// The first download of everything.
    Pull,
    /// New messages here only.
    Upload,
    /// New messages, flags, moves and deletions on both sides.
    Mixed,
    /// Moves and deletions only.
    MovesAndDeletions,
}

/// Every story.
pub const STORIES: [Story; 4] = [Story::Pull, Story::Upload, Story::Mixed, Story::MovesAndDeletions];

impl Story {
    /// An account at the point where the run under test begins.
    pub fn begin(self) -> Rig {
        let mut rig = Rig::usual("story");
        // Short, because a retry waits half of it.
        rig.ferry.set("timeout", "\"4s\"");
        rig.ferry.set("max_delete", "\"100%\"");
        let mut corpus = Corpus::new(self as u64 + 100);
        let mut session = rig.mailbox();
        for folder in ["Work", "Work/Entwürfe"] {
            session.create(folder);
        }
        for i in 0..12 {
            let kind = [Kind::Plain, Kind::EmptyBody, Kind::NoFinalNewline, Kind::LeadingDots][i % 4];
            let bytes = if i == 7 { corpus.twin() } else { corpus.of_kind(kind) };
            let folder = ["INBOX", "Work", "Work/Entwürfe"][i % 3];
            session.append(folder, &bytes, &corpus.flags(), corpus.date());
        }
        if self != Self::Pull {
            rig.ferry.sync();
            self.change(&rig, &mut corpus);
        }
        rig
    }

    fn change(self, rig: &Rig, corpus: &mut Corpus) {
        let (local, mut session) = (rig.local(), rig.mailbox());
        if self != Self::MovesAndDeletions {
            for folder in ["INBOX", "Work", "Work"] {
                local.deliver(folder, &corpus.of_kind(Kind::Plain), &flags("S work"), corpus.date());
            }
            let twin = corpus.twin();
            local.deliver("Work", &twin, &flags("S work"), 1_600_000_000);
        }
        if self == Self::Upload {
            return;
        }
        let at = |folder: &str, index: usize| {
            let mut all = local.messages(folder);
            all.sort_by_key(|m| m.date);
            all[index].place.clone()
        };
        let inbox = session.messages("INBOX");
        local.delete(Path::new(&at("Work/Entwürfe", 0)));
        local.mv("Work/Entwürfe", Path::new(&at("Work/Entwürfe", 0)), "INBOX");
        session.delete("INBOX", inbox[0].uid());
        session.mv("INBOX", inbox[1].uid(), "Work");
        if self == Self::Mixed {
            let work = session.messages("Work");
            session.store("INBOX", inbox[2].uid(), &flags("FRS todo"));
            session.store("Work", work[0].uid(), &flags("F"));
            let path = at("Work/Entwürfe", 0);
            local.set_flags("Work/Entwürfe", Path::new(&path), &flags("RS later"));
            session.append("INBOX", &corpus.of_kind(Kind::Html), &flags(""), corpus.date());
            session.append("Work/Entwürfe", &corpus.same_message_id(), &flags("S"), corpus.date());
        }
    }

    /// What both sides hold in the end when nothing goes wrong, and how many bytes that run moved up and down.
    pub fn reference(self) -> (Snapshot, [u64; 2]) {
        use super::proxy::Way;
        let rig = self.begin();
        rig.sync();
        let bytes = [rig.proxy.passed(Way::Up), rig.proxy.passed(Way::Down)];
        self.settle(&rig);
        rig.assert_in_step();
        (rig.remote(), bytes)
    }

    /// Runs until all is done: after a fault once, and once more for what the run itself put into the Trash.
    pub fn settle(self, rig: &Rig) {
        rig.proxy.restart(Manner::default());
        rig.ferry.sync();
        rig.ferry.sync();
    }

    /// Settles after a fault; every difference from the reference, a line each.
    pub fn aftermath(self, rig: &Rig, reference: &Snapshot) -> String {
        self.settle(rig);
        let (remote, local) = (rig.remote(), rig.local());
        let mut out = differences(&remote, &local.snapshot());
        let lost = differences(reference, &remote);
        if !lost.is_empty() {
            out += &format!("against an undisturbed run (“server”):\n{lost}");
        }
        for path in local.leftovers() {
            out += &format!("left: {}\n", path.display());
        }
        out
    }
}
