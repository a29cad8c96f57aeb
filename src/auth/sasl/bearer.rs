//! PURE: bearer tokens, by XOAUTH2 and OAUTHBEARER (RFC 7628), and the servers' refusals in words.

use super::{Peer, SaslError};
use crate::auth::Secret;
use crate::mail::text::{clean, clean_bytes};

/// Whether `text` can stand between the separators of these messages.
fn fits(text: &[u8]) -> bool {
    !text.iter().any(|byte| byte.is_ascii_control())
}

pub(super) fn xoauth2(user: &str, token: &Secret) -> Result<Secret, SaslError> {
    if !fits(user.as_bytes()) || !fits(token.expose()) {
        return Err(SaslError::Unfit("XOAUTH2"));
    }
    Ok(Secret::new([b"user=", user.as_bytes(), b"\x01auth=Bearer ", token.expose(), b"\x01\x01"].concat()))
}

pub(super) fn oauthbearer(user: &str, token: &Secret, peer: &Peer<'_>) -> Result<Secret, SaslError> {
    if !fits(user.as_bytes()) || !fits(token.expose()) || !fits(peer.host.as_bytes()) {
        return Err(SaslError::Unfit("OAUTHBEARER"));
    }
    let user = user.replace('=', "=3D").replace(',', "=2C");
    let head = format!("n,a={user},\x01host={}\x01port={}\x01auth=Bearer ", peer.host, peer.port);
    Ok(Secret::new([head.as_bytes(), token.expose(), b"\x01\x01"].concat()))
}

/// What a refusal (JSON, RFC 7628 §3.2.2; Google's and Microsoft's have the same form) says.
pub(super) fn refusal(challenge: &[u8]) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_slice(challenge) else {
        return match clean_bytes(challenge) {
            empty if empty.is_empty() => "no reason was given".to_owned(),
            text => text,
        };
    };
    let text = |key: &str| match fields.get(key) {
        Some(serde_json::Value::String(text)) => Some(clean(text)),
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let status = text("status").or_else(|| text("error"));
    let mut words = match status.as_deref() {
        Some("400") => "the token is malformed (400)".to_owned(),
        Some("401" | "invalid_token") => {
            format!("the token is expired, revoked, or of another user ({})", status.as_deref().unwrap_or_default())
        }
        Some("403" | "insufficient_scope") => {
            format!("the token does not allow this ({})", status.as_deref().unwrap_or_default())
        }
        Some(other) => other.to_owned(),
        None => "no reason was given".to_owned(),
    };
    if let Some(more) = text("error_description") {
        words.push_str(&format!(": {more}"));
    }
    if let Some(scope) = text("scope") {
        words.push_str(&format!("; it wants the scope {scope}"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_become_words() {
        let json = br#"{"status":"401","schemes":"Bearer","scope":"https://mail.google.com/"}"#;
        assert_eq!(
            refusal(json),
            "the token is expired, revoked, or of another user (401); it wants the scope https://mail.google.com/"
        );
        assert_eq!(refusal(b"{\"status\":\"\\u001b[2J\"}"), "\u{fffd}[2J");
        assert_eq!(refusal(b""), "no reason was given");
        assert_eq!(refusal(b"not json"), "not json");
        assert_eq!(refusal(br#"{"status":400}"#), "the token is malformed (400)");
    }

    #[test]
    fn separators_cannot_be_smuggled() {
        let token = Secret::new(b"t\x01auth=x".to_vec());
        assert!(xoauth2("u", &token).is_err());
        assert!(xoauth2("u\x01", &Secret::new(b"t".to_vec())).is_err());
        let peer = Peer { binding: None, host: "h", port: 1 };
        let hello = oauthbearer("a,b=c", &Secret::new(b"t".to_vec()), &peer).unwrap();
        assert!(hello.expose().starts_with(b"n,a=a=2Cb=3Dc,\x01host=h\x01port=1\x01"));
    }
}
