//! The table of providers, in the order of the manual. PURE.

use super::presets::{LoginName, OAuthServer, Preset, Server, Wants};
use crate::account::{Quirks, TlsMode};

/// A provider with implicit TLS on the usual ports, the address as user name and the mailbox password.
const fn plain(name: &'static str, title: &'static str, imap: &'static str, pop3: &'static str) -> Preset {
    Preset {
        name,
        title,
        domains: "",
        exchangers: "",
        imap: server(imap, 993, TlsMode::Implicit),
        pop3: server(pop3, 995, TlsMode::Implicit),
        login: LoginName::Address,
        wants: Wants::Password,
        advice: "",
        oauth: None,
        quirks: Quirks { gmail: false, exchange: false, id_required: false },
    }
}

const fn server(host: &'static str, port: u16, tls: TlsMode) -> Option<Server> {
    if host.is_empty() { None } else { Some(Server { host, port, tls }) }
}

impl Preset {
    const fn app(self, advice: &'static str) -> Self {
        Self { wants: Wants::AppPassword, advice, ..self }
    }

    const fn said(self, advice: &'static str) -> Self {
        Self { advice, ..self }
    }

    const fn local(self) -> Self {
        Self { login: LoginName::LocalPart, ..self }
    }

    const fn at(self, domains: &'static str) -> Self {
        Self { domains, ..self }
    }

    const fn mx(self, exchangers: &'static str) -> Self {
        Self { exchangers, ..self }
    }

    const fn bridge(self, imap: &'static str, port: u16) -> Self {
        Self { imap: server(imap, port, TlsMode::StartTls), ..self }
    }

    const fn oauth(self, server: OAuthServer) -> Self {
        Self { oauth: Some(server), ..self }
    }

    const fn oauth_only(self) -> Self {
        Self { wants: Wants::OAuth, ..self }
    }

    const fn odd(self, quirks: Quirks) -> Self {
        Self { quirks, ..self }
    }
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

const GMAIL_ADVICE: &str = "Gmail takes an app password (https://myaccount.google.com/apppasswords, needs 2-step verification) or OAuth 2.0; Workspace accounts only OAuth 2.0.";
const OUTLOOK_ADVICE: &str = "Microsoft takes only OAuth 2.0, with an application id of your own (see mailferry.toml(5), OAUTH 2.0); POP3 must be switched on in the web settings, and a company's administrator may have to consent.";
const YAHOO_ADVICE: &str =
    "Make an app password in the account's security settings (https://login.yahoo.com/account/security).";
const AOL_ADVICE: &str =
    "Make an app password in the account's security settings (https://login.aol.com/account/security).";
const TUTA_ADVICE: &str = "Tuta offers neither IMAP nor POP3, so no other program can fetch its mail.";

const GMAIL: Quirks = Quirks { gmail: true, exchange: false, id_required: false };
const NETEASE: Quirks = Quirks { gmail: false, exchange: false, id_required: true };
const EXCHANGE: Quirks = Quirks { gmail: false, exchange: true, id_required: false };
const NETEASE_ADVICE: &str =
    "Switch on IMAP or POP3 in the web settings and use the authorisation code shown there as the password.";

/// Every provider.
pub const PRESETS: &[Preset] = &[
    plain("gmail", "Gmail", "imap.gmail.com", "pop.gmail.com").app(GMAIL_ADVICE).at("gmail.com googlemail.com").mx("google.com googlemail.com").oauth(GOOGLE).odd(GMAIL),
    plain("outlook", "Outlook.com and Microsoft 365", "outlook.office365.com", "outlook.office365.com").said(OUTLOOK_ADVICE).at("outlook.com hotmail.com live.com msn.com outlook.de outlook.fr outlook.es outlook.it outlook.at outlook.jp hotmail.co.uk hotmail.de hotmail.fr hotmail.es hotmail.it live.co.uk live.de live.fr live.nl live.it passport.com windowslive.com").mx("mail.protection.outlook.com mx.microsoft").oauth(MICROSOFT).odd(EXCHANGE).oauth_only(),
    plain("yahoo", "Yahoo", "imap.mail.yahoo.com", "pop.mail.yahoo.com").app(YAHOO_ADVICE).at("yahoo.com yahoo.co.uk yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca yahoo.com.au yahoo.com.br yahoo.in yahoo.co.in ymail.com rocketmail.com myyahoo.com").mx("yahoodns.net").oauth(YAHOO),
    plain("aol", "AOL", "imap.aol.com", "pop.aol.com").app(AOL_ADVICE).at("aol.com aim.com verizon.net netscape.net netscape.com compuserve.com").oauth(AOL),
    plain("att", "AT&T", "imap.mail.att.net", "inbound.att.net").app("Make a secure mail key in the profile's sign-in settings.").at("att.net sbcglobal.net bellsouth.net ameritech.net pacbell.net swbell.net"),
    plain("icloud", "iCloud", "imap.mail.me.com", "").app("Make an app-specific password at https://account.apple.com. iCloud has no POP3.").at("icloud.com me.com mac.com").local(),
    plain("fastmail", "Fastmail", "imap.fastmail.com", "pop.fastmail.com").app("Make an app password in Settings, Privacy & Security (not on the basic plan).").at("fastmail.com fastmail.fm messagingengine.com sent.com").mx("messagingengine.com").oauth(FASTMAIL),
    plain("gmx", "GMX (net, de, at, ch)", "imap.gmx.net", "pop.gmx.net").said(ENABLE).at("gmx.net gmx.de gmx.at gmx.ch"),
    plain("gmx-com", "GMX (com and others)", "imap.gmx.com", "pop.gmx.com").said(ENABLE).at("gmx.com gmx.us gmx.co.uk gmx.fr gmx.es gmx.it"),
    plain("web.de", "WEB.DE", "imap.web.de", "pop3.web.de").said("Switch on access by IMAP and POP3 in the settings of the web mail first; POP3 may be asked every 15 minutes at most.").at("web.de").local(),
    plain("mail.com", "mail.com", "imap.mail.com", "pop.mail.com").said("IMAP and POP3 need the premium plan.").at("mail.com email.com usa.com consultant.com myself.com post.com europe.com iname.com writeme.com dr.com engineer.com cheerful.com techie.com linuxmail.org"),
    plain("t-online", "T-Online", "secureimap.t-online.de", "securepop.t-online.de").said("T-Online wants the e-mail password, which is set apart from the customer centre's.").at("t-online.de magenta.de"),
    plain("freenet", "freenet", "mx.freenet.de", "").at("freenet.de"),
    plain("posteo", "Posteo", "posteo.de", "posteo.de").said("The setting `additional mail protection` must be off.").at("posteo.de posteo.net posteo.eu posteo.org"),
    plain("mailbox.org", "mailbox.org", "imap.mailbox.org", "pop3.mailbox.org").at("mailbox.org").mx("mailbox.org"),
    plain("zoho", "Zoho (com)", "imap.zoho.com", "pop.zoho.com").said(ENABLE).at("zoho.com zohomail.com").mx("zoho.com"),
    plain("zoho-eu", "Zoho (eu)", "imap.zoho.eu", "pop.zoho.eu").said(ENABLE).at("zoho.eu zohomail.eu").mx("zoho.eu"),
    plain("zoho-in", "Zoho (in)", "imap.zoho.in", "pop.zoho.in").said(ENABLE).at("zoho.in zohomail.in").mx("zoho.in"),
    plain("proton", "Proton Mail Bridge", "", "").said("Proton Bridge must run on this machine; use its own password, and pin its certificate with tls_fingerprint. It has no POP3.").at("proton.me protonmail.com protonmail.ch pm.me").mx("protonmail.ch").bridge("127.0.0.1", 1143),
    plain("tuta", "Tuta", "", "").said(TUTA_ADVICE).at("tuta.com tutanota.com tutanota.de tutamail.com tuta.io keemail.me"),
    plain("yandex", "Yandex", "imap.yandex.com", "pop.yandex.com").app("Switch on IMAP in the web settings and make an app password.").at("yandex.com yandex.ru ya.ru yandex.by yandex.kz yandex.ua").mx("yandex.net yandex.ru").oauth(YANDEX),
    plain("mail.ru", "Mail.ru", "imap.mail.ru", "pop.mail.ru").app("Make a password for external applications in the security settings.").at("mail.ru inbox.ru list.ru bk.ru internet.ru").oauth(MAILRU),
    plain("rambler", "Rambler", "imap.rambler.ru", "pop.rambler.ru").at("rambler.ru lenta.ru ro.ru autorambler.ru"),
    plain("qq", "QQ", "imap.qq.com", "pop.qq.com").app(NETEASE_ADVICE).at("qq.com foxmail.com"),
    plain("163", "163.com", "imap.163.com", "pop.163.com").app(NETEASE_ADVICE).at("163.com").odd(NETEASE),
    plain("126", "126.com", "imap.126.com", "pop.126.com").app(NETEASE_ADVICE).at("126.com").odd(NETEASE),
    plain("yeah.net", "yeah.net", "imap.yeah.net", "").app(NETEASE_ADVICE).at("yeah.net").odd(NETEASE),
    plain("naver", "Naver", "imap.naver.com", "pop.naver.com").said(ENABLE).at("naver.com"),
    plain("daum", "Daum", "imap.daum.net", "").at("daum.net hanmail.net"),
    plain("yahoo-jp", "Yahoo! Japan", "imap.mail.yahoo.co.jp", "pop.mail.yahoo.co.jp").at("yahoo.co.jp").local(),
    plain("comcast", "Comcast Xfinity", "imap.comcast.net", "pop.comcast.net").said("Allow third-party access in the security settings first.").at("comcast.net").oauth(COMCAST),
    plain("charter", "Spectrum", "mobile.charter.net", "mobile.charter.net").app("Make an app password in the account's settings.").at("charter.net spectrum.net"),
    plain("earthlink", "EarthLink", "imap.earthlink.net", "pop.earthlink.net").at("earthlink.net mindspring.com"),
    plain("bt", "BT", "mail.btinternet.com", "mail.btinternet.com").at("btinternet.com btopenworld.com"),
    plain("virginmedia", "Virgin Media", "imap.virginmedia.com", "pop3.virginmedia.com").app("Make an app password in the account's settings.").at("virginmedia.com ntlworld.com blueyonder.co.uk virgin.net"),
    plain("sky", "Sky", "imap.tools.sky.com", "").app("Make an app password in the account's settings.").at("sky.com"),
    plain("orange", "Orange", "imap.orange.fr", "pop.orange.fr").at("orange.fr wanadoo.fr"),
    plain("free", "Free", "imap.free.fr", "pop.free.fr").at("free.fr").local(),
    plain("laposte", "La Poste", "imap.laposte.net", "pop.laposte.net").at("laposte.net").local(),
    plain("sfr", "SFR", "imap.sfr.fr", "pop.sfr.fr").at("sfr.fr neuf.fr cegetel.net"),
    plain("libero", "Libero", "imapmail.libero.it", "popmail.libero.it").at("libero.it iol.it inwind.it blu.it"),
    plain("seznam", "Seznam", "imap.seznam.cz", "pop3.seznam.cz").at("seznam.cz email.cz post.cz"),
    plain("wp", "WP", "imap.wp.pl", "pop3.wp.pl").app("Make a password for external programs in the settings.").at("wp.pl").local(),
    plain("o2", "o2.pl", "poczta.o2.pl", "poczta.o2.pl").at("o2.pl tlen.pl").local(),
    plain("onet", "Onet", "imap.poczta.onet.pl", "pop3.poczta.onet.pl").at("onet.pl poczta.onet.pl op.pl vp.pl"),
    plain("telstra", "Telstra", "imap.telstra.com", "pop.telstra.com").at("telstra.com bigpond.com bigpond.net.au"),
    plain("migadu", "Migadu", "imap.migadu.com", "pop.migadu.com").mx("migadu.com"),
    plain("mailfence", "Mailfence", "imap.mailfence.com", "pop.mailfence.com").at("mailfence.com").mx("mailfence.com").local(),
    plain("runbox", "Runbox", "mail.runbox.com", "mail.runbox.com").at("runbox.com").mx("runbox.com"),
    plain("purelymail", "Purelymail", "imap.purelymail.com", "pop3.purelymail.com").at("purelymail.com").mx("purelymail.com"),
    plain("startmail", "StartMail", "imap.startmail.com", "").app("Make a device password in the settings.").at("startmail.com"),
    plain("ovh", "OVH", "ssl0.ovh.net", "ssl0.ovh.net").mx("mail.ovh.net"),
    plain("gandi", "Gandi", "mail.gandi.net", "mail.gandi.net").mx("mail.gandi.net"),
    plain("ionos", "IONOS", "imap.ionos.com", "pop.ionos.com").said("IONOS wants the mailbox's password, not the customer account's.").mx("ionos.com kundenserver.de 1and1.com"),
    plain("strato", "Strato", "imap.strato.de", "pop3.strato.de").mx("rzone.de"),
    plain("hetzner", "Hetzner", "mail.your-server.de", "mail.your-server.de").mx("your-server.de"),
    plain("infomaniak", "Infomaniak", "mail.infomaniak.com", "").mx("infomaniak.ch infomaniak.com"),
    plain("privateemail", "Namecheap Private Email", "mail.privateemail.com", "").mx("privateemail.com"),
    plain("godaddy", "GoDaddy Workspace", "imap.secureserver.net", "pop.secureserver.net").mx("secureserver.net"),
    plain("rackspace", "Rackspace", "secure.emailsrvr.com", "").mx("emailsrvr.com"),
    plain("disroot", "Disroot", "disroot.org", "").at("disroot.org"),
    plain("riseup", "Riseup", "mail.riseup.net", "").at("riseup.net").local(),
];
