//! `check`, `status`, `folders`: what they show, and that they change nothing.

use crate::support::corpus::Corpus;
use crate::support::ferry::Ferry;
use crate::support::message::flags;
use crate::support::rig::Rig;

fn results(outcome: &crate::support::ferry::Outcome) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    outcome.events_of("check").iter().map(|e| (text(&e["check"]), text(&e["result"]))).collect()
}

#[test]
fn check_goes_step_by_step_and_changes_nothing() {
    let mut rig = Rig::usual("check");
    rig.fill(&mut Corpus::new(1), &["INBOX", "Lists/rust"], 4);
    rig.ferry.set("folders", "[\"INBOX\", \"Lists/*\", \"Nothing/*\"]");
    let outcome = rig.ferry.json(&["check"]);
    outcome.assert_code(0);
    let found = results(&outcome);
    for step in ["resolve", "connect", "login", "capabilities", "folders", "plan", "maildir"] {
        assert!(found.contains(&(step.to_owned(), "ok".to_owned())), "{step}: {found:?}");
    }
    assert!(found.contains(&("patterns".to_owned(), "warning".to_owned())), "{found:?}");
    assert!(!rig.ferry.home().join("Mail").exists());
    assert!(rig.ferry.run(&["check"]).stdout.contains("Lists/rust (2)"));
}

#[test]
fn check_says_where_it_ends() {
    let ferry = Ferry::imap(1, "me");
    let outcome = ferry.json(&["check"]);
    outcome.assert_code(75);
    let found = results(&outcome);
    assert!(found.contains(&("connect".to_owned(), "failed".to_owned())), "{found:?}");
    assert!(found.contains(&("login".to_owned(), "skipped".to_owned())), "{found:?}");
    assert!(found.contains(&("maildir".to_owned(), "ok".to_owned())), "{found:?}");
    let mut ferry = Ferry::imap(1, "me");
    ferry.set("host", "\"no-such-host.invalid\"");
    let found = results(&ferry.json(&["check"]));
    assert!(found.contains(&("resolve".to_owned(), "failed".to_owned())), "{found:?}");
}

#[test]
fn check_refuses_a_root_that_is_a_file() {
    let rig = Rig::usual("checkfile");
    std::fs::create_dir_all(rig.ferry.home().join("Mail")).unwrap();
    std::fs::write(rig.ferry.home().join("Mail/work"), "no directory").unwrap();
    rig.ferry.json(&["check"]).assert_code(74);
}

#[test]
fn status_tells_what_the_server_does_not_know() {
    let rig = Rig::usual("status");
    rig.fill(&mut Corpus::new(2), &["INBOX"], 3);
    let before = rig.ferry.json(&["status"]);
    before.assert_code(0);
    assert!(before.events_of("status")[0].get("last_run").is_none(), "{}", before.stdout);
    assert!(!rig.ferry.home().join("Mail").exists());
    rig.ferry.sync();
    let local = rig.local();
    local.deliver("INBOX", b"Subject: new\n\nhere\n", &flags("S"), 1_600_000_000);
    let first = local.messages("INBOX").remove(0);
    local.delete(first.place.as_ref());
    let status = rig.ferry.json(&["status"]).events_of("status").remove(0);
    assert_eq!(
        (status["new"].as_u64(), status["deleted"].as_u64(), status["messages"].as_u64()),
        (Some(1), Some(1), Some(3))
    );
    assert_eq!(status["last_result"], "ok");
    assert_eq!(status["folders"][0]["folder"], "INBOX");
    let text = rig.ferry.run(&["status"]).stdout;
    assert!(text.starts_with("work: last run ") && text.contains("1 new, 1 deleted"), "{text}");
}

#[test]
fn folders_lists_names_uses_and_paths() {
    let mut rig = Rig::usual("folders");
    rig.fill(&mut Corpus::new(3), &["INBOX", "Entwürfe"], 4);
    rig.ferry.set("folders", "[\"INBOX\"]");
    let folders = rig.ferry.json(&["folders", "work"]).events_of("folder");
    let of = |name: &str| folders.iter().find(|f| f["folder"] == name).unwrap_or_else(|| panic!("{folders:?}"));
    assert_eq!((of("INBOX")["messages"].as_u64(), of("INBOX")["synced"].as_bool()), (Some(2), Some(true)));
    assert!(of("INBOX")["size"].as_u64().is_some_and(|size| size > 0));
    assert_eq!(of("Entwürfe")["synced"].as_bool(), Some(false));
    assert!(of("Entwürfe")["path"].as_str().unwrap().ends_with("/Mail/work/Entwürfe"));
    assert!(!rig.ferry.home().join("Mail").exists());
}
