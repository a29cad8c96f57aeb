//! mbsync's `Sync`, `Create`, `Remove` and `Expunge` as mailferry's keys, never deleting more than they did.

use super::syntax::{Section, Setting};
use crate::import::model::ImportedAccount;

/// What one direction carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried(u8);

impl Carried {
    const NEW: Self = Self(1);
    const OLD: Self = Self(2);
    const UPGRADE: Self = Self(4);
    const GONE: Self = Self(8);
    const FLAGS: Self = Self(16);
    const NONE: Self = Self(0);
    /// Everything but `Old`, which only catches up on what earlier runs left out.
    const FULL: Self = Self(1 | 4 | 8 | 16);

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Which sides an option such as `Create` is set for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The server (`Far`, once `Master`).
    pub far: bool,
    /// The Maildir (`Near`, once `Slave`).
    pub near: bool,
}

/// What a channel carries and removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// From the server to the Maildir.
    pub pull: Carried,
    /// From the Maildir to the server.
    pub push: Carried,
    /// `Create`.
    pub create: Sides,
    /// `Remove`.
    pub remove: Sides,
    /// `Expunge`.
    pub expunge: Sides,
}

impl Policy {
    /// Of a channel, with the global options behind it. `swapped`: the server is `Near`.
    #[must_use]
    pub fn of(channel: &Section, global: &Section, swapped: bool) -> Self {
        let get = |keys: &[&str]| channel.get(keys).or_else(|| global.get(keys));
        let (pull, push) = get(&["sync"]).map_or((Carried::FULL, Carried::FULL), cells);
        let policy = Self {
            pull,
            push,
            create: get(&["create"]).map_or_else(Sides::default, sides),
            remove: get(&["remove"]).map_or_else(Sides::default, sides),
            expunge: get(&["expunge"]).map_or_else(Sides::default, sides),
        };
        if swapped { policy.swapped() } else { policy }
    }

    fn swapped(self) -> Self {
        let swap = |sides: Sides| Sides { far: sides.near, near: sides.far };
        Self {
            pull: self.push,
            push: self.pull,
            create: swap(self.create),
            remove: swap(self.remove),
            expunge: swap(self.expunge),
        }
    }

    /// What deletes least of two channels that become one account, and creates most.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let both = |a: Sides, b: Sides| Sides { far: a.far && b.far, near: a.near && b.near };
        Self {
            pull: self.pull.and(other.pull),
            push: self.push.and(other.push),
            create: Sides { far: self.create.far || other.create.far, near: self.create.near || other.create.near },
            remove: both(self.remove, other.remove),
            expunge: both(self.expunge, other.expunge),
        }
    }

    /// Sets the keys of `account`. The Trash of a store is set by the caller.
    pub fn apply(self, account: &mut ImportedAccount, line: usize) {
        self.set_direction(account, line);
        self.set_deletions(account, line);
        if self.create.far != self.create.near {
            account.warn(line, "Create for one side only: mailferry carries new folders both ways");
        }
        if !self.create.far && !self.create.near {
            account.set("create_folders", false);
        }
        if self.remove.far && self.remove.near {
            account.set("delete_folders", true);
        } else if self.remove != Sides::default() {
            account.warn(line, "Remove for one side only is not taken over: removed folders are left alone");
        }
    }

    fn set_direction(self, account: &mut ImportedAccount, line: usize) {
        let (pulls, pushes) = (self.pull != Carried::NONE, self.push != Carried::NONE);
        // A direction that does not carry new messages must not begin to: it is taken as the other one alone.
        match (pulls && self.pull.has(Carried::NEW), pushes && self.push.has(Carried::NEW)) {
            (true, true) => {}
            (true, false) => {
                account.set("direction", "pull");
                if pushes {
                    account.warn(line, "Sync does not push new messages: direction is \"pull\", so flags and deletions do not go up either");
                }
            }
            (false, true) => {
                account.set("direction", "push");
                if pulls {
                    account.warn(line, "Sync does not pull new messages: direction is \"push\", so flags and deletions do not come down either");
                }
            }
            (false, false) => {
                account.set("direction", "pull");
                account.set("on_remote_delete", "keep");
                account.warn(line, "Sync carries no new messages: there is no counterpart, the account only pulls");
            }
        }
        for (carried, way) in [(self.pull, "pull"), (self.push, "push")] {
            if carried.has(Carried::NEW) && !carried.has(Carried::FLAGS) {
                account.warn(line, format!("Sync does not {way} flags: mailferry always carries them"));
            }
        }
    }

    fn set_deletions(self, account: &mut ImportedAccount, line: usize) {
        let on_delete = match (self.push.has(Carried::GONE), self.expunge.far) {
            (false, _) => "ignore",
            (true, false) => "flag",
            (true, true) => "expunge",
        };
        account.set("on_delete", on_delete);
        if !(self.pull.has(Carried::GONE) && self.expunge.near) {
            account.set("on_remote_delete", "keep");
        }
        if self.pull.has(Carried::GONE) && !self.expunge.near {
            account.warn(line, "without Expunge Near a message gone from the server was only marked; here it is kept (on_remote_delete)");
        }
        match (self.expunge.far, self.expunge.near) {
            (true, true) => account.set("expunge", true),
            (false, false) => {}
            _ => account.warn(
                line,
                "Expunge for one side only: expunge stays false, so messages marked as deleted stay on both sides",
            ),
        }
    }
}

/// `None`, `Far`, `Near`, `Both`, and their older words.
fn sides(setting: &Setting) -> Sides {
    let has = |words: &[&str]| setting.args.iter().any(|arg| words.iter().any(|word| arg.eq_ignore_ascii_case(word)));
    let both = has(&["both"]);
    Sides { far: both || has(&["far", "master", "remote"]), near: both || has(&["near", "slave", "local"]) }
}

/// The cells of `Sync`, pull and push: plain words choose rows and columns, compound words single cells.
fn cells(setting: &Setting) -> (Carried, Carried) {
    let (mut rows, mut pull, mut push) = (Carried::NONE, false, false);
    let (mut pulled, mut pushed, mut compound, mut nothing) = (Carried::NONE, Carried::NONE, false, false);
    for arg in &setting.args {
        let word = arg.to_ascii_lowercase();
        match word.as_str() {
            "none" => nothing = true,
            "pull" => pull = true,
            "push" => push = true,
            _ => {
                if let Some(row) = word.strip_prefix("pull").and_then(row) {
                    pulled = pulled.with(row);
                    compound = true;
                } else if let Some(row) = word.strip_prefix("push").and_then(row) {
                    pushed = pushed.with(row);
                    compound = true;
                } else if let Some(row) = row(&word) {
                    rows = rows.with(row);
                }
            }
        }
    }
    if nothing {
        return (Carried::NONE, Carried::NONE);
    }
    if rows == Carried::NONE && !pull && !push && compound {
        return (pulled, pushed);
    }
    let rows = if rows == Carried::NONE { Carried::FULL } else { rows };
    let (pull, push) = if pull || push { (pull, push) } else { (!compound, !compound) };
    let plain = |chosen: bool| if chosen { rows } else { Carried::NONE };
    (pulled.with(plain(pull)), pushed.with(plain(push)))
}

fn row(word: &str) -> Option<Carried> {
    match word {
        "new" => Some(Carried::NEW),
        "old" => Some(Carried::OLD),
        "upgrade" | "renew" => Some(Carried::UPGRADE),
        "gone" | "delete" => Some(Carried::GONE),
        "flags" => Some(Carried::FLAGS),
        "full" | "all" => Some(Carried::FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::mbsync::syntax;

    fn account(text: &str) -> ImportedAccount {
        let (sections, _) = syntax::parse(&format!("\nChannel c\n{text}\n"));
        let mut account = ImportedAccount::new("a");
        Policy::of(&sections[1], &sections[0], false).apply(&mut account, 1);
        account
    }

    #[track_caller]
    fn expect(text: &str, expected: &[(&str, &str)]) {
        let account = account(text);
        for key in ["direction", "on_delete", "on_remote_delete"] {
            let wanted = expected.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
            assert_eq!(account.text(key), wanted, "{key} of {text:?}");
        }
    }

    #[test]
    fn deletions_are_never_stronger_than_they_were() {
        expect("", &[("on_delete", "flag"), ("on_remote_delete", "keep")]);
        expect("Expunge Both", &[("on_delete", "expunge")]);
        expect("Expunge Near", &[("on_delete", "flag")]);
        expect("Expunge Slave", &[("on_delete", "flag")]);
        expect("Expunge Far", &[("on_delete", "expunge"), ("on_remote_delete", "keep")]);
        expect("Expunge Both\nSync New ReNew Flags", &[("on_delete", "ignore"), ("on_remote_delete", "keep")]);
    }

    #[test]
    fn directions() {
        expect("Expunge Both\nSync Pull", &[("direction", "pull"), ("on_delete", "ignore")]);
        expect(
            "Expunge Both\nSync Push",
            &[("direction", "push"), ("on_delete", "expunge"), ("on_remote_delete", "keep")],
        );
        expect("Expunge Both\nSync PullNew Push", &[("on_delete", "expunge"), ("on_remote_delete", "keep")]);
        expect("Expunge Both\nSync Pull PushFlags", &[("direction", "pull"), ("on_delete", "ignore")]);
        expect("Expunge Both\nSync All", &[("on_delete", "expunge")]);
        expect(
            "Expunge Both\nSync None",
            &[("direction", "pull"), ("on_delete", "ignore"), ("on_remote_delete", "keep")],
        );
    }

    #[test]
    fn folders() {
        use crate::import::model::Value;
        assert_eq!(account("").get("create_folders"), Some(&Value::Bool(false)));
        assert_eq!(account("Create Both").get("create_folders"), None);
        assert_eq!(account("Remove Both").get("delete_folders"), Some(&Value::Bool(true)));
        assert_eq!(account("Remove Near").get("delete_folders"), None);
        assert_eq!(account("Expunge Both").get("expunge"), Some(&Value::Bool(true)));
        assert_eq!(account("Expunge Far").get("expunge"), None);
    }
}
