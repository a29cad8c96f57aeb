//! What is known about providers: servers, login names, what they want instead of the password, quirks. PURE.

pub use super::providers::PRESETS;
use crate::account::{Protocol, Quirks, TlsMode};

/// A server of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host name.
    pub host: &'static str,
    /// TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
}

/// What a provider takes as the user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// The whole address.
    Address,
    /// What stands before the `@`.
    LocalPart,
}

/// What a provider takes as the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The mailbox's password.
    Password,
    /// A password made for one program.
    AppPassword,
    /// OAuth 2.0 and nothing else.
    OAuth,
}

/// A provider's OAuth 2.0 end points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OAuthServer {
    /// Authorization endpoint.
    pub auth_url: &'static str,
    /// Token endpoint.
    pub token_url: &'static str,
    /// Device authorization endpoint, where mail scopes have one.
    pub device_url: Option<&'static str>,
    /// Scopes for IMAP.
    pub imap_scopes: &'static [&'static str],
    /// Scopes for POP3; empty if there are none.
    pub pop3_scopes: &'static [&'static str],
}

/// A provider.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The word in `provider`.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// Domains of addresses that are surely this provider's, with blanks between them.
    pub domains: &'static str,
    /// Ends of the names of its mail exchangers, for addresses under other domains.
    pub exchangers: &'static str,
    /// IMAP server.
    pub imap: Option<Server>,
    /// POP3 server.
    pub pop3: Option<Server>,
    /// The user name.
    pub login: LoginName,
    /// The secret.
    pub wants: Wants,
    /// What a user must do first, as a sentence; may be empty.
    pub advice: &'static str,
    /// OAuth 2.0, if it has it.
    pub oauth: Option<OAuthServer>,
    /// Quirks.
    pub quirks: Quirks,
}

impl Preset {
    /// Its server for a protocol.
    #[must_use]
    pub fn server(&self, protocol: Protocol) -> Option<Server> {
        match protocol {
            Protocol::Imap => self.imap,
            Protocol::Pop3 => self.pop3,
        }
    }

    /// Its scopes for a protocol.
    #[must_use]
    pub fn scopes(&self, protocol: Protocol) -> &'static [&'static str] {
        match (self.oauth, protocol) {
            (Some(oauth), Protocol::Imap) => oauth.imap_scopes,
            (Some(oauth), Protocol::Pop3) => oauth.pop3_scopes,
            (None, Protocol::Imap | Protocol::Pop3) => &[],
        }
    }
}

/// The preset of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name == name)
}

/// The preset whose domain that is.
#[must_use]
pub fn by_domain(domain: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.domains.split_whitespace().any(|d| d.eq_ignore_ascii_case(domain)))
}

/// The preset whose mail exchanger that is.
#[must_use]
pub fn by_exchanger(host: &str) -> Option<&'static Preset> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let under = |end: &str| host == end || host.strip_suffix(end).is_some_and(|front| front.ends_with('.'));
    PRESETS.iter().find(|p| p.exchangers.split_whitespace().any(under))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_domains_are_unique() {
        for (i, a) in PRESETS.iter().enumerate() {
            for b in PRESETS.iter().skip(i + 1) {
                assert_ne!(a.name, b.name);
                assert!(
                    a.domains.split_whitespace().all(|d| b.domains.split_whitespace().all(|o| o != d)),
                    "{} {}",
                    a.name,
                    b.name
                );
            }
            assert!(a.imap.is_some() || a.pop3.is_some() || !a.advice.is_empty(), "{}", a.name);
            let servers = [a.imap, a.pop3];
            assert!(servers.iter().flatten().all(|s| s.tls != TlsMode::None && !s.host.is_empty()), "{}", a.name);
        }
    }

    #[test]
    fn found_by_name_domain_and_exchanger() {
        assert_eq!(find("fastmail").and_then(|p| p.imap).map(|s| s.host), Some("imap.fastmail.com"));
        assert!(find("gmail").is_some_and(|p| p.quirks.gmail));
        assert_eq!(by_domain("GoogleMail.com").map(|p| p.name), Some("gmail"));
        assert_eq!(by_domain("example.org").map(|p| p.name), None);
        assert_eq!(by_exchanger("aspmx.l.google.com.").map(|p| p.name), Some("gmail"));
        assert_eq!(by_exchanger("example-org.mail.protection.outlook.com").map(|p| p.name), Some("outlook"));
        assert_eq!(by_exchanger("notgoogle.com").map(|p| p.name), None);
    }
}
