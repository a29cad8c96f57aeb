//! What the command line takes and what it refuses.

use super::*;
use clap::CommandFactory;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

fn exit(line: &str) -> i32 {
    parse(line).err().map_or(0, |error| error.exit_code())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
    assert!(short_help().contains("mailferry setup"));
}

#[test]
fn global_options_stand_anywhere() {
    for line in ["mailferry -q --json run a", "mailferry run a -q --json", "mailferry run -q a --json"] {
        let cli = parse(line).unwrap();
        assert!(cli.global.quiet && cli.global.json, "{line}");
    }
    assert_eq!(parse("mailferry -v run -v").unwrap().global.verbose, 1);
    assert_eq!(parse("mailferry run -vv").unwrap().global.verbose, 2);
    assert!(parse("mailferry").unwrap().command.is_none());
    assert_eq!(parse("mailferry --color never status").unwrap().global.color, Color::Never);
}

#[test]
fn each_command_takes_what_is_promised() {
    for line in [
        "mailferry run a b -n --folder INBOX --folder Work --full --wait",
        "mailferry sync a --direction pull --allow-mass-delete --limit 5 --max-size 25M -n --full --wait",
        "mailferry fetch pop3s://me@h --into /m --delete-after 30d --all --limit 1 --password-command cmd",
        "mailferry fetch a --keep --ca-file f",
        "mailferry watch a --into /m",
        "mailferry check a",
        "mailferry status",
        "mailferry folders a",
        "mailferry verify a --deep",
        "mailferry restore a --to b -n --folder x",
        "mailferry setup me@h --name a --provider p --protocol imap --host h --port 1 --tls none --user u --auth plain --password-command c --maildir m --mode sync --keep --yes",
        "mailferry setup me@h --protocol pop3 --delete",
        "mailferry auth a --device",
        "mailferry import mbsync f --state --with-passwords -n",
        "mailferry import offlineimap",
        "mailferry completions bash",
        "mailferry man sync",
    ] {
        assert_eq!(exit(line), 0, "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn wrong_usage_is_2() {
    for line in [
        "mailferry frobnicate",
        "mailferry run --allow-mass-delete",
        "mailferry run --limit 1",
        "mailferry run --direction pull",
        "mailferry sync --delete",
        "mailferry sync --all",
        "mailferry fetch --direction pull",
        "mailferry fetch --allow-mass-delete",
        "mailferry fetch --keep --delete",
        "mailferry fetch --delete --delete-after 1d",
        "mailferry fetch --delete-after 30",
        "mailferry fetch --limit 0",
        "mailferry fetch --limit -1",
        "mailferry fetch --max-size 0",
        "mailferry check -n",
        "mailferry verify --folder x",
        "mailferry folders",
        "mailferry folders a b",
        "mailferry restore",
        "mailferry sync --direction sideways",
        "mailferry check --tls-fingerprint sha1:00",
        "mailferry setup --port 0",
        "mailferry setup --password-command a --password-file b",
        "mailferry import pine",
        "mailferry completions tcsh",
    ] {
        assert_eq!(exit(line), 2, "{line}");
    }
}
