//! Patterns over folder names: `*` any text, `%` text within one level, a leading `!` excludes, the last match wins.

use super::name::FolderName;

/// An ordered list of patterns, as in the key `folders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    rules: Vec<(bool, String)>,
    /// A second list that must match too.
    narrowed: Option<Box<Patterns>>,
}

impl Patterns {
    /// From their texts. A list that begins with an exclusion starts from "everything".
    #[must_use]
    pub fn new<S: AsRef<str>>(texts: &[S]) -> Self {
        let rules: Vec<(bool, String)> = texts
            .iter()
            .map(|text| match text.as_ref().strip_prefix('!') {
                Some(rest) => (false, fold_inbox(rest)),
                None => (true, fold_inbox(text.as_ref())),
            })
            .collect();
        Self { rules, narrowed: None }
    }

    /// Every folder.
    #[must_use]
    pub fn all() -> Self {
        Self::new(&["*"])
    }

    /// What both lists select: `--folder` over `folders`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.narrowed = Some(Box::new(match self.narrowed.take() {
            Some(inner) => inner.and(other),
            None => other,
        }));
        self
    }

    /// Whether the folder is selected.
    #[must_use]
    pub fn matches(&self, name: &FolderName) -> bool {
        let text = name.to_string();
        let start = self.rules.first().is_some_and(|(include, _)| !include);
        let selected =
            self.rules.iter().fold(
                start,
                |now, (include, pattern)| {
                    if glob(pattern.as_bytes(), text.as_bytes()) { *include } else { now }
                },
            );
        selected && self.narrowed.as_ref().is_none_or(|other| other.matches(name))
    }

    /// Whether a pattern without wildcards names exactly this folder and includes it.
    #[must_use]
    pub fn names(&self, name: &FolderName) -> bool {
        let text = name.to_string();
        self.rules.iter().any(|(include, pattern)| *include && *pattern == text)
            || self.narrowed.as_ref().is_some_and(|other| other.names(name))
    }

    /// The including patterns that match none of `names`: likely typing errors.
    #[must_use]
    pub fn unmatched<'a>(&'a self, names: &[FolderName]) -> Vec<&'a str> {
        let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
        let unused = |pattern: &str| !texts.iter().any(|t| glob(pattern.as_bytes(), t.as_bytes()));
        let own = self.rules.iter().filter(|(include, p)| *include && unused(p)).map(|(_, p)| p.as_str());
        own.chain(self.narrowed.iter().flat_map(|other| other.unmatched(names))).collect()
    }
}

/// INBOX matches in any case, also as the first level.
fn fold_inbox(pattern: &str) -> String {
    let first = pattern.split('/').next().unwrap_or_default();
    match (first.eq_ignore_ascii_case("INBOX"), pattern.get(first.len()..)) {
        (true, Some(rest)) => format!("INBOX{rest}"),
        _ => pattern.to_owned(),
    }
}

/// Linear-time matching: on a mismatch only the latest `*` and the latest `%` after it are tried again.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut level: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(p), text.get(t)) {
            (Some(b'*'), _) => {
                star = Some((p + 1, t));
                level = None;
                p += 1;
                continue;
            }
            (Some(b'%'), _) => {
                level = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(a), Some(b)) if a == b => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        match (level, star) {
            (Some((after, from)), _) if text.get(from).is_some_and(|&c| c != b'/') => {
                level = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            (_, Some((after, from))) if from < text.len() => {
                star = Some((after, from + 1));
                level = None;
                (p, t) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(patterns: &[&str], name: &str) -> bool {
        FolderName::parse(name).is_some_and(|n| Patterns::new(patterns).matches(&n))
    }

    #[test]
    fn last_match_wins() {
        let p = ["INBOX", "Lists/*", "!Lists/noise"];
        assert!(matched(&p, "inbox") && matched(&p, "Lists/rust") && matched(&p, "Lists/a/b"));
        assert!(!matched(&p, "Lists/noise") && !matched(&p, "Work") && !matched(&p, "INBOX/x"));
        assert!(matched(&["!Spam"], "Work") && !matched(&["!Spam"], "Spam"));
        assert!(matched(&["*", "!a/*", "a/b"], "a/b"));
    }

    #[test]
    fn percent_stays_within_a_level() {
        assert!(matched(&["%"], "Work") && !matched(&["%"], "Work/x"));
        assert!(matched(&["a/%/c"], "a/b/c") && !matched(&["a/%/c"], "a/b/b/c"));
        assert!(matched(&["*/%x"], "a/b/yx") && matched(&["%*"], "a/b") && matched(&["inbox/%"], "INBOX/Work"));
    }

    #[test]
    fn a_second_list_narrows() {
        let both = Patterns::new(&["*", "!Spam"]).and(Patterns::new(&["Work", "Spam", "inbox"]));
        let name = |text: &str| FolderName::parse(text).unwrap();
        assert!(both.matches(&name("Work")) && both.matches(&name("INBOX")));
        assert!(!both.matches(&name("Spam")) && !both.matches(&name("Lists")));
        assert!(!both.clone().and(Patterns::new(&["x"])).matches(&name("Work")));
        assert!(both.names(&name("Work")) && !both.names(&name("Lists")));
        assert_eq!(both.unmatched(&[name("Work"), name("INBOX")]), ["Spam"]);
    }

    #[test]
    fn hostile_patterns_are_linear() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matched(&[&pattern], &"a".repeat(5000)));
    }
}
