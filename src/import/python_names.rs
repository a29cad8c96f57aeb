//! OfflineIMAP's Python about folder names, matched by its usual forms and never run: filters as patterns, name translations as steps.

use super::python::{Literal, Token, parse_literal, tokens};
use super::regex_names::{self, Simple};

/// Deepest nesting of an expression.
const DEEPEST: usize = 32;

/// How a server name becomes a local one: steps, applied in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameTrans(pub Vec<Step>);

/// One step of a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `re.sub` with a pattern that is plain text, perhaps anchored.
    Substitute {
        /// What is looked for.
        pattern: Simple,
        /// What takes its place.
        with: String,
    },
    /// `{'a': 'b'}.get(f, f)`: whole names.
    Map(Vec<(String, String)>),
}

impl NameTrans {
    /// The local name of the server's `name`.
    #[must_use]
    pub fn apply(&self, name: &str) -> String {
        self.0.iter().fold(name.to_owned(), |name, step| match step {
            Step::Substitute { pattern, with } => pattern.replace_all(&name, with),
            Step::Map(pairs) => pairs
                .iter()
                .find(|(from, _)| *from == name)
                .map_or(name, |(_, to)| to.clone()),
        })
    }
}

/// The translation of `lambda f: …`; `None` if its form is unknown.
#[must_use]
pub fn name_trans(expression: &str) -> Option<NameTrans> {
    let tokens = tokens(expression)?;
    let (name, body) = lambda(&tokens)?;
    let mut steps = Vec::new();
    translation(name, body, &mut steps, 0)?;
    Some(NameTrans(steps))
}

/// Appends the steps of an expression over `name`, the innermost first.
fn translation(name: &str, tokens: &[Token], steps: &mut Vec<Step>, depth: usize) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    if let [only] = tokens {
        return only.is_name(name).then_some(());
    }
    if let Some(inner) = parenthesised(tokens) {
        return translation(name, inner, steps, depth + 1);
    }
    if let [re, dot, sub, call @ ..] = tokens
        && re.is_name("re")
        && dot.is_op('.')
        && sub.is_name("sub")
    {
        let arguments = arguments(parenthesised(call)?);
        let [[Token::Text(pattern)], [Token::Text(with)], inner] = arguments.as_slice() else {
            return None;
        };
        translation(name, inner, steps, depth + 1)?;
        // A back-reference would need a real engine.
        if with.contains('\\') {
            return None;
        }
        steps.push(Step::Substitute {
            pattern: regex_names::simple(pattern)?,
            with: with.clone(),
        });
        return Some(());
    }
    if let [Token::Op('{'), ..] = tokens {
        let (pairs, rest) = dictionary(tokens)?;
        let [dot, get, call @ ..] = rest else { return None };
        let arguments = arguments(parenthesised(call)?);
        let [[key], [default]] = arguments.as_slice() else {
            return None;
        };
        if dot.is_op('.') && get.is_name("get") && key.is_name(name) && default.is_name(name) {
            steps.push(Step::Map(pairs));
            return Some(());
        }
        return None;
    }
    replace_call(name, tokens, steps, depth)
}

/// `EXPR.replace('a', 'b')`.
fn replace_call(name: &str, tokens: &[Token], steps: &mut Vec<Step>, depth: usize) -> Option<()> {
    let (inner, call) = tokens.split_at(tokens.len().checked_sub(7)?);
    let [dot, replace, open, Token::Text(from), comma, Token::Text(to), close] = call else {
        return None;
    };
    if !(dot.is_op('.') && replace.is_name("replace") && open.is_op('(') && comma.is_op(',') && close.is_op(')')) {
        return None;
    }
    translation(name, inner, steps, depth + 1)?;
    steps.push(Step::Substitute {
        pattern: Simple {
            text: from.clone(),
            start: false,
            end: false,
        },
        with: to.clone(),
    });
    Some(())
}

/// `{'a': 'b', …}` and what follows.
fn dictionary(tokens: &[Token]) -> Option<(Vec<(String, String)>, &[Token])> {
    let mut rest = tokens.get(1..)?;
    let mut pairs = Vec::new();
    loop {
        match rest {
            [Token::Op('}'), tail @ ..] => return Some((pairs, tail)),
            [Token::Text(from), Token::Op(':'), Token::Text(to), tail @ ..] => {
                pairs.push((from.clone(), to.clone()));
                rest = match tail {
                    [Token::Op(','), tail @ ..] => tail,
                    tail => tail,
                };
            }
            _ => return None,
        }
    }
}

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
        Self {
            include: Some(include),
            exclude: Vec::new(),
        }
    }

    fn negated(self) -> Option<Self> {
        match self {
            Self {
                include: Some(include),
                exclude,
            } if exclude.is_empty() => Some(Self {
                include: None,
                exclude: include,
            }),
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
            (
                Self {
                    include: Some(mut a),
                    exclude: x,
                },
                Self {
                    include: Some(b),
                    exclude: y,
                },
            ) if x.is_empty() && y.is_empty() => {
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
    for (word, join) in [
        ("or", Filter::or as fn(Filter, Filter) -> Option<Filter>),
        ("and", Filter::and),
    ] {
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
        [word] if word.is_name("True") => Some(Filter {
            include: None,
            exclude: Vec::new(),
        }),
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
            own.is_name(name)
                .then(|| regex_names::globs(pattern, anchored))
                .flatten()
                .map(Filter::only)
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

/// `lambda NAME: BODY`.
fn lambda(tokens: &[Token]) -> Option<(&str, &[Token])> {
    match tokens {
        [word, Token::Name(name), Token::Op(':'), body @ ..] if word.is_name("lambda") => Some((name, body)),
        _ => None,
    }
}

/// What stands between the parentheses, if they enclose all of `tokens`.
fn parenthesised(tokens: &[Token]) -> Option<&[Token]> {
    let [Token::Op('('), inner @ .., Token::Op(')')] = tokens else {
        return None;
    };
    let mut depth = 0_usize;
    for token in inner {
        match token {
            Token::Op('(') => depth += 1,
            Token::Op(')') => depth = depth.checked_sub(1)?,
            Token::Op(_) | Token::Name(_) | Token::Text(_) | Token::Number(_) => {}
        }
    }
    (depth == 0).then_some(inner)
}

/// Splits at commas outside of brackets.
fn arguments(tokens: &[Token]) -> Vec<&[Token]> {
    split(tokens, |token| token.is_op(','))
}

fn split_at_name<'a>(tokens: &'a [Token], word: &str) -> Vec<&'a [Token]> {
    split(tokens, |token| token.is_name(word))
}

fn split(tokens: &[Token], at: impl Fn(&Token) -> bool) -> Vec<&[Token]> {
    let mut depth = 0_i32;
    tokens
        .split(|token| {
            match token {
                Token::Op('(' | '[' | '{') => depth = depth.saturating_add(1),
                Token::Op(')' | ']' | '}') => depth = depth.saturating_sub(1),
                Token::Op(_) | Token::Name(_) | Token::Text(_) | Token::Number(_) => {}
            }
            depth == 0 && at(token)
        })
        .collect()
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
        filter(
            "lambda foldername: foldername not in ['Trash', 'Del']",
            &["*", "!Trash", "!Del"],
        );
        filter(
            "lambda f: not re.search('(^Trash$|Del)', f)",
            &["*", "!Trash", "!*Del*"],
        );
        filter("lambda f: re.search('Important', f)", &["*Important*"]);
        filter(
            "lambda f: f.startswith(('INBOX', 'Lists')) and not f == 'Lists/x'",
            &["INBOX*", "Lists*", "!Lists/x"],
        );
        filter(
            "lambda f: (f == 'a' or f.endswith('b')) and f != 'cb'",
            &["a", "*b", "!cb"],
        );
        filter(
            "lambda f:\n re.match(r'\\[Gmail\\]/(All Mail|Sent)$', f)",
            &["[Gmail]/All Mail", "[Gmail]/Sent"],
        );
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

    #[test]
    fn translations() {
        let strip = name_trans(r"lambda f: re.sub('^INBOX\.', '', f)").unwrap();
        assert_eq!(
            (strip.apply("INBOX.a.INBOX.b"), strip.apply("INBOX")),
            ("a.INBOX.b".to_owned(), "INBOX".to_owned())
        );
        let nested =
            name_trans(r"lambda foldername: re.sub(r'^\[Gmail\]/', '', re.sub('Sent Mail$', 'sent', foldername))")
                .unwrap();
        assert_eq!(nested.apply("[Gmail]/Sent Mail"), "sent");
        let map = name_trans("lambda f: {'a': 'b', 'c': 'd',}.get(f, f)").unwrap();
        assert_eq!((map.apply("c"), map.apply("x")), ("d".to_owned(), "x".to_owned()));
        let replaced = name_trans("lambda f: f.replace('.', '/').replace('a', 'b')").unwrap();
        assert_eq!(replaced.apply("a.c"), "b/c");
        for text in [
            r"lambda f: re.sub('(.*)', r'x\1', f)",
            "lambda f: f.lower()",
            "lambda f: {'a': 'b'}[f]",
            "lambda f: '.' + f",
        ] {
            assert_eq!(name_trans(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), parts in prop::collection::vec("f|not|and|or|in|\\(|\\)|'a\\|b'|re\\.(search|sub)|,|\\[|\\]|\\.replace|\\{|==", 0..30)) {
            let _ = folder_filter(&text);
            let _ = name_trans(&text);
            let body = format!("lambda f: {}", parts.join(" "));
            let _ = folder_filter(&body);
            let _ = name_trans(&body);
        }

        #[test]
        fn deep_nesting_ends(depth in 0_usize..2000) {
            let _ = folder_filter(&format!("lambda f: {}f{}", "(".repeat(depth), ")".repeat(depth)));
            let _ = folder_filter(&format!("lambda f: {}f", "not ".repeat(depth)));
            let _ = name_trans(&format!("lambda f: {}f{}", "re.sub('a','b',".repeat(depth), ")".repeat(depth)));
        }
    }
}
