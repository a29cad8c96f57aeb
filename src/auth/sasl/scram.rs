//! PURE: SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), with and without channel binding.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::SaslError;
use super::coding::{decode, encode};
use crate::auth::Secret;
use crate::mail::text::clean_bytes;

/// Fewer iterations would let the server find the password offline; more would let it keep us busy.
const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=600_000;

/// The hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

#[derive(Debug)]
enum Stage {
    First,
    Proof { server_signature: Vec<u8> },
    Proved,
}

/// One exchange.
#[derive(Debug)]
pub(super) struct Scram {
    hash: Hash,
    /// `p=tls-server-end-point,,`, `y,,` or `n,,`.
    header: &'static str,
    binding: Vec<u8>,
    first_bare: String,
    nonce: String,
    stage: Stage,
}

/// 18 random bytes in base64.
pub(super) fn nonce() -> Option<String> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes).ok()?;
    Some(encode(&bytes))
}

impl Scram {
    /// `binding` is what the connection has; without `plus` it only tells the server that we could have used it, so
    /// that somebody who hides the server's offer is noticed (RFC 5802 §6).
    pub(super) fn new(
        hash: Hash,
        plus: bool,
        user: &str,
        binding: Option<&[u8]>,
        nonce: String,
    ) -> Result<Self, SaslError> {
        let (header, binding) = match (plus, binding) {
            (true, Some(binding)) => ("p=tls-server-end-point,,", binding.to_vec()),
            (true, None) => return Err(SaslError::Unfit("SCRAM with channel binding")),
            (false, Some(_)) => ("y,,", Vec::new()),
            (false, None) => ("n,,", Vec::new()),
        };
        let user = prepared(user.as_bytes());
        let user = String::from_utf8_lossy(&user).replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={user},r={nonce}");
        Ok(Self { hash, header, binding, first_bare, nonce, stage: Stage::First })
    }

    /// client-first-message.
    pub(super) fn first(&self) -> Vec<u8> {
        format!("{}{}", self.header, self.first_bare).into_bytes()
    }

    pub(super) fn is_proved(&self) -> bool {
        matches!(self.stage, Stage::Proved)
    }

    /// The answer to server-first-message or server-final-message.
    pub(super) fn step(&mut self, message: &[u8], secret: &Secret, name: &'static str) -> Result<Vec<u8>, SaslError> {
        match &self.stage {
            Stage::First => self.prove(message, secret, name),
            Stage::Proof { server_signature } => {
                if let Some(why) = message.strip_prefix(b"e=") {
                    return Err(SaslError::Refused { mechanism: name, why: clean_bytes(why) });
                }
                let value = message.strip_prefix(b"v=").map(|rest| rest.split(|&byte| byte == b',').next());
                let given = value.flatten().and_then(decode).ok_or(SaslError::Unproved(name))?;
                if !equal(&given, server_signature) {
                    return Err(SaslError::Unproved(name));
                }
                self.stage = Stage::Proved;
                Ok(Vec::new())
            }
            Stage::Proved => Err(SaslError::Unexpected(name)),
        }
    }

    fn prove(&mut self, message: &[u8], secret: &Secret, name: &'static str) -> Result<Vec<u8>, SaslError> {
        let malformed = |why| SaslError::Malformed { mechanism: name, why };
        let text = std::str::from_utf8(message).map_err(|_| malformed("it is not UTF-8"))?;
        if let Some(why) = text.strip_prefix("e=") {
            return Err(SaslError::Refused { mechanism: name, why: crate::mail::text::clean(why) });
        }
        let mut fields = text.split(',');
        let mut field = |key: &str| fields.next().and_then(|field| field.strip_prefix(key));
        // A mandatory extension (`m=`) stands first: then `r=` is missing, as RFC 5802 §5.1 wants.
        let nonce = field("r=").ok_or_else(|| malformed("it has no nonce"))?;
        let salt = field("s=").and_then(|salt| decode(salt.as_bytes())).ok_or_else(|| malformed("it has no salt"))?;
        let iterations =
            field("i=").and_then(|count| count.parse().ok()).ok_or_else(|| malformed("it has no count"))?;
        if nonce.len() <= self.nonce.len() || !nonce.starts_with(&self.nonce) {
            return Err(malformed("its nonce does not begin with ours"));
        }
        if salt.is_empty() {
            return Err(malformed("its salt is empty"));
        }
        if !ITERATIONS.contains(&iterations) {
            return Err(malformed("its iteration count is below 4096 or above 600000"));
        }
        let binding = encode(&[self.header.as_bytes(), &self.binding].concat());
        let without_proof = format!("c={binding},r={nonce}");
        let signed = format!("{},{text},{without_proof}", self.first_bare);
        let salted = self.hash.salted(&prepared(secret.expose()), &salt, iterations);
        let client_key = Zeroizing::new(self.hash.mac(&salted, b"Client Key"));
        let signature = self.hash.mac(&self.hash.digest(&client_key), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, sign)| key ^ sign).collect();
        let server_signature = self.hash.mac(&self.hash.mac(&salted, b"Server Key"), signed.as_bytes());
        self.stage = Stage::Proof { server_signature };
        Ok(format!("{without_proof},p={}", encode(&proof)).into_bytes())
    }
}

impl Hash {
    fn mac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Vec<u8> {
            // HMAC takes keys of every length; the other branch is unreachable and would only fail the login.
            M::new_from_slice(key)
                .map(|mac| mac.chain_update(data).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        }
        match self {
            Self::Sha1 => run::<Hmac<Sha1>>(key, data),
            Self::Sha256 => run::<Hmac<Sha256>>(key, data),
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
        }
    }

    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(vec![0; if self == Self::Sha1 { 20 } else { 32 }]);
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out),
        }
        out
    }
}

/// SASLprep (RFC 4013) for text beyond ASCII; what it refuses goes as it is, and the server decides.
fn prepared(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii());
    let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
    Zeroizing::new(prepared.map_or_else(|| bytes.to_vec(), |text| text.into_owned().into_bytes()))
}

/// Equality in a time that does not depend on where the difference is.
fn equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (l, r)| sum | (l ^ r)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Vector {
        hash: Hash,
        nonce: &'static str,
        first: &'static str,
        challenge: &'static str,
        answer: &'static str,
        verifier: &'static str,
    }

    const RFC_5802: Vector = Vector {
        hash: Hash::Sha1,
        nonce: "fyko+d2lbbFgONRv9qkxdawL",
        first: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        challenge: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        answer: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        verifier: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
    };
    const RFC_7677: Vector = Vector {
        hash: Hash::Sha256,
        nonce: "rOprNGfwEbeRWgbNEkqO",
        first: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        challenge: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        answer: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        verifier: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    };

    fn begin(vector: &Vector) -> Scram {
        Scram::new(vector.hash, false, "user", None, vector.nonce.to_owned()).unwrap()
    }

    fn pencil() -> Secret {
        Secret::new(b"pencil".to_vec())
    }

    #[test]
    fn the_rfcs_examples() {
        for vector in [RFC_5802, RFC_7677] {
            let mut scram = begin(&vector);
            assert_eq!(String::from_utf8(scram.first()).unwrap(), vector.first);
            let answer = scram.step(vector.challenge.as_bytes(), &pencil(), "SCRAM").unwrap();
            assert_eq!(String::from_utf8(answer).unwrap(), vector.answer);
            assert!(!scram.is_proved());
            assert_eq!(scram.step(vector.verifier.as_bytes(), &pencil(), "SCRAM").unwrap(), b"");
            assert!(scram.is_proved());
            assert_eq!(scram.step(b"", &pencil(), "SCRAM"), Err(SaslError::Unexpected("SCRAM")));
        }
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        for end in ["v=rmF9pqV8S7suAoZWja4dJRkFsKA=", "v=", "", "x"] {
            let mut scram = begin(&RFC_5802);
            scram.step(RFC_5802.challenge.as_bytes(), &pencil(), "S").unwrap();
            assert_eq!(scram.step(end.as_bytes(), &pencil(), "S"), Err(SaslError::Unproved("S")), "{end}");
        }
        let mut scram = begin(&RFC_5802);
        scram.step(RFC_5802.challenge.as_bytes(), &pencil(), "S").unwrap();
        let refused = scram.step(b"e=invalid-proof", &pencil(), "S");
        assert_eq!(refused, Err(SaslError::Refused { mechanism: "S", why: "invalid-proof".to_owned() }));
    }

    #[test]
    fn bad_challenges_are_refused() {
        let nonce = RFC_5802.nonce;
        for bad in [
            String::new(),
            "m=ext,r=x,s=QQ==,i=4096".to_owned(),
            format!("r={nonce},s=QQ==,i=4096"),
            "r=another,s=QQ==,i=4096".to_owned(),
            format!("r={nonce}x,s=,i=4096"),
            format!("r={nonce}x,s=QQ==,i=4095"),
            format!("r={nonce}x,s=QQ==,i=4294967295"),
            format!("r={nonce}x,s=QQ==,i=-1"),
            format!("r={nonce}x,s=QQ=="),
        ] {
            let refused = begin(&RFC_5802).step(bad.as_bytes(), &pencil(), "S");
            assert!(matches!(refused, Err(SaslError::Malformed { .. })), "{bad}: {refused:?}");
        }
    }

    #[test]
    fn the_binding_is_part_of_the_proof() {
        let plus = Scram::new(Hash::Sha256, true, "a=b,c", Some(b"hash"), "N".to_owned()).unwrap();
        assert_eq!(plus.first(), b"p=tls-server-end-point,,n=a=3Db=2Cc,r=N");
        let mut plus = plus;
        let answer = plus.step(b"r=Nx,s=QQ==,i=4096", &pencil(), "S").unwrap();
        let expected = format!("c={},r=Nx,p=", encode(b"p=tls-server-end-point,,hash"));
        assert!(answer.starts_with(expected.as_bytes()));
        assert!(Scram::new(Hash::Sha256, true, "u", None, "N".to_owned()).is_err());
        let could = Scram::new(Hash::Sha256, false, "u", Some(b"hash"), "N".to_owned()).unwrap();
        assert!(could.first().starts_with(b"y,,"));
    }

    #[test]
    fn text_beyond_ascii_is_prepared() {
        assert_eq!(prepared("I\u{ad}Xü".as_bytes()).as_slice(), "IXü".as_bytes());
        assert_eq!(prepared("\u{fb01}ü".as_bytes()).as_slice(), "fiü".as_bytes());
        assert_eq!(prepared(b"\xff\xfe").as_slice(), b"\xff\xfe");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = begin(&RFC_5802).step(&bytes, &pencil(), "S");
        }
    }
}
