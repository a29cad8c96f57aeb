//! The configuration files that mail programs look for under a domain (config-v1.1.xml), read by simple scanning. PURE.

use crate::account::{Protocol, TlsMode};
use crate::config::url;

/// A server of such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// IMAP or POP3.
    pub protocol: Protocol,
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// When TLS begins; never `None`.
    pub tls: TlsMode,
    /// The user name, with the placeholders replaced.
    pub user: String,
    /// Whether it wants OAuth 2.0 and nothing else.
    pub oauth_only: bool,
}

/// The servers for incoming mail in the order of the file, those without TLS left out.
#[must_use]
pub fn parse(xml: &str, local: &str, domain: &str) -> Vec<Offer> {
    let text = without_comments(xml);
    let mut offers = Vec::new();
    let mut rest = text.as_str();
    while let Some((attributes, body, after)) = element(rest, "incomingServer") {
        offers.extend(offer(attributes, body, local, domain));
        rest = after;
    }
    offers
}

fn offer(attributes: &str, body: &str, local: &str, domain: &str) -> Option<Offer> {
    let kind = attribute(attributes, "type")?;
    let protocol = match kind.to_ascii_lowercase().as_str() {
        "imap" => Protocol::Imap,
        "pop3" => Protocol::Pop3,
        _ => return None,
    };
    let tls = match content(body, "socketType")?.to_ascii_uppercase().as_str() {
        "SSL" => TlsMode::Implicit,
        "STARTTLS" => TlsMode::StartTls,
        _ => return None,
    };
    let filled = |text: String| {
        text.replace("%EMAILADDRESS%", &format!("{local}@{domain}"))
            .replace("%EMAILLOCALPART%", local)
            .replace("%EMAILDOMAIN%", domain)
    };
    let host = filled(content(body, "hostname")?);
    url::host_name(&host).ok()?;
    let port = content(body, "port")?.parse().ok().filter(|port| *port > 0)?;
    let user = filled(content(body, "username").unwrap_or_else(|| "%EMAILADDRESS%".to_owned()));
    if user.is_empty() || user.chars().any(char::is_control) {
        return None;
    }
    let mut ways = Vec::new();
    let mut rest = body;
    while let Some((_, inner, after)) = element(rest, "authentication") {
        ways.push(inner.trim().to_ascii_lowercase());
        rest = after;
    }
    let oauth_only = !ways.is_empty() && ways.iter().all(|way| way == "oauth2");
    Some(Offer { protocol, host, port, tls, user, oauth_only })
}

fn without_comments(xml: &str) -> String {
    let mut out = String::with_capacity(xml.len());
    let mut rest = xml;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// The first element of that name: its attributes, what it holds, and what follows it.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let open = format!("<{name}");
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once(open.as_str())?;
        // `<port` must not find `<portal`.
        if after.starts_with(|c: char| c == '>' || c.is_whitespace()) {
            let (attributes, body) = after.split_once('>')?;
            let (inner, after) = body.split_once(format!("</{name}>").as_str())?;
            return Some((attributes, inner, after));
        }
        rest = after;
    }
}

fn content(body: &str, name: &str) -> Option<String> {
    element(body, name).map(|(_, inner, _)| decoded(inner.trim()))
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let (_, after) = attributes.split_once(name)?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after.get(1..)?.split_once(quote).map(|(value, _)| decoded(value.trim()))
}

fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = r#"<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="example.org">
      <!-- <incomingServer type="imap"><hostname>evil.example</hostname></incomingServer> -->
      <incomingServer type="imap"><hostname>imap.example.org</hostname><portal>1</portal><port>993</port>
        <socketType>SSL</socketType><username>%EMAILLOCALPART%</username>
        <authentication>OAuth2</authentication><authentication>password-cleartext</authentication></incomingServer>
      <incomingServer type='pop3'><hostname>pop.%EMAILDOMAIN%</hostname><port>110</port>
        <socketType>STARTTLS</socketType><username>%EMAILADDRESS%</username></incomingServer>
      <incomingServer type="imap"><hostname>plain.example.org</hostname><port>143</port>
        <socketType>plain</socketType><username>x</username></incomingServer>
      <outgoingServer type="smtp"><hostname>smtp.example.org</hostname></outgoingServer>
      </emailProvider></clientConfig>"#;

    #[test]
    fn servers_of_a_file() {
        let offers = parse(FILE, "me", "example.org");
        assert_eq!(offers.len(), 2);
        assert_eq!((offers[0].host.as_str(), offers[0].port, offers[0].user.as_str()), ("imap.example.org", 993, "me"));
        assert!(!offers[0].oauth_only);
        assert_eq!((offers[1].host.as_str(), offers[1].tls), ("pop.example.org", TlsMode::StartTls));
        assert_eq!(offers[1].user, "me@example.org");
    }

    #[test]
    fn hostile_files() {
        let with = |host: &str, port: &str, user: &str| {
            parse(
                &format!(
                    "<incomingServer type=\"imap\"><hostname>{host}</hostname><port>{port}</port><socketType>SSL</socketType><username>{user}</username></incomingServer>"
                ),
                "me",
                "d",
            )
        };
        assert_eq!(with("h", "1", "u").len(), 1);
        assert!(
            with("h/x", "1", "u").is_empty() && with("h", "0", "u").is_empty() && with("h", "70000", "u").is_empty()
        );
        assert!(with("h", "1", "a\nb").is_empty() && with("", "1", "u").is_empty());
    }

    proptest! {
        #[test]
        fn any_text(text in "(<incomingServer|type=|[\"'<>=/ai]|</port>|<port>|<!--|-->){0,40}") {
            let _ = parse(&text, "a", "b");
        }
    }
}
