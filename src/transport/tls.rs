//! TLS 1.2 or newer by the system's library: trust, pins, client certificates, and what to say when it fails.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use native_tls::{HandshakeError, Protocol, TlsConnector, TlsStream};

use super::certificate::fingerprint;
use super::error::CertificateFailure;
use super::socket::Socket;
use super::wait::Limits;
use super::{Certificate, Error, identity};
use crate::account::Endpoint;
use crate::mail::text::clean_bytes;
use crate::stop::Stop;

/// How a handshake went wrong.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not by the certificate.
    Other(Error),
    /// By the certificate, which another connection can read for the message.
    Certificate(Box<CertificateFailure>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// How long a connector serves new connections: loading the system's roots costs more than a handshake, but `watch` must see
/// roots that are replaced.
const SERVES: Duration = Duration::from_secs(60);

/// A connector, when it was made, and the settings that it was made from: whether there is a pin, and `ca_file`.
type Made = (TlsConnector, Instant, (bool, Option<PathBuf>));

static LAST: Mutex<Option<Made>> = Mutex::new(None);

/// What verifies a server as the profile says: the pin alone where there is one, else the system's trust, `ca_file`
/// and the host's name.
pub(super) fn connector(endpoint: &Endpoint, stop: &Stop) -> Result<TlsConnector, Error> {
    if endpoint.client_cert.is_some() {
        return new_connector(endpoint, stop);
    }
    let settings = (endpoint.fingerprint.is_some(), endpoint.ca_file.clone());
    // Held while one is made: the connections of one account begin together.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((connector, made, of)) = last.as_ref()
        && *of == settings
        && made.elapsed() < SERVES
    {
        return Ok(connector.clone());
    }
    let connector = new_connector(endpoint, stop)?;
    *last = Some((connector.clone(), Instant::now(), settings));
    Ok(connector)
}

fn new_connector(endpoint: &Endpoint, stop: &Stop) -> Result<TlsConnector, Error> {
    let mut builder = TlsConnector::builder();
    builder.min_protocol_version(Some(Protocol::Tlsv12));
    if endpoint.fingerprint.is_some() {
        // The pin is compared in `handshake`, before any byte of ours is sent.
        builder.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
    }
    if let Some(path) = &endpoint.ca_file {
        let fix = "put the PEM file of the authority there, or correct ca_file";
        let setting = |why: String| Error::Setting { key: "ca_file", path: path.clone(), why, fix: fix.to_owned() };
        let pem = fs::read(path).map_err(|error| setting(error.to_string()))?;
        let roots = native_tls::Certificate::stack_from_pem(&pem).map_err(|error| setting(error.to_string()))?;
        if roots.is_empty() {
            return Err(setting("it holds no PEM certificate".to_owned()));
        }
        for root in roots {
            builder.add_root_certificate(root);
        }
    }
    if let Some(identity) = identity::identity(endpoint, stop)? {
        builder.identity(identity);
    }
    builder.build().map_err(|error| Error::Tls { peer: peer(endpoint), why: error.to_string() })
}

/// What accepts any certificate: only to read it, never to send anything.
pub(super) fn blind_connector(endpoint: &Endpoint) -> Result<TlsConnector, Error> {
    TlsConnector::builder()
        .min_protocol_version(Some(Protocol::Tlsv12))
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .build()
        .map_err(|error| Error::Tls { peer: peer(endpoint), why: error.to_string() })
}

/// `host:port` for messages.
pub(super) fn peer(endpoint: &Endpoint) -> String {
    if endpoint.host.contains(':') && !endpoint.host.starts_with('[') {
        return format!("[{}]:{}", endpoint.host, endpoint.port);
    }
    format!("{}:{}", endpoint.host, endpoint.port)
}

/// Shakes hands over `socket` and compares the pin, if there is one. Waits within `limits`.
pub(super) fn handshake(
    connector: &TlsConnector,
    endpoint: &Endpoint,
    mut socket: Socket,
    limits: &Limits,
) -> Result<TlsStream<Socket>, Failure> {
    let first = socket.keep_first();
    let host = endpoint.host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    let mut progress = connector.connect(host, socket);
    let stream = loop {
        match progress {
            Ok(stream) => break stream,
            Err(HandshakeError::WouldBlock(middle)) => {
                let socket = middle.get_ref();
                limits.wait(&[(socket.fd(), socket.wanted())])?;
                progress = middle.handshake();
            }
            Err(HandshakeError::Failure(error)) => {
                return Err(match clear_text(&first.bytes()) {
                    Some(greeting) => Failure::Other(Error::PlainPort { peer: peer(endpoint), greeting }),
                    None => failed(endpoint, &error),
                });
            }
        }
    };
    if let Some(pin) = endpoint.fingerprint {
        let seen = certificate(&stream);
        if seen.as_ref().is_none_or(|seen| seen.sha256 != pin) {
            return Err(Failure::Certificate(Box::new(CertificateFailure {
                peer: peer(endpoint),
                host: endpoint.host.clone(),
                pin: Some(pin),
                why: format!("its fingerprint is not {}", fingerprint(&pin)),
                certificate: seen,
            })));
        }
    }
    Ok(stream)
}

/// The server's certificate.
pub(super) fn certificate(stream: &TlsStream<Socket>) -> Option<Certificate> {
    let der = stream.peer_certificate().ok()??.to_der().ok()?;
    Some(Certificate::read(&der))
}

fn failed(endpoint: &Endpoint, error: &native_tls::Error) -> Failure {
    let text = error.to_string();
    let peer = peer(endpoint);
    if text.contains("certificate verify failed") {
        // "error:…:certificate verify failed:… (the reason)"
        let why = text.rsplit_once('(').map_or(text.as_str(), |(_, why)| why.trim_end_matches(')'));
        return Failure::Certificate(Box::new(CertificateFailure {
            peer,
            host: endpoint.host.clone(),
            pin: None,
            why: clean_bytes(why.as_bytes()),
            certificate: None,
        }));
    }
    if let Some(why) = identity::refusal(&text) {
        return Failure::Other(Error::ClientCertificate { peer, why });
    }
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let why = match source {
        Some(source) => source.to_string(),
        None => short(&text),
    };
    Failure::Other(Error::Tls { peer, why })
}

/// OpenSSL's `error:0A00010B:SSL routines:ssl3_get_record:wrong version number:file.c:354:` without what only its
/// authors understand.
fn short(text: &str) -> String {
    let reason = text.split(':').nth(4).filter(|_| text.starts_with("error:"));
    clean_bytes(reason.unwrap_or(text).as_bytes())
}

/// What a server that speaks no TLS said, if that is what `first`, the first bytes of its answer to our hello, are.
pub(super) fn clear_text(first: &[u8]) -> Option<String> {
    let start = first.get(..4)?;
    let printable = start.iter().all(|&byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\r' | b'\n'));
    printable.then(|| clean_bytes(first))
}

/// Whether `first` are the first bytes of a TLS record: an alert or a handshake of any version (RFC 8446 §5.1).
pub(super) fn looks_like_tls(first: &[u8]) -> bool {
    matches!(first, [0x15 | 0x16, 0x03, 0..=4, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_text_and_tls_are_told_apart() {
        assert_eq!(clear_text(b"* OK [CAP\x1b] hi").as_deref(), Some("* OK [CAP\u{fffd}] hi"));
        assert_eq!(clear_text(b"+OK"), None);
        assert_eq!(clear_text(b"\x16\x03\x03\x00\x7a"), None);
        assert!(looks_like_tls(b"\x15\x03\x01\x00\x02") && !looks_like_tls(b"* OK"));
    }

    #[test]
    fn the_librarys_words_are_shortened() {
        let long = "error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../ssl/record/ssl3_record.c:354:";
        assert_eq!(short(long), "wrong version number");
        assert_eq!(short("odd"), "odd");
    }
}
