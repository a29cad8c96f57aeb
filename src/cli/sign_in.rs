//! `auth`: a person signs in with OAuth 2.0, and the tokens are kept.

use std::time::Duration;

use super::args::AuthArgs;
use super::context::{Context, Roots, env};
use super::exit::Exit;
use super::{overrides, remote};
use crate::account::{Account, OAuth2, Protocol};
use crate::auth::oauth::{self, Client, Loopback, Tokens};
use crate::auth::{self, source, tokens};
use crate::config::{Complaint, Job};
use crate::ui::table::{Record, Value};

/// How long a person may take in the browser.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// `mailferry auth ACCOUNT`.
pub fn run(context: &Context, args: &AuthArgs) -> Exit {
    let options = overrides::ad_hoc(&args.one.ad_hoc, &env);
    let names = std::slice::from_ref(&args.one.account);
    let accounts = match context.accounts(names, Job::Any, &options, Roots::Look) {
        Ok(accounts) => accounts,
        Err(exit) => return exit,
    };
    let Some(account) = accounts.first() else { return Exit::Ok };
    let settings = match usable(account) {
        Ok(settings) => settings,
        Err(complaint) => return context.complain(&[complaint]),
    };
    match sign_in(context, account, settings, args.device) {
        Ok(()) => test(context, account),
        Err(error) => context.fail(Some(&account.name), &error),
    }
}

fn usable(account: &Account) -> Result<&OAuth2, Complaint> {
    let complaint = |text: &str, hint: &str| {
        Complaint::config(format!("account `{}` {text}", account.name)).account(&account.name).hint(hint)
    };
    match &account.login.oauth2 {
        None => Err(complaint(
            "has no table `oauth2` to sign in with",
            "add one with client_id, auth_url, token_url and scopes, or use a password",
        )),
        Some(settings) if settings.token_command.is_some() => {
            Err(complaint("gets its tokens from `token_command`", "sign in with that program"))
        }
        Some(settings) => Ok(settings),
    }
}

/// Signs in and keeps the tokens.
///
/// # Errors
/// Whatever keeps it from that.
pub fn sign_in(context: &Context, account: &Account, settings: &OAuth2, device: bool) -> Result<(), auth::Error> {
    let wrap = |why: oauth::Error| {
        if matches!(why, oauth::Error::Stopped) {
            return auth::Error::Stopped;
        }
        auth::Error::Token { account: account.name.clone(), why }
    };
    let client = Client::new(settings, account.endpoint.timeout, None).map_err(wrap)?;
    if client.is_app_only() {
        context.ui.note("This profile is an application's own: nobody has to sign in.");
        return Ok(());
    }
    let path = source::token_path(account)?;
    let tokens = if device || settings.auth_url.is_none() {
        by_device(context, account, &client)
    } else {
        by_browser(context, account, &client)
    };
    tokens::store(&path, &tokens.map_err(wrap)?, &context.stop).map_err(wrap)?;
    context.ui.note(&format!("Signed in; the tokens are kept in {}.", path.display()));
    Ok(())
}

fn by_browser(context: &Context, account: &Account, client: &Client) -> Result<Tokens, oauth::Error> {
    let waiting = Loopback::begin(client, &account.login.user)?;
    let record = Record::new("sign_in").account(&account.name).with("url", waiting.address().into());
    let line = format!("Open this address in a browser on this computer, and sign in:\n{}", waiting.address());
    tell(context, &record, &line);
    waiting.wait(client, PATIENCE, &context.stop)
}

fn by_device(context: &Context, account: &Account, client: &Client) -> Result<Tokens, oauth::Error> {
    let code = client.device_begin(&context.stop)?;
    let record = Record::new("sign_in")
        .account(&account.name)
        .with("url", code.verification_uri.as_str().into())
        .with("code", code.user_code.as_str().into())
        .with("url_with_code", Value::text(code.verification_uri_complete.clone()));
    let line = format!("Open {} on any device, and enter the code {}", code.verification_uri, code.user_code);
    tell(context, &record, &line);
    client.device_wait(&code, &context.stop)
}

/// What the person needs is data: also with `-q`, and never shortened.
fn tell(context: &Context, record: &Record, text: &str) {
    if context.global.json {
        context.ui.record(record, "");
    } else {
        context.ui.data(format!("{text}\n").as_bytes());
    }
}

/// Tries the login that the tokens are for.
fn test(context: &Context, account: &Account) -> Exit {
    let credentials = match source::resolve(account, &context.stop, false) {
        Ok(credentials) => credentials,
        Err(error) => return context.fail(Some(&account.name), &error),
    };
    match account.protocol {
        Protocol::Imap => match remote::open_imap(context, account, &credentials) {
            Ok(session) => session.logout(),
            Err(error) => return context.fail(Some(&account.name), &error),
        },
        Protocol::Pop3 => match remote::open_pop3(context, account, &credentials) {
            Ok(session) => session.leave(),
            Err(error) => return context.fail(Some(&account.name), &error),
        },
    }
    context.ui.note(&format!("The login at {} works.", account.endpoint.host));
    Exit::Ok
}
