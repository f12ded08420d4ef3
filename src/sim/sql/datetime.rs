//! Dates and instants as numbers: reading, writing, truncating, adding. The session's zone is UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Timelike};

/// Microseconds in a day.
pub(crate) const DAY_US: i64 = 86_400_000_000;

pub(crate) fn to_date(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(i32::try_from(days).ok()?)
}

pub(crate) fn from_date(date: NaiveDate) -> i64 {
    date.to_epoch_days().into()
}

pub(crate) fn to_moment(us: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(us).map(|at| at.naive_utc())
}

pub(crate) fn from_moment(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

/// `2026-01-02`.
pub(crate) fn date_text(days: i64) -> String {
    to_date(days).map_or_else(|| days.to_string(), |date| date.format("%Y-%m-%d").to_string())
}

fn fraction(us: i64, least: usize) -> String {
    let digits = format!("{:06}", us.rem_euclid(1_000_000));
    let kept = digits.trim_end_matches('0');
    let kept = if kept.len() < least { digits.get(..least).unwrap_or(kept) } else { kept };
    if kept.is_empty() { String::new() } else { format!(".{kept}") }
}

/// `2026-01-02 03:04:05.6`, the text of a cast to STRING.
pub(crate) fn timestamp_text(us: i64) -> String {
    let Some(moment) = to_moment(us) else { return us.to_string() };
    format!("{}{}", moment.format("%Y-%m-%d %H:%M:%S"), fraction(us, 0))
}

/// `2026-01-02T03:04:05.600Z`, the text in a result.
pub(crate) fn timestamp_iso(us: i64) -> String {
    let Some(moment) = to_moment(us) else { return us.to_string() };
    format!("{}{}Z", moment.format("%Y-%m-%dT%H:%M:%S"), fraction(us, 3))
}

/// `INTERVAL '1 02:03:04' DAY TO SECOND`.
pub(crate) fn interval_text(us: i64) -> String {
    let (sign, us) = (if us < 0 { "-" } else { "" }, us.unsigned_abs());
    let seconds = us / 1_000_000;
    let part = i64::try_from(us % 1_000_000).unwrap_or(0);
    format!(
        "INTERVAL '{sign}{} {:02}:{:02}:{:02}{}' DAY TO SECOND",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        fraction(part, 0)
    )
}

/// Reads a date: `2026`, `2026-1`, `2026-01-02`, or a date with a time behind it, which is dropped.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let text = text.trim();
    let day = text.split(['T', ' ']).next()?;
    let mut parts = day.split('-');
    let year = parts.next()?;
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut small = |default| match parts.next() {
        None => Some(default),
        Some(part) if (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) => {
            part.parse::<u32>().ok()
        }
        Some(_) => None,
    };
    let (month, date) = (small(1)?, small(1)?);
    if parts.next().is_some() || (text.len() > day.len() && date == 0) {
        return None;
    }
    Some(from_date(NaiveDate::from_ymd_opt(year.parse().ok()?, month, date)?))
}

/// Reads an instant; without a zone it is UTC. The flag says whether a zone was written.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i64, bool)> {
    let text = text.trim();
    let days = parse_date(text)?;
    let Some((_, time)) = text.split_once(['T', ' ']) else { return Some((days.checked_mul(DAY_US)?, false)) };
    let (clock, zone) = split_zone(time)?;
    let (whole, part) = clock.split_once('.').unwrap_or((clock, ""));
    let mut fields = whole.split(':');
    let mut field = |limit: i64| {
        let text = fields.next().unwrap_or("0");
        let value: i64 = text.parse().ok()?;
        ((1..=2).contains(&text.len()) && (0..limit).contains(&value)).then_some(value)
    };
    let (hour, minute, second) = (field(24)?, field(60)?, field(60)?);
    if fields.next().is_some() || part.len() > 9 || !part.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: i64 = format!("{part:0<6}").get(..6)?.parse().ok()?;
    let day_us = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
    Some((days.checked_mul(DAY_US)? + day_us - zone.unwrap_or(0) * 1_000_000, zone.is_some()))
}

/// Splits `03:04:05+02:00` into clock and offset in seconds.
fn split_zone(time: &str) -> Option<(&str, Option<i64>)> {
    let time = time.trim();
    for name in ["Z", "UTC", "GMT"] {
        if let Some(clock) = time.strip_suffix(name) {
            return Some((clock.trim_end(), Some(0)));
        }
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, None)) };
    let (clock, offset) = time.split_at(at);
    let digits: String = offset.get(1..)?.chars().filter(|c| *c != ':').collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..).filter(|m| !m.is_empty()).map_or(Some(0), |m| m.parse().ok())?;
    let seconds = hours * 3600 + minutes * 60;
    Some((clock.trim_end(), Some(if offset.starts_with('-') { -seconds } else { seconds })))
}

/// Cuts an instant to a unit of `date_trunc`; none for an unknown unit.
pub(crate) fn truncate(unit: &str, us: i64) -> Option<i64> {
    let step = match unit.to_uppercase().as_str() {
        "MICROSECOND" => 1,
        "MILLISECOND" => 1_000,
        "SECOND" => 1_000_000,
        "MINUTE" => 60_000_000,
        "HOUR" => 3_600_000_000,
        "DAY" | "DD" => DAY_US,
        other => return truncate_date(other, us.div_euclid(DAY_US)).map(|days| days * DAY_US),
    };
    Some(us - us.rem_euclid(step))
}

/// Cuts a date to a unit of `trunc`; none for an unknown unit.
pub(crate) fn truncate_date(unit: &str, days: i64) -> Option<i64> {
    let date = to_date(days)?;
    let first = match unit.to_uppercase().as_str() {
        "WEEK" => date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into()))?,
        "MONTH" | "MM" | "MON" => date.with_day(1)?,
        "QUARTER" => date.with_day(1)?.with_month(date.month0() / 3 * 3 + 1)?,
        "YEAR" | "YYYY" | "YY" => date.with_day(1)?.with_month(1)?,
        _ => return None,
    };
    Some(from_date(first))
}

/// The same day of another month, or its last day when that month is shorter.
pub(crate) fn add_months(days: i64, months: i64) -> Option<i64> {
    let date = to_date(days)?;
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months < 0 { date.checked_sub_months(count)? } else { date.checked_add_months(count)? };
    Some(from_date(moved))
}

/// Microseconds of one fixed unit (WEEK down to MICROSECOND), or months of a calendar unit.
pub(crate) enum Unit {
    /// Fixed length in microseconds.
    Fixed(i64),
    /// Length in months.
    Calendar(i64),
}

/// The unit of a name such as `HOUR` or `hours`.
pub(crate) fn unit(name: &str) -> Option<Unit> {
    let name = name.to_uppercase();
    let name = name.strip_suffix('S').unwrap_or(&name);
    Some(match name {
        "YEAR" => Unit::Calendar(12),
        "QUARTER" => Unit::Calendar(3),
        "MONTH" => Unit::Calendar(1),
        "WEEK" => Unit::Fixed(7 * DAY_US),
        "DAY" => Unit::Fixed(DAY_US),
        "HOUR" => Unit::Fixed(3_600_000_000),
        "MINUTE" => Unit::Fixed(60_000_000),
        "SECOND" => Unit::Fixed(1_000_000),
        "MILLISECOND" => Unit::Fixed(1_000),
        "MICROSECOND" => Unit::Fixed(1),
        _ => return None,
    })
}

/// Whole units from one instant to another, cut towards zero.
pub(crate) fn between(unit: &Unit, from: i64, to: i64) -> Option<i64> {
    match unit {
        Unit::Fixed(us) => Some(to.checked_sub(from)? / us),
        Unit::Calendar(months) => {
            let (a, b) = (to_moment(from)?, to_moment(to)?);
            let count = |m: &NaiveDateTime| i64::from(m.year()) * 12 + i64::from(m.month0());
            let mut whole = count(&b) - count(&a);
            let rest = |m: &NaiveDateTime| (m.day(), m.time());
            if whole > 0 && rest(&b) < rest(&a) {
                whole -= 1;
            } else if whole < 0 && rest(&b) > rest(&a) {
                whole += 1;
            }
            Some(whole / months)
        }
    }
}

/// An instant moved by a count of units.
pub(crate) fn shift(unit: &Unit, count: i64, us: i64) -> Option<i64> {
    match unit {
        Unit::Fixed(each) => us.checked_add(count.checked_mul(*each)?),
        Unit::Calendar(months) => {
            let day = add_months(us.div_euclid(DAY_US), count.checked_mul(*months)?)?;
            day.checked_mul(DAY_US)?.checked_add(us.rem_euclid(DAY_US))
        }
    }
}

/// A part of an instant, by the name that `extract` and `date_part` use.
pub(crate) fn part(name: &str, us: i64) -> Option<i64> {
    let moment = to_moment(us)?;
    Some(match name.to_uppercase().as_str() {
        "YEAR" | "YEARS" => moment.year().into(),
        "QUARTER" => i64::from(moment.month0() / 3 + 1),
        "MONTH" | "MONTHS" => moment.month().into(),
        "WEEK" | "WEEKOFYEAR" => moment.iso_week().week().into(),
        "DAY" | "DAYS" | "DAYOFMONTH" => moment.day().into(),
        "DAYOFWEEK" | "DOW" => moment.weekday().number_from_sunday().into(),
        "WEEKDAY" => moment.weekday().num_days_from_monday().into(),
        "DAYOFYEAR" | "DOY" => moment.ordinal().into(),
        "HOUR" | "HOURS" => moment.hour().into(),
        "MINUTE" | "MINUTES" => moment.minute().into(),
        "SECOND" | "SECONDS" => moment.second().into(),
        _ => return None,
    })
}

/// The last day of a date's month.
pub(crate) fn last_day(days: i64) -> Option<i64> {
    let first = to_date(days)?.with_day(1)?;
    Some(from_date(first.checked_add_months(Months::new(1))?) - 1)
}

/// Java's letters for a moment; none when a letter is not known.
pub(crate) fn format(pattern: &str, us: i64) -> Option<String> {
    let moment = to_moment(us)?;
    Some(moment.format(&strftime(pattern)?).to_string())
}

/// Reads a text by Java's letters; the outer none is an unknown pattern, the inner a text that does not fit.
pub(crate) fn parse(pattern: &str, text: &str) -> Option<Option<i64>> {
    let native = strftime(pattern)?;
    let moment = NaiveDateTime::parse_from_str(text, &native)
        .ok()
        .or_else(|| NaiveDate::parse_from_str(text, &native).ok().and_then(|date| date.and_hms_opt(0, 0, 0)));
    Some(moment.map(from_moment))
}

fn strftime(pattern: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            let (quoted, after) = rest.get(1..)?.split_once('\'')?;
            out.push_str(quoted);
            rest = after;
            continue;
        }
        let run = rest.chars().take_while(|c| *c == letter).count();
        let native = match (letter, run) {
            ('y' | 'u', 4) => "%Y",
            ('y', 2) => "%y",
            ('M', 2) => "%m",
            ('M', 3) => "%b",
            ('M', 4) => "%B",
            ('d', 2) => "%d",
            ('D', 3) => "%j",
            ('H', 2) => "%H",
            ('h', 2) => "%I",
            ('m', 2) => "%M",
            ('s', 2) => "%S",
            ('S', 3) => "%3f",
            ('S', 6) => "%6f",
            ('a', 1) => "%p",
            ('E', 1..=3) => "%a",
            ('E', 4) => "%A",
            (c, _) if c.is_ascii_alphabetic() => return None,
            (c, n) => {
                out.extend(std::iter::repeat_n(c, n));
                ""
            }
        };
        out.push_str(native);
        rest = rest.get(run * letter.len_utf8()..)?;
    }
    Some(out)
}

/// An interval literal such as `'1 02:00:00' DAY TO SECOND` or `15 MINUTES`: microseconds, or months for the second kind.
pub(crate) fn interval(text: &str, first: &str, last: Option<&str>) -> Option<Unit> {
    let text = text.trim();
    if let Some(last) = last {
        let (sign, body) = text.strip_prefix('-').map_or((1, text), |body| (-1, body));
        if first.to_uppercase().starts_with("YEAR") {
            let (years, months) = body.split_once('-')?;
            return Some(Unit::Calendar(sign * (years.parse::<i64>().ok()? * 12 + months.parse::<i64>().ok()?)));
        }
        let units = [("DAY", DAY_US), ("HOUR", 3_600_000_000), ("MINUTE", 60_000_000), ("SECOND", 1_000_000)];
        let start = units.iter().position(|(name, _)| first.to_uppercase().starts_with(name))?;
        let stop = units.iter().position(|(name, _)| last.to_uppercase().starts_with(name))?;
        let parts: Vec<&str> = body.split([' ', ':']).collect();
        let mut us = 0_i64;
        for (part, (_, each)) in parts.iter().zip(units.get(start..=stop)?) {
            us = us.checked_add(scaled(part, *each)?)?;
        }
        return (parts.len() == stop + 1 - start).then_some(Unit::Fixed(sign * us));
    }
    Some(match unit(first)? {
        Unit::Fixed(each) => Unit::Fixed(scaled(text, each)?),
        Unit::Calendar(each) => Unit::Calendar(text.parse::<i64>().ok()?.checked_mul(each)?),
    })
}

fn scaled(text: &str, each: i64) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(count) => count.checked_mul(each),
        Err(_) => {
            let exact =
                super::decimal::Decimal::parse(text)?.multiply(super::decimal::Decimal::from_integer(each), 0)?;
            i64::try_from(exact.unscaled).ok()
        }
    }
}

/// The instant `now` as SQL counts it.
pub(crate) fn now_us(now: DateTime<chrono::Utc>) -> i64 {
    now.timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_and_write() {
        let (at, zoned) = parse_timestamp("2026-03-04T05:06:07.89+02:00").unwrap();
        assert!(zoned);
        assert_eq!(timestamp_text(at), "2026-03-04 03:06:07.89");
        assert_eq!(timestamp_iso(at), "2026-03-04T03:06:07.890Z");
        assert_eq!(parse_timestamp("2026-03-04").map(|(at, _)| timestamp_text(at)).unwrap(), "2026-03-04 00:00:00");
        for bad in ["2026-13-01", "nope", "2026-01-01 25:00:00", "2026-01-01 10:00:00xx", ""] {
            assert!(parse_timestamp(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn calendars_are_kept() {
        let day = |text| parse_date(text).unwrap();
        assert_eq!(date_text(add_months(day("2026-01-31"), 1).unwrap()), "2026-02-28");
        assert_eq!(date_text(truncate_date("QUARTER", day("2026-05-20")).unwrap()), "2026-04-01");
        assert_eq!(date_text(truncate_date("week", day("2026-11-22")).unwrap()), "2026-11-16");
        assert_eq!(part("DAYOFWEEK", day("2026-11-22") * DAY_US), Some(1));
        let at = |text| parse_timestamp(text).unwrap().0;
        assert_eq!(between(&unit("month").unwrap(), at("2026-01-31"), at("2026-02-28")), Some(0));
        assert_eq!(
            between(&unit("seconds").unwrap(), at("2026-01-01 00:00:10"), at("2026-01-01 00:00:00.5")),
            Some(-9)
        );
        assert_eq!(format("yyyy/MM/dd HH:mm", at("2026-01-02 03:04:05")).unwrap(), "2026/01/02 03:04");
        assert_eq!(
            interval_text(match interval("1 02:03:04", "DAY", Some("SECOND")) {
                Some(Unit::Fixed(us)) => us,
                _ => 0,
            }),
            "INTERVAL '1 02:03:04' DAY TO SECOND"
        );
    }
}
