//! The words of a fetchmailrc: noise characters, comments, quotes and escapes.

use crate::import::model::Warning;

/// A word, or the `=` between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word { text: String, quoted: bool, line: usize },
    Equals,
}

/// The tokens of `text`; an unclosed quote becomes a problem.
pub(super) fn tokens(text: &str, problems: &mut Vec<Warning>) -> Vec<Token> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let mut line = 1;
    while let Some(c) = chars.next() {
        match c {
            '\n' => line += 1,
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '=' => out.push(Token::Equals),
            '"' | '\'' => {
                let start = line;
                let (text, closed) = quoted(&mut chars, c, &mut line);
                if !closed {
                    problems.push(Warning::new(start, "unclosed quote"));
                }
                out.push(Token::Word { text, quoted: true, line: start });
            }
            _ if c.is_whitespace() || matches!(c, ',' | ';' | ':' | '\\') => {}
            _ => {
                let mut text = c.to_string();
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, ',' | ';' | ':' | '=')) {
                    text.push(c);
                }
                out.push(Token::Word { text, quoted: false, line });
            }
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// The rest of a quoted string, and whether it was closed.
fn quoted(chars: &mut Chars<'_>, quote: char, line: &mut usize) -> (String, bool) {
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            _ if c == quote => return (out, true),
            '\n' => {
                *line += 1;
                out.push(c);
            }
            '\\' => {
                if chars.peek() == Some(&'\n') {
                    *line += 1;
                }
                out.extend(escape(chars));
            }
            _ => out.push(c),
        }
    }
    (out, false)
}

/// What follows a backslash: `\nnn` is decimal, `\0ooo` octal, `\xhh` hexadecimal; a backslash before a line end joins the lines.
fn escape(chars: &mut Chars<'_>) -> Option<char> {
    let number = |chars: &mut Chars<'_>, radix: u32, most: usize| {
        let mut value = 0_u32;
        for _ in 0..most {
            match chars.peek().and_then(|c| c.to_digit(radix)) {
                Some(digit) => value = value * radix + digit,
                None => break,
            }
            chars.next();
        }
        char::from_u32(value)
    };
    match chars.peek()? {
        '0' => number(chars, 8, 4),
        '1'..='9' => number(chars, 10, 3),
        'x' => {
            chars.next();
            number(chars, 16, 2)
        }
        _ => match chars.next()? {
            '\n' => None,
            'n' => Some('\n'),
            't' => Some('\t'),
            'b' => Some('\u{8}'),
            'r' => Some('\r'),
            other => Some(other),
        },
    }
}
