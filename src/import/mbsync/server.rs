//! mbsync's account settings: host, TLS, login.

use super::syntax::{Section, Setting};
use crate::import::model::{ImportedAccount, Password};
use crate::import::terms;

/// Sets the keys of the connection and the login from `section`, an `IMAPAccount` or an `IMAPStore` that has them inline.
pub fn apply(account: &mut ImportedAccount, section: &Section) {
    account.set("protocol", "imap");
    let tunnel = section.get(&["tunnel"]);
    let (prefix, host) = split_host(section.text(&["host"]));
    if !host.is_empty() {
        account.set("host", host);
    } else if tunnel.is_none() {
        account.warn(section.line, "this account has no Host");
    }
    if let Ok(port) = section.text(&["port"]).parse::<u16>() {
        account.set("port", port);
    }
    account.set("tls", tls(section, prefix, tunnel.is_some()));
    if let Some(tunnel) = tunnel {
        account.set("tunnel", tunnel.arg());
    }
    login(account, section);
    if account.get("user").is_none() && tunnel.is_none() {
        account.warn(section.line, "no User: mbsync took the name of the local user; set user");
    }
    trust(account, section);
    if let Some(seconds @ 1..) = section.get(&["timeout"]).and_then(|setting| setting.arg().parse::<u32>().ok()) {
        account.set("timeout", format!("{seconds}s"));
    }
    for key in ["cipherstring", "disableextension", "disableextensions"] {
        if let Some(setting) = section.get(&[key]) {
            account.warn(setting.line, format!("{key} has no counterpart"));
        }
    }
    for setting in section
        .settings
        .iter()
        .filter(|setting| matches!(setting.key.as_str(), "tlsversions" | "sslversion" | "sslversions"))
    {
        if setting.args.iter().any(|version| {
            matches!(
                version.trim_start_matches('+').to_ascii_lowercase().as_str(),
                "1.0" | "1.1" | "tlsv1" | "tlsv1.1" | "sslv3" | "sslv2"
            )
        }) {
            account.warn(setting.line, "TLS older than 1.2 is not used");
        }
    }
}

/// `imaps:host` and `imap:host` of isync 1.
fn split_host(host: &str) -> (&str, &str) {
    match host.split_once(':') {
        Some((prefix @ ("imaps" | "imap"), rest)) => (prefix, rest.trim_start_matches('/')),
        Some(_) | None => ("", host),
    }
}

/// STARTTLS is the default, none in a tunnel. "If available" of the oldest versions becomes required.
fn tls(section: &Section, prefix: &str, tunnel: bool) -> &'static str {
    if let Some(setting) = section.get(&["tlstype", "ssltype"]) {
        return match setting.arg().to_ascii_lowercase().as_str() {
            "none" => "none",
            "imaps" => "implicit",
            _ => "starttls",
        };
    }
    let is = |key: &str, wanted: bool| section.get(&[key]).and_then(Setting::boolean) == Some(wanted);
    if prefix == "imaps" || is("useimaps", true) {
        "implicit"
    } else if tunnel || (is("requiressl", false) && is("usetlsv1", false)) {
        "none"
    } else {
        "starttls"
    }
}

fn login(account: &mut ImportedAccount, section: &Section) {
    if let Some(user) = section.get(&["user"]) {
        account.set("user", user.arg());
    }
    if let Some(command) = section.get(&["usercmd"]) {
        account
            .warn(command.line, format!("UserCmd has no counterpart: set user to what this prints: {}", command.arg()));
    }
    if let Some(command) = section.get(&["passcmd"]) {
        // The "+" only lets the command use the terminal.
        account.set("password_command", command.arg().strip_prefix('+').unwrap_or_else(|| command.arg()));
    } else if let Some(password) = section.get(&["pass"]).filter(|password| !password.arg().is_empty()) {
        account.password = Some(Password::new(password.arg().to_owned()));
    }
    if let Some(setting) = section.get(&["usekeychain"]).filter(|setting| setting.boolean() == Some(true)) {
        account.warn(
            setting.line,
            "UseKeychain has no counterpart: use password_command (\"security find-internet-password …\")",
        );
    }
    if let Some(setting) = section.get(&["authmech", "authmechs"]) {
        let names: Vec<&str> = setting.args.iter().map(String::as_str).collect();
        terms::set_auth(account, setting.line, &names);
    } else if section.get(&["requirecram"]).and_then(Setting::boolean) == Some(true) {
        account.set("auth", "cram-md5");
    }
    terms::token_instead_of_password(account);
}

fn trust(account: &mut ImportedAccount, section: &Section) {
    if let Some(file) = section.get(&["certificatefile"]) {
        terms::set_ca_file(account, file.arg());
    }
    if let Some(setting) = section.get(&["systemcertificates"]).filter(|setting| setting.boolean() == Some(false)) {
        account.warn(
            setting.line,
            "SystemCertificates no: ca_file adds to the system's roots; tls_fingerprint trusts one certificate alone",
        );
    }
    if let Some(certificate) = section.get(&["clientcertificate"]) {
        terms::warn_client_certificate(account, certificate.line, certificate.arg());
    }
}
