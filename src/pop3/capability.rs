//! What a server says it can do (RFC 2449), and how that is kept from one run to the next. PURE.

/// The answer to one CAPA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    lines: Vec<Vec<String>>,
}

impl Capabilities {
    /// From the answer's lines, each as its words.
    #[must_use]
    pub fn new(lines: Vec<Vec<String>>) -> Self {
        Self { lines: lines.into_iter().filter(|words| !words.is_empty()).collect() }
    }

    /// The arguments of capability `name`, which compares without case; `None` when it is not there.
    #[must_use]
    pub fn arguments(&self, name: &str) -> Option<&[String]> {
        self.lines.iter().find_map(|words| {
            let (first, rest) = words.split_first()?;
            first.eq_ignore_ascii_case(name).then_some(rest)
        })
    }

    /// Whether `name` is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.arguments(name).is_some()
    }

    /// Whether nothing was told: the server knows no CAPA.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Commands may be sent ahead of answers (RFC 2449 §6.6).
    #[must_use]
    pub fn pipelining(&self) -> bool {
        self.has("PIPELINING")
    }

    /// Whether what is sent behind the login, ahead of its answer, reaches the session; `sasl`: the login is by AUTH. Two servers that
    /// offer PIPELINING lose it: Courier hands the connection to another program at that point, with what the first one has read gone
    /// (seen with 1.0.16); Cyrus throws away what came behind AUTH (3.6.1), for a security layer may begin there.
    #[must_use]
    pub fn hears_behind_the_login(&self, sasl: bool) -> bool {
        let maker = self.arguments("IMPLEMENTATION").and_then(<[String]>::first).map_or("", String::as_str);
        let deaf = maker.eq_ignore_ascii_case("Courier") || (sasl && maker.eq_ignore_ascii_case("Cyrus"));
        self.pipelining() && !deaf
    }

    /// The SASL mechanisms offered (RFC 5034 §3).
    #[must_use]
    pub fn sasl(&self) -> Vec<&str> {
        self.lines
            .iter()
            .filter_map(|words| words.split_first())
            .filter(|(first, _)| first.eq_ignore_ascii_case("SASL"))
            .flat_map(|(_, rest)| rest.iter().map(String::as_str))
            .collect()
    }

    /// `EXPIRE 0` (RFC 2449 §6.7): what was retrieved is deleted by QUIT, DELE or not.
    #[must_use]
    pub fn quit_deletes(&self) -> bool {
        self.arguments("EXPIRE").is_some_and(|words| words.first().is_some_and(|w| w == "0"))
    }

    /// Seconds that the server wants between two logins (RFC 2449 §6.5).
    #[must_use]
    pub fn login_delay(&self) -> Option<u32> {
        self.arguments("LOGIN-DELAY")?.first()?.parse().ok()
    }

    /// Every capability as one line, for `check`.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.iter().map(|words| words.join(" "))
    }

    fn text(&self) -> String {
        self.lines().collect::<Vec<_>>().join("\n")
    }

    fn from_text(text: &str) -> Self {
        Self::new(text.lines().map(|l| l.split_ascii_whitespace().map(str::to_owned).collect()).collect())
    }
}

/// What a server could do in the last session: saves asking before everything can be sent in one flight. Never trusted for
/// more than the order of sending, and forgotten when a login goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// In AUTHORIZATION state, after STLS if that was used.
    pub before: Capabilities,
    /// In TRANSACTION state, where it was asked for again.
    pub after: Option<Capabilities>,
    /// The login went through without a challenge: commands may follow it in the same flight.
    pub direct: bool,
}

impl Remembered {
    /// The text kept in the state.
    #[must_use]
    pub fn to_text(&self) -> String {
        let direct = if self.direct { "direct" } else { "" };
        let after = self.after.as_ref().map(|after| format!("\n.\n{}", after.text())).unwrap_or_default();
        format!("{direct}\n{}{after}", self.before.text())
    }

    /// From the text kept in the state; anything can be read.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let (direct, rest) = text.split_once('\n').unwrap_or_default();
        let (before, after) = match rest.split_once("\n.\n") {
            Some((before, after)) => (before, Some(Capabilities::from_text(after))),
            None => (rest, None),
        };
        Self { before: Capabilities::from_text(before), after, direct: direct == "direct" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gmail_as_recorded() {
        let caps = Capabilities::from_text(
            "USER\nRESP-CODES\nEXPIRE 0\nLOGIN-DELAY 300\nTOP\nUIDL\nX-GOOGLE-RICO\nSASL PLAIN XOAUTH2",
        );
        assert!(caps.quit_deletes() && caps.has("top") && !caps.pipelining());
        assert_eq!((caps.login_delay(), caps.sasl()), (Some(300), vec!["PLAIN", "XOAUTH2"]));
        assert!(!Capabilities::from_text("expire 60").quit_deletes());
        assert!(!Capabilities::from_text("EXPIRE NEVER").quit_deletes());
    }

    #[test]
    fn some_servers_lose_what_is_sent_behind_the_login() {
        let hears = |implementation: &str, sasl| {
            let caps = Capabilities::from_text(&format!("TOP\nPIPELINING\nUIDL\n{implementation}"));
            assert!(caps.pipelining());
            caps.hears_behind_the_login(sasl)
        };
        assert!(
            !hears("IMPLEMENTATION Courier Mail Server", false) && !hears("IMPLEMENTATION Courier Mail Server", true)
        );
        assert!(hears("IMPLEMENTATION Cyrus POP3 3.6.1", false) && !hears("IMPLEMENTATION Cyrus POP3 3.6.1", true));
        assert!(hears("IMPLEMENTATION", true) && hears("USER", true) && hears("USER", false));
        assert!(!Capabilities::from_text("TOP").hears_behind_the_login(false));
    }

    #[test]
    fn memory_round_trips() {
        let one = Remembered { before: Capabilities::from_text("TOP\nSASL PLAIN LOGIN"), after: None, direct: true };
        assert_eq!(Remembered::from_text(&one.to_text()), one);
        let both = Remembered { after: Some(Capabilities::from_text("PIPELINING")), ..one };
        assert_eq!(Remembered::from_text(&both.to_text()), both);
        assert_eq!(Remembered::from_text(""), Remembered::default());
    }
}
