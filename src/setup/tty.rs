//! The real terminal.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use secrecy::SecretString;

use super::ask::Terminal;

/// The controlling terminal, read and written directly, so that standard output stays free.
pub struct Tty {
    input: BufReader<File>,
    output: File,
}

impl Tty {
    /// The terminal, if somebody sits at it: standard input must be one, too, so that a script is never asked.
    #[must_use]
    pub fn open() -> Option<Self> {
        if !io::stdin().is_terminal() {
            return None;
        }
        let output = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let input = BufReader::new(output.try_clone().ok()?);
        Some(Self { input, output })
    }
}

impl Terminal for Tty {
    fn say(&mut self, text: &str) -> io::Result<()> {
        self.output.write_all(format!("{text}\n").as_bytes())
    }

    fn line(&mut self, prompt: &str) -> io::Result<Option<String>> {
        self.output.write_all(prompt.as_bytes())?;
        self.output.flush()?;
        let mut line = String::new();
        Ok((self.input.read_line(&mut line)? > 0).then_some(line))
    }

    fn secret(&mut self, prompt: &str) -> io::Result<SecretString> {
        rpassword::prompt_password(prompt).map(SecretString::from)
    }
}
