//! `OfflineIMAP`'s configuration: accounts that join a remote IMAP repository and a local Maildir.

mod login;
mod secrets;

use super::ini::{self, Entry, Ini, Section};
use super::model::{Imported, ImportedAccount, one_line};
use super::origin::{OfflineImapOrigin, Origin};
use super::{python, python_filter, python_names, terms};

/// Reads an offlineimaprc.
#[must_use]
pub fn parse(text: &str) -> Imported {
    let ini = ini::parse(text);
    let mut imported = Imported { accounts: Vec::new(), warnings: ini.problems.clone() };
    let empty = Section::default();
    let general = ini.section("general").unwrap_or(&empty);
    let listed: Vec<String> = names(&ini, general);
    for section in &ini.sections {
        let Some(name) = section.name.strip_prefix("Account ").map(str::trim) else {
            continue;
        };
        match Reader::new(&ini, general, section, name).and_then(|reader| reader.account()) {
            Ok(mut account) => {
                // Accounts that are not listed run only when they are named.
                account.enabled = listed.is_empty() || listed.iter().any(|listed| listed == name);
                imported.add(account);
            }
            Err(reason) => imported.warn(section.line, format!("account {name}: {reason}")),
        }
    }
    if imported.accounts.is_empty() {
        imported.warn(0, "no [Account …] that joins an IMAP repository and a Maildir: nothing to import");
    }
    if let Some(entry) = general.entry("pythonfile") {
        imported.warn(
            entry.line,
            "pythonfile is never run: what its functions return has to be written into the configuration",
        );
    }
    imported.sorted()
}

fn names(ini: &Ini, general: &Section) -> Vec<String> {
    let accounts = ini.interpolated(general, "accounts").map(|entry| entry.value).unwrap_or_default();
    accounts.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

struct Reader<'a> {
    ini: &'a Ini,
    general: &'a Section,
    account: &'a Section,
    name: &'a str,
    local: &'a Section,
    remote: &'a Section,
    remote_name: String,
}

impl<'a> Reader<'a> {
    fn new(ini: &'a Ini, general: &'a Section, account: &'a Section, name: &'a str) -> Result<Self, &'static str> {
        let repository = |key: &str| {
            let name = ini.interpolated(account, key).map(|entry| entry.value)?;
            ini.section(&format!("Repository {name}")).map(|section| (section, name))
        };
        let (local, _) = repository("localrepository").ok_or("its localrepository is not defined")?;
        let (remote, remote_name) = repository("remoterepository").ok_or("its remoterepository is not defined")?;
        let reader = Self { ini, general, account, name, local, remote, remote_name };
        match (reader.text(local, "type").as_str(), reader.text(remote, "type").as_str()) {
            ("Maildir" | "GmailMaildir", "IMAP" | "Gmail") => Ok(reader),
            (_, "IMAP" | "Gmail") => Err("its local repository is no Maildir"),
            _ => Err("its remote repository is no IMAP server"),
        }
    }

    fn get(&self, section: &Section, key: &str) -> Option<Entry> {
        self.ini.interpolated(section, key)
    }

    fn text(&self, section: &Section, key: &str) -> String {
        self.get(section, key).map(|entry| entry.value).unwrap_or_default()
    }

    fn flag(&self, section: &Section, key: &str) -> Option<bool> {
        self.get(section, key).and_then(|entry| ini::boolean(&entry.value))
    }

    fn account(&self) -> Result<ImportedAccount, &'static str> {
        let mut account = ImportedAccount::new(self.name);
        let gmail = self.text(self.remote, "type") == "Gmail";
        account.set("protocol", "imap");
        if gmail {
            account.set("provider", "gmail");
            account.warn(
                self.remote.line,
                "type Gmail: the preset leaves out All Mail, Starred and Important unless folders names them",
            );
        }
        self.server(&mut account, gmail);
        self.login(&mut account);
        self.trust(&mut account);
        self.local(&mut account);
        self.folders(&mut account);
        self.deletions(&mut account, gmail);
        self.timing(&mut account);
        self.unsupported(&mut account);
        account.origin = Some(Origin::OfflineImap(self.origin()));
        Ok(account)
    }

    fn server(&self, account: &mut ImportedAccount, gmail: bool) {
        let preauth = self.text(self.remote, "preauthtunnel");
        let transport = self.text(self.remote, "transporttunnel");
        if let Some(host) = self.literal_or_eval(account, "remotehost") {
            account.set("host", host);
        } else if !gmail && preauth.is_empty() && transport.is_empty() {
            account.warn(self.remote.line, "this repository has no remotehost");
        }
        if let Some(port) = self.literal_or_eval(account, "remoteport").and_then(|port| port.parse::<u16>().ok()) {
            account.set("port", port);
        }
        if preauth.is_empty() && transport.is_empty() {
            let tls = match (self.flag(self.remote, "ssl"), self.flag(self.remote, "starttls")) {
                (Some(false), Some(false)) => "none",
                (Some(false), _) => "starttls",
                (Some(true) | None, _) => "implicit",
            };
            account.set("tls", tls);
        } else {
            account.set("tls", "none");
            account.set("tunnel", if preauth.is_empty() { transport } else { preauth });
            account.warn(
                self.remote.line,
                "tunnel: the command's own encryption is all there is; test it with \"mailferry check\"",
            );
        }
    }

    fn local(&self, account: &mut ImportedAccount) {
        match self.get(self.local, "localfolders") {
            Some(entry) => {
                let path = terms::braced_variables(&entry.value);
                account.set("maildir", if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path });
            }
            None => account.warn(self.local.line, "this repository has no localfolders: set maildir"),
        }
        if let Some(entry) = self.get(self.local, "nametrans") {
            account.warn(
                entry.line,
                "nametrans of the local repository is not taken over: folders get the server's names",
            );
        }
    }

    fn folders(&self, account: &mut ImportedAccount) {
        let mut folders = None;
        if let Some(entry) = self.get(self.remote, "folderfilter") {
            folders = python_filter::folder_filter(&entry.value);
            if folders.is_none() {
                // All folders are more than before, but nothing is lost by them.
                account.warn(
                    entry.line,
                    format!(
                        "folderfilter is Python and not understood; write it as folders: {}",
                        one_line(&entry.value)
                    ),
                );
            }
        }
        if let Some(entry) = self.get(self.remote, "folderincludes") {
            match python::literal(&entry.value).and_then(|literal| literal.texts()) {
                Some(names) => folders.get_or_insert_with(|| vec!["*".to_owned()]).extend(names),
                None => account.warn(entry.line, "folderincludes is no list of strings, not taken over"),
            }
        }
        if let Some(folders) = folders {
            let names = folders.iter().map(|pattern| match pattern.strip_prefix('!') {
                Some(name) => format!("!{}", terms::folder_name(name)),
                None => terms::folder_name(pattern),
            });
            account.set("folders", names.collect::<Vec<_>>());
        }
        if let Some(entry) = self.get(self.remote, "nametrans") {
            let text = if python_names::name_trans(&entry.value).is_some() {
                "nametrans has no counterpart: folders get the server's names (import --state renames them)".to_owned()
            } else {
                format!(
                    "nametrans is Python and not understood, folders get the server's names: {}",
                    one_line(&entry.value)
                )
            };
            account.warn(entry.line, text);
        }
        if self.flag(self.remote, "subscribedonly") == Some(true) {
            account.set("subscribed_only", true);
        }
        let creates = |section: &Section| self.flag(section, "createfolders") != Some(false);
        match (creates(self.local), creates(self.remote)) {
            (true, true) => {}
            (false, false) => account.set("create_folders", false),
            _ => account
                .warn(self.account.line, "createfolders for one side only: mailferry carries new folders both ways"),
        }
    }

    /// `OfflineIMAP` expunges what was deleted; Gmail's `realdelete` goes through the Trash.
    fn deletions(&self, account: &mut ImportedAccount, gmail: bool) {
        let on_delete = if self.flag(self.local, "sync_deletes") == Some(false) {
            "ignore"
        } else if self.flag(self.remote, "expunge") == Some(false) {
            "flag"
        } else if gmail && self.flag(self.remote, "realdelete") == Some(true) {
            "trash"
        } else {
            "expunge"
        };
        account.set("on_delete", on_delete);
        if self.flag(self.remote, "sync_deletes") == Some(false) {
            account.set("on_remote_delete", "keep");
        }
        match (self.flag(self.local, "readonly") == Some(true), self.flag(self.remote, "readonly") == Some(true)) {
            (_, true) => account.set("direction", "pull"),
            (true, false) => account.set("direction", "push"),
            (false, false) => {}
        }
    }

    fn timing(&self, account: &mut ImportedAccount) {
        if let Some(bytes) = self.get(self.account, "maxsize").and_then(|entry| entry.value.parse::<u64>().ok()) {
            terms::set_max_size(account, bytes);
        }
        if let Some(count @ 1..) =
            self.get(self.remote, "maxconnections").and_then(|entry| entry.value.parse::<u16>().ok())
        {
            account.set("connections", count);
        }
        if let Some(seconds @ 1..) =
            self.get(self.general, "socktimeout").and_then(|entry| entry.value.parse::<u32>().ok())
        {
            account.set("timeout", format!("{seconds}s"));
        }
        if let Some(minutes) = self.get(self.account, "autorefresh").and_then(|entry| entry.value.parse::<f64>().ok())
            && minutes > 0.0
            && minutes < 1e6
        {
            account.set("poll_interval", format!("{:.0}s", (minutes * 60.0).max(1.0)));
        }
        if let Some(entry) = self.get(self.account, "postsynchook").filter(|entry| !entry.value.is_empty()) {
            account.set("after", entry.value);
        }
    }

    fn unsupported(&self, account: &mut ImportedAccount) {
        for (section, key, advice) in [
            (self.account, "presynchook", "has no counterpart: run the command before mailferry"),
            (self.account, "maxage", "has no counterpart: older messages are downloaded, too"),
            (self.local, "startdate", "has no counterpart: older messages are downloaded, too"),
            (self.account, "synclabels", "has no counterpart: labels are folders"),
            (self.account, "filterheaders", "has no counterpart: messages are stored as they are"),
            (self.account, "maildir-windows-compatible", "has no counterpart: such file names are matched by content"),
            (self.account, "proxy", "has no counterpart: tunnel can run a command that connects"),
            (self.remote, "reference", "has no counterpart: write the prefix into folders"),
            (self.remote, "idlefolders", "has no counterpart: \"mailferry watch\" chooses the folders itself"),
            (self.remote, "copy_ignore_eval", "is Python and is never run"),
            (self.remote, "newmail_hook", "is Python and is never run: use on_new"),
            (self.local, "newmail_hook", "is Python and is never run: use on_new"),
        ] {
            if let Some(entry) = section.entry(key).filter(|entry| ini::boolean(&entry.value) != Some(false)) {
                account.warn(entry.line, format!("{key} {advice}"));
            }
        }
    }

    fn origin(&self) -> OfflineImapOrigin {
        let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
        let translation = match self.get(self.remote, "nametrans") {
            Some(entry) => python_names::name_trans(&entry.value),
            None => Some(python_names::NameTrans::default()),
        };
        OfflineImapOrigin {
            metadata: or(self.text(self.general, "metadata"), "~/.offlineimap"),
            account: self.name.to_owned(),
            remote: self.remote_name.clone(),
            root: self.text(self.local, "localfolders"),
            separator: or(self.text(self.local, "sep"), "."),
            utf8_names: self.flag(self.account, "utf8foldernames") == Some(true),
            name_trans: translation,
        }
    }
}

#[cfg(test)]
mod tests;
