//! Profiles as people write them, and what comes out.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::account::{
    AuthMechanism, CommandLine, Direction, Keep, LayoutKind, Mode, OnRemoteDelete, Protocol, SecretSource,
};
use crate::mail::FolderName;

fn env(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/home/me".to_owned())
}

fn world() -> check::World<'static> {
    check::World { env: &env, base: Path::new("/etc/mf"), private: true }
}

fn good(text: &str) -> Vec<Account> {
    parse(text, Path::new("config.toml"), &world()).unwrap_or_else(|c| panic!("{c:?}\n{text}")).accounts
}

/// One account with host and user and these lines; `head` before it.
fn one(lines: &str) -> Account {
    good(&format!("[accounts.a]\nprotocol = 'imap'\nhost = 'h'\nuser = 'me'\n{lines}\n")).remove(0)
}

fn bad(text: &str) -> Vec<String> {
    let complaints = parse(text, Path::new("config.toml"), &world()).expect_err(text);
    complaints.iter().map(ToString::to_string).collect()
}

fn bad_one(lines: &str) -> String {
    let all = bad(&format!("[accounts.a]\nprotocol = 'imap'\nhost = 'h'\nuser = 'me'\n{lines}\n"));
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn the_example_of_the_contract() {
    let accounts = good(
        r#"
[defaults]
maildir = "~/Mail/{account}"

[accounts.work]
protocol = "imap"
provider = "fastmail"
host = "imap.example.org"
port = 993
tls = "implicit"
user = "me@example.org"
password_command = "pass show mail/work"
folders = ["INBOX", "Lists/*", "!Lists/noise"]
"#,
    );
    let work = &accounts[0];
    assert_eq!((work.name.as_str(), work.protocol, work.endpoint.port), ("work", Protocol::Imap, 993));
    assert_eq!(work.store.root, PathBuf::from("/home/me/Mail/work"));
    assert!(matches!(&work.login.secret, SecretSource::Command(CommandLine::Shell(c)) if c == "pass show mail/work"));
    assert!(work.folders.matches(&FolderName::parse("Lists/rust").unwrap()));
    assert!(!work.folders.matches(&FolderName::parse("Lists/noise").unwrap()));
    assert_eq!((work.sync.max_delete, work.connections), (50, 4));
    assert_eq!((work.endpoint.timeout, work.poll_interval), (Duration::from_secs(60), Duration::from_secs(300)));
}

#[test]
fn accounts_keep_their_order_and_override() {
    let accounts = good(
        "[accounts.z]\nprovider='icloud'\nuser='me'\n[accounts.b]\nprotocol='pop3'\nhost='h'\nuser='u'\ntls='none'\n\
         [defaults]\nlayout='maildir++'\nmode='archive'\nfolder='Post'\ntls='starttls'\n",
    );
    assert_eq!(accounts.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["z", "b"]);
    let (z, b) = (&accounts[0], &accounts[1]);
    assert_eq!((z.protocol, z.endpoint.tls, z.endpoint.port), (Protocol::Imap, TlsMode::Implicit, 993));
    assert_eq!((b.endpoint.tls, b.endpoint.port), (TlsMode::None, 110));
    assert_eq!(b.folder, FolderName::parse("Post").unwrap());
    assert_eq!(z.folder, FolderName::inbox());
    assert_eq!(b.store.layout, LayoutKind::MaildirPlusPlus);
    assert_eq!((z.sync.mode, z.sync.direction), (Mode::Archive, Direction::Pull));
    assert_eq!(z.sync.on_remote_delete, OnRemoteDelete::Keep);
}

#[test]
fn ports_and_tls_follow_each_other() {
    let endpoint = |lines: &str| {
        let e = one(lines).endpoint;
        (e.tls, e.port)
    };
    assert_eq!(endpoint(""), (TlsMode::Implicit, 993));
    assert_eq!(endpoint("tls='starttls'"), (TlsMode::StartTls, 143));
    assert_eq!(endpoint("tls='none'"), (TlsMode::None, 143));
    assert_eq!(endpoint("port=143"), (TlsMode::StartTls, 143));
    assert_eq!(endpoint("port=1993"), (TlsMode::Implicit, 1993));
    assert_eq!(endpoint("tunnel='ssh h imap'"), (TlsMode::None, 143));
    let proton = &good("[accounts.p]\nprovider='proton'\nuser='me'\n")[0].endpoint;
    assert_eq!((proton.host.as_str(), proton.tls, proton.port), ("127.0.0.1", TlsMode::StartTls, 1143));
    let gmx = &good("[accounts.p]\nprovider='gmx'\nuser='me'\ntls='implicit'\n")[0].endpoint;
    assert_eq!((gmx.tls, gmx.port), (TlsMode::Implicit, 993));
}

#[test]
fn defaults_of_an_own_server_apply_unless_a_provider_is_named() {
    let accounts = good(
        "[defaults]\nhost='127.0.0.1'\nport=1143\ntls='none'\nuser='me'\n[accounts.a]\nprotocol='imap'\n\
         [accounts.b]\nprovider='fastmail'\n",
    );
    assert_eq!((accounts[0].endpoint.port, accounts[0].endpoint.tls), (1143, TlsMode::None));
    assert_eq!((accounts[1].endpoint.port, accounts[1].endpoint.tls), (993, TlsMode::Implicit));
    assert_eq!(accounts[1].endpoint.host, "imap.fastmail.com");
}

#[test]
fn a_tunnel_needs_neither_host_nor_user() {
    let account = &good("[accounts.t]\nprotocol='imap'\ntunnel=['ssh', 'h', 'imap']\n")[0];
    assert_eq!((account.endpoint.host.as_str(), account.login.user.as_str()), (build::TUNNEL_HOST, ""));
}

#[test]
fn a_password_source_is_one_choice() {
    let accounts = good(
        "[defaults]\npassword_command='a'\n[accounts.x]\nprotocol='imap'\nhost='h'\nuser='u'\npassword_file='~/p'\n\
         [accounts.y]\nprotocol='imap'\nhost='h'\nuser='u'\n",
    );
    assert!(matches!(&accounts[0].login.secret, SecretSource::File(p) if p == Path::new("/home/me/p")));
    assert!(matches!(&accounts[1].login.secret, SecretSource::Command(_)));
    assert!(matches!(one("").login.secret, SecretSource::Ask));
    assert!(bad_one("password_env='A'\npassword_command='b'").contains("choose one"));
    assert!(bad_one("password_env='A'\noauth2={token_command='t'}").contains("choose one"));
}

#[test]
fn keep_is_one_choice() {
    assert_eq!(one("delete=true").keep, Keep::Delete);
    assert_eq!(one("keep=true\ndelete=false").keep, Keep::Keep);
    assert_eq!(one("delete_after='30d'").keep, Keep::DeleteAfter(Duration::from_secs(30 * 86_400)));
    let account =
        good("[defaults]\ndelete=true\n[accounts.a]\nprotocol='pop3'\nhost='h'\nuser='u'\nkeep=true\n").remove(0);
    assert_eq!(account.keep, Keep::Keep);
    assert!(bad_one("keep=true\ndelete=true").contains("config.toml:6: [accounts.a] sets both `keep` and `delete`"));
    assert!(bad_one("delete=true\ndelete_after='1d'").contains("choose one"));
    assert!(bad_one("keep=false").contains("delete = true"));
    assert!(bad("[defaults]\nkeep=true\ndelete_after='1d'\n")[0].contains("[defaults] sets both"));
}

#[test]
fn keys_of_the_other_protocol() {
    assert!(bad_one("folder='X'").contains("`folder` in [accounts.a] is for POP3 accounts only"));
    let texts = bad("[accounts.p]\nprotocol='pop3'\nhost='h'\nuser='u'\nfolders=['*']\nmode='mirror'\n");
    assert!(texts.len() == 2 && texts[0].contains("is for IMAP accounts only"), "{texts:?}");
    good("[defaults]\nfolder='X'\nfolders=['a']\nmode='mirror'\n[accounts.p]\nprotocol='pop3'\nhost='h'\nuser='u'\n");
}

#[test]
fn modes_and_directions() {
    assert_eq!(one("mode='mirror'").sync.direction, Direction::Pull);
    assert_eq!(one("mode='mirror'\ndirection='pull'").sync.direction, Direction::Pull);
    assert_eq!(one("direction='push'").sync.direction, Direction::Push);
    assert!(bad_one("mode='mirror'\ndirection='push'").contains("contradicts `mode`"));
    assert!(bad_one("mode='archive'\non_remote_delete='delete'").contains("contradicts `mode`"));
    assert!(bad_one("mode='mirror'\non_remote_delete='keep'").contains("contradicts `mode`"));
    let text = "[defaults]\ndirection='both'\non_remote_delete='delete'\n\
                [accounts.a]\nprotocol='imap'\nhost='h'\nuser='u'\nmode='archive'\n";
    assert_eq!(good(text)[0].sync.on_remote_delete, OnRemoteDelete::Keep);
}

#[test]
fn an_inline_password_needs_a_private_file() {
    let text = "[accounts.a]\nprotocol='imap'\nhost='h'\nuser='u'\npassword='hunter2'\n";
    assert!(matches!(good(text)[0].login.secret, SecretSource::Inline(_)));
    let open = check::World { private: false, ..world() };
    let complaints = parse(text, Path::new("c"), &open).unwrap_err();
    assert_eq!((complaints.len(), complaints[0].line), (1, Some(5)));
    assert!(complaints[0].hint.as_deref().is_some_and(|h| h.contains("chmod 600")));
    assert!(!format!("{complaints:?}{:?}", good(text)).contains("hunter2"));
}

#[test]
fn what_an_account_needs() {
    let texts = bad(
        "[accounts.a]\n[accounts.b]\nprotocol='imap'\n[accounts.c]\nprotocol='pop3'\nprovider='icloud'\nuser='u'\n",
    );
    assert_eq!(texts[0], "config.toml:1: [accounts.a] needs `protocol = \"imap\"` or `protocol = \"pop3\"`");
    assert!(texts.iter().any(|t| t.starts_with("config.toml:2: [accounts.b] needs `user`")), "{texts:?}");
    assert!(texts.iter().any(|t| t.starts_with("config.toml:2: [accounts.b] needs `host`")), "{texts:?}");
    assert!(texts.iter().any(|t| t.contains("config.toml:6:") && t.contains("no POP3 server")), "{texts:?}");
    assert!(bad("[accounts.t]\nprovider='tuta'\nuser='u'\n")[0].contains("no IMAP server"));
}

#[test]
fn all_complaints_at_once_in_order() {
    let texts =
        bad("[defaults]\nfrob=1\n[accounts.a]\nprotocol='imap'\nhost='h'\nuser='u'\nport='x'\nfolder_s=['a']\n");
    let lines: Vec<&str> = texts.iter().map(|t| t.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["2", "7", "8"]);
    assert_eq!(texts[2], "config.toml:8: unknown key `folder_s` in [accounts.a]; did you mean `folders`?");
}

#[test]
fn a_wrong_default_is_told_once() {
    let texts = bad(
        "[defaults]\nmaildir='${NOPE}/{account}'\nprotocol='imap'\nhost='h'\nuser='u'\n[accounts.a]\n[accounts.b]\n",
    );
    assert_eq!(texts, ["config.toml:2: `maildir` in [defaults] uses ${NOPE}, which is not set"]);
}

#[test]
fn wrong_names_and_paths() {
    assert!(bad("[accounts.'a/b']\nprovider='gmail'\nuser='u'\n")[0].contains("holds a `/`"));
    assert!(bad("[accounts.'-n']\nprovider='gmail'\nuser='u'\n")[0].contains("command line"));
    assert!(bad("[accounts.'..']\nprovider='gmail'\nuser='u'\n")[0].contains("`..`"));
    assert!(
        bad_one("maildir='${NOPE}/x'")
            .contains("config.toml:5: `maildir` in [accounts.a] uses ${NOPE}, which is not set")
    );
    let text = "[accounts.a]\nprotocol='imap'\nhost='h'\nuser='../../etc'\nmaildir='/m/{user}'\n";
    assert!(bad(text)[0].contains("{user}, which holds a `/`"));
    assert_eq!(one("maildir='sub'").store.root, PathBuf::from("/etc/mf/sub"));
}

#[test]
fn mechanisms_and_oauth() {
    for word in keys::AUTH.iter().filter(|w| **w != "apop") {
        let account = one(&format!("auth='{word}'"));
        assert_eq!(account.login.mechanism == AuthMechanism::Auto, *word == "auto", "{word}");
    }
    assert!(bad_one("auth='apop'").contains("POP3"));
    assert!(bad_one("auth='plain'\noauth2={token_command='x'}").contains("oauth2"));
    assert!(bad_one("oauth2={client_id='x'}").contains("needs `token_url`"));
    let text = "[accounts.o]\nprovider='outlook'\nprotocol='pop3'\nuser='u'\noauth2={client_id='x'}\n";
    let oauth = good(text).remove(0).login.oauth2.unwrap();
    assert!(oauth.token_url.unwrap().starts_with("https://login.microsoftonline.com/"));
    assert!(oauth.scopes[0].contains("POP.AccessAsUser"));
    assert!(bad_one("client_cert_password_command='x'").contains("without `client_cert`"));
    assert!(bad_one("timeout='2d'").contains("longer than a day"));
}

#[test]
fn every_choice_means_something() {
    for key in keys::KEYS {
        let keys::Form::Choice(words) = key.form else { continue };
        let seen: std::collections::BTreeSet<String> = words
            .iter()
            .map(|word| {
                let pop = key.name == "auth" || key.name == "protocol";
                let protocol = if key.name == "protocol" {
                    ""
                } else if pop {
                    "protocol='pop3'"
                } else {
                    "protocol='imap'"
                };
                let text = format!("[accounts.a]\n{protocol}\nhost='h'\nuser='u'\n{} = '{word}'\n", key.name);
                format!("{:?}", good(&text))
            })
            .collect();
        assert_eq!(seen.len(), words.len(), "{}", key.name);
    }
}

#[test]
fn selection() {
    let accounts = good(
        "[accounts.work]\nprovider='gmail'\nuser='u'\n[accounts.pop]\nprovider='gmail'\nprotocol='pop3'\nuser='u'\n\
         [accounts.home]\nprovider='gmx'\nuser='u'\n",
    );
    let names = |names: &[&str], job| {
        select(&accounts, names, job).map(|list| list.into_iter().map(|a| a.name).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(names(&[], Job::Any).unwrap(), "work pop home");
    assert_eq!(names(&[], Job::Sync).unwrap(), "work home");
    assert_eq!(names(&[], Job::Fetch).unwrap(), "pop");
    assert_eq!(names(&["home", "work", "home"], Job::Fetch).unwrap(), "home work");
    let wrong = names(&["pop"], Job::Sync).unwrap_err();
    assert!(wrong[0].to_string().contains("cannot be synced"));
    assert_eq!(crate::severity::Severity::kind(&wrong[0]).exit(), 78);
    let wrong = names(&["wrok", "x"], Job::Any).unwrap_err();
    assert_eq!(wrong[0].to_string(), "no account `wrok`; did you mean `work`?");
    assert_eq!(wrong[1].to_string(), "no account `x`; there are: work, pop, home");
    assert!(select(&accounts[1..2], &[], Job::Sync).is_err() && select(&[], &[], Job::Any).is_err());
}

#[test]
fn overrides_of_the_command_line() {
    let mut account = one("mode='archive'\nfolders=['*', '!Spam']\npassword_env='X'");
    let overrides = Overrides {
        direction: Some(Direction::Push),
        max_size: Some(7),
        folders: vec!["Spam".to_owned(), "Work".to_owned()],
        keep: Some(Keep::Delete),
        into: Some(PathBuf::from("/m")),
        password_command: Some("cmd".to_owned()),
        ca_file: Some(PathBuf::from("/ca")),
        tls_fingerprint: Some([1; 32]),
    };
    apply(&mut account, &overrides);
    assert_eq!((account.sync.direction, account.sync.mode), (Direction::Push, Mode::Sync));
    assert_eq!(account.sync.on_remote_delete, OnRemoteDelete::Keep);
    assert_eq!((account.max_size, account.keep), (Some(7), Keep::Delete));
    assert!(account.folders.matches(&FolderName::parse("Work").unwrap()));
    assert!(!account.folders.matches(&FolderName::parse("Spam").unwrap()));
    assert_eq!(account.store.root, PathBuf::from("/m"));
    assert!(matches!(account.login.secret, SecretSource::Command(_)));
    assert!(account.endpoint.ca_file.is_some() && account.endpoint.fingerprint == Some([1; 32]));
    let before = format!("{:?}", one("mode='mirror'"));
    let mut same = one("mode='mirror'");
    apply(&mut same, &Overrides::default());
    assert_eq!(format!("{same:?}"), before);
}

#[test]
fn urls_need_no_file() {
    let none = |_: &str| None;
    let overrides = Overrides { into: Some(PathBuf::from("/m")), ..Overrides::default() };
    let names = ["pop3s://me@pop.example.org".to_owned()];
    let accounts_of = |overrides: &Overrides, job| accounts(None, &names, job, overrides, &none);
    let account = accounts_of(&overrides, Job::Fetch).unwrap().remove(0);
    assert_eq!((account.name.as_str(), account.endpoint.port), ("me@pop.example.org", 995));
    assert_eq!(accounts_of(&Overrides::default(), Job::Fetch).unwrap_err()[0].kind.exit(), 2);
    assert_eq!(accounts_of(&overrides, Job::Sync).unwrap_err()[0].kind.exit(), 78);
    let secret = ["imaps://me:hunter2@h".to_owned()];
    for overrides in [&overrides, &Overrides::default()] {
        let refused = accounts(None, &secret, Job::Any, overrides, &none).unwrap_err();
        assert_eq!(refused[0].kind.exit(), 2);
        assert!(!format!("{refused:?}").contains("hunter2"));
        assert!(refused[0].hint.as_deref().is_some_and(|h| h.contains("--password-command")));
    }
}

#[test]
fn roots_that_meet() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    std::fs::create_dir(root.join("real")).unwrap();
    symlink(root.join("real"), root.join("link")).unwrap();
    let with = |name: &str, protocol, path: &str| {
        let mut account = one("");
        account.name = name.to_owned();
        account.protocol = protocol;
        account.store.root = root.join(path);
        account
    };
    let count = |a: &Account, b: &Account| conflicts(&[a, b]).len();
    let (imap, pop) = (Protocol::Imap, Protocol::Pop3);
    assert_eq!(count(&with("a", imap, "real/x"), &with("b", imap, "link/x")), 1);
    assert_eq!(count(&with("a", imap, "real"), &with("b", pop, "link/x/y")), 1);
    assert_eq!(count(&with("a", pop, "real/x/y"), &with("b", imap, "link")), 1);
    assert_eq!(count(&with("a", imap, "real/x"), &with("b", pop, "real/x")), 0);
    assert_eq!(count(&with("a", pop, "real/x"), &with("b", pop, "link/x")), 0);
    assert_eq!(count(&with("a", imap, "real/x"), &with("b", imap, "real/xy")), 0);
    let mut other = with("b", pop, "real/x");
    other.store.layout = LayoutKind::MaildirPlusPlus;
    assert_eq!(count(&with("a", imap, "real/x"), &other), 1);
}

#[test]
fn loading_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let load_it = || load(Some(&path), &env);
    assert!(load_it().unwrap_err()[0].hint.as_deref().is_some_and(|h| h.contains("mailferry setup")));
    std::fs::write(&path, "[accounts.a]\nprovider='gmail'\nuser='u'\npassword='x'\nmaildir='m'\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(load_it().unwrap_err()[0].message.contains("no one else can read"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(load_it().unwrap().accounts[0].store.root, dir.path().join("m"));
    std::fs::write(&path, b"\xff").unwrap();
    assert!(load_it().unwrap_err()[0].message.contains("not UTF-8"));
    assert!(load(Some(dir.path()), &env).unwrap_err()[0].message.contains("cannot be read"));
}

#[test]
fn where_the_file_is() {
    let set = |pairs: &'static [(&'static str, &'static str)]| {
        move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    };
    let find = |given: Option<&str>, env: paths::Env| path(given.map(Path::new), env).map(|p| p.display().to_string());
    let all = set(&[("MAILFERRY_CONFIG", "/m.toml"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]);
    assert_eq!(find(Some("given"), &all).unwrap(), "given");
    assert_eq!(find(None, &all).unwrap(), "/m.toml");
    let xdg = set(&[("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")]);
    assert_eq!(find(None, &xdg).unwrap(), "/x/mailferry/config.toml");
    let home = set(&[("XDG_CONFIG_HOME", "relative"), ("MAILFERRY_CONFIG", ""), ("HOME", "/h")]);
    assert_eq!(find(None, &home).unwrap(), "/h/.config/mailferry/config.toml");
    assert!(find(None, &set(&[])).is_err());
}

#[test]
fn warnings_without_tls() {
    assert!(warnings(&one("")).is_empty());
    assert!(warnings(&one("tls='none'"))[0].contains("can be read on the way"));
    assert!(warnings(&one("tunnel='x'")).is_empty());
    let local = good("[accounts.a]\nprotocol='imap'\nhost='127.0.0.1'\nuser='me'\ntls='none'\n");
    assert!(warnings(&local[0]).is_empty());
}

proptest! {
    #[test]
    fn any_profile_is_judged(
        lines in proptest::collection::vec((0..keys::KEYS.len(), "'[a-z0-9%/.]{0,6}'|[0-9]{1,4}|true|\\['[*!a-z]{0,3}'\\]"), 0..8),
    ) {
        let mut text = "[accounts.a]\n".to_owned();
        let mut seen = std::collections::BTreeSet::new();
        for (key, value) in lines {
            if let Some(key) = keys::KEYS.get(key) && seen.insert(key.name) {
                text += &format!("{} = {value}\n", key.name);
            }
        }
        match parse(&text, Path::new("c"), &world()) {
            Ok(config) => prop_assert_eq!(config.accounts.len(), 1),
            Err(complaints) => prop_assert!(complaints.iter().all(|c| c.line.is_some())),
        }
    }
}
