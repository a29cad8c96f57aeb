//! What a person needs to know of a server's certificate, read from its DER form.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::mail::text::clean_to;

/// A server's certificate. Texts are cleaned; nothing here was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER form: what `tls_fingerprint` pins.
    pub sha256: [u8; 32],
    /// The subject's common name, or organisation.
    pub subject: Option<String>,
    /// The issuer's common name, or organisation.
    pub issuer: Option<String>,
    /// The host names and patterns it is for, at most 20.
    pub names: Vec<String>,
    /// Valid from, as `2026-11-21T10:00:00Z`.
    pub not_before: Option<String>,
    /// Valid until, in the same form.
    pub not_after: Option<String>,
}

impl Certificate {
    /// Reads what can be read of `der`. Only the digest is certain to be there.
    #[must_use]
    pub fn read(der: &[u8]) -> Self {
        let mut certificate = Self {
            sha256: Sha256::digest(der).into(),
            subject: None,
            issuer: None,
            names: Vec::new(),
            not_before: None,
            not_after: None,
        };
        // Where the walk ends early, the fields read so far stay.
        let _ = certificate.walk(der);
        certificate
    }

    /// The form that the key `tls_fingerprint` takes: `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.sha256)
    }

    /// RFC 5280 §4.1.
    fn walk(&mut self, der: &[u8]) -> Option<()> {
        let mut tbs = Der(Der(Der(der).expect_tag(SEQUENCE)?).expect_tag(SEQUENCE)?);
        let (tag, _) = tbs.next()?;
        if tag == CONTEXT_0 {
            tbs.next()?; // After the version comes the serial number.
        }
        tbs.next()?; // signature
        self.issuer = name_text(tbs.expect_tag(SEQUENCE)?);
        let mut validity = Der(tbs.expect_tag(SEQUENCE)?);
        self.not_before = validity.next().and_then(|(tag, value)| time_text(tag, value));
        self.not_after = validity.next().and_then(|(tag, value)| time_text(tag, value));
        self.subject = name_text(tbs.expect_tag(SEQUENCE)?);
        while let Some((tag, value)) = tbs.next() {
            if tag == CONTEXT_3 {
                self.names = alternative_names(value).unwrap_or_default();
            }
        }
        Some(())
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "for {}",
            self.subject.as_deref().or(self.names.first().map(String::as_str)).unwrap_or("nobody named")
        )?;
        write!(f, ", issued by {}", self.issuer.as_deref().unwrap_or("nobody named"))?;
        if let (Some(from), Some(until)) = (&self.not_before, &self.not_after) {
            write!(f, ", valid from {from} until {until}")?;
        }
        write!(f, ", {}", self.fingerprint())
    }
}

/// `sha256:` and the digest in hexadecimal digits.
pub(super) fn fingerprint(sha256: &[u8; 32]) -> String {
    use fmt::Write;
    sha256.iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_3: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Bytes that hold DER values one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value's tag and contents; `None` at the end or where the bytes are no DER (X.690 §8.1, short tags).
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, mut rest) = rest.split_first()?;
        let length = if length < 0x80 {
            usize::from(length)
        } else {
            let digits = usize::from(length & 0x7f);
            if digits == 0 || digits > 4 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(digits)?;
            rest = after;
            bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }

    fn expect_tag(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (tag, value) = self.next()?;
        (tag == wanted).then_some(value)
    }
}

/// The common name of a Name, else its organisation (RFC 5280 §4.1.2.4).
fn name_text(name: &[u8]) -> Option<String> {
    let mut sets = Der(name);
    let mut organization = None;
    while let Some((_, set)) = sets.next() {
        let mut pairs = Der(set);
        while let Some((_, pair)) = pairs.next() {
            let mut pair = Der(pair);
            let (Some(kind), Some((tag, value))) = (pair.expect_tag(OBJECT_IDENTIFIER), pair.next()) else { continue };
            let text = || clean_to(&string_text(tag, value), 100);
            if kind == COMMON_NAME {
                return Some(text());
            }
            if kind == ORGANIZATION {
                organization = Some(text());
            }
        }
    }
    organization
}

fn string_text(tag: u8, value: &[u8]) -> String {
    if tag == BMP_STRING {
        let units = value.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, &byte| sum << 8 | u16::from(byte)));
        return char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    String::from_utf8_lossy(value).into_owned()
}

/// RFC 5280 §4.1.2.5: `YYMMDDHHMMSSZ` (the years 1950 to 2049) or `YYYYMMDDHHMMSSZ`.
fn time_text(tag: u8, value: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let long = match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "50" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| long.get(from..to).unwrap_or_default();
    Some(format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14)))
}

/// The DNS names and addresses among the extensions (RFC 5280 §4.2.1.6).
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Der(Der(extensions).expect_tag(SEQUENCE)?);
    while let Some((_, extension)) = extensions.next() {
        let mut parts = Der(extension);
        if parts.expect_tag(OBJECT_IDENTIFIER)? != SUBJECT_ALT_NAME {
            continue;
        }
        let mut value = None;
        while let Some((tag, part)) = parts.next() {
            if tag == OCTET_STRING {
                value = Some(part);
            }
        }
        let mut general = Der(Der(value?).expect_tag(SEQUENCE)?);
        let mut names = Vec::new();
        while let (Some((tag, name)), true) = (general.next(), names.len() < 20) {
            if tag == DNS_NAME {
                names.push(clean_to(&String::from_utf8_lossy(name), 100));
            } else if tag == IP_ADDRESS {
                if let Ok(v4) = <[u8; 4]>::try_from(name) {
                    names.push(std::net::Ipv4Addr::from(v4).to_string());
                } else if let Ok(v6) = <[u8; 16]>::try_from(name) {
                    names.push(std::net::Ipv6Addr::from(v6).to_string());
                }
            }
        }
        return Some(names);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made() -> Vec<u8> {
        let mut params =
            rcgen::CertificateParams::new(vec!["mail.example.org".to_owned(), "*.example.net".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Mail\u{1b}[2J Ü");
        params.not_before = rcgen::date_time_ymd(2020, 2, 3);
        params.not_after = rcgen::date_time_ymd(2055, 4, 5);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn reads_what_a_person_needs() {
        let certificate = Certificate::read(&made());
        assert_eq!(certificate.subject.as_deref(), Some("Mail\u{fffd}[2J Ü"));
        assert_eq!(certificate.issuer, certificate.subject);
        assert_eq!(certificate.names, ["mail.example.org", "*.example.net"]);
        assert_eq!(certificate.not_before.as_deref(), Some("2020-02-03T00:00:00Z"));
        assert_eq!(certificate.not_after.as_deref(), Some("2055-04-05T00:00:00Z"));
        assert_eq!(certificate.fingerprint().len(), 71);
        assert!(certificate.to_string().contains("valid from 2020-02-03T00:00:00Z until 2055"));
    }

    #[test]
    fn a_cut_certificate_gives_what_is_there() {
        let der = made();
        for cut in 0..der.len() {
            let certificate = Certificate::read(&der[..cut]);
            assert!(certificate.subject.is_none() || cut > 100);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Certificate::read(&bytes).to_string();
        }
    }
}
