//! `OfflineIMAP`'s Python about logins, matched by its usual forms and never run.

use crate::import::model::Value;
use crate::import::python::{Literal, Token, parse_literal, tokens};

/// Where a password comes from, in mailferry's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `password_command`.
    Command(Value),
    /// `password_env`.
    Environment(String),
    /// `password_keyring`.
    Keyring(String),
    /// A literal in the expression.
    Inline(String),
}

/// The source that an expression such as `os.environ['X']` or `check_output(["pass", "x"])` reads.
///
/// What is done to the result (`.strip()`, `.decode('utf-8')`, `.splitlines()[0]`) changes nothing: mailferry takes the first line.
#[must_use]
pub fn source(expression: &str) -> Option<Source> {
    let tokens = tokens(expression.trim())?;
    let (head, rest) = path(&tokens)?;
    match head.as_str() {
        "" => match tokens.as_slice() {
            [Token::Text(text)] => Some(Source::Inline(text.clone())),
            _ => None,
        },
        "os.environ" => match rest {
            [Token::Op('['), Token::Text(name), Token::Op(']'), tail @ ..] if is_cleaning(tail) => {
                Some(Source::Environment(name.clone()))
            }
            _ => None,
        },
        "os.environ.get" | "os.getenv" | "getenv" => {
            let (arguments, tail) = call(rest)?;
            match arguments.first()? {
                Argument::Value(Literal::Text(name)) if is_cleaning(tail) => Some(Source::Environment(name.clone())),
                Argument::Value(_) | Argument::Named(..) => None,
            }
        }
        "keyring.get_password" => {
            let (arguments, tail) = call(rest)?;
            match arguments.first()? {
                Argument::Value(Literal::Text(service)) if is_cleaning(tail) => Some(Source::Keyring(service.clone())),
                Argument::Value(_) | Argument::Named(..) => None,
            }
        }
        "subprocess.check_output" | "check_output" | "subprocess.getoutput" | "getoutput" | "os.popen" | "popen" => {
            let (arguments, tail) = call(rest)?;
            let shell = !head.ends_with("check_output") || arguments.iter().any(Argument::is_shell);
            command(arguments.first()?, shell).filter(|_| is_cleaning(tail)).map(Source::Command)
        }
        _ => None,
    }
}

/// The text that an expression is, if it is a literal (`remoteusereval = 'me'`).
#[must_use]
pub fn text(expression: &str) -> Option<String> {
    match source(expression)? {
        Source::Inline(text) => Some(text),
        Source::Command(_) | Source::Environment(_) | Source::Keyring(_) => None,
    }
}

fn command(argument: &Argument, shell: bool) -> Option<Value> {
    match argument {
        Argument::Value(Literal::Text(line)) if shell => Some(Value::Text(line.clone())),
        // Without a shell a string is a program's name.
        Argument::Value(Literal::Text(program)) => Some(Value::List(vec![program.clone()])),
        Argument::Value(list @ Literal::List(_)) if !shell => {
            list.texts().filter(|words| !words.is_empty()).map(Value::List)
        }
        Argument::Value(_) | Argument::Named(..) => None,
    }
}

/// `a.b.c` at the start, and what follows.
fn path(tokens: &[Token]) -> Option<(String, &[Token])> {
    let mut out = String::new();
    let mut rest = tokens;
    while let [Token::Name(name), tail @ ..] = rest {
        out.push_str(name);
        rest = tail;
        match rest {
            [Token::Op('.'), tail @ ..] => {
                out.push('.');
                rest = tail;
            }
            _ => break,
        }
    }
    Some((out, rest))
}

enum Argument {
    Value(Literal),
    Named(String, Literal),
}

impl Argument {
    fn is_shell(&self) -> bool {
        matches!(self, Self::Named(name, Literal::Word(word)) if name == "shell" && word == "True")
    }
}

/// The arguments of a call at the start, and what follows it.
fn call(tokens: &[Token]) -> Option<(Vec<Argument>, &[Token])> {
    let [Token::Op('('), rest @ ..] = tokens else {
        return None;
    };
    let (mut rest, mut arguments) = (rest, Vec::new());
    loop {
        match rest {
            [Token::Op(')'), tail @ ..] => return Some((arguments, tail)),
            [Token::Name(name), Token::Op('='), value @ ..] => {
                let (literal, after) = parse_literal(value, 0)?;
                arguments.push(Argument::Named(name.clone(), literal));
                rest = after;
            }
            _ => {
                let (literal, after) = parse_literal(rest, 0)?;
                arguments.push(Argument::Value(literal));
                rest = after;
            }
        }
        match rest {
            [Token::Op(','), tail @ ..] => rest = tail,
            [Token::Op(')'), ..] => {}
            _ => return None,
        }
    }
}

/// Whether `tokens` only tidy a text: methods without effect on its first line.
fn is_cleaning(tokens: &[Token]) -> bool {
    let mut rest = tokens;
    loop {
        match rest {
            [] => return true,
            [Token::Op('['), Token::Number(0), Token::Op(']'), tail @ ..] => rest = tail,
            [Token::Op('.'), Token::Name(name), tail @ ..]
                if matches!(
                    name.as_str(),
                    "strip" | "rstrip" | "decode" | "read" | "readline" | "splitlines" | "split"
                ) =>
            {
                match call(tail) {
                    Some((_, tail)) => rest = tail,
                    None => return false,
                }
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_forms() {
        let list = |words: &[&str]| Source::Command(Value::List(words.iter().map(|word| (*word).to_owned()).collect()));
        let cases = [
            (r#"subprocess.check_output(["pass", "mail/x"]).strip().decode('utf-8')"#, list(&["pass", "mail/x"])),
            (
                r#"check_output("pass mail/x | head -1", shell=True).splitlines()[0]"#,
                Source::Command("pass mail/x | head -1".into()),
            ),
            (r#"os.popen('pass x').read().strip()"#, Source::Command("pass x".into())),
            (r#"os.environ['PW']"#, Source::Environment("PW".to_owned())),
            (r#"os.getenv("PW", "")"#, Source::Environment("PW".to_owned())),
            (r#"keyring.get_password("imap.example.org", "me")"#, Source::Keyring("imap.example.org".to_owned())),
            ("'literal'", Source::Inline("literal".to_owned())),
        ];
        for (expression, expected) in cases {
            assert_eq!(source(expression), Some(expected), "{expression}");
        }
    }

    #[test]
    fn other_python_is_refused() {
        for expression in
            ["get_pass('x')", "os.environ[name]", "os.popen('x').read() + 'y'", "check_output(cmd)", "", "'a' + b"]
        {
            assert_eq!(source(expression), None, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>(), dense in "(os.popen|check_output)?[(\\['a,)\\].=]{0,20}") {
            let _ = source(&text);
            let _ = source(&dense);
        }
    }
}
