//! The command line: arguments in, exit status out.

mod advice;
pub mod args;
mod check;
mod check_local;
mod context;
pub mod docs;
pub mod exit;
mod folders;
mod hold;
mod hooks;
mod import;
mod import_folders;
mod import_state;
mod local;
pub mod overrides;
pub mod parse;
mod print;
mod process;
mod remote;
mod restore;
mod roots;
mod rounds;
mod run;
pub mod setup;
mod sign_in;
mod status;
mod verify;
mod watch;
mod wizard;
mod work;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use crate::severity::Kind;
use crate::stop::Stop;
use crate::ui::{self, Ui, UiOptions};
use args::{Cli, Command, Global};
use context::Context;
use exit::Exit;

/// The whole program, from the process's own arguments to its exit status.
#[must_use]
pub fn main() -> ExitCode {
    process::harden();
    ui::fault::report_panics_briefly();
    let words: Vec<OsString> = std::env::args_os().collect();
    match parse::parse(words.iter().cloned()) {
        Ok(cli) => perform(cli).into(),
        Err(said) => {
            let json = words.iter().any(|word| word == "--json");
            let ui = Ui::new(UiOptions { json: json && !said.wanted, ..UiOptions::default() }.detect());
            let exit = if said.wanted {
                ui.data(said.text.as_bytes());
                Exit::Ok
            } else {
                ui.usage(&said.text);
                Exit::Failed(Kind::Usage)
            };
            ended(&ui, exit).into()
        }
    }
}

/// Does what was asked for.
fn perform(cli: Cli) -> Exit {
    let Cli { global, command: Some(command) } = cli else { return Exit::Failed(Kind::Usage) };
    let ui = Arc::new(Ui::new(look(&global)));
    let stop = match Stop::new().and_then(|stop| stop.on_signals().map(|()| stop)) {
        Ok(stop) => stop,
        Err(error) => {
            ui.error(Kind::TryLater, None, &format!("the system gives no pipe or signal handler: {error}"), None);
            return Exit::Failed(Kind::TryLater);
        }
    };
    let context = Context { ui: Arc::clone(&ui), stop, global };
    // A fault has been told by the hook; what was made safe before it is safe.
    let exit = catch_unwind(AssertUnwindSafe(|| dispatch(&context, command))).unwrap_or(Exit::Failed(Kind::Protocol));
    ended(&ui, exit)
}

fn look(global: &Global) -> UiOptions {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    UiOptions {
        quiet: global.quiet,
        verbose: global.verbose,
        json: global.json,
        color: match global.color {
            args::Color::Auto => ui::Color::Auto,
            args::Color::Always => ui::Color::Always,
            args::Color::Never => ui::Color::Never,
        },
        progress: !global.no_progress,
        no_color_env: set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb"),
        ..UiOptions::default()
    }
    .detect()
}

fn dispatch(context: &Context, command: Command) -> Exit {
    match command {
        Command::Run(args) => run::run(context, &args),
        Command::Sync(args) => run::sync(context, &args),
        Command::Fetch(args) => run::fetch(context, &args),
        Command::Verify(args) => verify::verify(context, &args),
        Command::Restore(args) => restore::restore(context, &args),
        Command::Completions(args) => print::completions(context, &args),
        Command::Man(args) => print::man(context, &args),
        Command::Check(args) => check::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Folders(args) => folders::run(context, &args),
        Command::Setup(args) => wizard::run(context, &args),
        Command::Auth(args) => sign_in::run(context, &args),
        Command::Import(args) => import::run(context, &args),
        Command::Watch(args) => watch::run(context, &args),
    }
}

/// Ends the output. A disk that took not all of it is the program's failure, unless something failed before.
fn ended(ui: &Ui, exit: Exit) -> Exit {
    match (ui.finish(), exit) {
        (Err(error), Exit::Ok) => {
            ui.error(Kind::Disk, None, &format!("standard output cannot be written: {error}"), None);
            Exit::Failed(Kind::Disk)
        }
        (Ok(()) | Err(_), exit) => exit,
    }
}
