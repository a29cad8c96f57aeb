"""A private Dovecot on loopback, and the mail in it: seeded, of realistic sizes, with known digests."""
import base64
import grp
import hashlib
import imaplib
import os
import pathlib
import pwd
import random
import shutil
import socket
import subprocess
import time

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
listen = 127.0.0.1
protocols = imap pop3
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 1
mail_fsync = never
mail_location = maildir:~/Maildir
mail_max_userip_connections = 1000
pop3_no_flag_updates = yes
namespace inbox {{
  inbox = yes
  separator = /
}}
protocol imap {{
  mail_plugins = zlib imap_zlib
  {capability}
}}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/home/%u
}}
"""
SERVICE = """
service {proto}-login {{
  {chroot}
  inet_listener {proto} {{
    port = {plain}
  }}
  inet_listener {proto}s {{
    port = {tls}
  }}
}}
"""
OTHER_USER = """
default_internal_user = {0}
default_login_user = {0}
default_internal_group = {1}
service anvil {{
  chroot =
}}
"""
PLAIN = "imap_capability = IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE UIDPLUS LIST-EXTENDED SPECIAL-USE MOVE"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def message(seed, size):
    """About `size` bytes of mail with LF line ends, always the same for a seed. Text if small, an attachment if not."""
    rng = random.Random(seed)
    head = (f"Return-Path: <{rng.choice('abcdef')}@example.net>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
            f"From: Sender {seed} <s{seed}@example.net>\nTo: me@example.org\nSubject: Number {seed}\n"
            f"Message-ID: <{seed}.{rng.getrandbits(64):x}@bench.example>\nMIME-Version: 1.0\n")
    size = max(1, size - len(head))
    if size < 20_000:
        words = rng.choices("the of and a to in mail is you that it was for on are as with his they be at".split(), k=size // 4)
        lines = (" ".join(words[i:i + 14]) for i in range(0, len(words), 14))
        return (head + "Content-Type: text/plain\n\n" + "\n".join(lines) + "\n").encode()
    kind = "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"
    return (head + kind).encode() + base64.encodebytes(rng.randbytes(size * 3 // 4))


def sizes(count, seed):
    """Sizes like those of a real mailbox: median about 6 KB, mean about 48 KB, a few of some MB."""
    rng = random.Random(seed)
    kinds = ((85, 5_000, 0.9), (13, 60_000, 1.0), (2, 1_000_000, 0.8))
    for _, median, spread in rng.choices(kinds, weights=[k[0] for k in kinds], k=count):
        yield min(10_000_000, int(median * rng.lognormvariate(0, spread)))


def digest(data):
    """Of what must not change: line ends aside, and without the header that mbsync adds."""
    data = data.replace(b"\r\n", b"\n")
    head, gap, body = data.partition(b"\n\n")
    if b"\nX-TUID: " in head:
        head = b"\n".join(line for line in head.split(b"\n") if not line.startswith(b"X-TUID: "))
    return hashlib.sha256(head + gap + body.rstrip(b"\n")).hexdigest()


class Server:
    """Runs until `stop`. Every user name and every password is right; homes are in DIR/home."""

    def __init__(self, directory, condstore=True):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True)
        root = os.geteuid() == 0
        owner = pwd.getpwnam("mail") if root else pwd.getpwuid(os.geteuid())
        self.owner = (owner.pw_uid, owner.pw_gid)
        self.ports = {name: free_port() for name in ("imap", "imaps", "pop3")}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", self.dir / "key.pem",
                        "-out", self.dir / "cert.pem"], check=True, capture_output=True)
        config = CONFIG.format(dir=self.dir, uid=owner.pw_uid, gid=owner.pw_gid, capability="" if condstore else PLAIN)
        for proto, tls in (("imap", self.ports["imaps"]), ("pop3", 0)):
            config += SERVICE.format(proto=proto, plain=self.ports[proto], tls=tls, chroot="" if root else "chroot =")
        config += "" if root else OTHER_USER.format(owner.pw_name, grp.getgrgid(owner.pw_gid).gr_name)
        (self.dir / "dovecot.conf").write_text(config)
        os.chmod(self.dir, 0o755)
        (self.dir / "home").mkdir()
        os.chown(self.dir / "home", *self.owner)
        program = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.process = subprocess.Popen([program, "-F", "-c", self.dir / "dovecot.conf"], stdin=subprocess.DEVNULL)
        self.wait()

    def wait(self):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                return [socket.create_connection(("127.0.0.1", port)).close() for port in self.ports.values()]
            except ConnectionRefusedError:
                time.sleep(0.05)
        raise SystemExit(f"Dovecot does not start: {(self.dir / 'log').read_text()}")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def maildir(self, user, folder="INBOX"):
        base = self.dir / "home" / user / "Maildir"
        return base if folder == "INBOX" else base / ("." + folder)

    def fill(self, user, folder, messages):
        """Puts messages (an iterable of bytes) into a folder, before anybody has logged in. Returns their digests."""
        place, digests = self.maildir(user, folder), []
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(messages):
            wire = len(data) + data.count(b"\n")
            path = place / "cur" / f"1704067200.{number:06}.bench,S={len(data)},W={wire}:2,{'S' if number % 3 else ''}"
            path.write_bytes(data)
            os.utime(path, (1704067200 + number, 1704067200 + number))
            digests.append(digest(data))
        return digests

    def warm(self, user, folders=("INBOX",)):
        """Gives the store to the server and has it index everything, so that no tool pays for that."""
        subprocess.run(["chown", "-R", "%d:%d" % self.owner, self.dir / "home" / user], check=True)
        with self.login(user) as imap:
            for folder in folders:
                _, data = imap.select(folder)
                if int(data[0]):
                    imap.fetch("1:*", "(RFC822.SIZE INTERNALDATE FLAGS)")

    def login(self, user):
        imap = imaplib.IMAP4("127.0.0.1", self.ports["imap"])
        imap.login(user, "x")
        return imap

    def copy(self, user, other):
        """The same store for another user: messages as hard links, indexes as copies."""
        home = self.dir / "home" / other
        subprocess.run(["cp", "-al", self.dir / "home" / user, home], check=True)
        for index in home.rglob("dovecot*"):
            if index.is_file():
                spare = index.with_name("spare." + index.name)
                subprocess.run(["cp", "-p", index, spare], check=True)
                spare.rename(index)

    def digests(self, user):
        return collect(self.dir / "home" / user)


def collect(root):
    """Digests of all messages of all Maildirs below a directory, sorted."""
    found = []
    for part in ("cur", "new"):
        for folder in pathlib.Path(root).rglob(part):
            found += [digest(path.read_bytes()) for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(found)
