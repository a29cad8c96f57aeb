//! Private Courier and Cyrus servers: Debian's programs, unpacked by `other_servers.sh`, on loopback, free ports, a temporary folder.
//!
//! They cannot be installed beside Dovecot. A test that cannot have them fails with the reason: it is never skipped.

use super::dovecot::{PASSWORD, free_ports, greets, new_folder, owner, write};
use super::ferry::Ferry;
use super::guardian::Guardian;
use super::local::Local;
use super::mailbox::Mailbox;
use super::message::{Snapshot, assert_in_step};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Which server, and how it names folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Folders below `INBOX.`; no LITERAL+, MOVE, CONDSTORE, LIST-STATUS, UNSELECT.
    Courier,
    /// Folders beside INBOX with `/`, as Cyrus is set up today.
    Cyrus,
    /// Folders below `INBOX.`, as Cyrus was set up before 3.0.
    CyrusOfOld,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Courier, Self::Cyrus, Self::CyrusOfOld];

    fn separator(self) -> char {
        if self == Self::Cyrus { '/' } else { '.' }
    }

    fn prefix(self) -> &'static str {
        if self == Self::Cyrus { "" } else { "INBOX." }
    }
}

/// A running server. Every password is right, and a user exists as soon as he logs in.
pub struct OtherServer {
    pub kind: Kind,
    /// Ports of plain IMAP and POP3.
    pub ports: (u16, u16),
    folder: PathBuf,
    guardian: Guardian,
}

impl OtherServer {
    /// The server of this kind that all tests of this process share; each test takes its own user.
    pub fn shared(kind: Kind) -> Arc<Self> {
        static SERVERS: [OnceLock<Arc<OtherServer>>; 3] = [const { OnceLock::new() }; 3];
        SERVERS[kind as usize].get_or_init(|| Arc::new(Self::start(kind))).clone()
    }

    /// Starts a server of its own.
    ///
    /// # Panics
    /// If its programs cannot be had or it does not come up: the text says why.
    pub fn start(kind: Kind) -> Self {
        let programs = programs();
        let mut log = String::new();
        for _ in 0..5 {
            match Self::attempt(kind, &programs) {
                Ok(server) => return server,
                Err(text) => log = text,
            }
        }
        panic!("no {kind:?} comes up from {}: {log}", programs.display());
    }

    fn attempt(kind: Kind, programs: &Path) -> Result<Self, String> {
        let folder = new_folder();
        let all = free_ports();
        let ports = (all.imap, all.pop3);
        match kind {
            Kind::Courier => prepare_courier(&folder, &programs.join("courier"), ports),
            Kind::Cyrus | Kind::CyrusOfOld => prepare_cyrus(kind, &folder, &programs.join("cyrus"), ports),
        }
        let guardian = Guardian::start(&folder, r#"bash "$1/serve.sh""#)?;
        let server = Self { kind, ports, folder, guardian };
        let greeting = if kind == Kind::Courier { "Courier-IMAP ready" } else { "Cyrus IMAP" };
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline && !server.guardian.is_gone() {
            if greets(server.imap(), greeting) && greets(server.pop3(), "+OK") {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(server.log())
    }

    /// A user name that nobody else has.
    pub fn user(&self, hint: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        format!("{hint}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Address of plain IMAP.
    pub fn imap(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.0))
    }

    /// Address of plain POP3.
    pub fn pop3(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports.1))
    }

    /// Another client of the user.
    pub fn mailbox(&self, user: &str) -> Mailbox {
        let mut session = Mailbox::connect(self.imap(), self.kind.separator(), self.kind.prefix());
        session.command(&format!("LOGIN {user} {PASSWORD}"));
        if self.kind == Kind::Courier { session.plainly() } else { session }
    }

    /// What the server has said so far (Cyrus speaks to syslog alone).
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// A new user of a server of one kind, and a home from which he is synchronised.
pub struct OtherRig {
    pub server: Arc<OtherServer>,
    pub user: String,
    pub ferry: Ferry,
}

impl OtherRig {
    /// One that syncs by IMAP.
    pub fn imap(kind: Kind, hint: &str) -> Self {
        let server = OtherServer::shared(kind);
        let user = server.user(hint);
        let ferry = Ferry::imap(server.ports.0, &user);
        Self { server, user, ferry }
    }

    /// One that fetches by POP3.
    pub fn pop3(kind: Kind, hint: &str) -> Self {
        let server = OtherServer::shared(kind);
        let user = server.user(hint);
        let ferry = Ferry::pop3(server.ports.1, &user);
        Self { server, user, ferry }
    }

    /// Another client.
    pub fn mailbox(&self) -> Mailbox {
        self.server.mailbox(&self.user)
    }

    /// Everything on the server.
    pub fn remote(&self) -> Snapshot {
        self.mailbox().snapshot()
    }

    /// The Maildir.
    pub fn local(&self) -> Local {
        let mut local = self.ferry.local();
        // A namespace's prefix is part of the names on disk.
        local.prefix = if self.server.kind.prefix().is_empty() { "" } else { "INBOX/" };
        local
    }

    /// Fails unless both sides hold the same and no half-written file is left.
    #[track_caller]
    pub fn assert_in_step(&self) {
        assert_in_step(&self.remote(), &self.local().snapshot());
        assert_eq!(self.local().leftovers(), Vec::<PathBuf>::new());
    }
}

/// The folder with the unpacked programs; they are fetched if this machine does not have them yet.
fn programs() -> PathBuf {
    static PLACE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/other_servers.sh");
        let out = Command::new("bash").arg(&script).output().map_err(|e| format!("bash: {e}"))?;
        match out.status.success() {
            true => Ok(PathBuf::from(String::from_utf8_lossy(&out.stdout).trim())),
            false => Err(format!("{} failed: {}", script.display(), String::from_utf8_lossy(&out.stderr))),
        }
    });
    match place {
        Ok(place) => place.clone(),
        Err(why) => panic!(
            "Courier and Cyrus cannot be had, and the tests on them are not skipped. They are unpacked from Debian's packages, \
             which takes `apt-get`, its package lists (`sudo apt-get update`) and a network, once.\n{why}"
        ),
    }
}

/// The line of a script that makes the unpacked libraries known.
fn libraries(programs: &Path) -> String {
    let list = fs::read_to_string(programs.join("libraries")).expect("the list of libraries");
    let all: Vec<_> = list.lines().map(|dir| format!("{}{dir}", programs.display())).collect();
    format!("export LD_LIBRARY_PATH={:?}\n", all.join(":"))
}

fn prepare_courier(folder: &Path, programs: &Path, ports: (u16, u16)) {
    // The passwords are asked for at this socket, which the unpacked library looks for in the working directory.
    let socket = folder.join("auth.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).expect("chmod");
    let mail = folder.join("mail");
    std::thread::spawn(move || {
        listener.incoming().flatten().try_for_each(|stream| admit(stream, &mail).or(Ok::<(), ()>(())))
    });
    let at = programs.display();
    let listen =
        format!("{at}/usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=200 -maxperip=200 -nodnslookup -noidentlookup");
    // Without locks, for the File Access Monitor that waits for them does not run here; each waits a second for it.
    let script = format!(
        "cd \"$1\"\n{}set -a\n. {at}/etc/courier/pop3d\n. {at}/etc/courier/imapd\nIMAP_EMPTYTRASH=\nIMAP_USELOCKS=0\nset +a\n\
         {listen} {} {at}/usr/lib/courier/courier/imaplogin {at}/usr/bin/imapd Maildir &\necho $! >>groups\n\
         {listen} {} {at}/usr/lib/courier/courier/courierpop3login {at}/usr/lib/courier/courier/courierpop3d Maildir &\necho $! >>groups\n\
         wait -n\nkill $(jobs -p)\n",
        libraries(programs),
        ports.0,
        ports.1
    )
    .replace("$1", &folder.display().to_string());
    write(&folder.join("serve.sh"), &script);
}

/// Answers one question of Courier's (`AUTH`, a length, then service, kind, user, password): yes, and his home is there.
fn admit(mut stream: UnixStream, mail: &Path) -> std::io::Result<()> {
    let (mut asked, mut piece) = (String::new(), [0; 4096]);
    let user = loop {
        let got = stream.read(&mut piece)?;
        if got == 0 {
            return Ok(());
        }
        asked += &String::from_utf8_lossy(&piece[..got]);
        let Some((_, rest)) = asked.split_once("AUTH ") else { continue };
        let Some((length, data)) = rest.split_once('\n') else { continue };
        if data.len() >= length.trim().parse().unwrap_or(usize::MAX) {
            break data.lines().nth(2).unwrap_or_default().to_owned();
        }
    };
    let home = mail.join(&user);
    let mut ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if ids.0 == 0 {
        // Courier serves no mail to root.
        ids = (65534, 65534);
    }
    for dir in ["", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
        let dir = home.join(dir);
        if !dir.exists() {
            fs::create_dir(&dir)?;
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))?;
            chown(&dir, Some(ids.0), Some(ids.1))?;
        }
    }
    let (uid, gid, home) = (ids.0, ids.1, home.display());
    stream.write_all(
        format!("UID={uid}\nGID={gid}\nHOME={home}\nADDRESS={user}\nNAME={user}\nMAILDIR={home}/Maildir\n.\n")
            .as_bytes(),
    )
}

fn prepare_cyrus(kind: Kind, folder: &Path, programs: &Path, ports: (u16, u16)) {
    let (at, base) = (programs.join("usr/lib/cyrus/bin"), folder.display());
    let at = at.display();
    let root = rustix::process::geteuid().is_root();
    let (user, group) = owner(root);
    for dir in ["", "db", "socket", "proc", "log", "lock", "user", "quota", "msg", "ptclient", "sync"] {
        let dir = folder.join("conf").join(dir);
        fs::create_dir(&dir).expect("folder");
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("chmod");
    }
    let yes = if kind == Kind::Cyrus { "yes" } else { "no" };
    let mut settings = format!("configdirectory: {base}/conf\npartition-default: {base}/mail\ncyrus_user: {user}\n");
    _ = write!(
        settings,
        "cyrus_group: {group}\nservername: localhost\ndefaultpartition: default\nsasl_pwcheck_method: alwaystrue\n\
         sasl_mech_list: PLAIN\nallowplaintext: yes\nautocreate_quota: 0\nautocreate_inbox_folders: Trash\nxlist-trash: Trash\n\
         unixhierarchysep: {yes}\naltnamespace: {yes}\nvirtdomains: off\npopminpoll: 0\nsendmail: /bin/true\n"
    );
    write(&folder.join("imapd.conf"), &settings);
    let service = |name: &str, program: &str, port: u16| {
        format!(" {name} cmd=\"{at}/{program} -C {base}/imapd.conf\" listen=\"127.0.0.1:{port}\" prefork=1\n")
    };
    let services = format!(
        "START {{\n recover cmd=\"{at}/ctl_cyrusdb -C {base}/imapd.conf -r\"\n}}\nSERVICES {{\n{}{}}}\nEVENTS {{\n}}\n",
        service("imap", "imapd", ports.0),
        service("pop3", "pop3d", ports.1)
    );
    write(&folder.join("cyrus.conf"), &services);
    let script = format!(
        "{}exec {at}/master -D -C {base}/imapd.conf -M {base}/cyrus.conf -p {base}/conf/pid\n",
        libraries(programs)
    );
    write(&folder.join("serve.sh"), &script);
}

#[cfg(test)]
mod tests {
    use super::super::message::flags;
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn they_serve_both_protocols_and_leave_nothing_behind() {
        for kind in Kind::ALL {
            let server = OtherServer::start(kind);
            let user = server.user("raw");
            let mut session = server.mailbox(&user);
            for folder in ["Work", "Work/deep", "Entwürfe"] {
                session.create(folder);
            }
            let uid = session.append("INBOX", b"Subject: x\n\nbody\n", &flags("FS"), 1_000_000_000);
            session.copy("INBOX", uid, "Work/deep");
            session.mv("INBOX", uid, "Work");
            let all = session.snapshot();
            assert!(all["INBOX"].is_empty(), "{kind:?}: {all:?}");
            for folder in ["Work", "Work/deep"] {
                let message = &all[folder][0];
                assert_eq!((message.flags.clone(), message.date), (flags("FS"), 1_000_000_000), "{kind:?}");
                assert_eq!(message.bytes, b"Subject: x\r\n\r\nbody\r\n");
            }
            session.remove("Work/deep");
            session.append("INBOX", b"Subject: y\n\nbody\n", &flags(""), 1_000_000_000);
            let said = talk(server.pop3(), &[&format!("USER {user}"), "PASS pass", "STAT"]);
            assert!(said.contains("+OK 1 "), "{kind:?}: {said}");
            let (folder, at) = (server.folder.clone(), server.imap());
            drop((session, server));
            assert!(!folder.exists(), "{kind:?}");
            assert!(TcpStream::connect(at).is_err(), "{kind:?}");
        }
    }

    /// The answers, a line each. One command after another: Courier's login program keeps what comes behind PASS to itself.
    fn talk(at: SocketAddr, commands: &[&str]) -> String {
        let mut stream = TcpStream::connect(at).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
        let (mut said, mut byte) = (String::new(), [0]);
        for command in std::iter::once("").chain(commands.iter().copied()) {
            if !command.is_empty() {
                stream.write_all(format!("{command}\r\n").as_bytes()).expect("write");
            }
            while byte != [b'\n'] && stream.read(&mut byte).expect("read") == 1 {
                said.push(byte[0].into());
            }
            byte = [0];
        }
        said
    }
}
