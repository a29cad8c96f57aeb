//! OAuth 2.0 from the sign-in to the mail: a scripted authorization server, and a Dovecot that asks it about every token.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::corpus::Corpus;
use crate::support::dovecot::{Dovecot, Options};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry, Running};
use crate::support::issuer::Issuer;

/// A Dovecot that takes the tokens of `issuer`, with some mail of `me`, and a profile for it.
fn stage(keys: &[&str]) -> (Issuer, Arc<Dovecot>, Ferry) {
    let issuer = Issuer::new("me");
    let server = Arc::new(Dovecot::start(Options { extra: issuer.dovecot(), ..Options::default() }));
    let account = AccountKeys::default()
        .text("protocol", "imap")
        .text("host", "127.0.0.1")
        .set("port", server.ports.imap.to_string())
        .text("tls", "none")
        .text("user", "me")
        .set("oauth2", issuer.table(keys));
    let mut mailbox = crate::support::mailbox::Mailbox::open(&server, "me");
    let mut corpus = Corpus::new(7);
    for _ in 0..3 {
        let message = corpus.message();
        mailbox.append("INBOX", &message, &crate::support::message::flags(""), 1_700_000_000);
    }
    (issuer, server, Ferry::new().account(ACCOUNT, account))
}

/// A program whose first line of output is read while it works.
struct Talking {
    child: Child,
    first: String,
}

fn talk(ferry: &Ferry, args: &[&str]) -> Talking {
    let mut child = ferry.command(args).spawn().expect("mailferry");
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("stdout"));
    out.read_line(&mut first).expect("a line");
    child.stdout = Some(out.into_inner());
    Talking { child, first }
}

impl Talking {
    fn field(&self, name: &str) -> String {
        let event: serde_json::Value = serde_json::from_str(&self.first).expect("JSON");
        assert_eq!(event["event"], "sign_in");
        event[name].as_str().unwrap_or_default().to_owned()
    }

    /// Exit code, and what it said on stderr.
    fn end(mut self) -> (i32, String) {
        let mut said = String::new();
        self.child.stderr.take().expect("stderr").read_to_string(&mut said).expect("text");
        (self.child.wait().expect("exit").code().unwrap_or(-1), said)
    }
}

fn sign_in(issuer: &Issuer, ferry: &Ferry) {
    let program = talk(ferry, &["auth", ACCOUNT, "--json"]);
    let page = issuer.browse(&program.field("url"), true);
    assert!(page.contains("Signed in"), "{page}");
    let (code, said) = program.end();
    assert_eq!(code, 0, "{said}");
}

fn token_file(ferry: &Ferry) -> std::path::PathBuf {
    let folder = ferry.home().join(".local/state/mailferry/tokens");
    assert_eq!(std::fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777, 0o700);
    folder.join("me@127.0.0.1.json")
}

#[test]
fn a_person_signs_in_and_every_kind_of_login_takes_the_token() {
    let (issuer, server, mut ferry) = stage(&["auth_url", "token_url"]);
    let early = ferry.json(&["sync"]);
    early.assert_code(77);
    assert!(early.stdout.contains("mailferry auth work"), "{}", early.stdout);
    sign_in(&issuer, &ferry);
    assert_eq!(std::fs::metadata(token_file(&ferry)).expect("tokens").permissions().mode() & 0o777, 0o600);
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    for (auth, proof) in [("oauthbearer", "OAUTHBEARER"), ("xoauth2", "XOAUTH2")] {
        ferry.set("auth", &format!("{auth:?}"));
        let run = ferry.run(&["sync", "-vv"]);
        run.assert_code(0);
        assert!(run.stderr.contains(proof), "{}", run.stderr);
        assert!(issuer.active().iter().all(|token| !run.stderr.contains(token.as_str())), "{}", run.stderr);
    }
    ferry.set("protocol", "\"pop3\"");
    ferry.set("port", &server.ports.pop3.to_string());
    ferry.set("maildir", &format!("{:?}", ferry.home().join("Mail/pop")));
    for (auth, new) in [("xoauth2", 3), ("oauthbearer", 0)] {
        ferry.set("auth", &format!("{auth:?}"));
        let fetched = ferry.json(&["fetch"]);
        fetched.assert_code(0);
        assert_eq!(fetched.figure("downloaded"), new, "{auth}");
    }
    assert_eq!(issuer.grants(), ["authorization_code"], "one token served all of it");
}

#[test]
fn who_says_no_is_told_so() {
    let (issuer, _server, ferry) = stage(&["auth_url", "token_url"]);
    let program = talk(&ferry, &["auth", ACCOUNT, "--json"]);
    issuer.browse(&program.field("url"), false);
    let mut rest = String::new();
    let mut program = program;
    program.child.stdout.take().expect("stdout").read_to_string(&mut rest).expect("text");
    assert_eq!(program.end().0, 77);
    assert!(rest.contains("access_denied") && rest.contains("said no"), "{rest}");
    assert!(issuer.grants().is_empty());
}

#[test]
fn a_code_on_another_device() {
    let (issuer, _server, ferry) = stage(&["device_url", "token_url"]);
    issuer.set_pending(2);
    let program = talk(&ferry, &["auth", ACCOUNT, "--device", "--json"]);
    assert_eq!(program.field("code"), "ABCD-EFGH");
    assert_eq!(program.field("url"), "https://login.example/device");
    let (code, said) = program.end();
    assert_eq!((code, issuer.grants().len()), (0, 3), "{said}");
    assert_eq!(ferry.sync().figure("downloaded"), 3);
}

#[test]
fn google_has_no_codes_for_mail_and_that_is_said_at_once() {
    let account = AccountKeys::default()
        .text("provider", "gmail")
        .text("protocol", "imap")
        .text("user", "me@gmail.com")
        .set("oauth2", "{ client_id = \"x\", client_secret = \"y\" }");
    let ferry = Ferry::new().account("gmail", account);
    let begun = Instant::now();
    let outcome = ferry.run(&["auth", "gmail", "--device"]);
    outcome.assert_code(78);
    assert!(outcome.stderr.contains("Google"), "{}", outcome.stderr);
    assert!(begun.elapsed() < Duration::from_secs(5), "no network is asked");
}

#[test]
fn an_expired_token_is_renewed_and_the_refresh_token_rotates() {
    let (issuer, _server, ferry) = stage(&["auth_url", "token_url"]);
    issuer.set_life(1);
    sign_in(&issuer, &ferry);
    for _ in 0..2 {
        ferry.sync();
    }
    let refreshes = issuer.grants().iter().filter(|grant| *grant == "refresh_token").count();
    // Also the test of the login after the sign-in found a token that was about to end.
    assert_eq!((refreshes, issuer.holding()), (3, 1));
    issuer.set_life(3600);
    ferry.sync();
    ferry.sync();
    assert_eq!(issuer.grants().len(), 5, "a token that lives is not asked for again");
}

#[test]
fn two_runs_at_once_renew_once_and_both_go_on() {
    let (issuer, _server, ferry) = stage(&["auth_url", "token_url"]);
    issuer.set_life(1);
    sign_in(&issuer, &ferry);
    issuer.set_life(3600);
    let before = issuer.grants().len();
    issuer.hold();
    let folder = ferry.home().join("Mail/other").display().to_string();
    let first = ferry.start(&["sync", "--json"]);
    wait_for("the first run to ask", || issuer.grants().len() > before);
    // The other run has another Maildir, so that only the tokens are shared.
    let second = ferry.start(&["fetch", ACCOUNT, "--into", &folder, "--json"]);
    let lock = format!("{}.lock", token_file(&ferry).display());
    wait_for("the second run to wait", || has_open(&second, &lock));
    issuer.release();
    for run in [first, second] {
        run.finish(Duration::from_secs(60)).assert_code(0);
    }
    assert_eq!(issuer.grants().len(), before + 1, "one asked, the other found its token");
    assert_eq!(issuer.holding(), 1);
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn has_open(run: &Running, path: &str) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{}/fd", run.pid())) else { return false };
    let mut targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.any(|target| target.to_string_lossy() == path)
}

#[test]
fn a_token_withdrawn_before_its_time_is_replaced_in_the_same_run() {
    let (issuer, _server, ferry) = stage(&["auth_url", "token_url"]);
    sign_in(&issuer, &ferry);
    issuer.withdraw_access();
    let run = ferry.sync();
    assert_eq!(run.figure("downloaded"), 3);
    assert!(run.events_of("error").is_empty(), "{}", run.stdout);
    assert_eq!(issuer.grants(), ["authorization_code", "refresh_token"]);
}

#[test]
fn a_refusal_is_told_in_words() {
    let (issuer, _server, mut ferry) = stage(&["auth_url", "token_url"]);
    sign_in(&issuer, &ferry);
    issuer.withdraw_all();
    let run = ferry.json(&["sync"]);
    run.assert_code(77);
    let error = &run.events_of("error")[0];
    let (message, hint) = (error["message"].to_string(), error["hint"].to_string());
    assert!(message.contains("invalid_grant") && message.contains("withdrawn"), "{message}");
    assert!(hint.contains("mailferry auth work"), "{hint}");
    // The mail server's own refusal comes as JSON in base64.
    ferry.set("oauth2", "{ token_command = \"echo no-such-token\" }");
    for auth in ["xoauth2", "oauthbearer"] {
        ferry.set("auth", &format!("{auth:?}"));
        let run = ferry.json(&["sync"]);
        run.assert_code(77);
        let message = run.events_of("error")[0]["message"].to_string();
        assert!(message.contains("expired, revoked, or of another user"), "{auth}: {message}");
        let hint = run.events_of("error")[0]["hint"].to_string();
        assert!(hint.contains("token_command"), "{auth}: {hint}");
    }
}

#[test]
fn an_application_without_a_person_needs_no_sign_in() {
    let (issuer, _server, ferry) = stage(&["client_secret", "token_url"]);
    let said = ferry.run(&["auth", ACCOUNT]);
    said.assert_code(0);
    assert!(said.stderr.contains("nobody has to sign in"), "{}", said.stderr);
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    assert_eq!(issuer.grants(), ["client_credentials"]);
}

#[test]
fn a_command_may_bring_the_token() {
    let (issuer, _server, mut ferry) = stage(&["auth_url", "token_url"]);
    sign_in(&issuer, &ferry);
    ferry.set("oauth2", &format!("{{ token_command = \"echo {}\" }}", issuer.active()[0]));
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    let refused = ferry.run(&["auth", ACCOUNT]);
    refused.assert_code(78);
    assert!(refused.stderr.contains("token_command"), "{}", refused.stderr);
    ferry.set("oauth2", "{ token_command = \"false\" }");
    ferry.json(&["sync"]).assert_code(77);
}
