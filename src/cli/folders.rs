//! `folders`: what the server has, and where each folder goes.

use super::args::OneArgs;
use super::context::{Context, Roots, env};
use super::exit::Exit;
use super::{overrides, remote};
use crate::account::{Account, Protocol};
use crate::auth::source;
use crate::config::Job;
use crate::imap::ListedFolder;
use crate::maildir::Layout;
use crate::severity::Severity;
use crate::sync::folders::FolderPlan;
use crate::ui::table::{Column, Record, Value};

const COLUMNS: [Column; 7] = [
    Column::left("folder", "FOLDER"),
    Column::left("special_use", "USE"),
    Column::right("messages", "MESSAGES"),
    Column::right("unseen", "UNSEEN"),
    Column::right("size", "SIZE"),
    Column::left("synced", "SYNC"),
    Column::left("path", "PATH"),
];

/// `mailferry folders ACCOUNT`.
pub fn run(context: &Context, args: &OneArgs) -> Exit {
    let options = overrides::ad_hoc(&args.ad_hoc, &env);
    let names = std::slice::from_ref(&args.account);
    let accounts = match context.accounts(names, Job::Any, &options, Roots::Look) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    for account in &accounts {
        match records(context, account) {
            Ok(records) => context.ui.table(&COLUMNS, &records),
            Err(error) => return context.fail(Some(&account.name), &*error),
        }
    }
    Exit::Ok
}

type Failure = Box<dyn Severity + Send>;

fn boxed<E: Severity + Send + 'static>(error: E) -> Failure {
    Box::new(error)
}

fn records(context: &Context, account: &Account) -> Result<Vec<Record>, Failure> {
    let credentials = source::resolve(account, &context.stop, true).map_err(boxed)?;
    let layout = Layout::new(&account.store);
    match account.protocol {
        Protocol::Imap => {
            let mut session = remote::open_imap(context, account, &credentials).map_err(boxed)?;
            let mut listing = remote::list_in_detail(&mut session).map_err(boxed)?;
            session.logout();
            remote::sort(&mut listing);
            let plan = remote::folder_plan(account, &listing)?;
            Ok(remote::selectable(&listing).map(|folder| record(account, folder, &plan, &layout)).collect())
        }
        Protocol::Pop3 => {
            let mut session = remote::open_pop3(context, account, &credentials).map_err(boxed)?;
            let (messages, bytes) = session.stat().map_err(boxed)?;
            session.leave();
            let record = Record::new("folder").account(&account.name).folder(account.folder.to_string());
            Ok(vec![
                record
                    .with("messages", Value::Number(messages))
                    .with("size", bytes.map_or(Value::Missing, Value::Size))
                    .with("synced", Value::Flag(true))
                    .with("path", path(&layout, &account.folder)),
            ])
        }
    }
}

fn record(account: &Account, folder: &ListedFolder, plan: &FolderPlan, layout: &Layout) -> Record {
    let figures = folder.figures.clone().unwrap_or_default();
    let number = |figure: Option<u32>| figure.map_or(Value::Missing, |n| Value::Number(u64::from(n)));
    Record::new("folder")
        .account(&account.name)
        .folder(folder.name.to_string())
        .with("special_use", Value::text(folder.special.map(remote::special_word)))
        .with("messages", number(figures.messages))
        .with("unseen", number(figures.unseen))
        .with("size", figures.size.map_or(Value::Missing, Value::Size))
        .with("subscribed", Value::Flag(folder.subscribed))
        .with("synced", Value::Flag(plan.steps.iter().any(|step| step.name == folder.name)))
        .with("path", path(layout, &folder.name))
}

fn path(layout: &Layout, name: &crate::mail::FolderName) -> Value {
    layout.dir(name).map_or(Value::Missing, |dir| {
        let home = env("HOME").filter(|home| home.len() > 1);
        let below = home.and_then(|home| dir.path.strip_prefix(home).ok().map(|rest| format!("~/{}", rest.display())));
        let full = dir.path.to_string_lossy().into_owned();
        Value::Path(full.clone(), below.unwrap_or(full))
    })
}
