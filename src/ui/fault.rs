//! What is told when the program itself is wrong: where, and nothing that was in its hands.

use std::io::Write;
use std::panic::{PanicHookInfo, set_hook};

/// Makes a panic tell its place in the source and nothing else: its message may quote mail, names or secrets.
pub fn report_panics_briefly() {
    set_hook(Box::new(|info| {
        // Nothing can be told where stderr does not work.
        let _ = std::io::stderr().write_all(text(info).as_bytes());
    }));
}

fn text(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
    format!(
        "error: mailferry {} has a fault{place}\n  what to do: report it with this line; the next run goes on where this one stopped\n",
        env!("CARGO_PKG_VERSION")
    )
}
