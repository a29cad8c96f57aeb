//! Questions to the person at the terminal: lines, choices, yes or no, and secrets, which are not shown.

use std::io::{self, BufRead, BufReader, IsTerminal};

use secrecy::SecretString;

use super::Ui;
use crate::stop::Stop;

/// Asks. Implemented for a terminal here, and by tests with prepared answers.
pub trait Ask {
    /// Whether there is somebody to ask.
    fn is_interactive(&self) -> bool;

    /// A line of text, trimmed; `default` for an empty one, if there is a default, else the question comes again.
    ///
    /// # Errors
    /// `UnexpectedEof` when the input ends, `Interrupted` when the user stops the program.
    fn line(&mut self, question: &str, default: Option<&str>) -> io::Result<String>;

    /// The index of one of `choices`, which are shown with numbers from 1.
    ///
    /// # Errors
    /// As [`Ask::line`].
    fn choose(&mut self, question: &str, choices: &[&str], default: usize) -> io::Result<usize>;

    /// Yes or no.
    ///
    /// # Errors
    /// As [`Ask::line`].
    fn confirm(&mut self, question: &str, default: bool) -> io::Result<bool>;

    /// A secret, read from the terminal itself without echo; as typed, without the line end.
    ///
    /// # Errors
    /// As [`Ask::line`], and when there is no terminal.
    fn secret(&mut self, question: &str) -> io::Result<SecretString>;
}

/// A person at stdin and stderr.
pub struct Terminal<'a> {
    ui: &'a Ui,
    input: Box<dyn BufRead + 'a>,
    interactive: bool,
    stop: Option<Stop>,
}

impl<'a> Terminal<'a> {
    /// Asks on stderr and reads stdin. A request of `stop` ends a question that waits.
    #[must_use]
    pub fn new(ui: &'a Ui, stop: Option<Stop>) -> Self {
        let stdin = io::stdin();
        let interactive = stdin.is_terminal() && ui.stderr_is_terminal();
        Self { ui, input: Box::new(BufReader::new(stdin)), interactive, stop }
    }

    /// As [`Terminal::new`], with the answers from elsewhere.
    #[must_use]
    pub fn with_input(ui: &'a Ui, input: Box<dyn BufRead + 'a>) -> Self {
        Self { ui, input, interactive: true, stop: None }
    }

    fn answer(&mut self, prompt: &str) -> io::Result<String> {
        self.ui.prompt(prompt);
        if let Some(stop) = self.stop.as_ref().filter(|_| self.interactive) {
            // The terminal hands over whole lines, so readable means that the line is there.
            let stdin = io::stdin();
            let mut fds = [
                rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::IN),
                rustix::event::PollFd::from_borrowed_fd(stop.fd(), rustix::event::PollFlags::IN),
            ];
            while let Err(error) = rustix::event::poll(&mut fds, None) {
                if error != rustix::io::Errno::INTR {
                    return Err(error.into());
                }
            }
            if stop.requested() {
                self.ui.prompt("\n");
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Ask for Terminal<'_> {
    fn is_interactive(&self) -> bool {
        self.interactive
    }

    fn line(&mut self, question: &str, default: Option<&str>) -> io::Result<String> {
        let prompt = default.map_or_else(|| format!("{question}: "), |d| format!("{question} [{d}]: "));
        loop {
            let answer = self.answer(&prompt)?;
            match (answer.is_empty(), default) {
                (false, _) => return Ok(answer),
                (true, Some(default)) => return Ok(default.to_owned()),
                (true, None) => {}
            }
        }
    }

    fn choose(&mut self, question: &str, choices: &[&str], default: usize) -> io::Result<usize> {
        let list: String = choices.iter().enumerate().map(|(i, c)| format!("  {}  {c}\n", i + 1)).collect();
        self.ui.prompt(&format!("{question}\n{list}"));
        let prompt = format!("1 to {} [{}]: ", choices.len(), default + 1);
        loop {
            let answer = self.answer(&prompt)?;
            if answer.is_empty() {
                return Ok(default);
            }
            let named = choices.iter().position(|c| c.eq_ignore_ascii_case(&answer));
            let number = answer.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < choices.len());
            if let Some(index) = number.or(named) {
                return Ok(index);
            }
        }
    }

    fn confirm(&mut self, question: &str, default: bool) -> io::Result<bool> {
        let prompt = format!("{question} [{}]: ", if default { "Y/n" } else { "y/N" });
        loop {
            match self.answer(&prompt)?.to_lowercase().as_str() {
                "" => return Ok(default),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            }
        }
    }

    fn secret(&mut self, question: &str) -> io::Result<SecretString> {
        self.ui.prompt(&format!("{question} (not shown): "));
        // Without a prompt of its own: ours is cleaned and stands above no progress bar.
        let secret = rpassword::read_password()?;
        if self.stop.as_ref().is_some_and(Stop::requested) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(secret.into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::captured;
    use super::*;

    #[test]
    fn answers_are_taken_as_people_give_them() {
        let (ui, _, err) = captured(|_| {});
        let answers = b"\n\nme@example.org\n\n7\n2\nNO\nperhaps\ny\n";
        let mut ask = Terminal::with_input(&ui, Box::new(&answers[..]));
        assert_eq!(ask.line("Port", Some("993")).ok().as_deref(), Some("993"));
        assert_eq!(ask.line("Address", None).ok().as_deref(), Some("me@example.org"));
        assert_eq!(ask.choose("Mode", &["sync", "archive"], 0).ok(), Some(0));
        assert_eq!(ask.choose("Mode", &["sync", "archive"], 0).ok(), Some(1));
        assert_eq!(ask.confirm("Write it", true).ok(), Some(false));
        assert_eq!(ask.confirm("Write it", false).ok(), Some(true));
        assert_eq!(ask.line("Name", None).map_err(|e| e.kind()), Err(io::ErrorKind::UnexpectedEof));
        let expected = "Port [993]: Address: Address: Mode\n  1  sync\n  2  archive\n1 to 2 [1]: ";
        assert!(err.text().starts_with(expected), "{}", err.text());
    }
}
