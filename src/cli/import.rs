//! `import`: another program's accounts as mailferry's, and with `--state` what it has fetched or paired.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::args::{ImportArgs, Tool as ToolArg};
use super::context::{Context, env};
use super::exit::{Exit, account_exit};
use super::import_state;
use crate::config::Complaint;
use crate::imap;
use crate::import::{Imported, Place, Tool, Warning, render};
use crate::severity::Kind;
use crate::ui::event::{Body, Event, Sink};
use crate::ui::table::Record;

/// Larger files are no configurations.
const LARGEST: u64 = 4 << 20;

/// `mailferry import TOOL [FILE]`.
pub fn run(context: &Context, args: &ImportArgs) -> Exit {
    let tool = tool(args.tool);
    let file = match find(tool, args.file.as_deref()) {
        Ok(file) => file,
        Err(complaint) => return context.complain(&[complaint]),
    };
    let text = match read(&file) {
        Ok(text) => text,
        Err(error) => {
            let complaint = Complaint::config(format!("{} cannot be read: {error}", file.display()));
            return context.complain(&[complaint]);
        }
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let imported = tool.read(&text, &name).decode_names(&|name| imap::name::from_utf7(name.as_bytes()));
    for warning in &imported.warnings {
        warn(context, None, &place(&file, warning));
    }
    print(context, &imported, args.with_passwords);
    if !args.state {
        return Exit::Ok;
    }
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    account_exit(&import_state::take_over(context, &imported, &directory, args.dry_run))
}

fn print(context: &Context, imported: &Imported, with_passwords: bool) {
    let text = render(imported, with_passwords);
    if context.global.json {
        context.ui.record(&Record::new("import").with("toml", text.as_str().into()), "");
    } else {
        context.ui.data(text.as_bytes());
    }
}

fn place(file: &Path, warning: &Warning) -> String {
    match warning.line {
        Some(line) => format!("{}:{line}: {}", file.display(), warning.text),
        None => format!("{}: {}", file.display(), warning.text),
    }
}

/// Tells a warning: the import goes on and exits 0.
pub fn warn(context: &Context, account: Option<&str>, message: &str) {
    let body = Body::Warning { message: message.to_owned(), hint: None };
    context.ui.event(Event { body, account: account.map(str::to_owned), folder: None });
}

fn tool(tool: ToolArg) -> Tool {
    match tool {
        ToolArg::Mbsync => Tool::Mbsync,
        ToolArg::OfflineImap => Tool::OfflineImap,
        ToolArg::Getmail => Tool::Getmail,
        ToolArg::Fetchmail => Tool::Fetchmail,
        ToolArg::Mpop => Tool::Mpop,
    }
}

/// The given file, else the first that is where the tool itself looks.
fn find(tool: Tool, given: Option<&Path>) -> Result<PathBuf, Complaint> {
    if let Some(file) = given {
        return Ok(file.to_owned());
    }
    let home = env("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let config = env("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let config = config.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let places: Vec<PathBuf> = tool
        .files()
        .iter()
        .filter_map(|place| match place {
            Place::Home(below) => home.as_ref().map(|home| home.join(below)),
            Place::Config(below) => config.as_ref().map(|config| config.join(below)),
        })
        .collect();
    places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
        let list: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        Complaint { kind: Kind::Config, ..Complaint::config(format!("there is no {}", list.join(" and no "))) }
            .hint(format!("name the file: mailferry import {tool} FILE"))
    })
}

/// The text; bytes that are no UTF-8 are shown as such and hurt only where they stand.
fn read(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > LARGEST) {
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
