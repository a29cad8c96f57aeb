//! `check`, `status`, `folders`: what they show, and that they change nothing.

use crate::support::corpus::Corpus;
use crate::support::dovecot::{Dovecot, Options};
use crate::support::ferry::{AccountKeys, Ferry};
use crate::support::mailbox::Mailbox;
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
fn check_reads_well() {
    let rig = Rig::usual("checktext");
    rig.fill(&mut Corpus::new(1), &["INBOX", "Lists/rust"], 4);
    let said = rig.ferry.run(&["check"]).stdout;
    assert!(said.starts_with(&format!("work: IMAP, {} at 127.0.0.1:", rig.user)), "{said}");
    assert!(said.contains("\n  ok       synced        INBOX (2), Lists/rust (2), Trash (0)\n"), "{said}");
    assert!(said.ends_with("work: ready\n"), "{said}");
    let said = Ferry::imap(1, "me").run(&["check"]).stdout;
    assert!(said.ends_with("work: connect failed\n"), "{said}");
}

#[test]
fn a_run_tells_what_it_did_in_each_folder() {
    let rig = Rig::usual("figures");
    rig.fill(&mut Corpus::new(3), &["INBOX", "Lists/rust"], 4);
    let outcome = rig.ferry.sync();
    let told: Vec<(String, u64)> = outcome
        .events_of("folder")
        .iter()
        .map(|e| (e["folder"].as_str().unwrap_or_default().to_owned(), e["downloaded"].as_u64().unwrap_or(99)))
        .collect();
    assert_eq!(told, [("INBOX".to_owned(), 2), ("Lists/rust".to_owned(), 2)]);
    assert!(rig.ferry.sync().events_of("folder").is_empty());
    rig.mailbox().mv("Lists/rust", 1, "INBOX");
    let moved = rig.ferry.sync().events_of("folder");
    assert_eq!(
        (moved.len(), &moved[0]["folder"], &moved[0]["moved_local"]),
        (1, &"INBOX".into(), &1.into()),
        "{moved:?}"
    );
    let plan = rig.ferry.run(&["sync", "-n", "-v"]);
    assert!(plan.stderr.contains("nothing new"), "{}", plan.stderr);
    rig.mailbox().delete("INBOX", 1);
    let plan = rig.ferry.run(&["sync", "-n", "-v"]);
    assert!(plan.stderr.contains("would delete 1 here; nothing was changed"), "{}", plan.stderr);
    assert!(rig.ferry.run(&["sync", "-v"]).stderr.contains("work INBOX: 1 deleted here\n"));
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
fn check_names_each_fault_with_what_to_do() {
    let server = Dovecot::usual();
    let user = server.user("faults");
    let (imap, imaps, ca) = (server.ports.imap, server.ports.imaps, server.ca_file.display().to_string());
    let good = || {
        AccountKeys::plain("imap", imaps, &user).text("host", "localhost").text("tls", "implicit").text("ca_file", &ca)
    };
    let text = |key: &'static str, value: &'static str| good().text(key, value);
    // The account, its exit, the test that fails, and what its message and its hint say.
    let cases = [
        (text("host", "no-such-host.invalid"), 75, "resolve", "no-such-host.invalid", "spelling"),
        (good().set("port", "1"), 75, "connect", "Connection refused", "port"),
        (
            good().text("tls_fingerprint", &format!("sha256:{}", "0".repeat(64))),
            77,
            "tls",
            "sha256:",
            "tls_fingerprint",
        ),
        (good().set("port", imap.to_string()), 69, "tls", "does not speak TLS", "starttls"),
        (text("password", "wrong"), 77, "login", "refused", "password"),
        (text("maildir", "/proc/version/mail"), 74, "maildir", "/proc/version", "path"),
    ];
    for (account, exit, failing, message, hint) in cases {
        let ferry = Ferry::new().account("work", account);
        let outcome = ferry.json(&["check"]);
        outcome.assert_code(exit);
        let told = outcome.events_of("check");
        let failed = told.iter().find(|e| e["result"] == "failed" && e["check"] == failing);
        let failed = failed.unwrap_or_else(|| panic!("{failing}: {}", outcome.stdout));
        assert!(failed["message"].to_string().contains(message), "{failing}: {failed}");
        assert!(failed["hint"].to_string().contains(hint), "{failing}: {failed}");
    }
    let private = Ferry::new()
        .account("work", AccountKeys::plain("imap", imaps, &user).text("host", "localhost").text("tls", "implicit"));
    let outcome = private.json(&["check"]);
    outcome.assert_code(77);
    let tls = outcome.events_of("check").into_iter().find(|e| e["check"] == "tls").expect("a test of TLS");
    for part in ["issued by", "valid from", "sha256:"] {
        assert!(tls["message"].to_string().contains(part), "{tls}");
    }
    let folders = Ferry::new().account("work", text("password", "wrong")).json(&["folders", "work"]);
    folders.assert_code(77);
    assert_eq!(folders.events_of("error")[0]["kind"], "auth");
}

#[test]
fn check_warns_of_a_mailbox_that_is_nearly_full() {
    let extra = "mail_plugins = quota\nprotocol imap {\n mail_plugins = quota imap_quota\n}\n\
                 plugin {\n quota = count:User quota\n quota_vsizes = yes\n quota_rule = *:storage=10K\n}\n";
    let server = Dovecot::shared(&Options { extra: extra.to_owned(), ..Options::default() });
    let user = server.user("quota");
    let ferry = Ferry::at(&server, &user);
    let quota =
        || ferry.json(&["check"]).events_of("check").into_iter().find(|e| e["check"] == "quota").expect("quota");
    assert_eq!(quota()["result"], "ok");
    let message = format!("Subject: large\r\n\r\n{}\r\n", "x".repeat(9_990));
    Mailbox::open(&server, &user).append("INBOX", message.as_bytes(), &flags(""), 1_700_000_000);
    let told = quota();
    assert_eq!(told["result"], "warning", "{told}");
    assert!(told["message"].to_string().contains("KiB of 10.0 KiB used"), "{told}");
    assert_eq!(ferry.json(&["check"]).code, Some(0));
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
