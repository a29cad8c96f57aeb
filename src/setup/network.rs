//! The network that discovery asks: HTTPS through ureq, DNS by single UDP questions. Everything bounded.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::discover::Network;
use super::dns::{self, Record, RecordType};

/// The longest configuration file that is read.
const LARGEST: u64 = 256 * 1024;
/// The longest wait for one HTTPS answer, redirects included.
const PATIENCE: Duration = Duration::from_secs(8);
/// The longest wait for one DNS server.
const DNS_PATIENCE: Duration = Duration::from_secs(2);

/// The real network.
pub struct Internet {
    agent: ureq::Agent,
    resolvers: Vec<SocketAddr>,
}

impl Internet {
    /// With the resolvers of `/etc/resolv.conf`.
    #[must_use]
    pub fn new() -> Self {
        let tls = ureq::tls::TlsConfig::builder()
            .provider(ureq::tls::TlsProvider::NativeTls)
            .root_certs(ureq::tls::RootCerts::PlatformVerifier)
            .build();
        let agent = ureq::Agent::config_builder()
            .https_only(true)
            .max_redirects(3)
            .timeout_global(Some(PATIENCE))
            .user_agent("mailferry")
            .tls_config(tls)
            .build()
            .new_agent();
        let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self { agent, resolvers: resolvers(&text) }
    }
}

impl Default for Internet {
    fn default() -> Self {
        Self::new()
    }
}

impl Network for Internet {
    fn get(&self, url: &str) -> Option<String> {
        let mut answer = self.agent.get(url).call().ok()?;
        let mut bytes = Vec::new();
        answer.body_mut().as_reader().take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn records(&self, name: &str, kind: RecordType) -> Vec<Record> {
        self.resolvers.iter().find_map(|server| ask(*server, name, kind)).unwrap_or_default()
    }
}

/// The resolvers of a `resolv.conf`, at most three as in resolv.conf(5); this machine if it names none.
fn resolvers(text: &str) -> Vec<SocketAddr> {
    let mut found: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.split_whitespace().next()?.parse::<IpAddr>().ok())
        .map(|address| SocketAddr::new(address, 53))
        .take(3)
        .collect();
    if found.is_empty() {
        found.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 53));
    }
    found
}

/// One question to one resolver; `None` if there is no valid answer in time.
fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Option<Vec<Record>> {
    let mut random = [0u8; 2];
    getrandom::fill(&mut random).ok()?;
    let id = u16::from_be_bytes(random);
    let question = dns::query(id, name, kind)?;
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(server).ok()?;
    socket.send(&question).ok()?;
    let deadline = Instant::now() + DNS_PATIENCE;
    let mut buffer = [0u8; 4096];
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).ok()?;
        let length = socket.recv(&mut buffer).ok()?;
        // What is no answer to this question may be forged or late: wait for the right one.
        if let Some(records) = buffer.get(..length).and_then(|packet| dns::answer(packet, id, name, kind)) {
            return Some(records);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_of_a_file() {
        let text = "# x\nsearch a\nnameserver 192.0.2.1\n nameserver 2001:db8::1 # y\nnameserver nonsense\n";
        let found: Vec<String> = resolvers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
        assert_eq!(resolvers("").len(), 1);
    }

    #[test]
    fn a_resolver_on_loopback() {
        let server = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let address = server.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buffer = [0u8; 512];
            let (length, peer) = server.recv_from(&mut buffer).unwrap();
            let mut reply = buffer[..length].to_vec();
            server.send_to(&reply, peer).unwrap();
            reply[2] = 0x81;
            reply[7] = 1;
            reply.extend([0xc0, 12, 0, 15, 0, 1, 0, 0, 0, 9, 0, 9, 0, 10, 4, b'm', b'a', b'i', b'l', 0xc0, 12]);
            server.send_to(&reply, peer).unwrap();
        });
        let records = ask(address, "example.org", RecordType::Mx);
        thread.join().unwrap();
        assert_eq!(records, Some(vec![Record::Mx { preference: 10, host: "mail.example.org".to_owned() }]));
    }
}
