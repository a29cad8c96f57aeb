//! Attacks: hostile servers, hostile names and files against the built program. Each test is named after its attack; what it proves
//! first is that nothing is lost, nothing is written outside the Maildir, and the program ends in time with SPEC's exit code.

mod bombs;
mod bounds;
mod certificates;
mod greetings;
mod ground;
mod lies;
mod login;
mod meanwhile;
mod mutations;
mod names;
mod personas;
mod pop3;
mod secrets;
pub mod stand;
mod starttls;
