//! What is known about providers: servers, login names, what they want instead of the password, quirks. PURE.

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
    /// Domains of addresses that are surely this provider's.
    pub domains: &'static [&'static str],
    /// Ends of the names of its mail exchangers, for addresses under other domains.
    pub exchangers: &'static [&'static str],
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
    PRESETS.iter().find(|p| p.domains.iter().any(|d| d.eq_ignore_ascii_case(domain)))
}

/// The preset whose mail exchanger that is.
#[must_use]
pub fn by_exchanger(host: &str) -> Option<&'static Preset> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let under = |end: &str| host == end || host.strip_suffix(end).is_some_and(|front| front.ends_with('.'));
    PRESETS.iter().find(|p| p.exchangers.iter().any(|end| under(end)))
}

const NO_QUIRKS: Quirks = Quirks { gmail: false, exchange: false, id_required: false };

const fn ssl(host: &'static str, port: u16) -> Option<Server> {
    Some(Server { host, port, tls: TlsMode::Implicit })
}

const fn upgraded(host: &'static str, port: u16) -> Option<Server> {
    Some(Server { host, port, tls: TlsMode::StartTls })
}

/// A provider with implicit TLS on the usual ports, the address as user name and the mailbox password.
const fn plain(name: &'static str, title: &'static str, imap: &'static str, pop3: &'static str) -> Preset {
    Preset {
        name,
        title,
        domains: &[],
        exchangers: &[],
        imap: if imap.is_empty() { None } else { ssl(imap, 993) },
        pop3: if pop3.is_empty() { None } else { ssl(pop3, 995) },
        login: LoginName::Address,
        wants: Wants::Password,
        advice: "",
        oauth: None,
        quirks: NO_QUIRKS,
    }
}

const fn app(preset: Preset, advice: &'static str) -> Preset {
    Preset { wants: Wants::AppPassword, advice, ..preset }
}

const fn local(preset: Preset) -> Preset {
    Preset { login: LoginName::LocalPart, ..preset }
}

const fn at(preset: Preset, domains: &'static [&'static str]) -> Preset {
    Preset { domains, ..preset }
}

const fn mx(preset: Preset, exchangers: &'static [&'static str]) -> Preset {
    Preset { exchangers, ..preset }
}

const fn said(preset: Preset, advice: &'static str) -> Preset {
    Preset { advice, ..preset }
}

const fn starttls(preset: Preset, imap: &'static str, pop3: &'static str) -> Preset {
    Preset { imap: upgraded(imap, 143), pop3: upgraded(pop3, 110), ..preset }
}

const ENABLE: &str = "Switch on access by IMAP and POP3 in the settings of the web mail first.";

const GOOGLE: OAuthServer = OAuthServer {
    auth_url: "https://accounts.google.com/o/oauth2/auth",
    token_url: "https://oauth2.googleapis.com/token",
    device_url: None,
    imap_scopes: &["https://mail.google.com/"],
    pop3_scopes: &["https://mail.google.com/"],
};
const MICROSOFT: OAuthServer = OAuthServer {
    auth_url: "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
    token_url: "https://login.microsoftonline.com/common/oauth2/v2.0/token",
    device_url: Some("https://login.microsoftonline.com/common/oauth2/v2.0/devicecode"),
    imap_scopes: &["https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"],
    pop3_scopes: &["https://outlook.office.com/POP.AccessAsUser.All", "offline_access"],
};
const YAHOO: OAuthServer = OAuthServer {
    auth_url: "https://api.login.yahoo.com/oauth2/request_auth",
    token_url: "https://api.login.yahoo.com/oauth2/get_token",
    device_url: None,
    imap_scopes: &["mail-w"],
    pop3_scopes: &["mail-w"],
};
const AOL: OAuthServer = OAuthServer {
    auth_url: "https://api.login.aol.com/oauth2/request_auth",
    token_url: "https://api.login.aol.com/oauth2/get_token",
    ..YAHOO
};
const FASTMAIL: OAuthServer = OAuthServer {
    auth_url: "https://api.fastmail.com/oauth/authorize",
    token_url: "https://api.fastmail.com/oauth/refresh",
    device_url: None,
    imap_scopes: &["https://www.fastmail.com/dev/protocol-imap"],
    pop3_scopes: &["https://www.fastmail.com/dev/protocol-pop"],
};
const YANDEX: OAuthServer = OAuthServer {
    auth_url: "https://oauth.yandex.com/authorize",
    token_url: "https://oauth.yandex.com/token",
    device_url: None,
    imap_scopes: &["mail:imap_full"],
    pop3_scopes: &[],
};
const MAILRU: OAuthServer = OAuthServer {
    auth_url: "https://o2.mail.ru/login",
    token_url: "https://o2.mail.ru/token",
    device_url: None,
    imap_scopes: &["mail.imap"],
    pop3_scopes: &[],
};
const COMCAST: OAuthServer = OAuthServer {
    auth_url: "https://oauth.xfinity.com/oauth/authorize",
    token_url: "https://oauth.xfinity.com/oauth/token",
    device_url: None,
    imap_scopes: &["https://email.comcast.net/", "profile", "openid"],
    pop3_scopes: &["https://email.comcast.net/", "profile", "openid"],
};

const fn oauth(preset: Preset, server: OAuthServer) -> Preset {
    Preset { oauth: Some(server), ..preset }
}

const GMAIL_ADVICE: &str = "Gmail takes an app password (https://myaccount.google.com/apppasswords, needs 2-step verification) or OAuth 2.0; Workspace accounts only OAuth 2.0.";
const OUTLOOK_ADVICE: &str = "Microsoft takes only OAuth 2.0, with an application id of your own (see mailferry.toml(5), OAUTH 2.0); POP3 must be switched on in the web settings, and a company's administrator may have to consent.";
const YAHOO_ADVICE: &str =
    "Make an app password in the account's security settings (https://login.yahoo.com/account/security).";
const AOL_ADVICE: &str =
    "Make an app password in the account's security settings (https://login.aol.com/account/security).";
const TUTA_ADVICE: &str = "Tuta offers neither IMAP nor POP3, so no other program can fetch its mail.";

const NETEASE: Quirks = Quirks { gmail: false, exchange: false, id_required: true };
const EXCHANGE: Quirks = Quirks { gmail: false, exchange: true, id_required: false };
const NETEASE_ADVICE: &str =
    "Switch on IMAP or POP3 in the web settings and use the authorisation code shown there as the password.";

/// Every provider, in the order of the manual.
pub const PRESETS: &[Preset] = &[
    Preset {
        quirks: Quirks { gmail: true, exchange: false, id_required: false },
        ..oauth(
            mx(
                at(
                    app(plain("gmail", "Gmail", "imap.gmail.com", "pop.gmail.com"), GMAIL_ADVICE),
                    &["gmail.com", "googlemail.com"],
                ),
                &["google.com", "googlemail.com"],
            ),
            GOOGLE,
        )
    },
    Preset {
        wants: Wants::OAuth,
        quirks: EXCHANGE,
        ..oauth(
            mx(
                at(
                    said(
                        plain(
                            "outlook",
                            "Outlook.com and Microsoft 365",
                            "outlook.office365.com",
                            "outlook.office365.com",
                        ),
                        OUTLOOK_ADVICE,
                    ),
                    &[
                        "outlook.com",
                        "hotmail.com",
                        "live.com",
                        "msn.com",
                        "outlook.de",
                        "outlook.fr",
                        "outlook.es",
                        "outlook.it",
                        "outlook.at",
                        "outlook.jp",
                        "hotmail.co.uk",
                        "hotmail.de",
                        "hotmail.fr",
                        "hotmail.es",
                        "hotmail.it",
                        "live.co.uk",
                        "live.de",
                        "live.fr",
                        "live.nl",
                        "live.it",
                        "passport.com",
                        "windowslive.com",
                    ],
                ),
                &["mail.protection.outlook.com", "mx.microsoft"],
            ),
            MICROSOFT,
        )
    },
    oauth(
        mx(
            at(
                app(plain("yahoo", "Yahoo", "imap.mail.yahoo.com", "pop.mail.yahoo.com"), YAHOO_ADVICE),
                &[
                    "yahoo.com",
                    "yahoo.co.uk",
                    "yahoo.de",
                    "yahoo.fr",
                    "yahoo.es",
                    "yahoo.it",
                    "yahoo.ca",
                    "yahoo.com.au",
                    "yahoo.com.br",
                    "yahoo.in",
                    "yahoo.co.in",
                    "ymail.com",
                    "rocketmail.com",
                    "myyahoo.com",
                ],
            ),
            &["yahoodns.net"],
        ),
        YAHOO,
    ),
    oauth(
        at(
            app(plain("aol", "AOL", "imap.aol.com", "pop.aol.com"), AOL_ADVICE),
            &["aol.com", "aim.com", "verizon.net", "netscape.net", "netscape.com", "compuserve.com"],
        ),
        AOL,
    ),
    at(
        app(
            plain("att", "AT&T", "imap.mail.att.net", "inbound.att.net"),
            "Make a secure mail key in the profile's sign-in settings.",
        ),
        &["att.net", "sbcglobal.net", "bellsouth.net", "ameritech.net", "pacbell.net", "swbell.net"],
    ),
    local(at(
        app(
            plain("icloud", "iCloud", "imap.mail.me.com", ""),
            "Make an app-specific password at https://account.apple.com. iCloud has no POP3.",
        ),
        &["icloud.com", "me.com", "mac.com"],
    )),
    oauth(
        mx(
            at(
                app(
                    plain("fastmail", "Fastmail", "imap.fastmail.com", "pop.fastmail.com"),
                    "Make an app password in Settings, Privacy & Security (not on the basic plan).",
                ),
                &["fastmail.com", "fastmail.fm", "messagingengine.com", "sent.com"],
            ),
            &["messagingengine.com"],
        ),
        FASTMAIL,
    ),
    starttls(
        at(said(plain("gmx", "GMX (net, de, at, ch)", "", ""), ENABLE), &["gmx.net", "gmx.de", "gmx.at", "gmx.ch"]),
        "imap.gmx.net",
        "pop.gmx.net",
    ),
    at(
        said(plain("gmx-com", "GMX (com and others)", "imap.gmx.com", "pop.gmx.com"), ENABLE),
        &["gmx.com", "gmx.us", "gmx.co.uk", "gmx.fr", "gmx.es", "gmx.it"],
    ),
    starttls(
        local(at(
            said(
                plain("web.de", "WEB.DE", "", ""),
                "Switch on access by IMAP and POP3 in the settings of the web mail first; POP3 may be asked every 15 minutes at most.",
            ),
            &["web.de"],
        )),
        "imap.web.de",
        "pop3.web.de",
    ),
    starttls(
        at(
            said(plain("mail.com", "mail.com", "", ""), "IMAP and POP3 need the premium plan."),
            &[
                "mail.com",
                "email.com",
                "usa.com",
                "consultant.com",
                "myself.com",
                "post.com",
                "europe.com",
                "iname.com",
                "writeme.com",
                "dr.com",
                "engineer.com",
                "cheerful.com",
                "techie.com",
                "linuxmail.org",
            ],
        ),
        "imap.mail.com",
        "pop.mail.com",
    ),
    at(
        said(
            plain("t-online", "T-Online", "secureimap.t-online.de", "securepop.t-online.de"),
            "T-Online wants the e-mail password, which is set apart from the customer centre's.",
        ),
        &["t-online.de", "magenta.de"],
    ),
    at(plain("freenet", "freenet", "mx.freenet.de", ""), &["freenet.de"]),
    starttls(
        at(
            said(plain("posteo", "Posteo", "", ""), "The setting \"additional mail protection\" must be off."),
            &["posteo.de", "posteo.net", "posteo.eu", "posteo.org"],
        ),
        "posteo.de",
        "posteo.de",
    ),
    mx(
        at(plain("mailbox.org", "mailbox.org", "imap.mailbox.org", "pop3.mailbox.org"), &["mailbox.org"]),
        &["mailbox.org"],
    ),
    mx(
        at(said(plain("zoho", "Zoho (com)", "imap.zoho.com", "pop.zoho.com"), ENABLE), &["zoho.com", "zohomail.com"]),
        &["zoho.com"],
    ),
    mx(
        at(said(plain("zoho-eu", "Zoho (eu)", "imap.zoho.eu", "pop.zoho.eu"), ENABLE), &["zoho.eu", "zohomail.eu"]),
        &["zoho.eu"],
    ),
    mx(
        at(said(plain("zoho-in", "Zoho (in)", "imap.zoho.in", "pop.zoho.in"), ENABLE), &["zoho.in", "zohomail.in"]),
        &["zoho.in"],
    ),
    Preset {
        imap: Some(Server { host: "127.0.0.1", port: 1143, tls: TlsMode::StartTls }),
        ..mx(
            at(
                said(
                    plain("proton", "Proton Mail Bridge", "", ""),
                    "Proton Bridge must run on this machine; use its own password, and pin its certificate with tls_fingerprint. It has no POP3.",
                ),
                &["proton.me", "protonmail.com", "protonmail.ch", "pm.me"],
            ),
            &["protonmail.ch"],
        )
    },
    at(
        said(plain("tuta", "Tuta", "", ""), TUTA_ADVICE),
        &["tuta.com", "tutanota.com", "tutanota.de", "tutamail.com", "tuta.io", "keemail.me"],
    ),
    oauth(
        mx(
            at(
                app(
                    plain("yandex", "Yandex", "imap.yandex.com", "pop.yandex.com"),
                    "Switch on IMAP in the web settings and make an app password.",
                ),
                &["yandex.com", "yandex.ru", "ya.ru", "yandex.by", "yandex.kz", "yandex.ua"],
            ),
            &["yandex.net", "yandex.ru"],
        ),
        YANDEX,
    ),
    oauth(
        starttls(
            at(
                app(
                    plain("mail.ru", "Mail.ru", "", ""),
                    "Make a password for external applications in the security settings.",
                ),
                &["mail.ru", "inbox.ru", "list.ru", "bk.ru", "internet.ru"],
            ),
            "imap.mail.ru",
            "pop.mail.ru",
        ),
        MAILRU,
    ),
    at(
        plain("rambler", "Rambler", "imap.rambler.ru", "pop.rambler.ru"),
        &["rambler.ru", "lenta.ru", "ro.ru", "autorambler.ru"],
    ),
    at(app(plain("qq", "QQ", "imap.qq.com", "pop.qq.com"), NETEASE_ADVICE), &["qq.com", "foxmail.com"]),
    Preset {
        quirks: NETEASE,
        ..at(app(plain("163", "163.com", "imap.163.com", "pop.163.com"), NETEASE_ADVICE), &["163.com"])
    },
    Preset {
        quirks: NETEASE,
        ..at(app(plain("126", "126.com", "imap.126.com", "pop.126.com"), NETEASE_ADVICE), &["126.com"])
    },
    Preset {
        quirks: NETEASE,
        ..at(app(plain("yeah.net", "yeah.net", "imap.yeah.net", ""), NETEASE_ADVICE), &["yeah.net"])
    },
    at(said(plain("naver", "Naver", "imap.naver.com", "pop.naver.com"), ENABLE), &["naver.com"]),
    at(plain("daum", "Daum", "imap.daum.net", ""), &["daum.net", "hanmail.net"]),
    local(at(plain("yahoo-jp", "Yahoo! Japan", "imap.mail.yahoo.co.jp", "pop.mail.yahoo.co.jp"), &["yahoo.co.jp"])),
    oauth(
        Preset {
            imap: upgraded("imap.comcast.net", 143),
            pop3: upgraded("pop.comcast.net", 110),
            ..at(
                said(
                    plain("comcast", "Comcast Xfinity", "", ""),
                    "Allow third-party access in the security settings first.",
                ),
                &["comcast.net"],
            )
        },
        COMCAST,
    ),
    at(
        app(
            plain("charter", "Spectrum", "mobile.charter.net", "mobile.charter.net"),
            "Make an app password in the account's settings.",
        ),
        &["charter.net", "spectrum.net"],
    ),
    at(
        plain("earthlink", "EarthLink", "imap.earthlink.net", "pop.earthlink.net"),
        &["earthlink.net", "mindspring.com"],
    ),
    at(plain("bt", "BT", "mail.btinternet.com", "mail.btinternet.com"), &["btinternet.com", "btopenworld.com"]),
    at(
        app(
            plain("virginmedia", "Virgin Media", "imap.virginmedia.com", "pop3.virginmedia.com"),
            "Make an app password in the account's settings.",
        ),
        &["virginmedia.com", "ntlworld.com", "blueyonder.co.uk", "virgin.net"],
    ),
    at(
        app(plain("sky", "Sky", "imap.tools.sky.com", ""), "Make an app password in the account's settings."),
        &["sky.com"],
    ),
    at(plain("orange", "Orange", "imap.orange.fr", "pop.orange.fr"), &["orange.fr", "wanadoo.fr"]),
    local(at(plain("free", "Free", "imap.free.fr", "pop.free.fr"), &["free.fr"])),
    local(at(plain("laposte", "La Poste", "imap.laposte.net", "pop.laposte.net"), &["laposte.net"])),
    at(plain("sfr", "SFR", "imap.sfr.fr", "pop.sfr.fr"), &["sfr.fr", "neuf.fr", "cegetel.net"]),
    at(
        plain("libero", "Libero", "imapmail.libero.it", "popmail.libero.it"),
        &["libero.it", "iol.it", "inwind.it", "blu.it"],
    ),
    at(plain("seznam", "Seznam", "imap.seznam.cz", "pop3.seznam.cz"), &["seznam.cz", "email.cz", "post.cz"]),
    local(at(
        app(plain("wp", "WP", "imap.wp.pl", "pop3.wp.pl"), "Make a password for external programs in the settings."),
        &["wp.pl"],
    )),
    local(at(plain("o2", "o2.pl", "poczta.o2.pl", "poczta.o2.pl"), &["o2.pl", "tlen.pl"])),
    at(
        plain("onet", "Onet", "imap.poczta.onet.pl", "pop3.poczta.onet.pl"),
        &["onet.pl", "poczta.onet.pl", "op.pl", "vp.pl"],
    ),
    at(
        plain("telstra", "Telstra", "imap.telstra.com", "pop.telstra.com"),
        &["telstra.com", "bigpond.com", "bigpond.net.au"],
    ),
    mx(plain("migadu", "Migadu", "imap.migadu.com", "pop.migadu.com"), &["migadu.com"]),
    local(mx(
        at(plain("mailfence", "Mailfence", "imap.mailfence.com", "pop.mailfence.com"), &["mailfence.com"]),
        &["mailfence.com"],
    )),
    mx(at(plain("runbox", "Runbox", "mail.runbox.com", "mail.runbox.com"), &["runbox.com"]), &["runbox.com"]),
    mx(
        at(plain("purelymail", "Purelymail", "imap.purelymail.com", "pop3.purelymail.com"), &["purelymail.com"]),
        &["purelymail.com"],
    ),
    at(
        app(plain("startmail", "StartMail", "imap.startmail.com", ""), "Make a device password in the settings."),
        &["startmail.com"],
    ),
    mx(plain("ovh", "OVH", "ssl0.ovh.net", "ssl0.ovh.net"), &["mail.ovh.net"]),
    mx(starttls(plain("gandi", "Gandi", "", ""), "mail.gandi.net", "mail.gandi.net"), &["mail.gandi.net"]),
    mx(
        said(
            plain("ionos", "IONOS", "imap.ionos.com", "pop.ionos.com"),
            "IONOS wants the mailbox's password, not the customer account's.",
        ),
        &["ionos.com", "kundenserver.de", "1and1.com"],
    ),
    mx(plain("strato", "Strato", "imap.strato.de", "pop3.strato.de"), &["rzone.de"]),
    mx(plain("hetzner", "Hetzner", "mail.your-server.de", "mail.your-server.de"), &["your-server.de"]),
    mx(plain("infomaniak", "Infomaniak", "mail.infomaniak.com", ""), &["infomaniak.ch", "infomaniak.com"]),
    mx(plain("privateemail", "Namecheap Private Email", "mail.privateemail.com", ""), &["privateemail.com"]),
    mx(plain("godaddy", "GoDaddy Workspace", "imap.secureserver.net", "pop.secureserver.net"), &["secureserver.net"]),
    mx(plain("rackspace", "Rackspace", "secure.emailsrvr.com", ""), &["emailsrvr.com"]),
    at(plain("disroot", "Disroot", "disroot.org", ""), &["disroot.org"]),
    local(at(plain("riseup", "Riseup", "mail.riseup.net", ""), &["riseup.net"])),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_domains_are_unique() {
        for (i, a) in PRESETS.iter().enumerate() {
            for b in PRESETS.iter().skip(i + 1) {
                assert_ne!(a.name, b.name);
                assert!(a.domains.iter().all(|d| !b.domains.contains(d)), "{} {}", a.name, b.name);
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
