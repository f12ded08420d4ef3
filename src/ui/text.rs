//! Text by measure: widths, cuts, wrapping; and numbers, durations and ages as the console writes them.
//!
//! Widths are terminal cells, never bytes or characters. Text from outside is made harmless by `domain::text` first.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// How many cells the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Cuts the middle out of text that is wider than `limit`, since the end of a name often tells `_v2` from `_v3`.
pub fn cut_middle(text: &str, limit: usize, ellipsis: &str) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(width(ellipsis)) else { return String::new() };
    let head = take(text.graphemes(true), room.div_ceil(2));
    let tail = take(text.graphemes(true).rev(), room - width(&head));
    let tail: String = tail.graphemes(true).rev().collect();
    format!("{head}{ellipsis}{tail}")
}

/// Cuts the end off text that is wider than `limit`.
pub fn cut_end(text: &str, limit: usize, ellipsis: &str) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let Some(room) = limit.checked_sub(width(ellipsis)) else { return String::new() };
    format!("{}{ellipsis}", take(text.graphemes(true), room))
}

/// As many graphemes from the front as fit into `room` cells.
fn take<'a>(graphemes: impl Iterator<Item = &'a str>, room: usize) -> String {
    let mut used = 0;
    graphemes
        .take_while(|grapheme| {
            used += width(grapheme);
            used <= room
        })
        .collect()
}

/// Fills text with spaces on the right up to `to` cells.
pub fn pad_end(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}

/// Fills text with spaces on the left up to `to` cells.
pub fn pad_start(text: &str, to: usize) -> String {
    format!("{}{text}", " ".repeat(to.saturating_sub(width(text))))
}

/// Breaks one line into lines of at most `limit` cells, at spaces where it can and within words where it must.
/// Indentation stays; the spaces at a break go. A character wider than the limit itself becomes `?`.
pub fn wrap(line: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut wrapped = Vec::new();
    let mut row = String::new();
    // Where the row could be broken: the byte after a space that follows something.
    let mut break_at = None;
    for grapheme in line.graphemes(true) {
        let grapheme = if width(grapheme) > limit { "?" } else { grapheme };
        if width(&row) + width(grapheme) > limit {
            if grapheme == " " {
                wrapped.push(row.trim_end().to_owned());
                row.clear();
                break_at = None;
                continue;
            }
            let rest = break_at.take().map_or_else(String::new, |at| row.split_off(at));
            wrapped.push(row.trim_end().to_owned());
            row = rest;
        }
        if grapheme != " " || !row.is_empty() || wrapped.is_empty() {
            row.push_str(grapheme);
        }
        if grapheme == " " && !row.trim_start().is_empty() {
            break_at = Some(row.len());
        }
    }
    if !row.is_empty() || wrapped.is_empty() {
        wrapped.push(row.trim_end().to_owned());
    }
    wrapped
}

/// A duration in two units at most: `38s`, `41m`, `1h07`, `3d04h`. Below a second: `<1s`.
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => "<1s".to_owned(),
        1..60 => format!("{s}s"),
        60..3_600 => format!("{}m", s / 60),
        3_600..86_400 => format!("{}h{:02}", s / 3_600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3_600 % 24),
    }
}

/// A duration where seconds matter for longer, such as a lag: `38s`, `4m12`, then as [`duration`].
pub fn lag(s: u64) -> String {
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}", s / 60, s % 60),
        _ => duration(s.saturating_mul(1000)),
    }
}

/// What is left until a deadline: `0:34:12`; `-0:02:00` once it has passed.
pub fn countdown(s: i64) -> String {
    let sign = if s < 0 { "-" } else { "" };
    let s = s.unsigned_abs();
    format!("{sign}{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// An age: `4s`, `6m`, `2h`, `3d`.
pub fn age(s: u64) -> String {
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m", s / 60),
        3_600..86_400 => format!("{}h", s / 3_600),
        _ => format!("{}d", s / 86_400),
    }
}

/// A number with its thousands set apart: `48,120,331`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number in three digits or so, with its magnitude: `950`, `12.1 k`, `118 k`, `1.2 M`.
pub fn count(number: f64) -> String {
    scaled(number, 1000.0, &["", " k", " M", " G", " T"])
}

/// Bytes in binary magnitudes: `512 B`, `1.5 KiB`, `3.2 GiB`.
pub fn bytes(number: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let number = number as f64;
    scaled(number, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB"])
}

fn scaled(number: f64, step: f64, units: &[&str]) -> String {
    let mut number = number;
    let mut unit = 0;
    // 999.6 would be written 1000 in its own magnitude.
    while number.abs() >= step - 0.5 && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let digits = usize::from(number.abs() < 99.95 && (unit > 0 || number.fract() != 0.0));
    format!("{number:.digits$}{}", units[unit])
}

/// The percentage of `part` in `whole`, never rounded up to 100 or down to 0: `99.98 %`; none of nothing.
pub fn percent(part: u64, whole: u64) -> Option<String> {
    if whole == 0 {
        return None;
    }
    if part == 0 || part >= whole {
        return Some(if part == 0 { "0 %" } else { "100 %" }.to_owned());
    }
    // Hundredths of a percent, in whole numbers.
    let hundredths = (u128::from(part) * 10_000 / u128::from(whole)).clamp(1, 9_999);
    Some(format!("{}.{:02} %", hundredths / 100, hundredths % 100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_cut_in_the_middle() {
        assert_eq!(cut_middle("finance_close_daily_v3", 12, "…"), "financ…ly_v3");
        assert_eq!(cut_middle("short", 12, "…"), "short");
        assert_eq!(cut_middle("short", 1, "…"), "…");
        assert_eq!(cut_middle("short", 0, "…"), "");
        assert_eq!(cut_end("AnalysisException", 9, "…"), "Analysis…");
    }

    #[test]
    fn wrapping_prefers_spaces_and_keeps_indentation() {
        assert_eq!(wrap("  at org.apache.spark.sql of it", 16), ["  at", "org.apache.spark", ".sql of it"]);
        assert_eq!(wrap("one two", 7), ["one two"]);
        assert_eq!(wrap("one two", 3), ["one", "two"]);
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("ab漢字", 3), ["ab", "漢", "字"]);
    }

    #[test]
    fn durations_take_two_units_at_most() {
        let texts: Vec<_> = [999, 38_000, 41 * 60_000, 67 * 60_000, 76 * 3_600_000].map(duration).into();
        assert_eq!(texts, ["<1s", "38s", "41m", "1h07", "3d04h"]);
        assert_eq!(lag(252), "4m12");
        assert_eq!(lag(7_500), "2h05");
    }

    #[test]
    fn countdowns_and_ages() {
        assert_eq!(countdown(2_052), "0:34:12");
        assert_eq!(countdown(-120), "-0:02:00");
        assert_eq!([4, 360, 7_200, 260_000].map(age), ["4s", "6m", "2h", "3d"]);
    }

    #[test]
    fn numbers_carry_separators_or_a_magnitude() {
        assert_eq!(thousands(48_120_331), "48,120,331");
        assert_eq!(thousands(999), "999");
        let counts = [950.0, 999.6, 12_100.0, 118_000.0, 1_200_000.0, 2.5].map(count);
        assert_eq!(counts, ["950", "1.0 k", "12.1 k", "118 k", "1.2 M", "2.5"]);
        assert_eq!([512, 1_536, 3_435_973_837].map(bytes), ["512 B", "1.5 KiB", "3.2 GiB"]);
    }

    #[test]
    fn a_percentage_is_never_rounded_to_all_or_nothing() {
        assert_eq!(percent(999_999, 1_000_000).as_deref(), Some("99.99 %"));
        assert_eq!(percent(1, 1_000_000).as_deref(), Some("0.01 %"));
        assert_eq!(percent(5, 5).as_deref(), Some("100 %"));
        assert_eq!(percent(0, 0), None);
    }

    proptest! {
        #[test]
        fn wrapping_fits_at_any_width_and_loses_nothing(text in "[ a-zé漢🙂]{0,60}", limit in 2_usize..30) {
            let wrapped = wrap(&text, limit);
            for row in &wrapped {
                prop_assert!(width(row) <= limit, "{row:?} of {text:?}");
            }
            let visible = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(visible(&wrapped.concat()), visible(&text));
        }

        #[test]
        fn cuts_fit_at_any_width(text in "\\PC{0,40}", limit in 0_usize..30) {
            prop_assert!(width(&cut_middle(&text, limit, "…")) <= limit);
            prop_assert!(width(&cut_end(&text, limit, "…")) <= limit);
        }

        #[test]
        fn wrapping_never_exceeds_even_one_cell(text in "\\PC{0,40}") {
            for row in wrap(&text, 1) {
                prop_assert!(width(&row) <= 1, "{row:?}");
            }
        }
    }
}
