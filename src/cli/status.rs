//! `status`: what is here, what of it the server does not know yet, and how the last run ended. Connects nowhere.

use super::args::SelectArgs;
use super::context::{Context, Roots, env};
use super::exit::{Exit, run_exit};
use super::local::{self, FolderState, Found};
use super::overrides;
use crate::account::{Account, Protocol};
use crate::config::Job;
use crate::ui::style::count;
use crate::ui::table::{Column, Record, Value};

const COLUMNS: [Column; 6] = [
    Column::left("folder", "FOLDER"),
    Column::right("messages", "MESSAGES"),
    Column::right("new", "NEW"),
    Column::right("changed", "CHANGED"),
    Column::right("deleted", "DELETED"),
    Column::left("state", "STATE"),
];

/// `mailferry status`.
pub fn run(context: &Context, args: &SelectArgs) -> Exit {
    let options = overrides::ad_hoc(&args.ad_hoc, &env);
    let accounts = match context.accounts(&args.accounts, Job::Any, &options, Roots::Look) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let mut exits = Vec::new();
    for account in &accounts {
        match local::look(account) {
            Ok(found) => {
                tell(context, account, &found);
                exits.push(Exit::Ok);
            }
            Err(error) => exits.push(context.fail(Some(&account.name), &*error)),
        }
    }
    run_exit(&exits)
}

fn tell(context: &Context, account: &Account, found: &Found) {
    let line = headline(account, found);
    context.ui.record(&record(account, found), &line);
    if context.global.json {
        return;
    }
    let folders: Vec<Record> = found
        .folders
        .iter()
        .map(|folder| {
            let record = Record::new("folder").folder(folder.name.to_string());
            fields(folder).into_iter().fold(record, |record, (name, value)| record.with(name, value))
        })
        .collect();
    context.ui.table(&COLUMNS, &folders);
    for (folder, detail) in &found.notices {
        let place = if folder.is_empty() { String::new() } else { format!("{folder}: ") };
        context.ui.record(&Record::new("status"), &format!("noted: {place}{detail}"));
    }
}

fn fields(folder: &FolderState) -> Vec<(&'static str, Value)> {
    let known = |number| if folder.compared { Value::Number(number) } else { Value::Missing };
    vec![
        ("messages", Value::Number(folder.messages)),
        ("new", known(folder.new)),
        ("changed", known(folder.changed)),
        ("deleted", known(folder.deleted)),
        ("open", known(folder.open)),
        ("state", Value::text(folder.condition())),
    ]
}

fn record(account: &Account, found: &Found) -> Record {
    let sum = |figure: fn(&FolderState) -> u64| Value::Number(found.folders.iter().map(figure).sum());
    let folders = found
        .folders
        .iter()
        .map(|folder| {
            let mut all = vec![("folder", Value::Text(folder.name.to_string()))];
            all.extend(fields(folder));
            all
        })
        .collect();
    let notices = found.notices.iter().map(|(folder, detail)| {
        vec![
            ("folder", Value::text(Some(folder.as_str()).filter(|f| !f.is_empty()))),
            ("message", detail.as_str().into()),
        ]
    });
    Record::new("status")
        .account(&account.name)
        .with("protocol", protocol(account).into())
        .with("maildir", account.store.root.to_string_lossy().as_ref().into())
        .with("last_run", found.last_run.map_or(Value::Missing, Value::Time))
        .with("last_result", Value::text(found.last_result.clone()))
        .with("unfinished", Value::Flag(found.unfinished))
        .with("messages", sum(|folder| folder.messages))
        .with("new", sum(|folder| folder.new))
        .with("changed", sum(|folder| folder.changed))
        .with("deleted", sum(|folder| folder.deleted))
        .with("open", sum(|folder| folder.open))
        .with("folders", Value::Objects(folders))
        .with("notices", Value::Objects(notices.collect()))
}

fn protocol(account: &Account) -> &'static str {
    match account.protocol {
        Protocol::Imap => "imap",
        Protocol::Pop3 => "pop3",
    }
}

fn headline(account: &Account, found: &Found) -> String {
    let run = match (found.last_run.and_then(time), &found.last_result) {
        _ if found.unfinished => "the last run was interrupted; the next one goes on".to_owned(),
        (Some(at), Some(result)) => format!("last run {at}, {result}"),
        (Some(at), None) => format!("last run {at}"),
        (None, _) => "never run".to_owned(),
    };
    let sum = |figure: fn(&FolderState) -> u64| found.folders.iter().map(figure).sum::<u64>();
    let messages = count(sum(|f| f.messages), "message");
    let folders = count(found.folders.len() as u64, "folder");
    let changes: Vec<String> = [
        ("new", sum(|f| f.new)),
        ("changed", sum(|f| f.changed)),
        ("deleted", sum(|f| f.deleted)),
        ("open", sum(|f| f.open)),
    ]
    .into_iter()
    .filter(|(_, number)| *number > 0)
    .map(|(word, number)| format!("{number} {word}"))
    .collect();
    let compared = found.folders.iter().any(|folder| folder.compared);
    let unsynced = match (changes.is_empty(), compared) {
        (false, _) => format!("; not on the server yet: {}", changes.join(", ")),
        (true, true) => "; nothing to carry to the server".to_owned(),
        (true, false) => String::new(),
    };
    format!("{}: {run}; {messages} in {folders}{unsynced}", account.name)
}

fn time(seconds: i64) -> Option<String> {
    let at = jiff::Timestamp::from_second(seconds).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string())
}
