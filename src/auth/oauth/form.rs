//! PURE: the encodings of OAuth 2.0: forms, query strings, PKCE.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// Percent-encoding of everything but the unreserved characters (RFC 3986 §2.3).
fn escape(text: &str, out: &mut String) {
    use std::fmt::Write;
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// `a=b&c=d`, as `application/x-www-form-urlencoded`.
pub(super) fn encode(fields: &[(&str, &str)]) -> String {
    // Room for the worst case at once: a growing string would leave copies of secrets behind.
    let mut out = String::with_capacity(fields.iter().map(|(name, value)| (name.len() + value.len()) * 3 + 2).sum());
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        escape(name, &mut out);
        out.push('=');
        escape(value, &mut out);
    }
    out
}

/// The value of `name` in a query string; the first, if there are several.
pub(super) fn field(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescape(key)? == name).then(|| unescape(value))?
    })
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// Random bytes as text for URLs.
pub(super) fn text(random: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// The S256 challenge of a PKCE verifier (RFC 7636 §4.2).
pub(super) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// The address to open: `base`, which may have a query of its own, with `fields`.
pub(super) fn address(base: &str, fields: &[(&str, &str)]) -> String {
    let joint = if base.contains('?') { '&' } else { '?' };
    format!("{base}{joint}{}", encode(fields))
}

/// Whether a secret may be sent to this address: by https, or to this computer itself.
pub(super) fn is_safe(url: &str) -> bool {
    let plain = url.strip_prefix("http://");
    let local = |rest: &str| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        matches!(host, "127.0.0.1" | "localhost" | "[::1]")
    };
    url.starts_with("https://") || plain.is_some_and(local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pkce_as_in_rfc_7636() {
        assert_eq!(
            challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn addresses_keep_their_own_query() {
        assert_eq!(address("https://a/b?x=1", &[("s", "a b&c"), ("t", "ü")]), "https://a/b?x=1&s=a%20b%26c&t=%C3%BC");
        assert_eq!(address("https://a/b", &[("s", "1")]), "https://a/b?s=1");
    }

    #[test]
    fn secrets_go_by_https_or_stay_here() {
        for safe in ["https://x/", "http://127.0.0.1:80/t", "http://localhost/", "http://[::1]:9/"] {
            assert!(is_safe(safe), "{safe}");
        }
        for unsafe_ in [
            "http://x/",
            "ftp://localhost",
            "http://localhost.evil/",
            "http://localhost@evil/",
            "http://127.0.0.1:x@evil/",
            "",
        ] {
            assert!(!is_safe(unsafe_), "{unsafe_}");
        }
    }

    #[test]
    fn bad_escapes_are_refused() {
        assert_eq!(field("a=%zz&b=2", "a"), None);
        assert_eq!(field("a=%2", "a"), None);
        assert_eq!(field("a=1+2&a=3", "a").as_deref(), Some("1 2"));
    }

    proptest! {
        #[test]
        fn fields_come_back(name in "\\PC{0,10}", value in "\\PC{0,40}") {
            prop_assert_eq!(field(&encode(&[("zz\u{1}", "x"), (&name, &value)]), &name), Some(value));
        }
    }
}
