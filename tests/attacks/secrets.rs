//! Secrets stay where they are: in no output, no argument or environment of a child, no state, though the server echoes them.

use super::stand::{SECRET, assert_harmless, holding, unguarded};
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
    let tunnel = format!("{spy}; exec socat - TCP:127.0.0.1:{}", fake.port());
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
        assert_harmless(&ferry, &outcome);
        let seen = fs::read_to_string(&out).unwrap_or_default();
        assert!(seen.contains("PATH="), "{key} did not run: {}", outcome.stderr);
        assert!(!seen.contains(SECRET), "{key}: {seen}");
        fs::remove_file(&out).ok();
    }
}
