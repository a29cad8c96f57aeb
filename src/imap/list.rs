//! The server's folders and their figures, in as few round trips as the server allows.

use std::collections::HashMap;

use super::command::{Command, MailboxName};
use super::data;
use super::error::Error;
use super::name;
use super::parse::{Response, Value, Values};
use super::quirks;
use super::session::Session;
use crate::mail::FolderName;
use crate::mail::snapshot::Figures;

/// More folders than this are no honest answer.
const FOLDERS: usize = 100_000;

/// What to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListAsk {
    /// Also each folder's figures.
    pub status: bool,
    /// Also which are subscribed.
    pub subscribed: bool,
    /// Also other users' and shared folders (NAMESPACE).
    pub shared: bool,
}

/// A folder's special use (RFC 6154, RFC 8457).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum SpecialUse {
    All,
    Archive,
    Drafts,
    Flagged,
    Important,
    Junk,
    Sent,
    Trash,
}

impl SpecialUse {
    fn of(attribute: &str) -> Option<Self> {
        Some(match attribute {
            "all" | "allmail" => Self::All,
            "archive" => Self::Archive,
            "drafts" => Self::Drafts,
            "flagged" | "starred" => Self::Flagged,
            "important" => Self::Important,
            "junk" | "spam" => Self::Junk,
            "sent" => Self::Sent,
            "trash" => Self::Trash,
            _ => return None,
        })
    }
}

/// One folder of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFolder {
    /// Its name for people, patterns and paths.
    pub name: FolderName,
    /// Its name for commands.
    pub mailbox: MailboxName,
    /// The hierarchy's separator.
    pub delimiter: Option<u8>,
    /// Neither `\Noselect` nor `\NonExistent`.
    pub selectable: bool,
    /// `\NonExistent`.
    pub non_existent: bool,
    /// `\Noinferiors`.
    pub no_inferiors: bool,
    /// Its special use, from any LIST.
    pub special: Option<SpecialUse>,
    /// Whether the user subscribed to it; `false` unless asked for.
    pub subscribed: bool,
    /// Its figures, if asked for and told.
    pub figures: Option<Figures>,
}

/// All folders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the server's order, each once.
    pub folders: Vec<ListedFolder>,
    /// The separator for new folders: the personal namespace's, else INBOX's, else any folder's.
    pub delimiter: Option<u8>,
    /// The personal namespace's prefix, such as `INBOX.`, if the server told one that is not empty.
    pub personal_prefix: Option<Vec<u8>>,
}

#[derive(Default)]
struct Namespaces {
    personal: Vec<(Vec<u8>, Option<u8>)>,
    foreign: Vec<Vec<u8>>,
}

impl Namespaces {
    fn parse(rest: &[u8]) -> Self {
        let group = |value: Option<Value<'_>>| -> Vec<(Vec<u8>, Option<u8>)> {
            let one = |entry: Value<'_>| {
                let mut items = entry.items();
                let prefix = items.next()?.bytes()?.into_owned();
                Some((prefix, items.next().and_then(|d| d.bytes()).and_then(|d| d.first().copied())))
            };
            value.map(|list| list.items().take(1000).filter_map(one).collect()).unwrap_or_default()
        };
        let mut values = Values::new(rest);
        let personal = group(values.next());
        let others = group(values.next()).into_iter().chain(group(values.next()));
        // Cyrus calls everything else shared by an empty prefix: that tells nothing apart.
        let foreign = others.map(|(prefix, _)| prefix).filter(|prefix| !prefix.is_empty()).collect();
        Self { personal, foreign }
    }
}

/// Gathers what LIST, LSUB, STATUS and NAMESPACE tell, in whatever order they come. What the names say is read at the end: only then
/// is it known in what they are written.
#[derive(Default)]
struct Gather {
    folders: Vec<ListedFolder>,
    at: HashMap<MailboxName, usize>,
    figures: HashMap<MailboxName, Figures>,
    subscribed: Vec<MailboxName>,
    namespaces: Namespaces,
}

impl Gather {
    fn take(&mut self, response: &Response<'_>) -> Result<bool, Error> {
        let Response::Data { word, rest } = response else { return Ok(false) };
        match word.to_ascii_uppercase().as_slice() {
            b"LIST" | b"XLIST" => {
                if let Some(line) = data::list(rest) {
                    self.folder(line)?;
                }
            }
            b"LSUB" => self.subscribed.extend(data::list(rest).map(|line| line.name)),
            b"STATUS" => self.figures.extend(data::status(rest)),
            b"NAMESPACE" => self.namespaces = Namespaces::parse(rest),
            _ => return Ok(false),
        }
        if self.figures.len().max(self.subscribed.len()) > FOLDERS {
            return Err(Error::Limit("folders"));
        }
        Ok(true)
    }

    fn folder(&mut self, line: data::ListLine) -> Result<(), Error> {
        let has = |name: &str| line.attributes.iter().any(|a| a == name);
        let special = line.attributes.iter().find_map(|a| SpecialUse::of(a));
        if let Some(known) = self.at.get(&line.name).and_then(|&at| self.folders.get_mut(at)) {
            known.special = known.special.or(special);
            known.subscribed |= has("subscribed");
            return Ok(());
        }
        if self.folders.len() >= FOLDERS {
            return Err(Error::Limit("folders"));
        }
        self.at.insert(line.name.clone(), self.folders.len());
        self.folders.push(ListedFolder {
            name: FolderName::inbox(),
            delimiter: line.delimiter,
            selectable: !has("noselect") && !has("nonexistent"),
            non_existent: has("nonexistent"),
            no_inferiors: has("noinferiors"),
            special,
            subscribed: has("subscribed"),
            figures: None,
            mailbox: line.name,
        });
        Ok(())
    }

    fn finish(mut self, shared: bool, utf8: bool) -> Listing {
        for name in &self.subscribed {
            if let Some(folder) = self.at.get(name).and_then(|&at| self.folders.get_mut(at)) {
                folder.subscribed = true;
            }
        }
        // A folder without a name cannot be asked for.
        self.folders.retain_mut(|folder| {
            let name = name::decode(folder.mailbox.as_bytes(), folder.delimiter, utf8);
            name.map(|name| folder.name = name).is_some()
        });
        for folder in &mut self.folders {
            folder.figures = self.figures.remove(&folder.mailbox);
        }
        let foreign = std::mem::take(&mut self.namespaces.foreign);
        if !shared {
            self.folders.retain(|f| !foreign.iter().any(|prefix| is_under(f.mailbox.as_bytes(), prefix)));
        }
        let personal = self.namespaces.personal.first();
        let inbox = self.folders.iter().find(|f| f.name.is_inbox()).and_then(|f| f.delimiter);
        let delimiter = personal
            .and_then(|(_, delimiter)| *delimiter)
            .or(inbox)
            .or_else(|| self.folders.iter().find_map(|f| f.delimiter));
        let personal_prefix = personal.map(|(prefix, _)| prefix.clone()).filter(|prefix| !prefix.is_empty());
        Listing { folders: self.folders, delimiter, personal_prefix }
    }
}

/// Whether a mailbox is the root of a namespace or below it.
fn is_under(mailbox: &[u8], prefix: &[u8]) -> bool {
    mailbox.starts_with(prefix) || prefix.strip_prefix(mailbox).is_some_and(|rest| rest.len() == 1)
}

impl Session {
    /// Lists all folders; with LIST-STATUS and its figures in one round trip, else the figures in a second one.
    ///
    /// # Errors
    /// When the server refuses or the connection fails: a listing that ends so tells nothing of any folder.
    pub fn list(&mut self, ask: &ListAsk) -> Result<Listing, Error> {
        let offered = self.capabilities().clone();
        let extended = offered.list_extended || offered.list_status;
        if extended {
            match self.list_once(ask, true) {
                // One server answers nothing to the extended form, another BAD (seen at strato, and at Proton Bridge).
                Ok(listing) if listing.folders.is_empty() => {}
                Err(Error::Refused { .. }) => {}
                other => return other,
            }
        }
        self.list_once(ask, false)
    }

    fn list_once(&mut self, ask: &ListAsk, extended: bool) -> Result<Listing, Error> {
        let offered = self.capabilities().clone();
        let with_status = extended && ask.status && offered.list_status;
        let mut gather = Gather::default();
        let mut commands = Vec::new();
        if offered.namespace {
            commands.push(Command::new("NAMESPACE"));
        }
        if ask.subscribed && !(extended && offered.list_extended) {
            commands.push(Command::new("LSUB \"\" \"*\""));
        }
        commands.push(self.list_command(ask, extended, with_status));
        let pending = self.send_free(&commands, ())?;
        // Only the end of LIST itself, which is the last, decides: some servers fail at NAMESPACE.
        let end = self.finish_each(&pending, None, &mut |response, _| gather.take(response))?.pop();
        end.ok_or(Error::Skipped("nothing was listed"))?.ok("LIST")?;
        if ask.shared {
            self.list_foreign(&mut gather)?;
        }
        let mut listing = gather.finish(ask.shared, self.utf8_names());
        if ask.status && !with_status {
            self.add_status(&mut listing)?;
        }
        Ok(listing)
    }

    fn list_command(&self, ask: &ListAsk, extended: bool, with_status: bool) -> Command {
        let offered = self.capabilities();
        let mut wanted: Vec<&'static str> = Vec::new();
        if extended {
            if ask.subscribed && offered.list_extended {
                wanted.push("SUBSCRIBED");
            }
            if offered.special_use {
                wanted.push("SPECIAL-USE");
            }
        }
        let command = Command::new("LIST \"\" \"*\"");
        if wanted.is_empty() && !with_status {
            return command;
        }
        let mut command = command.word("RETURN").word("(");
        for (i, option) in wanted.iter().enumerate() {
            command = if i == 0 { command.glue(option) } else { command.word(option) };
        }
        if with_status {
            let greeting = self.server().0;
            let items = self.status_items(!quirks::no_mailboxid_in_list(&greeting));
            let status = if wanted.is_empty() { "STATUS (" } else { " STATUS (" };
            command = command.glue(status);
            for (i, item) in items.iter().enumerate() {
                command = if i == 0 { command.glue(item) } else { command.word(item) };
            }
            command = command.glue(")");
        }
        command.glue(")")
    }

    fn status_items(&self, mailbox_id: bool) -> Vec<&'static str> {
        let offered = self.capabilities();
        let mut items = vec!["MESSAGES", "UIDNEXT", "UIDVALIDITY"];
        if offered.condstore {
            items.push("HIGHESTMODSEQ");
        }
        if offered.objectid && mailbox_id {
            items.push("MAILBOXID");
        }
        items
    }

    /// Lists below the other namespaces, where the first LIST may not have looked.
    fn list_foreign(&mut self, gather: &mut Gather) -> Result<(), Error> {
        let literals = self.literals();
        let mut commands = Vec::new();
        for prefix in &gather.namespaces.foreign {
            commands.push(Command::new("LIST").string(prefix, literals)?.word("\"*\""));
        }
        if commands.is_empty() {
            return Ok(());
        }
        let pending = self.send_free(&commands, ())?;
        self.finish(&pending, "LIST", None, &mut |response, _| gather.take(response)).map(drop)
    }

    fn add_status(&mut self, listing: &mut Listing) -> Result<(), Error> {
        let names: Vec<MailboxName> =
            listing.folders.iter().filter(|f| f.selectable).map(|f| f.mailbox.clone()).collect();
        let mut figures = self.status(&names)?.into_iter();
        for folder in listing.folders.iter_mut().filter(|f| f.selectable) {
            folder.figures = figures.next().and_then(Result::ok);
        }
        Ok(())
    }

    /// The figures of several folders, asked for in one flight. A folder that cannot be asked for, or is not answered,
    /// has an error of its own.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn status(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Result<Figures, Error>>, Error> {
        let items = self.status_items(true);
        self.status_of(mailboxes, &items)
    }

    /// As [`Session::status`], for people: messages, unseen ones and, where offered, the size.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn status_details(&mut self, mailboxes: &[MailboxName]) -> Result<Vec<Result<Figures, Error>>, Error> {
        let mut items = vec!["MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY"];
        if self.capabilities().status_size {
            items.push("SIZE");
        }
        self.status_of(mailboxes, &items)
    }

    fn status_of(
        &mut self,
        mailboxes: &[MailboxName],
        items: &[&'static str],
    ) -> Result<Vec<Result<Figures, Error>>, Error> {
        let literals = self.literals();
        let command = |mailbox: &MailboxName| -> Result<Command, Error> {
            Ok(Command::new("STATUS").mailbox(mailbox, literals)?.words(items))
        };
        let commands: Vec<Result<Command, Error>> = mailboxes.iter().map(command).collect();
        let sendable: Vec<Command> = commands.iter().filter_map(|c| c.as_ref().ok().cloned()).collect();
        let mut told: HashMap<MailboxName, Figures> = HashMap::new();
        let mut ends = Vec::new().into_iter();
        if !sendable.is_empty() {
            let pending = self.send_free(&sendable, ())?;
            let all = self.finish_each(&pending, None, &mut |response, _| {
                let Response::Data { word, rest } = response else { return Ok(false) };
                let status = data::status(rest).filter(|_| word.eq_ignore_ascii_case(b"STATUS"));
                let asked = status.filter(|(name, _)| told.len() < FOLDERS || told.contains_key(name));
                let found = asked.is_some();
                told.extend(asked);
                Ok(found)
            })?;
            ends = all.into_iter();
        }
        let result = |(command, mailbox): (Result<Command, Error>, &MailboxName)| {
            command?;
            ends.next().ok_or(Error::Skipped("nothing was asked for"))?.ok("STATUS")?;
            told.get(mailbox).cloned().ok_or(Error::Skipped("the server told no figures of the folder"))
        };
        Ok(commands.into_iter().zip(mailboxes).map(result).collect())
    }
}
