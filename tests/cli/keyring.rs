//! Passwords in a desktop's keyring: a real GNOME Keyring on a session bus of its own, and no session at all.

use std::path::PathBuf;
use std::process::Command;

use crate::support::dovecot::{Dovecot, PASSWORD};
use crate::support::ferry::{ACCOUNT, AccountKeys, Ferry, Outcome, Running};

/// Runs a shell script on a session bus with an unlocked keyring; `$MAILFERRY` is the program.
fn session(ferry: &Ferry, script: &str) -> Outcome {
    let ready = "dbus-send --session --dest=org.freedesktop.DBus --print-reply / \
                 org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets";
    let script = format!(
        "export XDG_RUNTIME_DIR=$HOME/run; mkdir -p -m 700 $XDG_RUNTIME_DIR; echo > $HOME/unlock\n\
         gnome-keyring-daemon --foreground --unlock --components=secrets < $HOME/unlock > $HOME/daemon.log 2>&1 &\n\
         daemon=$!\n\
         tries=0; until {ready} 2>/dev/null | grep -q true; do\n\
         tries=$((tries + 1)); [ $tries -lt 200 ] || {{ cat $HOME/daemon.log; exit 99; }}; sleep 0.05; done\n\
         ( {script} ); code=$?\nkill $daemon; wait $daemon 2>/dev/null; exit $code"
    );
    let mut command = Command::new("dbus-run-session");
    ferry.dress(command.args(["--", "bash", "-c", &script]));
    command.env("MAILFERRY", Ferry::binary());
    Running::new(command).finish(std::time::Duration::from_secs(60))
}

fn account(server: &Dovecot, user: &str) -> Ferry {
    let keys = AccountKeys::default()
        .text("protocol", "imap")
        .text("host", "127.0.0.1")
        .set("port", server.ports.imap.to_string())
        .text("tls", "none")
        .text("user", user)
        .text("password_keyring", "mailferry-work");
    Ferry::new().account(ACCOUNT, keys)
}

#[test]
fn a_password_that_another_program_stored_is_found() {
    let server = Dovecot::usual();
    let ferry = account(&server, &server.user("keyring"));
    let user = std::fs::read_to_string(ferry.config()).expect("config");
    let user = user.lines().find_map(|line| line.strip_prefix("user = ")).expect("user").trim_matches('"').to_owned();
    let lacking = session(&ferry, "$MAILFERRY sync");
    lacking.assert_code(78);
    assert!(lacking.stderr.contains("no such entry in the keyring"), "{}", lacking.stderr);
    assert!(lacking.stderr.contains("secret-tool store"), "{}", lacking.stderr);
    let store = format!("printf {PASSWORD} | secret-tool store --label=mail service mailferry-work username {user}");
    let found = session(&ferry, &format!("{store} && $MAILFERRY sync -v"));
    found.assert_code(0);
}

/// `mailferry setup` as a person at a terminal would use it: the answers are typed in.
#[test]
fn setup_stores_what_was_typed() {
    let server = Dovecot::usual();
    let user = server.user("typed");
    let ferry = Ferry::new();
    let setup = format!(
        "$MAILFERRY setup --name work --protocol imap --host 127.0.0.1 --port {} --tls none --user {user} --offline",
        server.ports.imap
    );
    // Each answer waits for its question: what is typed before a secret's question would be thrown away.
    let typed = format!(
        "coproc T {{ script -qefc \"{setup}\" /dev/null; }}; exec 3<&${{T[0]}} 4>&${{T[1]}}\n\
         ask() {{ local seen=; while [[ $seen != *\"$1\"* ]]; do IFS= read -r -N 1 -t 30 c <&3 || {{ echo \"no $1: $seen\"; exit 98; }}; \
         seen+=$c; done; printf '%b' \"$2\" >&4; }}\n\
         ask 'Which [file]: ' 'keyring\\n'; ask '(not shown): ' '{PASSWORD}\\n'; ask 'Which [sync]: ' '\\n'; ask 'Maildir [' '\\n'\n\
         ask 'Write the account' '\\n'; cat <&3; wait $T_PID"
    );
    let made = session(&ferry, &format!("{typed}; $MAILFERRY sync -v"));
    made.assert_code(0);
    assert!(made.stdout.contains("cron has no desktop session"), "{}", made.stdout);
    assert!(made.stdout.lines().all(|line| line.trim() != PASSWORD), "{}", made.stdout);
    let config = std::fs::read_to_string(ferry.config()).expect("config");
    assert!(
        config.contains("password_keyring = \"mailferry-work\"") && !config.contains(&format!("\"{PASSWORD}\"")),
        "{config}"
    );
}

#[test]
fn without_a_session_the_message_says_what_to_do() {
    let server = Dovecot::usual();
    let ferry = account(&server, "nobody");
    let outcome = ferry.json(&["sync"]);
    outcome.assert_code(78);
    let error = &outcome.events_of("error")[0];
    assert!(error["message"].as_str().unwrap_or_default().contains("no session bus"), "{error}");
    assert!(error["hint"].as_str().unwrap_or_default().contains("password_command"), "{error}");
}

#[test]
fn a_session_without_a_keyring_is_told_too() {
    let server = Dovecot::usual();
    let mut ferry = account(&server, "nobody");
    let nowhere: PathBuf = ferry.home().join("no-bus");
    ferry.env("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={}", nowhere.display()));
    let outcome = ferry.json(&["check"]);
    outcome.assert_code(78);
    assert!(outcome.stdout.contains("finds no keyring"), "{}", outcome.stdout);
}
