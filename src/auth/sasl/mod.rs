//! PURE: SASL mechanisms as state machines over decoded challenges and responses.
//!
//! A protocol chooses with [`choose`], makes an [`Exchange`], sends [`Exchange::initial`] where it may send an initial
//! response, answers each challenge with [`Exchange::step`], and asks [`Exchange::done`] when the server says yes.

mod bearer;
mod choose;
mod coding;
mod digest;
mod scram;

pub use choose::{Commands, Have, Offer, Refusal, choose};
pub use coding::{decode, encode};
pub use digest::apop;

use super::{Credentials, Secret};
use crate::severity::{Kind, Retry, Scope, Severity};
use scram::{Hash, Scram};

/// How to log in, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// `AUTH=LOGIN`, two prompts.
    Login,
    /// The protocol's own command: IMAP LOGIN, POP3 USER and PASS. No exchange.
    Command,
    /// RFC 2195.
    CramMd5,
    /// RFC 5802.
    ScramSha1,
    /// RFC 5802 with channel binding.
    ScramSha1Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7677 with channel binding.
    ScramSha256Plus,
    /// The TLS client certificate (RFC 4422 appendix A).
    External,
    /// Google's and Microsoft's bearer token.
    XOAuth2,
    /// RFC 7628.
    OAuthBearer,
    /// POP3 APOP (RFC 1939 §7). No exchange: see [`apop`].
    Apop,
}

impl Mechanism {
    /// Its registered name, as in `AUTH=` and AUTHENTICATE; for [`Command`](Self::Command) `LOGIN`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login | Self::Command => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::External => "EXTERNAL",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::Apop => "APOP",
        }
    }
}

/// Why an exchange cannot go on: the connection must be dropped. The account's login has failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The mechanism needs a secret and there is none.
    #[error("{0} needs a password or token")]
    NoSecret(&'static str),
    /// The user name or secret has characters that the mechanism cannot carry.
    #[error("{0} cannot carry this user name or password")]
    Unfit(&'static str),
    /// A challenge came that the mechanism does not have.
    #[error("the server sent an unexpected {0} challenge")]
    Unexpected(&'static str),
    /// A challenge is not what the mechanism defines.
    #[error("the server sent a bad {mechanism} challenge: {why}")]
    Malformed {
        /// The mechanism.
        mechanism: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// The server does not know the password: it may be an impostor.
    #[error("the server could not prove with {0} that it knows the password")]
    Unproved(&'static str),
    /// The server refused inside the exchange.
    #[error("the server refused the {mechanism} login: {why}")]
    Refused {
        /// The mechanism.
        mechanism: &'static str,
        /// Its words, cleaned.
        why: String,
    },
    /// No random numbers.
    #[error("the system gave no random numbers")]
    NoRandom,
}

impl Severity for SaslError {
    fn scope(&self) -> Scope {
        Scope::Account
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NoSecret(_) | Self::Unfit(_) => Kind::Config,
            Self::Unexpected(_) | Self::Malformed { .. } => Kind::Protocol,
            Self::Unproved(_) | Self::Refused { .. } => Kind::Auth,
            Self::NoRandom => Kind::TryLater,
        }
    }
}

/// What an exchange must know of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The channel binding `tls-server-end-point`, if there is one.
    pub binding: Option<&'a [u8]>,
    /// The configured host.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

#[derive(Debug)]
enum State {
    Plain,
    Login(u8),
    CramMd5,
    Scram(Box<Scram>),
    External,
    Bearer { standard: bool, hello: Secret },
}

/// One login by SASL. Bytes are decoded ones: base64 is the protocol's ([`encode`], [`decode`]).
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    user: String,
    secret: Secret,
    state: State,
    started: bool,
    finished: bool,
    refusal: Option<String>,
}

impl Exchange {
    /// Begins an exchange.
    ///
    /// # Errors
    /// [`SaslError::NoSecret`]; [`SaslError::Unfit`] for what cannot be carried, and for the mechanisms
    /// [`Mechanism::Command`] and [`Mechanism::Apop`], which have no exchange.
    pub fn new(mechanism: Mechanism, credentials: &Credentials, peer: &Peer<'_>) -> Result<Self, SaslError> {
        let name = mechanism.name();
        let secret = match (&credentials.secret, mechanism) {
            (Some(secret), _) => secret.clone(),
            (None, Mechanism::External) => Secret::new(Vec::new()),
            (None, _) => return Err(SaslError::NoSecret(name)),
        };
        if credentials.user.contains('\0') || secret.expose().contains(&0) {
            return Err(SaslError::Unfit(name));
        }
        let user = credentials.user.as_str();
        let scram = |hash, plus| {
            let nonce = scram::nonce().ok_or(SaslError::NoRandom)?;
            Scram::new(hash, plus, user, peer.binding, nonce).map(|scram| State::Scram(Box::new(scram)))
        };
        let state = match mechanism {
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::Login(0),
            Mechanism::CramMd5 => State::CramMd5,
            Mechanism::ScramSha1 => scram(Hash::Sha1, false)?,
            Mechanism::ScramSha1Plus => scram(Hash::Sha1, true)?,
            Mechanism::ScramSha256 => scram(Hash::Sha256, false)?,
            Mechanism::ScramSha256Plus => scram(Hash::Sha256, true)?,
            Mechanism::External => State::External,
            Mechanism::XOAuth2 => State::Bearer { standard: false, hello: bearer::xoauth2(user, &secret)? },
            Mechanism::OAuthBearer => {
                State::Bearer { standard: true, hello: bearer::oauthbearer(user, &secret, peer)? }
            }
            Mechanism::Command | Mechanism::Apop => return Err(SaslError::Unfit(name)),
        };
        let user = user.to_owned();
        Ok(Self { mechanism, user, secret, state, started: false, finished: false, refusal: None })
    }

    /// Which mechanism it is.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// The initial response, `None` where the server speaks first. Empty is an initial response too (`=` in IMAP and
    /// POP3). A protocol that cannot send one does not ask, and gives the server's empty challenge to
    /// [`step`](Self::step).
    pub fn initial(&mut self) -> Option<Vec<u8>> {
        let first = match &self.state {
            State::Plain => {
                let mut message = vec![0];
                message.extend_from_slice(self.user.as_bytes());
                message.push(0);
                message.extend_from_slice(self.secret.expose());
                message
            }
            State::Scram(scram) => scram.first(),
            State::External => self.user.clone().into_bytes(),
            State::Bearer { hello, .. } => hello.expose().to_vec(),
            State::Login(_) | State::CramMd5 => return None,
        };
        self.started = true;
        Some(first)
    }

    /// The response to a challenge.
    ///
    /// # Errors
    /// When the challenge is not the mechanism's, or the server fails to prove itself. To end the exchange politely `*`
    /// would be sent; dropping the connection is as good.
    pub fn step(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
        let name = self.mechanism.name();
        if !self.started {
            if let Some(first) = self.initial() {
                return Ok(first);
            }
            self.started = true;
        }
        if self.finished {
            return Err(SaslError::Unexpected(name));
        }
        match &mut self.state {
            State::Plain | State::External => Err(SaslError::Unexpected(name)),
            State::Login(step) => {
                *step += 1;
                // The prompts' texts differ from server to server; their order does not.
                match *step {
                    1 => Ok(self.user.clone().into_bytes()),
                    2 => {
                        self.finished = true;
                        Ok(self.secret.expose().to_vec())
                    }
                    _ => Err(SaslError::Unexpected(name)),
                }
            }
            State::CramMd5 => {
                self.finished = true;
                digest::cram_md5(&self.user, &self.secret, challenge).ok_or(SaslError::Unexpected(name))
            }
            State::Scram(scram) => {
                let answer = scram.step(challenge, &self.secret, name)?;
                self.finished = scram.is_proved();
                Ok(answer)
            }
            State::Bearer { standard, .. } => {
                // Only a refusal is a challenge here; the answer makes the server send its final no.
                self.finished = true;
                self.refusal = Some(bearer::refusal(challenge));
                Ok(if *standard { b"\x01".to_vec() } else { Vec::new() })
            }
        }
    }

    /// To be asked when the server said yes, with the data that came with it, if any (decoded).
    ///
    /// # Errors
    /// [`SaslError::Unproved`] when the mechanism proves the server and this one did not: then the login must not count.
    pub fn done(&mut self, server_final: Option<&[u8]>) -> Result<(), SaslError> {
        let name = self.mechanism.name();
        if let Some(why) = &self.refusal {
            return Err(SaslError::Refused { mechanism: name, why: why.clone() });
        }
        let State::Scram(scram) = &mut self.state else { return Ok(()) };
        if let (Some(data), false) = (server_final, scram.is_proved()) {
            scram.step(data, &self.secret, name)?;
        }
        if scram.is_proved() { Ok(()) } else { Err(SaslError::Unproved(name)) }
    }

    /// What the server said inside the exchange about its refusal (bearer tokens), in words.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Peer<'_> = Peer { binding: None, host: "mail.example.org", port: 143 };

    fn credentials(user: &str, secret: &str) -> Credentials {
        Credentials { user: user.to_owned(), secret: Some(Secret::new(secret.into())), oauth: false }
    }

    fn begin(mechanism: Mechanism) -> Exchange {
        Exchange::new(mechanism, &credentials("tim", "tanstaaftanstaaf"), &PEER).unwrap()
    }

    #[test]
    fn plain_with_and_without_initial_response() {
        assert_eq!(begin(Mechanism::Plain).initial().unwrap(), b"\0tim\0tanstaaftanstaaf");
        let mut late = begin(Mechanism::Plain);
        assert_eq!(late.step(b"").unwrap(), b"\0tim\0tanstaaftanstaaf");
        assert_eq!(late.step(b""), Err(SaslError::Unexpected("PLAIN")));
        assert_eq!(late.done(None), Ok(()));
    }

    #[test]
    fn login_answers_two_prompts_and_no_more() {
        let mut login = begin(Mechanism::Login);
        assert_eq!(login.initial(), None);
        assert_eq!(login.step(b"Username:").unwrap(), b"tim");
        assert_eq!(login.step(b"whatever").unwrap(), b"tanstaaftanstaaf");
        assert!(login.step(b"Password:").is_err());
    }

    #[test]
    fn cram_md5_as_in_rfc_2195() {
        let mut cram = begin(Mechanism::CramMd5);
        assert_eq!(cram.initial(), None);
        let answer = cram.step(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(answer, b"tim b913a602c7eda7a495b4e6e7334d3890");
        assert!(cram.step(b"<again@example.org>").is_err());
    }

    #[test]
    fn bearer_refusals_are_read_and_answered() {
        let user = credentials("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
        let mut exchange = Exchange::new(Mechanism::XOAuth2, &user, &PEER).unwrap();
        let hello = exchange.initial().unwrap();
        assert_eq!(
            encode(&hello),
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ=="
        );
        assert_eq!(exchange.step(br#"{"status":"401","schemes":"bearer","scope":"https://mail/"}"#).unwrap(), b"");
        assert!(exchange.refusal().unwrap().contains("401"));
        assert!(exchange.done(None).is_err());

        let mut exchange = Exchange::new(Mechanism::OAuthBearer, &user, &PEER).unwrap();
        let hello = String::from_utf8(exchange.initial().unwrap()).unwrap();
        assert_eq!(
            hello,
            "n,a=someuser@example.com,\u{1}host=mail.example.org\u{1}port=143\u{1}auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\u{1}\u{1}"
        );
        assert_eq!(exchange.step(br#"{"status":"invalid_token"}"#).unwrap(), b"\x01");
        assert!(exchange.step(b"").is_err());
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        let nul = credentials("a\0b", "x");
        assert!(matches!(Exchange::new(Mechanism::Plain, &nul, &PEER), Err(SaslError::Unfit("PLAIN"))));
        let none = Credentials { user: "tim".to_owned(), secret: None, oauth: false };
        assert!(matches!(Exchange::new(Mechanism::Plain, &none, &PEER), Err(SaslError::NoSecret(_))));
        assert_eq!(Exchange::new(Mechanism::External, &none, &PEER).unwrap().initial().unwrap(), b"tim");
        assert!(Exchange::new(Mechanism::Apop, &nul, &PEER).is_err());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let exchange = begin(Mechanism::Plain);
        assert!(!format!("{exchange:?}").contains("tanstaaf"));
    }
}
