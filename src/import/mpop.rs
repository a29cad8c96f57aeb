//! mpop's configuration: keyword lines, `defaults`, and accounts that inherit from others.

use std::collections::BTreeMap;

use super::model::{Imported, ImportedAccount, Password};
use super::origin::Origin;
use super::terms;

/// One setting: its argument and line.
#[derive(Clone, Debug)]
struct Setting {
    argument: String,
    line: usize,
}

type Settings = BTreeMap<String, Setting>;

#[derive(Clone, Debug)]
struct Block {
    name: String,
    line: usize,
    settings: Settings,
    /// Commands of its own, beside what it inherited.
    own: usize,
}

/// Every command of mpop's manual.
const COMMANDS: &[&str] = &[
    "auth",
    "delivery",
    "eval",
    "filter",
    "host",
    "keep",
    "killsize",
    "ntlmdomain",
    "only_new",
    "password",
    "passwordeval",
    "pipelining",
    "port",
    "proxy_host",
    "proxy_port",
    "received_header",
    "skipsize",
    "socket",
    "source_ip",
    "timeout",
    "tls",
    "tls_cert_file",
    "tls_certcheck",
    "tls_crl_file",
    "tls_fingerprint",
    "tls_force_sslv3",
    "tls_host_override",
    "tls_key_file",
    "tls_min_dh_prime_bits",
    "tls_priorities",
    "tls_starttls",
    "tls_trust_file",
    "uidls_file",
    "user",
];

/// Reads an mpoprc.
#[must_use]
pub fn parse(text: &str) -> Imported {
    let mut imported = Imported::default();
    let blocks = read_blocks(text, &mut imported);
    for block in blocks {
        if block.own == 0 && block.name == "default" {
            // "account default : a" only says which account runs without a name.
            continue;
        }
        imported.add(account(&block));
    }
    imported.sorted()
}

fn read_blocks(text: &str, imported: &mut Imported) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut defaults = Settings::new();
    let mut in_defaults = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (command, rest) = trimmed.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((trimmed, ""));
        let argument = unquote(rest.trim());
        match command {
            "defaults" => {
                defaults = Settings::new();
                in_defaults = true;
            }
            "account" => {
                in_defaults = false;
                blocks.push(open_account(&argument, number, &blocks, &defaults, imported));
            }
            _ if !COMMANDS.contains(&command) => {
                imported.warn(number, format!("mpop knows no command {command:?}, ignored"));
            }
            _ => {
                let setting = Setting { argument, line: number };
                if in_defaults {
                    defaults.insert(command.to_owned(), setting);
                } else if let Some(block) = blocks.last_mut() {
                    block.settings.insert(command.to_owned(), setting);
                    block.own += 1;
                } else {
                    imported.warn(number, format!("{command} stands before the first account, ignored"));
                }
            }
        }
    }
    blocks
}

/// `NAME [: BASE[,BASE…]]`: the defaults, then each base over it.
fn open_account(argument: &str, line: usize, blocks: &[Block], defaults: &Settings, imported: &mut Imported) -> Block {
    let (name, bases) = argument.split_once(':').unwrap_or((argument, ""));
    let mut settings = defaults.clone();
    for base in bases.split(',').map(str::trim).filter(|base| !base.is_empty()) {
        match blocks.iter().find(|block| block.name == base) {
            Some(block) => settings.extend(block.settings.clone()),
            None => imported.warn(line, format!("account {base:?} is not defined above, nothing inherited from it")),
        }
    }
    Block { name: name.trim().to_owned(), line, settings, own: 0 }
}

fn unquote(argument: &str) -> String {
    argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(argument).to_owned()
}

fn account(block: &Block) -> ImportedAccount {
    let mut account = ImportedAccount::new(&block.name);
    let get = |key: &str| block.settings.get(key).map(|setting| (setting.argument.as_str(), setting.line));
    let text = |key: &str| get(key).map_or("", |(argument, _)| argument);
    account.set("protocol", "pop3");
    if text("host").is_empty() {
        account.warn(block.line, "this account has no host");
    } else {
        account.set("host", text("host"));
    }
    if let Ok(port) = text("port").parse::<u16>() {
        account.set("port", port);
    }
    account.set("tls", tls(block));
    if text("user").is_empty() {
        account.warn(block.line, "this account has no user");
    } else {
        account.set("user", text("user"));
    }
    if let Some((mechanism, line)) = get("auth") {
        if mechanism.eq_ignore_ascii_case("off") {
            account.warn(line, "auth off has no counterpart: mailferry always logs in");
        } else if !mechanism.is_empty() {
            terms::set_auth(&mut account, line, &[mechanism]);
        }
    }
    if let Some((command, _)) = get("passwordeval").filter(|(command, _)| !command.is_empty()) {
        account.set("password_command", command);
    } else if let Some((password, _)) = get("password").filter(|(password, _)| !password.is_empty()) {
        account.password = Some(Password::new(password.to_owned()));
    }
    terms::token_instead_of_password(&mut account);
    trust(block, &mut account);
    deliver(block, &mut account);
    retention(block, &mut account);
    if let Some((seconds, _)) = get("timeout")
        && let Ok(seconds @ 1..) = seconds.parse::<u32>()
    {
        account.set("timeout", format!("{seconds}s"));
    }
    unsupported(block, &mut account);
    let uidls = if text("uidls_file").is_empty() { "~/.mpop_uidls/%U_at_%H" } else { text("uidls_file") };
    account.origin = Some(Origin::Mpop {
        uidls_file: uidls.to_owned(),
        host: text("host").to_owned(),
        user: text("user").to_owned(),
    });
    account
}

fn is_on(block: &Block, key: &str, default: bool) -> bool {
    block.settings.get(key).map_or(default, |setting| matches!(setting.argument.as_str(), "" | "on"))
}

fn tls(block: &Block) -> &'static str {
    match (is_on(block, "tls", false), is_on(block, "tls_starttls", true)) {
        (true, true) => "starttls",
        (true, false) => "implicit",
        (false, _) => "none",
    }
}

fn trust(block: &Block, account: &mut ImportedAccount) {
    let get = |key: &str| block.settings.get(key).filter(|setting| !setting.argument.is_empty());
    if let Some(file) = get("tls_trust_file").filter(|file| file.argument != "off") {
        terms::set_ca_file(account, &terms::braced_variables(&file.argument));
    }
    if let Some(fingerprint) = get("tls_fingerprint") {
        terms::set_fingerprint(account, fingerprint.line, std::iter::once(fingerprint.argument.as_str()));
    }
    if let Some(certificate) = get("tls_cert_file") {
        terms::warn_client_certificate(account, certificate.line, &certificate.argument);
    }
    if let Some(check) = get("tls_certcheck").filter(|check| check.argument == "off") {
        account.warn(
            check.line,
            "tls_certcheck off: mailferry always checks certificates; pin yours with tls_fingerprint",
        );
    }
}

fn deliver(block: &Block, account: &mut ImportedAccount) {
    let Some(delivery) = block.settings.get("delivery") else {
        account.warn(block.line, "no delivery method: mail goes to the default ~/Mail/{account}");
        return;
    };
    // The command line writes a comma, the file blanks.
    let (kind, target) =
        delivery.argument.split_once(|c: char| c == ',' || c.is_whitespace()).unwrap_or((&delivery.argument, ""));
    let target = unquote(target.trim());
    if kind == "maildir" && !target.is_empty() {
        terms::set_inbox_path(account, &target);
    } else {
        account.warn(
            delivery.line,
            format!("delivery {kind} {target:?} has no counterpart: set maildir; what filters mail on the way must read the Maildir"),
        );
    }
}

/// What happens on the server. mpop's default is to delete.
fn retention(block: &Block, account: &mut ImportedAccount) {
    let keep = block.settings.get("keep");
    let argument = keep.map_or("off", |setting| setting.argument.as_str());
    match argument {
        "" | "on" => account.set("keep", true),
        "off" => account.set("delete", true),
        age => match age_of(age) {
            Some(age) => account.set("delete_after", age),
            None => {
                account.set("keep", true);
                account.warn(
                    keep.map_or(0, |setting| setting.line),
                    "keep has a value that is not understood: everything is kept",
                );
            }
        },
    }
    if let Some(filter) = block.settings.get("filter").filter(|filter| !filter.argument.is_empty()) {
        // What the filter skipped stayed on the server; without it everything would be fetched and then deleted there.
        account.unset("delete");
        account.unset("delete_after");
        account.set("keep", true);
        account
            .warn(filter.line, "a filter has no counterpart: all messages are fetched, and all are kept on the server");
    }
    if let Some(limit) = block.settings.get("skipsize").and_then(|setting| terms::size(&setting.argument)) {
        terms::set_max_size(account, limit);
    }
    if let Some(kill) = block.settings.get("killsize").filter(|kill| !matches!(kill.argument.as_str(), "" | "off")) {
        account.warn(kill.line, "killsize is not taken over: nothing is deleted that was not fetched");
    }
}

/// `keep`'s durations have mailferry's units, beside years and months that it has not.
fn age_of(text: &str) -> Option<String> {
    let unit = text.chars().last().filter(|unit| "smhdw".contains(*unit))?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(format!("{number}{unit}"))
}

fn unsupported(block: &Block, account: &mut ImportedAccount) {
    let advice = |key: &str, argument: &str| match key {
        "only_new" if argument == "off" => {
            Some("only new messages are fetched; \"mailferry fetch --all\" fetches all".to_owned())
        }
        "eval" => Some("eval is not run: write its result into the configuration".to_owned()),
        "proxy_host" | "proxy_port" | "socket" if !argument.is_empty() => {
            Some(format!("{key} has no counterpart: tunnel can run a command that connects"))
        }
        "tls_crl_file" | "tls_priorities" | "tls_host_override" | "source_ip" | "ntlmdomain"
            if !argument.is_empty() =>
        {
            Some(format!("{key} has no counterpart"))
        }
        _ => None,
    };
    for (key, setting) in &block.settings {
        if let Some(text) = advice(key, &setting.argument) {
            account.warn(setting.line, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::model::Value;

    const SAMPLE: &str = include_str!("../../tests/data/import/mpop/mpoprc");

    #[test]
    fn inheritance_defaults_and_the_default_alias() {
        let imported = parse(SAMPLE);
        let names: Vec<_> = imported.accounts.iter().map(|account| account.name.as_str()).collect();
        assert_eq!(names, ["freemail", "freemail2", "company"]);
        let second = &imported.accounts[1];
        assert_eq!(second.text("host"), Some("pop.freemail.example"));
        assert_eq!(second.text("user"), Some("joey"));
        assert_eq!(second.text("tls"), Some("starttls"));
        assert_eq!(second.text("password_command"), Some("gpg2 --no-tty -q -d ~/.mpop-password.gpg"));
        assert_eq!(second.text("maildir"), Some("~/Mail/incoming"));
        assert_eq!(second.get("delete"), Some(&Value::Bool(true)));
    }

    #[test]
    fn a_filter_means_nothing_is_deleted() {
        let imported = parse(SAMPLE);
        let company = &imported.accounts[2];
        assert_eq!(company.text("tls"), Some("implicit"));
        assert_eq!(company.get("delete"), None);
        assert_eq!(company.get("keep"), Some(&Value::Bool(true)));
        assert!(company.notes.iter().any(|note| note.text.contains("filter")));
    }

    #[test]
    fn keep_with_an_age() {
        let imported = parse("account a\nhost h\nuser u\nkeep 30d\ntls on\ntls_certcheck off\npassword x\n");
        let account = &imported.accounts[0];
        assert_eq!(account.text("delete_after"), Some("30d"));
        assert_eq!(account.password.as_ref().map(Password::reveal), Some("x"));
        assert!(imported.warnings.iter().any(|warning| warning.line == Some(6)));
        assert_eq!(parse("account a\nkeep 2y").accounts[0].get("keep"), Some(&Value::Bool(true)));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), lines in prop::collection::vec("(account|defaults|keep|delivery|eval|tls) [ab:,\" ]{0,6}", 0..20)) {
            let _ = parse(&text);
            let _ = parse(&lines.join("\n"));
        }
    }
}
