//! fetchmail's configuration: each user of each polled server is an account.

mod grammar;
mod tokens;

use grammar::{Config, Entry, Opt, Opts};

use super::model::{Imported, ImportedAccount, Password};
use super::origin::Origin;
use super::terms;

/// Reads a fetchmailrc.
#[must_use]
pub fn parse(text: &str) -> Imported {
    let config = grammar::parse(text);
    let mut imported = Imported { accounts: Vec::new(), warnings: config.problems.clone() };
    for entry in &config.entries {
        let users = if entry.users.is_empty() { vec![Opts::default()] } else { entry.users.clone() };
        for user in &users {
            match (Reader { config: &config, entry, user: &with_defaults(&config, entry, user) }).account() {
                Ok(account) => imported.add(account),
                Err(reason) => imported.warn(entry.line, reason),
            }
        }
    }
    if config.entries.is_empty() {
        imported.warn(0, "no poll entry: nothing to import");
    }
    imported.sorted()
}

/// The user's options in front of the server's, and those in front of the defaults'.
fn with_defaults(config: &Config, entry: &Entry, user: &Opts) -> Opts {
    let mut all = Vec::new();
    if let Some(defaults) = &config.defaults {
        all.extend(defaults.server.0.iter().cloned());
        all.extend(defaults.users.iter().flat_map(|user| user.0.iter().cloned()));
    }
    all.extend(entry.server.0.iter().cloned());
    all.extend(user.0.iter().cloned());
    Opts(all)
}

struct Reader<'a> {
    config: &'a Config,
    entry: &'a Entry,
    /// All options that hold for this user.
    user: &'a Opts,
}

impl Reader<'_> {
    fn account(&self) -> Result<ImportedAccount, String> {
        let line = self.entry.line;
        let opts = self.user;
        let name = opts.text("user");
        let several = self.entry.users.len() > 1;
        let mut account = ImportedAccount::new(&if several {
            format!("{}-{name}", self.entry.name)
        } else {
            self.entry.name.clone()
        });
        account.enabled = !self.entry.skip;
        let imap = self.protocol(&mut account)?;
        let host = if opts.text("via").is_empty() { &self.entry.name } else { opts.text("via") };
        account.set("host", host);
        let ssl = opts.flag("ssl") == Some(true);
        match opts.text("port") {
            "" => {}
            port => match port.parse::<u16>() {
                Ok(port) => account.set("port", port),
                Err(_) => account.warn(line, format!("service {port:?}: set port to its number")),
            },
        }
        account.set("tls", self.tls(ssl));
        if name.is_empty() {
            account.warn(line, "no user: fetchmail took the name of the local user; set user");
        } else {
            account.set("user", name);
        }
        self.login(&mut account);
        self.trust(&mut account);
        self.tunnel(&mut account, host, ssl);
        if imap {
            let folders = opts.get("folder").map_or_else(|| vec!["INBOX".to_owned()], |opt| opt.args.clone());
            account.set("folders", folders.iter().map(|folder| terms::folder_name(folder)).collect::<Vec<_>>());
        }
        self.deliver(&mut account);
        self.retention(&mut account, imap);
        self.timing(&mut account);
        self.unsupported(&mut account);
        account.origin = Some(Origin::Fetchmail {
            id_file: Some(self.config.set.text("idfile")).filter(|file| !file.is_empty()).map(str::to_owned),
            host: host.to_owned(),
            poll: self.entry.name.clone(),
            user: name.to_owned(),
        });
        Ok(account)
    }

    /// Sets `protocol`; whether it is IMAP.
    fn protocol(&self, account: &mut ImportedAccount) -> Result<bool, String> {
        let protocol = self.user.text("protocol").to_ascii_lowercase();
        let imap = match protocol.as_str() {
            "pop3" | "sdps" => false,
            "apop" => {
                account.set("auth", "apop");
                false
            }
            "imap" => true,
            "" | "auto" => {
                account.warn(self.entry.line, "protocol auto: IMAP is taken, which fetchmail tries first; change it to pop3 if the server has only that");
                true
            }
            other => {
                return Err(format!("{}: protocol {other} has no counterpart, nothing imported", self.entry.name));
            }
        };
        account.set("protocol", if imap { "imap" } else { "pop3" });
        Ok(imap)
    }

    /// Without `ssl` fetchmail upgrades, unless `sslproto ''` forbids it.
    fn tls(&self, ssl: bool) -> &'static str {
        let forbidden = self.user.get("sslproto").is_some_and(|opt| opt.args.first().is_none_or(String::is_empty));
        match (ssl, forbidden) {
            (true, _) => "implicit",
            (false, true) => "none",
            (false, false) => "starttls",
        }
    }

    fn login(&self, account: &mut ImportedAccount) {
        if let Some(auth) = self.user.get("auth") {
            terms::set_auth(
                account,
                auth.line,
                &[match self.user.text("auth").to_ascii_lowercase().as_str() {
                    "cram-md5" => "cram-md5",
                    "external" => "external",
                    "oauthbearer" => "oauthbearer",
                    "xoauth2" => "xoauth2",
                    "any" | "password" => "auto",
                    "ssh" => {
                        // No login at all: the tunnel is PREAUTH.
                        "auto"
                    }
                    _ => self.user.text("auth"),
                }],
            );
        }
        if let Some(password) =
            self.user.get("password").and_then(|opt| opt.args.first()).filter(|text| !text.is_empty())
        {
            account.password = Some(Password::new(password.clone()));
        }
    }

    fn trust(&self, account: &mut ImportedAccount) {
        let set = |key: &str| self.user.get(key).filter(|opt| opt.args.first().is_some_and(|arg| !arg.is_empty()));
        if set("sslcertfile").is_some() {
            terms::set_ca_file(account, self.user.text("sslcertfile"));
        }
        if let Some(opt) = set("sslcert") {
            terms::warn_client_certificate(account, opt.line, self.user.text("sslcert"));
        }
        if let Some(opt) = set("sslfingerprint") {
            terms::set_fingerprint(account, opt.line, std::iter::once(self.user.text("sslfingerprint")));
        }
        if let Some(opt) = self.user.get("sslcertck").filter(|opt| opt.no) {
            account
                .warn(opt.line, "no sslcertck: mailferry always checks certificates; pin yours with tls_fingerprint");
        }
        for key in ["sslcertpath", "sslcommonname"] {
            if let Some(opt) = set(key) {
                account.warn(opt.line, format!("{key} has no counterpart: use ca_file or tls_fingerprint"));
            }
        }
    }

    fn tunnel(&self, account: &mut ImportedAccount, host: &str, ssl: bool) {
        if let Some(plugin) = self.user.get("plugin").filter(|opt| !opt.no && !opt.args.is_empty()) {
            let port = match self.user.text("port") {
                "" => match (account.text("protocol"), ssl) {
                    (Some("imap"), true) => "993",
                    (Some("imap"), false) => "143",
                    (_, true) => "995",
                    (_, false) => "110",
                },
                port => port,
            };
            account.set("tunnel", self.user.text("plugin").replace("%h", host).replace("%p", port));
            account.warn(plugin.line, "plugin became tunnel: test it with \"mailferry check\"");
        }
    }

    /// fetchmail hands mail on; only a few commands say which Maildir it ends in.
    fn deliver(&self, account: &mut ImportedAccount) {
        let mda = self.user.text("mda");
        match maildir_of(mda) {
            Some(path) => terms::set_inbox_path(account, path),
            None if mda.is_empty() => {
                let line = self.user.get("smtphost").map_or(self.entry.line, |opt| opt.line);
                account.warn(
                    line,
                    "fetchmail handed mail to the local mail server; here it goes to a Maildir: set maildir",
                );
            }
            None => {
                let line = self.user.get("mda").map_or(0, |opt| opt.line);
                account.warn(line, format!("mda {mda:?} has no counterpart: set maildir and sort from there"));
            }
        }
        if let Some(names) = self
            .user
            .get("is")
            .filter(|opt| opt.args.len() > 1 || opt.args.iter().any(|arg| arg == "*" || arg.contains('=')))
        {
            account
                .warn(names.line, "several local users: all messages go to one Maildir, none is sorted by recipient");
        }
    }

    fn retention(&self, account: &mut ImportedAccount, imap: bool) {
        let all = self.user.flag("fetchall") == Some(true);
        if self.user.flag("keep") == Some(true) {
            account.set("keep", true);
        } else if imap && !all {
            // fetchmail neither fetched nor deleted what was read already; mailferry would do both.
            account.set("keep", true);
            let text = "fetchmail deleted only what was unread (IMAP without fetchall): everything is kept; set delete to change that";
            account.warn(self.entry.line, text);
        } else {
            account.set("delete", true);
        }
        if imap {
            account.set("mode", "archive");
            account.warn(
                0,
                "\"mailferry fetch\" does what fetchmail did; \"run\" pulls into the Maildir and never deletes",
            );
        }
        if let Some(limit) = terms::size(self.user.text("limit")) {
            terms::set_max_size(account, limit);
        }
        for key in ["flush", "limitflush"] {
            if let Some(opt) = self.user.get(key).filter(|opt| !opt.no) {
                account.warn(opt.line, format!("{key} is not taken over: nothing is deleted that was not fetched"));
            }
        }
        if let Some(opt) = self.user.get("fetchall").filter(|opt| !opt.no && self.user.flag("keep") == Some(true)) {
            account.warn(opt.line, "fetchall: mailferry fetches what it has not fetched before, read or not");
        }
    }

    fn timing(&self, account: &mut ImportedAccount) {
        let seconds = |opts: &Opts, key: &str| opts.text(key).parse::<u32>().ok().filter(|seconds| *seconds > 0);
        if let Some(seconds) = seconds(self.user, "timeout") {
            account.set("timeout", format!("{seconds}s"));
        }
        if let Some(daemon) = seconds(&self.config.set, "daemon") {
            let every = seconds(self.user, "interval").unwrap_or(1);
            account.set("poll_interval", format!("{}s", daemon.saturating_mul(every)));
        }
    }

    fn unsupported(&self, account: &mut ImportedAccount) {
        if let Some(opt) = self.user.get("postconnect").filter(|opt| !opt.no && !opt.args.is_empty()) {
            account.set("after", self.user.text("postconnect"));
            account.warn(opt.line, "postconnect became after: it runs at the end of a run, failed or not");
        }
        let active = |opt: &&Opt| !opt.no;
        for (key, advice) in [
            ("preconnect", "has no counterpart: run the command before mailferry, or use tunnel"),
            ("plugout", "has no counterpart"),
            ("interface", "has no counterpart"),
            ("monitor", "has no counterpart"),
            ("fetchlimit", "has no counterpart: \"mailferry fetch --limit N\""),
            ("mimedecode", "has no counterpart: messages are stored as they are"),
            ("bsmtp", "has no counterpart"),
            ("antispam", "has no counterpart"),
            ("dropstatus", "has no counterpart: messages are stored as they are"),
            ("dropdelivered", "has no counterpart: messages are stored as they are"),
        ] {
            if let Some(opt) = self.user.get(key).filter(active) {
                account.warn(opt.line, format!("{key} {advice}"));
            }
        }
    }
}

/// The Maildir that a delivery command writes to, where the command says so.
fn maildir_of(mda: &str) -> Option<&str> {
    let words: Vec<&str> = mda.split_whitespace().collect();
    let program = words.first()?.rsplit('/').next()?;
    let paths = || words.iter().skip(1).filter(|word| !word.starts_with('-')).copied();
    match program {
        "getmail_maildir" | "safecat" | "deliver_maildir" | "mdeliver" => {
            paths().find(|path| path.contains('/')).map(|path| path.trim_matches(['"', '\''])).map(|path| {
                // safecat names tmp and new.
                path.strip_suffix("/tmp").or_else(|| path.strip_suffix("/new")).unwrap_or(path)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
