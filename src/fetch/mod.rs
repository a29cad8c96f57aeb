//! One way, server to Maildir.
