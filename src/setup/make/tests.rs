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

/// A keyring that is there or not, and what it was given.
#[derive(Default)]
struct Ring {
    there: bool,
    locked: bool,
    stored: RefCell<Vec<String>>,
}

impl Keyring for Ring {
    fn is_there(&self) -> bool {
        self.there
    }

    fn has(&self, service: &str, _: &str) -> bool {
        service == "known"
    }

    fn store(&self, service: &str, user: &str, secret: &SecretString) -> Result<(), String> {
        if self.locked {
            return Err("it is locked".to_owned());
        }
        self.stored.borrow_mut().push(format!("{service} {user} {}", secret.expose_secret()));
        Ok(())
    }
}

struct Run {
    result: Result<Done, Error>,
    shown: String,
    probed: Vec<String>,
    signed_in: Vec<bool>,
    config: String,
    dir: tempfile::TempDir,
}

/// One setup in a folder of its own; the login is refused as long as `refusals` lasts.
fn run(given: &Given, yes: bool, answers: Option<&[&'static str]>, old: &str, refusals: u32) -> Run {
    run_with(given, yes, answers, old, (refusals, &Ring::default()))
}

fn run_with(
    given: &Given,
    yes: bool,
    answers: Option<&[&'static str]>,
    old: &str,
    (refusals, ring): (u32, &Ring),
) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mf/config.toml");
    if !old.is_empty() {
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, old).unwrap();
    }
    let (probed, signed_in) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let probe = |account: &Account| {
        probed.borrow_mut().push(format!("{}@{}", account.login.user, account.endpoint.host));
        if probed.borrow().len() <= refusals as usize {
            return Err(ProbeError { kind: Kind::Auth, message: "refused".to_owned(), hint: None, refused: true });
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
        keyring: ring,
        sign_in: &|_, device| {
            signed_in.borrow_mut().push(device);
            Ok(())
        },
    };
    let mut script = Script::new(answers.unwrap_or_default());
    let terminal: Option<&mut dyn Terminal> = if answers.is_some() { Some(&mut script) } else { None };
    let result = make(given, yes, terminal, &around);
    let config = fs::read_to_string(&path).unwrap_or_default();
    Run { result, shown: script.shown, probed: probed.into_inner(), signed_in: signed_in.into_inner(), config, dir }
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
    // protocol, use it, user, name, kept in a file, password, none, password again, mode, maildir, write.
    let answers = ["", "", "", "", "", "wrong", "", "right", "archive", "", "y"];
    let done = run(&given, false, Some(&answers), "# mine\n", 1);
    let made = done.result.unwrap();
    assert!(done.shown.contains("Server: imap.web.de:993, TLS, known to mailferry."), "{}", done.shown);
    assert!(done.shown.contains("Switch on access") && done.shown.contains("1 folder, 3 messages, 5.0 MiB"));
    assert!(done.shown.contains("Maildir [~/Mail/web.de]: ") && done.shown.contains("It is empty."), "{}", done.shown);
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
fn wrong_answers_are_asked_again() {
    let source = Some(Source::Command("x".to_owned()));
    let given = Given { source, protocol: Some(Protocol::Pop3), ..Given::default() };
    // address twice, host twice, tls, port twice, user, name twice, mode, maildir twice, write.
    let answers = [
        "me",
        "me@own.example",
        "not a host",
        "mail.own.example",
        "",
        "0",
        "",
        "",
        "work",
        "new",
        "after",
        "soon",
        "2w",
        "~/Mail/taken/inner",
        "",
        "y",
    ];
    let old = "[defaults]\nmaildir = '~/M/{account}' # short\n[accounts.work]\nprovider = 'gmail'\nuser = 'u'\nmaildir = '~/Mail/taken'\n";
    let done = run(&given, false, Some(&answers), old, 0);
    assert!(done.result.is_ok(), "{}", done.shown);
    for said in [
        "`me` is not a mail address",
        "`not a host`",
        "from 1 to 65535",
        "there is an account `work`",
        "Maildir [~/M/new]: ",
        "/home/me/Mail/taken",
    ] {
        assert!(done.shown.contains(said), "{said}: {}", done.shown);
    }
    assert!(done.config.starts_with(old) && done.config.contains("delete_after = \"2w\""), "{}", done.config);
    assert_eq!(done.config.matches("maildir").count(), 2, "the file's own default needs no key: {}", done.config);
}

#[test]
fn a_second_account_of_a_provider_gets_a_name_of_its_own() {
    let given = Given { email: Some("me@gmail.com".to_owned()), name: None, host: None, ..options() };
    let old = "[accounts.gmail]\nprovider = 'gmail'\nprotocol = 'imap'\nuser = 'u'\n";
    assert_eq!(run(&given, true, None, old, 0).result.unwrap().account.name, "gmail2");
}

#[test]
fn the_keyring_takes_the_password_after_the_test() {
    let given =
        Given { email: Some("me@fastmail.com".to_owned()), mode: Some(crate::account::Mode::Sync), ..Given::default() };
    let answers = ["imap", "", "", "", "keyring", "wrong", "right", "", ""];
    let ring = Ring { there: true, ..Ring::default() };
    let done = run_with(&given, false, Some(&answers), "", (1, &ring));
    assert!(done.result.unwrap().text.contains("no desktop session"), "{}", done.shown);
    assert_eq!(*ring.stored.borrow(), ["mailferry-fastmail me@fastmail.com right"]);
    assert!(done.config.contains("password_keyring = \"mailferry-fastmail\"") && !done.config.contains("right"));
    let locked = Ring { there: true, locked: true, ..Ring::default() };
    let ended = run_with(&given, false, Some(&answers), "", (1, &locked));
    assert_eq!((ended.result.unwrap_err().kind(), ended.config.as_str()), (Kind::Config, ""));
    let away = run(&given, false, Some(&["imap", "", "", "", "keyring"]), "", 0);
    assert!(away.shown.contains("one of: file, command"), "{}", away.shown);
    // An entry that is named and there is not asked for, one that is not is.
    for (service, asked) in [("known", false), ("mine", true)] {
        let source = Some(Source::Keyring(service.to_owned(), None));
        let done = run_with(
            &Given { source, ..given.clone() },
            false,
            Some(&["imap", "", "", "", "p", "", ""]),
            "",
            (0, &ring),
        );
        assert_eq!(done.shown.contains("does not have yet"), asked, "{}", done.shown);
    }
}

#[test]
fn a_stop_and_the_end_of_input_write_nothing() {
    let ended = run(&options(), false, Some(&[]), "", 0);
    assert!(matches!(ended.result, Err(Error::GivenUp)) && ended.config.is_empty());
    let no = run(&options(), false, Some(&["", "", "", "", "", "n"]), "", 0);
    assert!(matches!(no.result, Err(Error::GivenUp)) && no.config.is_empty(), "{}", no.shown);
}

#[test]
fn a_person_signs_in_before_the_test() {
    let given = Given { email: Some("me@outlook.com".to_owned()), ..Given::default() };
    // protocol, use it, user, name, client id, no secret, on another device, mode, maildir, write.
    let done = run(&given, false, Some(&["imap", "", "", "", "id", "", "device", "", "", ""]), "", 0);
    assert_eq!((done.signed_in.as_slice(), done.probed.len()), (&[true][..], 1), "{}", done.shown);
    assert!(!done.result.unwrap().text.contains("mailferry auth"));
    // Google has no device sign-in for mail, and wants the application's secret.
    let given = Given { email: Some("me@gmail.com".to_owned()), ..Given::default() };
    let done = run(&given, false, Some(&["imap", "", "", "", "oauth", "id", "s3", "device", "", "", "", ""]), "", 0);
    assert!(done.shown.contains("one of: browser, later") && !done.shown.contains("s3"), "{}", done.shown);
    assert_eq!((done.signed_in.as_slice(), done.probed.len()), (&[false][..], 1));
    assert!(done.config.contains("client_secret = \"s3\""), "{}", done.config);
}

#[test]
fn oauth_is_signed_in_later() {
    let given = Given {
        email: Some("me@outlook.com".to_owned()),
        source: Some(Source::Client("id".to_owned(), None)),
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
