//! The plan against every odd server of the catalogue, and against a model.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::mail::Content;
use crate::state::seen::{RowId, Seen};

const NOW: Timestamp = Timestamp(1_000_000_000);

fn rules(keep: Keep) -> Rules {
    Rules { keep, finish_deletions: true, trust: Trust::Ids, limit: None, max_size: None, now: NOW }
}

fn entry(number: u32, key: &str, size: u64) -> Entry {
    Entry { number, key: (!key.is_empty()).then(|| key.as_bytes().to_vec()), size: Some(size) }
}

/// A delivered message: its header is `h<text>`, its content `c<text>`.
fn row(key: &str, size: u64, text: &str) -> Row {
    Row {
        id: RowId(1),
        seen: Seen {
            uidl: (!key.is_empty()).then(|| key.as_bytes().to_vec()),
            size: Some(size),
            header: Some(Digest::of(format!("h{text}").as_bytes())),
            content: Some(Digest::of(format!("c{text}").as_bytes())),
            first_seen: Timestamp(NOW.0 - 86_400),
            folder: "INBOX".into(),
            file: Some(b"1.x".to_vec()),
            status: Status::Delivered,
            absent: None,
        },
    }
}

fn with(mut row: Row, change: impl FnOnce(&mut Seen)) -> Row {
    change(&mut row.seen);
    row
}

fn headers(of: &[(u32, &str)]) -> Headers {
    let digest = |text: &str| (!text.is_empty()).then(|| Digest::of(format!("h{text}").as_bytes()));
    of.iter().map(|(n, text)| (*n, digest(text))).collect()
}

fn content(text: &str) -> Content {
    let mut content = crate::mail::ContentHasher::new().finish();
    content.digest = Digest::of(format!("c{text}").as_bytes());
    content
}

fn run(entries: &[Entry], rows: &[Row], heads: &[(u32, &str)], rules: &Rules) -> Plan {
    plan(entries, rows, &headers(heads), rules, None)
}

fn fetch(entry: usize) -> Action {
    Action::Retrieve { entry, expected: None }
}

fn check(entry: usize, row: usize) -> Action {
    Action::Retrieve { entry, expected: Some(row) }
}

#[test]
fn new_ones_are_retrieved_and_known_ones_left_alone() {
    let entries = [entry(1, "a", 10), entry(2, "b", 20)];
    let plan = run(&entries, &[row("a", 10, "a")], &[], &rules(Keep::Keep));
    assert_eq!(plan, Plan { actions: vec![fetch(1)], ..Plan::default() });
}

#[test]
fn a_known_one_is_deleted_only_with_its_header() {
    let (entries, rows) = ([entry(1, "a", 10)], [row("a", 10, "a")]);
    let delete = rules(Keep::Delete);
    assert_eq!(run(&entries, &rows, &[], &delete).ask, [1]);
    assert_eq!(run(&entries, &rows, &[(1, "a")], &delete).actions, [Action::Delete { entry: 0, row: 0 }]);
    // Another header, or none to be had: the message itself must show it.
    assert_eq!(run(&entries, &rows, &[(1, "other")], &delete).actions, [check(0, 0)]);
    assert_eq!(run(&entries, &rows, &[(1, "")], &delete).actions, [check(0, 0)]);
}

#[test]
fn a_re_used_id_with_another_size_is_looked_at() {
    let (entries, rows) = ([entry(1, "a", 11)], [row("a", 10, "a")]);
    assert_eq!(run(&entries, &rows, &[], &rules(Keep::Keep)).ask, [1]);
    let plan = run(&entries, &rows, &[(1, "new")], &rules(Keep::Keep));
    assert_eq!((plan.actions, plan.left), (vec![fetch(0)], vec![0]));
    // The server only estimates sizes: known, and its new figure is kept; deleting needs the message itself.
    let plan = run(&entries, &rows, &[(1, "a")], &rules(Keep::Keep));
    assert_eq!((plan.actions, plan.refresh), (vec![], vec![(0, 0)]));
    assert_eq!(run(&entries, &rows, &[(1, "a")], &rules(Keep::Delete)).actions, [check(0, 0)]);
}

#[test]
fn a_server_that_gave_one_id_again_may_have_given_all() {
    let entries = [entry(1, "a", 10), entry(2, "b", 21), entry(3, "c", 30)];
    let rows = [row("a", 10, "a"), row("b", 20, "b"), row("c", 30, "c")];
    let keep = rules(Keep::Keep);
    assert_eq!(run(&entries, &rows, &[], &keep).ask, [2]);
    assert_eq!(run(&entries, &rows, &[(2, "new")], &keep).ask, [1, 3]);
    let plan = run(&entries, &rows, &[(1, "other"), (2, "new"), (3, "c")], &keep);
    assert_eq!((plan.actions, plan.left), (vec![fetch(0), fetch(1)], vec![0, 1]));
    // Only its size has changed, or there is no header: that proves nothing of the others.
    assert!(run(&entries, &rows, &[(2, "b")], &keep).ask.is_empty());
    assert!(run(&entries, &rows, &[(2, "")], &keep).ask.is_empty());
}

#[test]
fn the_neighbours_of_new_mail_are_looked_at() {
    let keep = Rules { trust: Trust::Neighbours, ..rules(Keep::Keep) };
    let names: Vec<String> = (1..=9).map(|n| format!("m{n}")).collect();
    let rows: Vec<Row> = names.iter().map(|name| row(name, 10, name)).collect();
    let mut entries: Vec<Entry> = (1..=9).zip(&names).map(|(n, name)| entry(n, name, 10)).collect();
    assert_eq!(run(&entries, &rows, &[], &keep), Plan::default());
    entries.push(entry(10, "new", 10));
    assert_eq!(run(&entries, &rows, &[], &keep).ask, [9, 8, 7, 6]);
    let same = [(9, "m9"), (8, "m8"), (7, "m7"), (6, "m6")];
    let plan = run(&entries, &rows, &same, &keep);
    assert_eq!((plan.ask, plan.actions), (vec![], vec![fetch(9)]));
    // The newest was deleted, and the next message got its id.
    let plan = run(&entries, &rows, &[(9, "other"), (8, "m8"), (7, "m7"), (6, "m6")], &keep);
    assert_eq!((plan.ask, plan.actions), (vec![], vec![check(8, 8), fetch(9)]));
    // What stays on the server by a limit is not new mail.
    let plan = run(&entries, &rows, &[], &Rules { limit: Some(0), ..keep });
    assert!(plan.ask.is_empty());
    // A server without TOP says nothing about it.
    let silent = [(9, ""), (8, ""), (7, ""), (6, "")];
    assert_eq!(run(&entries, &rows, &silent, &keep).actions, [fetch(9)]);
}

#[test]
fn another_port_shows_itself_by_a_sample() {
    let sample = Rules { trust: Trust::Sample, ..rules(Keep::Keep) };
    let names: Vec<String> = (1..=20).map(|n| format!("m{n}")).collect();
    let rows: Vec<Row> = names.iter().map(|name| row(name, 10, name)).collect();
    let entries: Vec<Entry> = (1..=20).zip(&names).map(|(n, name)| entry(n, name, 10)).collect();
    let asked = run(&entries, &rows, &[], &sample).ask;
    assert_eq!(asked, [20, 17, 14, 11, 8, 5, 2]);
    let mut heads: Vec<(u32, &str)> = asked.iter().map(|&n| (n, names[n as usize - 1].as_str())).collect();
    assert_eq!(run(&entries, &rows, &heads, &sample), Plan::default());
    heads[3].1 = "of another server";
    assert_eq!(run(&entries, &rows, &heads, &sample).ask.len(), 13);
    assert!(run(&[], &rows, &[], &sample).ask.is_empty());
}

#[test]
fn age_counts_from_the_first_sight() {
    let (entries, rows) = ([entry(1, "a", 10)], [row("a", 10, "a")]);
    let after = |seconds| rules(Keep::DeleteAfter(Duration::from_secs(seconds)));
    assert!(run(&entries, &rows, &[], &after(86_401)).ask.is_empty());
    assert_eq!(run(&entries, &rows, &[], &after(86_400)).ask, [1]);
    // A clock that went back deletes nothing.
    assert!(!is_old_enough(Timestamp(NOW.0 + 5), &after(0)));
}

#[test]
fn what_was_to_be_deleted_is_deleted_next_time_unless_told_to_keep() {
    let entries = [entry(1, "a", 10)];
    let rows = [with(row("a", 10, "a"), |s| s.status = Status::DeleteAsked)];
    let keep = rules(Keep::Keep);
    assert_eq!(run(&entries, &rows, &[(1, "a")], &keep).actions, [Action::Delete { entry: 0, row: 0 }]);
    let plan = run(&entries, &rows, &[], &Rules { finish_deletions: false, ..keep });
    assert_eq!((plan.actions, plan.ask, plan.refresh), (vec![], vec![], vec![(0, 0)]));
    let plan = run(&[], &rows, &[], &keep);
    assert_eq!((plan.gone, plan.left), (vec![0], vec![0]));
}

#[test]
fn servers_without_ids_go_by_the_header() {
    let entries = [entry(1, "", 10), entry(2, "", 20), entry(3, "", 10)];
    assert_eq!(run(&entries, &[], &[], &rules(Keep::Keep)).actions, [fetch(0), fetch(1), fetch(2)]);
    let rows = [row("", 20, "b"), row("", 10, "a")];
    assert_eq!(run(&entries, &rows, &[], &rules(Keep::Keep)).ask, [1, 2, 3]);
    let plan = run(&entries, &rows, &[(1, "a"), (2, "b"), (3, "a")], &rules(Keep::Keep));
    assert_eq!(plan.actions, [fetch(2)]);
    // Without TOP the contents decide.
    let plan = run(&entries, &rows, &[(1, ""), (2, ""), (3, "")], &rules(Keep::Keep));
    let mut candidates = Candidates::new(&plan, &rows);
    assert_eq!(plan.actions, [fetch(0), fetch(1), fetch(2)]);
    assert_eq!(candidates.settle(&content("a"), None, None), Settled::Row(1));
    assert_eq!(candidates.settle(&content("b"), None, None), Settled::Row(0));
    assert_eq!(candidates.settle(&content("a"), None, None), Settled::Store(None));
}

#[test]
fn repeated_ids_are_all_fetched_once() {
    let entries = [entry(1, "x", 10), entry(2, "x", 20), entry(3, "y", 5)];
    assert_eq!(run(&entries, &[], &[], &rules(Keep::Keep)).actions, [fetch(0), fetch(1), fetch(2)]);
    let rows = [row("x", 20, "b"), row("x", 10, "a"), row("y", 5, "c")];
    assert_eq!(run(&entries, &rows, &[], &rules(Keep::Keep)), Plan::default());
    // A third under the same id: the headers tell which it is.
    let entries = [entry(1, "x", 10), entry(2, "x", 20), entry(3, "x", 10)];
    assert_eq!(run(&entries, &rows[..2], &[], &rules(Keep::Keep)).ask, [1, 2, 3]);
    let plan = run(&entries, &rows[..2], &[(1, "new"), (2, "b"), (3, "a")], &rules(Keep::Keep));
    assert_eq!((plan.actions, plan.refresh), (vec![fetch(0)], vec![]));
}

#[test]
fn ids_that_change_at_every_login_are_bound_again_by_content() {
    let (entries, rows) = ([entry(1, "n1", 10), entry(2, "n2", 10)], [row("o1", 10, "a"), row("o2", 10, "b")]);
    let plan = run(&entries, &rows, &[], &rules(Keep::Keep));
    assert_eq!((plan.actions.as_slice(), plan.left.as_slice()), ([fetch(0), fetch(1)].as_slice(), [0, 1].as_slice()));
    let mut candidates = Candidates::new(&plan, &rows);
    assert_eq!(candidates.settle(&content("b"), None, None), Settled::Row(1));
    assert_eq!(candidates.settle(&content("b"), None, None), Settled::Store(None));
}

#[test]
fn an_id_that_comes_back_after_it_was_gone_is_looked_at() {
    let entries = [entry(1, "a", 10)];
    for change in
        [(|s: &mut Seen| s.status = Status::Gone) as fn(&mut Seen), |s: &mut Seen| s.absent = Some(Timestamp(5))]
    {
        let rows = [with(row("a", 10, "a"), change)];
        assert_eq!(run(&entries, &rows, &[], &rules(Keep::Keep)).ask, [1]);
        let plan = run(&entries, &rows, &[(1, "a")], &rules(Keep::Keep));
        assert_eq!((plan.actions, plan.refresh), (vec![], vec![(0, 0)]));
        assert_eq!(run(&entries, &rows, &[(1, "new")], &rules(Keep::Keep)).actions, [fetch(0)]);
    }
}

#[test]
fn an_empty_listing_forgets_nothing_at_once() {
    let rows = [row("a", 10, "a"), with(row("b", 10, "b"), |s| s.absent = Some(Timestamp(NOW.0 - RETENTION - 1)))];
    let plan = run(&[], &rows, &[], &rules(Keep::Delete));
    assert_eq!((plan.left, plan.forget, plan.free), (vec![0], vec![1], vec![0, 1]));
}

#[test]
fn limits_leave_the_rest() {
    let entries = [entry(1, "a", 10), entry(2, "b", 99), entry(3, "c", 10), entry(4, "d", 10)];
    let limited = Rules { limit: Some(1), max_size: Some(50), ..rules(Keep::Keep) };
    let skip = |entry, reason| Action::Skip { entry, reason };
    assert_eq!(
        run(&entries, &[row("c", 10, "c")], &[], &limited).actions,
        [fetch(0), skip(1, Reason::TooLarge), skip(3, Reason::Limit)]
    );
}

#[test]
fn rows_of_another_tool_are_known_by_their_id_and_checked_before_a_deletion() {
    let imported = with(row("a", 1, "a"), |s| (s.size, s.header, s.content) = (None, None, None));
    let (entries, rows) = ([entry(1, "a", 10)], [imported]);
    assert!(run(&entries, &rows, &[], &rules(Keep::Keep)).actions.is_empty());
    assert_eq!(run(&entries, &rows, &[], &rules(Keep::Delete)).actions, [check(0, 0)]);
    let here: HashSet<Digest> = [content("a").digest].into();
    let mut none = Candidates::default();
    assert_eq!(none.settle(&content("a"), Some((0, &rows[0])), Some(&here)), Settled::Row(0));
    assert_eq!(none.settle(&content("b"), Some((0, &rows[0])), Some(&here)), Settled::Store(Some(0)));
    assert_eq!(none.settle(&content("a"), Some((0, &rows[0])), None), Settled::Store(Some(0)));
}

#[test]
fn all_means_all_that_is_not_here() {
    let entries = [entry(1, "a", 10), entry(2, "b", 10), entry(3, "c", 10)];
    let rows = [row("a", 10, "a"), row("b", 10, "b")];
    let here: HashSet<Digest> = ["a", "c"].map(|t| content(t).digest).into();
    let plan = plan(&entries, &rows, &Headers::new(), &rules(Keep::Keep), Some(&here));
    assert_eq!(plan.actions, [check(1, 1), fetch(2)]);
    let mut candidates = Candidates::new(&plan, &rows);
    assert_eq!(candidates.settle(&content("b"), Some((1, &rows[1])), Some(&here)), Settled::Store(Some(1)));
    assert_eq!(candidates.settle(&content("c"), None, Some(&here)), Settled::Present);
}

#[test]
fn full_looks_at_every_header() {
    let (entries, rows) = ([entry(1, "a", 10)], [row("a", 10, "a")]);
    let full = Rules { trust: Trust::Nothing, ..rules(Keep::Keep) };
    assert_eq!(run(&entries, &rows, &[], &full).ask, [1]);
    assert_eq!(run(&entries, &rows, &[(1, "a")], &full), Plan::default());
}

/// A message of the model: id, size, text.
type Message = (u8, u8, u8);

fn messages() -> impl Strategy<Value = Vec<Message>> {
    proptest::collection::vec((0u8..4, 0u8..2, 0u8..4), 0..6)
}

fn listed(messages: &[Message]) -> Vec<Entry> {
    let name = |id: u8| if id == 0 { String::new() } else { format!("u{id}") };
    (1..).zip(messages).map(|(n, &(id, size, _))| entry(n, &name(id), u64::from(size))).collect()
}

proptest! {
    /// Whatever a server does with its ids between two runs: after the second, every content that it lists is here as often as
    /// it is listed at once or was before, nothing is stored twice, and only what is here is deleted.
    #[test]
    fn nothing_is_lost_whatever_the_ids_do(before in messages(), after in messages(), delete: bool, full: bool, top: bool) {
        let name = |id: u8| if id == 0 { String::new() } else { format!("u{id}") };
        let rows: Vec<Row> = before.iter().map(|&(id, size, text)| row(&name(id), u64::from(size), &text.to_string())).collect();
        let entries = listed(&after);
        let trust = if full { Trust::Nothing } else { Trust::Ids };
        let rules = Rules { trust, ..rules(if delete { Keep::Delete } else { Keep::Keep }) };
        let text = |n: u32| after[n as usize - 1].2.to_string();
        let mut heads = Headers::new();
        let mut made = plan(&entries, &rows, &heads, &rules, None);
        for _ in 0..2 {
            for number in std::mem::take(&mut made.ask) {
                heads.insert(number, top.then(|| Digest::of(format!("h{}", text(number)).as_bytes())));
            }
            made = plan(&entries, &rows, &heads, &rules, None);
        }
        prop_assert!(made.ask.is_empty());
        let mut candidates = Candidates::new(&made, &rows);
        let mut used = HashSet::new();
        let mut here: Vec<String> = before.iter().map(|m| m.2.to_string()).collect();
        for action in &made.actions {
            match action {
                Action::Retrieve { entry, expected } => {
                    let text = text(entries[*entry].number);
                    let expected = expected.map(|r| (r, &rows[r]));
                    match candidates.settle(&content(&text), expected, None) {
                        Settled::Row(r) => {
                            prop_assert!(used.insert(r), "one row for two messages");
                            prop_assert_eq!(before[r].2.to_string(), text);
                        }
                        Settled::Store(_) => here.push(text),
                        Settled::Present => prop_assert!(false),
                    }
                }
                Action::Delete { entry, row } => {
                    prop_assert!(used.insert(*row));
                    prop_assert_eq!(before[*row].2, after[*entry].2, "deletes another message");
                }
                Action::Skip { .. } => prop_assert!(false),
            }
        }
        for text in 0u8..4 {
            let count = |all: &[Message]| all.iter().filter(|m| m.2 == text).count();
            let stored = here.iter().filter(|t| **t == text.to_string()).count();
            // Where only an id and a size speak for a message, a server that gives both to another message hides it, until
            // a deletion or a full comparison looks at the header.
            if delete || full {
                prop_assert!(stored >= count(&after).max(count(&before)));
                prop_assert!(stored <= count(&after) + count(&before));
            }
        }
    }

    /// The same listing again asks for nothing.
    #[test]
    fn a_second_run_is_empty(all in messages()) {
        let name = |id: u8| if id == 0 { String::new() } else { format!("u{id}") };
        let rows: Vec<Row> = all.iter().map(|&(id, size, text)| row(&name(id), u64::from(size), &text.to_string())).collect();
        let heads = (1..).zip(&all).map(|(n, m)| (n, Some(Digest::of(format!("h{}", m.2).as_bytes())))).collect();
        let second = plan(&listed(&all), &rows, &heads, &rules(Keep::Keep), None);
        prop_assert!(second.ask.is_empty() && second.actions.is_empty() && second.left.is_empty());
    }
}
