//! From a mail address to servers: the bundled table, the mail exchanger, autoconfig over HTTPS, SRV records (RFC 6186).

use super::autoconfig;
use super::dns::{Record, RecordType};
use crate::account::{Protocol, TlsMode};
use crate::config::presets::{self, LoginName, Preset};
use crate::config::url;

/// A mail address in its two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Before the last `@`.
    pub local: String,
    /// After it, in lower case.
    pub domain: String,
}

impl Address {
    /// Takes an address apart; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.trim().rsplit_once('@')?;
        let fine = !local.is_empty() && !local.chars().any(|c| c.is_control() || c.is_whitespace());
        (fine && url::host_name(domain).is_ok() && !domain.is_empty())
            .then(|| Self { local: local.to_owned(), domain: domain.to_ascii_lowercase() })
    }

    /// The address in one piece.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The bundled table.
    Table,
    /// A file under the domain, or in the public list of mail programs, over HTTPS.
    Autoconfig,
    /// DNS, which anybody on the way can forge.
    Dns,
}

impl Origin {
    /// For people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Table => "known to mailferry",
            Self::Autoconfig => "published by the provider",
            Self::Dns => "from DNS, not authenticated",
        }
    }
}

/// A server that may be the right one. Never without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// IMAP or POP3.
    pub protocol: Protocol,
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS begins.
    pub tls: TlsMode,
    /// The user name that it wants.
    pub user: String,
    /// Who says so.
    pub origin: Origin,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The provider, if it is a known one.
    pub preset: Option<&'static Preset>,
    /// Servers, the best of each protocol first.
    pub candidates: Vec<Candidate>,
    /// Whether the servers want OAuth 2.0 and nothing else.
    pub oauth_only: bool,
}

impl Found {
    /// The best server of a protocol.
    #[must_use]
    pub fn best(&self, protocol: Protocol) -> Option<&Candidate> {
        self.candidates.iter().find(|c| c.protocol == protocol)
    }
}

/// The network as discovery needs it. Every answer is bounded in time and size; a failure is no answer.
pub trait Network {
    /// The body of an `https://` address.
    fn get(&self, url: &str) -> Option<String>;
    /// The records of a name.
    fn records(&self, name: &str, kind: RecordType) -> Vec<Record>;
}

/// Looks for the servers of an address: what is nearest and safest first, and no further than needed.
#[must_use]
pub fn discover(address: &Address, network: Option<&dyn Network>) -> Found {
    if let Some(preset) = presets::by_domain(&address.domain) {
        return of_preset(preset, address);
    }
    let Some(network) = network else { return Found::default() };
    let mut exchangers = network.records(&address.domain, RecordType::Mx);
    exchangers.sort_by_key(|record| match record {
        Record::Mx { preference, .. } => *preference,
        Record::Srv { priority, .. } => *priority,
    });
    let known = exchangers.iter().find_map(|record| match record {
        Record::Mx { host, .. } => presets::by_exchanger(host),
        Record::Srv { .. } => None,
    });
    if let Some(preset) = known {
        return of_preset(preset, address);
    }
    for place in places(address) {
        let offers = network.get(&place).map(|xml| autoconfig::parse(&xml, &address.local, &address.domain));
        let offers = offers.unwrap_or_default();
        if !offers.is_empty() {
            let oauth_only = offers.iter().all(|offer| offer.oauth_only);
            let candidates = offers.into_iter().map(|o| Candidate {
                protocol: o.protocol,
                host: o.host,
                port: o.port,
                tls: o.tls,
                user: o.user,
                origin: Origin::Autoconfig,
            });
            return Found { preset: None, candidates: candidates.collect(), oauth_only };
        }
    }
    Found { preset: None, candidates: services(address, network), oauth_only: false }
}

/// The servers of a known provider.
#[must_use]
pub fn of_preset(preset: &'static Preset, address: &Address) -> Found {
    let user = user_of(preset, address);
    let candidates = [Protocol::Imap, Protocol::Pop3].into_iter().filter_map(|protocol| {
        let server = preset.server(protocol)?;
        let (host, user) = (server.host.to_owned(), user.clone());
        Some(Candidate { protocol, host, port: server.port, tls: server.tls, user, origin: Origin::Table })
    });
    let oauth_only = preset.wants == presets::Wants::OAuth;
    Found { preset: Some(preset), candidates: candidates.collect(), oauth_only }
}

/// The user name that a provider wants for an address.
#[must_use]
pub fn user_of(preset: &Preset, address: &Address) -> String {
    match preset.login {
        LoginName::Address => address.full(),
        LoginName::LocalPart => address.local.clone(),
    }
}

/// Where configuration files stand. Only the provider's own hosts are told the address.
fn places(address: &Address) -> [String; 3] {
    let domain = &address.domain;
    let encoded: String = address.full().bytes().map(|b| format!("%{b:02X}")).collect();
    [
        format!("https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={encoded}"),
        format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"),
        format!("https://autoconfig.thunderbird.net/v1.1/{domain}"),
    ]
}

/// The services of the domain (RFC 6186 §3), TLS from the first byte before STARTTLS.
fn services(address: &Address, network: &dyn Network) -> Vec<Candidate> {
    let kinds = [
        ("_imaps", Protocol::Imap, TlsMode::Implicit),
        ("_imap", Protocol::Imap, TlsMode::StartTls),
        ("_pop3s", Protocol::Pop3, TlsMode::Implicit),
        ("_pop3", Protocol::Pop3, TlsMode::StartTls),
    ];
    let mut candidates = Vec::new();
    for (service, protocol, tls) in kinds {
        let records = network.records(&format!("{service}._tcp.{}", address.domain), RecordType::Srv);
        if let Some((host, port)) = choose(&records) {
            candidates.push(Candidate { protocol, host, port, tls, user: address.full(), origin: Origin::Dns });
        }
    }
    candidates
}

/// The first service by priority, then by weight; `None` if there is none or it is decidedly not offered.
fn choose(records: &[Record]) -> Option<(String, u16)> {
    let mut services: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            Record::Srv { priority, weight, port, host } => Some((*priority, u16::MAX - *weight, *port, host)),
            Record::Mx { .. } => None,
        })
        .collect();
    services.sort();
    let (_, _, port, host) = services.first()?;
    (*port > 0 && url::host_name(host).is_ok()).then(|| ((*host).clone(), *port))
}

/// Whether a host lies under the address's own domain: what DNS says about it is then no surprise (RFC 6186 §6).
#[must_use]
pub fn own_host(host: &str, address: &Address) -> bool {
    let host = host.to_ascii_lowercase();
    host == address.domain || host.strip_suffix(&address.domain).is_some_and(|front| front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Fake {
        pages: Vec<(&'static str, &'static str)>,
        records: Vec<(&'static str, Record)>,
        asked: RefCell<Vec<String>>,
    }

    impl Network for Fake {
        fn get(&self, url: &str) -> Option<String> {
            self.asked.borrow_mut().push(url.to_owned());
            self.pages.iter().find(|(u, _)| *u == url).map(|(_, text)| (*text).to_owned())
        }

        fn records(&self, name: &str, kind: RecordType) -> Vec<Record> {
            let fits = |r: &Record| {
                matches!((r, kind), (Record::Mx { .. }, RecordType::Mx) | (Record::Srv { .. }, RecordType::Srv))
            };
            self.records.iter().filter(|(n, r)| *n == name && fits(r)).map(|(_, r)| r.clone()).collect()
        }
    }

    fn me(domain: &str) -> Address {
        Address::parse(&format!("me@{domain}")).unwrap()
    }

    fn srv(priority: u16, weight: u16, host: &str) -> Record {
        Record::Srv { priority, weight, port: 993, host: host.to_owned() }
    }

    #[test]
    fn addresses() {
        assert_eq!(Address::parse(" \"a@b\"@Example.ORG ").map(|a| a.domain), Some("example.org".to_owned()));
        for bad in ["", "me", "me@", "@x", "me@x/y", "m e@x", "me\n@x", "me@b\u{fc}cher.example"] {
            assert_eq!(Address::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_known_domain_asks_nobody() {
        let network = Fake::default();
        let found = discover(&me("web.de"), Some(&network));
        assert_eq!(found.preset.map(|p| p.name), Some("web.de"));
        assert_eq!(found.best(Protocol::Imap).map(|c| c.user.as_str()), Some("me"));
        assert!(network.asked.borrow().is_empty());
        assert!(discover(&me("outlook.com"), None).oauth_only);
    }

    #[test]
    fn an_exchanger_tells_the_provider() {
        let mx = |preference, host: &str| ("firm.example", Record::Mx { preference, host: host.to_owned() });
        let network = Fake {
            records: vec![mx(20, "aspmx.l.google.com"), mx(10, "firm-example.mail.protection.outlook.com")],
            ..Fake::default()
        };
        assert_eq!(discover(&me("firm.example"), Some(&network)).preset.map(|p| p.name), Some("outlook"));
    }

    #[test]
    fn autoconfig_before_dns() {
        let page = "<incomingServer type=\"imap\"><hostname>mail.example.org</hostname><port>143</port><socketType>STARTTLS</socketType></incomingServer>";
        let network = Fake {
            pages: vec![("https://example.org/.well-known/autoconfig/mail/config-v1.1.xml", page)],
            records: vec![("_imaps._tcp.example.org", srv(0, 0, "evil.example"))],
            ..Fake::default()
        };
        let found = discover(&me("example.org"), Some(&network));
        let best = found.best(Protocol::Imap).unwrap();
        assert_eq!((best.host.as_str(), best.port, best.origin), ("mail.example.org", 143, Origin::Autoconfig));
        let asked = network.asked.borrow();
        assert!(asked.len() == 2 && asked.iter().all(|url| url.starts_with("https://")), "{asked:?}");
    }

    #[test]
    fn services_by_priority_and_weight() {
        let name = "_imaps._tcp.example.org";
        let network = Fake {
            records: vec![
                (name, srv(20, 0, "far.example.org")),
                (name, srv(10, 1, "light.example.org")),
                (name, srv(10, 9, "mail.example.org")),
                ("_pop3s._tcp.example.org", srv(0, 0, "")),
            ],
            ..Fake::default()
        };
        let found = discover(&me("example.org"), Some(&network));
        assert_eq!(found.candidates.len(), 1);
        assert_eq!((found.candidates[0].host.as_str(), found.candidates[0].origin), ("mail.example.org", Origin::Dns));
        assert!(own_host("mail.example.org", &me("example.org")) && own_host("Example.org", &me("example.org")));
        assert!(!own_host("evil-example.org", &me("example.org")));
        assert!(discover(&me("nothing.example"), Some(&Fake::default())).candidates.is_empty());
    }
}
