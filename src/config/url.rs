//! Ad-hoc accounts: `pop3s://me@pop.example.org` (SPEC §1). PURE.

use crate::account::{Protocol, TlsMode};

/// Why an address of an account is refused. Never holds the address, which may contain a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Before `://` stands no known word.
    #[error("an account's URL starts with imaps, imap, imap+insecure, pop3s, pop3 or pop3+insecure")]
    Scheme,
    /// A `:` in the user part.
    #[error("a URL must not hold a password: it would show in the list of processes")]
    Password,
    /// A control character, also percent-encoded.
    #[error("a URL must not hold control characters")]
    Control,
    /// `%` without two digits, or bytes that are no UTF-8.
    #[error("the user name in the URL is not percent-encoded UTF-8")]
    Encoding,
    /// No user name.
    #[error("the URL needs a user name: pop3s://me@pop.example.org")]
    NoUser,
    /// No or a wrong host name.
    #[error("the URL needs a host name: pop3s://me@pop.example.org")]
    Host,
    /// A port outside 1 to 65535.
    #[error("the port in the URL is not a number from 1 to 65535")]
    Port,
    /// Something after the host.
    #[error("nothing may follow the host in the URL; name folders with --folder")]
    Path,
}

impl Error {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Password => Some("give --password-command CMD, whose first line of output is the password"),
            Self::Encoding => Some("write `@` in a user name as %40 and `%` as %25"),
            Self::Scheme | Self::Control | Self::NoUser | Self::Host | Self::Port | Self::Path => None,
        }
    }
}

/// An account's URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// IMAP or POP3.
    pub protocol: Protocol,
    /// When TLS begins.
    pub tls: TlsMode,
    /// The user name, decoded.
    pub user: String,
    /// The host, without brackets.
    pub host: String,
    /// The port, if it says one.
    pub port: Option<u16>,
}

const SCHEMES: [(&str, Protocol, TlsMode); 6] = [
    ("imaps", Protocol::Imap, TlsMode::Implicit),
    ("pop3s", Protocol::Pop3, TlsMode::Implicit),
    ("imap", Protocol::Imap, TlsMode::StartTls),
    ("pop3", Protocol::Pop3, TlsMode::StartTls),
    ("imap+insecure", Protocol::Imap, TlsMode::None),
    ("pop3+insecure", Protocol::Pop3, TlsMode::None),
];

/// Whether an ACCOUNT argument is a URL and not a name.
#[must_use]
pub fn is_url(account: &str) -> bool {
    account.contains("://")
}

/// Takes a URL apart.
///
/// # Errors
/// What is wrong, without quoting it.
pub fn parse(text: &str) -> Result<Address, Error> {
    if text.chars().any(char::is_control) {
        return Err(Error::Control);
    }
    let (scheme, rest) = text.split_once("://").ok_or(Error::Scheme)?;
    let (_, protocol, tls) =
        *SCHEMES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(scheme)).ok_or(Error::Scheme)?;
    // The last `@`: user names that are addresses are often written as they are.
    let (user, server) = rest.rsplit_once('@').ok_or(Error::NoUser)?;
    if user.contains(':') {
        return Err(Error::Password);
    }
    let user = decode(user)?;
    if user.is_empty() {
        return Err(Error::NoUser);
    }
    let server = server.strip_suffix('/').unwrap_or(server);
    if server.contains(['/', '?', '#']) {
        return Err(Error::Path);
    }
    let (host, port) = split_port(server)?;
    host_name(&host).map_err(|_| Error::Host)?;
    Ok(Address { protocol, tls, user, host, port })
}

fn split_port(server: &str) -> Result<(String, Option<u16>), Error> {
    let (host, port) = match server.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or(Error::Host)?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(Error::Host),
            }
        }
        None => server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port))),
    };
    let digits = |p: &str| p.bytes().all(|c| c.is_ascii_digit()).then(|| p.parse::<u16>().ok()).flatten();
    let port = port.map(|p| digits(p).filter(|&n| n > 0).ok_or(Error::Port)).transpose()?;
    Ok((host.to_owned(), port))
}

/// Percent-decoding (RFC 3986 §2.1); what it decodes to must be UTF-8 without control characters.
fn decode(text: &str) -> Result<String, Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high << 4) | low),
            (Some(_) | None, _) => return Err(Error::Encoding),
        }
    }
    let decoded = String::from_utf8(bytes).map_err(|_| Error::Encoding)?;
    if decoded.chars().any(char::is_control) { Err(Error::Control) } else { Ok(decoded) }
}

/// Whether `host` is a host name or an address: what follows is the end of a sentence about it.
///
/// # Errors
/// Why not.
pub fn host_name(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("is empty");
    }
    if host.contains("://") {
        return Err("is a URL: write only the host's name, and `protocol`, `port` and `tls` as keys of their own");
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    if host.split_once(':').is_some_and(|(_, port)| port.bytes().all(|c| c.is_ascii_digit())) {
        return Err("holds a port: write it as `port`");
    }
    if !host.is_ascii() {
        return Err("is not ASCII: write the name in its `xn--` form");
    }
    let fine = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_');
    if host.len() > 253 || !host.bytes().all(fine) || host.starts_with(['-', '.']) || host.contains("..") {
        return Err("is not a host name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        let a = parse("pop3s://me@pop.example.org").unwrap();
        assert_eq!((a.protocol, a.tls, a.port), (Protocol::Pop3, TlsMode::Implicit, None));
        assert_eq!((a.user.as_str(), a.host.as_str()), ("me", "pop.example.org"));
        let a = parse("IMAP+insecure://me%40example.org@[::1]:1143/").unwrap();
        assert_eq!((a.protocol, a.tls, a.port), (Protocol::Imap, TlsMode::None, Some(1143)));
        assert_eq!((a.user.as_str(), a.host.as_str()), ("me@example.org", "::1"));
        assert_eq!(parse("imap://me@example.org@h").unwrap().user, "me@example.org");
        assert_eq!(parse("imap://a%3Ab@h").unwrap().user, "a:b");
    }

    #[test]
    fn refusals() {
        let cases = [
            ("http://me@h", Error::Scheme),
            ("imaps://me:secret@h", Error::Password),
            ("imaps://me:s@cret@h", Error::Password),
            ("imaps://me%0d%0aX@h", Error::Control),
            ("imaps://me\n@h", Error::Control),
            ("imaps://me%00@h", Error::Control),
            ("imaps://me%C2%9B@h", Error::Control),
            ("imaps://me%zz@h", Error::Encoding),
            ("imaps://me%4@h", Error::Encoding),
            ("imaps://me%ff@h", Error::Encoding),
            ("imaps://h", Error::NoUser),
            ("imaps://@h", Error::NoUser),
            ("imaps://me@", Error::Host),
            ("imaps://me@h h", Error::Host),
            ("imaps://me@h:0", Error::Port),
            ("imaps://me@h:99999", Error::Port),
            ("imaps://me@h:+1", Error::Port),
            ("imaps://me@h/INBOX", Error::Path),
        ];
        for (url, error) in cases {
            assert_eq!(parse(url), Err(error), "{url:?}");
        }
        assert!(Error::Password.hint().is_some_and(|h| h.contains("--password-command")));
    }

    #[test]
    fn hosts() {
        for good in ["localhost", "imap.example.org", "127.0.0.1", "::1", "a_b.example", "h."] {
            assert_eq!(host_name(good), Ok(()), "{good}");
        }
        for bad in ["", "imaps://h", "h:993", "bücher.example", "-h", "a..b", "a b", "h/x"] {
            assert!(host_name(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_error_quotes(text in "(imaps://)?\\PC{0,30}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.to_string().len() < 200);
            }
        }

        #[test]
        fn any_user_survives(user in "[^\\x00-\\x1f\\x7f-\\u{9f}]{1,12}") {
            let encoded: String = user.bytes().map(|b| format!("%{b:02X}")).collect();
            prop_assert_eq!(parse(&format!("imaps://{encoded}@h")).map(|a| a.user), Ok(user));
        }
    }
}
