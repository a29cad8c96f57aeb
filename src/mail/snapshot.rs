//! What one look at a server's folder tells.

use super::{Flags, MessageId, ModSeq, Timestamp, Uid, UidSet, UidValidity};

/// The figures of a folder, from STATUS, LIST-STATUS or SELECT. `None`: not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// UIDVALIDITY.
    pub uid_validity: Option<UidValidity>,
    /// UIDNEXT: a lower bound of the next message's UID.
    pub uid_next: Option<Uid>,
    /// MESSAGES or EXISTS: how many there are.
    pub messages: Option<u32>,
    /// HIGHESTMODSEQ (RFC 7162 §3.1.2.1); `None` also where the server keeps none (0, NOMODSEQ).
    pub highest_modseq: Option<ModSeq>,
    /// MAILBOXID (RFC 8474 §4), at most 255 bytes.
    pub mailbox_id: Option<String>,
    /// SIZE in bytes (RFC 8438), for `folders`.
    pub size: Option<u64>,
    /// UNSEEN, for `folders`.
    pub unseen: Option<u32>,
}

/// A message as a FETCH told it. Only the UID is always there; `None` is "not told", never "empty".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteMessage {
    /// UID.
    pub uid: Uid,
    /// FLAGS without `\Recent`.
    pub flags: Option<Flags>,
    /// RFC822.SIZE in bytes: a hint (Exchange gives another figure than the body's length).
    pub size: Option<u64>,
    /// INTERNALDATE.
    pub date: Option<Timestamp>,
    /// MODSEQ.
    pub modseq: Option<ModSeq>,
    /// From `BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]`: `Some(None)` when asked and the message has none.
    pub message_id: Option<Option<MessageId>>,
    /// EMAILID (RFC 8474 §5.1) or X-GM-MSGID: names the content across folders.
    pub email_id: Option<String>,
    /// X-GM-LABELS.
    pub labels: Option<Vec<String>>,
}

impl RemoteMessage {
    /// A message of which only the UID is known.
    #[must_use]
    pub fn new(uid: Uid) -> Self {
        Self { uid, flags: None, size: None, date: None, modseq: None, message_id: None, email_id: None, labels: None }
    }
}

/// A selected folder (RFC 9051 §6.3.2, RFC 7162 §3.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The figures that SELECT told; `messages` is EXISTS.
    pub figures: Figures,
    /// `[READ-ONLY]`, or opened by EXAMINE.
    pub read_only: bool,
    /// PERMANENTFLAGS: which flags can be stored. `None`: not told, which means all (RFC 9051 §7.1).
    pub permanent: Option<Permanent>,
    /// VANISHED (EARLIER): UIDs that the server says are gone, not yet confirmed.
    pub vanished: UidSet,
    /// Messages that changed since the given mod-sequence.
    pub changed: Vec<RemoteMessage>,
    /// Whether `vanished` and `changed` are the answer to a QRESYNC that the server honoured.
    pub resynced: bool,
}

/// Which flags a folder can hold for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permanent {
    /// The flags by name.
    pub flags: Flags,
    /// `\*`: new keywords may be made.
    pub any_keyword: bool,
}
