//! Asks for a secret on the terminal, without echo, and lets a stop end the question.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::Secret;
use crate::stop::Stop;

/// Asks `question` on the controlling terminal. `None` when a stop was asked for meanwhile; the terminal echoes again
/// then.
///
/// # Errors
/// When there is no terminal.
pub fn ask(question: String, stop: &Stop) -> io::Result<Option<Secret>> {
    let terminal = File::open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let (awake, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let (tell, answer) = mpsc::channel();
    // Reading a line cannot be interrupted: the thread is left behind when it must end.
    thread::spawn(move || {
        let secret = rpassword::prompt_password(question);
        let _ = tell.send(secret.map(|text| Secret::new(text.into_bytes())));
        drop(wake);
    });
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(awake.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if stop.requested() {
            tcsetattr(&terminal, OptionalActions::Now, &before)?;
            return Ok(None);
        }
        let [done, _] = fds;
        if !done.revents().is_empty() {
            return answer.recv().map_err(|_| io::Error::other("the question ended"))?.map(Some);
        }
    }
}
