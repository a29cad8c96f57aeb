//! The one lenient reader of what servers send: responses, status codes and values. PURE.
//!
//! It never fails on a complete response: what it does not understand it steps over. Numbers alone are strict.
//! Nothing here recurses, so that no depth of parentheses can exhaust the stack.

use std::borrow::Cow;

/// Deeper lists than this are cut off: what is inside is not looked at.
pub const NESTING: usize = 64;

/// The word of a status response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Ok,
    No,
    Bad,
    Bye,
    PreAuth,
}

impl Status {
    fn of(word: &[u8]) -> Option<Self> {
        let table =
            [("OK", Self::Ok), ("NO", Self::No), ("BAD", Self::Bad), ("BYE", Self::Bye), ("PREAUTH", Self::PreAuth)];
        table.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, status)| status)
    }
}

/// What follows a status word: `[CODE arguments] text`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusText<'a> {
    /// The code's name; empty without a code.
    pub code: &'a [u8],
    /// What stands behind the name inside the brackets.
    pub arguments: &'a [u8],
    /// The text for people.
    pub text: &'a [u8],
}

impl<'a> StatusText<'a> {
    /// Whether its code has that name, in any case.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.code.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The arguments if the code has that name.
    #[must_use]
    pub fn arguments_of(&self, name: &str) -> Option<&'a [u8]> {
        self.is(name).then_some(self.arguments)
    }
}

/// One response (RFC 9051 §7), borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// `tag OK …`: a command's end. `status` is `None` if the word behind the tag is none of the five.
    Tagged {
        /// The tag.
        tag: &'a [u8],
        /// The status word.
        status: Option<Status>,
        /// Code and text.
        text: StatusText<'a>,
    },
    /// `* OK …`, `* BYE …`, also `* [CODE] …`, which some servers send.
    Status {
        /// The status word.
        status: Status,
        /// Code and text.
        text: StatusText<'a>,
    },
    /// `+ …`.
    Continue(&'a [u8]),
    /// `* 5 EXISTS`, `* 1 FETCH (…)`.
    Message {
        /// The number; `None` if it is no u32.
        number: Option<u32>,
        /// The word behind it.
        word: &'a [u8],
        /// What follows.
        rest: &'a [u8],
    },
    /// `* WORD …`.
    Data {
        /// The word.
        word: &'a [u8],
        /// What follows.
        rest: &'a [u8],
    },
    /// An empty line, or a lone star.
    Nothing,
}

impl Response<'_> {
    /// Whether this is a FETCH, STORE's echo included.
    #[must_use]
    pub fn is_fetch(&self) -> bool {
        matches!(self, Self::Message { word, .. } if word.eq_ignore_ascii_case(b"FETCH"))
    }
}

fn blanks(bytes: &[u8]) -> &[u8] {
    let at = bytes.iter().position(|&c| c != b' ' && c != b'\t').unwrap_or(bytes.len());
    bytes.get(at..).unwrap_or_default()
}

fn split_word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let bytes = blanks(bytes);
    bytes.split_at(bytes.iter().position(|&c| c == b' ').unwrap_or(bytes.len()))
}

/// Reads one complete response, without its last line end. Total: any bytes give a response.
#[must_use]
pub fn response(bytes: &[u8]) -> Response<'_> {
    let end = bytes.iter().rposition(|&c| c != b'\r' && c != b'\n').map_or(0, |at| at + 1);
    let line = bytes.get(..end).unwrap_or_default();
    // A line end that belongs to a literal stays: behind `{0}`, and at the end of a literal's bytes.
    let literal = line.contains(&b'\n') || (line.starts_with(b"*") && line.ends_with(b"}"));
    let line = if literal { bytes } else { line };
    let (first, rest) = split_word(line);
    match first {
        b"" => Response::Nothing,
        b"*" => untagged(rest),
        b"+" => Response::Continue(rest.get(1..).unwrap_or_default()),
        tag => {
            let (word, rest) = split_word(rest);
            Response::Tagged { tag, status: Status::of(word), text: status_text(rest) }
        }
    }
}

fn untagged(rest: &[u8]) -> Response<'_> {
    let (word, after) = split_word(rest);
    if word.is_empty() {
        return Response::Nothing;
    }
    if word.first() == Some(&b'[') {
        return Response::Status { status: Status::Ok, text: status_text(rest) };
    }
    if let Some(status) = Status::of(word) {
        return Response::Status { status, text: status_text(after) };
    }
    if word.iter().all(u8::is_ascii_digit) {
        let (what, rest) = split_word(after);
        return Response::Message { number: number(word), word: what, rest: blanks(rest) };
    }
    Response::Data { word, rest: blanks(after) }
}

fn status_text(rest: &[u8]) -> StatusText<'_> {
    let rest = blanks(rest);
    let Some(inside) = rest.strip_prefix(b"[") else { return StatusText { text: rest, ..StatusText::default() } };
    let Some(end) = closing_bracket(inside) else { return StatusText { text: rest, ..StatusText::default() } };
    let (code, text) = inside.split_at(end);
    let (name, arguments) = split_word(code);
    StatusText { code: name, arguments: blanks(arguments), text: blanks(text.get(1..).unwrap_or_default()) }
}

/// Where a code ends: at the bracket that closes it, or, if they do not pair up, at the first one.
fn closing_bracket(inside: &[u8]) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, &c) in inside.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            escaped = c == b'\\';
            quoted = c != b'"';
        } else {
            match c {
                b'"' => quoted = true,
                b'[' => depth += 1,
                b']' if depth == 0 => return Some(at),
                b']' => depth -= 1,
                _ => {}
            }
        }
    }
    memchr::memchr(b']', inside)
}

/// A number of plain digits that fits: never clamped, wrapped, signed or in floating point.
#[must_use]
pub fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Anything that is none of the others, `NIL` excepted.
    Atom(&'a [u8]),
    /// What stands between the quotes, escapes and all.
    Quoted(&'a [u8]),
    /// A literal's bytes.
    Literal(&'a [u8]),
    /// What stands between the parentheses.
    List(&'a [u8]),
    /// `NIL`.
    Nil,
}

impl<'a> Value<'a> {
    /// The bytes of an atom or string; `None` for lists and `NIL`.
    #[must_use]
    pub fn bytes(&self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Atom(bytes) | Self::Literal(bytes) => Some(Cow::Borrowed(bytes)),
            Self::Quoted(raw) => Some(unescape(raw)),
            Self::List(_) | Self::Nil => None,
        }
    }

    /// As [`Value::bytes`], where the letters `NIL` are a name like any other.
    #[must_use]
    pub fn name(&self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Nil => Some(Cow::Borrowed(b"NIL")),
            Self::Atom(_) | Self::Quoted(_) | Self::Literal(_) | Self::List(_) => self.bytes(),
        }
    }

    /// A cursor over a list's values; over nothing for anything else.
    #[must_use]
    pub fn items(&self) -> Values<'a> {
        match self {
            Self::List(inside) => Values::new(inside),
            Self::Atom(_) | Self::Quoted(_) | Self::Literal(_) | Self::Nil => Values::new(b""),
        }
    }

    /// The number that an atom or string spells.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self) -> Option<T> {
        number(&self.bytes()?)
    }
}

fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&c) = bytes.next() {
        out.push(if c == b'\\' { bytes.next().copied().unwrap_or(c) } else { c });
    }
    Cow::Owned(out)
}

/// A cursor over a row of values.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Over `bytes`, which hold values separated by blanks.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    #[cfg(test)]
    pub fn rest(&self) -> &'a [u8] {
        blanks(self.rest)
    }

    fn cut(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// The name of a FETCH item: up to a blank outside brackets, so that `BODY[HEADER.FIELDS (X)]` is one.
    pub fn item(&mut self) -> Option<&'a [u8]> {
        self.rest = blanks(self.rest);
        let (mut depth, mut quoted) = (0usize, false);
        let mut end = self.rest.len();
        for (at, &c) in self.rest.iter().enumerate() {
            match c {
                b'"' if depth > 0 => quoted = !quoted,
                b'[' if !quoted => depth += 1,
                b']' if !quoted => depth = depth.saturating_sub(1),
                b' ' | b'(' | b')' if depth == 0 => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        (end > 0).then(|| self.cut(end))
    }

    /// The inside of a flag list, which ends at the first `)` whatever odd characters flags have. `NIL` is empty.
    pub fn flags(&mut self) -> Option<&'a [u8]> {
        self.rest = blanks(self.rest);
        let Some(inside) = self.rest.strip_prefix(b"(") else {
            self.next();
            return Some(b"");
        };
        self.rest = inside;
        let list = self.cut(memchr::memchr(b')', inside).unwrap_or(inside.len()));
        self.cut(1);
        Some(list)
    }

    fn quoted(&mut self) -> Value<'a> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let mut escaped = false;
        let mut end = inside.len();
        for (at, &c) in inside.iter().enumerate() {
            if escaped {
                escaped = false;
            } else if c == b'\\' {
                escaped = true;
            } else if c == b'"' && matches!(inside.get(at + 1), None | Some(b' ' | b'(' | b')' | b']' | b'\r' | b'\n'))
            {
                // A quote inside a string that the server forgot to escape is followed by more of it.
                end = at;
                break;
            }
        }
        self.cut(1);
        let value = Value::Quoted(self.cut(end));
        self.cut(1);
        value
    }

    fn list(&mut self) -> Value<'a> {
        let inside = self.rest.get(1..).unwrap_or_default();
        let end = list_end(inside);
        self.cut(1);
        let value = Value::List(self.cut(end));
        self.cut(1);
        value
    }
}

/// Where the list whose inside this is ends. One pass without recursion; what is nested too deeply swallows the rest.
fn list_end(inside: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut walk = Values::new(inside);
    loop {
        walk.rest = blanks(walk.rest);
        let at = inside.len() - walk.rest.len();
        match walk.rest.first() {
            None => return inside.len(),
            Some(b'(') => {
                depth += 1;
                if depth > NESTING {
                    return inside.len();
                }
                walk.cut(1);
            }
            Some(b')') if depth == 0 => return at,
            Some(b')') => {
                depth -= 1;
                walk.cut(1);
            }
            Some(_) => {
                walk.next();
            }
        }
    }
}

/// `{n}`, `{n+}` or `~{n}` and a line end at the front of `bytes`: (length of the announcement, n).
fn literal_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let tilde = usize::from(bytes.first() == Some(&b'~'));
    let inside = bytes.get(tilde..)?.strip_prefix(b"{")?;
    let digits = inside.iter().position(|c| !c.is_ascii_digit())?;
    let size = number(inside.get(..digits)?)?;
    let plus = usize::from(inside.get(digits) == Some(&b'+'));
    let tail = inside.get(digits + plus..)?.strip_prefix(b"}")?;
    let end = if tail.starts_with(b"\r\n") {
        2
    } else if tail.starts_with(b"\n") {
        1
    } else {
        return None;
    };
    Some((tilde + 1 + digits + plus + 1 + end, size))
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    /// The next value; `None` at the end or at a `)` that nothing opened.
    fn next(&mut self) -> Option<Value<'a>> {
        self.rest = blanks(self.rest);
        let first = *self.rest.first()?;
        if first == b'"' {
            return Some(self.quoted());
        }
        if first == b'(' {
            return Some(self.list());
        }
        if let Some((head, size)) = literal_head(self.rest) {
            self.cut(head);
            return Some(Value::Literal(self.cut(size)));
        }
        if first == b')' {
            return None;
        }
        let end = self.rest.iter().position(|c| matches!(c, b' ' | b')' | b'\r' | b'\n')).unwrap_or(self.rest.len());
        // `FLAGS(\Seen)`: a list may follow its name without a blank; a parenthesis that never closes is part of the atom.
        let open = self.rest.get(..end).and_then(|atom| memchr::memchr(b'(', atom));
        let atom = self.cut(open.unwrap_or(end).max(1));
        Some(if atom.eq_ignore_ascii_case(b"NIL") { Value::Nil } else { Value::Atom(atom) })
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
