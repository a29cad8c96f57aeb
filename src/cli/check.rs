//! `check`: tests each profile, step by step, and changes nothing.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use super::advice;
use super::args::SelectArgs;
use super::context::{Context, Roots, env};
use super::exit::{Exit, account_exit, run_exit};
use super::{check_local, overrides, remote};
use crate::account::{Account, Keep, Protocol, TlsMode};
use crate::auth::{Credentials, source};
use crate::config::{self, Job};
use crate::severity::{Kind, Severity};
use crate::transport::{self, Certificate, Dial, Traffic};
use crate::ui::Verdict;
use crate::ui::style::{count, size};
use crate::{imap, pop3};

/// A certificate that ends sooner is worth a warning.
const SOON: i64 = 14 * 24 * 3600;
/// A mailbox that is fuller is worth a warning, in per cent.
const FULL: u64 = 95;

/// `mailferry check`.
pub fn run(context: &Context, args: &SelectArgs) -> Exit {
    let options = overrides::ad_hoc(&args.ad_hoc, &env);
    let accounts = match context.accounts(&args.accounts, Job::Any, &options, Roots::Sync) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let mut exits = Vec::new();
    for account in &accounts {
        if context.stop.requested() {
            exits.push(Exit::Failed(Kind::Interrupted));
            break;
        }
        let mut check = Check { context, account, kinds: Vec::new(), warned: Cell::new(0), broken: Vec::new() };
        context.ui.heading(&headline(account));
        check.all();
        context.ui.heading(&check.verdict());
        exits.push(account_exit(&check.kinds));
    }
    run_exit(&exits)
}

/// The tests of one account.
pub struct Check<'a> {
    /// What every command has.
    pub context: &'a Context,
    /// The account.
    pub account: &'a Account,
    kinds: Vec<Kind>,
    warned: Cell<u64>,
    broken: Vec<&'static str>,
}

/// Whose test it is.
fn headline(account: &Account) -> String {
    let protocol = match account.protocol {
        Protocol::Imap => "IMAP",
        Protocol::Pop3 => "POP3",
    };
    let (endpoint, user) = (&account.endpoint, &account.login.user);
    if endpoint.tunnel.is_some() {
        return format!("{}: {protocol}, {user} through a tunnel", account.name);
    }
    format!("{}: {protocol}, {user} at {}:{}", account.name, endpoint.host, endpoint.port)
}

/// How far a connection got when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Resolve,
    Connect,
    Tls,
    Login,
}

fn step_of(error: &transport::Error) -> Step {
    match error {
        transport::Error::Resolve { .. } => Step::Resolve,
        transport::Error::Connect { .. }
        | transport::Error::Tunnel { .. }
        | transport::Error::Timeout { silent: true, .. } => Step::Connect,
        transport::Error::Tls { .. }
        | transport::Error::PlainPort { .. }
        | transport::Error::TlsPort { .. }
        | transport::Error::Certificate(_)
        | transport::Error::Setting { .. }
        | transport::Error::ClientCertificate { .. }
        | transport::Error::Ahead { .. } => Step::Tls,
        transport::Error::Broken { .. }
        | transport::Error::Closed { .. }
        | transport::Error::Timeout { .. }
        | transport::Error::Deadline { .. }
        | transport::Error::Stopped
        | transport::Error::Protocol { .. } => Step::Login,
    }
}

impl Check<'_> {
    /// Tells that something is well.
    pub fn ok(&self, name: &'static str, message: &str) {
        self.context.ui.check(&self.account.name, name, Verdict::Ok, message, None);
    }

    /// Tells that something works but should be known.
    pub fn warn(&self, name: &'static str, message: &str, hint: Option<&str>) {
        self.warned.set(self.warned.get() + 1);
        self.context.ui.check(&self.account.name, name, Verdict::Warning, message, hint);
    }

    /// Tells that something cannot be tested.
    pub fn skip(&self, name: &'static str, why: &str) {
        self.context.ui.check(&self.account.name, name, Verdict::Skipped, why, None);
    }

    /// Tells that something does not work.
    pub fn fail(&mut self, name: &'static str, error: &dyn Severity) {
        let hint = advice::of(error, Some(self.account));
        self.broken(name, error.kind(), &error.to_string(), hint.as_deref());
    }

    /// As [`Check::fail`], in parts.
    pub fn broken(&mut self, name: &'static str, kind: Kind, message: &str, hint: Option<&str>) {
        self.kinds.push(kind);
        self.broken.push(name);
        self.context.ui.check(&self.account.name, name, Verdict::Failed, message, hint);
    }

    /// The last line: what it comes to.
    fn verdict(&self) -> String {
        let warnings = match self.warned.get() {
            0 => String::new(),
            some => format!(", {}", count(some, "warning")),
        };
        let name = &self.account.name;
        if self.broken.is_empty() {
            return format!("{name}: ready{warnings}");
        }
        format!("{name}: {} failed{warnings}", self.broken.join(", "))
    }

    fn all(&mut self) {
        for warning in config::warnings(self.account) {
            self.warn("profile", &warning, None);
        }
        match transport::addresses(&self.account.endpoint, &self.context.stop) {
            Ok(addresses) if addresses.is_empty() => self.skip("resolve", "the tunnel command connects"),
            Ok(addresses) => {
                let list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
                self.ok("resolve", &format!("{}: {}", self.account.endpoint.host, list.join(", ")));
                self.server();
            }
            Err(error) => {
                self.fail("resolve", &error);
                self.skip_from(Step::Connect);
            }
        }
        if self.account.endpoint.tunnel.is_some() {
            self.server();
        }
        check_local::maildir(self);
        check_local::notices(self);
    }

    fn server(&mut self) {
        let credentials = match source::resolve(self.account, &self.context.stop, true) {
            Ok(credentials) => credentials,
            Err(error) => return self.without_credentials(&error),
        };
        if let Some(exposed) = source::exposed(self.account) {
            self.warn("password", &exposed, Some("chmod 600 it"));
        }
        match self.account.protocol {
            Protocol::Imap => self.imap(&credentials),
            Protocol::Pop3 => self.pop3(&credentials),
        }
    }

    /// There is nothing to log in with: what comes before the login is tested all the same.
    fn without_credentials(&mut self, error: &crate::auth::Error) {
        let dial = Dial {
            endpoint: &self.account.endpoint,
            stop: &self.context.stop,
            traffic: Arc::new(Traffic::default()),
            trace: self.context.trace(&self.account.name),
        };
        match transport::connect(&dial) {
            Ok(stream) => {
                self.connected();
                match stream.certificate() {
                    Some(certificate) => self.certificate(Some(&certificate)),
                    None => self.skip("tls", "not tested without a password"),
                }
            }
            Err(error) => self.up_to(step_of(&error), &error),
        }
        self.fail("login", error);
        self.skip_from_capabilities();
    }

    fn connected(&self) {
        let endpoint = &self.account.endpoint;
        if endpoint.tunnel.is_some() {
            self.ok("connect", "through the tunnel command");
        } else {
            self.ok("connect", &format!("port {} answers", endpoint.port));
        }
    }

    /// Tells how far a failing connection came.
    fn up_to(&mut self, step: Step, error: &dyn Severity) {
        if step > Step::Connect {
            self.connected();
        }
        if step > Step::Tls {
            self.certificate(None);
        }
        let name = match step {
            Step::Resolve => "resolve",
            Step::Connect => "connect",
            Step::Tls => "tls",
            Step::Login => "login",
        };
        self.fail(name, error);
    }

    fn certificate(&self, certificate: Option<&Certificate>) {
        let endpoint = &self.account.endpoint;
        let Some(certificate) = certificate else {
            return match (endpoint.tls, &endpoint.tunnel) {
                (_, Some(_)) => self.skip("tls", "the tunnel command protects the connection"),
                (TlsMode::None, None) => self.skip("tls", "the profile says `tls = \"none\"`"),
                (TlsMode::Implicit | TlsMode::StartTls, None) => self.ok("tls", "the certificate is accepted"),
            };
        };
        let mut text = certificate.to_string();
        if !text.contains(&certificate.fingerprint()) {
            let _ = write!(text, ", {}", certificate.fingerprint());
        }
        let how = if endpoint.fingerprint.is_some() { "is the pinned one" } else { "is trusted" };
        let text = format!("the certificate {how}: {text}");
        let ends = certificate.not_after.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let left = ends.map(|ends| ends.as_second() - jiff::Timestamp::now().as_second());
        if left.is_some_and(|left| left < SOON) {
            self.warn("tls", &text, Some("it ends soon: the server's operator must renew it"));
        } else {
            self.ok("tls", &text);
        }
    }

    fn skip_from(&self, step: Step) {
        for (name, at) in [("connect", Step::Connect), ("tls", Step::Tls), ("login", Step::Login)] {
            if at >= step {
                self.skip(name, "not reached");
            }
        }
        self.skip_from_capabilities();
    }

    fn skip_from_capabilities(&self) {
        for name in ["capabilities", "folders", "quota"] {
            self.skip(name, "not reached");
        }
    }

    /// Tells how far a connection came that did not lead to a session.
    fn no_session(&mut self, transport: Option<&transport::Error>, error: &dyn Severity) {
        let step = transport.map_or(Step::Login, step_of);
        self.up_to(step, error);
        match step {
            Step::Resolve | Step::Connect => self.skip_from(Step::Tls),
            Step::Tls => self.skip_from(Step::Login),
            Step::Login => self.skip_from_capabilities(),
        }
    }

    fn imap(&mut self, credentials: &Credentials) {
        let mut session = match remote::open_imap(self.context, self.account, credentials) {
            Ok(session) => session,
            Err(error) => {
                let transport = if let imap::Error::Transport(inner) = &error { Some(inner) } else { None };
                return self.no_session(transport, &error);
            }
        };
        self.connected();
        let certificate = session.certificate();
        self.certificate(certificate.as_ref());
        let (greeting, id) = session.server();
        let server = id.unwrap_or(greeting);
        self.ok("login", &format!("as {} at {server:?}", self.account.login.user));
        for alert in session.alerts() {
            self.warn("alert", &format!("the server says: {alert:?}"), None);
        }
        self.ok("capabilities", &imap_capabilities(session.capabilities()));
        match remote::list(&mut session) {
            Ok(listing) => check_local::folders(self, &listing),
            Err(error) => self.fail("folders", &error),
        }
        self.quota(&mut session);
        session.logout();
    }

    fn quota(&mut self, session: &mut imap::Session) {
        if !session.capabilities().quota {
            return self.skip("quota", "the server tells none");
        }
        let quotas = match session.quota() {
            Ok(quotas) => quotas,
            Err(error) => return self.warn("quota", &error.to_string(), None),
        };
        if quotas.is_empty() {
            self.skip("quota", "the server sets none");
        }
        for quota in quotas {
            let shown = |number: u64| match quota.resource.as_str() {
                "STORAGE" => size(number.saturating_mul(1024)),
                _ => number.to_string(),
            };
            let text =
                format!("{}: {} of {} used", quota.resource.to_lowercase(), shown(quota.usage), shown(quota.limit));
            if quota.usage.saturating_mul(100) >= quota.limit.saturating_mul(FULL) {
                self.warn("quota", &text, Some("uploads will be refused when it is full: delete something"));
            } else {
                self.ok("quota", &text);
            }
        }
    }

    fn pop3(&mut self, credentials: &Credentials) {
        let mut session = match remote::open_pop3(self.context, self.account, credentials) {
            Ok(session) => session,
            Err(error) => {
                let transport = if let pop3::Error::Transport(inner) = &error { Some(inner) } else { None };
                return self.no_session(transport, &error);
            }
        };
        self.connected();
        let certificate = session.certificate();
        self.certificate(certificate.as_ref());
        self.ok("login", &format!("as {}", self.account.login.user));
        let known: Vec<String> = session.capabilities().lines().collect();
        let text = if known.is_empty() { "the server tells none".to_owned() } else { known.join(", ") };
        self.ok("capabilities", &text);
        match session.stat() {
            Ok((messages, bytes)) => {
                let bytes = bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
                let text = format!("{}{bytes}; they go to {}", count(messages, "message"), self.account.folder);
                self.ok("folders", &text);
                self.ok("plan", keep_text(self.account.keep));
            }
            Err(error) => self.fail("folders", &error),
        }
        self.skip("quota", "POP3 tells none");
        session.leave();
    }
}

fn keep_text(keep: Keep) -> &'static str {
    match keep {
        Keep::Keep => "fetch what is new; the server's copies stay",
        Keep::Delete => "fetch what is new; the server's copies are deleted once theirs here are safe on disk",
        Keep::DeleteAfter(_) => {
            "fetch what is new; the server's copies are deleted when they are older than `delete_after`"
        }
    }
}

/// The extensions that change how a sync goes: those that are used, and those that are missed.
fn imap_capabilities(capabilities: &imap::Capabilities) -> String {
    let c = capabilities;
    let all = [
        ("QRESYNC", c.qresync),
        ("CONDSTORE", c.condstore),
        ("LIST-STATUS", c.list_status),
        ("SPECIAL-USE", c.special_use),
        ("UIDPLUS", c.uidplus),
        ("MOVE", c.move_),
        ("MULTIAPPEND", c.multiappend),
        ("LITERAL+", c.literal_plus || c.literal_minus),
        ("ESEARCH", c.esearch),
        ("IDLE", c.idle),
        ("NOTIFY", c.notify),
        ("OBJECTID", c.objectid || c.gmail),
        ("QUOTA", c.quota),
    ];
    let those =
        |offered: bool| -> Vec<&str> { all.iter().filter(|(_, is)| *is == offered).map(|(name, _)| *name).collect() };
    let (used, missed) = (those(true), those(false));
    match (used.is_empty(), missed.is_empty()) {
        (true, _) => "none of the extensions that make a sync cheap; it works without them".to_owned(),
        (false, true) => format!("in use: {}", used.join(", ")),
        (false, false) => format!("in use: {}; not offered: {}", used.join(", "), missed.join(", ")),
    }
}
