//! A private Dovecot: own configuration, loopback, free ports, temporary folder, gone with its owner.

use super::guardian::Guardian;
use super::tls::Authority;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The password of every user.
pub const PASSWORD: &str = "pass";

/// What Dovecot 2.3 advertises after login and implements; an option takes single names out of it.
const CAPABILITIES: &str = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS \
    THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE \
    QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE \
    LITERAL+ NOTIFY SPECIAL-USE";

/// How a server differs from the usual one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Options {
    /// Capabilities that are not advertised (Dovecot still understands them; what is recorded shows whether a client used them).
    pub without: BTreeSet<&'static str>,
    /// Special-use folders that every user has from the start, of `Trash Sent Drafts Junk Archive`.
    pub special: Vec<&'static str>,
    /// Whether those folders carry their special-use attribute.
    pub attributes: bool,
    /// Hierarchy separator, `/` or `.`.
    pub separator: char,
    /// Prefix of the personal namespace, `""` or `"INBOX."`.
    pub prefix: &'static str,
    /// Lines appended to `dovecot.conf`.
    pub extra: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            without: BTreeSet::new(),
            special: vec!["Trash"],
            attributes: true,
            separator: '/',
            prefix: "",
            extra: String::new(),
        }
    }
}

impl Options {
    /// The usual server without the given capabilities.
    pub fn without(capabilities: &[&'static str]) -> Self {
        Self { without: capabilities.iter().copied().collect(), ..Self::default() }
    }

    fn capability_line(&self) -> String {
        if self.without.is_empty() {
            return String::new();
        }
        let left: Vec<_> = CAPABILITIES.split_whitespace().filter(|c| !self.without.contains(c)).collect();
        format!("imap_capability = {}\n", left.join(" "))
    }
}

/// The ports of a server, all on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
}

/// A running server.
pub struct Dovecot {
    pub ports: Ports,
    pub options: Options,
    /// PEM file of the authority that signed the certificate for `localhost` and `127.0.0.1`.
    pub ca_file: PathBuf,
    folder: PathBuf,
    guardian: Guardian,
}

impl Dovecot {
    /// Starts a server of its own.
    ///
    /// # Panics
    /// If none of five attempts comes up: the server's log is in the message.
    pub fn start(options: Options) -> Self {
        let mut log = String::new();
        for _ in 0..5 {
            match Self::attempt(&options) {
                Ok(server) => return server,
                Err(text) => log = text,
            }
        }
        panic!("no Dovecot comes up (is dovecot-imapd installed?): {log}");
    }

    /// A server with these options that all tests of this process share; each test takes its own user.
    pub fn shared(options: &Options) -> Arc<Self> {
        type Servers = Mutex<HashMap<Options, Arc<OnceLock<Arc<Dovecot>>>>>;
        static SERVERS: OnceLock<Servers> = OnceLock::new();
        let cell = {
            let mut servers = SERVERS.get_or_init(Servers::default).lock().unwrap_or_else(|e| e.into_inner());
            servers.entry(options.clone()).or_default().clone()
        };
        cell.get_or_init(|| Arc::new(Self::start(options.clone()))).clone()
    }

    /// The usual server, shared.
    pub fn usual() -> Arc<Self> {
        Self::shared(&Options::default())
    }

    /// A user name that nobody else has; users exist as soon as they log in.
    pub fn user(&self, hint: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("{hint}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Address of the plain IMAP port (STARTTLS offered).
    pub fn imap(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.imap))
    }

    /// Address of the plain POP3 port (STLS offered).
    pub fn pop3(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.pop3))
    }

    /// The user's own Maildir on the server, for faults that no protocol can cause.
    pub fn storage(&self, user: &str) -> PathBuf {
        self.folder.join("mail").join(user).join("Maildir")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn attempt(options: &Options) -> Result<Self, String> {
        let folder = new_folder();
        let ports = free_ports();
        let greeting = format!("ready {}", folder.display());
        let authority = Authority::new();
        let server_cert = authority.issue(&["localhost", "127.0.0.1"]);
        write(&folder.join("ca.pem"), &authority.pem);
        write(&folder.join("cert.pem"), &server_cert.cert_pem);
        write(&folder.join("key.pem"), &server_cert.key_pem);
        write(&folder.join("dovecot.conf"), &configuration(options, &folder, ports, &greeting));
        let guardian = Guardian::start(&folder, r#"dovecot -F -c "$1/dovecot.conf""#)?;
        let server = Self { ports, options: options.clone(), ca_file: folder.join("ca.pem"), folder, guardian };
        match server.wait_until_ready(&greeting) {
            true => Ok(server),
            false => {
                let log = server.log();
                drop(server);
                Err(log)
            }
        }
    }

    fn wait_until_ready(&self, greeting: &str) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if self.guardian.is_gone() {
                return false;
            }
            if greets(self.imap(), greeting) && greets(self.pop3(), greeting) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
        false
    }
}

/// Whether a server that says `greeting` answers there.
pub(super) fn greets(at: SocketAddr, greeting: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&at, Duration::from_secs(1)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok();
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\n") && matches!(stream.read(&mut byte), Ok(1)) {
        seen.push(byte[0]);
    }
    String::from_utf8_lossy(&seen).contains(greeting)
}

/// A fresh folder with a short path (its sockets must fit 108 bytes) that the mail user may enter.
pub(super) fn new_folder() -> PathBuf {
    let base = std::env::temp_dir();
    let base = if base.as_os_str().len() > 50 { PathBuf::from("/tmp") } else { base };
    let folder = tempfile::Builder::new().prefix("mfd-").tempdir_in(base).expect("a temporary folder").keep();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("chmod");
    let mail = folder.join("mail");
    fs::create_dir(&mail).expect("mail folder");
    fs::set_permissions(&mail, fs::Permissions::from_mode(0o777)).expect("chmod");
    folder
}

pub(super) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Four ports below the range that outgoing connections take, so that only another server could snatch them.
pub(super) fn free_ports() -> Ports {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut taken = Vec::new();
    while taken.len() < 4 {
        let step =
            NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7) + u64::from(std::process::id()).wrapping_mul(131);
        let port = u16::try_from(10_000 + step % 22_000).unwrap_or(10_000);
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            taken.push((port, listener));
        }
    }
    Ports { imap: taken[0].0, imaps: taken[1].0, pop3: taken[2].0, pop3s: taken[3].0 }
}

fn configuration(options: &Options, folder: &Path, ports: Ports, greeting: &str) -> String {
    let root = rustix::process::geteuid().is_root();
    let me = owner(root);
    let base = folder.display();
    let layout = if options.separator == '/' { ":LAYOUT=fs" } else { "" };
    let compress = if options.without.contains("COMPRESS") { "" } else { "imap_zlib" };
    let mut text = format!(
        "base_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log\nprotocols = imap pop3\nlisten = 127.0.0.1\n\
         login_greeting = {greeting}\nssl = yes\nssl_cert = <{base}/cert.pem\nssl_key = <{base}/key.pem\n\
         disable_plaintext_auth = no\nauth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256\n\
         auth_failure_delay = 0\nmail_location = maildir:~/Maildir{layout}\nmail_fsync = never\nmail_uid = {0}\nmail_gid = {1}\n\
         first_valid_uid = 1\nfirst_valid_gid = 1\nmail_max_userip_connections = 100\nimap_idle_notify_interval = 29 mins\n\
         default_client_limit = 1000\ndefault_process_limit = 200\n\
         passdb {{\n driver = static\n args = password={PASSWORD}\n}}\n\
         userdb {{\n driver = static\n args = uid={0} gid={1} home={base}/mail/%u\n}}\n\
         protocol imap {{\n mail_plugins = {compress}\n}}\n",
        me.0, me.1
    );
    text += &options.capability_line();
    if !root {
        text += &format!(
            "default_internal_user = {0}\ndefault_login_user = {0}\ndefault_internal_group = {1}\n",
            me.0, me.1
        );
        for service in ["anvil", "stats"] {
            text += &format!("service {service} {{\n chroot =\n}}\n");
        }
    }
    text += "service anvil {\n client_limit = 3000\n}\nservice auth {\n client_limit = 3000\n}\n";
    let chroot = if root { "" } else { " chroot =\n" };
    for (name, plain, tls) in [("imap", ports.imap, ports.imaps), ("pop3", ports.pop3, ports.pop3s)] {
        text += &format!(
            "service {name}-login {{\n service_count = 0\n process_min_avail = 1\n process_limit = 4\n{chroot} inet_listener {name} {{\n  port = \
             {plain}\n }}\n inet_listener {name}s {{\n  port = {tls}\n  ssl = yes\n }}\n}}\n"
        );
    }
    text += &format!(
        "namespace inbox {{\n inbox = yes\n separator = {}\n prefix = {}\n",
        options.separator, options.prefix
    );
    for name in &options.special {
        let attribute = if options.attributes { format!("  special_use = \\{name}\n") } else { String::new() };
        text += &format!(" mailbox {name} {{\n{attribute}  auto = create\n }}\n");
    }
    text + "}\n" + &options.extra
}

/// User and group that own the mail: nobody when we are root (Dovecot serves no mail to root), else ourselves.
pub(super) fn owner(root: bool) -> (String, String) {
    if root {
        return ("nobody".into(), "nogroup".into());
    }
    let id = |flag: &str| {
        let out = Command::new("id").arg(flag).output().expect("id");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    };
    (id("-un"), id("-gn"))
}

/// Speaks one command line after another to a server, for the tests below.
#[cfg(test)]
fn talk(at: SocketAddr, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(at).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    for line in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).expect("write");
    }
    let mut all = String::new();
    stream.read_to_string(&mut all).expect("read");
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_serves_imap_and_pop3_and_leaves_nothing_behind() {
        let begin = Instant::now();
        let server = Dovecot::start(Options::default());
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(5), "starting took {took:?}");
        let imap = talk(server.imap(), &["a LOGIN someone pass", "b LIST \"\" *", "c LOGOUT"]);
        assert!(imap.contains("\\Trash") && imap.contains("QRESYNC") && imap.contains("COMPRESS=DEFLATE"), "{imap}");
        let pop3 = talk(server.pop3(), &["CAPA", "USER someone", "PASS pass", "STAT", "QUIT"]);
        assert!(pop3.contains("UIDL") && pop3.contains("+OK 0 0"), "{pop3}");
        let (folder, at) = (server.folder.clone(), server.imap());
        drop(server);
        assert!(!folder.exists());
        assert!(TcpStream::connect(at).is_err());
    }

    #[test]
    fn capabilities_separator_and_prefix_follow_the_options() {
        let mut options = Options::without(&["QRESYNC", "MOVE", "COMPRESS", "SPECIAL-USE"]);
        options.separator = '.';
        options.prefix = "INBOX.";
        let server = Dovecot::shared(&options);
        let text = talk(server.imap(), &["a LOGIN u pass", "b LIST \"\" *", "c LOGOUT"]);
        let capability = text.lines().find(|l| l.starts_with("a OK")).unwrap_or_default();
        for gone in ["QRESYNC", "MOVE", "COMPRESS", "SPECIAL-USE"] {
            assert!(!capability.contains(gone), "{gone} in {capability}");
        }
        assert!(capability.contains("CONDSTORE"), "{capability}");
        assert!(text.contains("\".\" INBOX.Trash"), "{text}");
    }
}
