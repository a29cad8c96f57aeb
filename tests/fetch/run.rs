//! `run` of a POP3 account, its hooks, and what is counted as skipped.

use crate::support::dovecot::PASSWORD;
use crate::support::fake_pop3::{FakePop3, Maildrop};
use crate::support::ferry::Ferry;
use std::fs;

fn filled(count: usize) -> FakePop3 {
    let mut drop = Maildrop::default();
    for n in 0..count {
        drop.add(&format!("id{n}"), format!("Subject: {n}\n\n{}\n", "x".repeat(n * 1000)).as_bytes());
    }
    FakePop3::start(drop)
}

#[test]
fn hooks_know_what_came_and_no_secret() {
    let fake = filled(3);
    let mut ferry = Ferry::pop3(fake.port(), "me");
    ferry.env("SECRET_OF_MINE", PASSWORD);
    ferry.set("password_env", "\"SECRET_OF_MINE\"");
    let text = fs::read_to_string(ferry.config()).unwrap();
    let text: String = text.lines().filter(|l| !l.starts_with("password =")).map(|l| format!("{l}\n")).collect();
    let out = ferry.home().join("told");
    let hook = |name: &str| {
        format!(
            "{name} = 'echo \"{name} $MAILFERRY_ACCOUNT $MAILFERRY_NEW $(wc -l < \"$MAILFERRY_CHANGED\")\" >> {0}; env >> {0}.env; \
             while read -r f; do test -s \"$f\" && echo file >> {0}; done < \"$MAILFERRY_CHANGED\"'\n",
            out.display()
        )
    };
    ferry.write_raw_config(&format!("{text}{}{}", hook("on_new"), hook("after")));
    let told = |args: &[&str]| {
        fs::remove_file(&out).ok();
        ferry.run(args).assert_code(0);
        fs::read_to_string(&out).unwrap_or_default()
    };
    assert_eq!(told(&["run", "-n"]), "");
    assert_eq!(told(&["run"]), "on_new work 3 3\nfile\nfile\nfile\nafter work 3 3\nfile\nfile\nfile\n");
    assert_eq!(told(&["run"]), "after work 0 0\n");
    assert_eq!(told(&["fetch", "--delete"]), "after work 0 0\n");
    let environment = fs::read_to_string(ferry.home().join("told.env")).unwrap();
    assert!(environment.contains("MAILFERRY_NEW=3") && !environment.contains("SECRET_OF_MINE"), "{environment}");
    assert!(!environment.lines().any(|line| line.ends_with(&format!("={PASSWORD}"))), "{environment}");
}

#[test]
fn skipped_is_what_a_rule_or_the_server_leaves() {
    let fake = filled(10);
    let ferry = Ferry::pop3(fake.port(), "me");
    let figures = |args: &[&str]| {
        let outcome = ferry.json(&[&["fetch"], args].concat());
        outcome.assert_code(0);
        (outcome.figure("downloaded"), outcome.figure("skipped"))
    };
    assert_eq!(figures(&["--max-size", "4500"]), (5, 5));
    // A known message is no skipped one, whatever its size.
    assert_eq!(figures(&["--max-size", "500"]), (0, 5));
    assert_eq!(figures(&["--limit", "2"]), (2, 3));
    assert_eq!(figures(&["--limit", "2", "--max-size", "8500"]), (2, 1));
    assert_eq!(figures(&["--all"]), (1, 0));
    assert_eq!(figures(&[]), (0, 0));
    // With --all what is not here comes again, and a limit counts it.
    for message in ferry.local().messages("INBOX").iter().take(3) {
        fs::remove_file(&message.place).unwrap();
    }
    assert_eq!(figures(&[]), (0, 0));
    assert_eq!(figures(&["--all", "--limit", "1"]), (1, 2));
    assert_eq!(figures(&["--all"]), (2, 0));
    assert_eq!(ferry.local().messages("INBOX").len(), 10);
    // Only the folder that receives can be chosen.
    fake.change(|m| m.add("id10", b"Subject: 10\n\nx\n"));
    assert_eq!(figures(&["--folder", "Elsewhere"]), (0, 0));
    assert_eq!(figures(&["--folder", "INBOX"]), (1, 0));
}
