//! What goes wrong with a connection, and what that means.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::certificate::Certificate;
use crate::severity::{Kind, Retry, Scope, Severity};

/// A connection's failure. `peer` is `host:port`, or what stands for it. After any of these the connection is useless.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host's name has no address.
    #[error("cannot find the address of {host}: {why}")]
    Resolve {
        /// The name looked for.
        host: String,
        /// The resolver's words.
        why: String,
    },
    /// No address of the host took the connection.
    #[error("cannot connect to {peer}: {why}")]
    Connect {
        /// The peer.
        peer: String,
        /// The system's words for the last address tried.
        why: io::Error,
    },
    /// The connection broke.
    #[error("the connection to {peer} broke: {why}")]
    Broken {
        /// The peer.
        peer: String,
        /// The system's words.
        why: io::Error,
    },
    /// The peer closed the connection while more was expected.
    #[error("{peer} closed the connection")]
    Closed {
        /// The peer.
        peer: String,
    },
    /// No byte came or could be sent for the account's `timeout`.
    #[error("{peer} did not answer for {} s", .after.as_secs_f32().ceil())]
    Timeout {
        /// The peer.
        peer: String,
        /// The time waited.
        after: Duration,
        /// Whether it ever sent anything.
        silent: bool,
    },
    /// A whole step took longer than allowed, though bytes kept coming.
    #[error("{peer} took too long")]
    Deadline {
        /// The peer.
        peer: String,
    },
    /// A stop was asked for.
    #[error("interrupted")]
    Stopped,
    /// The TLS handshake failed for another reason than the certificate.
    #[error("no TLS connection to {peer}: {why}")]
    Tls {
        /// The peer.
        peer: String,
        /// The library's words.
        why: String,
    },
    /// TLS was expected and the server spoke in clear.
    #[error("{peer} does not speak TLS from the first byte: it answered {greeting:?}")]
    PlainPort {
        /// The peer.
        peer: String,
        /// The start of what it said, cleaned.
        greeting: String,
    },
    /// A greeting in clear was expected and the server waits for, or speaks, TLS.
    #[error("{peer} speaks TLS from the first byte")]
    TlsPort {
        /// The peer.
        peer: String,
    },
    /// The certificate is not accepted.
    #[error("{0}")]
    Certificate(Box<CertificateFailure>),
    /// A file or command of the profile's TLS keys cannot be used.
    #[error("{key} = {path:?}: {why}")]
    Setting {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
        /// What to do about it.
        fix: String,
    },
    /// The server wants a certificate of ours and does not accept what we have.
    #[error("{peer} does not accept the client certificate: {why}")]
    ClientCertificate {
        /// The peer.
        peer: String,
        /// What its TLS alert says.
        why: &'static str,
    },
    /// The tunnel command could not be run, or ended.
    #[error("the tunnel command {what}")]
    Tunnel {
        /// What happened, with what it wrote to stderr, cleaned.
        what: String,
    },
    /// The peer sent bytes ahead of a switch (STARTTLS, COMPRESS) that must start clean: an attack or a broken server.
    #[error("{peer} sent data ahead of the {switch} handshake")]
    Ahead {
        /// The peer.
        peer: String,
        /// `TLS` or `compression`.
        switch: &'static str,
    },
    /// What came cannot be understood at this level.
    #[error("{peer}: {why}")]
    Protocol {
        /// The peer.
        peer: String,
        /// What is wrong.
        why: String,
    },
}

/// A certificate that was not accepted, with what is known about it.
#[derive(Debug)]
pub struct CertificateFailure {
    /// `host:port`.
    pub peer: String,
    /// The name that the certificate must have.
    pub host: String,
    /// The pin that it should have matched.
    pub pin: Option<[u8; 32]>,
    /// The library's words: `self-signed certificate`, `certificate has expired`, `hostname mismatch`.
    pub why: String,
    /// The certificate, if it could be read.
    pub certificate: Option<Certificate>,
}

impl std::fmt::Display for CertificateFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the certificate of {} is not accepted: {}", self.peer, self.why)?;
        if let Some(certificate) = &self.certificate {
            write!(f, " ({certificate})")?;
        }
        Ok(())
    }
}

impl CertificateFailure {
    fn hint(&self) -> String {
        let pin = self.certificate.as_ref().map(Certificate::fingerprint);
        let trust = |lead: &str| match &pin {
            Some(pin) => {
                format!("{lead} compare the fingerprint with the server's owner and set tls_fingerprint = \"{pin}\"")
            }
            None => format!("{lead} set tls_fingerprint to the certificate's fingerprint"),
        };
        if self.pin.is_some() {
            return trust("the server's certificate changed, or somebody stands in between: if it was renewed,");
        }
        if self.why.contains("expired") {
            return "the server's certificate is out of date (its owner must renew it), or this computer's clock is wrong"
                .to_owned();
        }
        if self.why.contains("not yet valid") {
            return "this computer's clock is wrong, or the certificate was made for later".to_owned();
        }
        let lower = self.why.to_ascii_lowercase();
        if lower.contains("mismatch") {
            return match self.certificate.as_ref().and_then(|c| c.names.first()) {
                Some(name) => format!("host must be a name in the certificate ({name}), not {}", self.host),
                None => format!("host must be a name in the certificate; {} is not", self.host),
            };
        }
        trust("if the server uses a private authority, set ca_file to that authority's certificate; else")
    }
}

impl Error {
    /// Whether the far side may simply be slow, gone or restarting, so that another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.retry() == Retry::Now
    }
}

impl Severity for Error {
    fn scope(&self) -> Scope {
        match self {
            Self::Stopped => Scope::Run,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::Deadline { .. }
            | Self::Tls { .. }
            | Self::PlainPort { .. }
            | Self::TlsPort { .. }
            | Self::Certificate(_)
            | Self::Setting { .. }
            | Self::ClientCertificate { .. }
            | Self::Tunnel { .. }
            | Self::Ahead { .. }
            | Self::Protocol { .. } => Scope::Account,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::Deadline { .. }
            | Self::Tunnel { .. } => Retry::Now,
            Self::Stopped => Retry::Later,
            Self::Tls { .. }
            | Self::PlainPort { .. }
            | Self::TlsPort { .. }
            | Self::Certificate(_)
            | Self::Setting { .. }
            | Self::ClientCertificate { .. }
            | Self::Ahead { .. }
            | Self::Protocol { .. } => Retry::Never,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::Deadline { .. }
            | Self::Tunnel { .. } => Kind::TryLater,
            Self::Stopped => Kind::Interrupted,
            Self::Tls { .. }
            | Self::PlainPort { .. }
            | Self::TlsPort { .. }
            | Self::Ahead { .. }
            | Self::Protocol { .. } => Kind::Protocol,
            Self::Certificate(_) | Self::ClientCertificate { .. } => Kind::Auth,
            Self::Setting { .. } => Kind::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Resolve { host, .. } => {
                Some(format!("check the spelling of host = {host:?} and the network connection"))
            }
            Self::Connect { .. } => {
                Some("check host, port and the network connection; the server may be down".to_owned())
            }
            Self::Timeout { silent: true, .. } => {
                Some("check host, port and tls: something took the connection and never said a word; ports 993 and 995 want tls = \"implicit\"".to_owned())
            }
            Self::PlainPort { .. } => Some(
                "set tls = \"starttls\" for this port, or use the port for TLS (993 for IMAP, 995 for POP3)".to_owned(),
            ),
            Self::TlsPort { .. } => Some("set tls = \"implicit\" for this port".to_owned()),
            Self::Certificate(failure) => Some(failure.hint()),
            Self::Tls { .. } => Some("mailferry needs a server with TLS 1.2 or newer; check host and port".to_owned()),
            Self::Ahead { .. } => {
                Some("somebody may be between you and the server: use the port for TLS (993, 995) instead".to_owned())
            }
            Self::Tunnel { .. } => Some("run the tunnel command by hand to see what it says".to_owned()),
            Self::Broken { .. }
            | Self::Closed { .. }
            | Self::Timeout { .. }
            | Self::Deadline { .. }
            | Self::Stopped
            | Self::Protocol { .. } => None,
            Self::Setting { fix, .. } => Some(fix.clone()),
            Self::ClientCertificate { .. } => Some(
                "set client_cert to the PKCS #12 file that the server's owner gave you, or ask them which certificates it takes"
                    .to_owned(),
            ),
        }
    }
}
