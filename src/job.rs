//! One account's part of a run: what it is given and how it ended, whether it is a sync or a fetch.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::account::Account;
use crate::auth::Credentials;
use crate::mail::FolderName;
use crate::severity::{Kind, Severity};
use crate::stop::Stop;
use crate::transport::Trace;
use crate::ui::event::{Body, Event, Figures, Sink, Summary};

/// What is to be done for one account; `O` are the options of its kind.
pub struct Job<'a, O> {
    /// The account.
    pub account: &'a Account,
    /// Its secret, resolved.
    pub credentials: &'a Credentials,
    /// What the command line asks.
    pub options: &'a O,
    /// Takes what is told.
    pub sink: &'a dyn Sink,
    /// Asks us to end.
    pub stop: &'a Stop,
    /// Takes protocol lines (`-vv`).
    pub trace: Option<&'a Trace>,
}

// By hand: what `derive` writes would ask for options that can be copied.
impl<O> Clone for Job<'_, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<O> Copy for Job<'_, O> {}

impl<O> Job<'_, O> {
    /// Tells something of the account, or of one of its folders.
    pub fn tell(&self, folder: Option<&FolderName>, body: Body) {
        let account = Some(self.account.name.clone());
        self.sink.event(Event { body, account, folder: folder.map(ToString::to_string) });
    }

    /// Tells a failure; `which` names the message that it concerns, by UID or file. Gives its class, to be counted.
    #[must_use]
    pub fn tell_failure(&self, folder: Option<&FolderName>, which: Option<&str>, error: &dyn Severity) -> Kind {
        let kind = error.kind();
        let message = which.map_or_else(|| error.to_string(), |which| format!("{which}: {error}"));
        self.tell(folder, Body::Error { kind: kind.as_str(), message, hint: error.hint() });
        kind
    }
}

/// How one account's part ended.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The figures; `result` and `exit` are set by the caller of the walk.
    pub summary: Summary,
    /// What went wrong, each once.
    pub kinds: Vec<Kind>,
    /// Something was finished.
    pub progress: bool,
    /// Files that are new or changed, for the hooks.
    pub changed: Vec<PathBuf>,
    /// What was done in each folder.
    pub folders: BTreeMap<FolderName, Figures>,
}

impl Report {
    /// Counts something done in a folder.
    pub fn count(&mut self, folder: &FolderName, change: impl Fn(&mut Figures)) {
        self.progress = true;
        change(&mut self.summary);
        change(self.folders.entry(folder.clone()).or_default());
    }
}
