//! From options to what they change in an account.

use std::path::{Path, PathBuf};

use super::args::{AdHoc, Direction, FetchArgs, KeepArgs, RunArgs, SyncArgs};
use crate::account;
use crate::config::Overrides;
use crate::config::paths::Env;

/// The options that every command with accounts has. Paths become absolute; `~/` expands where the shell left it.
#[must_use]
pub fn ad_hoc(args: &AdHoc, env: Env) -> Overrides {
    Overrides {
        into: args.into.as_deref().map(|path| absolute(path, env)),
        password_command: args.password_command.clone(),
        ca_file: args.ca_file.as_deref().map(|path| absolute(path, env)),
        tls_fingerprint: args.tls_fingerprint.map(|pin| pin.0),
        ..Overrides::default()
    }
}

/// Those of `run`.
#[must_use]
pub fn run(args: &RunArgs, env: Env) -> Overrides {
    Overrides { folders: args.work.folders.clone(), ..ad_hoc(&args.select.ad_hoc, env) }
}

/// Those of `sync`.
#[must_use]
pub fn sync(args: &SyncArgs, env: Env) -> Overrides {
    Overrides {
        direction: args.direction.map(|direction| match direction {
            Direction::Both => account::Direction::Both,
            Direction::Pull => account::Direction::Pull,
            Direction::Push => account::Direction::Push,
        }),
        max_size: args.limits.max_size,
        folders: args.work.folders.clone(),
        ..ad_hoc(&args.select.ad_hoc, env)
    }
}

/// Those of `fetch`.
#[must_use]
pub fn fetch(args: &FetchArgs, env: Env) -> Overrides {
    Overrides {
        max_size: args.limits.max_size,
        keep: keep(&args.keep),
        folders: args.work.folders.clone(),
        ..ad_hoc(&args.select.ad_hoc, env)
    }
}

fn keep(args: &KeepArgs) -> Option<account::Keep> {
    match (args.keep, args.delete, args.delete_after) {
        (_, true, _) => Some(account::Keep::Delete),
        (_, false, Some(age)) => Some(account::Keep::DeleteAfter(age)),
        (true, false, None) => Some(account::Keep::Keep),
        (false, false, None) => None,
    }
}

fn absolute(path: &Path, env: Env) -> PathBuf {
    let home = |rest: &Path| env("HOME").filter(|home| !home.is_empty()).map(|home| Path::new(&home).join(rest));
    let expanded = path.strip_prefix("~").ok().and_then(home);
    let path = expanded.unwrap_or_else(|| path.to_owned());
    // Fails only where there is no current folder; then the path is as good as it is.
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;
    use std::time::Duration;

    fn of(line: &str) -> Overrides {
        let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        match Cli::try_parse_from(line.split(' ')).unwrap().command {
            Some(Command::Run(args)) => run(&args, &env),
            Some(Command::Sync(args)) => sync(&args, &env),
            Some(Command::Fetch(args)) => fetch(&args, &env),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_overrides() {
        let it = of("mailferry sync --direction push --max-size 2K --folder a --folder b --into ~/m --ca-file x");
        assert_eq!((it.direction, it.max_size), (Some(account::Direction::Push), Some(2048)));
        assert_eq!((it.folders.len(), it.into), (2, Some(PathBuf::from("/home/me/m"))));
        assert!(it.ca_file.is_some_and(|p| p.is_absolute()));
        let day = Duration::from_secs(86_400);
        assert_eq!(of("mailferry fetch --delete-after 1d").keep, Some(account::Keep::DeleteAfter(day)));
        assert_eq!(of("mailferry fetch --delete").keep, Some(account::Keep::Delete));
        assert_eq!(of("mailferry fetch --keep").keep, Some(account::Keep::Keep));
        assert_eq!(of("mailferry fetch").keep, None);
        assert_eq!(of("mailferry run --folder a --password-command c").password_command.as_deref(), Some("c"));
    }
}
