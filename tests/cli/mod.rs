//! The commands as a person or a script meets them: exits, output, what is refused, what is shown.

mod import;
mod keyring;
mod looks;
mod oauth;
mod runs;
mod usage;
