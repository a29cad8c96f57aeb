//! PURE: which mechanism a login uses.

use super::Mechanism;
use crate::account::AuthMechanism;
use crate::severity::{Kind, Retry, Scope, Severity};

/// What a server offers, and what we have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'a> {
    /// SASL names as the server tells them, in any case.
    pub mechanisms: &'a [&'a str],
    /// Commands of the protocol itself.
    pub commands: Commands,
    /// TLS or a tunnel.
    pub encrypted: bool,
    /// What we can give.
    pub have: Have,
}

/// Logins outside SASL that the server offers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commands {
    /// IMAP LOGIN (no LOGINDISABLED), POP3 USER.
    pub login: bool,
    /// POP3: the greeting has a well-formed time stamp.
    pub apop: bool,
}

/// What we have to give.
#[derive(Clone, Copy, Debug, Default)]
pub struct Have {
    /// The channel binding `tls-server-end-point`.
    pub binding: bool,
    /// The secret is an access token.
    pub oauth: bool,
    /// There is no secret at all: only a client certificate can log in.
    pub no_secret: bool,
}

/// Why there is no mechanism.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server does not offer what the profile names.
    #[error("the server does not offer auth = \"{wanted}\"; it offers {offered}")]
    NotOffered {
        /// The profile's word.
        wanted: &'static str,
        /// The server's names, cleaned.
        offered: String,
    },
    /// Nothing that the server offers is known.
    #[error("the server offers no login that fits; it offers {offered}")]
    Nothing {
        /// The server's names, cleaned.
        offered: String,
    },
}

impl Severity for Refusal {
    fn scope(&self) -> Scope {
        Scope::Account
    }

    fn retry(&self) -> Retry {
        Retry::Never
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotOffered { .. } | Self::Nothing { .. } => Kind::Auth,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotOffered { .. } => {
                Some("take auth out of the profile, or name one that the server offers".to_owned())
            }
            Self::Nothing { .. } => Some(
                "the server may want TLS first (tls), OAuth (oauth2), or IMAP and POP3 to be switched on".to_owned(),
            ),
        }
    }
}

/// With channel binding first: it outweighs the hash, and shows the server that we saw its offer.
const SCRAM: [Mechanism; 4] =
    [Mechanism::ScramSha256Plus, Mechanism::ScramSha1Plus, Mechanism::ScramSha256, Mechanism::ScramSha1];

/// Chooses. Never weaker than what the profile names; `Auto` takes the strongest that both sides know, and on a
/// connection that others can read along prefers whatever does not send the password.
///
/// # Errors
/// [`Refusal`], when nothing fits.
pub fn choose(wanted: AuthMechanism, offer: &Offer<'_>) -> Result<Mechanism, Refusal> {
    use Mechanism as M;
    let (word, candidates): (_, Vec<M>) = match wanted {
        AuthMechanism::Auto => ("auto", automatic(offer)),
        // The protocol's own command carries the same secret in the same way.
        AuthMechanism::Plain => ("plain", vec![M::Plain, M::Command]),
        AuthMechanism::Login => ("login", vec![M::Login, M::Command]),
        AuthMechanism::CramMd5 => ("cram-md5", vec![M::CramMd5]),
        AuthMechanism::ScramSha1 => ("scram-sha-1", vec![M::ScramSha1Plus, M::ScramSha1]),
        AuthMechanism::ScramSha256 => ("scram-sha-256", vec![M::ScramSha256Plus, M::ScramSha256]),
        AuthMechanism::XOAuth2 => ("xoauth2", vec![M::XOAuth2]),
        AuthMechanism::OAuthBearer => ("oauthbearer", vec![M::OAuthBearer]),
        AuthMechanism::Apop => ("apop", vec![M::Apop]),
        AuthMechanism::External => ("external", vec![M::External]),
    };
    if let Some(found) = candidates.into_iter().find(|&mechanism| offers(offer, mechanism)) {
        return Ok(found);
    }
    let offered = match offer.mechanisms.join(" ") {
        none if none.is_empty() => "none".to_owned(),
        names => crate::mail::text::clean(&names),
    };
    Err(match wanted {
        AuthMechanism::Auto => Refusal::Nothing { offered },
        AuthMechanism::Plain
        | AuthMechanism::Login
        | AuthMechanism::CramMd5
        | AuthMechanism::ScramSha1
        | AuthMechanism::ScramSha256
        | AuthMechanism::XOAuth2
        | AuthMechanism::OAuthBearer
        | AuthMechanism::Apop
        | AuthMechanism::External => Refusal::NotOffered { wanted: word, offered },
    })
}

fn automatic(offer: &Offer<'_>) -> Vec<Mechanism> {
    use Mechanism::{Apop, Command, CramMd5, External, Login, OAuthBearer, Plain, XOAuth2};
    if offer.have.oauth {
        return vec![OAuthBearer, XOAuth2];
    }
    if offer.have.no_secret {
        return vec![External];
    }
    let mut order = SCRAM.to_vec();
    if offer.encrypted {
        order.extend([Plain, Login, Command, CramMd5, Apop]);
    } else {
        order.extend([CramMd5, Apop, Plain, Login, Command]);
    }
    order
}

fn offers(offer: &Offer<'_>, mechanism: Mechanism) -> bool {
    let named = || offer.mechanisms.iter().any(|name| name.eq_ignore_ascii_case(mechanism.name()));
    match mechanism {
        Mechanism::Command => offer.commands.login,
        Mechanism::Apop => offer.commands.apop,
        Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => offer.have.binding && named(),
        Mechanism::Plain
        | Mechanism::Login
        | Mechanism::CramMd5
        | Mechanism::ScramSha1
        | Mechanism::ScramSha256
        | Mechanism::External
        | Mechanism::XOAuth2
        | Mechanism::OAuthBearer => named(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[&str] = &[
        "LOGIN",
        "plain",
        "XOAUTH2",
        "OAUTHBEARER",
        "CRAM-MD5",
        "SCRAM-SHA-1",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256-PLUS",
        "NTLM",
    ];

    fn offer<'a>(mechanisms: &'a [&'a str], encrypted: bool) -> Offer<'a> {
        Offer { mechanisms, commands: Commands { login: true, apop: true }, encrypted, have: Have::default() }
    }

    fn auto(mechanisms: &[&str], encrypted: bool) -> Mechanism {
        choose(AuthMechanism::Auto, &offer(mechanisms, encrypted)).unwrap()
    }

    #[test]
    fn auto_takes_the_strongest() {
        let mut bound = offer(ALL, true);
        assert_eq!(choose(AuthMechanism::Auto, &bound), Ok(Mechanism::ScramSha256));
        bound.have.binding = true;
        assert_eq!(choose(AuthMechanism::Auto, &bound), Ok(Mechanism::ScramSha256Plus));
        assert_eq!(choose(AuthMechanism::ScramSha256, &bound), Ok(Mechanism::ScramSha256Plus));
        assert_eq!(auto(&["PLAIN", "SCRAM-SHA-1"], true), Mechanism::ScramSha1);
    }

    #[test]
    fn the_password_is_sent_in_clear_only_if_nothing_else_is_offered() {
        assert_eq!(auto(&["PLAIN", "CRAM-MD5"], true), Mechanism::Plain);
        assert_eq!(auto(&["PLAIN", "CRAM-MD5"], false), Mechanism::CramMd5);
        assert_eq!(auto(&["PLAIN"], false), Mechanism::Apop);
        let mut bare = offer(&["PLAIN"], false);
        bare.commands.apop = false;
        assert_eq!(choose(AuthMechanism::Auto, &bare), Ok(Mechanism::Plain));
        assert_eq!(auto(&[], true), Mechanism::Command);
    }

    #[test]
    fn a_named_mechanism_is_never_replaced_by_a_weaker_one() {
        for (wanted, mechanisms) in [
            (AuthMechanism::ScramSha256, &["SCRAM-SHA-1", "PLAIN"][..]),
            (AuthMechanism::CramMd5, &["PLAIN"]),
            (AuthMechanism::OAuthBearer, &["XOAUTH2", "PLAIN"]),
            (AuthMechanism::External, &["PLAIN"]),
        ] {
            let refused = choose(wanted, &offer(mechanisms, true)).unwrap_err();
            assert!(matches!(refused, Refusal::NotOffered { .. }), "{wanted:?}");
            assert_eq!(refused.kind(), Kind::Auth);
        }
        assert_eq!(choose(AuthMechanism::Plain, &offer(&[], true)), Ok(Mechanism::Command));
    }

    #[test]
    fn tokens_and_certificates_have_their_own() {
        let mut token = offer(ALL, true);
        token.have.oauth = true;
        assert_eq!(choose(AuthMechanism::Auto, &token), Ok(Mechanism::OAuthBearer));
        token.mechanisms = &["PLAIN"];
        assert!(choose(AuthMechanism::Auto, &token).is_err());
        let mut bare = offer(&["PLAIN", "EXTERNAL"], true);
        bare.have.no_secret = true;
        assert_eq!(choose(AuthMechanism::Auto, &bare), Ok(Mechanism::External));
    }
}
