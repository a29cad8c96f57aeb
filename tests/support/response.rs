//! Reads IMAP responses into plain values: the test client's own reader, which shares nothing with the program's.

use std::io::{BufRead, Error, ErrorKind, Result};

/// One value of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word, up to a blank or parenthesis outside brackets.
    Atom(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    List(Vec<Value>),
}

impl Value {
    /// The text of an atom or string, lossy.
    pub fn text(&self) -> String {
        match self {
            Self::Atom(word) => word.clone(),
            Self::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::List(_) => String::new(),
        }
    }

    /// The bytes of an atom or string.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Atom(word) => word.clone().into_bytes(),
            Self::Text(bytes) => bytes.clone(),
            Self::List(_) => Vec::new(),
        }
    }

    /// The elements of a list.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(values) => values,
            Self::Atom(_) | Self::Text(_) => &[],
        }
    }
}

/// One response: its text with each literal left out, and all its values.
#[derive(Clone, Debug)]
pub struct Response {
    pub line: String,
    pub values: Vec<Value>,
}

impl Response {
    /// The value after the name `key` in a list of pairs such as FETCH has.
    pub fn after<'a>(pairs: &'a [Value], key: &str) -> Option<&'a Value> {
        let at = pairs.iter().position(|v| matches!(v, Value::Atom(a) if a.eq_ignore_ascii_case(key)))?;
        pairs.get(at + 1)
    }
}

/// Reads one whole response, literals included.
pub fn read(from: &mut impl BufRead) -> Result<Response> {
    let mut line = Vec::new();
    let mut literals = Vec::new();
    loop {
        let mut part = Vec::new();
        from.read_until(b'\n', &mut part)?;
        if !part.ends_with(b"\n") {
            line.extend(part);
            return Err(Error::new(
                ErrorKind::UnexpectedEof,
                format!("closed after {:?}", String::from_utf8_lossy(&line)),
            ));
        }
        let text = part.strip_suffix(b"\r\n").or(part.strip_suffix(b"\n")).unwrap_or(&part);
        line.extend_from_slice(text);
        let Some(size) = literal_size(text) else { break };
        let mut literal = vec![0; size];
        from.read_exact(&mut literal)?;
        literals.push(literal);
    }
    let mut reader = Reader { text: &line, literals: literals.into_iter() };
    let values = reader.values();
    Ok(Response { line: String::from_utf8_lossy(&line).into_owned(), values })
}

/// The size of the literal that a line announces at its end.
pub fn literal_size(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let inner = inner.strip_suffix(b"+").unwrap_or(inner);
    let open = inner.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(&inner[open + 1..]).ok()?.parse().ok()
}

struct Reader<'a> {
    text: &'a [u8],
    literals: std::vec::IntoIter<Vec<u8>>,
}

impl Reader<'_> {
    fn values(&mut self) -> Vec<Value> {
        let mut out = Vec::new();
        loop {
            match self.text.first() {
                None => return out,
                Some(b' ') => self.text = &self.text[1..],
                Some(b')') => {
                    self.text = &self.text[1..];
                    return out;
                }
                Some(b'(') => {
                    self.text = &self.text[1..];
                    out.push(Value::List(self.values()));
                }
                Some(b'"') => out.push(self.quoted()),
                Some(b'{') => out.push(self.literal()),
                Some(_) => out.push(self.atom()),
            }
        }
    }

    fn quoted(&mut self) -> Value {
        let mut out = Vec::new();
        let mut at = 1;
        while let Some(b) = self.text.get(at) {
            match b {
                b'"' => break,
                b'\\' => {
                    at += 1;
                    out.extend(self.text.get(at));
                }
                other => out.push(*other),
            }
            at += 1;
        }
        self.text = self.text.get(at + 1..).unwrap_or_default();
        Value::Text(out)
    }

    fn literal(&mut self) -> Value {
        let end = self.text.iter().position(|b| *b == b'}').unwrap_or(self.text.len() - 1);
        self.text = &self.text[end + 1..];
        Value::Text(self.literals.next().unwrap_or_default())
    }

    fn atom(&mut self) -> Value {
        let mut brackets = 0_i32;
        let ends = |b: &u8| {
            match b {
                b'[' => brackets += 1,
                b']' => brackets -= 1,
                b' ' | b'(' | b')' if brackets <= 0 => return true,
                _ => {}
            }
            false
        };
        let end = self.text.iter().position(ends).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        Value::Atom(String::from_utf8_lossy(word).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_quotes_and_nesting() {
        let bytes = b"* 3 FETCH (UID 7 FLAGS (\\Seen a) BODY[HEADER.FIELDS (X Y)] {4}\r\na)\r\n X \"q\\\"z\")\r\n";
        let response = read(&mut &bytes[..]).expect("a response");
        let pairs = response.values[3].list();
        assert_eq!(Response::after(pairs, "uid").map(Value::text).as_deref(), Some("7"));
        assert_eq!(Response::after(pairs, "BODY[HEADER.FIELDS (X Y)]").map(Value::bytes), Some(b"a)\r\n".to_vec()));
        assert_eq!(Response::after(pairs, "X").map(Value::text).as_deref(), Some("q\"z"));
        assert_eq!(Response::after(pairs, "FLAGS").map(|v| v.list().len()), Some(2));
        assert!(read(&mut &bytes[..40]).is_err());
    }
}
