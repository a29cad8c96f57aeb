//! Telling systemd how the service is (sd_notify(3)): a datagram a message, to a socket that the environment names.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager's ear. Without one, nothing is told.
#[derive(Debug)]
pub struct Manager {
    ear: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

/// What the environment says of the service manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NOTIFY_SOCKET`.
    pub socket: Option<String>,
    /// `WATCHDOG_USEC`.
    pub watchdog_usec: Option<String>,
    /// `WATCHDOG_PID`.
    pub watchdog_pid: Option<String>,
    /// Our process.
    pub pid: u32,
}

impl Manager {
    /// As the environment says.
    ///
    /// # Errors
    /// When it names a socket that cannot be one.
    pub fn new(environment: &Environment) -> io::Result<Self> {
        let Some(name) = environment.socket.as_deref().filter(|name| !name.is_empty()) else {
            return Ok(Self { ear: None, watchdog: None });
        };
        let ear = (UnixDatagram::unbound()?, address(name)?);
        // A manager that does not listen must not stop us.
        ear.0.set_nonblocking(true)?;
        Ok(Self { ear: Some(ear), watchdog: environment.watchdog() })
    }

    /// Tells `message`: lines of `KEY=value`.
    pub fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.ear {
            // Nobody listens any more: the service goes on all the same.
            let _ = socket.send_to_addr(message.as_bytes(), address);
        }
    }

    /// How often `WATCHDOG=1` must be told; `None`: never.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }
}

impl Environment {
    /// Half of the time within which the manager wants to hear from us, as sd_watchdog_enabled(3) recommends.
    fn watchdog(&self) -> Option<Duration> {
        let for_us = self.watchdog_pid.as_deref().is_none_or(|pid| pid.parse() == Ok(self.pid));
        let usec: u64 = self.watchdog_usec.as_deref().filter(|_| for_us)?.parse().ok()?;
        (usec > 0).then(|| Duration::from_micros(usec) / 2)
    }
}

/// The address of a socket: a path, or with a leading `@` an abstract name.
fn address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => abstract_address(name),
        None => SocketAddr::from_pathname(name),
    }
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_name: &str) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract sockets exist on Linux only"))
}

/// `STATUS=` with text of one line.
#[must_use]
pub fn status(text: &str) -> String {
    format!("STATUS={}", crate::mail::text::clean(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(socket: &str) -> Environment {
        Environment {
            socket: Some(socket.to_owned()),
            watchdog_usec: Some("3000000".into()),
            watchdog_pid: None,
            pid: 7,
        }
    }

    fn heard(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut buffer = [0; 200];
        let n = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..n].to_vec()).unwrap()
    }

    #[test]
    fn messages_reach_a_socket_with_a_path() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::new(&environment(path.to_str().unwrap())).unwrap();
        manager.tell("READY=1\nSTATUS=x");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=x");
        assert_eq!(manager.watchdog(), Some(Duration::from_millis(1500)));
        drop(socket);
        manager.tell("WATCHDOG=1");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn messages_reach_an_abstract_socket() {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("mailferry-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Manager::new(&environment(&format!("@{name}"))).unwrap().tell("STOPPING=1");
        assert_eq!(heard(&socket), "STOPPING=1");
    }

    #[test]
    fn without_a_manager_nothing_is_told_and_no_watchdog_waits() {
        let manager = Manager::new(&Environment { socket: None, ..environment("") }).unwrap();
        manager.tell("READY=1");
        assert_eq!(manager.watchdog(), None);
        assert_eq!(Manager::new(&environment("")).unwrap().watchdog(), None);
        let other = Environment { watchdog_pid: Some("8".into()), ..environment("@x") };
        assert_eq!(other.watchdog(), None);
        let ours = Environment { watchdog_pid: Some("7".into()), ..environment("@x") };
        assert_eq!(ours.watchdog(), Some(Duration::from_millis(1500)));
        assert_eq!(Environment { watchdog_usec: Some("0".into()), ..ours }.watchdog(), None);
        assert_eq!(status("a\nb"), "STATUS=a\u{fffd}b".to_owned());
    }
}
