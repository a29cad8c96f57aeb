//! What servers do that no capability tells: sentences instead of codes, damaged extensions, placeholders. PURE.

use std::time::Duration;

use super::capability::Capabilities;

/// Whether the server rewrites the stream until it has answered CAPABILITY after the login (iCloud's proxy does).
#[must_use]
pub fn must_ask_capability(host: &str, capabilities: &Capabilities) -> bool {
    let host = host.to_ascii_lowercase();
    let apple = [".mail.me.com", ".icloud.com", ".mac.com"];
    apple.iter().any(|end| host.ends_with(end)) || capabilities.all.contains("XAPPLEPUSHSERVICE")
}

/// Whether MAILBOXID must not be asked for in LIST: Cyrus 3.6 answers with uninitialised memory there.
#[must_use]
pub fn no_mailboxid_in_list(greeting: &str) -> bool {
    greeting.contains("Cyrus")
}

/// Whether a refusal's text means "later" though it has no code.
#[must_use]
pub fn says_later(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "[throttled]",
        "request is throttled",
        "maximum number of connections",
        "too many simultaneous",
        "server unavailable. 15",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// The pause that Exchange suggests, at most 60 s.
#[must_use]
pub fn suggested_pause(text: &str) -> Option<Duration> {
    let lower = text.to_ascii_lowercase();
    let (_, tail) = lower.split_once("suggested backoff time:")?;
    let digits: String = tail.trim_start().chars().take_while(char::is_ascii_digit).take(9).collect();
    Some(Duration::from_millis(digits.parse::<u64>().ok()?.min(60_000)))
}

/// What a user should do about a refused login, from the words of servers that people meet.
#[must_use]
pub fn login_hint(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let table = [
        ("application-specific password", "make an app password in the account's security settings and use that"),
        ("app password", "make an app password in the account's security settings and use that"),
        ("not enabled for imap", "switch IMAP on in the account's web settings"),
        ("web browser", "sign in once with a web browser, then try again"),
        ("basic authentication is disabled", "this account needs OAuth 2.0: run `mailferry auth`"),
        (
            "authenticated but not connected",
            "IMAP is switched off for this mailbox, or the user name is not the mailbox's address",
        ),
        ("unsafe login", "the provider wants an authorization code instead of the password; use its preset"),
        ("too many simultaneous", "lower `connections`"),
        ("maximum number of connections", "lower `connections`"),
    ];
    table.iter().find(|(words, _)| text.contains(words)).map(|(_, hint)| *hint)
}

/// What a user should do about another refusal.
#[must_use]
pub fn refusal_hint(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if lower.contains("throttled") || lower.contains("rate limit") || lower.contains("bandwidth") {
        return Some("the provider's limit is reached; the next run goes on where this one stopped");
    }
    if lower.contains("quota") {
        return Some("the mailbox on the server is full: make room there");
    }
    None
}

/// Whether a body begins like the text that Exchange invents for a message it cannot give: never to be stored.
#[must_use]
pub fn is_placeholder(body: &[u8]) -> bool {
    let head = body.get(..4096).unwrap_or(body);
    memchr::memmem::find(head, b"Retrieval using the IMAP4 protocol failed for the following message").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        assert!(says_later("Request is throttled. Suggested Backoff Time: 91234 milliseconds"));
        assert_eq!(suggested_pause("x Suggested Backoff Time: 91234 milliseconds"), Some(Duration::from_secs(60)));
        assert_eq!(suggested_pause("x Suggested Backoff Time: soon"), None);
        assert!(login_hint("Application-specific password required: https://x").is_some());
        assert!(!says_later("Authentication failed."));
        assert!(is_placeholder(
            b"Subject: x\r\n\r\nRetrieval using the IMAP4 protocol failed for the following message: 7"
        ));
    }

    #[test]
    fn servers() {
        assert!(must_ask_capability("imap.mail.me.com", &Capabilities::default()));
        assert!(must_ask_capability("x", &Capabilities::parse(b"IMAP4 XAPPLEPUSHSERVICE")));
        assert!(!must_ask_capability("me.com.example.org", &Capabilities::default()));
        assert!(no_mailboxid_in_list("vm Cyrus IMAP 3.6.1-Debian-3.6.1-4+deb12u5 server ready"));
    }
}
