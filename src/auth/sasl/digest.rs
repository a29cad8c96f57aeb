//! PURE: the keyed digests of CRAM-MD5 (RFC 2195) and APOP (RFC 1939 §7).

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

use crate::auth::Secret;

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The answer to a CRAM-MD5 challenge: `user` and the keyed digest. `None` for an empty challenge.
pub(super) fn cram_md5(user: &str, secret: &Secret, challenge: &[u8]) -> Option<Vec<u8>> {
    if challenge.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Md5>::new_from_slice(secret.expose()).ok()?;
    mac.update(challenge);
    Some(format!("{user} {}", hex(&mac.finalize().into_bytes())).into_bytes())
}

/// The digest of `APOP name digest`, for the time stamp of a POP3 greeting. `None` unless the time stamp, with its angle
/// brackets, has the form of a message id in printable ASCII: with others MD5 collisions can find the password
/// (CVE-2007-1558).
#[must_use]
pub fn apop(timestamp: &[u8], secret: &Secret) -> Option<String> {
    let inner = timestamp.strip_prefix(b"<")?.strip_suffix(b">")?;
    let (left, right) = inner.split_at_checked(memchr::memchr(b'@', inner)?)?;
    let right = right.get(1..)?;
    let printable = |part: &[u8]| {
        !part.is_empty() && part.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'@'))
    };
    if !printable(left) || !printable(right) || timestamp.len() > 512 {
        return None;
    }
    Some(hex(&Md5::new().chain_update(timestamp).chain_update(secret.expose()).finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apop_as_in_rfc_1939() {
        let secret = Secret::new(b"tanstaaf".to_vec());
        let digest = apop(b"<1896.697170952@dbc.mtview.ca.us>", &secret);
        assert_eq!(digest.as_deref(), Some("c4c9334bac560ecc979e58001b3e22fb"));
        for bad in ["<@x>", "<x@>", "<x>", "x@y", "<x@y@z>", "<x\u{1}@y>", "<x y@z>", ""] {
            assert_eq!(apop(bad.as_bytes(), &secret), None, "{bad}");
        }
    }

    #[test]
    fn long_passwords_and_nul_bytes_are_hashed_whole() {
        // CVE-2026-43859: a password over 64 bytes was cut at a NUL.
        let one = cram_md5("u", &Secret::new([&[b'a'; 70][..], b"\0b"].concat()), b"<c@d>");
        let two = cram_md5("u", &Secret::new([&[b'a'; 70][..], b"\0c"].concat()), b"<c@d>");
        assert_ne!(one, two);
        assert_eq!(cram_md5("u", &Secret::new(b"x".to_vec()), b""), None);
    }
}
