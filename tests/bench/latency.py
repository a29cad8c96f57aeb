#!/usr/bin/env python3
"""A TCP proxy on loopback that makes the line longer, and counts: latency.py TARGET_PORT

Every byte arrives half a round trip after it was sent, however many are under way, so pipelining costs what it costs on
a real line. Opening a connection costs what TCP's handshake would: nothing that the client sends leaves before one
round trip has passed, and the server sees the connection half a round trip later. Prints its port. Each line of its
stdin is the round trip from now on, in milliseconds, and is answered by the counters since the last one, as JSON: `down`,
`up` (bytes), `turns` (how often a client spoke after the server had) and `connections`.
"""
import json
import socket
import sys
import threading
import time
from collections import deque

CHUNK, IN_FLIGHT = 1 << 18, 1 << 26
ZERO = {"down": 0, "up": 0, "turns": 0, "connections": 0}
counters, round_trip = dict(ZERO), [0.0]
lock = threading.Lock()


class Line:
    """One direction of one connection."""

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
                if data and self.talk[0] != self.name:
                    counters["turns"] += self.name == "up"
                    self.talk[0] = self.name
            due = max(time.monotonic(), self.opened) + self.delay
            with self.changed:
                self.changed.wait_for(lambda: self.size < IN_FLIGHT)
                self.pending.append((due, data))
                self.size += len(data)
                self.changed.notify_all()

    def give(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.pending)
                due, data = self.pending.popleft()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    return self.sink.shutdown(socket.SHUT_WR)
                self.sink.sendall(data)
            except OSError:
                # The other end is gone; what is still coming is dropped.
                pass
            with self.changed:
                self.size -= len(data)
                self.changed.notify_all()


def serve(client, target, rtt):
    accepted = time.monotonic()
    time.sleep(1.5 * rtt)
    server = socket.create_connection(("127.0.0.1", target))
    for end in (client, server):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    talk = ["down"]
    Line(client, server, "up", rtt / 2, accepted + rtt, talk)
    Line(server, client, "down", rtt / 2, 0, talk)


def accept(listener, target):
    while True:
        client, _ = listener.accept()
        with lock:
            counters["connections"] += 1
        threading.Thread(target=serve, args=(client, target, round_trip[0]), daemon=True).start()


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=accept, args=(listener, int(sys.argv[1])), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        with lock:
            round_trip[0] = float(line) / 1000
            print(json.dumps(counters), flush=True)
            counters.update(ZERO)


if __name__ == "__main__":
    main()
