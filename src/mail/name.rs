//! A folder's name as people see it: levels of text, whatever the server's separator or encoding.

use std::fmt;

/// One level of a folder name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Component {
    /// Text, decoded from modified UTF-7 (RFC 3501 §5.1.3) or UTF-8.
    Text(String),
    /// A server name that is not the canonical encoding of what it decodes to: kept by its bytes, so that
    /// two server names never meet in one folder.
    Raw(Vec<u8>),
}

impl Component {
    /// What people read; bytes that are no ASCII show as `%XX`.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Raw(bytes) => bytes
                .iter()
                .map(|&b| if b.is_ascii() && b != b'&' { char::from(b).to_string() } else { format!("%{b:02X}") })
                .collect(),
        }
    }
}

/// The levels of a folder name, outermost first, never empty. `INBOX` is spelt so whatever the case on the
/// server (RFC 9051 §5.1), also where it is the first of several levels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FolderName(Vec<Component>);

impl FolderName {
    /// From levels; `None` if there is none.
    #[must_use]
    pub fn new(mut levels: Vec<Component>) -> Option<Self> {
        if let Component::Text(first) = levels.first_mut()?
            && first.eq_ignore_ascii_case("INBOX")
        {
            *first = "INBOX".to_owned();
        }
        Some(Self(levels))
    }

    /// From text with `/` between the levels, as in a profile. `None` if a level is empty.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.split('/').any(str::is_empty) {
            return None;
        }
        Self::new(text.split('/').map(|level| Component::Text(level.to_owned())).collect())
    }

    /// INBOX itself.
    #[must_use]
    pub fn inbox() -> Self {
        Self(vec![Component::Text("INBOX".to_owned())])
    }

    /// Whether it is INBOX itself, not a folder below it.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        matches!(self.0.as_slice(), [Component::Text(only)] if only == "INBOX")
    }

    /// The levels, outermost first.
    #[must_use]
    pub fn levels(&self) -> &[Component] {
        &self.0
    }

    /// The last level's text.
    #[must_use]
    pub fn leaf(&self) -> String {
        self.0.last().map(Component::display).unwrap_or_default()
    }

    /// The folder above; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        (!above.is_empty()).then(|| Self(above.to_vec()))
    }
}

impl fmt::Display for FolderName {
    /// The levels with `/` between them: for people, patterns and JSON. The state keys folders by [`FolderName::key`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, level) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("/")?;
            }
            f.write_str(&level.display())?;
        }
        Ok(())
    }
}

impl FolderName {
    /// An injective text form for the state: levels joined by `/`, with `%` and `/` inside a text level as `%25` and
    /// `%2F`, and raw levels with `&` and every 8-bit byte as `%XX`.
    #[must_use]
    pub fn key(&self) -> String {
        let level = |c: &Component| match c {
            Component::Text(text) => text.replace('%', "%25").replace('/', "%2F"),
            Component::Raw(bytes) => bytes
                .iter()
                .map(|&b| match b {
                    b'%' | b'/' | b'&' | 128..=255 => format!("%{b:02X}"),
                    _ => char::from(b).to_string(),
                })
                .collect(),
        };
        self.0.iter().map(level).collect::<Vec<_>>().join("/")
    }

    /// The inverse of [`FolderName::key`].
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let level = |text: &str| -> Option<Component> {
            let mut bytes = Vec::new();
            let mut raw = false;
            let mut rest = text.as_bytes();
            while let Some((&c, tail)) = rest.split_first() {
                rest = tail;
                if c == b'%' {
                    let (hex, after) = rest.split_at_checked(2)?;
                    let byte = u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
                    raw |= byte == b'&' || byte >= 128;
                    bytes.push(byte);
                    rest = after;
                } else {
                    bytes.push(c);
                }
            }
            Some(if raw { Component::Raw(bytes) } else { Component::Text(String::from_utf8(bytes).ok()?) })
        };
        Self::new(key.split('/').map(level).collect::<Option<Vec<_>>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn inbox_has_one_spelling() {
        assert_eq!(FolderName::parse("inbox"), Some(FolderName::inbox()));
        assert_eq!(FolderName::parse("Inbox/Work").map(|n| n.to_string()), Some("INBOX/Work".into()));
        assert_eq!(FolderName::parse("Work/inbox").map(|n| n.to_string()), Some("Work/inbox".into()));
        assert_eq!(FolderName::parse("a//b"), None);
    }

    fn component() -> impl Strategy<Value = Component> {
        prop_oneof![
            "[a-c%/&ü.]{1,5}".prop_map(Component::Text),
            proptest::collection::vec(any::<u8>(), 0..5).prop_map(|mut b| {
                b.push(b'&');
                Component::Raw(b)
            })
        ]
    }

    proptest! {
        #[test]
        fn keys_are_reversible(levels in proptest::collection::vec(component(), 1..4)) {
            let name = FolderName::new(levels);
            prop_assert_eq!(name.as_ref().map(FolderName::key).and_then(|k| FolderName::from_key(&k)), name);
        }

        #[test]
        fn from_key_never_panics(key in "\\PC{0,20}") {
            let _ = FolderName::from_key(&key);
        }
    }
}
