//! Typed meaning of single responses: FETCH items, STATUS figures, LIST lines, sets. PURE.

use std::borrow::Cow;
use std::ops::BitOr;

use super::command::MailboxName;
use super::parse::{Value, Values, number};
use crate::mail::snapshot::{Figures, RemoteMessage};
use crate::mail::{Flags, MessageId, ModSeq, Timestamp, Uid, UidSet, UidValidity};

/// Which items of messages to ask for; the UID always comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Items(u8);

impl Items {
    /// Only the UID.
    pub const NONE: Self = Self(0);
    /// FLAGS.
    pub const FLAGS: Self = Self(1);
    /// INTERNALDATE.
    pub const DATE: Self = Self(2);
    /// RFC822.SIZE.
    pub const SIZE: Self = Self(4);
    /// MODSEQ, where the server keeps any.
    pub const MODSEQ: Self = Self(8);
    /// The Message-ID field.
    pub const MESSAGE_ID: Self = Self(16);
    /// EMAILID or X-GM-MSGID, where offered.
    pub const EMAIL_ID: Self = Self(32);
    /// X-GM-LABELS, where offered.
    pub const LABELS: Self = Self(64);

    /// Whether all of `other` are in it.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// In both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Items {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What one FETCH response told.
#[derive(Clone, Debug, Default)]
pub struct FetchLine<'a> {
    /// The UID, without which the line tells nothing that we can use.
    pub uid: Option<Uid>,
    /// Which items stood in the line, whatever their value.
    pub present: Items,
    /// `BODY[]`, unless it was streamed.
    pub body: Option<Value<'a>>,
    /// `BODY[HEADER]`.
    pub header: Option<Value<'a>>,
    flags: Option<Flags>,
    size: Option<u64>,
    date: Option<Timestamp>,
    modseq: Option<ModSeq>,
    message_id: Option<Option<MessageId>>,
    email_id: Option<String>,
    labels: Option<Vec<String>>,
}

impl<'a> FetchLine<'a> {
    /// Reads what follows the word FETCH.
    #[must_use]
    pub fn parse(rest: &'a [u8]) -> Self {
        let mut line = Self::default();
        let mut values = Values::new(rest.strip_prefix(b"(").unwrap_or(rest));
        while let Some(item) = values.item() {
            line.item(item, &mut values);
        }
        line
    }

    fn item(&mut self, item: &[u8], values: &mut Values<'a>) {
        let upper = item.get(..64).unwrap_or(item).to_ascii_uppercase();
        let present = |line: &mut Self, what| line.present = line.present | what;
        if upper == b"FLAGS" {
            self.flags = values.flags().map(flags);
            present(self, Items::FLAGS);
            return;
        }
        let Some(value) = values.next() else { return };
        match upper.as_slice() {
            b"UID" => self.uid = value.number().and_then(Uid::new),
            b"RFC822.SIZE" => {
                self.size = value.number();
                present(self, Items::SIZE);
            }
            b"INTERNALDATE" => {
                self.date = value.bytes().and_then(|d| Timestamp::parse_imap(std::str::from_utf8(&d).ok()?));
                present(self, Items::DATE);
            }
            b"MODSEQ" => {
                let inner = value.items().next().unwrap_or(value);
                self.modseq = inner.number().and_then(ModSeq::new);
                present(self, Items::MODSEQ);
            }
            b"EMAILID" | b"X-GM-MSGID" => {
                self.email_id = identifier(&value.items().next().unwrap_or(value));
                present(self, Items::EMAIL_ID);
            }
            b"X-GM-LABELS" => {
                let label = |v: Value<'_>| v.name().map(|b| label_text(&b));
                self.labels = matches!(value, Value::List(_)).then(|| value.items().filter_map(label).collect());
                present(self, Items::LABELS);
            }
            b"BODY[]" => self.body = Some(value),
            b"BODY[HEADER]" => self.header = Some(value),
            other if other.starts_with(b"BODY[HEADER.FIELDS") => {
                self.message_id = value.bytes().map(|header| MessageId::of_header(&header));
                present(self, Items::MESSAGE_ID);
            }
            _ => {}
        }
    }

    /// The message; `None` without a UID.
    #[must_use]
    pub fn into_message(self) -> Option<RemoteMessage> {
        let mut message = RemoteMessage::new(self.uid?);
        message.flags = self.flags;
        message.size = self.size;
        message.date = self.date;
        message.modseq = self.modseq;
        message.message_id = self.message_id;
        message.email_id = self.email_id;
        message.labels = self.labels;
        Some(message)
    }
}

fn label_text(bytes: &[u8]) -> String {
    super::name::from_utf7(bytes).unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

/// An object's identifier (RFC 8474 §5): at most 255 bytes of ASCII.
fn identifier(value: &Value<'_>) -> Option<String> {
    let bytes = value.bytes()?;
    let fine = !bytes.is_empty() && bytes.len() <= 255 && bytes.iter().all(u8::is_ascii_graphic);
    fine.then(|| String::from_utf8(bytes.into_owned()).ok())?
}

/// The flags in the inside of a list.
#[must_use]
pub fn flags(inside: &[u8]) -> Flags {
    let mut flags = Flags::none();
    for name in inside.split(|&c| c == b' ').filter(|name| !name.is_empty()) {
        if let Ok(name) = std::str::from_utf8(name) {
            flags.insert_imap(name);
        }
    }
    flags
}

/// Reads the list of `STATUS name (…)` into `figures`; what is not told stays.
pub fn figures(list: &Value<'_>, figures: &mut Figures) {
    let mut items = list.items();
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        let Some(name) = name.bytes() else { continue };
        match name.to_ascii_uppercase().as_slice() {
            b"MESSAGES" => figures.messages = value.number(),
            b"UIDNEXT" => figures.uid_next = value.number().and_then(Uid::new),
            b"UIDVALIDITY" => figures.uid_validity = value.number().and_then(UidValidity::new),
            b"HIGHESTMODSEQ" => figures.highest_modseq = value.number().and_then(ModSeq::new),
            b"UNSEEN" => figures.unseen = value.number(),
            b"SIZE" => figures.size = value.number(),
            b"MAILBOXID" => figures.mailbox_id = identifier(&value.items().next().unwrap_or(value)),
            _ => {}
        }
    }
}

/// `STATUS name (…)` without its first word: the mailbox and its figures.
#[must_use]
pub fn status(rest: &[u8]) -> Option<(MailboxName, Figures)> {
    let mut values = Values::new(rest);
    let name = MailboxName::new(&values.next()?.name()?);
    let mut told = Figures::default();
    figures(&values.next()?, &mut told);
    Some((name, told))
}

/// The identifier in a `[MAILBOXID (…)]` code's arguments.
#[must_use]
pub fn mailbox_id(arguments: &[u8]) -> Option<String> {
    let value = Values::new(arguments).next()?;
    identifier(&value.items().next().unwrap_or(value))
}

/// `(EARLIER) set` or `set` behind VANISHED: (whether earlier, the set). `None` for what is no set.
#[must_use]
pub fn vanished(rest: &[u8]) -> Option<(bool, UidSet)> {
    let (earlier, set) = match rest.strip_prefix(b"(") {
        Some(inside) => {
            let end = memchr::memchr(b')', inside)?;
            (inside.get(..end)?.trim_ascii().eq_ignore_ascii_case(b"EARLIER"), inside.get(end + 1..)?)
        }
        None => (false, rest),
    };
    Some((earlier, uid_set(set)?))
}

/// A set without `*`, blanks around it allowed.
#[must_use]
pub fn uid_set(bytes: &[u8]) -> Option<UidSet> {
    UidSet::parse(std::str::from_utf8(bytes.trim_ascii()).ok()?)
}

/// A set in the order given, as ranges (first, last) that may fall: COPYUID pairs by position.
#[must_use]
pub fn ordered_set(bytes: &[u8]) -> Option<Vec<(u32, u32)>> {
    let one = |part: &[u8]| -> Option<(u32, u32)> {
        let (a, b) = match memchr::memchr(b':', part) {
            Some(at) => (part.get(..at)?, part.get(at + 1..)?),
            None => (part, part),
        };
        let (a, b): (u32, u32) = (number(a)?, number(b)?);
        (a > 0 && b > 0).then_some((a, b))
    };
    bytes.split(|&c| c == b',').map(one).collect()
}

/// How many numbers an ordered set holds.
#[must_use]
pub fn ordered_len(set: &[(u32, u32)]) -> u64 {
    set.iter().map(|&(a, b)| u64::from(a.abs_diff(b)) + 1).sum()
}

/// Every number of an ordered set, in order. Only for sets whose length was checked.
pub fn ordered_iter(set: &[(u32, u32)]) -> impl Iterator<Item = Uid> + '_ {
    set.iter().flat_map(|&(a, b)| {
        let (low, high) = (a.min(b), a.max(b));
        (0..=high - low).filter_map(move |i| Uid::new(if a <= b { low + i } else { high - i }))
    })
}

/// The result of a SEARCH or ESEARCH: `None` if the line is neither, or the ESEARCH answers another tag.
#[must_use]
pub fn search(word: &[u8], rest: &[u8], tag: &str) -> Option<UidSet> {
    let mut values = Values::new(rest);
    if word.eq_ignore_ascii_case(b"SEARCH") {
        return Some(values.filter_map(|v| v.number().and_then(Uid::new)).collect());
    }
    if !word.eq_ignore_ascii_case(b"ESEARCH") {
        return None;
    }
    let mut set = UidSet::new();
    while let Some(value) = values.next() {
        if let Value::List(_) = value {
            let mut inside = value.items();
            let is_tag = inside.next().and_then(|v| v.bytes()).is_some_and(|b| b.eq_ignore_ascii_case(b"TAG"));
            let told = inside.next().and_then(|v| v.bytes());
            if is_tag && told.as_deref() != Some(tag.as_bytes()) {
                return None;
            }
        } else if value.bytes().is_some_and(|b| b.eq_ignore_ascii_case(b"ALL")) {
            set = uid_set(&values.next()?.bytes()?)?;
        }
    }
    Some(set)
}

/// One LIST, LSUB or XLIST line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListLine {
    /// Attributes in lower case, without the backslash.
    pub attributes: Vec<String>,
    /// The hierarchy's separator.
    pub delimiter: Option<u8>,
    /// The mailbox.
    pub name: MailboxName,
}

/// Reads what follows the word LIST.
#[must_use]
pub fn list(rest: &[u8]) -> Option<ListLine> {
    let mut values = Values::new(rest);
    let attributes = values.flags()?;
    let delimiter = values.next()?.bytes().and_then(|d| d.first().copied());
    let name: Cow<'_, [u8]> = values.next()?.name()?;
    let attribute = |a: &[u8]| String::from_utf8_lossy(a.strip_prefix(b"\\").unwrap_or(a)).to_ascii_lowercase();
    let attributes = attributes.split(|&c| c == b' ').filter(|a| !a.is_empty()).take(100).map(attribute).collect();
    Some(ListLine { attributes, delimiter, name: MailboxName::new(&name) })
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
