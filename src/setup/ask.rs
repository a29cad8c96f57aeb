//! Questions: each has its option, a default where one is safe, and choices where there are few.

use std::io;

use secrecy::{ExposeSecret, SecretString};

use super::error::Error;

/// Where questions are asked. A test answers from a list.
pub trait Terminal {
    /// Shows text.
    ///
    /// # Errors
    /// When it cannot be written.
    fn say(&mut self, text: &str) -> io::Result<()>;
    /// Asks for a line; `None` at the end of the input.
    ///
    /// # Errors
    /// When it cannot be read.
    fn line(&mut self, prompt: &str) -> io::Result<Option<String>>;
    /// Asks for a line that is not shown.
    ///
    /// # Errors
    /// When it cannot be read.
    fn secret(&mut self, prompt: &str) -> io::Result<SecretString>;
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The option that answers it.
    pub flag: &'static str,
    /// The question.
    pub text: &'a str,
    /// What an empty answer means.
    pub default: Option<&'a str>,
    /// The words that it takes, with what they mean; any text if empty.
    pub choices: &'a [(&'a str, &'a str)],
}

/// Gets answers: from options, from defaults with `--yes`, else from the terminal.
pub struct Asker<'t> {
    terminal: Option<&'t mut dyn Terminal>,
    yes: bool,
}

impl<'t> Asker<'t> {
    /// With the terminal, if there is one.
    pub fn new(terminal: Option<&'t mut dyn Terminal>, yes: bool) -> Self {
        Self { terminal, yes }
    }

    /// Whether a person is there who reads and answers.
    #[must_use]
    pub fn interactive(&self) -> bool {
        self.terminal.is_some() && !self.yes
    }

    /// Whether every default is to be taken.
    #[must_use]
    pub fn takes_defaults(&self) -> bool {
        self.yes
    }

    /// Shows text, if anybody is there.
    pub fn say(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            // A terminal that is gone shows itself at the next question.
            let _ = terminal.say(text);
        }
    }

    /// The answer: `given` if it is set, the default with `--yes`, else what the user says.
    ///
    /// # Errors
    /// No terminal and no default that may be taken; end of input; `given` is none of the choices.
    pub fn ask(&mut self, question: &Question, given: Option<&str>) -> Result<String, Error> {
        self.ask_for(question, given, |answer| Ok(answer.to_owned()))
    }

    /// As [`Asker::ask`], for an answer that `read` must understand: a person is asked until it does.
    ///
    /// # Errors
    /// As [`Asker::ask`]; `given` is not understood.
    pub fn ask_for<T>(
        &mut self,
        question: &Question,
        given: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let understand = |answer: &str| accept(question, answer).and_then(|answer| read(&answer));
        let default = question.default.filter(|_| self.yes);
        if let Some(given) = given.or(default) {
            return understand(given).map_err(|why| Error::Invalid { flag: question.flag, why });
        }
        let Some(terminal) = self.terminal.as_mut().filter(|_| !self.yes) else {
            return Err(missing(question));
        };
        let prompt = prompt(question);
        loop {
            let line = terminal.line(&prompt).map_err(ended)?.ok_or(Error::GivenUp)?;
            let answer = match (line.trim(), question.default) {
                ("", Some(default)) => default,
                (answer, _) => answer,
            };
            match understand(answer) {
                Ok(answer) => return Ok(answer),
                Err(why) => terminal.say(&why).map_err(ended)?,
            }
        }
    }

    /// A yes or no; without a person what `otherwise` says.
    ///
    /// # Errors
    /// End of input.
    pub fn confirm(&mut self, text: &str, otherwise: bool) -> Result<bool, Error> {
        if !self.interactive() {
            return Ok(otherwise);
        }
        let choices = [("y", ""), ("n", "")];
        let question = Question { flag: "--yes", text, default: Some("y"), choices: &choices };
        self.ask(&question, None).map(|answer| answer == "y")
    }

    /// A secret, which is not empty.
    ///
    /// # Errors
    /// Nobody is there; end of input.
    pub fn secret(&mut self, what: &str, flag: &'static str) -> Result<SecretString, Error> {
        let Some(terminal) = self.terminal.as_mut().filter(|_| !self.yes) else {
            return Err(Error::Missing { flag, question: "the password".to_owned(), has_default: false });
        };
        loop {
            let secret = terminal.secret(&format!("{what} (not shown): ")).map_err(ended)?;
            if !secret.expose_secret().is_empty() {
                return Ok(secret);
            }
            terminal.say("It is empty. Ctrl-C ends the setup.").map_err(ended)?;
        }
    }

    /// A secret that not everybody has; `None` if it is empty or nobody is there.
    ///
    /// # Errors
    /// End of input.
    pub fn secret_or_none(&mut self, what: &str) -> Result<Option<SecretString>, Error> {
        let Some(terminal) = self.terminal.as_mut().filter(|_| !self.yes) else { return Ok(None) };
        let secret = terminal.secret(&format!("{what} (not shown): ")).map_err(ended)?;
        Ok(Some(secret).filter(|secret| !secret.expose_secret().is_empty()))
    }
}

fn ended(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::Interrupted { Error::Stopped } else { Error::GivenUp }
}

fn missing(question: &Question) -> Error {
    Error::Missing { flag: question.flag, question: question.text.to_owned(), has_default: question.default.is_some() }
}

fn accept(question: &Question, answer: &str) -> Result<String, String> {
    if answer.is_empty() {
        return Err("Please answer.".to_owned());
    }
    if answer.chars().any(char::is_control) {
        return Err("Control characters are not possible.".to_owned());
    }
    if question.choices.is_empty() {
        return Ok(answer.to_owned());
    }
    let folded = answer.to_ascii_lowercase();
    let exact = question.choices.iter().find(|(word, _)| *word == folded);
    let mut begun = question.choices.iter().filter(|(word, _)| word.starts_with(&folded));
    match (exact, begun.next(), begun.next()) {
        (Some((word, _)), _, _) | (None, Some((word, _)), None) => Ok((*word).to_owned()),
        (None, _, _) => {
            let words: Vec<&str> = question.choices.iter().map(|(word, _)| *word).collect();
            Err(format!("Please answer one of: {}.", words.join(", ")))
        }
    }
}

/// The question on one line; where it has choices, these below it with what they mean, and a line for the answer.
fn prompt(question: &Question) -> String {
    let default = question.default.map(|default| format!(" [{default}]")).unwrap_or_default();
    let explained: Vec<_> = question.choices.iter().filter(|(_, meaning)| !meaning.is_empty()).collect();
    if explained.is_empty() {
        let words: Vec<&str> = question.choices.iter().map(|(word, _)| *word).collect();
        let words = if words.is_empty() { String::new() } else { format!(" ({})", words.join("/")) };
        return format!("{}{words}{default}: ", question.text);
    }
    let widest = explained.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let list: String = explained.iter().map(|(word, meaning)| format!("  {word:<widest$}  {meaning}\n")).collect();
    format!("{}:\n{list}Which{default}: ", question.text)
}

#[cfg(test)]
pub(crate) mod scripted {
    use super::*;

    /// A terminal that answers from a list and keeps what it was shown.
    #[derive(Default)]
    pub(crate) struct Script {
        pub(crate) answers: Vec<&'static str>,
        pub(crate) shown: String,
    }

    impl Script {
        pub(crate) fn new(answers: &[&'static str]) -> Self {
            Self { answers: answers.to_vec(), shown: String::new() }
        }

        fn next(&mut self) -> Option<String> {
            (!self.answers.is_empty()).then(|| self.answers.remove(0).to_owned())
        }
    }

    impl Terminal for Script {
        fn say(&mut self, text: &str) -> io::Result<()> {
            self.shown += text;
            self.shown.push('\n');
            Ok(())
        }

        fn line(&mut self, prompt: &str) -> io::Result<Option<String>> {
            self.shown += prompt;
            Ok(self.next())
        }

        fn secret(&mut self, prompt: &str) -> io::Result<SecretString> {
            self.shown += prompt;
            self.next().map(SecretString::from).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::scripted::Script;
    use super::*;
    use crate::severity::Severity;

    const MODE: Question = Question {
        flag: "--mode",
        text: "What to do",
        default: Some("sync"),
        choices: &[("sync", "both ways"), ("mirror", "one way"), ("archive", "for ever")],
    };

    #[test]
    fn options_win_defaults_need_a_yes() {
        let mut nobody = Asker::new(None, false);
        assert_eq!(nobody.ask(&MODE, Some("mirror")).unwrap(), "mirror");
        assert!(matches!(nobody.ask(&MODE, Some("nope")), Err(Error::Invalid { flag: "--mode", .. })));
        let error = nobody.ask(&MODE, None).unwrap_err();
        assert_eq!(
            (error.kind().exit(), error.hint().unwrap()),
            (2, "give --mode, or --yes to take every default".to_owned())
        );
        assert_eq!(Asker::new(None, true).ask(&MODE, None).unwrap(), "sync");
        let open = Question { default: None, ..MODE };
        assert_eq!(Asker::new(None, true).ask(&open, None).unwrap_err().hint().unwrap(), "give --mode");
    }

    #[test]
    fn people_are_asked_until_it_fits() {
        let mut script = Script::new(&["x", "m", "", ""]);
        let mut asker = Asker::new(Some(&mut script), false);
        assert_eq!(asker.ask(&MODE, None).unwrap(), "mirror");
        assert_eq!(asker.ask(&MODE, None).unwrap(), "sync");
        assert!(asker.confirm("Sure?", false).unwrap());
        assert!(matches!(asker.ask(&MODE, None), Err(Error::GivenUp)));
        assert!(script.shown.contains("one of: sync, mirror, archive") && script.shown.contains("both ways"));
        assert!(!Asker::new(None, true).confirm("Sure?", false).unwrap());
    }
}
