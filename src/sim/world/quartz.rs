//! Schedules as the world uses them: all fires of a span, and expressions for what the built-in fleet plans.

use chrono::Timelike;
use chrono_tz::Tz;

use crate::domain::Instant;
use crate::domain::schedule::{Schedule, ScheduleError};

/// A parsed schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Quartz(Schedule);

impl Quartz {
    /// Reads a quartz expression and an IANA zone.
    ///
    /// # Errors
    /// When the expression or the zone says nothing.
    pub(super) fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        Schedule::parse(expression, zone).map(Self)
    }

    /// All fires in `[from, to)`, in order.
    pub(super) fn fires_between(&self, from: Instant, to: Instant) -> Vec<Instant> {
        let just_before = from - chrono::TimeDelta::milliseconds(1);
        std::iter::successors(self.next_after(just_before), |fire| self.next_after(*fire))
            .take_while(|fire| *fire < to)
            .collect()
    }

    /// The first fire after an instant, if any.
    pub(super) fn next_after(&self, at: Instant) -> Option<Instant> {
        self.0.next_after(at)
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
