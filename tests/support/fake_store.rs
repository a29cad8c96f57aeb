//! What the fake IMAP server holds and says of itself.

use super::message::wire_lines;
use super::peer::Command;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One message on the fake server.
#[derive(Clone, Debug)]
pub struct Message {
    pub uid: u32,
    /// IMAP names.
    pub flags: BTreeSet<String>,
    /// Seconds since 1970.
    pub date: i64,
    /// With CRLF.
    pub bytes: Vec<u8>,
    /// The server cannot give its body: `BODY[] NIL`.
    pub broken: bool,
}

impl Message {
    /// What a server with OBJECTID calls it: what its field `X-Email-Id` says, be it true or not.
    pub fn email_id(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        text.lines().find_map(|line| line.strip_prefix("X-Email-Id: ")).map(str::to_owned)
    }

    /// What Gmail calls it in every folder: the same for the same content, but where `X-Email-Id` says something else.
    pub fn gmail_id(&self) -> u64 {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let named = self.email_id().map(String::into_bytes);
        named.as_ref().unwrap_or(&self.bytes).iter().fold(0xcbf2_9ce4_8422_2325, mix) >> 1
    }
}

/// One folder.
#[derive(Clone, Debug)]
pub struct Folder {
    pub uid_validity: u32,
    pub uid_next: u32,
    /// As in LIST: `\\HasNoChildren \\Trash`.
    pub attributes: String,
    pub messages: Vec<Message>,
}

impl Default for Folder {
    fn default() -> Self {
        Self { uid_validity: 1, uid_next: 1, attributes: String::new(), messages: Vec::new() }
    }
}

impl Folder {
    /// Adds a message (LF becomes CRLF) under the next UID.
    pub fn add(&mut self, bytes: &[u8], flags: &[&str], date: i64) -> u32 {
        let uid = self.uid_next;
        self.uid_next += 1;
        let flags = flags.iter().map(ToString::to_string).collect();
        self.messages.push(Message { uid, flags, date, bytes: wire_lines(bytes), broken: false });
        uid
    }
}

/// Everything the server has and says of itself.
#[derive(Clone, Debug)]
pub struct Store {
    pub greeting: String,
    pub capabilities: String,
    /// By the name as it goes over the wire.
    pub folders: BTreeMap<String, Folder>,
    /// What becomes of honest answers on their way out.
    pub filter: Filter,
}

/// Changes the answer to a command, the tagged line included.
#[derive(Clone, Default)]
pub struct Filter(Option<Arc<Rewrite>>);

type Rewrite = dyn Fn(&Command, Vec<u8>) -> Vec<u8> + Send + Sync;

impl Filter {
    /// One that does this.
    pub fn new(rewrite: impl Fn(&Command, Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(rewrite)))
    }

    /// The answer as it goes out.
    pub fn apply(&self, command: &Command, answer: Vec<u8>) -> Vec<u8> {
        match &self.0 {
            Some(rewrite) => rewrite(command, answer),
            None => answer,
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({})", self.0.is_some())
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            greeting: "* OK ready".into(),
            capabilities: "IMAP4rev1".into(),
            folders: BTreeMap::from([("INBOX".to_owned(), Folder::default())]),
            filter: Filter::default(),
        }
    }
}
