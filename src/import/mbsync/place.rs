//! Which folders mbsync's channels cover, and where the Maildir is.

use super::{Pair, inbox_if_empty, inbox_of, is_only_inbox, slashes, sub_folders, syntax};
use crate::import::model::ImportedAccount;
use crate::import::origin::SubFolders;
use crate::import::terms;

/// The server names that the channels cover.
pub(super) fn set_folders(account: &mut ImportedAccount, pair: &Pair<'_>) {
    let mut folders: Vec<String> = Vec::new();
    for channel in &pair.channels {
        let store = slashes(channel.far.text(&["path"]), channel.far.text(&["pathdelimiter"]));
        let place = |name: &str| {
            if name == "INBOX" { name.to_owned() } else { format!("{store}{name}") }
        };
        match &channel.patterns {
            None => folders.push(place(if channel.far_box.is_empty() { "INBOX" } else { &channel.far_box })),
            Some(patterns) => {
                for pattern in patterns {
                    let (not, name) = pattern.strip_prefix('!').map_or(("", pattern.as_str()), |name| ("!", name));
                    folders.push(format!("{not}{}", place(&format!("{}{name}", channel.far_box))));
                }
            }
        }
        if channel.patterns.is_some() && !(channel.far_box.is_empty() && channel.near_box.is_empty()) {
            account.warn(
                channel.section.line,
                "boxes with a prefix: folders get the server's names (import --state renames them)",
            );
        } else if channel.patterns.is_none() && !is_only_inbox(pair) {
            let (far, near) = (inbox_if_empty(&channel.far_box), inbox_if_empty(&channel.near_box));
            if far != near {
                let text =
                    format!("the local folder {near:?} gets the server's name {far:?} (import --state renames it)");
                account.warn(channel.section.line, text);
            }
        }
    }
    // An exclusion of one channel must not hide what another channel names, so names stand last.
    if pair.channels.len() > 1 {
        let (mut wide, exact): (Vec<_>, Vec<_>) =
            folders.into_iter().partition(|folder| folder.contains(['*', '%']) || folder.starts_with('!'));
        wide.extend(exact);
        folders = wide;
    }
    account.set("folders", folders);
    if pair
        .channels
        .iter()
        .any(|channel| channel.far.get(&["subscribedonly"]).and_then(syntax::Setting::boolean) == Some(true))
    {
        account.set("subscribed_only", true);
    }
}

/// The root and its layout.
pub(super) fn set_maildir(account: &mut ImportedAccount, pair: &Pair<'_>) {
    let Some(first) = pair.channels.first() else { return };
    let store = first.near;
    let path = store.text(&["path"]);
    let inbox = inbox_of(store);
    let only_inbox = is_only_inbox(pair);
    if sub_folders(store) == SubFolders::MaildirPlusPlus {
        account.set("maildir", inbox.trim_end_matches('/'));
        account.set("layout", "maildir++");
    } else if only_inbox && !matches!(first.near_box.as_str(), "" | "INBOX") {
        account.set("maildir", format!("{path}{}", first.near_box));
        account.set("layout", "maildir++");
    } else if only_inbox {
        terms::set_inbox_path(account, &inbox);
    } else {
        let common =
            pair.channels.iter().all(|channel| channel.patterns.is_some() && channel.near_box == first.near_box);
        let prefix = if common && first.near_box.ends_with('/') { first.near_box.as_str() } else { "" };
        let root = format!("{path}{prefix}");
        if root.is_empty() {
            account.warn(store.line, "the Maildir store has no Path: set maildir");
        } else {
            if !root.ends_with('/') {
                account.warn(store.line, "Path is a prefix of the folders' names: move the folders below the maildir");
            }
            let root = root.trim_end_matches('/');
            account.set("maildir", if root.is_empty() { "/" } else { root });
            if !inbox.starts_with(&format!("{root}/")) {
                account.warn(
                    store.line,
                    format!("the INBOX at {inbox} belongs below the maildir, as {root}/INBOX: move it"),
                );
            }
        }
    }
    for (key, text) in [
        ("flatten", "Flatten has no counterpart: folders get the server's names (import --state renames them)"),
        ("altmap", "AltMap is not read: messages are matched by content"),
        ("mapinbox", "MapInbox has no counterpart"),
    ] {
        for section in [first.near, first.far] {
            if let Some(setting) = section.get(&[key]).filter(|setting| setting.boolean() != Some(false)) {
                account.warn(setting.line, text);
            }
        }
    }
}
