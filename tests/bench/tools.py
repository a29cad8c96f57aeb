"""How each program is told to do the job, and how it is measured. As a program, `tools.py PROTOCOL PORT USER [MAILDIR]` is
the limit: it asks for all of INBOX in one flight and throws it away, or (IMAP) writes it and flushes once."""
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

MBSYNC = """FSync {fsync}

IMAPStore far
Host {host}
Port {port}
User {user}
Pass x
AuthMechs PLAIN
SSLType {tls}
{extra}

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
CopyArrivalDate yes
SyncState *
"""
MPOP = """account default
host 127.0.0.1
port {port}
user {user}
password x
auth user
tls off
keep on
received_header off
uidls_file {dir}/uidls
delivery maildir {mail}/INBOX
"""
MAILFERRY = """[accounts.bench]
protocol = "{proto}"
host = "{host}"
port = {port}
user = "{user}"
password = "x"
tls = "{tls}"
{extra}
maildir = "{mail}"
"""
LIMITS = ("drain", "limit")


class Tool:
    """`name` is what the table shows; `proto` is "imap" or "pop3"."""

    def __init__(self, name, proto, program):
        self.name, self.proto, self.program = name, proto, program

    def prepare(self, job, port, cert):
        """Writes the configuration into `job.dir`; returns the command. `cert`: the server's, if TLS is wanted."""
        config, values = job.dir / "config", dict(port=port, user=job.user, mail=job.mail, dir=job.dir)
        values["host"] = "localhost" if cert else "127.0.0.1"
        if self.name in LIMITS:
            return [sys.executable, __file__, self.proto, port, job.user, *([job.inbox] if self.name == "limit" else [])]
        if self.name.startswith("mbsync"):
            extra = f"CertificateFile {cert}\n" if cert else ""
            extra += "DisableExtension COMPRESS=DEFLATE\n" if "-nz" in self.name else ""
            values.update(fsync="no" if "-nosync" in self.name else "yes", tls="IMAPS" if cert else "None", extra=extra.strip())
            text, command = MBSYNC, [self.program, "-q", "-c", config, "all"]
        elif self.name.startswith("mpop"):
            text, command = MPOP, [self.program, "-q", "-C", config]
            command = ["eatmydata", *command] if "-nosync" in self.name else command
        else:
            extra = f'ca_file = "{cert}"\n' if cert else ""
            extra += 'max_delete = "100%"' if self.proto == "imap" else ""
            values.update(proto=self.proto, tls="implicit" if cert else "none", extra=extra.strip())
            text, command = MAILFERRY, [self.program, "-c", config, "run"]
        for part in ("cur", "new", "tmp") if self.name.startswith("mpop") else ():
            (job.mail / "INBOX" / part).mkdir(parents=True, exist_ok=True)
        config.write_text(text.format(**values))
        config.chmod(0o600)
        return command


def find(mailferry):
    """The tools of this machine, ours first."""
    mbsync, mpop = shutil.which("mbsync"), shutil.which("mpop")
    tools = [Tool("mailferry", proto, mailferry) for proto in ("imap", "pop3")] if mailferry else []
    tools += [Tool(n, "imap", mbsync) for n in ("mbsync", "mbsync-nz", "mbsync-nz-nosync") if mbsync]
    tools += [Tool(n, "pop3", mpop) for n in ("mpop", "mpop-nosync") if mpop and ("-" not in n or shutil.which("eatmydata"))]
    return tools + [Tool(name, "imap", "") for name in LIMITS] + [Tool("drain", "pop3", "")]


class Job:
    """One tool with a directory and a user of its own."""

    def __init__(self, tool, directory, user):
        self.tool, self.dir, self.user, self.mail = tool, directory, user, directory / "mail"
        self.mail.mkdir(parents=True)
        self.inbox = self.mail / "INBOX"

    def run(self, port, cert=None):
        """Seconds, processor seconds (user and system, with what it started) and peak memory in MB; the tool must succeed."""
        command, peak = self.tool.prepare(self, port, cert), [0]
        with open(self.dir / "log", "ab") as log:
            begin = time.perf_counter()
            process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={**os.environ, "HOME": str(self.dir)})
            watcher = threading.Thread(target=watch, args=(process, peak))
            watcher.start()
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            watcher.join()
        if process.returncode:
            log = (self.dir / "log").read_text()[-2000:]
            raise SystemExit(f"{self.tool.name} ended with {process.returncode}:\n{log}")
        return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": peak[0] / 1024}


def watch(process, peak):
    """The kernel's high-water mark of the tool's process, read every 10 ms: what `wait4` tells includes the one that forked."""
    while process.returncode is None:
        try:
            with open(f"/proc/{process.pid}/status") as status:
                peak[0] = max([peak[0]] + [int(line.split()[1]) for line in status if line.startswith("VmHWM")])
        except (OSError, ProcessLookupError):
            return
        time.sleep(0.01)


def drain(proto, port, user, maildir=None):
    if proto == "pop3":
        return drain_pop3(port, user)
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"1 LOGIN {user} x\r\n2 EXAMINE INBOX\r\n3 FETCH 1:* (UID FLAGS BODY.PEEK[])\r\n".encode())
        if maildir:
            return write(line.makefile("rb", 1 << 20), maildir)
        buffer, end = bytearray(1 << 20), b""
        while b"\r\n3 OK" not in end:
            count = line.recv_into(buffer)
            end = (end + buffer[max(0, count - 200):count])[-200:]
            if not count:
                sys.exit("the server closed the connection")


def drain_pop3(port, user):
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(f"USER {user}\r\nPASS x\r\nSTAT\r\n".encode())
        answers = line.makefile("rb")
        count = int([answers.readline() for _ in range(4)][-1].split()[1])
        asking = threading.Thread(target=line.sendall, args=(b"".join(b"RETR %d\r\n" % (i + 1) for i in range(count)) + b"QUIT\r\n",))
        asking.start()
        buffer = bytearray(1 << 20)
        while answers.readinto(buffer):
            pass
        asking.join()


def write(stream, maildir):
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{maildir}/{part}")
    for number, text in enumerate(iter(stream.readline, b"")):
        if literal := re.search(rb"{(\d+)}\r\n$", text):
            with open(f"{maildir}/tmp/{number}", "wb") as file:
                file.write(stream.read(int(literal[1])).replace(b"\r\n", b"\n"))
            os.rename(f"{maildir}/tmp/{number}", f"{maildir}/cur/{number}")
        elif text.startswith(b"3 "):
            return subprocess.run(["sync", "-f", maildir], check=True)
    sys.exit("the server closed the connection")


if __name__ == "__main__":
    drain(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
