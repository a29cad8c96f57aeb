//! Names in UTF-8 (UTF8=ACCEPT), 8-bit headers, NUL bytes: what a plain command cannot hold.

use crate::support::dovecot::{Dovecot, Options};
use crate::support::fake_imap::{FakeImap, Folder, Hook, Store};
use crate::support::ferry::Ferry;
use crate::support::message::flags;
use crate::support::rig::Rig;
use std::collections::BTreeMap;
use std::path::Path;

const DATE: i64 = 1_600_000_000;

fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\n{name}\n").into_bytes()
}

fn store(capabilities: &str, folders: &[&str]) -> Store {
    let mut store = Store { capabilities: capabilities.into(), ..Store::default() };
    for (i, name) in folders.iter().enumerate() {
        let mut folder = Folder { uid_validity: 70 + u32::try_from(i).unwrap(), ..Folder::default() };
        folder.add(&mail(&format!("m{i}")), &["\\Seen"], DATE);
        store.folders.insert((*name).to_owned(), folder);
    }
    store
}

/// A server that agrees to UTF8=ACCEPT, or answers something else.
fn enabling(answer: &'static str) -> Hook {
    Box::new(move |c, store| {
        let asked = c.line.contains(" ENABLE ") && store.capabilities.contains("ENABLE");
        asked.then(|| format!("{answer}{{tag}} OK\r\n").into_bytes())
    })
}

const OFFERED: &str = "IMAP4rev1 UIDPLUS ENABLE UTF8=ACCEPT";
const AGREED: &str = "* ENABLED UTF8=ACCEPT\r\n";

fn wire_names(fake: &FakeImap) -> Vec<String> {
    fake.store().folders.keys().cloned().collect()
}

#[test]
fn names_are_utf8_both_ways_once_the_server_has_agreed() {
    let fake = FakeImap::with_hook(store(OFFERED, &["Entwürfe", "A&B", "日本/語"]), enabling(AGREED));
    let ferry = Ferry::imap(fake.port(), "someone");
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    assert_eq!(ferry.local().folders(), ["A&B", "Entwürfe", "INBOX", "日本/語"]);
    ferry.local().create("Neu & schön");
    ferry.local().deliver("Neu & schön", &mail("new"), &flags("S"), DATE);
    ferry.local().deliver("Entwürfe", &mail("draft"), &flags("S"), DATE);
    assert_eq!(ferry.sync().figure("uploaded"), 2);
    assert_eq!(wire_names(&fake), ["A&B", "Entwürfe", "INBOX", "Neu & schön", "日本/語"]);
    assert_eq!(fake.store().folders["Entwürfe"].messages.len(), 2);
    let idle = ferry.sync();
    assert_eq!((idle.figure("downloaded"), idle.figure("uploaded")), (0, 0));
    let heard = fake.heard();
    assert!(heard.contains("ENABLE UTF8=ACCEPT") && !heard.contains("&APw-"), "{heard}");
}

#[test]
fn a_server_that_does_not_agree_keeps_modified_utf7() {
    for answer in ["", "* ENABLED\r\n", "* ENABLED CONDSTORE\r\n"] {
        let fake = FakeImap::with_hook(store(OFFERED, &["Entw&APw-rfe", "A&-B"]), enabling(answer));
        let ferry = Ferry::imap(fake.port(), "someone");
        assert_eq!(ferry.sync().figure("downloaded"), 2);
        assert_eq!(ferry.local().folders(), ["A&B", "Entwürfe", "INBOX"]);
        ferry.local().create("schön");
        ferry.sync();
        assert_eq!(wire_names(&fake), ["A&-B", "Entw&APw-rfe", "INBOX", "sch&APY-n"]);
    }
}

#[test]
fn a_server_that_learns_utf8_or_forgets_it_changes_no_folder() {
    let (utf7, utf8) = (["Entw&APw-rfe", "A&-B", "&ZeVnLA-/x"], ["Entwürfe", "A&B", "日本/x"]);
    let fake = FakeImap::with_hook(store("IMAP4rev1 UIDPLUS", &utf7), enabling(AGREED));
    let ferry = Ferry::imap(fake.port(), "someone");
    assert_eq!(ferry.sync().figure("downloaded"), 3);
    let rename = |from: [&str; 3], to: [&str; 3], capabilities: &str| {
        fake.change(|store| {
            let old = std::mem::take(&mut store.folders);
            let name = |name: String| from.iter().position(|f| *f == name).map_or(name, |at| to[at].to_owned());
            store.folders = old.into_iter().map(|(n, f)| (name(n), f)).collect::<BTreeMap<_, _>>();
            store.capabilities = capabilities.into();
        });
    };
    for (from, to, capabilities) in [(utf7, utf8, OFFERED), (utf8, utf7, "IMAP4rev1 UIDPLUS")] {
        rename(from, to, capabilities);
        let outcome = ferry.sync();
        assert_eq!((outcome.figure("downloaded"), outcome.figure("uploaded")), (0, 0));
        assert!(outcome.events_of("warning").is_empty(), "{}", outcome.stdout);
        assert_eq!(ferry.local().folders(), ["A&B", "Entwürfe", "INBOX", "日本/x"]);
        assert_eq!(fake.store().folders.len(), 4);
    }
}

#[test]
fn a_header_of_8_bits_that_a_plain_upload_is_refused_for_goes_as_utf8() {
    let hook: Hook = Box::new(|c, _| {
        if c.line.contains(" ENABLE ") {
            return Some(format!("{AGREED}{{tag}} OK\r\n").into_bytes());
        }
        let plain = c.line.contains(" APPEND ") && !c.line.contains("UTF8 (~{");
        let eight_bits = c.literals.last().is_some_and(|m| String::from_utf8_lossy(m).contains("Grüße"));
        (plain && eight_bits).then(|| b"{tag} NO use UTF8\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(store(&format!("{OFFERED} LITERAL+"), &[]), hook);
    let ferry = Ferry::imap(fake.port(), "someone");
    ferry.sync();
    ferry.local().deliver("INBOX", &mail("Grüße"), &flags("S"), DATE);
    ferry.local().deliver("INBOX", &mail("plain"), &flags("S"), DATE);
    assert_eq!(ferry.sync().figure("uploaded"), 2);
    let inbox = fake.store().folders["INBOX"].messages.clone();
    assert_eq!(inbox.len(), 2);
    assert!(inbox.iter().any(|m| String::from_utf8_lossy(&m.bytes).contains("Subject: Grüße\r\n")));
    assert_eq!(fake.heard().matches("UTF8 (~{").count(), 1);
    assert_eq!(ferry.sync().figure("uploaded"), 0);
}

const NUL: &[u8] = b"From: a@example.org\nSubject: nul\nMessage-ID: <nul@example.org>\n\nab\0cd\n";

/// What lies in the server's own Maildir, INBOX.
fn stored(dir: &Path) -> Vec<Vec<u8>> {
    let entries = ["new", "cur"].iter().flat_map(|sub| std::fs::read_dir(dir.join(sub)).unwrap());
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn a_message_with_nul_bytes_reaches_a_server_with_binary_as_it_is() {
    let rig = Rig::usual("nul");
    rig.sync();
    rig.local().deliver("INBOX", NUL, &flags("S"), DATE);
    rig.local().deliver("INBOX", &mail("plain"), &flags("S"), DATE);
    let (outcome, records) = rig.sync();
    assert_eq!(outcome.figure("uploaded"), 2);
    assert_eq!(records.iter().map(|r| r.client().matches("~{").count()).sum::<usize>(), 1);
    let there = stored(&rig.server.storage(&rig.user));
    assert_eq!(there.len(), 2);
    assert!(there.iter().any(|m| m.windows(5).any(|w| w == b"ab\0cd")), "{there:?}");
    let (idle, _) = rig.sync();
    assert_eq!((idle.figure("uploaded"), idle.figure("downloaded")), (0, 0));
}

#[test]
fn a_message_with_nul_bytes_fails_alone_where_there_is_no_binary() {
    let rig = Rig::new(Dovecot::shared(&Options::without(&["BINARY"])), "no-binary");
    rig.sync();
    let file = rig.local().deliver("INBOX", NUL, &flags("S"), DATE);
    rig.local().deliver("INBOX", &mail("plain"), &flags("S"), DATE);
    for uploaded in [1, 0] {
        let outcome = rig.ferry.json(&["sync"]);
        outcome.assert_code(69);
        assert_eq!(outcome.figure("uploaded"), uploaded);
        let errors = outcome.events_of("error");
        let [error] = errors.as_slice() else { panic!("{errors:?}") };
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("NUL") && told.contains(file.file_name().unwrap().to_str().unwrap()), "{told}");
        assert!(error["hint"].as_str().unwrap().contains("stays here as it is"), "{error}");
        assert_eq!(outcome.events_of("summary")[0]["result"], "partial");
    }
    assert_eq!(stored(&rig.server.storage(&rig.user)).len(), 1);
    assert!(rig.local().messages("INBOX").iter().any(|m| m.bytes.windows(5).any(|w| w == b"ab\0cd")));
}
