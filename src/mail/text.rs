//! The one filter between text from outside and people: control and bidi characters and secrets out, length bounded.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// What must not be shown though a server echoes it.
static SECRETS: RwLock<Vec<Zeroizing<String>>> = RwLock::new(Vec::new());

/// Has the filter replace this secret of `user` from now on, in clear and as SASL encodes it.
pub fn protect(user: &str, secret: &[u8]) {
    let Ok(text) = std::str::from_utf8(secret) else { return };
    let plain = Zeroizing::new(format!("\0{user}\0{text}"));
    let forms = [text.to_owned(), STANDARD.encode(secret), STANDARD.encode(plain.as_bytes())];
    let forms = forms.into_iter().chain(cores(secret));
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    for form in forms.filter(|form| !form.is_empty()).map(Zeroizing::new) {
        if !secrets.contains(&form) {
            secrets.push(form);
        }
    }
}

/// What any base64 shows of a secret inside a longer text (a challenge that quotes a token), for each of the three ways in which its bytes
/// may fall; short ones would hit by chance and are left out.
fn cores(secret: &[u8]) -> impl Iterator<Item = String> + '_ {
    (0..3).filter_map(move |shift| {
        let placed = Zeroizing::new([vec![0; shift], secret.to_vec()].concat());
        let text = Zeroizing::new(STANDARD.encode(placed.as_slice()));
        // The first and the last characters also hold bits of what stands around.
        let core = text.get((shift * 8).div_ceil(6)..placed.len() * 8 / 6)?;
        (core.len() >= 8).then(|| core.to_owned())
    })
}

/// `text` without the secrets. A short one counts only as a whole word: a password `word` must not spoil `password`.
fn without_secrets(text: &str) -> String {
    let mut out = text.to_owned();
    for secret in SECRETS.read().unwrap_or_else(PoisonError::into_inner).iter() {
        let mut from = 0;
        while let Some(at) = out.get(from..).and_then(|rest| rest.find(secret.as_str())).map(|at| at + from) {
            let end = at + secret.len();
            let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            let before = out.get(..at).and_then(|s| s.chars().next_back());
            let after = out.get(end..).and_then(|s| s.chars().next());
            if secret.len() >= 8 || !(inside(before) || inside(after)) {
                out.replace_range(at..end, "***");
                from = at + 3;
            } else {
                from = end;
            }
        }
    }
    out
}

/// Whether a terminal could act on `c`, or `c` could reorder what stands around it: C0, DEL, C1, bidi controls.
#[must_use]
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` for people: dangerous characters become `\u{fffd}`, at most 200 characters are kept.
#[must_use]
pub fn clean(text: &str) -> String {
    clean_to(text, 200)
}

/// As [`clean`], with a limit of its own.
#[must_use]
pub fn clean_to(text: &str, limit: usize) -> String {
    let text = without_secrets(text);
    let mut out: String =
        text.trim().chars().take(limit).map(|c| if is_dangerous(c) { '\u{fffd}' } else { c }).collect();
    if text.trim().chars().nth(limit).is_some() {
        out.push('…');
    }
    out
}

/// Bytes for people: as UTF-8 where they are, each other byte as `\u{fffd}`.
#[must_use]
pub fn clean_bytes(bytes: &[u8]) -> String {
    clean(&String::from_utf8_lossy(bytes.get(..4096).unwrap_or(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoed_secrets_are_replaced() {
        protect("me", b"text-test-secret");
        protect("me", b"qzx");
        assert_eq!(clean("a text-test-secret, b"), "a ***, b");
        assert_eq!(clean("qzx qzxy (qzx)"), "*** qzxy (***)");
        assert_eq!(clean(&STANDARD.encode("\0me\0text-test-secret")), "***");
        for around in ["", "a", "ab", "abc"] {
            let shown = clean(&STANDARD.encode(format!("{around}text-test-secret{around}")));
            assert!(shown.contains("***") && shown.len() < 16, "{shown}");
        }
    }

    #[test]
    fn terminals_stay_safe() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\r\nd\u{9b}x"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}d\u{fffd}x");
        assert_eq!(clean(&"ü".repeat(300)).chars().count(), 201);
        assert_eq!(clean_bytes(b"Postf\xe4cher"), "Postf\u{fffd}cher");
    }
}
