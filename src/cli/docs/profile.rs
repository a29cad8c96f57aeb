//! mailferry.toml(5): every key with its default and an example, the providers, and how to get an OAuth 2.0 client. PURE.

use super::roff::Roff;
use crate::config::keys::{self, Form, Key, Only};
use crate::config::presets::PRESETS;

/// The profile that the page shows; a test loads it.
pub const EXAMPLE: &str = r#"[defaults]
maildir = "~/Mail/{account}"
max_delete = "30%"

[accounts.work]
provider = "fastmail"
user = "me@example.org"
password_command = "pass show mail/work"
folders = ["*", "!Spam"]
on_new = "notmuch new"

[accounts.backup]
protocol = "imap"
host = "imap.example.com"
user = "archive"
password_file = "~/.config/mailferry/backup.pass"
mode = "archive"

[accounts.old]
protocol = "pop3"
host = "pop.example.net"
tls = "starttls"
user = "me"
password_env = "OLD_PASSWORD"
delete_after = "30d"

[accounts.company]
provider = "outlook"
user = "me@company.example"
oauth2 = { client_id = "00000000-0000-0000-0000-000000000000" }
"#;

/// The page.
pub(super) fn page() -> Vec<u8> {
    let mut out = Roff::default();
    out.title("mailferry.toml", "5", "the accounts of mailferry");
    out.section("DESCRIPTION")
        .text(
            "`mailferry` reads `~/.config/mailferry/config.toml` (under $XDG_CONFIG_HOME if that is set), the file that \
             MAILFERRY_CONFIG names, or the one given with `--config`. It is a TOML file with one table \
             `[accounts.NAME]` per account. `[defaults]` may hold every key of an account; an account's own keys win. \
             Keys that are for the other protocol are ignored in `[defaults]` and refused in an account. Unknown keys, \
             wrong types and impossible values end the program with exit 78 and are reported all at once, each with its \
             line.",
        )
        .text(
            "In paths `~`, `${VAR}`, `{account}` and `{user}` expand; a variable that is not set is an error. Ages are a \
             number with `s`, `m`, `h`, `d` or `w`, sizes a number with `K`, `M`, `G` (powers of 1024) or nothing. \
             Commands are a string, run by sh -c, or an array, run as it is; they never see a secret in their environment.",
        );
    out.section("EXAMPLE").code(EXAMPLE);
    out.section("KEYS");
    for key in keys::KEYS {
        item(&mut out, key);
    }
    out.section("OAUTH 2.0").text(
        "The table `oauth2` makes an account sign in by OAuth 2.0. With a `provider` that has it, only `client_id` is \
         needed, and for Google `client_secret`. `mailferry auth ACCOUNT` signs in once; after that runs renew the token \
         themselves. mailferry brings no client id of its own: you register yours, once for all your accounts.",
    );
    for key in keys::OAUTH2 {
        item(&mut out, key);
    }
    steps(&mut out, "Google, step by step:", &GOOGLE);
    steps(&mut out, "Microsoft, step by step:", &MICROSOFT);
    steps(&mut out, "Microsoft 365 without a person (a server that archives mailboxes, for instance):", &APPLICATION);
    out.code(APPLICATION_EXAMPLE);
    out.text(
        "Tokens are kept in `~/.local/state/mailferry/tokens` (under $XDG_STATE_HOME if that is set), a file of mode 0600 \
         for each user at a server. Runs at the same time renew a token once and share it.",
    );
    super::recipes::section(&mut out);
    out.section("PROVIDERS").text("The values of `provider`, and what each wants:");
    for preset in PRESETS {
        let servers: Vec<String> = [("IMAP", preset.imap), ("POP3", preset.pop3)]
            .iter()
            .filter_map(|(word, server)| server.map(|s| format!("{word} {}:{}", s.host, s.port)))
            .collect();
        let text = format!("{} {}", summary(preset.title, &servers), preset.advice);
        out.item(preset.name, text.trim_end());
    }
    out.section("SEE ALSO").text("`mailferry`(1), `mailferry-setup`(1), `mailferry-auth`(1)");
    out.finish().into_bytes()
}

fn summary(title: &str, servers: &[String]) -> String {
    if servers.is_empty() { format!("{title}.") } else { format!("{title}: {}.", servers.join(", ")) }
}

fn item(out: &mut Roff, key: &Key) {
    let mut text = key.about.to_owned();
    if !key.default.is_empty() {
        text += &format!(" Default: {}.", key.default);
    }
    match key.only {
        Only::Both => {}
        Only::Imap => text += " IMAP only.",
        Only::Pop3 => text += " POP3 only.",
    }
    if let Form::Choice(words) = key.form {
        text += &format!(" One of {}.", words.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(", "));
    }
    out.item(key.name, &text).more(&format!("Example: `{} = {}`", key.name, key.example));
}

const GOOGLE: [&str; 6] = [
    "At https://console.cloud.google.com make a project, and in it enable the Gmail API.",
    "Under OAuth consent screen choose External (Internal for a Workspace of your own), fill in the names, add the scope https://mail.google.com/, and add your address as a test user.",
    "Publish the app (status In production). In status Testing Google ends every sign-in after seven days. Verification is not needed for your own use; the sign-in page shows a warning that you pass once.",
    "Under Credentials create an OAuth client ID of the type Desktop app.",
    "Put its id and secret into `oauth2 = { client_id = \"...\", client_secret = \"...\" }`.",
    "Run `mailferry auth ACCOUNT` on a machine with a browser. Google's mail scope has no device flow.",
];

const MICROSOFT: [&str; 6] = [
    "At https://entra.microsoft.com under App registrations make a new registration; as account types choose any organisational directory and personal accounts.",
    "Under Authentication add the platform Mobile and desktop applications with the redirect URI http://localhost, and allow public client flows.",
    "Under API permissions add the delegated permissions of Microsoft Graph IMAP.AccessAsUser.All (and POP.AccessAsUser.All for POP3) and offline_access. In a company an administrator may have to consent.",
    "Put the Application (client) ID into `oauth2 = { client_id = \"...\" }`; there is no secret. If your company has single-tenant sign-in, set `auth_url` and `token_url` with its tenant id in place of common.",
    "Run `mailferry auth ACCOUNT`, or `mailferry auth --device ACCOUNT` on a machine without a browser.",
    "If the server says `User is authenticated but not connected`, IMAP or POP3 is switched off for the mailbox.",
];

const APPLICATION: [&str; 5] = [
    "Register an application as above, in the company's own tenant and for it alone; it needs no redirect URI.",
    "Under API permissions add the application permission IMAP.AccessAsApp (or POP.AccessAsApp) of Office 365 Exchange Online; an administrator must consent. Under Certificates and secrets make a client secret.",
    "In the PowerShell of Exchange Online run New-ServicePrincipal with the ids of the application and of its object under Enterprise applications, and Add-MailboxPermission with FullAccess for every mailbox that it may read.",
    "Put it into the profile as below; `user` is the mailbox's address, and TENANT the company's tenant id.",
    "Nobody signs in: `mailferry check ACCOUNT` tests it.",
];

/// The profile of an application; a test loads it.
const APPLICATION_EXAMPLE: &str = r#"[accounts.shared]
provider = "outlook"
protocol = "imap"
user = "shared@company.example"

[accounts.shared.oauth2]
client_id = "00000000-0000-0000-0000-000000000000"
client_secret = "the secret's value"
token_url = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"
scopes = ["https://outlook.office365.com/.default"]
"#;

fn steps(out: &mut Roff, title: &str, steps: &[&str]) {
    out.text(title);
    for (number, step) in steps.iter().enumerate() {
        out.item(&format!("{}.", number + 1), step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, check::World};
    use std::path::Path;

    #[test]
    fn the_example_loads() {
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let world = World { env: &env, base: Path::new("/"), private: true };
        let config = config::parse(EXAMPLE, Path::new("example"), &world).unwrap();
        assert_eq!(config.accounts.len(), 4);
        assert_eq!(config.accounts[0].sync.max_delete, 30);
        let shared = config::parse(APPLICATION_EXAMPLE, Path::new("example"), &world).unwrap().accounts.remove(0);
        let settings = shared.login.oauth2.unwrap();
        let client = crate::auth::oauth::Client::new(&settings, std::time::Duration::from_secs(1), None).unwrap();
        assert!(client.is_app_only() && settings.token_url.is_some_and(|url| url.contains("TENANT")));
    }

    #[test]
    fn every_key_and_provider_is_explained() {
        let text = String::from_utf8(page()).unwrap();
        let names = keys::KEYS.iter().chain(keys::OAUTH2).map(|k| k.name).chain(PRESETS.iter().map(|p| p.name));
        for name in names {
            assert!(text.contains(&format!(".TP\n\\fB{}\\fR\n", name.replace('-', "\\-"))), "{name}");
        }
    }
}
