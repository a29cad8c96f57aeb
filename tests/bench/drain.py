"""The limit: asks for everything in one flight and throws it away. drain.py PORT USER"""
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as line:
    line.sendall(f"1 LOGIN {sys.argv[2]} x\r\n2 EXAMINE INBOX\r\n3 FETCH 1:* (UID FLAGS BODY.PEEK[])\r\n".encode())
    buffer, end = bytearray(1 << 20), b""
    while b"\r\n3 OK" not in end:
        count = line.recv_into(buffer)
        if not count:
            sys.exit("the server closed the connection")
        end = (end + buffer[max(0, count - 200):count])[-200:]
