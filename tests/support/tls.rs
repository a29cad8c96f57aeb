//! A throwaway certificate authority and the certificates it signs.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// An authority nobody trusts unless told to.
pub struct Authority {
    /// Its own certificate.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub cert_pem: String,
    pub key_pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "mailferry test authority");
        let key = KeyPair::generate().expect("key");
        let pem = params.self_signed(&key).expect("signature").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these host names and addresses.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_valid(names, (1975, 4096))
    }

    /// The same, valid from the first day of one year to the first day of another.
    pub fn issue_valid(&self, names: &[&str], (from, to): (i32, i32)) -> Certificate {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names.clone()).expect("parameters");
        if let Some(first) = names.first() {
            params.distinguished_name.push(DnType::CommonName, first.as_str());
        }
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let key = KeyPair::generate().expect("key");
        let cert_pem = params.signed_by(&key, &self.issuer).expect("signature").pem();
        Certificate { cert_pem, key_pem: key.serialize_pem() }
    }
}

impl Certificate {
    /// A certificate that nobody but itself signed.
    pub fn self_signed(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().expect("key");
        let params = CertificateParams::new(names).expect("parameters");
        let cert_pem = params.self_signed(&key).expect("signature").pem();
        Self { cert_pem, key_pem: key.serialize_pem() }
    }

    /// The pin of this certificate as `tls_fingerprint` takes it.
    pub fn pin(&self) -> String {
        let body: String = self.cert_pem.lines().filter(|l| !l.starts_with("---")).collect();
        let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).expect("base64");
        let digest = <sha2::Sha256 as sha2::Digest>::digest(der);
        let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        format!("sha256:{hex}")
    }

    /// The same as an identity that a TLS acceptor takes.
    pub fn identity(&self) -> native_tls::Identity {
        native_tls::Identity::from_pkcs8(self.cert_pem.as_bytes(), self.key_pem.as_bytes()).expect("identity")
    }
}
