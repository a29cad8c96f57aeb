//! Ages, sizes, shares and fingerprints as people write them (SPEC §8). PURE.

use std::time::Duration;

/// The longest age: a hundred years, so that adding one to a clock cannot overflow.
const LONGEST: u64 = 36_525 * 86_400;

/// An age: a whole number with `s`, `m`, `h`, `d` or `w`.
///
/// # Errors
/// What is wrong, as the end of a sentence about the value.
pub fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "is not an age: write a whole number with s, m, h, d or w, such as \"30d\"".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let number = whole(digits).ok_or_else(wrong)?;
    match number.checked_mul(factor) {
        Some(seconds) if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        Some(_) | None => Err("is longer than a hundred years".to_owned()),
    }
}

/// A size in bytes: a whole number with `K`, `M` or `G` (powers of 1024) or none; at least 1.
///
/// # Errors
/// What is wrong, as the end of a sentence about the value.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "is not a size: write a whole number with K, M, G or nothing, such as \"25M\"".to_owned();
    let (digits, shift) = match text.chars().last() {
        Some('K') => (text.strip_suffix('K'), 10),
        Some('M') => (text.strip_suffix('M'), 20),
        Some('G') => (text.strip_suffix('G'), 30),
        Some(_) | None => (Some(text), 0),
    };
    let number = digits.and_then(whole).ok_or_else(wrong)?;
    match number.checked_mul(1 << shift) {
        Some(0) => Err("must be at least 1".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("is too large".to_owned()),
    }
}

/// A share: `0%` to `100%`.
///
/// # Errors
/// What is wrong, as the end of a sentence about the value.
pub fn percent(text: &str) -> Result<u8, String> {
    let digits = text.strip_suffix('%').and_then(whole);
    match digits.map(u8::try_from) {
        Some(Ok(share)) if share <= 100 => Ok(share),
        Some(_) => Err("is over 100%".to_owned()),
        None => Err("is not a share: write \"0%\" to \"100%\"".to_owned()),
    }
}

/// The SHA-256 of a certificate: `sha256:` and 64 hexadecimal digits, colons between them allowed.
///
/// # Errors
/// What is wrong, as the end of a sentence about the value.
pub fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let wrong = || "is not a fingerprint: write sha256: and 64 hexadecimal digits".to_owned();
    let (scheme, hex) = text.split_once(':').ok_or_else(wrong)?;
    if !scheme.eq_ignore_ascii_case("sha256") {
        return Err(wrong());
    }
    let digits: Vec<u8> = hex
        .chars()
        .filter(|&c| c != ':')
        .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0u8, |byte, digit| (byte << 4) | digit)).collect();
    if digits.len() != 64 {
        return Err(wrong());
    }
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| wrong())
}

/// A number of ASCII digits only: no sign, no blank.
fn whole(digits: &str) -> Option<u64> {
    (!digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ages() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("12h"), Ok(Duration::from_secs(43_200)));
        assert_eq!(age("4w"), Ok(Duration::from_secs(2_419_200)));
        assert_eq!(age("0s"), Ok(Duration::ZERO));
        for bad in ["", "d", "30", "-1d", "+1d", "1.5h", "1 d", "30D", "99999999999w", "18446744073709551616s", "1ü"] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("25M"), Ok(25 << 20));
        assert_eq!(size("1G"), Ok(1 << 30));
        assert_eq!(size("1K"), Ok(1024));
        assert_eq!(size("512"), Ok(512));
        for bad in ["", "M", "0", "0K", "-1", "1.5M", "25m", "25MB", "99999999999999999999", "18446744073709551615K"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares() {
        assert_eq!((percent("50%"), percent("0%"), percent("100%")), (Ok(50), Ok(0), Ok(100)));
        for bad in ["", "50", "%", "101%", "300%", "-1%", "5.5%"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprints() {
        let hex = "00ff".repeat(16);
        assert_eq!(fingerprint(&format!("sha256:{hex}")).map(|b| (b[0], b[31])), Ok((0, 255)));
        let colons = hex.as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c)).collect::<Vec<_>>().join(":");
        assert_eq!(fingerprint(&format!("SHA256:{colons}")), fingerprint(&format!("sha256:{hex}")));
        for bad in
            ["", &hex, "sha1:00", "sha256:", &format!("sha256:{hex}0"), &format!("sha256:{}", &hex[1..]), "sha256:zz"]
        {
            assert!(fingerprint(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panic(text in "\\PC{0,30}") {
            let _ = (age(&text), size(&text), percent(&text), fingerprint(&text));
        }
    }
}
