//! Realistic messages, folder names and flags, the same for the same seed.

use super::message::Flags;
use std::fmt::Write;

/// A small generator of numbers (SplitMix64): the same seed gives the same numbers everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.any() % end.max(1) as u64) as usize
    }

    /// True in `percent` of cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const WORDS: [&str; 24] = [
    "meeting",
    "the",
    "report",
    "und",
    "for",
    "Straße",
    "invoice",
    "to",
    "we",
    "tomorrow",
    "please",
    "naïve",
    "review",
    "budget",
    "Пётр",
    "is",
    "a",
    "draft",
    "of",
    "quarter",
    "日本語",
    "again",
    "thanks",
    "attached",
];

const PEOPLE: [&str; 5] = [
    "Ada Lovelace <ada@example.org>",
    "=?UTF-8?Q?J=C3=BCrgen_M=C3=BCller?= <jm@example.de>",
    "\"O'Brien, Pat\" <pat@example.net>",
    "noreply@lists.example.com",
    "=?UTF-8?B?5bGx55Sw?= <yamada@example.jp>",
];

/// The oddities that a message can have besides being ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Html,
    Attachment,
    EightBit,
    Latin1,
    LongLines,
    LeadingDots,
    NoFinalNewline,
    NoMessageId,
    EmptyBody,
    HeaderOnly,
}

/// Every kind once.
pub const KINDS: [Kind; 11] = [
    Kind::Plain,
    Kind::Html,
    Kind::Attachment,
    Kind::EightBit,
    Kind::Latin1,
    Kind::LongLines,
    Kind::LeadingDots,
    Kind::NoFinalNewline,
    Kind::NoMessageId,
    Kind::EmptyBody,
    Kind::HeaderOnly,
];

/// Messages without end, each different from all before.
#[derive(Clone, Debug)]
pub struct Corpus {
    pub rng: Rng,
    seed: u64,
    count: u64,
    last: Option<Vec<u8>>,
}

impl Corpus {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed), seed, count: 0, last: None }
    }

    /// A message as people get them: mostly ordinary (median about 6 KB), some odd, LF line ends.
    pub fn message(&mut self) -> Vec<u8> {
        let kind = match self.rng.below(100) {
            0..=39 => Kind::Plain,
            40..=64 => Kind::Html,
            65..=79 => Kind::Attachment,
            _ => *self.rng.pick(&KINDS),
        };
        self.of_kind(kind)
    }

    /// The last message once more: an equal twin.
    pub fn twin(&mut self) -> Vec<u8> {
        self.last.clone().unwrap_or_else(|| self.message())
    }

    /// Another message under the last one's header, Message-ID included.
    pub fn same_message_id(&mut self) -> Vec<u8> {
        let mut bytes = self.twin();
        let text = format!("\nPS: another copy, number {}\n", self.count);
        self.count += 1;
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// A message of one kind.
    pub fn of_kind(&mut self, kind: Kind) -> Vec<u8> {
        self.count += 1;
        let mut out = self.header(kind).into_bytes();
        match kind {
            Kind::HeaderOnly => out.truncate(out.len() - 1),
            Kind::EmptyBody => {}
            Kind::Latin1 => out.extend(b"Gr\xfc\xdfe aus M\xfcnchen\n\xe4\xf6\xfc\n".repeat(self.lines() / 8 + 1)),
            Kind::LongLines => {
                let width = 1_500 + self.rng.below(9_000);
                out.extend("lang ".repeat(width / 5).into_bytes());
                out.push(b'\n');
            }
            Kind::LeadingDots => out.extend(b".\n..\n.hidden\n\n.\nend\n"),
            Kind::NoFinalNewline => out.extend(b"the last line has no end"),
            Kind::Html => out.extend(self.html().into_bytes()),
            Kind::Attachment => out.extend(self.attachment().into_bytes()),
            Kind::Plain | Kind::EightBit | Kind::NoMessageId => {
                let lines = self.lines();
                out.extend(self.prose(lines).into_bytes());
            }
        }
        self.last = Some(out.clone());
        out
    }

    fn header(&mut self, kind: Kind) -> String {
        let number = format!("{}.{}", self.seed, self.count);
        let mut head = String::new();
        for hop in 0..self.rng.below(4) {
            _ = writeln!(
                head,
                "Received: from mx{hop}.example.org (mx{hop}.example.org [192.0.2.{hop}])\n\tby mail.example.org with ESMTPS id {number}{hop};\n\tFri, 14 Nov 2025 08:0{hop}:00 +0100 (CET)"
            );
        }
        let (from, to) = (*self.rng.pick(&PEOPLE), *self.rng.pick(&PEOPLE));
        let topic = (0..3 + self.rng.below(5))
            .map(|_| *self.rng.pick(&WORDS))
            .filter(|w| w.is_ascii())
            .collect::<Vec<_>>()
            .join(" ");
        _ = writeln!(
            head,
            "From: {from}\nTo: {to}\nSubject: {topic} [{number}]\nDate: Fri, 14 Nov 2025 08:00:00 +0100"
        );
        if kind != Kind::NoMessageId {
            _ = writeln!(head, "Message-ID: <{number}@example.org>");
        }
        let content = match kind {
            Kind::Attachment => "multipart/mixed; boundary=\"=_part_7\"",
            Kind::Html => "multipart/alternative; boundary=\"=_part_7\"",
            Kind::Latin1 => "text/plain; charset=iso-8859-1",
            Kind::Plain
            | Kind::EightBit
            | Kind::LongLines
            | Kind::LeadingDots
            | Kind::NoFinalNewline
            | Kind::NoMessageId
            | Kind::EmptyBody
            | Kind::HeaderOnly => "text/plain; charset=utf-8",
        };
        _ = writeln!(head, "MIME-Version: 1.0\nContent-Type: {content}\nContent-Transfer-Encoding: 8bit\n");
        head
    }

    /// Lines of a body: the median is about 80 (6 KB), the tail is long.
    fn lines(&mut self) -> usize {
        let doublings = self.rng.below(6) + self.rng.below(6);
        2 + (3 << doublings.min(9)) / 2 + self.rng.below(40)
    }

    fn prose(&mut self, lines: usize) -> String {
        let mut out = String::new();
        for _ in 0..lines {
            let words: Vec<_> = (0..10).map(|_| *self.rng.pick(&WORDS)).collect();
            _ = writeln!(out, "{}", words.join(" "));
        }
        out
    }

    fn html(&mut self) -> String {
        let lines = self.lines() / 2 + 1;
        let plain = self.prose(lines);
        let rich = plain.replace('\n', "<br>\n");
        format!(
            "--=_part_7\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n--=_part_7\nContent-Type: text/html; \
             charset=utf-8\n\n<html><body>{rich}</body></html>\n--=_part_7--\n"
        )
    }

    fn attachment(&mut self) -> String {
        let plain = self.prose(5);
        let mut data = String::new();
        for _ in 0..40 + self.rng.below(200) {
            let line: String = (0..76).map(|_| char::from(b'A' + (self.rng.below(26) as u8))).collect();
            data.push_str(&line);
            data.push('\n');
        }
        format!(
            "--=_part_7\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n--=_part_7\nContent-Type: application/pdf; \
             name=\"=?UTF-8?Q?Rechnung_=C3=9C1.pdf?=\"\nContent-Transfer-Encoding: base64\nContent-Disposition: \
             attachment\n\n{data}\n--=_part_7--\n"
        )
    }

    /// Flags as people set them, at times with keywords.
    pub fn flags(&mut self) -> Flags {
        let mut out = Flags::new();
        for (letter, percent) in [("S", 70), ("R", 20), ("F", 15), ("P", 5), ("D", 3)] {
            if self.rng.chance(percent) {
                out.insert(letter.to_owned());
            }
        }
        if self.rng.chance(15) {
            out.insert((*self.rng.pick(&["$label1", "work", "nonjunk", "todo"])).to_owned());
        }
        out
    }

    /// A date of the last years, in seconds since 1970.
    pub fn date(&mut self) -> i64 {
        1_500_000_000 + i64::try_from(self.rng.below(260_000_000)).unwrap_or(0)
    }

    /// Distinct folder names, nested and odd ones among them.
    pub fn folders(&mut self, count: usize) -> Vec<String> {
        const NAMES: [&str; 10] = [
            "Archive",
            "Lists",
            "Entwürfe",
            "R&D",
            "two words",
            "日本語",
            "Ünïcode & Söhne",
            "Projects",
            "2025",
            "Счета",
        ];
        let mut out = Vec::new();
        while out.len() < count {
            let mut name = format!(
                "{}{}",
                self.rng.pick(&NAMES),
                if out.len() < 5 { String::new() } else { out.len().to_string() }
            );
            if !out.is_empty() && self.rng.chance(40) {
                name = format!("{}/{name}", self.rng.pick(&out));
            }
            if !out.contains(&name) {
                out.push(name);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_mail_and_each_message_is_new() {
        let make = || {
            let mut corpus = Corpus::new(7);
            (0..300).map(|_| corpus.message()).collect::<Vec<_>>()
        };
        let (first, second) = (make(), make());
        assert_eq!(first, second);
        let distinct: std::collections::BTreeSet<_> = first.iter().collect();
        assert_eq!(distinct.len(), 300);
        let mut sizes: Vec<_> = first.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert!((3_000..12_000).contains(&sizes[150]), "median {}", sizes[150]);
        assert_eq!(Corpus::new(3).folders(12).len(), 12);
    }

    #[test]
    fn twins_and_kinds_are_what_they_say() {
        let mut corpus = Corpus::new(1);
        let one = corpus.of_kind(Kind::Plain);
        assert_eq!(corpus.twin(), one);
        let other = corpus.same_message_id();
        assert!(other.starts_with(&one) && other != one);
        assert!(corpus.of_kind(Kind::Latin1).contains(&0xfc));
        assert!(!corpus.of_kind(Kind::NoFinalNewline).ends_with(b"\n"));
        assert!(!String::from_utf8_lossy(&corpus.of_kind(Kind::NoMessageId)).contains("Message-ID"));
        assert!(corpus.of_kind(Kind::EmptyBody).ends_with(b"\n\n"));
        let header_only = corpus.of_kind(Kind::HeaderOnly);
        assert!(header_only.ends_with(b"8bit\n") && !header_only.ends_with(b"\n\n"));
        assert!(corpus.of_kind(Kind::LongLines).split(|b| *b == b'\n').any(|l| l.len() > 1_000));
    }
}
