//! Values that all tools share, in mailferry's words: mechanisms, fingerprints, trust, ages, Maildir paths.

use super::model::{ImportedAccount, Value};

/// Bundles that are the system's own trust: naming one of them changes nothing.
const SYSTEM_BUNDLES: [&str; 10] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "system",
    "OS-DEFAULT",
];

/// Sets `ca_file`, unless `path` is the system's own bundle.
pub fn set_ca_file(account: &mut ImportedAccount, path: &str) {
    if !path.is_empty() && !SYSTEM_BUNDLES.contains(&path) {
        account.set("ca_file", path);
    }
}

/// mailferry's word for a SASL mechanism or one of the tools' own names.
#[must_use]
pub fn mechanism(name: &str) -> Option<&'static str> {
    match name.trim().to_ascii_lowercase().as_str() {
        "*" | "auto" | "any" | "on" | "password" | "user" => Some("auto"),
        "plain" => Some("plain"),
        "login" => Some("login"),
        "cram-md5" | "cram" => Some("cram-md5"),
        "scram-sha-1" => Some("scram-sha-1"),
        "scram-sha-256" => Some("scram-sha-256"),
        "xoauth2" => Some("xoauth2"),
        "oauthbearer" => Some("oauthbearer"),
        "apop" => Some("apop"),
        "external" => Some("external"),
        _ => None,
    }
}

/// Sets `auth` from a list of mechanisms; several allowed ones become `auto`, which takes the strongest.
pub fn set_auth(account: &mut ImportedAccount, line: usize, names: &[&str]) {
    let known: Vec<_> = names.iter().filter_map(|name| mechanism(name)).collect();
    for name in names.iter().filter(|name| mechanism(name).is_none()) {
        account.warn(line, format!("authentication {name} has no counterpart"));
    }
    match known.as_slice() {
        [] => {}
        ["auto"] => account.unset("auth"),
        [one] => account.set("auth", *one),
        several => {
            // A token in place of a password must not be sent with a password's mechanism.
            if let Some(token) = several.iter().find(|name| matches!(**name, "xoauth2" | "oauthbearer")) {
                account.set("auth", *token);
                account.warn(line, format!("of several authentication mechanisms {token} was taken"));
            } else {
                account.unset("auth");
                if !several.contains(&"auto") {
                    account.warn(
                        line,
                        "several authentication mechanisms: auth = \"auto\" takes the strongest the server offers",
                    );
                }
            }
        }
    }
}

/// With OAuth 2 the password command prints an access token: it becomes `oauth2.token_command`.
pub fn token_instead_of_password(account: &mut ImportedAccount) {
    if !matches!(account.text("auth"), Some("xoauth2" | "oauthbearer")) {
        return;
    }
    if let Some(command) = account.get("password_command").cloned() {
        account.unset("password_command");
        account.set("oauth2", Value::Table(vec![("token_command", command)]));
    }
}

/// Sets `tls_fingerprint` to the first SHA-256 among `fingerprints` and warns of what is left.
pub fn set_fingerprint<'a>(account: &mut ImportedAccount, line: usize, fingerprints: impl Iterator<Item = &'a str>) {
    let mut taken = false;
    for fingerprint in fingerprints.map(str::trim).filter(|text| !text.is_empty()) {
        let hex: String =
            fingerprint.chars().filter(|c| !matches!(c, ':' | ' ')).collect::<String>().to_ascii_lowercase();
        let valid = hex.chars().all(|c| c.is_ascii_hexdigit());
        match (valid, hex.len()) {
            (true, 64) if taken => {
                account.warn(line, "only one certificate fingerprint can be pinned; the first was taken")
            }
            (true, 64) => {
                account.set("tls_fingerprint", format!("sha256:{hex}"));
                taken = true;
            }
            (true, 32) => account.warn(line, fingerprint_advice("MD5")),
            (true, 40) => account.warn(line, fingerprint_advice("SHA-1")),
            _ => account.warn(line, fingerprint_advice("of this kind")),
        }
    }
}

fn fingerprint_advice(kind: &str) -> String {
    format!(
        "a certificate fingerprint {kind} is not taken over: \"mailferry check\" shows the SHA-256 for tls_fingerprint"
    )
}

/// Client certificates are PKCS #12 here and PEM in every other tool.
pub fn warn_client_certificate(account: &mut ImportedAccount, line: usize, certificate: &str) {
    account.warn(
        line,
        format!(
            "client certificate {certificate}: convert it with \"openssl pkcs12 -export -in CERT -inkey KEY -out FILE\" and set client_cert"
        ),
    );
}

/// Sets `max_size` to a number of bytes in the largest unit that divides it; 0 is no limit.
pub fn set_max_size(account: &mut ImportedAccount, bytes: u64) {
    if bytes == 0 {
        account.unset("max_size");
        return;
    }
    let units = [(1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    let text = units
        .iter()
        .find(|(unit, _)| bytes.is_multiple_of(*unit))
        .map(|(unit, name)| format!("{}{name}", bytes / unit));
    account.set("max_size", text.unwrap_or_else(|| bytes.to_string()));
}

/// A number with `k`, `m` or `g` (powers of 1024) and an optional `b`.
#[must_use]
pub fn size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, unit) = match lower.as_bytes().last()? {
        b'k' => (lower.get(..lower.len() - 1)?, 1_u64 << 10),
        b'm' => (lower.get(..lower.len() - 1)?, 1 << 20),
        b'g' => (lower.get(..lower.len() - 1)?, 1 << 30),
        _ => (lower, 1),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(unit)
}

/// Points the account at a Maildir that *is* the INBOX, as mail fetchers name it.
///
/// A path that ends in `/INBOX` is the INBOX of a nested root; any other is the root of a Maildir++.
pub fn set_inbox_path(account: &mut ImportedAccount, path: &str) {
    let path = braced_variables(path);
    let trimmed = if path.trim_matches('/').is_empty() { "/" } else { path.trim_end_matches('/') };
    match trimmed.strip_suffix("/INBOX") {
        Some(root) if !root.is_empty() => account.set("maildir", root),
        _ => {
            account.set("maildir", trimmed);
            account.set("layout", "maildir++");
        }
    }
}

/// `$NAME` as `${NAME}`, the only form that mailferry expands.
#[must_use]
pub fn braced_variables(path: &str) -> String {
    let (mut out, mut rest) = (String::new(), path);
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let length = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        let (name, tail) = after.split_at(length);
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str("${");
            out.push_str(name);
            out.push('}');
        }
        rest = tail;
    }
    out + rest
}

/// A server's folder names with the separator that mailferry's patterns use.
///
/// The tools that name folders as the server does leave `INBOX.x` behind on servers whose separator is a dot.
#[must_use]
pub fn folder_name(name: &str) -> String {
    if name.starts_with("INBOX.") && !name.contains('/') { name.replace('.', "/") } else { name.to_owned() }
}

/// The account's `host` without a port or a default name for an account without one.
#[must_use]
pub fn name_of(user: &str, host: &str) -> String {
    match (user, host) {
        ("", host) => host.to_owned(),
        (user, _) if user.contains('@') => user.to_owned(),
        (user, host) => format!("{user}@{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_taken_by_length() {
        let mut account = ImportedAccount::new("a");
        let sha256 = "AB:".repeat(31) + "CD";
        set_fingerprint(&mut account, 1, [sha256.as_str(), &"0".repeat(40)].into_iter());
        assert_eq!(account.text("tls_fingerprint"), Some(format!("sha256:{}cd", "ab".repeat(31)).as_str()));
        assert_eq!(account.notes.len(), 1);
    }

    #[test]
    fn sizes_keep_their_value() {
        for (text, bytes, ours) in
            [("200k", 204_800, "200K"), ("2MB", 2 << 20, "2M"), ("1025", 1025, "1025"), ("1g", 1 << 30, "1G")]
        {
            let mut account = ImportedAccount::new("a");
            assert_eq!(size(text), Some(bytes));
            set_max_size(&mut account, bytes);
            assert_eq!(account.text("max_size"), Some(ours));
        }
        assert_eq!(size("k"), None);
        assert_eq!(size("99999999999999999999"), None);
        assert_eq!(size(""), None);
    }

    #[test]
    fn inbox_paths() {
        let mut account = ImportedAccount::new("a");
        set_inbox_path(&mut account, "$HOME/Mail/work/INBOX/");
        assert_eq!((account.text("maildir"), account.text("layout")), (Some("${HOME}/Mail/work"), None));
        set_inbox_path(&mut account, "~/Maildir/");
        assert_eq!((account.text("maildir"), account.text("layout")), (Some("~/Maildir"), Some("maildir++")));
    }

    #[test]
    fn several_mechanisms_are_auto_but_a_token_stays_a_token() {
        let mut account = ImportedAccount::new("a");
        set_auth(&mut account, 1, &["PLAIN", "LOGIN"]);
        assert_eq!(account.get("auth"), None);
        set_auth(&mut account, 1, &["XOAUTH2", "PLAIN"]);
        account.set("password_command", "token");
        token_instead_of_password(&mut account);
        assert_eq!(account.text("auth"), Some("xoauth2"));
        assert_eq!(account.get("password_command"), None);
        assert!(matches!(account.get("oauth2"), Some(Value::Table(_))));
    }
}
