//! The manual pages, the completions and systemd's units, made from the command line's definition and the table of keys.

use std::io;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use crate::setup::schedule;

mod manual;
mod profile;
#[cfg(test)]
mod promises;
mod recipes;
mod roff;

pub use profile::EXAMPLE;

/// The shells that completions are made for.
pub const SHELLS: [Shell; 5] = [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell];

/// Where a package puts the program.
const INSTALLED: &str = "/usr/bin/mailferry";

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its path under the root of the source.
    pub path: String,
    /// Its bytes.
    pub text: Vec<u8>,
}

/// The manual page of a command, of `mailferry.toml`, or without a name of the program. `None` if there is none.
///
/// # Errors
/// Only what writing to memory could give.
pub fn man(name: Option<&str>) -> io::Result<Option<Vec<u8>>> {
    let program = program();
    match name {
        None | Some("mailferry") => program_page(&program).map(Some),
        Some("mailferry.toml" | "config") => Ok(Some(profile::page())),
        Some(name) => {
            let name = name.strip_prefix("mailferry-").unwrap_or(name);
            program.get_subcommands().find(|c| c.get_name() == name).map(command_page).transpose()
        }
    }
}

/// A shell's completion script.
#[must_use]
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mailferry", &mut out);
    out
}

/// Every page, script and unit, as they stand in `man/`, `completions/` and `systemd/`.
///
/// # Errors
/// Only what writing to memory could give.
pub fn pages() -> io::Result<Vec<Page>> {
    let program = program();
    let mut pages = vec![
        Page { path: "man/mailferry.1".to_owned(), text: program_page(&program)? },
        Page { path: "man/mailferry.toml.5".to_owned(), text: profile::page() },
    ];
    for command in program.get_subcommands() {
        pages.push(Page { path: format!("man/mailferry-{}.1", command.get_name()), text: command_page(command)? });
    }
    let units = [
        ("mailferry.service", schedule::systemd_service(INSTALLED, None)),
        ("mailferry.timer", schedule::systemd_timer()),
        ("mailferry-watch.service", schedule::systemd_watch(INSTALLED, None)),
    ];
    for (name, text) in units {
        pages.push(Page { path: format!("systemd/{name}"), text: text.into_bytes() });
    }
    for shell in SHELLS {
        let path = format!("completions/{}", clap_complete::Generator::file_name(&shell, "mailferry"));
        pages.push(Page { path, text: completions(shell) });
    }
    Ok(pages)
}

/// The command line with everything filled in that clap derives.
fn program() -> Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

fn program_page(program: &Command) -> io::Result<Vec<u8>> {
    let mut out = head("mailferry", program);
    // What help says at its end stands in the examples.
    out.push_str(&described(&program.clone().after_help(""))?);
    out.push_str(&manual::commands(program));
    out.push_str(&manual::program());
    Ok(out.into_bytes())
}

fn command_page(command: &Command) -> io::Result<Vec<u8>> {
    let name = format!("mailferry-{}", command.get_name());
    let mut out = head(&name, command);
    out.push_str(&described(command)?);
    out.push_str(&manual::command(command.get_name()));
    Ok(out.into_bytes())
}

/// Title, name and synopsis.
fn head(name: &str, command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    manual::head(name, &about, usage.trim_start_matches("Usage:").trim())
}

/// Description and options, without the preamble that each part brings.
fn described(command: &Command) -> io::Result<String> {
    let page = clap_mangen::Man::new(command.clone());
    let mut out = Vec::new();
    page.render_description_section(&mut out)?;
    page.render_options_section(&mut out)?;
    let text = String::from_utf8_lossy(&out);
    let lines = text.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
    Ok(lines.map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Compares the committed files with what is generated now; with MAILFERRY_REGENERATE=1 writes them instead.
    #[test]
    fn committed_pages_are_the_generated_ones() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rewrite = std::env::var_os("MAILFERRY_REGENERATE").is_some();
        let pages = pages().unwrap();
        let mut stale = Vec::new();
        for page in &pages {
            let path = root.join(&page.path);
            if rewrite {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, &page.text).unwrap();
            } else if std::fs::read(&path).ok().as_ref() != Some(&page.text) {
                stale.push(page.path.clone());
            }
        }
        for folder in ["man", "completions"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
                if !pages.iter().any(|page| page.path == path) {
                    stale.push(path);
                }
            }
        }
        assert!(stale.is_empty(), "run the test again with MAILFERRY_REGENERATE=1: {stale:?}");
    }

    #[test]
    fn every_command_has_its_page() {
        for command in program().get_subcommands() {
            let text = String::from_utf8(man(Some(command.get_name())).unwrap().unwrap()).unwrap();
            for section in [".SH NAME", ".SH SYNOPSIS", ".SH \"EXIT STATUS\"", ".SH EXAMPLES", ".SH \"SEE ALSO\""] {
                assert!(text.contains(section), "{}: {section}", command.get_name());
            }
        }
        assert!(man(Some("mailferry-sync")).unwrap().is_some() && man(Some("nope")).unwrap().is_none());
        assert_eq!(man(None).unwrap(), man(Some("mailferry")).unwrap());
    }

    #[test]
    fn the_program_page_says_what_is_promised() {
        let text = String::from_utf8(man(None).unwrap().unwrap()).unwrap();
        for word in [
            "EXIT STATUS",
            "FILES",
            "ENVIRONMENT",
            "EXAMPLES",
            "LIMITATIONS",
            "notmuch",
            "Dovecot",
            "OnUnitInactiveSec",
        ] {
            assert!(text.contains(word), "{word}");
        }
        for exit in ["0", "1", "2", "65", "69", "74", "75", "77", "78", "130"] {
            assert!(text.contains(&format!("\\fB{exit}\\fR")), "{exit}");
        }
    }
}
