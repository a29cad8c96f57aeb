//! What getmail, fetchmail and mpop remember of fetched messages. Bytes, because servers' UIDLs are not always text.

use super::{Seen, SeenUid, SeenUidl};
use crate::import::model::Warning;

/// Lines of `bytes`, numbered from 1, without their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let numbered = bytes.split(|byte| *byte == b'\n').enumerate();
    numbered
        .map(|(index, line)| (index + 1, line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(|(_, line)| !line.is_empty())
}

/// Text of a line; what is no UTF-8 cannot be a UIDL that we asked for, so its message is fetched again.
fn text<T>(number: usize, bytes: &[u8], seen: &mut Seen<T>) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
    if text.is_none() {
        seen.warnings.push(Warning::new(number, "no text; the message will be fetched again"));
    }
    text
}

/// `id NUL time` of a line of getmail's.
fn oldmail_line<T>(number: usize, line: &[u8], seen: &mut Seen<T>) -> Option<(String, Option<i64>)> {
    let (id, time) = match line.iter().position(|byte| *byte == 0) {
        Some(position) => line.split_at(position),
        None => (line, [].as_slice()),
    };
    let time = std::str::from_utf8(time.get(1..).unwrap_or_default()).ok().and_then(|time| time.trim().parse().ok());
    text(number, id, seen).filter(|id| !id.is_empty()).map(|id| (id, time))
}

/// getmail's `oldmail-SERVER-PORT-USER` of a POP3 account.
#[must_use]
pub fn getmail(bytes: &[u8]) -> Seen<SeenUidl> {
    let mut seen = Seen::default();
    for (number, line) in lines(bytes) {
        if let Some((uidl, time)) = oldmail_line(number, line, &mut seen) {
            seen.messages.push(SeenUidl { host: String::new(), user: String::new(), uidl, time, slashes_folded: true });
        }
    }
    seen
}

/// getmail's `oldmail-SERVER-PORT-USER-MAILBOX` of an IMAP account: `validity/uid`, in old files `validity/mailbox/uid`.
#[must_use]
pub fn getmail_imap(bytes: &[u8]) -> Seen<SeenUid> {
    let mut seen = Seen::default();
    for (number, line) in lines(bytes) {
        let Some((id, time)) = oldmail_line(number, line, &mut seen) else {
            continue;
        };
        let message = id.split_once('/').and_then(|(validity, rest)| {
            let (mailbox, uid) =
                rest.rsplit_once('/').map_or((None, rest), |(mailbox, uid)| (Some(mailbox.to_owned()), uid));
            Some(SeenUid {
                mailbox,
                uid_validity: validity.parse().ok()?,
                uid: uid.parse().ok().filter(|uid| *uid > 0)?,
                time,
            })
        });
        match message {
            Some(message) => seen.messages.push(message),
            None => seen.warnings.push(Warning::new(number, "no message of an IMAP mailbox")),
        }
    }
    seen
}

/// fetchmail's `.fetchids`: `user@host uidl`, where the user may hold `@`.
#[must_use]
pub fn fetchmail(bytes: &[u8]) -> Seen<SeenUidl> {
    let mut seen = Seen::default();
    for (number, line) in lines(bytes) {
        let Some(line) = text(number, line, &mut seen) else {
            continue;
        };
        let parts = line.split_once(' ').and_then(|(login, uidl)| Some((login.rsplit_once('@')?, uidl.trim_end())));
        match parts {
            Some(((user, host), uidl)) if !uidl.is_empty() => seen.messages.push(SeenUidl {
                host: host.to_owned(),
                user: user.to_owned(),
                uidl: uidl.to_owned(),
                time: None,
                slashes_folded: false,
            }),
            Some(_) | None => seen.warnings.push(Warning::new(number, "no line of \"user@host uidl\"")),
        }
    }
    seen
}

/// mpop's UIDLs file: ` COUNT HOST USER`, then so many lines of `uidl` or `uidl time`.
#[must_use]
pub fn mpop(bytes: &[u8]) -> Seen<SeenUidl> {
    let mut seen = Seen::default();
    let mut list: Option<(String, String)> = None;
    for (number, line) in lines(bytes) {
        // Comments stand only at the top: a UIDL may begin with "#".
        if list.is_none() && line.starts_with(b"#") {
            continue;
        }
        let Some(line) = text(number, line, &mut seen) else {
            continue;
        };
        if let Some(head) = line.strip_prefix(' ') {
            let mut words = head.splitn(3, ' ');
            list = match (words.next(), words.next(), words.next()) {
                (Some(_), Some(host), Some(user)) => Some((host.to_owned(), user.to_owned())),
                _ => {
                    seen.warnings.push(Warning::new(number, "no head of a list of UIDLs"));
                    None
                }
            };
            continue;
        }
        let Some((host, user)) = &list else {
            seen.warnings.push(Warning::new(number, "a UIDL that belongs to no account"));
            continue;
        };
        // A UIDL holds no blank (RFC 1939 §7), so a number behind one is the time.
        let (uidl, time) = match line.split_once(' ') {
            Some((uidl, time)) => (uidl, time.trim().parse().ok()),
            None => (line.as_str(), None),
        };
        seen.messages.push(SeenUidl {
            host: host.clone(),
            user: user.clone(),
            uidl: uidl.to_owned(),
            time,
            slashes_folded: false,
        });
    }
    seen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn getmails_files() {
        let seen = getmail(include_bytes!("../../../tests/data/import/getmail/oldmail-pop.example.org-110-anna"));
        assert_eq!(seen.messages.len(), 6);
        assert_eq!((seen.messages[0].uidl.as_str(), seen.messages[0].time), ("000000056b0215cf", Some(1_795_298_767)));
        let seen = getmail(b"a-b-c\x0012\n\xff\x0012\nx\n");
        assert!(seen.messages[0].is("a/b-c") && !seen.messages[0].is("ab-c"));
        assert_eq!((seen.messages[1].uidl.as_str(), seen.messages[1].time), ("x", None));
        assert_eq!(seen.warnings[0].line, Some(2));
    }

    #[test]
    fn getmails_imap_files() {
        let seen = getmail_imap(include_bytes!(
            "../../../tests/data/import/getmail/oldmail-imap.example.org-143-anna-Lists.rust"
        ));
        assert_eq!(seen.messages.len(), 2);
        assert_eq!((seen.messages[1].uid_validity, seen.messages[1].uid), (1_795_298_765, 2));
        let seen = getmail_imap(b"7/Lists/rust/9\x005\n7\x001\n");
        assert_eq!((seen.messages[0].mailbox.as_deref(), seen.messages[0].uid), (Some("Lists/rust"), 9));
        assert_eq!(seen.warnings.len(), 1);
    }

    #[test]
    fn fetchmails_file() {
        let seen = fetchmail(include_bytes!("../../../tests/data/import/fetchmail/fetchids"));
        assert_eq!(seen.messages.len(), 7);
        let last = &seen.messages[6];
        assert_eq!((last.user.as_str(), last.host.as_str()), ("bert@example.org", "pop.example.org"));
        assert_eq!(fetchmail(b"nobody 1\nu@h \n").warnings.len(), 2);
    }

    #[test]
    fn mpops_file() {
        let seen = mpop(include_bytes!("../../../tests/data/import/mpop/uidls"));
        assert_eq!(seen.messages.len(), 7);
        assert_eq!((seen.messages[0].user.as_str(), seen.messages[6].user.as_str()), ("bert@example.org", "anna"));
        let seen = mpop(b"# c\n 2 h u v\n#1 1700000000\nx\n");
        let found: Vec<_> =
            seen.messages.iter().map(|message| (message.user.as_str(), message.uidl.as_str(), message.time)).collect();
        assert_eq!(found, [("u v", "#1", Some(1_700_000_000)), ("u v", "x", None)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..200), dense in "[ ab@/#\\x000-9\n]{0,80}") {
            for bytes in [bytes.as_slice(), dense.as_bytes()] {
                let _ = (getmail(bytes), getmail_imap(bytes), fetchmail(bytes), mpop(bytes));
            }
        }
    }
}
