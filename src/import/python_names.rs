//! `OfflineIMAP`'s `nametrans`, matched by its usual forms and never run.

use super::python::{Token, tokens};
use super::regex_names::{self, Simple};

/// Deepest nesting of an expression.
pub(super) const DEEPEST: usize = 32;

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
            Step::Map(pairs) => pairs.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to.clone()),
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
        steps.push(Step::Substitute { pattern: regex_names::simple(pattern)?, with: with.clone() });
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
    steps.push(Step::Substitute { pattern: Simple { text: from.clone(), start: false, end: false }, with: to.clone() });
    Some(())
}

type Pairs = Vec<(String, String)>;

/// `{'a': 'b', …}` and what follows.
fn dictionary(tokens: &[Token]) -> Option<(Pairs, &[Token])> {
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

/// `lambda NAME: BODY`.
pub(super) fn lambda(tokens: &[Token]) -> Option<(&str, &[Token])> {
    match tokens {
        [word, Token::Name(name), Token::Op(':'), body @ ..] if word.is_name("lambda") => Some((name, body)),
        _ => None,
    }
}

/// What stands between the parentheses, if they enclose all of `tokens`.
pub(super) fn parenthesised(tokens: &[Token]) -> Option<&[Token]> {
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
pub(super) fn arguments(tokens: &[Token]) -> Vec<&[Token]> {
    split(tokens, |token| token.is_op(','))
}

/// Splits at a keyword outside of brackets.
pub(super) fn split_at_name<'a>(tokens: &'a [Token], word: &str) -> Vec<&'a [Token]> {
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
            let _ = name_trans(&text);
            let body = format!("lambda f: {}", parts.join(" "));
            let _ = name_trans(&body);
        }

        #[test]
        fn deep_nesting_ends(depth in 0_usize..2000) {
            let _ = name_trans(&format!("lambda f: {}f{}", "re.sub('a','b',".repeat(depth), ")".repeat(depth)));
        }
    }
}
