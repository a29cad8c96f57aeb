//! Runs a server that ends, with its folder, when its owner does.
//!
//! The server is started by a small shell that holds a pipe to this process: when the pipe closes, be it by `Drop` or because the
//! test process died, the shell kills the server's process group and removes its folder. So nothing outlives a test run.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// The shell that watches over a server.
pub struct Guardian(Mutex<Child>);

impl Guardian {
    /// Starts `command`, one shell command that stays in the foreground; in it `$1` is `folder`. Its outputs go to `folder/log`. A server
    /// whose parts make process groups of their own writes their numbers to `folder/groups`, a line each.
    ///
    /// # Errors
    /// If there is no shell.
    pub fn start(folder: &Path, command: &str) -> Result<Self, String> {
        // `set -m` gives the server a process group of its own, which takes its children along at the end.
        let script = format!(
            r#"trap '' INT TERM HUP
set -m
{command} </dev/null >>"$1/log" 2>&1 &
pid=$!
set +m
echo started
read -r _ || true
for group in "$pid" $(cat "$1/groups" 2>/dev/null); do
    kill -KILL -- "-$group" 2>/dev/null
done
wait "$pid" 2>/dev/null
rm -rf "$1""#
        );
        let path = std::env::var("PATH").unwrap_or_default();
        let mut child = Command::new("bash")
            .args(["-c", &script, "guardian"])
            .arg(folder)
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A signal to the test's whole process group (Ctrl-C, a time limit) must not take the guardian before its work.
            .process_group(0)
            .spawn()
            .map_err(|e| format!("bash: {e}"))?;
        let mut word = [0; 8];
        if let Some(out) = child.stdout.as_mut() {
            out.read_exact(&mut word).map_err(|e| format!("guardian: {e}"))?;
        }
        Ok(Self(Mutex::new(child)))
    }

    /// Whether the shell itself is gone.
    pub fn is_gone(&self) -> bool {
        matches!(self.0.lock().map(|mut child| child.try_wait()), Ok(Ok(Some(_))))
    }

    /// Ends the server and removes its folder.
    pub fn stop(&self) {
        if let Ok(mut child) = self.0.lock() {
            drop(child.stdin.take());
            child.wait().ok();
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        self.stop();
    }
}
