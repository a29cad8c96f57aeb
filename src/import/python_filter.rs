//! `OfflineIMAP`'s `folderfilter` as folder patterns, matched by its usual forms and never run.

use super::python::{Literal, Token, parse_literal, tokens};
use super::python_names::{DEEPEST, arguments, lambda, parenthesised, split_at_name};
use super::regex_names;

/// The patterns that `folderfilter` lets through, in mailferry's order (last match wins); `None` if its form is unknown.
#[must_use]
pub fn folder_filter(expression: &str) -> Option<Vec<String>> {
    let tokens = tokens(expression)?;
    let (name, body) = lambda(&tokens)?;
    let filter = condition(name, body, 0)?;
    let mut patterns = filter.include.unwrap_or_else(|| vec!["*".to_owned()]);
    patterns.extend(filter.exclude.into_iter().map(|pattern| format!("!{pattern}")));
    Some(patterns)
}

/// Names that are in `include` (all, if `None`) and not in `exclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    include: Option<Vec<String>>,
    exclude: Vec<String>,
}

impl Filter {
    fn only(include: Vec<String>) -> Self {
        Self { include: Some(include), exclude: Vec::new() }
    }

    fn negated(self) -> Option<Self> {
        match self {
            Self { include: Some(include), exclude } if exclude.is_empty() => {
                Some(Self { include: None, exclude: include })
            }
            Self { include: None, exclude } => Some(Self::only(exclude)),
            Self { .. } => None,
        }
    }

    fn and(mut self, other: Self) -> Option<Self> {
        self.include = match (self.include, other.include) {
            (Some(_), Some(_)) => return None,
            (a, b) => a.or(b),
        };
        self.exclude.extend(other.exclude);
        Some(self)
    }

    fn or(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self { include: Some(mut a), exclude: x }, Self { include: Some(b), exclude: y })
                if x.is_empty() && y.is_empty() =>
            {
                a.extend(b);
                Some(Self::only(a))
            }
            _ => None,
        }
    }
}

/// A condition over `name`: `or` binds weakest, then `and`, then `not`.
fn condition(name: &str, tokens: &[Token], depth: usize) -> Option<Filter> {
    if depth > DEEPEST {
        return None;
    }
    for (word, join) in [("or", Filter::or as fn(Filter, Filter) -> Option<Filter>), ("and", Filter::and)] {
        let parts = split_at_name(tokens, word);
        if parts.len() > 1 {
            let filters: Option<Vec<_>> = parts.iter().map(|part| condition(name, part, depth + 1)).collect();
            let mut filters = filters?.into_iter();
            let first = filters.next()?;
            return filters.try_fold(first, join);
        }
    }
    if let [not, rest @ ..] = tokens
        && not.is_name("not")
    {
        return condition(name, rest, depth + 1)?.negated();
    }
    if let Some(inner) = parenthesised(tokens) {
        return condition(name, inner, depth + 1);
    }
    atom(name, tokens)
}

/// One test of the name.
fn atom(name: &str, tokens: &[Token]) -> Option<Filter> {
    match tokens {
        [word] if word.is_name("True") => Some(Filter { include: None, exclude: Vec::new() }),
        [own, Token::Op('='), Token::Op('='), Token::Text(text)] if own.is_name(name) => {
            Some(Filter::only(vec![plain(text)?]))
        }
        [own, Token::Op('!'), Token::Op('='), Token::Text(text)] if own.is_name(name) => {
            Filter::only(vec![plain(text)?]).negated()
        }
        [own, word, list @ ..] if own.is_name(name) && word.is_name("in") => Some(Filter::only(exact(list)?)),
        [own, not, word, list @ ..] if own.is_name(name) && not.is_name("not") && word.is_name("in") => {
            Filter::only(exact(list)?).negated()
        }
        [Token::Text(text), word, own] if own.is_name(name) && word.is_name("in") => {
            Some(Filter::only(vec![format!("*{}*", plain(text)?)]))
        }
        [own, Token::Op('.'), Token::Name(method), call @ ..] if own.is_name(name) => {
            let (literal, rest) = parse_literal(call, 0)?;
            let texts = rest.is_empty().then(|| literal.texts()).flatten()?;
            let texts = texts.iter().map(|text| plain(text)).collect::<Option<Vec<_>>>()?;
            match method.as_str() {
                "startswith" => Some(Filter::only(texts.iter().map(|text| format!("{text}*")).collect())),
                "endswith" => Some(Filter::only(texts.iter().map(|text| format!("*{text}")).collect())),
                _ => None,
            }
        }
        [re, Token::Op('.'), Token::Name(method), call @ ..] if re.is_name("re") => {
            let arguments = arguments(parenthesised(call)?);
            let [[Token::Text(pattern)], [own]] = arguments.as_slice() else {
                return None;
            };
            let anchored = match method.as_str() {
                "search" => false,
                "match" => true,
                _ => return None,
            };
            own.is_name(name).then(|| regex_names::globs(pattern, anchored)).flatten().map(Filter::only)
        }
        _ => None,
    }
}

/// A list of names.
fn exact(tokens: &[Token]) -> Option<Vec<String>> {
    let (literal, rest) = parse_literal(tokens, 0)?;
    match literal {
        Literal::List(_) if rest.is_empty() => literal.texts()?.iter().map(|text| plain(text)).collect(),
        Literal::List(_) | Literal::Text(_) | Literal::Number(_) | Literal::Word(_) => None,
    }
}

/// A name as a pattern; wildcards cannot be escaped, nor a leading `!`.
fn plain(name: &str) -> Option<String> {
    (!name.contains(['*', '%']) && !name.starts_with('!')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn filter(expression: &str, patterns: &[&str]) {
        assert_eq!(folder_filter(expression).unwrap_or_default(), patterns, "{expression}");
    }

    #[test]
    fn filters_of_the_manual() {
        filter("lambda f: f in ['INBOX', 'Sent']", &["INBOX", "Sent"]);
        filter("lambda foldername: foldername not in ['Trash', 'Del']", &["*", "!Trash", "!Del"]);
        filter("lambda f: not re.search('(^Trash$|Del)', f)", &["*", "!Trash", "!*Del*"]);
        filter("lambda f: re.search('Important', f)", &["*Important*"]);
        filter("lambda f: f.startswith(('INBOX', 'Lists')) and not f == 'Lists/x'", &["INBOX*", "Lists*", "!Lists/x"]);
        filter("lambda f: (f == 'a' or f.endswith('b')) and f != 'cb'", &["a", "*b", "!cb"]);
        filter("lambda f:\n re.match(r'\\[Gmail\\]/(All Mail|Sent)$', f)", &["[Gmail]/All Mail", "[Gmail]/Sent"]);
        filter("lambda f: True", &["*"]);
    }

    #[test]
    fn unknown_filters_are_refused() {
        for text in [
            "lambda f: os.system('x')",
            "mine",
            "lambda f: f in names",
            "lambda f: f in ['a*']",
            "lambda f: f[0] == 'a'",
            "lambda f: f in ['a'] and f in ['b']",
            "lambda f: re.search('a.b', f)",
            "lambda f: re.search('a', f, re.I)",
        ] {
            assert_eq!(folder_filter(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), parts in prop::collection::vec("f|not|and|or|in|\\(|\\)|'a\\|b'|re\\.(search|sub)|,|\\[|\\]|\\.replace|\\{|==", 0..30)) {
            let _ = folder_filter(&text);
            let _ = folder_filter(&format!("lambda f: {}", parts.join(" ")));
        }

        #[test]
        fn deep_nesting_ends(depth in 0_usize..2000) {
            let _ = folder_filter(&format!("lambda f: {}f{}", "(".repeat(depth), ")".repeat(depth)));
            let _ = folder_filter(&format!("lambda f: {}f", "not ".repeat(depth)));
        }
    }
}
