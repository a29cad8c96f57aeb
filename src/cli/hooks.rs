//! `on_new` and `after`: the commands of the profile that run when an account has ended.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::account::{Account, CommandLine};
use crate::auth::command::{kill_group, prepare};
use crate::stop::Stop;

/// The longest time between two looks at whether a hook has ended.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What a hook is told.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// New messages in the Maildir.
    pub new: u64,
    /// Files that are new or changed.
    pub changed: &'a [PathBuf],
}

/// Runs the account's hooks: `on_new` if new mail came, `after` always. A stop ends them, unless it came before.
/// Gives what went wrong, a sentence each: a failing hook is a warning.
pub fn run(account: &Account, news: News<'_>, stop: &Stop) -> Vec<String> {
    let on_new = account.hooks.on_new.as_ref().filter(|_| news.new > 0).map(|hook| ("on_new", hook));
    let after = account.hooks.after.as_ref().map(|hook| ("after", hook));
    if on_new.is_none() && after.is_none() {
        return Vec::new();
    }
    let list = match List::write(news.changed) {
        Ok(list) => list,
        Err(error) => return vec![format!("the hooks did not run: no file for the changed paths: {error}")],
    };
    let one = |(key, hook)| match call(hook, account, news.new, &list.path, stop) {
        Ok(status) if status.success() => None,
        Ok(status) => Some(format!("the command of `{key}` failed ({status})")),
        Err(error) => Some(format!("the command of `{key}` did not run: {error}")),
    };
    on_new.into_iter().chain(after).filter_map(one).collect()
}

fn call(hook: &CommandLine, account: &Account, new: u64, list: &Path, stop: &Stop) -> io::Result<ExitStatus> {
    // What a hook prints is for people, while standard output is for data.
    let output = || io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    let late = stop.requested();
    let child = prepare(hook)
        .env("MAILFERRY_ACCOUNT", &account.name)
        .env("MAILFERRY_NEW", new.to_string())
        .env("MAILFERRY_CHANGED", list)
        .stdin(Stdio::null())
        .stdout(output())
        .stderr(output())
        .spawn()?;
    wait(child, stop, late)
}

/// `late`: the stop had been asked for before the hook began.
fn wait(mut child: Child, stop: &Stop, late: bool) -> io::Result<ExitStatus> {
    if late {
        // A second signal ends us, and leaves the hook to itself.
        return child.wait();
    }
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let mut fds = [PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN)];
        // Whatever ends the pause, the flag below says why.
        let _ = poll(&mut fds, Timespec::try_from(pause).ok().as_ref());
        if stop.requested() {
            kill_group(&child);
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::Interrupted, "it was interrupted"));
        }
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// The file for `MAILFERRY_CHANGED`, removed in the end.
struct List {
    path: PathBuf,
}

impl List {
    /// One absolute path a line. A path with a line end in it is left out: it would be read as two.
    fn write(changed: &[PathBuf]) -> io::Result<Self> {
        let (list, file) = Self::create()?;
        let mut out = BufWriter::new(file);
        for path in changed.iter().filter(|path| !path.as_os_str().as_bytes().contains(&b'\n')) {
            out.write_all(path.as_os_str().as_bytes())?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
        Ok(list)
    }

    fn create() -> io::Result<(Self, File)> {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = std::env::temp_dir().join(format!("mailferry-changed-{name}"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok((Self { path }, file))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // A hook may have removed it.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::overrides::from_url;

    fn account(root: &Path, on_new: &str, after: &str) -> Account {
        let mut account = from_url("imaps://me@h", root.to_owned()).unwrap();
        account.hooks.on_new = Some(CommandLine::Shell(on_new.to_owned()));
        account.hooks.after = Some(CommandLine::Shell(after.to_owned()));
        account
    }

    #[test]
    fn hooks_are_told_what_came() {
        let temp = tempfile::tempdir().unwrap();
        let said = temp.path().join("said");
        let tell = |word: &str| {
            format!("(echo {word} $MAILFERRY_ACCOUNT $MAILFERRY_NEW; cat \"$MAILFERRY_CHANGED\") >> {}", said.display())
        };
        let account = account(temp.path(), &tell("new"), &tell("after"));
        let changed = [PathBuf::from("/m/new/1"), PathBuf::from("/m/a\nb"), PathBuf::from("/m/cur/2:2,S")];
        let stop = Stop::new().unwrap();
        assert_eq!(run(&account, News { new: 2, changed: &changed }, &stop), Vec::<String>::new());
        assert_eq!(run(&account, News { new: 0, changed: &[] }, &stop), Vec::<String>::new());
        let expected = "new me@h 2\n/m/new/1\n/m/cur/2:2,S\nafter me@h 2\n/m/new/1\n/m/cur/2:2,S\nafter me@h 0\n";
        assert_eq!(std::fs::read_to_string(&said).unwrap(), expected);
    }

    #[test]
    fn a_failing_hook_is_told_and_does_not_keep_the_other_from_running() {
        let temp = tempfile::tempdir().unwrap();
        let said = temp.path().join("said");
        let account = account(temp.path(), "exit 3", &format!("echo ran > {}", said.display()));
        let wrong = run(&account, News { new: 1, changed: &[] }, &Stop::new().unwrap());
        assert!(matches!(wrong.as_slice(), [one] if one.contains("`on_new`") && one.contains('3')), "{wrong:?}");
        assert!(said.exists());
    }

    #[test]
    fn a_stop_ends_a_hook_that_runs_and_lets_one_run_that_comes_after_it() {
        let temp = tempfile::tempdir().unwrap();
        let fifo = temp.path().join("alive");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let account = account(temp.path(), &format!("exec sleep 1000 > '{}'", fifo.display()), "true");
        let stop = Stop::new().unwrap();
        let watcher = std::thread::spawn({
            let stop = stop.clone();
            move || {
                // Opens when the hook runs.
                let alive = File::open(fifo).unwrap();
                stop.request();
                drop(alive);
            }
        });
        let wrong = run(&account, News { new: 1, changed: &[] }, &stop);
        assert!(matches!(wrong.as_slice(), [one] if one.contains("interrupted")), "{wrong:?}");
        watcher.join().unwrap();
    }
}
