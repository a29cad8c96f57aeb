//! From a host's name to its addresses, without waiting longer than allowed.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread;

use rustix::event::PollFlags;

use super::Error;
use super::wait::Limits;

/// The addresses of `host`, IPv6 and IPv4 taking turns (RFC 8305 §4), never empty.
///
/// The system's resolver cannot be interrupted: it runs in a thread that is left behind when time is up.
pub(super) fn resolve(host: &str, port: u16, limits: &Limits) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |why: String| Error::Resolve { host: host.to_owned(), why };
    let (awake, wake) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|errno| failed(errno.to_string()))?;
    let (tell, answer) = mpsc::channel();
    let name = host.to_owned();
    thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody listens when time is up.
        let _ = tell.send(found);
        drop(wake);
    });
    if limits.wait_for(&[(awake.as_fd(), PollFlags::IN)], limits.timeout)?.is_none() {
        return Err(failed("the name server did not answer".to_owned()));
    }
    let found = answer.recv().map_err(|_| failed("the resolver ended".to_owned()))?;
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() {
        return Err(failed("it has none".to_owned()));
    }
    Ok(interleave(found))
}

fn interleave(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv6);
    let mut out: Vec<SocketAddr> = Vec::with_capacity(v6.len() + v4.len());
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    loop {
        let pair = [v6.next(), v4.next()];
        if pair.iter().all(Option::is_none) {
            return out;
        }
        for address in pair.into_iter().flatten() {
            if !out.contains(&address) {
                out.push(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = ["1.1.1.1:9", "1.1.1.2:9", "[::1]:9", "1.1.1.1:9", "[::2]:9", "[::3]:9"].map(at).to_vec();
        assert_eq!(interleave(found), ["[::1]:9", "1.1.1.1:9", "[::2]:9", "1.1.1.2:9", "[::3]:9"].map(at));
    }
}
