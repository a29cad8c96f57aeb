"""A TCP proxy on loopback that makes the line longer, and counts: latency.py TARGET_PORT

Every byte arrives half a round trip after it was sent, however many are under way, so pipelining costs what it costs on
a real line. Opening a connection costs what TCP's handshake would. Prints its port. Each line of stdin is the round trip
for connections from now on, in milliseconds, and is answered by the counters since the last one, as JSON: bytes `down` and
`up`, `turns` (how often a client spoke after the server had), `connections`.
"""
import json
import socket
import sys
import threading
import time
from collections import deque

CHUNK, IN_FLIGHT = 1 << 18, 1 << 26
ZERO = {"down": 0, "up": 0, "turns": 0, "connections": 0}
counters, round_trip, lock = dict(ZERO), [0.0], threading.Lock()


class Direction:
    """One direction of one connection: `take` reads and notes when each chunk is due, `give` writes it then."""

    def __init__(self, source, sink, name, delay, opened, talk):
        self.source, self.sink, self.name, self.delay, self.opened, self.talk = source, sink, name, delay, opened, talk
        self.pending, self.size, self.changed = deque(), 0, threading.Condition()
        for work in (self.take, self.give):
            threading.Thread(target=work, daemon=True).start()

    def take(self):
        data = b"?"
        while data:
            try:
                data = self.source.recv(CHUNK)
            except OSError:
                data = b""
            with lock:
                counters[self.name] += len(data)
                counters["turns"] += bool(data and self.name == "up" != self.talk[0])
            self.talk[0] = self.name if data else self.talk[0]
            due = max(time.monotonic(), self.opened) + self.delay
            with self.changed:
                self.changed.wait_for(lambda: self.size < IN_FLIGHT)
                self.pending.append((due, data))
                self.size += len(data)
                self.changed.notify_all()

    def give(self):
        data = b"?"
        while data:
            with self.changed:
                self.changed.wait_for(lambda: self.pending)
                due, data = self.pending.popleft()
                self.size -= len(data)
                self.changed.notify_all()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                self.sink.sendall(data) if data else self.sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # The other end is gone; what is still coming is dropped.


def serve(client, target, rtt):
    # A client could send after one round trip; the server would see the connection half a round trip later.
    accepted = time.monotonic()
    time.sleep(1.5 * rtt)
    server = socket.create_connection(("127.0.0.1", target))
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    talk = ["down"]
    Direction(client, server, "up", rtt / 2, accepted + rtt, talk)
    Direction(server, client, "down", rtt / 2, 0, talk)


def accept(listener, target):
    while True:
        client, _ = listener.accept()
        with lock:
            counters["connections"] += 1
        threading.Thread(target=serve, args=(client, target, round_trip[0]), daemon=True).start()


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=accept, args=(listener, int(sys.argv[1])), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        with lock:
            round_trip[0] = float(line) / 1000
            print(json.dumps(counters), flush=True)
            counters.update(ZERO)
