//! Mailbox names: the server's bytes to levels of text and back (RFC 3501 §5.1.3, modified UTF-7). PURE.

use super::command::MailboxName;
use crate::mail::{Component, FolderName};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The folder that the server's bytes name. A level that is not the canonical encoding of what it decodes to is kept by
/// its bytes. A name with an empty level (`a//b`) is one level of text as a whole. `None` for the empty name.
#[must_use]
pub fn decode(wire: &[u8], delimiter: Option<u8>, utf8: bool) -> Option<FolderName> {
    if wire.is_empty() {
        return None;
    }
    let parts: Vec<&[u8]> = match delimiter {
        Some(delimiter) => wire.split(|&c| c == delimiter).collect(),
        None => vec![wire],
    };
    if parts.iter().any(|part| part.is_empty()) {
        return FolderName::new(vec![component(wire, utf8)]);
    }
    FolderName::new(parts.into_iter().map(|part| component(part, utf8)).collect())
}

fn component(wire: &[u8], utf8: bool) -> Component {
    let text = if utf8 { std::str::from_utf8(wire).ok().map(str::to_owned) } else { from_utf7(wire) };
    text.map_or_else(|| Component::Raw(wire.to_vec()), Component::Text)
}

/// The server's bytes for a folder. `None` where the server has no such name: a level holds the delimiter, there are
/// several levels and no delimiter, or the bytes would come back as another name.
#[must_use]
pub fn encode(name: &FolderName, delimiter: Option<u8>, utf8: bool) -> Option<MailboxName> {
    let mut out: Vec<u8> = Vec::new();
    for (i, level) in name.levels().iter().enumerate() {
        if i > 0 {
            out.push(delimiter?);
        }
        match level {
            Component::Text(text) if utf8 => out.extend_from_slice(text.as_bytes()),
            Component::Text(text) => to_utf7(text, &mut out),
            Component::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
    (decode(&out, delimiter, utf8).as_ref() == Some(name)).then(|| MailboxName::new(&out))
}

/// The text that one piece of modified UTF-7 stands for, such as a Gmail label; `None` if it is not canonical.
#[must_use]
pub fn from_utf7(wire: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut rest = wire;
    while let Some((&c, tail)) = rest.split_first() {
        rest = tail;
        match c {
            b'&' => {
                let end = memchr::memchr(b'-', rest)?;
                let (shifted, after) = rest.split_at(end);
                rest = after.get(1..)?;
                if shifted.is_empty() {
                    text.push('&');
                } else {
                    text.push_str(&shifted_text(shifted)?);
                }
            }
            b' '..=b'~' => text.push(char::from(c)),
            _ => return None,
        }
    }
    let mut again = Vec::with_capacity(wire.len());
    to_utf7(&text, &mut again);
    (again == wire).then_some(text)
}

fn shifted_text(base64: &[u8]) -> Option<String> {
    let (mut bits, mut held) = (0u32, 0u32);
    let mut units: Vec<u16> = Vec::new();
    for c in base64 {
        let six = ALPHABET.iter().position(|a| a == c)?;
        held = (held << 6) | u32::try_from(six).ok()?;
        bits += 6;
        if bits >= 16 {
            bits -= 16;
            units.push(u16::try_from((held >> bits) & 0xffff).ok()?);
            held &= (1 << bits) - 1;
        }
    }
    String::from_utf16(&units).ok()
}

fn to_utf7(text: &str, out: &mut Vec<u8>) {
    let mut shifted: Vec<u16> = Vec::new();
    for c in text.chars() {
        if (' '..='~').contains(&c) {
            shift(&mut shifted, out);
            if c == '&' {
                out.extend_from_slice(b"&-");
            } else {
                out.extend(u8::try_from(c));
            }
        } else {
            shifted.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    shift(&mut shifted, out);
}

/// Writes what was gathered of a shifted run, and empties it.
fn shift(units: &mut Vec<u16>, out: &mut Vec<u8>) {
    if units.is_empty() {
        return;
    }
    out.push(b'&');
    let (mut bits, mut held) = (0u32, 0u32);
    let mut digit = |six: u32| out.extend(usize::try_from(six & 63).ok().and_then(|at| ALPHABET.get(at)));
    for unit in units.drain(..) {
        held = (held << 16) | u32::from(unit);
        bits += 16;
        while bits >= 6 {
            bits -= 6;
            digit(held >> bits);
            held &= (1 << bits) - 1;
        }
    }
    if bits > 0 {
        digit(held << (6 - bits));
    }
    out.push(b'-');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn levels(wire: &[u8]) -> Vec<Component> {
        decode(wire, Some(b'/'), false).map(|n| n.levels().to_vec()).unwrap_or_default()
    }

    fn text(text: &str) -> Component {
        Component::Text(text.to_owned())
    }

    #[test]
    fn known_names() {
        assert_eq!(levels(b"Entw&APw-rfe"), [text("Entwürfe")]);
        assert_eq!(
            levels(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            [text("~peter"), text("mail"), text("台北"), text("日本語")]
        );
        assert_eq!(levels(b"a&-b"), [text("a&b")]);
        assert_eq!(levels(b"&2D3eCQ-"), [text("😉")]);
        assert_eq!(levels(b"inbox/x"), [text("INBOX"), text("x")]);
    }

    #[test]
    fn what_is_not_canonical_stays_as_it_is() {
        for wire in [
            &b"&AGE-"[..],
            b"&AP-",
            b"&!!-",
            b"&APw",
            b"&AOQ-&APY-",
            b"Entw\xFCrfe",
            "Entwürfe".as_bytes(),
            b"a\x1bb",
            b"&2D0-",
        ] {
            assert_eq!(levels(wire), [Component::Raw(wire.to_vec())], "{wire:?}");
        }
        assert_eq!(decode("Entwürfe".as_bytes(), None, true), FolderName::new(vec![text("Entwürfe")]));
    }

    #[test]
    fn empty_levels_and_foreign_delimiters() {
        assert_eq!(decode(b"", Some(b'/'), false), None);
        assert_eq!(levels(b"a//b"), [text("a//b")]);
        let odd = FolderName::new(vec![text("a.b")]).expect("a level");
        assert_eq!(encode(&odd, Some(b'.'), false), None);
        assert_eq!(encode(&odd, Some(b'/'), false), Some(MailboxName::new(b"a.b")));
        let two = FolderName::new(vec![text("a"), text("b")]).expect("levels");
        assert_eq!(encode(&two, None, false), None);
        assert_eq!(encode(&two, Some(b'.'), false), Some(MailboxName::new(b"a.b")));
    }

    proptest! {
        #[test]
        fn any_wire_name_comes_back(wire in proptest::collection::vec(prop_oneof![
                Just(b'&'), Just(b'-'), Just(b'/'), Just(b'A'), Just(b'P'), Just(b'w'), Just(b','), any::<u8>()], 1..12), utf8: bool) {
            let name = decode(&wire, Some(b'/'), utf8).expect("not empty");
            let first = wire.split(|&c| c == b'/').next().unwrap_or_default();
            if !first.eq_ignore_ascii_case(b"INBOX") {
                prop_assert_eq!(encode(&name, Some(b'/'), utf8), Some(MailboxName::new(&wire)));
            }
        }

        #[test]
        fn any_text_comes_back(words in proptest::collection::vec("[^/]{1,8}", 1..4), utf8: bool) {
            let name = FolderName::new(words.into_iter().map(Component::Text).collect()).expect("levels");
            let wire = encode(&name, Some(b'/'), utf8).expect("encodable");
            prop_assert_eq!(decode(wire.as_bytes(), Some(b'/'), utf8), Some(name));
        }
    }
}
