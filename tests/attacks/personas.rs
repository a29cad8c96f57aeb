//! Servers with the manners of well-known ones: each deviation must do no harm. The transcripts are in `data/wire/personas`; what their
//! lines mean is said at [`Persona`].

use super::stand::{DATE, delete, holding, local, mail, remote, survive, unguarded};
use crate::support::fake_imap::{FakeImap, Filter, Folder, Hook, Store, listing_line};
use crate::support::ferry::Ferry;
use crate::support::message::flags;

/// Syncs, adds on both sides, deletes one here, syncs on; in the end both sides hold "b", "here" and "there", once each.
#[track_caller]
fn lived_with(mut store: Store, settle: fn(&mut Ferry), hook: Hook) -> FakeImap {
    store.folders.entry("INBOX".into()).or_default();
    let fake = FakeImap::with_hook(store, hook);
    let mut ferry = unguarded(fake.port());
    settle(&mut ferry);
    survive(&ferry, &["sync"], &[0, 69]);
    assert_eq!(local(&ferry, "INBOX"), ["a", "b"]);
    ferry.local().deliver("INBOX", &mail("here"), &flags("S"), DATE);
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("there"), &["\\Seen"], DATE)));
    delete(&ferry, "INBOX", "a");
    for _ in 0..3 {
        survive(&ferry, &["sync"], &[0, 69]);
    }
    assert_eq!(local(&ferry, "INBOX"), ["b", "here", "there"]);
    assert_eq!(remote(&fake, "INBOX"), ["b", "here", "there"]);
    fake
}

/// The manners of a server, as a transcript tells them. Its first line says which server, and where it was reported. Then, a line each:
///
/// - `capability …`, `greeting …`: what it says of itself;
/// - `> WORD`: what it answers, on the `<` lines behind, to every command that contains WORD; `once WORD`: to the first such command;
///   `unless SAID WORD`: as long as SAID was not heard;
/// - `+ WORD LINE`: LINE comes before the answer's last line; `- WORD TEXT`: lines with TEXT are left out;
/// - `~ WORD;THIS;THAT`: THIS is said as THAT; `reverse WORD`: the lines before the last come in reverse;
/// - `codes 0 69`: how runs may end (0 alone otherwise).
#[derive(Clone, Default)]
struct Persona {
    capabilities: String,
    greeting: Option<String>,
    answers: Vec<Answer>,
    changes: Vec<(String, Change)>,
    codes: Vec<i32>,
}

#[derive(Clone)]
struct Answer {
    word: String,
    when: When,
    text: String,
}

#[derive(Clone)]
enum When {
    Always,
    Once,
    Unless(String),
}

#[derive(Clone)]
enum Change {
    Add(String),
    Omit(String),
    Say(String, String),
    Reverse,
}

impl Persona {
    fn read(text: &str) -> Self {
        let mut out = Self::default();
        for line in text.lines().skip(1) {
            let (what, rest) = line.split_once(' ').unwrap_or((line, ""));
            // Words that stand for two, such as `UID FETCH`, are told from what follows by their case.
            let split = |rest: &str| {
                let count = rest
                    .split(' ')
                    .take_while(|w| w.len() > 2 && w.chars().all(|c| c.is_ascii_uppercase()))
                    .count()
                    .max(1);
                let words: Vec<&str> = rest.splitn(count + 1, ' ').collect();
                (words[..count].join(" "), words.get(count).copied().unwrap_or_default().to_owned())
            };
            match what {
                "capability" => out.capabilities = rest.to_owned(),
                "greeting" => out.greeting = Some(rest.to_owned()),
                ">" => out.answers.push(Answer { word: rest.into(), when: When::Always, text: String::new() }),
                "once" => out.answers.push(Answer { word: rest.into(), when: When::Once, text: String::new() }),
                "unless" => {
                    let (said, word) = rest.split_once(' ').expect("two words");
                    out.answers.push(Answer {
                        word: word.into(),
                        when: When::Unless(format!(" {said} ")),
                        text: String::new(),
                    });
                }
                "<" => out.answers.last_mut().expect("a question").text += &format!("{rest}\r\n"),
                "+" => {
                    let (word, text) = split(rest);
                    out.changes.push((word, Change::Add(text)));
                }
                "-" => {
                    let (word, text) = rest.split_once(' ').expect("two words");
                    out.changes.push((word.to_owned(), Change::Omit(text.to_owned())));
                }
                "~" => {
                    let parts: Vec<&str> = rest.splitn(3, ';').collect();
                    out.changes
                        .push((parts[0].trim_end().to_owned(), Change::Say(parts[1].to_owned(), parts[2].to_owned())));
                }
                "reverse" => out.changes.push((rest.to_owned(), Change::Reverse)),
                "codes" => out.codes = rest.split(' ').map(|c| c.parse().expect("a code")).collect(),
                other => panic!("{other:?} in {line:?}"),
            }
        }
        if out.codes.is_empty() {
            out.codes.push(0);
        }
        out
    }

    fn hook(&self) -> Hook {
        let answers = self.answers.clone();
        let heard = std::sync::Mutex::new(String::new());
        Box::new(move |c, _| {
            let mut heard = heard.lock().expect("lock");
            let line = c.line.to_ascii_uppercase();
            let before = heard.clone();
            *heard += &format!("{line}\n");
            let fits = |a: &&Answer| {
                let now = match &a.when {
                    When::Always => true,
                    When::Once => !before.contains(&a.word),
                    When::Unless(said) => !before.contains(said.as_str()),
                };
                line.contains(&a.word) && now
            };
            answers.iter().find(fits).map(|a| a.text.clone().into_bytes())
        })
    }

    fn filter(&self) -> Filter {
        let changes = self.changes.clone();
        Filter::new(move |c, mut answer| {
            for (word, change) in &changes {
                // Bodies are bytes, and stay as they are.
                if c.line.to_ascii_uppercase().contains(word) && !answer.windows(6).any(|w| w == b"BODY[]") {
                    answer = changed(&answer, change);
                }
            }
            answer
        })
    }
}

fn changed(answer: &[u8], change: &Change) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer).into_owned();
    let mut lines: Vec<String> = text.split_inclusive("\r\n").map(str::to_owned).collect();
    let last = lines.len().saturating_sub(1);
    match change {
        Change::Add(line) => lines.insert(last, format!("{line}\r\n")),
        Change::Omit(text) => lines.retain(|l| !l.contains(text.as_str())),
        Change::Say(this, that) => lines.iter_mut().for_each(|l| *l = l.replace(this.as_str(), that)),
        // Literals keep lines together.
        Change::Reverse if text.contains('{') => {}
        Change::Reverse => lines[..last].reverse(),
    }
    lines.concat().into_bytes()
}

/// Lives with a persona, without and with keywords, and checks that its manners showed.
#[track_caller]
fn played(name: &str, text: &str) {
    let persona = Persona::read(text);
    let mut store = holding(&persona.capabilities, &["a", "b"]);
    if let Some(greeting) = &persona.greeting {
        store.greeting.clone_from(greeting);
    }
    store.filter = persona.filter();
    let fake = FakeImap::with_hook(store, persona.hook());
    let mut ferry = unguarded(fake.port());
    ferry.set("timeout", "\"2s\"");
    let (mut codes, mut tries) = (Vec::new(), 0);
    while codes.last() != Some(&0) && tries < 3 {
        let outcome = survive(&ferry, &["sync"], &persona.codes);
        codes.push(outcome.code.unwrap_or(-1));
        tries += 1;
    }
    assert_eq!(local(&ferry, "INBOX"), ["a", "b"], "{name}: {codes:?}");
    ferry.local().deliver("INBOX", &mail("here"), &flags("FS"), DATE);
    fake.change(|s| s.folders.get_mut("INBOX").map(|f| f.add(&mail("there"), &["\\Seen"], DATE)));
    delete(&ferry, "INBOX", "a");
    for _ in 0..3 {
        survive(&ferry, &["sync"], &[0, 65, 69]);
    }
    assert_eq!(local(&ferry, "INBOX"), ["b", "here", "there"], "{name}");
    assert_eq!(remote(&fake, "INBOX"), ["b", "here", "there"], "{name}");
    let outcome = survive(&ferry, &["sync"], &[0, 65, 69]);
    for field in ["downloaded", "uploaded", "deleted_local", "deleted_remote"] {
        assert_eq!(outcome.figure(field), 0, "{name}: {field} {}", outcome.stdout);
    }
}

#[test]
fn personas_are_lived_with() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire/personas");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("personas").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a persona");
        assert!(text.starts_with("# "), "{}: the first line says who", entry.path().display());
        let name = entry.file_name().to_string_lossy().into_owned();
        println!("{name}");
        played(&name, &text);
        seen += 1;
    }
    assert!(seen >= 17, "{seen} personas");
}

/// Answers commands with one of these words.
fn saying(answers: &'static [(&'static str, &'static str)]) -> Hook {
    Box::new(move |c, _| {
        let line = c.line.to_ascii_uppercase();
        answers.iter().find(|(word, _)| line.contains(word)).map(|(_, answer)| answer.as_bytes().to_vec())
    })
}

#[test]
fn icloud_enables_without_saying_so() {
    let store = holding("IMAP4rev1 UIDPLUS ENABLE CONDSTORE QRESYNC", &["a", "b"]);
    lived_with(store, |_| {}, saying(&[("ENABLE", "{tag} OK\r\n")]));
}

#[test]
fn proton_refuses_uid_expunge() {
    lived_with(
        holding("IMAP4rev1 UIDPLUS", &["a", "b"]),
        |_| {},
        saying(&[("UID EXPUNGE", "{tag} BAD unknown command\r\n"), ("SPECIAL-USE", "{tag} BAD no\r\n")]),
    );
}

#[test]
fn netease_wants_an_id() {
    let fake =
        lived_with(holding("IMAP4rev1 ID", &["a", "b"]), |_| {}, saying(&[(" ID (", "* ID NIL\r\n{tag} OK\r\n")]));
    assert!(fake.heard().contains(" ID ("));
}

#[test]
fn yahoo_calls_it_inbox() {
    let hook: Hook =
        Box::new(|c, _| c.line.contains("LIST").then(|| b"* LIST () \"/\" Inbox\r\n{tag} OK\r\n".to_vec()));
    lived_with(holding("IMAP4rev1 UIDPLUS", &["a", "b"]), |_| {}, hook);
}

#[test]
fn exchange_lies_about_sizes_and_refuses_keywords() {
    let hook: Hook = Box::new(|c, store| {
        if c.line.contains("STORE") && c.line.contains("work") {
            return Some(b"{tag} NO Keyword not supported\r\n".to_vec());
        }
        let lists = c.line.contains("FETCH") && c.line.contains("RFC822.SIZE") && !c.line.contains("BODY");
        lists.then(|| {
            let all = store.folders["INBOX"].messages.iter().enumerate();
            let text: Vec<u8> = all.flat_map(|(i, m)| listing_line(i + 1, m)).collect();
            let text = String::from_utf8_lossy(&text).replace("RFC822.SIZE ", "RFC822.SIZE 9");
            format!("{text}{{tag}} OK\r\n").into_bytes()
        })
    });
    lived_with(holding("IMAP4rev1 UIDPLUS", &["a", "b"]), |_| {}, hook);
}

#[test]
fn exchange_asks_to_come_back() {
    let words = "{tag} BAD Request is throttled. Suggested Backoff Time: 99999999 milliseconds\r\n";
    let hook: Hook = Box::new(move |c, _| c.line.contains("FETCH").then(|| words.as_bytes().to_vec()));
    let fake = FakeImap::with_hook(holding("IMAP4rev1", &["a"]), hook);
    let mut ferry = unguarded(fake.port());
    ferry.set("timeout", "\"1s\"");
    let outcome = survive(&ferry, &["sync"], &[69, 75]);
    assert!(outcome.elapsed.as_secs() < 45, "{:?}", outcome.elapsed);
}

#[test]
fn courier_and_yandex_say_odd_things_in_between() {
    let hook: Hook = Box::new(|c, _| {
        c.line
            .contains("NOOP")
            .then(|| b"* 0 FETCH (FLAGS ())\r\n* 99 FETCH (FLAGS (\\Seen ))\r\n{tag} OK \r\n".to_vec())
    });
    lived_with(holding("IMAP4rev1 UIDPLUS ", &["a", "b"]), |_| {}, hook);
}

#[test]
fn domino_separates_with_a_backslash() {
    let mut store = holding("IMAP4rev1", &["a", "b"]);
    let mut work = Folder::default();
    work.add(&mail("w"), &["\\Seen"], DATE);
    store.folders.insert("Work\\deep".into(), work);
    let hook: Hook = Box::new(|c, _| {
        c.line
            .contains("LIST")
            .then(|| b"* LIST () \"\\\\\" INBOX\r\n* LIST () \"\\\\\" {9}\r\nWork\\deep\r\n{tag} OK\r\n".to_vec())
    });
    let fake = FakeImap::with_hook(store, hook);
    let ferry = unguarded(fake.port());
    survive(&ferry, &["sync"], &[0]);
    assert_eq!(local(&ferry, "Work/deep"), ["w"]);
    assert_eq!(remote(&fake, "Work\\deep"), ["w"]);
}
