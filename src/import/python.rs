//! Python text as `OfflineIMAP` and getmail configurations hold it: tokens and literals, read and never run.

/// Nesting of tuples and lists beyond which a literal is refused.
const DEEPEST: usize = 32;

/// A token of a Python expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A name or keyword.
    Name(String),
    /// A string, its escapes resolved; adjacent strings are one.
    Text(String),
    /// An integer.
    Number(i64),
    /// Any other character; `==` and `!=` are two tokens.
    Op(char),
}

impl Token {
    /// Whether it is this name.
    #[must_use]
    pub fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(own) if own == name)
    }

    /// Whether it is this character.
    #[must_use]
    pub fn is_op(&self, op: char) -> bool {
        *self == Self::Op(op)
    }
}

/// A literal value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// An integer.
    Number(i64),
    /// A bare word such as `True` or getmail's `ALL`.
    Word(String),
    /// A tuple or list.
    List(Vec<Literal>),
}

impl Literal {
    /// The strings of a list of strings, or of a single string.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Text(text) => Some(vec![text.clone()]),
            Self::List(items) => items
                .iter()
                .map(|item| match item {
                    Self::Text(text) => Some(text.clone()),
                    Self::Number(_) | Self::Word(_) | Self::List(_) => None,
                })
                .collect(),
            Self::Number(_) | Self::Word(_) => None,
        }
    }
}

/// The tokens of `text`; `None` for an unclosed string.
#[must_use]
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out: Vec<Token> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() || first == '\\' {
            rest = rest.get(first.len_utf8()..)?;
        } else if first == '#' {
            rest = rest.split_once('\n').map_or("", |(_, tail)| tail);
        } else if let Some((prefix, body)) = string_start(rest) {
            let (text, tail) = string(body, prefix)?;
            if let Some(Token::Text(last)) = out.last_mut() {
                last.push_str(&text);
            } else {
                out.push(Token::Text(text));
            }
            rest = tail;
        } else {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            if end == 0 {
                out.push(Token::Op(first));
                rest = rest.get(first.len_utf8()..)?;
            } else {
                let (word, tail) = rest.split_at(end);
                out.push(word.parse().map_or_else(|_| Token::Name(word.to_owned()), Token::Number));
                rest = tail;
            }
        }
    }
    Some(out)
}

/// Whether a string starts here: its being raw, and the text from the quote on.
fn string_start(text: &str) -> Option<(bool, &str)> {
    // At most two letters can stand before the quote.
    let quote = text.char_indices().take(3).find(|(_, c)| matches!(c, '"' | '\''))?.0;
    let (prefix, body) = text.split_at(quote);
    match prefix.to_ascii_lowercase().as_str() {
        "" | "u" | "b" => Some((false, body)),
        "r" | "br" | "rb" => Some((true, body)),
        _ => None,
    }
}

fn string(text: &str, raw: bool) -> Option<(String, &str)> {
    let quote = text.chars().next()?;
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let end = if text.starts_with(&triple) { triple } else { quote.to_string() };
    let mut rest = text.get(end.len()..)?;
    let mut out = String::new();
    loop {
        if let Some(tail) = rest.strip_prefix(end.as_str()) {
            return Some((out, tail));
        }
        let c = rest.chars().next()?;
        rest = rest.get(c.len_utf8()..)?;
        if c != '\\' {
            out.push(c);
            continue;
        }
        let escaped = rest.chars().next()?;
        rest = rest.get(escaped.len_utf8()..)?;
        match escaped {
            _ if raw => out.extend(['\\', escaped]),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '\n' => {}
            '\\' | '\'' | '"' => out.push(escaped),
            'x' | 'u' => {
                let digits = rest.get(..if escaped == 'x' { 2 } else { 4 })?;
                out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
                rest = rest.get(digits.len()..)?;
            }
            other => out.extend(['\\', other]),
        }
    }
}

/// The literal that `text` is, as a whole.
#[must_use]
pub fn literal(text: &str) -> Option<Literal> {
    let tokens = tokens(text)?;
    let (value, rest) = parse_literal(&tokens, 0)?;
    match rest {
        [] => Some(value),
        // A tuple needs no parentheses.
        [comma, ..] if comma.is_op(',') => {
            let mut items = vec![value];
            let mut rest = rest;
            while let [comma, tail @ ..] = rest
                && comma.is_op(',')
                && !tail.is_empty()
            {
                let (item, after) = parse_literal(tail, 0)?;
                items.push(item);
                rest = after;
            }
            matches!(rest, [] | [Token::Op(',')]).then_some(Literal::List(items))
        }
        _ => None,
    }
}

/// The literal at the start of `tokens`, and what follows it.
#[must_use]
pub fn parse_literal(tokens: &[Token], depth: usize) -> Option<(Literal, &[Token])> {
    let (first, rest) = tokens.split_first()?;
    match first {
        Token::Text(text) => Some((Literal::Text(text.clone()), rest)),
        Token::Number(number) => Some((Literal::Number(*number), rest)),
        Token::Name(name) => Some((Literal::Word(name.clone()), rest)),
        Token::Op('-') => match rest.split_first()? {
            (Token::Number(number), rest) => Some((Literal::Number(number.checked_neg()?), rest)),
            _ => None,
        },
        Token::Op(open @ ('(' | '[')) if depth < DEEPEST => {
            let close = if *open == '(' { ')' } else { ']' };
            let (mut items, mut rest, mut comma) = (Vec::new(), rest, false);
            loop {
                let (next, tail) = rest.split_first()?;
                if next.is_op(close) {
                    // ("a") is a string, ("a",) a tuple.
                    let single = items.len() == 1 && !comma && close == ')';
                    let value = if single { items.pop()? } else { Literal::List(items) };
                    return Some((value, tail));
                }
                if !items.is_empty() && !comma {
                    return None;
                }
                let (item, after) = parse_literal(rest, depth + 1)?;
                items.push(item);
                comma = after.first().is_some_and(|token| token.is_op(','));
                rest = if comma { after.get(1..)? } else { after };
            }
        }
        Token::Op(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Option<Vec<String>> {
        literal(text)?.texts()
    }

    #[test]
    fn tuples_lists_and_strings() {
        assert_eq!(texts(r#"("INBOX", 'a\'b', r"x\D*", )"#).unwrap(), ["INBOX", "a'b", r"x\D*"]);
        assert_eq!(texts("('one',)").unwrap(), ["one"]);
        assert_eq!(texts("('one')").unwrap(), ["one"]);
        assert_eq!(texts("'a', 'b'").unwrap(), ["a", "b"]);
        assert_eq!(texts("()").unwrap(), [""; 0]);
        assert_eq!(texts("['a'\n 'b', u'\\xe4']").unwrap(), ["ab", "ä"]);
        assert_eq!(literal("ALL"), Some(Literal::Word("ALL".to_owned())));
        assert_eq!(literal("(99, 100,)"), Some(Literal::List(vec![Literal::Number(99), Literal::Number(100)])));
    }

    #[test]
    fn what_is_no_literal() {
        for text in ["('a' 'b", "('a', ", "f('x')", "('a' - 3)", "", "('a',, 'b')"] {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal(&"(".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), dense in "[rub'\"\\\\(),\\[\\] xé0-9-]{0,60}") {
            let _ = literal(&text);
            let _ = literal(&dense);
        }
    }
}
