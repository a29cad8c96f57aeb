//! Folder names as directory names: reversible, and never out of the directory that they are put into. PURE.
//!
//! A text level keeps its UTF-8 but for what a path cannot hold, which becomes `%XX`. A raw level has `&` and every 8-bit
//! byte as `%XX` too, which no text level has, so the two never meet. An empty level is a lone `%`.

use crate::account::LayoutKind;
use crate::mail::{Component, FolderName};

/// The longest name of a file or directory, in bytes.
pub(super) const NAME_MAX: usize = 255;

/// Names of one level that mean something else in a Maildir: a server's folder `INBOX/dovecot-keywords` would take the place of
/// INBOX's list of keywords.
const RESERVED: [&str; 5] = ["cur", "new", "tmp", super::keywords::FILE, super::keywords::TEMPORARY];

/// Whether a directory of this name is part of a folder, not a folder.
pub(super) fn is_reserved(name: &[u8]) -> bool {
    RESERVED.iter().any(|r| name == r.as_bytes())
}

/// The directory name of one level; `None` for a raw level that is plain ASCII without `&`, which no server name needs.
pub(super) fn level(component: &Component, layout: LayoutKind) -> Option<String> {
    let (bytes, raw) = match component {
        Component::Text(text) => (text.as_bytes(), false),
        Component::Raw(bytes) => (bytes.as_slice(), true),
    };
    if raw && !bytes.iter().any(|&b| b == b'&' || !b.is_ascii()) {
        return None;
    }
    if bytes.is_empty() {
        return Some("%".to_owned());
    }
    let reserved = is_reserved(bytes);
    let mut out = Vec::with_capacity(bytes.len());
    for (i, &b) in bytes.iter().enumerate() {
        let escape = match b {
            b'/' | b'%' => true,
            b'.' => i == 0 || layout == LayoutKind::MaildirPlusPlus,
            b'&' | 128..=255 => raw,
            _ => b.is_ascii_control() || (reserved && i == 0),
        };
        if escape {
            out.extend_from_slice(format!("%{b:02X}").as_bytes());
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

/// The level that a directory name stands for; `None` where [`level`] would not have made that name.
pub(super) fn level_of(name: &str, layout: LayoutKind) -> Option<Component> {
    let component = if name == "%" {
        Component::Text(String::new())
    } else {
        let mut bytes = Vec::with_capacity(name.len());
        let mut raw = false;
        let mut rest = name.as_bytes();
        while let Some((&c, tail)) = rest.split_first() {
            rest = tail;
            if c == b'%' {
                let (hex, after) = rest.split_at_checked(2)?;
                let byte = u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
                raw |= byte == b'&' || !byte.is_ascii();
                bytes.push(byte);
                rest = after;
            } else {
                bytes.push(c);
            }
        }
        if raw { Component::Raw(bytes) } else { Component::Text(String::from_utf8(bytes).ok()?) }
    };
    (level(&component, layout)? == name).then_some(component)
}

/// The path of a folder below the root, as the names of its directories: several with `nested`, one with `maildir++`
/// (none for INBOX). `None` where a level has no name.
pub(super) fn path_below_root(name: &FolderName, layout: LayoutKind) -> Option<Vec<String>> {
    let levels = name.levels().iter().map(|c| level(c, layout)).collect::<Option<Vec<_>>>()?;
    Some(match layout {
        LayoutKind::Nested => levels,
        LayoutKind::MaildirPlusPlus if name.is_inbox() => Vec::new(),
        LayoutKind::MaildirPlusPlus => vec![format!(".{}", levels.join("."))],
    })
}

/// The folder that a path below the root stands for; `None` where [`path_below_root`] would not have made that path.
pub(super) fn folder_of(parts: &[&str], layout: LayoutKind) -> Option<FolderName> {
    let levels: Vec<&str> = match (layout, parts) {
        (LayoutKind::Nested, _) => parts.to_vec(),
        (LayoutKind::MaildirPlusPlus, []) => return Some(FolderName::inbox()),
        (LayoutKind::MaildirPlusPlus, [one]) => one.strip_prefix('.')?.split('.').collect(),
        (LayoutKind::MaildirPlusPlus, _) => return None,
    };
    let name = FolderName::new(levels.iter().map(|l| level_of(l, layout)).collect::<Option<Vec<_>>>()?)?;
    let back = path_below_root(&name, layout)?;
    back.iter().map(String::as_str).eq(parts.iter().copied()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path(name: &str, layout: LayoutKind) -> String {
        path_below_root(&FolderName::parse(name).unwrap(), layout).unwrap().join("/")
    }

    #[test]
    fn nested_names() {
        let nested = |n| path(n, LayoutKind::Nested);
        assert_eq!(nested("inbox"), "INBOX");
        assert_eq!(nested("Lists/rust"), "Lists/rust");
        assert_eq!(nested("Entwürfe/a.b"), "Entwürfe/a.b");
        assert_eq!(nested("a/../.."), "a/%2E./%2E.");
        assert_eq!(nested(".mailferry"), "%2Emailferry");
        assert_eq!(nested("cur/New/tmpx/new"), "%63ur/New/tmpx/%6Eew");
        assert_eq!(nested("100%\t"), "100%25%09");
        assert_eq!(nested("R&D"), "R&D");
    }

    #[test]
    fn maildir_plus_plus_names() {
        let flat = |n| path(n, LayoutKind::MaildirPlusPlus);
        assert_eq!(flat("INBOX"), "");
        assert_eq!(flat("INBOX/Work"), ".INBOX.Work");
        assert_eq!(flat("Lists/rust 1.9"), ".Lists.rust 1%2E9");
    }

    #[test]
    fn raw_levels_never_meet_text() {
        let raw = FolderName::new(vec![Component::Raw(b"a&AGE-\xe4/x".to_vec())]).unwrap();
        assert_eq!(path_below_root(&raw, LayoutKind::Nested).unwrap(), ["a%26AGE-%E4%2Fx"]);
        let plain = FolderName::new(vec![Component::Raw(b"abc".to_vec())]).unwrap();
        assert_eq!(path_below_root(&plain, LayoutKind::Nested), None);
    }

    #[test]
    fn names_that_we_would_not_have_made_are_nobodys() {
        for bad in ["100%", "a%2fb", "%41", "%zz", "%", "%2e", "a%C3%BC%", "cur", "tmp", ".x"] {
            let found = folder_of(&[bad], LayoutKind::Nested);
            assert!(found.is_none() || bad == "%", "{bad}: {found:?}");
        }
        assert_eq!(folder_of(&["inbox"], LayoutKind::Nested), None);
        assert_eq!(folder_of(&[".INBOX"], LayoutKind::MaildirPlusPlus), None);
        assert_eq!(folder_of(&[".a..b"], LayoutKind::MaildirPlusPlus), None);
        assert_eq!(folder_of(&["mailferry"], LayoutKind::MaildirPlusPlus), None);
    }

    fn component() -> impl Strategy<Value = Component> {
        prop_oneof![
            prop_oneof![
                Just("cur".to_owned()),
                Just("..".to_owned()),
                "[a-c%/&ü.A-C0-9\0\t\u{7f}\u{85}]{0,6}",
                "\\PC{0,8}"
            ]
            .prop_map(Component::Text),
            proptest::collection::vec(any::<u8>(), 0..5).prop_map(|mut b| {
                b.push(b'&');
                Component::Raw(b)
            })
        ]
    }

    fn folder() -> impl Strategy<Value = FolderName> {
        proptest::collection::vec(component(), 1..4).prop_map(|levels| FolderName::new(levels).unwrap())
    }

    fn layout() -> impl Strategy<Value = LayoutKind> {
        prop_oneof![Just(LayoutKind::Nested), Just(LayoutKind::MaildirPlusPlus)]
    }

    proptest! {
        #[test]
        fn every_folder_has_a_path_of_its_own_and_back(name in folder(), layout in layout()) {
            let parts = path_below_root(&name, layout).unwrap();
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            prop_assert_eq!(folder_of(&parts, layout), Some(name));
        }

        #[test]
        fn no_path_leaves_the_root(name in folder(), layout in layout()) {
            for part in path_below_root(&name, layout).unwrap() {
                prop_assert!(!part.is_empty() && part != "." && part != ".." && !is_reserved(part.as_bytes()));
                prop_assert!(!part.contains(['/', '\0']) && part != ".mailferry" && part != "mailferry"
                    || layout == LayoutKind::Nested && part == "mailferry");
            }
        }

        #[test]
        fn two_folders_never_share_a_path(a in folder(), b in folder(), layout in layout()) {
            prop_assert_eq!(path_below_root(&a, layout) == path_below_root(&b, layout), a == b);
        }

        #[test]
        fn directory_names_of_others_never_panic(text in "\\PC{0,20}", layout in layout()) {
            if let Some(name) = folder_of(&[&text], layout) {
                prop_assert_eq!(path_below_root(&name, layout).unwrap(), [text]);
            }
        }
    }
}
