//! `setup` in its surroundings: the network, the terminal, the test of the login, and what is said in the end.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::args::SetupArgs;
use super::context::{Context, env};
use super::exit::Exit;
use super::{remote, setup, sign_in};
use crate::account::Account;
use crate::auth::{Secret, keyring};
use crate::setup::ProbeError;
use crate::setup::ask::Terminal;
use crate::setup::error::Error;
use crate::setup::make::{Keyring, Surroundings};
use crate::setup::network::Internet;
use crate::setup::tty::Tty;
use crate::ui::table::Record;

/// How long the keyring may take: a person may have to unlock it.
const PERSON: Duration = Duration::from_secs(120);

/// How long it may take to say that it is there.
const PROMPT: Duration = Duration::from_secs(5);

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
        keyring: &Desktop,
        sign_in: &|account: &Account, device: bool| signing_in(context, account, device),
    };
    let mut tty = Tty::open(&context.stop);
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

fn signing_in(context: &Context, account: &Account, device: bool) -> Result<(), ProbeError> {
    let Some(settings) = &account.login.oauth2 else { return Ok(()) };
    sign_in::sign_in(context, account, settings, device).map_err(|error| remote::probe_error(&error, Some(account)))
}

/// The keyring of the session.
struct Desktop;

impl Keyring for Desktop {
    fn is_there(&self) -> bool {
        keyring::BUILT_IN && !matches!(keyring::get("mailferry", "", PROMPT), Err(keyring::Failure::Away(_)))
    }

    fn has(&self, service: &str, user: &str) -> bool {
        keyring::get(service, user, PERSON).is_ok()
    }

    fn store(&self, service: &str, user: &str, secret: &SecretString) -> Result<(), String> {
        let secret = Secret::new(secret.expose_secret().as_bytes().to_vec());
        keyring::set(service, user, &secret, PERSON).map_err(|why| why.to_string())
    }
}
