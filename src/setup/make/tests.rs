//! Setups from the first question to the file, with answers from a list.

use super::*;
use crate::setup::ask::scripted::Script;
use crate::setup::discover::{Network, Origin};
use crate::setup::dns::{Record, RecordType};
use crate::severity::Severity;
use std::cell::RefCell;
use std::fs;

struct Dns(&'static str);

impl Network for Dns {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn records(&self, name: &str, _: RecordType) -> Vec<Record> {
        let fits = name.starts_with("_imaps.");
        let record = Record::Srv { priority: 0, weight: 0, port: 993, host: self.0.to_owned() };
        fits.then_some(record).into_iter().collect()
    }
}

struct Run {
    result: Result<Done, Error>,
    shown: String,
    probed: Vec<String>,
    config: String,
    dir: tempfile::TempDir,
}

/// One setup in a folder of its own; the login is refused as long as `refusals` lasts.
fn run(given: &Given, yes: bool, answers: Option<&[&'static str]>, old: &str, refusals: u32) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mf/config.toml");
    if !old.is_empty() {
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, old).unwrap();
    }
    let probed = RefCell::new(Vec::new());
    let probe = |account: &Account| {
        probed.borrow_mut().push(format!("{}@{}", account.login.user, account.endpoint.host));
        if probed.borrow().len() <= refusals as usize {
            return Err(ProbeError { kind: Kind::Auth, message: "refused".to_owned(), hint: None });
        }
        Ok(SetupProbe { folders: vec![("INBOX".to_owned(), Some(3))], bytes: Some(5 << 20) })
    };
    let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let network = Dns("mail.elsewhere.example");
    let around = Surroundings {
        config: Some(&path),
        env: &env,
        network: Some(&network),
        program: "/usr/bin/mailferry",
        probe: &probe,
    };
    let mut script = Script::new(answers.unwrap_or_default());
    let terminal: Option<&mut dyn Terminal> = if answers.is_some() { Some(&mut script) } else { None };
    let result = make(given, yes, terminal, &around);
    let config = fs::read_to_string(&path).unwrap_or_default();
    Run { result, shown: script.shown, probed: probed.into_inner(), config, dir }
}

fn options() -> Given {
    Given {
        email: Some("me@example.org".to_owned()),
        name: Some("work".to_owned()),
        protocol: Some(Protocol::Imap),
        host: Some("imap.example.org".to_owned()),
        source: Some(Source::Command("pass x".to_owned())),
        ..Given::default()
    }
}

#[test]
fn options_only() {
    let done = run(&options(), true, None, "", 0);
    let made = done.result.unwrap();
    assert_eq!(done.probed, ["me@example.org@imap.example.org"]);
    assert!(
        made.text.contains(&format!("*/5 * * * * /usr/bin/mailferry -c {} run\n", made.path.display()))
            && made.text.contains("OnUnitInactiveSec")
    );
    assert!(done.config.contains("[accounts.work]") && !done.config.contains("maildir ="), "{}", done.config);
    assert_eq!(made.account.name, "work");
}

#[test]
fn a_missing_answer_names_its_option() {
    type Change = fn(&mut Given);
    let cases: [(Change, &str); 4] = [
        (|g| g.email = None, "give EMAIL"),
        (|g| g.source = None, "give --password-command"),
        (|g| (g.host, g.email) = (None, Some("me@nowhere.example".to_owned())), "give --host"),
        (|g| (g.host, g.protocol) = (None, None), "give --host"),
    ];
    for (change, hint) in cases {
        let mut given = options();
        change(&mut given);
        let ended = run(&given, true, None, "", 0);
        let error = ended.result.unwrap_err();
        assert_eq!((error.kind().exit(), error.hint().as_deref()), (2, Some(hint)), "{error}");
        assert!(ended.config.is_empty() && ended.probed.is_empty());
    }
    let error = run(&options(), false, None, "", 0).result.unwrap_err();
    assert!(error.hint().unwrap().contains("--tls, or --yes"), "{error}");
}

#[test]
fn a_person_sees_the_server_and_may_correct_the_password() {
    let given = Given { email: Some("me@web.de".to_owned()), ..Given::default() };
    // protocol, use it, user, name, kept in a file, password, mode, maildir, password again, write.
    let answers = ["", "", "", "", "", "wrong", "archive", "", "right", "y"];
    let done = run(&given, false, Some(&answers), "# mine\n", 1);
    let made = done.result.unwrap();
    assert!(done.shown.contains("Server: imap.web.de:143, STARTTLS, known to mailferry."), "{}", done.shown);
    assert!(done.shown.contains("Switch on access") && done.shown.contains("1 folders, 3 messages, 5 MiB"));
    assert!(!done.shown.contains("right") && !done.config.contains("right"));
    assert_eq!(done.probed, ["me@imap.web.de", "me@imap.web.de"]);
    let secret = done.dir.path().join("mf/web.de.pass");
    assert_eq!(fs::read_to_string(secret).unwrap(), "right\n");
    assert!(done.config.starts_with("# mine\n") && done.config.contains("mode = \"archive\""), "{}", done.config);
    assert_eq!(made.account.sync.mode, crate::account::Mode::Archive);
}

#[test]
fn nothing_is_written_when_the_login_fails() {
    let refused = run(&options(), true, None, "# mine\n", 9);
    assert_eq!(refused.result.unwrap_err().kind().exit(), 77);
    assert_eq!((refused.config.as_str(), refused.probed.len()), ("# mine\n", 1));
    let mut given = options();
    (given.host, given.provider) = (None, Some("icloud".to_owned()));
    let hint = run(&given, true, None, "", 9).result.unwrap_err().hint().unwrap();
    assert!(hint.contains("app-specific password"), "{hint}");
}

#[test]
fn a_server_that_only_dns_names_must_be_seen() {
    let given = Given { host: None, email: Some("me@example.org".to_owned()), ..options() };
    let error = run(&given, true, None, "", 0).result.unwrap_err();
    assert!(error.to_string().contains("mail.elsewhere.example") && error.to_string().contains("DNS"), "{error}");
    let answers = ["y", "", "", "", "y"];
    let done = run(&given, false, Some(&answers), "", 0);
    assert!(done.shown.contains(Origin::Dns.describe()), "{}", done.shown);
    assert_eq!(done.probed, ["me@example.org@mail.elsewhere.example"]);
}

#[test]
fn what_is_there_is_never_overwritten() {
    let old = "[accounts.work]\nprovider = 'gmail'\nuser = 'u'\n";
    let ended = run(&options(), true, None, old, 0);
    assert!(matches!(ended.result, Err(Error::Exists { .. })) && ended.config == old && ended.probed.is_empty());
    let broken = run(&options(), true, None, "[accounts.a]\nfrob = 1\n", 0);
    assert!(matches!(&broken.result, Err(Error::Config(all)) if all.len() > 1) && broken.probed.is_empty());
    let taken = "[accounts.other]\nprovider = 'gmail'\nuser = 'u'\nmaildir = '~/Mail/work'\n";
    assert!(matches!(run(&options(), true, None, taken, 0).result, Err(Error::Config(_))));
}

#[test]
fn oauth_is_signed_in_later() {
    let given = Given {
        email: Some("me@outlook.com".to_owned()),
        source: Some(Source::ClientId("id".to_owned())),
        ..Given::default()
    };
    let done = run(&given, true, None, "", 0);
    assert!(done.probed.is_empty() && done.result.unwrap().text.contains("mailferry auth outlook"));
    assert!(done.config.contains("oauth2 = { client_id = \"id\" }"), "{}", done.config);
    let error = run(&Given { source: None, ..given }, true, None, "", 0).result.unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("give --client-id"));
    let tuta = Given { email: Some("me@tuta.com".to_owned()), ..Given::default() };
    assert!(run(&tuta, true, None, "", 0).result.unwrap_err().hint().unwrap().contains("neither IMAP nor POP3"));
}
