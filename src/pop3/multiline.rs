//! Multi-line answers (RFC 1939 §3): a push decoder that undoes dot-stuffing and finds the end, wherever the input is cut.

use std::io;

use memchr::memmem;

/// Where in a line the next byte stands. `crlf`: the line before ended with CR LF, not with a bare LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the first byte of a line.
    Start { crlf: bool },
    /// After a `.` that began a line, not yet passed on.
    Dot { crlf: bool },
    /// After `.` CR at the beginning of a line, neither passed on.
    DotCr { crlf: bool },
    /// Somewhere else; `cr`: the byte before was a CR.
    Inside { cr: bool },
}

/// How far one [`Multiline::push`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many bytes of the input belong to this answer and were taken.
    pub consumed: usize,
    /// Whether the terminating `.` line was among them.
    pub done: bool,
}

/// Decodes the lines after the first of a multi-line answer.
///
/// Where the server ends its lines with CR LF, nothing else begins a line: a bare LF is content, and so is a dot behind it.
/// Where it ends them with a bare LF (`bare`), both ends and both terminators are understood; a single dot before other text
/// after a bare LF is then kept: a server that stuffs would have doubled it, and one that does not has sent content.
#[derive(Clone, Debug)]
pub struct Multiline {
    at: At,
    bare: bool,
}

impl Multiline {
    /// A decoder at the first byte behind a status line; `bare`: the server's status lines end with a bare LF.
    #[must_use]
    pub fn new(bare: bool) -> Self {
        Self { at: At::Start { crlf: true }, bare }
    }

    /// Takes `input`, gives the decoded bytes to `out` in order, and stops behind the terminator.
    ///
    /// # Errors
    /// The first error of `out`.
    pub fn push(&mut self, input: &[u8], out: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<Step> {
        let mut rest = input;
        while let Some((&first, tail)) = rest.split_first() {
            match self.at {
                At::Start { crlf } if first == b'.' => {
                    self.at = At::Dot { crlf };
                    rest = tail;
                }
                At::Start { .. } => self.at = At::Inside { cr: false },
                At::Dot { .. } if first == b'\n' && !self.bare => {
                    // No terminator, and nothing that stuffing makes: content of a server that does not stuff here.
                    out(b".")?;
                    self.at = At::Inside { cr: false };
                }
                At::Dot { .. } | At::DotCr { .. } if first == b'\n' => {
                    return Ok(Step { consumed: input.len() - tail.len(), done: true });
                }
                At::Dot { crlf } if first == b'\r' => {
                    self.at = At::DotCr { crlf };
                    rest = tail;
                }
                At::Dot { crlf } => {
                    if !crlf && first != b'.' {
                        out(b".")?;
                    }
                    self.at = At::Inside { cr: false };
                    // The byte itself is ordinary content now, even where it is a dot.
                }
                At::DotCr { crlf } => {
                    out(if crlf { b"\r" } else { b".\r" })?;
                    self.at = At::Inside { cr: true };
                }
                At::Inside { cr } => rest = self.inside(rest, cr, out)?,
            }
        }
        Ok(Step { consumed: input.len(), done: false })
    }

    /// Passes on everything up to the next dot at the beginning of a line; gives what is left behind that dot.
    fn inside<'a>(
        &mut self,
        rest: &'a [u8],
        cr: bool,
        out: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<&'a [u8]> {
        let is_cr = |at: Option<usize>| at.and_then(|at| rest.get(at)).map_or(cr, |&c| c == b'\r');
        let end = memmem::find_iter(rest, b"\n.")
            .find(|&at| self.bare || is_cr(at.checked_sub(1)))
            .map_or(rest.len(), |at| at + 1);
        let (content, tail) = rest.split_at(end);
        out(content)?;
        let before_last = content.len().checked_sub(2).and_then(|i| content.get(i)).map_or(cr, |&c| c == b'\r');
        self.at = match content.last() {
            Some(b'\n') if self.bare || before_last => At::Start { crlf: before_last },
            Some(b'\r') => At::Inside { cr: true },
            _ => At::Inside { cr: false },
        };
        Ok(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes `parts` one after the other: the content, how many bytes were taken, whether the end was seen.
    fn decode(parts: &[&[u8]]) -> (Vec<u8>, usize, bool) {
        decode_from(false, parts)
    }

    fn decode_from(bare: bool, parts: &[&[u8]]) -> (Vec<u8>, usize, bool) {
        let (mut decoder, mut out, mut taken) = (Multiline::new(bare), Vec::new(), 0);
        for part in parts {
            let step = decoder
                .push(part, &mut |b| {
                    out.extend_from_slice(b);
                    Ok(())
                })
                .unwrap();
            taken += step.consumed;
            if step.done {
                return (out, taken, true);
            }
        }
        (out, taken, false)
    }

    fn content(input: &[u8]) -> Vec<u8> {
        let (out, _, done) = decode(&[input]);
        assert!(done, "{}", input.escape_ascii());
        out
    }

    #[test]
    fn dots_are_unstuffed_exactly() {
        assert_eq!(content(b".\r\n"), b"");
        assert_eq!(content(b"a\r\n.\r\n"), b"a\r\n");
        assert_eq!(content(b"..\r\n...x\r\n.y\r\n.\r\n"), b".\r\n..x\r\ny\r\n");
        assert_eq!(content(b"a.\r\nb\r.\r\n.\r\n"), b"a.\r\nb\r.\r\n");
        assert_eq!(content(b".\rx\r\n.\r\n"), b"\rx\r\n");
        assert_eq!(content(b"\0\xff\r\n\r\n.\r\n"), b"\0\xff\r\n\r\n");
    }

    #[test]
    fn bare_lf_servers_are_understood() {
        let content = |input: &[u8]| {
            let (out, taken, done) = decode_from(true, &[input]);
            assert!(done && taken == input.len(), "{}", input.escape_ascii());
            out
        };
        assert_eq!(content(b"a\nb\n.\n"), b"a\nb\n");
        assert_eq!(content(b"a\n..b\n.\r\n"), b"a\n.b\n");
        assert_eq!(content(b"a\n.b\r\n.\n"), b"a\n.b\r\n");
    }

    #[test]
    fn a_dot_behind_a_bare_lf_is_content_where_lines_end_with_cr_lf() {
        for body in [
            b"hello\n.\r\n+OK\r\n".as_slice(),
            b"hello\n.\n+OK\r\n",
            b"\n.\r\n\r\n",
            b"a\r\n.\nb\r\n",
            b"a\n..b\n.c\r\n",
            b"\r\n\n.\r\r\n",
        ] {
            let wire = [body, b".\r\n"].concat();
            for cut in 0..=wire.len() {
                let (a, b) = wire.split_at(cut);
                assert_eq!(decode(&[a, b]), (body.to_vec(), wire.len(), true), "{} {cut}", body.escape_ascii());
            }
            let single: Vec<&[u8]> = wire.chunks(1).collect();
            assert_eq!(decode(&single), (body.to_vec(), wire.len(), true));
        }
    }

    #[test]
    fn nothing_behind_the_end_is_touched_and_no_end_is_no_message() {
        assert_eq!(decode(&[b"a\r\n.\r\n+OK next\r\n"]), (b"a\r\n".to_vec(), 6, true));
        assert_eq!(decode(&[b"a\r\n."]), (b"a\r\n".to_vec(), 4, false));
        assert_eq!(decode(&[b"a\r\n.\r"]), (b"a\r\n".to_vec(), 5, false));
    }

    /// As a server sends `message`, which must end with CR LF.
    fn stuff(message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in message.split_inclusive(|&c| c == b'\n') {
            if line.first() == Some(&b'.') && (out.is_empty() || out.ends_with(b"\r\n")) {
                out.push(b'.');
            }
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b".\r\n");
        out
    }

    fn messy() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'.'), Just(b'x')], 0..60)
    }

    proptest! {
        #[test]
        fn what_is_stuffed_comes_back(mut message in messy()) {
            message.extend_from_slice(b"\r\n");
            let wire = stuff(&message);
            let (out, taken, done) = decode(&[&wire]);
            prop_assert!(done);
            prop_assert_eq!((out, taken), (message, wire.len()));
        }

        #[test]
        fn cuts_do_not_matter(bytes in messy(), cut in 0usize..60, cut2 in 0usize..60, bare: bool) {
            let decode = |parts: &[&[u8]]| decode_from(bare, parts);
            let (a, b) = (cut.min(cut2).min(bytes.len()), cut.max(cut2).min(bytes.len()));
            prop_assert_eq!(decode(&[&bytes[..a], &bytes[a..b], &bytes[b..]]), decode(&[&bytes]));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(decode(&single), decode(&[&bytes]));
        }
    }
}
