//! Tests of reading an mbsyncrc.

use proptest::prelude::*;

use super::*;
use crate::import::model::{Password, Value};
use crate::import::render::render;

fn find<'a>(imported: &'a Imported, name: &str) -> &'a ImportedAccount {
    imported.accounts.iter().find(|account| account.name == name).unwrap_or_else(|| panic!("no {name}: {imported:?}"))
}

fn list(items: &[&str]) -> Option<Value> {
    Some(Value::List(items.iter().map(|item| (*item).to_owned()).collect()))
}

#[test]
fn a_usual_account() {
    let imported = parse(include_str!("../../../tests/data/import/mbsync/mbsyncrc"));
    let work = find(&imported, "work");
    assert_eq!(work.text("host"), Some("imap.example.org"));
    assert_eq!(work.text("tls"), Some("implicit"));
    assert_eq!(work.text("user"), Some("anna@example.org"));
    assert_eq!(work.text("password_command"), Some("pass show \"mail/work\" | head -1"));
    assert_eq!(work.text("maildir"), Some("~/Mail/work"));
    assert_eq!(work.get("layout"), None);
    assert_eq!(work.get("folders").cloned(), list(&["*", "!Spam", "!Lists/big lists/*"]));
    assert_eq!(work.get("expunge"), Some(&Value::Bool(true)));
    assert_eq!(work.text("on_delete"), Some("expunge"));
    assert_eq!(work.get("on_remote_delete"), None);
    assert_eq!(work.text("max_size"), Some("25M"));
    assert_eq!(work.get("ca_file"), None);
}

#[test]
fn channels_of_one_pair_become_one_account() {
    let imported = parse(include_str!("../../../tests/data/import/mbsync/mbsyncrc"));
    let gmail = find(&imported, "gmail-far");
    assert_eq!(gmail.get("folders").cloned(), list(&["INBOX", "[Gmail]/Sent Mail"]));
    // One channel only pulls, and without Gone: that holds for all.
    assert_eq!(gmail.text("direction"), Some("pull"));
    assert_eq!(gmail.text("on_delete"), Some("ignore"));
    assert_eq!(gmail.text("on_remote_delete"), Some("keep"));
    assert_eq!(gmail.text("auth"), Some("xoauth2"));
    let Some(Origin::Mbsync(origin)) = &gmail.origin else { panic!("no origin") };
    assert_eq!(origin.channels.len(), 2);
    assert_eq!(origin.channels[1].near, ("gmail-near".to_owned(), "sent".to_owned()));
    assert_eq!(origin.channels[0].sync_state.as_deref(), Some("*"));
    assert!(!origin.channels[0].own_sync_state);
}

#[test]
fn the_sample_of_the_manual() {
    let imported = parse(include_str!("../../../tests/data/import/mbsync/legacy-mbsyncrc"));
    let work = find(&imported, "work");
    assert_eq!(work.password.as_ref().map(Password::reveal), Some("xxxxxxxx"));
    assert_eq!((work.text("maildir"), work.text("layout")), (Some("~/Mail/work"), Some("maildir++")));
    let remote = find(&imported, "remote");
    assert_eq!(remote.text("tunnel"), Some("ssh -q host.remote.example /usr/sbin/imapd"));
    assert_eq!(remote.text("tls"), Some("none"));
    let server = find(&imported, "inbox");
    assert_eq!((server.text("host"), server.text("tls")), (Some("foo.bar.example"), Some("implicit")));
    assert_eq!(server.text("ca_file"), Some("~/.server-certificate.crt"));
    assert_eq!(server.text("trash"), Some("~/trash"));
    assert!(imported.warnings.iter().any(|warning| warning.text.contains("two servers")));
    for account in &imported.accounts {
        assert_eq!(account.text("on_remote_delete"), Some("keep"), "{}: a local Trash, or no Expunge", account.name);
    }
}

#[test]
fn two_accounts_never_share_a_root() {
    let text = "IMAPStore a\nHost a\n\nIMAPStore b\nHost b\n\nMaildirStore m\nPath ~/M/\nInbox ~/M/INBOX\n\n\
        Channel a\nFar :a:\nNear :m:\nPatterns *\n\nChannel b\nMaster :b:\nSlave :m:\nPatterns *\n";
    let imported = parse(text);
    assert_eq!(imported.accounts[0].text("maildir"), Some("~/M"));
    assert_eq!(imported.accounts[1].text("maildir"), Some("~/M/b"));
}

#[test]
fn swapped_sides_and_maildir_plus_plus() {
    let text = "IMAPStore a\nHost a\nPath INBOX.\n\nMaildirStore m\nInbox ~/Maildir/\nSubFolders Maildir++\n\n\
        Channel c\nFar :m:\nNear :a:\nPatterns INBOX %\nSync Pull\nExpunge Near\n";
    let account = &parse(text).accounts[0];
    assert_eq!((account.text("maildir"), account.text("layout")), (Some("~/Maildir"), Some("maildir++")));
    assert_eq!(account.text("direction"), Some("push"));
    assert_eq!(account.text("on_delete"), Some("expunge"));
    assert_eq!(account.get("folders").cloned(), list(&["INBOX", "INBOX/%"]));
}

#[test]
fn it_renders_and_loads() {
    for text in [
        include_str!("../../../tests/data/import/mbsync/mbsyncrc"),
        include_str!("../../../tests/data/import/mbsync/legacy-mbsyncrc"),
    ] {
        let rendered = render(&parse(text), false);
        assert!(!rendered.contains("xxxxxxxx"), "{rendered}");
        let table: toml::Table = rendered.parse().unwrap_or_else(|error| panic!("{error}\n{rendered}"));
        assert!(table["accounts"].is_table());
    }
}

proptest! {
    #[test]
    fn any_text_is_read(
        text in any::<String>(),
        lines in prop::collection::vec("(Far|Near|Patterns|Sync|Path|Host|Expunge|MaxSize|AuthMechs|SubFolders|) [:asm\"*!/ ]{0,8}", 0..12),
    ) {
        let _ = parse(&text);
        let body = lines.join("\n");
        let _ = render(&parse(&format!("IMAPStore s\n{body}\n\nMaildirStore m\n{body}\n\nChannel c\nFar :s:\nNear :m:\n{body}\n")), true);
    }
}
