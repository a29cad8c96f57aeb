//! The INI dialect of Python's `configparser`, as `OfflineIMAP` and getmail read it.

use std::collections::BTreeSet;

use super::model::Warning;

/// Longest value after interpolation, in bytes: nested `%(name)s` could otherwise grow without bound.
const LONGEST_VALUE: usize = 64 * 1024;

/// A parsed file.
#[derive(Clone, Debug, Default)]
pub struct Ini {
    /// In file order; `DEFAULT` is among them.
    pub sections: Vec<Section>,
    /// Lines that are no INI.
    pub problems: Vec<Warning>,
}

/// One `[name]`.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// As written.
    pub name: String,
    /// Line of its header.
    pub line: usize,
    /// In file order, keys in lower case.
    pub entries: Vec<Entry>,
}

/// One `key = value`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In lower case.
    pub key: String,
    /// Continuation lines joined by `\n`.
    pub value: String,
    /// Line of the key.
    pub line: usize,
}

impl Section {
    /// The entry of `key` (lower case); the last one, should it stand twice.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }
}

impl Ini {
    /// The section called `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// `key` of `section`, else of `[DEFAULT]`, with `%(name)s` replaced as `configparser` does.
    #[must_use]
    pub fn interpolated(&self, section: &Section, key: &str) -> Option<Entry> {
        let entry = self.raw(section, key)?;
        let mut value = entry.value.clone();
        // configparser gives up after ten levels, too.
        for _ in 0..10 {
            let (next, replaced) = self.replace_once(section, &value);
            value = next;
            if !replaced || value.len() > LONGEST_VALUE {
                break;
            }
        }
        Some(Entry { value: value.replace("%%", "%"), ..entry.clone() })
    }

    fn raw<'a>(&'a self, section: &'a Section, key: &str) -> Option<&'a Entry> {
        section.entry(key).or_else(|| self.section("DEFAULT").and_then(|default| default.entry(key)))
    }

    fn replace_once(&self, section: &Section, value: &str) -> (String, bool) {
        let (mut out, mut rest, mut replaced) = (String::new(), value, false);
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            if let Some(tail) = after.strip_prefix('%') {
                out.push_str("%%");
                rest = tail;
                continue;
            }
            let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(")s"));
            match reference.and_then(|(name, tail)| Some((self.raw(section, &name.to_lowercase())?, tail))) {
                Some((entry, tail)) if out.len() + entry.value.len() <= LONGEST_VALUE => {
                    out.push_str(&entry.value);
                    replaced = true;
                    rest = tail;
                }
                Some(_) | None => {
                    out.push_str("%%");
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        (out, replaced)
    }
}

/// Reads `text`. What is no INI becomes a problem, never an error.
#[must_use]
pub fn parse(text: &str) -> Ini {
    let mut ini = Ini::default();
    let mut key_indent = 0;
    let mut open = false;
    let mut names = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed.starts_with(';') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if open && indent > key_indent {
            if let Some(entry) = ini.sections.last_mut().and_then(|section| section.entries.last_mut()) {
                if !entry.value.is_empty() {
                    entry.value.push('\n');
                }
                entry.value.push_str(trimmed);
            }
            continue;
        }
        open = false;
        if let Some((name, _)) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            if !names.insert(name.to_owned()) {
                ini.problems.push(Warning::new(number, format!("section [{name}] stands twice; the first counts")));
            }
            ini.sections.push(Section { name: name.to_owned(), line: number, entries: Vec::new() });
            continue;
        }
        let Some(section) = ini.sections.last_mut() else {
            ini.problems.push(Warning::new(number, "stands before the first [section], ignored"));
            continue;
        };
        let Some(position) = trimmed.find(['=', ':']) else {
            // The text is not shown: it may be half of a secret.
            ini.problems.push(Warning::new(number, "is neither a section nor \"key = value\", ignored"));
            continue;
        };
        let (key, value) = trimmed.split_at(position);
        let value = value.get(1..).unwrap_or_default().trim().to_owned();
        section.entries.push(Entry { key: key.trim().to_lowercase(), value, line: number });
        key_indent = indent;
        open = true;
    }
    ini
}

/// `yes`, `no` and their other words.
#[must_use]
pub fn boolean(value: &str) -> Option<bool> {
    match value.trim().to_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "\
# comment
[DEFAULT]
home = /home/anna
[general]
accounts = Work,
   Play   
; another
Path: %(home)s/x%%y%(missing)s
pass = a=b:c#d
";

    #[test]
    fn continuation_interpolation_and_both_delimiters() {
        let ini = parse(SAMPLE);
        let general = ini.section("general").unwrap();
        assert_eq!(general.entry("accounts").unwrap().value, "Work,\nPlay");
        assert_eq!(ini.interpolated(general, "path").unwrap().value, "/home/anna/x%y%(missing)s");
        assert_eq!(general.entry("pass").unwrap().value, "a=b:c#d");
        assert_eq!(general.entry("pass").unwrap().line, 9);
        assert!(ini.problems.is_empty());
    }

    #[test]
    fn problems_name_the_line_and_hide_the_text() {
        let ini = parse("x = 1\n[a]\nsecret\n");
        assert_eq!(ini.problems.len(), 2);
        assert_eq!(ini.problems[1].line, Some(3));
        assert!(!ini.problems[1].text.contains("secret"));
    }

    #[test]
    fn growing_interpolation_ends() {
        let mut text = "[a]\nk0 = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n".to_owned();
        for level in 1..10 {
            text += &format!("k{level} = {}\n", format!("%(k{})s", level - 1).repeat(100));
        }
        let ini = parse(&text);
        assert!(ini.interpolated(ini.section("a").unwrap(), "k9").unwrap().value.len() < 4 * LONGEST_VALUE);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\[a\\]\n)?([ a-c%()s=:\n\\[\\]#;é]|%\\([a-c]\\)s){0,80}") {
            let ini = parse(&text);
            for section in &ini.sections {
                for entry in &section.entries {
                    let _ = ini.interpolated(section, &entry.key);
                }
            }
        }
    }
}
