//! What is imported passes mailferry's own check of a configuration.

use std::path::Path;

use proptest::prelude::*;

use super::{Imported, fetchmail, getmail, mbsync, mpop, offlineimap, render};
use crate::account::{Account, Keep, LayoutKind, Mode, Protocol};
use crate::config::{self, check::World, keys};

fn env(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/home/anna".to_owned())
}

fn load(imported: &Imported) -> Vec<Account> {
    let text = render(imported, true);
    let world = World { env: &env, base: Path::new("/etc"), private: true };
    match config::parse(&text, Path::new("config.toml"), &world) {
        Ok(config) => config.accounts,
        Err(complaints) => panic!("{complaints:?}\n{text}"),
    }
}

fn samples() -> Vec<(&'static str, Imported)> {
    vec![
        ("mbsync", mbsync::parse(include_str!("../../tests/data/import/mbsync/mbsyncrc"))),
        ("mbsync, old", mbsync::parse(include_str!("../../tests/data/import/mbsync/legacy-mbsyncrc"))),
        ("getmail, POP3", getmail::parse(include_str!("../../tests/data/import/getmail/pop3rc"), "getmailrc")),
        ("getmail, IMAP", getmail::parse(include_str!("../../tests/data/import/getmail/imaprc"), "office")),
        ("fetchmail", fetchmail::parse(include_str!("../../tests/data/import/fetchmail/fetchmailrc"))),
        ("mpop", mpop::parse(include_str!("../../tests/data/import/mpop/mpoprc"))),
        ("OfflineIMAP", offlineimap::parse(include_str!("../../tests/data/import/offlineimap/offlineimaprc"))),
    ]
}

#[test]
fn every_sample_loads() {
    for (tool, imported) in samples() {
        let enabled = imported.accounts.iter().filter(|account| account.enabled).count();
        assert!(enabled > 0, "{tool}");
        assert_eq!(load(&imported).len(), enabled, "{tool}");
    }
}

#[test]
fn only_known_keys_are_written() {
    for (tool, imported) in samples() {
        for account in &imported.accounts {
            for (name, _) in &account.keys {
                assert!(keys::KEYS.iter().any(|key| key.name == *name), "{tool}: {name}");
            }
        }
    }
}

#[test]
fn meanings_arrive() {
    let pop3 = load(&samples().remove(2).1).remove(0);
    assert_eq!((pop3.protocol, pop3.store.layout), (Protocol::Pop3, LayoutKind::MaildirPlusPlus));
    assert!(matches!(pop3.keep, Keep::DeleteAfter(_)), "{:?}", pop3.keep);
    let imap = load(&samples().remove(3).1).remove(0);
    assert_eq!((imap.protocol, imap.sync.mode), (Protocol::Imap, Mode::Archive));
}

proptest! {
    /// Whatever the file says, the result is TOML with the keys of the contract, and shows no password that was not asked for.
    #[test]
    fn any_text_renders(text in "[a-zA-Z0-9 =:\"'\\\\\n\\[\\]\\(\\),#%$~/*!.-]{0,200}") {
        for imported in [
            mbsync::parse(&text),
            getmail::parse(&text, "x"),
            fetchmail::parse(&text),
            mpop::parse(&text),
            offlineimap::parse(&text),
        ] {
            let rendered = render(&imported, false);
            prop_assert!(rendered.parse::<toml::Table>().is_ok(), "{}", rendered);
            prop_assert!(!rendered.contains("\npassword ="));
        }
    }
}
