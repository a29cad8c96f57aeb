//! The small part of regular expressions that people write about folder names, as globs and as plain text.

/// Most alternatives that one expression may stand for.
const MOST: usize = 256;

/// An expression that is plain text, perhaps held to the start or the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simple {
    /// What is looked for.
    pub text: String,
    /// `^`.
    pub start: bool,
    /// `$`.
    pub end: bool,
}

impl Simple {
    /// `name` with every match replaced, as `re.sub` does. An empty text matches only where it is anchored.
    #[must_use]
    pub fn replace_all(&self, name: &str, with: &str) -> String {
        match (self.start, self.end) {
            (true, true) => {
                if name == self.text {
                    with.to_owned()
                } else {
                    name.to_owned()
                }
            }
            (true, false) => {
                name.strip_prefix(self.text.as_str()).map_or_else(|| name.to_owned(), |rest| format!("{with}{rest}"))
            }
            (false, true) => {
                name.strip_suffix(self.text.as_str()).map_or_else(|| name.to_owned(), |rest| format!("{rest}{with}"))
            }
            (false, false) if self.text.is_empty() => name.to_owned(),
            (false, false) => name.replace(self.text.as_str(), with),
        }
    }
}

/// One piece of an alternative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `.*`
    Any,
    Start,
    End,
}

/// The plain text of `pattern`; `None` if it is more than that.
#[must_use]
pub fn simple(pattern: &str) -> Option<Simple> {
    let alternatives = expand(pattern)?;
    let [pieces] = alternatives.as_slice() else { return None };
    let (start, pieces) = match pieces.split_first() {
        Some((Piece::Start, rest)) => (true, rest),
        _ => (false, pieces.as_slice()),
    };
    let (end, pieces) = match pieces.split_last() {
        Some((Piece::End, rest)) => (true, rest),
        _ => (false, pieces),
    };
    let text: Option<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Char(c) => Some(*c),
            Piece::Any | Piece::Start | Piece::End => None,
        })
        .collect();
    let text = text?;
    (!text.is_empty() || start || end).then_some(Simple { text, start, end })
}

/// The globs (`*`: any text) that match as `pattern` does; `anchored`: only from the start on, as `re.match`.
#[must_use]
pub fn globs(pattern: &str, anchored: bool) -> Option<Vec<String>> {
    expand(pattern)?.iter().map(|pieces| glob(pieces, anchored)).collect()
}

fn glob(pieces: &[Piece], anchored: bool) -> Option<String> {
    let mut out = String::new();
    if !anchored && pieces.first() != Some(&Piece::Start) {
        out.push('*');
    }
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Char('*' | '%') => return None,
            Piece::Char('!') if out.is_empty() => return None,
            Piece::Char(c) => out.push(*c),
            Piece::Any => out.push('*'),
            Piece::Start if index == 0 => {}
            Piece::End if index + 1 == pieces.len() => {}
            Piece::Start | Piece::End => return None,
        }
    }
    if pieces.last() != Some(&Piece::End) {
        out.push('*');
    }
    while out.contains("**") {
        out = out.replace("**", "*");
    }
    Some(out)
}

/// All alternatives of `pattern`: groups and `|` multiplied out.
fn expand(pattern: &str) -> Option<Vec<Vec<Piece>>> {
    let chars: Vec<char> = pattern.chars().collect();
    let (alternatives, rest) = alternatives(&chars, 0)?;
    rest.is_empty().then_some(alternatives)
}

fn alternatives(chars: &[char], depth: usize) -> Option<(Vec<Vec<Piece>>, &[char])> {
    let mut all = Vec::new();
    let mut current: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut rest = chars;
    loop {
        let next = match rest {
            [] | [')', ..] => {
                all.append(&mut current);
                return (all.len() <= MOST).then_some((all, rest));
            }
            ['|', tail @ ..] => {
                all.append(&mut current);
                current.push(Vec::new());
                rest = tail;
                continue;
            }
            ['(', tail @ ..] if depth < 16 => {
                let tail = match tail {
                    ['?', ':', tail @ ..] => tail,
                    tail => tail,
                };
                let (group, after) = alternatives(tail, depth + 1)?;
                let [')', after @ ..] = after else { return None };
                rest = after;
                group
            }
            ['.', '*', tail @ ..] => {
                rest = tail;
                vec![vec![Piece::Any]]
            }
            ['^', tail @ ..] => {
                rest = tail;
                vec![vec![Piece::Start]]
            }
            ['$', tail @ ..] => {
                rest = tail;
                vec![vec![Piece::End]]
            }
            ['\\', c, tail @ ..] if !c.is_alphanumeric() => {
                rest = tail;
                vec![vec![Piece::Char(*c)]]
            }
            [c, tail @ ..] if !"\\.([{?*+".contains(*c) => {
                rest = tail;
                vec![vec![Piece::Char(*c)]]
            }
            _ => return None,
        };
        // A quantifier would repeat what was just read.
        if matches!(rest, ['?' | '*' | '+' | '{', ..])
            || current.len().checked_mul(next.len())? > MOST
            || all.len() > MOST
        {
            return None;
        }
        current = product(&current, &next);
    }
}

fn product(left: &[Vec<Piece>], right: &[Vec<Piece>]) -> Vec<Vec<Piece>> {
    left.iter().flat_map(|start| right.iter().map(|end| [start.as_slice(), end.as_slice()].concat())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_of_usual_expressions() {
        assert_eq!(globs("^INBOX", false).unwrap(), ["INBOX*"]);
        assert_eq!(globs("^(a|b)$", false).unwrap(), ["a", "b"]);
        assert_eq!(globs(r"^\[Gmail\]/.*", false).unwrap(), ["[Gmail]/*"]);
        assert_eq!(globs("(^Trash$|Del)", false).unwrap(), ["Trash", "*Del*"]);
        assert_eq!(globs("a", true).unwrap(), ["a*"]);
        for pattern in ["a.c", "a+", "[ab]", r"\d", "(a|b", "a)", "(a)?", r"\*", "a^b", "^!x"] {
            assert_eq!(globs(pattern, false), None, "{pattern}");
        }
    }

    #[test]
    fn too_many_alternatives_are_refused() {
        assert_eq!(globs(&"(a|b)".repeat(20), false), None);
        assert_eq!(globs(&"a|".repeat(5000), false), None);
        assert_eq!(globs(&"(".repeat(5000), false), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), dense in "[ab|()^$.*\\\\?:]{0,40}") {
            let _ = globs(&text, false);
            let _ = globs(&dense, true);
            let _ = simple(&dense);
        }
    }
}
