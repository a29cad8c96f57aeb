//! The free grammar of a fetchmailrc: tokens, entries, options.

use super::tokens::{Token, tokens};
use crate::import::model::Warning;

/// An option with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opt {
    /// The manual's first word for it (`protocol`, never `proto`).
    pub key: &'static str,
    /// `no` stood before it.
    pub no: bool,
    /// A map `a=b` is one argument.
    pub args: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

/// Options; the last of a key counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opts(pub Vec<Opt>);

impl Opts {
    /// The last option called `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Opt> {
        self.0.iter().rev().find(|opt| opt.key == key)
    }

    /// The first argument of `key`, or nothing.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.get(key).and_then(|opt| opt.args.first()).map_or("", String::as_str)
    }

    /// Whether the flag `key` is set; `None` if it does not stand here.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.get(key).map(|opt| !opt.no)
    }
}

/// `poll`, `skip` or `defaults`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `skip`: left alone unless named.
    pub skip: bool,
    /// The poll name; empty for `defaults`.
    pub name: String,
    /// Line of its first word.
    pub line: usize,
    /// Before the first user.
    pub server: Opts,
    /// One per `user`.
    pub users: Vec<Opts>,
}

/// A parsed file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// `set …`
    pub set: Opts,
    /// `defaults`, if it stands there.
    pub defaults: Option<Entry>,
    /// In file order.
    pub entries: Vec<Entry>,
    /// What is no fetchmailrc.
    pub problems: Vec<Warning>,
}

/// How many arguments an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arity {
    Flag,
    One,
    /// As many as follow that are no keywords.
    Many,
}

/// Words, the key, arity. From the manual's lists of options.
const OPTIONS: &[(&str, &str, Arity)] = &[
    ("via", "via", Arity::One),
    ("protocol", "protocol", Arity::One),
    ("proto", "protocol", Arity::One),
    ("local", "localdomains", Arity::Many),
    ("localdomains", "localdomains", Arity::Many),
    ("port", "port", Arity::One),
    ("service", "port", Arity::One),
    ("auth", "auth", Arity::One),
    ("authenticate", "auth", Arity::One),
    ("timeout", "timeout", Arity::One),
    ("envelope", "envelope", Arity::Many),
    ("qvirtual", "qvirtual", Arity::One),
    ("aka", "aka", Arity::Many),
    ("interface", "interface", Arity::One),
    ("monitor", "monitor", Arity::One),
    ("plugin", "plugin", Arity::One),
    ("plugout", "plugout", Arity::One),
    ("dns", "dns", Arity::Flag),
    ("checkalias", "checkalias", Arity::Flag),
    ("uidl", "uidl", Arity::Flag),
    ("interval", "interval", Arity::One),
    ("tracepolls", "tracepolls", Arity::Flag),
    ("principal", "principal", Arity::One),
    ("esmtpname", "esmtpname", Arity::One),
    ("esmtppassword", "esmtppassword", Arity::One),
    ("bad-header", "bad-header", Arity::One),
    ("user", "user", Arity::One),
    ("username", "user", Arity::One),
    ("is", "is", Arity::Many),
    ("to", "is", Arity::Many),
    ("pass", "password", Arity::One),
    ("password", "password", Arity::One),
    ("ssl", "ssl", Arity::Flag),
    ("sslcert", "sslcert", Arity::One),
    ("sslkey", "sslkey", Arity::One),
    ("sslproto", "sslproto", Arity::One),
    ("sslcertck", "sslcertck", Arity::Flag),
    ("sslcertfile", "sslcertfile", Arity::One),
    ("sslcertpath", "sslcertpath", Arity::One),
    ("sslcommonname", "sslcommonname", Arity::One),
    ("sslfingerprint", "sslfingerprint", Arity::One),
    ("folder", "folder", Arity::Many),
    ("folders", "folder", Arity::Many),
    ("smtphost", "smtphost", Arity::Many),
    ("smtp", "smtphost", Arity::Many),
    ("fetchdomains", "fetchdomains", Arity::Many),
    ("smtpaddress", "smtpaddress", Arity::One),
    ("smtpname", "smtpname", Arity::One),
    ("antispam", "antispam", Arity::Many),
    ("mda", "mda", Arity::One),
    ("bsmtp", "bsmtp", Arity::One),
    ("lmtp", "lmtp", Arity::Flag),
    ("preconnect", "preconnect", Arity::One),
    ("postconnect", "postconnect", Arity::One),
    ("keep", "keep", Arity::Flag),
    ("flush", "flush", Arity::Flag),
    ("limitflush", "limitflush", Arity::Flag),
    ("fetchall", "fetchall", Arity::Flag),
    ("rewrite", "rewrite", Arity::Flag),
    ("stripcr", "stripcr", Arity::Flag),
    ("forcecr", "forcecr", Arity::Flag),
    ("pass8bits", "pass8bits", Arity::Flag),
    ("dropstatus", "dropstatus", Arity::Flag),
    ("dropdelivered", "dropdelivered", Arity::Flag),
    ("mimedecode", "mimedecode", Arity::Flag),
    ("idle", "idle", Arity::Flag),
    ("limit", "limit", Arity::One),
    ("warnings", "warnings", Arity::One),
    ("batchlimit", "batchlimit", Arity::One),
    ("fetchlimit", "fetchlimit", Arity::One),
    ("fetchsizelimit", "fetchsizelimit", Arity::One),
    ("fastuidl", "fastuidl", Arity::One),
    ("expunge", "expunge", Arity::One),
    ("properties", "properties", Arity::One),
];

/// Options of `set`.
const GLOBALS: &[(&str, &str, Arity)] = &[
    ("daemon", "daemon", Arity::One),
    ("logfile", "logfile", Arity::One),
    ("idfile", "idfile", Arity::One),
    ("pidfile", "pidfile", Arity::One),
    ("postmaster", "postmaster", Arity::One),
    ("properties", "properties", Arity::One),
    ("syslog", "syslog", Arity::Flag),
    ("bouncemail", "bouncemail", Arity::Flag),
    ("spambounce", "spambounce", Arity::Flag),
    ("softbounce", "softbounce", Arity::Flag),
    ("invisible", "invisible", Arity::Flag),
    ("showdots", "showdots", Arity::Flag),
];

const NOISE: [&str; 8] = ["and", "with", "has", "wants", "options", "there", "here", "by"];

/// Reads `text`; what is not understood becomes a problem.
#[must_use]
pub fn parse(text: &str) -> Config {
    let mut config = Config::default();
    let tokens = tokens(text, &mut config.problems);
    Parser { tokens: &tokens, position: 0, config, current: None }.run()
}

struct Parser<'a> {
    tokens: &'a [Token],
    position: usize,
    config: Config,
    current: Option<Entry>,
}

impl Parser<'_> {
    fn run(mut self) -> Config {
        while let Some(token) = self.next() {
            let Token::Word { text, quoted, line } = token else {
                continue;
            };
            let word = if quoted { String::new() } else { text.to_ascii_lowercase() };
            match word.as_str() {
                "poll" | "server" | "skip" => {
                    self.close();
                    let name = self.string().unwrap_or_default();
                    self.current = Some(Entry { skip: word == "skip", name, line, ..Entry::default() });
                }
                "defaults" => {
                    self.close();
                    self.current = Some(Entry { line, ..Entry::default() });
                }
                "set" => self.global(false, line),
                "no" => self.negated(line),
                word if NOISE.contains(&word) => {}
                word => {
                    let (no, name) = match option(word, OPTIONS) {
                        Some(_) => (false, word),
                        None => word.strip_prefix("no").map_or((false, word), |rest| (true, rest)),
                    };
                    match option(name, OPTIONS) {
                        Some((key, arity)) => self.option(key, arity, no, line),
                        // The word is not shown: it may be a password out of place.
                        None => self
                            .config
                            .problems
                            .push(Warning::new(line, "a word that fetchmail does not know stands here, ignored")),
                    }
                }
            }
        }
        self.close();
        self.config
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.position).cloned();
        self.position += 1;
        token
    }

    /// The next token as a string, whatever word it is.
    fn string(&mut self) -> Option<String> {
        match self.tokens.get(self.position)? {
            Token::Word { text, .. } => {
                self.position += 1;
                Some(text.clone())
            }
            Token::Equals => {
                self.position += 1;
                self.string_after_equals()
            }
        }
    }

    fn string_after_equals(&mut self) -> Option<String> {
        match self.tokens.get(self.position)? {
            Token::Word { text, .. } => {
                self.position += 1;
                Some(text.clone())
            }
            Token::Equals => None,
        }
    }

    /// Strings up to the next keyword; `a=b` is one.
    fn strings(&mut self, first_is_text: bool) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        while let Some(token) = self.tokens.get(self.position) {
            match token {
                Token::Word { text, quoted, .. } => {
                    let forced = all.is_empty() && first_is_text;
                    if !quoted && !forced && is_keyword(text) {
                        break;
                    }
                    all.push(text.clone());
                    self.position += 1;
                }
                Token::Equals => {
                    self.position += 1;
                    if let (Some(last), Some(right)) = (all.last().cloned(), self.string_after_equals()) {
                        all.pop();
                        all.push(format!("{last}={right}"));
                    }
                }
            }
        }
        all
    }

    fn negated(&mut self, line: usize) {
        let Some(Token::Word { text, quoted: false, .. }) = self.tokens.get(self.position) else {
            return;
        };
        if let Some((key, arity)) = option(&text.to_ascii_lowercase(), OPTIONS) {
            self.position += 1;
            self.option(key, arity, true, line);
        }
    }

    fn global(&mut self, no: bool, line: usize) {
        let Some(word) = self.string().map(|word| word.to_ascii_lowercase()) else {
            return;
        };
        if word == "no" && !no {
            return self.global(true, line);
        }
        let (no, name) = match option(&word, GLOBALS) {
            Some(_) => (no, word.as_str()),
            None => word.strip_prefix("no").map_or((no, word.as_str()), |rest| (true, rest)),
        };
        match option(name, GLOBALS) {
            Some((key, arity)) => {
                let args = if arity == Arity::One { self.string().into_iter().collect() } else { Vec::new() };
                self.config.set.0.push(Opt { key, no, args, line });
            }
            None => {
                self.config.problems.push(Warning::new(line, "a global option that fetchmail does not know, ignored"))
            }
        }
    }

    fn option(&mut self, key: &'static str, arity: Arity, no: bool, line: usize) {
        let args = match arity {
            Arity::Flag => Vec::new(),
            Arity::One if no => Vec::new(),
            Arity::One => self.string().into_iter().collect(),
            Arity::Many if no => Vec::new(),
            Arity::Many => self.strings(key == "is"),
        };
        let opt = Opt { key, no, args, line };
        let Some(entry) = &mut self.current else {
            self.config.problems.push(Warning::new(line, format!("{key} stands before the first poll, ignored")));
            return;
        };
        if key == "user" {
            entry.users.push(Opts(vec![opt]));
        } else {
            entry.users.last_mut().unwrap_or(&mut entry.server).0.push(opt);
        }
    }

    fn close(&mut self) {
        match self.current.take() {
            Some(entry) if entry.name.is_empty() => self.config.defaults = Some(entry),
            Some(entry) => self.config.entries.push(entry),
            None => {}
        }
    }
}

fn option(word: &str, table: &[(&'static str, &'static str, Arity)]) -> Option<(&'static str, Arity)> {
    table.iter().find(|(name, _, _)| *name == word).map(|(_, key, arity)| (*key, *arity))
}

fn is_keyword(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let known = |word: &str| option(word, OPTIONS).is_some();
    known(&lower)
        || lower.strip_prefix("no").is_some_and(|rest| rest.is_empty() || known(rest))
        || NOISE.contains(&lower.as_str())
        || matches!(lower.as_str(), "poll" | "server" | "skip" | "defaults" | "set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_escapes() {
        let config = parse("poll \"a\\x41\\066\\n\" user 'it''s' pass \"x\\\ny\\\"\\0101\"");
        let entry = &config.entries[0];
        assert_eq!(entry.name, "aA6\n");
        // fetchmail, too, takes two adjacent strings for two.
        assert_eq!(entry.users[0].text("user"), "it");
        assert_eq!(entry.users[0].text("password"), "xy\"A");
    }

    #[test]
    fn noise_negation_and_several_users() {
        let config = parse(
            "defaults proto pop3, user is \"u\" nokeep\nset daemon = 300\nset no bouncemail\npoll h with proto imap port 143;\n\
             user keep there has password ssl and is a b=c 'to' here, options no keep, nofetchall # x\nuser two\nskip k",
        );
        assert_eq!(config.set.text("daemon"), "300");
        assert_eq!(config.set.flag("bouncemail"), Some(false));
        assert_eq!(config.entries.len(), 2);
        let [first, second] = config.entries[0].users.as_slice() else { panic!("{config:?}") };
        assert_eq!((first.text("user"), first.text("password")), ("keep", "ssl"));
        assert_eq!(first.get("is").unwrap().args, ["a", "b=c", "to"]);
        assert_eq!((first.flag("keep"), first.flag("fetchall"), first.flag("ssl")), (Some(false), Some(false), None));
        assert_eq!(second.text("user"), "two");
        assert!(config.entries[1].skip);
        assert_eq!(config.defaults.unwrap().server.text("protocol"), "pop3");
    }
}
