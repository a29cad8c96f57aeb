//! The one filter between text from outside and people: control and bidi characters out, length bounded.

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
    fn terminals_stay_safe() {
        assert_eq!(clean("a\x1b[2Jb\u{202e}c\r\nd\u{9b}x"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}d\u{fffd}x");
        assert_eq!(clean(&"ü".repeat(300)).chars().count(), 201);
        assert_eq!(clean_bytes(b"Postf\xe4cher"), "Postf\u{fffd}cher");
    }
}
