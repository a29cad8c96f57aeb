//! How a command ended. PURE.

use super::code::Code;
use super::error::Error;
use super::parse::{Status, StatusText};
use crate::mail::text::clean_bytes;

/// A command's end.
#[derive(Clone, Debug)]
pub struct Completion {
    /// OK, NO or BAD.
    pub status: Status,
    /// The response code's name.
    pub code: Option<Code>,
    /// What the code carries.
    pub arguments: Vec<u8>,
    /// The text, cleaned.
    pub text: String,
}

impl Completion {
    /// From a tagged response.
    pub fn new(status: Status, text: &StatusText<'_>) -> Self {
        Self {
            status,
            code: (!text.code.is_empty()).then(|| Code::of_name(text.code)),
            arguments: text.arguments.to_vec(),
            text: clean_bytes(text.text),
        }
    }

    /// The end of nothing, which succeeds.
    pub fn nothing() -> Self {
        Self { status: Status::Ok, code: None, arguments: Vec::new(), text: String::new() }
    }

    /// The code's arguments if the code has that name.
    #[must_use]
    pub fn arguments_of(&self, name: &str) -> Option<&[u8]> {
        matches!(&self.code, Some(Code::Other(code)) if code == name).then_some(self.arguments.as_slice())
    }

    /// Itself if it is OK; NO and BAD are the refusal of `command`.
    pub fn ok(self, command: &'static str) -> Result<Self, Error> {
        match self.status {
            Status::Ok => Ok(self),
            Status::No | Status::Bad | Status::Bye | Status::PreAuth => {
                Err(Error::Refused { command, code: self.code, text: self.text, bad: self.status == Status::Bad })
            }
        }
    }
}
