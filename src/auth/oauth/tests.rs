//! Against a scripted authorization server.
