//! `setup` in its surroundings: the network, the terminal, the test of the login, and what is said in the end.

use std::path::Path;

use super::args::SetupArgs;
use super::context::{Context, env};
use super::exit::Exit;
use super::{remote, setup};
use crate::account::Account;
use crate::setup::ask::Terminal;
use crate::setup::error::Error;
use crate::setup::make::Surroundings;
use crate::setup::network::Internet;
use crate::setup::tty::Tty;
use crate::ui::table::Record;

/// `mailferry setup [EMAIL]`.
pub fn run(context: &Context, args: &SetupArgs) -> Exit {
    let network = Internet::new();
    let program = std::env::current_exe().ok();
    let program = program.as_deref().unwrap_or(Path::new("mailferry")).to_string_lossy();
    let around = Surroundings {
        config: context.global.config.as_deref(),
        env: &env,
        network: Some(&network),
        program: &program,
        probe: &|account: &Account| remote::probe(context, account),
    };
    let mut tty = Tty::open();
    let terminal = tty.as_mut().map(|tty| tty as &mut dyn Terminal);
    match setup::run(args, terminal, around) {
        Ok(done) => {
            let record = Record::new("setup")
                .account(&done.account.name)
                .with("config", done.path.to_string_lossy().as_ref().into())
                .with("maildir", done.account.store.root.to_string_lossy().as_ref().into());
            if context.global.json {
                context.ui.record(&record, "");
            } else if !context.global.quiet {
                context.ui.data(done.text.as_bytes());
            }
            Exit::Ok
        }
        Err(Error::Config(complaints)) => context.complain(&complaints),
        Err(error) => context.fail(None, &error),
    }
}
