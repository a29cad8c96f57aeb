//! The lines, words and sections of an mbsyncrc.

use crate::import::ini;
use crate::import::model::Warning;

/// What a section describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Options before the first section.
    Global,
    /// `IMAPAccount`.
    ImapAccount,
    /// `IMAPStore`.
    ImapStore,
    /// `MaildirStore`.
    MaildirStore,
    /// `Channel`.
    Channel,
    /// `Group`.
    Group,
}

/// One keyword with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// In lower case.
    pub key: String,
    /// Quotes and escapes resolved.
    pub args: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

impl Setting {
    /// The first argument, or nothing.
    #[must_use]
    pub fn arg(&self) -> &str {
        self.args.first().map_or("", String::as_str)
    }

    /// The first argument as yes or no.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        ini::boolean(self.arg())
    }
}

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it describes.
    pub kind: Kind,
    /// Its name; empty for [`Kind::Global`].
    pub name: String,
    /// Line of its header.
    pub line: usize,
    /// In file order.
    pub settings: Vec<Setting>,
}

impl Section {
    /// The last setting called one of `keys` (lower case).
    #[must_use]
    pub fn get(&self, keys: &[&str]) -> Option<&Setting> {
        self.settings.iter().rev().find(|setting| keys.contains(&setting.key.as_str()))
    }

    /// The first argument of `key`, or nothing.
    #[must_use]
    pub fn text(&self, keys: &[&str]) -> &str {
        self.get(keys).map_or("", Setting::arg)
    }
}

/// The sections of `text`, the global one first, and what is wrong with it.
#[must_use]
pub fn parse(text: &str) -> (Vec<Section>, Vec<Warning>) {
    let mut sections = vec![Section { kind: Kind::Global, name: String::new(), line: 1, settings: Vec::new() }];
    let mut problems = Vec::new();
    // Index of the section that settings go to: 0 is the global one.
    let mut current = 0;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            current = 0;
            continue;
        }
        let (words, complete) = words(line);
        if !complete {
            problems.push(Warning::new(number, "unclosed quote or escape; read up to the end of the line"));
        }
        let Some((keyword, args)) = words.split_first() else {
            continue;
        };
        let key = keyword.to_ascii_lowercase();
        let in_group = sections.get(current).is_some_and(|section| section.kind == Kind::Group);
        if let Some(kind) = section_kind(&key).filter(|kind| !(in_group && *kind == Kind::Channel)) {
            if current != 0 {
                problems.push(Warning::new(number, "mbsync wants an empty line before a new section"));
            }
            let name = args.first().cloned().unwrap_or_default();
            let mut section = Section { kind, name, line: number, settings: Vec::new() };
            if kind == Kind::Group && args.len() > 1 {
                let channels = args.get(1..).unwrap_or_default().to_vec();
                section.settings.push(Setting { key: "channels".to_owned(), args: channels, line: number });
            }
            current = sections.len();
            sections.push(section);
            continue;
        }
        if current == 0 && sections.len() > 1 {
            problems.push(Warning::new(
                number,
                format!("{keyword} stands after a section ended; it is taken for a global option"),
            ));
        }
        if let Some(section) = sections.get_mut(current) {
            section.settings.push(Setting { key, args: args.to_vec(), line: number });
        }
    }
    (sections, problems)
}

fn section_kind(key: &str) -> Option<Kind> {
    match key {
        "imapaccount" => Some(Kind::ImapAccount),
        "imapstore" => Some(Kind::ImapStore),
        "maildirstore" => Some(Kind::MaildirStore),
        "channel" => Some(Kind::Channel),
        "group" => Some(Kind::Group),
        _ => None,
    }
}

/// The words of a line, and whether its last quote and escape were complete.
///
/// A quote opens and closes anywhere in a word, a backslash takes the next character as it is, and `#` starts a comment only where a
/// word would start.
#[must_use]
pub fn words(line: &str) -> (Vec<String>, bool) {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return (finish(words, word), false),
            },
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            _ if quoted => word.get_or_insert_default().push(c),
            '#' if word.is_none() => break,
            _ if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    (finish(words, word), !quoted)
}

fn finish(mut words: Vec<String>, word: Option<String>) -> Vec<String> {
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_escapes_and_comments() {
        assert_eq!(words(r#"PassCmd "echo \"a b\" # c" # comment"#).0, ["PassCmd", "echo \"a b\" # c"]);
        assert_eq!(words(r#"Patterns * !"[Gmail]*" a\ b x#y"#).0, ["Patterns", "*", "![Gmail]*", "a b", "x#y"]);
        assert_eq!(words("Far \"\"").0, ["Far", ""]);
        assert!(!words("Pass \"open").1);
        assert!(!words("Pass open\\").1);
    }

    #[test]
    fn an_empty_line_ends_a_section_and_a_comment_does_not() {
        let (sections, problems) =
            parse("Sync Pull\n\nChannel a\n# x\nExpunge Both\n \nCreate Both\nGroup g a b\nChannel c\nIMAPStore s\n");
        let kinds: Vec<_> = sections.iter().map(|section| (section.kind, section.settings.len())).collect();
        assert_eq!(kinds, [(Kind::Global, 2), (Kind::Channel, 1), (Kind::Group, 2), (Kind::ImapStore, 0)]);
        assert_eq!(problems.len(), 2);
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "[ a\"\\\\#é]{0,40}", text in any::<String>()) {
            let _ = words(&line);
            let _ = parse(&text);
        }
    }
}
