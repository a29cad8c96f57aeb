//! Puts a profile into the config file: comments and order stay, nothing is overwritten, never a half-written file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use toml_edit::{DocumentMut, Item, Table};

use super::draft::Draft;
use super::error::Error;
use crate::config::Complaint;

/// What a new file begins with.
const HEAD: &str = "# Accounts of mailferry; `man mailferry.toml` explains every key.\n";

/// The text with the account added at its end. PURE.
///
/// # Errors
/// The account is there already; the text is not TOML, or `accounts` is no table in it.
pub fn insert(text: &str, draft: &Draft, path: &Path) -> Result<String, Error> {
    let wrong = |message: &str| {
        let mut complaint = Complaint::config(message);
        complaint.file = Some(path.to_owned());
        Error::from(vec![complaint])
    };
    let document: DocumentMut = text.parse().map_err(|_| wrong("not valid TOML"))?;
    let known = match document.get("accounts") {
        None => None,
        Some(Item::Table(accounts)) => accounts.get(&draft.name),
        Some(_) => return Err(wrong("`accounts` must be written as [accounts.NAME]")),
    };
    if known.is_some() {
        return Err(Error::Exists { name: draft.name.clone(), path: path.to_owned() });
    }
    let mut accounts = Table::new();
    accounts.set_implicit(true);
    accounts.insert(&draft.name, Item::Table(draft.table()));
    let mut added = DocumentMut::new();
    added.insert("accounts", Item::Table(accounts));
    // Appended as text, so that every byte that was there stays where it is, comments at the end included.
    let old = if text.trim().is_empty() { HEAD } else { text };
    let end = if old.ends_with('\n') { "" } else { "\n" };
    let new = format!("{old}{end}\n{added}");
    new.parse::<DocumentMut>().map_err(|_| wrong("an account cannot be added to this file"))?;
    Ok(new)
}

/// What the file's `[defaults]` say about `maildir`, as written. PURE.
#[must_use]
pub fn default_maildir(text: &str) -> Option<String> {
    let document: DocumentMut = text.parse().ok()?;
    document.get("defaults")?.get("maildir")?.as_str().map(str::to_owned)
}

/// The text of the config file; empty if there is none.
///
/// # Errors
/// It is there and cannot be read.
pub fn read(path: &Path) -> Result<String, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(Error::File { path: path.to_owned(), source }),
    }
}

/// Replaces the file at once by one of mode 0600, durably; folders that are missing are made with mode 0700. Where the
/// path is a symbolic link, what it points to is replaced.
///
/// # Errors
/// Anything that fails; the old file is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    try_replace(path, bytes).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Writes a password into a file of its own, of mode 0600. Refuses to overwrite one.
///
/// # Errors
/// Anything that fails, an existing file included.
pub fn secret_file(path: &Path, secret: &SecretString) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let folder = parent(path);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(format!("{}\n", secret.expose_secret()).as_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| Error::File { path: path.to_owned(), source })
}

fn try_replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target: PathBuf = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = parent(&target);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = folder.join(name);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &target)?;
        File::open(folder)?.sync_all()
    };
    write().inspect_err(|_| {
        // Best effort: the error that is reported is the first one.
        let _ = fs::remove_file(&temporary);
    })
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::{KeepWord, Source};
    use super::*;
    use crate::account::{LayoutKind, Mode, Protocol, TlsMode};
    use crate::config::{self, check::World, presets};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn draft(name: &str) -> Draft {
        Draft {
            name: name.to_owned(),
            preset: None,
            protocol: Protocol::Imap,
            host: "imap.example.org".to_owned(),
            port: 993,
            tls: TlsMode::Implicit,
            user: "me".to_owned(),
            auth: None,
            source: Source::Command("pass \"x\" 'y'".to_owned()),
            ca_file: None,
            tls_fingerprint: None,
            maildir: None,
            layout: LayoutKind::Nested,
            mode: Mode::Sync,
            keep: KeepWord::Keep,
        }
    }

    fn loaded(text: &str) -> Vec<crate::account::Account> {
        let env = |_: &str| Some("/home/me".to_owned());
        let world = World { env: &env, base: Path::new("/"), private: true };
        config::parse(text, Path::new("c"), &world).unwrap_or_else(|c| panic!("{c:?}\n{text}")).accounts
    }

    #[test]
    fn comments_and_order_stay() {
        let old = "# mine\n[defaults]\nmaildir = '~/M/{account}' # here\n\n[accounts.b] # first\nprovider = 'gmx'\nuser = 'u'\n# end\n";
        let new = insert(old, &draft("a"), Path::new("c")).unwrap();
        assert!(new.starts_with(old), "{new}");
        let accounts = loaded(&new);
        assert_eq!(accounts.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        assert!(matches!(insert(&new, &draft("a"), Path::new("c")), Err(Error::Exists { .. })));
        assert!(insert("accounts = 1\n", &draft("a"), Path::new("c")).is_err());
        assert!(insert("accounts = { b = { user = 'u' } }", &draft("a"), Path::new("c")).is_err());
        assert!(
            insert("x = 1 # no line end", &draft("a"), Path::new("c")).unwrap().starts_with("x = 1 # no line end\n\n[")
        );
        assert!(insert("[", &draft("a"), Path::new("c")).is_err());
    }

    #[test]
    fn only_what_differs_is_written() {
        let mut d = draft("odd name.1");
        d.preset = presets::find("gmx");
        (d.host, d.port, d.tls) = ("imap.gmx.net".to_owned(), 993, TlsMode::Implicit);
        let text = insert("", &d, Path::new("c")).unwrap();
        assert!(!text.contains("host") && !text.contains("port =") && !text.contains("tls"), "{text}");
        let account = &loaded(&text)[0];
        assert_eq!((account.endpoint.port, account.endpoint.tls), (993, TlsMode::Implicit));
        assert_eq!(account.name, "odd name.1");
        (d.port, d.tls) = (143, TlsMode::StartTls);
        let text = insert("", &d, Path::new("c")).unwrap();
        assert!(text.contains("tls = \"starttls\"") && !text.contains("port ="), "{text}");
        d.tls = TlsMode::Implicit;
        d.port = 993;
        let account = &loaded(&insert("", &d, Path::new("c")).unwrap())[0];
        assert_eq!((account.endpoint.port, account.endpoint.tls), (993, TlsMode::Implicit));
        d.port = 1993;
        assert_eq!(loaded(&insert("", &d, Path::new("c")).unwrap())[0].endpoint.port, 1993);
    }

    #[test]
    fn every_source_loads() {
        for source in [
            Source::Command("c".to_owned()),
            Source::File("~/p".to_owned(), None),
            Source::Env("E".to_owned()),
            Source::Keyring("k".to_owned(), None),
            Source::Client("id".to_owned(), None),
            Source::TokenCommand("t".to_owned()),
        ] {
            let mut d = draft("a");
            d.preset = presets::find("outlook");
            d.source = source;
            for (protocol, keep) in
                [(Protocol::Imap, KeepWord::Keep), (Protocol::Pop3, KeepWord::DeleteAfter("3d".to_owned()))]
            {
                (d.protocol, d.keep, d.mode) = (protocol, keep, Mode::Archive);
                loaded(&insert("", &d, Path::new("c")).unwrap());
            }
        }
    }

    #[test]
    fn files_are_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/config.toml");
        replace(&path, b"one").unwrap();
        let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        replace(&link, b"two").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let secret = dir.path().join("s/p");
        secret_file(&secret, &SecretString::from("x")).unwrap();
        assert_eq!((mode(&secret), fs::read(&secret).unwrap()), (0o600, b"x\n".to_vec()));
        assert!(secret_file(&secret, &SecretString::from("y")).is_err());
    }
}
