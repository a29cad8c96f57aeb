//! Other people's folders, as Dovecot's acl plugin shows them: some may be read, some changed, some filled but not emptied.

use crate::support::dovecot::{Dovecot, Options};
use crate::support::ferry::Outcome;
use crate::support::mailbox::Mailbox;
use crate::support::message::{Msg, differences, flags};
use crate::support::rig::Rig;
use std::path::Path;
use std::sync::Arc;

/// A server on which users share folders below `Shared/OWNER/`.
fn server() -> Arc<Dovecot> {
    let extra = "mail_plugins = acl\nprotocol imap {\n mail_plugins = acl imap_acl\n}\n\
        plugin {\n acl = vfile\n acl_shared_dict = file:%h/../shared.db\n}\n\
        namespace shared {\n type = shared\n separator = /\n prefix = Shared/%%u/\n location = maildir:%%h/Maildir:LAYOUT=fs:INDEX=%h/shared/%%u\n \
        subscriptions = no\n list = yes\n}\n";
    Dovecot::shared(&Options { extra: extra.to_owned(), ..Options::default() })
}

/// A user's rig, and the owner of a folder of three messages that the user has these rights to.
struct Team {
    rig: Rig,
    owner: Mailbox,
    name: String,
    /// The folder as the user sees it.
    folder: String,
}

impl Team {
    fn new(hint: &str, rights: &str) -> Self {
        let server = server();
        let rig = Rig::new(server.clone(), hint);
        let name = server.user("owner");
        let mut owner = Mailbox::open(&server, &name);
        owner.create("Team");
        for n in 0..3 {
            owner.append("Team", text(n).as_bytes(), &flags("S"), 1_600_000_000 + n);
        }
        rig.mailbox().append("INBOX", text(10).as_bytes(), &flags("S"), 1_600_000_000);
        owner.command(&format!("SETACL Team {} {rights}", rig.user));
        let folder = format!("Shared/{name}/Team");
        Self { rig, owner, name, folder }
    }

    fn local(&self) -> Vec<Msg> {
        self.rig.local().messages(&self.folder)
    }

    /// What the folder holds on the two sides differs in nothing.
    /// What the owner has, by a session that knows nothing of before.
    fn there(&self) -> Vec<Msg> {
        Mailbox::open(&self.rig.server, &self.name).messages("Team")
    }

    /// One deletion waits: `first` told of it once, the server still has `count` messages, and `status` shows it.
    #[track_caller]
    fn waits(&self, first: &Outcome, count: usize) {
        assert_eq!((first.events_of("warning").len(), first.figure("deleted_remote")), (1, 0), "{}", first.stdout);
        let again = self.sync();
        assert!(again.events_of("warning").is_empty(), "{}", again.stdout);
        assert_eq!(again.figure("deleted_remote") + again.figure("uploaded"), 0, "{}", again.stdout);
        assert_eq!(self.there().len(), count, "nothing was deleted, nothing doubled");
        assert_eq!(self.pending("deleted"), 1);
    }

    #[track_caller]
    fn assert_same(&self) {
        let side = |all| std::collections::BTreeMap::from([(self.folder.clone(), all)]);
        let remote = side(self.there());
        let text = differences(&remote, &side(self.local()));
        assert!(text.is_empty(), "{text}");
    }

    #[track_caller]
    fn sync(&self) -> Outcome {
        self.rig.ferry.sync()
    }

    fn pending(&self, field: &str) -> u64 {
        let status = self.rig.ferry.json(&["status"]);
        let folders = status.events_of("status")[0]["folders"].as_array().cloned().unwrap_or_default();
        let team =
            folders.iter().find(|f| f["folder"] == self.folder.as_str()).unwrap_or_else(|| panic!("{}", status.stdout));
        team[field].as_u64().unwrap_or_else(|| panic!("{team}"))
    }
}

fn text(n: i64) -> String {
    format!("Subject: {n}\nMessage-ID: <team{n}@example.org>\n\nbody {n}\n")
}

#[test]
fn with_all_rights_a_shared_folder_is_like_any_other() {
    let mut team = Team::new("full", "lrwstipekxa");
    assert_eq!(team.sync().figure("downloaded"), 4);
    team.assert_same();
    let local = team.rig.local();
    let all = team.local();
    local.set_flags(&team.folder, Path::new(&all[0].place), &flags("FS"));
    local.deliver(&team.folder, text(7).as_bytes(), &flags("S"), 1_600_000_000);
    local.delete(Path::new(&all[1].place));
    team.owner.append("Team", text(8).as_bytes(), &flags(""), 1_600_000_000);
    team.sync();
    team.assert_same();
    assert_eq!(team.local().len(), 4);
    let outcome = team.sync();
    assert_eq!(outcome.figure("uploaded") + outcome.figure("flags_remote") + outcome.figure("deleted_remote"), 0);
}

#[test]
fn what_may_only_be_read_is_pulled_and_never_pushed() {
    let mut team = Team::new("reader", "lr");
    let first = team.sync();
    assert_eq!(first.figure("downloaded"), 4);
    team.assert_same();
    let about = |o: &Outcome| o.events_of("warning").iter().filter(|w| w["folder"] == team.folder.as_str()).count();
    assert_eq!(about(&first), 0, "nothing to tell of: {}", first.stdout);
    let local = team.rig.local();
    let all = team.local();
    local.set_flags(&team.folder, Path::new(&all[0].place), &flags("FS"));
    local.deliver(&team.folder, text(7).as_bytes(), &flags("S"), 1_600_000_000);
    local.delete(Path::new(&all[1].place));
    let there = team.there();
    for warnings in [1, 0] {
        let outcome = team.sync();
        let pushed = ["uploaded", "flags_remote", "deleted_remote", "moved_remote"].map(|f| outcome.figure(f));
        assert_eq!((pushed, about(&outcome)), ([0; 4], warnings), "{}{}", outcome.stdout, outcome.stderr);
    }
    assert_eq!(team.there(), there);
    // They wait, and are told of.
    assert_eq!([team.pending("new"), team.pending("changed"), team.pending("deleted")], [1, 1, 1]);
    // What the owner changes still comes.
    team.owner.append("Team", text(8).as_bytes(), &flags(""), 1_600_000_000);
    let uid = team.there()[2].uid();
    team.owner.store("Team", uid, &flags("RS"));
    let outcome = team.sync();
    assert_eq!((outcome.figure("downloaded"), outcome.figure("flags_local")), (1, 1), "{}", outcome.stdout);
    // With the right to change it they go up.
    team.owner.command(&format!("SETACL Team {} lrwstipe", team.rig.user));
    let outcome = team.sync();
    assert_eq!(outcome.figure("uploaded"), 1, "{}", outcome.stdout);
    team.sync();
    team.assert_same();
    assert_eq!([team.pending("new"), team.pending("changed"), team.pending("deleted")], [0, 0, 0]);
}

#[test]
fn what_may_be_filled_but_not_emptied() {
    let mut team = Team::new("filler", "lrwsi");
    team.sync();
    let local = team.rig.local();
    let all = team.local();
    local.set_flags(&team.folder, Path::new(&all[0].place), &flags("FS"));
    local.deliver(&team.folder, text(7).as_bytes(), &flags("S"), 1_600_000_000);
    local.delete(Path::new(&all[1].place));
    let outcome = team.sync();
    assert_eq!((outcome.figure("uploaded"), outcome.figure("flags_remote")), (1, 1), "{}", outcome.stdout);
    team.waits(&outcome, 4);
    team.owner.command(&format!("SETACL Team {} lrwstipe", team.rig.user));
    let outcome = team.sync();
    assert_eq!(outcome.figure("deleted_remote"), 1, "{}", outcome.stdout);
    team.assert_same();
}

#[test]
fn what_may_be_marked_but_not_expunged() {
    let mut team = Team::new("marker", "lrwsit");
    team.sync();
    team.rig.local().delete(Path::new(&team.local()[1].place));
    let outcome = team.sync();
    team.waits(&outcome, 3);
    team.owner.command(&format!("SETACL Team {} lrwstipe", team.rig.user));
    assert_eq!(team.sync().figure("deleted_remote"), 1);
    team.assert_same();
}

#[test]
fn what_takes_no_new_messages() {
    let mut team = Team::new("editor", "lrwste");
    team.sync();
    let local = team.rig.local();
    local.deliver(&team.folder, text(7).as_bytes(), &flags("S"), 1_600_000_000);
    local.set_flags(&team.folder, Path::new(&team.local()[0].place), &flags("FS"));
    let outcome = team.sync();
    assert_eq!(outcome.events_of("warning").len(), 1, "{}", outcome.stdout);
    let outcome = team.sync();
    assert!(outcome.events_of("warning").is_empty(), "{}", outcome.stdout);
    assert_eq!((team.pending("new"), team.there().len()), (1, 3));
    assert_eq!(team.there().iter().filter(|m| m.flags.contains("F")).count(), 1, "the rest goes on");
    team.owner.command(&format!("SETACL Team {} lrwstipe", team.rig.user));
    assert_eq!(team.sync().figure("uploaded"), 1);
    team.assert_same();
}

#[test]
fn only_what_is_subscribed() {
    let mut team = Team::new("subscriber", "lr");
    team.rig.ferry.set("subscribed_only", "true");
    let mut session = team.rig.mailbox();
    session.create("Work");
    session.append("Work", text(1).as_bytes(), &flags(""), 1_600_000_000);
    session.subscribe("INBOX");
    assert_eq!(team.sync().figure("downloaded"), 1);
    session.subscribe(&team.folder);
    assert_eq!(team.sync().figure("downloaded"), 3);
    team.assert_same();
    assert_eq!(team.rig.local().folders(), ["INBOX".to_owned(), team.folder.clone()]);
}

#[test]
fn a_share_that_is_withdrawn_deletes_nothing_here() {
    let mut team = Team::new("former", "lrwstipekxa");
    team.sync();
    team.owner.command(&format!("DELETEACL Team {}", team.rig.user));
    let outcome = team.rig.ferry.json(&["sync"]);
    outcome.assert_code(0);
    assert_eq!(outcome.figure("deleted_local"), 0, "{}", outcome.stdout);
    assert_eq!(team.local().len(), 3);
    assert_eq!(outcome.events_of("warning").len(), 1, "{}", outcome.stdout);
    assert!(team.sync().events_of("warning").is_empty());
    team.owner.command(&format!("SETACL Team {} lrwstipekxa", team.rig.user));
    team.owner.append("Team", text(8).as_bytes(), &flags(""), 1_600_000_000);
    let outcome = team.sync();
    assert_eq!((outcome.figure("downloaded"), outcome.figure("uploaded")), (1, 0), "{}", outcome.stdout);
    team.assert_same();
}
