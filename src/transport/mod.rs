//! Connections: TCP, TLS, tunnels, compression, and what crosses them. The only room that opens sockets.
