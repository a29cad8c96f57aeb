//! The client's certificate: a PKCS #12 file and its password become an identity, or words that say what is wrong.

use std::fs;
use std::path::Path;

use native_tls::Identity;

use super::Error;
use crate::account::{CommandLine, Endpoint};
use crate::auth::command::{self, first_line};
use crate::stop::Stop;

const KEY: &str = "client_cert";

/// Reads the identity of the key `client_cert`, if there is one; its password comes from `client_cert_password_command`, else it is
/// empty.
pub(super) fn identity(endpoint: &Endpoint, stop: &Stop) -> Result<Option<Identity>, Error> {
    let Some((path, command)) = &endpoint.client_cert else { return Ok(None) };
    let der = fs::read(path).map_err(|error| {
        let fix = "put the file there, or correct client_cert";
        Error::Setting { key: KEY, path: path.clone(), why: error.to_string(), fix: fix.to_owned() }
    })?;
    let der = zeroize::Zeroizing::new(der);
    let password = command.as_ref().map(|command| first_line(command, endpoint.timeout, stop)).transpose();
    let password = password.map_err(|error| {
        if matches!(error, command::Error::Stopped) {
            return Error::Stopped;
        }
        let fix = "run client_cert_password_command by hand: the first line of its output must be the password";
        let why = format!("client_cert_password_command {error}");
        Error::Setting { key: KEY, path: path.clone(), why, fix: fix.to_owned() }
    })?;
    let text = match &password {
        Some(secret) => secret.expose_str().ok_or_else(|| {
            let fix = "export the file with a password that is UTF-8".to_owned();
            Error::Setting { key: KEY, path: path.clone(), why: "its password is not UTF-8".to_owned(), fix }
        })?,
        None => "",
    };
    Identity::from_pkcs12(&der, text).map(Some).map_err(|error| refused(path, command.as_ref(), &error.to_string()))
}

/// What OpenSSL's complaint about the file means.
fn refused(path: &Path, command: Option<&CommandLine>, complaint: &str) -> Error {
    let (why, fix) = if complaint.contains("mac verify") {
        match command {
            None => (
                "it has a password".to_owned(),
                "set client_cert_password_command to a command that prints its password".to_owned(),
            ),
            Some(_) => (
                "its password is another than client_cert_password_command prints".to_owned(),
                "run client_cert_password_command by hand: the first line of its output must be the password"
                    .to_owned(),
            ),
        }
    } else if complaint.contains("unsupported") {
        (
            "it is encrypted with an old cipher that OpenSSL refuses".to_owned(),
            format!(
                "write it anew: openssl pkcs12 -legacy -in {0} -nodes -out id.pem; openssl pkcs12 -export -in id.pem -out NEW.p12; \
                 then remove id.pem and set client_cert to the new file",
                crate::mail::text::clean(&path.display().to_string())
            ),
        )
    } else {
        (
            "it is no PKCS #12 file".to_owned(),
            "make one of certificate and key: openssl pkcs12 -export -in CERT.pem -inkey KEY.pem -out NEW.p12"
                .to_owned(),
        )
    };
    Error::Setting { key: KEY, path: path.to_owned(), why, fix }
}

/// What the server says against our certificate, or against our having none, where `words` are OpenSSL's for an alert that is about that
/// (RFC 8446 §6.2).
pub(super) fn refusal(words: &str) -> Option<&'static str> {
    let (_, number) = words.rsplit_once("SSL alert number ")?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(match digits.parse::<u8>().ok()? {
        42 => "it is damaged, or not signed as the server wants it",
        43 => "it is of a kind that the server does not take",
        44 => "it was revoked",
        45 => "it has expired",
        46 => "the server does not say why",
        48 => "the server does not know who signed it",
        49 => "it gives no access",
        51 => "its signature is wrong",
        116 => "the server wants one",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::severity::{Kind, Severity as _};

    #[test]
    fn complaints_are_told_apart_and_name_what_to_do() {
        let path = Path::new("/home/me/id.p12");
        let told = |command: Option<&CommandLine>, complaint: &str| {
            let error = refused(path, command, complaint);
            assert_eq!(error.kind(), Kind::Config);
            (error.to_string(), error.hint().unwrap())
        };
        let mac = "error:11800071:PKCS12 routines:PKCS12_parse:mac verify failure:../crypto/pkcs12/p12_kiss.c:67:";
        let (text, hint) = told(None, mac);
        assert_eq!(text, "client_cert = \"/home/me/id.p12\": it has a password");
        assert!(hint.starts_with("set client_cert_password_command"), "{hint}");
        let (text, hint) = told(Some(&CommandLine::Shell("echo x".to_owned())), mac);
        assert!(text.contains("another than") && hint.contains("by hand"), "{text} {hint}");
        let old = "error:0308010C:digital envelope routines:inner_evp_generic_fetch:unsupported:../crypto/evp/evp_fetch.c:373:";
        let (text, hint) = told(None, old);
        assert!(
            text.contains("old cipher") && hint.contains("openssl pkcs12 -legacy -in /home/me/id.p12"),
            "{text} {hint}"
        );
        let (text, _) = told(None, "error:0680009B:asn1 encoding routines:asn1_get_object:too long");
        assert!(text.contains("no PKCS #12"), "{text}");
    }

    #[test]
    fn alerts_about_our_certificate_are_known() {
        let alert = "error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../ssl/record/rec_layer_s3.c:1590:SSL alert number 116";
        assert_eq!(refusal(alert), Some("the server wants one"));
        assert_eq!(refusal("error:…:sslv3 alert handshake failure:…:SSL alert number 40"), None);
        assert_eq!(refusal("connection reset"), None);
    }
}
