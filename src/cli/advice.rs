//! What to do about a failure that does not say so itself: by the provider, else by the class of the failure. PURE.

use crate::account::Account;
use crate::config::presets;
use crate::severity::{Kind, Severity};
use crate::ui::event::{Body, Event, Sink};

/// The hint of `error`, else what its class and the account's provider advise.
#[must_use]
pub fn of(error: &dyn Severity, account: Option<&Account>) -> Option<String> {
    error.hint().or_else(|| general(error.kind().as_str(), account).map(str::to_owned))
}

/// A failure of the disk names a place: where its own words do not (SQLite's), the account's Maildir stands before them.
#[must_use]
pub fn placed(kind: &str, message: String, account: &Account) -> String {
    if kind == Kind::Disk.as_str() && !message.starts_with('/') && !message.contains(" /") {
        return format!("{}: {message}", account.store.root.display());
    }
    message
}

/// What helps against a class of failures, by the word that it has in JSON.
fn general(kind: &str, account: Option<&Account>) -> Option<&'static str> {
    let is = |other: Kind| kind == other.as_str();
    if is(Kind::Auth) {
        if let Some(settings) = account.and_then(|account| account.login.oauth2.as_ref()) {
            return Some(if settings.token_command.is_some() {
                "run token_command by hand: its first line must be an access token of this user for mail"
            } else {
                "sign in again with `mailferry auth ACCOUNT`, as the user of the profile; IMAP or POP3 may be switched off for the mailbox"
            });
        }
        let preset = account.and_then(|account| account.provider.as_deref()).and_then(presets::find);
        let advice = preset.map(|preset| preset.advice).filter(|advice| !advice.is_empty());
        return Some(advice.unwrap_or(
            "check user and password; many providers want an app password or OAuth 2.0 instead of the account's password",
        ));
    }
    if is(Kind::Disk) {
        return Some("look at the path: its owner, its permissions, the space and the disk; then run again");
    }
    if is(Kind::TryLater) {
        return Some("the next run tries again");
    }
    is(Kind::Protocol).then_some("the next run tries again; -vv shows what was said, check host, port and protocol")
}

/// Gives events that lack advice some.
pub struct Advised<'a> {
    inner: &'a dyn Sink,
    account: &'a Account,
}

impl<'a> Advised<'a> {
    /// In front of `inner`.
    #[must_use]
    pub fn new(inner: &'a dyn Sink, account: &'a Account) -> Self {
        Self { inner, account }
    }
}

impl Sink for Advised<'_> {
    fn event(&self, mut event: Event) {
        if let Body::Error { kind, message, hint } = &mut event.body {
            *message = placed(kind, std::mem::take(message), self.account);
            if hint.is_none() {
                *hint = general(kind, Some(self.account)).map(str::to_owned);
            }
        }
        self.inner.event(event);
    }

    fn progress(&self, account: &str, what: &str, done: u64, total: u64) {
        self.inner.progress(account, what, done, total);
    }

    fn progress_bytes(&self, account: &str, what: &str, done: u64, total: u64) {
        self.inner.progress_bytes(account, what, done, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, check::World};
    use std::path::Path;

    fn account(text: &str) -> Account {
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        let world = World { env: &env, base: Path::new("/"), private: true };
        config::parse(text, Path::new("c"), &world).unwrap().accounts.remove(0)
    }

    #[test]
    fn a_refused_login_is_explained_by_the_provider() {
        let gmail = account("[accounts.a]\nprovider = 'gmail'\nprotocol = 'imap'\nuser = 'u'\n");
        assert!(general("auth", Some(&gmail)).unwrap().contains("apppasswords"));
        let own = account("[accounts.a]\nprotocol = 'imap'\nhost = 'h.example'\nuser = 'u'\n");
        assert!(general("auth", Some(&own)).unwrap().contains("check user and password"));
        let oauth = |keys: &str| {
            account(&format!("[accounts.a]\nprovider='outlook'\nprotocol='imap'\nuser='u'\noauth2={{{keys}}}\n"))
        };
        assert!(general("auth", Some(&oauth("client_id='i'"))).unwrap().contains("mailferry auth"));
        assert!(general("auth", Some(&oauth("token_command='t'"))).unwrap().contains("token_command"));
    }

    #[test]
    fn a_failure_of_the_disk_names_a_place() {
        let account = account("[accounts.a]\nprotocol = 'imap'\nhost = 'h.example'\nuser = 'u'\nmaildir = '/m/a'\n");
        let placed = |kind, text: &str| placed(kind, text.to_owned(), &account);
        assert_eq!(placed("disk", "state database: full"), "/m/a: state database: full");
        assert_eq!(placed("disk", "cannot open /x"), "cannot open /x");
        assert_eq!(placed("auth", "no"), "no");
    }

    #[test]
    fn what_the_failure_says_itself_is_better() {
        let hinted = crate::state::Error::Link { path: "/x".into() };
        assert_eq!(of(&hinted, None), hinted.hint());
        let bare = crate::state::Error::Interrupted;
        assert_eq!(of(&bare, None), None);
        assert!(["disk", "try_later", "protocol"].iter().all(|kind| general(kind, None).is_some()));
        assert!(["guard", "config", "usage", "interrupted"].iter().all(|kind| general(kind, None).is_none()));
    }
}
