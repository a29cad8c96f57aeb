//! mbsync's configuration: accounts, stores and channels, joined into one mailferry account per pair of stores.

mod place;
mod policy;
mod server;
pub mod syntax;

use policy::Policy;
use syntax::{Kind, Section};

use super::model::{Imported, ImportedAccount};
use super::origin::{MbsyncChannel, MbsyncOrigin, Origin, SubFolders};
use super::terms;

/// Reads an mbsyncrc.
#[must_use]
pub fn parse(text: &str) -> Imported {
    let (sections, problems) = syntax::parse(text);
    let mut imported = Imported { accounts: Vec::new(), warnings: problems };
    let config = Config { sections: &sections };
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for section in sections.iter().filter(|section| section.kind == Kind::Channel) {
        match config.channel(section) {
            Ok(channel) => match pairs.iter_mut().find(|pair| pair.joins(&channel)) {
                Some(pair) => pair.channels.push(channel),
                None => pairs.push(Pair { channels: vec![channel] }),
            },
            Err(reason) => imported.warn(section.line, format!("channel {:?}: {reason}", section.name)),
        }
    }
    if pairs.is_empty() {
        imported.warn(0, "no channel between an IMAP store and a Maildir store: nothing to import");
    }
    for pair in &pairs {
        if let Some(mut account) = config.account(pair) {
            own_root(&mut account, &imported.accounts);
            imported.add(account);
        }
    }
    if sections.iter().any(|section| section.kind == Kind::Group) {
        imported.warn(0, "groups have no counterpart: name the accounts, as in \"mailferry run a b\"");
    }
    imported.sorted()
}

/// Two sync accounts in one root, or one root inside another, are refused by mailferry.
fn own_root(account: &mut ImportedAccount, others: &[ImportedAccount]) {
    let Some(root) = account.text("maildir").map(str::to_owned) else { return };
    let inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    for other in others {
        let Some(taken) = other.text("maildir") else { continue };
        if taken == root {
            account.set("maildir", format!("{}/{}", root.trim_end_matches('/'), account.name));
        }
        if taken == root || inside(&root, taken) || inside(taken, &root) {
            let text = format!(
                "the maildir {root} and that of {} share a directory, which mailferry refuses: move the folders of each account to one of its own",
                other.name
            );
            account.warn(0, text);
            return;
        }
    }
}

struct Config<'a> {
    sections: &'a [Section],
}

/// A channel from a server's store to a Maildir store.
struct Channel<'a> {
    section: &'a Section,
    far: &'a Section,
    near: &'a Section,
    far_box: String,
    near_box: String,
    policy: Policy,
    patterns: Option<Vec<String>>,
}

/// The channels between the same two stores.
struct Pair<'a> {
    channels: Vec<Channel<'a>>,
}

impl Pair<'_> {
    fn joins(&self, channel: &Channel<'_>) -> bool {
        self.channels.iter().any(|own| own.far == channel.far && own.near == channel.near)
    }
}

impl<'a> Config<'a> {
    fn find(&self, kind: Kind, name: &str) -> Option<&'a Section> {
        self.sections.iter().find(|section| section.kind == kind && section.name == name)
    }

    fn global(&self) -> Section {
        self.sections.first().cloned().unwrap_or_else(|| Section {
            kind: Kind::Global,
            name: String::new(),
            line: 0,
            settings: Vec::new(),
        })
    }

    fn channel(&self, section: &'a Section) -> Result<Channel<'a>, &'static str> {
        let side = |keys: &[&str]| section.get(keys).and_then(|setting| store_and_box(setting.arg()));
        let far = side(&["far", "master"]).ok_or("has no Far store")?;
        let near = side(&["near", "slave"]).ok_or("has no Near store")?;
        let (far_imap, near_imap) = (self.find(Kind::ImapStore, &far.0), self.find(Kind::ImapStore, &near.0));
        let (far_dir, near_dir) = (self.find(Kind::MaildirStore, &far.0), self.find(Kind::MaildirStore, &near.0));
        let global = self.global();
        let patterns = patterns(section);
        match (far_imap, near_dir, near_imap, far_dir) {
            (Some(imap), Some(maildir), _, _) => Ok(Channel {
                section,
                far: imap,
                near: maildir,
                far_box: far.1,
                near_box: near.1,
                policy: Policy::of(section, &global, false),
                patterns,
            }),
            (_, _, Some(imap), Some(maildir)) => Ok(Channel {
                section,
                far: imap,
                near: maildir,
                far_box: near.1,
                near_box: far.1,
                policy: Policy::of(section, &global, true),
                patterns,
            }),
            (Some(_), _, Some(_), _) => Err("joins two servers, which mailferry does not do directly"),
            (_, Some(_), _, Some(_)) => Err("joins two Maildirs, which is no task of mailferry"),
            _ => Err("names a store that is not defined"),
        }
    }

    fn account(&self, pair: &Pair<'a>) -> Option<ImportedAccount> {
        let first = pair.channels.first()?;
        let name = if pair.channels.len() == 1 { &first.section.name } else { &first.far.name };
        let mut account = ImportedAccount::new(name);
        let login = match first.far.get(&["account"]) {
            Some(setting) => self.find(Kind::ImapAccount, setting.arg()).unwrap_or(first.far),
            None => first.far,
        };
        server::apply(&mut account, login);
        place::set_folders(&mut account, pair);
        place::set_maildir(&mut account, pair);
        let policy = pair.channels.iter().map(|channel| channel.policy).reduce(Policy::joined)?;
        if pair.channels.iter().any(|channel| channel.policy != policy) {
            account.warn(
                first.section.line,
                "channels with different settings became one account: what deletes least was taken",
            );
        }
        policy.apply(&mut account, first.section.line);
        trash(&mut account, first);
        self.limits(&mut account, pair);
        account.origin = Some(Origin::Mbsync(self.origin(pair)?));
        Some(account)
    }

    fn limits(&self, account: &mut ImportedAccount, pair: &Pair<'_>) {
        let global = self.global();
        let mut sizes: Vec<u64> = Vec::new();
        for channel in &pair.channels {
            let sections = [channel.section, channel.far, channel.near, &global];
            let get = |key: &str| sections.iter().find_map(|section| section.get(&[key]));
            if let Some(setting) = get("maxsize") {
                match terms::size(setting.arg()) {
                    Some(size) => sizes.push(size),
                    None => account.warn(setting.line, "MaxSize is no size, not taken over"),
                }
            } else {
                sizes.push(0);
            }
            if let Some(setting) = get("maxmessages").filter(|setting| setting.arg() != "0") {
                account.warn(
                    setting.line,
                    "MaxMessages has no counterpart: every message is kept in the Maildir, none expires",
                );
            }
        }
        // 0 is no limit: a message that one channel carried must not be skipped.
        let limit = if sizes.contains(&0) { 0 } else { sizes.into_iter().max().unwrap_or(0) };
        terms::set_max_size(account, limit);
    }

    fn origin(&self, pair: &Pair<'_>) -> Option<MbsyncOrigin> {
        let global = self.global();
        let (far, store) = (pair.channels.first()?.far, pair.channels.first()?.near);
        let first_char = |text: &str| text.chars().next();
        let channels = pair.channels.iter().map(|channel| {
            let own = channel.section.get(&["syncstate"]);
            MbsyncChannel {
                name: channel.section.name.clone(),
                far: (channel.far.name.clone(), channel.far_box.clone()),
                near: (channel.near.name.clone(), channel.near_box.clone()),
                patterns: channel.patterns.is_some(),
                sync_state: own.or_else(|| global.get(&["syncstate"])).map(|setting| setting.arg().to_owned()),
                own_sync_state: own.is_some(),
            }
        });
        Some(MbsyncOrigin {
            path: store.text(&["path"]).to_owned(),
            inbox: inbox_of(store),
            sub_folders: sub_folders(store),
            far_path: slashes(far.text(&["path"]), far.text(&["pathdelimiter"])),
            flatten: Some(store.text(&["flatten"])).filter(|text| !text.is_empty()).map(str::to_owned),
            channels: channels.collect(),
            field_delimiter: first_char(global.text(&["fielddelimiter"])).unwrap_or(':'),
            info_delimiter: first_char(store.text(&["infodelimiter"])).unwrap_or(':'),
        })
    }
}

/// The far Trash becomes ours; a near one has no counterpart, so nothing is deleted locally.
fn trash(account: &mut ImportedAccount, channel: &Channel<'_>) {
    if let Some(setting) = channel.far.get(&["trash"]).filter(|setting| !setting.arg().is_empty()) {
        account.set("trash", setting.arg());
        if account.text("on_delete") == Some("expunge") {
            account.set("on_delete", "trash");
        }
    }
    if let Some(setting) = channel.near.get(&["trash"]).filter(|setting| !setting.arg().is_empty()) {
        account.set("on_remote_delete", "keep");
        account.unset("expunge");
        account
            .warn(setting.line, "a local Trash has no counterpart: what the server deletes is kept (on_remote_delete)");
    }
    for section in [channel.far, channel.near] {
        if let Some(setting) = section.get(&["trashnewonly", "trashremotenew"]) {
            account.warn(setting.line, "TrashNewOnly and TrashRemoteNew have no counterpart");
        }
    }
}

/// `:store:box`.
fn store_and_box(argument: &str) -> Option<(String, String)> {
    let (store, name) = argument.strip_prefix(':')?.split_once(':')?;
    Some((store.to_owned(), name.to_owned()))
}

/// Whether the account is the INBOX and nothing else, so that its directory can be the root.
fn is_only_inbox(pair: &Pair<'_>) -> bool {
    match pair.channels.as_slice() {
        [only] => only.patterns.is_none() && inbox_if_empty(&only.far_box) == "INBOX",
        _ => false,
    }
}

fn inbox_if_empty(name: &str) -> &str {
    if name.is_empty() { "INBOX" } else { name }
}

fn inbox_of(store: &Section) -> String {
    let inbox = store.text(&["inbox"]);
    if inbox.is_empty() { "~/Maildir".to_owned() } else { inbox.to_owned() }
}

fn sub_folders(store: &Section) -> SubFolders {
    match store.text(&["subfolders"]).to_ascii_lowercase().as_str() {
        "maildir++" => SubFolders::MaildirPlusPlus,
        "legacy" => SubFolders::Legacy,
        _ => SubFolders::Verbatim,
    }
}

fn slashes(path: &str, delimiter: &str) -> String {
    match delimiter.chars().next() {
        Some(delimiter) => path.replace(delimiter, "/"),
        // "INBOX." is how the path of a server with dots is written.
        None if path.ends_with('.') => path.replace('.', "/"),
        None => path.to_owned(),
    }
}

/// The patterns of all `Pattern` and `Patterns` lines.
fn patterns(section: &Section) -> Option<Vec<String>> {
    let lines = section.settings.iter().filter(|setting| matches!(setting.key.as_str(), "pattern" | "patterns"));
    let all: Vec<String> = lines.flat_map(|setting| setting.args.iter().cloned()).collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests;
