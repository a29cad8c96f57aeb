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
    /// With the resolvers of `/etc/resolv.conf` and the system's trust roots.
    #[must_use]
    pub fn new() -> Self {
        let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self::with(resolvers(&text), ureq::tls::RootCerts::PlatformVerifier)
    }

    fn with(resolvers: Vec<SocketAddr>, roots: ureq::tls::RootCerts) -> Self {
        let tls = ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).root_certs(roots).build();
        let agent = ureq::Agent::config_builder()
            .https_only(true)
            .max_redirects(3)
            .timeout_global(Some(PATIENCE))
            .user_agent("mailferry")
            .tls_config(tls)
            .build()
            .new_agent();
        Self { agent, resolvers }
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
    use crate::account::Protocol;
    use crate::setup::discover::{Address, Origin, discover};
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;

    /// An HTTPS server for `localhost`: gives its port and its certificate. Paths lead to what `answer` says of them.
    fn https(answer: fn(&str, u16) -> String) -> (u16, ureq::tls::Certificate<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let identity = native_tls::Identity::from_pkcs8(cert.as_bytes(), key.as_bytes()).unwrap();
        let acceptor = native_tls::TlsAcceptor::new(identity).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(mut stream) = acceptor.accept(stream) else { continue };
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                stream.write_all(answer(&path, port).as_bytes()).ok();
                stream.shutdown().ok();
            }
        });
        (port, ureq::tls::Certificate::from_pem(cert.as_bytes()).unwrap().to_owned())
    }

    fn answer(path: &str, port: u16) -> String {
        let moved = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        let here = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        match path {
            "/config" => here("<x/>"),
            "/moved" => moved(&format!("https://localhost:{port}/config")),
            "/downgraded" => moved(&format!("http://localhost:{port}/config")),
            "/round" => moved(&format!("https://localhost:{port}/round")),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
        }
    }

    #[test]
    fn pages_come_by_https_from_whom_we_trust_or_not_at_all() {
        let (port, certificate) = https(answer);
        let trusting = Internet::with(Vec::new(), ureq::tls::RootCerts::Specific(Arc::new(vec![certificate])));
        let get = |net: &Internet, path: &str| net.get(&format!("https://localhost:{port}{path}"));
        assert_eq!(get(&trusting, "/config").as_deref(), Some("<x/>"));
        assert_eq!(get(&trusting, "/moved").as_deref(), Some("<x/>"));
        for path in ["/downgraded", "/round", "/missing"] {
            assert_eq!(get(&trusting, path), None, "{path}");
        }
        assert_eq!(get(&Internet::with(Vec::new(), ureq::tls::RootCerts::PlatformVerifier), "/config"), None);
        assert_eq!(trusting.get(&format!("http://localhost:{port}/config")), None);
    }

    /// A resolver on loopback that knows one service of one domain, and refuses to know more.
    #[test]
    fn a_domain_with_service_records_alone() {
        let server = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0u8; 512];
            while let Ok((length, peer)) = server.recv_from(&mut buffer) {
                let mut reply = buffer[..length].to_vec();
                reply[2] = 0x81;
                if reply[12..].starts_with(b"\x06_imaps\x04_tcp\x03own\x07example\0") {
                    reply[7] = 1;
                    let host = b"\x04mail\x03own\x07example\0";
                    reply.extend([0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 9, 0, 6 + 18, 0, 10, 0, 1, 0x03, 0xe1]);
                    reply.extend(host);
                } else {
                    reply[3] |= 3;
                }
                server.send_to(&reply, peer).unwrap();
            }
        });
        /// The resolver alone: no page is asked for anywhere.
        struct Resolver(Internet);
        impl Network for Resolver {
            fn get(&self, _: &str) -> Option<String> {
                None
            }
            fn records(&self, name: &str, kind: RecordType) -> Vec<Record> {
                self.0.records(name, kind)
            }
        }
        let net = Resolver(Internet::with(vec![address], ureq::tls::RootCerts::PlatformVerifier));
        let me = Address { local: "me".to_owned(), domain: "own.example".to_owned() };
        let found = discover(&me, Some(&net));
        let best = found.best(Protocol::Imap).unwrap();
        assert_eq!((best.host.as_str(), best.port, best.origin), ("mail.own.example", 993, Origin::Dns));
        assert!(found.best(Protocol::Pop3).is_none());
    }

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
