//! Secrets from each source, and the rules for what they give.

use super::*;
use crate::account::*;
use crate::severity::{Kind, Severity};

fn account(secret: SecretSource) -> Account {
    let endpoint = Endpoint::new("mail.example.org", 993, TlsMode::Implicit);
    Account::new("work", Protocol::Imap, endpoint, Login { secret, ..Login::new("me") }, "/nowhere".into())
}

fn get(secret: SecretSource) -> Result<String, Error> {
    let credentials = resolve(&account(secret), &Stop::new().unwrap(), false)?;
    assert_eq!((credentials.user.as_str(), credentials.oauth), ("me", false));
    Ok(credentials.secret.unwrap().expose_str().unwrap().to_owned())
}

fn shell(text: &str) -> SecretSource {
    SecretSource::Command(CommandLine::Shell(text.to_owned()))
}

#[test]
fn every_source_gives_its_secret() {
    assert_eq!(get(shell("echo geheim")).unwrap(), "geheim");
    assert_eq!(get(SecretSource::Inline("in line".to_owned().into())).unwrap(), "in line");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    std::fs::write(&path, "from file\r\nsecond line").unwrap();
    assert_eq!(get(SecretSource::File(path)).unwrap(), "from file");
    // Set by cargo for every test.
    assert_eq!(get(SecretSource::Env("CARGO_PKG_NAME".to_owned())).unwrap(), "mailferry");
}

#[test]
fn one_carriage_return_is_dropped_and_nothing_else_forgiven() {
    assert_eq!(get(shell("printf 'a b\\r\\n'")).unwrap(), "a b");
    for bad in ["printf 'a\\r\\r\\n'", "printf 'a\\rb'", "printf 'a\\000b\\n'", "printf '\\r\\n'"] {
        let error = get(shell(bad)).unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{bad}: {error}");
        assert_eq!(error.kind(), Kind::Config);
    }
    assert!(matches!(get(SecretSource::Inline("a\nb".to_owned().into())), Err(Error::Unusable { .. })));
    assert!(matches!(get(SecretSource::Inline(String::new().into())), Err(Error::Unusable { .. })));
}

#[test]
fn failing_sources_are_configuration_errors_with_hints() {
    for source in [
        shell("exit 1"),
        SecretSource::File("/does/not/exist".into()),
        SecretSource::Env("MAILFERRY_NOT_SET_ANYWHERE".to_owned()),
        SecretSource::Ask,
    ] {
        let error = get(source).unwrap_err();
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.hint().is_some() && error.to_string().starts_with("no password: "), "{error}");
    }
}

#[cfg(not(feature = "keyring"))]
#[test]
fn without_a_keyring_the_message_names_the_way_out() {
    let error = get(SecretSource::Keyring("mail".to_owned())).unwrap_err();
    assert!(error.to_string().contains("built without"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("password_command")), "{error}");
}

#[test]
fn tunnels_and_certificates_need_no_secret() {
    let mut account = account(SecretSource::Ask);
    account.endpoint.tunnel = Some(CommandLine::Shell("true".to_owned()));
    assert!(resolve(&account, &Stop::new().unwrap(), true).unwrap().secret.is_none());
    account.endpoint.tunnel = None;
    account.login.mechanism = AuthMechanism::External;
    assert!(resolve(&account, &Stop::new().unwrap(), true).unwrap().secret.is_none());
}

#[test]
fn a_token_command_is_asked_again_after_a_refusal() {
    let mut account = account(SecretSource::Ask);
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let text = format!("echo x >> '{0}'; echo token$(wc -l < '{0}')", count.display());
    account.login.oauth2 = Some(OAuth2 { token_command: Some(CommandLine::Shell(text)), ..OAuth2::default() });
    let stop = Stop::new().unwrap();
    let first = resolve(&account, &stop, false).unwrap();
    assert!(first.oauth);
    assert_eq!(first.secret.as_ref().unwrap().expose(), b"token1");
    let second = renew(&account, &stop, &first).unwrap().unwrap();
    assert_eq!(second.secret.unwrap().expose(), b"token2");
    account.login.oauth2 =
        Some(OAuth2 { token_command: Some(CommandLine::Shell("echo token1".to_owned())), ..OAuth2::default() });
    assert!(renew(&account, &stop, &first).unwrap().is_none());
    account.login.oauth2 =
        Some(OAuth2 { token_command: Some(CommandLine::Shell("exit 1".to_owned())), ..OAuth2::default() });
    assert_eq!(resolve(&account, &stop, false).unwrap_err().kind(), Kind::Auth);
}
