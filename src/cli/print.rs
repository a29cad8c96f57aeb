//! `completions` and `man`: what is generated from the command line's own definition.

use super::args::{CompletionsArgs, ManArgs};
use super::context::Context;
use super::docs;
use super::exit::Exit;
use crate::severity::Kind;

/// `mailferry completions SHELL`.
pub fn completions(context: &Context, args: &CompletionsArgs) -> Exit {
    context.ui.data(&docs::completions(args.shell));
    Exit::Ok
}

/// `mailferry man [COMMAND]`.
pub fn man(context: &Context, args: &ManArgs) -> Exit {
    match docs::man(args.command.as_deref()) {
        Ok(Some(page)) => {
            context.ui.data(&page);
            Exit::Ok
        }
        Ok(None) => {
            let name = args.command.as_deref().unwrap_or_default();
            let hint = "name a command, or mailferry.toml for the config file";
            context.ui.error(Kind::Usage, None, &format!("there is no manual page of {name:?}"), Some(hint));
            Exit::Failed(Kind::Usage)
        }
        Err(error) => {
            context.ui.error(Kind::Disk, None, &format!("the manual page cannot be made: {error}"), None);
            Exit::Failed(Kind::Disk)
        }
    }
}
