//! What a server says it can do (RFC 9051 §7.2.2). PURE.

use std::collections::BTreeSet;

/// The capabilities that change what we send, and the list itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, clippy::struct_excessive_bools)]
pub struct Capabilities {
    pub acl: bool,
    /// Messages with NUL bytes can be uploaded (RFC 3516).
    pub binary: bool,
    pub compress_deflate: bool,
    pub condstore: bool,
    pub enable: bool,
    pub esearch: bool,
    pub gmail: bool,
    pub id: bool,
    pub idle: bool,
    pub imap4rev1: bool,
    pub imap4rev2: bool,
    pub list_extended: bool,
    pub list_status: bool,
    pub literal_minus: bool,
    pub literal_plus: bool,
    pub login_disabled: bool,
    pub move_: bool,
    pub multiappend: bool,
    pub namespace: bool,
    pub notify: bool,
    pub objectid: bool,
    pub qresync: bool,
    pub quota: bool,
    pub sasl_ir: bool,
    pub special_use: bool,
    pub starttls: bool,
    pub status_size: bool,
    pub uidplus: bool,
    pub unselect: bool,
    /// Names and headers are UTF-8 once that was enabled (RFC 9755).
    pub utf8_accept: bool,
    /// APPENDLIMIT=n (RFC 7889): larger messages are refused everywhere.
    pub appendlimit: Option<u64>,
    /// MESSAGELIMIT=n (RFC 9738): at most so many messages are touched by one command.
    pub messagelimit: Option<u32>,
    /// The names of `AUTH=`, in capitals.
    pub auth: Vec<String>,
    /// Every name told, in capitals.
    pub all: BTreeSet<String>,
}

impl Capabilities {
    /// From the names behind the word CAPABILITY.
    #[must_use]
    pub fn parse(list: &[u8]) -> Self {
        let names = list.split(u8::is_ascii_whitespace).filter(|name| !name.is_empty()).take(1000);
        let all: BTreeSet<String> =
            names.map(|name| crate::mail::text::clean_bytes(name).to_ascii_uppercase()).collect();
        let has = |name: &str| all.contains(name);
        let value = |name: &str| all.iter().find_map(|c| c.strip_prefix(name)?.strip_prefix('='));
        let rev2 = has("IMAP4REV2");
        let qresync = has("QRESYNC");
        Self {
            acl: has("ACL"),
            binary: has("BINARY") || rev2,
            compress_deflate: has("COMPRESS=DEFLATE"),
            condstore: has("CONDSTORE") || qresync,
            enable: has("ENABLE") || rev2,
            esearch: has("ESEARCH") || rev2,
            gmail: has("X-GM-EXT-1"),
            id: has("ID"),
            idle: has("IDLE") || rev2,
            imap4rev1: has("IMAP4REV1"),
            imap4rev2: rev2,
            list_extended: has("LIST-EXTENDED") || rev2,
            list_status: has("LIST-STATUS") || rev2,
            literal_minus: has("LITERAL-") || rev2,
            literal_plus: has("LITERAL+"),
            login_disabled: has("LOGINDISABLED"),
            move_: has("MOVE") || rev2,
            multiappend: has("MULTIAPPEND"),
            namespace: has("NAMESPACE") || rev2,
            notify: has("NOTIFY"),
            objectid: has("OBJECTID"),
            qresync,
            quota: has("QUOTA") || all.iter().any(|c| c.starts_with("QUOTA=")),
            sasl_ir: has("SASL-IR") || rev2,
            special_use: has("SPECIAL-USE") || rev2,
            starttls: has("STARTTLS"),
            status_size: has("STATUS=SIZE") || rev2,
            uidplus: has("UIDPLUS") || rev2,
            unselect: has("UNSELECT") || rev2,
            utf8_accept: has("UTF8=ACCEPT") || has("UTF8=ONLY"),
            appendlimit: value("APPENDLIMIT").and_then(|n| n.parse().ok()),
            messagelimit: value("MESSAGELIMIT").and_then(|n| n.parse().ok()).filter(|&n| n > 0),
            auth: all
                .iter()
                .filter_map(|c| c.strip_prefix("AUTH="))
                .filter(|a| !a.is_empty())
                .map(str::to_owned)
                .collect(),
            all,
        }
    }

    /// Whether mailbox names are UTF-8 without anybody having asked for it: servers that know IMAP4rev2 alone.
    #[must_use]
    pub fn utf8_names(&self) -> bool {
        self.imap4rev2 && !self.imap4rev1
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gmail_and_blanks() {
        let c = Capabilities::parse(
            b"IMAP4rev1  idle X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE MOVE LITERAL- AUTH= AUTH=PLAIN APPENDLIMIT=35651584 ",
        );
        assert!(c.gmail && c.idle && c.move_ && c.literal_minus && !c.literal_plus && !c.condstore);
        assert_eq!((c.appendlimit, c.auth), (Some(35_651_584), vec!["PLAIN".to_owned()]));
    }

    #[test]
    fn rev2_brings_what_it_contains() {
        let c = Capabilities::parse(b"IMAP4rev2 AUTH=PLAIN");
        assert!(c.uidplus && c.move_ && c.list_status && c.literal_minus && c.utf8_names() && !c.literal_plus);
        assert!(!Capabilities::parse(b"IMAP4rev1 IMAP4rev2").utf8_names());
        assert_eq!(Capabilities::parse(b"APPENDLIMIT MESSAGELIMIT=0").messagelimit, None);
    }
}
