//! Tests of reading a fetchmailrc.

use proptest::prelude::*;

use super::*;
use crate::import::model::Value;
use crate::import::render::render;

fn sample() -> Imported {
    parse(include_str!("../../../tests/data/import/fetchmail/fetchmailrc"))
}

#[test]
fn each_user_of_each_poll() {
    let imported = sample();
    let names: Vec<_> = imported.accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["work-anna", "work-info@example.org", "provider", "old.example.net"]);
    let anna = &imported.accounts[0];
    assert_eq!(
        (anna.text("protocol"), anna.text("host"), anna.text("tls")),
        (Some("pop3"), Some("pop.example.org"), Some("implicit"))
    );
    assert_eq!(anna.get("keep"), Some(&Value::Bool(true)));
    assert_eq!(anna.password.as_ref().map(Password::reveal), Some("it's \"secret\""));
    assert_eq!((anna.text("maildir"), anna.text("layout")), (Some("/home/anna/Maildir"), Some("maildir++")));
    assert_eq!(anna.text("poll_interval"), Some("300s"));
    assert_eq!(imported.accounts[1].get("delete"), Some(&Value::Bool(true)));
    assert_eq!(imported.accounts[1].text("max_size"), Some("1000000"));
}

#[test]
fn imap_and_a_skipped_entry() {
    let imported = sample();
    let provider = &imported.accounts[2];
    assert_eq!(
        (provider.text("protocol"), provider.text("tls"), provider.text("mode")),
        (Some("imap"), Some("starttls"), Some("archive"))
    );
    assert_eq!(provider.get("folders"), Some(&Value::List(vec!["INBOX".to_owned(), "Lists".to_owned()])));
    assert!(!imported.accounts[3].enabled);
    assert_eq!(imported.accounts[3].text("tls"), Some("none"));
    let rendered = render(&imported, false);
    assert!(!rendered.contains("secret"), "{rendered}");
    let table: toml::Table = rendered.parse().unwrap();
    assert_eq!(table["accounts"].as_table().map(toml::Table::len), Some(3));
    assert!(imported.warnings.iter().any(|warning| warning.text.contains("etrn")));
}

#[test]
fn imap_mail_that_was_read_is_not_deleted() {
    let of = |options: &str| parse(&format!("poll h proto imap user u {options}")).accounts.remove(0);
    assert_eq!((of("").get("delete"), of("").get("keep")), (None, Some(&Value::Bool(true))));
    assert_eq!(of("fetchall").get("delete"), Some(&Value::Bool(true)));
    assert_eq!(of("fetchall keep").get("delete"), None);
}

#[test]
fn the_host_asked_stands_in_the_id_file() {
    let Some(Origin::Fetchmail { id_file, host, poll, user }) = sample().accounts[0].origin.clone() else { panic!() };
    assert_eq!((id_file, host.as_str(), poll.as_str(), user.as_str()), (None, "pop.example.org", "work", "anna"));
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>(), words in prop::collection::vec("poll|skip|user|pass|is|no|keep|folder|mda|\"a/b\"|'x|=|set|daemon|defaults|7|via|h|proto|pop3", 0..40)) {
        let _ = render(&parse(&text), true);
        let _ = render(&parse(&words.join(" ")), true);
    }
}
