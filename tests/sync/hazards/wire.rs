//! Hazards that come from what a server says or what other clients do meanwhile.

use super::*;
use std::sync::atomic::AtomicUsize;

/// A hook that acts before the server answers, at every command that contains a word.
fn before(word: &'static str, act: impl Fn(usize, &mut Store) + Send + Sync + 'static) -> Hook {
    let count = AtomicUsize::new(0);
    Box::new(move |command, store| {
        if command.line.to_ascii_uppercase().contains(word) {
            act(count.fetch_add(1, Ordering::SeqCst), store);
        }
        None
    })
}

#[test]
fn hazard_02_what_came_between_our_look_and_our_own_change_is_seen_later() {
    let hook = before(" APPEND ", |_, store| {
        store.folders.entry("INBOX".into()).or_default().add(&mail("theirs"), &[], DATE);
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS", &["a"]), hook);
    let ferry = ferry(&fake);
    ferry.sync();
    ferry.local().deliver("INBOX", &mail("ours"), &flags("S"), DATE);
    ferry.sync();
    ferry.sync();
    assert_eq!(local(&ferry, "INBOX"), ["a", "ours", "theirs"]);
    assert_eq!(remote(&fake, "INBOX"), ["a", "ours", "theirs"]);
}

#[test]
fn hazard_10_another_uidvalidity_in_the_middle_of_a_run_stops_every_change() {
    let armed = Arc::new(AtomicUsize::new(usize::MAX));
    let at = armed.clone();
    let renumber = move |store: &mut Store| {
        let mut folder = Folder::default();
        folder.uid_validity += 77;
        ["x", "y", "z"].iter().for_each(|name| _ = folder.add(&mail(name), &[], DATE));
        store.folders.insert("INBOX".into(), folder);
    };
    let hook: Hook = Box::new(move |command, store| {
        let line = command.line.to_ascii_uppercase();
        let opens = (line.contains("SELECT") || line.contains("EXAMINE")) && line.contains("INBOX");
        // The second time that the folder is opened in the run.
        if opens && at.load(Ordering::SeqCst) != usize::MAX && at.fetch_sub(1, Ordering::SeqCst) == 1 {
            renumber(store);
        }
        None
    });
    let mut store = holding("IMAP4rev1 UIDPLUS", &["a", "b", "c"]);
    store.folders.entry("Work".into()).or_default().add(&mail("w"), &[], DATE);
    let fake = FakeImap::with_hook(store, hook);
    let mut ferry = ferry(&fake);
    ferry.set("on_delete", "\"expunge\"");
    ferry.sync();
    delete(&ferry, "INBOX", "a");
    let b = ferry.local().messages("INBOX").into_iter().find(|m| subject(&m.bytes) == "b").expect("b");
    ferry.local().set_flags("INBOX", Path::new(&b.place), &flags("FS"));
    delete(&ferry, "Work", "w");
    armed.store(2, Ordering::SeqCst);
    ferry.json(&["sync"]);
    armed.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(remote(&fake, "INBOX"), ["x", "y", "z"], "deleted by a UID that meant another");
    let flagged = |m: &crate::support::fake_imap::Message| m.flags.contains("\\Flagged");
    assert!(!fake.store().folders["INBOX"].messages.iter().any(flagged), "another message was flagged");
    ferry.json(&["sync"]);
    let here = local(&ferry, "INBOX");
    assert!(["b", "c", "x", "y", "z"].iter().all(|n| here.iter().filter(|h| h == n).count() == 1), "{here:?}");
}

#[test]
fn hazard_15_a_refused_multiappend_that_stored_one_is_looked_up() {
    let hook: Hook = Box::new(|command, store| {
        if !command.line.to_ascii_uppercase().contains(" APPEND ") || command.literals.len() < 2 {
            return None;
        }
        let first = command.literals.first().cloned().unwrap_or_default();
        store.folders.entry("INBOX".into()).or_default().add(&first, &["\\Seen"], DATE);
        Some(b"{tag} NO something went wrong\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS MULTIAPPEND LITERAL+", &["a"]), hook);
    let ferry = ferry(&fake);
    ferry.sync();
    for name in ["n1", "n2", "n3"] {
        ferry.local().deliver("INBOX", &mail(name), &flags("S"), DATE);
    }
    for _ in 0..2 {
        ferry.json(&["sync"]);
    }
    assert!(fake.heard().matches(" APPEND ").count() >= 3, "one by one: {}", fake.heard());
    assert_eq!(remote(&fake, "INBOX"), ["a", "n1", "n2", "n3"]);
    assert_eq!(local(&ferry, "INBOX"), ["a", "n1", "n2", "n3"]);
}

#[test]
fn hazard_21_equal_figures_without_a_highestmodseq_prove_nothing() {
    for capabilities in ["IMAP4rev1", "IMAP4rev1 CONDSTORE", "IMAP4rev1 CONDSTORE LIST-EXTENDED LIST-STATUS"] {
        let fake = FakeImap::start(holding(capabilities, &["a", "b"]));
        let ferry = ferry(&fake);
        ferry.sync();
        ferry.sync();
        fake.change(|s| {
            let first = s.folders.get_mut("INBOX").and_then(|f| f.messages.first_mut()).expect("a message");
            first.flags.insert("\\Flagged".into());
        });
        ferry.sync();
        let first = ferry.local().messages("INBOX").into_iter().find(|m| subject(&m.bytes) == "a").expect("a");
        assert_eq!(first.flags, flags("FS"), "{capabilities}");
    }
}

#[test]
fn hazard_22_a_listing_out_of_order_is_sorted_first() {
    let hook: Hook = Box::new(|command, store| {
        let line = command.line.to_ascii_uppercase();
        if !line.contains("UID FETCH 1:*") || line.contains("BODY") {
            return None;
        }
        let messages = store.folders.get("INBOX").map(|f| f.messages.clone()).unwrap_or_default();
        let told = messages.iter().enumerate().rev().flat_map(|(i, m)| listing_line(i + 1, m));
        Some(told.chain(*b"{tag} OK in my own order\r\n").collect())
    });
    let names = ["a", "b", "c", "d", "e"];
    let fake = FakeImap::with_hook(holding("IMAP4rev1 UIDPLUS", &names), hook);
    let ferry = ferry(&fake);
    for _ in 0..3 {
        let outcome = ferry.json(&["sync"]);
        assert_done(&outcome, &[0]);
        assert_eq!(local(&ferry, "INBOX"), names);
        fake.change(|s| {
            let last = s.folders.get_mut("INBOX").and_then(|f| f.messages.last_mut()).expect("a message");
            last.flags.insert("\\Flagged".into());
        });
    }
    assert_eq!(remote(&fake, "INBOX"), names);
    let last = ferry.local().messages("INBOX").into_iter().find(|m| subject(&m.bytes) == "e").expect("e");
    assert_eq!(last.flags, flags("FS"));
}
