//! INTERNALDATE: the moment a server received a message, as the Maildir keeps it in a file's time.

use std::fmt;

/// Seconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

/// The date (year, month, day) of a count of days from 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

impl Timestamp {
    /// Parses a `date-time` (RFC 9051 §9), leniently: one-digit days, with or without the blank before them. `None` for
    /// what names no day, such as `00-Jan-0000`.
    #[must_use]
    pub fn parse_imap(text: &str) -> Option<Self> {
        let mut parts = text.split_ascii_whitespace();
        let (date, time) = (parts.next()?, parts.next()?);
        let zone = parts.next().unwrap_or("+0000");
        let mut dmy = date.split('-');
        let day: i64 = number(dmy.next()?)?;
        let month_text = dmy.next()?;
        let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month_text))?;
        let year: i64 = number(dmy.next()?)?;
        let mut hms = time.split(':');
        let (h, m, s) = (number(hms.next()?)?, number(hms.next()?)?, number(hms.next()?)?);
        if dmy.next().is_some() || !(1..=31).contains(&day) || !(1..=9999).contains(&year) || h > 24 || m > 60 || s > 61
        {
            return None;
        }
        let days = days_from_civil(year, i64::try_from(month).ok()? + 1, day);
        Some(Self(days * 86_400 + h * 3600 + m * 60 + s - offset(zone)?))
    }

    /// The `date-time` in UTC, without quotes: `" 7-Jul-1996 02:44:25 +0000"`. Years outside 1 to 9999 become 1970.
    #[must_use]
    pub fn to_imap(self) -> String {
        let (mut days, mut second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        if !(1..=9999).contains(&civil_from_days(days).0) {
            (days, second) = (0, 0);
        }
        let (year, month, day) = civil_from_days(days);
        let name = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"Jan");
        format!("{day:2}-{name}-{year:04} {:02}:{:02}:{:02} +0000", second / 3600, second / 60 % 60, second % 60)
    }
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|c| c.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Seconds east of UTC of a zone like `-0700`.
fn offset(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    Some(sign * (number(hours)? * 3600 + number(minutes)? * 60))
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, as in `--json`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (y, m, d) = civil_from_days(days);
        write!(f, "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        assert_eq!(Timestamp::parse_imap(" 7-Jul-1996 02:44:25 -0700"), Some(Timestamp(836_732_665)));
        assert_eq!(Timestamp::parse_imap("7-jul-1996 02:44:25 -0700"), Some(Timestamp(836_732_665)));
        assert_eq!(Timestamp(836_732_665).to_imap(), " 7-Jul-1996 09:44:25 +0000");
        assert_eq!(Timestamp(951_782_400).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(Timestamp(i64::MAX).to_imap(), " 1-Jan-1970 00:00:00 +0000");
    }

    #[test]
    fn what_is_no_date() {
        for bad in
            ["", "NIL", "00-Jan-0000 00:00:00 +0000", "1-Foo-2000 00:00:00 +0000", "1-Jan-2000", "1-Jan-2000 1:2 +0000"]
        {
            assert_eq!(Timestamp::parse_imap(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(seconds in -62_135_596_800i64..253_402_300_799) {
            prop_assert_eq!(Timestamp::parse_imap(&Timestamp(seconds).to_imap()), Some(Timestamp(seconds)));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = Timestamp::parse_imap(&text);
        }
    }
}
