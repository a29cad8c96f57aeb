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

/// Asks what is not given and cannot be found out.
///
/// # Errors
/// An answer is missing or impossible, or the provider has no server to talk to.
pub fn interview(given: &Given, asker: &mut Asker, network: Option<&dyn Network>) -> Result<Draft, Error> {
    let address = address(given, asker)?;
    let found = find(given, address.as_ref(), asker, network)?;
    if let Some(preset) = found.preset.filter(|preset| !preset.advice.is_empty()) {
        asker.say(&format!("{}: {}", preset.title, preset.advice));
    }
    let protocol = protocol(given, &found, asker)?;
    let server = server(given, &found, address.as_ref(), protocol, asker)?;
    let user = user(given, &server, asker)?;
    let name = name(given, &found, address.as_ref(), &server.host, asker)?;
    let source = source(given, &found, &name, asker)?;
    let (mode, keep) = job(given, protocol, asker)?;
    let maildir = asker.ask(
        &Question { flag: "--maildir", text: "Maildir", default: Some("~/Mail/{account}"), choices: &[] },
        given.maildir.as_deref(),
    )?;
    if let Some(word) = &given.auth
        && !keys::AUTH.contains(&word.as_str())
    {
        return Err(Error::Invalid { flag: "--auth", why: format!("must be one of {}", keys::AUTH.join(", ")) });
    }
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
        maildir: Some(maildir).filter(|m| m != "~/Mail/{account}"),
        layout: given.layout.unwrap_or_default(),
        mode,
        keep,
    })
}

/// The mail address; not needed where host and user are given.
fn address(given: &Given, asker: &mut Asker) -> Result<Option<Address>, Error> {
    if given.email.is_none() && given.user.is_some() && (given.host.is_some() || given.provider.is_some()) {
        return Ok(None);
    }
    let question = Question { flag: "EMAIL", text: "Mail address", default: None, choices: &[] };
    let text = asker.ask(&question, given.email.as_deref())?;
    let why = "is not a mail address".to_owned();
    Address::parse(&text).map(Some).ok_or(Error::Invalid { flag: "EMAIL", why })
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
        asker.say("No server was found; the provider's help pages name it.");
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
    let question = Question { flag: "--host", text: "Server", default: None, choices: &[] };
    let host = asker.ask(&question, given.host.as_deref())?;
    url::host_name(&host).map_err(|why| Error::Invalid { flag: "--host", why: why.to_owned() })?;
    let tls = match (given.tls, given.port) {
        (Some(tls), _) => tls,
        (None, Some(143 | 110)) => TlsMode::StartTls,
        (None, Some(993 | 995)) => TlsMode::Implicit,
        (None, _) => {
            // Clear text is never proposed; who needs it says --tls none.
            let choices = [("implicit", "from the first byte"), ("starttls", "by STARTTLS or STLS")];
            let question = Question { flag: "--tls", text: "TLS", default: Some("implicit"), choices: &choices };
            if asker.ask(&question, None)? == "starttls" { TlsMode::StartTls } else { TlsMode::Implicit }
        }
    };
    let usual = default_port(protocol, tls);
    let port = match given.port {
        Some(port) => port,
        None => {
            let question = Question { flag: "--port", text: "Port", default: Some(&usual.to_string()), choices: &[] };
            let why = "must be a number from 1 to 65535".to_owned();
            let text = asker.ask(&question, None)?;
            text.parse().ok().filter(|p| *p > 0).ok_or(Error::Invalid { flag: "--port", why })?
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
    host: &str,
    asker: &mut Asker,
) -> Result<String, Error> {
    let domain = address.map_or(host, |address| address.domain.as_str());
    let label = domain.split('.').next().unwrap_or(domain);
    let default = found.preset.map_or(label, |preset| preset.name);
    let question = Question { flag: "--name", text: "Name of the account", default: Some(default), choices: &[] };
    let name = asker.ask(&question, given.name.as_deref())?;
    let wrong = |why: &str| Error::Invalid { flag: "--name", why: format!("the name {why}") };
    paths::component(&name).map_err(wrong)?;
    if name.starts_with(['-', '.']) { Err(wrong("starts with `-` or `.`")) } else { Ok(name) }
}

fn source(given: &Given, found: &Found, name: &str, asker: &mut Asker) -> Result<Source, Error> {
    if let Some(source) = &given.source {
        return Ok(source.clone());
    }
    if found.oauth_only || found.preset.is_some_and(|p| p.wants == Wants::OAuth) {
        let question = Question {
            flag: "--client-id",
            text: "Client id of your OAuth 2.0 application",
            default: None,
            choices: &[],
        };
        return asker.ask(&question, None).map(Source::ClientId);
    }
    if !asker.interactive() {
        let question = "where the password comes from".to_owned();
        return Err(Error::Missing { flag: "--password-command", question, has_default: false });
    }
    let choices = [
        ("command", "a command prints it, such as a password manager"),
        ("file", "in a file of its own that only you can read"),
    ];
    let question = Question {
        flag: "--password-command",
        text: "Where is the password kept",
        default: Some("file"),
        choices: &choices,
    };
    if asker.ask(&question, None)? == "command" {
        let question = Question { flag: "--password-command", text: "Command", default: None, choices: &[] };
        return asker.ask(&question, None).map(Source::Command);
    }
    let secret = asker.secret("Password (not shown): ", "--password-file")?;
    // A relative path starts at the config file's folder.
    Ok(Source::File(format!("{name}.pass"), Some(secret)))
}

fn job(given: &Given, protocol: Protocol, asker: &mut Asker) -> Result<(Mode, KeepWord), Error> {
    match protocol {
        Protocol::Imap => {
            let keep = given.keep.clone().unwrap_or(KeepWord::Keep);
            if let Some(mode) = given.mode {
                return Ok((mode, keep));
            }
            let choices = [
                ("sync", "both sides become equal"),
                ("mirror", "the Maildir becomes what the server is"),
                ("archive", "everything is pulled, nothing is ever deleted here"),
            ];
            let question = Question { flag: "--mode", text: "What to do", default: Some("sync"), choices: &choices };
            let mode = match asker.ask(&question, None)?.as_str() {
                "mirror" => Mode::Mirror,
                "archive" => Mode::Archive,
                _ => Mode::Sync,
            };
            Ok((mode, keep))
        }
        Protocol::Pop3 => {
            if given.mode.is_some() {
                return Err(Error::Invalid { flag: "--mode", why: "is for IMAP accounts only".to_owned() });
            }
            if let Some(keep) = &given.keep {
                return Ok((Mode::Sync, keep.clone()));
            }
            let choices = [
                ("keep", "leave the mail on the server"),
                ("delete", "delete it there once it is safe here"),
                ("after", "delete it there some time later"),
            ];
            let question =
                Question { flag: "--keep", text: "The server's copies", default: Some("keep"), choices: &choices };
            let keep = match asker.ask(&question, None)?.as_str() {
                "delete" => KeepWord::Delete,
                "after" => {
                    let question =
                        Question { flag: "--delete-after", text: "After", default: Some("30d"), choices: &[] };
                    let age = asker.ask(&question, None)?;
                    measure::age(&age).map_err(|why| Error::Invalid { flag: "--delete-after", why })?;
                    KeepWord::DeleteAfter(age)
                }
                _ => KeepWord::Keep,
            };
            Ok((Mode::Sync, keep))
        }
    }
}
