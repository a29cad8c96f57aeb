//! Secrets stay where they are: in no output, no argument or environment of a child, no state, though the server echoes them.

use super::stand::{SECRET, assert_harmless, holding, relay, unguarded};
use crate::support::fake_imap::{FakeImap, Hook};
use crate::support::fake_pop3::{self, FakePop3, Maildrop};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry};
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a directory that holds the secret, the configuration aside.
fn holders(root: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![root.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                todo.push(path);
            } else if !path.ends_with("config.toml") && !path.ends_with("secret") {
                let bytes = fs::read(&path).unwrap_or_default();
                if bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()) {
                    found.push(path);
                }
            }
        }
    }
    found
}

/// Runs everything that talks and looks into every corner.
#[track_caller]
fn nowhere(ferry: &Ferry, verbs: &[&[&str]]) {
    for verb in verbs {
        for more in [&[][..], &["-v"], &["-vv"], &["--json"], &["--json", "-vv"]] {
            let args: Vec<&str> = verb.iter().chain(more).copied().collect();
            assert_harmless(ferry, &ferry.run(&args));
        }
    }
    assert_eq!(holders(ferry.home()), Vec::<PathBuf>::new());
}

#[test]
fn a_password_echoed_in_refusals() {
    for (word, answer) in [
        ("LOGIN", "{tag} NO wrong password 'Geheim7Wort' for you\r\n"),
        ("LOGIN", "{tag} BAD LOGIN someone Geheim7Wort\r\n"),
        ("LOGIN", "* BYE Geheim7Wort\r\n"),
        ("LOGIN", "* OK [ALERT] your password is Geheim7Wort\r\n{tag} OK\r\n"),
        ("LIST", "{tag} NO Geheim7Wort\r\n"),
        ("LIST", "* LIST () \"/\" INBOX\r\n* LIST () \"/\" Geheim7Wort\r\n{tag} NO\r\n"),
        ("SELECT", "{tag} NO [ALERT] Geheim7Wort\r\n"),
    ] {
        let hook: Hook = Box::new(move |c, _| c.line.contains(word).then(|| answer.as_bytes().to_vec()));
        let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
        let mut ferry = unguarded(fake.port());
        ferry.set("timeout", "\"1s\"");
        nowhere(&ferry, &[&["sync"], &["check"]]);
    }
}

#[test]
fn a_password_echoed_in_base64() {
    use base64::Engine as _;
    let token = base64::engine::general_purpose::STANDARD.encode(format!("\0someone\0{SECRET}"));
    let answer = format!("{{tag}} NO what is {token}\r\n");
    let hook: Hook = Box::new(move |c, _| c.line.contains("AUTHENTICATE").then(|| answer.clone().into_bytes()));
    let fake = FakeImap::with_hook(holding("IMAP4rev1 AUTH=PLAIN SASL-IR", &["a"]), hook);
    let mut ferry = unguarded(fake.port());
    ferry.set("auth", "\"plain\"");
    for args in [&["sync"][..], &["sync", "-vv"], &["sync", "--json"]] {
        let outcome = ferry.run(args);
        outcome.assert_code(77);
        assert_harmless(&ferry, &outcome);
        assert!(!outcome.stderr.contains(&token) && !outcome.stdout.contains(&token), "{}", outcome.stderr);
    }
}

#[test]
fn a_pop3_password_echoed() {
    for answer in ["-ERR bad password Geheim7Wort\r\n", "-ERR [AUTH] Geheim7Wort\r\n", "Geheim7Wort\r\n"] {
        let hook: fake_pop3::Hook =
            Box::new(move |c, _| c.line.starts_with("PASS").then(|| answer.as_bytes().to_vec()));
        let fake = FakePop3::with_hook(Maildrop::default(), hook);
        let keys = AccountKeys::plain("pop3", fake.port(), "someone").text("password", SECRET).text("timeout", "1s");
        let ferry = Ferry::new().account(ACCOUNT, keys);
        nowhere(&ferry, &[&["fetch"], &["check"]]);
    }
}

#[test]
fn hooks_and_tunnels_get_no_secret() {
    let fake = FakeImap::start(holding("IMAP4rev1", &["a"]));
    let ferry = Ferry::new();
    let out = ferry.home().join(".config/seen");
    let spy = format!("{{ env; cat /proc/$PPID/cmdline /proc/$$/cmdline | tr '\\0' '\\n'; }} >> {}", out.display());
    let tunnel = format!("{spy}; {}", relay(fake.port()));
    for (key, value) in [("on_new", &spy), ("after", &spy), ("tunnel", &tunnel)] {
        fs::create_dir_all(ferry.home().join(".config")).expect("folder");
        let secret = ferry.home().join("secret");
        fs::write(&secret, SECRET).expect("secret");
        let keys = AccountKeys::plain("imap", fake.port(), "someone").text("password", SECRET).text("timeout", "2s");
        let mut ferry = Ferry::new().account(ACCOUNT, keys.text(key, value));
        ferry.env("OTHER_SECRET", SECRET);
        let config = fs::read_to_string(ferry.config()).expect("config");
        let config = config.replace(&format!("password = {SECRET:?}"), "password_env = \"OTHER_SECRET\"");
        ferry.write_raw_config(&config);
        let outcome = ferry.run(&["sync", "-vv"]);
        outcome.assert_code(0);
        assert_harmless(&ferry, &outcome);
        let seen = fs::read_to_string(&out).unwrap_or_default();
        assert!(seen.contains("PATH="), "{key} did not run: {}", outcome.stderr);
        assert!(!seen.contains(SECRET), "{key}: {seen}");
        fs::remove_file(&out).ok();
    }
}

/// An account that logs in with a token from an external helper.
fn with_token(port: u16, protocol: &str, mechanism: &str) -> Ferry {
    let mut ferry = Ferry::new();
    fs::create_dir_all(ferry.home().join(".config")).expect("folder");
    let helper = ferry.home().join(".config/secret");
    fs::write(&helper, format!("{SECRET}\n")).expect("token");
    let keys = AccountKeys::plain(protocol, port, "someone")
        .text("auth", mechanism)
        .text("timeout", "2s")
        .set("oauth2", format!("{{ token_command = \"cat {}\" }}", helper.display()));
    ferry = ferry.account(ACCOUNT, keys);
    // A token takes the place of the password.
    let config = fs::read_to_string(ferry.config()).expect("config");
    let lines: Vec<&str> = config.lines().filter(|l| !l.starts_with("password")).collect();
    ferry.write_raw_config(&(lines.join("\n") + "\n"));
    ferry
}

/// The server gives the token back in every way it can: as it is, in base64, in the JSON of the error, in pieces of its own text.
#[test]
fn a_token_echoed_by_the_server() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    for mechanism in ["xoauth2", "oauthbearer"] {
        let bearer = match mechanism {
            "xoauth2" => format!("user=someone\x01auth=Bearer {SECRET}\x01\x01"),
            _ => format!("n,a=someone,\x01auth=Bearer {SECRET}\x01\x01"),
        };
        let json = engine.encode(format!("{{\"status\":\"401\",\"scope\":\"{SECRET}\",\"schemes\":\"bearer\"}}"));
        let base64 = engine.encode(&bearer);
        let answers = [
            format!("+ {json}\r\n"),
            format!("{{tag}} NO [AUTHENTICATIONFAILED] bad token {SECRET}\r\n"),
            format!("{{tag}} BAD what is {base64}\r\n"),
            format!("* BYE {SECRET}\r\n"),
        ];
        for answer in answers {
            let text = answer.clone();
            let hook: Hook = Box::new(move |c, _| match c.line.contains("AUTHENTICATE") {
                true => Some(text.clone().into_bytes()),
                false => (!c.line.contains(' ')).then(|| b"F1 NO\r\nF2 NO\r\nF3 NO\r\n".to_vec()),
            });
            let capabilities = format!("IMAP4rev1 SASL-IR AUTH={}", mechanism.to_uppercase());
            let mut store = holding(&capabilities, &["a"]);
            store.greeting = format!("* OK [CAPABILITY {capabilities}] hi");
            let fake = FakeImap::with_hook(store, hook);
            let ferry = with_token(fake.port(), "imap", mechanism);
            for args in [&["sync"][..], &["sync", "-vv"], &["sync", "--json", "-vv"], &["check", "-vv"]] {
                let outcome = ferry.run(args);
                assert!(outcome.code.is_some_and(|c| c != 0), "{answer}: {}", outcome.stderr);
                assert_harmless(&ferry, &outcome);
                let said = format!("{}{}", outcome.stdout, outcome.stderr);
                assert!(!said.contains(&base64) && !said.contains(&json), "{answer}: {said}");
            }
            // What OAUTHBEARER sends also holds the port.
            assert!(
                fake.heard().contains(&base64) || mechanism == "oauthbearer",
                "the token was sent: {}",
                fake.heard()
            );
            assert_eq!(holders(ferry.home()), Vec::<PathBuf>::new());
        }
    }
}

/// A login that goes well leaves the token nowhere either: not in the state, not in a hook, not in the trace.
#[test]
fn a_token_that_is_good_stays_hidden() {
    let capabilities = "IMAP4rev1 SASL-IR AUTH=XOAUTH2";
    let mut store = holding(capabilities, &["a"]);
    store.greeting = format!("* OK [CAPABILITY {capabilities}] hi");
    let fake = FakeImap::start(store);
    let ferry = with_token(fake.port(), "imap", "xoauth2");
    nowhere(&ferry, &[&["sync"], &["check"], &["verify"], &["status"], &["folders", ACCOUNT]]);
    assert_eq!(ferry.local().messages("INBOX").len(), 1);
    let hook: fake_pop3::Hook = Box::new(|c, _| match c.line.split(' ').next().unwrap_or_default() {
        "CAPA" => Some(b"+OK\r\nSASL XOAUTH2\r\nUIDL\r\n.\r\n".to_vec()),
        "AUTH" => Some(b"+ \r\n".to_vec()),
        word => (word.len() > 20).then(|| format!("-ERR [AUTH] {SECRET} is bad\r\n").into_bytes()),
    });
    let fake = FakePop3::with_hook(Maildrop::default(), hook);
    let ferry = with_token(fake.port(), "pop3", "xoauth2");
    for args in [&["fetch"][..], &["fetch", "-vv"], &["fetch", "--json", "-vv"]] {
        let outcome = ferry.run(args);
        outcome.assert_code(77);
        assert_harmless(&ferry, &outcome);
    }
    assert_eq!(holders(ferry.home()), Vec::<PathBuf>::new());
}
