//! What is refused before anything is done.

use crate::support::ferry::Ferry;

#[test]
fn wrong_usage_is_2_and_wrong_configuration_78() {
    let ferry = Ferry::imap(1, "me");
    for (args, code) in [
        (&["frobnicate"][..], 2),
        (&[], 2),
        (&["fetch", "--keep", "--delete"], 2),
        (&["fetch", "imaps://me@h"], 2),
        (&["run", "wrok"], 78),
        (&["auth", "work"], 78),
        (&["man", "nope"], 2),
        (&["import", "mbsync"], 78),
        (&["man", "sync"], 0),
        (&["completions", "fish"], 0),
        (&["--version"], 0),
    ] {
        let outcome = ferry.run(args);
        outcome.assert_code(code);
        assert_eq!(outcome.stdout.is_empty(), code != 0, "{args:?}");
        assert_eq!(outcome.stderr.is_empty(), code == 0, "{args:?}");
    }
    assert!(ferry.run(&["run", "wrok"]).stderr.contains("did you mean `work`?"));
}

#[test]
fn with_json_every_refusal_is_an_error_event() {
    let ferry = Ferry::new();
    ferry.write_raw_config("[accounts.a]\nprotocol = \"imap\"\nhost = \"h\"\nuser = \"u\"\nfoldres = [\"x\"]\n");
    for (args, kind) in [(&["run"][..], "config"), (&["run", "--frob"], "usage"), (&["check"], "config")] {
        let outcome = ferry.json(args);
        assert!(outcome.stderr.is_empty(), "{}", outcome.stderr);
        let errors = outcome.events_of("error");
        assert_eq!((errors.len(), errors[0]["kind"].as_str()), (1, Some(kind)), "{args:?}");
    }
    let message = ferry.json(&["run"]).events_of("error")[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("config.toml:5:") && message.contains("`folders`"), "{message}");
}

#[test]
fn a_password_in_a_url_is_never_shown() {
    let ferry = Ferry::new();
    for args in [&["fetch", "imaps://me:hunter2@h"][..], &["folders", "x", "imaps://me:hunter2@h"]] {
        for outcome in [ferry.run(args), ferry.json(args)] {
            outcome.assert_code(2);
            assert!(!outcome.stdout.contains("hunter2") && !outcome.stderr.contains("hunter2"), "{outcome:?}");
        }
    }
}

#[test]
fn maildirs_that_meet_are_refused() {
    let mail = |ferry: &Ferry, below: &str| format!("{:?}", ferry.home().join(below));
    let ferry = Ferry::imap(1, "me");
    for below in ["Mail/work", "Mail/work/inside", "Mail"] {
        let text = mail(&ferry, below);
        let raw = format!(
            "[defaults]\nprotocol = \"imap\"\nhost = \"h\"\nuser = \"u\"\n[accounts.work]\nmaildir = {}\n[accounts.other]\nmaildir = {text}\n",
            mail(&ferry, "Mail/work")
        );
        ferry.write_raw_config(&raw);
        // The other account matters although it does not run.
        ferry.run(&["sync", "work"]).assert_code(78);
    }
}
