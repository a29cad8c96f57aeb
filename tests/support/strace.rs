//! Runs of the program under `strace`: recorded, killed, or lied to by the system.

use super::ferry::{Ferry, Outcome, Running};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// Runs longer than this hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// One system call as it was recorded.
#[derive(Clone, Debug)]
pub struct Call {
    pub thread: u32,
    /// When it began.
    pub time: SystemTime,
    pub name: String,
    /// As `strace` writes them: strings quoted, descriptors with their path in angle brackets.
    pub arguments: Vec<String>,
    pub result: i64,
}

impl Call {
    /// The path of the descriptor that is argument `i`; none if the file has been removed.
    pub fn descriptor(&self, i: usize) -> Option<PathBuf> {
        let (_, path) = self.arguments.get(i)?.split_once('<')?;
        let (path, rest) = path.rsplit_once('>')?;
        let gone = rest.contains("deleted") || path.ends_with("(deleted)");
        (!gone).then(|| path_of(&unquoted(path)))
    }

    /// The bytes of the string that is argument `i`.
    pub fn bytes(&self, i: usize) -> Vec<u8> {
        let text = self.arguments.get(i).map_or("", String::as_str);
        assert!(!text.ends_with("..."), "strace cut a string off: {}", self.name);
        unquoted(text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text))
    }

    /// The path that is argument `i`, below the directory that is argument `at`.
    pub fn path(&self, at: Option<usize>, i: usize) -> PathBuf {
        let path = path_of(&self.bytes(i));
        at.and_then(|at| self.descriptor(at)).map_or_else(|| path.clone(), |dir| dir.join(&path))
    }

    pub fn number(&self, i: usize) -> u64 {
        let text = self.arguments.get(i).map_or("", String::as_str);
        text.parse().unwrap_or_else(|_| panic!("{}: no number {text:?} in {:?}", self.name, self.arguments))
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

fn traced(ferry: &Ferry, command: &[&str], options: &[&str]) -> Outcome {
    let program = ferry.command(command);
    let mut strace = Command::new("strace");
    ferry.dress(&mut strace);
    strace.args(["-f", "-qq"]).args(options).arg(program.get_program()).args(program.get_args());
    let outcome = Running::new(strace).finish(PATIENCE);
    assert!(!outcome.stderr.contains("strace:"), "strace cannot trace here: {}", outcome.stderr);
    outcome
}

/// Runs a command and kills it when a thread is about to do its nth call of this name; a run with fewer ends by itself.
pub fn killed(ferry: &Ferry, command: &[&str], call: &str, nth: u64) {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:signal=KILL:when={nth}"));
    traced(ferry, command, &["--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
}

/// Runs a command in which every thread's nth call of this name fails with `error`.
pub fn failed(ferry: &Ferry, command: &[&str], call: &str, error: &str, nth: u64) -> Outcome {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={nth}"));
    traced(ferry, command, &["--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject])
}

/// Runs a command, which must exit 0, and returns its calls of these kinds in the order in which they ended.
pub fn recorded(ferry: &Ferry, command: &[&str], calls: &str) -> Vec<Call> {
    let file = ferry.home().join("strace");
    let (name, trace) = (file.display().to_string(), format!("trace={calls}"));
    traced(ferry, command, &["-ttt", "-y", "-s", "10000000", "-o", &name, "-e", &trace]).assert_code(0);
    let text = String::from_utf8_lossy(&std::fs::read(&file).expect("the record")).into_owned();
    let mut begun: Vec<(u32, String)> = Vec::new();
    let mut out = Vec::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let (Ok(thread), rest) = (thread.parse(), rest.trim_start()) else { continue };
        if let Some(head) = rest.strip_suffix("<unfinished ...>") {
            begun.push((thread, head.trim_end().to_owned()));
        } else if let Some((_, tail)) = rest.split_once(" resumed>") {
            let at = begun.iter().position(|(t, _)| *t == thread).expect("its beginning");
            let (_, head) = begun.remove(at);
            out.extend(parsed(thread, &format!("{head}{tail}")));
        } else {
            out.extend(parsed(thread, rest));
        }
    }
    out
}

/// `1700000000.123456 name(arguments) = result …`
fn parsed(thread: u32, line: &str) -> Option<Call> {
    let (time, rest) = line.split_once(' ')?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(time.parse().ok()?);
    let (name, rest) = rest.split_once('(')?;
    let (inside, result) = rest.rsplit_once(" = ")?;
    let inside = inside.trim_end().strip_suffix(')')?;
    let digits: String = result.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    let result = digits.parse().unwrap_or(-1);
    Some(Call { thread, time, name: name.to_owned(), arguments: arguments(inside), result })
}

/// Splits at the commas that stand in no string, list or path.
fn arguments(text: &str) -> Vec<String> {
    let (mut out, mut word) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut chars) = (0, false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                word.push(c);
                word.extend(chars.next());
                continue;
            }
            '"' => quoted = !quoted,
            _ if quoted => {}
            '<' | '[' | '{' | '(' => depth += 1,
            '>' | ']' | '}' | ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(std::mem::take(&mut word).trim().to_owned());
                continue;
            }
            _ => {}
        }
        word.push(c);
    }
    out.push(word.trim().to_owned());
    out
}

/// C escapes, as `strace` writes them.
fn unquoted(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(next) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) else { break };
                    value = value * 8 + u32::from(next - b'0');
                }
                out.push(u8::try_from(value).unwrap_or(0));
            }
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'v') => out.push(0x0b),
            Some(b'f') => out.push(0x0c),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line = r#"1700000000.250000 pwrite64(7</a b/c:2,S>, "x\"y, (\0\003\303\274\n", 9, 4096) = 9"#;
        let call = parsed(4, line).expect("a call");
        assert_eq!((call.thread, call.name.as_str(), call.result), (4, "pwrite64", 9));
        assert_eq!(call.descriptor(0), Some(PathBuf::from("/a b/c:2,S")));
        assert_eq!(call.bytes(1), b"x\"y, (\0\x03\xc3\xbc\n");
        assert_eq!((call.number(2), call.number(3)), (9, 4096));
        let line = r#"1.5 renameat2(5</d>, "a", 6</e>, "b", RENAME_NOREPLACE) = -1 EEXIST (File exists)"#;
        let call = parsed(1, line).expect("a call");
        assert_eq!((call.path(Some(0), 1), call.path(Some(2), 3)), (PathBuf::from("/d/a"), PathBuf::from("/e/b")));
        assert_eq!(call.result, -1);
        let line = r#"1.5 fsync(5</d>(deleted)) = 0"#;
        assert_eq!(parsed(1, line).expect("a call").descriptor(0), None);
    }
}
