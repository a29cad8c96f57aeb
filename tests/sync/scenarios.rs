//! The scenario tables of `tests/data/scenarios`, as they stand, with the sides swapped, in both layouts, with each extension off.
//!
//! `MAILFERRY_ROWS=text` runs only the rows whose place (`flags.txt:12 name`) contains the text.

use crate::support::dovecot::Options;
use crate::support::local::Layout;
use crate::support::scenario::{Variant, run};
use crate::support::scenario_table::{Group, load};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

/// So many groups of one variant at once: a run mostly waits for directory times to age.
const AT_ONCE: usize = 6;

fn groups() -> Vec<Group> {
    let mut all = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/scenarios"));
    if let Ok(text) = std::env::var("MAILFERRY_ROWS") {
        all.iter_mut().for_each(|g| g.rows.retain(|r| r.place.contains(&text)));
        all.retain(|g| !g.rows.is_empty());
    }
    all
}

fn play(variant: &Variant) {
    let wanted = groups().into_iter().filter(|g| !variant.mirrored || g.settings.mirror);
    let queue: Mutex<VecDeque<Group>> = Mutex::new(wanted.collect());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(group) = next(&queue) {
                    let found = run(&group, variant);
                    wrong.lock().unwrap_or_else(|e| e.into_inner()).extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_else(|e| e.into_inner());
    assert!(wrong.is_empty(), "{} complaints under {variant:?}:\n{}", wrong.len(), wrong.join("\n"));
}

fn next(queue: &Mutex<VecDeque<Group>>) -> Option<Group> {
    queue.lock().unwrap_or_else(|e| e.into_inner()).pop_front()
}

#[test]
fn there_are_enough_rows() {
    if std::env::var_os("MAILFERRY_ROWS").is_none() {
        let count: usize = groups().iter().map(|g| g.rows.len()).sum();
        assert!(count >= 60, "{count} rows");
    }
}

#[test]
fn as_they_stand() {
    play(&Variant::default());
}

#[test]
fn with_the_sides_swapped() {
    play(&Variant { mirrored: true, ..Variant::default() });
}

#[test]
fn in_maildir_plus_plus() {
    play(&Variant { layout: Layout::Plus, ..Variant::default() });
}

#[test]
fn with_another_separator() {
    play(&Variant { options: Options { separator: '.', ..Options::default() }, ..Variant::default() });
}

#[test]
fn with_a_namespace_prefix() {
    let options = Options { separator: '.', prefix: "INBOX.", ..Options::default() };
    play(&Variant { options, ..Variant::default() });
}

#[test]
fn with_no_special_use_attributes() {
    play(&Variant { options: Options { attributes: false, ..Options::default() }, ..Variant::default() });
}

/// A test for each set of capabilities that a server may lack.
macro_rules! without {
    ($($name:ident: $($capability:literal)+;)+) => { $(
        #[test]
        fn $name() {
            play(&Variant::without(&[$($capability),+]));
        }
    )+ };
}

without! {
    without_qresync: "QRESYNC";
    without_condstore: "CONDSTORE" "QRESYNC";
    without_uidplus: "UIDPLUS";
    without_move: "MOVE";
    without_move_and_uidplus: "MOVE" "UIDPLUS";
    without_list_status: "LIST-STATUS";
    without_list_extended: "LIST-EXTENDED" "LIST-STATUS";
    without_special_use: "SPECIAL-USE";
    without_literal_plus: "LITERAL+";
    without_multiappend: "MULTIAPPEND";
    without_esearch: "ESEARCH";
    without_enable: "ENABLE";
    without_namespace: "NAMESPACE";
    without_id: "ID";
    without_compress: "COMPRESS";
    without_anything: "QRESYNC" "CONDSTORE" "UIDPLUS" "MOVE" "LIST-STATUS" "LIST-EXTENDED" "SPECIAL-USE" "LITERAL+" "MULTIAPPEND"
        "ESEARCH" "ENABLE" "NAMESPACE" "ID" "COMPRESS" "SASL-IR" "IDLE" "NOTIFY" "UNSELECT" "CHILDREN" "STATUS=SIZE" "SEARCHRES"
        "BINARY" "CATENATE" "CONTEXT=SEARCH" "SAVEDATE" "PREVIEW" "PREVIEW=FUZZY" "WITHIN";
}
