//! A command whose stdin and stdout speak the protocol.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::Error;
use crate::account::CommandLine;
use crate::auth::command::{kill_group, prepare};
use crate::mail::text::clean_bytes;

/// How much of stderr is kept: its end.
const COMPLAINT: usize = 2048;

/// How long to wait for the last words of a command that closed its output.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running tunnel command. Its whole process group is killed on drop.
#[derive(Debug)]
pub(super) struct Tunnel {
    child: Child,
    complaint: Arc<Mutex<Vec<u8>>>,
    /// Disconnected once stderr has ended.
    quiet: mpsc::Receiver<()>,
}

impl Tunnel {
    /// Starts the command; gives our end of its stdin and stdout.
    pub(super) fn start(line: &CommandLine) -> Result<(Self, OwnedFd), Error> {
        let failed = |why: std::io::Error| Error::Tunnel { what: format!("cannot be started: {why}") };
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|errno| failed(errno.into()))?;
        let second = theirs.try_clone().map_err(failed)?;
        let mut child = prepare(line)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(second))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let complaint = Arc::new(Mutex::new(Vec::new()));
        let (talking, quiet) = mpsc::channel();
        if let Some(mut stderr) = child.stderr.take() {
            let kept = Arc::clone(&complaint);
            thread::spawn(move || {
                let _talking = talking;
                let mut chunk = [0; 1024];
                while let Ok(got @ 1..) = stderr.read(&mut chunk) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend_from_slice(chunk.get(..got).unwrap_or_default());
                    let surplus = kept.len().saturating_sub(COMPLAINT);
                    kept.drain(..surplus);
                }
            });
        }
        Ok((Self { child, complaint, quiet }, ours))
    }

    /// What to say when the tunnel closed the connection: how the command ended and what it complained of.
    pub(super) fn end(&mut self) -> Error {
        // It closed its output: as a rule it is about to end, and its complaint is on the way.
        let _ = self.quiet.recv_timeout(LAST_WORDS);
        let status = match self.child.try_wait() {
            Ok(Some(status)) => format!("ended ({status})"),
            Ok(None) | Err(_) => "closed the connection".to_owned(),
        };
        let complaint = clean_bytes(&self.complaint.lock().unwrap_or_else(PoisonError::into_inner));
        let what = if complaint.is_empty() { status } else { format!("{status}: {complaint}") };
        Error::Tunnel { what }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        kill_group(&self.child);
        // Just killed: it ends at once and leaves no zombie.
        let _ = self.child.wait();
    }
}
