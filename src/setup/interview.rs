//! The questions of setup in their order, and the draft that their answers make.

use super::ask::{Asker, Question};
use super::discover::{self, Address, Candidate, Found, Network, Origin};
use super::draft::{Draft, KeepWord, Source};
use super::error::Error;
use crate::account::{LayoutKind, Mode, Protocol, TlsMode};
use crate::config::build::default_port;
use crate::config::presets::{self, Wants};
use crate::config::{keys, measure, paths, url};

/// What the options say; what is `None` is found out or asked.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The mail address.
    pub email: Option<String>,
    /// `--name`.
    pub name: Option<String>,
    /// `--provider`.
    pub provider: Option<String>,
    /// `--protocol`.
    pub protocol: Option<Protocol>,
    /// `--host`.
    pub host: Option<String>,
    /// `--port`.
    pub port: Option<u16>,
    /// `--tls`.
    pub tls: Option<TlsMode>,
    /// `--user`.
    pub user: Option<String>,
    /// `--auth`.
    pub auth: Option<String>,
    /// `--password-…`, `--client-id` or `--token-command`.
    pub source: Option<Source>,
    /// `--sign-in`.
    pub sign_in: Option<SignIn>,
    /// `--ca-file`, absolute.
    pub ca_file: Option<String>,
    /// `--tls-fingerprint`, as `sha256:HEX`.
    pub tls_fingerprint: Option<String>,
    /// `--maildir`.
    pub maildir: Option<String>,
    /// `--layout`.
    pub layout: Option<LayoutKind>,
    /// `--mode`.
    pub mode: Option<Mode>,
    /// `--keep`, `--delete`, `--delete-after`.
    pub keep: Option<KeepWord>,
}

/// When and where a person signs in with OAuth 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// Now, in a browser on this computer.
    Browser,
    /// Now, with a code on another device.
    Device,
    /// Later, with `mailferry auth`.
    Later,
}

/// What is there already.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Names of accounts.
    pub names: Vec<String>,
    /// What the file's `[defaults]` say about `maildir`, or the program's own default.
    pub maildir: String,
    /// Whether the keyring can take a password.
    pub keyring: bool,
}

/// The first half: the server and how to log in there. Asks what is not given and cannot be found out.
///
/// # Errors
/// An answer is missing or impossible, or the provider has no server to talk to.
pub fn login(given: &Given, asker: &mut Asker, network: Option<&dyn Network>, known: &Known) -> Result<Draft, Error> {
    let address = address(given, asker)?;
    let found = find(given, address.as_ref(), asker, network)?;
    if let Some(preset) = found.preset.filter(|preset| !preset.advice.is_empty()) {
        asker.say(&format!("{}: {}", preset.title, preset.advice));
    }
    if let Some(word) = &given.auth
        && !keys::AUTH.contains(&word.as_str())
    {
        return Err(Error::Invalid { flag: "--auth", why: format!("must be one of {}", keys::AUTH.join(", ")) });
    }
    let protocol = protocol(given, &found, asker)?;
    let server = server(given, &found, address.as_ref(), protocol, asker)?;
    let user = user(given, &server, asker)?;
    let name = name(given, &found, address.as_ref(), (&server.host, &known.names), asker)?;
    let source = source(given, &found, &name, asker, known.keyring)?;
    Ok(Draft {
        name,
        preset: found.preset,
        protocol,
        host: server.host,
        port: server.port,
        tls: server.tls,
        user,
        auth: given.auth.clone(),
        source,
        ca_file: given.ca_file.clone(),
        tls_fingerprint: given.tls_fingerprint.clone(),
        maildir: given.maildir.clone(),
        layout: given.layout.unwrap_or_default(),
        mode: given.mode.unwrap_or(Mode::Sync),
        keep: given.keep.clone().unwrap_or(KeepWord::Keep),
    })
}

/// The second half: what becomes of the mail.
///
/// # Errors
/// As [`login`].
pub fn job(given: &Given, draft: &mut Draft, asker: &mut Asker, known: &Known) -> Result<(), Error> {
    match draft.protocol {
        Protocol::Imap => draft.mode = mode(given, asker)?,
        Protocol::Pop3 => draft.keep = keep(given, asker)?,
    }
    maildir(given.maildir.as_deref(), draft, asker, known)
}

/// Where the mail goes.
///
/// # Errors
/// As [`login`].
pub fn maildir(given: Option<&str>, draft: &mut Draft, asker: &mut Asker, known: &Known) -> Result<(), Error> {
    let usual = known.maildir.replace("{account}", &draft.name).replace("{user}", &draft.user);
    let question = Question { flag: "--maildir", text: "Maildir", default: Some(&usual), choices: &[] };
    let answer = asker.ask(&question, given)?;
    // The file's own default stays the default.
    draft.maildir = Some(answer).filter(|answer| *answer != usual && *answer != known.maildir);
    Ok(())
}

/// The mail address; not needed where host and user are given.
fn address(given: &Given, asker: &mut Asker) -> Result<Option<Address>, Error> {
    if given.email.is_none() && given.user.is_some() && (given.host.is_some() || given.provider.is_some()) {
        return Ok(None);
    }
    let question = Question { flag: "EMAIL", text: "Mail address", default: None, choices: &[] };
    let read = |text: &str| Address::parse(text).ok_or_else(|| format!("`{text}` is not a mail address"));
    asker.ask_for(&question, given.email.as_deref(), read).map(Some)
}

fn find(
    given: &Given,
    address: Option<&Address>,
    asker: &mut Asker,
    network: Option<&dyn Network>,
) -> Result<Found, Error> {
    let user = given.user.clone().unwrap_or_default();
    let nobody = Address { local: user, domain: String::new() };
    let found = if let Some(name) = &given.provider {
        let names: Vec<&str> = presets::PRESETS.iter().map(|p| p.name).collect();
        let near = keys::nearest(name, &names).map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        let why = format!("no provider `{name}`{near}");
        let preset = presets::find(name).ok_or(Error::Invalid { flag: "--provider", why })?;
        discover::of_preset(preset, address.unwrap_or(&nobody))
    } else if given.host.is_some() {
        Found::default()
    } else {
        let Some(address) = address else { return Ok(Found::default()) };
        if network.is_some() {
            asker.say(&format!("Looking for the servers of {} …", address.domain));
        }
        discover::discover(address, network)
    };
    if found.candidates.is_empty() && found.preset.is_none() && given.host.is_none() {
        asker.say("No settings were found. The provider's help pages name the server.");
    }
    match found.preset {
        Some(preset) if found.candidates.is_empty() && given.host.is_none() => {
            Err(Error::NoServer { title: preset.title, advice: preset.advice })
        }
        Some(_) | None => Ok(found),
    }
}

fn protocol(given: &Given, found: &Found, asker: &mut Asker) -> Result<Protocol, Error> {
    if let Some(protocol) = given.protocol {
        return Ok(protocol);
    }
    match (found.best(Protocol::Imap).is_some(), found.best(Protocol::Pop3).is_some()) {
        (true, false) => return Ok(Protocol::Imap),
        (false, true) => return Ok(Protocol::Pop3),
        (true, true) | (false, false) => {}
    }
    let choices = [("imap", "all folders, both ways or one way"), ("pop3", "new mail only, one way")];
    let question = Question { flag: "--protocol", text: "Protocol", default: Some("imap"), choices: &choices };
    let word = asker.ask(&question, None)?;
    Ok(if word == "pop3" { Protocol::Pop3 } else { Protocol::Imap })
}

/// The server: shown to the user before any password goes there. With nobody to look at it, a published one is taken
/// with `--yes`, and one that only DNS names if it also lies under the address's own domain.
fn server(
    given: &Given,
    found: &Found,
    address: Option<&Address>,
    protocol: Protocol,
    asker: &mut Asker,
) -> Result<Candidate, Error> {
    if let (None, Some(best)) = (&given.host, found.best(protocol)) {
        let mut server = best.clone();
        server.tls = given.tls.unwrap_or(server.tls);
        let usual = if server.tls == best.tls { best.port } else { default_port(protocol, server.tls) };
        server.port = given.port.unwrap_or(usual);
        asker.say(&format!(
            "Server: {}:{}, {}, {}.",
            server.host,
            server.port,
            tls_text(server.tls),
            server.origin.describe()
        ));
        let own = address.is_some_and(|address| discover::own_host(&server.host, address));
        let unseen = match server.origin {
            Origin::Table => false,
            Origin::Autoconfig => !asker.takes_defaults(),
            Origin::Dns => !asker.takes_defaults() || !own,
        };
        if !asker.interactive() && unseen {
            let question = format!("the server (found {}, {})", server.host, server.origin.describe());
            return Err(Error::Missing { flag: "--host", question, has_default: false });
        }
        if asker.confirm("Use it", true)? {
            return Ok(server);
        }
    }
    let question = Question { flag: "--host", text: "Server (host name)", default: None, choices: &[] };
    let host = asker.ask_for(&question, given.host.as_deref(), |host| match url::host_name(host) {
        Ok(()) => Ok(host.to_owned()),
        Err(why) => Err(format!("`{host}` {why}")),
    })?;
    let tls = match (given.tls, given.port) {
        (Some(tls), _) => tls,
        (None, Some(143 | 110)) => TlsMode::StartTls,
        (None, Some(993 | 995)) => TlsMode::Implicit,
        (None, _) => {
            // Clear text is never proposed; who needs it says --tls none.
            let choices = [
                ("implicit", "from the first byte; ports 993 and 995"),
                ("starttls", "after STARTTLS or STLS; ports 143 and 110"),
            ];
            let question = Question { flag: "--tls", text: "TLS", default: Some("implicit"), choices: &choices };
            if asker.ask(&question, None)? == "starttls" { TlsMode::StartTls } else { TlsMode::Implicit }
        }
    };
    let usual = default_port(protocol, tls);
    let port = match given.port {
        Some(port) => port,
        None => {
            let question = Question { flag: "--port", text: "Port", default: Some(&usual.to_string()), choices: &[] };
            let why = || "a port is a number from 1 to 65535".to_owned();
            asker.ask_for(&question, None, |text| text.parse().ok().filter(|p| *p > 0).ok_or_else(why))?
        }
    };
    let user = address.map(Address::full).unwrap_or_default();
    Ok(Candidate { protocol, host, port, tls, user, origin: Origin::Table })
}

fn tls_text(tls: TlsMode) -> &'static str {
    match tls {
        TlsMode::Implicit => "TLS",
        TlsMode::StartTls => "STARTTLS",
        TlsMode::None => "without TLS: password and mail can be read on the way",
    }
}

fn user(given: &Given, server: &Candidate, asker: &mut Asker) -> Result<String, Error> {
    let default = Some(server.user.as_str()).filter(|user| !user.is_empty());
    asker.ask(&Question { flag: "--user", text: "User name", default, choices: &[] }, given.user.as_deref())
}

fn name(
    given: &Given,
    found: &Found,
    address: Option<&Address>,
    (host, taken): (&str, &[String]),
    asker: &mut Asker,
) -> Result<String, Error> {
    let domain = address.map_or(host, |address| address.domain.as_str());
    let label = domain.split('.').next().unwrap_or(domain);
    let first = found.preset.map_or(label, |preset| preset.name);
    let is_free = |name: &str| !taken.iter().any(|known| known == name);
    let numbered = (2..).map(|n| format!("{first}{n}"));
    let usual = std::iter::once(first.to_owned()).chain(numbered).find(|name| is_free(name));
    let question = Question { flag: "--name", text: "Name of the account", default: usual.as_deref(), choices: &[] };
    asker.ask_for(&question, given.name.as_deref(), |name| {
        paths::component(name).map_err(|why| format!("the name {why}"))?;
        if name.starts_with(['-', '.']) {
            return Err("the name starts with `-` or `.`".to_owned());
        }
        // A name that was given and is taken is told with the file's path.
        if given.name.is_none() && !is_free(name) {
            Err(format!("there is an account `{name}`"))
        } else {
            Ok(name.to_owned())
        }
    })
}

fn source(given: &Given, found: &Found, name: &str, asker: &mut Asker, keyring: bool) -> Result<Source, Error> {
    if let Some(source) = &given.source {
        return Ok(source.clone());
    }
    if found.oauth_only || found.preset.is_some_and(|p| p.wants == Wants::OAuth) {
        return client(asker);
    }
    if !asker.interactive() {
        let question = "where the password comes from".to_owned();
        return Err(Error::Missing { flag: "--password-command", question, has_default: false });
    }
    let mut choices = vec![
        ("file", "in a file of its own that only you can read; works from cron"),
        ("command", "a command prints it, such as a password manager"),
    ];
    if keyring {
        choices.push(("keyring", "in your desktop's keyring; needs a session, cron has none"));
    }
    if found.preset.is_some_and(|preset| preset.oauth.is_some()) {
        choices.push(("oauth", "no password: sign in by OAuth 2.0, with a client id of your own"));
    }
    let question = Question {
        flag: "--password-command",
        text: "Where the password is kept",
        default: Some("file"),
        choices: &choices,
    };
    let app = found.preset.is_some_and(|preset| preset.wants == Wants::AppPassword);
    let what = if app { "App password" } else { "Password" };
    match asker.ask(&question, None)?.as_str() {
        "command" => {
            let question = Question { flag: "--password-command", text: "Command", default: None, choices: &[] };
            asker.ask(&question, None).map(Source::Command)
        }
        "oauth" => client(asker),
        "keyring" => {
            let secret = asker.secret(what, "--password-keyring")?;
            Ok(Source::Keyring(format!("mailferry-{name}"), Some(secret)))
        }
        _ => {
            let secret = asker.secret(what, "--password-file")?;
            // A relative path starts at the config file's folder.
            Ok(Source::File(format!("{name}.pass"), Some(secret)))
        }
    }
}

/// An OAuth 2.0 application of the user's own.
fn client(asker: &mut Asker) -> Result<Source, Error> {
    asker.say("`man mailferry.toml`, OAUTH 2.0, says how to get a client id.");
    let question = Question { flag: "--client-id", text: "Client id", default: None, choices: &[] };
    let id = asker.ask(&question, None)?;
    let secret = asker.secret_or_none("Client secret, empty if there is none")?;
    Ok(Source::Client(id, secret))
}

/// When and where to sign in: `device` tells whether the provider knows the second way.
///
/// # Errors
/// As [`login`].
pub fn sign_in(given: Option<SignIn>, device: bool, asker: &mut Asker) -> Result<SignIn, Error> {
    if let Some(given) = given {
        return Ok(given);
    }
    if !asker.interactive() {
        return Ok(SignIn::Later);
    }
    let mut choices = vec![("browser", "now, in a browser on this computer")];
    if device {
        choices.push(("device", "now, with a code on another device"));
    }
    choices.push(("later", "with `mailferry auth`; the profile is written untested"));
    let question = Question { flag: "--sign-in", text: "Sign in", default: Some("browser"), choices: &choices };
    Ok(match asker.ask(&question, None)?.as_str() {
        "device" => SignIn::Device,
        "later" => SignIn::Later,
        _ => SignIn::Browser,
    })
}

fn mode(given: &Given, asker: &mut Asker) -> Result<Mode, Error> {
    if let Some(mode) = given.mode {
        return Ok(mode);
    }
    let choices = [
        ("sync", "both sides become equal"),
        ("mirror", "the Maildir becomes what the server is; the server is never changed"),
        ("archive", "everything is pulled, nothing is ever deleted here"),
    ];
    let question = Question { flag: "--mode", text: "What to do", default: Some("sync"), choices: &choices };
    Ok(match asker.ask(&question, None)?.as_str() {
        "mirror" => Mode::Mirror,
        "archive" => Mode::Archive,
        _ => Mode::Sync,
    })
}

fn keep(given: &Given, asker: &mut Asker) -> Result<KeepWord, Error> {
    if given.mode.is_some() {
        return Err(Error::Invalid { flag: "--mode", why: "is for IMAP accounts only".to_owned() });
    }
    if let Some(keep) = &given.keep {
        return Ok(keep.clone());
    }
    let choices = [
        ("keep", "leave the mail on the server"),
        ("delete", "delete it there once it is safe here"),
        ("after", "delete it there some time later"),
    ];
    let question = Question { flag: "--keep", text: "The server's copies", default: Some("keep"), choices: &choices };
    Ok(match asker.ask(&question, None)?.as_str() {
        "delete" => KeepWord::Delete,
        "after" => {
            let question = Question {
                flag: "--delete-after",
                text: "After how long (such as 30d, 4w)",
                default: Some("30d"),
                choices: &[],
            };
            KeepWord::DeleteAfter(asker.ask_for(&question, None, |age| measure::age(age).map(|_| age.to_owned()))?)
        }
        _ => KeepWord::Keep,
    })
}
