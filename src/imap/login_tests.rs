//! Logins against a scripted server.

use crate::account::{AuthMechanism, TlsMode};
use crate::imap::Error;
use crate::imap::scripted::{account, log_in};
use crate::severity::{Kind, Retry, Severity};

#[test]
fn greetings_that_are_none() {
    let plain = account(TlsMode::None, AuthMechanism::Auto);
    for (greeting, kind) in [
        ("* PREAUTH in\r\n", Kind::Protocol),
        ("* BYE [UNAVAILABLE] later\r\n", Kind::TryLater),
        ("* BYE go away\r\n", Kind::TryLater),
        ("+OK POP3 ready\r\n", Kind::Protocol),
        ("220 smtp ESMTP\r\n", Kind::Protocol),
        ("* NO x\r\n", Kind::Protocol),
        ("F1 OK in\r\n", Kind::Protocol),
        ("HTTP/1.1 400 Bad Request\r\n", Kind::Protocol),
    ] {
        let (result, _) = log_in(greeting, &[], &plain);
        assert_eq!(result.map(drop).map_err(|e| e.kind()), Err(kind), "{greeting}");
    }
    let (result, _) = log_in("* BYE [UNAVAILABLE] later\r\n", &[], &plain);
    assert_eq!(result.map(drop).map_err(|e| e.retry()), Err(Retry::Later));
    let (result, _) = log_in("* BYE go away\r\n", &[], &plain);
    assert_eq!(result.map(drop).map_err(|e| e.retry()), Err(Retry::Now));
}

#[test]
fn starttls_is_never_left_out() {
    let starttls = account(TlsMode::StartTls, AuthMechanism::Auto);
    let caps = ("F1 CAPABILITY\r\n", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nF1 OK x\r\n");
    let (result, script) = log_in("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n", &[caps], &starttls);
    assert!(matches!(result, Err(Error::NoStartTls)) && script.is_ok());
    let (result, _) = log_in("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] x\r\n", &[], &starttls);
    assert_eq!(result.map(drop).map_err(|e| e.kind()), Err(Kind::Protocol));
    let injected = ("F1 STARTTLS\r\n", "F1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
    let (result, _) = log_in("* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n", &[injected], &starttls);
    assert_eq!(result.map(drop).map_err(|e| e.kind()), Err(Kind::Protocol));
}

#[test]
fn an_answer_that_was_there_before_its_command_is_none() {
    // The predictable tag, sent along with the greeting.
    let (result, _) =
        log_in("* OK [CAPABILITY IMAP4rev1] x\r\nF1 OK in\r\n", &[], &account(TlsMode::None, AuthMechanism::Auto));
    assert_eq!(result.map(drop).map_err(|e| e.kind()), Err(Kind::Protocol));
}

#[test]
fn login_refusals() {
    let plain = account(TlsMode::None, AuthMechanism::Auto);
    let greeting = "* OK [CAPABILITY IMAP4rev1] x\r\n";
    for (answer, kind) in [
        ("F1 NO [AUTHENTICATIONFAILED] no\r\n", Kind::Auth),
        ("F1 NO no\r\n", Kind::Auth),
        ("F1 NO [UNAVAILABLE] later\r\n", Kind::TryLater),
        ("F1 NO [INUSE] later\r\n", Kind::TryLater),
        ("F1 NO [LIMIT] later\r\n", Kind::TryLater),
        ("* BYE too many\r\n", Kind::TryLater),
    ] {
        let (result, _) = log_in(greeting, &[("F1 LOGIN \"me\" \"secret\"\r\n", answer)], &plain);
        let error = result.map(drop).expect_err("refused");
        assert_eq!(error.kind(), kind, "{answer}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn authenticate_with_and_without_initial_response() {
    let plain = account(TlsMode::None, AuthMechanism::Plain);
    let greeting = "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] x\r\n";
    let (result, _) = log_in(
        greeting,
        &[
            ("F1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==\r\n", "F1 BAD what?\r\n"),
            ("F2 AUTHENTICATE PLAIN\r\n", "+ \r\n"),
            ("AG1lAHNlY3JldA==\r\n", "F2 OK [CAPABILITY IMAP4rev1] in\r\n"),
        ],
        &plain,
    );
    assert!(result.is_ok());
    let oauth = account(TlsMode::None, AuthMechanism::XOAuth2);
    let (result, script) = log_in(
        "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] x\r\n",
        &[
            ("F1 AUTHENTICATE XOAUTH2 dXNlcj1tZQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==\r\n", "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n"),
            ("\r\n", "F1 NO [AUTHENTICATIONFAILED] no\r\n"),
        ],
        &oauth,
    );
    assert_eq!(result.map(drop).map_err(|e| e.kind()), Err(Kind::Auth));
    assert_eq!(script, Ok(()));
}
