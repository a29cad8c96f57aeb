//! Form posts to authorization servers: https only, no redirects, bounded in time and size, ended by a stop.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use zeroize::Zeroizing;

use super::{Error, form};
use crate::mail::text::clean;
use crate::stop::Stop;

/// The longest answer.
const LONGEST: u64 = 256 * 1024;

/// A client for posts.
#[derive(Clone, Debug)]
pub(super) struct Http {
    agent: ureq::Agent,
}

impl Http {
    pub(super) fn new(timeout: Duration, ca_file: Option<&Path>) -> Result<Self, Error> {
        let roots = match ca_file {
            // ureq's default is a list of its own, not the system's.
            None => RootCerts::PlatformVerifier,
            Some(path) => RootCerts::Specific(Arc::new(certificates(path)?)),
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout))
            .build();
        Ok(Self { agent: config.new_agent() })
    }

    /// Posts a form; gives status and body.
    pub(super) fn post(
        &self,
        url: &str,
        fields: &[(&str, &str)],
        stop: &Stop,
    ) -> Result<(u16, Zeroizing<Vec<u8>>), Error> {
        if !form::is_safe(url) {
            return Err(Error::Setting("its addresses must begin with https://"));
        }
        let body = Zeroizing::new(form::encode(fields));
        let (agent, address) = (self.agent.clone(), url.to_owned());
        let (awake, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|errno| unreachable(url, &errno.to_string()))?;
        let (tell, answer) = mpsc::channel();
        // A stop must not wait for a slow server: the thread is left behind then.
        thread::spawn(move || {
            let outcome = send(&agent, &address, &body);
            let _ = tell.send(outcome);
            drop(wake);
        });
        wait(awake.as_fd(), None, stop)?;
        let outcome = answer.recv().map_err(|_| unreachable(url, "the connection ended"))?;
        outcome.map_err(|error| unreachable(url, &error.to_string()))
    }
}

fn send(agent: &ureq::Agent, url: &str, body: &str) -> Result<(u16, Zeroizing<Vec<u8>>), ureq::Error> {
    let request =
        agent.post(url).content_type("application/x-www-form-urlencoded").header("accept", "application/json");
    let mut response = request.send(body)?;
    let body = response.body_mut().with_config().limit(LONGEST).read_to_vec()?;
    Ok((response.status().as_u16(), body.into()))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let pem = std::fs::read(path).map_err(|_| Error::Setting("the file of trust roots cannot be read"))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(Error::Setting("the file of trust roots is damaged")),
        }
    }
    Ok(found)
}

fn unreachable(url: &str, why: &str) -> Error {
    let host = url.split('/').nth(2).unwrap_or(url);
    Error::Unreachable { host: clean(host), why: clean(why) }
}

/// Waits so long, unless a stop is asked for.
pub(super) fn pause(time: Duration, stop: &Stop) -> Result<(), Error> {
    if stop.pause(time) { Err(Error::Stopped) } else { Ok(()) }
}

/// Waits for `fd` (its end counts), at most `max`, unless a stop is asked for.
pub(super) fn wait(fd: std::os::fd::BorrowedFd<'_>, max: Option<Duration>, stop: &Stop) -> Result<(), Error> {
    let begun = Instant::now();
    loop {
        if stop.requested() {
            return Err(Error::Stopped);
        }
        let left = max.map(|max| max.saturating_sub(begun.elapsed()));
        let spec = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN), PollFd::from_borrowed_fd(stop.fd(), PollFlags::IN)];
        match poll(&mut fds, spec.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::Listen(errno.into())),
        }
        let [first, _] = fds;
        if stop.requested() {
            return Err(Error::Stopped);
        }
        if !first.revents().is_empty() || max.is_some_and(|max| begun.elapsed() >= max) {
            return Ok(());
        }
    }
}
