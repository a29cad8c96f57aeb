//! IMAP: one connection's protocol, from bytes to mail vocabulary.
