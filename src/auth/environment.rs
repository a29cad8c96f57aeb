//! Which environment variables hold secrets, so that no child process gets them.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Names of variables with secrets, of all accounts of the profile: a child of one account must not see another's.
static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers that the variable `name` holds a secret (`password_env`). To be called for every account of the profile
/// before the first child is started.
pub fn protect(name: &str) {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
}

/// Removes every protected variable from the environment of `command`. Every child that mailferry starts goes through
/// this: commands for secrets, tunnels, hooks.
pub fn child_environment(command: &mut Command) {
    for name in SECRETS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        command.env_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protected_variables_are_removed() {
        protect("MAILFERRY_TEST_SECRET");
        let mut command = Command::new("env");
        child_environment(&mut command);
        let removed: Vec<_> = command.get_envs().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        assert!(removed.contains(&std::ffi::OsStr::new("MAILFERRY_TEST_SECRET")));
    }
}
