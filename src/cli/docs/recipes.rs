//! RECIPES of mailferry.toml(5): profiles for servers that want more than a host and a password. Tests load each. PURE.

use super::roff::Roff;

/// A situation, what to know of it, and its profile.
struct Recipe {
    title: &'static str,
    text: &'static str,
    profile: &'static str,
}

const RECIPES: [Recipe; 6] = [
    Recipe {
        title: "Gmail, labels as folders",
        text: "Each label is a folder, and a message with several labels is downloaded once. Deleting it in one folder takes that label away; the last one goes to the Trash. Moving it to another folder changes one label and leaves the others. All Mail, Starred and Important only show messages again and are left out.",
        profile: r#"[accounts.gmail]
provider = "gmail"
protocol = "imap"
user = "me@gmail.com"
password_command = "pass show mail/gmail-app-password""#,
    },
    Recipe {
        title: "Gmail, an archive of everything",
        text: "All Mail holds every message once, those without a label too, but not Spam and Trash. Its name depends on the language of the account: `mailferry folders gmail-archive` shows it. Nothing that is deleted at Gmail is deleted here. In Gmail's settings the limit of messages per IMAP folder must be off.",
        profile: r#"[accounts.gmail-archive]
provider = "gmail"
protocol = "imap"
user = "me@gmail.com"
password_command = "pass show mail/gmail-app-password"
folders = ["[Gmail]/All Mail"]
mode = "archive"
maildir = "~/Backup/gmail""#,
    },
    Recipe {
        title: "Microsoft 365 with a client id of your own",
        text: "Register the client as described above, then run `mailferry auth office`. A shared mailbox is a second account with `user` set to its address, signed in by somebody who may open it.",
        profile: r#"[accounts.office]
provider = "outlook"
protocol = "imap"
user = "me@company.example"
folders = ["*", "!Calendar*", "!Contacts*", "!Tasks", "!Notes", "!Journal"]
oauth2 = { client_id = "00000000-0000-0000-0000-000000000000", auth_url = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/authorize", token_url = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token" }"#,
    },
    Recipe {
        title: "Proton Mail, by way of its Bridge",
        text: "The Bridge must run on this machine. User and password are those that the Bridge shows for mail programs, not those of the account. Its certificate is its own: `mailferry check proton` shows the fingerprint to pin. When the Bridge makes its cache anew all messages get new numbers; they are matched by content.",
        profile: r#"[accounts.proton]
provider = "proton"
tls = "starttls"
tls_fingerprint = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
user = "me@proton.me"
password_command = "secret-tool lookup service proton-bridge"
folders = ["*", "!All Mail", "!Starred", "!Labels/*"]"#,
    },
    Recipe {
        title: "Exchange, by way of DavMail",
        text: "DavMail runs on this machine and speaks the protocols of Exchange and Microsoft 365 (mode O365Graph or O365Interactive) to the outside. Without a certificate of its own (davmail.ssl.keystoreFile) it is plain IMAP, which must stay on loopback; with one, set `tls = \"implicit\"` and pin it. One or two connections suffice: it loads whole messages to tell their sizes.",
        profile: r#"[accounts.davmail]
protocol = "imap"
host = "127.0.0.1"
port = 1143
tls = "none"
user = "me@company.example"
password_command = "pass show mail/davmail"
connections = 2
timeout = "5m""#,
    },
    Recipe {
        title: "Folders that others share",
        text: "They stand below the prefix that the server gives them and are synced like your own, if `folders` takes them in. What may only be read is pulled; changes made there wait, with one warning, and `mailferry status` counts them. `subscribed_only` keeps to those you have subscribed to.",
        profile: r#"[accounts.team]
protocol = "imap"
host = "imap.example.org"
user = "me"
password_command = "pass show mail/team"
folders = ["*", "!Shared/*", "Shared/support/*"]"#,
    },
];

/// The section.
pub(super) fn section(out: &mut Roff) {
    out.section("RECIPES");
    for recipe in &RECIPES {
        out.text(&format!("{}. {}", recipe.title, recipe.text)).code(recipe.profile);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, check::World};
    use std::path::Path;

    #[test]
    fn every_profile_loads() {
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let world = World { env: &env, base: Path::new("/"), private: true };
        let load = |text: &str| {
            config::parse(text, Path::new("recipe"), &world)
                .unwrap_or_else(|wrong| panic!("{text}\n{wrong:?}"))
                .accounts
        };
        for recipe in &RECIPES {
            assert_eq!(load(recipe.profile).len(), 1, "{}", recipe.title);
        }
        let all: Vec<&str> = RECIPES.iter().map(|recipe| recipe.profile).collect();
        let accounts = load(&all.join("\n"));
        assert_eq!(accounts.len(), RECIPES.len());
        let of = |name: &str| accounts.iter().find(|account| account.name == name).unwrap();
        assert!(of("gmail").quirks.gmail && of("office").quirks.exchange);
        assert_eq!((of("proton").endpoint.host.as_str(), of("proton").endpoint.port), ("127.0.0.1", 1143));
        assert!(of("team").folders.matches(&crate::mail::FolderName::parse("Shared/support/urgent").unwrap()));
        assert!(!of("team").folders.matches(&crate::mail::FolderName::parse("Shared/other/x").unwrap()));
    }
}
