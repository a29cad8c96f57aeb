//! Holds README and manual to the program: profiles load, command lines parse, options, keys and exit statuses exist.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{CommandFactory, Parser};

use super::{Cli, pages};
use crate::config::{self, check::World, keys};

const README: &str = include_str!("../../../README.md");
const MANIFEST: &str = include_str!("../../../Cargo.toml");

/// The fenced blocks of README with their language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let parts: Vec<&str> = README.split("```").collect();
    parts.iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect()
}

/// Words as a shell makes them, up to a comment or the end of the command.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '|' | '>' | ';' | ')' | '&') => break,
            (None, c) if c.is_whitespace() => out.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    out.extend(word);
    out
}

/// The command lines of mailferry in `text`: from `mailferry` at the start of a command to its end.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let starts =
        |line: &str| ["mailferry ", "*/5 * * * *", "(crontab", "ExecStart="].iter().any(|s| line.starts_with(s));
    let lines = joined.lines().map(str::trim).filter(|line| starts(line));
    lines
        .filter_map(|line| {
            let at = line.find("mailferry ")?;
            Some(words(&line[at..].replace(['"', ')'], if line.starts_with('(') { " " } else { "\"" })))
        })
        .map(|words| words.into_iter().take_while(|word| word != "crontab").collect())
        .collect()
}

/// What stands in single backticks, outside the blocks.
fn quoted() -> Vec<&'static str> {
    let prose = README.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

fn parses(line: &[String]) {
    if let Err(error) = Cli::try_parse_from(line) {
        assert!(!error.use_stderr(), "{line:?}: {error}");
    }
}

fn options() -> BTreeSet<String> {
    let mut program = Cli::command();
    program.build();
    let all = program.get_subcommands().chain([&program]);
    all.flat_map(|command| command.get_arguments().filter_map(|a| a.get_long()).map(str::to_owned)).collect()
}

#[test]
fn every_profile_of_the_readme_loads() {
    let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let world = World { env: &env, base: Path::new("/"), private: true };
    let profiles: Vec<&str> =
        blocks().into_iter().filter(|(language, _)| *language == "toml").map(|(_, b)| b).collect();
    assert!(profiles.len() >= 5);
    for text in &profiles {
        config::parse(text, Path::new("README.md"), &world).unwrap_or_else(|wrong| panic!("{text}\n{wrong:?}"));
    }
    config::parse(&profiles.join("\n"), Path::new("README.md"), &world).expect("all of them in one file");
}

#[test]
fn every_command_line_of_the_readme_parses() {
    let shell: Vec<Vec<String>> = blocks().iter().flat_map(|(_, text)| commands(text)).collect();
    assert!(shell.len() >= 9, "{shell:?}");
    shell.iter().for_each(|line| parses(line));
    let inline: Vec<_> = quoted().into_iter().filter(|text| text.starts_with("mailferry ")).map(words).collect();
    assert!(inline.len() >= 6, "{inline:?}");
    inline.iter().for_each(|line| parses(line));
}

#[test]
fn every_command_line_of_the_manual_parses() {
    let mut found = 0;
    for page in pages().unwrap().iter().filter(|page| page.path.starts_with("man/")) {
        let text = String::from_utf8(page.text.clone()).unwrap();
        let plain = text.replace("\\-", "-").replace("\\(ti", "~").replace("\\(aq", "'").replace("\\*(Aq", "'");
        let plain = plain.replace("\\e", "\\").replace("/usr/bin/mailferry", "mailferry");
        for code in plain.split(".nf\n").skip(1).filter_map(|rest| rest.split(".fi").next()) {
            let lines = commands(code);
            found += lines.len();
            lines.iter().for_each(|line| parses(line));
        }
    }
    assert!(found >= 40, "{found}");
}

#[test]
fn a_wrong_command_line_would_be_seen() {
    let line = commands("mailferry sync --no-such-thing # x\n").remove(0);
    assert_eq!(line, ["mailferry", "sync", "--no-such-thing"]);
    assert!(Cli::try_parse_from(line).is_err());
    assert_eq!(commands("*/5 * * * * /home/me/.cargo/bin/mailferry run\n"), [["mailferry", "run"]]);
    assert_eq!(words("a 'b c' # d"), ["a", "b c"]);
}

#[test]
fn every_option_of_the_readme_exists() {
    let known = options();
    let foreign = ["cargo ", "systemctl ", "loginctl ", "MAILFERRY_", "dpkg", "apt ", "tests/"];
    for line in README.lines().filter(|line| !foreign.iter().any(|word| line.contains(word))) {
        for rest in line.split("--").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            let name = name.trim_end_matches('-');
            assert!(name.is_empty() || known.contains(name), "--{name} in: {line}");
        }
    }
}

#[test]
fn every_key_and_command_of_the_readme_exists() {
    let keys: Vec<&str> = keys::KEYS.iter().chain(keys::OAUTH2).map(|key| key.name).collect();
    let program = Cli::command();
    let commands: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    for text in quoted() {
        let is_name = text.contains('_') && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(!is_name || keys.contains(&text), "`{text}` is no key");
    }
    let table = README.split("| command |").nth(1).unwrap().split("\n\n").next().unwrap();
    let told: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let all: BTreeSet<&str> = commands.into_iter().collect();
    assert_eq!(told, all);
}

#[test]
fn the_exit_statuses_are_those_of_the_manual() {
    let manual = String::from_utf8(super::man(None).unwrap().unwrap()).unwrap();
    let table = README.split("| exit |").nth(1).unwrap().split("\n\n").next().unwrap();
    let told: Vec<&str> = table.lines().skip(2).filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
    assert_eq!(told.len(), 10);
    for status in told {
        assert!(manual.contains(&format!("\\fB{status}\\fR")), "{status}");
    }
}

#[test]
fn the_debian_package_names_every_page_and_completion() {
    for page in pages().unwrap().iter().filter(|page| page.path.starts_with("completions/")) {
        let packed = !page.path.ends_with("_mailferry.ps1") && !page.path.ends_with(".elv");
        assert_eq!(MANIFEST.contains(&page.path), packed, "{}", page.path);
    }
    for glob in ["\"man/*.1\"", "\"man/*.5\"", "\"systemd/*\"", "\"README.md\"", "\"target/release/mailferry\""] {
        assert!(MANIFEST.contains(glob), "{glob}");
    }
}
