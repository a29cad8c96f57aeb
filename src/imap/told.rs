//! What a server tells of itself, and of the selected folder, whoever asked.

use super::capability::Capabilities;
use super::code::Code;
use super::data;
use super::error::Error;
use super::parse::{Response, Status, StatusText, Value, Values};
use crate::mail::text::clean_bytes;

/// Alerts kept for the user.
const ALERTS: usize = 5;

/// What a server told of itself and of the selected folder.
#[derive(Debug, Default)]
pub struct Told {
    /// As last told.
    pub capabilities: Capabilities,
    /// Whether `capabilities` came since this was last cleared.
    pub capabilities_fresh: bool,
    /// ENABLED CONDSTORE was seen.
    pub condstore: bool,
    /// ENABLED QRESYNC was seen.
    pub qresync: bool,
    /// ENABLED UTF8=ACCEPT was seen: from there on names are UTF-8, in both directions.
    pub utf8: bool,
    /// EXISTS less EXPUNGEs.
    pub exists: u32,
    /// The first alerts, cleaned.
    pub alerts: Vec<String>,
    /// The greeting's text, cleaned.
    pub greeting: String,
    /// The name in the server's ID, cleaned.
    pub id: Option<String>,
}

impl Told {
    /// Keeps what a response tells whoever it was for.
    ///
    /// # Errors
    /// BYE.
    pub fn note(&mut self, response: &Response<'_>) -> Result<(), Error> {
        match response {
            Response::Status { status, text } => {
                if *status == Status::Bye {
                    let code = (!text.code.is_empty()).then(|| Code::of_name(text.code));
                    return Err(Error::Bye { code, text: clean_bytes(text.text) });
                }
                self.note_code(text);
            }
            Response::Tagged { text, .. } => self.note_code(text),
            Response::Message { number: Some(number), word, .. } => {
                if word.eq_ignore_ascii_case(b"EXISTS") {
                    self.exists = *number;
                } else if word.eq_ignore_ascii_case(b"EXPUNGE") {
                    self.exists = self.exists.saturating_sub(1);
                }
            }
            Response::Data { word, rest } => self.note_data(word, rest),
            Response::Message { number: None, .. } | Response::Continue(_) | Response::Nothing => {}
        }
        Ok(())
    }

    fn note_code(&mut self, text: &StatusText<'_>) {
        if let Some(list) = text.arguments_of("CAPABILITY") {
            self.set_capabilities(list);
        } else if text.is("ALERT") && self.alerts.len() < ALERTS {
            self.alerts.push(clean_bytes(text.text));
        } else if text.is("CLOSED") {
            self.exists = 0;
        }
    }

    fn note_data(&mut self, word: &[u8], rest: &[u8]) {
        if word.eq_ignore_ascii_case(b"CAPABILITY") {
            self.set_capabilities(rest);
        } else if word.eq_ignore_ascii_case(b"ENABLED") {
            for name in rest.split(|&c| c == b' ') {
                self.qresync |= name.eq_ignore_ascii_case(b"QRESYNC");
                self.condstore |= name.eq_ignore_ascii_case(b"CONDSTORE");
                self.utf8 |= name.eq_ignore_ascii_case(b"UTF8=ACCEPT");
            }
            self.condstore |= self.qresync;
        } else if word.eq_ignore_ascii_case(b"VANISHED") {
            if let Some((false, set)) = data::vanished(rest) {
                self.exists = self.exists.saturating_sub(u32::try_from(set.len()).unwrap_or(u32::MAX));
            }
        } else if word.eq_ignore_ascii_case(b"ID") {
            let values: Vec<_> = Values::new(rest).flat_map(|list| list.items().take(60).collect::<Vec<_>>()).collect();
            let is_name = |v: &Value<'_>| v.bytes().is_some_and(|b| b.eq_ignore_ascii_case(b"name"));
            let name = values.chunks(2).find(|pair| pair.first().is_some_and(is_name)).and_then(|pair| pair.get(1));
            self.id = name.and_then(|v| v.bytes()).map(|b| clean_bytes(&b));
        }
    }

    fn set_capabilities(&mut self, list: &[u8]) {
        self.capabilities = Capabilities::parse(list);
        self.capabilities_fresh = true;
    }

    /// Forgets all that came before TLS.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}
