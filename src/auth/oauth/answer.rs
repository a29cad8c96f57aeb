//! PURE: the authorization server's answers.

use std::time::Duration;

use serde::Deserialize;

use super::Error;
use crate::auth::Secret;
use crate::mail::text::clean;

/// What a grant gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Logs in.
    pub access: Secret,
    /// Gets the next access token.
    pub refresh: Option<Secret>,
    /// How long the access token lives from when it was given.
    pub expires_in: Option<Duration>,
}

/// A device sign-in that has begun. The texts to show are cleaned.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// What the person types.
    pub user_code: String,
    /// Where the person types it.
    pub verification_uri: String,
    /// The same with the code in it, for a link.
    pub verification_uri_complete: Option<String>,
    /// How long it is good.
    pub expires_in: Duration,
    /// How long to wait between two questions.
    pub interval: Duration,
    pub(super) device_code: Secret,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    token_type: Option<String>,
    expires_in: Option<Number>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: Option<Secret>,
    user_code: Option<String>,
    // Google's name for it.
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<Number>,
    interval: Option<Number>,
    error: Option<String>,
    error_description: Option<String>,
}

/// Some servers write numbers as strings.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    fn seconds(&self) -> Option<Duration> {
        match self {
            Self::Number(seconds) => Some(Duration::from_secs(*seconds)),
            Self::Text(text) => text.trim().parse().ok().map(Duration::from_secs),
        }
    }
}

fn refused(error: Option<String>, description: Option<String>, status: u16) -> Option<Error> {
    let description = clean(description.as_deref().unwrap_or_default());
    match error {
        Some(error) => Some(Error::Refused { error: clean(&error), description }),
        None if !(200..300).contains(&status) => Some(Error::Refused { error: format!("HTTP {status}"), description }),
        None => None,
    }
}

/// RFC 6749 §5.1, §5.2.
pub(super) fn tokens(status: u16, body: &[u8]) -> Result<Tokens, Error> {
    let Ok(answer) = serde_json::from_slice::<TokenAnswer>(body) else {
        return Err(refused(None, None, status).unwrap_or(Error::Answer("it is not JSON")));
    };
    if let Some(error) = refused(answer.error, answer.error_description, status) {
        return Err(error);
    }
    if answer.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
        return Err(Error::Answer("its token is no bearer token"));
    }
    let present = |token: &Secret| !token.expose().is_empty();
    let access = answer.access_token.filter(present).ok_or(Error::Answer("it has no access token"))?;
    Ok(Tokens {
        access,
        refresh: answer.refresh_token.filter(present),
        expires_in: answer.expires_in.as_ref().and_then(Number::seconds),
    })
}

/// RFC 8628 §3.2.
pub(super) fn device(status: u16, body: &[u8]) -> Result<DeviceCode, Error> {
    let Ok(answer) = serde_json::from_slice::<DeviceAnswer>(body) else {
        return Err(refused(None, None, status).unwrap_or(Error::Answer("it is not JSON")));
    };
    if let Some(error) = refused(answer.error, answer.error_description, status) {
        return Err(error);
    }
    let (Some(device_code), Some(user_code), Some(uri)) =
        (answer.device_code, answer.user_code, answer.verification_uri)
    else {
        return Err(Error::Answer("it has no code"));
    };
    let seconds = |number: Option<Number>, default| number.as_ref().and_then(Number::seconds).unwrap_or(default);
    Ok(DeviceCode {
        user_code: clean(&user_code),
        verification_uri: clean(&uri),
        verification_uri_complete: answer.verification_uri_complete.map(|uri| clean(&uri)),
        expires_in: seconds(answer.expires_in, Duration::from_secs(900)),
        interval: seconds(answer.interval, Duration::from_secs(5)).min(Duration::from_secs(60)),
        device_code,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_read() {
        let body = br#"{"access_token":"A","token_type":"Bearer","expires_in":"3599","refresh_token":"R","x":[1]}"#;
        let tokens = tokens(200, body).unwrap();
        assert_eq!((tokens.access.expose(), tokens.refresh.unwrap().expose()), (&b"A"[..], &b"R"[..]));
        assert_eq!(tokens.expires_in, Some(Duration::from_secs(3599)));
    }

    #[test]
    fn refusals_are_words() {
        let refused = |status, body: &str| tokens(status, body.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            refused(400, r#"{"error":"invalid_grant","error_description":"gone\u001b[2J"}"#),
            "the authorization server refused (invalid_grant): gone\u{fffd}[2J"
        );
        assert_eq!(refused(503, "<html>"), "the authorization server refused (HTTP 503)");
        assert_eq!(refused(302, "{}"), "the authorization server refused (HTTP 302)");
        assert_eq!(refused(200, "<html>"), "the authorization server's answer is unusable: it is not JSON");
        assert!(refused(200, r#"{"token_type":"Bearer"}"#).contains("no access token"));
        assert!(refused(200, r#"{"access_token":"A","token_type":"mac"}"#).contains("bearer"));
    }

    #[test]
    fn device_codes_are_read() {
        let body = br#"{"device_code":"D","user_code":"AB-CD","verification_url":"https://v","expires_in":60}"#;
        let code = device(200, body).unwrap();
        assert_eq!((code.user_code.as_str(), code.verification_uri.as_str()), ("AB-CD", "https://v"));
        assert_eq!((code.expires_in, code.interval), (Duration::from_secs(60), Duration::from_secs(5)));
        assert!(!format!("{code:?}").contains("\"D\""));
        assert!(device(200, b"{}").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(status: u16, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = tokens(status, &body);
            let _ = device(status, &body);
        }

        #[test]
        fn mutations_of_json(body in crate::mutated::mutated(vec![
            br#"{"access_token":"ya29.x","expires_in":3599,"refresh_token":"r","scope":"https://mail.google.com/","token_type":"Bearer"}"#.to_vec(),
            br#"{"error":"invalid_grant","error_description":"AADSTS70008: \u001b[2J"}"#.to_vec(),
            br#"{"device_code":"d","user_code":"ABCD","verification_uri":"https://x/y","expires_in":900,"interval":5}"#.to_vec(),
        ], &["{", "}", "[", "]", ":", ",", "\"", "null", "true", "-1", "1e999", "\\u0000", "\\ud800", "[[[[[[[[[[[[[[[["]), status in prop::sample::select(vec![200u16, 400, 401, 500])) {
            let _ = (tokens(status, &body).is_ok(), device(status, &body).is_ok());
        }
    }
}
