//! PURE: the name under which a fetched message is stored: the same again for the same message, so that a delivery that was
//! cut off before its row was written finds its own file.

use sha2::{Digest as _, Sha256};

use crate::mail::Digest;

/// The unique part of a file name: digits first, as tools expect, then 128 bits. No byte of it comes from the server.
///
/// `secret` is the state's random number, `source` and `key` say where the message is from, `content` what it is, and `copy` counts
/// messages for which all of that is equal.
#[must_use]
pub fn unique(secret: &str, source: &str, key: Option<&[u8]>, content: Digest, copy: u32) -> Vec<u8> {
    let mut hash = Sha256::new();
    // Lengths keep the parts apart.
    for part in [secret.as_bytes(), source.as_bytes(), key.unwrap_or_default(), &content.0, &copy.to_be_bytes()] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let (digits, rest) = hash.split_at(4);
    let number = digits.iter().fold(0_u32, |n, &byte| n << 8 | u32::from(byte));
    let hex: String = rest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{number:010}.{hex}.mailferry").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_messages_have_equal_names_and_no_others() {
        let content = Digest::of(b"x");
        let name = unique("s", "", Some(b"u"), content, 0);
        assert_eq!(unique("s", "", Some(b"u"), content, 0), name);
        for other in [
            unique("t", "", Some(b"u"), content, 0),
            unique("s", "u", Some(b""), content, 0),
            unique("s", "", Some(b"v"), content, 0),
            unique("s", "", Some(b"u"), Digest::of(b"y"), 0),
            unique("s", "", Some(b"u"), content, 1),
        ] {
            assert_ne!(other, name);
        }
        let text = String::from_utf8(unique("s", "", Some(b"../\0\xff"), content, 0)).unwrap();
        assert!(text[..10].bytes().all(|c| c.is_ascii_digit()) && text.ends_with(".mailferry") && !text.contains('/'));
    }
}
