//! OAuth 2.0 for mail: sign-in by browser (loopback redirect, PKCE) or device code, refresh, client credentials.

mod answer;
mod error;
mod form;
mod http;
mod loopback;

use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::Secret;
use crate::account::OAuth2;
use crate::stop::Stop;
pub use answer::{DeviceCode, Tokens};
pub use error::Error;
pub use loopback::Loopback;

/// RFC 8628 §3.4.
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Talks to the authorization server of one account.
#[derive(Debug)]
pub struct Client {
    settings: OAuth2,
    http: http::Http,
}

impl Client {
    /// A client for `settings`; each answer may take `timeout`. `ca_file` replaces the system's trust roots.
    ///
    /// # Errors
    /// [`Error::Setting`] without `client_id` or `token_url`, or for an unusable `ca_file`.
    pub fn new(settings: &OAuth2, timeout: Duration, ca_file: Option<&Path>) -> Result<Self, Error> {
        let client = Self { settings: settings.clone(), http: http::Http::new(timeout, ca_file)? };
        client.id()?;
        client.token_url()?;
        Ok(client)
    }

    /// Whether the profile means an application without a user: a client secret, and no address where a person could
    /// sign in, or the scope by which Microsoft 365 means this grant.
    #[must_use]
    pub fn is_app_only(&self) -> bool {
        let settings = &self.settings;
        let nobody = settings.auth_url.is_none() && settings.device_url.is_none();
        let default = !settings.scopes.is_empty() && settings.scopes.iter().all(|scope| scope.ends_with("/.default"));
        settings.client_secret.is_some() && (nobody || default)
    }

    /// A new access token for a refresh token (RFC 6749 §6). Where the server names no new refresh token the old stays.
    ///
    /// # Errors
    /// [`Error::Refused`] when the refresh token is no good any more; those of the connection.
    pub fn refresh(&self, refresh: &Secret, stop: &Stop) -> Result<Tokens, Error> {
        let text = refresh.expose_str().ok_or(Error::Answer("the stored refresh token is not text"))?;
        let mut tokens = self.ask(&[("grant_type", "refresh_token"), ("refresh_token", text)], stop)?;
        if tokens.refresh.is_none() {
            tokens.refresh = Some(refresh.clone());
        }
        Ok(tokens)
    }

    /// An access token for the application itself (RFC 6749 §4.4).
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn client_credentials(&self, stop: &Stop) -> Result<Tokens, Error> {
        let scope = self.settings.scopes.join(" ");
        self.ask(&[("grant_type", "client_credentials"), ("scope", &scope)], stop)
    }

    /// Begins a sign-in on another device (RFC 8628 §3.1): show the code, then [`device_wait`](Self::device_wait).
    ///
    /// # Errors
    /// [`Error::NoDevice`] where the provider has none; those of the connection.
    pub fn device_begin(&self, stop: &Stop) -> Result<DeviceCode, Error> {
        let google = self.token_url()?.contains(".googleapis.com/");
        let url = self.settings.device_url.as_deref().filter(|_| !google).ok_or(Error::NoDevice { google })?;
        let scope = self.settings.scopes.join(" ");
        let (status, body) = self.http.post(url, &[("client_id", self.id()?), ("scope", &scope)], stop)?;
        answer::device(status, &body)
    }

    /// Waits until the person has signed in (RFC 8628 §3.4), asking as often as the server allows.
    ///
    /// # Errors
    /// [`Error::Expired`], [`Error::Refused`] (also when the person said no), [`Error::Stopped`].
    pub fn device_wait(&self, code: &DeviceCode, stop: &Stop) -> Result<Tokens, Error> {
        let begun = Instant::now();
        let mut pause = code.interval;
        let device_code = code.device_code.expose_str().ok_or(Error::Answer("its device code is not text"))?;
        loop {
            http::pause(pause, stop)?;
            if begun.elapsed() >= code.expires_in {
                return Err(Error::Expired);
            }
            match self.ask(&[("grant_type", DEVICE_GRANT), ("device_code", device_code)], stop) {
                Err(Error::Refused { error, .. }) if error == "authorization_pending" => {}
                // RFC 8628 §3.5: five seconds more from now on.
                Err(Error::Refused { error, .. }) if error == "slow_down" => pause += Duration::from_secs(5),
                Err(Error::Refused { error, .. }) if error == "expired_token" => return Err(Error::Expired),
                Err(Error::Unreachable { .. }) => pause = pause.saturating_mul(2).min(Duration::from_secs(60)),
                other => return other,
            }
        }
    }

    /// Trades an authorization code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5).
    fn redeem(&self, code: &str, verifier: &str, redirect: &str, stop: &Stop) -> Result<Tokens, Error> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        self.ask(&form, stop)
    }

    fn ask(&self, fields: &[(&str, &str)], stop: &Stop) -> Result<Tokens, Error> {
        let mut form = fields.to_vec();
        form.push(("client_id", self.id()?));
        if let Some(secret) = &self.settings.client_secret {
            form.push(("client_secret", secret.expose_secret()));
        }
        let (status, body) = self.http.post(self.token_url()?, &form, stop)?;
        answer::tokens(status, &body)
    }

    fn id(&self) -> Result<&str, Error> {
        self.settings.client_id.as_deref().ok_or(Error::Setting("client_id is missing"))
    }

    fn token_url(&self) -> Result<&str, Error> {
        self.settings.token_url.as_deref().ok_or(Error::Setting("token_url is missing"))
    }
}

#[cfg(test)]
mod tests;
