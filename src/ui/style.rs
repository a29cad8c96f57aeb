//! How text looks: colours, display widths, wrapping, and how sizes and times read. PURE.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The option `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` says otherwise.
    #[default]
    Auto,
    /// Always, `NO_COLOR` or not.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether a stream gets colours. `no_color` is true when `NO_COLOR` is set and not empty (no-color.org).
    #[must_use]
    pub fn applies(self, is_terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Auto => is_terminal && !no_color,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// What a piece of text is, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Something failed.
    Error,
    /// Something to know.
    Warning,
    /// Something is well.
    Good,
    /// A heading.
    Heading,
    /// Of less weight.
    Faint,
}

/// `text` in the colour of `paint` (ECMA-48 SGR), or as it is.
#[must_use]
pub fn paint(text: &str, paint: Paint, colored: bool) -> String {
    let code = match paint {
        Paint::Error => "1;31",
        Paint::Warning => "1;33",
        Paint::Good => "32",
        Paint::Heading => "1",
        Paint::Faint => "2",
    };
    if colored { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Columns that `text` takes on a terminal; `text` has no escape sequences.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `columns`, its end replaced by `…` where it does not fit.
#[must_use]
pub fn shorten(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 0;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used < columns
        })
        .collect();
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `text` shortened or filled with blanks to exactly `columns`.
#[must_use]
pub fn fit(text: &str, columns: usize, right: bool) -> String {
    let text = shorten(text, columns);
    let gap = " ".repeat(columns.saturating_sub(text.width()));
    if right { gap + &text } else { text + &gap }
}

/// `text` in lines of at most `columns`, broken at blanks; lines after the first begin with `indent` blanks. A word
/// longer than a line stays whole, so that it can be copied. `None`: one line.
#[must_use]
pub fn wrap(text: &str, columns: Option<usize>, indent: usize) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let mut out = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let wide = word.width();
        if used == 0 {
            used = wide;
        } else if used + 1 + wide > columns {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = indent + wide;
        } else {
            out.push(' ');
            used += 1 + wide;
        }
        out.push_str(word);
    }
    out
}

/// Bytes as people read them: `512 B`, `4.2 MiB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = "";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        tenths = (tenths + 512) / 1024;
        unit = next;
        if tenths < 10_235 {
            break;
        }
    }
    if tenths < 1000 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", (tenths + 5) / 10)
    }
}

/// A time span as people read it: `0.3 s`, `42 s`, `3 min 12 s`, `2 h 05 min`.
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A count with its noun, which gets an `s` unless there is one: `1 folder`, `12 folders`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_follow_the_option_then_no_color_then_the_terminal() {
        assert!(Color::Auto.applies(true, false));
        assert!(!Color::Auto.applies(true, true));
        assert!(!Color::Auto.applies(false, false));
        assert!(Color::Always.applies(false, true));
        assert!(!Color::Never.applies(true, false));
        assert_eq!(paint("x", Paint::Error, true), "\x1b[1;31mx\x1b[0m");
        assert_eq!(paint("x", Paint::Error, false), "x");
    }

    #[test]
    fn sizes_and_spans_read_well() {
        let sizes = [0, 1023, 1024, 4_404_019, 104_857_600, 1_073_741_823, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "4.2 MiB", "100 MiB", "1.0 GiB", "16.0 EiB"]);
        let spans = [340, 9_990, 42_000, 192_000, 7_500_000].map(|ms| span(Duration::from_millis(ms)));
        assert_eq!(spans, ["0.3 s", "9.9 s", "42 s", "3 min 12 s", "2 h 05 min"]);
    }

    #[test]
    fn wide_letters_count_double() {
        assert_eq!(fit("日本語", 8, false), "日本語  ");
        assert_eq!(fit("日本語", 5, true), "日本…");
        assert_eq!(fit("abc", 5, true), "  abc");
        assert_eq!(shorten("abc", 0), "");
    }

    #[test]
    fn long_words_stay_whole() {
        assert_eq!(wrap("see https://example.org/long now", Some(12), 2), "see\n  https://example.org/long\n  now");
        assert_eq!(wrap("a b", None, 2), "a b");
    }

    proptest! {
        #[test]
        fn fit_fills_exactly(text in "\\PC{0,30}", columns in 1usize..20) {
            let fitted = fit(&text, columns, false);
            // Widths of whole strings and of single characters differ for emoji sequences; those may end short.
            prop_assert!(fitted.width() <= columns.max(text.width()));
        }

        #[test]
        fn wrapping_only_changes_blanks(text in "[a-z]{1,9}( [a-z]{1,9}){0,20}", columns in 1usize..40, indent in 0usize..4) {
            let wrapped = wrap(&text, Some(columns), indent);
            prop_assert_eq!(wrapped.split_whitespace().collect::<Vec<_>>().join(" "), text);
            prop_assert!(wrapped.lines().all(|l| l.width() <= columns || l.split_whitespace().count() == 1));
        }
    }
}
