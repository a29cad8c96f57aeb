//! Setup from the first question to the written profile: ask, check, test the login, write.

use std::path::{Path, PathBuf};

use super::ask::{Asker, Terminal};
use super::discover::Network;
use super::draft::{Draft, Source};
use super::error::{Error, ProbeError};
use super::interview::{Given, interview};
use super::{schedule, write};
use crate::account::{Account, Protocol, SecretSource};
use crate::config::{self, check::World, paths};
use crate::mail::text;
use crate::severity::Kind;

/// What the test of a login found.
#[derive(Clone, Debug, Default)]
pub struct SetupProbe {
    /// Each folder with its number of messages, if known. For POP3 the one mailbox.
    pub folders: Vec<(String, Option<u64>)>,
    /// Bytes in all, if known.
    pub bytes: Option<u64>,
}

/// Tests the login of an account: connects once, changes nothing.
pub type Probe<'a> = &'a dyn Fn(&Account) -> Result<SetupProbe, ProbeError>;

/// What setup needs of the world.
pub struct Surroundings<'a> {
    /// `--config`.
    pub config: Option<&'a Path>,
    /// The environment.
    pub env: paths::Env<'a>,
    /// The network; `None` with `--offline`.
    pub network: Option<&'a dyn Network>,
    /// The program's path, for cron.
    pub program: &'a str,
    /// The test of the login.
    pub probe: Probe<'a>,
}

/// A profile that was written.
#[derive(Clone, Debug)]
pub struct Done {
    /// The account.
    pub account: Account,
    /// The config file.
    pub path: PathBuf,
    /// What to do next, to be shown: the lines for cron and systemd.
    pub text: String,
}

/// How often a typed password may be wrong.
const TRIES: u32 = 3;
/// How many folders are shown.
const SHOWN: usize = 20;

/// Makes a profile.
///
/// # Errors
/// See [`Error`]; nothing was written then, but for a password file whose profile could not be written.
pub fn make(
    given: &Given,
    yes: bool,
    terminal: Option<&mut dyn Terminal>,
    around: &Surroundings,
) -> Result<Done, Error> {
    let path = config::path(around.config, around.env).map_err(|complaint| vec![complaint])?;
    let path = std::path::absolute(&path).unwrap_or(path);
    let old = write::read(&path)?;
    let existing = parse(&old, &path, around)?;
    if let Some(name) = &given.name {
        refuse_known(name, &existing, &path)?;
    }
    let mut asker = Asker::new(terminal, yes);
    let mut draft = interview(given, &mut asker, around.network)?;
    refuse_known(&draft.name, &existing, &path)?;
    let new = write::insert(&old, &draft, &path)?;
    let accounts = parse(&new, &path, around)?;
    let account = accounts.into_iter().find(|a| a.name == draft.name);
    let account = account.ok_or_else(|| vec![config::Complaint::config("the new account is not in its own file")])?;
    others(&existing, &account)?;
    new_password_file(&mut draft, &account, &mut asker)?;
    for warning in config::warnings(&account) {
        asker.say(&warning);
    }
    let signs_in_later = matches!(draft.source, Source::ClientId(_));
    if !signs_in_later {
        let found = test(&mut draft, &account, &mut asker, around)?;
        asker.say(&describe(&found));
    }
    if !asker.confirm(&format!("Write the account `{}` to {}", draft.name, path.display()), true)? {
        return Err(Error::GivenUp);
    }
    if let (Source::File(_, Some(secret)), SecretSource::File(file)) = (&draft.source, &account.login.secret) {
        write::secret_file(file, secret)?;
    }
    write::replace(&path, new.as_bytes())?;
    let text = next_steps(&account, &path, around, signs_in_later);
    Ok(Done { account, path, text })
}

fn parse(text: &str, path: &Path, around: &Surroundings) -> Result<Vec<Account>, Error> {
    let base = path.parent().unwrap_or(Path::new("/"));
    // Setup writes the file with mode 0600.
    let world = World { env: around.env, base, private: true };
    Ok(config::parse(text, path, &world)?.accounts)
}

fn refuse_known(name: &str, existing: &[Account], path: &Path) -> Result<(), Error> {
    if existing.iter().any(|a| a.name == name) {
        return Err(Error::Exists { name: name.to_owned(), path: path.to_owned() });
    }
    Ok(())
}

/// A Maildir that another account has is found out now and not in the first run.
fn others(existing: &[Account], account: &Account) -> Result<(), Error> {
    let complaints: Vec<_> = existing.iter().flat_map(|other| config::conflicts(&[other, account])).collect();
    if complaints.is_empty() { Ok(()) } else { Err(complaints.into()) }
}

/// A password file that is not there yet is made from what the user types; one that is there is not overwritten.
fn new_password_file(draft: &mut Draft, account: &Account, asker: &mut Asker) -> Result<(), Error> {
    let (Source::File(_, typed), SecretSource::File(file)) = (&mut draft.source, &account.login.secret) else {
        return Ok(());
    };
    match (&typed, file.exists()) {
        (Some(_), true) => {
            let why = format!("{} is there already; give its name, or another", file.display());
            return Err(Error::Invalid { flag: "--password-file", why });
        }
        (None, false) if asker.interactive() => {
            *typed = Some(asker.secret("Password (not shown): ", "--password-file")?);
        }
        (Some(_), false) | (None, true | false) => {}
    }
    Ok(())
}

/// Tests the login; a typed password may be corrected.
fn test(draft: &mut Draft, account: &Account, asker: &mut Asker, around: &Surroundings) -> Result<SetupProbe, Error> {
    let mut tries = 1;
    loop {
        let mut tested = account.clone();
        if let Source::File(_, Some(secret)) = &draft.source {
            // The file is written after the test.
            tested.login.secret = SecretSource::Inline(secret.clone());
        }
        asker.say(&format!("Testing the login at {} …", account.endpoint.host));
        let mut error = match (around.probe)(&tested) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let typed = matches!(draft.source, Source::File(_, Some(_))) && asker.interactive();
        if error.kind == Kind::Auth && typed && tries < TRIES {
            asker.say(&text::clean(&error.message));
            let secret = asker.secret("Password (not shown): ", "--password-file")?;
            if let Source::File(_, kept) = &mut draft.source {
                *kept = Some(secret);
            }
            tries += 1;
            continue;
        }
        if error.kind == Kind::Auth && error.hint.is_none() {
            error.hint = draft.preset.map(|p| p.advice.to_owned()).filter(|advice| !advice.is_empty());
        }
        return Err(Error::Probe(error));
    }
}

/// The folders and how much there is.
fn describe(found: &SetupProbe) -> String {
    let messages: u64 = found.folders.iter().filter_map(|(_, count)| *count).sum();
    let size = found.bytes.map(|bytes| format!(", {} MiB", bytes >> 20)).unwrap_or_default();
    let mut out = format!("The login works: {} folders, {messages} messages{size}.", found.folders.len());
    for (name, count) in found.folders.iter().take(SHOWN) {
        let count = count.map(|c| c.to_string()).unwrap_or_default();
        out += &format!("\n  {count:>8} {}", text::clean(name));
    }
    if found.folders.len() > SHOWN {
        out += &format!("\n           … and {} more", found.folders.len() - SHOWN);
    }
    out
}

fn next_steps(account: &Account, path: &Path, around: &Surroundings, sign_in: bool) -> String {
    // cron and systemd know HOME and not the variables of this shell.
    let usual = (around.env)("HOME").map(|home| Path::new(&home).join(".config/mailferry/config.toml"));
    let place = path.to_string_lossy();
    let config = (usual.as_deref() != Some(path)).then_some(place.as_ref());
    let name = &account.name;
    let first = match account.protocol {
        Protocol::Imap => format!("mailferry sync -n {name}     # look first\n  mailferry sync {name}"),
        Protocol::Pop3 => format!("mailferry fetch -n {name}    # look first\n  mailferry fetch {name}"),
    };
    let auth = if sign_in {
        format!("Sign in once, then the rest works:\n\n  mailferry auth {name}\n\n")
    } else {
        String::new()
    };
    let indented = |text: String| text.lines().map(|l| format!("  {l}\n")).collect::<String>();
    format!(
        "Wrote the account `{name}` to {}.\n\n{auth}Try it:\n\n  {first}\n\nEvery five minutes by cron (crontab -e):\n\n  {}\n\n\
         Or by a systemd timer: ~/.config/systemd/user/mailferry.service\n\n{}\nand ~/.config/systemd/user/mailferry.timer\n\n{}\n\
         then\n\n  {}\n",
        path.display(),
        schedule::cron_line(around.program, config),
        indented(schedule::systemd_service(around.program, config)),
        indented(schedule::systemd_timer()),
        schedule::SYSTEMD_ENABLE,
    )
}

#[cfg(test)]
mod tests {
    use super::super::ask::scripted::Script;
    use super::super::discover::{Network, Origin};
    use super::super::dns::{Record, RecordType};
    use super::*;
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
}
