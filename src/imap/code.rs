//! Response codes (RFC 9051 §7.1, RFC 5530 and the extensions): PURE.

/// The name of a response code. What a code carries is read by the command that expects it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Code {
    Alert,
    AlreadyExists,
    AuthenticationFailed,
    AuthorizationFailed,
    Cannot,
    ClientBug,
    ContactAdmin,
    Corruption,
    Expired,
    ExpungeIssued,
    HasChildren,
    InUse,
    Limit,
    MessageLimit,
    Nonexistent,
    NoPerm,
    OverQuota,
    PrivacyRequired,
    ServerBug,
    Throttled,
    TooBig,
    TryCreate,
    Unavailable,
    /// Any other, in capitals.
    Other(String),
}

impl Code {
    const TABLE: [(&'static str, Self); 23] = [
        ("ALERT", Self::Alert),
        ("ALREADYEXISTS", Self::AlreadyExists),
        ("AUTHENTICATIONFAILED", Self::AuthenticationFailed),
        ("AUTHORIZATIONFAILED", Self::AuthorizationFailed),
        ("CANNOT", Self::Cannot),
        ("CLIENTBUG", Self::ClientBug),
        ("CONTACTADMIN", Self::ContactAdmin),
        ("CORRUPTION", Self::Corruption),
        ("EXPIRED", Self::Expired),
        ("EXPUNGEISSUED", Self::ExpungeIssued),
        ("HASCHILDREN", Self::HasChildren),
        ("INUSE", Self::InUse),
        ("LIMIT", Self::Limit),
        ("MESSAGELIMIT", Self::MessageLimit),
        ("NONEXISTENT", Self::Nonexistent),
        ("NOPERM", Self::NoPerm),
        ("OVERQUOTA", Self::OverQuota),
        ("PRIVACYREQUIRED", Self::PrivacyRequired),
        ("SERVERBUG", Self::ServerBug),
        ("THROTTLED", Self::Throttled),
        ("TOOBIG", Self::TooBig),
        ("TRYCREATE", Self::TryCreate),
        ("UNAVAILABLE", Self::Unavailable),
    ];

    /// The code of that name, in any case; at most 60 bytes of an unknown one are kept.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Self {
        let known = Self::TABLE.iter().find(|(text, _)| name.eq_ignore_ascii_case(text.as_bytes()));
        known.map_or_else(
            || {
                let name = name.get(..60).unwrap_or(name);
                Self::Other(crate::mail::text::clean_bytes(name).to_ascii_uppercase())
            },
            |(_, code)| code.clone(),
        )
    }

    /// Whether the same thing may work at another time without anybody's doing (RFC 5530, SPEC §8).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable | Self::Limit | Self::InUse | Self::ServerBug | Self::Throttled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case() {
        assert_eq!(Code::of_name(b"TryCreate"), Code::TryCreate);
        assert_eq!(Code::of_name(b"xfoo\x1b"), Code::Other("XFOO\u{fffd}".to_owned()));
        assert!(Code::TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
