//! Numbers, durations, ages and instants as people read them, one way for all screens and outputs (screens.md 1).

use chrono_tz::Tz;

use super::Instant;

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

/// An instant in a zone: the time alone within half a day of `now`, with the date otherwise.
pub fn instant(at: Instant, now: Instant, zone: Tz) -> String {
    let near = now.signed_duration_since(at).num_hours().abs() < 12;
    at.with_timezone(&zone).format(if near { "%H:%M" } else { "%m-%d %H:%M" }).to_string()
}

/// An instant to the second: the time alone within half a day, with the date otherwise, to the minute.
pub fn moment(at: Instant, now: Instant, zone: Tz) -> String {
    let near = now.signed_duration_since(at).abs() < chrono::TimeDelta::hours(12);
    if near { time(at, zone) } else { instant(at, now, zone) }
}

/// A time of day in a zone, with seconds.
pub fn time(at: Instant, zone: Tz) -> String {
    at.with_timezone(&zone).format("%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn an_instant_of_another_day_has_its_date() {
        let at = Instant::from_timestamp(1_732_257_900, 0).expect("in range");
        assert_eq!(instant(at, at, chrono_tz::UTC), "06:45");
        assert_eq!(instant(at, at + chrono::TimeDelta::days(1), chrono_tz::America::New_York), "11-22 01:45");
        assert_eq!(time(at, chrono_tz::UTC), "06:45:00");
    }
}
