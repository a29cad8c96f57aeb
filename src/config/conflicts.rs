//! Accounts that cannot share a Maildir, by the real paths of their roots (SPEC §3).

use std::path::{Path, PathBuf};

use super::complaint::Complaint;
use crate::account::{Account, Protocol};

/// What is wrong between the roots of these accounts: two IMAP accounts in one, one inside another, two layouts in one.
/// Looks at the file system for symbolic links; what does not exist yet is taken as it is written.
#[must_use]
pub fn conflicts(accounts: &[&Account]) -> Vec<Complaint> {
    let roots: Vec<PathBuf> = accounts.iter().map(|a| real(&a.store.root)).collect();
    let mut complaints = Vec::new();
    for (i, (a, a_root)) in accounts.iter().zip(&roots).enumerate() {
        for (b, b_root) in accounts.iter().zip(&roots).skip(i + 1) {
            complaints.extend(between((a, a_root), (b, b_root)));
        }
    }
    complaints
}

fn between((a, a_root): (&Account, &Path), (b, b_root): (&Account, &Path)) -> Option<Complaint> {
    let (first, second) = (&a.name, &b.name);
    let message = if a_root == b_root {
        if a.protocol == Protocol::Imap && b.protocol == Protocol::Imap {
            format!("accounts `{first}` and `{second}` are both IMAP and have the same Maildir {}", a_root.display())
        } else if a.store.layout != b.store.layout {
            format!("accounts `{first}` and `{second}` share the Maildir {} but not its layout", a_root.display())
        } else {
            return None;
        }
    } else if b_root.starts_with(a_root) {
        format!("the Maildir of `{second}` ({}) lies inside that of `{first}` ({})", b_root.display(), a_root.display())
    } else if a_root.starts_with(b_root) {
        format!("the Maildir of `{first}` ({}) lies inside that of `{second}` ({})", a_root.display(), b_root.display())
    } else {
        return None;
    };
    let hint = "give each account a `maildir` of its own, such as \"~/Mail/{account}\"";
    Some(Complaint::config(message).account(second).key("maildir").hint(hint))
}

/// The path with the symbolic links of what exists of it resolved.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let Ok(found) = ancestor.canonicalize() {
            return match path.strip_prefix(ancestor) {
                Ok(rest) if !rest.as_os_str().is_empty() => found.join(rest),
                Ok(_) | Err(_) => found,
            };
        }
    }
    path.to_owned()
}
