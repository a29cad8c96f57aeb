//! IMAP dates as seconds since 1970, both ways.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month, day of a number of days since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + shifted.div_euclid(146_097) * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// `17-Jul-1996 02:44:25 -0700` (RFC 9051 `date-time`, without quotes) as seconds since 1970.
pub fn parse_internal_date(text: &str) -> Option<i64> {
    let mut words = text.trim().split([' ', '-', ':']);
    let mut number = || words.next().and_then(|w| w.parse::<i64>().ok());
    let day = number()?;
    let rest = text.trim().split_once('-')?.1;
    let (month, rest) = rest.split_once('-')?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month))? as i64 + 1;
    let mut parts = rest.split(' ');
    let year = parts.next()?.parse().ok()?;
    let clock: Vec<i64> = parts.next()?.split(':').filter_map(|p| p.parse().ok()).collect();
    let [hour, minute, second] = clock[..] else { return None };
    let zone: i64 = parts.next()?.parse().ok()?;
    let offset = (zone / 100) * 3600 + (zone % 100) * 60;
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

/// Seconds since 1970 as an IMAP date in UTC.
pub fn internal_date(seconds: i64) -> String {
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    format!("{day:02}-{name}-{year:04} {:02}:{:02}:{:02} +0000", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_both_ways() {
        assert_eq!(parse_internal_date("17-Jul-1996 02:44:25 -0700"), Some(837_596_665));
        assert_eq!(parse_internal_date(" 1-Jan-1970 00:00:00 +0000"), Some(0));
        for seconds in [0, 1, 86_399, 951_782_400, 1_709_210_096, 4_102_444_799, -86_401] {
            assert_eq!(parse_internal_date(&internal_date(seconds)), Some(seconds), "{}", internal_date(seconds));
        }
    }
}
