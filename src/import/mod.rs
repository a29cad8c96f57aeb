//! Moving in from other tools: their configurations and what they already fetched or paired, as plain data (PURE).

pub mod fetchmail;
pub mod folders;
pub mod getmail;
pub mod ini;
pub mod mbsync;
pub mod model;
pub mod mpop;
pub mod offlineimap;
pub mod origin;
pub mod python;
pub mod python_filter;
pub mod python_names;
pub mod regex_names;
pub mod render;
pub mod state;
pub mod terms;
pub mod tool;

pub use model::{Imported, ImportedAccount, Password, Value, Warning};
pub use render::render;
pub use tool::{Place, Tool};

#[cfg(test)]
mod tests;
