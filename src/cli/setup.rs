//! `mailferry setup`: from options to what setup is given.

use std::path::Path;

use secrecy::SecretString;

use super::args::{self, Layout, Mode, Protocol, SetupArgs, Tls};
use crate::account;
use crate::setup::ask::Terminal;
use crate::setup::draft::{KeepWord, Source};
use crate::setup::error::Error;
use crate::setup::interview::{Given, SignIn};
use crate::setup::make::{Done, Surroundings, make};

/// Makes a profile. `around.network` is ignored with `--offline`.
///
/// # Errors
/// As [`make`].
pub fn run(args: &SetupArgs, terminal: Option<&mut dyn Terminal>, around: Surroundings<'_>) -> Result<Done, Error> {
    let around = if args.offline { Surroundings { network: None, ..around } } else { around };
    make(&given(args)?, args.yes, terminal, &around)
}

fn given(args: &SetupArgs) -> Result<Given, Error> {
    let SetupArgs { email, server, secret, profile, yes: _, offline: _ } = args;
    let absolute = |path: &std::path::PathBuf| {
        std::path::absolute(path).unwrap_or_else(|_| path.clone()).to_string_lossy().into_owned()
    };
    let client_secret = secret.client_secret_file.as_deref().map(first_line).transpose()?;
    let command = secret.password_command.clone().map(Source::Command);
    let source = command
        .or_else(|| secret.password_file.as_ref().map(|file| Source::File(absolute(file), None)))
        .or_else(|| secret.password_env.clone().map(Source::Env))
        .or_else(|| secret.password_keyring.clone().map(|service| Source::Keyring(service, None)))
        .or_else(|| secret.client_id.clone().map(|id| Source::Client(id, client_secret)))
        .or_else(|| secret.token_command.clone().map(Source::TokenCommand));
    let age = |age: std::time::Duration| format!("{}s", age.as_secs());
    let keep = match (profile.keep.keep, profile.keep.delete, profile.keep.delete_after) {
        (_, true, _) => Some(KeepWord::Delete),
        (_, false, Some(after)) => Some(KeepWord::DeleteAfter(age(after))),
        (true, false, None) => Some(KeepWord::Keep),
        (false, false, None) => None,
    };
    Ok(Given {
        email: email.clone(),
        name: profile.name.clone(),
        provider: server.provider.clone(),
        protocol: server.protocol.map(|protocol| match protocol {
            Protocol::Imap => account::Protocol::Imap,
            Protocol::Pop3 => account::Protocol::Pop3,
        }),
        host: server.host.clone(),
        port: server.port,
        tls: server.tls.map(|tls| match tls {
            Tls::Implicit => account::TlsMode::Implicit,
            Tls::Starttls => account::TlsMode::StartTls,
            Tls::None => account::TlsMode::None,
        }),
        user: secret.user.clone(),
        auth: secret.auth.clone(),
        source,
        sign_in: secret.sign_in.map(|when| match when {
            args::SignIn::Browser => SignIn::Browser,
            args::SignIn::Device => SignIn::Device,
            args::SignIn::Later => SignIn::Later,
        }),
        ca_file: server.ca_file.as_ref().map(absolute),
        tls_fingerprint: server.tls_fingerprint.map(|pin| {
            let hex: String = pin.0.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha256:{hex}")
        }),
        maildir: profile.maildir.as_ref().map(|text| {
            // What the shell left as it is expands in the profile; a relative path means this folder, not the profile's.
            if text.starts_with(['~', '$', '{']) { text.clone() } else { absolute(&std::path::PathBuf::from(text)) }
        }),
        layout: profile.layout.map(|layout| match layout {
            Layout::Nested => account::LayoutKind::Nested,
            Layout::MaildirPlusPlus => account::LayoutKind::MaildirPlusPlus,
        }),
        mode: profile.mode.map(|mode| match mode {
            Mode::Sync => account::Mode::Sync,
            Mode::Mirror => account::Mode::Mirror,
            Mode::Archive => account::Mode::Archive,
        }),
        keep,
    })
}

/// The first line of a file with a secret.
fn first_line(path: &Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    Ok(SecretString::from(text.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn given_by(line: &str) -> Given {
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Some(Command::Setup(args)) => given(&args).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_option_arrives() {
        let all = given_by(
            "mailferry setup me@h --name n --provider p --protocol pop3 --host h --port 1 --tls starttls --user u --auth plain \
             --password-env E --maildir ~/m --layout maildir++ --delete-after 2d --tls-fingerprint sha256:0000000000000000000000000000000000000000000000000000000000000000 --ca-file /c",
        );
        assert_eq!(all.protocol, Some(account::Protocol::Pop3));
        assert_eq!((all.port, all.tls), (Some(1), Some(account::TlsMode::StartTls)));
        assert_eq!(all.keep, Some(KeepWord::DeleteAfter("172800s".to_owned())));
        assert_eq!(all.layout, Some(account::LayoutKind::MaildirPlusPlus));
        assert!(matches!(all.source, Some(Source::Env(name)) if name == "E"));
        assert_eq!((all.maildir.as_deref(), all.ca_file.as_deref()), (Some("~/m"), Some("/c")));
        assert!(all.tls_fingerprint.is_some_and(|pin| pin.len() == 71));
        assert_eq!(given_by("mailferry setup --mode archive --tls none").mode, Some(account::Mode::Archive));
        assert_eq!(given_by("mailferry setup --delete").keep, Some(KeepWord::Delete));
        assert!(given_by("mailferry setup --maildir m").maildir.is_some_and(|m| m.starts_with('/')));
    }
}
