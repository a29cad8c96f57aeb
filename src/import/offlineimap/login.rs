//! `OfflineIMAP`'s settings of user, secret and trust.

use super::Reader;
use super::secrets::{self, Source};
use crate::import::model::{ImportedAccount, Password, Value};
use crate::import::{python, terms};

impl Reader<'_> {
    /// `KEY`, else `KEYeval` if that is a literal.
    pub(super) fn literal_or_eval(&self, account: &mut ImportedAccount, key: &str) -> Option<String> {
        if let Some(entry) = self.get(self.remote, key).filter(|entry| !entry.value.is_empty()) {
            return Some(entry.value);
        }
        let entry = self.get(self.remote, &format!("{key}eval"))?;
        let text = secrets::text(&entry.value).or_else(|| match python::literal(&entry.value) {
            Some(python::Literal::Number(number)) => Some(number.to_string()),
            Some(_) | None => None,
        });
        if text.is_none() {
            account.warn(entry.line, format!("{key}eval is Python and is never run: set its value"));
        }
        text
    }

    pub(super) fn login(&self, account: &mut ImportedAccount) {
        if let Some(user) = self.literal_or_eval(account, "remoteuser") {
            account.set("user", user);
        } else if account.get("tunnel").is_none() {
            account.warn(self.remote.line, "this repository has no remoteuser: set user");
        }
        if let Some(entry) = self.get(self.remote, "remotepassfile") {
            account.set("password_file", terms::braced_variables(&entry.value));
        } else if let Some(entry) = self.get(self.remote, "remotepass").filter(|entry| !entry.value.is_empty()) {
            account.password = Some(Password::new(entry.value));
        } else if let Some(entry) = self.get(self.remote, "remotepasseval") {
            match secrets::source(&entry.value) {
                Some(Source::Command(command)) => account.set("password_command", command),
                Some(Source::Environment(name)) => account.set("password_env", name),
                Some(Source::Keyring(service)) => account.set("password_keyring", service),
                Some(Source::Inline(text)) => account.password = Some(Password::new(text)),
                None => account.warn(entry.line, "remotepasseval is Python and is never run: set password_command to a command that prints the password"),
            }
        }
        if let Some(entry) = self.get(self.remote, "auth_mechanisms") {
            let mechanisms: Vec<&str> = entry.value.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            terms::set_auth(account, entry.line, &mechanisms);
        }
        self.oauth(account);
    }

    fn oauth(&self, account: &mut ImportedAccount) {
        let Some(id) = self.get(self.remote, "oauth2_client_id") else {
            let command = self.get(self.remote, "oauth2_access_token_eval");
            if let Some(entry) = command {
                match secrets::source(&entry.value) {
                    Some(Source::Command(command)) => {
                        account.set("auth", "xoauth2");
                        account.set("oauth2", Value::Table(vec![("token_command", command)]));
                    }
                    Some(_) | None => account.warn(
                        entry.line,
                        "oauth2_access_token_eval is Python and is never run: set oauth2.token_command",
                    ),
                }
            }
            return;
        };
        let mut table = vec![("client_id", Value::from(id.value))];
        if let Some(url) = self.get(self.remote, "oauth2_request_url") {
            table.push(("token_url", Value::from(url.value)));
        }
        account.set("auth", "xoauth2");
        account.set("oauth2", Value::Table(table));
        account.warn(id.line, "OAuth 2: neither the refresh token nor the client's secret is taken over; add client_secret and sign in with \"mailferry auth\"");
    }

    pub(super) fn trust(&self, account: &mut ImportedAccount) {
        if let Some(entry) = self.get(self.remote, "sslcacertfile") {
            // A fallback list: the first is what a working setup uses.
            let first = entry.value.split_whitespace().next().unwrap_or_default();
            terms::set_ca_file(account, &terms::braced_variables(first));
        }
        if let Some(entry) = self.get(self.remote, "cert_fingerprint") {
            terms::set_fingerprint(account, entry.line, entry.value.split(','));
        }
        if let Some(entry) = self.get(self.remote, "sslclientcert") {
            terms::warn_client_certificate(account, entry.line, &entry.value);
        }
    }
}
