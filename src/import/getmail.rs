//! getmail's rc files: `[retriever]`, `[destination]`, `[options]`; one account a file.

use super::ini::{self, Entry, Ini, Section};
use super::model::{Imported, ImportedAccount, Password};
use super::origin::Origin;
use super::python::{self, Literal};
use super::terms;

/// Reads a getmail rc file. `name` is what the account is called if the file does not say (normally the file's name).
#[must_use]
pub fn parse(text: &str, name: &str) -> Imported {
    let mut imported = Imported::default();
    let ini = ini::parse(text);
    imported.warnings.extend(ini.problems.iter().cloned());
    let Some(retriever) = ini.section("retriever") else {
        imported.warn(0, "no [retriever] section: nothing to import");
        return imported;
    };
    let reader = Reader { ini: &ini, retriever };
    if let Some(account) = reader.account(name, &mut imported) {
        imported.add(account);
    }
    imported.sorted()
}

struct Reader<'a> {
    ini: &'a Ini,
    retriever: &'a Section,
}

impl Reader<'_> {
    fn account(&self, name: &str, imported: &mut Imported) -> Option<ImportedAccount> {
        let kind = text(self.retriever, "type").to_ascii_lowercase();
        let line = self.retriever.line;
        let imap = kind.contains("imap");
        if !imap && !kind.contains("pop3") {
            imported.warn(line, "this retriever type has no counterpart: nothing imported");
            return None;
        }
        let ssl = kind.contains("ssl");
        let user = text(self.retriever, "username");
        let server = text(self.retriever, "server");
        let generic = matches!(name, "" | "getmailrc");
        let mut account = ImportedAccount::new(&if generic { terms::name_of(user, server) } else { name.to_owned() });
        account.set("protocol", if imap { "imap" } else { "pop3" });
        if server.is_empty() {
            account.warn(line, "no server: set host");
        } else {
            account.set("host", server);
        }
        let default_port = match (imap, ssl) {
            (true, true) => 993,
            (true, false) => 143,
            (false, true) => 995,
            (false, false) => 110,
        };
        let port = text(self.retriever, "port").parse::<u16>().unwrap_or(default_port);
        if port != default_port {
            account.set("port", port);
        }
        account.set("tls", if ssl { "implicit" } else { "none" });
        if user.is_empty() {
            account.warn(line, "no username: set user");
        } else {
            account.set("user", user);
        }
        if kind.contains("multidrop") || kind.contains("sdps") {
            account.warn(line, "multidrop: all messages go to one Maildir, none is sorted by recipient");
        }
        if kind.contains("brokenuidl") {
            account.warn(line, "broken UIDLs: a digest of the header is used where the server has no unique ones");
        }
        self.login(&mut account);
        self.trust(&mut account, ssl);
        let mailboxes = if imap { self.mailboxes(&mut account) } else { Vec::new() };
        self.destination(&mut account, imap);
        self.options(&mut account, imap);
        for section in self.ini.sections.iter().filter(|section| section.name.to_lowercase().starts_with("filter")) {
            account.warn(
                section.line,
                format!("[{}] has no counterpart: every message is delivered unfiltered", section.name),
            );
        }
        account.origin = Some(Origin::Getmail { server: server.to_owned(), port, user: user.to_owned(), mailboxes });
        Some(account)
    }

    fn login(&self, account: &mut ImportedAccount) {
        for (key, mechanism) in [("use_apop", "apop"), ("use_cram_md5", "cram-md5"), ("use_xoauth2", "xoauth2")] {
            if flag(self.retriever, key) == Some(true) {
                account.set("auth", mechanism);
            }
        }
        if let Some(entry) =
            self.retriever.entry("use_kerberos").filter(|entry| ini::boolean(&entry.value) == Some(true))
        {
            account.warn(entry.line, "use_kerberos has no counterpart");
        }
        if let Some(entry) = self.retriever.entry("password_command") {
            match python::literal(&entry.value).and_then(|literal| literal.texts()).filter(|words| !words.is_empty()) {
                Some(words) => account.set("password_command", words),
                None => account.warn(entry.line, "password_command is no tuple of strings, not taken over"),
            }
        } else if let Some(entry) = self.retriever.entry("password").filter(|entry| !entry.value.is_empty()) {
            account.password = Some(Password::new(entry.value.clone()));
        }
        terms::token_instead_of_password(account);
        for section in ["retriever", "options"].iter().filter_map(|name| self.ini.section(name)) {
            for entry in section.entries.iter().filter(|entry| entry.key.starts_with("use_netrc")) {
                if ini::boolean(&entry.value) == Some(true) {
                    account.warn(entry.line, "netrc is not read: use password_command to print the password from it");
                }
            }
        }
    }

    fn trust(&self, account: &mut ImportedAccount, ssl: bool) {
        if let Some(entry) = self.retriever.entry("ca_certs") {
            terms::set_ca_file(account, &terms::braced_variables(&entry.value));
        } else if ssl && self.retriever.entry("ssl_fingerprints").is_none() {
            account.warn(self.retriever.line, "getmail did not check the certificate (no ca_certs); mailferry does");
        }
        if let Some(entry) = self.retriever.entry("ssl_fingerprints") {
            let list = python::literal(&entry.value)
                .and_then(|literal| literal.texts())
                .unwrap_or_else(|| vec![entry.value.clone()]);
            terms::set_fingerprint(account, entry.line, list.iter().map(String::as_str));
        }
        if let Some(entry) = self.retriever.entry("certfile") {
            terms::warn_client_certificate(account, entry.line, &entry.value);
        }
        for key in ["ssl_ciphers", "ssl_version", "ssl_cert_hostname"] {
            if let Some(entry) = self.retriever.entry(key) {
                account.warn(entry.line, format!("{key} has no counterpart"));
            }
        }
    }

    /// The mailboxes as getmail names them; sets `folders`.
    fn mailboxes(&self, account: &mut ImportedAccount) -> Vec<String> {
        let Some(entry) = self.retriever.entry("mailboxes") else {
            account.set("folders", vec!["INBOX".to_owned()]);
            return vec!["INBOX".to_owned()];
        };
        match python::literal(&entry.value) {
            Some(Literal::Word(word)) if word.eq_ignore_ascii_case("all") => {
                account.set("folders", vec!["*".to_owned()]);
                Vec::new()
            }
            literal => match literal.and_then(|literal| literal.texts()) {
                Some(names) => {
                    account.set("folders", names.iter().map(|name| terms::folder_name(name)).collect::<Vec<_>>());
                    names
                }
                None => {
                    account.set("folders", vec!["INBOX".to_owned()]);
                    account.warn(entry.line, "mailboxes is no tuple of strings: only INBOX was taken over");
                    vec!["INBOX".to_owned()]
                }
            },
        }
    }

    fn destination(&self, account: &mut ImportedAccount, imap: bool) {
        let Some(section) = self.ini.section("destination") else {
            account.warn(0, "no [destination]: mail goes to the default ~/Mail/{account}");
            return;
        };
        let kind = text(section, "type");
        let path = text(section, "path");
        if kind.eq_ignore_ascii_case("maildir") && !path.is_empty() {
            if path.starts_with('~') && !path.starts_with("~/") {
                account.warn(section.line, "~user is not expanded: write the path out");
            }
            terms::set_inbox_path(account, path);
            if imap {
                account.warn(section.line, "getmail put every mailbox into one Maildir; here each gets its own folder");
            }
        } else {
            account
                .warn(section.line, format!("destination {kind} has no counterpart: set maildir and sort from there"));
        }
        for key in ["user", "group", "filemode"] {
            if let Some(entry) = section.entry(key) {
                account.warn(entry.line, format!("{key} has no counterpart: run mailferry as the Maildir's owner"));
            }
        }
    }

    fn options(&self, account: &mut ImportedAccount, imap: bool) {
        let empty = Section::default();
        let options = self.ini.section("options").unwrap_or(&empty);
        let days = options.entry("delete_after").and_then(|entry| entry.value.parse::<u32>().ok()).unwrap_or(0);
        match (flag(options, "delete") == Some(true), days) {
            (true, _) => account.set("delete", true),
            (false, 0) => account.set("keep", true),
            (false, days) => account.set("delete_after", format!("{days}d")),
        }
        if imap {
            // getmail only ever fetched; "run" and "sync" must not begin to change the server.
            account.set("mode", "archive");
            account
                .warn(0, "\"mailferry fetch\" does what getmail did; \"run\" pulls into the Maildir and never deletes");
        }
        if flag(options, "read_all") != Some(false) && flag(options, "delete") != Some(true) {
            let line = options.entry("read_all").map_or(0, |entry| entry.line);
            account.warn(line, "read_all: mailferry fetches only what is new; \"mailferry fetch --all\" fetches all");
        }
        if let Some(limit) = options.entry("max_message_size").and_then(|entry| terms::size(&entry.value)) {
            terms::set_max_size(account, limit);
        }
        let timeout = self.retriever.entry("timeout").and_then(|entry| entry.value.parse::<u32>().ok());
        if let Some(seconds @ 1..) = timeout {
            account.set("timeout", format!("{seconds}s"));
        }
        for entry in options.entries.iter().chain(&self.retriever.entries) {
            if let Some(advice) = advice(entry) {
                account.warn(entry.line, format!("{} {advice}", entry.key));
            }
        }
    }
}

/// What to say of a setting without counterpart that the user chose.
fn advice(entry: &Entry) -> Option<&'static str> {
    let set = !matches!(ini::boolean(&entry.value), Some(false));
    match entry.key.as_str() {
        "delete_bigger_than" if set => Some("is not taken over: only delete and delete_after decide"),
        "max_messages_per_session" | "max_bytes_per_session" if set => {
            Some("has no counterpart: \"mailferry fetch --limit N\"")
        }
        "message_log" => Some("has no counterpart: use --json or -v"),
        "imap_search" => Some("has no counterpart: every message is fetched"),
        "move_on_delete" => Some("has no counterpart"),
        "imap_on_delete" => Some("has no counterpart"),
        "mark_read" if set => Some("has no counterpart"),
        _ => None,
    }
}

fn text<'a>(section: &'a Section, key: &str) -> &'a str {
    section.entry(key).map_or("", |entry| entry.value.as_str())
}

fn flag(section: &Section, key: &str) -> Option<bool> {
    section.entry(key).and_then(|entry| ini::boolean(&entry.value))
}

/// The name of the file in which getmail remembers an account (or one of its mailboxes).
///
/// The server's, port's and user's `/ \ : ; < > |` become `-`, the mailbox's `.`.
#[must_use]
pub fn oldmail_name(server: &str, port: u16, user: &str, mailbox: Option<&str>) -> String {
    let clean = |text: &str, with: &str| text.replace(['/', '\\', ':', ';', '<', '>', '|'], with);
    let account = clean(&format!("oldmail-{server}-{port}-{user}"), "-");
    match mailbox {
        Some(mailbox) => format!("{account}-{}", clean(mailbox, ".")),
        None => account,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::import::model::Value;

    #[test]
    fn pop3_to_a_maildir() {
        let imported = parse(include_str!("../../tests/data/import/getmail/pop3rc"), "getmailrc");
        let account = &imported.accounts[0];
        assert_eq!(account.name, "jeff.plotzky@pop.example.net");
        assert_eq!(account.text("protocol"), Some("pop3"));
        assert_eq!(account.text("tls"), Some("implicit"));
        assert_eq!(account.text("maildir"), Some("${HOME}/Maildir"));
        assert_eq!(account.text("layout"), Some("maildir++"));
        assert_eq!(account.text("delete_after"), Some("30d"));
        assert_eq!(account.get("delete"), None);
        assert_eq!(account.text("max_size"), Some("2000000"));
        assert_eq!(account.password.as_ref().map(Password::reveal), Some("mail%pass"));
        assert!(imported.warnings.iter().any(|warning| warning.text.contains("[filter-1]")));
    }

    #[test]
    fn imap_with_oauth_never_changes_the_server() {
        let imported = parse(include_str!("../../tests/data/import/getmail/imaprc"), "office");
        let account = &imported.accounts[0];
        assert_eq!(account.name, "office");
        assert_eq!(account.text("mode"), Some("archive"));
        assert_eq!(account.text("auth"), Some("xoauth2"));
        assert_eq!(account.get("password_command"), None);
        assert!(matches!(account.get("oauth2"), Some(Value::Table(_))));
        let folders = vec!["INBOX".to_owned(), "INBOX/spam".to_owned(), "lists.users".to_owned()];
        assert_eq!(account.get("folders"), Some(&Value::List(folders)));
        assert_eq!(account.get("keep"), Some(&Value::Bool(true)));
        assert!(imported.warnings.iter().any(|warning| warning.text.contains("read_all")));
    }

    #[test]
    fn state_file_names() {
        assert_eq!(oldmail_name("h", 110, "a:b", None), "oldmail-h-110-a-b");
        assert_eq!(oldmail_name("h", 143, "u", Some("Lists/rust")), "oldmail-h-143-u-Lists.rust");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), lines in prop::collection::vec("(type|mailboxes|path|delete|password_command) ?[=:] ?[a-z(,'\"\\[]{0,9}", 0..9)) {
            let _ = parse(&text, &text);
            let _ = parse(&format!("[retriever]\ntype=SimpleIMAPRetriever\n{}\n[destination]\n{0}\n[options]\n{0}", lines.join("\n")), "");
        }
    }
}
