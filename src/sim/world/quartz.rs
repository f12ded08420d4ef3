//! Quartz cron schedules: when a job fires, in its own time zone.
//!
//! Written apart from whatever the console uses to forecast, so that each is a check of the other.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeZone, Timelike};
use chrono_tz::Tz;

use crate::domain::Instant;

/// How far ahead a next fire is sought, in days: past every leap day.
const HORIZON_DAYS: u64 = 4 * 366 + 1;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quartz {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    last_day: bool,
    months: u64,
    weekdays: u64,
    zone: Tz,
}

/// Why a schedule cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuartzError {
    /// Not six or seven fields.
    #[error("cron expression '{0}' must have six or seven fields")]
    Fields(String),
    /// A field says nothing that it may say.
    #[error("cron field '{field}' of '{expression}' is invalid")]
    Field {
        /// The field as written.
        field: String,
        /// The whole.
        expression: String,
    },
    /// No such zone.
    #[error("time zone '{0}' is unknown")]
    Zone(String),
}

impl Quartz {
    /// Reads six or seven fields (seconds, minutes, hours, day of month, month, day of week, year) and an IANA zone.
    /// Understood are `*`, `?`, numbers, names, ranges, steps, lists and `L` as day of month; the year is ignored.
    ///
    /// # Errors
    /// When a field or the zone is none of that.
    pub(super) fn parse(expression: &str, zone: &str) -> Result<Self, QuartzError> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [seconds, minutes, hours, days, months, weekdays, ..] = fields[..] else {
            return Err(QuartzError::Fields(expression.to_owned()));
        };
        if fields.len() > 7 {
            return Err(QuartzError::Fields(expression.to_owned()));
        }
        let read = |field: &str, low, high, names: &[&str]| {
            bits(field, low, high, names)
                .ok_or_else(|| QuartzError::Field { field: field.to_owned(), expression: expression.to_owned() })
        };
        let last_day = days.eq_ignore_ascii_case("L");
        Ok(Self {
            seconds: read(seconds, 0, 59, &[])?,
            minutes: read(minutes, 0, 59, &[])?,
            hours: read(hours, 0, 23, &[])?,
            days: if last_day { 0 } else { read(days, 1, 31, &[])? },
            last_day,
            months: read(months, 1, 12, &MONTHS)?,
            weekdays: read(weekdays, 1, 7, &WEEKDAYS)?,
            zone: zone.parse().map_err(|_| QuartzError::Zone(zone.to_owned()))?,
        })
    }

    /// All fires in `[from, to)`, in order.
    pub(super) fn fires_between(&self, from: Instant, to: Instant) -> Vec<Instant> {
        let mut fires = Vec::new();
        let mut date = from.with_timezone(&self.zone).date_naive();
        let last = to.with_timezone(&self.zone).date_naive();
        while date <= last {
            self.fires_on(date, |at| {
                if from <= at && at < to {
                    fires.push(at);
                }
            });
            let Some(next) = date.succ_opt() else { break };
            date = next;
        }
        fires
    }

    /// The first fire after an instant; none within four years.
    pub(super) fn next_after(&self, at: Instant) -> Option<Instant> {
        let start = at.with_timezone(&self.zone).date_naive();
        (0..HORIZON_DAYS).find_map(|days| {
            let mut first = None;
            self.fires_on(start.checked_add_days(chrono::Days::new(days))?, |fire| {
                if fire > at && first.is_none() {
                    first = Some(fire);
                }
            });
            first
        })
    }

    fn fires_on(&self, date: NaiveDate, mut fire: impl FnMut(Instant)) {
        if !self.fires_that_day(date) {
            return;
        }
        for hour in ones(self.hours) {
            for minute in ones(self.minutes) {
                for second in ones(self.seconds) {
                    let Some(time) = NaiveTime::from_hms_opt(hour, minute, second) else { continue };
                    // A local time that the clocks skip does not fire; one that comes twice fires at its first coming.
                    if let Some(at) = self.zone.from_local_datetime(&date.and_time(time)).earliest() {
                        fire(at.to_utc());
                    }
                }
            }
        }
    }

    fn fires_that_day(&self, date: NaiveDate) -> bool {
        let last = date.succ_opt().is_none_or(|next| next.month() != date.month());
        has(self.months, date.month())
            && (has(self.days, date.day()) || (self.last_day && last))
            && has(self.weekdays, date.weekday().number_from_sunday())
    }

    /// The expression of a schedule that fires once a day at the local time of `at`.
    pub(super) fn daily_at(at: Instant, zone: Tz) -> String {
        let local = at.with_timezone(&zone);
        format!("{} {} {} * * ?", local.second(), local.minute(), local.hour())
    }

    /// The expression of a schedule that fires once an hour at the minute and second of `at`.
    pub(super) fn hourly_at(at: Instant, zone: Tz) -> String {
        let local = at.with_timezone(&zone);
        format!("{} {} * * * ?", local.second(), local.minute())
    }
}

fn has(bits: u64, value: u32) -> bool {
    bits >> value & 1 == 1
}

fn ones(bits: u64) -> impl Iterator<Item = u32> {
    (0..60).filter(move |value| has(bits, *value))
}

fn bits(field: &str, low: u32, high: u32, names: &[&str]) -> Option<u64> {
    let mut all = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let value = |text: &str| {
            let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
            let number = match named {
                Some(index) => u32::try_from(index).ok()? + low,
                None => text.parse().ok()?,
            };
            (low..=high).contains(&number).then_some(number)
        };
        let (from, to) = match range {
            "*" | "?" => (low, high),
            _ => match range.split_once('-') {
                Some((from, to)) => (value(from)?, value(to)?),
                None => (value(range)?, if step.is_some() { high } else { value(range)? }),
            },
        };
        if from > to {
            return None;
        }
        for number in (from..=to).step_by(usize::try_from(step.unwrap_or(1)).ok()?) {
            all |= 1_u64 << number;
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("an instant")
    }

    fn next(expression: &str, zone: &str, from: &str) -> Instant {
        Quartz::parse(expression, zone).expect("parses").next_after(at(from)).expect("fires")
    }

    #[test]
    fn schedules_fire_when_quartz_says() {
        let cases = [
            ("0 0 * * * ?", "UTC", "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"),
            ("30 5/15 * * * ?", "UTC", "2026-11-22T10:51:00Z", "2026-11-22T11:05:30Z"),
            ("0 5 5 * * ?", "America/New_York", "2026-11-22T00:00:00Z", "2026-11-22T10:05:00Z"),
            ("0 0 6 ? * MON-FRI", "Europe/London", "2026-11-21T00:00:00Z", "2026-11-23T06:00:00Z"),
            ("0 0 6 ? * 1", "UTC", "2026-11-23T00:00:00Z", "2026-11-29T06:00:00Z"),
            ("0 0 2 L * ?", "UTC", "2027-02-01T00:00:00Z", "2027-02-28T02:00:00Z"),
            ("0 0 0 29 2 ? *", "UTC", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ];
        for (expression, zone, from, expected) in cases {
            assert_eq!(next(expression, zone, from), at(expected), "{expression} {zone}");
        }
    }

    #[test]
    fn a_local_time_that_the_clocks_skip_does_not_fire_and_one_that_comes_twice_fires_once() {
        let quartz = Quartz::parse("0 30 2 * * ?", "America/New_York").expect("parses");
        let spring = quartz.fires_between(at("2026-03-08T00:00:00Z"), at("2026-03-09T00:00:00Z"));
        assert!(spring.is_empty(), "02:30 does not exist on 8 March 2026");
        let quartz = Quartz::parse("0 30 1 * * ?", "America/New_York").expect("parses");
        let autumn = quartz.fires_between(at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z"));
        assert_eq!(autumn, [at("2026-11-01T05:30:00Z")]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in ["0 0 * * *", "61 0 * * * ?", "0 0 25 * * ?", "0 0 0 ? * FUN", "0 5-1 * * * ?", "0 0/0 * * * ?"] {
            assert!(Quartz::parse(bad, "UTC").is_err(), "{bad}");
        }
        assert!(Quartz::parse("0 0 * * * ?", "Mars/Olympus").is_err());
    }
}
