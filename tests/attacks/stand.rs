//! What the attacks share: messages, servers that hold them, and the checks that every attacked run must pass.

use crate::support::fake_imap::{FakeImap, Hook, Store};
use crate::support::ferry::{Ferry, Outcome, Running};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const DATE: i64 = 1_600_000_000;
/// A secret that must not turn up anywhere.
pub const SECRET: &str = "Geheim7Wort";

/// A message whose subject and content are its name.
pub fn mail(name: &str) -> Vec<u8> {
    format!("From: a@example.org\nSubject: {name}\nMessage-ID: <{name}@example.org>\n\n{name}\n").into_bytes()
}

/// A server whose INBOX holds these messages.
pub fn holding(capabilities: &str, names: &[&str]) -> Store {
    let mut store = Store { capabilities: capabilities.into(), ..Store::default() };
    let inbox = store.folders.entry("INBOX".into()).or_default();
    for name in names {
        inbox.add(&mail(name), &["\\Seen"], DATE);
    }
    store
}

/// A home for the fake, with the guard against mass deletion off, so that only the protocol protects.
pub fn unguarded(port: u16) -> Ferry {
    let mut ferry = Ferry::imap(port, "someone");
    ferry.set("max_delete", "\"100%\"");
    ferry.set("on_delete", "\"expunge\"");
    ferry.set("password", &format!("{SECRET:?}"));
    ferry
}

/// A shell command that carries its standard input and output to a port of this machine.
pub fn relay(port: u16) -> String {
    format!("exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3'")
}

/// Counts how often a lie was told: one that is never told tests nothing.
#[derive(Clone, Default)]
pub struct Told(std::sync::Arc<std::sync::atomic::AtomicUsize>);

impl Told {
    /// The hook, counted.
    pub fn count(&self, hook: Hook) -> Hook {
        let told = self.0.clone();
        Box::new(move |c, s| {
            let answer = hook(c, s);
            if answer.is_some() {
                told.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            answer
        })
    }

    /// Fails if it was never told.
    #[track_caller]
    pub fn assert_told(&self, what: &str) {
        assert!(self.0.load(std::sync::atomic::Ordering::SeqCst) > 0, "never told: {what}");
    }
}

/// A fake with a hook that speaks only while the switch is on, and its home.
pub fn lying(store: Store, hook: Hook) -> (FakeImap, Ferry, Switch) {
    let switch = Switch::default();
    let on = switch.clone();
    let fake = FakeImap::with_hook(store, Box::new(move |c, s| if on.is_on() { hook(c, s) } else { None }));
    let ferry = unguarded(fake.port());
    (fake, ferry, switch)
}

/// Turns lies on and off.
#[derive(Clone, Default)]
pub struct Switch(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Switch {
    pub fn set(&self, on: bool) {
        self.0.store(on, std::sync::atomic::Ordering::SeqCst);
    }
    pub fn is_on(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// The subjects of a fake's folder, sorted.
pub fn remote(fake: &FakeImap, folder: &str) -> Vec<String> {
    let store = fake.store();
    let messages = store.folders.get(folder).map(|f| f.messages.clone()).unwrap_or_default();
    sorted(messages.iter().map(|m| subject(&m.bytes)))
}

/// The subjects of a local folder, sorted.
pub fn local(ferry: &Ferry, folder: &str) -> Vec<String> {
    sorted(ferry.local().messages(folder).iter().map(|m| subject(&m.bytes)))
}

pub fn subject(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.lines().find_map(|l| l.strip_prefix("Subject: ")).unwrap_or_default().trim_end().to_owned()
}

fn sorted(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut all: Vec<String> = names.collect();
    all.sort();
    all
}

/// Deletes the local message with this subject.
pub fn delete(ferry: &Ferry, folder: &str, name: &str) {
    let local = ferry.local();
    let message = local.messages(folder).into_iter().find(|m| subject(&m.bytes) == name).expect("the message");
    local.delete(Path::new(&message.place));
}

/// Every file and directory below the home that has no business there.
pub fn strays(ferry: &Ferry) -> Vec<PathBuf> {
    let mut stray = Vec::new();
    let mut todo = vec![ferry.home().to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let known = path.strip_prefix(ferry.home()).is_ok_and(|p| {
                let text = p.to_string_lossy();
                [".config", ".local", ".cache", "Mail", "Mail/work"].contains(&&*text) || text.starts_with(".config/")
            });
            if !known {
                stray.push(path);
            } else if path.ends_with("Mail") {
                todo.push(path);
            }
        }
    }
    stray
}

/// Fails if the outputs hold a control character, broken JSON, the secret or the traces of a crash, or if anything stands
/// outside the Maildir.
#[track_caller]
pub fn assert_harmless(ferry: &Ferry, outcome: &Outcome) {
    let said = format!("-- stdout\n{}-- stderr\n{}", outcome.stdout, outcome.stderr);
    let raw = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!said.contains(raw), "control characters: {said:?}");
    assert!(!said.contains(SECRET), "the secret: {said}");
    assert!(outcome.signal.is_none() && outcome.code != Some(101) && !said.contains("panicked"), "{said}");
    if outcome.stdout.starts_with('{') {
        outcome.events();
    }
    assert_eq!(strays(ferry), Vec::<PathBuf>::new());
}

/// A run with these arguments that must be harmless and end with one of these codes.
#[track_caller]
pub fn survive(ferry: &Ferry, args: &[&str], codes: &[i32]) -> Outcome {
    let mut all = args.to_vec();
    all.extend(["--json", "-vv"]);
    let outcome = ferry.run(&all);
    let fits = outcome.code.is_some_and(|c| codes.contains(&c));
    assert!(fits, "{:?} is none of {codes:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr);
    assert_harmless(ferry, &outcome);
    outcome
}

/// As [`survive`], within 100 MB of memory.
#[track_caller]
pub fn survive_small(ferry: &Ferry, args: &[&str], codes: &[i32]) -> Outcome {
    let mut all = args.to_vec();
    all.push("--json");
    let mut running: Running = ferry.start(&all);
    let status = format!("/proc/{}/status", running.pid());
    let mut peak = 0;
    while running.is_running() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let now = line.and_then(|l| l.split_whitespace().next()).and_then(|n| n.parse().ok());
        peak = now.unwrap_or(peak).max(peak);
        // Only how often the peak is looked at: the figure never falls.
        std::thread::sleep(Duration::from_millis(2));
    }
    let outcome = running.finish(Duration::from_secs(60));
    let fits = outcome.code.is_some_and(|c| codes.contains(&c));
    assert!(fits, "{:?} is none of {codes:?}\n{}{}", outcome.code, outcome.stdout, outcome.stderr);
    assert!(peak > 0 && peak < 100 * 1024_u64, "a peak of {peak} KiB");
    assert_harmless(ferry, &outcome);
    outcome
}
