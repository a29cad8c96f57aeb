//! Events as people read them: errors in three parts, one summary line an account, the plan of a dry run. PURE.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{Body, Difference, Event, Figures, Planned, RunResult, Summary, Verified};
use super::style::{Paint, count, paint, size, span, wrap};
use crate::mail::text::clean_to;

/// How text is laid out on one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether it has colours.
    pub colored: bool,
    /// The terminal's width; `None`: lines are not broken.
    pub columns: Option<usize>,
}

/// More than our own sentences have; a bound for what others put into them.
const LONGEST: usize = 2000;

/// An error or a warning: `word: ACCOUNT, folder FOLDER: MESSAGE`, then what to do. With a line end.
#[must_use]
pub fn notice(word: &str, color: Paint, event: &Event, message: &str, hint: Option<&str>, look: Look) -> String {
    let mut place = String::new();
    if let Some(account) = &event.account {
        place += &clean_to(account, LONGEST);
    }
    if let Some(folder) = &event.folder {
        let separator = if place.is_empty() { "" } else { ", " };
        place += &format!("{separator}folder {}", clean_to(folder, LONGEST));
    }
    if !place.is_empty() {
        place += ": ";
    }
    // The word is painted after wrapping, which counts columns.
    let text = paragraphs(&format!("{word}: {place}"), message, 2, look.columns);
    let text = text.strip_prefix(word).map_or_else(|| text.clone(), |rest| paint(word, color, look.colored) + rest);
    match hint {
        Some(hint) => text + &paragraphs("  what to do: ", hint, 4, look.columns),
        None => text,
    }
}

/// Text of one or several lines behind `lead`, each cleaned and wrapped; all lines but the first are indented.
fn paragraphs(lead: &str, text: &str, indent: usize, columns: Option<usize>) -> String {
    let mut out = String::new();
    for (i, line) in text.trim().lines().enumerate() {
        let line = clean_to(line, LONGEST);
        if i == 0 {
            // The blanks that indent the lead are no places to break at.
            let blanks = lead.len() - lead.trim_start().len();
            let within = columns.map(|c| c.saturating_sub(blanks));
            out += lead.get(..blanks).unwrap_or_default();
            out += &wrap(&format!("{}{line}", lead.trim_start()), within, indent);
        } else {
            out.extend(std::iter::repeat_n(' ', indent));
            out += &wrap(&line, columns.map(|c| c.saturating_sub(indent)), indent);
        }
        out.push('\n');
    }
    if out.is_empty() {
        out = format!("{}\n", lead.trim_end());
    }
    out
}

/// How many actions of a kind, by action and side, a dry run found.
pub type Actions = BTreeMap<(&'static str, &'static str), u64>;

/// The line of an account that has ended. `planned`: what a dry run found, if it was one.
#[must_use]
pub fn summary(account: &str, summary: &Summary, planned: Option<&Actions>, look: Look) -> String {
    let failed = match summary.result {
        RunResult::Ok => None,
        RunResult::Partial if summary.verified.is_some() && summary.exit == 65 => Some((Paint::Warning, "different")),
        RunResult::Partial => Some((Paint::Warning, "incomplete")),
        RunResult::Failed => Some((Paint::Error, "failed")),
    };
    let done = match planned {
        _ if summary.verified.is_some() => summary.verified.iter().flat_map(verified).collect(),
        Some(actions) => vec![format!("would {}; nothing was changed", words(actions))],
        None => figures(summary),
    };
    let mut text = format!("{}: ", clean_to(account, LONGEST));
    if let Some((_, word)) = failed {
        text += &format!("{word} (exit {})", summary.exit);
        if !done.is_empty() {
            text += ": ";
        }
    }
    if done.is_empty() && failed.is_none() {
        text += "nothing new";
    }
    text += &done.join(", ");
    let mut how = Vec::new();
    if summary.folders > 1 {
        how.push(count(summary.folders, "folder"));
    }
    if summary.bytes_in + summary.bytes_out > 0 {
        how.push(size(summary.bytes_in + summary.bytes_out));
    }
    how.push(span(Duration::from_millis(summary.elapsed_ms)));
    let text = format!("{text} ({})", how.join(", "));
    // Painted after wrapping: escape sequences would count as columns.
    let text = wrap(&text, look.columns, 2) + "\n";
    match (failed, text.split_once(": ")) {
        (Some((color, word)), Some((name, rest))) => {
            let rest = rest.strip_prefix(word).map(|rest| paint(word, color, look.colored) + rest);
            rest.map_or_else(|| text.clone(), |rest| format!("{name}: {rest}"))
        }
        _ => text,
    }
}

/// What a dry run found, in words.
fn words(actions: &Actions) -> String {
    let one = |(&(action, side), &number): (&(&str, &str), &u64)| {
        let place = if side == "remote" { "on the server" } else { "here" };
        match action {
            "download" | "upload" => format!("{action} {number}"),
            "flags" => format!("change {number} {place}"),
            "move" | "delete" => format!("{action} {number} {place}"),
            "create_folder" => format!("create {} {place}", count(number, "folder")),
            "remove_folder" => format!("remove {} {place}", count(number, "folder")),
            other => format!("{} {number} {place}", other.replace('_', " ")),
        }
    };
    actions.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What `verify` counted, in words.
fn verified(v: &Verified) -> Vec<String> {
    let mut words = vec![format!("{} compared", count(v.compared, "message")), count(v.differences, "difference")];
    if v.one_sided > 0 {
        words.push(format!("{} on one side only, by agreement", v.one_sided));
    }
    if v.dates > 0 {
        words.push(format!("{} with another date", v.dates));
    }
    words
}

/// What a summary counts, in words; nothing where all is zero.
fn figures(s: &Figures) -> Vec<String> {
    let both = |what: &str, local: u64, remote: u64| match (local, remote) {
        (0, 0) => None,
        (here, 0) => Some(format!("{here} {what} here")),
        (0, there) => Some(format!("{there} {what} on the server")),
        (here, there) => Some(format!("{here} {what} here and {there} on the server")),
    };
    let one = |what: &str, number: u64| (number > 0).then(|| format!("{number} {what}"));
    [
        one("new", s.downloaded),
        one("uploaded", s.uploaded),
        both("changed", s.flags_local, s.flags_remote),
        both("moved", s.moved_local, s.moved_remote),
        both("deleted", s.deleted_local, s.deleted_remote),
        one("skipped", s.skipped),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The line of a folder that is done (`-v`); `None` if nothing changed in it.
#[must_use]
pub fn folder(event: &Event, done: &Figures) -> Option<String> {
    let figures = figures(done);
    (!figures.is_empty()).then(|| format!("{}{}\n", place(event), figures.join(", ")))
}

/// One action of a dry run, as a line of data.
#[must_use]
pub fn planned(event: &Event, action: &Planned) -> String {
    let what = format!("{} ({})", action.action.replace('_', " "), action.side);
    data(event, what, action.uid, [&action.uidl, &action.file, &action.message_id, &action.detail])
}

/// One difference, as a line of data.
#[must_use]
pub fn difference(event: &Event, found: &Difference) -> String {
    let what = found.kind.replace('_', " ");
    data(event, what, found.uid, [&found.uidl, &found.file, &found.message_id, &found.detail])
}

/// A line of data about a message: never broken, fields (UIDL, file, Message-ID, more) in a fixed order.
fn data(event: &Event, what: String, uid: Option<u32>, fields: [&Option<String>; 4]) -> String {
    let mut words = vec![what];
    words.extend(uid.map(|uid| format!("uid {uid}")));
    for (name, value) in ["uidl", "file", "message-id", ""].into_iter().zip(fields) {
        if let Some(value) = value {
            words.push(format!("{name} {}", clean_to(value, LONGEST)).trim_start().to_owned());
        }
    }
    format!("{}{}\n", place(event), words.join(", "))
}

/// `work INBOX: `.
fn place(event: &Event) -> String {
    let names: Vec<String> =
        [&event.account, &event.folder].into_iter().flatten().map(|n| clean_to(n, LONGEST)).collect();
    if names.is_empty() { String::new() } else { names.join(" ") + ": " }
}

/// What goes to stderr for an event, if anything does: what `told` lets through of it.
#[must_use]
pub fn event(event: &Event, told: Told, planned: Option<&Actions>, look: Look) -> Option<String> {
    match &event.body {
        Body::Error { kind: _, message, hint } => {
            Some(notice("error", Paint::Error, event, message, hint.as_deref(), look))
        }
        Body::Warning { message, hint } if told >= Told::Warnings => {
            Some(notice("warning", Paint::Warning, event, message, hint.as_deref(), look))
        }
        Body::Summary(figures) if told >= Told::Summaries => {
            Some(summary(event.account.as_deref().unwrap_or("-"), figures, planned, look))
        }
        Body::Folder(done) if told >= Told::Folders => folder(event, done),
        Body::AccountStarted { protocol, job } if told >= Told::Folders => {
            Some(format!("{}{job} ({})\n", place(event), protocol.to_uppercase()))
        }
        Body::Warning { .. } | Body::Summary(_) | Body::Folder(_) | Body::AccountStarted { .. } => None,
        // Data, which goes to stdout.
        Body::Planned(_) | Body::Difference(_) => None,
    }
}

/// How much is told on stderr; each level has what is above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// `-q`.
    Errors,
    /// Not a terminal.
    Warnings,
    /// A terminal.
    Summaries,
    /// `-v`.
    Folders,
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE_80: Look = Look { colored: false, columns: Some(80) };

    fn at(account: &str, folder: Option<&str>, body: Body) -> Event {
        Event { body, account: Some(account.into()), folder: folder.map(Into::into) }
    }

    fn refused() -> Event {
        let message = "imap.example.org refused to open the folder: \"NO [NOPERM] Permission denied for this mailbox\"";
        let hint = "ask its owner for the right to read it, or leave it out: folders = [\"*\", \"!Shared/boss\"]";
        at(
            "work",
            Some("Shared/boss"),
            Body::Error { kind: "protocol", message: message.into(), hint: Some(hint.into()) },
        )
    }

    #[test]
    fn an_error_has_three_parts_at_80_columns() {
        let expected = "\
error: work, folder Shared/boss: imap.example.org refused to open the folder:
  \"NO [NOPERM] Permission denied for this mailbox\"
  what to do: ask its owner for the right to read it, or leave it out: folders =
    [\"*\", \"!Shared/boss\"]
";
        assert_eq!(event(&refused(), Told::Errors, None, WIDE_80).as_deref(), Some(expected));
    }

    #[test]
    fn and_at_120_columns_and_in_a_log() {
        let expected = "\
error: work, folder Shared/boss: imap.example.org refused to open the folder: \"NO [NOPERM] Permission denied for this
  mailbox\"
  what to do: ask its owner for the right to read it, or leave it out: folders = [\"*\", \"!Shared/boss\"]
";
        let look = Look { colored: false, columns: Some(120) };
        assert_eq!(event(&refused(), Told::Errors, None, look).as_deref(), Some(expected));
        let log = event(&refused(), Told::Errors, None, Look::default()).unwrap_or_default();
        assert_eq!(log.lines().count(), 2, "{log}");
    }

    #[test]
    fn only_the_word_is_painted() {
        let look = Look { colored: true, columns: Some(80) };
        let text = event(&refused(), Told::Errors, None, look).unwrap_or_default();
        assert!(text.starts_with("\x1b[1;31merror\x1b[0m: work, folder"), "{text:?}");
        assert_eq!(text.matches('\x1b').count(), 2);
    }

    #[test]
    fn nobody_writes_to_the_terminal_through_us() {
        let body = Body::Warning { message: "a\x1b[2Jb\nerror: c".into(), hint: Some("\u{202e}d".into()) };
        let text = event(&at("e\rf", Some("g\u{9b}"), body), Told::Warnings, None, Look::default());
        let expected = "warning: e\u{fffd}f, folder g\u{fffd}: a\u{fffd}[2Jb\n  error: c\n  what to do: \u{fffd}d\n";
        assert_eq!(text.as_deref(), Some(expected));
    }

    #[test]
    fn summaries_are_one_line() {
        let told = |s: &Summary, planned: Option<&Actions>| summary("work", s, planned, Look::default());
        let mut s = Summary { folders: 12, elapsed_ms: 340, ..Summary::default() };
        assert_eq!(told(&s, None), "work: nothing new (12 folders, 0.3 s)\n");
        let plan: Actions = [("create_folder", "local", 1), ("delete", "remote", 2), ("download", "local", 20)]
            .map(|(action, side, number)| ((action, side), number))
            .into();
        assert_eq!(
            told(&s, Some(&plan)),
            "work: would create 1 folder here, delete 2 on the server, download 20; nothing was changed (12 folders, 0.3 s)\n"
        );
        let figures =
            Figures { downloaded: 12, flags_local: 2, deleted_local: 1, deleted_remote: 4, ..Figures::default() };
        s = Summary { figures, bytes_in: 3_250_000, ..s };
        assert_eq!(
            told(&s, None),
            "work: 12 new, 2 changed here, 1 deleted here and 4 on the server (12 folders, 3.1 MiB, 0.3 s)\n"
        );
        s.result = RunResult::Partial;
        s.exit = 69;
        assert!(told(&s, None).starts_with("work: incomplete (exit 69): 12 new, "));
        s = Summary { result: RunResult::Failed, exit: 77, elapsed_ms: 12_000, ..Summary::default() };
        assert_eq!(told(&s, None), "work: failed (exit 77) (12 s)\n");
    }

    #[test]
    fn what_is_told_follows_the_level() {
        let summary = at("work", None, Body::Summary(Summary::default()));
        let warning = at("work", None, Body::Warning { message: "m".into(), hint: None });
        let changed = at("work", Some("INBOX"), Body::Folder(Figures { uploaded: 1, ..Figures::default() }));
        let unchanged = at("work", Some("INBOX"), Body::Folder(Figures::default()));
        let told = |e: &Event, level| event(e, level, None, Look::default()).is_some();
        assert!(told(&refused(), Told::Errors));
        assert!(!told(&warning, Told::Errors) && told(&warning, Told::Warnings));
        assert!(!told(&summary, Told::Warnings) && told(&summary, Told::Summaries));
        assert!(!told(&changed, Told::Summaries) && told(&changed, Told::Folders));
        assert!(!told(&unchanged, Told::Folders));
    }

    #[test]
    fn a_plan_is_a_line_an_action() {
        let action = Planned {
            action: "create_folder",
            side: "remote",
            uid: Some(7),
            message_id: Some("<a\u{1b}@b>".into()),
            detail: Some("to Archive".into()),
            ..Planned::default()
        };
        let text = planned(&at("work", Some("Lists/rust"), Body::Planned(action.clone())), &action);
        assert_eq!(text, "work Lists/rust: create folder (remote), uid 7, message-id <a\u{fffd}@b>, to Archive\n");
    }
}
