//! Tests of reading an offlineimaprc.

use proptest::prelude::*;

use super::*;
use crate::import::model::{Password, Value};
use crate::import::render::render;

fn sample() -> Imported {
    parse(include_str!("../../../tests/data/import/offlineimap/offlineimaprc"))
}

#[test]
fn a_usual_account() {
    let imported = sample();
    let work = &imported.accounts[0];
    assert_eq!(work.name, "work");
    assert_eq!((work.text("host"), work.text("tls")), (Some("imap.example.org"), Some("implicit")));
    assert_eq!(work.text("user"), Some("anna%work@example.org"));
    assert_eq!(work.get("password_command"), Some(&Value::List(vec!["pass".to_owned(), "mail/work".to_owned()])));
    assert_eq!(work.text("maildir"), Some("~/Mail/work"));
    assert_eq!(
        work.get("folders"),
        Some(&Value::List(vec!["*".to_owned(), "!Trash".to_owned(), "!INBOX/Spam".to_owned()]))
    );
    assert_eq!(work.text("on_delete"), Some("expunge"));
    assert_eq!(work.text("poll_interval"), Some("150s"));
    assert_eq!(work.get("connections"), Some(&Value::Int(2)));
    assert_eq!(work.text("tls_fingerprint"), Some(format!("sha256:{}", "ab".repeat(32)).as_str()));
    assert_eq!(work.text("after"), Some("notmuch new"));
    let Some(Origin::OfflineImap(origin)) = &work.origin else { panic!() };
    assert_eq!(
        (origin.separator.as_str(), origin.metadata.as_str(), origin.remote.as_str()),
        ("/", "~/.offlineimap-meta", "work-remote")
    );
    assert_eq!(origin.name_trans.as_ref().unwrap().apply("INBOX.Lists"), "Lists");
}

#[test]
fn gmail_read_only_and_not_listed() {
    let imported = sample();
    let gmail = &imported.accounts[1];
    assert_eq!(
        (gmail.text("provider"), gmail.text("direction"), gmail.text("on_delete")),
        (Some("gmail"), Some("pull"), Some("flag"))
    );
    assert_eq!(gmail.text("on_remote_delete"), Some("keep"));
    assert!(gmail.notes.iter().any(|note| note.text.contains("remotepasseval")));
    assert!(!imported.accounts[2].enabled);
    assert_eq!(imported.accounts[2].password.as_ref().map(Password::reveal), Some("s3cret"));
    let rendered = render(&imported, false);
    assert!(!rendered.contains("s3cret"), "{rendered}");
    let table: toml::Table = rendered.parse().unwrap();
    assert_eq!(table["accounts"].as_table().map(toml::Table::len), Some(2));
    assert!(imported.warnings.iter().any(|warning| warning.text.contains("archive: its local repository")));
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>(), lines in prop::collection::vec("(type|nametrans|folderfilter|remotepasseval|ssl|sep|autorefresh|maxsize|cert_fingerprint) ?= ?[a-z('%\\[0-9.]{0,8}", 0..9)) {
        let _ = render(&parse(&text), true);
        let body = lines.join("\n");
        let _ = render(&parse(&format!("[Account a]\nlocalrepository=l\nremoterepository=r\n{body}\n[Repository l]\ntype=Maildir\n{body}\n[Repository r]\n{body}\ntype=IMAP\n")), true);
    }
}
