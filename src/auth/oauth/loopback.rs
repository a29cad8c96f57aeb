//! Sign-in in a browser on this computer: the redirect comes to a listener of ours (RFC 8252 §7.3, RFC 7636).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::{Client, Error, Tokens, form, http};
use crate::mail::text::clean;
use crate::stop::Stop;

/// The longest request that is read.
const LONGEST: usize = 16 * 1024;

/// A sign-in that waits for the browser.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    address: String,
    redirect: String,
    state: String,
    verifier: String,
}

impl Loopback {
    /// Opens the listener and makes the address for the browser. `login_hint`: the mail address to sign in with.
    ///
    /// # Errors
    /// [`Error::Setting`] without a good `auth_url`; [`Error::Listen`].
    pub fn begin(client: &Client, login_hint: &str) -> Result<Self, Error> {
        let base = client.settings.auth_url.as_deref().ok_or(Error::Setting("auth_url is missing"))?;
        if !form::is_safe(base) {
            return Err(Error::Setting("its addresses must begin with https://"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::Listen)?;
        listener.set_nonblocking(true).map_err(Error::Listen)?;
        let port = listener.local_addr().map_err(Error::Listen)?.port();
        // Microsoft takes any port only with this name, others only with the address.
        let host =
            if base.contains("microsoftonline.") || base.contains("login.live.") { "localhost" } else { "127.0.0.1" };
        let redirect = format!("http://{host}:{port}/");
        let (mut state, mut verifier) = ([0; 24], [0; 48]);
        getrandom::fill(&mut state).and_then(|()| getrandom::fill(&mut verifier)).map_err(|_| Error::NoRandom)?;
        let (state, verifier) = (form::text(&state), form::text(&verifier));
        let scope = client.settings.scopes.join(" ");
        let challenge = form::challenge(&verifier);
        let address = form::address(
            base,
            &[
                ("response_type", "code"),
                ("client_id", client.id()?),
                ("redirect_uri", &redirect),
                ("scope", &scope),
                ("state", &state),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
                ("login_hint", login_hint),
                // Google gives a refresh token only when asked like this; others ignore it.
                ("access_type", "offline"),
                ("prompt", "consent"),
            ],
        );
        Ok(Self { listener, address, redirect, state, verifier })
    }

    /// What the person opens in a browser on this computer.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits for the browser, at most `max`, and gets the tokens. Requests without our state are answered and ignored.
    ///
    /// # Errors
    /// [`Error::Expired`], [`Error::Refused`], [`Error::Stopped`], those of the connection.
    pub fn wait(&self, client: &Client, max: Duration, stop: &Stop) -> Result<Tokens, Error> {
        let begun = Instant::now();
        loop {
            let left = max.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(Error::Expired);
            }
            http::wait(self.listener.as_fd(), Some(left), stop)?;
            // Nobody there after all: a browser that changed its mind.
            let Ok((browser, _)) = self.listener.accept() else { continue };
            if let Some(outcome) = self.serve(browser) {
                let code = outcome?;
                return client.redeem(&code, &self.verifier, &self.redirect, stop);
            }
        }
    }

    /// Answers one request; gives the code, or the refusal, if it is the redirect that we wait for.
    fn serve(&self, mut browser: TcpStream) -> Option<Result<String, Error>> {
        browser.set_nonblocking(false).ok()?;
        // Browsers open connections that they do not use: they must not hold up the one that counts.
        browser.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
        browser.set_write_timeout(Some(Duration::from_millis(500))).ok()?;
        let request = read_head(&mut browser)?;
        let found = redirect(&request, &self.state);
        let (status, text) = match &found {
            Some(Ok(_)) => ("200 OK", "Signed in. You can close this window and go back to mailferry."),
            Some(Err(_)) => ("200 OK", "The sign-in was refused. Go back to mailferry, which says more."),
            None => ("404 Not Found", "There is nothing here."),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
            text.len()
        );
        // The code counts, whether or not the browser reads on.
        let _ = browser.write_all(answer.as_bytes());
        found
    }
}

/// The head of a request, at most 16 KiB.
fn read_head(browser: &mut TcpStream) -> Option<String> {
    let begun = Instant::now();
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() {
        let got = browser.read(&mut chunk).ok()?;
        if got == 0 || head.len() > LONGEST || begun.elapsed() > Duration::from_secs(2) {
            return None;
        }
        head.extend_from_slice(chunk.get(..got)?);
    }
    String::from_utf8(head).ok()
}

/// PURE: the code or the refusal in the redirect's request, `None` for any other request (RFC 6749 §4.1.2).
fn redirect(head: &str, state: &str) -> Option<Result<String, Error>> {
    let target = head.lines().next()?.strip_prefix("GET ")?.split(' ').next()?;
    let (_, query) = target.split_once('?')?;
    if form::field(query, "state")? != state {
        return None;
    }
    if let Some(error) = form::field(query, "error") {
        let description = form::field(query, "error_description").unwrap_or_default();
        return Some(Err(Error::Refused { error: clean(&error), description: clean(&description) }));
    }
    form::field(query, "code").map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_with_our_state_counts() {
        let code = |head: &str| redirect(head, "S").map(|found| found.map_err(|error| error.to_string()));
        assert_eq!(code("GET /?code=a%2Fb&state=S HTTP/1.1\r\n"), Some(Ok("a/b".to_owned())));
        assert_eq!(code("GET /?code=a&state=T HTTP/1.1\r\n"), None);
        assert_eq!(code("GET /?code=a HTTP/1.1\r\n"), None);
        assert_eq!(code("GET /favicon.ico HTTP/1.1\r\n"), None);
        assert_eq!(code("POST /?code=a&state=S HTTP/1.1\r\n"), None);
        let refused = code("GET /?error=access_denied&error_description=no%1b&state=S HTTP/1.1").unwrap();
        assert_eq!(refused, Err("the authorization server refused (access_denied): no\u{fffd}".to_owned()));
    }
}
